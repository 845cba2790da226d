"""Motions between the default body and a user's own body of SMPL's family, both ways, by points of the surface.

Which points belong together is found once for each model (:mod:`marrow.fit.registration`). A motion of one body then
gives the places of those points in every frame, and the other body is fitted to them: one shape, all poses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marrow.body import load_body
from marrow.body.model_file import FAMILIES
from marrow.body.shelf import models
from marrow.body.smpl import SmplBody
from marrow.body.surface import SurfacePoints
from marrow.errors import InputError
from marrow.fit.meshes import distances, far_apart, fit_vertices, owners, skin_points
from marrow.fit.registration import Registration, registration
from marrow.fit.result import PersonFit
from marrow.io.amass import SmplMotion, write_amass
from marrow.io.markers import upright
from marrow.progress import Progress
from marrow.skeleton.definition import FINGER_BODIES
from marrow.types import Float64, Motion

#: Vertices that are looked at for each joint of the other body, and for each of a finger.
_EACH, _EACH_FINGER = 24, 6
#: Shape coefficients that are fitted: those that everybody's files have.
SHAPES = {"smpl": 10, "smplh": 16, "smplx": 16}
_STILL = ("jaw", "left_eye", "right_eye")
#: Segments whose skin goes elsewhere in bodies without shoulder blade and with a forearm that twists as one piece: it
#: says roughly where they are, and the arm's and the hand's say it better.
_ELSEWHERE = ("clavicle", "scapula", "ulna", "radius")
#: Without one, the shoulder blade goes along with the collar bone.
_COUPLED = ("scap_",)
_FRAMES_AT_ONCE = 32
#: Skins that lie further apart than this are told, millimetres.
_FAR_SKIN_MM = 15.0


@dataclass(frozen=True, eq=False)
class Retargeted:
    """A motion brought to a body of SMPL's family.

    Attributes:
        body: name of the model.
        model: the model itself, by which the motion finds its way back.
        motion: parameters, in marrow's world (Y up).
        pelvis: (3,) metres: the pelvis' joint of the person at rest, about which the root turns.
        residual: (T, 2) metres: the mean and the 95 % quantile over the skin of the distance between the two bodies.
    """

    body: str
    model: SmplBody = field(repr=False)
    motion: SmplMotion
    pelvis: Float64
    residual: Float64

    @property
    def betas(self) -> Float64:
        """(S,) shape coefficients."""
        return self.motion.betas

    @property
    def poses(self) -> Float64:
        """(T, J, 3) rotation vectors, radians."""
        return self.motion.poses

    @property
    def trans(self) -> Float64:
        """(T, 3) metres."""
        return self.motion.trans

    @property
    def time(self) -> Float64:
        """(T,) seconds."""
        return self.motion.time

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know."""
        far = 1000 * float(np.median(self.residual[:, 0]))
        if far <= _FAR_SKIN_MM:
            return ()
        return (
            f"the skins lie {far:.0f} mm apart on average (a few millimetres are usual): {self.body} has another "
            "shape, or its file is no person in a T-pose; look at the result before you use it",
        )

    def save(self, path: str | Path, *, up: str = "z") -> None:
        """Write an ``.npz`` as AMASS keeps motions (:mod:`marrow.io.amass`).

        Args:
            up: axis of the written world that points up: ``"z"``, AMASS' own, or ``"y"``, marrow's.

        Raises:
            InputError: another suffix or axis.
            OutputError: the file cannot be written.
        """
        if Path(path).suffix.lower() != ".npz":
            raise InputError(f"{path}: a motion of {self.body} is written as .npz; give such a name")
        write_amass(path, self.motion.turned(upright(up).T, self.pelvis))

    def summary(self) -> dict[str, Any]:
        """What came out, in one row."""
        mean, most = 1000 * self.residual.mean(0)
        return {
            "motion": self.motion.name,
            "body": self.body,
            "frames": len(self.time),
            "distance of the skins, mean, 95 % (mm)": [round(float(mean), 1), round(float(most), 1)],
        }


