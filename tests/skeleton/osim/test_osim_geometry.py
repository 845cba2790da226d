"""A user's own folder of OpenSim meshes: found, placed on the person's joints, and loaded by OpenSim itself."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marrow import io
from marrow.bench.osim_export import export_of, random_person
from marrow.body import DefaultBody, load_body
from marrow.errors import InputError
from marrow.skeleton import Skeleton
from marrow.skeleton.osim.geometry import placed_meshes, read_geometry_folder
from marrow.types import Float64

opensim = pytest.importorskip("opensim")

SHARED = Path(__file__).parents[4] / "shared/data/opensim"

#: Vertices of the meshes that the tests write: two joints of the generic model in the mesh's own axes (Rajagopal 2016,
#: Gait2392), and the segments of the written model whose origins they shall meet. Numbers are those of the models.
RAJAGOPAL: Mapping[str, Mapping[str, tuple[float, float, float]]] = {
    "r_femur.vtp": {"femur_r": (0, 0, 0), "tibia_r": (-0.00809, -0.40796, -0.00275)},
    "l_femur.obj": {"femur_l": (0, 0, 0), "tibia_l": (-0.00809, -0.40796, 0.00275)},
    "r_tibia.stl": {"tibia_r": (-0.00809, -0.003535, -0.001485), "talus_r": (-0.01, -0.4, 0)},
    "l_fibula.vtp": {"tibia_l": (-0.00809, -0.003535, 0.001485), "talus_l": (-0.01, -0.4, 0)},
    "r_talus.vtp": {"talus_r": (0, 0, 0), "toes_r": (0.13003, -0.04395, 0.009)},
    "r_foot.obj": {"talus_r": (0.04877, 0.04195, -0.00792), "toes_r": (0.1788, -0.002, 0.00108)},
    "l_bofoot.obj": {"toes_l": (0, 0, 0)},
    "humerus_rv.vtp": {"humerus_r": (0, 0, 0), "ulna_r": (0.013144, -0.286273, -0.009595)},
    "ulna_lv.vtp": {"ulna_l": (0, 0, 0), "hand_l": (-0.015524, -0.248848, -0.039693)},
    "radius_rv.stl": {"ulna_r": (0.006727, 0.013007, -0.026083), "hand_r": (-0.008797, -0.235841, 0.01361)},
    "capitate_rvs.vtp": {"hand_r": (0, 0, 0)},
    "hat_ribs_scap.vtp": {"humerus_r": (0.003155, 0.3715, 0.17), "humerus_l": (0.003155, 0.3715, -0.17)},
    "l_pelvis.vtp": {"femur_r": (-0.056276, -0.07849, 0.07726), "femur_l": (-0.056276, -0.07849, -0.07726)},
}
GAIT2392: Mapping[str, Mapping[str, tuple[float, float, float]]] = {
    "femur_r.vtp": {"femur_r": (0, 0, 0), "tibia_r": (-0.0042, -0.3959, 0)},
    "tibia_l.vtp": {"tibia_l": (0, 0, 0), "talus_l": (0, -0.43, 0)},
    "fibula.vtp": {"tibia_r": (0, 0, 0), "talus_r": (0, -0.43, 0)},
    "bofoot.vtp": {"toes_r": (0, 0, 0)},
    "sacrum.vtp": {"femur_r": (-0.0707, -0.0661, 0.0835), "femur_l": (-0.0707, -0.0661, -0.0835)},
}


@pytest.fixture(scope="module")
def body() -> DefaultBody:
    return load_body("default")


def somebody(body: DefaultBody, seed: int) -> io.PersonExport:
    """A person whose sides are alike, as the model's joints at zero then are."""
    return export_of(body, *random_person(body, np.random.default_rng(seed), 2))


