"""The user's models under names: the same model comes back, for this user alone, and damage is told."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import model_files
import numpy as np
import pytest

from marrow.body.model_file import ModelFile, read_model_file
from marrow.body.shelf import (
    add_model,
    damaged_models,
    find_model,
    models,
    models_dir,
    remove_model,
    stored_model,
)
from marrow.errors import InputError, OutputError, UnknownNameError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MARROW_MODELS", str(tmp_path / "kept" / "models"))
    return tmp_path / "kept" / "models"


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    def make(family: str = "mano", name: str = "MANO_RIGHT.pkl", seed: int = 0) -> Path:
        return model_files.write_pkl(tmp_path / name, model_files.arrays(family, 30, seed=seed))

    return make


def difference(a: ModelFile, b: ModelFile) -> float:
    """Largest difference of the bases; all else must be the same."""
    for name in ("template", "faces"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert (a.joint_regressor != b.joint_regressor).nnz == 0
    for name in ("family", "gender", "parents", "joint_names", "sha256", "source", "licence"):
        assert getattr(a, name) == getattr(b, name)
    for x, y in zip(a.weights, b.weights, strict=True):
        np.testing.assert_array_equal(x, y)
        assert x.dtype == y.dtype
    for mapping in ("landmarks", "extra"):
        x, y = getattr(a, mapping) or {}, getattr(b, mapping) or {}
        assert list(x) == list(y)
        assert all(np.array_equal(x[key], y[key]) for key in x)
    assert a.hands.keys() == b.hands.keys()
    assert all(np.array_equal(u, v) for key in a.hands for u, v in zip(a.hands[key], b.hands[key], strict=True))
    assert (a.landmarks is None) == (b.landmarks is None)
    bases = ("shape_basis", "expression_basis", "pose_basis")
    assert all(getattr(a, name).dtype == getattr(b, name).dtype == np.float64 for name in bases)
    return max(float(np.abs(getattr(a, name) - getattr(b, name)).max(initial=0)) for name in bases)


@pytest.mark.parametrize("family", model_files.SIZES)
def test_the_same_model_comes_back(family: str, file: Callable[..., Path]) -> None:
    path = file(family, "SOME_FEMALE.pkl")
    stored = add_model(path)
    assert 0 < difference(find_model(stored.name), read_model_file(path)) <= 1e-8
    width = model_files.SIZES[family][2]
    assert (stored.vertices, stored.joints) == (30, model_files.SIZES[family][1])
    assert stored.shapes + stored.expressions == width
    assert stored_model(stored.name) == stored
    assert models() == [stored]


def test_a_basis_that_float32_would_round_too_much_stays_whole(tmp_path: Path) -> None:
    content = model_files.arrays("mano", 30)
    content["shapedirs"][0, 0, 0] = 1000.123456789
    path = model_files.write_pkl(tmp_path / "m.pkl", content)
    kept, model = find_model(add_model(path).name), read_model_file(path)
    np.testing.assert_array_equal(kept.shape_basis, model.shape_basis)
    assert not np.array_equal(kept.pose_basis, model.pose_basis)


@pytest.mark.parametrize(
    ("family", "source", "name"),
    [
        ("smpl", "SMPL_NEUTRAL.pkl", "smpl-neutral"),
        ("smpl", "basicModel_f_lbs_10_207_0_v1.0.0.pkl", "smpl-female"),
        ("mano", "MANO_LEFT.pkl", "mano-left"),
        ("flame", "generic_model.pkl", "flame-neutral"),
        ("skel", "skel_male.pkl", "skel-male"),
        ("smplx", "a.pkl", "smplx"),
    ],
)
def test_default_names(family: str, source: str, name: str, file: Callable[..., Path]) -> None:
    assert add_model(file(family, source)).name == name


def test_files_are_for_the_user_alone_and_hold_no_pickles(file: Callable[..., Path], folder: Path) -> None:
    path = file("skel", "skel_male.pkl")
    stored = add_model(path)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert sorted(kept.name for kept in folder.iterdir()) == ["skel-male.json", "skel-male.npz"]
    assert all(stat.S_IMODE(kept.stat().st_mode) == 0o600 for kept in folder.iterdir())
    with np.load(folder / "skel-male.npz", allow_pickle=False) as arrays:
        assert all(arrays[key].dtype != object for key in arrays.files)
    described = json.loads((folder / "skel-male.json").read_text())
    assert described["sha256"] == read_model_file(path).sha256 == stored.sha256
    assert "non-commercial" in described["licence"]


def test_a_taken_name_is_refused_unless_forced(file: Callable[..., Path], folder: Path) -> None:
    first = add_model(file(seed=0))
    assert add_model(file(seed=0)) == first  # the same file again
    with pytest.raises(InputError, match=r"there is a model 'mano-right' already \(from MANO_RIGHT\.pkl\).* --force"):
        add_model(file(seed=1))
    assert models() == [first]
    assert add_model(file(seed=1), "other").name == "other"
    second = add_model(file(seed=1), force=True)
    assert second.sha256 != first.sha256
    assert find_model("mano-right").sha256 == second.sha256
    assert [model.name for model in models()] == ["mano-right", "other"]
    assert len(list(folder.iterdir())) == 4


@pytest.mark.parametrize("name", ["", "SMPL", "../up", "a b", ".hidden", "x" * 65, "default", "anny"])
def test_names_that_cannot_be(name: str, file: Callable[..., Path], folder: Path) -> None:
    with pytest.raises(InputError, match=r"the name '.*"):
        add_model(file(), name)
    assert not folder.exists()


def test_a_path_or_a_name(file: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = file()
    add_model(path)
    monkeypatch.chdir(tmp_path)
    assert find_model(path).sha256 == find_model("MANO_RIGHT.pkl").sha256 == find_model("mano-right").sha256
    with pytest.raises(UnknownNameError, match="there is no model 'mano-rigt'; the nearest: mano-right"):
        find_model("mano-rigt")
    with pytest.raises(InputError, match=r"there is no file models/x\.pkl"):
        find_model("models/x.pkl")
    remove_model("mano-right")
    assert path.exists()
    with pytest.raises(UnknownNameError, match=r"the nearest: .*\. Add your own file with: marrow models add PATH"):
        find_model("mano-right")
    with pytest.raises(UnknownNameError):
        remove_model("../kept")


def test_damage_is_told(file: Callable[..., Path], folder: Path) -> None:
    stored = add_model(file())
    data, described = folder / "mano-right.npz", folder / "mano-right.json"
    whole, text = data.read_bytes(), described.read_text()

    data.write_bytes(whole[:-100])
    assert models() == []
    assert "Add it again: marrow models add PATH --name mano-right --force" in damaged_models()["mano-right"]
    data.write_bytes(whole[:20_000] + b"\xff" + whole[20_001:])
    assert models() == [stored]  # only reading it finds the changed byte
    with pytest.raises(InputError, match="the stored model 'mano-right' is damaged"):
        find_model("mano-right")
    data.unlink()
    with pytest.raises(InputError, match="are missing"):
        find_model("mano-right")

    content = model_files.arrays("mano", 30)
    content["v_template"] += 1
    add_model(model_files.write_pkl(folder.parent / "other.pkl", content), "other")
    data.write_bytes((folder / "other.npz").read_bytes())
    with pytest.raises(InputError, match="its arrays are those of another file"):
        find_model("mano-right")
    data.write_bytes(whole)
    for broken in ("{", text.replace('"format": 1', '"format": 2'), text.replace("30", '"many"')):
        described.write_text(broken)
        with pytest.raises(InputError, match="is damaged"):
            find_model("mano-right")
        with pytest.raises(InputError, match="already, which is damaged"):
            add_model(file())
    assert add_model(file(), force=True).sha256 == stored.sha256
    assert damaged_models() == {}
    (folder / "mano-right.json").rename(folder / "renamed.json")
    data.rename(folder / "renamed.npz")
    assert find_model("renamed").sha256 == stored.sha256


def test_where_models_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: Callable[..., Path]) -> None:
    monkeypatch.delenv("MARROW_MODELS")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert models_dir() == tmp_path / "data" / "marrow" / "models"
    assert models() == []
    monkeypatch.delenv("XDG_DATA_HOME")
    assert models_dir() == Path.home() / ".local" / "share" / "marrow" / "models"
    monkeypatch.setenv("MARROW_MODELS", str(file()))
    with pytest.raises(OutputError, match="could not write"):
        add_model(file())
