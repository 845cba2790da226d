"""A network that reads a body off one crop: how it is turned, its joint angles, its build, where its joints are seen.

Regression of body parameters from a crop (A. Kanazawa and others, HMR, CVPR 2018), with rotations in six numbers (Y.
Zhou and others, CVPR 2019) and the crop's place in the camera beside it (Z. Li and others, CLIFF, ECCV 2022).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from marrow.body import load_body
from marrow.nn.residual import ResidualNet
from marrow.types import Float32, Float64

#: Phenotypes that are read; the other parameters stay at their defaults.
PHENOTYPES = ("gender", "age", "muscle", "weight", "height", "proportions")
#: Joints that are seen in a crop.
JOINTS = 17
#: Channels of the features at a joint.
_WIDTH = 32


@dataclass(frozen=True)
class Read:
    """What the network says of N crops.

    Attributes:
        R_cam_pelvis: (N, 3, 3) how the pelvis is turned in the camera.
        angles: (N, C) coordinates of :func:`angle_columns`, radians.
        build: (N, 6) :data:`PHENOTYPES`.
        xy: (N, 17, 2) joints, as shares of the crop's half side from its middle.
        heat: (N, 17, h, w) logarithms of the chance that the joint is in that part of the crop; None where not known.
    """

    R_cam_pelvis: torch.Tensor
    angles: torch.Tensor
    build: torch.Tensor
    xy: torch.Tensor
    heat: torch.Tensor | None = None


class BodyRegressor(nn.Module):
    """From crops to bodies.

    Args:
        channels: of the picture network's stages.
        hints: numbers that are given beside each crop (:mod:`marrow.recover.landmarks`); 0: none.
    """

    def __init__(self, channels: tuple[int, ...] = (24, 48, 96, 192, 256), hints: int = 0) -> None:
        super().__init__()
        self.hints = hints
        self.count = len(angle_columns())
        self.picture = ResidualNet(channels)
        self.across = nn.ModuleList(nn.Conv2d(own, _WIDTH, 1) for own in channels[1:])
        self.heat = nn.Conv2d(_WIDTH, JOINTS, 1)
        given = channels[-1] + 3 + JOINTS * (2 + _WIDTH) + hints
        self.head = nn.Sequential(nn.Linear(given, 384), nn.ReLU(), nn.Linear(384, 384), nn.ReLU())
        self.out = nn.Linear(384, 6 + self.count + len(PHENOTYPES) + 2 * JOINTS)
        nn.init.normal_(self.out.weight, std=0.01)
        nn.init.zeros_(self.out.bias)
        body = load_body()
        by_name = {p.name: p.default for p in body.spec.parameters}
        self.register_buffer("mean_build", torch.tensor([by_name[name] for name in PHENOTYPES], dtype=torch.float32))
        # facing the camera upright: the segment's X (forward) against the view, its Y up, which is down in the picture
        self.register_buffer("upright", torch.tensor([0.0, 0.0, -1.0, 0.0, -1.0, 0.0]))

    mean_build: torch.Tensor
    upright: torch.Tensor

    def forward(self, images: torch.Tensor, place: torch.Tensor, hints: torch.Tensor | None = None) -> Read:
        """Read crops.

        Args:
            images: (N, 3, S, S) sRGB from 0 to 1.
            place: (N, 3) of :func:`marrow.geometry.crops.place_in_camera`.
            hints: (N, ...) numbers of each crop, where the model takes any.
        """
        dark, spread = images.mean((1, 2, 3), keepdim=True), images.std((1, 2, 3), keepdim=True)
        stages = self.picture((images - dark) / (spread + 0.05))
        heat, there, xy = self._joints(stages[1:])
        parts = [stages[-1].mean((2, 3)), place, xy.flatten(1), there.flatten(1)]
        if self.hints:
            parts.append(torch.zeros(len(images), self.hints) if hints is None else hints.flatten(1))
        features = torch.cat(parts, 1)
        out = self.out(self.head(features))
        six, angles, build, further = out.split([6, self.count, len(PHENOTYPES), 2 * JOINTS], 1)
        return Read(
            rotation_from_six(self.upright + six), angles, self.mean_build + build, xy + further.view_as(xy), heat
        )

    def _joints(self, stages: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Where in the crop each joint is, the mean of a heat-map (X. Sun and others, ECCV 2018), and what is there.

        Returns:
            logarithms of the heat-maps (N, 17, h, w), features at the joints (N, 17, W), and their places (N, 17, 2),
            shares of half a side.
        """
        x = self.across[-1](stages[-1])
        for across, stage in zip(self.across[-2::-1], stages[-2::-1], strict=True):
            x = across(stage) + nn.functional.interpolate(x, size=stage.shape[2:], mode="bilinear")
        x = torch.relu(x)
        raw = self.heat(x).flatten(2).log_softmax(2)
        heat = raw.exp()
        h, w = x.shape[2:]
        row = (torch.arange(h, dtype=x.dtype, device=x.device) + 0.5) / h * 2 - 1
        column = (torch.arange(w, dtype=x.dtype, device=x.device) + 0.5) / w * 2 - 1
        at = torch.stack([column.repeat(h), row.repeat_interleave(w)], 1)
        return raw.view(-1, JOINTS, h, w), heat @ x.flatten(2).transpose(1, 2), heat @ at


