"""Motion files onto marrow's body: what went in comes out, whatever the maker's names and units."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from marrow.bench.rig import pose_on_rig
from marrow.body import load_body
from marrow.body.anatomy import landmarks
from marrow.body.keypoints import KeypointSource
from marrow.body.markers import MARKERS
from marrow.cli import main
from marrow.conventions import to_ground
from marrow.conversion import Converted, _undetermined, convert, from_meshes
from marrow.data.bvh_clip import NAMINGS
from marrow.data.motion_pack import motion_pack
from marrow.errors import InputError, OutputError
from marrow.fit.markers import landmark_of, placed
from marrow.fit.meshes import owners
from marrow.io.c3d import C3d, write_c3d
from marrow.io.mot import read_mot
from marrow.io.npz import read_motion, write_motion
from marrow.io.trc import MarkerData, write_trc
from marrow.skeleton import Skeleton
from marrow.types import OBSERVED, PRIOR, Motion

LEGS = ("hip_flexion", "hip_adduction", "knee_angle", "ankle_angle")


@pytest.fixture(scope="module")
def walk() -> Converted:
    body, clip = load_body(), motion_pack().motion("02_01")
    rest = body.rest()
    skeleton = Skeleton.inside(rest.landmarks)
    q = clip.full(skeleton.coordinates, np.zeros(len(skeleton.coordinates)))[:45]
    _, p = skeleton.forward(q)
    motion = Motion(np.arange(len(q)) / 30, skeleton.coordinates, q, p[:, 0], {})
    return Converted("walk", motion, skeleton, rest, body, {})


@pytest.fixture(scope="module")
def bvh(walk, tmp_path_factory):
    path = tmp_path_factory.mktemp("bvh") / "walk.bvh"
    walk.save(path)
    return path


def difference(found: Motion, walk: Converted, name: str) -> float:
    """Median absolute difference, degrees."""
    ours, theirs = (m.q[:, m.coordinates.index(name)] for m in (found, walk.motion))
    return float(np.degrees(np.median(np.abs(ours - theirs))))


def test_own_motion_file_comes_back_as_it_was(walk, tmp_path):
    path = tmp_path / "motion.npz"
    write_motion(path, walk.motion)
    found = convert(path, tmp_path / "again.npz")
    np.testing.assert_array_equal(found.motion.q, walk.motion.q)
    assert (tmp_path / "again.npz").read_bytes() == path.read_bytes()
    assert found.residual == {}


def test_own_bvh_gives_the_angles_back(walk, bvh):
    found = convert(bvh)
    assert len(found.motion.time) == 45
    np.testing.assert_allclose(np.diff(found.motion.time), 1 / 30, rtol=1e-6)
    for name in LEGS:
        assert difference(found.motion, walk, f"{name}_r") < 2.5
    assert difference(found.motion, walk, "pelvis_rotation") < 1.0
    residual = np.concatenate(list(found.residual.values()))
    assert 1000 * np.nanmedian(residual) < 5
    height = found.rest.vertices[:, 1].max()
    assert abs(height - walk.rest.vertices[:, 1].max()) < 0.04


def renamed(text: str, naming) -> str:
    """marrow's BVH with another maker's names; what that maker has no name for keeps its own."""
    own = NAMINGS[-1]
    table = {own.root: naming.root, own.spine[0]: naming.spine[0]}
    if naming.head != own.head:
        table[own.head[0]] = naming.thorax[0]
    for mine, theirs in zip(own.sides, naming.sides, strict=True):
        for part in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist"):
            table[getattr(own, part).format(mine)] = getattr(naming, part).format(theirs)
        table[own.mtp[0].format(mine)] = naming.mtp[0].format(theirs)
    text = re.sub(r"(ROOT|JOINT) (\S+)", lambda m: f"{m[1]} {table.get(m[2], m[2])}", text)
    # The neck of marrow's file is the joint that carries the head; other makers have a joint of that name above it.
    return text if naming.head == own.head else with_head(text, naming)


def with_head(text: str, naming) -> str:
    if naming.thorax[0] == naming.head[0]:
        return text
    start = text.index(f"JOINT {naming.thorax[0]}\n")
    end = text.index("End Site", start)
    stop = text.index("}", end) + 1
    block = text[end:stop]
    head = f"JOINT {naming.head[0]}\n{{\nOFFSET 0 0 0\nCHANNELS 0\n{block}\n}}"
    return text[:end] + head + text[stop:]


@pytest.mark.parametrize("naming", NAMINGS[:-1], ids=lambda naming: naming.root + naming.hip)
def test_names_and_units_of_other_makers(naming, walk, bvh, tmp_path):
    path = tmp_path / "theirs.bvh"
    path.write_text(renamed(bvh.read_text(), naming))
    found = convert(path, tmp_path / "out.glb")
    assert (tmp_path / "out.glb").stat().st_size > 1e6
    for name in LEGS:
        assert difference(found.motion, walk, f"{name}_r") < 3.0


def test_units_are_found_out(walk, bvh, tmp_path):
    """The same figure in centimetres, millimetres and inches."""
    words = bvh.read_text()
    lengths = ["position" in channel for line in re.findall(r"CHANNELS \d (.*)", words) for channel in line.split()]
    for factor in (100.0, 1000.0, 1 / 0.0254):
        scaled = re.sub(
            r"OFFSET (\S+) (\S+) (\S+)",
            lambda m, f=factor: "OFFSET " + " ".join(f"{float(m[k]) * f:.9g}" for k in (1, 2, 3)),
            words,
        )
        head, _, rows = scaled.partition("Frame Time:")
        time, *rows = rows.splitlines()
        values = [[float(v) for v in row.split()] for row in rows if row.strip()]
        factors = np.where(lengths, factor, 1.0)
        rows = [" ".join(f"{v:.9g}" for v in factors * row) for row in values]
        path = tmp_path / "scaled.bvh"
        path.write_text(head + "Frame Time:" + "\n".join([time, *rows]) + "\n")
        found = convert(path)
        assert abs(found.rest.vertices[:, 1].max() - walk.rest.vertices[:, 1].max()) < 0.04


def test_an_unknown_format_is_refused_before_anything_is_written(bvh, tmp_path, capsys):
    assert main(["convert", str(bvh), str(tmp_path / "a.csv"), str(tmp_path / "a.foo")]) == 2
    assert "cannot save as .foo" in capsys.readouterr().err
    assert not (tmp_path / "a.csv").exists()


def test_the_users_own_bones(walk, tmp_path, capsys):
    write_motion(tmp_path / "motion.npz", walk.motion)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "femur_r.stl").touch()
    line = ["convert", str(tmp_path / "motion.npz"), str(tmp_path / "walk.osim"), "--bones"]
    assert main([*line, str(tmp_path / "mine")]) == 0
    assert "lacks 78 of 79 bones (legs of Gait2392)" in capsys.readouterr().out
    assert "<mesh_file>mine/femur_r.stl</mesh_file>" in (tmp_path / "walk.osim").read_text()
    assert main([*line, str(tmp_path / "yours"), "--force"]) == 2
    assert "yours is not there; give the folder Geometry" in capsys.readouterr().err
    assert main(["convert", line[1], str(tmp_path / "a.glb"), "--bones", str(tmp_path / "mine")]) == 2
    assert "name one too, such as motion.osim" in capsys.readouterr().err


def test_a_file_that_exists_is_kept(bvh, tmp_path, capsys):
    (tmp_path / "a.csv").touch()
    assert main(["convert", str(bvh), str(tmp_path / "a.csv")]) == OutputError.exit_code
    assert "a.csv exists; nothing was overwritten. Give another name, or add --force" in capsys.readouterr().err


def test_clear_errors(bvh, tmp_path):
    with pytest.raises(InputError, match="no such file"):
        convert(tmp_path / "none.bvh")
    with pytest.raises(InputError, match=r"cannot read \.fbx"):
        convert(tmp_path / "none.fbx")
    with pytest.raises(InputError, match=r"cannot write \.fbx"):
        convert(bvh, tmp_path / "x.fbx")
    with pytest.raises(InputError, match="no person"):
        convert(bvh, metres_per_unit=0.01)
    with pytest.raises(InputError, match="rest frame 99 is not one of its 45 frames"):
        convert(bvh, rest_frame=99)
    strange = tmp_path / "strange.bvh"
    strange.write_text(bvh.read_text().replace("femur_", "upper_limb_"))
    with pytest.raises(InputError, match="Rename the joints"):
        convert(strange)
    lying = tmp_path / "lying.bvh"
    lying.write_text(re.sub(r"OFFSET (\S+) (\S+) (\S+)", r"OFFSET \1 \3 \2", bvh.read_text()))
    with pytest.raises(InputError, match="--rest FRAME"):
        convert(lying)
    giant = tmp_path / "giant.bvh"
    giant.write_text(re.sub(r"OFFSET (\S+) (\S+) (\S+)", r"OFFSET \g<1>e5 \g<2>e5 \g<3>e5", bvh.read_text()))
    with pytest.raises(InputError, match=r"measures \d+ of the file's units, which is no person"):
        convert(giant)
    amc = tmp_path / "01_01.amc"
    amc.write_text(":DEGREES\n")
    with pytest.raises(InputError, match="--skeleton"):
        convert(amc)


@pytest.fixture(scope="module")
def markers(walk):
    """marrow's markers on the walker, each with its own error of placement, in marrow's world."""
    table = {landmark.name: landmark for landmark in landmarks()}
    sources = [
        KeypointSource(name, vertices=table[on].vertices, vertex_weights=table[on].weights)
        for name, (on, _) in MARKERS.items()
    ]
    xyz = placed(walk, sources)
    return xyz + np.random.default_rng(0).normal(0, 0.004, xyz.shape[1:])


@pytest.mark.parametrize(("suffix", "up"), [(".trc", None), (".trc", "z"), (".c3d", None)])
def test_markers_give_the_angles_back(suffix, up, walk, markers, tmp_path):
    ground = to_ground(markers)
    if suffix == ".c3d" or up == "z":
        ground = ground @ np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]).T
    ground[10:20, 3] = np.nan
    data = MarkerData(tuple(MARKERS), walk.motion.time, ground, 30.0, "mm")
    path = tmp_path / f"walk{suffix}"
    if suffix == ".trc":
        write_trc(path, data)
    else:
        pytest.importorskip("ezc3d")
        write_c3d(path, C3d(data))
    found = convert(path, up=up)
    assert found.warnings == ()
    assert set(found.residual) == set(MARKERS)
    for name in (*LEGS, "elbow_flex"):
        assert difference(found.motion, walk, f"{name}_r") < 2.0
    assert np.nanmedian(np.concatenate(list(found.residual.values()))) < 0.01


def test_wrong_axis_and_unknown_markers_are_told(walk, markers, tmp_path):
    names = tuple(f"cluster{i}" if i % 5 == 0 else name for i, name in enumerate(MARKERS))
    data = MarkerData(names, walk.motion.time, to_ground(markers), 30.0, "m")
    write_trc(tmp_path / "walk.trc", data)
    found = convert(tmp_path / "walk.trc", up="z")
    assert any("left out: cluster0" in told for told in found.warnings)
    assert any("Try --up y" in told for told in found.warnings)
    data = MarkerData(tuple(f"m{i}" for i in range(len(names))), walk.motion.time, to_ground(markers), 30.0, "m")
    write_trc(tmp_path / "nameless.trc", data)
    with pytest.raises(InputError, match="Plug-in Gait"):
        convert(tmp_path / "nameless.trc")


@pytest.mark.parametrize(
    ("marker", "landmark"),
    [
        ("RKNE", "lateral_femoral_epicondyle_r"),
        ("Walker:LASI", "asis_l"),
        ("R.Knee.Lat", "lateral_femoral_epicondyle_r"),
        ("V.Sacral", "sacrum"),
        ("LMT5", "metatarsal_head_5_l"),
        ("L.Toe.Tip", "toe_tip_l"),
        ("C7", "c7"),
        ("RTIB", None),
    ],
)
def test_laboratories_names(marker, landmark):
    assert landmark_of(marker) == landmark


def test_static_trial_places_clusters(walk, markers, tmp_path):
    """Knee and ankle markers only in the static trial, as laboratories do; clusters on thigh and shank in both."""
    bony = [n for n in MARKERS if not re.search(r"LFC|MFC|TTB|MAL|GTR", n)]
    cluster = {}
    for side in "rl":
        for body, at in (("femur", -0.2), ("tibia", -0.18)):
            for k, (x, z) in enumerate(((0.07, 0.02), (0.03, 0.08), (-0.03, 0.07))):
                cluster[f"{body}{side}{k}"] = (f"{body}_{side}", (x, at, z if side == "r" else -z))
    R, p = walk.skeleton.forward(walk.motion.q, walk.motion.translation)
    index = walk.skeleton.body_index
    moving = np.stack([p[:, index(b)] + R[:, index(b)] @ np.array(at) for b, at in cluster.values()], 1)
    names = (*bony, *cluster)
    everything = np.concatenate([markers[:, [list(MARKERS).index(n) for n in bony]], moving], 1)
    write_trc(tmp_path / "walk.trc", MarkerData(names, walk.motion.time, to_ground(everything), 30.0, "mm"))
    still = np.repeat(np.concatenate([markers, moving], 1)[:1], 3, 0)
    static = MarkerData((*MARKERS, *cluster), np.arange(3) / 30, to_ground(still), 30.0, "mm")
    write_trc(tmp_path / "static.trc", static)
    with_static = convert(tmp_path / "walk.trc", static=tmp_path / "static.trc")
    assert set(with_static.residual) == set(names)
    assert with_static.warnings == ()
    for name in LEGS:
        assert difference(with_static.motion, walk, f"{name}_r") < 3.0
    without = convert(tmp_path / "walk.trc")
    assert any("--static" in told for told in without.warnings)


@pytest.fixture(scope="module")
def skin(walk):
    """(T, V, 3) the walker's meshes."""
    return walk.body.pose(walk.rest, walk.motion, outputs=("vertices",)).vertices


