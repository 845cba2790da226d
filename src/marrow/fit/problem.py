"""From one person's evidence to the problem that the solver reads, and to the states it may start from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marrow.body import DefaultBody
from marrow.conventions import JOINT_SETS
from marrow.fit import priors
from marrow.fit._fast_kinematics import TRANSLATION
from marrow.fit._fast_residuals import Observations
from marrow.fit.evidence import Evidence, View, noise_of, pairs_of, person_size, undistorted, view_sources
from marrow.fit.model import Model, build_model
from marrow.fit.options import FitOptions
from marrow.fit.riders import Riders, Source, make_riders, sole_sources
from marrow.fit.solver import Problem
from marrow.skeleton import tree as trees
from marrow.types import Float64

#: One frame counts as one observation at this rate and slower; faster frames share the time between them, because a
#: detector's errors last longer than a frame.
RATE = 30.0
_FAINT = 0.05  # confidence below this is absence
_STEP = 0.05  # finite-difference step of the shape, in prior standard deviations


@dataclass(frozen=True)
class Prepared:
    """A person ready to be solved.

    Attributes:
        keypoints: (N,) keypoint of ``views[0].joint_set`` of every reprojection that belongs to view 0, else -1.
        feet: numbers of the sole's points among the model's points (heel, ball, toe of the right, then left), or empty.
        seen: (T,) frames with evidence.
    """

    problem: Problem
    riders: Riders
    evidence: Evidence
    keypoints: NDArray[np.int64]
    feet: NDArray[np.int64]
    seen: NDArray[np.bool_]

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


def prepare(evidence: Evidence, time: Float64, body: DefaultBody, options: FitOptions, *, feet: bool) -> Prepared:
    """Translate evidence into arrays. ``feet`` adds the soles, for contact and floor."""
    share, dt = shares(time)
    sources, view_points, place_points = _sources(evidence)
    feet_at = np.zeros(0, np.int64)
    if feet:
        feet_at = len(sources) + np.arange(len(sole_sources()))
        sources = [*sources, *sole_sources()]
    names = () if evidence.known_shape is not None else options.shape
    fixed = dict(evidence.known_shape or {})
    riders = make_riders(body, sources, names, fixed)
    model = build_model(trees.whole(), riders.entries, riders.moving, riders.templates)
    pixels = _pixels(evidence.views, view_points, share)
    directions = _directions(evidence, view_points, model, share)
    places = _places(evidence, place_points, share)
    observations = Observations(
        **pixels["arrays"], **directions, **places,
        foot_point=feet_at, foot_contact=np.zeros((len(time), len(feet_at))),
        **_upright(model), share=share, dt=dt,
    )  # fmt: skip
    weight = (observations.pixel_weight > 0).sum(1) + (observations.place_weight > 0).sum(1)
    return Prepared(
        problem=_problem(model, observations, riders, evidence, options, len(time)),
        riders=riders,
        evidence=evidence,
        keypoints=pixels["keypoints"],
        feet=feet_at,
        seen=weight >= 3,
    )


def _sources(evidence: Evidence) -> tuple[list[Source], list[dict[int, int]], list[NDArray[np.int64]]]:
    """All places on the body; by view: keypoint -> point; by set of points: the points' numbers."""
    sources: list[Source] = []
    by_set: dict[str, dict[int, int]] = {}
    for view in evidence.views:
        if view.joint_set not in by_set:
            placed = [(k, s) for k, s in enumerate(view_sources(view)) if s is not None]
            by_set[view.joint_set] = {k: len(sources) + i for i, (k, _) in enumerate(placed)}
            sources += [s for _, s in placed]
    numbers = []
    for points in evidence.points:
        numbers.append(len(sources) + np.arange(len(points.sources)))
        sources += list(points.sources)
    return sources, [by_set[v.joint_set] for v in evidence.views], numbers


def _upright(model: Model) -> dict:
    """The segment whose long axis is nearly upright in most poses (trunk, or else pelvis) and what turns it."""
    tree = model.tree
    found = np.flatnonzero(model.bodies == trees.whole().bodies.index("torso"))
    body = int(found[0]) if len(found) else 0
    dofs = np.flatnonzero(tree.below[body, tree.dof_body] & (tree.dof_kind != TRANSLATION))
    return {
        "upright_body": body,
        "upright_span": np.array([0, len(dofs)], np.int64),
        "upright_dof": dofs.astype(np.int64),
    }


