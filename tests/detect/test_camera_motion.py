import numpy as np
import pytest

from marrow.detect.camera_motion import CameraMotion
from marrow.types import Frame


def _scene(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (45, 80, 3), dtype=np.uint8)
    return np.kron(coarse, np.ones((20, 20, 1), np.uint8))


def _run(offsets: np.ndarray, *, person: bool = False) -> CameraMotion:
    scene, rng, motion = _scene(), np.random.default_rng(1), CameraMotion()
    for i, (dx, dy) in enumerate(offsets.round().astype(int)):
        image = scene[100 + dy : 580 + dy, 100 + dx : 900 + dx].copy()
        boxes = np.zeros((0, 4))
        if person:
            x = 30 + 6 * i
            image[150:450, x : x + 120] = rng.integers(0, 255, (300, 120, 3), dtype=np.uint8)
            boxes = np.array([[x, 150, x + 120, 450]])
        noisy = np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)
        motion.add(Frame(i, 0.25 * i, noisy), boxes)
    return motion


def test_static_camera_with_a_walking_person_is_static():
    motion = _run(np.zeros((40, 2)), person=True)
    assert motion.judged == 39
    assert not motion.moving
    assert motion.shift < 0.002


@pytest.mark.parametrize("person", [False, True])
def test_panning_camera_is_moving(person):
    offsets = np.c_[np.linspace(0, 300, 40), np.zeros(40)]
    motion = _run(offsets, person=person)
    assert motion.moving
    assert motion.shift == pytest.approx(300 / 800, rel=0.1)


def test_featureless_pictures_are_not_judged():
    motion = CameraMotion()
    for i in range(5):
        motion.add(Frame(i, float(i), np.full((100, 100, 3), 90, np.uint8)))
    assert motion.judged == 0
    assert not motion.moving
