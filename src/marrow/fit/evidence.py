"""What was seen of a person, and its translation into the arrays that the kernels read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from marrow.body.keypoints import KeypointSource
from marrow.conventions import JOINT_SETS, nearest_names
from marrow.errors import InputError
from marrow.geometry.projection import require_perspective, to_normalised
from marrow.types import Camera, Float64, Guess

#: Detector noise as a share of the person's size in the picture (standard deviation of one coordinate), by the end of
#: the keypoint's name. Points that annotators can see sharply are good; those inside the body are habits.
NOISE: Mapping[str, float] = {
    "hip": 0.022, "shoulder": 0.018, "knee": 0.016, "ankle": 0.016, "elbow": 0.016, "wrist": 0.016,
    "nose": 0.012, "eye": 0.012, "eye_inner": 0.012, "eye_outer": 0.012, "ear": 0.014, "left": 0.012, "right": 0.012,
    "heel": 0.018, "foot_index": 0.018, "big_toe": 0.018, "small_toe": 0.018, "neck": 0.02, "head_top": 0.02,
    "pinky": 0.022, "index": 0.022, "thumb": 0.022,
}  # fmt: skip
_OTHER_NOISE = 0.02
FAINT = 0.05  # confidence of this or less is absence

#: Pairs of keypoints whose direction a detector's 3-D landmarks tell, with its standard deviation in radians.
_SIDED_PAIRS = (
    ("shoulder", "elbow", 0.3), ("elbow", "wrist", 0.35), ("hip", "knee", 0.25), ("knee", "ankle", 0.3),
    ("heel", "foot_index", 0.45), ("wrist", "index", 0.6), ("wrist", "pinky", 0.6), ("shoulder", "hip", 0.2),
    ("heel", "big_toe", 0.45), ("ankle", "heel", 0.6),
)  # fmt: skip
PAIRS: tuple[tuple[str, str, float], ...] = tuple(
    (f"{side}_{a}", f"{side}_{b}", sd) for side in ("left", "right") for a, b, sd in _SIDED_PAIRS
) + (
    ("left_shoulder", "right_shoulder", 0.25),
    ("left_hip", "right_hip", 0.25),
    ("left_ear", "right_ear", 0.35),
    ("left_ear", "nose", 0.35),
    ("right_ear", "nose", 0.35),
)


#: The joint set of lifters, and pairs of its joints whose direction counts, each with a factor on what the two joints'
#: standard deviations say of it: how far the directions of the lifter ``time`` really err on clips that it has not
#: learnt from (0.6 to 1.75 times as far), times 4, because a lifter errs in the same way for many frames and has read
#: the same keypoints as the fit. The spine's point is left out: keypoints do not show it.
LIFTED = "h36m17"
BONES: tuple[tuple[str, str, float], ...] = (
    *((f"{side}_{a}", f"{side}_{b}", factor) for side in ("left", "right") for a, b, factor in (
        ("hip", "knee", 6.0), ("knee", "ankle", 4.2), ("shoulder", "elbow", 3.6), ("elbow", "wrist", 2.4),
    )),
    ("right_hip", "left_hip", 7.0), ("right_shoulder", "left_shoulder", 3.4),
    ("pelvis", "thorax", 5.6), ("thorax", "nose", 2.6),
)  # fmt: skip


@dataclass(frozen=True)
class View:
    """Keypoints of one person in one camera, one row per frame.

    Attributes:
        camera: with its extrinsics (a single camera may stand level at the origin; the floor is found by the fit).
        xy: (T, K, 2) pixels of the distorted image; NaN where absent.
        confidence: (T, K) in [0, 1]; 0 where absent.
        joint_set: a name in :data:`marrow.conventions.JOINT_SETS`.
        noise: (K,) standard deviation as a share of the person's size in the picture; by default :data:`NOISE`.
        size: (T,) the person's size in pixels (height when standing); by default estimated from the points.
    """

    camera: Camera
    xy: Float64
    confidence: Float64
    joint_set: str
    noise: Float64 | None = None
    size: Float64 | None = None


@dataclass(frozen=True)
class Points:
    """Measured 3-D points: markers, joints of a motion file, triangulated keypoints.

    Attributes:
        xyz: (T, P, 3) metres, marrow's world; NaN where absent.
        sources: P places on the body: a :class:`marrow.body.keypoints.KeypointSource` or the name of a landmark.
        sd: metres, one number or (P,).
    """

    xyz: Float64
    sources: Sequence[KeypointSource | str]
    sd: float | Float64 = 0.01


@dataclass(frozen=True)
class LiftedJoints:
    """Joints of one person as a lifter says, of which only the directions from one to the next are used.

    Attributes:
        xyz: (T, 17, 3) metres, joint set :data:`LIFTED`, in the axes of ``views[0].camera``, from anywhere; NaN where
            absent.
        sd: (T, 17) metres: standard deviation of each coordinate, as the lifter says.
    """

    xyz: Float64
    sd: Float64


@dataclass(frozen=True)
class Evidence:
    """All that is known of one person; everything may be absent in some frames, and most of it altogether.

    Attributes:
        views: keypoints by camera.
        directions: (T, K, 3) metres: the detector's 3-D landmarks of ``views[0].joint_set`` in that camera's axes, of
            which only the directions of bones are used; NaN where absent.
        lifted: what a lifter says of the joints, or None.
        points: measured 3-D points.
        height_m: stature, if known.
        initial: first guess or several (:func:`marrow.lift.lift`), best first.
        known_shape: shape parameters that are known; then the shape is not fitted.
    """

    views: tuple[View, ...] = ()
    directions: Float64 | None = None
    lifted: LiftedJoints | None = None
    points: tuple[Points, ...] = ()
    height_m: float | None = None
    initial: Guess | Sequence[Guess] | None = None
    known_shape: Mapping[str, float] | None = None


def kind_of(evidence: Evidence) -> str:
    """What the depth of a pose is known from: ``"points"`` (measured or from several views), ``"landmarks"`` (the
    detector's 3-D landmarks), ``"lifted"`` (a lifter's joints), ``"landmarks, lifted"`` or ``"keypoints"`` of one view
    alone.
    """
    if evidence.points or len(evidence.views) > 1:
        return "points"
    known = {"landmarks": evidence.directions, "lifted": evidence.lifted}
    return ", ".join(name for name, value in known.items() if value is not None) or "keypoints"


def check(evidence: Evidence, frames: int) -> None:
    """Refuse evidence whose shapes do not fit ``frames``. Raises InputError."""
    for n, view in enumerate(evidence.views):
        if view.joint_set not in JOINT_SETS:
            near = ", ".join(nearest_names(view.joint_set, JOINT_SETS))
            raise InputError(f"views[{n}]: unknown joint set {view.joint_set!r}; nearest: {near}")
        count = len(JOINT_SETS[view.joint_set])
        if view.xy.shape != (frames, count, 2) or view.confidence.shape != (frames, count):
            raise InputError(
                f"views[{n}]: xy {view.xy.shape} and confidence {view.confidence.shape}; expected "
                f"({frames}, {count}, 2) and ({frames}, {count}) for {view.joint_set} and {frames} frames"
            )
    if evidence.directions is not None:
        if not evidence.views:
            raise InputError("directions need views[0], whose camera and joint set they refer to")
        wanted = (frames, len(JOINT_SETS[evidence.views[0].joint_set]), 3)
        if evidence.directions.shape != wanted:
            raise InputError(f"directions {evidence.directions.shape}; expected {wanted}")
    if evidence.lifted is not None:
        if not evidence.views:
            raise InputError("lifted joints need views[0], whose camera's axes they have")
        xyz, sd, count = evidence.lifted.xyz, evidence.lifted.sd, len(JOINT_SETS[LIFTED])
        if xyz.shape != (frames, count, 3) or sd.shape != (frames, count):
            raise InputError(
                f"lifted: xyz {xyz.shape} and sd {sd.shape}; expected ({frames}, {count}, 3) and ({frames}, {count})"
            )
    for n, points in enumerate(evidence.points):
        if points.xyz.shape != (frames, len(points.sources), 3):
            raise InputError(f"points[{n}].xyz {points.xyz.shape}; expected ({frames}, {len(points.sources)}, 3)")
    if not evidence.views and not evidence.points:
        raise InputError("a person without views and without points: there is nothing to fit")


def person_size(view: View) -> Float64:
    """(T,) size of the person in pixels: the diagonal of the points' box, a running median over about a second.

    Points inside the head and the ankles' height are missed, so the box is taken a tenth larger.
    """
    if view.size is not None:
        return np.maximum(np.asarray(view.size, float), 1.0)
    seen = (view.confidence > 0.2) & np.isfinite(view.xy).all(-1)
    xy = np.where(seen[..., None], view.xy, np.nan)
    size = np.full(len(xy), np.nan)
    enough = seen.sum(1) >= 4
    if enough.any():
        size[enough] = 1.1 * np.linalg.norm(np.nanmax(xy[enough], 1) - np.nanmin(xy[enough], 1), axis=-1)
    return _running_median(size, 15)


def _running_median(values: Float64, half: int) -> Float64:
    known = np.flatnonzero(np.isfinite(values))
    if len(known) == 0:
        return np.ones(len(values))
    out = np.empty(len(values))
    for t in range(len(values)):
        near = values[max(0, t - half) : t + half + 1]
        near = near[np.isfinite(near)]
        out[t] = np.median(near) if len(near) else values[known[np.argmin(np.abs(known - t))]]
    return np.maximum(out, 1.0)


def noise_of(view: View) -> Float64:
    """(K,) noise shares of a view's keypoints."""
    names = JOINT_SETS[view.joint_set]
    if view.noise is not None:
        return np.asarray(view.noise, float)
    return np.array([_noise(name) for name in names])


