"""The user's own body models, kept under names: read once, stored without pickles, for this user alone.

A model is ``NAME.npz`` with a description ``NAME.json`` beside it, in a folder of the user's data; the description is
written last, so that it stands for a whole model. The template, the regressor, hands and landmarks stay float64. The
bases are float32, half the size, where that moves no entry by more than 1e-8 m (published bases have entries of at most
some centimetres, which float32 keeps to 2e-9 m), else float64. Nothing here is downloaded, sent or put into outputs.
"""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from marrow import __version__
from marrow.body.model_file import ModelFile, read_model_file
from marrow.body.skinning import SkinWeights
from marrow.conventions import nearest_names
from marrow.errors import InputError, UnknownNameError
from marrow.io.files import output_error, write_atomically
from marrow.types import Float64

#: Of the stored arrays; another one has to be added again.
_FORMAT = 1
#: Metres by which float32 may move an entry of a basis.
_ROUNDING = 1e-8
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
#: Names of the body that ships with marrow.
_TAKEN = ("default", "anny")
_PLAIN = ("template", "faces", "shape_basis", "expression_basis", "pose_basis")


class StoredModel(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a stored model without reading its arrays.

    Attributes:
        name: under which it is kept.
        family, gender: as in :class:`marrow.body.model_file.ModelFile`.
        vertices, joints, shapes, expressions: V, J, S and E.
        licence: notice about the terms of the user's file.
        source, sha256: name and hash of the file that it was read from.
        added: date and time (UTC).
        marrow: version that stored it.
        size: bytes of the stored arrays.
        format: of the stored arrays.
    """

    name: str
    family: str
    gender: str
    vertices: int
    joints: int
    shapes: int
    expressions: int
    licence: str
    source: str
    sha256: str
    added: str
    marrow: str
    size: int
    format: int = _FORMAT


def models_dir() -> Path:
    """The models' folder; ``MARROW_MODELS`` overrides ``$XDG_DATA_HOME/marrow/models`` (``~/.local/share/…``)."""
    chosen = os.environ.get("MARROW_MODELS")
    if chosen:
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_DATA_HOME") or (Path.home() / ".local" / "share")
    return Path(base).expanduser() / "marrow" / "models"


def add_model(path: str | Path, name: str | None = None, *, force: bool = False) -> StoredModel:
    """Read a model file of the user's and keep it under a name, readable for this user only.

    Args:
        path: see :func:`marrow.body.model_file.read_model_file`.
        name: lower-case letters, digits, ``-``, ``_`` and ``.``; by default family and gender (``smpl-neutral``).
        force: replace another model of that name.
    Raises:
        InputError: the file is none that marrow reads, the name is not possible, or another model has it.
        OutputError: the model cannot be written.
    """
    model = read_model_file(path)
    name = _default_name(model) if name is None else name
    _check_name(name)
    folder = models_dir()
    described = folder / f"{name}.json"
    if described.exists() and not force:
        earlier = _earlier(name)
        if earlier is not None and earlier.sha256 == model.sha256:
            return earlier
        told = f" (from {earlier.source})" if earlier else ", which is damaged"
        raise InputError(f"there is a model {name!r} already{told}; keep this one under another --name, or add --force")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise output_error(error, folder) from error
    arrays = _arrays(model)
    with write_atomically(_data_path(name), opener=_private) as file:
        np.savez(file, allow_pickle=False, **arrays)
    stored = _describe(model, name, _data_path(name).stat().st_size)
    with write_atomically(described, opener=_private) as file:
        file.write(msgspec.json.format(msgspec.json.encode(stored), indent=2))
    return stored


def models() -> list[StoredModel]:
    """The stored models that are whole, by name; see :func:`damaged_models` for the others."""
    return [found for _, found in _all() if isinstance(found, StoredModel)]


def damaged_models() -> dict[str, str]:
    """Names of stored models that cannot be used, and why."""
    return {name: found for name, found in _all() if isinstance(found, str)}


def stored_model(name: str) -> StoredModel:
    """What is known of the model of that name.

    Raises:
        UnknownNameError: there is none; near names are told.
        InputError: it is damaged.
    """
    if not _NAME.fullmatch(name) or not (models_dir() / f"{name}.json").is_file():
        known = [*_TAKEN, *(path.stem for path in sorted(models_dir().glob("*.json")))]
        near = ", ".join(nearest_names(name, known))
        raise UnknownNameError(
            f"there is no model {name!r}; the nearest: {near}. Add your own file with: marrow models add PATH"
        )
    return _stored(name)


def remove_model(name: str) -> None:
    """Forget a stored model; the file that it came from is untouched. Raises UnknownNameError, or OutputError."""
    if not _NAME.fullmatch(name) or not (models_dir() / f"{name}.json").is_file():
        stored_model(name)
    for path in (models_dir() / f"{name}.json", _data_path(name)):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise output_error(error, path) from error


def find_model(name_or_path: str | Path) -> ModelFile:
    """A model by the name it is stored under, or from a file.

    Raises:
        InputError: neither a stored model nor a file is called so, or it is damaged.
    """
    text = str(name_or_path)
    if _NAME.fullmatch(text) and (models_dir() / f"{text}.json").is_file():
        return _load(_stored(text))
    path = Path(text).expanduser()
    if path.exists() or len(path.parts) > 1 or path.suffix in (".pkl", ".npz"):
        return read_model_file(path)
    return _load(stored_model(text))


# ---------------------------------------------------------------------------------------------------------------------
# Names and descriptions
# ---------------------------------------------------------------------------------------------------------------------


def _default_name(model: ModelFile) -> str:
    words = re.split(r"[^a-z]+", model.source.lower())
    side = next((word for word in words if word in ("left", "right")), "") if model.family == "mano" else ""
    return "-".join(part for part in (model.family, side or model.gender) if part)


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise InputError(f"the name {name!r} cannot be used: lower-case letters, digits, '-', '_' and '.', at most 64")
    if name in _TAKEN:
        raise InputError(f"the name {name!r} is that of the body that ships with marrow; choose another --name")


def _data_path(name: str) -> Path:
    return models_dir() / f"{name}.npz"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _describe(model: ModelFile, name: str, size: int) -> StoredModel:
    return StoredModel(
        name=name,
        family=model.family,
        gender=model.gender,
        vertices=len(model.template),
        joints=len(model.parents),
        shapes=len(model.shape_basis),
        expressions=len(model.expression_basis),
        licence=model.licence,
        source=model.source,
        sha256=model.sha256,
        added=datetime.now(UTC).isoformat(timespec="seconds"),
        marrow=__version__,
        size=size,
    )


def _all() -> Iterator[tuple[str, StoredModel | str]]:
    for path in sorted(models_dir().glob("*.json")):
        try:
            yield path.stem, _stored(path.stem)
        except InputError as error:
            yield path.stem, str(error)


def _earlier(name: str) -> StoredModel | None:
    try:
        return _stored(name)
    except InputError:
        return None


def _stored(name: str) -> StoredModel:
    path = models_dir() / f"{name}.json"
    try:
        stored = msgspec.json.decode(path.read_bytes(), type=StoredModel)
    except (msgspec.MsgspecError, OSError, UnicodeDecodeError) as error:
        raise _damaged(name, f"its description {path} cannot be read: {error}") from error
    stored = msgspec.structs.replace(stored, name=name)  # the files may have been renamed
    if stored.format != _FORMAT:
        raise _damaged(name, f"marrow {stored.marrow} stored it in another format")
    try:
        size = _data_path(name).stat().st_size
    except OSError:
        raise _damaged(name, f"its arrays {_data_path(name)} are missing") from None
    if size != stored.size:
        raise _damaged(name, f"its arrays have {size} bytes and should have {stored.size}")
    return stored


def _damaged(name: str, why: str) -> InputError:
    return InputError(
        f"the stored model {name!r} is damaged: {why}. Add it again: marrow models add PATH --name {name} --force"
    )


# ---------------------------------------------------------------------------------------------------------------------
# Arrays
# ---------------------------------------------------------------------------------------------------------------------


def _compact(basis: Float64) -> NDArray:
    """(K, V, 3) in float32 where that changes next to nothing."""
    small = basis.astype(np.float32)
    moved = max((float(np.abs(a - b).max()) for a, b in zip(small, basis, strict=True)), default=0.0)
    return small if moved <= _ROUNDING else basis


def _arrays(model: ModelFile) -> dict[str, NDArray]:
    regressor = model.joint_regressor
    arrays: dict[str, NDArray] = {name: getattr(model, name) for name in ("template", "faces")}
    arrays |= {name: _compact(getattr(model, name)) for name in ("shape_basis", "expression_basis", "pose_basis")}
    arrays |= {f"regressor/{part}": getattr(regressor, part) for part in ("data", "indices", "indptr")}
    arrays |= {f"weights/{part}": array for part, array in model.weights._asdict().items()}
    # so that arrays and description of two models, left by a power cut between the two files, do not pass for one
    arrays["sha256"] = np.array(model.sha256)
    arrays |= {"parents": np.array(model.parents, np.int32), "joint_names": np.array(model.joint_names, np.str_)}
    for hand, (components, mean) in model.hands.items():
        arrays |= {f"hands/{hand}/components": components, f"hands/{hand}/mean": mean}
    arrays |= {f"landmarks/{key}": array for key, array in (model.landmarks or {}).items()}
    return arrays | {f"extra/{key}": array for key, array in model.extra.items()}


def _load(stored: StoredModel) -> ModelFile:
    try:
        with np.load(_data_path(stored.name), allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        if arrays["sha256"] != stored.sha256:
            raise _damaged(stored.name, "its arrays are those of another file than its description tells")
        return _model(stored, arrays)
    except InputError:
        raise
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise _damaged(stored.name, str(error)) from error


def _model(stored: StoredModel, arrays: Mapping[str, NDArray]) -> ModelFile:
    from scipy.sparse import csr_array

    def under(start: str) -> dict[str, NDArray]:
        return {key.removeprefix(start): array for key, array in arrays.items() if key.startswith(start)}

    fields: dict[str, Any] = {name: arrays[name] for name in _PLAIN}
    fields |= {name: fields[name].astype(np.float64, copy=False) for name in _PLAIN if name != "faces"}
    parts = under("regressor/")
    shape = (stored.joints, stored.vertices)
    return ModelFile(
        **fields,
        family=stored.family,
        gender=stored.gender,
        joint_regressor=csr_array((parts["data"], parts["indices"], parts["indptr"]), shape=shape),
        parents=tuple(arrays["parents"].tolist()),
        joint_names=tuple(arrays["joint_names"].tolist()),
        weights=SkinWeights(**under("weights/")),
        hands={
            key.removesuffix("/mean"): (arrays[f"hands/{key.removesuffix('/mean')}/components"], mean)
            for key, mean in under("hands/").items()
            if key.endswith("/mean")
        },
        landmarks=under("landmarks/") or None,
        extra=under("extra/"),
        sha256=stored.sha256,
        source=stored.source,
        licence=stored.licence,
    )
