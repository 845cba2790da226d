"""What is known about a synthetic picture: points, masks, maps, bodies, coordinates, contacts, camera."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from marrow.body import load_body
from marrow.body.keypoints import keypoint_positions
from marrow.body.parts import face_parts, vertex_segments
from marrow.conventions import joint_names
from marrow.data.synth.cameras import elevation_deg
from marrow.data.synth.draw import Drawn, Posed, Stage, stream, whole_mask
from marrow.geometry.projection import camera_centre, fov_deg, project, project_camera, to_camera
from marrow.render.mesh import Raster, rasterize, window_of
from marrow.render.shading import bounds
from marrow.render.visibility import joints_visible
from marrow.types import Camera, Float32, Float64

#: Joint sets that are always told; the skeleton's segment origins are ``skeleton``.
JOINTS = ("coco17", "blazepose33", "h36m17", "coco133")
#: Maps by name: what they hold.
MAPS = {
    "mask": "uint8: number of the person seen, from 1; 0 none",
    "amodal": "uint16: bit k is set where person k + 1 would be seen with nothing before them",
    "label": "uint8: what is seen, from 1 in the order of 'labels'; 0 background",
    "depth": "uint16: millimetres along the optical axis (of a fisheye: along the ray), 0 nothing",
    "normal": "uint8: camera axes x right, y down, z ahead as (n + 1) / 2 x 255; 0 nothing",
    "iuv": "uint16: part of the skin under the clothes (from 1, in the order of 'parts'), u and v in the body's own "
    "texture, times 65535; 0 nothing",
}

#: The skin counts as touching the floor below this height, metres.
_TOUCHING = 0.012
#: Stands for a point without a place, metres.
_NOWHERE = 1e9
#: Clothes and the like before a joint, metres.
_CLOTH = 0.05


@dataclass(frozen=True, eq=False)
class Labels:
    """Annotations of one picture: a record for JSON, maps by the names of :data:`MAPS`, and dense points by array."""

    record: dict[str, Any]
    maps: dict[str, NDArray]
    dense: dict[str, NDArray]


def annotate(drawn: Drawn, view: int, maps: Sequence[str] = tuple(MAPS), points: int = 0) -> Labels:
    """All annotations of a picture.

    Args:
        drawn: the picture.
        view: number of its camera.
        maps: names of :data:`MAPS` to make.
        points: dense points for each person, drawn from the pixels in which the person is seen.
    """
    stage, camera = drawn.stage, drawn.camera
    scene = stage.scene
    whole = [whole_mask(drawn, k) for k in range(len(stage.people))]
    under = skin_rasters(drawn) if points or "iuv" in maps else []
    people = [_person(drawn, k, person, whole[k]) for k, person in enumerate(stage.people)]
    rng = stream(scene.preset, scene.seed, scene.index, f"points {view} {stage.frame}")
    record = {
        "preset": scene.preset, "seed": scene.seed, "index": scene.index, "view": view, "frame": stage.frame,
        "time": float(scene.time[stage.frame]), "camera": camera_record(camera),
        "factors": scene.factors | _factors(stage, camera), "people": people,
    }  # fmt: skip
    dense = _dense(rng, drawn, under, points) if points else {}
    return Labels(record, _maps(drawn, whole, under, maps), dense)


def camera_record(camera: Camera) -> dict[str, Any]:
    """A camera as plain numbers; ``Camera(**record)`` with arrays makes it again."""
    return {
        "K": camera.K.tolist(), "size": list(camera.size), "R_cam_world": camera.R_cam_world.tolist(),
        "t_cam_world": camera.t_cam_world.tolist(), "distortion": camera.distortion.tolist(), "lens": camera.lens,
    }  # fmt: skip


def _person(drawn: Drawn, number: int, person: Posed, whole: NDArray[np.bool_]) -> dict[str, Any]:
    actor, camera = person.actor, drawn.camera
    skeleton = actor.rest.skeleton
    q = actor.q[drawn.stage.frame]
    seen = drawn.person == number
    surfaces = np.concatenate([surface.vertices for surface in person.surfaces])
    derived = {name: float(np.degrees(value)) for name, value in skeleton.derived_angles(q).items()}
    centre = bounds(person.skin).mean(0)
    facing = person.R[0][:, 0]
    away = camera_centre(camera) - centre
    return {
        "id": number + 1,
        "age": actor.figure.age, "sex": actor.figure.sex, "stature": actor.figure.stature, "mass": actor.figure.mass,
        "shape": {name: float(value) for name, value in actor.rest.shape.items()},
        "expression": {name: float(value) for name, value in actor.rest.expression.items()},
        "q": np.round(q, 7).tolist(),
        "translation": np.round(person.p[0], 6).tolist(),
        "derived_deg": derived,
        "look": msgspec.to_builtins(actor.look),
        "box": _box(seen), "rle": run_lengths(seen), "box_whole": _box(whole),
        "visible_share": float(seen.sum() / whole.sum()) if whole.any() else 0.0,
        "in_picture_share": _inside_share(surfaces, camera),
        "pixels": int(seen.sum()),
        "yaw_deg": float(np.degrees(np.arctan2(facing[0], facing[2]))),
        "distance": float(np.linalg.norm(away)),
        "elevation_deg": elevation_deg(camera, centre),
        "azimuth_deg": float(np.degrees(np.arctan2(away[0], away[2]) - np.arctan2(facing[0], facing[2])) % 360.0),
        "contacts": _contacts(person),
        "joints": _joints(drawn, number, person),
    }  # fmt: skip


def _joints(drawn: Drawn, number: int, person: Posed) -> dict[str, dict[str, Any]]:
    """Points of the joint sets: ``xyz`` metres, world; ``xy`` pixels; ``seen`` 2 yes, 1 hidden, 0 not in the picture.

    Points that the body does not place are null.
    """
    skeleton, camera = person.actor.rest.skeleton, drawn.camera
    sets = {name: keypoint_positions(name, skeleton, person.R, person.p, person.skin) for name in JOINTS}
    sets["skeleton"] = person.p
    each = np.concatenate(list(sets.values()))
    each[~np.isfinite(each).all(-1)] = np.nan
    # many points are the same in several sets
    known, back = np.unique(np.nan_to_num(each, nan=_NOWHERE).view([("", float)] * 3).ravel(), return_inverse=True)
    xyz = known.view(float).reshape(-1, 3)
    placed = xyz[:, 0] != _NOWHERE
    xyz = np.where(placed[:, None], xyz, np.nan)
    in_camera = to_camera(camera, np.where(placed[:, None], xyz, person.p[0]))
    xy = project_camera(camera, in_camera)
    with np.errstate(invalid="ignore"):
        inside = placed & (xy > -0.5).all(-1) & (xy < np.array(camera.size) - 0.5).all(-1)
    shown = np.zeros(len(xyz), bool)
    shown[inside] = _shows(drawn, number, person, xyz[inside], in_camera[inside])
    xy[~placed] = np.nan
    points, pixels = _rounded(xyz, 5), _rounded(xy, 3)
    seen = np.where(shown, 2, np.where(inside, 1, 0)).tolist()
    out: dict[str, dict[str, Any]] = {}
    for name, rows in zip(sets, np.split(back, np.cumsum([len(x) for x in sets.values()])[:-1]), strict=True):
        of = rows.tolist()
        out[name] = {"xyz": [points[k] for k in of], "xy": [pixels[k] for k in of], "seen": [seen[k] for k in of]}
    return out


def _shows(drawn: Drawn, number: int, person: Posed, xyz: Float64, in_camera: Float64) -> NDArray[np.bool_]:
    """Whether a point's own flesh is what is seen at its pixel: no more lies before it than there is around it."""
    from scipy.spatial import KDTree

    around = KDTree(person.skin[::3], balanced_tree=False, compact_nodes=False).query(xyz)[0]
    owner, raster = drawn.person.astype(np.int32), drawn.picture.raster
    return joints_visible(in_camera, number, raster, owner, drawn.camera, inside=1.6 * around + _CLOTH)


