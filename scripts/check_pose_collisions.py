"""How many sampled poses run into themselves after all, against the true skin: the figures of docs/synth.md.

A limb's vertex is inside another part of the body where that part's winding number about it is above a half; how deep
is its distance from the part's nearest vertex. The upper halves of upper arms and thighs are left out: they fold.

    python scripts/check_pose_collisions.py [poses] [seed]
"""

from __future__ import annotations

import sys

import numpy as np
from scipy.spatial import cKDTree

from marrow._compile import kernel
from marrow.body import DefaultBody, Rest, load_body
from marrow.data.synth import articulation as joints
from marrow.data.synth.collisions import solids
from marrow.data.synth.population import sample_figure
from marrow.data.synth.poses import PoseSampler
from marrow.types import Float64

EVERY = 5  # vertices of limbs that are looked at
#: Line along a limb's first segment, and from which share of it on the limb counts.
FIRST = {"arm": ("humerus", "shoulder", "elbow", 0.55), "leg": ("femur", "hip", "knee", 0.45)}


@kernel()
def winding(points, a, b, c, out):
    """``out (n,)`` = winding numbers about ``points (n, 3)`` of triangles (van Oosterom and Strackee 1983)."""
    for i in range(len(points)):
        total = 0.0
        for j in range(len(a)):
            x, y, z = a[j] - points[i], b[j] - points[i], c[j] - points[i]
            lx, ly, lz = np.sqrt((x * x).sum()), np.sqrt((y * y).sum()), np.sqrt((z * z).sum())
            volume = (
                x[0] * (y[1] * z[2] - y[2] * z[1])
                - x[1] * (y[0] * z[2] - y[2] * z[0])
                + x[2] * (y[0] * z[1] - y[1] * z[0])
            )
            down = lx * ly * lz + (x * y).sum() * lz + (y * z).sum() * lx + (x * z).sum() * ly
            total += np.arctan2(volume, down)
        out[i] = total / (2.0 * np.pi)


class Skin:
    """The body's vertices by part: ``trunk``, ``head``, ``arm_r`` …"""

    def __init__(self, body: DefaultBody) -> None:
        weights = body.skin_weights(joints.TREE.bodies)
        count = np.diff(weights.start)
        order = np.lexsort((weights.weight, np.repeat(np.arange(len(count)), count)))
        owner = weights.body[order[np.cumsum(count) - 1]]
        self.segment = np.array(joints.TREE.bodies)[owner]
        self.part = np.array([_part(name) for name in joints.TREE.bodies])[owner]
        self.faces = body.faces

    def deepest(self, rest: Rest, vertices: Float64) -> tuple[float, str]:
        """Metres by which a limb lies in another part, and which, of posed vertices (V, 3)."""
        worst, which = 0.0, ""
        for limb in ("arm_r", "arm_l", "leg_r", "leg_l"):
            segment, start, end, share = FIRST[limb[:3]]
            a, b = (rest.landmarks[f"{name}_{limb[-1]}"] for name in (start, end))
            along = (rest.vertices - a) @ (b - a) / ((b - a) @ (b - a))
            own = (self.part == limb) & ((self.segment != f"{segment}_{limb[-1]}") | (along > share))
            ids = np.flatnonzero(own)[::EVERY]
            others = set(self.part.tolist()) - {limb} - ({"arm_r", "arm_l"} if limb.startswith("leg") else set())
            for other in sorted(others):
                faces = self.faces[self.part[self.faces[:, 0]] == other]
                corners = vertices[faces]
                low, high = corners.min((0, 1)), corners.max((0, 1))
                near = ids[((vertices[ids] > low) & (vertices[ids] < high)).all(1)]
                number = np.zeros(len(near))
                winding(vertices[near], *(np.ascontiguousarray(corners[:, k]) for k in range(3)), number)
                inside = near[number > 0.5]
                if len(inside):
                    deep, _ = cKDTree(vertices[np.unique(faces)]).query(vertices[inside])
                    if deep.max() > worst:
                        worst, which = float(deep.max()), f"{self.segment[inside[deep.argmax()]]} in {other}"
        return worst, which


def _part(segment: str) -> str:
    if segment == "head":
        return "head"
    if segment.startswith(("femur", "tibia", "talus", "calcn", "toes")):
        return f"leg_{segment[-1]}"
    trunk = segment[-2:] not in ("_r", "_l") or segment.startswith(("clavicle", "scapula"))
    return "trunk" if trunk else f"arm_{segment[-1]}"


def main(poses: int = 200, seed: int = 100) -> None:
    rng, body, sampler = np.random.default_rng(seed), load_body(), PoseSampler()
    skin, rows = Skin(body), []
    for _ in range(poses):
        figure = sample_figure(rng)
        rest = body.rest(figure.shape)
        flesh = solids(body, rest)
        q = sampler.pose(rng, rest.skeleton, figure.age, flesh)
        accepted = flesh.depth(flesh.placed(rest.skeleton, q)).max() <= 0.0
        vertices = np.asarray(body.pose(rest, q).vertices, np.float64)
        rows.append((accepted, *skin.deepest(rest, vertices), abs(vertices[:, 1].min())))
    deep = np.array([row[1] for row in rows if row[0]])
    print(f"{len(deep)} of {poses} poses accepted")
    for mm in (5, 10, 15, 20, 30):
        print(f"deeper than {mm} mm: {100 * (1000 * deep > mm).mean():.1f} %")
    floor = 1000 * np.array([row[3] for row in rows])
    print(f"lowest vertex off the floor: median {np.median(floor):.1f} mm, most {floor.max():.1f} mm")
    for row in sorted(rows, key=lambda row: -row[1])[:10]:
        print(f"  {1000 * row[1]:.0f} mm {row[2]}")


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:3]))
