"""Maps of the limbs around the points of a landmark network."""

from __future__ import annotations

import pytest
import torch

from marrow.body.parts import PARTS
from marrow.conventions import joint_names
from marrow.recover.landmarks import hints_mirrored
from marrow.recover.limbs import MAPS, limb_maps

NAMES = joint_names("blazepose33")


@pytest.fixture
def hints() -> torch.Tensor:
    """Somebody facing the camera with the right elbow at (-0.5, 0), and the wrist below it and 0.2 m nearer."""
    generator = torch.Generator().manual_seed(0)
    out = torch.rand(1, 33, 8, generator=generator) - 0.5
    for name, place in (("right_elbow", (-0.5, 0.0, 0.1)), ("right_wrist", (-0.5, 0.5, -0.1))):
        out[0, NAMES.index(name), :2] = torch.tensor(place[:2])
        out[0, NAMES.index(name), 4] = place[2]
    return out


def of(maps: torch.Tensor, part: str) -> torch.Tensor:
    """(4, S, S) of a part."""
    return maps.unflatten(1, (len(PARTS), MAPS))[0, PARTS.index(part)]


def at(x: float, y: float, size: int) -> tuple[int, int]:
    """Row and column of a place in shares of half a side."""
    return int((y + 1) * size / 2), int((x + 1) * size / 2)


def test_along_beside_and_behind(hints: torch.Tensor) -> None:
    size = 256
    own = of(limb_maps(hints, size), "forearm_r")
    near, (along, beside, depth) = own[0], own[1:] / own[0]
    middle, end = at(-0.5, 0.25, size), at(-0.5, 0.5, size)
    assert near[middle] > 0.99
    assert near[at(0.3, 0.25, size)] < 0.01
    assert near[at(-0.5, -0.6, size)] < 0.01
    assert float(along[middle]) == pytest.approx(0, abs=0.03)
    assert float(along[end]) == pytest.approx(1, abs=0.03)
    assert float(depth[middle]) == pytest.approx(0, abs=0.02)
    assert float(depth[end]) == pytest.approx(-0.2, abs=0.02)
    # towards the hand, which is down, the right of the way is the left of the picture
    assert beside[at(-0.55, 0.25, size)] > 0.1
    assert beside[at(-0.45, 0.25, size)] < -0.1


def test_the_mirror_swaps_sides(hints: torch.Tensor) -> None:
    maps, mirrored = limb_maps(hints, 32), limb_maps(hints_mirrored(hints), 32)
    for part, other in (("forearm_r", "forearm_l"), ("foot_l", "foot_r"), ("head", "head"), ("torso", "torso")):
        expected = of(maps, part).flip(-1) * torch.tensor([1.0, 1.0, -1.0, 1.0])[:, None, None]
        torch.testing.assert_close(of(mirrored, other), expected)


def test_points_in_one_place_give_numbers() -> None:
    assert torch.isfinite(limb_maps(torch.zeros(2, 33, 8), 16)).all()
