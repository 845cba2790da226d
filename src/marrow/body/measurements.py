"""Anthropometry of a standing body: lengths, breadths, girths, volume and mass, as tape and caliper would find them.

:data:`DEFINITIONS` says how each is taken. Names and definitions follow ISO 8559-1:2017 (garments), ISO 7250-1:2017
(technology) and ANSUR II (Gordon et al. 2014, NATICK/TR-15/007) where these have the measure. A girth is the length of
a tape: the convex hull of the skin's section with a plane, which bridges hollows as a tape does and presses nothing in.

The body stands in its bind pose, an A: arms and legs apart. Arms never count to the trunk. Stature is some 7 mm less
than with closed legs, and is what marrow calls the height everywhere. What hangs on the raised arm (shoulders, chest
near the armpit) and on the parted legs (hip girth) is a little off the standards' posture.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marrow.body import anatomy
from marrow.body.points import SKIN_POINTS
from marrow.body.sections import Plane, across, cut_points, level, perimeter, section, slab, tape
from marrow.errors import InputError, UnknownNameError
from marrow.skeleton.inertia import BODY_DENSITY, enclosed_volume
from marrow.skeleton.joint_centres import joint_centres
from marrow.types import Float64

if TYPE_CHECKING:
    from marrow.body.default import Rest

Side = Literal["r", "l"]

_CENTRES = ("neck", "head", *(f"{n}_{s}" for n in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist") for s in "rl"))
_MORE_POINTS = ("nipple_r", "nipple_l", "navel", "buttock_r", "buttock_l", "crotch")


@dataclass(frozen=True, eq=False)
class Figure:
    """What is measured.

    Attributes:
        vertices: (V, 3) metres, standing on the floor (Y up), facing +Z.
        faces: (F, 3) triangles of a closed surface, counter-clockwise seen from outside.
        points: landmarks (3,): those of :func:`marrow.body.anatomy.landmarks` on the skin, nipples, navel, buttocks and
            crotch, and the centres of neck, head, hips, knees, ankles, shoulders, elbows and wrists.
        side: whose limbs are measured.
    """

    vertices: Float64
    faces: NDArray[np.integer]
    points: Mapping[str, Float64]
    side: Side = "r"

    def at(self, name: str) -> Float64:
        """A landmark (3,) of the middle or of the side that is measured."""
        return self.points[name] if name in self.points else self.points[f"{name}_{self.side}"]

    def both(self, name: str) -> tuple[Float64, Float64]:
        """A landmark on the right and on the left."""
        return self.points[f"{name}_r"], self.points[f"{name}_l"]


@dataclass(frozen=True, eq=False)
class Ring:
    """A tape measure around a figure.

    Attributes:
        plane: it lies in, by the figure's landmarks.
        edges: (k, 2) vertices of the edges that it touches, in order.
    """

    plane: Callable[[Figure], Plane]
    edges: NDArray[np.int64]

    def points(self, f: Figure) -> Float64:
        """(k, 3) metres, its corners."""
        return cut_points(f.vertices, self.edges, self.plane(f))


@dataclass(frozen=True)
class Definition:
    """How a measurement is taken.

    Attributes:
        name: of the measurement.
        kind: "length", "breadth", "girth" or "whole".
        unit: of its value: "m", "kg", "m2", "m3" or "kg/m2".
        text: the definition.
        standard: where it comes from; "marrow" where no standard has it.
        take: the value of a figure.
        ring: the tape whose girth or extent this is, or None.
        read: the value of the tape's corners (k, 3), or None.
    """

    name: str
    kind: str
    unit: str
    text: str
    standard: str
    take: Callable[[Figure], float]
    ring: Callable[[Figure], Ring] | None = None
    read: Callable[[Float64], float] | None = None

    def held(self, figure: Figure) -> Callable[[Figure], float]:
        """The same measure, of figures close to this one: the tape touches the same edges. Quick, and smooth."""
        if self.ring is None or self.read is None:
            return self.take
        ring, read = self.ring(figure), self.read
        return lambda f: read(ring.points(f))


@dataclass(frozen=True)
class Measurements(Mapping[str, float]):
    """Measurements by name: metres, kg, m², m³ and kg/m², as their definitions say."""

    values_by_name: Mapping[str, float]

    def __getitem__(self, name: str) -> float:
        if name not in self.values_by_name:
            raise UnknownNameError(f"there is no measurement {name!r}{near(name)}")
        return self.values_by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_name)

    def __len__(self) -> int:
        return len(self.values_by_name)


def measure(rest: Rest, side: Side = "r") -> Measurements:
    """All of :data:`DEFINITIONS` of a body at rest (some 50 ms).

    Args:
        rest: as ``load_body().rest(shape)`` gives it, of any shape from newborn to old, with bones of any length.
        side: "r" or "l", whose limbs are measured.

    Raises:
        InputError: another side.
    """
    return measurements_of(figure(rest, side))


def measure_mesh(vertices: ArrayLike, *, weight: float = 0.5, side: Side = "r") -> Measurements:
    """All of :data:`DEFINITIONS` of a mesh in the default body's topology, a scan registered to it for one.

    Args:
        vertices: (13718, 3) metres, upright in the bind pose (an A), Y up, facing +Z.
        weight: the body's phenotype in [0, 1], which tells how deep under the skin the joints lie.
        side: whose limbs are measured.

    Raises:
        InputError: another shape, positions that are not finite, or a body that lies or faces elsewhere.
    """
    return measurements_of(mesh_figure(vertices, weight=weight, side=side))


def mesh_figure(vertices: ArrayLike, *, weight: float = 0.5, side: Side = "r") -> Figure:
    """The figure of a mesh in the default body's topology; arguments and errors as :func:`measure_mesh`."""
    from marrow.body import load_body

    body, x = load_body(), np.asarray(vertices, float)
    if x.shape != (body.vertex_count, 3) or not np.isfinite(x).all():
        raise InputError(
            f"vertices: expected finite ({body.vertex_count}, 3), the default body's, got {x.shape}. "
            "For another closed mesh give its landmarks: measurements_of(Figure(vertices, faces, points))"
        )
    skin = anatomy.reader().skin(x)
    if skin["vertex"][1] - skin["calcaneus_r"][1] < 0.8 * np.ptp(x, axis=0).max():
        raise InputError("vertices: expected a body that stands upright, Y up; turn it, head to +Y and face to +Z")
    if skin["asis_l"][0] <= skin["asis_r"][0]:
        raise InputError("vertices: expected a body that faces +Z, its left side at +X; turn it about Y")
    bony = anatomy.reader().bone(x, weight)
    centres = joint_centres(bony, fingers=False)
    return Figure(x, body.faces, points_of(x, centres), checked_side(side))


