"""What carries the skin: the skeleton's segments and, besides them, each upper arm without its twist.

Skin near the shoulder that is blended from the trunk and an arm twisted by a right angle wrings itself thin. So it
hangs on a bone that points where the upper arm points but does not turn about it; the twist comes further down the arm,
as that of the forearm does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from marrow.body.rig import UNTWISTED
from marrow.geometry.rotations import rotation_between
from marrow.types import Float64

if TYPE_CHECKING:
    from marrow.skeleton import Skeleton


@dataclass(frozen=True, eq=False)
class SkinBones:
    """The B segments of a skeleton, then the bones that carry skin besides them.

    Attributes:
        names, parents: of all of them; (B + n,), parents first.
        bind: (B + n, 4, 4) frames in marrow's world in the bind pose.
    """

    names: tuple[str, ...]
    parents: NDArray[np.int64]
    bind: Float64

    @classmethod
    def of(cls, skeleton: Skeleton) -> SkinBones:
        """Those of one person's skeleton."""
        extra = {name: skeleton.body_index(body) for name, body in UNTWISTED.items() if body in skeleton.bodies}
        segments = list(extra.values())
        return cls(
            (*skeleton.bodies, *extra),
            np.concatenate([skeleton.parents, skeleton.parents[segments]]),
            np.concatenate([skeleton.bind, skeleton.bind[segments]]),
        )

    def frames(self, R: Float64, p: Float64) -> tuple[Float64, Float64]:
        """Rotations (..., B + n, 3, 3) and origins (..., B + n, 3) from the segments' (..., B, 3, 3), (..., B, 3)."""
        count = R.shape[-3]
        extra_R, extra_p = [R], [p]
        for n in range(count, len(self.names)):
            parent, own = int(self.parents[n]), self.names.index(UNTWISTED[self.names[n]])
            at_rest = self.bind[parent, :3, :3].T @ self.bind[own, :3, :3]
            along = (np.swapaxes(R[..., parent, :, :], -1, -2) @ R[..., own, :, 1, None])[..., 0]
            swung = rotation_between(np.broadcast_to(at_rest[:, 1], along.shape), along) @ at_rest
            extra_R.append((R[..., parent, :, :] @ swung)[..., None, :, :])
            extra_p.append(p[..., own, None, :])
        return np.concatenate(extra_R, -3), np.concatenate(extra_p, -2)
