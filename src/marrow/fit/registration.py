"""A body of SMPL's family laid on the default body: which point of one surface is which point of the other.

The default body is fitted to the other's template at rest, first by joints of the same name, then by nearest points of
the surface with its shape; what is left is closed by a smooth displacement whose stiffness decreases (non-rigid closest
points: Amberg, Romdhani and Vetter 2007, "Optimal step nonrigid ICP algorithms for surface registration", CVPR).
Corresponding points are then the nearest ones. It takes some seconds once for each model and is kept in the cache.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from marrow.body import DefaultBody, load_body
from marrow.body.default import Rest
from marrow.body.keypoints import KeypointSource
from marrow.body.smpl import SmplBody
from marrow.body.surface import SurfacePoints, nearest_on_surface, vertex_normals
from marrow.cache import cache_dir
from marrow.errors import InputError, OutputError
from marrow.fit.api import fit
from marrow.fit.evidence import Evidence, Points
from marrow.fit.meshes import STILL, skin_points
from marrow.fit.options import FitOptions
from marrow.fit.result import PersonFit
from marrow.geometry.rotations import rotation_between
from marrow.io.files import write_atomically
from marrow.progress import Progress, silent
from marrow.skeleton import Skeleton
from marrow.skeleton.definition import FINGER_BODIES
from marrow.types import Float32, Float64, Guess

#: Families with a whole body.
WHOLE = ("smpl", "smplh", "smplx")
#: Of what is kept in the cache; another one is made again.
_FORMAT = 1
_ROUNDS = 6
#: Vertices of each segment, and of each of a finger, that the nearest points are sought for.
_EACH, _EACH_FINGER = 16, 4
#: Standard deviations, metres: a point of the skin; a joint, whose name means not quite the same in every body.
_SKIN_SD, _JOINT_SD, _TRUNK_SD = 0.004, 0.015, 0.04
#: Nearest points further than this (m) in the first and in the last round are none.
_FAR = (0.12, 0.03)
#: Stiffness of the displacement, from round to round: weight of its second difference against its distance.
_STIFFNESS = (100.0, 30.0, 10.0, 3.0, 1.0, 0.3, 0.3)
#: What stays further than this from the other surface (m) is not relied on.
_SURE = 0.004

#: Joints do not show how a straight limb is turned about itself; there the first guess is better than a usual pose.
_JOINTS_ALONE = replace(STILL, pose_prior=0.0, limits=False)

#: Joints of SMPL's family, without side, to the default body's landmarks.
_SIDED: Mapping[str, str] = {
    "hip": "hip", "knee": "knee", "ankle": "ankle", "foot": "mtp", "shoulder": "shoulder", "elbow": "elbow",
    "wrist": "wrist", "hand": "middle_mcp", "thumb1": "thumb_cmc", "thumb2": "thumb_mcp", "thumb3": "thumb_ip",
    **{
        f"{theirs}{i}": f"{ours}_{joint}"
        for theirs, ours in (("index", "index"), ("middle", "middle"), ("ring", "ring"), ("pinky", "little"))
        for i, joint in enumerate(("mcp", "pip", "dip"), 1)
    },
}  # fmt: skip
_MIDDLE: Mapping[str, str] = {"neck": "neck", "head": "head"}
#: Segments that are laid along the line between two landmarks in the first guess.
_LIMBS: Mapping[str, tuple[str, str]] = {
    "femur": ("hip", "knee"), "tibia": ("knee", "ankle"), "humerus": ("shoulder", "elbow"), "ulna": ("elbow", "wrist"),
    "hand": ("wrist", "middle_mcp"),
}  # fmt: skip
_STRAIGHT = [name for name in FINGER_BODIES if not name.startswith("thumb")]


@dataclass(frozen=True, eq=False)
class Registration:
    """Corresponding points of the default body (V vertices) and another one (N vertices).

    Attributes:
        theirs_on_ours: each of the other's vertices as a point of the default body's surface, (N,).
        ours_on_theirs: each of the default body's vertices as a point of the other's surface, (V,).
        theirs_sure, ours_sure: (N,) and (V,) which of them lie on both surfaces; the inside of the mouth does not.
        shape: shape parameters of the default body that fit the template best.
        fitted: (V,) metres from the default body's vertices, before the displacement, to the other surface.
    """

    theirs_on_ours: SurfacePoints
    ours_on_theirs: SurfacePoints
    theirs_sure: NDArray[np.bool_]
    ours_sure: NDArray[np.bool_]
    shape: Mapping[str, float]
    fitted: Float32


def registration(body: SmplBody, progress: Progress | None = None) -> Registration:
    """The registration of a body; made once, then read from the cache.

    Raises:
        InputError: a body of another kind, or one that the default body cannot be laid on.
    """
    spec = body.spec
    if spec.family not in WHOLE:
        raise InputError(f"{spec.name}: a body of the family {spec.family}; expected one of {', '.join(WHOLE)}")
    words = f"{spec.sha256} {load_body('default').spec.sha256} {_FORMAT}"
    path = cache_dir() / "registrations" / f"{hashlib.sha256(words.encode()).hexdigest()[:24]}.npz"
    found = _read(path)
    if found is None:
        rest = body.rest()
        joints = dict(zip(spec.joints, rest.joints.astype(float), strict=True))
        found = register(rest.vertices, body.faces, joints, progress=progress)
        _write(path, found)
    return found


def register(
    vertices: NDArray, faces: NDArray[np.integer], joints: Mapping[str, NDArray], progress: Progress | None = None
) -> Registration:
    """Lay the default body on another one.

    Args:
        vertices: (N, 3) metres, marrow's world: a grown person in a T-pose.
        faces: (F, 3).
        joints: by their names in SMPL's family, (3,) metres.

    Raises:
        InputError: a body that does not stand upright and face +Z, or whose surface is nowhere near.
    """
    x, tell = np.asarray(vertices, float), progress or silent
    _refuse_turned(joints)
    ours = load_body("default")
    normals, targets = vertex_normals(x, faces), _landmarks(x, joints)
    tell("registration", 0, _ROUNDS + 2)
    person = _fitted(ours, [_points_of(targets)], _first_guess(ours, targets), _JOINTS_ALONE)
    for turn in range(_ROUNDS):
        tell("registration", turn + 1, _ROUNDS + 2)
        far = float(np.interp(turn, (0, _ROUNDS - 1), _FAR))
        seen = [_points_of(targets), _skin_of(ours, person, x, faces, normals, far)]
        person = _fitted(ours, seen, _guess_of(person))
    motion = person.motion
    start = ours.pose(ours.rest(motion.shape), motion, outputs=("vertices",)).vertices[0].astype(float)
    tell("registration", _ROUNDS + 1, _ROUNDS + 2)
    nearest = nearest_on_surface(start, x, faces, vertex_normals(start, ours.faces))
    fitted = np.linalg.norm(nearest.of(x) - start, axis=1).astype(np.float32)
    if np.median(fitted) > _FAR[1]:
        raise InputError(
            f"the default body stays {1000 * np.median(fitted):.0f} mm from this one's surface (median); expected a "
            "grown person's body in a T-pose, metres, Y up, facing +Z"
        )
    laid = _displaced(start, ours.faces, x, faces, normals)
    return _correspondences(laid, ours.faces, x, faces, normals, dict(motion.shape), fitted)


def limbs_along(rest: Rest, q: Float64, directions: Mapping[str, NDArray]) -> Float64:
    """R_joint (B, 3, 3) of the pose ``q`` (D,), with some segments turned so that they lie along ``directions``.

    Args:
        directions: segment of :data:`_LIMBS` with its side, such as ``humerus_l``, to (3,) in marrow's world.
    """
    skeleton = rest.skeleton
    R_joint = skeleton.joint_rotations(q)
    R = np.empty_like(R_joint)
    for b, name in enumerate(skeleton.bodies):
        parent = int(skeleton.parents[b])
        above = np.eye(3) if parent < 0 else R[parent]
        R[b] = above @ R_joint[b]
        if name in directions:
            start, end = (rest.landmarks[f"{at}_{name[-1]}"] for at in _LIMBS[name[:-2]])
            along = skeleton.bind[b, :3, :3].T @ (end - start)
            R[b] = rotation_between(R[b] @ along, directions[name]) @ R[b]
            R_joint[b] = above.T @ R[b]
    return R_joint


def straight_hands(skeleton: Skeleton) -> Float64:
    """(D,) the bind pose with straight fingers; the thumbs stay relaxed."""
    straight = {c.name for joint in skeleton.joints if joint.body in _STRAIGHT for c in joint.coordinates}
    return np.array([0.0 if n in straight else v for n, v in zip(skeleton.coordinates, skeleton.bind_q, strict=True)])


# ---------------------------------------------------------------------------------------------------------------------
# The default body's own shape and pose
# ---------------------------------------------------------------------------------------------------------------------


def _refuse_turned(joints: Mapping[str, NDArray]) -> None:
    """Refuse a body with other axes: the fit would lay the wrong ends on each other and find something all the same."""
    hips = 0.5 * (joints["left_hip"] + joints["right_hip"])
    rises, left = joints["neck"] - hips, joints["left_hip"] - joints["right_hip"]
    ahead = joints["left_foot"] - joints["left_ankle"] + joints["right_foot"] - joints["right_ankle"]
    if min(rises[1] / np.linalg.norm(rises), left[0] / np.linalg.norm(left), ahead[2] / np.linalg.norm(ahead)) < 0.5:
        raise InputError("the body does not stand upright and face +Z; expected one in a T-pose, Y up, its left at +X")


def _landmarks(x: Float64, joints: Mapping[str, NDArray]) -> dict[str, Float64]:
    """The default body's landmarks as the other body has them: joints by name, and ends of a person in a T-pose."""
    out = {own: np.asarray(joints[name], float) for name, own in _MIDDLE.items() if name in joints}
    for side in ("left", "right"):
        s = side[0]
        out |= {
            f"{o}_{s}": np.asarray(joints[f"{side}_{n}"], float) for n, o in _SIDED.items() if f"{side}_{n}" in joints
        }
        foot = x[(x[:, 1] < out[f"ankle_{s}"][1]) & ((x[:, 0] > 0) == (s == "l"))]
        out[f"heel_{s}"], out[f"toe_tip_{s}"] = foot[foot[:, 2].argmin()], foot[foot[:, 2].argmax()]
        outward = x[:, 0] if s == "l" else -x[:, 0]
        hand = x[outward > abs(out[f"wrist_{s}"][0])]
        # the palms look down: the tip of the thumb is foremost, and tells how the arm is turned about itself
        out[f"middle_tip_{s}"], out[f"thumb_tip_{s}"] = x[outward.argmax()], hand[hand[:, 2].argmax()]
    return out | {"head_top": x[x[:, 1].argmax()]}


