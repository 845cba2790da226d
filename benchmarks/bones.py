"""How the bones sit in the skin: shares inside at rest and moving, widths against the skin's, symmetry, in many people.

    python benchmarks/bones.py [--people 100] [--out benchmarks/results/bones.json]

People are drawn over the whole shape space, from newborn to old, thin to heavy. A bone vertex is inside where a ray
crosses the skin an odd number of times, or else where two of three rays (up, back, aslant) do so when the lining of
mouth, nose and eyelids is left out: it is part of the mesh, and what lies behind it is not outside the body.
Widths are those of bone and of skin where one plane cuts both, across the limb.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import trimesh

from marrow.body import anatomy, load_body
from marrow.body.default import DefaultBody, Rest
from marrow.data.motion_pack import motion_pack
from marrow.skeleton import Skeleton
from marrow.skeleton.bones import Detail, bone_meshes
from marrow.skeleton.bones.posing import posed_bones
from marrow.skeleton.joint_centres import joint_centres
from marrow.skeleton.tree import at_ease
from marrow.types import Mesh

RESULT = Path(__file__).parent / "results" / "bones.json"
UP = np.array([0.0, 1.0, 0.0])
SIDEWAYS = np.array([1.0, 0.0, 0.0])
RAYS = np.array([[0.01, 1.0, 0.02], [0.02, 0.1, -1.0], [0.5, 0.7, -0.6]])


@dataclass(frozen=True)
class Site:
    """Where widths are compared: bones and the rig's bones whose skin counts, a plane and the direction of width.

    Attributes:
        at: the two landmarks that the plane goes between, ``share`` of the way from the first to the second.
        normal: two landmarks along whose line the plane is cut; None: level.
        across: two landmarks along whose line width is measured; None: from left to right.
    """

    bones: tuple[str, ...]
    skin: tuple[str, ...]
    at: tuple[str, str]
    share: float
    normal: tuple[str, str] | None
    across: tuple[str, str] | None


_KNEE = ("medial_femoral_epicondyle_r", "lateral_femoral_epicondyle_r")
_MALLEOLI = ("medial_malleolus_r", "lateral_malleolus_r")
_ELBOW = ("medial_humeral_epicondyle_r", "lateral_humeral_epicondyle_r")
_STYLOIDS = ("ulnar_styloid_r", "radial_styloid_r")
_RIBS = tuple(f"rib_{k}_{s}" for k in range(4, 11) for s in "rl")
SITES: Mapping[str, Site] = {
    "skull": Site(("skull",), ("head",), ("euryon_r", "euryon_l"), 0.5, None, None),
    "biiliac": Site(
        ("hip_bone_r", "hip_bone_l"),
        ("root", "pelvis", "spine", "upperleg"),
        ("iliac_tubercle_r", "iliac_tubercle_l"),
        0.5,
        None,
        None,
    ),
    "ribs": Site(_RIBS, ("root", "spine"), ("rib_6_r", "rib_6_l"), 0.5, None, None),
    "femoral condyles": Site(("femur_r",), ("upperleg", "lowerleg"), _KNEE, 0.5, ("knee_r", "hip_r"), _KNEE),
    "tibial condyles": Site(
        ("tibia_r",), ("upperleg", "lowerleg"), ("knee_r", "ankle_r"), 0.09, ("ankle_r", "knee_r"), _KNEE
    ),
    "malleoli": Site(("tibia_r", "fibula_r"), ("lowerleg", "foot"), _MALLEOLI, 0.5, None, _MALLEOLI),
    "heel": Site(
        ("calcaneus_r",),
        ("foot",),
        ("calcaneus_r", "metatarsal_head_2_r"),
        0.12,
        ("calcaneus_r", "metatarsal_head_2_r"),
        _MALLEOLI,
    ),
    "elbow": Site(("humerus_r",), ("upperarm", "lowerarm"), _ELBOW, 0.5, ("elbow_r", "shoulder_r"), _ELBOW),
    "wrist": Site(
        ("radius_r", "ulna_r"),
        ("lowerarm", "wrist"),
        ("wrist_r", "elbow_r"),
        0.04,
        ("wrist_r", "elbow_r"),
        _STYLOIDS,
    ),
    "ball of the foot": Site(
        tuple(f"metatarsal_{k}_r" for k in range(1, 6)),
        ("foot", "toe"),
        ("metatarsal_head_1_r", "metatarsal_head_5_r"),
        0.5,
        ("calcaneus_r", "metatarsal_head_2_r"),
        ("metatarsal_head_1_r", "metatarsal_head_5_r"),
    ),
}


class Measure:
    """Measures one person's bones against the skin; made once per body."""

    def __init__(self, body: DefaultBody) -> None:
        self.body = body
        start, bone, weight = body.bone_weights
        owner = np.array([bone[i:j][np.argmax(weight[i:j])] for i, j in pairwise(start)])
        names = np.array(body.bones)
        self._faces = {}
        for site, where in SITES.items():
            one_side = all(b.endswith("_r") for b in where.bones)
            chosen = [
                i for i, n in enumerate(names) if n.startswith(where.skin) and not (one_side and n.endswith(".L"))
            ]
            self._faces[site] = body.faces[np.isin(owner, chosen)[body.faces].all(1)]
        self._outer = body.faces[self._sees_the_open(owner, names)]

    def _sees_the_open(self, owner: np.ndarray, names: np.ndarray) -> np.ndarray:
        """Faces that are not lining of the mouth, nose and eyelids: their normal leads out of the average head."""
        rest = self.body.rest({})
        x, faces = rest.vertices.astype(float), self.body.faces
        head = np.char.startswith(names, ("head")) | np.char.startswith(names, "eye")
        chosen = np.flatnonzero(head[owner][faces].all(1))
        corners = x[faces[chosen]]
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
        rays = trimesh.Trimesh(x, faces, process=False).ray
        out = np.ones(len(faces), bool)
        out[chosen] = ~rays.intersects_any(corners.mean(1) + 2e-4 * normal, normal)
        return out

    def inside(self, skin: np.ndarray, points: np.ndarray) -> np.ndarray:
        """(N,) bool: which points (N, 3) lie in the body whose skin has the vertices (V, 3)."""
        x = skin.astype(float)
        out = trimesh.Trimesh(x, self.body.faces, process=False).contains(points)
        left = np.flatnonzero(~out)
        rays = trimesh.Trimesh(x, self._outer, process=False).ray
        odd = np.zeros(len(left), int)
        for direction in RAYS:
            ray = rays.intersects_id(points[left], np.tile(direction, (len(left), 1)), multiple_hits=True)[1]
            odd += np.bincount(ray, minlength=len(left)) % 2
        out[left] = odd >= 2
        return out

    def widths(self, rest: Rest, places: Mapping[str, np.ndarray], bones: Mapping[str, Mesh]) -> dict[str, float]:
        """Width of bone over width of skin at each site."""
        out = {}
        for name, site in SITES.items():
            a, b = (places[p] for p in site.at)
            centre = a + site.share * (b - a)
            normal = UP if site.normal is None else places[site.normal[1]] - places[site.normal[0]]
            across = SIDEWAYS if site.across is None else places[site.across[1]] - places[site.across[0]]
            across = across - (across @ normal) / (normal @ normal) * normal
            across = across / np.linalg.norm(across)
            cut = [
                section(bones[bone].vertices.astype(float), bones[bone].faces, centre, normal) for bone in site.bones
            ]
            skin = section(rest.vertices.astype(float), self._faces[name], centre, normal)
            out[name] = float(np.ptp(np.concatenate(cut) @ across) / np.ptp(skin @ across))
        return out


