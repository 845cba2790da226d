"""Learn where BlazePose's 33 keypoints sit on the body: render people, run the detector on them, compare.

    python scripts/calibrate_keypoints.py

Bodies of many shapes in poses of the motion pack (split ``train``) are drawn in plain clothes before made-up
backgrounds. Where the detector finds the person as drawn, each keypoint's pixel is compared with the projection of its
assumed place (:mod:`marrow.body.keypoints`, without any offset), and one offset per keypoint in the axes of a segment
is fitted to all pictures by iteratively reweighted least squares (Tukey's biweight). Offsets are metres on a body of
1.70 m; left and right are pooled as mirror images. A quarter of the bodies is held out: the biases and the noise that
are reported are theirs.

Drawn people are smooth, bald or with a cap for hair, in tight clothes. The detector draws knees, hips and hand points
to the same places on real people, but puts the points of a drawn *face* farther from their places than those of a real
one: with the offsets as fitted, the heads of two filmed people come out 4 % too large, with half of them 4 % too small
(1.6 sd of the population either way). Three quarters are kept.

Writes ``src/marrow/body/data/blazepose_offsets.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np

from marrow.body import keypoints as places
from marrow.body import load_body
from marrow.body.default import DefaultBody, Rest
from marrow.body.keypoints import KeypointSource, keypoint_sources
from marrow.body.shape import PARTIAL
from marrow.conventions import EDGES, JOINT_SETS
from marrow.data.motion_pack import motion_pack
from marrow.detect import BlazePose, Detection, Region
from marrow.geometry.projection import camera_from_fov, look_at, project, to_camera
from marrow.geometry.rotations import rotation_z
from marrow.render.mesh import interpolate, mask, rasterize, vertex_normals
from marrow.skeleton import Skeleton
from marrow.skeleton.tree import at_ease
from marrow.types import Camera

JOINT_SET = "blazepose33"
OUT = Path(places.__file__).with_name("data") / "blazepose_offsets.json"
#: The segment in whose axes each keypoint's offset is given.
SEGMENT = {
    **dict.fromkeys(("nose", "eye_inner", "eye", "eye_outer", "ear", "mouth"), "head"),
    "shoulder": "torso", "elbow": "humerus", "hip": "pelvis", "knee": "femur", "ankle": "tibia",
    "wrist": "hand", "pinky": "hand", "index": "hand", "thumb": "hand", "heel": "calcn", "foot_index": "toes",
}  # fmt: skip
#: Offsets that were set by hand before, for comparison (metres, right side).
BY_HAND = {"hip": (0.021, -0.022, 0.029), "shoulder": (0.0, 0.023, 0.0)}
HEAD_SHARE, LONGEST, NORMAL_STATURE = 0.75, 0.06, 1.70
MIN_CONFIDENCE, MAX_ERROR = 0.5, 0.08
FIELDS = ("xy", "base", "frame", "jacobian", "height_px", "confidence", "stature", "body")


# ---------------------------------------------------------------------------------------------------------------------
# People
# ---------------------------------------------------------------------------------------------------------------------


def some_shape(body: DefaultBody, rng: np.random.Generator, child: bool) -> dict[str, float]:
    """A random person: the prior of the body's phenotypes and limbs, or a child of about 5 to 14 years."""
    chosen = {}
    for p in body.spec.parameters:
        if not p.name.startswith(PARTIAL):
            chosen[p.name] = float(np.clip(rng.normal(p.mean, p.sd), p.low, p.high))
    chosen["gender"] = float(np.clip(rng.integers(2) + rng.normal(0, 0.1), 0, 1))
    if child:
        chosen["age"] = float(rng.uniform(0.3, 0.55))
    return chosen


