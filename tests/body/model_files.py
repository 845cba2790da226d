"""Made-up files of every family that marrow reads, with the keys, types and widths of the real ones and random content.

``arrays("smplx", vertices=60)`` makes the arrays; ``write_pkl`` writes them as Python 2 did, with chumpy and scipy
inside, ``write_npz`` as numpy does. Without ``vertices`` they have the full size, for benchmarks.
"""

from __future__ import annotations

import io
import pickle
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

#: Vertices, joints, columns of ``shapedirs``.
SIZES = {
    "smpl": (6890, 24, 10),
    "smplh": (6890, 52, 16),
    "smplx": (10475, 55, 400),
    "mano": (778, 16, 10),
    "flame": (5023, 5, 400),
    "skel": (6890, 24, 10),
}
_BODY = (0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19)
_SKEL = (0, 1, 2, 3, 4, 0, 6, 7, 8, 9, 0, 11, 12, 12, 14, 15, 16, 17, 12, 19, 20, 21, 22)


def _hand(wrist: int, first: int) -> list[int]:
    return [wrist if i == 0 else first + 3 * finger + i - 1 for finger in range(5) for i in range(3)]


PARENTS: Mapping[str, tuple[int, ...]] = {
    "smpl": (-1, *_BODY, 20, 21),
    "smplh": (-1, *_BODY, *_hand(20, 22), *_hand(21, 37)),
    "smplx": (-1, *_BODY, 15, 15, 15, *_hand(20, 25), *_hand(21, 40)),
    "mano": (-1, *_hand(0, 1)),
    "flame": (-1, 0, 1, 1, 1),
    "skel": (-1, *_SKEL),
}
SKEL_JOINTS = (
    *("pelvis", "femur_r", "tibia_r", "talus_r", "calcn_r", "toes_r", "femur_l", "tibia_l", "talus_l", "calcn_l"),
    *("toes_l", "lumbar_body", "thorax", "head", "scapula_r", "humerus_r", "ulna_r", "radius_r", "hand_r"),
    *("scapula_l", "humerus_l", "ulna_l", "radius_l", "hand_l"),
)


def arrays(family: str, vertices: int | None = None, shapes: int | None = None, seed: int = 0) -> dict[str, Any]:
    """The content of a file: float64 arrays, a sparse regressor, an unsigned tree, as the published files have them."""
    count, joints, width = SIZES[family]
    count, width = vertices or count, shapes or width
    random = np.random.default_rng(seed)
    weights = _weights(random, count, joints)
    parents = np.array(PARENTS[family], np.int64)
    tree = np.stack([parents, np.arange(joints)])
    regressor = _regressor(random, joints, count)
    basic = {
        "shapedirs": random.normal(0, 0.01, (count, 3, width)),
        "posedirs": random.normal(0, 0.001, (count, 3, 9 * (joints - 1))),
        "J_regressor": regressor,
    }
    template, faces = random.normal(0, 0.3, (count, 3)), _faces(count)
    if family == "skel":
        return basic | _skel(random, template, faces, weights, tree)
    basic |= {
        "v_template": template,
        "f": faces,
        "kintree_table": (tree % 2**32).astype(np.uint32),
        "weights": weights,
        "bs_style": "lbs",
        "bs_type": "lrotmin",
    }
    return basic | _hands(random, family) | _face(random, family, len(faces))


def _weights(random: np.random.Generator, count: int, joints: int) -> np.ndarray:
    """Dense, with one to four influences a vertex."""
    weights = np.zeros((count, joints))
    few = random.integers(0, joints, (count, 4))
    np.put_along_axis(weights, few, random.uniform(0.1, 1, (count, 4)), 1)
    return weights / weights.sum(1, keepdims=True)


def _regressor(random: np.random.Generator, joints: int, count: int) -> scipy.sparse.csc_matrix:
    dense = np.zeros((joints, count))
    for row in dense:
        row[random.choice(count, min(8, count), replace=False)] = 1 / min(8, count)
    return scipy.sparse.csc_matrix(dense)


def _faces(count: int) -> np.ndarray:
    """Two triangles for each vertex but two, as on a closed surface."""
    first = np.arange(count - 2)
    strip = np.stack([first, first + 1, first + 2], 1)
    return np.concatenate([strip, strip[:, ::-1]]).astype(np.uint32)


def _hands(random: np.random.Generator, family: str) -> dict[str, np.ndarray]:
    ends = {"mano": ("",), "smplh": ("l", "r"), "smplx": ("l", "r")}.get(family, ())
    made: dict[str, np.ndarray] = {}
    for end in ends:
        made[f"hands_components{end}"] = random.normal(size=(45, 45))
        made[f"hands_mean{end}"] = random.normal(0, 0.1, 45)
    return made


def _face(random: np.random.Generator, family: str, faces: int) -> dict[str, np.ndarray]:
    if family not in ("flame", "smplx"):
        return {}
    return {
        "lmk_faces_idx": random.integers(0, faces, 51),
        "lmk_bary_coords": random.dirichlet(np.ones(3), 51),
        "dynamic_lmk_faces_idx": random.integers(0, faces, (79, 17)),
        "dynamic_lmk_bary_coords": random.dirichlet(np.ones(3), (79, 17)),
    }