def test_own_meshes_give_the_angles_back(walk, skin, tmp_path):
    np.savez(tmp_path / "walk.npz", vertices=skin, fps=30, faces=walk.body.faces)
    found = convert(tmp_path / "walk.npz", tmp_path / "walk.csv")
    np.testing.assert_allclose(found.motion.time, walk.motion.time, atol=1e-12)
    angles = [i for i, name in enumerate(walk.skeleton.coordinates) if name[:8] != "pelvis_t" or name == "pelvis_tilt"]
    apart = np.degrees(np.abs(found.motion.q - walk.motion.q)[:, angles])
    assert np.quantile(apart, 0.95) < 0.15, "the blade's angles, which skin tells least, lean on what they follow"
    assert apart.max() < 0.5
    np.testing.assert_allclose(found.motion.translation, walk.motion.translation, atol=2e-4)
    assert max(np.quantile(own, 0.95) for own in found.residual.values()) < 2e-4
    assert {"pelvis", "femur_r", "hand_l", "head"} <= set(found.residual)
    assert found.warnings == ()
    assert (tmp_path / "walk.csv").stat().st_size > 1000


@pytest.mark.parametrize("shape", [{"age": 0.2, "weight": 0.7}, {"gender": 1.0, "age": 1.0, "log_scale_thigh": 0.08}])
def test_meshes_of_children_and_of_the_old_give_the_angles_back(shape, walk):
    rest = walk.body.rest(shape)
    skeleton, q = Skeleton.inside(rest.landmarks), walk.motion.q[::5]
    skin = walk.body.pose(rest, q, outputs=("vertices",)).vertices
    found = from_meshes(skin, np.arange(len(q)) / 6)
    for name in (*LEGS, "elbow_flex"):
        column = skeleton.index(f"{name}_r")
        assert np.degrees(np.abs(found.motion.q - q)[:, column]).max() < 0.5
    assert abs(found.motion.shape["age"] - shape["age"]) < 0.02