def write_mesh(path: Path, places: Float64) -> None:
    """A flat triangle fan over some points, in the kind of file that the suffix names."""
    corners = np.vstack([places, places.mean(0) + [0.01, 0, 0], places.mean(0) + [0, 0.01, 0.01]])
    faces = [(0, k, k + 1) for k in range(1, len(corners) - 1)]
    if path.suffix == ".obj":
        lines = ["v {:.9f} {:.9f} {:.9f}".format(*x) for x in corners]
        path.write_text("\n".join([*lines, *(f"f {a + 1} {b + 1} {c + 1}" for a, b, c in faces)]) + "\n")
    elif path.suffix == ".stl":
        loops = ["\n".join("vertex {:.9f} {:.9f} {:.9f}".format(*corners[k]) for k in face) for face in faces]
        facets = [f"facet normal 0 0 1\nouter loop\n{loop}\nendloop\nendfacet" for loop in loops]
        path.write_text("\n".join(["solid bone", *facets, "endsolid bone"]) + "\n")
    else:
        points = "\n".join("{:.9f} {:.9f} {:.9f}".format(*x) for x in corners)
        ends = " ".join(str(3 * (k + 1)) for k in range(len(faces)))
        corner = "\n".join(" ".join(map(str, face)) for face in faces)
        path.write_text(
            f'<?xml version="1.0"?>\n<VTKFile type="PolyData" version="0.1" byte_order="LittleEndian"><PolyData>'
            f'<Piece NumberOfPoints="{len(corners)}" NumberOfVerts="0" NumberOfLines="0" NumberOfStrips="0" '
            f'NumberOfPolys="{len(faces)}"><PointData></PointData><CellData></CellData>'
            f'<Points><DataArray type="Float32" NumberOfComponents="3" format="ascii">\n{points}\n</DataArray></Points>'
            f'<Polys><DataArray type="Int32" Name="connectivity" format="ascii">\n{corner}\n</DataArray>'
            f'<DataArray type="Int32" Name="offsets" format="ascii">\n{ends}\n</DataArray></Polys>'
            "</Piece></PolyData></VTKFile>\n"
        )


def write_folder(folder: Path, files: Mapping[str, Mapping[str, tuple[float, float, float]]]) -> Path:
    folder.mkdir()
    for name, joints in files.items():
        write_mesh(folder / name, np.array(list(joints.values()), float))
    return folder


def loaded(path: Path) -> tuple[Any, Any, str]:
    """The model at zero coordinates, its state, and what OpenSim had to say."""
    opensim.Logger.removeFileSink()
    sink = opensim.StringLogSink()
    opensim.Logger.setLevelString("Warn")
    opensim.Logger.addSink(sink)
    try:
        model = opensim.Model(str(path))
        state = model.initSystem()
    finally:
        opensim.Logger.removeSink(sink)
    for coordinate in model.getCoordinateSet():
        if not coordinate.getLocked(state):
            coordinate.setValue(state, 0.0, False)
    model.realizePosition(state)
    return model, state, sink.getString()


def meshes(model: Any) -> Iterator[Any]:
    for component in model.getComponentsList():
        mesh = opensim.Mesh.safeDownCast(component)
        if mesh is not None:
            yield mesh


def in_ground(mesh: Any, state: Any, local: Float64) -> Float64:
    """Points of a mesh where OpenSim draws them."""
    transform = mesh.getFrame().getTransformInGround(state)
    R = np.array([[transform.R().get(i, j) for j in range(3)] for i in range(3)])
    return (local * mesh.get_scale_factors().to_numpy()) @ R.T + transform.p().to_numpy()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("files", [RAJAGOPAL, GAIT2392], ids=["Rajagopal", "Gait2392"])
def test_opensim_draws_the_users_bones_between_the_persons_joints(body, tmp_path, files, seed):
    folder = write_folder(tmp_path / "Their Geometry", files)
    person = dataclasses.replace(somebody(body, seed), geometry=folder)
    (remark,) = io.save(tmp_path / "x.osim", person)
    assert re.search(r"lacks \d+ of \d+ bones \(legs of (Rajagopal 2016|Gait2392)\)", remark)
    assert not (tmp_path / "Geometry").exists()
    model, state, log = loaded(tmp_path / "x.osim")
    assert log == ""
    drawn = {Path(mesh.get_mesh_file()).name: mesh for mesh in meshes(model)}
    assert set(drawn) == set(files)
    for name, joints in files.items():
        if name in ("l_pelvis.vtp", "sacrum.vtp", "hat_ribs_scap.vtp"):
            continue  # wide parts meet the middle of the two joints, and their distance: below
        found = in_ground(drawn[name], state, np.array(list(joints.values()), float))
        for segment, place in zip(joints, found, strict=True):
            origin = model.getBodySet().get(segment).getPositionInGround(state).to_numpy()
            np.testing.assert_allclose(place, origin, atol=1e-6, err_msg=f"{name} at {segment}")
    for name in {"l_pelvis.vtp", "sacrum.vtp", "hat_ribs_scap.vtp"} & set(files):
        right, left = in_ground(drawn[name], state, np.array(list(files[name].values()), float))
        origins = [model.getBodySet().get(s).getPositionInGround(state).to_numpy() for s in files[name]]
        np.testing.assert_allclose(0.5 * (right + left), np.mean(origins, 0), atol=1e-6)
        assert np.linalg.norm(right - left) == pytest.approx(np.linalg.norm(origins[0] - origins[1]), abs=1e-6)