def section(x: np.ndarray, faces: np.ndarray, centre: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Points (N, 3) where a plane cuts the edges of a mesh."""
    edges = np.concatenate([faces[:, :2], faces[:, 1:]])
    h = (x - centre) @ normal
    edges = edges[(h[edges[:, 0]] < 0) != (h[edges[:, 1]] < 0)]
    a, b = edges.T
    t = h[a] / (h[a] - h[b])
    return x[a] + t[:, None] * (x[b] - x[a])


def people(count: int, seed: int = 1) -> list[dict[str, float]]:
    """Shapes over the whole space: newborn to old, all phenotypes; stature within what the ages allow."""
    rng = np.random.default_rng(seed)
    return [
        {
            "gender": rng.uniform(),
            "age": rng.uniform(-1 / 3, 1),
            "weight": rng.uniform(),
            "muscle": rng.uniform(),
            "height": float(np.clip(rng.normal(0.4, 0.15), 0, 1)),
            "proportions": rng.uniform(),
        }
        for _ in range(count)
    ]


def measured(measure: Measure, shape: Mapping[str, float], stride: int = 1, detail: Detail = "full") -> dict:
    """Share of bone vertices inside (every ``stride``-th is looked at), widths, and asymmetry in millimetres."""
    rest = measure.body.rest(shape)
    bony = anatomy.bony_landmarks(rest)
    centres = joint_centres(bony)
    bones = bone_meshes(bony, centres, detail=detail)
    names, points = [], []
    for name, mesh in bones.items():
        points.append(mesh.vertices[::stride].astype(float))
        names += [name] * len(points[-1])
    inside = measure.inside(rest.vertices, np.concatenate(points))
    mirrored = [
        np.abs(mesh.vertices * [-1, 1, 1] - bones[name[:-1] + "l"].vertices).max()
        for name, mesh in bones.items()
        if name.endswith("_r")
    ]
    return {
        "inside": float(inside.mean()),
        "outside_of": sorted({n for n, good in zip(names, inside, strict=True) if not good}),
        "widths": measure.widths(rest, bony | centres, bones),
        "asymmetry_mm": 1000 * float(max(mirrored)),
        "stature": float(rest.vertices[:, 1].max()),
    }


def moving(measure: Measure, shape: Mapping[str, float], rng: np.random.Generator, count: int) -> tuple[float, dict]:
    """Share of bone vertices inside the skin over frames of the motion pack, and how many stick out by bone."""
    rest = measure.body.rest(shape)
    bony = anatomy.bony_landmarks(rest)
    meshes = bone_meshes(bony, joint_centres(bony), detail="light")
    skeleton = Skeleton.inside(rest.landmarks)
    pack, shares, outside = motion_pack(), [], {}
    for _ in range(count):
        clip = pack.motion(int(rng.integers(len(pack))))
        row = int(rng.integers(len(clip.q)))
        q = clip.full(skeleton.coordinates, at_ease(skeleton.coordinates))[row]
        skin = measure.body.pose(rest, q, outputs=("vertices",)).vertices
        posed = posed_bones(meshes, skeleton, *skeleton.forward(q))
        inside = measure.inside(skin, np.concatenate([m.vertices for m in posed.values()]).astype(float))
        shares.append(float(inside.mean()))
        ends = np.cumsum([len(m.vertices) for m in posed.values()])[:-1]
        for name, own in zip(posed, np.split(inside, ends), strict=True):
            outside[name] = outside.get(name, 0) + int((~own).sum())
    return float(np.mean(shares)), outside


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=100)
    parser.add_argument("--poses", type=int, default=5, help="frames of the motion pack for each person")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    measure = Measure(load_body())
    rows = []
    for i, shape in enumerate(people(options.people)):
        rows.append(measured(measure, shape))
        print(i, f"{rows[-1]['stature']:.2f} m", f"{rows[-1]['inside']:.5f}", *rows[-1]["outside_of"], flush=True)
    inside = np.array([row["inside"] for row in rows])
    rng, moved, out = np.random.default_rng(2), [], {}
    for i, shape in enumerate(people(options.people)):
        share, outside = moving(measure, shape, rng, options.poses)
        moved.append(share)
        out = {name: out.get(name, 0) + n for name, n in outside.items()}
        print(
            i, f"moving {share:.5f}", *(n for n, k in sorted(outside.items(), key=lambda e: -e[1])[:5] if k), flush=True
        )
    widths = {site: np.array([row["widths"][site] for row in rows]) for site in SITES}
    often: dict[str, int] = {}
    for row in rows:
        for bone in row["outside_of"]:
            often[bone] = often.get(bone, 0) + 1
    result = {
        "command": f"python benchmarks/bones.py --people {options.people}",
        "people": options.people,
        "stature_m": [min(r["stature"] for r in rows), max(r["stature"] for r in rows)],
        "inside": {"mean": float(inside.mean()), "least": float(inside.min())},
        "inside_in_poses_of_the_motion_pack": {
            "poses_each": options.poses,
            "mean": float(np.mean(moved)),
            "least": float(np.min(moved)),
            "most_outside": dict(sorted(out.items(), key=lambda item: -item[1])[:12]),
        },
        "bones_partly_outside": dict(sorted(often.items(), key=lambda item: -item[1])),
        "asymmetry_mm": max(row["asymmetry_mm"] for row in rows),
        "width_of_bone_over_skin": {
            site: {"mean": float(w.mean()), "least": float(w.min()), "greatest": float(w.max())}
            for site, w in widths.items()
        },
    }
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