def test_meshes_of_another_rig_come_near(walk):
    """The graphics rig bends elsewhere, by centimetres at hip and elbow; the skin it makes is met to millimetres."""
    skin = pose_on_rig(walk.body, walk.rest, walk.skeleton, walk.motion.q).vertices
    found = from_meshes(skin, walk.motion.time)
    residual = 1000 * np.stack(list(found.residual.values()))
    assert np.median(residual) < 5
    assert np.quantile(residual, 0.95) < 8
    assert found.warnings == ()


def test_meshes_with_z_up_and_in_millimetres(walk, skin, tmp_path):
    turned = 1000 * skin[::15] @ np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]).T
    np.savez(tmp_path / "walk.npz", vertices=turned)
    with pytest.raises(InputError, match=r"the person is 1\d\d0 m across\. Are they in mm\? Then add --unit 0\.001"):
        convert(tmp_path / "walk.npz", up="z")
    found = convert(tmp_path / "walk.npz", up="z", metres_per_unit=0.001, fps=2)
    np.testing.assert_allclose(found.motion.translation, walk.motion.translation[::15], atol=1e-3)
    np.testing.assert_allclose(found.motion.time, [0, 0.5, 1.0])
    told = convert(tmp_path / "walk.npz", metres_per_unit=0.001).warnings
    assert any("Try --up z" in warning for warning in told)


