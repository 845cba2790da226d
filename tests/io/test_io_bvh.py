"""BVH: what is written is what is read, in any pose, and at zero the person stands facing +Z."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from io_toy import BODIES, PARENTS, chain, smooth_rotations

from marrow.body import load_body
from marrow.conventions import R_GROUND_WORLD
from marrow.errors import InputError
from marrow.geometry import rotations
from marrow.io.bvh import read_bvh, write_bvh
from marrow.skeleton import Skeleton

G = R_GROUND_WORLD.T
CMU = Path(__file__).parents[3] / "shared" / "data" / "cmu" / "bvh"


def person(seed: int, time: np.ndarray) -> dict:
    rng = np.random.default_rng(seed)
    offsets = rng.normal(0, 0.3, (len(BODIES), 3))
    R, p = chain(smooth_rotations(rng, time, len(BODIES), 1.5), offsets, rng.normal(0, 1, (len(time), 3)))
    return {"bodies": BODIES, "parents": PARENTS, "R": R, "p": p, "time": time}


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), frames=st.integers(1, 20), scale=st.sampled_from([1.0, 100.0]))
def test_round_trip(tmp_path_factory, seed, frames, scale):
    path = tmp_path_factory.getbasetemp() / "toy.bvh"
    written = person(seed, np.arange(frames) / 50)
    write_bvh(path, **written, scale=scale)
    read = read_bvh(path)
    order = [read.names.index(name) for name in BODIES]
    assert [read.names[read.parents[k]] if read.parents[k] >= 0 else "" for k in order] == [
        BODIES[parent] if parent >= 0 else "" for parent in PARENTS
    ]
    np.testing.assert_allclose(read.p[:, order] / scale, written["p"], atol=1e-5)
    np.testing.assert_allclose(read.R[:, order] @ G, written["R"], atol=1e-6)
    if frames > 1:
        assert read.frame_time == pytest.approx(1 / 50)


def skeleton_motion(q: np.ndarray) -> tuple[Skeleton, dict]:
    skeleton = Skeleton.inside(load_body().rest().landmarks)
    R, p = skeleton.forward(q)
    time = np.arange(len(q)) / 30
    return skeleton, {"bodies": skeleton.bodies, "parents": skeleton.parents, "R": R, "p": p, "time": time}


def placed(path: Path) -> set[str]:
    """Joints of a file that have position channels."""
    lines = [line.split() for line in path.read_text().splitlines()]
    joints = [words[1] for words in lines if words[:1] in (["ROOT"], ["JOINT"])]
    channels = [words for words in lines if words[:1] == ["CHANNELS"]]
    return {name for name, words in zip(joints, channels, strict=True) if "Xposition" in words}


def test_joints_that_slide_have_their_places_in_every_frame(tmp_path):
    """Spine and knees: position channels bring them back to where they were; other joints have rotations only."""
    count = len(Skeleton.inside(load_body().rest().landmarks).coordinates)
    q = np.random.default_rng(2).normal(0, 0.3, (6, count))
    skeleton, written = skeleton_motion(q)
    for scale in (1.0, 100.0):
        write_bvh(tmp_path / "a.bvh", **written, scale=scale)
        read = read_bvh(tmp_path / "a.bvh")
        order = [read.names.index(name) for name in skeleton.bodies]
        np.testing.assert_allclose(read.p[:, order] / scale, written["p"], atol=2e-5)
        np.testing.assert_allclose(read.R[:, order] @ G, written["R"], atol=1e-6)
    sliding = {skeleton.bodies[b] for b in skeleton.tree.sliding}
    assert placed(tmp_path / "a.bvh") == {"pelvis"} | sliding


def test_joints_that_stay_have_rotations_only(tmp_path):
    """A person who moves the arms only: nothing slides, and the file looks as any other maker's."""
    skeleton = Skeleton.inside(load_body().rest().landmarks)
    q = np.zeros((5, len(skeleton.coordinates)))
    for name in ("gh_flex_r", "elbow_flex_l", "scap_upward_r", "clav_elevation_r"):
        q[:, skeleton.index(name)] = np.linspace(0, 0.5, 5)
    _, written = skeleton_motion(q)
    write_bvh(tmp_path / "a.bvh", **written)
    assert placed(tmp_path / "a.bvh") == {"pelvis"}
    read = read_bvh(tmp_path / "a.bvh")
    order = [read.names.index(name) for name in skeleton.bodies]
    np.testing.assert_allclose(read.p[:, order], written["p"], atol=2e-5)


