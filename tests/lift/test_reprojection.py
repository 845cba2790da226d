"""Where a pose stands: exact where the picture is, and as the solver for real cameras says it."""

import numpy as np
import torch

from marrow.lift.reprojection import depth_of, root_at, root_of, seen_at
from marrow.lift.root import solve_root
from marrow.types import Camera


def pose(seed=0, count=3):
    generator = torch.Generator().manual_seed(seed)
    relative = 0.3 * torch.randn(count, 17, 3, generator=generator)
    root = torch.tensor([0.2, -0.1, 3.0]) + 0.2 * torch.randn(count, 3, generator=generator)
    return relative, root, torch.rand(count, 17, generator=generator)


def test_an_exact_picture_gives_back_the_root():
    relative, root, weight = pose()
    seen = seen_at(relative, root)
    torch.testing.assert_close(root_of(relative, seen, weight), root, atol=2e-4, rtol=1e-4)
    torch.testing.assert_close(root_at(relative, seen, weight, root[:, 2]), root, atol=1e-5, rtol=1e-4)
    weight[:, 3] = 0
    seen[:, 3] = 7.0  # what has no weight does not count
    torch.testing.assert_close(root_of(relative, seen, weight), root, atol=2e-4, rtol=1e-4)


def test_it_agrees_with_the_solver_of_real_cameras():
    relative, root, _ = pose(1)
    seen = seen_at(relative, root) + 1e-4 * torch.randn(3, 17, 2, generator=torch.Generator().manual_seed(2))
    K = np.array([[1000.0, 0, 500], [0, 1000.0, 500], [0, 0, 1]])
    pixels = 1000 * seen.double().numpy() + 500
    other, _ = solve_root(
        Camera(K, (1000, 1000), np.eye(3), np.zeros(3)), pixels, np.ones((3, 17)), relative.double().numpy()
    )
    np.testing.assert_allclose(root_of(relative, seen, torch.ones(3, 17)).numpy(), other, atol=5e-3)


def test_nobody_stands_behind_the_camera():
    relative, root, weight = pose(3)
    mirrored = -seen_at(relative, root)
    z = depth_of(relative, mirrored, weight)
    assert (z[:, None] + relative[..., 2] > 0.19).all()
