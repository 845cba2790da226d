"""What a camera does to light: each function against what it promises."""

from __future__ import annotations

import numpy as np
import pytest

from marrow.errors import InputError
from marrow.render import effects


def test_srgb_there_and_back():
    codes = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, -1)
    np.testing.assert_array_equal(effects.to_srgb(effects.to_linear(codes), shoulder=1), codes)
    assert effects.to_srgb(np.full((1, 1, 3), 0.2140, np.float32))[0, 0, 0] == 127
    light = np.linspace(0, 8, 300, dtype=np.float32).reshape(1, 100, 3)
    pressed = effects.to_srgb(light).reshape(-1).astype(int)
    assert (np.diff(pressed) >= 0).all()
    assert effects.to_srgb(light, exposure=0.5)[0, 20, 0] < effects.to_srgb(light)[0, 20, 0]


def test_noise_has_the_variance_of_photons_and_reading():
    light = np.full((200, 200, 3), 0.25, np.float32)
    noisy = effects.sensor_noise(light, np.random.default_rng(0), full_well=1000, read=5)
    np.testing.assert_allclose(noisy.mean(), 0.25, atol=1e-3)
    np.testing.assert_allclose(noisy.var() * 1000**2, 250 + 25, rtol=0.03)
    again = effects.sensor_noise(light, np.random.default_rng(0), full_well=1000, read=5)
    np.testing.assert_array_equal(noisy, again)


def test_blurs_keep_the_light_and_spread_it():
    point = np.zeros((41, 41, 3), np.float32)
    point[20, 20] = 1
    x = np.arange(41) - 20
    round_ = effects.gaussian_blur(point, 2.0)[..., 0]
    np.testing.assert_allclose(round_.sum(), 1, rtol=1e-4)
    np.testing.assert_allclose((round_.sum(0) * x**2).sum(), 4, rtol=0.02)
    line = effects.motion_blur(point, 12.0, np.pi / 2)[..., 0]
    np.testing.assert_allclose(line.sum(), 1, rtol=1e-5)
    np.testing.assert_allclose((line.sum(1) * x**2).sum(), 12**2 / 12, rtol=0.1)
    assert line[:, 19].max() < 1e-6
    np.testing.assert_allclose(effects.motion_blur(point, 0, 0.3), point, atol=1e-6)
    np.testing.assert_array_equal(effects.gaussian_blur(point, 0), point)


def test_jpeg_is_worse_at_low_quality():
    image = np.random.default_rng(0).integers(0, 255, (32, 48, 3), dtype=np.uint8)
    miss = [np.abs(effects.jpeg(image, q).astype(int) - image).mean() for q in (10, 50, 95)]
    assert miss[0] > miss[1] > miss[2] > 0


def test_wrong_pictures_are_told():
    with pytest.raises(InputError, match="RGB"):
        effects.to_srgb(np.zeros((3, 3)))
    with pytest.raises(InputError, match="uint8"):
        effects.jpeg(np.zeros((3, 3, 3)), 50)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="quality"):
        effects.jpeg(np.zeros((3, 3, 3), np.uint8), 0)
    with pytest.raises(InputError, match="RGB"):
        effects.motion_blur(np.zeros((0, 3, 3)), 3, 0)
