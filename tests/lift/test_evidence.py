"""Evidence: keypoints and heat-maps say the same where they should, and wrong peaks are seen through."""

import numpy as np
import pytest
import torch

from marrow.conventions import joint_names
from marrow.errors import InputError
from marrow.lift.evidence import Evidence, Heatmaps, as_normal, from_heatmaps, from_keypoints, shares
from marrow.lift.normalise import normalised
from marrow.lift.shipped import example

NAMES = joint_names("h36m17")


@pytest.fixture(scope="module")
def walk():
    pixels, camera = example(3)
    u = torch.from_numpy((pixels - camera.K[:2, 2]) / 1000.0).float()
    return pixels, camera, normalised(u[None], torch.ones(1, 3, 17), torch.tensor([1.75]))


def test_the_middle_of_a_heatmap_is_the_keypoint(walk, heatmaps):
    pixels, camera, given = walk
    found, points = from_heatmaps(heatmaps(pixels), camera, given), from_keypoints(given)
    share = found.weight / found.weight.sum(-1, keepdim=True)
    middle = (share[..., None] * found.place).sum(-2)
    # keypoints are told but for a common shift
    off = middle - points.place[..., 0, :]
    off = (off - off.mean(-2, keepdim=True)) / given.size[..., None, None]
    assert off.abs().max() < 0.02
    assert (found.weight.sum(-1) > 0.7).all()
    assert (found.weight.sum(-1) <= 0.81).all()
    cell = found.variance.sqrt() / given.size[..., None, None]
    assert (cell > 0.01).all()
    assert (cell < 0.1).all()


def test_joints_without_a_map_are_taken_from_the_keypoints(walk, heatmaps):
    pixels, camera, given = walk
    own = joint_names("coco17")
    values = np.zeros((3, 64, 64, 17), np.float32)
    of_h36m = heatmaps(pixels)
    for name in set(own) & set(NAMES):
        values[..., own.index(name)] = of_h36m.values[..., NAMES.index(name)]
    found = from_heatmaps(Heatmaps("coco17", values, of_h36m.image_from_map), camera, given)
    spine, knee = NAMES.index("spine"), NAMES.index("left_knee")
    torch.testing.assert_close(found.place[..., spine, 0, :], from_keypoints(given).place[..., spine, 0, :])
    assert (found.weight[..., spine, 1:] == 0).all()
    assert (found.weight[..., knee, 1:4] > 0).all()


def test_far_peaks_count_while_all_is_uncertain_and_near_ones_at_the_end():
    place = torch.tensor([[0.0, 0.0], [0.4, 0.0]])[None, None, None]
    evidence = Evidence(
        place, torch.tensor([0.4, 0.6]).expand(1, 1, 1, 2), torch.full((1, 1, 1, 2), 1e-4), torch.ones(1, 1)
    )
    believed = torch.tensor([0.05, 0.0])[None, None, None]
    assert shares(evidence, believed, torch.full((1, 1, 1), 0.25))[0, 0, 0, 1] > 0.3
    share = shares(evidence, believed, torch.full((1, 1, 1), 1e-3))
    assert share[0, 0, 0, 0] > 0.9
    far = shares(evidence, believed + 3.0, torch.full((1, 1, 1), 1e-3))
    assert far.sum() < 1e-6  # no place explains what is believed far from all
    whole = Evidence(place, torch.tensor([0.2, 0.3]).expand(1, 1, 1, 2), evidence.variance, torch.full((1, 1), 0.5))
    blur = torch.full((1, 1, 1), 0.1)
    density = [w / (2 * np.pi * 0.1001) * np.exp(-0.5 * d**2 / 0.1001) for w, d in ((0.2, 0.05), (0.3, 0.35))]
    expected = torch.tensor(density) / (sum(density) + 0.5 / 0.5)
    torch.testing.assert_close(shares(whole, believed, blur)[0, 0, 0].double(), expected, rtol=1e-4, atol=0.0)


def test_places_as_one_normal_distribution_have_their_mean_and_spread():
    place = torch.tensor([[0.0, 0.0], [0.4, 0.2]])[None, None, None]
    evidence = Evidence(place, torch.rand(1, 1, 1, 2), torch.full((1, 1, 1, 2), 1e-2), torch.ones(1, 1))
    mean, precision = as_normal(evidence, torch.tensor([0.5, 0.5])[None, None, None])
    torch.testing.assert_close(mean[0, 0, 0], torch.tensor([0.2, 0.1]))
    torch.testing.assert_close(1 / precision[0, 0, 0], torch.tensor(0.01 + (0.2**2 + 0.1**2) / 2))
    torch.testing.assert_close(
        as_normal(evidence, torch.tensor([0.0, 0.5])[None, None, None])[1][0, 0, 0], torch.tensor(50.0)
    )
    assert as_normal(evidence, torch.zeros(1, 1, 1, 2))[1] == 0


def test_what_is_no_heatmap_is_refused():
    with pytest.raises(InputError, match="17"):
        Heatmaps("coco17", np.zeros((2, 8, 8, 33), np.float32), np.zeros((2, 2, 3)))
    with pytest.raises(InputError, match="image_from_map"):
        Heatmaps("coco17", np.zeros((2, 8, 8, 17), np.float32), np.zeros((2, 3)))