def measurements_of(figure: Figure) -> Measurements:
    """All of :data:`DEFINITIONS` of a figure: any closed mesh with its landmarks.

    Raises:
        InputError: a landmark is missing.
    """
    missing = sorted(set(_needed()) - set(figure.points))
    if missing:
        raise InputError(f"figure: landmarks {', '.join(missing)} missing; see marrow.body.measurements.Figure")
    return Measurements(MappingProxyType({name: d.take(figure) for name, d in DEFINITIONS.items()}))


def figure(rest: Rest, side: Side = "r") -> Figure:
    """The figure of a body at rest."""
    from marrow.body import load_body

    x = rest.vertices.astype(float)
    return Figure(x, load_body().faces, points_of(x, rest.landmarks), checked_side(side))


def near(name: str) -> str:
    """Words that suggest the measurement meant."""
    close = difflib.get_close_matches(name, list(DEFINITIONS), n=3, cutoff=0.4)
    return f"; did you mean {', '.join(close)}?" if close else "; marrow measure lists them"


def points_of(vertices: Float64, centres: Mapping[str, Float64]) -> dict[str, Float64]:
    """Landmarks of a :class:`Figure`, of vertices in the default body's topology and joint centres."""
    out = anatomy.reader().skin(vertices)
    out |= {name: vertices[list(SKIN_POINTS[name])].mean(0) for name in _MORE_POINTS}
    return out | {name: np.asarray(centres[name]) for name in _CENTRES}


