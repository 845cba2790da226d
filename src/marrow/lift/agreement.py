"""How well a pose agrees with where its joints are seen, wherever it stands, and which way it should move to agree."""

from __future__ import annotations

import torch


def agreement(
    relative: torch.Tensor,
    seen: torch.Tensor,
    precision: torch.Tensor,
    covariance: torch.Tensor,
    depth: torch.Tensor,
    depth_sd: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logarithm of the likelihood of a picture, of a pose that is itself uncertain, and its slope.

    With ``u (X_z + r_z) = X_xy + r_xy`` as in :func:`marrow.lift.root.solve_root` all is linear in root and joints, so
    with normal errors the likelihood has a closed form, the unknown root integrated out: nothing is known of where it
    stands across the picture, and its depth roughly. Joints that are uncertain together, such as those of a limb,
    count together (the moments of Rozet et al. 2024, "Learning diffusion priors from observations by expectation
    maximization", NeurIPS, with the mean covariance in place of each sample's own).

    Args:
        relative: (..., J, 3) expected joints from the root, statures.
        seen: (..., J, 2) tangents where they are seen; may lack leading dimensions, as all that follow.
        precision: (..., J) inverse variance of each tangent, 0 where a joint is not seen.
        covariance: (3 (J - 1), 3 (J - 1)) of the joints but the root.
        depth, depth_sd: (...) of the root, statures, and its standard deviation.

    Returns:
        slope (..., 3 (J - 1)) of the logarithm; energy (...): the squared distance of pose and picture in units of what
        is expected, which is minus twice the logarithm but for a constant.
    """
    # errors of what is seen, in units of their standard deviation, less what a root aside would explain
    scale = precision.sqrt() / depth[..., None]
    unit = torch.nn.functional.normalize(scale, dim=-1, eps=1e-9)
    own = torch.eye(seen.shape[-2]) - unit[..., :, None] * unit[..., None, :]
    own = own * scale[..., None, :]
    sideways = torch.eye(2).expand(*seen.shape, 2)
    across = torch.cat([sideways, -seen[..., None]], -1)  # (..., J, 2, 3)
    by_joints = own[..., :, None, 1:, None] * across[..., None, 1:, :, :].transpose(-3, -2)
    by_joints = by_joints.flatten(-2).flatten(-3, -2)  # (..., 2 J, 3 (J - 1))
    by_depth = depth_sd[..., None] * own.matmul(seen).flatten(-2)

    variance = by_joints @ covariance @ by_joints.mT + by_depth[..., :, None] * by_depth[..., None, :]
    root = torch.linalg.cholesky(variance + torch.eye(variance.shape[-1]))
    away = seen * (relative[..., 2:] + depth[..., None, None]) - relative[..., :2]
    error = own.matmul(away).flatten(-2)[..., None]
    settled = torch.cholesky_inverse(root).matmul(error)
    return by_joints.mT.matmul(settled)[..., 0], (settled * error).sum((-1, -2))
