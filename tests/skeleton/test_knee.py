"""The knee against the numbers of LaiUhlrich2022.osim itself, written down here: its rolling, gliding and twisting."""

from __future__ import annotations

import numpy as np
import pytest
from standing_body import standing

from marrow.skeleton import Skeleton
from marrow.skeleton.osim.frames import rotation_xyz

#: ``walker_knee_r`` of LaiUhlrich2022.osim: orientation of its frame in femur and tibia (body-fixed X-Y-Z, radians) …
ORIENTATION = (-1.64157, 1.44618, 1.5708)
#: … and its functions of the flexion, highest power first: turns about Z and Y of that frame after the one about X …
ABOUT_Z = (0.010832094539863, -0.025218325501241, -0.032847810398852, 0.079100011967027, -1.473252350900463e-08)
ABOUT_Y = (0.025165762727423, -0.169480051390540, 0.369499348688249, -4.430358308836305e-08)
#: … and slides along X, Y and Z of that frame, metres, on a thigh of so many metres.
SLIDES = (
    (1.590447878850381e-04, -0.001015149915669, 0.001817510974968, 2.641426645199230e-05, -7.746563532471892e-07),
    (-5.796878052338684e-04, 0.005079765745626, -0.011442375726364, 0.003936908668844, -2.516350383213525e-05),
    (0.001208086889206, -0.004453611224706, 6.116494072981739e-04, 0.006265429606387, -1.461912533723326e-05),
)
THIGH = 0.4096

FLEXION = np.radians(np.arange(0.0, 141.0, 5.0))
_MIRROR = np.diag([1.0, 1.0, -1.0])  # segment axes: Z to the right


def about(axis: int, angle: np.ndarray) -> np.ndarray:
    """Rotations (T, 3, 3) about one of the three axes, written out."""
    out = np.tile(np.eye(3), (len(angle), 1, 1))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    out[:, i, i] = out[:, j, j] = np.cos(angle)
    out[:, j, i], out[:, i, j] = np.sin(angle), -np.sin(angle)
    return out


def theirs() -> tuple[np.ndarray, np.ndarray]:
    """Rotation (T, 3, 3) of the right tibia in the femur, and slide (T, 3) in metres of the joint's frame there."""
    F = rotation_xyz(np.array(ORIENTATION))
    turns = about(0, FLEXION) @ about(2, np.polyval(ABOUT_Z, FLEXION)) @ about(1, np.polyval(ABOUT_Y, FLEXION))
    return F @ turns @ F.T, np.stack([np.polyval(c, FLEXION) for c in SLIDES], -1) @ F.T


def ours(knee: str = "rolling") -> tuple[Skeleton, np.ndarray]:
    skeleton = Skeleton.inside(standing(), knee=knee)  # type: ignore[arg-type]
    q = np.zeros((len(FLEXION), len(skeleton.coordinates)))
    for side in "rl":
        q[:, skeleton.index(f"knee_angle_{side}")] = FLEXION
    return skeleton, q


def angle_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Radians, exact near zero."""
    return 2.0 * np.arcsin(np.linalg.norm(a - b, axis=(-2, -1)) / np.sqrt(8.0))


def test_the_shank_turns_as_theirs_does():
    skeleton, q = ours()
    R, _ = theirs()
    joint = skeleton.joint_rotations(q)
    assert angle_between(joint[:, skeleton.body_index("tibia_r")], R).max() < 1e-4
    assert angle_between(joint[:, skeleton.body_index("tibia_l")], _MIRROR @ R @ _MIRROR).max() < 1e-4
    plain, _ = ours("hinge")
    hinged = plain.joint_rotations(q)[:, plain.body_index("tibia_r")]
    assert np.degrees(angle_between(hinged, R).max()) > 10, "a mere hinge is not that knee"


def test_the_shank_glides_as_theirs_does_on_a_thigh_as_long():
    skeleton, q = ours()
    _, slide = theirs()
    places = skeleton.joint_places(q) - skeleton.offsets
    assert np.linalg.norm(slide, axis=-1).max() > 0.003
    for side, mirror in (("r", np.eye(3)), ("l", _MIRROR)):
        b = skeleton.body_index(f"tibia_{side}")
        found = places[:, b] * THIGH / skeleton.length[b]
        np.testing.assert_allclose(found, slide @ mirror, atol=1e-4)


def test_the_glide_grows_with_the_thigh():
    small, q = ours()
    large = Skeleton.inside(standing(2 * 1.70))
    b = small.body_index("tibia_r")
    slides = [(s.joint_places(q) - s.offsets)[:, b] for s in (small, large)]
    thighs = [np.linalg.norm(standing(h)["hip_r"] - standing(h)["knee_r"]) for h in (1.70, 2 * 1.70)]
    np.testing.assert_allclose(slides[1], slides[0] * thighs[1] / thighs[0], atol=1e-12)


@pytest.mark.parametrize("side", ["r", "l"])
def test_a_bent_knee_lets_the_shank_turn_inwards(side):
    """What the polynomials mean: the foot of a bent knee points more inwards (screw home, Walker et al. 1988)."""
    skeleton, q = ours()
    tibia = skeleton.joint_rotations(q)[:, skeleton.body_index(f"tibia_{side}")]
    hinged, q_hinged = ours("hinge")
    rest = np.swapaxes(hinged.joint_rotations(q_hinged)[:, hinged.body_index(f"tibia_{side}")], -1, -2) @ tibia
    forward = rest[:, :, 0]  # where the front of the shank points, against the hinge's
    inwards = -forward[:, 2] if side == "r" else forward[:, 2]  # Z is to the right: inwards is to the left
    assert inwards[0] == pytest.approx(0.0, abs=1e-6)
    assert np.degrees(np.arcsin(inwards[FLEXION > 1.2])).min() > 8
