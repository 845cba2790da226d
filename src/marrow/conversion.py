"""Any motion file onto marrow's body and skeleton, and out in any format that a person can be saved as.

Joints (``.bvh``, ``.amc``) and markers (``.trc``, ``.c3d``) of motion capture, and sequences of meshes in the default
body's topology, are fitted: shape first, then all frames. marrow's own ``motion.npz`` is taken as it is. Of joints only
the positions are fitted: what those do not show, such as how a forearm is turned, is told and not taken from the file.
Motions of SMPL's family as AMASS keeps them need the user's own model file.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from marrow import io
from marrow.body import DefaultBody, Rest, load_body
from marrow.conventions import from_ground
from marrow.data.asf_amc import read_clip
from marrow.data.bvh_clip import read_bvh_clip
from marrow.data.clips import PointClip
from marrow.data.motion_pack import PackedMotion
from marrow.data.synth.motions import PoseSource, motions_from
from marrow.errors import InputError
from marrow.fit.clips import fit_clip, fit_shape
from marrow.fit.markers import fit_markers
from marrow.fit.meshes import fit_meshes
from marrow.io.amass import SmplMotion, is_amass, read_amass
from marrow.io.markers import not_upright, read_upright, upright
from marrow.io.meshes import MESH_SUFFIXES, Topology, is_mesh_source, read_meshes
from marrow.io.npz import read_motion
from marrow.person import exported
from marrow.progress import Progress, silent
from marrow.skeleton import Skeleton
from marrow.skeleton.definition import FINGER_BODIES, FOLLOWERS, JOINTS
from marrow.skeleton.osim.geometry import read_geometry_folder
from marrow.types import PRIOR, Float64, Motion

if TYPE_CHECKING:
    from marrow.body.smpl import SmplBody

#: Coordinates that follow others where nothing tells the two apart, and those of the fingers.
_LED = {follower.name for follower in FOLLOWERS}
_OF_FINGERS = {c.name for joint in JOINTS if joint.body in FINGER_BODIES for c in joint.coordinates}
_CLIP_FPS = 30.0
#: Skin that stays further than this from the meshes is told, millimetres.
_FAR_SKIN_MM = 12.0


@dataclass(frozen=True, eq=False)
class Converted:
    """A motion on marrow's body.

    Attributes:
        name: of the file it came from.
        motion: coordinates and shape.
        skeleton: scaled to the person.
        rest: the body at rest.
        body: the model that ``rest`` belongs to.
        residual: landmark, marker or region of the skin to the distance (T,) in metres between the fitted body and the
            file's points (of a region: the mean over its skin); empty where nothing was fitted.
        warnings: what the user should know.
    """

    name: str
    motion: Motion
    skeleton: Skeleton
    rest: Rest
    body: DefaultBody
    residual: Mapping[str, Float64]
    warnings: tuple[str, ...] = ()

    def save(
        self,
        path: str | Path,
        *,
        influences: int | None = None,
        bones: str | Path | None = None,
        modern: bool = False,
    ) -> list[str]:
        """Write one file; its kind follows the suffix. Returns remarks; raises InputError for an unknown suffix.

        ``influences``, ``bones`` and ``modern`` are those of :meth:`marrow.person.Person.save`.
        """
        export = self._export.with_options(geometry=None if bones is None else Path(bones), modern=modern)
        return io.save(path, export, influences=influences)

    @functools.cached_property
    def _export(self) -> io.PersonExport:
        return exported(self.name, self.motion, self.skeleton, self.rest, self.body)

    def summary(self) -> dict[str, Any]:
        """What came out, in one row."""
        row: dict[str, Any] = {
            "motion": self.name,
            "frames": len(self.motion.time),
            "seconds": round(float(self.motion.time[-1] - self.motion.time[0]), 2),
            "height (m)": round(float(self.rest.vertices[:, 1].max()), 3),
        }
        if self.residual:
            all_mm = 1000 * np.concatenate(list(self.residual.values()))
            row["residual median, 95 % (mm)"] = [round(float(v), 1) for v in np.nanquantile(all_mm, (0.5, 0.95))]
            worst = max(self.residual, key=lambda name: float(np.nanmedian(self.residual[name])))
            row["worst"] = f"{worst} {1000 * float(np.nanmedian(self.residual[worst])):.1f} mm"
        return row


def convert(
    source: str | Path,
    out: str | Path | None = None,
    *,
    skeleton: str | Path | None = None,
    rest_frame: int | None = None,
    metres_per_unit: float | None = None,
    up: str | None = None,
    static: str | Path | None = None,
    height: float | None = None,
    fps: float | None = None,
    model: str | Path | None = None,
    bones: str | Path | None = None,
    progress: Progress | None = None,
) -> Converted:
    """Read a motion file, fit marrow's body to it and, if asked, write it in another format.

    Args:
        source: ``.bvh``, ``.amc`` (with its ``.asf``), ``.trc`` or ``.c3d`` (markers) or marrow's ``.npz``; or meshes
            of the default body: ``.npz`` with ``vertices`` (T, 13718, 3), a folder or ``"glob*"`` of ``.obj`` or
            ``.ply`` files (see :mod:`marrow.io.meshes`); or an ``.npz`` of AMASS (see :mod:`marrow.io.amass`).
        out: file to write; its suffix names the format (see :meth:`Converted.save`).
        skeleton: the ``.asf`` of an ``.amc``; by default the one of the same subject beside it.
        rest_frame: for ``.bvh`` whose pose of zero angles is no standing person: a frame in which one stands upright.
        metres_per_unit: of a ``.bvh``, which does not say (by default the usual unit that gives a grown person), or of
            meshes (by default 1).
        up: the axis, ``"y"`` or ``"z"``, that points up in a marker file, in meshes or in an ``.npz`` of AMASS; by
            default Z in ``.c3d`` and AMASS, else Y.
        static: marker file of a static trial of the same person, in the same axes: the shape comes from it, and
            markers on no bony point (clusters) are followed from where they are in it.
        height: stature in metres, if known; for markers.
        fps: frames per second of an ``.amc``, which does not say (120 by default), or of meshes (30).
        model: for AMASS: the body that the motion is of, the name of a model of yours (``marrow models``) or a path; by
            default the kept one of the file's family and gender.
        bones: for an ``.osim`` as ``out``: see :meth:`marrow.person.Person.save`.
        progress: called as ``progress(stage, done, total)``.

    Raises:
        InputError: the source cannot be read, or a suffix is not known.
        OutputError: ``out`` cannot be written.
    """
    source = Path(source)
    if out is not None and Path(out).suffix.lower() not in io.EXPORTERS:
        given = Path(out).suffix or "a file without suffix"
        raise InputError(f"{out}: cannot write {given}; choose {' '.join(io.EXPORTERS)}")
    if bones is not None:
        read_geometry_folder(bones)  # told before the long work
    body = load_body("default")
    kind = _kind(source)
    given = {
        "skeleton": skeleton, "rest": rest_frame, "unit": metres_per_unit, "up": up, "static": static, "height": height,
        "fps": fps, "model": model,
    }  # fmt: skip
    idle = " and ".join(f"--{name}" for name, value in given.items() if value is not None and name not in kind.takes)
    if idle:
        raise InputError(f"{source}: {kind.name} takes no {idle}; leave that out")
    own = {name: given[name] for name in kind.takes}
    found = kind.read(source=source, body=body, progress=progress or silent, **own)
    if out is not None:
        found.save(out, bones=bones)
    return found


def packed(source: str | Path, **options: Any) -> tuple[PackedMotion, Mapping[str, float]]:
    """A motion file as a clip to draw poses from, and the body that moved.

    The clip holds 30 frames a second at most and the coordinates that the file shows. ``options`` are those of
    :func:`convert`.

    Raises:
        InputError: as :func:`convert`.
    """
    found = convert(source, **options)
    motion = found.motion
    shown = np.ones(len(motion.coordinates), bool) if motion.mark is None else (motion.mark == PRIOR).mean(0) <= 0.5
    names = tuple(name for name, kept in zip(motion.coordinates, shown, strict=True) if kept or name[:7] == "pelvis_")
    columns = [motion.coordinates.index(name) for name in names]
    fps = 1.0 / float(np.median(np.diff(motion.time))) if len(motion.time) > 1 else _CLIP_FPS
    step = max(1, round(fps / _CLIP_FPS))
    distances = [np.square(d[np.isfinite(d)]) for d in found.residual.values()]
    error = float(np.sqrt(np.concatenate(distances).mean())) if distances else 0.0
    clip = PackedMotion(found.name, found.name, "own", fps / step, names, motion.q[::step][:, columns], error)
    return clip, motion.shape


def motions(path: str | Path, **options: Any) -> PoseSource:
    """The user's own motion files, or a folder of them, to draw poses from (``PoseSampler(source=…)``).

    Each is fitted once, told with its distance from the file's points, and kept in marrow's cache. ``options`` are
    those of :func:`convert` (``rest_frame=0``, ``metres_per_unit=0.01`` …), the same for all files.

    Raises:
        InputError: nothing there, or nothing that can be read.
    """
    return motions_from(path, functools.partial(packed, **options), key=repr(sorted(options.items())))


def _own(source: Path, body: DefaultBody, progress: Progress) -> Converted:
    try:
        motion = read_motion(source)
    except InputError as error:
        raise InputError(f"{error}. (Meshes would be an array 'vertices' (T, {body.vertex_count}, 3).)") from None
    rest = body.rest(motion.shape)
    return Converted(source.stem, motion, Skeleton.inside(rest.landmarks), rest, body, {})


def from_meshes(
    vertices: ArrayLike, time: ArrayLike, *, name: str = "meshes", progress: Progress | None = None
) -> Converted:
    """As :func:`convert`, of meshes in memory.

    Args:
        vertices: (T, 13718, 3) metres, marrow's world, in the order of the default body's vertices.
        time: (T,) increasing seconds.
        name: used inside files.

    Raises:
        InputError: shapes that do not fit, or vertices that are not finite.
    """
    found, body = fit_meshes(vertices, time, progress=progress), load_body("default")
    person, region = found.person, found.worst
    far, warnings = 1000 * float(np.median(found.residual[region])), []
    if far > _FAR_SKIN_MM:
        warnings.append(
            f"the skin of {region} stays {far:.0f} mm from the meshes: their shape, or how they bend, is not this "
            "body's, and angles near there follow it"
        )
    rest = body.rest(person.motion.shape)
    return Converted(name, person.motion, person.skeleton, rest, body, found.residual, tuple(warnings))


def from_amass(motion: SmplMotion, body: SmplBody, *, progress: Progress | None = None) -> Converted:
    """As :func:`convert`, of a motion of a body of SMPL's family in memory, in marrow's world (Y up).

    Raises:
        InputError: a motion that does not belong to ``body``.
    """
    from marrow.fit.smpl import from_smpl

    found, ours = from_smpl(motion, body, progress=progress), load_body("default")
    person = found.person
    rest = ours.rest(person.motion.shape)
    told = () if body.has_fingers else (f"{body.spec.name} does not bend its fingers: they stay relaxed",)
    return Converted(motion.name, person.motion, person.skeleton, rest, ours, found.residual, told)


def _from_amass_file(
    source: Path, model: str | Path | None, up: str | None, body: DefaultBody, progress: Progress
) -> Converted:
    from marrow.fit.smpl import model_of, of_known_shapes, smpl_body

    motion, up = read_amass(source), up or "z"
    theirs = smpl_body(model_of(motion) if model is None else model)
    motion, told = of_known_shapes(motion, theirs)
    upright_motion = motion.turned(upright(up), theirs.rest(motion.betas).joints[0])
    found = from_amass(upright_motion, theirs, progress=progress)
    return replace(found, warnings=(*told, *found.warnings, *_lying(found.skeleton, found.motion, up)))


def _from_mesh_files(
    source: Path, unit: float | None, up: str | None, fps: float | None, body: DefaultBody, progress: Progress
) -> Converted:
    up = up or "y"
    topology = Topology("the default body", body.rest().vertices, body.faces)
    meshes = read_meshes(source, topology, fps=fps, metres_per_unit=unit)
    turn = upright(up).astype(np.float32)
    found = from_meshes(meshes.vertices @ turn.T, meshes.time, name=meshes.name, progress=progress)
    return replace(found, warnings=(*meshes.remarks, *found.warnings, *_lying(found.skeleton, found.motion, up)))


def _lying(skeleton: Skeleton, motion: Motion, up: str) -> tuple[str, ...]:
    """A warning where the pelvis is not upright in most frames, as when the axes were taken wrongly."""
    if float(np.median(skeleton.forward(motion.q)[0][:, 0, 1, 1])) >= 0.5:
        return ()
    return (not_upright(up),)


def _from_markers(
    source: Path, static: str | Path | None, up: str | None, height: float | None, body: DefaultBody, progress: Progress
) -> Converted:
    markers, up = read_upright(source, up=up)
    still = None if static is None else read_upright(static, up=up)[0]

    found = fit_markers(
        markers.names,
        from_ground(markers.xyz),
        markers.time,
        static=None if still is None else (still.names, from_ground(still.xyz)),
        height_m=height,
        progress=progress,
    )
    warnings, person = [], found.person
    if found.left_out:
        some = ", ".join(found.left_out[:8]) + (" …" if len(found.left_out) > 8 else "")
        hint = "" if static else "; a static trial places them: --static FILE"
        warnings.append(f"{len(found.left_out)} markers sit on no known bony point and were left out: {some}{hint}")
    warnings += _lying(person.skeleton, person.motion, up)
    rest = body.rest(person.motion.shape)
    return Converted(source.stem, person.motion, person.skeleton, rest, body, found.residual, tuple(warnings))


def _from_bvh(source: Path, rest: int | None, unit: float | None, body: DefaultBody, progress: Progress) -> Converted:
    _refuse_missing(source)
    return _from_clip(read_bvh_clip(source, rest_frame=rest, metres_per_unit=unit), body, progress)


def _from_amc(
    source: Path, skeleton: str | Path | None, fps: float | None, body: DefaultBody, progress: Progress
) -> Converted:
    _refuse_missing(source)
    return _from_clip(read_clip(skeleton or _asf_beside(source), source, fps=fps or 120.0), body, progress)


def _from_clip(clip: PointClip, body: DefaultBody, progress: Progress) -> Converted:
    shape = fit_shape([clip])
    person, names, distance = fit_clip(clip, shape, progress)
    residual = dict(zip(names, distance.T, strict=True))
    told = _undetermined(person.motion)
    return Converted(clip.name, person.motion, person.skeleton, body.rest(shape), body, residual, told)


def _undetermined(motion: Motion) -> tuple[str, ...]:
    """Warnings that name the coordinates which joint positions do not determine in most frames."""
    if motion.mark is None:
        return ()
    share = (motion.mark == PRIOR).mean(0)
    names = [name for name, own in zip(motion.coordinates, share, strict=True) if own > 0.5]
    led = [name for name in names if name in _LED]
    free = [name for name in names if name not in _LED and name not in _OF_FINGERS]
    free += ["fingers"] if _OF_FINGERS & set(names) else []
    told = []
    if free:
        told.append(
            f"positions of joints do not show {_listed(free)}: these stay near standing at ease, whatever rotations "
            "the file has"
        )
    if led:
        told.append(f"positions of joints do not show {_listed(led)}: these follow others at fixed ratios")
    return tuple(told)


def _listed(names: Sequence[str]) -> str:
    """Coordinates by name, those of both sides together: ``neck_rotation, pro_sup_r/l``."""
    both = {name for name in names if name.endswith("_r") and f"{name[:-2]}_l" in names}
    twins = {f"{name[:-2]}_l" for name in both}
    return ", ".join(f"{name}/l" if name in both else name for name in names if name not in twins)


def _refuse_missing(source: Path) -> None:
    if not source.is_file():
        raise InputError(f"{source}: no such file (in {Path.cwd()})")


def _asf_beside(amc: Path) -> Path:
    """``01.asf`` or ``01_05.asf`` for ``01_05.amc``, or the only one in the folder."""
    named = [amc.with_suffix(".asf"), amc.with_name(f"{amc.stem.partition('_')[0]}.asf")]
    found = next((path for path in named if path.is_file()), None)
    others = sorted(amc.parent.glob("*.asf"))
    if found is None and len(others) == 1:
        found = others[0]
    if found is None:
        raise InputError(
            f"{amc}: its skeleton is not beside it (looked for {named[1].name}); give it: --skeleton FILE.asf"
        )
    return found


@dataclass(frozen=True)
class _Kind:
    """What a source can be.

    Attributes:
        name: in messages.
        takes: options of :func:`convert`, by their names on the command line, that say something about it.
        read: fits it; takes those options, ``source``, ``body`` and ``progress``, all by name.
    """

    name: str
    takes: tuple[str, ...]
    read: Callable[..., Converted]


_MESHES = _Kind("a sequence of meshes", ("unit", "up", "fps"), _from_mesh_files)
_AMASS = _Kind("a motion of SMPL's family", ("model", "up"), _from_amass_file)
_MARKERS = _Kind("a marker file", ("up", "static", "height"), _from_markers)
_KINDS: Mapping[str, _Kind] = {
    ".bvh": _Kind("a .bvh", ("rest", "unit"), _from_bvh),
    ".amc": _Kind("an .amc", ("skeleton", "fps"), _from_amc),
    ".trc": _MARKERS,
    ".c3d": _MARKERS,
    ".npz": _Kind("a motion of marrow's own", (), _own),
}
#: What can be read; besides, folders and globs of meshes.
READABLE = (*_KINDS, *MESH_SUFFIXES)


def _kind(source: Path) -> _Kind:
    suffix = source.suffix.lower()
    if is_mesh_source(source):
        return _MESHES
    if is_amass(source):
        return _AMASS
    if suffix not in _KINDS:
        raise InputError(f"{source}: cannot read {suffix or 'a file without suffix'}; expected {' '.join(READABLE)}")
    return _KINDS[suffix]
