"""From one person's evidence to the problem that the solver reads, and to the states it may start from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marrow.body import DefaultBody
from marrow.body.keypoints import KeypointSource, keypoint_sources
from marrow.conventions import JOINT_SETS
from marrow.fit import priors
from marrow.fit._fast_residuals import Directions, Feet, Pixels, Places, Trunk
from marrow.fit.evidence import (
    BONES,
    FAINT,
    LIFTED,
    Evidence,
    View,
    kind_of,
    noise_of,
    pairs_of,
    person_size,
    undistorted,
)
from marrow.fit.model import Model, build_model
from marrow.fit.options import FitOptions
from marrow.fit.riders import Riders, Source, make_riders, sole_sources
from marrow.fit.solver import Observed, Problem
from marrow.skeleton import tree as trees
from marrow.types import Float64

#: One frame counts as one observation at this rate and slower; faster frames share the time between them, because a
#: detector's errors last longer than a frame.
RATE = 30.0
_FEWEST = 3  # points that make a frame an observed one
_TRUNK = (
    KeypointSource("trunk", landmarks=("t8_body",), landmark_weights=(1.0,)),
    KeypointSource("trunk_up", landmarks=("t8_body",), landmark_weights=(1.0,), offset=(0, 1, 0), offset_body="torso"),
)
_MEMORY = 0.5  # s of pictures that tell of shape and camera as one
#: By kind of evidence (``evidence.kind_of``), factors on a sequence's pose prior and smoothness, found on clips that
#: are in no test. Where only keypoints of one camera are seen, the prior is what tells a limb's two depths apart, and
#: stiff joints would keep a wrong one.
_FACTORS = {"keypoints": (2.5, 0.5), "lifted": (2.5, 0.5)}
_STEP = 0.5  # finite-difference step of the shape in prior sds: wide, since the shape space has kinks at its anchors


@dataclass(frozen=True)
class Prepared:
    """A person ready to be solved.

    Attributes:
        keypoints: (N,) keypoint of ``views[0].joint_set`` of every reprojection that belongs to view 0, else -1.
        feet: numbers of the sole's points among the model's points (heel, ball, toe of the right, then left), or empty.
        seen: (T,) frames with evidence, at ``time`` (T,) seconds.
        repeated: factor on the precision of the shape prior while solving: :func:`repeats`.
    """

    problem: Problem
    riders: Riders
    evidence: Evidence
    keypoints: NDArray[np.int64]
    feet: NDArray[np.int64]
    seen: NDArray[np.bool_]
    time: Float64
    repeated: float = 1.0

    @property
    def model(self) -> Model:
        return self.problem.model


def shares(time: Float64) -> tuple[Float64, Float64]:
    """Share of time of each frame (T,), at most 1, and the steps (T - 1,) in seconds."""
    dt = np.maximum(np.diff(time), 1e-4)
    if len(dt) == 0:
        return np.ones(1), dt
    around = np.concatenate([dt[:1], 0.5 * (dt[1:] + dt[:-1]), dt[-1:]])
    return np.minimum(around * RATE, 1.0), dt


def prepare(
    evidence: Evidence, time: Float64, body: DefaultBody, options: FitOptions, *, feet: bool, repeated: float = 1.0
) -> Prepared:
    """Translate evidence into arrays. ``feet`` adds the soles (contact, floor); ``repeated`` is :func:`repeats`."""
    share, dt = shares(time)
    sources, view_points, lifted_points, place_points = _sources(evidence)
    extra = len(sources)
    if evidence.views:
        sources += [*_TRUNK, *(sole_sources() if feet else ())]
    names = () if evidence.known_shape is not None else options.shape
    riders = make_riders(body, sources, names, dict(evidence.known_shape or {}))
    model = build_model(
        trees.whole(),
        riders.entries,
        riders.moving,
        riders.templates,
        coupled=not _on_skin(evidence) if options.coupled is None else options.coupled,
        fingers=options.fingers,
    )
    feet_at = np.arange(extra + len(_TRUNK), len(sources))
    pixels, keypoints = _pixels(evidence.views, view_points, share)
    places = _places(evidence, place_points)
    told = [*_of_landmarks(evidence, view_points[0]), *_of_lifted(evidence, lifted_points)] if evidence.views else []
    observed = Observed(
        share=share,
        dt=dt,
        pixels=pixels,
        directions=_directions(told, model),
        places=places,
        feet=Feet(feet_at, np.zeros((len(time), len(feet_at))), np.zeros(len(time))) if len(feet_at) else None,
        trunk=_trunk(model, extra) if evidence.views else None,
    )
    count = np.zeros(len(time))
    if pixels is not None:
        count += (pixels.weight > 0).sum(1)
    if places is not None:
        count += (places.precision > 0).sum(1)
    return Prepared(
        problem=_problem(model, observed, riders, evidence, options, repeated),
        riders=riders,
        evidence=evidence,
        keypoints=keypoints,
        feet=feet_at,
        seen=count >= _FEWEST,
        time=time,
        repeated=repeated,
    )


def _on_skin(evidence: Evidence) -> bool:
    """Whether measured points on the skin tell the parts of spine and shoulder girdle apart."""
    sources = [source for points in evidence.points for source in points.sources]
    return any(isinstance(source, KeypointSource) and source.vertices for source in sources)


def _sources(
    evidence: Evidence,
) -> tuple[list[Source], list[dict[int, int]], dict[int, int], list[NDArray[np.int64]]]:
    """All places on the body; by view, and for the lifter: keypoint -> point; by set of points: the points' numbers."""
    sources: list[Source] = []
    by_set: dict[str, dict[int, int]] = {}

    def placed(joint_set: str) -> dict[int, int]:
        if joint_set not in by_set:
            own = [(k, s) for k, s in enumerate(keypoint_sources(joint_set)) if s is not None]
            by_set[joint_set] = {k: len(sources) + i for i, (k, _) in enumerate(own)}
            sources.extend(s for _, s in own)
        return by_set[joint_set]

    views = [placed(view.joint_set) for view in evidence.views]
    lifted = {} if evidence.lifted is None else placed(LIFTED)
    numbers = []
    for points in evidence.points:
        numbers.append(len(sources) + np.arange(len(points.sources)))
        sources += list(points.sources)
    return sources, views, lifted, numbers


