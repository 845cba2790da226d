"""Speed of drawing: the rasteriser and the guidance maps against rays, silhouettes with derivatives, lit pictures.

    python benchmarks/speed/render.py [--pairs 9] [--out benchmarks/results/speed_render.json] [--json]

The default body standing, 512 by 512 pixels, against what people use on a processor: trimesh with embree (``embreex``,
the extra ``test``) and, where it is installed, Open3D's ``RaycastingScene`` (embree too). For all of them the vertices
are new in each picture, as they are for a moving person, so that those with rays build their tree again; *same
vertices* keeps it. All give the face, where on it, and the depth of each pixel.

The two of a pair run right after each other, in turn first, in one process on one thread; the clock is the process's
processor time (Open3D is told one thread). What is told is the median, least and most of the ratios of the pairs, which
travel between machines as milliseconds do not. First calls (which compile) are not timed.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import importlib.metadata
import importlib.util
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh

from marrow.bench.result import machine
from marrow.render.differentiable import silhouette
from marrow.render.mesh import mask, rasterize, vertex_normals
from marrow.render.overlay import Figure, draw_people
from marrow.render.shading import Light, Sky, shade
from marrow.render.surfaces import Surface
from marrow.render.visibility import guidance
from marrow.types import Camera

COMMAND = "python benchmarks/speed/render.py --out benchmarks/results/speed_render.json"
SIZE, SMALL, VIDEO = 512, 256, (1768, 994)
#: A measurement lasts at least so long, seconds.
LEAST = 0.05
TRIMESH, OPEN3D, OPEN3D_KEPT = "trimesh with embree", "Open3D", "Open3D, same vertices"
#: Against whom, and how many times faster the rasteriser must be (median).
GATES = ((TRIMESH, 9.0), (OPEN3D, 3.0))
#: Pictures a second of all guidance maps; milliseconds of a silhouette forward and backward; share of equal faces.
MAPS_FPS, SILHOUETTE_MS, SAME = 180.0, 8.0, 0.9998

Job = Callable[[], Any]


def camera_at(distance: float, size: tuple[int, int], focal: float, aside: float = 0.0) -> Camera:
    """A camera ``distance`` metres ahead of the world's origin, 0.9 m high, looking back at it."""
    K = np.array([[focal, 0, (size[0] - 1) / 2], [0, focal, (size[1] - 1) / 2], [0, 0, 1.0]])
    return Camera(K, size, np.diag([1.0, -1.0, -1.0]), np.array([aside, 0.9, distance]))


class Person:
    """The default body standing, with its skeleton."""

    def __init__(self) -> None:
        from marrow.body import load_body
        from marrow.skeleton import Skeleton

        body = load_body("default")
        rest = body.rest(None)
        skeleton = Skeleton.inside(rest.landmarks)
        self.vertices, self.faces = np.asarray(rest.vertices, np.float32), body.faces
        self.uv, self.faces_uv = body.uv, body.faces_uv
        self.joints = skeleton.bind[:, :3, 3]
        self.bones = [(int(parent), child) for child, parent in enumerate(skeleton.parents) if parent >= 0]
        distance = np.linalg.norm(self.vertices[:, None] - self.joints[None], axis=-1)
        self.part = distance.argmin(1).astype(np.int32)[self.faces[:, 0]]

    def seen_by(self, camera: Camera) -> np.ndarray:
        return (self.vertices @ camera.R_cam_world.T + camera.t_cam_world).astype(np.float32)


# ---------------------------------------------------------------------------------------------------------------------
# The peers: one ray through each pixel
# ---------------------------------------------------------------------------------------------------------------------


def pixel_rays(camera: Camera) -> np.ndarray:
    """(H, W, 3) float32 rays with z = 1, so that the distance along them is the depth."""
    x, y = np.meshgrid(np.arange(camera.size[0]), np.arange(camera.size[1]))
    K = camera.K
    return np.stack([(x - K[0, 2]) / K[0, 0], (y - K[1, 2]) / K[1, 1], np.ones(x.shape)], -1).astype(np.float32)


def trimesh_side(person: Person, camera: Camera) -> Callable[[], np.ndarray]:
    """Face ids; barycentrics and depth are computed as well."""
    vertices, rays = person.seen_by(camera), pixel_rays(camera).reshape(-1, 3)
    origins = np.zeros_like(rays)

    def run() -> np.ndarray:
        mesh = trimesh.Trimesh(vertices, person.faces, process=False)
        faces, which, places = mesh.ray.intersects_id(origins, rays, multiple_hits=False, return_locations=True)
        trimesh.triangles.points_to_barycentric(mesh.triangles[faces], places)
        ids, depth = np.full(len(rays), -1), np.full(len(rays), np.inf)
        ids[which], depth[which] = faces, places[:, 2]
        return ids.reshape(camera.size[::-1])

    return run


