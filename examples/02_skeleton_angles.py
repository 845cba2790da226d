"""The skeleton inside a body: set clinical angles, see the skin follow, write files that other tools open.

python examples/02_skeleton_angles.py        writes marrow_out/examples/squat.{glb,bvh,png}
"""

from pathlib import Path

import numpy as np
from PIL import Image

import marrow
from marrow.geometry.projection import camera_from_fov, look_at
from marrow.io.bvh import write_bvh
from marrow.io.gltf import write_glb
from marrow.render import Figure, draw_people
from marrow.render.overlay import PALETTE
from marrow.types import Camera

#: Degrees at the bottom of the squat; names, signs and zeros as in the OpenSim models of Rajagopal and Lai-Uhlrich.
DEEPEST = {
    "hip_flexion": 95,
    "knee_angle": 105,
    "ankle_angle": 30,
    "gh_flex": 80,
    "pelvis_tilt": -20,
    "lumbar_seg_extension": -6.5,
    "thorax_extension": -3.5,
}


def squat(skeleton: marrow.Skeleton, frames: int = 90) -> np.ndarray:
    """(T, D) coordinates of one squat that starts and ends upright, feet on the floor."""
    depth = (1 - np.cos(np.linspace(0, 2 * np.pi, frames))) / 2
    q = np.zeros((frames, len(skeleton.coordinates)))
    for name, degrees in DEEPEST.items():
        for coordinate in (name, f"{name}_r", f"{name}_l"):
            if coordinate in skeleton.coordinates:
                q[:, skeleton.index(coordinate)] = np.radians(degrees) * depth
    # Let the right heel keep its place: move the pelvis against it.
    _, p = skeleton.forward(q)
    heel = p[:, skeleton.body_index("calcn_r")]
    x, y = skeleton.index("pelvis_tx"), skeleton.index("pelvis_ty")
    q[:, x] -= heel[:, 2] - heel[0, 2]
    q[:, y] -= heel[:, 1] - 0.04
    return q


def main() -> None:
    out = Path("marrow_out/examples")
    out.mkdir(parents=True, exist_ok=True)
    body = marrow.load_body("default")
    rest = body.rest({"gender": 0.3})
    skeleton = marrow.Skeleton.inside(rest.landmarks)
    print(f"{len(skeleton.bodies)} segments, {len(skeleton.coordinates)} coordinates")

    q = squat(skeleton)
    time = np.arange(len(q)) / 30
    R, p = skeleton.forward(q)
    tree = {"bodies": skeleton.bodies, "parents": skeleton.parents, "R": R, "p": p, "time": time}
    weights = body.skin_weights(skeleton.bodies)
    write_glb(out / "squat.glb", vertices=rest.vertices, faces=body.faces, weights=weights, bind=skeleton.bind, **tree)
    write_bvh(out / "squat.bvh", **tree)
    lowest = int(p[:, 0, 1].argmin())
    print(f"the pelvis sinks by {p[0, 0, 1] - p[lowest, 0, 1]:.2f} m")

    bones = [(int(parent), body_) for body_, parent in enumerate(skeleton.parents) if parent >= 0]
    figures = []
    for number, frame in enumerate((0, lowest // 2, lowest)):
        place = np.array([0, 0, 1.1 * (number - 1)])
        skin = body.pose(rest, q[frame]).vertices
        figures.append(Figure(skin + place.astype(np.float32), body.faces, p[frame] + place, bones, PALETTE[number]))
    R_cam, t_cam = look_at(eye=(-5, 1.2, 1.5), target=(0, 0.8, 0))
    flat = camera_from_fov((900, 500))
    camera = Camera(flat.K, flat.size, R_cam, t_cam)
    picture = draw_people(np.full((500, 900, 3), 245, np.uint8), figures, camera)
    Image.fromarray(picture).save(out / "squat.png")
    print(f"files: {out / 'squat.glb'}, squat.bvh, squat.png")


if __name__ == "__main__":
    main()
