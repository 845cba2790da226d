"""Files of every family: read alike from ``.pkl`` and ``.npz``, recognised by content, refused with a reason."""

from __future__ import annotations

import hashlib
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import model_files
import numpy as np
import pytest
import scipy.sparse

from marrow.body.model_file import FAMILIES, ModelFile, read_model_file
from marrow.errors import InputError

V = 40


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a made-up file of a family, with some keys changed (None leaves one out)."""

    def make(family: str, kind: str = "pkl", name: str | None = None, **changes: Any) -> Path:
        content = model_files.arrays(family, V) | changes
        content = {key: value for key, value in content.items() if value is not None}
        path = tmp_path / (name or f"model.{kind}")
        return (model_files.write_npz if kind == "npz" else model_files.write_pkl)(path, content)

    return make


def same(a: ModelFile, b: ModelFile) -> bool:
    arrays = ("template", "faces", "shape_basis", "expression_basis", "pose_basis")
    return (
        all(np.array_equal(getattr(a, name), getattr(b, name)) for name in arrays)
        and (a.joint_regressor != b.joint_regressor).nnz == 0
        and (a.family, a.parents, a.joint_names) == (b.family, b.parents, b.joint_names)
        and all(np.array_equal(x, y) for x, y in zip(a.weights, b.weights, strict=True))
        and a.extra.keys() == b.extra.keys()
        and all(np.array_equal(a.extra[key], b.extra[key]) for key in a.extra)
    )


@pytest.mark.parametrize("family", model_files.SIZES)
def test_every_family_reads_alike_from_every_kind_of_file(family: str, write: Callable[..., Path]) -> None:
    content = model_files.arrays(family, V)
    model = read_model_file(write(family))
    skel = family == "skel"
    assert model.family == family
    assert model.parents == model_files.PARENTS[family]
    assert len(model.joint_names) == len(set(model.joint_names)) == len(model.parents)
    np.testing.assert_array_equal(model.template, content["skin_template_v" if skel else "v_template"])
    np.testing.assert_array_equal(model.faces, content["skin_template_f" if skel else "f"])
    basis = np.concatenate([model.shape_basis, model.expression_basis])
    np.testing.assert_array_equal(basis, np.moveaxis(content["shapedirs"], -1, 0))
    np.testing.assert_array_equal(model.pose_basis, np.moveaxis(content["posedirs"], -1, 0))
    regressor = content["J_regressor_osim" if skel else "J_regressor"].toarray()
    np.testing.assert_array_equal(model.joint_regressor.toarray(), regressor)
    start, body, weight = model.weights
    dense = scipy.sparse.csr_array((weight, body, start), regressor.T.shape).toarray()
    weights = content["skin_weights"].toarray() if skel else content["weights"]
    np.testing.assert_array_equal(dense, weights.astype(np.float32))
    assert weight.all()
    assert model.template.dtype == basis.dtype == model.pose_basis.dtype == np.float64
    assert (model.faces.dtype, weight.dtype) == (np.int32, np.float32)

    path = write(family, name="python2_text.pkl")
    path.write_bytes(model_files.python2_pickle(content, 0))
    assert same(model, read_model_file(path))
    path.write_bytes(pickle.dumps(content))
    assert same(model, read_model_file(path))
    assert same(model, read_model_file(write(family, "npz")))


def test_axes_of_the_bases(write: Callable[..., Path]) -> None:
    """One number set in the file is found where the documentation says."""
    content = model_files.arrays("smpl", V)
    content["shapedirs"][7, 1, 3] = 5.0
    content["posedirs"][9, 2, 9 * 4 + 3 * 1 + 2] = 6.0  # joint 5, row 1, column 2 of R - I
    model = read_model_file(write("smpl", shapedirs=content["shapedirs"], posedirs=content["posedirs"]))
    assert model.shape_basis[3, 7, 1] == 5.0
    assert model.pose_basis.reshape(23, 3, 3, V, 3)[4, 1, 2, 9, 2] == 6.0


@pytest.mark.parametrize(
    ("family", "width", "shapes", "expressions"),
    [
        ("smplx", 400, 300, 100),
        ("smplx", 20, 10, 10),
        ("smplx", 16, 16, 0),
        ("flame", 400, 300, 100),
        ("flame", 350, 300, 50),
        ("smplh", 400, 400, 0),
    ],
)
def test_expression_follows_shape(
    family: str, width: int, shapes: int, expressions: int, write: Callable[..., Path]
) -> None:
    content = model_files.arrays(family, V, width)
    model = read_model_file(write(family, shapedirs=content["shapedirs"]))
    assert (len(model.shape_basis), len(model.expression_basis)) == (shapes, expressions)
    assert model.expression_basis.shape[1:] == (V, 3)


def test_hands_face_and_bones(write: Callable[..., Path]) -> None:
    smplx, mano, skel = (read_model_file(write(family)) for family in ("smplx", "mano", "skel"))
    content = model_files.arrays("smplx", V)
    assert list(smplx.hands) == ["left", "right"]
    assert list(mano.hands) == ["hand"]
    np.testing.assert_array_equal(smplx.hands["right"][0], content["hands_componentsr"])
    np.testing.assert_array_equal(smplx.hands["left"][1], content["hands_meanl"])
    assert smplx.landmarks is not None
    np.testing.assert_array_equal(smplx.landmarks["faces"], content["lmk_faces_idx"])
    np.testing.assert_array_equal(smplx.landmarks["contour_barycentric"], content["dynamic_lmk_bary_coords"])
    assert mano.landmarks is None
    assert read_model_file(write("smplh", hands_meanl=None, hands_meanr=None)).hands == {}
    assert skel.joint_names == model_files.SKEL_JOINTS
    assert skel.extra["skel_template_v"].shape == (2 * V, 3)
    assert skel.extra["J_regressor"].shape == (24, V)
    assert skel.extra["pose_params_name"].tolist() == [f"q{i}" for i in range(46)]
    assert mano.extra == {}


def test_a_selection_of_chumpy_is_read_and_an_expression_told_of(write: Callable[..., Path]) -> None:
    whole = np.random.default_rng(1).normal(size=(V, 3, 12))
    entries = np.arange(whole.size).reshape(whole.shape)[..., :10]
    chosen = model_files.Select(model_files.Ch(whole), entries.reshape(-1), entries.shape)
    model = read_model_file(write("mano", shapedirs=chosen, J=model_files.MatVecMult()))
    np.testing.assert_array_equal(np.moveaxis(model.shape_basis, 0, -1), whole[..., :10])
    with pytest.raises(InputError, match=r"'v_template' is a chumpy\.ch\.MatVecMult that cannot be read"):
        read_model_file(write("mano", v_template=model_files.MatVecMult()))


def test_names_do_not_decide_the_family_and_tell_the_gender(write: Callable[..., Path]) -> None:
    path = write("flame", name="SMPL_MALE.pkl.bak")
    model = read_model_file(str(path))
    assert (model.family, model.gender, model.source) == ("flame", "male", "SMPL_MALE.pkl.bak")
    assert model.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    for name, gender in {
        "basicModel_f_lbs_10_207_0_v1.0.0.pkl": "female",
        "SMPLX_NEUTRAL.npz": "neutral",
        "female_model.pkl": "female",
        "formale.pkl": "",
        "MANO_RIGHT.pkl": "",
    }.items():
        assert read_model_file(write("smpl", name.rsplit(".")[-1], name)).gender == gender, name
    assert read_model_file(write("smpl", "npz", "x_male.npz", gender=np.array("female"))).gender == "female"


def test_the_notice_says_whose_file_it_is(write: Callable[..., Path]) -> None:
    for family in FAMILIES:
        notice = read_model_file(write(family)).licence
        assert FAMILIES[family].title in notice
        assert "non-commercial" in notice


def changed(family: str, key: str, change: Callable[[Any], Any]) -> dict[str, Any]:
    return {key: change(model_files.arrays(family, V)[key])}


def with_value(place: Any, value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(array: np.ndarray) -> np.ndarray:
        array[place] = value
        return array

    return change


@pytest.mark.parametrize(
    ("family", "key", "change", "message"),
    [
        ("smpl", "posedirs", lambda _: None, "'posedirs' missing; a SMPL-like file has v_template, f"),
        ("smpl", "posedirs", lambda a: a[..., :-1], r"'posedirs' must have the shape (40, 3, 207); got (40, 3, 206)"),
        ("smpl", "shapedirs", lambda a: a[:-1], "'shapedirs' must have the shape (40, 3, S); got (39, 3, 10)"),
        ("smpl", "v_template", lambda a: a[:, :2], "'v_template' must have the shape (V, 3); got (40, 2)"),
        ("smpl", "v_template", lambda a: a[:0], "'v_template' has no vertices"),
        ("smpl", "v_template", lambda _: "none", "'v_template' must be an array (V, 3) of numbers; got a"),
        ("smpl", "v_template", with_value((3, 1), np.nan), "'v_template' has 1 values that are not finite"),
        ("smpl", "v_template", lambda a: 1000 * a, "across; expected metres"),
        ("smpl", "weights", lambda a: a[:, :-1], "'weights' must have the shape (40, 24); got (40, 23)"),
        ("smpl", "weights", with_value(5, 0.0), "'weights' must sum to 1 at every vertex; at vertex 5 they sum to 0"),
        ("smpl", "f", with_value((0, 0), V), "'f' must name vertices 0 to 39; got 0 to 40"),
        ("smpl", "f", lambda a: a.astype(float) + 0.5, "'f' must be whole numbers; got fractions"),
        ("smpl", "J_regressor", lambda a: a[:-1], "'J_regressor' must have the shape (24, 40); got (23, 40)"),
        ("smpl", "J_regressor", lambda a: a * np.inf, "'J_regressor' must hold finite numbers"),
        ("smpl", "J_regressor", lambda _: None, "'J_regressor' missing"),
        ("smpl", "kintree_table", lambda a: a[:, :20], "'kintree_table' speaks of 20 joints, as none of the families"),
        ("smpl", "kintree_table", with_value((0, 4), 9), "joint 4 has the parent 9"),
        ("smpl", "kintree_table", lambda a: a[:, ::-1], "'kintree_table' must number the joints 0 to 23"),
        ("mano", "hands_mean", lambda a: a[:44], "'hands_mean' must have the shape (45,); got (44,)"),
        ("flame", "lmk_faces_idx", with_value(0, 10_000), "'lmk_faces_idx' must name faces 0 to 75; got"),
        ("flame", "lmk_bary_coords", lambda a: a[1:], "'lmk_bary_coords' must have the shape (51, 3); got (50, 3)"),
        ("skel", "version", lambda _: "1.0.0", "a SKEL file of version 1.0.0; 1.1.1 is read"),
        ("skel", "version", lambda _: None, "a SKEL file without a version; 1.1.1 is read"),
        ("skel", "joints_name", lambda a: a[:3], "'joints_name' must name the 24 joints"),
        ("skel", "skin_weights", lambda _: None, "'skin_weights' missing; a SKEL file has"),
        ("skel", "skel_weights", lambda a: a[:-1], "'skel_weights' must have the shape (80, 24); got (79, 24)"),
        ("skel", "skel_template_v", lambda a: a.T, "'skel_template_v' must have the shape (N, 3); got (3, 80)"),
    ],
)
@pytest.mark.parametrize("kind", ["pkl", "npz"])
def test_a_wrong_file_is_told_of_by_key(
    family: str, key: str, change: Callable[[Any], Any], message: str, kind: str, write: Callable[..., Path]
) -> None:
    with pytest.raises(InputError) as told:
        read_model_file(write(family, kind, **changed(family, key, change)))
    assert message in str(told.value)
    assert "model." + kind in str(told.value)


def test_a_sparse_matrix_that_would_fill_the_memory(write: Callable[..., Path]) -> None:
    huge = scipy.sparse.coo_matrix(([1.0], ([0], [0])), shape=(24, 2**31 - 1))
    with pytest.raises(InputError, match="'J_regressor' must be a matrix of a body; got"):
        read_model_file(write("skel", J_regressor=huge))
    with pytest.raises(InputError, match=r"'J_regressor' must have the shape \(24, 40\)"):
        read_model_file(write("smpl", J_regressor=huge))


def test_other_files_are_refused_with_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file.pkl"
    with zipfile.ZipFile(tmp_path / "torch.pt", "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}.")
    np.savez(tmp_path / "motion.npz", q=np.zeros(3))
    for content, message in {
        b"": "the file is empty",
        b"Kaydara FBX Binary  \0": "an FBX file (MHR comes as such), not a model file. Read are SMPL",
        b"<!DOCTYPE html>": "may be its log-in page",
        b"version https://git-lfs.github.com/spec/v1\n": "git lfs pull",
        b"hello": "neither a pickle nor .npz",
        pickle.dumps([1, 2]): "a pickle of a list",
        pickle.dumps({"q": 1}): "not a body model that marrow reads (SMPL, SMPL-H",
        (tmp_path / "torch.pt").read_bytes(): "PyTorch files are not read",
        (tmp_path / "motion.npz").read_bytes(): "it holds q",
    }.items():
        path.write_bytes(content)
        with pytest.raises(InputError) as told:
            read_model_file(path)
        assert message in str(told.value)
        assert "file.pkl" in str(told.value)


def test_folders_and_missing_files(tmp_path: Path, write: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match=r"is a folder; no \.pkl or \.npz is in it"):
        read_model_file(tmp_path)
    write("mano", name="MANO_LEFT.pkl")
    with pytest.raises(InputError, match=r"is a folder; give one of its files: MANO_LEFT\.pkl"):
        read_model_file(tmp_path)
    with pytest.raises(InputError, match="there is no file"):
        read_model_file(tmp_path / "SMPL.pkl")


@pytest.mark.parametrize("kind", ["pkl", "npz"])
@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
def test_truncated_files(kind: str, share: float, write: Callable[..., Path]) -> None:
    path = write("mano", kind)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(InputError, match="truncated"):
        read_model_file(path)