def _needed() -> tuple[str, ...]:
    return (*anatomy.reader().names, *_MORE_POINTS, *_CENTRES)


def checked_side(side: str) -> Side:
    """``side``, "r" or "l". Raises InputError for another one."""
    if side not in ("r", "l"):
        raise InputError(f"side: expected 'r' or 'l', got {side!r}")
    return "r" if side == "r" else "l"


# ---------------------------------------------------------------------------------------------------------------------
# How measures are taken
# ---------------------------------------------------------------------------------------------------------------------


def _between(first: str, last: str) -> Callable[[Figure], float]:
    return lambda f: float(np.linalg.norm(f.at(first) - f.at(last)))


def _breadth(name: str) -> Callable[[Figure], float]:
    """Distance of a landmark on the right from that on the left."""
    return lambda f: float(np.linalg.norm(np.subtract(*f.both(name))))


def _height(name: str) -> Callable[[Figure], float]:
    return lambda f: float(f.at(name)[1] - f.vertices[:, 1].min())


def _stature(f: Figure) -> float:
    return float(np.ptp(f.vertices[:, 1]))


def _path(*names: str) -> Callable[[Figure], float]:
    def take(f: Figure) -> float:
        points = np.array([f.at(name) for name in names])
        return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())

    return take


def _waist(f: Figure) -> Plane:
    return level(0.5 * float(f.at("rib_10")[1] + f.at("iliac_crest")[1]))


def _level_of(name: str) -> Callable[[Figure], Plane]:
    return lambda f: level(0.5 * float(np.add(*f.both(name))[1]))


def _hand_length(f: Figure) -> float:
    wrist = 0.5 * (f.at("radial_styloid") + f.at("ulnar_styloid"))
    return float(np.linalg.norm(f.at("middle_tip") - wrist))


def _head_plane(f: Figure) -> Plane:
    front, back = f.at("glabella"), f.at("occiput")
    normal = np.cross(front - back, [1.0, 0.0, 0.0])
    normal *= np.sign(normal[1])
    return Plane(front, normal / np.linalg.norm(normal))


def _thigh_plane(f: Figure) -> Plane:
    hip, knee = f.at("hip"), f.at("knee")
    return across(hip, knee, float((hip - f.at("crotch"))[1] / (hip - knee)[1]))


def _limb_plane(start: str, end: str, share: float) -> Callable[[Figure], Plane]:
    return lambda f: across(f.at(start), f.at(end), share)


def _trunk_ring(plane: Callable[[Figure], Plane]) -> Callable[[Figure], Ring]:
    """Tape around everything that a plane cuts but the arms."""

    def ring(f: Figure) -> Ring:
        at = plane(f)
        pieces = section(f.vertices, f.faces, at)
        of_arm = [_of_an_arm(f, piece.points) for piece in pieces]
        if all(of_arm):
            raise InputError(f"figure: the plane at a height of {at.origin[1]:.2f} m meets no skin; is it a person?")
        own = [piece for piece, arm in zip(pieces, of_arm, strict=True) if not arm]
        points, edges = (np.concatenate(parts) for parts in zip(*own, strict=True))
        if f.at("shoulder")[1] > at.origin[1] > f.at("elbow")[1] and not any(of_arm):
            # A baby's arm has not parted from the chest at the nipples yet: it ends where the shoulder does.
            inside = np.abs(points[:, 0] - f.at("crotch")[0]) <= 0.5 * _breadth("acromion")(f)
            points, edges = points[inside], edges[inside]
        return Ring(plane, edges[tape(points, at.normal)])

    return ring


def _of_an_arm(f: Figure, piece: Float64) -> bool:
    """Whether a piece lies about an arm: nearer to it than to the midline or a leg."""
    middle = 0.5 * (piece.min(0) + piece.max(0))

    def nearest(*lines: tuple[str, ...]) -> float:
        return min(
            _to_line(middle, f.points[f"{a}_{s}"], f.points[f"{b}_{s}"])
            for line in lines
            for a, b in pairwise(line)
            for s in "rl"
        )

    arm = nearest(("shoulder", "elbow", "wrist", "middle_tip"))
    trunk = _to_line(middle, 0.5 * np.add(*f.both("hip")), f.at("head"))
    return arm < min(trunk, nearest(("hip", "knee", "ankle")))