def skin_rasters(drawn: Drawn) -> list[Raster | None]:
    """The bare skin of each person, as far as the person can be in the picture."""
    body, out = load_body(), []
    for person in drawn.stage.people:
        vertices = to_camera(drawn.camera, person.skin).astype(np.float32)
        window = window_of(vertices, drawn.camera)
        out.append(None if window is None else rasterize(vertices, body.faces, drawn.camera, window=window))
    return out


def _maps(
    drawn: Drawn, whole: Sequence[NDArray[np.bool_]], under: Sequence[Raster | None], wanted: Sequence[str]
) -> dict[str, NDArray]:
    stage, picture = drawn.stage, drawn.picture
    hit = picture.surface >= 0
    out: dict[str, NDArray] = {}
    if "mask" in wanted:
        out["mask"] = (drawn.person + 1).astype(np.uint8)
    if "amodal" in wanted:
        out["amodal"] = np.zeros(hit.shape, np.uint16)
        for k, mask in enumerate(whole):
            out["amodal"] |= mask.astype(np.uint16) << k
    if "label" in wanted:
        label = np.append(stage.mesh.label + 1, 0).astype(np.uint8)
        out["label"] = label[picture.surface]
    if "depth" in wanted:
        depth = np.zeros(hit.shape, np.uint16)
        depth[hit] = np.minimum(np.rint(picture.raster.depth[hit] * 1000), 65535)
        out["depth"] = depth
    if "normal" in wanted:
        out["normal"] = _normals(drawn)
    if "iuv" in wanted:
        out["iuv"] = _iuv(drawn, under)
    return out


