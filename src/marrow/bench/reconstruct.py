"""The main road from simulated keypoints to a movement, and how far it is from the truth.

Errors of joints are measured in the axes of the camera, since the world that a single camera finds is its own.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from marrow.bench.scenes import DETECTED, MEASURED, Shot
from marrow.body import load_body
from marrow.body.keypoints import place_keypoints
from marrow.errors import InputError
from marrow.fit import Evidence, FitOptions, FitResult, LiftedJoints, View, fit, framewise
from marrow.fit.priors import calibration_of, load_calibration
from marrow.geometry.projection import camera_from_fov, to_camera
from marrow.lift import lift
from marrow.lift.lifter import Lifter
from marrow.lift.timing import lift_in_time
from marrow.metrics import absolute_mpjpe, angle_error, mpjpe, pa_mpjpe, root_error, rotation_error
from marrow.skeleton import DERIVED, Skeleton
from marrow.types import Camera, Float64, Keypoints

#: Coordinate groups of the report, by the start of the coordinates' names.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "hip flexion": ("hip_flexion",),
    "knee": ("knee_angle",),
    "other leg": ("hip_adduction", "hip_rotation", "ankle_angle"),
    "subtalar, toes": ("subtalar_angle", "mtp_angle"),
    "lumbar": ("lumbar_extension", "lumbar_bending", "lumbar_rotation"),
    "neck": ("neck_",),
    "shoulder": ("gh_",),
    "arm against trunk": ("arm_",),
    "elbow": ("elbow_flex",),
}


@dataclass(frozen=True)
class Condition:
    """What the reconstruction is told.

    Attributes:
        landmarks: the detector's 3-D landmarks.
        focal_known: the camera's intrinsics; else 55 degrees along the long side are assumed.
        height_known: the person's stature.
        lifted: what a lifter says of the keypoints, as a first guess and as evidence.
    """

    landmarks: bool = True
    focal_known: bool = True
    height_known: bool = True
    lifted: bool = False

    @property
    def kind(self) -> str:
        """As :func:`marrow.fit.evidence.kind_of` has it."""
        known = {"landmarks": self.landmarks, "lifted": self.lifted}
        return ", ".join(name for name, there in known.items() if there) or "keypoints"


CONDITIONS: Mapping[str, Condition] = {
    "landmarks": Condition(),
    "keypoints only": Condition(landmarks=False),
    "focal unknown": Condition(focal_known=False),
    "height unknown": Condition(height_known=False),
}
#: The same with a lifter.
LIFTED: Mapping[str, Condition] = {
    "landmarks, lifted": Condition(lifted=True),
    "keypoints, lifted": Condition(landmarks=False, lifted=True),
}


@dataclass(frozen=True)
class Score:
    """Errors of one reconstruction, per frame.

    Attributes:
        observed: (T,) frames in which something was detected.
        offset: (T, 17, 3) metres, from the true joints to the found ones, ``MEASURED``, root-aligned, camera axes.
        mpjpe, pa_mpjpe, absolute, root: (T,) metres on ``MEASURED``, camera axes.
        pelvis: (T,) rad, orientation of the pelvis in the camera's axes. (Its coordinates depend on the heading of a
            world that a single camera cannot know.)
        angle: (T, A) rad, signed and wrapped, of :func:`angle_names`; triples on the branch nearest to the truth.
        sd: (T, A) rad, reported standard deviations without the committed calibration factors; NaN where none.
        seconds: of the reconstruction.
    """

    observed: NDArray[np.bool_]
    offset: Float64
    mpjpe: Float64
    pa_mpjpe: Float64
    absolute: Float64
    root: Float64
    pelvis: Float64
    angle: Float64
    sd: Float64
    seconds: float

    def some(self, frames: list[int]) -> Score:
        """The score of some frames."""
        arrays = {f.name: getattr(self, f.name)[frames] for f in fields(self) if f.name != "seconds"}
        return Score(**arrays, seconds=self.seconds)


#: Keypoints that a frame needs to count as observed.
_FEWEST = 8


@functools.cache
def _average() -> Skeleton:
    return Skeleton.inside(load_body().rest().landmarks)


def evidence(shot: Shot, condition: Condition, frames: slice = slice(None), lifter: Lifter | None = None) -> Evidence:
    """What the fit gets to see of some frames, with first guesses that were made from no more than these frames.

    Raises:
        InputError: the condition is lifted, and there is no lifter.
    """
    size = shot.camera.size
    camera = Camera(shot.camera.K, size) if condition.focal_known else camera_from_fov(size)
    xy, confidence, world = shot.keypoints.xy[frames], shot.keypoints.confidence[frames], None
    if condition.landmarks and shot.keypoints.world is not None:
        world = shot.keypoints.world[frames]
    seen = Keypoints(DETECTED, xy, confidence, world)
    time, height = shot.truth.time[frames], shot.truth.height_m if condition.height_known else None
    joints, lifted = None, None
    if condition.lifted:
        if lifter is None:
            raise InputError("the condition is lifted; give a lifter")
        said = lift_in_time(lifter, seen, time, camera, height)
        joints, lifted = said.relative, LiftedJoints(said.relative.astype(float), said.sd.astype(float))
    guesses = lift(seen, time, camera, load_body(), _average(), lifted=joints, hypotheses=3 if condition.lifted else 2)
    return Evidence(
        views=(View(camera, np.asarray(xy, float), np.asarray(confidence, float), DETECTED),),
        directions=None if world is None else np.asarray(world, float),
        lifted=lifted,
        height_m=height,
        initial=guesses,
    )


def reconstruct(
    shot: Shot,
    condition: Condition,
    *,
    lifter: Lifter | None = None,
    alone: slice | None = None,
    options: FitOptions | None = None,
) -> dict[str, Score]:
    """Run lift and fit on all frames at once and, with ``alone``, on some frames each alone.

    Returns:
        ``"sequence"``; with ``alone`` also ``"framewise"`` (observed frames of ``alone``) and ``"same frames"``, the
        sequence's errors in those frames.
    """
    about = {"body": load_body(), "focal_known": condition.focal_known, "options": options or FitOptions()}
    start = time.perf_counter()
    kind = condition.kind
    whole = fit([evidence(shot, condition, lifter=lifter)], shot.truth.time, **about)
    scores = {"sequence": score(shot, [whole], time.perf_counter() - start, kind)}
    if alone is not None:
        chosen = [t for t in range(len(shot.truth.time))[alone] if observed(shot)[t]]
        start = time.perf_counter()
        found = []
        for t in chosen:
            one = slice(t, t + 1)
            found += framewise([evidence(shot, condition, one, lifter)], shot.truth.time[one], **about)
        scores["framewise"] = score(shot, found, time.perf_counter() - start, kind, chosen)
        scores["same frames"] = scores["sequence"].some(chosen)
    return scores


def lifter_offset(shot: Shot, lifter: Lifter) -> Float64:
    """(T, 17, 3) metres from the true joints to those that a lifter says, as :attr:`Score.offset`.

    It is told the camera and the stature.
    """
    camera = Camera(shot.camera.K, shot.camera.size)
    seen = Keypoints(DETECTED, shot.keypoints.xy, shot.keypoints.confidence)
    said = lift_in_time(lifter, seen, shot.truth.time, camera, shot.truth.height_m)
    return _offset(said.relative.astype(float), to_camera(shot.camera, shot.truth.joints))


def observed(shot: Shot) -> NDArray[np.bool_]:
    """(T,) frames with enough detected points for a guess."""
    return (shot.keypoints.confidence > 0).sum(1) >= _FEWEST


def score(
    shot: Shot, results: Sequence[FitResult], seconds: float, kind: str, frames: list[int] | None = None
) -> Score:
    """Compare a fit from a ``kind`` of evidence, or the fits of single frames, with the truth of those frames."""
    truth, chosen = shot.truth, slice(None) if frames is None else frames
    found, q, sd, R_cam_pelvis = (
        np.concatenate(parts) for parts in zip(*(_read(r, kind) for r in results), strict=True)
    )
    true = to_camera(shot.camera, truth.joints[chosen])
    R_true = shot.camera.R_cam_world @ truth.skeleton.forward(truth.q[chosen])[0][:, 0]
    return Score(
        observed=observed(shot)[chosen],
        offset=_offset(found, true),
        mpjpe=mpjpe(found, true, joint_set=MEASURED),
        pa_mpjpe=pa_mpjpe(found, true, joint_set=MEASURED),
        absolute=absolute_mpjpe(found, true, joint_set=MEASURED),
        root=root_error(found, true, joint_set=MEASURED),
        pelvis=rotation_error(R_cam_pelvis, R_true),
        angle=all_errors(truth.skeleton, q, truth.q[chosen]),
        sd=sd,
        seconds=seconds,
    )


def _offset(found: Float64, true: Float64) -> Float64:
    return (found - found[:, :1]) - (true - true[:, :1])


def _read(result: FitResult, kind: str) -> tuple[Float64, Float64, Float64, Float64]:
    """Joints in the camera's axes, coordinates, their sd without the committed factors, the pelvis in the camera."""
    person = result.people[0]
    motion = person.motion
    joints = place_keypoints(load_body(), load_body().rest(dict(motion.shape)), motion.q, MEASURED)
    if result.camera is None:
        raise InputError("a reconstruction from pictures without a camera")
    factor = np.array([calibration_of(name, load_calibration(kind)) for name in angle_names(motion.coordinates)])
    if motion.q_sd is None or motion.derived_sd is None:
        raise InputError("a reconstruction without standard deviations")
    sd = np.concatenate([motion.q_sd, motion.derived_sd], 1) / factor
    R_cam_pelvis = result.camera.R_cam_world @ person.skeleton.forward(motion.q)[0][:, 0]
    return to_camera(result.camera, joints), motion.q, sd, R_cam_pelvis


