"""Poses of the shipped denoiser: they agree with the picture, differ where it says nothing, and come again."""

import dataclasses

import numpy as np
import pytest
import torch

from marrow.conventions import joint_names
from marrow.errors import InputError
from marrow.geometry.projection import project_camera
from marrow.lift import guided
from marrow.lift.evidence import from_keypoints
from marrow.lift.guided import CHOICES, Sampling, chosen, generated, hypotheses
from marrow.lift.normalise import normalised
from marrow.lift.shipped import example
from marrow.lifters import load_lifter

NAMES = joint_names("h36m17")


@pytest.fixture(scope="module")
def lifter():
    return load_lifter("diffusion_pose")


@pytest.fixture(scope="module")
def walk():
    return example(3)


@pytest.fixture(scope="module")
def lifted(lifter, walk):
    return lifter(walk[0], "h36m17", walk[1], 1.75, hypotheses=6)


def off(camera, xyz, pixels):
    """Mean distance in the picture as a share of the person's height in it."""
    return np.linalg.norm(project_camera(camera, xyz.astype(float)) - pixels, axis=-1).mean() / np.ptp(pixels[..., 1])


def test_hypotheses_agree_with_the_picture(lifted, walk):
    pixels, camera = walk
    assert lifted.alternatives.shape == (6, 3, 17, 3)
    assert off(camera, lifted.xyz, pixels) < 0.03
    assert off(camera, lifted.alternatives, np.broadcast_to(pixels, (6, 3, 17, 2))) < 0.04
    height = lifted.relative[..., NAMES.index("head_top"), 1] - lifted.relative[..., NAMES.index("left_ankle"), 1]
    assert (np.abs(height + 1.55) < 0.2).all()
    assert 3.0 < lifted.root[:, 2].mean() < 5.0


def test_the_same_keypoints_give_the_same_poses(lifter, lifted, walk):
    again = lifter(walk[0], "h36m17", walk[1], 1.75, hypotheses=6)
    np.testing.assert_array_equal(again.alternatives, lifted.alternatives)


def test_many_frames_with_one_hypothesis(lifter, walk, monkeypatch):
    monkeypatch.setattr("marrow.lift.guided.FRAMES_AT_ONCE", 2)
    monkeypatch.setattr("marrow.lift.lifter.FRAMES_AT_ONCE", 2)
    found = lifter(walk[0], "h36m17", walk[1], 1.75, hypotheses=1)
    assert found.alternatives.shape == (1, 3, 17, 3)
    assert np.isfinite(found.xyz).all()
    assert (found.sd[:, 0] == 0).all()
    assert np.isnan(found.sd[:, 1:]).all(), "one hypothesis has no spread"


def test_a_hypothesis_goes_on_from_frame_to_frame(lifted):
    """Steps of one hypothesis are smaller than what two hypotheses of a frame differ by."""
    relative = lifted.alternatives - lifted.alternatives[:, :, :1]
    step = np.linalg.norm(np.diff(relative, axis=1), axis=-1).mean()
    apart = np.linalg.norm(relative[:, None] - relative[None], axis=-1)[~np.eye(6, dtype=bool)].mean()
    assert step < 0.5 * apart


def test_hidden_limbs_are_completed_and_unsure(lifter, lifted, walk):
    pixels, camera = walk
    hidden = np.concatenate([pixels, np.ones((3, 17, 1))], -1)
    arm = [NAMES.index("left_elbow"), NAMES.index("left_wrist")]
    hidden[:, arm] = 0
    found = lifter(hidden, "h36m17", camera, 1.75, hypotheses=6)
    assert np.isfinite(found.xyz).all()
    upper = np.linalg.norm(found.xyz[:, arm[0]] - found.xyz[:, NAMES.index("left_shoulder")], axis=-1)
    assert (upper < 0.45).all()
    assert found.sd[:, arm].mean() > 1.3 * lifted.sd[:, arm].mean()


def test_heatmaps_count_instead_of_keypoints(lifter, walk, heatmaps):
    """Keypoints with the shanks exchanged, and heat-maps that show both: the picture of the heat-maps is met."""
    pixels, camera = walk
    swapped, sides = pixels.copy(), [[NAMES.index(f"{s}_{j}") for j in ("knee", "ankle")] for s in ("left", "right")]
    swapped[:, sides[0] + sides[1]] = pixels[:, sides[1] + sides[0]]
    found = lifter(swapped, "h36m17", camera, 1.75, hypotheses=6, heatmaps=heatmaps(pixels, second=swapped))
    assert np.isfinite(found.xyz).all()
    assert off(camera, found.xyz, pixels) < off(camera, found.xyz, swapped)


def test_frames_without_joints_have_no_pose(lifter, walk):
    pixels, camera = walk
    told = np.concatenate([pixels, np.ones((3, 17, 1))], -1)
    told[1] = 0
    found = lifter(told, "h36m17", camera, hypotheses=2)
    for x in (found.xyz, found.alternatives[0]):
        np.testing.assert_array_equal(np.isfinite(x).all((-1, -2)), [True, False, True])


