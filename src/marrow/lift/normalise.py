"""From keypoints in a picture to what lifting networks read, and from what they say back to metres in the camera.

A person is looked at along the ray to the middle of the keypoints, as if the camera had been turned there: perspective
then looks the same anywhere in the picture (Yu et al. 2021, PCLs, CVPR). The picture is scaled to one size; the size
that it had, as an angle, is told beside it. Neither depends on how the camera is rolled.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from marrow.lift.timing import FEWEST

#: Stature that is assumed where none is told, metres.
USUAL = 1.70
#: Numbers told beside the joints: logarithm of the angular size, whether the stature is known, and by how much it
#: exceeds the usual one.
TOLD = 3

#: The root mean square distance of joints to their middle, to which pictures are scaled.
SPREAD = 0.5
_SIZE, _SIZE_SPREAD = -1.9, 0.4  # usual logarithm of the angular size, and its spread


@dataclass(frozen=True)
class Given:
    """What a lifting network reads: B windows of T frames of J joints.

    Attributes:
        xy: (B, T, J, 2) normalised place in the picture; 0 where the joint is missing.
        confidence: (B, T, J) in [0, 1]; 0 where missing.
        told: (B, T, 3), see :data:`TOLD`.
        R_cam: (B, T, 3, 3) from the turned camera to the real one.
        size: (B, T) by which tangents in the turned camera were divided.
        stature: (B,) metres, unit of what the network says.
    """

    xy: torch.Tensor
    confidence: torch.Tensor
    told: torch.Tensor
    R_cam: torch.Tensor
    size: torch.Tensor
    stature: torch.Tensor

    @property
    def features(self) -> torch.Tensor:
        """(B, T, 3 J + 3): all of it in a row."""
        seen = torch.cat([self.xy, self.confidence[..., None]], -1).flatten(-2)
        return torch.cat([seen, self.told], -1)


def normalised(xy: torch.Tensor, confidence: torch.Tensor, stature: torch.Tensor) -> Given:
    """What a network reads of keypoints.

    Args:
        xy: (B, T, J, 2) x/z and y/z in the camera's axes (pixels through the inverse of K); any number where missing.
        confidence: (B, T, J), 0 where missing.
        stature: (B,) metres, NaN where unknown.
    """
    seen = confidence > 0
    w = seen.to(xy.dtype)[..., None]
    count = w.sum(-2).clamp(min=1.0)
    xy = torch.where(seen[..., None], xy, 0.0)
    R_cam = _turned((w * xy).sum(-2) / count)
    ray = torch.cat([xy, torch.ones_like(xy[..., :1])], -1) @ R_cam
    x = ray[..., :2] / ray[..., 2:].clamp(min=0.05)
    x = w * (x - ((w * x).sum(-2) / count)[..., None, :])
    size = ((x.square().sum(-1).sum(-1) / count[..., 0]).sqrt() / SPREAD).clamp(min=1e-4)
    known = stature.isfinite()
    unit = torch.where(known, stature, USUAL)
    beyond = (unit - USUAL) / 0.2
    told = torch.stack(
        [
            (size.log() - _SIZE) / _SIZE_SPREAD,
            known.to(xy.dtype)[:, None].expand_as(size),
            beyond[:, None].expand_as(size),
        ],
        -1,
    )
    return Given(x / size[..., None, None], confidence, told, R_cam, size, unit)


def to_network(given: Given, relative: torch.Tensor) -> torch.Tensor:
    """Joints relative to their root, metres in the camera, as a network should say them (B, T, J, 3)."""
    return relative @ given.R_cam / given.stature[:, None, None, None]


def from_network(given: Given, said: torch.Tensor) -> torch.Tensor:
    """The way back: (B, T, J, 3) metres in the camera, relative to the root."""
    return (said @ given.R_cam.mT) * given.stature[:, None, None, None]


def enough(confidence: torch.Tensor) -> torch.Tensor:
    """(B, T) bool: so many joints are seen that a pose can be told."""
    return (confidence > 0).sum(-1) >= FEWEST


def _turned(middle: torch.Tensor) -> torch.Tensor:
    """(..., 3, 3) from a camera that looks at (..., 2) to the one that sees it there: the least turn between both."""
    ray = torch.nn.functional.normalize(torch.cat([middle, torch.ones_like(middle[..., :1])], -1), dim=-1)
    x, y, z = ray.unbind(-1)
    k = 1.0 / (1.0 + z)
    rows = [1 - k * x * x, -k * x * y, x, -k * x * y, 1 - k * y * y, y, -x, -y, z]
    return torch.stack(rows, -1).unflatten(-1, (3, 3))
