"""``marrow capture``: videos, pictures or keypoints to bodies, skeletons, angles and files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from marrow.cli._options import option
from marrow.cli._report import INTERRUPTED, run_guarded
from marrow.errors import InputError

if TYPE_CHECKING:
    from marrow.cli._capture import Request
    from marrow.lift.lifter import Lifter

_GLOB = re.compile(r"[*?\[]")
_MOST_HYPOTHESES = 8  # of fit.options, whose import is slow
_LIFTER, _NO_LIFTER = "time", "none"  # lift.shipped.DEFAULT, whose package's import is slow, and a word for None
#: A height; with a comma it is joined too, so that the mistake is answered and not taken for a source.
_METRES = re.compile(r"\d*[.,]\d+")


def run(
    sources: Annotated[
        tuple[str, ...],
        tyro.conf.Positional,
        option(
            'Video file, picture, folder or "quoted*glob" of pictures, keypoint JSON (OpenPose, COCO), or the number '
            "of a webcam.",
            metavar="SOURCE…",
        ),
    ],
    out: Annotated[
        Path | None,
        option("Folder for the results. Without it ./marrow_out/NAME; for several sources DIR/NAME each.", "DIR"),
    ] = None,
    height: Annotated[
        str | None,
        option(
            "Standing height of each person in metres, in the order person_1, person_2 …, such as --height 1.80 1.65. "
            "It fixes the scale; without it the scale is assumed.",
            "M…",
        ),
    ] = None,
    fov: Annotated[
        float | None,
        option(
            "Field of view of the camera along the picture's long side, degrees. Without it from the file, else "
            "assumed.",
            "DEG",
        ),
    ] = None,
    size: Annotated[
        tuple[int, int] | None,
        option("Width and height of the pictures that keypoints were found in; only for keypoint files.", "W H"),
    ] = None,
    fps: Annotated[
        float | None,
        option("Frames per second of keypoints or numbered pictures; a video tells its own.", "F"),
    ] = None,
    max_people: Annotated[int | None, option("Keep at most so many people, those seen most.", "N")] = None,
    lifter: Annotated[
        str,
        option(
            "Network that tells depth from keypoints: time (default), frame, the id of a system for the task lift "
            "(marrow systems --task lift), or none. Intervals of angles are calibrated with time and none.",
            "NAME",
        ),
    ] = _LIFTER,
    refine: Annotated[
        str | None,
        option("Better what the lifter says at test time, by a system such as uao.", "NAME"),
    ] = None,
    weights: Annotated[
        Path | None,
        option("Of the lifter, a file that marrow train wrote, instead of those that come with marrow.", "FILE"),
    ] = None,
    hypotheses: Annotated[
        int,
        option(
            "Look for so many readings of each person (1 to 8), the result among them: what one camera cannot tell "
            "apart, such as a forearm towards it or away. In motion.npz, and as ghosts in marrow view.",
            "N",
        ),
    ] = 1,
    codec: Annotated[
        str,
        option("Of overlay.mp4: h264 (default) opens everywhere; vp9 and mpeg4 do without GPL code.", "NAME"),
    ] = "h264",
    influences: Annotated[
        int | None,
        option(
            "Largest number of bones that move a vertex in body.glb; the error it makes is told. Without it all.", "N"
        ),
    ] = None,
    mass: Annotated[
        str | None,
        option(
            "Mass of each person in kilograms, for OpenSim's model, such as --mass 81.5,64. Without it from volume.",
            "KG,…",
        ),
    ] = None,
    bones: Annotated[
        Path | None,
        option(
            "Folder Geometry of your own OpenSim (femur_r.vtp, r_femur.vtp …): skeleton.osim names its bones, scaled "
            "to the person. Without it marrow's own bones are written beside the model.",
            "FOLDER",
        ),
    ] = None,
    modern: Annotated[
        bool,
        option(
            "OpenSim's model and motion with the joints of OpenSim 4.5 for spine and scapula; what they cost is told."
        ),
    ] = False,
    overlay: Annotated[bool, option("Leave out the overlay video.")] = True,
    dense: Annotated[
        bool,
        option(
            "Also dense.mp4: which point of the body each pixel of a person shows, by colour and lines; from a "
            "network that has learnt from synthetic pictures alone."
        ),
    ] = False,
    commercial: Annotated[bool, option("Refuse every part whose licence forbids commercial use.")] = False,
    force: Annotated[bool, option("Replace earlier results in the folder.")] = False,
    json: Annotated[bool, option("Write progress, results and errors as JSON lines to the standard output.")] = False,
) -> int:
    """Turn videos, pictures or keypoints into bodies, skeletons, angles and files.

    When one of several sources fails, the others are still done; the exit code is that of the first failure.
    """
    if not sources:
        raise InputError("no SOURCE was given; write for example: marrow capture walk.mp4")
    heights, masses = _metres(height), _kilograms(mass)
    _refuse_counts(influences, max_people)
    _refuse_camera(fov, size, fps)
    if not 1 <= hypotheses <= _MOST_HYPOTHESES:
        raise InputError(f"--hypotheses: expected a whole number from 1 to {_MOST_HYPOTHESES}, got {hypotheses}")
    chosen = _lifter(lifter, refine, weights)
    # The import is slow, so plain mistakes in the options are answered before it.
    from marrow.cli._capture import Request

    requests = [
        Request(
            source=int(source) if _is_webcam(source) else source,
            folder=folder,
            height=heights,
            fov_deg=fov,
            size=size,
            fps=fps,
            max_people=max_people,
            lifter=chosen,
            hypotheses=hypotheses,
            codec=codec,
            influences=influences,
            mass_kg=masses,
            bones=bones,
            modern=modern,
            overlay=overlay,
            dense=dense,
            commercial=commercial,
            force=force,
            as_json=json,
        )
        for source, folder in zip(sources, output_folders(sources, out), strict=True)
    ]
    return _capture_each(requests)


def _capture_each(requests: Sequence[Request]) -> int:
    """Exit code of the first that fails, or of an interruption, which ends all."""
    from marrow.cli._capture import capture_one

    first_error = 0
    for request in requests:
        code = run_guarded(
            lambda request=request: capture_one(request), as_json=request.as_json, source=str(request.source)
        )
        first_error = first_error or code
        if code == INTERRUPTED:
            return INTERRUPTED
    return first_error


def _refuse_counts(influences: int | None, max_people: int | None) -> None:
    for name, value in (("--influences", influences), ("--max-people", max_people)):
        if value is not None and value < 1:
            raise InputError(f"{name}: expected a whole number of at least 1, got {value}")


def _lifter(name: str, refine: str | None, weights: Path | None) -> Lifter | str | None:
    """What ``main_road.capture`` takes for it, which loads the default while it looks at pictures."""
    if name == _NO_LIFTER:
        for given, value in (("--refine", refine), ("--weights", weights)):
            if value is not None:
                raise InputError(f"{given} {value} is for a lifter; take one, such as --lifter time")
        return None
    if name == _LIFTER and refine is None and weights is None:
        return name
    from marrow.lifters import load_lifter

    return load_lifter(name, refine=refine, weights=weights)


def _refuse_camera(fov: float | None, size: tuple[int, int] | None, fps: float | None) -> None:
    if fov is not None and not 1 <= fov <= 175:
        raise InputError(f"--fov: expected degrees between 1 and 175, got {fov:g}")
    if size is not None and min(size) < 16:
        raise InputError(f"--size: expected width and height in pixels, such as 1920 1080, got {size[0]} {size[1]}")
    if fps is not None and not 0 < fps <= 100_000:
        raise InputError(f"--fps: expected frames per second above 0, such as 29.97, got {fps:g}")


def prepare(words: Sequence[str]) -> list[str]:
    """Join the numbers after ``--height``, so that it may stand before the source: ``--height 1.80 1.65 walk.mp4``.

    Only numbers with a point belong to it: ``0`` is a webcam.
    """
    out: list[str] = []
    joining = False
    for word in words:
        if joining and _METRES.fullmatch(word):
            out[-1] += f",{word}"
            continue
        joining = word.startswith("--height=") or (len(out) > 0 and out[-1] == "--height")
        out.append(word)
    return out


def output_folders(sources: Sequence[str], out: Path | None) -> list[Path]:
    """A folder for each source: ``out`` for a single one, else ``out/NAME``, or ``marrow_out/NAME`` without ``out``."""
    if out is not None and len(sources) == 1:
        return [out]
    parent = Path("marrow_out") if out is None else out
    names: list[str] = []
    for source in sources:
        name = source_name(source)
        number = 2
        while name in names:
            name, number = f"{source_name(source)}_{number}", number + 1
        names.append(name)
    return [parent / name for name in names]


def source_name(source: str) -> str:
    """Short name of a source: the file's stem, the folder's name, ``webcam_0``."""
    if _is_webcam(source):
        return f"webcam_{source}"
    path = Path(source).expanduser()
    while _GLOB.search(path.name):
        path = path.parent
    if path.is_dir():
        return path.resolve().name or "pictures"
    return path.stem or "capture"


def _is_webcam(source: str) -> bool:
    return source.isdecimal() and not Path(source).exists()


def _metres(text: str | None) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        heights = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"--height: expected metres, such as 1.80 or 1.80,1.65, got {text!r}") from None
    if "," in text and "." not in text:
        raise InputError(f"--height: write metres with a point, such as 1.80, and several as 1.80,1.65; got {text!r}")
    for value in heights:
        if not 0.3 <= value <= 2.8:
            hint = f"; did you mean {value / 100:.2f}?" if 30 <= value <= 280 and "," not in text else ""
            hint = "; write metres with a point, such as 1.80" if "," in text else hint
            raise InputError(f"--height: expected metres between 0.3 and 2.8, got {value:g}{hint}")
    return heights


def _kilograms(text: str | None) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        masses = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"--mass: expected kilograms, such as 81.5 or 81.5,64, got {text!r}") from None
    for value in masses:
        if not 0.5 <= value <= 600:
            raise InputError(f"--mass: expected kilograms between 0.5 and 600, got {value:g}")
    return masses