def _skel(random: np.random.Generator, template: Any, faces: Any, weights: Any, tree: Any) -> dict[str, Any]:
    count, joints = len(template), len(SKEL_JOINTS)
    bones = 2 * count
    return {
        "version": "1.1.1",
        "bone_names": list(SKEL_JOINTS),
        "joints_name": list(SKEL_JOINTS),
        "pose_params_name": [f"q{i}" for i in range(46)],
        "skin_template_v": template,
        "skin_template_f": faces,
        "skel_template_v": random.normal(0, 0.3, (bones, 3)),
        "skel_template_f": _faces(bones),
        "J_regressor_osim": _regressor(random, joints, count),
        "per_joint_rot": np.tile(np.eye(3), (joints, 1, 1)),
        "skin_weights": scipy.sparse.csc_matrix(weights),
        "skel_weights": scipy.sparse.csc_matrix(_weights(random, bones, joints)),
        "skel_weights_rigid": scipy.sparse.coo_matrix(np.eye(joints)[random.integers(0, joints, bones)]),
        "osim_kintree_table": tree,
        "parameter_mapping": {"pelvis": [0, 1, 2]},
        "tpose_transfo": np.tile(np.eye(4), (joints, 1, 1)),
        "apose_transfo": np.tile(np.eye(4), (joints, 1, 1)),
        "apose_rel_transfo": np.tile(np.eye(4), (joints, 1, 1)),
    }


# ---------------------------------------------------------------------------------------------------------------------
# Writing them
# ---------------------------------------------------------------------------------------------------------------------


class Ch:
    """Stands in for chumpy's array: an object with ``x`` in its dictionary, among chumpy's own book-keeping."""

    def __init__(self, x: np.ndarray) -> None:
        self.x = x
        self._dirty_vars = {"x"}
        self._itr = None


class Select:
    """Stands in for chumpy's selection of entries of an array."""

    def __init__(self, a: Ch, idxs: np.ndarray, preferred_shape: tuple[int, ...]) -> None:
        self.a, self.idxs, self.preferred_shape = a, idxs, preferred_shape


class MatVecMult:
    """Stands in for an expression of chumpy's, which has no value without its code."""

    def __init__(self) -> None:
        self.mtx = None


def write_npz(path: Path, content: Mapping[str, Any]) -> Path:
    """As numpy writes it; what is no array becomes an array of one object, which is a pickle inside."""
    objects = {key for key, value in content.items() if isinstance(value, dict) or scipy.sparse.issparse(value)}
    np.savez(path, **{key: _boxed(value) if key in objects else value for key, value in content.items()})
    return path


def _boxed(value: Any) -> np.ndarray:
    box = np.empty((), object)
    box[()] = value
    return box


def write_pkl(path: Path, content: Mapping[str, Any], protocol: int = 2, chumpy: bool = True) -> Path:
    """As Python 2 wrote it: byte strings, old module names; with ``chumpy`` some arrays are chumpy's."""
    content = dict(content)
    for key in ("shapedirs", "posedirs", "v_template", "weights") if chumpy else ():
        if isinstance(content.get(key), np.ndarray):
            content[key] = Ch(content[key])
    path.write_bytes(python2_pickle(content, protocol))
    return path


def python2_pickle(value: Any, protocol: int = 2) -> bytes:
    """A pickle as Python 2 with old numpy, scipy and chumpy wrote it."""
    stream = io.BytesIO()
    _Python2Pickler(stream, protocol).dump(value)
    return stream.getvalue()


class _Python2Pickler(pickle._Pickler):  # type: ignore[name-defined]
    """Python's own pickler, writing byte strings and the module names of those days."""

    dispatch: dict[type, Callable[..., None]] = pickle._Pickler.dispatch.copy()  # type: ignore[attr-defined]

    def save_string(self, value: bytes | str) -> None:
        data = value if isinstance(value, bytes) else value.encode("ascii")
        if self.proto == 0:
            self.write(b"S" + repr(data)[1:].encode("ascii") + b"\n")
        elif len(data) < 256:
            self.write(b"U" + bytes([len(data)]) + data)
        else:
            self.write(b"T" + struct.pack("<i", len(data)) + data)
        self.memoize(value)

    def save_global(self, obj: Any, name: str | None = None) -> None:
        module, name = obj.__module__, name or obj.__qualname__
        module = {"_reconstruct": "numpy.core.multiarray", "scalar": "numpy.core.multiarray"}.get(name, module)
        if name in ("Ch", "Select", "MatVecMult"):
            module = {"Ch": "chumpy.ch", "Select": "chumpy.reordering", "MatVecMult": "chumpy.ch"}[name]
        module = module.replace("scipy.sparse._", "scipy.sparse.")
        module = {"builtins": "__builtin__", "copyreg": "copy_reg"}.get(module, module)
        self.write(f"c{module}\n{name}\n".encode("ascii"))
        self.memoize(obj)

    dispatch[bytes] = save_string
    dispatch[str] = save_string
    dispatch[type] = save_global
