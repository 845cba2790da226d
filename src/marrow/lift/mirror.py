"""People in a mirror: left and right exchanged, in what networks read and in what they say."""

from __future__ import annotations

import dataclasses

import torch

from marrow.conventions import SWAP
from marrow.data.lifting import JOINTS
from marrow.lift.networks import Said
from marrow.lift.normalise import Given

#: Of coordinates in the camera.
MIRROR = torch.tensor([-1.0, 1.0, 1.0])


class BothSides(torch.nn.Module):
    """A lifting network that also looks into a mirror and says the mean of both: what it does not know of one side it
    may know of the other (the flip test of lifters, such as Pavllo et al. 2019, VideoPose3D, CVPR).

    Args:
        network: of (given) to (said).
    """

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, given: Given) -> Said:
        return mean_of(self.network(given), mirrored(self.network(mirrored_given(given))))


def mirrored_given(given: Given) -> Given:
    """The same people in a mirror, left and right exchanged."""
    swap = _swap(given.xy)
    xy = given.xy[..., swap, :] * MIRROR[:2].to(given.xy)
    return dataclasses.replace(given, xy=xy, confidence=given.confidence[..., swap])


def mirrored(said: Said) -> Said:
    """What was said of people in a mirror, of the people themselves."""
    swap = _swap(said.mean)
    return Said(said.mean[..., swap, :] * MIRROR.to(said.mean), said.log_error[..., swap])


def mean_of(one: Said, other: Said) -> Said:
    """Of two opinions; they err so alike that their mean is about as sure as each."""
    return Said((one.mean + other.mean) / 2, (one.log_error + other.log_error) / 2)


def _swap(like: torch.Tensor) -> torch.Tensor:
    return torch.tensor(SWAP[JOINTS].copy(), device=like.device)
