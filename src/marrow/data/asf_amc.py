"""Acclaim skeletons (.asf) and motions (.amc), as the CMU motion capture database stores them.

A bone is named by its segment, starts where its parent ends and *ends* at the next joint: ``lfemur`` ends at the left
knee. Lengths of CMU's files are inches over 0.45, so metres = value x 0.0254 / 0.45. Each bone has a fixed local axis
system ``C`` (``axis``), its motion ``M`` is given about those axes, and its rotation against the parent is
``C M C^-1``; three angles in the order XYZ mean ``Rz Ry Rx`` (X is applied first). Reference: the Acclaim format
description by J. Lander, "Working with motion capture file formats" (Game Developer, 1998).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from marrow.data.clips import PointClip
from marrow.errors import InputError

Float64 = NDArray[np.float64]

#: Metres per file unit over the file's own ``length`` scale.
INCH = 0.0254


@dataclass(frozen=True)
class AcclaimSkeleton:
    """The rest skeleton of one subject.

    Attributes:
        names: the B bones, ``root`` first, parents before children.
        parents: (B,) index of the parent, -1 for the root.
        offsets: (B, 3) metres from a bone's start to its end, in the world axes of the rest pose.
        axes: (B, 3, 3) the local axis system ``C`` of each bone.
        dof: per bone, the channels of the .amc in order (``("rx", "ry", "rz")``; the root's also ``tx ty tz``).
        metres_per_unit: scale of the file's lengths.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Float64
    axes: Float64
    dof: tuple[tuple[str, ...], ...]
    metres_per_unit: float


def read_asf(path: str | Path) -> AcclaimSkeleton:
    """Read an Acclaim skeleton.

    Raises:
        InputError: not an .asf, or a section is missing or malformed.
    """
    path = Path(path)
    sections = _sections(path)
    for key in ("units", "root", "bonedata", "hierarchy"):
        if key not in sections:
            raise InputError(f"{path.name}: expected a section :{key}, found {', '.join(sections) or 'none'}")
    try:
        units = {line[0]: line[1] for line in sections["units"] if len(line) > 1}
        degrees = units.get("angle", "deg").startswith("deg")
        scale = INCH / float(units.get("length", "1.0"))
        root = {line[0]: line[1:] for line in sections["root"]}
        bones = {"root": _root_bone(root, degrees)}
        for block in _blocks(sections["bonedata"]):
            name, bone = _bone(block, degrees, scale)
            bones[name] = bone
        parent_of = _parents(sections["hierarchy"])
    except (KeyError, IndexError, ValueError) as error:
        raise InputError(f"{path.name}: malformed .asf ({error})") from None
    names = _tree_order(parent_of, bones, path.name)
    return AcclaimSkeleton(
        names=names,
        parents=tuple(names.index(parent_of[n]) if n in parent_of else -1 for n in names),
        offsets=np.stack([bones[n][0] for n in names]),
        axes=np.stack([bones[n][1] for n in names]),
        dof=tuple(bones[n][2] for n in names),
        metres_per_unit=scale,
    )


def read_amc(path: str | Path, skeleton: AcclaimSkeleton) -> dict[str, Float64]:
    """Read an Acclaim motion as channels per bone: name to (T, number of its dof), radians and metres.

    Raises:
        InputError: a frame misses a bone, repeats one, or has a wrong number of values.
    """
    path = Path(path)
    frames: list[dict[str, list[str]]] = []
    degrees = True
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0].startswith(":"):
            degrees = degrees and words[0].upper() != ":RADIANS"
        elif len(words) == 1 and words[0].isdigit():
            frames.append({})
        elif not frames:
            raise InputError(f"{path.name}, line {number}: expected a frame number before bone values")
        else:
            frames[-1][words[0]] = words[1:]
    if not frames:
        raise InputError(f"{path.name}: no frames found; is this an .amc motion file?")
    channels = {}
    for name, dof in zip(skeleton.names, skeleton.dof, strict=True):
        if not dof:
            continue
        try:
            values = np.array([frame[name] for frame in frames], np.float64)
        except (KeyError, ValueError):
            raise InputError(f"{path.name}: bone {name!r} is missing or malformed in some frame") from None
        if values.shape[1:] != (len(dof),):
            raise InputError(f"{path.name}: bone {name!r} has {values.shape[1:]} values a frame, expected {len(dof)}")
        unit = [skeleton.metres_per_unit if c[0] == "t" else (np.pi / 180 if degrees else 1.0) for c in dof]
        channels[name] = values * unit
    return channels