def some_pose(skeleton: Skeleton, clips: list, rng: np.random.Generator) -> np.ndarray:
    """(D,) coordinates from a random frame of the motion pack, sometimes a person standing still."""
    clip = clips[rng.integers(len(clips))]
    frame = int(rng.integers(len(clip.q)))
    clip = replace(clip, q=clip.q[frame : frame + 1])
    q = clip.full(skeleton.coordinates, at_ease(skeleton.coordinates))[0]
    if rng.random() < 0.15:
        q = at_ease(skeleton.coordinates)
        for name, sd in {"gh_add": 10, "hip_adduction": 3, "knee_angle": 4, "elbow_flex": 12, "gh_flex": 10}.items():
            for side in "rl":
                q[skeleton.index(f"{name}_{side}")] += np.radians(sd) * rng.normal()
    for name, sd in {"pro_sup": 45, "wrist_flex": 15, "wrist_dev": 7, "mcp_flex": 10}.items():
        for i, coordinate in enumerate(skeleton.coordinates):
            if coordinate[:-2].endswith(name):
                q[i] += np.radians(sd) * rng.normal()
    q[[skeleton.index(f"pelvis_t{axis}") for axis in "xz"]] = 0.0
    return q


@dataclass(frozen=True)
class Regions:
    """(V,) what each vertex is dressed as, and marks of the face, all found on the body at rest."""

    part: np.ndarray
    features: Mapping[str, np.ndarray]


def regions_of(body: DefaultBody, rest: Rest, skeleton: Skeleton) -> Regions:
    """Which vertices are trunk, limbs, feet, hair, eyes, brows, lips."""
    weights = body.skin_weights(skeleton.bodies)
    rows = np.repeat(np.arange(body.vertex_count), np.diff(weights.start))
    order = np.lexsort((weights.weight, rows))
    strongest = np.asarray(weights.body)[order][np.searchsorted(rows[order], np.arange(body.vertex_count), "right") - 1]
    part = np.array([name.removesuffix("_r").removesuffix("_l") for name in skeleton.bodies])[strongest]
    at = {s.name: rest.vertices[list(s.vertices)].mean(0) for s in keypoint_sources(JOINT_SET) if s and s.vertices}
    crown = rest.vertices[:, 1].max()
    x, y, z = rest.vertices.T
    eye, ear, mouth = at["left_eye"], at["left_ear"], at["mouth_left"]
    unit = (crown - eye[1]) / 0.115  # 1 on an adult
    head = part == "head"
    behind = z < ear[2] - 0.01 * unit
    hair = head & ((y > eye[1] + 0.055 * unit) | (behind & (y > mouth[1])) | ((z < ear[2] + 0.015) & (y > eye[1])))
    distance = np.minimum(*(np.linalg.norm(rest.vertices - at[f"{s}_eye"], axis=1) for s in ("left", "right")))
    brow = head & (np.abs(y - eye[1] - 0.022 * unit) < 0.005 * unit) & (z > eye[2] - 0.03 * unit)
    lips = head & (np.abs(y - mouth[1]) < 0.009 * unit) & (np.abs(x) < mouth[0]) & (z > mouth[2] - 0.005)
    ball = np.isin(np.arange(body.vertex_count), _eyeballs(body))
    return Regions(
        part,
        {
            "hair": hair,
            "white": ball & (distance < 0.02 * unit),
            "iris": ball & (distance < 0.0065 * unit),
            "brow": brow & (np.abs(x) > 0.012 * unit) & (np.abs(x) < 0.05 * unit),
            "lips": lips,
        },
    )


def _eyeballs(body: DefaultBody) -> np.ndarray:
    """Vertices that move wholly with the eyes' bones."""
    weights, names = body.bone_weights, body.bones
    eyes = [i for i, name in enumerate(names) if name.startswith("eye")]
    rows = np.repeat(np.arange(body.vertex_count), np.diff(weights.start))
    return rows[np.isin(np.asarray(weights.body), eyes) & (weights.weight > 0.99)]