def angle_names(coordinates: Sequence[str]) -> tuple[str, ...]:
    """The skeleton's coordinates, then the derived angles of trunk and arms."""
    return (*coordinates, *DERIVED)


def all_errors(skeleton: Skeleton, q: Float64, truth: Float64) -> Float64:
    """(T, A) signed errors of :func:`angle_names`."""
    own, true = (skeleton.derived_angles(x[:, None]) for x in (q, truth))  # each frame alone: on the principal branch
    errors = [coordinate_error(skeleton, q, truth)]
    for first in range(0, len(DERIVED), 3):
        names = DERIVED[first : first + 3]
        signs = np.array([1.0, -1.0, -1.0]) if names[0].endswith("_l") else np.ones(3)
        a, b = (np.stack([x[name][:, 0] for name in names], -1) for x in (own, true))
        errors.append(_nearest_reading(a, b, signs))
    return np.concatenate(errors, 1)


def coordinate_error(skeleton: Skeleton, q: Float64, truth: Float64) -> Float64:
    """(T, D) signed errors: wrapped, and for ball joints of that of the two Z-X-Y readings that is nearer to the truth.

    Every rotation has two readings, (z, x, y) and (z + pi, pi - x, y + pi) in the joint's own signs; a report that
    unwraps may be on either.
    """
    error = angle_error(q, truth)
    for _, first, signs in skeleton.tree.balls:
        three = slice(first, first + 3)
        error[:, three] = _nearest_reading(q[:, three], truth[:, three], signs)
    t = skeleton.tree.translation
    error[:, t] = q[:, t] - truth[:, t]
    return error


def _nearest_reading(q: Float64, truth: Float64, signs: Float64) -> Float64:
    """(T, 3) errors of Z-X-Y angles with signs, from the one of their two readings that is nearer to the truth."""
    own, true = signs * q, signs * truth
    other = np.stack([own[:, 0] + np.pi, np.pi - own[:, 1], own[:, 2] + np.pi], -1)
    errors = np.stack([angle_error(own, true), angle_error(other, true)])
    better = np.abs(errors).sum(-1).argmin(0)
    return signs * errors[better, np.arange(len(q))]


def columns(names: Sequence[str], group: str) -> list[int]:
    """Places in :func:`angle_names` of a group of :data:`GROUPS`."""
    return [i for i, name in enumerate(names) if name.startswith(GROUPS[group])]