def test_a_folder_of_meshes_on_the_command_line(walk, skin, tmp_path, capsys):
    folder = tmp_path / "bodies"
    folder.mkdir()
    for t in range(3):
        rows = [f"v {x:.7f} {y:.7f} {z:.7f}" for x, y, z in skin[9 + t]]
        (folder / f"frame{9 + t}.obj").write_text("\n".join(rows))
    assert main(["convert", str(folder), str(tmp_path / "walk.csv"), str(tmp_path / "walk.npz")]) == 0
    told = capsys.readouterr().out
    assert "residual median, 95 % (mm)" in told
    assert "30 frames per second assumed; --fps" in told
    again = read_motion(tmp_path / "walk.npz")
    assert difference(again, Converted("", again, walk.skeleton, walk.rest, walk.body, {}), "knee_angle_r") == 0
    np.testing.assert_allclose(again.q[:, 4], walk.motion.q[9:12, 4], atol=1e-3)
    assert main(["convert", str(folder), str(tmp_path / "b.csv"), "--static", "a.trc"]) == 2
    assert "takes no --static" in capsys.readouterr().err


def test_skin_that_no_shape_explains_is_told(walk, skin):
    owner = owners(walk.body, walk.skeleton.bodies) == walk.skeleton.body_index("femur_r")
    bulky = skin[::9] + 0.05 * np.random.default_rng(0).normal(size=(len(owner), 3)) * owner[:, None]
    found = from_meshes(bulky, np.arange(len(bulky)) / 3)
    assert any(told.startswith("the skin of femur_r stays") for told in found.warnings)


