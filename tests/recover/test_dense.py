"""The dense correspondence network: what it says, how it is told, and what a user gets of a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from marrow.body import load_body
from marrow.body.parts import PARTS, vertex_parts
from marrow.errors import InputError
from marrow.recover.dense import (
    MIRRORED,
    WEIGHTS,
    DenseNet,
    Sensed,
    dense_loss,
    dense_people,
    nearest_vertices,
    shipped_model,
)
from marrow.recover.dense_training import DensePeople, annotated, errors_of, middle_of_part, nearest_point
from marrow.train.weights import load_weights, save_weights


@pytest.fixture(scope="module")
def net() -> DenseNet:
    torch.manual_seed(0)
    return DenseNet(size=48).eval()


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)


def test_an_answer_for_every_second_pixel(net: DenseNet) -> None:
    sensed = net(torch.rand(2, 3, 48, 48), torch.rand(2, 33, 8), torch.rand(2, 64, 64))
    assert sensed.logits.shape == (2, 16, 24, 24)
    assert sensed.place.shape == (2, 15, 3, 24, 24)


def test_with_and_without_attention_are_of_one_size() -> None:
    counts = [sum(p.numel() for p in DenseNet(attention=which).parameters()) for which in (True, False)]
    assert abs(counts[0] / counts[1] - 1) < 0.06


def test_the_truth_costs_nothing_and_crops_count_alike() -> None:
    part = torch.zeros(2, 8, 8, dtype=torch.uint8)
    part[0, :4], part[1, 0, 0] = 3, 5
    place = torch.rand(2, 8, 8, 3).half()
    place[:, :, :] = place[:, :1, :1]
    logits = torch.full((2, 16, 4, 4), -20.0)
    logits[0, 3, :2], logits[0, 0, 2:], logits[1, 5], logits[1, 0, 1:] = 20.0, 20.0, 20.0, 40.0
    told = place[:, 0, 0].float()[:, None, :, None, None].expand(2, 15, 3, 4, 4).clone()
    shown = torch.zeros(2, 8, 8, dtype=torch.bool)
    shown[0, :4], shown[1, :2] = True, True
    assert dense_loss(Sensed(logits, told), shown, part, place) < 1e-3
    off = [told.clone(), told.clone()]
    off[0][0] += 0.1  # of 32 points
    off[1][1] += 0.1  # of one
    costs = [float(dense_loss(Sensed(logits, one), shown, part, place)) for one in off]
    assert costs[0] == pytest.approx(costs[1], rel=1e-3)
    assert costs[0] > 0.1


def test_points_are_pixels_of_the_person_always_the_same_ones() -> None:
    part = np.zeros((3, 20, 20), np.uint8)
    part[:, 5:15, 5:15] = 7
    part[2, 5:15, 5:15] = 0
    part[2, 0, :4] = 1
    chosen = annotated(part, 30, 0)
    assert [(own > 0).sum() for own in chosen] == [30, 30, 4]
    assert (chosen[chosen > 0] == part[chosen > 0]).all()
    np.testing.assert_array_equal(chosen, annotated(part, 30, 0))
    assert (chosen != annotated(part, 30, 1)).any()


def test_mirrored_parts() -> None:
    names = ("", *PARTS)
    for number, other in enumerate(MIRRORED):
        assert MIRRORED[other] == number
    assert names[MIRRORED[names.index("hand_l")]] == "hand_r"
    assert names[MIRRORED[names.index("head")]] == "head"


def test_a_vertex_is_its_own_nearest_and_of_its_part() -> None:
    body = load_body()
    parts = vertex_parts(body)
    ids = np.random.default_rng(0).integers(0, body.vertex_count, 200)
    np.testing.assert_array_equal(nearest_vertices(parts[ids], body.rest().vertices[ids]), ids)
    # between the thighs it is the part that decides
    left, right = PARTS.index("thigh_l") + 1, PARTS.index("thigh_r") + 1
    found = nearest_vertices(np.array([left, right]), np.array([[0.0, 0.8, 0.0]] * 2))
    assert parts[found].tolist() == [left, right]


def test_a_picture_with_boxes(net: DenseNet, picture: np.ndarray) -> None:
    people = dense_people(picture, [(10, 10, 40, 50), (60, 5, 100, 55)], net)
    assert len(people) == 2
    for own in people:
        shown = own.seen > 0.5
        assert ((own.part > 0) == shown).all()
        assert ((own.vertex >= 0) == shown).all()
        assert (np.isfinite(own.place).all(-1) == shown).all()
        assert (vertex_parts(load_body())[own.vertex[shown]] == own.part[shown]).all()
        uv = own.uv()
        assert (np.isfinite(uv).all(-1) == shown).all()
        assert ((uv[shown] >= 0) & (uv[shown] <= 1)).all()
    assert dense_people(picture, [], net) == []


def test_answers_without_a_network() -> None:
    body = load_body()
    rest = body.rest().vertices
    ids = np.random.default_rng(0).integers(0, body.vertex_count, (2, 8, 8))
    hints = np.zeros((2, 33, 8), np.float32)
    hints[..., 1] = 0.99  # every point at the bottom,
    hints[1, 0, :2] = -0.875  # but one person's nose in the first pixel
    part = vertex_parts(body)[ids]
    part[:, 4:] = 0
    people = DensePeople(np.zeros((2, 8, 8, 3), np.uint8), part, rest[ids].astype(np.float16), hints, part)
    exact = errors_of(people, ids.astype(np.int32))
    assert (exact.distance < 0.02).all()  # as near as 16 bits tell
    assert (exact.overlap == 1).all()
    middle = errors_of(people, middle_of_part(people), np.zeros((2, 8, 8)))
    assert (middle.right_part == 1).all()
    assert 0.1 < middle.distance.mean() < 0.3
    assert (middle.similarity == 0).all()
    assert (middle.overlap == 0).all()
    nose = rest[nearest_point(people)[1, 0, 0]]
    assert vertex_parts(body)[nearest_point(people)[1, 0, 0]] == PARTS.index("head") + 1
    np.testing.assert_allclose(nose[[0, 1]], [0.0, rest[:, 1].max() - 0.15], atol=0.06)


def test_saved_and_read_back(net: DenseNet, picture: np.ndarray, tmp_path: Path) -> None:
    save_weights(net, tmp_path / "x.safetensors", half=True)
    again = DenseNet(size=48)
    load_weights(again, tmp_path / "x.safetensors")
    first, second = (dense_people(picture, [(10, 10, 40, 50)], model)[0] for model in (net, again))
    np.testing.assert_allclose(first.seen, second.seen, atol=5e-3)
    with pytest.raises(InputError, match="no weights of this model"):
        load_weights(DenseNet(size=48, dim=32), tmp_path / "x.safetensors")


def test_what_is_no_picture_is_refused(net: DenseNet) -> None:
    with pytest.raises(InputError, match="RGB"):
        dense_people(np.zeros((8, 8), np.uint8), [(0, 0, 4, 4)], net)
    with pytest.raises(InputError, match="eights"):
        DenseNet(size=50)


def test_the_shipped_weights_are_small_and_read() -> None:
    assert WEIGHTS.stat().st_size < 5e6
    assert not shipped_model().training
