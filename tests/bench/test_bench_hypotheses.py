"""How many poses of one picture are measured."""

import numpy as np
import pytest
import torch

from marrow.bench.hypotheses import Drawn, ambiguous, best_and_chosen, drawn, facts, highest
from marrow.bench.lifting import held_out
from marrow.conventions import SWAP
from marrow.lift.evidence import from_keypoints
from marrow.lift.guided import NUMBERS, SPREAD, Sampling
from marrow.nn.diffusion import Denoiser


@pytest.fixture(scope="module")
def data():
    return held_out("B", count=8, bodies=1)


def test_the_best_of_more_is_no_worse_and_an_oracle_beats_every_choice():
    generator = torch.Generator().manual_seed(0)
    runs = Drawn(
        torch.randn(20, 5, 17, 3, generator=generator), torch.rand(20, 5, generator=generator), torch.zeros(5, 17, 3),
        torch.ones(5, 17, dtype=torch.bool),
    )  # fmt: skip
    rows = best_and_chosen([runs], 20)
    assert rows["best of 1, oracle"] > rows["best of 5, oracle"] > rows["best of 20, oracle"]
    assert rows["energy of 20"] >= rows["best of 20, oracle"]
    np.testing.assert_allclose(runs.best(1), 1000 * np.linalg.norm(runs.relative[0], axis=-1).mean(-1), rtol=1e-5)


def test_only_the_joints_that_count_count():
    relative, joints = torch.zeros(1, 2, 17, 3), torch.zeros(2, 17, dtype=torch.bool)
    relative[..., 3, 0], joints[:, 4] = 9.0, True
    assert (Drawn(relative, torch.zeros(1, 2), torch.zeros(2, 17, 3), joints).best(1) == 0).all()


def test_wrong_peaks_are_those_of_the_other_side(data):
    own, both = from_keypoints(data.given()), ambiguous(data, 0)
    swap = torch.tensor(SWAP["h36m17"].copy())
    torch.testing.assert_close(both.place[..., 1, :], own.place[..., swap, 0, :])
    shown = both.weight[..., 1] > 0
    assert 0.1 < shown.float().mean() < 0.6
    assert not shown[..., 0].any(), "the pelvis has no other side"
    torch.testing.assert_close(both.weight.sum(-1), torch.full(shown.shape, 0.98))
    top = highest(both)
    assert top.place.shape[-2] == 1
    torch.testing.assert_close(top.weight[..., 0], both.weight.amax(-1))
    exchanged = both.weight[..., 1] > both.weight[..., 0]
    assert exchanged.any()
    torch.testing.assert_close(top.place[..., 0, :][exchanged], both.place[..., 1, :][exchanged])


def test_figures_of_a_denoiser_name_m_and_who_chose(data):
    torch.manual_seed(0)
    denoiser = Denoiser(NUMBERS, SPREAD, 16, 1).eval().requires_grad_(False)
    runs = drawn(denoiser, data, from_keypoints(data.given()), 3, 0, sampling=Sampling(steps=2))
    assert runs.relative.shape == (3, 8, 17, 3)
    found = facts([denoiser], None, {"B": data}, 6, (0,))
    assert {"best of 6, oracle", "mean of 6"} <= set(found["B"])
    assert "B, one limb hidden, its joints" in found
    assert found["processor ms for 20 hypotheses of one pose"] > 0