def test_a_mesh_that_opensim_cannot_use_is_told_by_it(body, tmp_path):
    """The log that is empty above is not empty for a broken or a missing file."""
    folder = write_folder(tmp_path / "g", RAJAGOPAL)
    io.save(tmp_path / "x.osim", dataclasses.replace(somebody(body, 0), geometry=folder))
    (folder / "r_femur.vtp").unlink()
    (folder / "l_fibula.vtp").write_text("no mesh")
    log = loaded(tmp_path / "x.osim")[2]
    assert "Couldn't find file 'g/r_femur.vtp'" in log
    assert "couldn't open g/l_fibula.vtp" in log


def test_files_are_named_so_that_they_are_found(body, tmp_path):
    """Below the model: from there. In its own Geometry: alone. Elsewhere: by the whole path."""
    person = somebody(body, 0)
    (tmp_path / "model").mkdir()
    expected = {
        tmp_path / "model" / "Geometry": "r_femur.vtp",
        tmp_path / "model" / "bones": "bones/r_femur.vtp",
        tmp_path / "elsewhere": f"{(tmp_path / 'elsewhere').as_posix()}/r_femur.vtp",
    }
    for folder, name in expected.items():
        write_folder(folder, {"r_femur.vtp": RAJAGOPAL["r_femur.vtp"]})
        io.save(tmp_path / "model" / "x.osim", dataclasses.replace(person, geometry=folder))
        model, _, log = loaded(tmp_path / "model" / "x.osim")
        assert log == ""
        assert [mesh.get_mesh_file() for mesh in meshes(model)] == [name]
        assert "user's own OpenSim" in model.get_credits()


def test_the_sides_mirror_each_other(tmp_path):
    skeleton = Skeleton.inside(load_body("default").rest({}).landmarks)
    pairs = {"r_femur": "l_femur", "r_tibia": "l_tibia", "r_foot": "l_foot", "humerus_rv": "humerus_lv",
             "metacarpal3_rvs": "metacarpal3_lvs", "index_distal_rvs": "index_distal_lvs"}  # fmt: skip
    for name in [*pairs, *pairs.values()]:
        (tmp_path / f"{name}.vtp").touch()
    placed = {
        mesh.file: mesh for own in placed_meshes(read_geometry_folder(tmp_path), skeleton).values() for mesh in own
    }
    flip = np.diag([1.0, 1.0, -1.0])
    for right, left in ((placed[f"{a}.vtp"], placed[f"{b}.vtp"]) for a, b in pairs.items()):
        np.testing.assert_allclose(right.scale, left.scale, atol=1e-6)
        np.testing.assert_allclose(flip @ right.R @ flip, left.R, atol=1e-5)
        np.testing.assert_allclose(flip @ right.p, left.p, atol=1e-5)


def test_what_a_folder_holds(tmp_path):
    for name in ("r_femur.obj", "r_femur.vtp", "R_Tibia.VTP", "sacrum.stl", "readme.txt", "treadmill.vtp"):
        (tmp_path / name).touch()
    found = read_geometry_folder(tmp_path)
    assert found.model == "Rajagopal 2016"
    assert found.files == {"r_femur": "r_femur.vtp", "r_tibia": "R_Tibia.VTP", "sacrum": "sacrum.stl"}
    assert {"l_femur", "hat_skull", "humerus_lv"} < set(found.missing)
    (tmp_path / "femur_r.vtp").touch()
    assert read_geometry_folder(tmp_path).model == "Gait2392"


def test_a_folder_without_bones_is_told(tmp_path):
    with pytest.raises(InputError, match=r"not there; give the folder Geometry"):
        read_geometry_folder(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"is a file; give the folder Geometry"):
        read_geometry_folder(tmp_path / "file")
    with pytest.raises(InputError, match=r"none of OpenSim's bones, such as r_femur\.vtp"):
        read_geometry_folder(tmp_path)
    (tmp_path / "Geometry").mkdir()
    with pytest.raises(InputError, match=r"did you mean .*Geometry\?"):
        read_geometry_folder(tmp_path)


@pytest.mark.skipif(not SHARED.exists(), reason="OpenSim's own models are not on this machine")
@pytest.mark.parametrize("model", ["Rajagopal/Rajagopal2016", "Gait2392_Simbody/gait2392_thelen2003muscle"])
def test_the_models_own_mesh_names_are_known(tmp_path, model):
    text = (SHARED / "Models" / f"{model}.osim").read_text()
    names = set(re.findall(r"<mesh_file>([^<]+)</mesh_file>", text)) - {"treadmill.vtp"}
    for name in names:
        (tmp_path / name).touch()
    found = read_geometry_folder(tmp_path)
    assert set(found.files.values()) == names
    assert all(name.endswith(("v", "vs")) for name in found.missing)  # Gait2392 has no arms
