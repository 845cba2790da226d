"""Sets of samples on disk: shards (tar files as WebDataset reads them) or plain folders; both whole at any moment."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from marrow.errors import InputError
from marrow.io.files import output_error, write_atomically

Sample = tuple[str, Mapping[str, bytes]]


def write_shard(path: Path, samples: Iterator[Sample]) -> int:
    """Write samples to a tar file that appears when it is complete; the number of samples.

    Raises:
        OutputError: it cannot be written (disk full …); nothing is left behind.
    """
    count = 0
    with write_atomically(path) as file, tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for key, files in samples:
            for ending, data in files.items():
                # no owner, no time: the same bytes whenever and by whomever it is made
                about = tarfile.TarInfo(f"{key}.{ending}")
                about.size = len(data)
                tar.addfile(about, io.BytesIO(data))
            count += 1
    return count


def read_shard(path: str | Path, endings: tuple[str, ...] = ()) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Samples of a shard, in their order: key, and files by their ending (all, or those named).

    Raises:
        InputError: no tar file, or a damaged one.
    """
    key, files = "", {}
    try:
        with tarfile.open(path) as tar:
            for member in tar:
                stem, _, ending = member.name.partition(".")
                if stem != key and files:
                    yield key, files
                    files = {}
                key = stem
                data = tar.extractfile(member)
                if data is not None and (not endings or ending in endings):
                    files[ending] = data.read()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (tarfile.TarError, EOFError, OSError) as error:
        raise InputError(f"{path}: not a whole tar file ({error}); make the set again, which mends it") from error
    if files:
        yield key, files


def write_folder(folder: Path, samples: Iterator[Sample]) -> int:
    """Write samples as files in folders by kind: ``images/000012.jpg``, ``mask/000012.png``, ``labels/000012.json``.

    The label is written last: where it is, the sample is whole.

    Raises:
        OutputError: a file cannot be written.
    """
    count = 0
    for key, files in samples:
        for ending, data in sorted(files.items(), key=lambda item: item[0] == "json"):
            path = folder / _place(key, ending)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise output_error(error, path.parent) from error
            with write_atomically(path) as file:
                file.write(data)
        count += 1
    return count


def label_path(folder: Path, key: str) -> Path:
    """Where :func:`write_folder` puts a sample's record."""
    return folder / _place(key, "json")


def _place(key: str, ending: str) -> str:
    kind, _, suffix = ending.rpartition(".")
    frame, _, name = kind.rpartition(".")
    folder = name or {"jpg": "images", "mp4": "videos", "json": "labels"}[suffix]
    return f"{folder}/{key}{'_' + frame if frame else ''}.{suffix}"


def read_records(folder: str | Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """All records of a set in the order of their numbers: where the picture or clip lies in it, and the record.

    Raises:
        InputError: the folder holds no set, or a damaged record.
    """
    folder = Path(folder)
    shards = sorted(folder.glob("*.tar"))
    labels = sorted((folder / "labels").glob("*.json"))
    if not shards and not labels:
        raise InputError(f"{folder} holds no synthetic set (*.tar or labels/*.json); make one with marrow synth --out")
    for shard in shards:
        for key, files in read_shard(shard, ("json",)):
            record = _decoded(files.get("json", b""), f"{shard}: {key}", shard)
            yield f"{shard.name}/{key}.{'mp4' if 'frames' in record else 'jpg'}", record
    for label in labels:
        record = _decoded(label.read_bytes(), str(label), label)
        yield _place(label.stem, "mp4" if "frames" in record else "jpg"), record


def _decoded(data: bytes, name: str, file: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"{name}: its record is damaged ({error}); delete {file.name} and make the set again, which mends it"
        ) from None
