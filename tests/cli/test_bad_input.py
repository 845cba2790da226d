"""Bad input through the whole real road: a clear message, the right exit code, nothing half-written.

Each case runs the command line in this process, apart from those that need a process of their own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from marrow.cli import main
from marrow.errors import InputError, NoPersonError, OutputError
from obtaining import obtain


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MARROW_DEBUG", raising=False)
    return tmp_path


@pytest.fixture
def weights() -> None:
    """The detector's weights, which come with an asset."""
    obtain("mediapipe")


def video(path: Path, pictures: list[np.ndarray], fps: int = 25) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=fps)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, fps)
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode())
    return path


def hills(count: int, width: int = 320, height: int = 240) -> list[np.ndarray]:
    """Pictures without anybody: soft hills that drift a little."""
    y, x = np.mgrid[:height, :width]
    out = []
    for number in range(count):
        grey = 120 + 60 * np.sin(x / 40 + number / 10) + 40 * np.cos(y / 25)
        out.append(np.repeat(grey.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2))
    return out


def message(err: str) -> str:
    """The one line that marrow wrote to the standard error stream."""
    (line,) = [line for line in err.splitlines() if line.startswith("marrow: ")]
    return line


def refused(words: list[str], code: int, capfd: pytest.CaptureFixture[str], *needles: str) -> None:
    """Run, and check exit code, message, and that no file and no folder was left."""
    before = sorted(Path().rglob("*"))
    assert main(["capture", *words]) == code
    out, err = capfd.readouterr()
    told = message(err)
    assert "Traceback" not in out + err
    for needle in needles:
        assert needle in told
    assert sorted(Path().rglob("*")) == before


def test_what_is_not_there(capfd: pytest.CaptureFixture[str]) -> None:
    Path("empty").mkdir()
    refused(["nowhere/walk.mp4"], InputError.exit_code, capfd, "nowhere/walk.mp4")
    refused(["empty"], InputError.exit_code, capfd, "empty")
    refused(["*.png"], InputError.exit_code, capfd, "*.png")


def test_files_that_are_no_video(capfd: pytest.CaptureFixture[str]) -> None:
    Path("zero.mp4").write_bytes(b"")
    Path("noise.mp4").write_bytes(np.random.default_rng(0).bytes(20_000))
    Path("notes.txt").write_text("hello")
    Path("cut.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    for name in ("zero.mp4", "noise.mp4", "notes.txt", "cut.png"):
        refused([name], InputError.exit_code, capfd, name)


def test_a_video_whose_pictures_are_missing(capfd: pytest.CaptureFixture[str]) -> None:
    whole = video(Path("whole.mp4"), hills(20)).read_bytes()
    Path("head.mp4").write_bytes(whole[:60])
    refused(["head.mp4"], InputError.exit_code, capfd, "head.mp4")


@pytest.mark.parametrize("text", ["{", '{"people": 3}', '[{"image_id": 1, "keypoints": [1, 2]}]', '"x"'])
def test_keypoint_files_that_are_none(capfd: pytest.CaptureFixture[str], text: str) -> None:
    Path("points.json").write_text(text)
    refused(["points.json"], InputError.exit_code, capfd, "points.json")


def test_nobody_in_keypoints(capfd: pytest.CaptureFixture[str]) -> None:
    Path("points.json").write_text("[]")  # COCO results without a detection
    refused(["points.json"], NoPersonError.exit_code, capfd, "no person")


@pytest.mark.usefixtures("weights")
def test_nobody_in_a_video(capfd: pytest.CaptureFixture[str]) -> None:
    video(Path("hills.mp4"), hills(12))
    refused(["hills.mp4"], NoPersonError.exit_code, capfd, "no person")


@pytest.mark.usefixtures("weights")
@pytest.mark.parametrize("mode", ["L", "RGBA", "I;16", "1"])
def test_nobody_in_pictures_of_every_kind(capfd: pytest.CaptureFixture[str], mode: str) -> None:
    picture = hills(1)[0]
    if mode == "I;16":
        Image.fromarray(picture[..., 0].astype(np.uint16) * 257).save("p.png")
    else:
        Image.fromarray(picture).convert(mode).save("p.png")
    refused(["p.png"], NoPersonError.exit_code, capfd, "no person")


@pytest.mark.usefixtures("weights")
def test_a_picture_of_one_pixel(capfd: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (1, 1)).save("dot.png")
    assert main(["capture", "dot.png"]) in (InputError.exit_code, NoPersonError.exit_code)
    assert message(capfd.readouterr().err).startswith("marrow: dot")
    assert not Path("marrow_out").exists()


@pytest.mark.usefixtures("weights")
def test_one_bad_source_among_several(capfd: pytest.CaptureFixture[str]) -> None:
    video(Path("hills.mp4"), hills(6))
    Path("zero.mp4").write_bytes(b"")
    assert main(["capture", "zero.mp4", "hills.mp4", "--json"]) == InputError.exit_code
    events = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    errors = [(event["source"], event["code"]) for event in events if event["event"] == "error"]
    assert errors == [("zero.mp4", InputError.exit_code), ("hills.mp4", NoPersonError.exit_code)]
    assert any(event["event"] == "progress" for event in events)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_folder_that_nobody_can_write(capfd: pytest.CaptureFixture[str]) -> None:
    video(Path("hills.mp4"), hills(2))
    refused(["hills.mp4", "--out", "/proc/marrow"], OutputError.exit_code, capfd, "/proc/marrow")
    refused(["hills.mp4", "--out", "hills.mp4/inside"], OutputError.exit_code, capfd, "hills.mp4")


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="the administrator may write everywhere")
def test_a_folder_that_this_user_cannot_write(capfd: pytest.CaptureFixture[str]) -> None:
    video(Path("hills.mp4"), hills(2))
    Path("locked").mkdir(mode=0o555)
    refused(["hills.mp4", "--out", "locked/result"], OutputError.exit_code, capfd, "locked/result")


@pytest.mark.usefixtures("weights")
def test_a_process_of_its_own_returns_the_code() -> None:
    video(Path("hills.mp4"), hills(2))
    done = subprocess.run([sys.executable, "-m", "marrow", "capture", "hills.mp4"], capture_output=True, text=True)
    assert done.returncode == NoPersonError.exit_code
    assert done.stdout == ""
    assert message(done.stderr).startswith("marrow: hills")
    assert "Traceback" not in done.stderr