def dress(regions: Regions, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Colours (V, 3) in [0, 1] and thickness (V,) in metres of a random person's clothes and hair."""
    skin = np.array([0.95, 0.72, 0.58]) * rng.uniform(0.35, 1.0) ** np.array([0.8, 1.0, 1.15])
    colour = np.tile(skin, (len(regions.part), 1))
    thick = np.zeros(len(colour))

    def wear(parts: tuple[str, ...], paint: np.ndarray, most: float) -> None:
        on = np.isin(regions.part, parts)
        colour[on], thick[on] = paint, rng.uniform(0.1, 1.0) * most

    def cloth() -> np.ndarray:
        return np.clip(rng.uniform(0.05, 0.95) + rng.uniform(-0.3, 0.3, 3), 0.03, 1.0)

    legs, shirt = cloth(), cloth()
    wear(("pelvis", "femur", "tibia")[: 3 if rng.random() < 0.7 else 2], legs, 0.015)
    wear(("torso", "lumbar", "clavicle", "scapula", "humerus", "ulna", "radius")[: rng.choice([4, 5, 7])], shirt, 0.015)
    if rng.random() < 0.85:
        wear(("talus", "calcn", "toes"), cloth(), 0.012)
    if rng.random() < 0.85:
        hair = np.clip(rng.uniform(0.02, 0.5) * np.array([1, 0.8, 0.6]) + 0.02, 0, 1)
        colour[regions.features["hair"]], thick[regions.features["hair"]] = hair, rng.uniform(0.002, 0.025)
        colour[regions.features["brow"]] = 0.6 * hair + 0.2 * skin
    colour[regions.features["lips"]] = skin * [0.9, 0.65, 0.65]
    colour[regions.features["white"]] = 0.9
    colour[regions.features["iris"]] = rng.uniform(0.05, 0.3, 3)
    return colour, thick


# ---------------------------------------------------------------------------------------------------------------------
# Pictures
# ---------------------------------------------------------------------------------------------------------------------


def some_camera(centre: np.ndarray, stature: float, rng: np.random.Generator) -> Camera:
    """A camera around a person, who is then 250 to 500 pixels tall; it mostly looks down by 0 to 20 degrees."""
    side = int(rng.integers(512, 720))
    camera = camera_from_fov((side, side), float(rng.uniform(30, 75)))
    distance = camera.K[0, 0] * stature / rng.uniform(250, min(500, 0.8 * side))
    yaw, pitch = (
        rng.uniform(-np.pi, np.pi),
        np.radians(rng.uniform(0, 20) if rng.random() < 0.8 else rng.uniform(-10, 35)),
    )
    eye = distance * np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    R, t = look_at(centre + eye, centre + 0.06 * distance * rng.uniform(-1, 1, 3))
    roll = rotation_z(np.radians(2) * rng.normal())
    return replace(camera, R_cam_world=roll @ R, t_cam_world=roll @ t)


def background(side: int, horizon: float, rng: np.random.Generator) -> np.ndarray:
    """(side, side, 3) in [0, 1]: wall and floor of some colours, cloudy texture of several scales, boxes, blurred."""
    image = np.empty((side, side, 3))
    row = int(np.clip(horizon, 0, side))
    image[:row], image[row:] = rng.uniform(0.1, 0.95, 3) * 0.5 + 0.5 * rng.uniform(0.1, 0.95), rng.uniform(0.15, 0.8)
    for _ in range(rng.integers(0, 8)):
        x, y, w, h = side * np.concatenate([rng.uniform(0, 1, 2), rng.uniform(0.05, 0.4, 2)])
        cv2.rectangle(image, (int(x), int(y)), (int(x + w), int(y + h)), rng.uniform(0.05, 0.95, 3).tolist(), -1)
    for cells in (4, 9, 30, 120):
        clouds = rng.normal(0, rng.uniform(0.01, 0.1), (cells, cells, 1 if rng.random() < 0.6 else 3))
        clouds = cv2.resize(clouds, (side, side), interpolation=cv2.INTER_CUBIC)
        image += clouds if clouds.ndim == 3 else clouds[..., None]
    return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.6, 4))


