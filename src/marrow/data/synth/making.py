"""Making whole sets: on any number of workers, to be gone on with after any interruption."""

from __future__ import annotations

import platform
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from threadpoolctl import threadpool_limits

from marrow.body.parts import PARTS
from marrow.data.synth.annotations import MAPS, joint_set_names
from marrow.data.synth.presets import preset
from marrow.data.synth.samples import Recipe, keys, make
from marrow.data.synth.scenes import Choices
from marrow.data.synth.stores import Sample, label_path, write_folder, write_shard
from marrow.data.synth.tables import write_coco, write_people
from marrow.data.synth.textures import list_textures
from marrow.errors import InputError, OutputError
from marrow.io.files import output_error, write_atomically
from marrow.progress import Progress, silent

#: Numbers in one shard, and at a time on one worker.
SHARD = 100
#: Counts up when the same seed gives other pictures.
VERSION = 2


def make_set(
    recipe: Recipe,
    out: str | Path,
    count: int,
    *,
    workers: int = 1,
    layout: str = "shards",
    only: Sequence[int] = (),
    progress: Progress = silent,
) -> Path:
    """Make a set of samples, or what is missing of it.

    The files do not depend on ``workers``. An interrupted set is gone on with by the same call; finished shards (in
    folders: finished samples) are kept, and half-written files removed: one call at a time works in a folder.

    Args:
        recipe: what of.
        out: folder; made where it is not there.
        count: numbers 0 ... count - 1 are made.
        workers: processes.
        layout: ``"shards"`` (tar files) or ``"folder"`` (a file for each picture).
        only: make these numbers alone, in folders.
        progress: told of finished numbers.

    Raises:
        InputError: the folder holds another set, or an impossible number.
        OutputError: disk full and the like; what is finished stays.
    """
    if layout not in ("shards", "folder"):
        raise InputError(f"layout: expected shards or folder, got {layout!r}")
    if count < 1 or workers < 1:
        raise InputError(f"expected a count and workers of at least 1, got {count} and {workers}")
    if only and min(only) < 0:
        raise InputError(f"only: expected numbers from 0, got {min(only)}")
    if recipe.choices.textures is not None:
        list_textures(recipe.choices.textures)  # a mistake is told before the folder belongs to this set
    folder = Path(out)
    _claim(folder, recipe, count, "folder" if only else layout)
    for left in folder.rglob(".*.part.*"):  # by a process that was killed
        left.unlink(missing_ok=True)
    numbers = sorted(set(only)) if only else range(count)
    if only or layout == "folder":
        missing = [n for n in numbers if not all(label_path(folder, key).exists() for key in keys(recipe, n))]
        jobs = [(missing[i : i + 10], None) for i in range(0, len(missing), 10)]
    else:
        shards = [(range(i, min(i + SHARD, count)), i // SHARD) for i in range(0, count, SHARD)]
        jobs = [(list(of), folder / f"{recipe.preset}-{n:06d}.tar") for of, n in shards]
        jobs = [(of, path) for of, path in jobs if not path.exists()]
    total = len(numbers)
    done = total - sum(len(of) for of, _ in jobs)
    progress("pictures", done, total)
    for finished in _worked(recipe, folder, jobs, workers):
        done += finished
        progress("pictures", done, total)
    if not preset(recipe.preset).seconds:
        write_coco(folder)
    write_people(folder)
    return folder


def _worked(recipe: Recipe, folder: Path, jobs: Sequence[tuple[list[int], Path | None]], workers: int) -> Iterator[int]:
    if workers == 1 or len(jobs) < 2:
        for numbers, path in jobs:
            yield _work(recipe, folder, numbers, path)
        return
    # a fresh interpreter for each worker: forking a process with running threads may lock
    with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(_work, recipe, folder, numbers, path) for numbers, path in jobs]
        try:
            for job in as_completed(waiting):
                yield job.result()
        except BrokenProcessPool as error:
            raise OutputError(
                f"a worker was stopped, most likely for want of memory; take fewer --workers than {workers} and give "
                "the same command again: what is finished stays"
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _work(recipe: Recipe, folder: Path, numbers: Sequence[int], path: Path | None) -> int:
    def samples() -> Iterator[Sample]:
        for number in numbers:
            yield from make(recipe, number)

    # products of these small matrices gain nothing from threads, which only take the cores from other workers
    with threadpool_limits(limits=1, user_api="blas"):
        if path is None:
            write_folder(folder, samples())
        else:
            write_shard(path, samples())
    return len(numbers)


def _claim(folder: Path, recipe: Recipe, count: int, layout: str) -> None:
    """Write ``set.json``, or see that the one there tells of the same set."""
    told = msgspec.json.decode(msgspec.json.encode(_about(recipe, count, layout), enc_hook=str))
    path = folder / "set.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        earlier = path.read_bytes() if path.exists() else None
        others = [p.name for p in folder.iterdir() if not p.name.startswith(".")]
    except OSError as error:
        raise output_error(error, folder) from error
    if earlier is None:
        if others:
            raise OutputError(f"{folder} holds something else ({others[0]}); nothing was written. Choose another --out")
        with write_atomically(path) as file:
            file.write(msgspec.json.format(msgspec.json.encode(told), indent=1))
        return
    try:
        there: dict[str, Any] = msgspec.json.decode(earlier)
    except msgspec.DecodeError as error:
        raise InputError(f"{path} is damaged ({error}); move the folder away, or choose another --out") from error
    for name in ("version", "preset", "seed", "count", "layout", "choices", "maps", "points"):
        was, wanted = there.get(name), told[name]
        if was == wanted:
            continue
        if name == "maps":
            was, wanted = list(was or ()), list(wanted)
        elif isinstance(was, dict) and isinstance(wanted, dict):
            name = next(key for key in (*wanted, *was) if was.get(key) != wanted.get(key))
            was, wanted = was.get(name), wanted.get(name)
        raise InputError(
            f"{folder} holds another set: its {name} is {was!r}, not {wanted!r}; "
            "choose another --out, or give the options it was made with"
        )


def _about(recipe: Recipe, count: int, layout: str) -> dict[str, Any]:
    """What ``set.json`` tells."""
    from marrow.data.synth.outfits import LABELS

    return {
        "version": VERSION, "preset": recipe.preset, "meaning": preset(recipe.preset).meaning, "seed": recipe.seed,
        "count": count, "layout": layout, "choices": told_choices(recipe.choices), "points": recipe.points,
        "maps": {name: MAPS[name] for name in recipe.maps}, "joints": joint_set_names(), "parts": list(PARTS),
        "labels": list(LABELS), "coordinates": _coordinates(), "processor": platform.machine(),
        "units": "metres, radians (degrees where a name ends in _deg), pixels with the first pixel's centre at 0; "
        "world: Y up, +Z ahead; camera: x right, y down, z ahead",
        "licence": "free of others' rights but for the motions (CMU, see the notice of the motion pack) and "
        "what --photos and --textures brought in",
    }  # fmt: skip


def told_choices(choices: Choices) -> dict[str, Any]:
    """What the user chose; own motions and textures by name and content, photos by name and length in bytes."""
    told = asdict(replace(choices, motions=None, photos=(), textures=None))
    told["photos"] = {str(path): path.stat().st_size for path in choices.photos}
    if choices.textures is not None:
        told["textures"] = dict(list_textures(choices.textures))
    if choices.motions is not None:
        clips = choices.motions.clips
        told["motions"] = {name: zlib.crc32(np.ascontiguousarray(clip.q).tobytes()) for name, clip in clips.items()}
    return told


def _coordinates() -> list[str]:
    from marrow.body import load_body

    return list(load_body().rest().skeleton.coordinates)
