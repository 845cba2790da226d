"""Clips of the user's own files: fitted once, kept, and told apart from what cannot be read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from marrow.body import load_body
from marrow.conversion import packed
from marrow.data.motion_pack import PackedMotion, motion_pack
from marrow.data.synth.articulation import AT, full
from marrow.data.synth.motions import checked, motions_from
from marrow.data.synth.poses import PoseSampler
from marrow.errors import InputError
from marrow.io.npz import write_motion
from marrow.skeleton import Skeleton
from marrow.types import Motion


class Fit:
    """Stands in for the fit: gives a stretch of a shipped clip, and counts."""

    def __init__(self, q: np.ndarray | None = None) -> None:
        self.count, self.q = 0, q

    def __call__(self, path: Path) -> tuple[PackedMotion, Mapping[str, float]]:
        self.count += 1
        if b"bad" in path.read_bytes():
            raise InputError(f"{path}: no motion in it")
        m = motion_pack().motion("01_05")
        q = m.q[:40] if self.q is None else self.q
        error = 0.2 if b"far" in path.read_bytes() else 0.012
        return PackedMotion(path.stem, "x", "own", 30.0, m.coordinates, q, error), {"gender": 1.0}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARROW_CACHE", str(tmp_path / "cache"))


def test_a_folder_is_fitted_once_and_what_is_wrong_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    (folder / "more").mkdir(parents=True)
    (folder / "walk.bvh").write_text("a")
    (folder / "more" / "run.bvh").write_text("b")
    (folder / "broken.bvh").write_text("bad")
    (folder / "notes.txt").write_text("c")
    fit, lines = Fit(), []
    source = motions_from(folder, fit, told=lines.append)
    assert set(source.clips) == {"walk", "run"}
    assert fit.count == 3
    assert any("12.0 mm" in line for line in lines)
    assert any("left out" in line and "no motion in it" in line for line in lines)
    again = motions_from(folder, fit, told=lines.append)
    assert fit.count == 4, "only the broken one is tried anew"
    assert again.clip("walk").q == pytest.approx(source.clip("walk").q)
    q = PoseSampler(source=source).pose(np.random.default_rng(0), load_body().rest().skeleton)
    assert np.isfinite(q).all()
    assert len(source.of(source.clip("walk").subject).clips) == 1
    with pytest.raises(InputError, match="no subject 'me'; there are"):
        source.of("me")


def test_what_was_cut_short_in_the_cache_is_made_again(tmp_path: Path) -> None:
    file = tmp_path / "walk.bvh"
    file.write_text("a")
    fit = Fit()
    motions_from(file, fit, told=lambda line: None)
    (kept,) = (tmp_path / "cache" / "motions").iterdir()
    kept.write_bytes(kept.read_bytes()[:200])
    motions_from(file, fit, told=lambda line: None)
    assert fit.count == 2


def test_nothing_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        motions_from(tmp_path / "none", Fit())
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no motions in this folder; expected files of \.bvh"):
        motions_from(tmp_path / "empty", Fit())
    (tmp_path / "x.bvh").write_text("bad")
    with pytest.raises(InputError, match=r"none of 1 files could be read\. The first: .*no motion in it"):
        motions_from(tmp_path / "x.bvh", Fit(), told=lambda line: None)


def test_a_motion_that_does_not_fit_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "x.bvh").write_text("far")
    with pytest.raises(InputError, match="stays 200 mm from the file's points, more than 60"):
        motions_from(tmp_path / "x.bvh", Fit(), told=lambda line: None)


def test_options_of_the_fit_have_their_own_place_in_the_cache(tmp_path: Path) -> None:
    (tmp_path / "x.bvh").write_text("a")
    fit = Fit()
    for key in ("", "rest_frame=0", ""):
        motions_from(tmp_path / "x.bvh", fit, key=key, told=lambda line: None)
    assert fit.count == 2


def test_what_a_clip_lacks_goes_along_with_what_it_has() -> None:
    q = full(("lumbar_seg_extension", "clav_elevation_r"), np.array([[-0.4, 0.2]]))
    assert q[0, AT["thorax_extension"]] == pytest.approx(-0.22)
    assert q[0, AT["scap_upward_r"]] == pytest.approx(0.2)
    assert q[0, AT["scap_upward_l"]] == 0.0


def test_a_clip_with_holes_is_refused(tmp_path: Path) -> None:
    clip = motion_pack().motion("01_05")
    holed = clip.q[:9].copy()
    holed[4, 2] = np.nan
    wrong = PackedMotion("walk", "x", "own", 30.0, clip.coordinates, holed, 0.0)
    with pytest.raises(InputError, match="walk: frame 4 holds NaN"):
        checked(wrong)
    with pytest.raises(InputError, match=r"walk: expected q \(T, 35\) with T > 0, got \(0, 35\)"):
        checked(PackedMotion("walk", "x", "own", 30.0, clip.coordinates, holed[:0], 0.0))
    with pytest.raises(InputError, match="the skeleton has no knee_r"):
        checked(PackedMotion("walk", "x", "own", 30.0, ("knee_r",), holed[:, :1], 0.0))
    (tmp_path / "x.bvh").write_text("a")
    with pytest.raises(InputError, match="holds NaN"):
        motions_from(tmp_path / "x.bvh", Fit(holed), told=lambda line: None)


def test_marrows_own_motion_becomes_a_clip(tmp_path: Path) -> None:
    skeleton = Skeleton.inside(load_body().rest().landmarks)
    clip = motion_pack().motion("01_05")
    q = clip.full(skeleton.coordinates)[:31]
    time = np.arange(31) / 60.0
    motion = Motion(time, skeleton.coordinates, q, np.zeros((31, 3)), {"gender": 0.2})
    write_motion(tmp_path / "me.npz", motion)
    found, shape = packed(tmp_path / "me.npz")
    assert found.fps == pytest.approx(30.0)
    assert len(found.q) == 16
    assert shape["gender"] == pytest.approx(0.2)
    assert found.error == 0.0
