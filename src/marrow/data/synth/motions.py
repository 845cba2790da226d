"""Where movements come from: the pack that ships with marrow, and the user's own files once they are fitted."""

from __future__ import annotations

import functools
import hashlib
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from marrow.cache import cache_dir
from marrow.conventions import nearest_names
from marrow.data.motion_pack import MotionPack, PackedMotion, motion_pack, read_motion_pack, write_motion_pack
from marrow.data.synth.articulation import NAMES
from marrow.errors import InputError

#: Kinds of files that :func:`motions_from` looks for in a folder: what ``marrow convert`` reads.
SUFFIXES = (".bvh", ".amc", ".trc", ".c3d", ".npz")
#: A clip whose body stays further from its points is left out, metres (root mean square).
FARTHEST = 0.06
SPLITS = ("train", "A", "B")
#: Change it where fitted motions in the cache are no longer what would be fitted.
_VERSION = 1


@dataclass(frozen=True, eq=False)
class PoseSource:
    """Clips of one split, and the bodies that moved.

    Attributes:
        clips: by name.
        shapes: subject to parameters of the default body.
    """

    clips: Mapping[str, PackedMotion]
    shapes: Mapping[str, Mapping[str, float]]

    @functools.cached_property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """What is done to the clips that show it: names without numbers, or the subject; drawn alike often."""
        found: dict[str, list[str]] = {}
        for name, clip in self.clips.items():
            words = "_".join(w for w in name.split(".")[0].split("_")[1:] if not w.isdigit())
            found.setdefault(words or clip.subject, []).append(name)
        return {group: tuple(names) for group, names in found.items()}

    def clip(self, name: str) -> PackedMotion:
        """A clip by name. Raises InputError, with near names, where there is none."""
        if name not in self.clips:
            near = ", ".join(nearest_names(name, self.clips))
            raise InputError(f"no clip {name!r} among {len(self.clips)}; did you mean {near}?")
        return self.clips[name]

    def of(self, subject: str) -> PoseSource:
        """The clips of one subject."""
        clips = {name: c for name, c in self.clips.items() if c.subject == subject}
        if not clips:
            known = ", ".join(sorted({c.subject for c in self.clips.values()}))
            raise InputError(f"no subject {subject!r}; there are {known}")
        return PoseSource(clips, self.shapes)


@functools.cache
def shipped(split: str = "train") -> PoseSource:
    """The clips of marrow's own pack in one split: ``"train"``, ``"A"`` (unseen clips) or ``"B"`` (unseen subject)."""
    if split not in SPLITS:
        raise InputError(f"no split {split!r}: expected 'train', 'A' or 'B'")
    pack = motion_pack()
    return PoseSource({m.name: m for m in pack.select(split)}, pack.shapes)


def motions_from(
    path: str | Path,
    fit: Callable[[Path], tuple[PackedMotion, Mapping[str, float]]],
    *,
    key: str = "",
    told: Callable[[str], None] = print,
) -> PoseSource:
    """The user's own motions: a file, or a folder with files, that ``marrow convert`` reads.

    What was fitted is kept in marrow's cache, by the file's content, and read from there the next time.

    Args:
        path: a file or folder (looked through with its subfolders).
        fit: fits one file and gives the clip and the body that moved: :func:`marrow.conversion.packed`.
        key: what else but the file's content decides how it is fitted; part of its name in the cache.
        told: called with a line for each file: how far the body stays from the file's points, or what was wrong.

    Raises:
        InputError: nothing there, or no file could be read.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder (in {Path.cwd()})")
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES)
    if not files:
        raise InputError(f"{path}: no motions in this folder; expected files of {' '.join(SUFFIXES)}")
    clips: dict[str, PackedMotion] = {}
    shapes: dict[str, Mapping[str, float]] = {}
    wrong: list[str] = []
    for file in files:
        name = file.stem if file.stem not in clips else str(file.relative_to(path).with_suffix(""))
        try:
            pack = _fitted(file, fit, key)
        except InputError as error:
            wrong.append(str(error))
            told(f"left out: {file}: {error}")
            continue
        clip = pack.motion(0)
        if clip.error > FARTHEST:
            wrong.append(
                f"{file}: the body stays {1000 * clip.error:.0f} mm from the file's points, more than "
                f"{1000 * FARTHEST:.0f}; look at what marrow convert tells of it: its unit, its axes or its neutral "
                "pose may have to be named"
            )
            told(f"left out: {wrong[-1]}")
            continue
        clips[name] = PackedMotion(name, clip.subject, "own", clip.fps, clip.coordinates, clip.q, clip.error)
        shapes |= pack.shapes
        told(f"{file}: {len(clip.q)} frames, {1000 * clip.error:.1f} mm from its points")
    if not clips:
        raise InputError(f"{path}: none of {len(files)} files could be read. The first: {wrong[0]}")
    return PoseSource(clips, shapes)


def checked(clip: PackedMotion) -> PackedMotion:
    """The clip. Raises InputError where it is empty, not finite, or of coordinates that the skeleton does not have."""
    unknown = [name for name in clip.coordinates if name not in NAMES]
    if unknown:
        raise InputError(f"{clip.name}: the skeleton has no {', '.join(unknown[:5])}; fit the clip with marrow convert")
    if clip.q.ndim != 2 or not len(clip.q) or clip.q.shape[1] != len(clip.coordinates):
        raise InputError(f"{clip.name}: expected q (T, {len(clip.coordinates)}) with T > 0, got {clip.q.shape}")
    if not np.isfinite(clip.q).all():
        frame = int(np.flatnonzero(~np.isfinite(clip.q).all(1))[0])
        raise InputError(f"{clip.name}: frame {frame} holds NaN or infinite values; fit the clip with marrow convert")
    return clip


def _fitted(file: Path, fit: Callable[[Path], tuple[PackedMotion, Mapping[str, float]]], key: str) -> MotionPack:
    digest = hashlib.sha256(file.read_bytes())
    digest.update(f"{_VERSION} {file.suffix} {key}".encode())
    kept = cache_dir() / "motions" / f"{digest.hexdigest()[:32]}.npz"
    if kept.is_file():
        try:
            pack = read_motion_pack(kept)
            checked(pack.motion(0))
        except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile, InputError):
            kept.unlink(missing_ok=True)  # cut short or of an older marrow: made again
        else:
            return pack
    clip, shape = fit(file)
    subject = digest.hexdigest()[:12]
    clip = checked(PackedMotion(clip.name, subject, "own", clip.fps, clip.coordinates, clip.q, clip.error))
    kept.parent.mkdir(parents=True, exist_ok=True)
    # written beside and renamed: several processes may fit the same file
    beside = kept.with_name(f"{kept.stem}.{np.random.default_rng().integers(1 << 48):x}.npz")
    write_motion_pack(beside, [clip], {subject: shape})
    beside.replace(kept)
    return read_motion_pack(kept)
