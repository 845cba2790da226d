"""Importing marrow and asking the command line for help load nothing heavy."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "cv2", "numba", "scipy", "matplotlib", "av", "viser", "opensim", "trimesh", "ai_edge_litert")


def loaded_after(code: str) -> set[str]:
    """The heavy packages that are loaded when a fresh interpreter has run ``code``."""
    tell = f"import sys; print('LOADED', *[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", f"{code}\n{tell}"], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split()[1:])


@pytest.mark.parametrize(
    "code",
    [
        "import marrow",
        "import marrow; marrow.Camera, marrow.camera_from_fov, marrow.convert_joints",
        "import marrow.geometry.rotations, marrow.geometry.triangulation, marrow.progress, marrow.errors",
        "from marrow.cli import main; assert main(['--help']) == 0",
        "from marrow.cli import main; assert main(['--version']) == 0",
        "from marrow.cli import main; assert main(['capture', '--help']) == 0",
        "from marrow.cli import main; assert main(['capture', 'x.mp4', '--heigth', '1.8']) == 2",
        "from marrow.cli import main; assert main(['captur']) == 2",
    ],
)
def test_light(code: str) -> None:
    assert loaded_after(code) == set()


def test_the_check_itself_sees_heavy_packages() -> None:
    assert "scipy" in loaded_after("import scipy")


def test_public_names_are_listed_and_unknown_ones_told() -> None:
    import marrow

    assert {"capture", "load_body", "Skeleton", "convert_joints"} <= set(dir(marrow))
    with pytest.raises(AttributeError, match="load_body"):
        _ = marrow.no_such_thing