def _points_of(targets: Mapping[str, Float64]) -> Points:
    names = list(targets)
    sd = np.array([_TRUNK_SD if name in _MIDDLE.values() else _JOINT_SD for name in names])
    return Points(np.stack([targets[name] for name in names])[None], names, sd)


def _skin_of(ours: DefaultBody, person: PersonFit, x: Float64, faces: NDArray, normals: Float64, far: float) -> Points:
    """Vertices of the default body, each with its place on the tangent plane of the nearest point (N, 3)."""
    ids = np.array(skin_points(True, _EACH, _EACH_FINGER))
    posed = ours.pose(ours.rest(person.motion.shape), person.motion, outputs=("vertices",)).vertices[0].astype(float)
    own, facing = posed[ids], vertex_normals(posed, ours.faces)[ids]
    nearest = nearest_on_surface(own, x, faces, facing)
    target, met = _onto_plane(own, facing, nearest, x, normals, far)
    target[~met] = np.nan
    sources = [KeypointSource(f"vertex {v}", (int(v),), (1.0,)) for v in ids]
    return Points(target[None], sources, _SKIN_SD)


def _onto_plane(
    own: Float64, facing: Float64, nearest: SurfacePoints, x: Float64, normals: Float64, far: float
) -> tuple[Float64, NDArray[np.bool_]]:
    """Points (n, 3) moved onto the other surface along its normal, and whether that surface is near and faces alike.

    Only the distance from the surface counts, so that a limb may slide in its own skin.
    """
    at, normal = nearest.of(x), nearest.of(normals)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    step = at - own
    met = (np.linalg.norm(step, axis=1) < far) & ((normal * facing).sum(1) > 0.2)
    return own + normal * (step * normal).sum(1, keepdims=True), met


