"""Cameras: from points to pixels and back, crops, and lens distortion.

A :class:`~marrow.types.Camera` has OpenCV axes and pixel centres at whole numbers: the picture covers
``[-0.5, width - 0.5] x [-0.5, height - 0.5]``. ``xy`` are pixels, ``uv`` are normalised image coordinates (x/z, y/z).

Three kinds of lens: perspective; orthographic, where ``K`` acts on x and y in metres; and equidistant fisheye, where a
ray at the angle theta from the axis is ``fx theta`` pixels from the middle (Kannala and Brandt 2006, equation 4).
Depth is along the optical axis, but for a fisheye the distance from the camera, which does not vanish at 90 degrees.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from marrow.errors import InputError
from marrow.geometry.vectors import cross
from marrow.types import Camera, Float64

DEFAULT_FOV_DEG = 55.0
"""Field of view along the long side that is assumed when nothing is known, degrees."""

LENSES = ("perspective", "orthographic", "fisheye")

FISHEYE_LIMIT = np.radians(100.0)
"""Angle from the axis beyond which a fisheye sees nothing, radians."""

_COUNTS = (0, 4, 5, 8)


def camera_from_fov(size: tuple[int, int], fov_deg: float = DEFAULT_FOV_DEG) -> Camera:
    """A camera at the world's origin without distortion, from its field of view along the **long** side.

    Args:
        size: (width, height) of the picture, pixels.
        fov_deg: degrees, between 0 and 180.

    Raises:
        InputError: an impossible field of view or size.
    """
    width, height = int(size[0]), int(size[1])
    if width < 1 or height < 1:
        raise InputError(f"size: expected (width, height) of at least 1 pixel, got {size}")
    if not 0 < fov_deg < 180:
        raise InputError(f"fov_deg: expected an angle between 0 and 180 degrees, got {fov_deg}")
    focal = max(width, height) / 2 / np.tan(np.radians(fov_deg) / 2)
    return camera_from_focal((width, height), float(focal))


def camera_from_focal(size: tuple[int, int], focal_px: float) -> Camera:
    """A camera at the world's origin with square pixels and its axis through the middle of the picture."""
    width, height = size
    K = np.array([[focal_px, 0.0, (width - 1) / 2], [0.0, focal_px, (height - 1) / 2], [0.0, 0.0, 1.0]])
    return Camera(K, (width, height))


def fov_deg(camera: Camera) -> float:
    """Field of view along the long side, degrees, for a camera whose axis meets the middle of the picture.

    Raises:
        InputError: not a perspective camera.
    """
    require_perspective(camera, "fov_deg")
    long = int(np.argmax(camera.size))
    return float(np.degrees(2 * np.arctan(camera.size[long] / 2 / camera.K[long, long])))


def to_camera(camera: Camera, x_world: ArrayLike) -> Float64:
    """World points (..., 3) in the axes of the camera."""
    return np.asarray(x_world, float) @ camera.R_cam_world.T + camera.t_cam_world


def from_camera(camera: Camera, x_cam: ArrayLike) -> Float64:
    """Points (..., 3) in the camera's axes, in the world."""
    return (np.asarray(x_cam, float) - camera.t_cam_world) @ camera.R_cam_world


def camera_centre(camera: Camera) -> Float64:
    """Position (3,) of the camera in the world, metres."""
    return -camera.R_cam_world.T @ camera.t_cam_world


def require_perspective(camera: Camera, what: str) -> None:
    """Refuse other lenses than the perspective one.

    Raises:
        InputError: names ``what``, which takes perspective cameras only.
    """
    if camera.lens != "perspective":
        raise InputError(
            f"{what}: takes perspective cameras only, not lens={camera.lens!r}; rectify the pictures to a perspective "
            "camera first"
        )


def check_lens(camera: Camera) -> None:
    """Refuse unknown kinds of lens, and distortion with other than perspective ones.

    Raises:
        InputError: says what can be used.
    """
    if camera.lens not in LENSES:
        raise InputError(f"camera: no lens {camera.lens!r}; there are {', '.join(LENSES)}")
    if camera.lens != "perspective" and np.any(camera.distortion):
        raise InputError(f"camera: distortion goes with a perspective lens only, not with {camera.lens!r}")


def project(camera: Camera, x_world: ArrayLike) -> Float64:
    """Pixels (..., 2) of world points (..., 3), lens distortion included; NaN for points that the lens cannot see."""
    return project_camera(camera, to_camera(camera, x_world))


def project_camera(camera: Camera, x_cam: ArrayLike) -> Float64:
    """Pixels (..., 2) of points (..., 3) in the camera's axes.

    NaN for points not in front of the camera, or for a fisheye those more than :data:`FISHEYE_LIMIT` off its axis.
    """
    check_lens(camera)
    x_cam = np.asarray(x_cam, float)
    z = x_cam[..., 2:]
    if camera.lens == "orthographic":
        return to_pixels(camera, np.where(z > 0, x_cam[..., :2], np.nan))
    if camera.lens == "fisheye":
        across = np.linalg.norm(x_cam[..., :2], axis=-1, keepdims=True)
        theta = np.arctan2(across, z)
        seen = (theta <= FISHEYE_LIMIT) & ((across > 0) | (z > 0))
        scale = np.where(across > 0, theta / np.where(across > 0, across, 1.0), 1.0 / np.where(z > 0, z, 1.0))
        return to_pixels(camera, x_cam[..., :2] * np.where(seen, scale, np.nan))
    uv = x_cam[..., :2] / np.where(z > 0, z, np.nan)
    return to_pixels(camera, distort(camera.distortion, uv))