def test_bad_meshes_are_told(walk, skin, tmp_path):
    path = tmp_path / "walk.npz"
    np.savez(path, verts=skin[:2])
    with pytest.raises(InputError, match=r"not a motion .*Meshes would be an array 'vertices' \(T, 13718, 3\)"):
        convert(path)
    np.savez(path, vertices=skin[:2, :6890])
    with pytest.raises(InputError, match="is it SMPL's body"):
        convert(path)
    np.savez(path, vertices=np.roll(skin[:2], 5000, axis=1))
    with pytest.raises(InputError, match="vertices in its own order"):
        convert(path)
    with pytest.raises(InputError, match=r"expected \(2, 13718, 3\), a mesh for each time"):
        from_meshes(skin[:3], [0.0, 0.1])
    with pytest.raises(InputError, match="got NaN"):
        from_meshes(np.full_like(skin[:2], np.nan), [0.0, 0.1])


def test_real_walk_agrees_with_opensim():
    """Knee flexion of OpenSim's example subject against its own inverse kinematics (another model, other joints)."""
    folder = Path(__file__).parents[2] / "shared" / "data" / "opensim" / "Pipelines" / "Gait10dof18musc"
    if not folder.is_dir():
        pytest.skip("../shared/data with OpenSim's example trials is not there")
    found = convert(
        folder / "ExperimentalData" / "subject01_walk.trc", static=folder / "ExperimentalData" / "subject01_static.trc"
    )
    theirs = read_mot(folder / "OutputReference" / "IK" / "subject01_walk_IK.mot")
    for side in "rl":
        ours = found.motion.q[:, found.motion.coordinates.index(f"knee_angle_{side}")]
        ours = np.degrees(np.interp(theirs.time, found.motion.time, ours))
        flexion = -theirs.column(f"knee_angle_{side}")
        assert np.corrcoef(ours, flexion)[0, 1] > 0.97
        assert abs(float((ours - flexion).mean())) < 5
        assert float((ours - flexion).std()) < 5
    all_mm = 1000 * np.concatenate(list(found.residual.values()))
    assert np.nanmedian(all_mm) < 15


