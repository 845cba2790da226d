"""A person's markers as a C3D file come back as the same markers, with Z up."""

from __future__ import annotations

import numpy as np
import pytest

from marrow import convert
from marrow.conventions import from_ground
from marrow.data.motion_pack import motion_pack
from marrow.io.c3d import read_c3d
from marrow.io.npz import write_motion
from marrow.io.trc import read_trc
from marrow.types import Motion

pytest.importorskip("ezc3d")


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    """A motion file of a walking person."""
    from marrow.skeleton import tree as trees

    clip = motion_pack().motion("02_01")
    q = clip.full(trees.whole().coordinates)[:30]
    path = tmp_path_factory.mktemp("walk") / "walk.npz"
    write_motion(path, Motion(np.arange(30) / 30, trees.whole().coordinates, q, from_ground(q[:, 3:6]), {}))
    return path


def test_markers_come_back_with_z_up(walk):
    person = convert(walk)
    person.save(walk.with_name("walk.c3d"))
    person.save(walk.with_name("walk.trc"))
    c3d, trc = read_c3d(walk.with_name("walk.c3d")).markers, read_trc(walk.with_name("walk.trc"))
    assert c3d.names == trc.names
    assert c3d.units == "mm"
    np.testing.assert_allclose(c3d.time, trc.time, atol=1e-6)
    np.testing.assert_allclose(c3d.xyz, np.stack([trc.xyz[..., 0], -trc.xyz[..., 2], trc.xyz[..., 1]], -1), atol=2e-6)
    height = c3d.xyz[..., 2]
    assert height[:, c3d.names.index("VERT")].min() > 1.5
    assert height[:, c3d.names.index("RCAL")].max() < 0.4


def test_the_fit_to_the_file_finds_the_movement_again(walk):
    first = convert(walk)
    first.save(walk.with_name("again.c3d"))
    again = convert(walk.with_name("again.c3d"))
    for name in ("hip_flexion_r", "knee_angle_r", "knee_angle_l"):
        a, b = (np.degrees(x.motion.q[:, x.motion.coordinates.index(name)]) for x in (first, again))
        assert np.median(np.abs(a - b)) < 2.0, name