def _to_line(x: Float64, a: Float64, b: Float64) -> float:
    along = b - a
    t = float(np.clip((x - a) @ along / (along @ along), 0.0, 1.0))
    return float(np.linalg.norm(x - a - t * along))


def _limb_ring(plane: Callable[[Figure], Plane], halved: bool = False) -> Callable[[Figure], Ring]:
    """Tape around the piece of a section that lies about the plane's origin; ``halved``: as far as the midline."""
    return lambda f: _around(f, plane, halved)


def _around(f: Figure, plane: Callable[[Figure], Plane], halved: bool = False) -> Ring:
    at = plane(f)
    pieces = section(f.vertices, f.faces, at)
    if not pieces:
        raise InputError(f"figure: the plane through {np.round(at.origin, 2)} meets no skin; do the landmarks fit it?")
    low, high = np.array([x.min(0) for x, _ in pieces]), np.array([x.max(0) for x, _ in pieces])
    inner = int(np.argmin(np.linalg.norm(0.5 * (low + high) - at.origin, axis=1)))
    # The throat lies within the neck.
    around = (low <= low[inner]).all(1) & (high >= high[inner]).all(1)
    points, edges = pieces[int(np.argmax(np.where(around, np.linalg.norm(high - low, axis=1), 0.0)))]
    if halved:  # thighs that have grown together are one piece: the tape goes between them
        midline = f.at("crotch")[0]
        own = (points[:, 0] - midline) * (at.origin[0] - midline) >= 0.0
        points, edges = points[own], edges[own]
    return Ring(plane, edges[tape(points, at.normal)])


def _extreme_ring(start: str, end: str, low: float, high: float, sign: float) -> Callable[[Figure], Ring]:
    """Tape where a limb is thickest (``sign`` 1) or thinnest (-1) between two shares of its line."""

    def ring(f: Figure) -> Ring:
        first, last = (_limb_plane(start, end, share)(f) for share in (low, high))
        part = dataclasses.replace(f, faces=slab(f.vertices, f.faces, first, last))

        def around(share: float) -> Ring:
            return _around(part, _limb_plane(start, end, share))

        shares = np.linspace(low, high, 6)
        girths = sign * np.array([perimeter(around(share).points(f)) for share in shares])
        k = int(np.clip(np.argmax(girths), 1, len(shares) - 2))
        before, here, after = girths[k - 1 : k + 2]
        bend = before - 2.0 * here + after
        shift = 0.5 * (before - after) / bend if bend < 0.0 else np.sign(after - before)
        return around(float(shares[k] + np.clip(shift, -1.0, 1.0) * (shares[1] - shares[0])))

    return ring


def _extent(axis: int) -> Callable[[Float64], float]:
    return lambda points: float(np.ptp(points[:, axis]))


def _volume(f: Figure) -> float:
    return enclosed_volume(f.vertices, f.faces)


def _mass(f: Figure) -> float:
    return BODY_DENSITY * _volume(f)


def _area(f: Figure) -> float:
    a, b, c = (f.vertices[f.faces[:, k]] for k in range(3))
    return float(0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1).sum())


# ---------------------------------------------------------------------------------------------------------------------
# The table
# ---------------------------------------------------------------------------------------------------------------------

_chest, _waist_ring, _hip = (_trunk_ring(p) for p in (_level_of("nipple"), _waist, _level_of("buttock")))


