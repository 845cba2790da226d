"""The knee cap slides along the thigh as the knee bends, and does not stay before the shin.

Its path is that of the patellofemoral joint in LaiUhlrich2022.osim (Apache-2.0; Rajagopal et al. 2016): the lower tip
of the bone from the centre of the knee, and its turn, in the sagittal plane of the thigh. For a person the path is
turned and scaled so that it begins where their own patella is. Beyond its 120 degrees the patella stays.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from marrow.types import Float64

#: Knee flexion, radians; the tip forward and up of the knee, mm; turn about the axis to the right, radians.
_FLEXION = np.linspace(0.0, 2.0944, 13)
_FORWARD = (52.4, 48.8, 43.7, 37.1, 29.6, 21.6, 13.6, 5.7, -1.9, -8.8, -14.8, -19.6, -22.7)
_UP = (-10.8, -19.0, -26.3, -32.2, -36.7, -39.5, -40.8, -40.4, -38.4, -34.9, -30.1, -24.5, -18.7)
_TURN = (0.001, -0.006, -0.106, -0.254, -0.414, -0.579, -0.747, -0.918, -1.090, -1.264, -1.438, -1.612, -1.786)


class Slide(NamedTuple):
    """In the thigh's frame, ``x -> R x + t``: R (..., 3, 3), t (..., 3) metres."""

    R: Float64
    t: Float64


def slide(patella: Float64, knee: Float64, R_bind: Float64, R: Float64) -> Slide:
    """How the patella has moved against the thigh since the bind pose.

    Args:
        patella: (V, 3) its vertices in the thigh's frame (X forward, Y up, Z right) in the bind pose, metres.
        knee: (3,) centre of the knee there.
        R_bind, R: rotation of the shank against the thigh in the bind pose (3, 3) and now (..., 3, 3).
    """
    start, now = _flexion(R_bind), _flexion(R)
    # Points of the sagittal plane as complex numbers: one factor turns and scales the path.
    own = complex(patella[:, 0].mean() - knee[0], patella[:, 1].min() - knee[1])
    tip = own / _path(start) * _path(now)
    turn = np.interp(now, _FLEXION, _TURN) - np.interp(start, _FLEXION, _TURN)
    c, s, zero = np.cos(turn), np.sin(turn), np.zeros_like(turn)
    Q = np.stack([np.stack([c, -s, zero], -1), np.stack([s, c, zero], -1), np.stack([zero, zero, zero + 1], -1)], -2)
    before = knee + [own.real, own.imag, 0.0]
    return Slide(Q, knee + np.stack([tip.real, tip.imag, zero], -1) - Q @ before)


def _flexion(R: Float64) -> Float64:
    """Knee flexion (...,): the shank turns backwards, about the axis to the left."""
    return -np.arctan2(R[..., 1, 0], R[..., 0, 0])


def _path(flexion: Float64) -> NDArray[np.complex128]:
    return np.interp(flexion, _FLEXION, _FORWARD) + 1j * np.interp(flexion, _FLEXION, _UP)
