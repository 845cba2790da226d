"""Alignment: recovers similarities, is invariant to them, and is the least-squares optimum."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marrow.errors import InputError
from marrow.geometry.procrustes import align, apply_similarity
from marrow.geometry.rotations import angle_between, exp

prop = settings(deadline=None, max_examples=60, derandomize=True)
seeds = st.integers(0, 100_000)


def similarity(rng: np.random.Generator) -> tuple[float, np.ndarray, np.ndarray]:
    return float(rng.uniform(0.2, 4)), exp(rng.normal(scale=2, size=3)), rng.normal(scale=3, size=3)


@prop
@given(seeds)
def test_recovers_a_similarity(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, want = rng.normal(size=(6, 3)), similarity(rng)
    s, R, t = align(x, apply_similarity(*want, x))
    assert s == pytest.approx(want[0])
    np.testing.assert_allclose(R, want[1], atol=1e-9)
    np.testing.assert_allclose(t, want[2], atol=1e-9)


@prop
@given(seeds)
def test_the_aligned_error_does_not_depend_on_where_the_source_was(seed: int) -> None:
    rng = np.random.default_rng(seed)
    src, dst = rng.normal(size=(2, 9, 3))
    moved = apply_similarity(*similarity(rng), src)
    first = apply_similarity(*align(src, dst), src)
    second = apply_similarity(*align(moved, dst), moved)
    np.testing.assert_allclose(first, second, atol=1e-8)


@prop
@given(seeds, st.booleans())
def test_no_other_motion_is_better(seed: int, scale: bool) -> None:
    rng = np.random.default_rng(seed)
    src, dst, w = rng.normal(size=(8, 3)), rng.normal(size=(8, 3)), rng.uniform(0.1, 2, size=8)
    s, R, t = align(src, dst, w, scale=scale)
    assert scale or s == 1

    def cost(s: np.ndarray, R: np.ndarray, t: np.ndarray) -> float:
        return float((w[:, None] * (apply_similarity(s, R, t, src) - dst) ** 2).sum())

    best = cost(s, R, t)
    for _ in range(10):
        other = s * np.exp(rng.normal(scale=0.05)) if scale else s
        assert cost(other, R @ exp(rng.normal(scale=0.05, size=3)), t + rng.normal(scale=0.02, size=3)) >= best


def test_mirror_images_are_not_made() -> None:
    x = np.random.default_rng(0).normal(size=(10, 3))
    s, R, t = align(x, x * [-1, 1, 1])
    assert np.linalg.det(R) == pytest.approx(1)
    assert np.abs(apply_similarity(s, R, t, x) - x * [-1, 1, 1]).max() > 0.1


def test_leading_dimensions_weights_and_missing_points() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(3, 2, 7, 3))
    R0 = exp(rng.normal(size=(3, 2, 3)))
    y = apply_similarity(np.full((3, 2), 1.7), R0, rng.normal(size=(3, 2, 3)), x)
    y[0, 0, 2] = np.nan
    y[1, 1, 4] += 100
    w = np.ones((3, 2, 7))
    w[1, 1, 4] = 0
    s, R, t = align(x, y, w)
    assert s.shape == (3, 2)
    assert t.shape == (3, 2, 3)
    np.testing.assert_allclose(s, 1.7)
    np.testing.assert_allclose(angle_between(R, R0), 0, atol=1e-7)


def test_too_few_points() -> None:
    s, R, t = align(np.full((4, 3), np.nan), np.zeros((4, 3)))
    assert np.isnan(s)
    assert np.isnan(R).all()
    assert np.isnan(t).all()
    s, R, t = align([[1.0, 2, 3]], [[4.0, 4, 4]])
    assert s == 1
    assert np.linalg.det(R) == pytest.approx(1)
    np.testing.assert_allclose(apply_similarity(s, R, t, [[1.0, 2, 3]]), [[4, 4, 4]])


def test_wrong_shapes_are_told() -> None:
    with pytest.raises(InputError, match=r"same N.*\(5, 3\).*\(6, 3\)"):
        align(np.zeros((5, 3)), np.zeros((6, 3)))
