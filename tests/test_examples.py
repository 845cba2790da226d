"""The examples run as a user would run them and leave the files they name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from obtaining import obtain

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(name: str, folder: Path) -> str:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        [sys.executable, str(EXAMPLES / name)], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.parametrize(("name", "picture"), [("01_body.py", "01_body.png"), ("02_skeleton_angles.py", "squat.png")])
def test_pictures_show_people(tmp_path, name, picture):
    run(name, tmp_path)
    with Image.open(tmp_path / "marrow_out" / "examples" / picture) as image:
        colours = image.convert("RGB").getcolors(image.width * image.height)
    background = max(colours)[0] / (image.width * image.height)
    assert 0.5 < background < 0.95
    assert len(colours) > 500


def test_synthetic_people_are_drawn_with_their_joints(tmp_path):
    out = run("05_synthetic.py", tmp_path)
    assert out.count("years") >= 1
    with Image.open(tmp_path / "marrow_out" / "examples" / "synthetic.png") as image:
        assert image.size == (1440, 360)
        colours = image.convert("RGB").getcolors(image.width * image.height)
    assert len(colours) > 2000


def test_squat_leaves_files(tmp_path):
    out = run("02_skeleton_angles.py", tmp_path)
    depth = float(out.split("sinks by ")[1].split()[0])
    assert 0.3 < depth < 0.5
    assert {"squat.glb", "squat.bvh"} <= {path.name for path in (tmp_path / "marrow_out" / "examples").iterdir()}


def test_a_video_gives_people_a_curve_and_files(tmp_path):
    obtain("demo_video"), obtain("mediapipe")
    out = run("04_video.py", tmp_path)
    assert out.count("right knee") == 2
    folder = tmp_path / "marrow_out" / "examples" / "video"
    for name in ("overlay.mp4", "knee.png", "person_2/body.glb"):
        assert (folder / name).stat().st_size > 10_000


def test_angles_come_back_from_keypoints(tmp_path):
    out = run("03_keypoints.py", tmp_path)
    errors = [float(line.split("within ")[1].split("°")[0]) for line in out.splitlines() if "within" in line]
    assert len(errors) == 4
    assert max(errors) < 10
    folder = tmp_path / "marrow_out" / "examples" / "walk"
    told = json.loads((folder / "capture.json").read_text())
    assert len(told["people"]) == 1
    for file in told["people"][0]["files"]:
        assert (folder / "person_1" / file).stat().st_size > 1000
