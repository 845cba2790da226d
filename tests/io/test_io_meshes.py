"""Mesh sequences: what is read comes back in order, and every mistake is told with its file, frame and vertex."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh

from broken_files import break_compressed
from marrow.errors import InputError
from marrow.io.meshes import Topology, is_mesh_source, read_meshes

SPHERE = trimesh.creation.icosphere(subdivisions=3, radius=0.9)
TOPOLOGY = Topology("the ball", SPHERE.vertices.astype(np.float32), np.asarray(SPHERE.faces, np.int32))


def frames(count: int) -> np.ndarray:
    """(T, V, 3) metres: the ball, wandering."""
    return (SPHERE.vertices + 0.1 * np.arange(count)[:, None, None]).astype(np.float32)


def write_obj(path: Path, vertices: np.ndarray, faces: np.ndarray = TOPOLOGY.faces) -> None:
    """With a vertex of texture of its own at every corner, as seams have it."""
    lines = ["# made by hand", *(f"v {x:.9g} {y:.9g} {z:.9g}" for x, y, z in vertices), "vt 0.5 0.5", "vt 1 1"]
    lines += [
        "f " + " ".join(f"{corner + 1}/{1 + (corner + i) % 2}" for i, corner in enumerate(face)) for face in faces
    ]
    path.write_text("\n".join(lines) + "\n")


def lost(vertex: int) -> np.ndarray:
    """(V, 1) ones, and NaN at a vertex."""
    return np.where(np.arange(TOPOLOGY.count)[:, None] == vertex, np.nan, 1.0)


def test_files_come_in_the_order_of_their_numbers(tmp_path):
    for t, vertices in enumerate(frames(12)):
        write_obj(tmp_path / f"body{t}.obj", vertices)
    for source in (tmp_path, tmp_path / "*.obj"):
        assert is_mesh_source(source)
        found = read_meshes(source, TOPOLOGY, fps=60)
        np.testing.assert_allclose(found.vertices, frames(12), atol=1e-6)
        np.testing.assert_allclose(found.time, np.arange(12) / 60)
        assert found.name == tmp_path.name
        assert found.remarks == ()
    assert len(read_meshes(tmp_path / "body[5-6].obj", TOPOLOGY).time) == 2
    assert "30 frames per second assumed" in read_meshes(tmp_path, TOPOLOGY).remarks[0]
    assert read_meshes(tmp_path / "body3.obj", TOPOLOGY).remarks == ()


@pytest.mark.parametrize("encoding", ["ascii", "binary"])
def test_ply(encoding, tmp_path):
    for t, vertices in enumerate(frames(3)):
        mesh = trimesh.Trimesh(vertices, TOPOLOGY.faces, process=False)
        mesh.export(tmp_path / f"{t}.ply", encoding=encoding)
    np.testing.assert_allclose(read_meshes(tmp_path, TOPOLOGY).vertices, frames(3), atol=1e-6)


def test_archives_tell_their_times(tmp_path):
    path = tmp_path / "walk.npz"
    time = np.array([0.0, 0.1, 0.25])
    np.savez(path, vertices=frames(3), time=time, fps=50, faces=TOPOLOGY.faces)
    assert is_mesh_source(path)
    np.testing.assert_array_equal(read_meshes(path, TOPOLOGY).time, time)
    np.testing.assert_allclose(read_meshes(path, TOPOLOGY, fps=10).time, [0, 0.1, 0.2])
    np.savez(path, vertices=frames(3), fps=50)
    np.testing.assert_allclose(read_meshes(path, TOPOLOGY).time, [0, 0.02, 0.04])
    np.savez(path, vertices=frames(1)[0])
    assert read_meshes(path, TOPOLOGY).vertices.shape == (1, TOPOLOGY.count, 3)


def test_other_archives_are_none_of_meshes(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, q=np.zeros(3))
    assert not is_mesh_source(path)
    path.write_bytes(b"PK\3\4 cut off")
    assert not is_mesh_source(path)
    path.write_bytes(b"")
    assert not is_mesh_source(path)
    assert not is_mesh_source(tmp_path / "none.npz")


@pytest.mark.parametrize(
    ("held", "told"),
    [
        ({"vertices": frames(3)[:, 1:]}, r"numbers \(T, 642, 3\), those of the ball, got float32 \(3, 641, 3\)"),
        ({"vertices": np.zeros((2, 6890, 3))}, "SMPL"),
        ({"vertices": frames(3)[..., :2]}, r"got float32 \(3, 642, 2\)"),
        ({"vertices": np.zeros((0, 642, 3))}, r"got float64 \(0, 642, 3\)"),
        ({"vertices": np.full((1, 642, 3), "a")}, "must be numbers"),
        ({"vertices": frames(3), "time": np.array([0.0, 0.2, 0.1])}, "time 2: times must increase"),
        ({"vertices": frames(3), "time": np.arange(2.0)}, r"'time' must be numbers of shape \(3,\)"),
        ({"vertices": frames(3), "fps": -1}, "above 0, got -1"),
        ({"vertices": frames(3), "faces": np.zeros((3, 3))}, "'faces' must be whole numbers"),
        ({"vertices": frames(3) * lost(7)}, "frame 0: vertex 7 is not finite; 3 of 3 meshes have such"),
        ({"vertices": frames(2), "faces": 7 * TOPOLOGY.faces % 642}, "% of its edges are edges of the ball"),
        ({"vertices": frames(2)[:, np.random.default_rng(0).permutation(642)]}, "in its own order"),
        ({"vertices": 1000 * frames(2)}, "Are they in mm? Then add --unit 0.001"),
        ({"vertices": 100 * frames(2)}, "Are they in cm? Then add --unit 0.01"),
        ({"vertices": frames(2) / 1000}, "Tell the metres to a unit with --unit"),
    ],
)  # fmt: skip
def test_bad_archives_are_told(held, told, tmp_path):
    np.savez(tmp_path / "bad.npz", **held)
    with pytest.raises(InputError, match=told.replace("?", r"\?")):
        read_meshes(tmp_path / "bad.npz", TOPOLOGY)


def test_a_unit_that_is_given_is_believed(tmp_path):
    np.savez(tmp_path / "mm.npz", vertices=1000 * frames(2))
    found = read_meshes(tmp_path / "mm.npz", TOPOLOGY, metres_per_unit=0.001)
    np.testing.assert_allclose(found.vertices, frames(2), atol=1e-6)


def test_another_triangulation_is_the_same_body(tmp_path):
    """Quadrilaterals may be cut the other way; then some edges differ."""
    other = TOPOLOGY.faces.copy()
    other[::3, 0] = np.roll(other[::3, 0], 1)
    write_obj(tmp_path / "a.obj", frames(1)[0], other)
    assert len(read_meshes(tmp_path, TOPOLOGY).time) == 1


def test_bad_folders_are_told(tmp_path):
    with pytest.raises(InputError, match=r"no \.obj or \.ply files there"):
        read_meshes(tmp_path, TOPOLOGY)
    with pytest.raises(InputError, match=r"no \.obj or \.ply files there"):
        read_meshes(tmp_path / "*.obj", TOPOLOGY)
    with pytest.raises(InputError, match="no such file"):
        read_meshes(tmp_path / "none.obj", TOPOLOGY)
    write_obj(tmp_path / "0.obj", frames(1)[0])
    write_obj(tmp_path / "1.obj", frames(1)[0][:100], TOPOLOGY.faces[:0])
    with pytest.raises(InputError, match=r"1\.obj: 100 vertices; expected 642"):
        read_meshes(tmp_path, TOPOLOGY)
    (tmp_path / "1.obj").write_text("v 0 0\nf 1 2 3\n")
    with pytest.raises(InputError, match=r"1\.obj: expected lines 'v x y z'"):
        read_meshes(tmp_path, TOPOLOGY)
    (tmp_path / "1.obj").write_text("")
    with pytest.raises(InputError, match=r"1\.obj: the file is empty"):
        read_meshes(tmp_path, TOPOLOGY)
    (tmp_path / "1.obj").unlink()
    (tmp_path / "1.ply").write_text("ply\nformat ascii 1.0\nelement vertex 9\n")
    with pytest.raises(InputError, match=r'1 \.obj and 1 \.ply files; say which are meant, such as ".*/\*\.obj"'):
        read_meshes(tmp_path, TOPOLOGY)
    with pytest.raises(InputError, match=r"1\.ply: cannot be read as a \.ply mesh"):
        read_meshes(tmp_path / "*.ply", TOPOLOGY)
    with pytest.raises(InputError, match="fps: expected frames per second above 0, got 0"):
        read_meshes(tmp_path / "0.obj", TOPOLOGY, fps=0)


def test_a_damaged_archive_is_told(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", vertices=frames(2))
    break_compressed(tmp_path / "a.npz")
    with pytest.raises(InputError, match=r"a\.npz: cannot be read"):
        read_meshes(tmp_path / "a.npz", TOPOLOGY)