def _normals(drawn: Drawn) -> NDArray[np.uint8]:
    from marrow.render import _fast_visibility

    picture, mesh, camera = drawn.picture, drawn.stage.mesh, drawn.camera
    R, raster = np.ascontiguousarray(camera.R_cam_world, np.float32), picture.raster
    axis = camera.R_cam_world[2] if camera.lens == "orthographic" else np.zeros(3)
    out = np.empty((*picture.surface.shape, 3), np.uint8)
    _fast_visibility.coded_normals(
        raster.ids, raster.bary, mesh.faces, mesh.vertices, picture.normals, R, camera_centre(camera),
        np.ascontiguousarray(axis), out,
    )  # fmt: skip
    return out


def _iuv(drawn: Drawn, under: Sequence[Raster | None]) -> NDArray[np.uint16]:
    body = load_body()
    out = np.zeros((*drawn.person.shape, 3), np.uint16)
    for k, raster in enumerate(under):
        if raster is None:
            continue
        rows, columns, face, bary = skin_hits(drawn, k, raster)
        out[rows, columns, 0] = face_parts(body)[face]
        out[rows, columns, 1:] = np.rint(_uv(face, bary) * 65535)
    return out


def skin_hits(
    drawn: Drawn, number: int, raster: Raster
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int32], Float32]:
    """Pixels (rows, columns) in which a person is seen over their own skin, and the face and barycentrics there."""
    x0, y0 = raster.origin
    height, width = raster.ids.shape
    seen = (raster.ids >= 0) & (drawn.person[y0 : y0 + height, x0 : x0 + width] == number)
    row, column = np.nonzero(seen)
    return row + y0, column + x0, raster.ids[row, column], raster.bary[row, column]


def _uv(face: NDArray[np.int32], bary: Float32) -> Float32:
    body = load_body()
    corners = body.uv[body.faces_uv[face]]
    weights = np.concatenate([1 - bary.sum(-1, keepdims=True), bary], -1)
    return np.einsum("nk,nkc->nc", weights, corners)


