"""The packed motions: the format's round trip, and what the shipped pack holds."""

import numpy as np
import pytest

from marrow.data import motion_pack
from marrow.data.motion_pack import PackedMotion, read_motion_pack, write_motion_pack
from marrow.errors import InputError
from marrow.skeleton.definition import COORDINATES, FOLLOWERS

NAMES = ("pelvis_rotation", "pelvis_tx", "hip_flexion_r", "knee_angle_r")


def made_up(name: str, split: str, frames: int, seed: int) -> PackedMotion:
    q = np.random.default_rng(seed).normal(0, 1, (frames, len(NAMES)))
    return PackedMotion(name, "s1", split, 30.0, NAMES, q, 0.02)


def test_round_trip_keeps_values_to_the_stated_precision(tmp_path):
    clips = [made_up("a", "train", 7, 0), made_up("b", "B", 5, 1)]
    path = tmp_path / "pack.npz"
    write_motion_pack(path, clips, {"s1": {"height": 0.4}})
    pack = read_motion_pack(path)
    assert len(pack) == 2
    assert pack.shapes == {"s1": {"height": 0.4}}
    assert pack.clip.tolist() == [0] * 7 + [1] * 5
    for got, want in zip(pack, clips, strict=True):
        assert (got.name, got.subject, got.split, got.fps, got.error) == (want.name, "s1", want.split, 30.0, 0.02)
        np.testing.assert_allclose(got.q[:, :2], want.q[:, :2], rtol=1e-6)
        np.testing.assert_allclose(got.q[:, 2:], want.q[:, 2:], rtol=6e-4, atol=1e-6)
    assert [m.name for m in pack.select("B")] == ["b"]
    assert pack.motion("b").name == "b"
    with pytest.raises(InputError, match="no clip"):
        pack.motion("c")
    with pytest.raises(InputError, match="splits"):
        pack.select("C")


def test_full_puts_columns_by_name(tmp_path):
    clip = made_up("a", "train", 3, 2)
    order = ("knee_angle_r", "extra", *NAMES[:3])
    full = clip.full(order, np.arange(5.0))
    np.testing.assert_array_equal(full[:, 0], clip.q[:, 3])
    np.testing.assert_array_equal(full[:, 1], 1.0)
    np.testing.assert_array_equal(full[:, 2:], clip.q[:, :3])
    with pytest.raises(InputError, match="pelvis_tx"):
        clip.full(("knee_angle_r", "hip_flexion_r", "pelvis_rotation"))


def test_clips_that_do_not_belong_together_are_refused(tmp_path):
    a = made_up("a", "train", 3, 3)
    b = PackedMotion("b", "s1", "train", 60.0, NAMES, a.q, 0.0)
    with pytest.raises(InputError, match="same"):
        write_motion_pack(tmp_path / "x.npz", [a, b], {})
    a.q[0, 0] = np.nan
    with pytest.raises(InputError, match="NaN"):
        write_motion_pack(tmp_path / "x.npz", [a], {})


def test_the_shipped_pack_is_small_and_holds_all_splits():
    path = motion_pack.PACK
    assert path.stat().st_size < 5_000_000
    assert "NSF EIA-0196217" in path.with_name("motion_pack.NOTICE.txt").read_text()
    pack = motion_pack.motion_pack()
    assert set(pack.splits) == {"train", "A", "B"}
    assert len({name.partition(".")[0] for name in pack.names}) == 24 + 84  # tr_walking_1 is 02_01 again
    assert np.isfinite(pack.q).all()
    assert pack.q.shape[0] > 20_000
    assert float(np.median(pack.errors)) < 0.03
    column = {name: i for i, name in enumerate(pack.coordinates)}
    walk = np.degrees(pack.motion("02_01").q)
    # a walk: each knee bends by at least 40 degrees and the hips swing against each other
    for side in "rl":
        knee = walk[:, column[f"knee_angle_{side}"]]
        assert np.ptp(knee) > 40
        assert knee.min() > -10
    assert np.corrcoef(walk[:, column["hip_flexion_r"]], walk[:, column["hip_flexion_l"]])[0, 1] < -0.5


def test_trunks_of_the_shipped_pack_are_shared_out_along_the_spine():
    """Its clips' points do not tell lumbar from thoracic spine: one follows the other."""
    pack = motion_pack.motion_pack()
    assert set(pack.coordinates) <= set(COORDINATES)
    column = {name: i for i, name in enumerate(pack.coordinates)}
    spine = [f for f in FOLLOWERS if f.name in column]
    assert {f.name for f in spine} == {"thorax_extension", "thorax_bending", "lumbar_seg_rotation"}
    for f in spine:
        lead, follower = pack.q[:, column[f.leader]], pack.q[:, column[f.name]]
        assert np.ptp(lead) > np.radians(30)
        np.testing.assert_allclose(follower, f.ratio * lead, rtol=2e-3, atol=1e-4, err_msg=f.name)
