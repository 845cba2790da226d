"""The bones of a skeleton as points and pairs of points, for drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from marrow.types import Float64

if TYPE_CHECKING:
    from marrow.skeleton import Skeleton

#: Points where bones start that begin elsewhere than the segment before them has its origin.
_STARTS = {"l5_s1": ("lumbar_arc",), "neck": ("neck_arc", "clavicle_r", "clavicle_l")}
#: Ends of segments that carry no further joint.
_ENDS = ("head_top", "heel", "toe_tip", "thumb_tip", "index_tip", "middle_tip", "ring_tip", "little_tip")


def stick_figure(skeleton: Skeleton, R: Float64, p: Float64) -> tuple[Float64, list[tuple[int, int]]]:
    """Points and bones to draw, given segment frames of ``skeleton.forward``.

    Each joint is joined to the one before it; the last segments of head, feet and fingers end at their tips. The spine
    starts at the sacrum, not between the iliac spines, and neck and collar bones at its upper end, where the segments
    before them have their origins elsewhere.

    Args:
        R: (..., B, 3, 3) and
        p: (..., B, 3) metres.

    Returns:
        (..., J, 3) metres (the B segment origins first, then the tips), and pairs of point numbers.
    """
    bodies, names = skeleton.bodies, skeleton.point_names
    tips = [name for name in names if name in _ENDS or name[:-2] in _ENDS or name in _STARTS]
    point = {name: len(bodies) + number for number, name in enumerate(tips)}
    start = {body: point[name] for name, own in _STARTS.items() if name in point for body in own}
    bones = []
    for child, parent in enumerate(int(index) for index in skeleton.parents):
        if parent < 0:
            continue
        bones.append((start.get(bodies[child], parent), child))
    carrier = dict(zip(names, (int(body) for body in skeleton.point_body), strict=True))
    bones += [(carrier[name], point[name]) for name in tips if name not in _STARTS or name == "neck"]
    return np.concatenate([p, skeleton.points(R, p, tuple(tips))], axis=-2), bones
