"""Anatomical landmarks of the default body: where bones lie next to the skin, on everybody at the same vertices.

``data/anatomy.json`` (made by ``scripts/build_anatomy.py``, which tells how each was chosen) holds for each landmark
the vertices and weights of its skin point, a ring of vertices around it whose normal is the skin's, and the depth of
the soft tissue at the three anchors of the body's weight. The weights have five digits, sum to one within 1e-5 and are
taken as they are (0.02 mm on a standing adult), because the stored bones were built on the very same points. A bony
landmark is the skin point moved inwards by that depth. Names are those of the International Society of Biomechanics in
full (Wu et al. 2002 and 2005, J. Biomech. 35(4), 38(5)); ``isb`` gives the abbreviation.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from marrow.errors import AssetError, InputError
from marrow.geometry.vectors import cross, length
from marrow.types import Float64

if TYPE_CHECKING:
    from marrow.body.default import Rest

DATA = Path(__file__).resolve().parent / "data" / "anatomy.json"

#: Depths are told for an adult of this height, metres.
STATURE = 1.70

#: Power of the stature that soft tissue grows with: children's skin folds are hardly thinner than adults'
#: (WHO child growth standards: triceps and subscapular folds of 6 to 10 mm from the first year on).
GROWTH = 0.7

#: Anchors of the body's weight between which the depth is linear.
WEIGHTS = (0.0, 0.5, 1.0)

#: The rig's bones whose heads lie inside the fingers, on their middle lines, by the landmark that they are taken for.
_FINGER_BONES = {
    f"{finger}_{joint}": f"finger{number}-{k}"
    for number, (finger, joints) in enumerate(
        (("thumb", ("cmc", "mcp", "ip")), *((f, ("mcp", "pip", "dip")) for f in ("index", "middle", "ring", "little"))),
        1,
    )
    for k, joint in enumerate(joints, 1)
}


def finger_lines(bones: Sequence[str]) -> dict[str, int]:
    """Landmarks on the middle lines of the fingers to the bones (of the rig's list) at whose heads they lie."""
    return {
        f"{name}_{side}": bones.index(f"{bone}.{side.upper()}") for side in "rl" for name, bone in _FINGER_BONES.items()
    }


@dataclass(frozen=True)
class Landmark:
    """A landmark: name, ISB abbreviation, what it is, and the soft tissue over it in metres at :data:`WEIGHTS`."""

    name: str
    isb: str
    what: str
    vertices: tuple[int, ...]
    weights: tuple[float, ...]
    depth: tuple[float, float, float]


@functools.cache
def landmarks() -> tuple[Landmark, ...]:
    """All anatomical landmarks, midline first. Raises AssetError where the table is missing or broken."""
    return tuple(
        Landmark(
            name,
            entry["isb"],
            entry["what"],
            tuple(entry["vertices"]),
            tuple(entry["weights"]),
            (entry["depth"][0] / 1000, entry["depth"][1] / 1000, entry["depth"][2] / 1000),
        )
        for name, entry in _table().items()
    )


def reference_shape() -> dict[str, float]:
    """Shape parameters of the body on which the landmarks were picked."""
    return dict(_file()["reference"])


def skin_landmarks(rest: Rest) -> dict[str, Float64]:
    """The landmarks on the skin of a body at rest: name to (3,) metres, marrow's world."""
    return reader().skin(rest.vertices)


def tissue_weight(weight: ArrayLike) -> Float64:
    """The body's phenotype ``weight``, within the range that soft tissue is known for."""
    return np.clip(np.asarray(weight, float), 0.0, 1.0)


def bony_landmarks(rest: Rest, weight: float | None = None) -> dict[str, Float64]:
    """The landmarks on the bones of a body at rest, and the middle lines of its fingers.

    Args:
        rest: the body at rest, as ``load_body().rest(shape)`` gives it.
        weight: phenotype in [0, 1] that the soft tissue follows; by default that of ``rest.shape``.

    Returns:
        Name to (3,) metres, marrow's world: those of :func:`landmarks`, and of :func:`finger_lines`.

    Raises:
        InputError: ``weight`` outside [0, 1].
    """
    if weight is None:
        weight = float(tissue_weight(rest.shape.get("weight", 0.5)))
    out = reader().bone(rest.vertices, weight)
    return out | {name: np.asarray(rest.bone_heads[row], float) for name, row in finger_lines(rest.bones).items()}


class Reader:
    """Reads landmarks off vertices; made once per table."""

    def __init__(self, table: Mapping[str, Mapping[str, Any]]) -> None:
        self.names = tuple(table)
        #: Vertices that are read, and the only ones whose positions matter.
        self.vertex_ids = np.unique(
            [v for e in table.values() for v in (*e["vertices"], *(w for ring in e["normal"] for w in ring))]
        )
        place = {int(v): i for i, v in enumerate(self.vertex_ids)}
        self._mean = np.zeros((len(table), len(place)))
        from_, to, row = [], [], []
        for i, entry in enumerate(table.values()):
            for vertex, share in zip(entry["vertices"], entry["weights"], strict=True):
                self._mean[i, place[vertex]] += share
            for ring in entry["normal"]:
                from_ += [place[v] for v in ring]
                to += [place[v] for v in (*ring[1:], ring[0])]
                row += [i] * len(ring)
        self._edges = np.array([from_, to])
        self._rings = (np.arange(len(table))[:, None] == np.array(row)).astype(float)
        self._depth = np.array([e.get("depth", (0.0, 0.0, 0.0)) for e in table.values()], float) / 1000

    def skin(self, vertices: ArrayLike) -> dict[str, Float64]:
        """Skin points (3,) by name, from all vertices (V, 3) of the body."""
        return dict(zip(self.names, self._mean @ self._used(vertices), strict=True))

    def inward(self, vertices: ArrayLike) -> dict[str, Float64]:
        """Unit vectors (3,) into the body by name."""
        return dict(zip(self.names, self._inward(self._used(vertices)), strict=True))

    def bone(self, vertices: ArrayLike, weight: float) -> dict[str, Float64]:
        """Bony points (3,) by name; ``weight`` in [0, 1]."""
        return dict(zip(self.names, self.bones_of(self._used(vertices), weight), strict=True))

    def bones_of(self, used: ArrayLike, weight: ArrayLike) -> Float64:
        """Bony points (..., N, 3) in the order of :attr:`names`, from :attr:`vertex_ids` alone (..., n, 3).

        Args:
            weight: (...,) in [0, 1].

        Raises:
            InputError: ``weight`` outside [0, 1].
        """
        used, weight = np.asarray(used, float), np.asarray(weight, float)
        if not ((weight >= 0.0) & (weight <= 1.0)).all():
            raise InputError(f"weight: expected the body's phenotype in [0, 1], got {weight}")
        skin = self._mean @ used
        tall = skin[..., self.names.index("vertex"), :] - skin[..., self.names.index("calcaneus_r"), :]
        size = np.linalg.norm(tall, axis=-1) / (STATURE * _VERTEX_TO_HEEL)
        below, above = np.maximum(1.0 - 2.0 * weight, 0.0), np.maximum(2.0 * weight - 1.0, 0.0)
        depth = np.stack([below, 1.0 - below - above, above], -1) @ self._depth.T
        return skin + (size[..., None] ** GROWTH * depth)[..., None] * self._inward(used)

    def _used(self, vertices: ArrayLike) -> Float64:
        return np.asarray(vertices, float)[self.vertex_ids]

    def _inward(self, used: Float64) -> Float64:
        centred = used - used.mean(-2, keepdims=True)
        around = cross(centred[..., self._edges[0], :], centred[..., self._edges[1], :])
        total = self._rings @ around
        return -total / length(total)[..., None]


#: Distance from vertex to heel over stature, standing.
_VERTEX_TO_HEEL = 0.99


@functools.cache
def _file() -> dict[str, Any]:
    try:
        data = json.loads(DATA.read_text(encoding="utf-8"))
        return {"reference": data["reference"], "landmarks": data["landmarks"]}
    except (OSError, ValueError, KeyError) as error:
        raise AssetError(f"The table of landmarks {DATA} cannot be read ({error}): reinstall marrow.") from error


def _table() -> dict[str, dict[str, Any]]:
    return _file()["landmarks"]


@functools.cache
def reader() -> Reader:
    """What reads the landmarks off the default body's vertices."""
    return Reader(_table())