def _first_guess(ours: DefaultBody, targets: Mapping[str, Float64]) -> Guess:
    """Limbs along the other's, fingers straight, hips in the place of its hips."""
    rest = ours.rest()
    limbs = {f"{name}_{s}": (f"{a}_{s}", f"{b}_{s}") for name, (a, b) in _LIMBS.items() for s in "rl"}
    along = {name: targets[b] - targets[a] for name, (a, b) in limbs.items() if a in targets and b in targets}
    theirs, own = (np.mean([points["hip_r"], points["hip_l"]], axis=0) for points in (targets, rest.landmarks))
    R_joint = limbs_along(rest, straight_hands(rest.skeleton), along)
    return Guess(R_joint[None], (rest.landmarks["pelvis"] + theirs - own)[None], np.zeros(1))


def _guess_of(person: PersonFit) -> Guess:
    motion = person.motion
    return Guess(person.skeleton.joint_rotations(motion.q), motion.translation, np.zeros(1), motion.shape)


def _fitted(ours: DefaultBody, seen: Sequence[Points], guess: Guess, options: FitOptions = STILL) -> PersonFit:
    evidence = Evidence(points=tuple(seen), initial=[guess])
    return fit([evidence], np.zeros(1), body=ours, floor=False, options=options).people[0]


