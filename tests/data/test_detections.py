"""Errors like the detector's: what they are like, and that nothing but errors is added."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from marrow.body import load_body
from marrow.body.keypoints import place_keypoints
from marrow.conventions import JOINT_SETS, joint_conversion
from marrow.data import detections
from marrow.data.detections import detected, hard_level
from marrow.errors import AssetError, InputError
from marrow.skeleton.tree import at_ease

NAMES = JOINT_SETS["blazepose33"]


def standing(joint_set: str, batch: int, frames: int = 1, turn: float = 0.4) -> torch.Tensor:
    """(batch, frames, J, 2) pixels of somebody at ease, turned by some radians, shoulders 300 above the ankles."""
    body = load_body()
    rest = body.rest()
    points = place_keypoints(body, rest, at_ease(rest.skeleton.coordinates)[None], joint_set)[0]
    x = np.cos(turn) * points[:, 0] + np.sin(turn) * points[:, 2]
    xy = 230 * np.stack([x, -points[:, 1]], -1) + [320, 450]
    return torch.tensor(xy, dtype=torch.float32).expand(batch, frames, -1, 2).clone()


def size_of(xy: torch.Tensor, joint_set: str = "blazepose33") -> float:
    ends = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    limbs = xy[0, 0, [k for k, name in enumerate(JOINT_SETS[joint_set]) if name.split("_")[-1] in ends]]
    return float((limbs.amax(0) - limbs.amin(0)).max())


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("joint_set", ["blazepose33", "h36m17", "coco17"])
def test_level_0_is_the_truth(joint_set: str) -> None:
    xy = standing(joint_set, 5, 4)
    xy[2, 1, 3] = torch.nan
    found, confidence = detected(xy, None, joint_set=joint_set, level=0.0, generator=seeded())
    there = torch.isfinite(xy).all(-1)
    torch.testing.assert_close(found[there], xy[there])
    assert (confidence[there] == 1).all()
    assert (found[~there] == 0).all()
    assert (confidence[~there] == 0).all()


def test_lengths_are_those_measured() -> None:
    xy, table = standing("blazepose33", 4000), detections._table()
    size = size_of(xy)
    for hidden in (False, True):
        seen = torch.full(xy.shape[:3], not hidden)
        found, _ = detected(xy, seen, joint_set="blazepose33", generator=seeded(1))
        away = torch.linalg.vector_norm(found - xy, dim=-1)[:, 0] / size
        want = table["quantiles"]["clean"]["hidden" if hidden else "seen"]
        limbs = [11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28]
        got = torch.quantile(away[:, limbs].flatten(), torch.tensor([0.5, 0.9, 0.99]))
        # the kinds are as often as each other here, and sides are exchanged now and then
        np.testing.assert_allclose(got[:2], want[:2], rtol=0.35)
        assert 0.5 * want[2] < got[2] < 2.5 * want[2]


def test_hidden_points_and_higher_levels_are_worse_and_less_sure() -> None:
    xy = standing("blazepose33", 3000)
    visible = torch.ones(xy.shape[:3], dtype=torch.bool)
    visible[..., 15] = False
    one, sure = detected(xy, visible, joint_set="blazepose33", generator=seeded(2))
    away = torch.linalg.vector_norm(one - xy, dim=-1)[:, 0]
    assert away[:, 15].median() > 1.5 * away[:, 16].median()
    assert sure[..., 15].median() < 0.6 * sure[..., 16].median()
    far = away[:, 16] > away[:, 16].quantile(0.95)
    assert sure[:, 0, 16][far].mean() < 0.9 * sure[:, 0, 16][~far].mean()
    level = torch.full((3000,), 2.0)
    two, _ = detected(xy, visible, joint_set="blazepose33", level=level, generator=seeded(2))
    ratio = torch.linalg.vector_norm(two - xy, dim=-1)[:, 0].median() / away.median()
    assert 1.9 < ratio < 2.1
    assert hard_level() > 1.2


def test_points_err_together_and_for_a_while() -> None:
    xy = standing("blazepose33", 400, 30)
    visible = torch.ones(xy.shape[:3], dtype=torch.bool)
    found, sure = detected(xy, visible, joint_set="blazepose33", fps=30.0, generator=seeded(3))
    error = torch.where(sure[..., None] > 0, found - xy, torch.nan).numpy()[..., 0]
    scale = np.nanmedian(np.abs(error), axis=(0, 1))
    error = np.sign(error) * np.minimum(np.abs(error / scale), 3)  # ranks of sorts: far misses do not decide

    def alike(a: np.ndarray, b: np.ndarray) -> float:
        both = np.isfinite(a) & np.isfinite(b)
        return float(np.corrcoef(a[both], b[both])[0, 1])

    eye, other, ankle = (NAMES.index(n) for n in ("left_eye", "left_eye_outer", "right_ankle"))
    assert alike(error[..., eye], error[..., other]) > 0.6
    assert abs(alike(error[..., eye], error[..., ankle])) < 0.4
    wrist = error[..., NAMES.index("left_wrist")]
    steps = [alike(wrist[:, :-k], wrist[:, k:]) for k in (1, 5, 20)]
    assert steps[0] > 0.5
    assert steps[0] > steps[1] > steps[2]


def test_people_are_lost_in_films_and_never_in_single_pictures() -> None:
    assert (detected(standing("h36m17", 500), None, joint_set="h36m17", generator=seeded(4))[1] > 0).all()
    found, sure = detected(standing("h36m17", 300, 60), None, joint_set="h36m17", generator=seeded(4))
    lost = (sure == 0).all(-1)
    assert (lost == (sure == 0).any(-1)).all()
    assert (found[lost] == 0).all()
    share = detections._table()["lost"]["share"]
    assert 0.5 * share < lost.float().mean() < 1.7 * share
    changes = (lost[:, 1:] != lost[:, :-1]).float().mean()
    assert changes < 0.5 * lost.float().mean()  # in runs


def test_sides_are_exchanged_where_the_person_is_seen_from_behind() -> None:
    shares = []
    for turn in (0.0, np.pi):
        xy = standing("blazepose33", 6000, turn=turn)
        found, _ = detected(
            xy, torch.ones(xy.shape[:3], dtype=torch.bool), joint_set="blazepose33", generator=seeded(5)
        )
        shoulders = (found[..., 11, 0] - found[..., 12, 0]) * (xy[..., 11, 0] - xy[..., 12, 0])
        shares.append(float((shoulders < 0).float().mean()))
    assert shares[1] > 0.005
    assert shares[0] < 0.5 * shares[1]


def test_other_sets_have_the_errors_of_what_they_are_made_of() -> None:
    xy = standing("h36m17", 3000)
    found, sure = detected(xy, torch.ones(xy.shape[:3], dtype=torch.bool), joint_set="h36m17", generator=seeded(6))
    away = torch.linalg.vector_norm(found - xy, dim=-1)[:, 0].median(0).values / size_of(xy, "h36m17")
    names, way = JOINT_SETS["h36m17"], joint_conversion("blazepose33", "h36m17")
    assert (sure > 0).all()
    ankle, spine = names.index("left_ankle"), names.index("spine")
    assert way.residual_mm[spine] > 3 * way.residual_mm[ankle]
    assert away[spine] > 1.2 * away[ankle]


def test_unit_and_place_do_not_matter_and_numbers_come_again() -> None:
    xy = standing("coco17", 50, 3)
    one = detected(xy, None, joint_set="coco17", generator=seeded(7))
    same = detected(xy, None, joint_set="coco17", generator=seeded(7))
    other = detected(xy / 640 - 0.5, None, joint_set="coco17", generator=seeded(7))
    torch.testing.assert_close(one, same, rtol=0, atol=0)
    there = one[1] > 0
    torch.testing.assert_close((other[0][there] + 0.5) * 640, one[0][there], rtol=1e-4, atol=5e-3)
    torch.testing.assert_close(other[1], one[1], rtol=1e-4, atol=1e-4)
    assert detected(xy[:0], None, joint_set="coco17", generator=seeded())[0].shape == (0, 3, 17, 2)


def test_mistakes_are_told() -> None:
    xy = standing("h36m17", 3)
    with pytest.raises(InputError, match=r"\(B, T, 33, 2\) for blazepose33, got \(3, 1, 17, 2\)"):
        detected(xy, None, joint_set="blazepose33", generator=seeded())
    with pytest.raises(InputError, match="visible"):
        detected(xy, torch.ones(3, 1, 16, dtype=torch.bool), joint_set="h36m17", generator=seeded())
    with pytest.raises(InputError, match=r"level: expected a number or \(3,\), got \(2,\)"):
        detected(xy, None, joint_set="h36m17", level=torch.ones(2), generator=seeded())
    with pytest.raises(InputError, match="nearest"):
        detected(xy, None, joint_set="h36m", generator=seeded())
    with pytest.raises(InputError, match="fps"):
        detected(xy, None, joint_set="h36m17", fps=0, generator=seeded())


def test_a_damaged_table_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "detector_errors.json").write_text("{")
    monkeypatch.setattr(detections, "TABLE", tmp_path / "detector_errors.json")
    detections._table.cache_clear()
    try:
        with pytest.raises(AssetError, match="reinstall marrow"):
            hard_level()
    finally:
        detections._table.cache_clear()