def draw(
    vertices: np.ndarray, faces: np.ndarray, colour: np.ndarray, camera: Camera, rng: np.random.Generator
) -> np.ndarray:
    """(H, W, 3) uint8 picture of a lit person."""
    seen = rasterize(to_camera(camera, vertices).astype(np.float32), faces, camera)
    light = np.array([rng.uniform(-1, 1), rng.uniform(0.3, 1.5), rng.uniform(-1, 1)])
    normals = vertex_normals(vertices.astype(np.float32), faces)
    lambert = np.clip(normals @ (light / np.linalg.norm(light)), 0, None)
    ambient = rng.uniform(0.35, 0.7)
    shade = ambient * (0.8 + 0.2 * normals[:, 1]) + (1.1 - ambient) * lambert
    person = interpolate(seen, faces, (colour * shade[:, None]).astype(np.float32))
    side = camera.size[0]
    up = camera.R_cam_world[:, 1]
    horizon = camera.K[1, 2] - camera.K[1, 1] * up[2] / min(up[1], -0.3)
    image = background(side, horizon, rng)
    floor = vertices[vertices[:, 1] < vertices[:, 1].min() + 0.1]
    shadow = np.zeros((side, side), np.float32)
    spot = project(camera, floor * [1, 0, 1] + [0, floor[:, 1].min(), 0])
    for x, y in np.nan_to_num(spot[:: max(1, len(spot) // 60)], nan=-99.0):
        cv2.circle(shadow, (int(x), int(y)), 5, 1.0, -1)
    image *= 1 - 0.5 * cv2.GaussianBlur(shadow, (0, 0), 5)[..., None]
    inside = cv2.GaussianBlur(mask(seen).astype(np.float32), (0, 0), 0.6)[..., None]
    image = image * (1 - inside) + np.where(mask(seen)[..., None], person, image) * inside
    image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.1)) * rng.uniform(0.8, 1.15)
    image += rng.normal(0, rng.uniform(0.002, 0.03), image.shape)
    return (255 * np.clip(image, 0, 1)).astype(np.uint8)


def find(detector: BlazePose, image: np.ndarray, truth: np.ndarray, rng: np.random.Generator) -> Detection | None:
    """The drawn person as the detector follows it: a look at about the right place, then one from there."""
    hips = truth[[23, 24]].mean(0)
    reach = np.linalg.norm(truth - hips, axis=1).max()
    region = Region(
        tuple(hips + 0.05 * reach * rng.normal(size=2)), 2.5 * reach * rng.uniform(0.9, 1.15), 0.1 * rng.normal()
    )
    for _ in range(2):
        found = detector.detect(image, follow=[region], places=())
        if not found:
            return None
        region = found[0].region
    return found[0]


# ---------------------------------------------------------------------------------------------------------------------
# Comparison
# ---------------------------------------------------------------------------------------------------------------------


def plain_sources() -> list[KeypointSource]:
    """The keypoints' places without any offset."""
    return [replace(s, offset=(0.0, 0.0, 0.0), offset_body=None) for s in keypoint_sources(JOINT_SET) if s is not None]


def stem(name: str) -> tuple[str, str]:
    """A keypoint's name without its side, and its side (``r``, ``l`` or empty)."""
    for word, side in (("left", "l"), ("right", "r")):
        if name.startswith(f"{word}_"):
            return name.removeprefix(f"{word}_"), side
        if name.endswith(f"_{word}"):
            return name.removesuffix(f"_{word}"), side
    return name, ""


def base_points(
    body: DefaultBody, rest: Rest, skeleton: Skeleton, q: np.ndarray, vertices: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """World positions (33, 3) without offsets and the frames (33, 3, 3) of the segments of their offsets."""
    R, p = skeleton.forward(q)
    points, frames = np.zeros((33, 3)), np.zeros((33, 3, 3))
    for k, source in enumerate(plain_sources()):
        name, side = stem(source.name)
        for v, w in zip(source.vertices, source.vertex_weights, strict=True):
            points[k] += w * vertices[v]
        if source.landmarks:
            points[k] += np.array(source.landmark_weights) @ skeleton.points(R, p, source.landmarks)
        segment = SEGMENT[name]
        frames[k] = R[skeleton.body_index(f"{segment}_{side}" if f"{segment}_{side}" in skeleton.bodies else segment)]
        if side == "l":  # a mirrored offset has the other sign to the right
            frames[k] = frames[k] * [1, 1, -1]
    return points, frames


def pixel_jacobian(camera: Camera, points: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """(33, 2, 3) pixels per metre along the segment's axes."""
    step = 1e-3
    columns = [project(camera, points + step * frames[:, :, i]) - project(camera, points) for i in range(3)]
    return np.stack(columns, -1) / step


def fit_offset(residual: np.ndarray, jacobian: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, float]:
    """The offset (3,) that explains pixel residuals (N, 2), and the robust sd of what is left, in units of ``scale``.

    Residuals are divided by ``scale`` (N,), the person's height in pixels. Tukey's biweight at 4.7 robust sd.
    """
    A, b = jacobian / scale[:, None, None], residual / scale[:, None]
    weight, offset, sd = np.ones(len(b)), np.zeros(3), 0.0
    for _ in range(30):
        H = np.einsum("n,nki,nkj->ij", weight, A, A) + 1e-9 * np.eye(3)
        offset = np.linalg.solve(H, np.einsum("n,nki,nk->i", weight, A, b))
        left = b - A @ offset
        sd = 1.4826 * float(np.median(np.abs(left)))
        weight = np.clip(1 - (np.linalg.norm(left, axis=1) / (4.7 * sd)) ** 2, 0, None) ** 2
    return offset, sd


def collect(people: int, views: int, seed: int, show: Path | None) -> tuple[dict[str, np.ndarray], int]:
    """Pictures, detections and truths; the number drawn. Arrays have one row per accepted picture."""
    rng, body, detector = np.random.default_rng(seed), load_body(), BlazePose()
    clips = motion_pack().select("train")
    kept: dict[str, list] = {name: [] for name in FIELDS}
    shown = 0
    for person in range(people):
        rest = body.rest(some_shape(body, rng, child=person % 6 == 5))
        skeleton = Skeleton.inside(rest.landmarks)
        regions, stature = regions_of(body, rest, skeleton), float(rest.vertices[:, 1].max())
        for _ in range(views):
            q = some_pose(skeleton, clips, rng)
            vertices = np.asarray(body.pose(rest, q).vertices, float)
            colour, thick = dress(regions, rng)
            clothed = vertices + thick[:, None] * vertex_normals(vertices.astype(np.float32), body.faces)
            centre = (vertices.min(0) + vertices.max(0)) / 2
            camera = some_camera(centre, stature, rng)
            image = draw(clothed, body.faces, colour, camera, rng)
            base, frames = base_points(body, rest, skeleton, q, vertices)
            truth = project(camera, base)
            found = find(detector, image, truth, rng)
            height_px = camera.K[1, 1] * stature / to_camera(camera, centre)[2]
            good = found is not None and np.linalg.norm(found.xy - truth, axis=1).mean() < MAX_ERROR * height_px
            if show is not None and shown < 24:
                show.mkdir(parents=True, exist_ok=True)
                picture = annotated(image, truth, None if found is None else found.xy, good)
                cv2.imwrite(str(show / f"{shown:02d}.png"), picture[..., ::-1])
                shown += 1
            if found is None or not good:
                continue
            row = (
                found.xy,
                truth,
                frames,
                pixel_jacobian(camera, base, frames),
                height_px,
                found.confidence,
                stature,
                person,
            )
            for name, value in zip(FIELDS, row, strict=True):
                kept[name].append(value)
    return {name: np.array(values, float) for name, values in kept.items()}, people * views


def annotated(image: np.ndarray, truth: np.ndarray, found: np.ndarray | None, good: bool) -> np.ndarray:
    """The picture with the assumed places in green and the detected ones in red."""
    image = image.copy()
    if found is not None:
        for a, b in EDGES[JOINT_SET]:
            cv2.line(image, found[a].astype(int).tolist(), found[b].astype(int).tolist(), (255, 120, 120), 1)
        for (x, y), (u, v) in zip(truth, found, strict=True):
            cv2.circle(image, (int(x), int(y)), 2, (0, 230, 0), -1)
            cv2.circle(image, (int(u), int(v)), 2, (255, 0, 0) if good else (255, 0, 255), -1)
    return image


def calibrate(data: Mapping[str, np.ndarray], held_out: np.ndarray) -> dict[str, dict]:
    """Offset, sample count, biases and noise of each keypoint (sides pooled)."""
    names = [stem(name)[0] for name in JOINT_SETS[JOINT_SET]]
    out: dict[str, dict] = {}
    for name in dict.fromkeys(names):
        rows = [k for k, own in enumerate(names) if own == name]
        seen = data["confidence"][:, rows] > MIN_CONFIDENCE
        count = len(rows)
        scale = np.repeat(data["height_px"][:, None], count, 1)[seen]
        size = np.repeat(data["stature"][:, None], count, 1)[seen] / NORMAL_STATURE
        test = np.repeat(held_out[:, None], count, 1)[seen]
        residual = (data["xy"] - data["base"])[:, rows][seen]
        J = data["jacobian"][:, rows][seen] * size[:, None, None]
        offset, _ = fit_offset(residual[~test], J[~test], scale[~test])
        if name == "nose":
            offset[2] = 0.0
        if SEGMENT[name] == "head":
            offset = offset * HEAD_SHARE
        offset *= min(1.0, LONGEST / np.linalg.norm(offset))
        before = np.array(BY_HAND.get(name, (0.0, 0.0, 0.0)))
        left_before, left = residual[test] - J[test] @ before, residual[test] - J[test] @ offset
        bias_before, _ = fit_offset(left_before, J[test], scale[test])
        bias, sd = fit_offset(left, J[test], scale[test])
        out[name] = {
            "segment": SEGMENT[name],
            "offset": [round(float(v), 4) for v in offset],
            "n": int((~test).sum()),
            "n_held_out": int(test.sum()),
            "bias_before_mm": round(1e3 * float(np.linalg.norm(bias_before)), 1),
            "bias_mm": round(1e3 * float(np.linalg.norm(bias)), 1),
            "error_before": round(float(np.median(np.linalg.norm(left_before, axis=1) / scale[test])), 4),
            "error": round(float(np.median(np.linalg.norm(left, axis=1) / scale[test])), 4),
            "noise": round(sd, 4),
        }
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=54)
    parser.add_argument("--views", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--show", type=Path, help="folder for the first pictures with both kinds of points")
    parser.add_argument("--save", type=Path, help=".npz of all pixels and truths, to look further")
    args = parser.parse_args()
    start = time.perf_counter()
    data, drawn = collect(args.people, args.views, args.seed, args.show)
    if args.save:
        np.savez(args.save, allow_pickle=False, **data)
    held_out = data["body"] % 4 == 1
    table = calibrate(data, held_out)
    write(args.out, table, args, drawn, held_out)
    show_table(table)
    print(f"{len(held_out)} of {drawn} pictures used, {time.perf_counter() - start:.0f} s", file=sys.stderr)


def write(path: Path, table: Mapping[str, dict], args: argparse.Namespace, drawn: int, held_out: np.ndarray) -> None:
    """The data file: how it was made, then one line per keypoint."""
    about = {
        "detector": "BlazePose GHUM full (MediaPipe 0.10.21)",
        "joint_set": JOINT_SET,
        "command": "python scripts/calibrate_keypoints.py "
        f"--people {args.people} --views {args.views} --seed {args.seed}",
        "units": "metres on a body of 1.70 m, axes of the segment (X forward, Y up, Z right), right side; "
        "noise and errors are shares of the person's height in the picture",
        "pictures": drawn,
        "used": len(held_out),
        "used_held_out": int(held_out.sum()),
    }
    lines = ",\n".join(f"    {json.dumps(name)}: {json.dumps(row)}" for name, row in table.items())
    path.write_text(f'{{\n  "about": {json.dumps(about)},\n  "keypoints": {{\n{lines}\n  }}\n}}\n')


def show_table(table: Mapping[str, dict]) -> None:
    """One line per keypoint: offset, bias and error before (places set by hand) and after, noise."""
    print(f"{'keypoint':12} {'offset mm':>22} {'bias mm':>14} {'error %':>14} {'noise %':>8} {'n':>6}")
    for name, row in table.items():
        mm = " ".join(f"{1e3 * v:6.1f}" for v in row["offset"])
        print(
            f"{name:12} {mm:>22} {row['bias_before_mm']:6.1f} → {row['bias_mm']:4.1f} "
            f"{100 * row['error_before']:6.2f} → {100 * row['error']:4.2f} {100 * row['noise']:8.2f} {row['n']:6d}"
        )


if __name__ == "__main__":
    main()