# ---------------------------------------------------------------------------------------------------------------------
# The rest of the way
# ---------------------------------------------------------------------------------------------------------------------


def _displaced(start: Float64, own_faces: NDArray, x: Float64, faces: NDArray, normals: Float64) -> Float64:
    """Vertices ``start`` (V, 3) moved smoothly onto the other surface."""
    from scipy.sparse import csc_array, diags_array
    from scipy.sparse.linalg import splu

    second = _second_difference(len(start), own_faces)
    bending = csc_array(second.T @ second)
    laid = start.copy()
    for turn, stiffness in enumerate(_STIFFNESS):
        facing = vertex_normals(laid, own_faces)
        nearest = nearest_on_surface(laid, x, faces, facing)
        far = float(np.interp(turn, (0, len(_STIFFNESS) - 1), (_FAR[1], _FAR[1] / 2)))
        target, met = _onto_plane(laid, facing, nearest, x, normals, far)
        # what has met nothing follows its neighbours; the little on the diagonal holds what has none
        weight = np.where(met, 1.0, 1e-6)
        wanted = np.where(met[:, None], target - start, 0.0)
        laid = start + splu(csc_array(diags_array(weight) + stiffness * bending)).solve(weight[:, None] * wanted)
    return laid


def _second_difference(count: int, faces: NDArray):
    """(V, V) each vertex less the mean of its neighbours."""
    from scipy.sparse import csr_array, diags_array, eye_array

    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    both = np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0)
    joined = csr_array((np.ones(len(both)), (both[:, 0], both[:, 1])), shape=(count, count))
    degree = np.asarray(joined.sum(axis=1)).ravel()
    return csr_array(eye_array(count) - diags_array(1.0 / np.maximum(degree, 1.0)) @ joined)


def _correspondences(
    laid: Float64,
    own_faces: NDArray,
    x: Float64,
    faces: NDArray,
    normals: Float64,
    shape: Mapping[str, float],
    fitted: Float32,
) -> Registration:
    facing = vertex_normals(laid, own_faces)
    on_theirs = nearest_on_surface(laid, x, faces, facing)
    on_ours = nearest_on_surface(x, laid, own_faces, normals)
    ours_sure = _onto_plane(laid, facing, on_theirs, x, normals, _SURE)[1]
    theirs_sure = _onto_plane(x, normals, on_ours, laid, facing, _SURE)[1]
    return Registration(on_ours, on_theirs, theirs_sure, ours_sure, shape, fitted)


# ---------------------------------------------------------------------------------------------------------------------
# Cache
# ---------------------------------------------------------------------------------------------------------------------


def _write(path: Path, found: Registration) -> None:
    arrays = {
        f"{name}/{part}": getattr(getattr(found, name), part)
        for name in ("theirs_on_ours", "ours_on_theirs")
        for part in ("corners", "weights")
    }
    arrays |= {name: getattr(found, name) for name in ("theirs_sure", "ours_sure", "fitted")}
    arrays |= {"shape_names": np.array(list(found.shape), np.str_), "shape": np.array(list(found.shape.values()))}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with write_atomically(path) as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
    except (OSError, OutputError):
        return  # made again the next time


def _read(path: Path) -> Registration | None:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        points = {
            name: SurfacePoints(arrays[f"{name}/corners"], arrays[f"{name}/weights"])
            for name in ("theirs_on_ours", "ours_on_theirs")
        }
        shape = dict(zip(arrays["shape_names"].tolist(), arrays["shape"].tolist(), strict=True))
        kept = {name: arrays[name] for name in ("theirs_sure", "ours_sure", "fitted")}
        return Registration(**points, **kept, shape=shape)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