def unproject(camera: Camera, xy: ArrayLike, depth: ArrayLike) -> Float64:
    """World points (..., 3) seen at pixels ``xy`` (..., 2) at a ``depth`` (...,) in metres.

    The depth is along the camera's axis; for a fisheye it is the distance from the camera.
    """
    check_lens(camera)
    depth = np.asarray(depth, float)[..., None]
    if camera.lens == "fisheye":
        return from_camera(camera, _fisheye_rays(camera, xy) * depth)
    if camera.lens == "orthographic":
        flat = _before_K(camera, xy)
    else:
        uv = to_normalised(camera, xy)
        flat = uv * depth
    return from_camera(camera, np.concatenate([flat, np.broadcast_to(depth, (*flat.shape[:-1], 1))], -1))


def rays(camera: Camera, xy: ArrayLike) -> Float64:
    """Unit directions (..., 3) in the world through pixels ``xy`` (..., 2), from the camera's centre.

    An orthographic camera's all point along its axis; they start at ``unproject(camera, xy, 0)``.
    """
    check_lens(camera)
    if camera.lens == "fisheye":
        return _fisheye_rays(camera, xy) @ camera.R_cam_world
    if camera.lens == "orthographic":
        return np.broadcast_to(camera.R_cam_world[2], (*np.shape(xy)[:-1], 3)).copy()
    uv = to_normalised(camera, xy)
    ray = np.concatenate([uv, np.ones((*uv.shape[:-1], 1))], -1) @ camera.R_cam_world
    return ray / np.linalg.norm(ray, axis=-1, keepdims=True)


def _before_K(camera: Camera, xy: ArrayLike) -> Float64:
    """``K`` undone: (..., 2) of pixels (..., 2)."""
    return (np.asarray(xy, float) - camera.K[:2, 2]) @ np.linalg.inv(camera.K[:2, :2]).T


def _fisheye_rays(camera: Camera, xy: ArrayLike) -> Float64:
    """Unit directions (..., 3) in the camera's axes; NaN beyond :data:`FISHEYE_LIMIT`."""
    flat = _before_K(camera, xy)
    theta = np.linalg.norm(flat, axis=-1, keepdims=True)
    theta = np.where(theta <= FISHEYE_LIMIT, theta, np.nan)
    return np.concatenate([flat * np.sinc(theta / np.pi), np.cos(theta)], -1)


def to_pixels(camera: Camera, uv: ArrayLike) -> Float64:
    """Pixels of (distorted) normalised image coordinates, (..., 2)."""
    return np.asarray(uv, float) @ camera.K[:2, :2].T + camera.K[:2, 2]


def to_normalised(camera: Camera, xy: ArrayLike) -> Float64:
    """Undistorted normalised image coordinates (..., 2) of pixels (..., 2).

    Raises:
        InputError: not a perspective camera; use :func:`rays`.
    """
    require_perspective(camera, "to_normalised")
    return undistort(camera.distortion, _before_K(camera, xy))


def crop(camera: Camera, box: ArrayLike, size: tuple[int, int]) -> tuple[Camera, Float64]:
    """The camera of a picture that is cut out of another and resized.

    The crop sees the same rays: only ``K`` and the size change (distortion acts before ``K``, and stays).

    Args:
        camera: of the whole picture.
        box: (4,) ``x0 y0 x1 y1``: edges, pixels; the whole picture is ``-0.5 -0.5 width-0.5 height-0.5``. May reach
            beyond the picture.
        size: (width, height) of the crop, pixels.

    Returns:
        The camera of the crop, and A (2, 3) with ``xy_crop = A @ (x, y, 1)``: what ``cv2.warpAffine`` takes.

    Raises:
        InputError: a box or a size without area.
    """
    x0, y0, x1, y1 = (float(edge) for edge in np.asarray(box, float))
    width, height = size
    if not (x1 > x0 and y1 > y0 and width > 0 and height > 0):
        raise InputError(f"crop: expected a box x0 < x1, y0 < y1 and a size above 0, got {(x0, y0, x1, y1)} and {size}")
    sx, sy = width / (x1 - x0), height / (y1 - y0)
    A = np.array([[sx, 0.0, -sx * x0 - 0.5], [0.0, sy, -sy * y0 - 0.5]])
    return warp(camera, A, size), A


