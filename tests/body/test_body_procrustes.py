"""Nearest rotations on tensors: against singular values and finite differences."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from marrow.body.procrustes import nearest_rotation, nearest_rotation_reference


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), scale=st.sampled_from((1e-3, 1.0, 1e3)))
def test_equals_the_decomposition(seed, scale):
    torch.manual_seed(seed)
    matrices = scale * torch.randn(20, 3, 3, dtype=torch.float64)
    found = nearest_rotation(matrices)
    torch.testing.assert_close(found, nearest_rotation_reference(matrices), rtol=0, atol=1e-9)
    torch.testing.assert_close(torch.linalg.det(found), torch.ones(20, dtype=torch.float64))


def test_a_rotation_is_its_own():
    eye = torch.eye(3, dtype=torch.float64)
    flips = torch.stack([eye, torch.diag(torch.tensor([1.0, -1, -1]).double()), eye[[1, 2, 0]]])
    torch.testing.assert_close(nearest_rotation(flips), flips)
    torch.testing.assert_close(nearest_rotation(1e-6 * flips), flips)


def test_gradient():
    torch.manual_seed(1)
    matrices = torch.randn(5, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(nearest_rotation, (matrices,))