def open3d_side(person: Person, camera: Camera, keep: bool) -> Callable[[], np.ndarray]:
    import open3d as o3d  # type: ignore[import-not-found]

    vertices, faces = o3d.core.Tensor(person.seen_by(camera)), o3d.core.Tensor(person.faces.astype(np.uint32))
    rays = pixel_rays(camera)
    rays = o3d.core.Tensor(np.concatenate([np.zeros_like(rays), rays], -1))

    def built() -> Any:
        scene = o3d.t.geometry.RaycastingScene(nthreads=1)
        scene.add_triangles(vertices, faces)
        return scene

    kept = built() if keep else None

    def run() -> np.ndarray:
        answer = (kept or built()).cast_rays(rays, nthreads=1)
        ids = answer["primitive_ids"].numpy().astype(np.int64)
        answer["primitive_uvs"].numpy()
        answer["t_hit"].numpy()
        return np.where(ids == 0xFFFFFFFF, -1, ids)

    return run


# ---------------------------------------------------------------------------------------------------------------------
# Timing
# ---------------------------------------------------------------------------------------------------------------------


def seconds(job: Job, times: int) -> float:
    start = time.process_time()
    for _ in range(times):
        job()
    return (time.process_time() - start) / times


def repeats(job: Job) -> int:
    job()
    return max(1, int(np.ceil(LEAST / max(seconds(job, 1), 1e-6))))