def warp(camera: Camera, A: ArrayLike, size: tuple[int, int]) -> Camera:
    """The camera of a picture warped by A (2, 3), ``xy_new = A @ (x, y, 1)`` (crop, resize, turn in the picture)."""
    K = np.vstack([np.asarray(A, float), [0.0, 0.0, 1.0]]) @ camera.K
    return replace(camera, K=K, size=(int(size[0]), int(size[1])))


def look_at(eye: ArrayLike, target: ArrayLike, up: ArrayLike = (0.0, 1.0, 0.0)) -> tuple[Float64, Float64]:
    """``R_cam_world`` and ``t_cam_world`` of an upright camera at ``eye`` that looks at ``target``.

    Args:
        eye: (3,) world, metres.
        target: (3,) world, metres.
        up: (3,) direction that points up in the picture.

    Raises:
        InputError: eye and target coincide, or the line between them is parallel to ``up``.
    """
    eye, ahead = np.asarray(eye, float), np.asarray(target, float) - np.asarray(eye, float)
    right = cross(ahead, up)
    width, distance = math.sqrt(float(right @ right)), math.sqrt(float(ahead @ ahead))
    if width < 1e-9 * max(1.0, distance):
        raise InputError(f"look_at: the view from {eye} to {target} has no upright picture; give another up than {up}")
    z = ahead / distance
    x = right / width
    R = np.array([x, cross(z, x), z])
    return R, -R @ eye


# ---------------------------------------------------------------------------------------------------------------------
# Lens distortion: OpenCV's model with 0, 4, 5 or 8 coefficients k1 k2 p1 p2 [k3 [k4 k5 k6]]
# ---------------------------------------------------------------------------------------------------------------------


def distort(coefficients: ArrayLike, uv: ArrayLike) -> Float64:
    """Where a lens moves ideal normalised coordinates (..., 2)."""
    uv = np.asarray(uv, float)
    k = _coefficients(coefficients)
    return uv if k is None else _distorted(k, uv)[0]


def undistort(coefficients: ArrayLike, uv: ArrayLike) -> Float64:
    """Ideal normalised coordinates (..., 2) of distorted ones; NaN where the lens maps no ray to that place.

    Newton's method from the distorted place, halving steps that do not help.
    """
    target = np.asarray(uv, float)
    k = _coefficients(coefficients)
    if k is None:
        return target
    guess = target.copy()
    here, J = _distorted(k, guess)
    miss = np.linalg.norm(here - target, axis=-1)
    for _ in range(50):
        if not (miss > 1e-13 * (1 + np.linalg.norm(target, axis=-1))).any():
            break
        det = J[..., 0, 0] * J[..., 1, 1] - J[..., 0, 1] * J[..., 1, 0]
        adjugate = np.stack([J[..., 1, 1], -J[..., 0, 1], -J[..., 1, 0], J[..., 0, 0]], -1).reshape(J.shape)
        full = (adjugate @ (here - target)[..., None])[..., 0] / np.where(det == 0, np.nan, det)[..., None]
        for halvings in range(6):
            tried = guess - full * 0.5**halvings
            there, J_there = _distorted(k, tried)
            left = np.linalg.norm(there - target, axis=-1)
            better = left < miss
            guess = np.where(better[..., None], tried, guess)
            here = np.where(better[..., None], there, here)
            J = np.where(better[..., None, None], J_there, J)
            full = np.where(better[..., None], 0.0, full)
            miss = np.where(better, left, miss)
    return np.where((miss < 1e-9 * (1 + np.linalg.norm(target, axis=-1)))[..., None], guess, np.nan)


def _coefficients(coefficients: ArrayLike) -> Float64 | None:
    k = np.asarray(coefficients, float).ravel()
    if k.size not in _COUNTS:
        raise InputError(f"distortion: expected 0, 4, 5 or 8 coefficients (k1 k2 p1 p2 k3 k4 k5 k6), got {k.size}")
    return np.concatenate([k, np.zeros(8 - k.size)]) if k.any() else None


def _distorted(k: Float64, uv: Float64) -> tuple[Float64, Float64]:
    """Distorted coordinates (..., 2) and their Jacobian (..., 2, 2). Reference: OpenCV, module calib3d."""
    k1, k2, p1, p2, k3, k4, k5, k6 = k
    x, y = uv[..., 0], uv[..., 1]
    r2 = x * x + y * y
    top, bottom = 1 + r2 * (k1 + r2 * (k2 + r2 * k3)), 1 + r2 * (k4 + r2 * (k5 + r2 * k6))
    radial = top / bottom
    # derivative of the radial factor by r2
    slope = (k1 + r2 * (2 * k2 + 3 * k3 * r2) - radial * (k4 + r2 * (2 * k5 + 3 * k6 * r2))) / bottom
    out = np.stack(
        [x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x), y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y], -1
    )
    cross = 2 * x * y * slope + 2 * p1 * x + 2 * p2 * y
    J = np.stack(
        [
            np.stack([radial + 2 * x * x * slope + 2 * p1 * y + 6 * p2 * x, cross], -1),
            np.stack([cross, radial + 2 * y * y * slope + 6 * p1 * y + 2 * p2 * x], -1),
        ],
        -2,
    )
    return out, J
