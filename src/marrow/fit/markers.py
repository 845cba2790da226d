"""Optical markers onto marrow's body: which marker sits where, by the names that laboratories use.

Known are marrow's own markers (:mod:`marrow.body.markers`, the names of Rajagopal 2016 and Lai-Uhlrich), Plug-in Gait
(Vicon) and Gait 2392 (OpenSim). Wands and clusters sit on no bony point: they are left out and told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marrow.body import load_body
from marrow.body.anatomy import landmarks
from marrow.body.keypoints import KeypointSource
from marrow.body.markers import MARKERS
from marrow.errors import InputError
from marrow.fit.api import fit
from marrow.fit.evidence import Evidence, Points
from marrow.fit.options import FitOptions
from marrow.fit.result import PersonFit
from marrow.progress import Progress
from marrow.types import Float64

#: Standard deviation of a marker about its place on the skin, metres: placement, soft tissue, its own thickness.
MARKER_SD = 0.012
_FEWEST = 6
_SHAPE_FRAMES = 150
#: A marker further than this from the skin (m) is on no person.
_FAR = 0.15
_STILL = FitOptions(contact=False, upright=0.0, pose_prior=0.3, smoothness=0.0)
_MOVING = FitOptions(contact=False, upright=0.0, pose_prior=0.3, smoothness=1.0)
#: Laboratories' names, without the side and in capitals, to the landmark (``_r``/``_l`` is added where it is sided).
_SIDED = {
    "ASI": "asis", "ASIS": "asis", "PSI": "psis", "PSIS": "psis", "SHO": "acromion", "ACR": "acromion",
    "ACROMIUM": "acromion", "ACROMION": "acromion", "ELB": "lateral_humeral_epicondyle",
    "ELBOW": "lateral_humeral_epicondyle", "LEL": "lateral_humeral_epicondyle", "MEL": "medial_humeral_epicondyle",
    "WRA": "radial_styloid", "WRB": "ulnar_styloid", "FARADIUS": "radial_styloid", "FAULNA": "ulnar_styloid",
    "FIN": "metacarpal_head_2", "MCP2": "metacarpal_head_2", "MCP5": "metacarpal_head_5", "GTR": "greater_trochanter",
    "KNE": "lateral_femoral_epicondyle", "LFC": "lateral_femoral_epicondyle", "KNEELAT": "lateral_femoral_epicondyle",
    "KNEM": "medial_femoral_epicondyle", "MFC": "medial_femoral_epicondyle", "KNEEMED": "medial_femoral_epicondyle",
    "TTB": "tibial_tuberosity", "ANK": "lateral_malleolus", "LMAL": "lateral_malleolus",
    "ANKLELAT": "lateral_malleolus", "ANKM": "medial_malleolus", "MMAL": "medial_malleolus",
    "ANKLEMED": "medial_malleolus", "HEE": "calcaneus", "HEEL": "calcaneus", "CAL": "calcaneus",
    "TOE": "metatarsal_head_2", "MT1": "metatarsal_head_1", "TOEMED": "metatarsal_head_1", "MT5": "metatarsal_head_5",
    "TOETIP": "toe_tip", "HLX": "toe_tip", "TRAG": "tragus",
}  # fmt: skip
_MIDDLE = {
    "C7": "c7", "T8": "t8", "CLAV": "suprasternal_notch", "STRN": "xiphoid", "STERNUM": "suprasternal_notch",
    "SACR": "sacrum", "VSACRAL": "sacrum", "VERT": "vertex", "TOPHEAD": "vertex", "SELL": "sellion", "OCCI": "occiput",
}  # fmt: skip


def landmark_of(marker: str) -> str | None:
    """The anatomical landmark that a marker of this name sits on, or None where the name is not known.

    ``RKNE``, ``R.Knee.Lat``, ``Subject:RKNE`` and marrow's own ``RLFC`` are all the right lateral epicondyle.
    """
    own = marker.rpartition(":")[2]
    if own in MARKERS:
        return MARKERS[own][0]
    word = re.sub(r"[^A-Z0-9]", "", own.upper())
    if word in _MIDDLE:
        return _MIDDLE[word]
    for side in "RL":
        if word.startswith(side) and word[1:] in _SIDED:
            return f"{_SIDED[word[1:]]}_{side.lower()}"
        if word.endswith(side) and word[:-1] in _SIDED:
            return f"{_SIDED[word[:-1]]}_{side.lower()}"
    return None


@dataclass(frozen=True)
class MarkerFit:
    """A person fitted to markers.

    Attributes:
        person: body and movement.
        residual: marker to the (T,) metres from its place on the fitted body; NaN where it was not seen.
        left_out: markers whose place on the body is not known.
    """

    person: PersonFit
    residual: Mapping[str, Float64]
    left_out: tuple[str, ...]


def fit_markers(
    names: Sequence[str],
    xyz: Float64,
    time: Float64,
    *,
    static: tuple[Sequence[str], Float64] | None = None,
    height_m: float | None = None,
    progress: Progress | None = None,
) -> MarkerFit:
    """Body and movement of a person from markers: the shape from frames spread over the trial, then all frames.

    Args:
        names: M marker names.
        xyz: (T, M, 3) metres, marrow's world; NaN where a marker was not seen.
        time: (T,) seconds.
        static: names and (T', M', 3) positions of a static trial of the same person. Then the shape comes from it, and
            markers on no bony point (clusters, wands) are taken to stay where they are in it.
        height_m: stature, if known.

    Raises:
        InputError: too few markers whose names are known.
    """
    sources = _known(names if static is None else static[0])
    shape_names, shape_xyz = (names, xyz) if static is None else static
    rows = _rows(shape_names, shape_xyz, sources)
    pick = _spread(rows)
    still = _solve(rows[pick], sources, None, height_m, _STILL)
    if static is not None:
        others = {name: list(shape_names).index(name) for name in shape_names if name not in sources}
        sources |= _attached(still, tuple(others), np.asarray(shape_xyz, float)[pick][:, list(others.values())])
    sources = {name: source for name, source in sources.items() if name in names}
    seen = _rows(names, xyz, sources)
    person = _solve(seen, sources, dict(still.motion.shape), height_m, _MOVING, np.asarray(time, float), progress)
    distance = np.linalg.norm(placed(person, list(sources.values())) - seen, axis=-1)
    left_out = tuple(name for name in names if name not in sources)
    return MarkerFit(person, dict(zip(sources, distance.T, strict=True)), left_out)


def _known(names: Sequence[str]) -> dict[str, KeypointSource]:
    """Places of the markers that sit on a bony point."""
    table = {landmark.name: landmark for landmark in landmarks()}
    where = {name: table.get(str(landmark_of(name))) for name in names}
    found = {
        name: KeypointSource(name, vertices=own.vertices, vertex_weights=own.weights)
        for name, own in where.items()
        if own is not None
    }
    if len(found) < _FEWEST:
        raise InputError(
            f"of {len(names)} markers ({', '.join(list(names)[:6])} …) only {len(found)} have names that are known; "
            f"expected at least {_FEWEST}, named as in Plug-in Gait, Gait 2392 or marrow "
            f"({', '.join(list(MARKERS)[-6:])} …)"
        )
    return found


def _rows(names: Sequence[str], xyz: Float64, sources: Mapping[str, KeypointSource]) -> Float64:
    """(T, P, 3) positions of the markers with a source, in the sources' order."""
    order = list(names)
    return np.asarray(xyz, float)[:, [order.index(name) for name in sources]]


