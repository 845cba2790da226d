from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from marrow.body import load_body
from marrow.geometry.projection import camera_from_fov, look_at
from marrow.lift.evidence import Heatmaps
from marrow.skeleton import Skeleton


@pytest.fixture(scope="session")
def body():
    return load_body()


@pytest.fixture(scope="session")
def skeleton(body):
    return Skeleton.inside(body.rest().landmarks)


@pytest.fixture(scope="session")
def camera():
    """Four metres away, somewhat to the side and above, looking at the chest."""
    R, t = look_at(np.array([2.2, 1.8, 3.2]), np.array([0.0, 1.0, 0.0]))
    return dataclasses.replace(camera_from_fov((1280, 720)), R_cam_world=R, t_cam_world=t)


@pytest.fixture(scope="session")
def heatmaps():
    """Makes heat-maps of pixels."""
    return _heatmaps


def _heatmaps(pixels, joint_set="h36m17", second=None):
    """Normal peaks of 1.5 cells on maps of 64 x 64 around the person; a second one at other pixels, half as high."""
    low, high = pixels.min((0, 1)), pixels.max((0, 1))
    scale = (high - low).max() * 1.2 / 64
    image_from_map = np.tile(
        np.array([[scale, 0, low[0] - 6 * scale], [0, scale, low[1] - 6 * scale]]), (len(pixels), 1, 1)
    )
    column, row = np.meshgrid(np.arange(64), np.arange(64))

    def peak(at):
        cell = (at - image_from_map[0, :, 2]) / scale
        square = (column[None, :, :, None] - cell[:, None, None, :, 0]) ** 2
        return np.exp(-(square + (row[None, :, :, None] - cell[:, None, None, :, 1]) ** 2) / (2 * 1.5**2))

    value = peak(pixels) if second is None else np.maximum(peak(pixels), 0.5 * peak(second))
    return Heatmaps(joint_set, (0.8 * value).astype(np.float32), image_from_map)