def to_smpl(motion: Motion, body: SmplBody, *, name: str = "motion", progress: Progress | None = None) -> Retargeted:
    """Shape, poses and translation of a body of SMPL's family that follows a motion of the default body.

    Raises:
        InputError: a body that the default body cannot be laid on, or no frames.
    """
    from marrow.body.to_points import fit_to_points

    if len(motion.time) == 0:
        raise InputError("motion: expected frames, got none")
    found, family = registration(body, progress), body.spec.family
    ids = points_on_theirs(body, found)
    points = np.concatenate(list(_followed(motion, found.theirs_on_ours.rows(ids))))
    solved = fit_to_points(
        body.tensors(), points, ids, shapes=SHAPES[family], still=still_joints(body), progress=progress
    )
    own = SmplMotion(name, family, body.gender, solved.shape, solved.pose, solved.translation, motion.time)
    pelvis = body.rest(own.betas).joints[0].astype(float)
    sure = np.flatnonzero(found.theirs_sure & ~_stiff_fingers(body))
    residual = [
        np.stack([away.mean(1), np.quantile(away, 0.95, axis=1)], 1)
        for ours, theirs in zip(
            _followed(motion, found.theirs_on_ours.rows(sure)), _posed(own, body, sure), strict=True
        )
        for away in [np.linalg.norm(ours - theirs, axis=-1)]
    ]
    return Retargeted(body.spec.name, body, own, pelvis, np.concatenate(residual))


@dataclass(frozen=True)
class SmplFit:
    """A motion of a body of SMPL's family brought to the default body.

    Attributes:
        person: body and movement.
        residual: segment to the (T,) mean distance in metres of its skin from the other's; a hand with its fingers.
    """

    person: PersonFit
    residual: Mapping[str, Float64]


def from_smpl(motion: SmplMotion, body: SmplBody, *, progress: Progress | None = None) -> SmplFit:
    """Shape and movement of the default body that follows a motion of a body of SMPL's family.

    Args:
        motion: of that body, in marrow's world (Y up).

    Raises:
        InputError: a motion of another family, more shape coefficients than the body has, or a body that the default
            body cannot be laid on.
    """
    spec = body.spec
    if motion.family != spec.family:
        raise InputError(
            f"{motion.name}: a motion of the family {motion.family}, but {spec.name} is of the family {spec.family}; "
            "give a model of the motion's own family"
        )
    found, fingers = registration(body, progress), body.has_fingers
    ids = np.array([v for v in skin_points(fingers) if found.ours_sure[v]], np.intp)
    vertices, points = found.ours_on_theirs.rows(ids).compact()
    seen = np.concatenate([points.of(posed) for posed in _posed(motion, body, vertices)]).astype(float)
    person = fit_vertices(
        seen, ids.tolist(), motion.time, fingers=fingers, coupled=_COUPLED, guides=_guides(ids), progress=progress
    )
    residual: list[dict[str, Float64]] = []
    for start, posed in zip(_starts(motion.time), _posed(motion, body), strict=True):
        part = _part(person.motion, start)
        skin = found.ours_on_theirs.of(posed)
        residual.append(distances(part, person.skeleton, skin, found.ours_sure))
    return SmplFit(person, {name: np.concatenate([own[name] for own in residual]) for name in residual[0]})


def smpl_body(which: str | Path | SmplBody) -> SmplBody:
    """A body of SMPL's family by the name it is kept under or by file.

    Raises:
        InputError: there is none, or it is another body.
    """
    body = which if isinstance(which, SmplBody) else load_body(which)
    if not isinstance(body, SmplBody):
        raise InputError(f"{which}: expected a model of SMPL's family of yours; marrow models lists them")
    return body


def model_of(motion: SmplMotion) -> str:
    """Name of the user's stored model that a motion was made with, by family and gender.

    Raises:
        InputError: there is none, or several; how to add or to choose one is told.
    """
    title = FAMILIES[motion.family].title
    kept = [model for model in models() if model.family == motion.family]
    fitting = [model.name for model in kept if motion.gender in ("", model.gender)]
    usual = f"{motion.family}-{motion.gender}"
    if usual in fitting or len(fitting) == 1:
        return usual if usual in fitting else fitting[0]
    made = f"{motion.name}: made with {title}, {motion.gender or 'of a gender that it does not tell'}"
    if fitting:
        raise InputError(f"{made}; kept are {', '.join(fitting)}. Choose one: --model {fitting[0]}")
    other = f", or tell which of those you keep is meant, such as --model {kept[0].name}" if kept else ""
    raise InputError(f"{made}; no such model is kept. Add your own file with: marrow models add PATH{other}")


