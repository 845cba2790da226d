"""The bones of a skeleton as points and pairs of points, for drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from marrow.types import Float64

if TYPE_CHECKING:
    from marrow.skeleton import Skeleton

#: Ends of segments that carry no further joint.
_ENDS = ("head_top", "heel", "toe_tip", "thumb_tip", "index_tip", "middle_tip", "ring_tip", "little_tip")


def stick_figure(skeleton: Skeleton, R: Float64, p: Float64) -> tuple[Float64, list[tuple[int, int]]]:
    """Points and bones to draw, given segment frames of ``skeleton.forward``.

    Each joint is joined to the one before it; the last segments of head, feet and fingers end at their tips. The
    collar bones start at the neck, not at the small of the back, where their segment's parent has its origin.

    Args:
        R: (..., B, 3, 3) and
        p: (..., B, 3) metres.

    Returns:
        (..., J, 3) metres (the B segment origins first, then the tips), and pairs of point numbers.
    """
    bodies = skeleton.bodies
    bones = []
    for child, parent in enumerate(int(index) for index in skeleton.parents):
        if parent < 0:
            continue
        if bodies[child].startswith("clavicle") and "head" in bodies:
            parent = bodies.index("head")
        bones.append((parent, child))
    tips = [name for name in skeleton.point_names if name in _ENDS or name[:-2] in _ENDS]
    carrier = dict(zip(skeleton.point_names, (int(body) for body in skeleton.point_body), strict=True))
    bones += [(carrier[name], len(bodies) + number) for number, name in enumerate(tips)]
    return np.concatenate([p, skeleton.points(R, p, tuple(tips))], axis=-2), bones
