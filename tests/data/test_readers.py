"""Motion readers: small files written by hand, real files where they are at hand, and files that are wrong."""

import os
from pathlib import Path

import numpy as np
import pytest

from marrow.data import asf_amc
from marrow.data.activities import JOINTS, read_activities
from marrow.data.asf_amc import bone_ends, read_amc, read_asf, read_clip
from marrow.data.clips import PointClip, split_of
from marrow.errors import InputError

CMU = Path(os.environ.get("MARROW_SHARED", Path(__file__).parents[3] / "shared")) / "data" / "cmu"
needs_cmu = pytest.mark.skipif(not CMU.is_dir(), reason=f"the CMU subset is not at {CMU}; set MARROW_SHARED")

ASF = """# a leg and an arm, made by hand
:version 1.10
:name hand
:units
  mass 1.0
  length 0.45
  angle deg
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 0 0
   orientation 0 0 0
:bonedata
  begin
     id 1
     name thigh
     direction 0 -1 0
     length 9
     axis 0 0 20 XYZ
    dof rx ry rz
    limits (-160.0 20.0)
           (-70.0 70.0)
           (-60.0 70.0)
  end
  begin
     id 2
     name shank
     direction 0 -2 0
     length 4.5
     axis 0 90 0 XYZ
    dof rx
    limits (-10.0 170.0)
  end
  begin
     id 3
     name foot
     direction 0 0 1
     length 1
     axis 0 0 0 XYZ
  end
:hierarchy
  begin
    root thigh
    thigh shank
    shank foot
  end
"""
AMC = """#!made by hand
:FULLY-SPECIFIED
:DEGREES
1
root 0 18 0 0 0 0
thigh 0 0 0
shank 0
2
root 1 18 0 0 90 0
thigh 0 0 0
shank 90
3
root 0 18 0 30 40 50
thigh 10 20 30
shank 0
"""
M = 0.0254 / 0.45


@pytest.fixture
def files(tmp_path):
    asf, amc = tmp_path / "01.asf", tmp_path / "01_12.amc"
    asf.write_text(ASF)
    amc.write_text(AMC)
    return asf, amc


def test_hand_made_motion_lands_where_it_must(files):
    clip = read_clip(*files)
    assert clip.points == ("root", "thigh", "shank", "foot")
    assert (clip.name, clip.subject, clip.fps, clip.xyz.shape) == ("01_12", "cmu_01", 120.0, (3, 4, 3))
    np.testing.assert_allclose(clip.xyz[0] / M, [[0, 18, 0], [0, 9, 0], [0, 4.5, 0], [0, 4.5, 1]], atol=1e-9)
    np.testing.assert_allclose(clip.rest, clip.xyz[0] - clip.xyz[0, 0], atol=1e-12)
    # The root turns 90 degrees about Y. The shank's own X is the world's -Z (axis 0 90 0), so 90 degrees about it takes
    # the shank from -Y to -X, which the root's turn takes to +Z.
    np.testing.assert_allclose(clip.xyz[1, 2] / M, [1, 9, 4.5], atol=1e-9)


def test_angles_are_applied_x_first_about_the_bones_own_axes(files):
    def about(i, degrees):
        a, R = np.radians(degrees), np.eye(3)
        j, k = (i + 1) % 3, (i + 2) % 3
        R[[j, k], [j, k]] = np.cos(a)
        R[k, j], R[j, k] = np.sin(a), -np.sin(a)
        return R

    clip = read_clip(*files)
    root = about(2, 50) @ about(1, 40) @ about(0, 30)
    C = about(2, 20)
    thigh = root @ C @ about(2, 30) @ about(1, 20) @ about(0, 10) @ C.T
    np.testing.assert_allclose(clip.xyz[2, 1] - clip.xyz[2, 0], thigh @ [0, -9 * M, 0], atol=1e-12)


def test_rigid_bones_and_units(files):
    skeleton = read_asf(files[0])
    ends = bone_ends(skeleton, read_amc(files[1], skeleton))
    lengths = np.linalg.norm(ends[:, 1:] - ends[:, :-1], axis=-1)
    np.testing.assert_allclose(lengths, np.tile([9 * M, 4.5 * M, M], (3, 1)), atol=1e-12)
    assert skeleton.dof[1:] == (("rx", "ry", "rz"), ("rx",), ())


