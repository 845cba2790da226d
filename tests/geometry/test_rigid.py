"""Rigid motions form a group and act on points."""

from __future__ import annotations

import numpy as np

from marrow.geometry import rigid
from marrow.geometry.rotations import exp


def motions(seed: int, *lead: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return exp(rng.normal(size=(*lead, 3))), rng.normal(size=(*lead, 3))


def test_inverse_and_composition_act_as_they_should() -> None:
    first, second = motions(0, 4, 2), motions(1, 4, 2)
    x = np.random.default_rng(2).normal(size=(4, 2, 7, 3))
    both = rigid.compose(*second, *first)
    np.testing.assert_allclose(rigid.apply(*both, x), rigid.apply(*second, rigid.apply(*first, x)), atol=1e-14)
    np.testing.assert_allclose(rigid.apply(*rigid.invert(*first), rigid.apply(*first, x)), x, atol=1e-14)
    nothing = rigid.compose(*rigid.invert(*first), *first)
    np.testing.assert_allclose(nothing[0], np.broadcast_to(np.eye(3), (4, 2, 3, 3)), atol=1e-14)
    np.testing.assert_allclose(nothing[1], 0, atol=1e-14)


def test_matrices_multiply_as_motions_compose() -> None:
    first, second = motions(3, 5), motions(4, 5)
    product = rigid.to_matrix(*second) @ rigid.to_matrix(*first)
    for got, want in zip(rigid.from_matrix(product), rigid.compose(*second, *first), strict=True):
        np.testing.assert_allclose(got, want, atol=1e-14)
    np.testing.assert_array_equal(product[:, 3], np.tile([0, 0, 0, 1], (5, 1)))


def test_one_motion_broadcasts_over_many_translations() -> None:
    R, t = np.eye(3), np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(rigid.to_matrix(R, t)[:, :3, 3], t)