def _noise(name: str) -> float:
    for side in ("left_", "right_"):
        if name.startswith(side):
            return NOISE.get(name[len(side) :], _OTHER_NOISE)
    return NOISE.get(name, NOISE["left"] if name.startswith("mouth") else _OTHER_NOISE)


def undistorted(view: View) -> Float64:
    """(T, K, 2) pixels that a camera with the same ``K`` and no distortion would have seen."""
    require_perspective(view.camera, "fit")
    if not len(view.camera.distortion):
        return np.asarray(view.xy, float)
    ideal = to_normalised(view.camera, np.nan_to_num(np.asarray(view.xy, float)))
    xy = ideal * np.array([view.camera.K[0, 0], view.camera.K[1, 1]]) + view.camera.K[:2, 2]
    return np.where(np.isfinite(view.xy), xy, np.nan)


def pairs_of(joint_set: str) -> list[tuple[int, int, float]]:
    """Pairs (a, b, sd) of keypoint numbers of a joint set whose direction counts as evidence."""
    index = {name: i for i, name in enumerate(JOINT_SETS[joint_set])}
    return [(index[a], index[b], sd) for a, b, sd in PAIRS if a in index and b in index]


def part(evidence: Evidence, frames: slice) -> Evidence:
    """The evidence of some of the frames."""
    guesses, lifted = evidence.initial, evidence.lifted
    if guesses is not None:
        many = [guesses] if isinstance(guesses, Guess) else guesses
        guesses = [replace(g, R_joint=g.R_joint[frames], root_p=g.root_p[frames], score=g.score[frames]) for g in many]
    views = tuple(
        replace(v, xy=v.xy[frames], confidence=v.confidence[frames], size=None if v.size is None else v.size[frames])
        for v in evidence.views
    )
    return replace(
        evidence,
        views=views,
        directions=None if evidence.directions is None else evidence.directions[frames],
        lifted=None if lifted is None else LiftedJoints(lifted.xyz[frames], lifted.sd[frames]),
        points=tuple(replace(p, xyz=p.xyz[frames]) for p in evidence.points),
        initial=guesses,
    )
