"""Keypoint files of other tools: OpenPose's folder of JSON files, COCO results and COCO annotations.

Sources: OpenPose ``doc/02_output.md`` (``people[].pose_keypoints_2d``, flat ``x y confidence``); COCO data and results
formats (``keypoints`` flat ``x y v`` or ``x y score``); COCO-WholeBody (``foot_kpts``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

import msgspec
import numpy as np
from numpy.typing import NDArray

from marrow.conventions import convert_joints
from marrow.errors import InputError
from marrow.io.columns import read_content
from marrow.io.images import IMAGE_SUFFIXES, natural_key
from marrow.io.linking import link_frames
from marrow.types import Keypoints, Track

#: Number of keypoints in a file to its joint set, for the two families of files.
_OPENPOSE_SETS = {25: "body25", 18: "coco18"}
_COCO_SETS = {17: "coco17", 26: "halpe26", 133: "coco133"}

#: Sets that the fit does not know whole, and the one that keeps most of them.
_BODY_PART = {"coco18": "body25", "coco133": "halpe26"}

#: COCO's visibility flag (0 not labelled, 1 labelled but hidden, 2 visible) as a confidence.
_FLAG_CONFIDENCE = np.array([0.0, 0.5, 1.0], np.float32)

_MARGIN = 0.1

#: More points than this share outside of the picture mean that its size is wrong.
_OUTSIDE = 0.3


class KeypointFile(NamedTuple):
    """What a keypoint file holds.

    Attributes:
        tracks: people, longest first, with ids from 1.
        size: (width, height) of the picture in pixels; a guess with a warning where the file does not say.
        fps: frames per second, or None where the file does not say.
        warnings: what the user should know.
    """

    tracks: list[Track]
    size: tuple[int, int]
    fps: float | None
    warnings: list[str]


@dataclass
class _Seen:
    """One person in one frame: (J, 2) pixels, (J,) confidence, and the file's own identity if it has one."""

    frame: int
    xy: NDArray[np.float32]
    confidence: NDArray[np.float32]
    identity: int | None = None
    score: float = 1.0


def is_keypoint_source(path: str | Path) -> bool:
    """Whether a path should be read here: a ``.json`` file, or a folder with ``*_keypoints.json``.

    Pictures beside them (OpenPose draws some) do not count; ``"folder/*.png"`` is the way to those.
    """
    path = Path(path)
    return path.suffix.lower() == ".json" if path.is_file() else any(path.glob("*_keypoints.json"))


def read_keypoints(path: str | Path, *, size: tuple[int, int] | None = None, fps: float | None = None) -> KeypointFile:
    """Read people's keypoints over time.

    Args:
        path: folder of OpenPose ``*_keypoints.json`` files (one a frame), one such file, or a COCO JSON file.
        size: (width, height) of the pictures; OpenPose and COCO results do not carry it. It goes before the file's.
        fps: frames per second; goes before the file's.

    Raises:
        InputError: missing, damaged or unknown content (the message names file and field), or a size that many points
            lie outside of.
    """
    path = Path(path)
    found = _read(path, size)
    if size is not None:
        _check_inside(path, found.tracks, size)
    if fps is None:
        return found
    warnings = list(found.warnings)
    if found.fps is not None and abs(found.fps - fps) > 0.01 * fps:
        warnings.append(f"{path.name} tells {found.fps:g} frames a second; the given {fps:g} are used")
    return found._replace(fps=float(fps), warnings=warnings)


def _read(path: Path, size: tuple[int, int] | None) -> KeypointFile:
    if path.is_dir():
        files = sorted(path.glob("*_keypoints.json"), key=natural_key) or sorted(path.glob("*.json"), key=natural_key)
        if not files:
            raise InputError(f"{path}: no *_keypoints.json files in this folder (OpenPose writes one a frame)")
        joint_set, seen = _read_openpose(files)
        beside = sorted({file.suffix for file in path.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES})
        warnings = [
            f'{path.name} also holds pictures, which were not looked at; for them: "{path}/*{suffix}"'
            for suffix in beside[:1]
        ]
        return _assemble(path, joint_set, seen, size, None, warnings)
    content = _load(path)
    if isinstance(content, Mapping) and "people" in content:
        joint_set, seen = _read_openpose([path])
        return _assemble(path, joint_set, seen, size, None, [])
    if isinstance(content, Mapping) and "annotations" in content:
        return _read_coco_annotations(path, content, size)
    if isinstance(content, list):
        warnings: list[str] = []
        joint_set, seen = _read_coco_entries(path, content, "", _frame_numbers(path, content, warnings), scored=True)
        return _assemble(path, joint_set, seen, size, None, warnings)
    found = f"an object with the fields {', '.join(list(content)[:6])}" if isinstance(content, Mapping) else "a value"
    raise InputError(
        f"{path}: expected OpenPose ('people'), COCO annotations ('annotations') or COCO results (a list), got {found}"
    )


