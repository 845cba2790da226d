"""A user's own body of SMPL's family as it is measured: its own surface in marrow's A-pose, with marrow's landmarks.

The surface stays the other body's, so girths are cut and volumes enclosed by its own triangles. Landmarks come from the
corresponding points of the default body (:mod:`marrow.fit.registration`). Error figures: ``docs/measurements.md``.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from marrow.body import anatomy, load_body
from marrow.body.measurements import Figure, Side, checked_side, points_of
from marrow.body.smpl import SmplBody
from marrow.body.to_points import fit_to_points
from marrow.errors import InputError
from marrow.fit.registration import Registration, registration
from marrow.fit.smpl import SHAPES, points_on_theirs, still_joints
from marrow.geometry.rotations import exp, rotation_between
from marrow.progress import Progress
from marrow.skeleton.joint_centres import joint_centres
from marrow.types import Float64

#: Joints whose segment is laid along marrow's, each with the joint at the segment's end.
_LIMBS: Mapping[str, str] = {"shoulder": "elbow", "elbow": "wrist", "hip": "knee", "knee": "ankle"}
#: A mesh whose vertices stay further from the fitted body than this (m, median) is no person of that model.
_FAR = 0.03


def smpl_figure(
    body: SmplBody,
    shape: Mapping[str, float] | ArrayLike | None = None,
    *,
    side: Side = "r",
    progress: Progress | None = None,
) -> Figure:
    """A person of a body of SMPL's family, for :func:`marrow.body.measurements.measurements_of`.

    Args:
        body: of the families SMPL, SMPL-H and SMPL-X. Its registration takes some seconds, once.
        shape: (S,) coefficients or fewer, or by name (``shape_0`` …); the others are 0.
        side: whose limbs are measured.
        progress: called as ``progress(stage, done, total)``.

    Returns:
        The body's own vertices (N, 3) and faces in marrow's A-pose, its feet level, on the floor; metres, Y up, facing
        +Z. Trunk, head and hands are as in the model's T-pose.

    Raises:
        InputError: a body of another kind, one that the default body cannot be laid on, or more coefficients than the
            body has.
    """
    side, found, rest = checked_side(side), registration(body, progress), body.rest(shape)
    posed = body.pose(rest, _standing(body, found, rest.joints.astype(float)), outputs=("vertices",)).vertices
    return _figure(body, found, posed.astype(float), rest.vertices, side)


def smpl_mesh_figure(
    body: SmplBody, vertices: ArrayLike, *, side: Side = "r", progress: Progress | None = None
) -> Figure:
    """As :func:`smpl_figure`, of a mesh in the body's topology in any pose, a scan registered to it for one.

    Shape and pose of the body are fitted; what the mesh differs by is carried along into the A-pose.

    Args:
        vertices: (N, 3) metres, in the order of the body's vertices, anywhere and turned anyhow.

    Raises:
        InputError: another count of vertices, positions that are not finite, or a mesh that the body does not fit.
    """
    side, x = checked_side(side), np.asarray(vertices, float)
    if x.shape != (body.vertex_count, 3) or not np.isfinite(x).all():
        raise InputError(
            f"vertices: expected finite ({body.vertex_count}, 3), those of {body.spec.name}, got {x.shape}"
        )
    found = registration(body, progress)
    ids = points_on_theirs(body, found)
    fitted = fit_to_points(
        body.tensors(), x[None, ids], ids, shapes=SHAPES[body.spec.family], still=still_joints(body), progress=progress
    )
    rest = body.rest(fitted.shape)
    standing = _standing(body, found, rest.joints.astype(float))
    before, now = (
        body.pose(rest, R, outputs=("vertices",)).vertices.astype(float) for R in (exp(fitted.pose[0]), standing)
    )
    away = x - before - fitted.translation[0]
    off = float(np.median(np.linalg.norm(away, axis=1)))
    if off > _FAR:
        raise InputError(
            f"vertices: {body.spec.name} stays {1000 * off:.0f} mm from them (median); expected metres, in the order "
            "of its own vertices"
        )
    turn_before, turn_now = (_vertex_turns(body, R) for R in (exp(fitted.pose[0]), standing))
    carried = turn_now @ np.linalg.solve(turn_before, away[..., None])
    return _figure(body, found, now + carried[..., 0], rest.vertices, side)


def _figure(body: SmplBody, found: Registration, x: Float64, t_pose: NDArray, side: Side) -> Figure:
    """Of vertices ``x`` (N, 3) in the A-pose; those of the body in its T-pose tell which are the tips of the hands."""
    x = x - [0.0, x[:, 1].min(), 0.0]
    ours = found.ours_on_theirs.of(x)
    # how deep the joints lie: of the model's average person, 1 mm off for a light or heavy one
    weight = float(anatomy.tissue_weight(found.shape.get("weight", 0.5)))
    points = points_of(ours, joint_centres(anatomy.reader().bone(ours, weight), fingers=False))
    points |= {"middle_tip_l": x[t_pose[:, 0].argmax()], "middle_tip_r": x[t_pose[:, 0].argmin()]}
    return Figure(x, body.faces, points, side)


def _standing(body: SmplBody, found: Registration, joints: Float64) -> Float64:
    """(J, 3, 3) turns against the parent that lay the limbs of a T-pose, joints (J, 3), along those of the A-pose."""
    own, names = load_body().rest(found.shape).landmarks, body.spec.joints
    local, world = (np.tile(np.eye(3), (len(names), 1, 1)) for _ in range(2))
    for j, parent in enumerate(body.spec.parents[1:], 1):
        side, _, joint = names[j].rpartition("_")
        world[j] = world[parent]
        if joint in _LIMBS:
            end = _LIMBS[joint]
            along = world[parent] @ (joints[names.index(f"{side}_{end}")] - joints[j])
            world[j] = rotation_between(along, own[f"{end}_{side[0]}"] - own[f"{joint}_{side[0]}"]) @ world[parent]
        elif joint == "ankle":
            world[j] = np.eye(3)
        local[j] = world[parent].T @ world[j]
    return local


def _vertex_turns(body: SmplBody, local: Float64) -> Float64:
    """(N, 3, 3) what the skin's blend turns a small step at each vertex by, of turns (J, 3, 3) against the parent."""
    world = local.copy()
    for j, parent in enumerate(body.spec.parents[1:], 1):
        world[j] = world[parent] @ local[j]
    start, joint, weight = body.weights
    blend = csr_array((weight, joint, start), shape=(body.vertex_count, len(world)))
    return (blend @ world.reshape(-1, 9)).reshape(-1, 3, 3)
