"""From linear light to a file's pixels, as a camera would: exposure, sensor noise, blur, sRGB, JPEG.

Linear pictures are (H, W, 3) float32 with 1 as white; all functions leave what they are given as it is.
"""

from __future__ import annotations

import functools
import io

import numpy as np
from numpy.typing import NDArray

from marrow.errors import InputError
from marrow.types import Float32, Float64


def _decoded(codes: Float64) -> Float64:
    return np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)


#: (256,) linear light of sRGB codes (IEC 61966-2-1).
SRGB_TO_LINEAR: Float64 = _decoded(np.arange(256) / 255)


def to_linear(image: NDArray[np.uint8]) -> Float32:
    """Linear light, float32, of an sRGB picture of uint8."""
    if image.dtype != np.uint8:
        raise InputError(f"to_linear: expected uint8 sRGB, got {image.dtype}")
    return SRGB_TO_LINEAR.astype(np.float32)[image]


def to_srgb(image_linear: Float32, exposure: float = 1.0, *, shoulder: float = 0.8) -> NDArray[np.uint8]:
    """The uint8 sRGB picture of linear light.

    Args:
        exposure: factor of the light before anything else.
        shoulder: light above it is pressed together smoothly, so that bright places do not clip hard; 1: they clip.

    Raises:
        InputError: not an RGB picture, or a shoulder outside 0 to 1.
    """
    _check(image_linear, "to_srgb")
    if not 0 <= shoulder <= 1:
        raise InputError(f"to_srgb: shoulder lies between 0 and 1, got {shoulder}")
    light = np.asarray(image_linear, np.float32) * np.float32(exposure)
    light = np.clip(light, _DARKEST, _BRIGHTEST).view(np.uint32)
    light -= _DARKEST.view(np.uint32)
    light >>= np.uint32(_DROPPED)
    return _codes(shoulder).take(light, mode="clip")


#: What is told apart when codes are looked up: light between these, by its exponent and 11 bits of its fraction. They
#: are 1/40 of a code wide at the most.
_DARKEST, _BRIGHTEST, _DROPPED = np.float32(2.0**-15), np.float32(7.9999), 12


@functools.lru_cache(16)
def _codes(shoulder: float) -> NDArray[np.uint8]:
    """sRGB codes of light by the upper bits of its float32, from :data:`_DARKEST` on."""
    first, last = (int(x.view(np.uint32)) >> _DROPPED for x in (_DARKEST, _BRIGHTEST))
    middle = (np.arange(first, last + 1) << _DROPPED) + (1 << (_DROPPED - 1))
    light = middle.astype(np.uint32).view(np.float32).astype(float)
    if shoulder < 1:
        room = 1 - shoulder
        light = np.where(light > shoulder, shoulder + room * (1 - np.exp(-(light - shoulder) / room)), light)
    codes = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return (np.clip(codes, 0, 1) * 255 + 0.5).astype(np.uint8)


def sensor_noise(
    image_linear: Float32, rng: np.random.Generator, *, full_well: float = 8000.0, read: float = 4.0
) -> Float32:
    """Linear light with the noise of counting photons and of reading them out.

    Args:
        full_well: electrons at white; fewer are noisier (a telephone at night 500, a large camera by day 50,000).
        read: standard deviation of the reading noise, electrons.
    """
    _check(image_linear, "sensor_noise")
    if not full_well > 0 or read < 0:
        raise InputError(f"sensor_noise: full_well must be above 0 and read not below, got {full_well} and {read}")
    light = np.maximum(np.asarray(image_linear, np.float32), 0)
    variance = light * np.float32(1 / full_well) + np.float32((read / full_well) ** 2)
    normal = _normals().take(rng.integers(0, _NORMALS, light.shape, np.uint16))
    return light + normal * np.sqrt(variance)


#: Many times quicker to draw from than the normal distribution itself, of which they are the quantiles.
_NORMALS = 1 << 16


@functools.cache
def _normals() -> Float32:
    """Values (65536,) that are normally distributed, up to 4.3 standard deviations."""
    from scipy.special import ndtri

    return ndtri((np.arange(_NORMALS) + 0.5) / _NORMALS).astype(np.float32)


def gaussian_blur(image_linear: Float32, sigma: float) -> Float32:
    """Blurred by a Gaussian of ``sigma`` pixels (out of focus, or a soft lens); edges are continued."""
    import cv2

    _check(image_linear, "gaussian_blur")
    if sigma < 0:
        raise InputError(f"gaussian_blur: sigma must not be negative, got {sigma}")
    reach = int(4 * sigma + 0.5)
    if reach == 0:
        return np.array(image_linear, np.float32)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights /= weights.sum()
    image = np.ascontiguousarray(image_linear, np.float32)
    out = np.empty_like(image)
    cv2.sepFilter2D(image, -1, weights, weights, dst=out, borderType=cv2.BORDER_REPLICATE)
    return out


def motion_blur(image_linear: Float32, length: float, angle: float) -> Float32:
    """Blurred along a line, as by a camera that turns while it looks.

    Args:
        length: of the line, pixels.
        angle: of the line from the picture's x towards its y, radians.
    """
    from scipy.ndimage import convolve

    _check(image_linear, "motion_blur")
    if not 0 <= length <= 1000:
        raise InputError(f"motion_blur: length lies between 0 and 1000 pixels, got {length}")
    reach = int(np.ceil(length / 2)) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    steps = 8 * reach + 1
    for t in np.linspace(-length / 2, length / 2, steps):  # each step is shared by four pixels
        x, y = reach + t * np.cos(angle), reach + t * np.sin(angle)
        i, j = int(np.floor(x)), int(np.floor(y))
        fx, fy = x - i, y - j
        kernel[j : j + 2, i : i + 2] += np.outer([1 - fy, fy], [1 - fx, fx]) / steps
    image = np.asarray(image_linear, np.float32)
    return np.stack([convolve(image[..., c], kernel, mode="nearest") for c in range(3)], -1).astype(np.float32)


def jpeg(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """A uint8 RGB picture after a JPEG file of ``quality`` 1 to 95."""
    from PIL import Image

    _check(image, "jpeg")
    if image.dtype != np.uint8 or not 1 <= quality <= 95:
        raise InputError(f"jpeg: expected uint8 and a quality of 1 to 95, got {image.dtype} and {quality}")
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=int(quality))
    with Image.open(file) as read:
        return np.array(read.convert("RGB"))


def _check(image: NDArray, what: str) -> None:
    if np.ndim(image) != 3 or np.shape(image)[2] != 3 or not np.size(image):
        raise InputError(f"{what}: expected an RGB picture (H, W, 3), got {np.shape(image)}")