def _spread(rows: Float64) -> NDArray[np.int64]:
    """Frames spread over a trial in which enough markers are seen."""
    seen = np.flatnonzero(np.isfinite(rows).all(-1).sum(1) >= _FEWEST)
    if not len(seen):
        raise InputError(f"no frame shows {_FEWEST} of the {rows.shape[1]} known markers at once")
    return seen[np.unique(np.linspace(0, len(seen) - 1, _SHAPE_FRAMES).astype(int))]


def _solve(
    rows: Float64,
    sources: Mapping[str, KeypointSource],
    shape: Mapping[str, float] | None,
    height_m: float | None,
    options: FitOptions,
    time: Float64 | None = None,
    progress: Progress | None = None,
) -> PersonFit:
    time = np.arange(len(rows), dtype=np.float64) if time is None else time
    points = Points(rows, list(sources.values()), MARKER_SD)
    evidence = Evidence(points=(points,), height_m=height_m, known_shape=shape)
    return fit([evidence], time, body=load_body(), floor=False, options=options, progress=progress).people[0]


def _attached(still: PersonFit, names: Sequence[str], xyz: Float64) -> dict[str, KeypointSource]:
    """Places of other markers (T, P, 3) of the frames fitted: the nearest skin, and from there along segment axes."""
    body, skeleton, motion = load_body(), still.skeleton, still.motion
    row = len(motion.q) // 2
    q, translation = motion.q[row : row + 1], motion.translation[row : row + 1]
    skin = body.pose(body.rest(motion.shape), q, translation, outputs=("vertices",)).vertices[0]
    R = skeleton.forward(q, translation)[0][0]
    weights = body.skin_weights(skeleton.bodies)
    out = {}
    for name, x in zip(names, xyz[row], strict=True):
        if not np.isfinite(x).all():
            continue
        vertex = int(np.argmin(((skin - x) ** 2).sum(-1)))
        influences = slice(int(weights.start[vertex]), int(weights.start[vertex + 1]))
        segment = int(weights.body[influences][int(np.argmax(weights.weight[influences]))])
        offset = R[segment].T @ (x - skin[vertex])
        if np.linalg.norm(offset) < _FAR:
            along = (float(offset[0]), float(offset[1]), float(offset[2]))
            segment_name = skeleton.bodies[segment]
            out[name] = KeypointSource(name, (vertex,), (1.0,), offset=along, offset_body=segment_name)
    return out


def placed(person: PersonFit, sources: Sequence[KeypointSource]) -> Float64:
    """(T, P, 3) metres: where skin points of a fitted person are."""
    body = load_body()
    ids = sorted({v for source in sources for v in source.vertices})
    motion = person.motion
    skin = body.pose(
        body.rest(motion.shape), motion.q, motion.translation, outputs=("vertices",), vertex_ids=ids
    ).vertices
    column = {v: i for i, v in enumerate(ids)}
    R, _ = person.skeleton.forward(motion.q, motion.translation)
    out = np.empty((len(motion.q), len(sources), 3))
    for k, own in enumerate(sources):
        out[:, k] = np.einsum("v,tvi->ti", np.array(own.vertex_weights), skin[:, [column[v] for v in own.vertices]])
        if own.offset_body is not None:
            out[:, k] += R[:, person.skeleton.body_index(own.offset_body)] @ np.array(own.offset)
    return out
