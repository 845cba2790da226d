"""Speed of drawing: the rasteriser against embree (through trimesh) in the same run, and people on a video frame.

    python benchmarks/speed/render.py [--json]

Times are process CPU time on one thread, the fastest and the middle of the repeats; ratios travel between machines,
milliseconds do not.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import time
from collections.abc import Callable

import numpy as np
import trimesh

from marrow.render.mesh import interpolate, mask, rasterize, vertex_normals
from marrow.render.overlay import Figure, draw_people
from marrow.types import Camera

SIZE = 512
VIDEO = (1768, 994)


def timed(run: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Fastest and middle CPU milliseconds of ``repeats`` runs, after one that warms up."""
    run()
    spent = []
    for _ in range(repeats):
        start = time.process_time()
        run()
        spent.append(1e3 * (time.process_time() - start))
    return min(spent), float(np.median(spent))


def camera_at(distance: float, size: tuple[int, int], focal: float, aside: float = 0.0) -> Camera:
    """A camera ``distance`` metres ahead of the world's origin, 0.9 m high, looking back at it."""
    K = np.array([[focal, 0, (size[0] - 1) / 2], [0, focal, (size[1] - 1) / 2], [0, 0, 1.0]])
    return Camera(K, size, np.diag([1.0, -1.0, -1.0]), np.array([aside, 0.9, distance]))


def body_mesh() -> tuple[np.ndarray, np.ndarray, np.ndarray, list[tuple[int, int]]]:
    """The default body standing, with its skeleton: vertices, faces, joints, bones."""
    from marrow.body import load_body
    from marrow.skeleton import Skeleton

    body = load_body("default")
    rest = body.rest(None)
    skeleton = Skeleton.inside(rest.landmarks)
    bones = [(int(parent), child) for child, parent in enumerate(skeleton.parents) if parent >= 0]
    return rest.vertices, body.faces, skeleton.bind[:, :3, 3], bones


def embree_ids(vertices_cam: np.ndarray, faces: np.ndarray, camera: Camera) -> np.ndarray:
    """Face ids by casting one ray per pixel."""
    x, y = np.meshgrid(np.arange(camera.size[0]), np.arange(camera.size[1]))
    K = camera.K
    rays = np.stack([(x - K[0, 2]) / K[0, 0], (y - K[1, 2]) / K[1, 1], np.ones(x.shape)], -1).reshape(-1, 3)
    mesh = trimesh.Trimesh(vertices_cam, faces, process=False)
    return mesh.ray.intersects_first(np.zeros_like(rays), rays).reshape(x.shape)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    as_json = parser.parse_args().json

    vertices, faces, joints, bones = body_mesh()
    camera = camera_at(2.2, (SIZE, SIZE), 1.3 * SIZE)
    vertices_cam = (vertices @ camera.R_cam_world.T + camera.t_cam_world).astype(np.float32)
    raster = rasterize(vertices_cam, faces, camera)
    rays = embree_ids(vertices_cam, faces, camera)
    seen = mask(raster) | (rays >= 0)
    rows = {
        "rasterize": timed(lambda: rasterize(vertices_cam, faces, camera), 60),
        "rasterize, back faces culled": timed(lambda: rasterize(vertices_cam, faces, camera, cull=True), 60),
        "vertex normals": timed(lambda: vertex_normals(vertices, faces), 60),
        "interpolate 3 channels": timed(lambda: interpolate(raster, faces, vertices), 60),
        "embree (mesh, rays)": timed(lambda: embree_ids(vertices_cam, faces, camera), 5),
    }
    people, wide = two_people(vertices, faces, joints, bones)
    image = np.full((VIDEO[1], VIDEO[0], 3), 90, np.uint8)
    rows["overlay of two people, 1768x994"] = timed(lambda: draw_people(image, people, wide), 40)
    result = {
        "triangles": len(faces),
        "size": SIZE,
        "covered": round(float(mask(raster).mean()), 4),
        "same_face_as_embree": round(float((raster.ids == rays)[seen].mean()), 6),
        "times_faster_than_embree": round(rows["embree (mesh, rays)"][0] / rows["rasterize"][0], 1),
        "frames_per_second": {name: round(1e3 / fastest, 1) for name, (fastest, _) in rows.items()},
        "ms_fastest_and_median": {name: [round(t, 2) for t in times] for name, times in rows.items()},
    }
    if as_json:
        print(json.dumps(result))
        return
    print(f"{len(faces)} triangles, {SIZE}x{SIZE}, {100 * result['covered']:.1f} % covered, CPU time on one thread")
    for name, (fastest, median) in rows.items():
        print(f"{name:34s} {fastest:8.2f} ms fastest {median:8.2f} ms median {1e3 / fastest:8.1f} per second")
    print(
        f"rasterize is {result['times_faster_than_embree']} times as fast as embree; "
        f"same face on {100 * result['same_face_as_embree']:.3f} % of covered pixels"
    )


def two_people(
    vertices: np.ndarray, faces: np.ndarray, joints: np.ndarray, bones: list[tuple[int, int]]
) -> tuple[list[Figure], Camera]:
    """Two bodies about 400 pixels tall in a 1768x994 frame."""
    focal = 1500.0
    distance = focal * float(np.ptp(vertices[:, 1])) / 400
    shifts = (np.array([-0.7, 0, 0]), np.array([0.8, 0, 0.3]))
    colours = ((80, 160, 255), (255, 150, 60))
    people = [
        Figure((vertices + shift).astype(np.float32), faces, joints + shift, bones, colour)
        for shift, colour in zip(shifts, colours, strict=True)
    ]
    return people, camera_at(distance, VIDEO, focal)


if __name__ == "__main__":
    main()