def _moved_by(model: Model, points: Sequence[int]) -> NDArray[np.int64]:
    """Unknowns that move any of the points, sorted."""
    start, dof = model.points.dof_start, model.points.dof
    return np.unique(np.concatenate([dof[start[k] : start[k + 1]] for k in points])).astype(np.int64)


def _trunk(model: Model, first: int) -> Trunk:
    dofs = _moved_by(model, [first, first + 1])
    return Trunk(np.array([first, first + 1], np.int64), np.array([0, len(dofs)], np.int64), dofs)


def _pixels(
    views: Sequence[View], view_points: Sequence[Mapping[int, int]], share: Float64
) -> tuple[Pixels | None, NDArray[np.int64]]:
    """Keypoints of all views, and which keypoint of the first view each is (-1 for the other views)."""
    number, point, keypoint, xy, sd, weight = [], [], [], [], [], []
    for v, (view, points) in enumerate(zip(views, view_points, strict=True)):
        kept = np.array(sorted(points), np.int64)
        pixel = undistorted(view)[:, kept]
        confidence = np.asarray(view.confidence, float)[:, kept]
        good = (confidence > FAINT) & np.isfinite(pixel).all(-1)
        number.append(np.full(len(kept), v))
        point.append(np.array([points[int(k)] for k in kept], np.int64))
        keypoint.append(kept if v == 0 else np.full(len(kept), -1))
        xy.append(np.where(good[..., None], pixel, 0.0))
        sd.append(person_size(view)[:, None] * noise_of(view)[kept])
        weight.append(np.where(good, np.clip(confidence, 0.0, 1.0), 0.0) * share[:, None])
    if not views:
        return None, np.zeros(0, np.int64)
    cameras = [v.camera for v in views]
    pixels = Pixels(
        _stack([c.R_cam_world for c in cameras]),
        _stack([c.t_cam_world for c in cameras]),
        _stack([c.K[[0, 1, 0, 1], [0, 1, 2, 2]] for c in cameras]),
        np.concatenate(number).astype(np.int64),
        np.concatenate(point),
        *(np.ascontiguousarray(np.concatenate(part, 1)) for part in (xy, sd, weight)),
    )
    return pixels, np.concatenate(keypoint).astype(np.int64)


def _stack(rows: Sequence[Float64]) -> Float64:
    return np.ascontiguousarray(np.array(rows, float))


#: Pairs of points with their directions (T, 3) in the world and precisions (T,), 0 where absent.
_Told = list[tuple[tuple[int, int], Float64, Float64]]


def _directions(told: _Told, model: Model) -> Directions | None:
    if not told:
        return None
    pairs, unit, precision = zip(*told, strict=True)
    moved = [_moved_by(model, pair) for pair in pairs]
    return Directions(
        np.array(pairs, np.int64),
        np.cumsum([0, *(len(m) for m in moved)]).astype(np.int64),
        np.concatenate(moved),
        np.ascontiguousarray(np.stack(unit, 1)),
        np.ascontiguousarray(np.stack(precision, 1)),
    )


def _of_landmarks(evidence: Evidence, points: Mapping[int, int]) -> _Told:
    """Bone directions of the detector's 3-D landmarks, turned into the world."""
    if evidence.directions is None:
        return []
    view, out = evidence.views[0], []
    confidence = np.nan_to_num(np.asarray(view.confidence, float))
    for a, b, sd in pairs_of(view.joint_set):
        if a not in points or b not in points:
            continue
        unit, length = _unit((evidence.directions[:, b] - evidence.directions[:, a]) @ view.camera.R_cam_world)
        sure = np.clip(np.minimum(confidence[:, a], confidence[:, b]), 0.0, 1.0)
        out.append(((points[a], points[b]), unit, np.where((length > 0) & (sure > FAINT), sure / sd**2, 0.0)))
    return out