def _load(path: Path) -> Any:
    raw = read_content(path)
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        if isinstance(raw, bytes) and any(word in raw for word in (b"NaN", b"Infinity")):
            raise InputError(
                f"{path}: NaN and Infinity are no JSON; write 0, 0, 0 for a joint that is missing"
            ) from error
        raise InputError(f"{path}: not valid JSON ({error}); the file is damaged or cut short") from error


# ---------------------------------------------------------------------------------------------------------------------
# OpenPose
# ---------------------------------------------------------------------------------------------------------------------


def _read_openpose(files: list[Path]) -> tuple[str, list[_Seen]]:
    seen: list[_Seen] = []
    joint_set = None
    for frame, file in zip(_openpose_frames(files), files, strict=True):
        content = _load(file)
        people = content.get("people") if isinstance(content, Mapping) else None
        if not isinstance(people, list):
            raise InputError(f"{file}: the field 'people' must be a list; is this OpenPose output?")
        for number, person in enumerate(people):
            where = f"{file}: people[{number}].pose_keypoints_2d"
            if not isinstance(person, Mapping):
                raise InputError(f"{file}: people[{number}] must be an object")
            points = _triples(person.get("pose_keypoints_2d"), where)
            joint_set = _joint_set(len(points), joint_set, _OPENPOSE_SETS, where)
            if not np.any(points[:, 2] > 0):
                continue
            identity = _identity(person.get("person_id"))
            seen.append(_Seen(frame, points[:, :2], points[:, 2], identity, float(points[:, 2].mean())))
    return joint_set or "body25", seen


def _openpose_frames(files: list[Path]) -> list[int]:
    """Frame numbers from ``video_000000000012_keypoints.json``, from 0; the order of files where names lack them."""
    found = [re.search(r"(\d+)(?:_keypoints)?$", file.stem) for file in files]
    numbers = [int(match.group(1)) for match in found if match]
    if len(numbers) != len(files) or len(set(numbers)) != len(files) or _scattered(numbers):
        return list(range(len(files)))
    return [number - min(numbers) for number in numbers]


# ---------------------------------------------------------------------------------------------------------------------
# COCO
# ---------------------------------------------------------------------------------------------------------------------


def _read_coco_annotations(path: Path, content: Mapping[str, Any], size: tuple[int, int] | None) -> KeypointFile:
    images, entries = content.get("images", []), content["annotations"]
    for name, value in (("images", images), ("annotations", entries)):
        if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
            raise InputError(f"{path}: the field '{name}' must be a list of objects")
    if not all(_is_id(image.get("id")) for image in images):
        raise InputError(f"{path}: every entry of 'images' needs an 'id', a number or a name")
    ordered = sorted(images, key=_image_order)
    frames = {image["id"]: index for index, image in enumerate(ordered)}
    warnings: list[str] = []
    if not frames:
        frames = _frame_numbers(path, entries, warnings)
    own = _size_of_images(path, images)
    if size is not None and own not in (None, size):
        warnings.append(f"{path.name} tells pictures of {own[0]}×{own[1]}; the given {size[0]}×{size[1]} are used")
    size = size or own
    info = content.get("info")
    fps: Any = info.get("fps") if isinstance(info, Mapping) else None
    joint_set, seen = _read_coco_entries(path, entries, "annotations", frames, scored=False)
    return _assemble(path, joint_set, seen, size, float(fps) if _is_number(fps) and fps > 0 else None, warnings)


def _image_order(image: Mapping[str, Any]) -> tuple[float, list[Any]]:
    frame = image.get("frame_id")
    return float(frame) if _is_number(frame) else 0.0, natural_key(Path(str(image.get("file_name") or image["id"])))


