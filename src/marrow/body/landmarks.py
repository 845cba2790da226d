"""From a body at rest to the points the skeleton is placed by: joint centres from bony landmarks, ends on the skin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from marrow.body import anatomy
from marrow.body.points import SKIN_POINTS
from marrow.skeleton.joint_centres import joint_centres
from marrow.types import Float64

if TYPE_CHECKING:
    from marrow.body.default import Rest

_ENDS = ("heel", "toe_tip", "thumb_tip", "index_tip", "middle_tip", "ring_tip", "little_tip")
_SKIN_NAMES = ("head_top", *(f"{name}_{s}" for s in "rl" for name in _ENDS))


class Landmarks:
    """Reads the points off vertices and bone heads; made once per list of bones.

    Joint centres are those of :func:`marrow.skeleton.joint_centres.joint_centres`, from the bony landmarks of
    :mod:`marrow.body.anatomy`; ends of segments (crown, heel, tips of toes and fingers) lie on the skin.

    Attributes:
        vertex_ids: (L,) vertices that are read, sorted.
    """

    def __init__(self, bones: Sequence[str]) -> None:
        self._bony = anatomy.reader()
        ends = [v for name in _SKIN_NAMES for v in SKIN_POINTS[name]]
        self.vertex_ids = np.union1d(self._bony.vertex_ids, ends)
        self._used = np.searchsorted(self.vertex_ids, self._bony.vertex_ids)
        self._mean = np.zeros((len(_SKIN_NAMES), len(self.vertex_ids)))
        for row, name in zip(self._mean, _SKIN_NAMES, strict=True):
            at = np.searchsorted(self.vertex_ids, SKIN_POINTS[name])
            row[at] = 1.0 / len(at)
        self._lines = anatomy.finger_lines(bones)

    def __call__(self, heads: Float64, skin: Float64, weight: ArrayLike) -> dict[str, Float64]:
        """Points of the bind pose: name to (..., 3) float64, marrow's world, metres.

        Args:
            heads: (..., N, 3) bone heads.
            skin: (..., L, 3) positions of :attr:`vertex_ids`.
            weight: (...,) phenotype in [0, 1] that the soft tissue over the bones follows.
        """
        bony = _named(self._bony.names, self._bony.bones_of(skin[..., self._used, :], weight))
        bony |= {name: heads[..., row, :] for name, row in self._lines.items()}
        return joint_centres(bony) | _named(_SKIN_NAMES, self._mean @ skin)


def joint_centres_of(rest: Rest) -> dict[str, Float64]:
    """Joint centres by which a person's bones are made, name to (3,) metres, in the bind pose.

    Those of ``rest.landmarks``, which follow bones whose lengths were set, with ends on the bone instead of the skin.
    """
    centres = joint_centres(anatomy.bony_landmarks(rest))
    return centres | {name: rest.landmarks[name] for name in centres if name not in _SKIN_NAMES}


def _named(names: Sequence[str], points: Float64) -> dict[str, Float64]:
    return {name: points[..., i, :] for i, name in enumerate(names)}