def _of_lifted(evidence: Evidence, points: Mapping[int, int]) -> _Told:
    """Bone directions of a lifter's joints, turned into the world, as sure as the lifter is of their ends."""
    if evidence.lifted is None:
        return []
    xyz, sd = np.asarray(evidence.lifted.xyz, float), np.asarray(evidence.lifted.sd, float)
    camera, names, out = evidence.views[0].camera, JOINT_SETS[LIFTED], []
    for first, second, factor in BONES:
        a, b = names.index(first), names.index(second)
        unit, length = _unit((xyz[:, b] - xyz[:, a]) @ camera.R_cam_world)
        variance = factor**2 * (sd[:, a] ** 2 + sd[:, b] ** 2) / np.where(length > 0, length, 1.0) ** 2
        good = (length > 0) & np.isfinite(variance) & (variance > 0)
        out.append(((points[a], points[b]), unit, np.where(good, 1.0 / np.where(good, variance, 1.0), 0.0)))
    return out


def _unit(d: Float64) -> tuple[Float64, Float64]:
    """Unit vectors (T, 3) and lengths (T,) of vectors; both 0 where they are tiny or no numbers."""
    length = np.linalg.norm(d, axis=-1)
    length = np.where(length > 1e-3, length, 0.0)
    known = (length > 0)[:, None]
    return np.where(known, d / np.where(known, length[:, None], 1.0), 0.0), length


def _places(evidence: Evidence, numbers: Sequence[NDArray[np.int64]]) -> Places | None:
    xyz, precision = [], []
    for points in evidence.points:
        x = np.asarray(points.xyz, float)
        good = np.asarray(np.isfinite(x).all(-1))
        xyz.append(np.where(good[..., None], x, 0.0))
        precision.append(np.where(good, 1.0 / np.broadcast_to(np.asarray(points.sd, float), good.shape) ** 2, 0.0))
    if not xyz:
        return None
    at = np.concatenate(numbers).astype(np.int64)
    return Places(at, *(np.ascontiguousarray(np.concatenate(part, 1)) for part in (xyz, precision)))


def _problem(
    model: Model, observed: Observed, riders: Riders, evidence: Evidence, options: FitOptions, repeated: float
) -> Problem:
    structure, trained = trees.whole(), priors.load_pose_prior()
    slots, mixture = priors.pose_slots(model, structure, trained, limits=options.limits)
    prior_factor, smooth_factor = _FACTORS.get(kind_of(evidence), (1.0, 1.0))
    smoother = options.smoothness * smooth_factor
    smooth = priors.smoothness(model, structure, trained, max(smoother, 1e-12) ** -0.5)
    # one frame alone has the whole prior; in a sequence it is spread over the frames that repeat a pose
    once = 1.0 if len(observed.share) < 3 or options.smoothness <= 0 else priors.TYPICAL_STATIC_WEIGHT
    if once < 1.0:
        once *= prior_factor
    precision = options.shape_prior * repeated / riders.sd**2
    return Problem(
        model=model,
        observed=observed,
        slots=slots,
        mixture=mixture,
        smooth=smooth,
        prior_weight=options.pose_prior * once,
        shape_mean=riders.mean,
        shape_precision=np.diag(precision),
        shape_step=_STEP * riders.sd,
        shape_bounds=riders.bounds,
        stature=_stature(evidence, riders),
        rate=RATE,
    )


def scale_assumed(evidence: Evidence) -> bool:
    """Whether nothing tells how large the person is: one camera sees a child near by and an adult far away alike."""
    return evidence.height_m is None and len(evidence.views) == 1 and not evidence.points


def _stature(evidence: Evidence, riders: Riders) -> float | None:
    """The stature to hold to, metres.

    Where nothing tells the scale it is the prior's mean and not left to the solver: whatever is stated in metres (how
    fast people accelerate, how still a foot stands) would shrink the person. The read-out widens it again.
    """
    if not riders.names:
        return None
    if scale_assumed(evidence):
        return float(riders.templates(riders.mean[None]).stature[0])
    return evidence.height_m


def repeats(people: Sequence[Evidence], time: Float64) -> float:
    """How often the pictures repeat the same wrong idea of shape and camera: time in view over :data:`_MEMORY`.

    A detector's points are off by about the same in every frame (clothes, another view of where a hip is). Frames do
    not average that out, and a prior that they could outvote would bend the body to the detector.
    """
    share, _ = shares(time)
    in_view = [
        float((share * (np.nan_to_num(view.confidence) > FAINT).any(1)).sum()) / RATE
        for person in people
        for view in person.views
    ]
    return max(1.0, max(in_view, default=0.0) / _MEMORY)


def keypoint_count(evidence: Evidence) -> int:
    """Keypoints of the first view, 0 where there is none."""
    return len(JOINT_SETS[evidence.views[0].joint_set]) if evidence.views else 0