def _size_of_images(path: Path, images: list[Mapping[str, Any]]) -> tuple[int, int] | None:
    """The size that all images share, or None where they do not say."""
    size: tuple[int, int] | None = None
    for number, image in enumerate(images):
        width, height = image.get("width"), image.get("height")
        if width is None and height is None:
            continue
        if not (_is_number(width) and _is_number(height) and width >= 1 and height >= 1):
            raise InputError(f"{path}: images[{number}]: width and height must be positive, got {width!r}, {height!r}")
        if size not in (None, (int(width), int(height))):
            raise InputError(f"{path}: images[{number}]: {width}×{height} after {size}; one size is needed")
        size = int(width), int(height)
    return size


def _read_coco_entries(
    path: Path, entries: list[Any], field: str, frames: Mapping[Any, int], *, scored: bool
) -> tuple[str, list[_Seen]]:
    """``scored``: the third number is a score, as detectors write it, and not COCO's visibility flag."""
    seen: list[_Seen] = []
    joint_set = None
    for number, entry in enumerate(entries):
        where = f"{path}: {field}[{number}]"
        if not isinstance(entry, Mapping) or not _is_id(entry.get("image_id")):
            raise InputError(f"{where} must be an object with 'image_id' (a number or name) and 'keypoints'")
        if not entry.get("keypoints") or entry.get("iscrowd"):
            continue
        points = _triples(entry["keypoints"], f"{where}.keypoints")
        if entry.get("foot_kpts") and len(points) == 17:
            feet = _triples(entry["foot_kpts"], f"{where}.foot_kpts")
            rest = np.zeros((133 - 17 - len(feet), 3), np.float32)
            points = np.concatenate([points, feet, rest])
        joint_set = _joint_set(len(points), joint_set, _COCO_SETS, f"{where}.keypoints")
        if entry["image_id"] not in frames:
            raise InputError(f"{where}.image_id: {entry['image_id']!r} is not among 'images'")
        confidence = points[:, 2]
        if not scored and np.all(np.isin(confidence, (0, 1, 2))):
            confidence = _FLAG_CONFIDENCE[confidence.astype(int)]
        if not np.any(confidence > 0):
            continue
        identity = _identity(entry.get("track_id", entry.get("idx")))
        score = entry.get("score", 1.0)
        seen.append(
            _Seen(
                frames[entry["image_id"]],
                points[:, :2],
                np.clip(confidence, 0, 1),
                identity,
                float(np.clip(score, 0, 1)) if _is_number(score) else 1.0,
            )
        )
    return joint_set or "coco17", seen


def _frame_numbers(path: Path, entries: list[Any], warnings: list[str]) -> dict[Any, int]:
    """Frame of each ``image_id`` where no list of images gives their order."""
    ids = {entry["image_id"] for entry in entries if isinstance(entry, Mapping) and _is_id(entry.get("image_id"))}
    ordered = sorted(ids, key=lambda image: natural_key(Path(str(image))))
    numbers = [
        int(match.group(1)) for image in ordered if (match := re.search(r"(\d+)$", Path(str(image)).stem)) is not None
    ]
    if len(numbers) == len(ordered) == len(set(numbers)) and not _scattered(numbers):
        return {image: number - min(numbers) for image, number in zip(ordered, numbers, strict=True)}
    if len(ordered) > 1:
        warnings.append(
            f"{path.name}: image_id does not count frames; the pictures are taken as one frame after another"
        )
    return {image: index for index, image in enumerate(ordered)}


# ---------------------------------------------------------------------------------------------------------------------
# Shared
# ---------------------------------------------------------------------------------------------------------------------


def _assemble(
    path: Path,
    joint_set: str,
    seen: list[_Seen],
    size: tuple[int, int] | None,
    fps: float | None,
    warnings: list[str],
) -> KeypointFile:
    if seen and all(one.identity is not None for one in seen) and _identities_hold(seen):
        known = {identity: order for order, identity in enumerate(dict.fromkeys(one.identity for one in seen))}
        labels = [known[one.identity] for one in seen]
    else:
        labels = link_frames([one.frame for one in seen], [one.xy for one in seen], [one.confidence for one in seen])
    people: dict[int, list[_Seen]] = {}
    for one, label in zip(seen, labels, strict=True):
        people.setdefault(label, []).append(one)
    ordered = sorted(people.values(), key=len, reverse=True)
    tracks = [_track(number, joint_set, person) for number, person in enumerate(ordered, start=1)]
    if size is None:
        size = _guess_size(seen)
        told = f"{path.name} does not say the size of the picture: {size[0]}×{size[1]} assumed; give --size"
        warnings = [*warnings, told]
    return KeypointFile(tracks, size, fps, warnings)


