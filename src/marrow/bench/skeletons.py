"""One person's skeleton at work: in the skin through a movement, refitted to another rig's meshes, and in OpenSim."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from marrow.bench import anatomy
from marrow.bench.osim_export import export_of, written_and_replayed
from marrow.bench.rig import pose_on_rig
from marrow.body import Rest, load_body
from marrow.conventions import from_ground
from marrow.data.motion_pack import motion_pack
from marrow.fit.meshes import fit_meshes
from marrow.skeleton import Skeleton
from marrow.skeleton.tree import at_ease
from marrow.types import Float64, Motion

#: Of the frames one in so many is looked at for the bones' depth.
_EVERY = 4
#: The fit's limits are soft by this much, degrees.
_SOFT = 2.0


def adults(rng: np.random.Generator, count: int) -> list[Rest]:
    """People of both sexes and any build."""
    names, low, high = ("gender", "age", "weight", "muscle", "proportions"), (0, 0.6, 0.1, 0, 0), (1, 1, 0.9, 1, 1)
    drawn = (dict(zip(names, rng.uniform(low, high), strict=True)) for _ in range(count))
    return [load_body().rest(own | {"height": float(np.clip(rng.normal(0.4, 0.12), 0, 1))}) for own in drawn]


def moving(rest: Rest, clip: str, frames: int) -> tuple[Skeleton, Motion]:
    """The skeleton in a body, and ``frames`` poses spread over a clip of the motion pack."""
    skeleton, packed = Skeleton.inside(rest.landmarks), motion_pack().motion(clip)
    q = packed.full(skeleton.coordinates, at_ease(skeleton.coordinates))
    at = np.linspace(0, len(q) - 1, frames).astype(int)
    return skeleton, Motion(at / packed.fps, skeleton.coordinates, q[at], from_ground(q[at, 3:6]), rest.shape)


def in_the_skin(rest: Rest, clip: str, frames: int) -> dict[str, dict[str, float]]:
    """Shares inside the posed skin and mean depths of the bones, and of long axes between the joints of both.

    ``with`` is the skeleton in the skin that it poses, ``without`` the graphics rig in the skin that that poses.
    """
    body, (skeleton, motion) = load_body(), moving(rest, clip, frames)
    R, p = skeleton.forward(motion.q)
    skin = body.pose(rest, motion, outputs=("vertices",)).vertices
    rig = pose_on_rig(body, rest, skeleton, motion.q)
    own, other = anatomy.skeleton_joints(skeleton, R, p), anatomy.rig_joints(np.asarray(rig.joints))
    bones = anatomy.bone_points(rest, anatomy.skeleton_joints(skeleton))
    depths: dict[str, list[Float64]] = {}
    for t in range(0, frames, _EVERY):
        for name, points, surface in (
            ("bones", anatomy.carried(bones, skeleton, R[t], p[t]), skin[t]),
            ("long axes, with", anatomy.along_bones({n: x[t] for n, x in own.items()}), skin[t]),
            ("long axes, without", anatomy.along_bones({n: x[t] for n, x in other.items()}), rig.vertices[t]),
        ):
            depths.setdefault(name, []).append(anatomy.depth(points, surface))
    every = {name: np.concatenate(values) for name, values in depths.items()}
    return {n: rounded({"% inside": 100 * (d > 0).mean(), "depth mm": 1000 * d.mean()}) for n, d in every.items()}


def refitted(rest: Rest, clip: str, frames: int) -> dict[str, float]:
    """The skeleton fitted to meshes that the graphics rig posed: what is left, and which angles keep their limits."""
    skeleton, motion = moving(rest, clip, frames)
    found = fit_meshes(pose_on_rig(load_body(), rest, skeleton, motion.q).vertices, motion.time)
    left = 1000 * np.stack(list(found.residual.values()))
    low, high = np.degrees(skeleton.ranges.T)
    angle = np.degrees(found.person.motion.q)
    within = 100 * ((angle > low - _SOFT) & (angle < high + _SOFT)).mean()
    return rounded({"median mm": np.median(left), "95 % mm": np.quantile(left, 0.95), "% within limits": within})


def in_opensim(rest: Rest, clip: str, frames: int) -> dict[str, Any]:
    """What OpenSim says to the model, and how far it moves it otherwise than marrow does."""
    skeleton, motion = moving(rest, clip, frames)
    found = written_and_replayed(export_of(load_body(), rest, skeleton, motion))
    return {"log": found.log, "centres mm": found.centres_mm, "coordinates deg": found.coordinates_deg}


def rounded(figures: Mapping[str, Any]) -> dict[str, float]:
    """Figures as plain numbers of four decimals."""
    return {name: round(float(value), 4) for name, value in figures.items()}