def test_radians_are_read_as_radians(files):
    asf, amc = files
    amc.write_text(":RADIANS\n1\nroot 0 0 0 0 0 0\nthigh 0 0 0\nshank 0.5\n")
    assert read_amc(amc, read_asf(asf))["shank"][0, 0] == 0.5


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "no frames"),
        ("1\nroot 0 0 0 0 0 0\nthigh 0 0 0\n", "shank.*missing"),
        ("1\nroot 0 0 0 0 0 0\nthigh 0 0 x\nshank 1\n", "malformed"),
        ("1\nroot 0 0 0 0 0\nthigh 0 0 0\nshank 1\n", "expected 6"),
        ("root 0 0 0 0 0 0\n", "frame number"),
    ],
)
def test_broken_motions_are_refused(files, text, match):
    files[1].write_text(text)
    with pytest.raises(InputError, match=match):
        read_amc(files[1], read_asf(files[0]))


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        (":hierarchy", ":other", "hierarchy"),
        ("length 9", "length nine", "malformed"),
        ("thigh shank", "thigh calf", "disagree"),
        ("direction 0 0 1", "", "malformed"),
    ],
)
def test_broken_skeletons_are_refused(files, old, new, match):
    files[0].write_text(ASF.replace(old, new))
    with pytest.raises(InputError, match=match):
        read_asf(files[0])


def test_activities_round_trip_and_refusals(tmp_path):
    path = tmp_path / "clips.npz"
    xyz = np.random.default_rng(0).normal(size=(7, 17, 3)).astype(np.float32)
    np.savez(path, te_walking_1=xyz, tr_running_2=xyz[:3])
    clips = read_activities(path)
    assert [c.name for c in clips] == ["te_walking_1", "tr_running_2"]
    np.testing.assert_array_equal(clips[0].xyz, xyz)
    assert len(JOINTS) == len(set(JOINTS)) == 17
    np.savez(path, te_walking_1=xyz[:, :5])
    with pytest.raises(InputError, match=r"\(T, 17, 3\)"):
        read_activities(path)
    path.write_bytes(b"not a zip file")
    with pytest.raises(InputError, match="npz"):
        read_activities(path)


def test_lower_rate_keeps_every_nth_frame():
    clip = PointClip("x", "s", 120.0, ("a",), np.arange(9, dtype=float)[:, None, None].repeat(3, -1), np.zeros((1, 3)))
    assert clip.every(30).xyz[:, 0, 0].tolist() == [0, 4, 8]
    with pytest.raises(InputError, match="divide"):
        clip.every(50)


def test_the_split_is_fixed():
    expected = {
        "01_01": "train", "01_11": "train", "01_12": "A", "02_01": "B", "tr_walking_5": "train", "te_soccer_1": "A",
        "05_16": "train", "005_17": "A", "07_03": "B",
    }  # fmt: skip
    assert {name: split_of(name) for name in expected} == expected
    for name in ("13_01", "walk", "01"):
        with pytest.raises(InputError, match="fixed split"):
            split_of(name)


@needs_cmu
def test_real_cmu_skeletons_move_as_people_do():
    clip = read_clip(CMU / "asf_amc" / "02.asf", CMU / "asf_amc" / "02_01.amc")
    at = {name: clip.xyz[:, i] for i, name in enumerate(clip.points)}
    tibia = np.linalg.norm(at["ltibia"] - at["lfemur"], axis=-1)
    assert np.ptp(tibia) < 1e-9
    assert 0.35 < tibia[0] < 0.48
    assert 1.4 < at["head"][:, 1].min() < at["head"][:, 1].max() < 1.9
    feet = np.stack([at["ltoes"], at["rtoes"]])[..., 1]
    assert -0.05 < feet.min() < 0.06
    # he walks: his left is on the left of where he goes
    ahead = at["root"][-1] - at["root"][0]
    left = (at["lfemur"] - at["rfemur"]).mean(0)
    assert np.cross([0, 1, 0], ahead) @ left > 0
    assert clip.name == "02_01"
    assert set(asf_amc.read_asf(CMU / "asf_amc" / "02.asf").names) >= {"lhumerus", "lwrist", "head"}


@needs_cmu
def test_real_activity_clips():
    clips = read_activities(CMU / "activities_17joints_60hz.npz")
    assert len(clips) == 85
    assert {split_of(c.name) for c in clips} == {"train", "A"}
    thigh = np.concatenate([np.linalg.norm(c.xyz[:, 2] - c.xyz[:, 1], axis=-1) for c in clips])
    assert np.ptp(thigh) < 1e-3
