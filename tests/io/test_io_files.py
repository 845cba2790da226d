"""A file under its final name is whole, whatever happens while it is written."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from marrow.errors import InputError, OutputError
from marrow.io.files import prepare_output_folder, remove_earlier_results, write_atomically


def test_content_appears_at_the_end_only(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with write_atomically(path, "w") as file:
        file.write("new\n")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_bytes() == b"new\n"
    assert os.listdir(tmp_path) == ["a.txt"]


def write_half(path, failure: BaseException) -> None:
    with write_atomically(path) as file:
        file.write(b"half")
        raise failure


@pytest.mark.parametrize(
    ("failure", "seen", "words"),
    [
        (KeyError("x"), KeyError, "x"),
        (KeyboardInterrupt("stop"), KeyboardInterrupt, "stop"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), OutputError, "a.bin: the disk is full"),
        (OSError(errno.EACCES, os.strerror(errno.EACCES)), OutputError, "a.bin: you may not write"),
    ],
)
def test_failures_leave_nothing_behind(tmp_path, failure, seen, words):
    with pytest.raises(seen, match=words):
        write_half(tmp_path / "a.bin", failure)
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on file sizes")
def test_a_disk_that_refuses_more_bytes(tmp_path):
    """A real failing write: the process may write 1000 bytes a file, as on a disk that fills up."""
    script = """
import resource, sys
from marrow.errors import OutputError
from marrow.io.files import write_atomically
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    with write_atomically(sys.argv[1]) as file:
        file.write(b"x" * 100_000)
except OutputError as error:
    print(error)
    sys.exit(error.exit_code)
"""
    ran = subprocess.run([sys.executable, "-c", script, str(tmp_path / "big.bin")], capture_output=True, text=True)
    assert ran.returncode == OutputError.exit_code, ran.stderr
    assert "could not write" in ran.stdout
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on file sizes")
def test_a_video_on_a_disk_that_refuses_more_bytes(tmp_path):
    script = """
import resource, sys
import numpy as np
from marrow.errors import OutputError
from marrow.io.video import Writer
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
noise = np.random.default_rng(0)
try:
    with Writer(sys.argv[1], (320, 240)) as video:
        for _ in range(30):
            video.write(noise.integers(0, 255, (240, 320, 3), np.uint8))
except OutputError as error:
    print(error)
    sys.exit(error.exit_code)
"""
    ran = subprocess.run([sys.executable, "-c", script, str(tmp_path / "big.mp4")], capture_output=True, text=True)
    assert ran.returncode == OutputError.exit_code, ran.stderr
    assert "could not write" in ran.stdout
    assert os.listdir(tmp_path) == []


def test_places_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "no" / "a", tmp_path / "file" / "a", tmp_path / "folder"):
        with pytest.raises(OutputError, match="could not write"), write_atomically(path) as file:
            file.write(b"x")
    with pytest.raises(InputError, match="mode"), write_atomically(tmp_path / "a", "r+"):
        pass


def test_output_folder_is_never_overwritten_without_force(tmp_path):
    folder = prepare_output_folder(tmp_path / "deep" / "out")
    assert folder.is_dir()
    assert prepare_output_folder(folder) == folder
    (folder / "capture.json").write_text("{}")
    with pytest.raises(OutputError, match="--force"):
        prepare_output_folder(folder)
    assert prepare_output_folder(folder, force=True) == folder
    assert os.listdir(folder) == ["capture.json"]
    with pytest.raises(OutputError, match="is a file"):
        prepare_output_folder(folder / "capture.json", force=True)
    with pytest.raises(OutputError, match="could not write"):
        prepare_output_folder(folder / "capture.json" / "sub")


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_unwritable_folder_is_told():
    with pytest.raises(OutputError, match="could not write"):
        prepare_output_folder("/proc/marrow_out")


def test_earlier_results_go_and_other_files_stay(tmp_path):
    for name in (
        "capture.json",
        "overlay.mp4",
        "notes.txt",
        "person_1/body.glb",
        "person_2/motion.npz",
        "person_2/my.txt",
        "person_1/Geometry/skeleton_femur_r.obj",
        "person_2/Geometry/skeleton_femur_r.obj",
        "person_2/Geometry/mine.obj",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text("x")
    remove_earlier_results(tmp_path)
    left = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file())
    assert left == ["notes.txt", "person_2/Geometry/mine.obj", "person_2/my.txt"]
    assert not (tmp_path / "person_1").exists()
