"""Limbs put on their image rays: exact lengths and directions, the sign of the depth from a known pose."""

from __future__ import annotations

import itertools

import numpy as np

from marrow.geometry.projection import to_normalised
from marrow.lift.places import Places
from marrow.types import Camera, Float64

#: Each limb's chain of joints; the first ones keep the depth of the known pose.
_CHAINS = (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist"))


def on_rays(x_cam: Float64, xy: Float64, weight: Float64, camera: Camera, places: Places) -> Float64:
    """Points moved onto the rays of the picture, limb by limb.

    A joint lies where its ray meets the sphere of the bone's length around the joint before it (Taylor 2000, CVIU
    80(3), here for a perspective camera); of the two places the one nearer to the known pose is meant. Where the ray
    misses the sphere the bone lies in the picture plane.

    Args:
        x_cam: (T, K, 3) metres, points of the known pose in camera axes, absolute.
        xy: (T, K, 2) pixels; weight (T, K), 0 where absent: such points keep their place relative to the joint before.

    Returns:
        (T, K, 3) the points in camera axes, metres.
    """
    out = x_cam.copy()
    seen = (weight > 0) & np.isfinite(xy).all(-1)
    u = to_normalised(camera, np.where(seen[..., None], xy, 0.0))
    ray = np.concatenate([u, np.ones((*u.shape[:-1], 1))], -1)
    index = {name: k for k, name in enumerate(places.names)}
    for side in ("left", "right"):
        for chain in _CHAINS:
            joints = [index.get(f"{side}_{name}", -1) for name in chain]
            if joints[0] < 0 or joints[1] < 0:
                continue
            first = joints[0]
            start = ray[:, first] * x_cam[:, first, 2:]
            out[:, first] = np.where(seen[:, first, None], start, out[:, first])
            for before, here in itertools.pairwise(joints):
                if here < 0:
                    break
                bone = x_cam[:, here] - x_cam[:, before]
                met = _meet(ray[:, here], out[:, before], bone)
                out[:, here] = np.where(seen[:, here, None], met, out[:, before] + bone)
    return out


def _meet(ray: Float64, centre: Float64, bone: Float64) -> Float64:
    """Point on ``ray`` (T, 3) at the length of ``bone`` from ``centre``, of two the nearer to ``centre + bone``."""
    d = ray / np.linalg.norm(ray, axis=-1, keepdims=True)
    along = (d * centre).sum(-1)
    half = np.sqrt(np.maximum(along**2 - (centre**2).sum(-1) + (bone**2).sum(-1), 0.0))
    wanted = (d * (centre + bone)).sum(-1)
    return d * (along + np.where(wanted >= along, half, -half))[:, None]