def test_errors_say_what_to_do(lifter, walk, heatmaps):
    pixels, camera = walk
    for count in (0, 1001, 2.5, True, "6", None):
        with pytest.raises(InputError, match="hypotheses: expected a whole number of at least 1"):
            lifter(pixels, "h36m17", camera, hypotheses=count)
    with pytest.raises(InputError, match="fps: expected frames a second"):
        lifter(pixels, "h36m17", camera, fps=0.0)
    with pytest.raises(InputError, match="camera"):
        lifter(pixels, "h36m17")
    with pytest.raises(InputError, match="3 frames"):
        lifter(pixels, "h36m17", camera, heatmaps=heatmaps(pixels[:2]))
    maps = heatmaps(pixels)
    with pytest.raises(InputError, match=r"marrow\.lift\.evidence\.Heatmaps, got ndarray"):
        lifter(pixels, "h36m17", camera, heatmaps=maps.values)
    for wrong, told in ((np.nan, "got nan"), (-0.1, "got -0.1"), (255.0, "to 255; .*divide")):
        values = maps.values.copy()
        values[1, 2, 3, 4] = wrong
        with pytest.raises(InputError, match=f"heat-maps: expected values from 0 to 1, .*{told}"):
            lifter(pixels, "h36m17", camera, heatmaps=dataclasses.replace(maps, values=values))
    with pytest.raises(InputError, match="heat-maps: all are zero"):
        lifter(pixels, "h36m17", camera, heatmaps=dataclasses.replace(maps, values=np.zeros_like(maps.values)))
    with pytest.raises(InputError, match="mean"):
        chosen(torch.zeros(2, 1, 1, 17, 3), torch.ones(2, 1, 1), "best")


def test_choices_of_one_pose():
    relative = torch.arange(3.0)[:, None, None, None, None].expand(3, 1, 1, 17, 3)
    energy = torch.tensor([4.0, 1.0, 9.0])[:, None, None]
    found = {choice: float(chosen(relative, energy, choice).mean()) for choice in CHOICES}
    assert found["mean"] == found["joints"] == found["energy"] == 1.0
    assert found["weighted"] == pytest.approx(1.0, abs=0.01)


def test_generated_poses_are_people(lifter):
    x = generated(lifter.denoiser, 64, torch.Generator().manual_seed(0))

    def length(a, b):
        return torch.linalg.vector_norm(x[:, NAMES.index(a)] - x[:, NAMES.index(b)], dim=-1)

    for side in ("left", "right"):
        assert 0.2 < float(length(f"{side}_hip", f"{side}_knee").median()) < 0.28
        assert float(length(f"{side}_hip", f"{side}_knee").std()) < 0.04
    assert float(x[:, NAMES.index("head_top"), 1].median()) < -0.3
    assert float(x.std(0).mean()) > 0.03, "all alike"


def test_energy_tells_an_impossible_picture(lifter, walk):
    pixels, camera = walk
    u = torch.from_numpy((pixels - camera.K[:2, 2]) / 1000.0).float()[None, :1]
    wrong = u.clone()
    wrong[..., NAMES.index("left_wrist"), :] += 0.2
    energies = []
    for seen in (u, wrong):
        given = normalised(seen, torch.ones(1, 1, 17), torch.tensor([1.75]))
        energies.append(
            hypotheses(lifter.denoiser, from_keypoints(given), 6, torch.Generator().manual_seed(0))[1].mean()
        )
    assert energies[1] > 1.5 * energies[0]


def test_hypotheses_that_disagree_give_way(lifter, walk):
    pixels, camera = walk
    u = torch.from_numpy((pixels - camera.K[:2, 2]) / 1000.0).float()[None, :1]
    evidence = from_keypoints(normalised(u, torch.ones(1, 1, 17), torch.tensor([1.75])), 0.003)
    energies = [
        hypotheses(lifter.denoiser, evidence, 20, torch.Generator().manual_seed(0), Sampling(heed=heed))[1].mean()
        for heed in (0.0, Sampling().heed)
    ]
    assert energies[1] < energies[0]


def test_windows_that_went_wrong_are_drawn_again(lifter, monkeypatch):
    """Those alone, and the new hypotheses count where they agree better with the picture."""
    given = normalised(torch.randn(4, 1, 17, 2) * 0.1, torch.ones(4, 1, 17), torch.full((4,), 1.7))
    asked = []

    def drawn(denoiser, evidence, count, generator, how):
        rows = len(evidence.area)
        asked.append(rows)
        energy = torch.full((count, rows, 1), 20.0)
        if len(asked) == 1:
            energy[:, 1], energy[:, 3] = 400.0, 500.0
        if len(asked) == 2:
            energy[:, 0], energy[:, 1] = 900.0, 30.0  # the first went wrong again
        return torch.full((count, rows, 1, 17, 3), float(len(asked))), energy

    monkeypatch.setattr(guided, "_drawn", drawn)
    found, energy = guided.hypotheses(lifter.denoiser, from_keypoints(given), 2, torch.Generator())
    assert asked == [4, 2, 1]
    assert found[0, :, 0, 0, 0].tolist() == [1, 3, 1, 2]
    assert energy[0, :, 0].tolist() == [20, 20, 20, 30]
