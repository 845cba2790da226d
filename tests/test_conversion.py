"""Motion files onto marrow's body: what went in comes out, whatever the maker's names and units."""

from __future__ import annotations

import re

import numpy as np
import pytest

from marrow.body import load_body
from marrow.conversion import Converted, convert
from marrow.data.bvh_clip import NAMINGS
from marrow.data.motion_pack import motion_pack
from marrow.errors import InputError
from marrow.io.npz import write_motion
from marrow.skeleton import Skeleton
from marrow.types import Motion

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
    for factor in (100.0, 1000.0, 1 / 0.0254):
        scaled = re.sub(
            r"OFFSET (\S+) (\S+) (\S+)",
            lambda m, f=factor: "OFFSET " + " ".join(f"{float(m[k]) * f:.9g}" for k in (1, 2, 3)),
            words,
        )
        head, _, rows = scaled.partition("Frame Time:")
        time, *rows = rows.splitlines()
        values = [[float(v) for v in row.split()] for row in rows if row.strip()]
        rows = [" ".join(f"{v * (factor if i < 3 else 1):.9g}" for i, v in enumerate(row)) for row in values]
        path = tmp_path / "scaled.bvh"
        path.write_text(head + "Frame Time:" + "\n".join([time, *rows]) + "\n")
        found = convert(path)
        assert abs(found.rest.vertices[:, 1].max() - walk.rest.vertices[:, 1].max()) < 0.04


def test_clear_errors(bvh, tmp_path):
    with pytest.raises(InputError, match="no such file"):
        convert(tmp_path / "none.bvh")
    with pytest.raises(InputError, match=r"expected \.bvh"):
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
    with pytest.raises(InputError, match="no person"):
        convert(giant)
    amc = tmp_path / "01_01.amc"
    amc.write_text(":DEGREES\n")
    with pytest.raises(InputError, match="--skeleton"):
        convert(amc)
