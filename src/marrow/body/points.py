"""Named points on the skin: vertex ids of the body's constant topology, each the mean of its vertices.

Chosen on the average adult at rest: the nose, crown, heel, toe, finger tip and iliac spine vertices are the extreme
ones of their bone's skin in the direction that names them; eye and mouth corners are the vertices that Anny's actions
on just those corners move most, nipples and navel what its changes of those move; the buttock's is the hindmost one and
the crotch's the lowest between the legs; right is the mirror image of left (the mesh is symmetric to 6 micrometres).
"""

from __future__ import annotations

from collections.abc import Mapping

SKIN_POINTS: Mapping[str, tuple[int, ...]] = {
    "nose": (5038,),
    "head_top": (881,),
    "ear_l": (12099,),
    "ear_r": (5516,),
    "eye_l": (13583,),
    "eye_r": (13655,),
    "eye_inner_l": (6835,),
    "eye_inner_r": (67,),
    "eye_outer_l": (6789,),
    "eye_outer_r": (21,),
    "mouth_l": (7112,),
    "mouth_r": (368,),
    "heel_l": (12421,),
    "heel_r": (5840,),
    "toe_tip_l": (11519,),
    "toe_tip_r": (4917,),
    "small_toe_tip_l": (13248,),
    "small_toe_tip_r": (6668,),
    "asis_l": (10915,),
    "asis_r": (4302,),
    "nipple_l": tuple(range(8418, 8434)),
    "nipple_r": tuple(range(1762, 1778)),
    "navel": (4105,),
    "buttock_l": (10822,),
    "buttock_r": (4202,),
    "crotch": (4356,),
    "thumb_tip_l": (9316,),
    "thumb_tip_r": (2664,),
    "index_tip_l": (8563,),
    "index_tip_r": (1911,),
    "middle_tip_l": (8755,),
    "middle_tip_r": (2103,),
    "ring_tip_l": (8950,),
    "ring_tip_r": (2298,),
    "little_tip_l": (9139,),
    "little_tip_r": (2487,),
}
