"""What a picture says of where joints are, as mixtures: of the peaks of heat-maps, or of keypoints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from marrow.conventions import conversion, joint_names
from marrow.data.lifting import JOINTS
from marrow.errors import InputError
from marrow.geometry.projection import to_normalised
from marrow.lift.normalise import Given
from marrow.lift.reprojection import tangents
from marrow.types import Camera, Float32

#: Cells kept of each heat-map, and the share of its highest value below which none is.
CELLS, FAINT = 24, 0.1
#: Standard deviation of a keypoint in the unit of ``given.xy``, of which a person is about 2 long.
KEYPOINT_SD = 0.01


@dataclass(frozen=True)
class Heatmaps:
    """A detector's heat-maps of one person.

    Attributes:
        joint_set: a name in :data:`marrow.conventions.JOINT_SETS`.
        values: (T, h, w, J) in [0, 1].
        image_from_map: (T, 2, 3) from centres of their cells (column, row) to pixels of the image.
    """

    joint_set: str
    values: Float32
    image_from_map: Float32

    def __post_init__(self) -> None:
        count = len(joint_names(self.joint_set))
        if self.values.ndim != 4 or self.values.shape[3] != count:
            raise InputError(f"heat-maps: expected (T, h, w, {count}) for {self.joint_set}, got {self.values.shape}")
        if self.image_from_map.shape != (len(self.values), 2, 3):
            raise InputError(
                f"heat-maps: expected image_from_map ({len(self.values)}, 2, 3), got {self.image_from_map.shape}"
            )


@dataclass(frozen=True)
class Evidence:
    """Where each joint may be seen: M places with a weight each; beyond them anywhere in the person's box.

    Attributes:
        place: (B, T, J, M, 2) tangents in the turned camera.
        weight: (B, T, J, M) probabilities; what is missing of 1 is that of the box. All 0: nothing is known.
        variance: (B, T, J, M) of each coordinate of each place.
        area: (B, T) of the box.
    """

    place: torch.Tensor
    weight: torch.Tensor
    variance: torch.Tensor
    area: torch.Tensor


def from_keypoints(given: Given, sd: float = KEYPOINT_SD) -> Evidence:
    """One place a joint, as probable as it is confident.

    Args:
        given: keypoints as networks read them.
        sd: of keypoints, in the unit of ``given.xy``.
    """
    place, weight = tangents(given)[..., None, :], given.confidence[..., None]
    variance = (sd * given.size)[..., None, None].square().expand_as(weight)
    return Evidence(place, weight, variance, (2 * given.size).square())


def from_heatmaps(heatmaps: Heatmaps, camera: Camera, given: Given) -> Evidence:
    """Every cell of a heat-map is a place, weighted by its value: a smooth density whose logarithm has a slope
    everywhere. Joints of ``h36m17`` that the joint set has not are taken from the keypoints.

    Args:
        heatmaps: T frames.
        camera: that took the picture.
        given: the keypoints of the same frames, B = 1.
    """
    table = conversion(heatmaps.joint_set, JOINTS)
    own = [(j, parts[0]) for j, parts in enumerate(table) if len(parts) == 1]
    to, source = (list(index) for index in zip(*own, strict=True))
    frames, height, width, _ = heatmaps.values.shape
    value = torch.from_numpy(np.ascontiguousarray(heatmaps.values[..., source])).float().flatten(1, 2).mT
    top, cell = value.topk(min(CELLS, height * width), -1)  # (T, own, M)
    at = torch.stack([cell % width, cell // width, torch.ones_like(cell)], -1).double().numpy()
    pixels = np.einsum("tij,tkmj->tkmi", np.asarray(heatmaps.image_from_map, float), at)
    u = torch.from_numpy(to_normalised(camera, pixels.reshape(1, -1, 2))).float().view(frames, len(to), -1, 2)
    ray = torch.cat([u, torch.ones_like(u[..., :1])], -1) @ given.R_cam[0, :, None]
    place = ray[..., :2] / ray[..., 2:].clamp(min=0.05)
    peak = top[..., :1]
    weight = torch.where(top >= FAINT * peak, top, 0.0)
    weight = peak * weight / weight.sum(-1, keepdim=True).clamp(min=1e-9)
    scale = np.sqrt(np.abs(np.linalg.det(np.asarray(heatmaps.image_from_map, float)[:, :, :2]))) / camera.K[0, 0]
    beside = from_keypoints(given)
    out = [x.expand(*x.shape[:3], top.shape[-1], *x.shape[4:]).clone() for x in (beside.place, beside.weight)]
    variance = beside.variance.expand(*beside.variance.shape[:3], top.shape[-1]).clone()
    out[1][..., 1:] = 0.0
    out[0][0, :, to], out[1][0, :, to] = place, weight
    variance[0, :, to] = torch.from_numpy(scale**2).float()[:, None, None].expand_as(top)
    return Evidence(out[0], out[1], variance, beside.area)


def shares(evidence: Evidence, seen: torch.Tensor, blur: torch.Tensor) -> torch.Tensor:
    """How much each place explains a joint that is believed somewhere else.

    The density is blurred as much as the belief is uncertain: peaks that are far away count early, when all is
    uncertain, and at the end those alone that are near.

    Args:
        evidence: of (B, T).
        seen: (..., B, T, J, 2) where the joints are believed.
        blur: (..., B, T, J) variance of that.

    Returns:
        (..., B, T, J, M), whose sum is the probability that any explains it.
    """
    variance = evidence.variance + blur[..., None]
    off = evidence.place - seen[..., None, :]
    density = evidence.weight / (2 * torch.pi * variance) * torch.exp(-0.5 * off.square().sum(-1) / variance)
    elsewhere = (1 - evidence.weight.sum(-1)).clamp(min=1e-6) / evidence.area[..., None]
    return density / (density.sum(-1) + elsewhere)[..., None]


def as_normal(evidence: Evidence, share: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Of each joint's places the normal distribution of the same mean and spread.

    Args:
        evidence: of (B, T).
        share: (..., B, T, J, M) of each place, as of :func:`shares`.

    Returns:
        mean (..., B, T, J, 2); precision (..., B, T, J), the inverse of the variance of a coordinate, less where part
        of the shares is missing, 0 where all is.
    """
    weight = share.sum(-1)
    each = share / weight.clamp(min=1e-9)[..., None]
    mean = each.unsqueeze(-2).matmul(evidence.place).squeeze(-2)
    off = (evidence.place - mean[..., None, :]).square().sum(-1) / 2
    return mean, weight / (each * (evidence.variance + off)).sum(-1).clamp(min=1e-12)