def bone_ends(skeleton: AcclaimSkeleton, channels: dict[str, Float64]) -> Float64:
    """Forward kinematics: (T, B, 3) metres, the end of every bone (for ``root``: the root itself)."""
    frames = len(channels["root"])
    R = np.empty((frames, len(skeleton.names), 3, 3))
    end = np.empty((frames, len(skeleton.names), 3))
    for b, (name, parent) in enumerate(zip(skeleton.names, skeleton.parents, strict=True)):
        C = skeleton.axes[b]
        local = C @ _motion(skeleton.dof[b], channels.get(name), frames) @ C.T
        if parent < 0:
            R[:, b] = local
            end[:, b] = np.stack([_channel(skeleton.dof[b], channels[name], c) for c in ("tx", "ty", "tz")], -1)
        else:
            R[:, b] = R[:, parent] @ local
            end[:, b] = end[:, parent] + R[:, b] @ skeleton.offsets[b]
    return end


def read_clip(asf: str | Path, amc: str | Path, *, fps: float = 120.0) -> PointClip:
    """Read one CMU clip as points named by bone (a bone's point is its end); CMU's rate is 120 Hz, not in the file."""
    skeleton = read_asf(asf)
    xyz = bone_ends(skeleton, read_amc(amc, skeleton))
    name = Path(amc).stem
    still = {n: np.zeros((1, len(dof))) for n, dof in zip(skeleton.names, skeleton.dof, strict=True) if dof}
    return PointClip(name, f"cmu_{Path(asf).stem}", fps, skeleton.names, xyz, bone_ends(skeleton, still)[0])


def _sections(path: Path) -> dict[str, list[list[str]]]:
    sections: dict[str, list[list[str]]] = {}
    current: list[list[str]] = []
    for line in path.read_text(errors="replace").splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0].startswith(":"):
            current = sections.setdefault(words[0][1:].lower(), [])
            if len(words) > 1:
                current.append(words[1:])
        else:
            current.append(words)
    return sections


def _blocks(lines: list[list[str]]) -> list[list[list[str]]]:
    blocks: list[list[list[str]]] = []
    for line in lines:
        if line[0] == "begin":
            blocks.append([])
        elif line[0] != "end":
            blocks[-1].append(line)
    return blocks


def _root_bone(root: dict[str, list[str]], degrees: bool) -> tuple[Float64, Float64, tuple[str, ...]]:
    axis = root.get("axis", ["XYZ"])[0]
    C = _euler(np.array(root.get("orientation", ["0", "0", "0"]), float), axis, degrees)
    return np.zeros(3), C, tuple(c.lower() for c in root["order"])


def _bone(block: list[list[str]], degrees: bool, scale: float) -> tuple[str, tuple[Float64, Float64, tuple[str, ...]]]:
    fields = {line[0]: line[1:] for line in block if line[0].isalpha()}
    direction = np.array(fields["direction"], float)
    offset = direction / np.linalg.norm(direction) * float(fields["length"][0]) * scale
    C = _euler(np.array(fields["axis"][:3], float), fields["axis"][3], degrees)
    return fields["name"][0], (offset, C, tuple(c.lower() for c in fields.get("dof", [])))


def _parents(lines: list[list[str]]) -> dict[str, str]:
    return {child: line[0] for line in lines if line[0] not in ("begin", "end") for child in line[1:]}


def _tree_order(parent_of: dict[str, str], bones: dict[str, tuple], file: str) -> tuple[str, ...]:
    order = ["root"]
    for name in order:  # grows while it is read: breadth first
        order.extend(child for child, parent in parent_of.items() if parent == name)
    unknown = [n for n in order if n not in bones]
    if unknown or set(bones) - set(order):
        raise InputError(
            f"{file}: hierarchy and bonedata disagree about {sorted(unknown) or sorted(set(bones) - set(order))}"
        )
    return tuple(order)


def _channel(dof: tuple[str, ...], values: Float64, name: str) -> Float64:
    return values[:, dof.index(name)] if name in dof else np.zeros(len(values))


def _motion(dof: tuple[str, ...], values: Float64 | None, frames: int) -> Float64:
    """Rotation of the listed angles, the first listed applied first: (T, 3, 3)."""
    R = np.broadcast_to(np.eye(3), (frames, 3, 3))
    for channel in dof:
        if channel[0] == "r" and values is not None:
            R = _about(channel[1], _channel(dof, values, channel)) @ R
    return R


def _euler(angles: Float64, order: str, degrees: bool) -> Float64:
    R = np.eye(3)
    for axis, angle in zip(order.lower(), np.radians(angles) if degrees else angles, strict=True):
        R = _about(axis, np.array(angle)) @ R
    return R


def _about(axis: str, angle: Float64) -> Float64:
    """Rotation about one coordinate axis: (...) rad to (..., 3, 3)."""
    i = "xyz".index(axis)
    j, k = (i + 1) % 3, (i + 2) % 3
    R = np.zeros((*np.shape(angle), 3, 3))
    R[..., i, i] = 1.0
    R[..., j, j] = R[..., k, k] = np.cos(angle)
    R[..., k, j] = np.sin(angle)
    R[..., j, k] = -R[..., k, j]
    return R
