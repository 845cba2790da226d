"""Write ``anny_oracle.npz``: what ``anny.Anny()`` itself says for a few people and poses, as truth for the tests.

python tests/body/make_anny_oracle.py     (needs anny 0.6.2; about two minutes where it has never been built)
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

PATH = Path(__file__).with_name("anny_oracle.npz")

# x_marrow = AXES @ x_anny
AXES = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])


def random_rotations(rng: np.random.Generator, count: int, size: float = 0.3) -> np.ndarray:
    """(count, 104, 3, 3) rotations of about ``size`` radians per axis, in marrow's axes."""
    import roma
    import torch

    vectors = torch.from_numpy(size * rng.standard_normal((count, 104, 3)))
    return roma.rotvec_to_rotmat(vectors).numpy()


def in_anny(rotations: np.ndarray, translation: np.ndarray):
    """Pose parameters (B, 104, 4, 4) for Anny, from marrow's axes."""
    import torch

    pose = np.tile(np.eye(4), (*rotations.shape[:2], 1, 1))
    pose[..., :3, :3] = AXES.T @ rotations @ AXES
    pose[:, 0, :3, 3] = translation @ AXES
    return torch.from_numpy(pose)


def main() -> None:
    import anny
    import torch

    from marrow.body.shape import local_name

    model = anny.Anny(local_changes="default", facial_actions="all", skinning_method="lbs")
    rng = np.random.default_rng(7)
    ids = np.sort(rng.choice(13718, 400, replace=False))
    kept: dict[str, list] = {"rotations": [], "translation": [], "vertices": [], "heads": [], "shape": [], "face": []}
    for case in range(6):
        phenotypes = {n: round(float(rng.uniform(-1 / 3 if n == "age" else 0, 1)), 4) for n in model.phenotype_labels}
        local = {
            str(n): round(float(rng.uniform(-1, 1)), 4) for n in rng.choice(model.local_change_labels, 5 * (case > 1))
        }
        face = {
            str(n): round(float(rng.uniform(0, 1)), 4) for n in rng.choice(model.facial_action_labels, 4 * (case > 3))
        }
        rotations, translation = random_rotations(rng, 1), rng.standard_normal((1, 3))
        with torch.no_grad():
            out = model(
                pose_parameters=in_anny(rotations, translation),
                phenotype_kwargs=phenotypes,
                local_changes_kwargs=local,
                facial_actions=face,
            )
        kept["rotations"].append(rotations[0].astype(np.float32))
        kept["translation"].append(translation[0])
        kept["vertices"].append((out["vertices"][0].numpy() @ AXES.T)[ids].astype(np.float32))
        kept["heads"].append((out["bone_poses"][0, :, :3, 3].numpy() @ AXES.T).astype(np.float32))
        kept["shape"].append(repr(phenotypes | {local_name(n): v for n, v in local.items()}))
        kept["face"].append(repr(face))
    np.savez_compressed(PATH, ids=ids, **{k: np.array(v) for k, v in kept.items()})


if __name__ == "__main__":
    main()