def of_known_shapes(motion: SmplMotion, body: SmplBody) -> tuple[SmplMotion, tuple[str, ...]]:
    """The motion without shape coefficients that the body does not have, and a remark where there were such."""
    known = len(body.spec.parameters)
    beyond = len(motion.betas) - known
    if beyond <= 0:
        return motion, ()
    told = f"the file has {beyond} shape coefficients more than {body.spec.name}; they are left out"
    return replace(motion, betas=motion.betas[:known]), (told,)


# ---------------------------------------------------------------------------------------------------------------------
# Points of both bodies
# ---------------------------------------------------------------------------------------------------------------------


def still_joints(body: SmplBody) -> list[int]:
    """Joints of jaw and eyes, which no fit turns."""
    return [body.spec.joints.index(joint) for joint in _STILL if joint in body.spec.joints]


def points_on_theirs(body: SmplBody, found: Registration) -> NDArray[np.intp]:
    """(n,) vertices of the other body that a fit looks at: as many of each joint, as far apart as they can be."""
    vertices, owner = body.rest().vertices, body.owners()
    # where the other body has stiff fingers, the skin of the palm that ours move would pull at its wrist
    still = ~_of_fingers()[found.theirs_on_ours.corners].any(1) | body.has_fingers
    chosen: list[int] = []
    for j, name in enumerate(body.spec.joints):
        finger = _in_fingers(name)
        own = np.flatnonzero((owner == j) & found.theirs_sure & (still | finger))
        count = 0 if name in _STILL else _EACH_FINGER if finger else _EACH
        chosen += own[far_apart(vertices[own], count)].tolist()
    return np.array(chosen, np.intp)


def _guides(ids: NDArray[np.intp]) -> NDArray[np.bool_]:
    """(n,) which vertices of the default body lie on :data:`_ELSEWHERE`."""
    ours = load_body("default")
    bodies = ours.rest().skeleton.bodies
    elsewhere = np.array([name.rpartition("_")[0] in _ELSEWHERE for name in bodies])
    return elsewhere[owners(ours, bodies)[ids]]


def _of_fingers() -> NDArray[np.bool_]:
    """(V,) the skin of the default body that its fingers move."""
    ours = load_body("default")
    bodies = ours.rest().skeleton.bodies
    start, segment, _ = ours.skin_weights(bodies)
    out, moved = np.zeros(ours.vertex_count, bool), np.array([name in FINGER_BODIES for name in bodies])[segment]
    out[np.repeat(np.arange(ours.vertex_count), np.diff(start))[moved]] = True
    return out


def _stiff_fingers(body: SmplBody) -> NDArray[np.bool_]:
    """(V,) the skin of fingers that the body cannot bend."""
    hands = [j for j, name in enumerate(body.spec.joints) if name.endswith("_hand")]
    return np.isin(body.owners(), hands)


def _in_fingers(joint: str) -> bool:
    return joint.endswith("_hand") or (joint[-1].isdigit() and not joint.startswith("spine"))


def _followed(motion: Motion, points: SurfacePoints) -> Iterator[NDArray]:
    """Places (t, N, 3) of points of the default body, some frames at a time."""
    ours, (ids, compact) = load_body("default"), points.compact()
    rest = ours.rest(motion.shape)
    for start in _starts(motion.time):
        part = _part(motion, start)
        yield compact.of(ours.pose(rest, part, outputs=("vertices",), vertex_ids=ids).vertices)


def _posed(motion: SmplMotion, body: SmplBody, ids: NDArray[np.intp] | None = None) -> Iterator[NDArray]:
    """Vertices (t, V or n, 3) of the other body, some frames at a time."""
    rest = body.rest(motion.betas)
    for start in _starts(motion.time):
        at = slice(start, start + _FRAMES_AT_ONCE)
        yield body.pose(rest, motion.poses[at], motion.trans[at], outputs=("vertices",), vertex_ids=ids).vertices


def _starts(time: Float64) -> range:
    return range(0, len(time), _FRAMES_AT_ONCE)


def _part(motion: Motion, start: int) -> Motion:
    at = slice(start, start + _FRAMES_AT_ONCE)
    return Motion(motion.time[at], motion.coordinates, motion.q[at], motion.translation[at], motion.shape)