def _dense(rng: np.random.Generator, drawn: Drawn, under: Sequence[Raster | None], points: int) -> dict[str, NDArray]:
    """Points of the skin under the clothes at pixels where their person is seen, fewer where fewer pixels show it.

    ``person`` (n,) from 1, ``xy`` (n, 2) pixels, ``face`` (n,), ``bary`` (n, 2) weights of its second and third corner,
    ``part`` (n,), ``uv`` (n, 2).
    """
    none = np.zeros((0, 2), np.float32)  # where nobody is seen the arrays are there all the same
    found: dict[str, list[NDArray]] = {
        "person": [np.zeros(0, np.uint8)], "xy": [none], "face": [np.zeros(0, np.int32)], "bary": [none],
        "part": [np.zeros(0, np.uint8)], "uv": [none],
    }  # fmt: skip
    for k, raster in enumerate(under):
        if raster is None:
            continue
        rows, columns, face, bary = skin_hits(drawn, k, raster)
        chosen = rng.choice(len(rows), min(points, len(rows)), replace=False)
        found["person"].append(np.full(len(chosen), k + 1, np.uint8))
        found["xy"].append(np.stack([columns[chosen], rows[chosen]], 1).astype(np.float32))
        found["face"].append(face[chosen].astype(np.int32))
        found["bary"].append(bary[chosen].astype(np.float32))
        found["part"].append(face_parts(load_body())[face[chosen]])
        found["uv"].append(_uv(face[chosen], bary[chosen]).astype(np.float32))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _contacts(person: Posed) -> list[str]:
    """Segments whose skin touches the floor."""
    names = person.actor.rest.skeleton.bodies
    low = np.unique(vertex_segments(load_body())[person.skin[:, 1] < _TOUCHING])
    return [names[k] for k in low]


def _factors(stage: Stage, camera: Camera) -> dict[str, Any]:
    each = np.array([bounds(person.skin) for person in stage.people])
    centre = (each[:, 0].min(0) + each[:, 1].max(0)) / 2
    eye = camera_centre(camera)
    fisheye = camera.lens == "fisheye"
    fov = np.degrees(max(camera.size) / float(camera.K[0, 0])) if fisheye else fov_deg(camera)
    return {
        "elevation_deg": elevation_deg(camera, centre), "distance": float(np.linalg.norm(eye - centre)),
        "fov_deg": float(fov),
    }  # fmt: skip


def _box(mask: NDArray[np.bool_]) -> list[int] | None:
    """``x y width height`` in pixels of a mask, as COCO has it; None where it is empty."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    x, y = int(columns[0]), int(rows[0])
    return [x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y]


def run_lengths(mask: NDArray[np.bool_]) -> list[int]:
    """COCO's uncompressed run lengths of a mask (H, W): column by column, zeros first."""
    flat = mask.T.ravel()
    ends = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff(np.concatenate([[0], ends, [flat.size]]))
    return ([0] if flat[0] else []) + runs.tolist()


def _inside_share(points: Float32, camera: Camera) -> float:
    """Share of surface points that project into the picture."""
    xy = project(camera, points[::5])
    with np.errstate(invalid="ignore"):
        inside = (xy > -0.5).all(-1) & (xy < np.array(camera.size) - 0.5).all(-1)
    return float(inside.mean())


def _rounded(values: NDArray, digits: int) -> list[list[float] | None]:
    """Rows as numbers; None for a row that is not finite."""
    finite = np.asarray(np.isfinite(values).all(-1))
    return [row if ok else None for row, ok in zip(np.round(values, digits).tolist(), finite.tolist(), strict=True)]


def joint_set_names() -> dict[str, list[str]]:
    """Names of the points of each set in a record's ``joints``, in their order."""
    skeleton = load_body().rest().skeleton
    return {name: list(joint_names(name)) for name in JOINTS} | {"skeleton": list(skeleton.bodies)}