def _pixels(views: Sequence[View], view_points: Sequence[Mapping[int, int]], share: Float64) -> dict:
    T = len(share)
    number, point, keypoint, xy, sd, weight = [], [], [], [], [], []
    for v, (view, points) in enumerate(zip(views, view_points, strict=True)):
        kept = np.array(sorted(points), int)
        pixel = undistorted(view)[:, kept]
        confidence = np.asarray(view.confidence, float)[:, kept]
        good = (confidence > _FAINT) & np.isfinite(pixel).all(-1)
        number.append(np.full(len(kept), v))
        point.append([points[k] for k in kept])
        keypoint.append(kept if v == 0 else np.full(len(kept), -1))
        xy.append(np.where(good[..., None], pixel, 0.0))
        sd.append(person_size(view)[:, None] * noise_of(view)[kept])
        weight.append(np.where(good, np.clip(confidence, 0.0, 1.0), 0.0) * share[:, None])
    cameras = [v.camera for v in views]
    arrays = {
        "rotation": _stack([c.R_cam_world for c in cameras], (0, 3, 3)),
        "shift": _stack([c.t_cam_world for c in cameras], (0, 3)),
        "lens": _stack([c.K[[0, 1, 0, 1], [0, 1, 2, 2]] for c in cameras], (0, 4)),
        "pixel_view": np.concatenate([np.zeros(0), *number]).astype(np.int64),
        "pixel_point": np.concatenate([np.zeros(0), *point]).astype(np.int64),
        "pixel": np.ascontiguousarray(np.concatenate([np.zeros((T, 0, 2)), *xy], 1)),
        "pixel_sd": np.ascontiguousarray(np.concatenate([np.zeros((T, 0)), *sd], 1)),
        "pixel_weight": np.ascontiguousarray(np.concatenate([np.zeros((T, 0)), *weight], 1)),
    }
    return {"arrays": arrays, "keypoints": np.concatenate([np.zeros(0), *keypoint]).astype(np.int64)}


def _stack(rows: Sequence[Float64], empty: tuple[int, ...]) -> Float64:
    return np.ascontiguousarray(np.array(rows, float) if len(rows) else np.zeros(empty))


def _directions(evidence: Evidence, view_points: Sequence[Mapping[int, int]], model: Model, share: Float64) -> dict:
    """Bone directions of the detector's 3-D landmarks, turned into the world."""
    pairs: list[tuple[int, int]] = []
    unit, weight = [], []
    if evidence.directions is not None:
        view, points = evidence.views[0], view_points[0]
        confidence = np.nan_to_num(np.asarray(view.confidence, float))
        for a, b, sd in pairs_of(view.joint_set):
            if a not in points or b not in points:
                continue
            d = (evidence.directions[:, b] - evidence.directions[:, a]) @ view.camera.R_cam_world
            length = np.linalg.norm(d, axis=-1)
            good = np.isfinite(length) & (np.nan_to_num(length) > 1e-3)
            sure = np.minimum(confidence[:, a], confidence[:, b])
            pairs.append((points[a], points[b]))
            unit.append(np.where(good[:, None], d / np.where(good, length, 1.0)[:, None], 0.0))
            weight.append(np.where(good & (sure > _FAINT), sure * share / sd**2, 0.0))
    T, table = len(share), model.points
    moved = [
        np.union1d(
            table.dof[table.dof_start[a] : table.dof_start[a + 1]],
            table.dof[table.dof_start[b] : table.dof_start[b + 1]],
        )
        for a, b in pairs
    ]
    return {
        "pair": np.array(pairs, np.int64).reshape(-1, 2),
        "pair_start": np.cumsum([0, *(len(m) for m in moved)]).astype(np.int64),
        "pair_dof": np.concatenate([np.zeros(0), *moved]).astype(np.int64),
        "direction": np.ascontiguousarray(np.stack(unit, 1)) if unit else np.zeros((T, 0, 3)),
        "direction_weight": np.ascontiguousarray(np.stack(weight, 1)) if weight else np.zeros((T, 0)),
    }


def _places(evidence: Evidence, numbers: Sequence[NDArray[np.int64]], share: Float64) -> dict:
    T = len(share)
    xyz, weight = [np.zeros((T, 0, 3))], [np.zeros((T, 0))]
    for points in evidence.points:
        x = np.asarray(points.xyz, float)
        good = np.isfinite(x).all(-1)
        xyz.append(np.where(good[..., None], x, 0.0))
        sd = np.broadcast_to(np.asarray(points.sd, float), good.shape)
        weight.append(np.where(good, share[:, None] / sd**2, 0.0))
    return {
        "place_point": np.concatenate([np.zeros(0, np.int64), *numbers]).astype(np.int64),
        "place": np.ascontiguousarray(np.concatenate(xyz, 1)),
        "place_weight": np.ascontiguousarray(np.concatenate(weight, 1)),
    }


def _problem(
    model: Model, obs: Observations, riders: Riders, evidence: Evidence, options: FitOptions, frames: int
) -> Problem:
    structure, trained = trees.whole(), priors.load_pose_prior()
    slots, mixture = priors.pose_slots(model, structure, trained, limits=options.limits)
    smooth = priors.smoothness(model, structure, trained, max(options.smoothness, 1e-12) ** -0.5)
    # one frame alone has the whole prior; in a sequence it is spread over the frames that repeat a pose
    once = 1.0 if frames < 3 or options.smoothness <= 0 else priors.TYPICAL_STATIC_WEIGHT
    precision = options.shape_prior / riders.sd**2
    return Problem(
        model=model,
        observations=obs,
        slots=slots,
        mixture=mixture,
        smooth=smooth,
        prior_weight=options.pose_prior * once,
        shape_mean=riders.mean,
        shape_precision=np.diag(precision),
        shape_step=_STEP * riders.sd,
        stature=evidence.height_m if len(riders.names) else None,
        rate=RATE,
    )


def keypoint_count(evidence: Evidence) -> int:
    """Keypoints of the first view, 0 where there is none."""
    return len(JOINT_SETS[evidence.views[0].joint_set]) if evidence.views else 0
