"""Everybody in a picture: bodies are placed where their joints are seen; weights are kept and read back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from marrow.body import load_body
from marrow.errors import InputError
from marrow.geometry.crops import crop_around
from marrow.geometry.projection import camera_from_fov, project_camera
from marrow.recover.people import read_people
from marrow.recover.regressor import PHENOTYPES, BodyRegressor, Read, angle_columns, body_of
from marrow.train.weights import load_weights, save_weights

CAMERA = camera_from_fov((640, 360), 60.0)
IMAGE = np.zeros((360, 640, 3), np.uint8)
SIZE = 64
#: Facing the camera upright.
UPRIGHT = np.array([[0.0, 0.0, -1.0], [0.0, -1.0, 0.0], [-1.0, 0.0, 0.0]])
DEFAULTS = {p.name: p.default for p in load_body().spec.parameters}


class Told(torch.nn.Module):
    """Says the same of every crop."""

    def __init__(self, xy: np.ndarray) -> None:
        super().__init__()
        self.xy = torch.tensor(xy, dtype=torch.float32)

    def forward(self, images: torch.Tensor, place: torch.Tensor, hints: torch.Tensor | None = None) -> Read:
        count = len(images)
        build = torch.tensor([DEFAULTS[name] for name in PHENOTYPES], dtype=torch.float32)
        return Read(
            torch.tensor(UPRIGHT, dtype=torch.float32).expand(count, 3, 3),
            torch.zeros(count, len(angle_columns())), build.expand(count, -1), self.xy.expand(count, -1, 2),
        )  # fmt: skip


def test_a_body_stands_where_its_joints_are_seen():
    root = np.array([0.8, -0.2, 5.0])
    skin, joints = body_of(UPRIGHT, np.zeros(len(angle_columns())), {name: DEFAULTS[name] for name in PHENOTYPES})
    # upright: the head is above, which is -y in the camera
    assert skin[:, 1].min() < -0.5
    seen = project_camera(CAMERA, joints + root)
    box = [*seen.min(0), *seen.max(0)]
    way = crop_around(box, SIZE)
    in_crop = (seen - way[:, 2]) / way[0, 0]
    found = read_people(Told((in_crop - (SIZE - 1) / 2) / (SIZE / 2)), IMAGE, [box], CAMERA, SIZE)
    np.testing.assert_allclose(found.joints[0], joints + root, atol=2e-3)
    np.testing.assert_allclose(found.vertices[0], skin + root, atol=2e-3)
    np.testing.assert_allclose(found.xy[0], seen, atol=0.05)


def test_joints_that_tell_nothing_leave_the_box():
    """All joints in one point: the person is put as far away as the box is small, and stays before the camera."""
    found = read_people(Told(np.zeros((17, 2))), IMAGE, [[300, 100, 340, 260], [0, 0, 2, 2]], CAMERA, SIZE)
    assert np.isfinite(found.vertices).all()
    assert (found.vertices[..., 2] > 0).all()


def test_nobody():
    found = read_people(BodyRegressor((8, 8)), IMAGE, [], CAMERA, SIZE)
    assert found.vertices.shape == (0, load_body().vertex_count, 3)
    assert found.xy.shape == (0, 17, 2)


def test_a_box_without_extent_is_told():
    with pytest.raises(InputError, match="box"):
        read_people(BodyRegressor((8, 8)), IMAGE, [[10, 10, 10, 40]], CAMERA, SIZE)


def test_weights_are_kept_in_halves(tmp_path):
    one, other = BodyRegressor((8, 8)), BodyRegressor((8, 8))
    save_weights(one, tmp_path / "w.safetensors", half=True)
    load_weights(other, tmp_path / "w.safetensors")
    for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("content", [b"", b"no weights", None])
def test_other_weights_are_told(tmp_path, content):
    path = tmp_path / "w.safetensors"
    if content is None:
        save_weights(BodyRegressor((16, 16)), path, half=True)
    else:
        path.write_bytes(content)
    with pytest.raises(InputError, match="no weights of this model"):
        load_weights(BodyRegressor((8, 8)), path)