#: Girths: name, line of the tape, how, standard.
_GIRTHS = (
    ("head_girth", _trunk_ring(_head_plane), "above the ears, through glabella and occiput",
     "ISO 8559-1 head girth; ISO 7250-1 and ANSUR II head circumference"),
    ("neck_girth", _extreme_ring("neck", "head", 0.1, 0.6, -1.0),
     "across the line from C7/T1 to the skull, where the neck is thinnest (the larynx cannot be found)",
     "as ISO 8559-1 neck girth, ANSUR II neck circumference"),
    ("chest_girth", _chest, "level, at the nipples", "ISO 8559-1 bust girth; ANSUR II chest circumference"),
    ("waist_girth", _waist_ring, "level, midway between the lowest rib and the top of the iliac crest at the side",
     "ISO 8559-1 waist girth; WHO 2008. ANSUR II goes through the navel"),
    ("hip_girth", _hip, "level, where the buttocks stand out most; legs apart",
     "ISO 8559-1 hip girth; ANSUR II buttock circumference"),
    ("thigh_girth", _limb_ring(_thigh_plane, halved=True), "across the thigh, at the height of the crotch",
     "ISO 8559-1 thigh girth; ANSUR II thigh circumference (gluteal furrow)"),
    ("mid_thigh_girth", _limb_ring(_limb_plane("hip", "knee", 0.5), halved=True),
     "across the thigh, halfway from hip to knee", "as ISO 8559-1 mid-thigh girth"),
    ("knee_girth", _limb_ring(_limb_plane("hip", "knee", 1.0)), "across the leg, at the middle of the knee",
     "ISO 8559-1 knee girth"),
    ("calf_girth", _extreme_ring("knee", "ankle", 0.12, 0.5, 1.0), "across the shank, where it is thickest",
     "ISO 8559-1 calf girth; ISO 7250-1 and ANSUR II calf circumference"),
    ("ankle_girth", _extreme_ring("knee", "ankle", 0.72, 0.97, -1.0), "across the shank, where it is thinnest",
     "ANSUR II ankle circumference"),
    ("upper_arm_girth", _limb_ring(_limb_plane("acromion", "lateral_humeral_epicondyle", 0.5)),
     "across the relaxed arm, halfway from acromion to elbow", "ISO 8559-1 upper-arm girth; NHANES arm circumference"),
    ("forearm_girth", _extreme_ring("elbow", "wrist", 0.12, 0.5, 1.0), "across the forearm, where it is thickest",
     "as ANSUR II forearm circumference, arm not flexed"),
    ("wrist_girth", _limb_ring(_limb_plane("elbow", "wrist", 1.0)), "across the wrist, at the styloids",
     "ISO 8559-1 wrist girth; ISO 7250-1 and ANSUR II wrist circumference"),
)  # fmt: skip

#: Extents of a girth's section: name, line of the tape, axis (x across the body, z ahead), how, standard.
_EXTENTS = (
    ("chest_breadth", _chest, 0, "of the section of the chest girth", "ISO 7250-1 and ANSUR II chest breadth"),
    ("chest_depth", _chest, 2, "of the section of the chest girth", "ISO 7250-1 and ANSUR II chest depth"),
    ("waist_breadth", _waist_ring, 0, "of the section of the waist girth", "ANSUR II waist breadth"),
    ("waist_depth", _waist_ring, 2, "of the section of the waist girth", "ANSUR II waist depth"),
    ("hip_breadth", _hip, 0, "of the section of the hip girth; legs apart",
     "ISO 7250-1 and ANSUR II hip breadth, standing"),
)  # fmt: skip

