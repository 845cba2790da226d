"""Where the keypoints of a joint set sit on a skeleton, each on one segment: enough for a first guess."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marrow.body.default import DefaultBody
from marrow.body.keypoints import KeypointSource, keypoint_sources, landmark_body
from marrow.conventions import joint_names
from marrow.skeleton import Skeleton
from marrow.types import Float64

#: Segment that carries a skin keypoint, by what its name ends with; other skin points are the head's.
_SKIN_SEGMENT = {"heel": "calcn", "toe": "toes", "foot_index": "toes", "tip": "hand"}


@dataclass(frozen=True)
class Places:
    """K keypoints on a skeleton.

    Attributes:
        names: of the joint set, in its order.
        body: (K,) segment that carries the keypoint, -1 where it is not placed or hangs between segments.
        local: (K, 3) metres in that segment's frame.
        bind: (K, 3) metres, marrow's world: the keypoint in the bind pose; NaN where not placed.
    """

    names: tuple[str, ...]
    body: NDArray[np.int64]
    local: Float64
    bind: Float64

    def posed(self, R: Float64, p: Float64) -> Float64:
        """World positions (..., K, 3) of the keypoints, NaN where not placed.

        Args:
            R, p: (..., B, 3, 3) and (..., B, 3) of the segments, as :meth:`Skeleton.forward` gives them.
        """
        out = p[..., self.body, :] + np.einsum("...kij,kj->...ki", R[..., self.body, :, :], self.local)
        out[..., self.body < 0, :] = np.nan
        return out


def places(joint_set: str, body: DefaultBody, skeleton: Skeleton) -> Places:
    """Places of a joint set's keypoints on ``Skeleton.inside(body.rest().landmarks)``."""
    rest, names = body.rest(), joint_names(joint_set)
    carrier, bind = np.full(len(names), -1), np.full((len(names), 3), np.nan)
    for k, source in enumerate(keypoint_sources(joint_set)):
        if source is None:
            continue
        at = np.zeros(3)
        if source.vertices:
            at += np.asarray(source.vertex_weights) @ rest.vertices[list(source.vertices)].astype(float)
        for name, weight in zip(source.landmarks, source.landmark_weights, strict=True):
            at += weight * rest.landmarks[name]
        if source.offset_body is not None:
            at += skeleton.bind[skeleton.body_index(source.offset_body), :3, :3] @ np.asarray(source.offset)
        bind[k] = at
        segment = _segment(source)
        if segment in skeleton.bodies:
            carrier[k] = skeleton.body_index(segment)
    frames = skeleton.bind[carrier]
    local = np.einsum("kij,ki->kj", frames[:, :3, :3], np.nan_to_num(bind) - frames[:, :3, 3])
    return Places(names, carrier, local, bind)


def _segment(source: KeypointSource) -> str:
    """The segment a keypoint is fixed to; empty for one that hangs between segments."""
    if source.offset_body is not None:
        # a joint centre is fixed to the segment before it too, and there its offset is given
        return source.offset_body
    if source.landmarks:
        segments = {landmark_body(name) for name in source.landmarks}
        return segments.pop() if len(segments) == 1 else ""
    side = {"left": "_l", "right": "_r"}.get(source.name.split("_")[0], "")
    for ending, segment in _SKIN_SEGMENT.items():
        if source.name.endswith(ending):
            return segment + side
    return "head"
