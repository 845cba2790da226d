"""Files of the SMPL family that a user has: SMPL, SMPL-H, SMPL-X, MANO, FLAME and SKEL, as ``.pkl`` or ``.npz``.

Recognised by what is in them, not by their names: the keys, and how many joints the tree has. Formats as their papers
describe the models: SMPL (Loper et al. 2015), MANO and SMPL+H (Romero et al. 2017), FLAME (Li et al. 2017), SMPL-X
(Pavlakos et al. 2019), SKEL (Keller et al. 2023). All are in metres with Y up and a body faces +Z, which are marrow's
axes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from marrow.body._named_arrays import NamedArrays
from marrow.body._npz import read_npz
from marrow.body.skinning import SkinWeights
from marrow.body.unpickle import unpickle
from marrow.conventions import JOINT_SETS
from marrow.errors import InputError
from marrow.types import Float64

if TYPE_CHECKING:
    from scipy.sparse import csr_array

SUPPORTED = "SMPL, SMPL-H, SMPL-X, MANO, FLAME and SKEL 1.1.1, as .pkl or .npz"

_SKEL_VERSION = "1.1.1"
#: Larger than any file; more bytes than that are not read into memory.
_MAX_BYTES = 4 << 30


@dataclass(frozen=True, eq=False)
class ModelFile:
    """What a file of the SMPL family holds, checked; metres, Y up, facing +Z.

    Attributes:
        family: "smpl", "smplh", "smplx", "mano", "flame" or "skel".
        gender: "female", "male" or "neutral" where the file or its name tells; else "".
        template: (V, 3) vertices at rest with all coefficients zero.
        faces: (F, 3) int32, counter-clockwise seen from outside.
        shape_basis: (S, V, 3) metres per unit of each shape coefficient.
        expression_basis: (E, V, 3) metres per unit of each expression coefficient; E is 0 without a face.
        pose_basis: (P, V, 3), P = 9 (J - 1): metres per unit of ``R - I`` of joints 1 to J - 1, row by row.
        joint_regressor: (J, V) joints at rest from vertices at rest; of SKEL the joints of its skeleton.
        parents: (J,) parent of each joint, before it; -1 for the root.
        joint_names: (J,) of the family.
        weights: skinning weights, all that are not zero.
        hands: "left" and "right", or "hand" for MANO, to principal components (C, X) and mean (X,) of the finger
            joints' axis-angles, X = 45, radians; empty without them.
        landmarks: points on the face: "faces" (L,) int32 and "barycentric" (L, 3), and where the file has them those of
            the contour by head rotation, "contour_faces" (A, L') and "contour_barycentric" (A, L', 3); or None.
        extra: SKEL's further arrays by the file's own keys, such as ``skel_template_v`` (bone mesh), ``skel_weights``,
            ``per_joint_rot`` and ``J_regressor`` (SMPL's joints); empty for the others.
        sha256: of the file, hexadecimal.
        source: name of the file.
        licence: a paragraph about the terms of such files.
    """

    family: str
    gender: str
    template: Float64
    faces: NDArray[np.int32]
    shape_basis: Float64
    expression_basis: Float64
    pose_basis: Float64
    joint_regressor: csr_array
    parents: tuple[int, ...]
    joint_names: tuple[str, ...]
    weights: SkinWeights
    hands: Mapping[str, tuple[Float64, Float64]] = field(default_factory=dict)
    landmarks: Mapping[str, NDArray] | None = None
    extra: Mapping[str, NDArray] = field(default_factory=dict)
    sha256: str = ""
    source: str = ""
    licence: str = ""


@dataclass(frozen=True)
class Family:
    """What the files of a family have in common.

    Attributes:
        title: as its authors write it.
        joints: names in order; () where the file names them.
        site: where its licence and its files are.
        face: it has expression coefficients behind those of the shape.
    """

    title: str
    joints: tuple[str, ...]
    site: str
    face: bool = False


def _fingers(prefix: str) -> tuple[str, ...]:
    return tuple(f"{prefix}{finger}{i}" for finger in ("index", "middle", "pinky", "ring", "thumb") for i in (1, 2, 3))


_BODY22 = JOINT_SETS["smpl24"][:22]
_HANDS = (*_fingers("left_"), *_fingers("right_"))
FAMILIES: Mapping[str, Family] = {
    "smpl": Family("SMPL", JOINT_SETS["smpl24"], "smpl.is.tue.mpg.de"),
    "smplh": Family("SMPL+H", (*_BODY22, *_HANDS), "mano.is.tue.mpg.de"),
    "smplx": Family("SMPL-X", (*_BODY22, "jaw", "left_eye", "right_eye", *_HANDS), "smpl-x.is.tue.mpg.de", face=True),
    "mano": Family("MANO", ("wrist", *_fingers("")), "mano.is.tue.mpg.de"),
    "flame": Family("FLAME", ("root", "neck", "jaw", "left_eye", "right_eye"), "flame.is.tue.mpg.de", face=True),
    "skel": Family("SKEL", (), "skel.is.tue.mpg.de"),
}

#: Metres that no body of these families is across.
_LARGEST = 10.0
#: Our name of an array to the file's key; SKEL has its own.
_KEYS = {
    "template": "v_template",
    "faces": "f",
    "shape": "shapedirs",
    "pose": "posedirs",
    "regressor": "J_regressor",
    "tree": "kintree_table",
    "weights": "weights",
}
_SKEL_KEYS = _KEYS | {
    "template": "skin_template_v",
    "faces": "skin_template_f",
    "regressor": "J_regressor_osim",
    "tree": "osim_kintree_table",
    "weights": "skin_weights",
}
#: What is kept of a SKEL file besides, and its shape where it must be a certain one.
_SKEL_EXTRA: Mapping[str, tuple[int | str, ...]] = {
    "skel_template_v": ("N", 3),
    "skel_template_f": ("M", 3),
    "skel_weights": ("N", 24),
    "skel_weights_rigid": ("N", 24),
    "per_joint_rot": (24, 3, 3),
    "J_regressor": (24, "V"),
    **dict.fromkeys(("parameter_mapping", "tpose_transfo", "apose_transfo", "apose_rel_transfo"), ()),
    **dict.fromkeys(("bone_names", "joints_name", "pose_params_name"), ()),
}
_GENDERS = {"female": "female", "f": "female", "male": "male", "m": "male", "neutral": "neutral", "generic": "neutral"}


def read_model_file(path: str | Path) -> ModelFile:
    """Read a body model of the SMPL family from the user's own file; nothing in it is executed.

    Args:
        path: ``.pkl`` (Python 2 or 3, with chumpy and scipy or without) or ``.npz``; the suffix does not matter.
    Raises:
        InputError: no such file, another kind of file, a damaged one, a missing key, or an array of the wrong shape or
            with values that cannot be (not finite, a template too large for metres, weights that do not sum to one,
            faces and parents out of range).
    """
    path = Path(path).expanduser()
    data = _read(path)
    values = read_npz(data, path.name) if data[:4] == b"PK\x03\x04" else _unpickled(data, path)
    fields = NamedArrays({key: _plain(value) for key, value in values.items()}, path.name)
    model = _skel(fields) if _is_skel(values) else _smpl(fields)
    gender = _gender(fields.text("gender"), path.stem)
    return ModelFile(**model, gender=gender, sha256=hashlib.sha256(data).hexdigest(), source=path.name)


def licence_notice(family: str) -> str:
    """A paragraph about the terms of a family's files."""
    about = FAMILIES[family]
    return (
        f"{about.title} model, read from the user's own file under the licence that the user accepted at {about.site}: "
        "non-commercial (research) unless the user has another one from its owners. It forbids to pass the file on; "
        "marrow neither fetches it nor copies it into outputs."
    )


# ---------------------------------------------------------------------------------------------------------------------
# Bytes to named values
# ---------------------------------------------------------------------------------------------------------------------


def _read(path: Path) -> bytes:
    if path.is_dir():
        inside = sorted(file.name for file in path.iterdir() if file.suffix in (".pkl", ".npz"))
        what = f"give one of its files: {', '.join(inside[:6])}" if inside else "no .pkl or .npz is in it"
        raise InputError(f"{path} is a folder; {what}")
    if not path.is_file():
        raise InputError(f"there is no file {path}; give the model file you have ({SUPPORTED})")
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(f"{path.name}: larger than {_MAX_BYTES >> 30} GiB; no model file is. Read are {SUPPORTED}")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error


#: First bytes of files that are taken for a model now and then, and what they are.
_OTHERS = {
    b"Kaydara FBX": "an FBX file (MHR comes as such)",
    b"glTF": "a glTF file",
    b"\x93NUMPY": "a single numpy array",
    b"\x89HDF": "an HDF5 file",
    b"\x1f\x8b": "a gzip archive; unpack it first",
    b"ply": "a mesh",
    b"<": "an XML or HTML file; what the site sent may be its log-in page",
    b"version https://git-lfs": "a pointer of Git LFS and not the file itself; fetch it with: git lfs pull",
}


def _unpickled(data: bytes, path: Path) -> Mapping[str, Any]:
    if not data:
        raise InputError(f"{path.name}: the file is empty; get it again")
    for start, what in _OTHERS.items():
        if data.startswith(start):
            raise InputError(f"{path.name}: {what}, not a model file. Read are {SUPPORTED}")
    values = unpickle(data, path.name) if data[:1] in b"\x80(}c" else None
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        what = "neither a pickle nor .npz" if values is None else f"a pickle of a {type(values).__name__}"
        raise InputError(f"{path.name}: {what}, not a model file. Read are {SUPPORTED}")
    return values


def _plain(value: Any) -> Any:
    """A value out of the array of objects without dimensions in which ``.npz`` files wrap what is no array."""
    while isinstance(value, np.ndarray) and value.dtype == object and value.shape == ():
        value = value.item()
    return value


# ---------------------------------------------------------------------------------------------------------------------
# Named values to a model
# ---------------------------------------------------------------------------------------------------------------------


def _is_skel(values: Mapping[str, Any]) -> bool:
    return "skin_template_v" in values or "osim_kintree_table" in values


def _require(fields: NamedArrays, keys: Mapping[str, str], title: str) -> None:
    missing = [key for key in keys.values() if not fields.has(key)]
    if not missing:
        return
    found = sorted(map(str, fields.values))
    if len(missing) > len(keys) - 3:
        raise InputError(
            f"{fields.source}: not a body model that marrow reads ({SUPPORTED}); "
            f"it holds {', '.join(found[:8]) or 'nothing'}{' …' if len(found) > 8 else ''}"
        )
    raise InputError(f"{fields.source}: {', '.join(map(repr, missing))} missing; a {title} file has {_list(keys)}")


def _list(keys: Mapping[str, str]) -> str:
    return ", ".join(keys.values())


def _smpl(fields: NamedArrays) -> dict[str, Any]:
    _require(fields, _KEYS, "SMPL-like")
    joints = fields.array("kintree_table", (2, "J")).shape[1]
    family = next((name for name, family in FAMILIES.items() if len(family.joints) == joints), None)
    if family is None:
        counts = ", ".join(f"{family.title} {len(family.joints)}" for family in FAMILIES.values() if family.joints)
        raise fields.fail("kintree_table", f"speaks of {joints} joints, as none of the families has ({counts})")
    model = _linear(fields, _KEYS, joints)
    if FAMILIES[family].face:
        shapes = _shape_width(len(model["shape_basis"]))
        model["shape_basis"], model["expression_basis"] = np.split(model["shape_basis"], [shapes])
    return model | {
        "family": family,
        "joint_names": FAMILIES[family].joints,
        "hands": _hands(fields, family),
        "landmarks": _landmarks(fields, len(model["faces"])),
        "licence": licence_notice(family),
    }


def _shape_width(width: int) -> int:
    """How many of the columns of ``shapedirs`` are shape, where expression follows: 300 of 400, 10 of 20.

    Other widths up to 300 are shape alone.
    """
    return 10 if width == 20 else min(width, 300)


def _skel(fields: NamedArrays) -> dict[str, Any]:
    version = fields.text("version")
    if version != _SKEL_VERSION:
        told = f"of version {version}" if version else "without a version"
        raise InputError(f"{fields.source}: a SKEL file {told}; {_SKEL_VERSION} is read: download that one")
    _require(fields, _SKEL_KEYS | {"names": "joints_name"}, "SKEL")
    joints = fields.array("osim_kintree_table", (2, "J")).shape[1]
    names = fields.texts("joints_name")
    if len(names) != joints:
        raise fields.fail("joints_name", f"must name the {joints} joints of 'osim_kintree_table'; got {len(names)}")
    return _linear(fields, _SKEL_KEYS, joints) | {
        "family": "skel",
        "joint_names": names,
        "extra": _extra(fields),
        "licence": licence_notice("skel"),
    }


def _extra(fields: NamedArrays) -> dict[str, NDArray]:
    """What else a SKEL file holds and a model of it needs, as far as it is arrays of numbers or of names."""
    out: dict[str, NDArray] = {}
    for key, shape in _SKEL_EXTRA.items():
        value: Any = fields.values.get(key)
        if key.startswith("skel_weights") and "skel_template_v" in out:
            shape = (len(out["skel_template_v"]), *shape[1:])
        if key in ("bone_names", "joints_name", "pose_params_name"):
            out[key] = np.array(fields.texts(key), np.str_)
        elif hasattr(value, "toarray") or isinstance(value, np.ndarray):
            array = fields.array(key, shape or value.shape)
            out[key] = array.astype(np.float64 if array.dtype.kind == "f" else np.int64)
    return out


def _linear(fields: NamedArrays, keys: Mapping[str, str], joints: int) -> dict[str, Any]:
    """The arrays that all families have, in marrow's order of axes."""
    template = fields.array(keys["template"], ("V", 3)).astype(np.float64)
    count = len(template)
    if count == 0:
        raise fields.fail(keys["template"], "has no vertices; get the file again")
    size = float(np.ptp(template, axis=0).max())
    if size > _LARGEST:
        raise fields.fail(keys["template"], f"is {size:.4g} across; expected metres, so bring the file to those first")
    shape = fields.array(keys["shape"], (count, 3, "S"))
    pose = fields.array(keys["pose"], (count, 3, 9 * (joints - 1)))
    return {
        "template": template,
        "faces": _faces(fields, keys["faces"], count),
        "shape_basis": _first(shape),
        "expression_basis": np.zeros((0, count, 3)),
        "pose_basis": _first(pose),
        "joint_regressor": _regressor(fields, keys["regressor"], joints, count),
        "parents": _parents(fields, keys["tree"], joints),
        "weights": _weights(fields, keys["weights"], count, joints),
    }


def _first(basis: NDArray) -> Float64:
    """(K, V, 3) of (V, 3, K)."""
    return np.ascontiguousarray(np.moveaxis(basis, -1, 0), np.float64)


def _faces(fields: NamedArrays, key: str, count: int) -> NDArray[np.int32]:
    faces = fields.whole(key, ("F", 3))
    if len(faces) == 0 or faces.min() < 0 or faces.max() >= count:
        reach = f"{faces.min()} to {faces.max()}" if len(faces) else "none"
        raise fields.fail(key, f"must name vertices 0 to {count - 1}; got {reach}")
    return faces.astype(np.int32)


def _regressor(fields: NamedArrays, key: str, joints: int, count: int) -> csr_array:
    from scipy.sparse import csr_array

    value = fields.values[key]
    fields.check_shape(key, getattr(value, "shape", ()), (joints, count))
    if hasattr(value, "toarray"):
        if value.dtype.kind not in "fiu" or not np.isfinite(value.data).all():
            raise fields.fail(key, "must hold finite numbers")
        matrix = csr_array(value.astype(np.float64))
        matrix.sum_duplicates()
    else:
        matrix = csr_array(fields.array(key, (joints, count)).astype(np.float64))
    matrix.eliminate_zeros()
    return matrix


def _parents(fields: NamedArrays, key: str, joints: int) -> tuple[int, ...]:
    """Row 0 of the table has the parents, row 1 the joints themselves; the root's parent is -1, or 2³² - 1 unsigned."""
    parents, ids = fields.whole(key, (2, joints))
    if (ids != np.arange(joints)).any():
        raise fields.fail(key, f"must number the joints 0 to {joints - 1} in its second row; got {ids.tolist()}")
    parents = [-1, *parents[1:].tolist()]
    for joint, parent in enumerate(parents[1:], 1):
        if not 0 <= parent < joint:
            raise fields.fail(
                key, f"must be a tree, each joint after its parent; joint {joint} has the parent {parent}"
            )
    return tuple(parents)


def _weights(fields: NamedArrays, key: str, count: int, joints: int) -> SkinWeights:
    dense = fields.array(key, (count, joints)).astype(np.float64)
    return SkinWeights.of(dense, f"{fields.source}: {key!r}")


def _hands(fields: NamedArrays, family: str) -> dict[str, tuple[Float64, Float64]]:
    """Principal components of the finger joints, where the file has them."""
    ends = {"mano": {"hand": ""}, "smplh": {"left": "l", "right": "r"}, "smplx": {"left": "l", "right": "r"}}
    out = {}
    for hand, end in ends.get(family, {}).items():
        components, mean = f"hands_components{end}", f"hands_mean{end}"
        if fields.has(components) and fields.has(mean):
            out[hand] = (
                fields.array(components, ("C", 45)).astype(np.float64),
                fields.array(mean, (45,)).astype(np.float64),
            )
    return out


def _landmarks(fields: NamedArrays, faces: int) -> dict[str, NDArray] | None:
    """Points on the face: those that stay, and those of the contour by how far the head is turned."""
    if not (fields.has("lmk_faces_idx") and fields.has("lmk_bary_coords")):
        return None
    out: dict[str, NDArray] = {}
    for start, key, shape in (("", "lmk", ("L",)), ("contour_", "dynamic_lmk", ("A", "L"))):
        if not (fields.has(f"{key}_faces_idx") and fields.has(f"{key}_bary_coords")):
            continue
        chosen = fields.whole(f"{key}_faces_idx", shape)
        if chosen.size and (chosen.min() < 0 or chosen.max() >= faces):
            raise fields.fail(
                f"{key}_faces_idx", f"must name faces 0 to {faces - 1}; got {chosen.min()} to {chosen.max()}"
            )
        out[f"{start}faces"] = chosen.astype(np.int32)
        out[f"{start}barycentric"] = fields.array(f"{key}_bary_coords", (*chosen.shape, 3)).astype(np.float64)
    return out


def _gender(told: str, stem: str) -> str:
    """What the file says, else what a word of its name says."""
    words = [told.lower(), *re.split(r"[^a-z]+", stem.lower())]
    return next((_GENDERS[word] for word in words if word in _GENDERS), "")