#: Lengths, heights and breadths: name, kind, how to take it, how, standard.
_DISTANCES = (
    ("stature", "length", _stature, "floor to crown; legs apart", "ISO 7250-1, ISO 8559-1 and ANSUR II stature"),
    ("cervical_height", "length", _height("c7"), "floor to the seventh cervical vertebra",
     "ISO 8559-1 cervical height; ANSUR II cervicale height"),
    ("acromial_height", "length", _height("acromion"), "floor to the acromion",
     "ISO 7250-1 shoulder height; ANSUR II acromial height"),
    ("waist_height", "length", lambda f: float(_waist(f).origin[1] - f.vertices[:, 1].min()),
     "floor to the level of the waist girth", "ISO 8559-1 waist height"),
    ("crotch_height", "length", _height("crotch"), "floor to the crotch; legs apart",
     "ISO 8559-1 inside leg height; ISO 7250-1 and ANSUR II crotch height"),
    ("knee_height", "length", _height("lateral_femoral_epicondyle"), "floor to the lateral epicondyle of the femur",
     "ANSUR II lateral femoral epicondyle height"),
    ("femur_length", "length", _between("hip", "knee"), "between the centres of hip and knee", "marrow; `bones=`"),
    ("tibia_length", "length", _between("knee", "ankle"), "between the centres of knee and ankle", "marrow; `bones=`"),
    ("humerus_length", "length", _between("shoulder", "elbow"), "between the centres of shoulder and elbow",
     "marrow; `bones=`"),
    ("radius_length", "length", _between("elbow", "wrist"), "between the centres of elbow and wrist",
     "marrow; `bones=`"),
    ("arm_length", "length", _path("acromion", "olecranon", "ulnar_styloid"),
     "acromion over the tip of the elbow to the wrist", "ISO 8559-1 arm length"),
    ("hand_length", "length", _hand_length, "middle of the styloids to the tip of the middle finger, straight",
     "ISO 7250-1 and ANSUR II hand length, fingers a little bent"),
    ("foot_length", "length", _between("calcaneus", "toe_tip"), "heel to tip of the big toe",
     "ISO 7250-1 and ANSUR II foot length"),
    ("biacromial_breadth", "breadth", _breadth("acromion"), "acromion to acromion",
     "ISO 7250-1 shoulder (biacromial) breadth; ANSUR II biacromial breadth"),
    ("bicristal_breadth", "breadth", _breadth("iliac_tubercle"),
     "iliac crest to iliac crest where it is widest, on the skin, not pressed in", "as ANSUR II bicristal breadth"),
    ("knee_breadth", "breadth", _between("lateral_femoral_epicondyle", "medial_femoral_epicondyle"),
     "epicondyle to epicondyle of the femur", "ISAK biepicondylar femur breadth"),
    ("ankle_breadth", "breadth", _between("lateral_malleolus", "medial_malleolus"), "malleolus to malleolus",
     "ANSUR II bimalleolar breadth"),
    ("elbow_breadth", "breadth", _between("lateral_humeral_epicondyle", "medial_humeral_epicondyle"),
     "epicondyle to epicondyle of the humerus", "ISAK biepicondylar humerus breadth"),
    ("wrist_breadth", "breadth", _between("radial_styloid", "ulnar_styloid"), "styloid to styloid",
     "ISAK bistyloid breadth"),
    ("foot_breadth", "breadth", _between("metatarsal_head_1", "metatarsal_head_5"),
     "first to fifth metatarsal head", "ISO 7250-1 foot breadth; ANSUR II ball of foot breadth"),
    ("head_breadth", "breadth", _breadth("euryon"), "euryon to euryon", "ISO 7250-1 and ANSUR II head breadth"),
    ("head_length", "breadth", _between("glabella", "occiput"), "glabella to occiput",
     "ISO 7250-1 and ANSUR II head length"),
)  # fmt: skip

_WHOLE = (
    ("volume", "m3", _volume, "inside the skin", "marrow"),
    ("mass", "kg", _mass, f"volume times {BODY_DENSITY:.0f} kg/m³ (lungs at rest)", "Dempster 1955"),
    ("surface_area", "m2", _area, "of the mesh, with the inside of the mouth and the eyeballs", "marrow"),
    ("bmi", "kg/m2", lambda f: _mass(f) / _stature(f) ** 2, "mass over squared stature", "WHO"),
)  # fmt: skip


def _by_tape(
    name: str, kind: str, ring: Callable[[Figure], Ring], read: Callable[[Float64], float], text: str, standard: str
) -> Definition:
    return Definition(name, kind, "m", text, standard, lambda f: read(ring(f).points(f)), ring, read)


def _definitions() -> Iterator[Definition]:
    for name, kind, take, text, standard in _DISTANCES:
        yield Definition(name, kind, "m", text, standard, take)
    for name, ring, axis, text, standard in _EXTENTS:
        yield _by_tape(name, "breadth", ring, _extent(axis), text, standard)
    for name, ring, text, standard in _GIRTHS:
        yield _by_tape(name, "girth", ring, perimeter, text, standard)
    for name, unit, take, text, standard in _WHOLE:
        yield Definition(name, "whole", unit, text, standard, take)


#: All measurements by name: lengths, breadths, girths, whole.
DEFINITIONS: Mapping[str, Definition] = MappingProxyType({d.name: d for d in _definitions()})