def test_zero_channels_show_the_anatomical_pose(tmp_path):
    """Segment frames as at q = 0 give zero rotations, and offsets in the world of a person who faces +Z."""
    offsets = np.array(
        [[0, 0, 0], [0, -0.1, 0.09], [0, -0.4, 0], [0, -0.1, -0.09], [0, -0.4, 0], [0, 0.1, 0], [0, 0.5, 0]]
    )
    R, p = chain(np.stack([G] + [np.eye(3)] * 6)[None], offsets, np.array([[0.0, 0.95, 0.0]]))
    write_bvh(tmp_path / "a.bvh", bodies=BODIES, parents=PARENTS, R=R, p=p, time=np.zeros(1))
    read = read_bvh(tmp_path / "a.bvh")
    np.testing.assert_allclose(read.R, np.broadcast_to(np.eye(3), read.R.shape), atol=1e-9)
    # The right hip lies at -X when the person faces +Z.
    np.testing.assert_allclose(read.offsets[read.names.index("femur_r")], (-0.09, -0.1, 0), atol=1e-9)
    assert read.ends[read.names.index("head")][1] == pytest.approx(0.03)


def test_ends_are_written_where_they_are_known(tmp_path):
    written = person(4, np.arange(3) / 30)
    write_bvh(tmp_path / "a.bvh", **written, ends={"head": np.array([0.01, 0.2, 0.0])})
    read = read_bvh(tmp_path / "a.bvh")
    head = read.names.index("head")
    tip = read.p[:, head] + read.R[:, head] @ read.ends[head]
    want = written["p"][:, -1] + written["R"][:, -1] @ (0.01, 0.2, 0.0)
    np.testing.assert_allclose(tip, want, atol=1e-5)


def test_angles_do_not_jump(tmp_path):
    time = np.arange(100) / 30
    R = np.tile(np.eye(3), (100, 7, 1, 1))
    R[:, 0] = rotations.rotation_y(time * 4) @ G
    R, p = chain(R, np.zeros((7, 3)), np.zeros((100, 3)))
    write_bvh(tmp_path / "a.bvh", bodies=BODIES, parents=PARENTS, R=R, p=p, time=time)
    lines = (tmp_path / "a.bvh").read_text().split("Frame Time")[1].splitlines()[1:]
    values = np.array([line.split() for line in lines], float)
    assert np.abs(np.diff(values, axis=0)).max() < 10
    assert values[-1, 5] == pytest.approx(np.degrees(time[-1] * 4), abs=1e-3)


def test_uneven_times_are_resampled(tmp_path):
    uneven = np.cumsum([0, 0.03, 0.04, 0.03, 0.03, 0.06, 0.03, 0.03])
    R = np.tile(np.eye(3), (8, 7, 1, 1))
    R[:, 0] = rotations.rotation_y(uneven) @ G
    R, p = chain(R, np.zeros((7, 3)), uneven[:, None] * (1.0, 0, 0))
    write_bvh(tmp_path / "a.bvh", bodies=BODIES, parents=PARENTS, R=R, p=p, time=uneven)
    read = read_bvh(tmp_path / "a.bvh")
    grid = np.arange(len(read.p)) * read.frame_time
    assert read.frame_time == pytest.approx(0.03)
    assert grid[-1] <= uneven[-1] + 1e-9 < grid[-1] + read.frame_time
    np.testing.assert_allclose(read.p[:, 0, 0], grid, atol=1e-5)
    np.testing.assert_allclose(read.R[:, 0], rotations.rotation_y(grid), atol=1e-5)