def test_what_positions_of_joints_do_not_show_is_told(walk, bvh, tmp_path, capsys):
    """Rolled forearms and a turned head leave every joint where it is: they do not come back, and that is said."""
    rolled = walk.motion.q.copy()
    turned = {"neck_rotation": 0.5, "pro_sup_r": 0.3, "pro_sup_l": 2.5}
    rolled[:, [walk.skeleton.index(name) for name in turned]] = list(turned.values())
    own = tmp_path / "rolled.bvh"
    Converted("rolled", replace(walk.motion, q=rolled), walk.skeleton, walk.rest, walk.body, {}).save(own)
    assert main(["convert", str(own), str(tmp_path / "rolled.npz"), str(tmp_path / "rolled.csv")]) == 0
    free, led = (line for line in capsys.readouterr().out.splitlines() if line.startswith("note: positions of joints"))
    assert "neck_rotation, pro_sup_r/l, wrist_flex_r/l, wrist_dev_r/l, fingers:" in free
    assert "thorax_extension, thorax_bending, scap_protraction_r/l" in led
    assert not re.search("knee_angle|elbow_flex|hip_flexion|gh_flex|index_", free + led)
    found, plain = read_motion(tmp_path / "rolled.npz"), convert(bvh).motion
    for name in turned:
        column = found.coordinates.index(name)
        assert np.degrees(np.abs(found.q - plain.q)[:, column]).max() < 10, "17, 29 and 143 degrees went in"


def test_a_mark_is_needed_to_tell_anything(walk):
    assert _undetermined(walk.motion) == ()
    mark = np.full(walk.motion.q.shape, OBSERVED, np.uint8)
    assert _undetermined(replace(walk.motion, mark=mark)) == ()
    mark[: len(mark) // 3, walk.skeleton.index("hip_rotation_r")] = PRIOR
    assert _undetermined(replace(walk.motion, mark=mark)) == (), "only in some frames"
    mark[:, walk.skeleton.index("hip_rotation_r")] = PRIOR
    assert "do not show hip_rotation_r:" in _undetermined(replace(walk.motion, mark=mark))[0]


@pytest.mark.parametrize(
    ("file", "options", "idle"),
    [
        ("a.bvh", {"fps": 30.0, "height": 1.7}, "--height and --fps"),
        ("a.amc", {"metres_per_unit": 0.01}, "--unit"),
        ("a.trc", {"metres_per_unit": 0.001}, "--unit"),
        ("a.npz", {"up": "z"}, "--up"),
    ],
)
def test_options_that_say_nothing_of_the_file_are_refused(tmp_path, file, options, idle):
    np.savez(tmp_path / "a.npz", q=np.zeros(1))
    with pytest.raises(InputError, match=f"takes no {idle}; leave"):
        convert(tmp_path / file, **options)
