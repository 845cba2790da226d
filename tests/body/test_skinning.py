"""Skinning many bodies at once: every fast path against plain torch in float64, values and gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from marrow.body.blending import blend_and_skin, blend_and_skin_reference
from marrow.body.skinning import SkinWeights, skin

VERTICES, BODIES, BLENDS = 301, 7, 9  # no multiples of the tiles, lanes or blocks


def _weights(rng: np.random.Generator) -> SkinWeights:
    counts = rng.integers(1, 6, VERTICES)
    start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    bodies = np.concatenate([np.sort(rng.permutation(BODIES)[:n]) for n in counts]).astype(np.int32)
    weight = rng.random(start[-1]).astype(np.float32)
    return SkinWeights(start, bodies, weight / np.add.reduceat(weight, start[:-1]).repeat(counts).astype(np.float32))


@pytest.fixture(scope="module")
def parts():
    rng = np.random.default_rng(0)

    def numbers(*shape):
        return torch.from_numpy(rng.standard_normal(shape).astype(np.float32))

    return _weights(rng), numbers(BLENDS, 3 * VERTICES), numbers


CASES = [
    pytest.param(blended, rows, id=f"{'blended' if blended else 'given'}-{rows or 'no'}-vertices")
    for blended, rows in ((False, "shared"), (False, "own"), (True, ""), (True, "shared"), (True, "own"))
]


def _case(parts, frames: int, blended: bool, rows: str):
    weights, basis, numbers = parts
    vertices = {"": None, "shared": numbers(VERTICES, 3), "own": numbers(frames, VERTICES, 3)}[rows]
    coefficients = numbers(frames, BLENDS) if blended else None
    return basis if blended else None, weights, coefficients, numbers(frames, BODIES, 3, 4), vertices


def _double(values):
    return None if values is None else values.detach().double().requires_grad_(values.requires_grad)


@pytest.mark.parametrize(("blended", "rows"), CASES)
@pytest.mark.parametrize("frames", [1, 5, 6, 16, 37])
def test_values(parts, frames, blended, rows):
    basis, weights, coefficients, transforms, vertices = _case(parts, frames, blended, rows)
    exact = blend_and_skin_reference(
        _double(basis), weights, _double(coefficients), _double(transforms), _double(vertices)
    )
    one = blend_and_skin(basis, weights, coefficients, transforms, vertices, threads=1)
    assert float((one - exact).abs().max()) < 2e-6 * float(exact.abs().max())
    two = blend_and_skin(basis, weights, coefficients, transforms, vertices, threads=2)
    torch.testing.assert_close(two, one, rtol=0, atol=0)


@pytest.mark.parametrize(("blended", "rows"), CASES)
@pytest.mark.parametrize(("frames", "threads"), [(1, 1), (6, 2), (37, 1)])
def test_gradients(parts, frames, threads, blended, rows):
    basis, weights, *tensors = _case(parts, frames, blended, rows)
    tensors = [None if x is None else x.requires_grad_() for x in tensors]
    twins = [_double(x) for x in tensors]
    out = blend_and_skin(basis, weights, *tensors, threads=threads)
    exact = blend_and_skin_reference(_double(basis), weights, *twins)
    pull = torch.randn(out.shape)
    found = torch.autograd.grad(out, [x for x in tensors if x is not None], pull)
    wanted = torch.autograd.grad(exact, [x for x in twins if x is not None], pull.double())
    for a, b in zip(found, wanted, strict=True):
        assert float((a - b).abs().max()) < 1e-5 * float(b.abs().max())


def test_a_gradient_that_is_not_wanted_is_not_made(parts):
    basis, weights, coefficients, transforms, _ = _case(parts, 8, True, "")
    out = blend_and_skin(basis, weights, coefficients, transforms.requires_grad_())
    (found,) = torch.autograd.grad(out.sum(), transforms)
    assert found.shape == transforms.shape
    assert coefficients.grad is None


def test_frames_are_alike_few_or_many(parts):
    """One frame after the other, sixteen at once and any padding give the same picture of a frame."""
    weights, _, numbers = parts
    vertices, transforms = numbers(VERTICES, 3).numpy(), numbers(40, BODIES, 3, 4).numpy()
    whole = skin(vertices, weights, transforms, threads=1)
    for count in (1, 5, 6, 17):
        np.testing.assert_allclose(skin(vertices, weights, transforms[:count], 1), whole[:count], atol=5e-6)