SMALL = """HIERARCHY
ROOT hip
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Xrotation Zrotation Yrotation
  JOINT knee
  {
    OFFSET 0 -2 0
    CHANNELS 1 Xrotation
    End Site
    {
      OFFSET 0 -3 0
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.1
1 2 3 0 0 0 90
1 2 3 90 0 0 0
"""


def test_a_file_with_other_channels(tmp_path):
    path = tmp_path / "small.bvh"
    path.write_text(SMALL)
    read = read_bvh(path)
    assert read.names == ("hip", "knee")
    np.testing.assert_allclose(read.p[0, 1], (1, 0, 3))
    # Turned by 90° about X, the knee's offset (0, -2, 0) points to -Z.
    np.testing.assert_allclose(read.p[1, 1], (1, 2, 1), atol=1e-12)
    np.testing.assert_allclose(read.R[0, 1] @ read.ends[1], (0, 0, -3), atol=1e-12)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("HIERARCHY", "HIGHER", "line 1: expected HIERARCHY"),
        ("OFFSET 0 -2 0", "OFFSET 0 x 0", "line 8: OFFSET: expected a number, got 'x'"),
        ("CHANNELS 1 Xrotation", "CHANNELS 1 Wrotation", "line 9: unknown channel 'Wrotation'"),
        ("CHANNELS 1", "CHANNELS 9", "from 0 to 6"),
        ("JOINT", "KNOT", "expected JOINT"),
        ("Frames: 2", "Frames: 3", "expected 21 numbers, got 14"),
        ("1 2 3 90 0 0 0\n", "1 2 3 90 0 0", "cut short"),
        ("1 2 3 90", "1 2 3 nan", "not finite"),
        ("1 2 3 90", "1 2 3 much", "motion"),
        (SMALL, "", "line 1: the file ends early"),
        (SMALL[SMALL.index("OFFSET 0 -3") :], "", "line 11: the file ends early; expected OFFSET"),
    ],
)
def test_damage_is_told_with_its_line(tmp_path, old, new, words):
    path = tmp_path / "bad.bvh"
    path.write_text(SMALL.replace(old, new))
    with pytest.raises(InputError, match=words):
        read_bvh(path)


@settings(max_examples=100, deadline=None)
@given(cut=st.integers(0, len(SMALL)), put=st.text("{}0 -1.5e\nJOINT", max_size=6), skip=st.integers(0, 30))
def test_any_damage_is_an_input_error_or_read(tmp_path_factory, cut, put, skip):
    path = tmp_path_factory.getbasetemp() / "fuzz.bvh"
    path.write_text(SMALL[:cut] + put + SMALL[cut + skip :])
    try:
        read = read_bvh(path)
    except InputError:
        return
    assert read.R.shape == (len(read.p), len(read.names), 3, 3)


def test_misfits_are_input_errors(tmp_path):
    good = person(0, np.arange(3) / 30)
    for change, words in (
        ({"time": np.zeros(0)}, "no frame"),
        ({"time": np.arange(4.0)}, "expected R"),
        ({"time": np.array([0.0, 0.1, 0.1])}, "must increase"),
        ({"bodies": ("a b", *BODIES[1:])}, "holds spaces"),
        ({"parents": np.array([-1, -1, 1, 0, 3, 0, 5])}, "only the first"),
        ({"p": good["p"] * np.nan}, "finite"),
    ):
        with pytest.raises(InputError, match=words):
            write_bvh(tmp_path / "a.bvh", **(good | change))


@pytest.mark.skipif(not CMU.is_dir(), reason="the CMU files are not beside this checkout")
def test_a_published_file_is_read():
    path = sorted(CMU.glob("*.bvh"))[0]
    read = read_bvh(path)
    assert read.R.shape[1:] == (len(read.names), 3, 3)
    assert len(read.names) > 20
    lengths = np.linalg.norm(read.p[:, 1:] - read.p[:, read.parents[1:]], axis=-1)
    np.testing.assert_allclose(
        lengths, np.broadcast_to(np.linalg.norm(read.offsets[1:], axis=-1), lengths.shape), atol=1e-6
    )