def _check_inside(path: Path, tracks: list[Track], size: tuple[int, int]) -> None:
    """Refuse a size that many points lie outside of: another unit, or width and height exchanged."""
    xy = np.concatenate([own.keypoints.xy.reshape(-1, 2) for own in tracks]) if tracks else np.zeros((0, 2))
    xy = xy[np.isfinite(xy).all(1)]
    outside = ((xy < -0.5) | (xy > np.array(size) - 0.5)).any(1)
    if len(xy) and outside.mean() > _OUTSIDE:
        reach = np.percentile(xy, 95, axis=0)
        raise InputError(
            f"{path}: {100 * outside.mean():.0f} % of the keypoints lie outside of a picture of {size[0]}×{size[1]} "
            f"pixels (they reach {reach[0]:.0f}, {reach[1]:.0f}); give --size WIDTH HEIGHT in the keypoints' own pixels"
        )


def _identities_hold(seen: Iterable[_Seen]) -> bool:
    """The file's identities are usable when no frame has the same one twice."""
    pairs = [(one.frame, one.identity) for one in seen]
    return len(set(pairs)) == len(pairs)


def _track(number: int, joint_set: str, person: list[_Seen]) -> Track:
    person = sorted(person, key=lambda one: one.frame)
    xy = np.stack([one.xy for one in person]).astype(np.float32)
    confidence = np.stack([one.confidence for one in person]).astype(np.float32)
    absent = ~(confidence > 0) | ~np.isfinite(xy).all(axis=-1)
    xy[absent], confidence[absent] = np.nan, 0
    low, high = np.nanmin(xy, axis=1), np.nanmax(xy, axis=1)
    margin = _MARGIN * (high - low).max(axis=1, keepdims=True)
    keypoints = Keypoints(joint_set, xy, np.clip(confidence, 0, 1))
    if joint_set in _BODY_PART:
        keypoints = convert_joints(keypoints, joint_set, _BODY_PART[joint_set], learned=False)
    return Track(
        id=number,
        frames=np.array([one.frame for one in person], np.int64),
        keypoints=keypoints,
        box=np.concatenate([low - margin, high + margin], axis=1).astype(np.float32),
        score=np.array([one.score for one in person], np.float32),
    )


def _guess_size(seen: list[_Seen]) -> tuple[int, int]:
    """The smallest usual picture that holds every point."""
    reach = np.array([one.xy[one.confidence > 0].max(axis=0) for one in seen if np.any(one.confidence > 0)])
    width, height = np.nanmax(reach, axis=0) if len(reach) else (1.0, 1.0)
    usual = [(640, 480), (1280, 720), (1920, 1080), (2560, 1440), (3840, 2160)]
    upright = [(size[1], size[0]) for size in usual]
    for size in sorted(usual + upright, key=lambda size: size[0] * size[1]):
        if width <= size[0] and height <= size[1]:
            return size
    return int(np.ceil(width)) + 1, int(np.ceil(height)) + 1


def _triples(values: Any, where: str) -> NDArray[np.float32]:
    """(J, 3) from a flat list ``x y c x y c …``."""
    if not isinstance(values, list) or not all(_is_number(value) for value in values):
        raise InputError(f"{where} must be a flat list of numbers x, y, confidence, …")
    if not values or len(values) % 3:
        raise InputError(f"{where} has {len(values)} numbers; expected three for each keypoint")
    points = np.array(values, np.float64).reshape(-1, 3)
    points[~np.isfinite(points).all(axis=1)] = 0
    return points.astype(np.float32)


def _joint_set(count: int, before: str | None, known: Mapping[int, str], where: str) -> str:
    name = known.get(count)
    if name is None:
        sets = ", ".join(f"{number} ({name})" for number, name in known.items())
        raise InputError(f"{where} has {count} keypoints; expected {sets}")
    if before not in (None, name):
        raise InputError(f"{where} has {count} keypoints ({name}), but earlier entries have {before}; use one kind")
    return name


def _identity(value: Any) -> int | None:
    """OpenPose writes ``[-1]`` where it did not track."""
    value = value[0] if isinstance(value, list) and len(value) == 1 else value
    return int(value) if _is_number(value) and float(value).is_integer() and value >= 0 else None


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_id(value: Any) -> TypeGuard[int | str]:
    return isinstance(value, (int, str))


def _scattered(numbers: list[int]) -> bool:
    """Numbers too far apart to count frames, like the image numbers of the COCO data set."""
    return max(numbers, default=0) - min(numbers, default=0) > 10 * len(numbers) + 100