def pairs(ours: Job, theirs: Job, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Seconds of each in ``count`` pairs; the second of a pair follows the first at once, and who is first changes."""
    jobs, taken = (ours, theirs), np.zeros((2, count))
    times = [repeats(job) for job in jobs]
    for k in range(count):
        for side in (0, 1) if k % 2 else (1, 0):
            taken[side, k] = seconds(jobs[side], times[side])
    return taken[0], taken[1]


def alone(job: Job, count: int) -> np.ndarray:
    times = repeats(job)
    return np.array([seconds(job, times) for _ in range(count)])


def spread(values: np.ndarray, digits: int = 2) -> dict[str, float]:
    found = {"median": np.median(values), "min": values.min(), "max": values.max()}
    return {name: round(float(value), digits) for name, value in found.items()}


# ---------------------------------------------------------------------------------------------------------------------
# What is measured
# ---------------------------------------------------------------------------------------------------------------------


def silhouette_job(person: Person) -> Job:
    camera = camera_at(2.4, (SMALL, SMALL), 1.3 * SMALL)
    vertices = torch.from_numpy(person.seen_by(camera)).requires_grad_()
    weight = torch.sin(torch.arange(SMALL * SMALL, dtype=torch.float32) / 700).view(SMALL, SMALL)

    def run() -> None:
        torch.autograd.grad((silhouette(vertices, person.faces, camera) * weight).sum(), vertices)

    return run


def shade_job(person: Person, camera: Camera) -> Job:
    """A person on a floor that fills the picture below them, a lamp with soft shadows and an occluded sky."""
    corners = np.array([[-3, 0, -3], [-3, 0, 3], [3, 0, 3], [3, 0, -3]], np.float32)
    corners[:, 1] = person.vertices[:, 1].min()
    grey, skin = np.full(3, 0.4, np.float32), np.array([0.55, 0.33, 0.24], np.float32)
    floor = Surface(corners, np.array([[0, 1, 2], [0, 2, 3]], np.int32), grey, casts_shadow=False)
    surfaces = [floor, Surface(person.vertices, person.faces, skin, owner=0)]
    return lambda: shade(surfaces, camera, (Light((0.6, 1.0, 0.45)),), Sky())


def overlay_job(person: Person) -> Job:
    """Two bodies about 400 pixels tall drawn onto a video frame."""
    focal = 1500.0
    camera = camera_at(focal * float(np.ptp(person.vertices[:, 1])) / 400, VIDEO, focal)
    shifts = (np.array([-0.7, 0, 0]), np.array([0.8, 0, 0.3]))
    people = [
        Figure((person.vertices + s).astype(np.float32), person.faces, person.joints + s, person.bones, colour)
        for s, colour in zip(shifts, ((80, 160, 255), (255, 150, 60)), strict=True)
    ]
    image = np.full((VIDEO[1], VIDEO[0], 3), 90, np.uint8)
    return lambda: draw_people(image, people, camera)


def measured(count: int) -> dict[str, Any]:
    person = Person()
    camera = camera_at(2.4, (SIZE, SIZE), 1.3 * SIZE)
    vertices_cam = person.seen_by(camera)
    raster = rasterize(vertices_cam, person.faces, camera)

    def draw() -> Any:
        return rasterize(vertices_cam, person.faces, camera)

    sides = {TRIMESH: trimesh_side(person, camera)}
    if importlib.util.find_spec("open3d"):
        sides[OPEN3D] = open3d_side(person, camera, keep=False)
        sides[OPEN3D_KEPT] = open3d_side(person, camera, keep=True)
    rows, same = [], {}
    for name, side in sides.items():
        rays = side()
        either = mask(raster) | (rays >= 0)
        same[name] = {
            "of_all_pixels": round(float((raster.ids == rays).mean()), 6),
            "of_covered_pixels": round(float((raster.ids == rays)[either].mean()), 6),
        }
        ours, theirs = pairs(draw, side, count)
        rows.append(
            {
                "what": "faces, barycentrics and depth",
                "peer": name,
                "marrow_ms": spread(1000 * ours, 3),
                "peer_ms": spread(1000 * theirs, 3),
                "times": spread(theirs / ours),
            }
        )

    def maps() -> Any:
        return guidance(vertices_cam, person.faces, camera, uv=person.uv, uv_faces=person.faces_uv, part=person.part)

    farther = replace(camera, t_cam_world=camera.t_cam_world + np.array([0, 0, 0.6]))
    jobs: dict[str, Job] = {
        "rasterize": draw,
        "rasterize, back faces left out": lambda: rasterize(vertices_cam, person.faces, camera, cull=True),
        "vertex normals": lambda: vertex_normals(vertices_cam, person.faces),
        "depth, normals, UV and parts": maps,
        f"silhouette {SMALL}x{SMALL}, forward and backward": silhouette_job(person),
        "lit picture, 4 samples a pixel": shade_job(person, farther),
        f"overlay of two people, {VIDEO[0]}x{VIDEO[1]}": overlay_job(person),
    }
    taken = {name: spread(1000 * alone(job, count), 3) for name, job in jobs.items()}
    return {
        "triangles": len(person.faces),
        "size": SIZE,
        "covered": round(float(mask(raster).mean()), 4),
        "same_face": same,
        "rows": rows,
        "ms": taken,
    }


def claims(found: dict[str, Any]) -> list[dict[str, Any]]:
    """What is promised, and whether it holds here."""
    out: list[dict[str, Any]] = []
    by_peer = {row["peer"]: row["times"] for row in found["rows"]}
    for peer, least in GATES:
        if peer in by_peer:
            times = by_peer[peer]
            claim = f"faces, barycentrics and depth: at least {least:g} times as fast as {peer}"
            out.append({"claim": claim, **times, "holds": times["median"] >= least})
    milliseconds = found["ms"]["depth, normals, UV and parts"]["median"]
    claim = f"all guidance maps: at least {MAPS_FPS:g} pictures a second"
    out.append({"claim": claim, "median": round(1000 / milliseconds, 1), "holds": 1000 / milliseconds >= MAPS_FPS})
    milliseconds = found["ms"][f"silhouette {SMALL}x{SMALL}, forward and backward"]["median"]
    claim = f"silhouette forward and backward: at most {SILHOUETTE_MS:g} ms"
    out.append({"claim": claim, "median": milliseconds, "holds": milliseconds <= SILHOUETTE_MS})
    for peer, shares in found["same_face"].items():
        share = shares["of_all_pixels"]
        claim = f"the same face as {peer} on at least {100 * SAME:g} % of pixels"
        out.append({"claim": claim, "median": share, "holds": share >= SAME})
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    load = [os.getloadavg()[0]]
    found = measured(asked.pairs)
    load.append(os.getloadavg()[0])
    packages = ("numpy", "numba", "torch", "trimesh", "embreex", "open3d")
    versions = {name: importlib.metadata.version(name) for name in packages if importlib.util.find_spec(name)}
    result = {
        "command": COMMAND,
        "machine": machine(),
        "versions": versions,
        "clock": "processor time of the process, one thread",
        "load_average": {"start": round(load[0], 2), "end": round(load[1], 2)},
        "pairs": asked.pairs,
        "claims": claims(found),
        **found,
    }
    if asked.out:
        asked.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if asked.json:
        print(json.dumps(result))
        return
    covered = 100 * result["covered"]
    print(f"{result['triangles']} triangles, {SIZE}x{SIZE}, {covered:.1f} % covered, processor time on one thread")
    for row in result["rows"]:
        times = row["times"]
        print(
            f"{row['marrow_ms']['median']:7.2f} ms against {row['peer_ms']['median']:7.2f} ms of {row['peer']}: "
            f"{times['median']} times as fast ({times['min']} to {times['max']})"
        )
    for name, taken in result["ms"].items():
        print(f"{name:48s} {taken['median']:8.2f} ms ({taken['min']:.2f} to {taken['max']:.2f})")
    for claim in result["claims"]:
        print("holds " if claim["holds"] else "FAILS ", claim["claim"], claim["median"])


if __name__ == "__main__":
    main()