def rotation_from_six(six: torch.Tensor) -> torch.Tensor:
    """Rotations (N, 3, 3) whose first two columns are the orthonormalised halves of (N, 6) (Zhou et al. 2019)."""
    a, b = six[:, :3], six[:, 3:]
    x = nn.functional.normalize(a, dim=1)
    y = nn.functional.normalize(b - (x * b).sum(1, keepdim=True) * x, dim=1)
    return torch.stack([x, y, torch.linalg.cross(x, y)], 2)


def angle_columns() -> NDArray[np.intp]:
    """(C,) columns of the default skeleton's coordinates that are read: all but those of pelvis and fingers."""
    names = load_body().rest().skeleton.coordinates
    fingers = ("thumb_", "index_", "middle_", "ring_", "little_")
    return np.array([k for k, name in enumerate(names) if not name.startswith(("pelvis_", *fingers))])


def read_loss(read: Read, target: Read) -> torch.Tensor:
    """How far off: rotations by their matrices, the rest by its absolute difference."""
    loss = (
        2.0 * (read.R_cam_pelvis - target.R_cam_pelvis).abs().mean()
        + 3.0 * (read.angles - target.angles).abs().mean()
        + 1.0 * (read.build - target.build).abs().mean()
        + 4.0 * (read.xy - target.xy).abs().mean()
    )
    return loss if read.heat is None else loss + 0.2 * _heat_loss(read.heat, target.xy)


def _heat_loss(heat: torch.Tensor, xy: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of the heat-maps against spots of three quarters of a cell at the joints inside the crop."""
    h, w = heat.shape[2:]
    x, y = (xy[..., 0] + 1) / 2 * w - 0.5, (xy[..., 1] + 1) / 2 * h - 0.5
    across = torch.arange(w, dtype=heat.dtype, device=heat.device) - x[..., None]
    down = torch.arange(h, dtype=heat.dtype, device=heat.device) - y[..., None]
    spot = torch.exp(-(down[..., :, None] ** 2 + across[..., None, :] ** 2) / (2 * 0.75**2))
    inside = (xy.abs() < 1).all(-1)
    spot = spot / spot.sum((2, 3), keepdim=True).clamp(min=1e-6)
    return -(spot * heat).sum((2, 3))[inside].sum() / max(int(inside.sum()), 1)


def body_of(R_cam_pelvis: Float64, angles: Float64, build: Mapping[str, float]) -> tuple[Float32, Float64]:
    """Skin (V, 3) and ``h36m17`` joints (17, 3) of one reading, metres in the camera's axes from the pelvis."""
    from marrow.body.keypoints import keypoint_positions
    from marrow.skeleton.tree import at_ease

    body = load_body()
    rest = body.rest(build)
    skeleton = rest.skeleton
    q = at_ease(skeleton.coordinates)
    q[angle_columns()] = angles
    R, p = skeleton.forward(q)
    skin = np.asarray(body.pose(rest, q, outputs=("vertices",), threads=1).vertices)
    joints = keypoint_positions("h36m17", skeleton, R, p, skin)
    turn = R_cam_pelvis @ R[0].T
    return ((skin - p[0]) @ turn.T).astype(np.float32), (joints - p[0]) @ turn.T
