"""The stick figure: every bone from joint to joint, spine and collar bones from where they begin."""

from __future__ import annotations

import numpy as np
import pytest

from marrow.body import load_body
from marrow.render.stick import stick_figure
from marrow.skeleton import Skeleton


@pytest.fixture(scope="module")
def skeleton() -> Skeleton:
    return Skeleton.inside(load_body().rest().landmarks)


def posed(skeleton: Skeleton, seed: int = 0, frames: int = 3) -> tuple[np.ndarray, np.ndarray]:
    return skeleton.forward(np.random.default_rng(seed).normal(0, 0.3, (frames, len(skeleton.coordinates))))


def named(skeleton: Skeleton, points: np.ndarray, bones: list[tuple[int, int]]) -> set[tuple[str, str]]:
    """Bones by the names of their ends: segments, and points beyond the segments' origins."""
    R, p = posed(skeleton)
    places = dict(zip(skeleton.point_names, np.moveaxis(skeleton.points(R, p), 1, 0), strict=True))
    names = list(skeleton.bodies)
    for i in range(len(names), points.shape[1]):
        names.append(next(name for name, x in places.items() if np.allclose(x, points[:, i], atol=1e-12)))
    return {(names[a], names[b]) for a, b in bones}


def test_points_are_origins_then_tips(skeleton):
    R, p = posed(skeleton)
    points, bones = stick_figure(skeleton, R, p)
    np.testing.assert_array_equal(points[:, : len(skeleton.bodies)], p)
    assert max(max(bone) for bone in bones) == points.shape[1] - 1
    alone, same = stick_figure(skeleton, R[1], p[1])
    np.testing.assert_allclose(alone, points[1], atol=1e-15)
    assert same == bones


def test_spine_neck_and_collar_bones_start_where_they_begin(skeleton):
    R, p = posed(skeleton)
    bones = named(skeleton, *stick_figure(skeleton, R, p))
    assert {("l5_s1", "lumbar_arc"), ("neck", "neck_arc"), ("neck", "clavicle_r"), ("neck", "clavicle_l")} <= bones
    assert {("torso", "neck"), ("head", "head_top"), ("clavicle_r", "scapula_r"), ("scapula_l", "humerus_l")} <= bones
    assert not {("pelvis", "lumbar_arc"), ("torso", "neck_arc"), ("torso", "clavicle_r")} & bones
    assert ("index_distal_r", "index_tip_r") in bones


def test_bones_of_a_straight_person_run_along_the_body(skeleton):
    """At rest no bone is longer than a thigh, and the spine climbs from the sacrum to the skull."""
    R, p = skeleton.bind[:, :3, :3], skeleton.bind[:, :3, 3]
    points, bones = stick_figure(skeleton, R, p)
    longest = max(np.linalg.norm(points[a] - points[b]) for a, b in bones)
    thigh = np.linalg.norm(p[skeleton.body_index("tibia_r")] - p[skeleton.body_index("femur_r")])
    assert longest == pytest.approx(thigh, rel=0.05)
    spine = [b for b in bones if {b[0], b[1]} & {skeleton.body_index(n) for n in ("lumbar_arc", "thorax_arc", "head")}]
    assert all(points[b][1] >= points[a][1] - 1e-9 for a, b in spine)
