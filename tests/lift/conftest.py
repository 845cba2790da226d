from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from marrow.body import load_body
from marrow.geometry.projection import camera_from_fov, look_at
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
