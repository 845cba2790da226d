"""A dressed person: made once at rest by :func:`dress`, put into a pose by :func:`worn`."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from marrow.body import DefaultBody, Rest
from marrow.body.posing import segment_transforms
from marrow.body.skinning import skin
from marrow.data.synth._cloth_mesh import ClothMesh, cloth_mesh
from marrow.data.synth.accessories import SHOES, SOLES, Part, make_items
from marrow.data.synth.clothes import Shell, drawn, make_shells, pose_shells, unit
from marrow.data.synth.cuts import BOTTOMS, STRAPS
from marrow.data.synth.hair import HairPiece, make_hair, pose_piece
from marrow.data.synth.sheets import Sheet, hang_sheet, make_sheet
from marrow.data.synth.skin_colours import EYES, eye_coordinates, eye_texture, skin_colours
from marrow.data.synth.textures import read_texture
from marrow.data.synth.wardrobe import Garment, Look
from marrow.render.mesh import vertex_normals
from marrow.render.surfaces import Surface
from marrow.types import Float32, Float64

#: What surfaces are, by their ``label``.
LABELS: tuple[str, ...] = (
    "skin", "hair", "eyes", "top", "bottom", "dress", "coat", "shoes", "hat", "glasses", "bag", "scenery",
)  # fmt: skip
_LABEL = {name: i for i, name in enumerate(LABELS)}
#: Below a sheet's first ring nothing of a tucked top is seen, metres on the average body.
_TUCKED = 0.018
#: Height on the average body of the skin that shoes hide, metres.
_IN_SHOE = 0.05


@dataclass(frozen=True, eq=False)
class Outfit:
    """A person dressed at rest.

    Attributes:
        look: what it was made from.
        rest: the body at rest.
        shells, sheets, hair, parts: clothes on the body, hanging cloth, hair and items.
        skin_colour: (V, 3) float32 linear.
        skin_faces: faces of the skin that can be seen: those well under clothes are left out.
        covered: (V,) bool, vertices under clothes whose skin is not drawn.
        sole: metres by which shoes raise the feet: lift the person so much, and the soles stand on the floor.
        seen: per shell, per cut, the faces that no outer garment hides.
        textures: folder of the user's pictures.
    """

    look: Look
    rest: Rest
    shells: tuple[Shell, ...]
    sheets: tuple[Sheet, ...]
    hair: tuple[HairPiece, ...]
    parts: tuple[Part, ...]
    skin_colour: Float32
    skin_faces: NDArray[np.int32]
    covered: NDArray[np.bool_]
    sole: float
    seen: tuple[tuple[NDArray[np.int32], ...], ...]
    textures: Path | None = None


def dress(body: DefaultBody, rest: Rest, look: Look, textures: str | Path | None = None) -> Outfit:
    """Dress a person (some milliseconds; the first person of a process takes longer).

    Args:
        textures: folder of the user's pictures that the look names; without it those clothes are of one colour.
    Raises:
        InputError: a picture that is not in the folder, or is another one by now.
    """
    for garment in (*look.garments, *look.sheets):
        if garment.texture is not None and textures is not None:
            read_texture(Path(textures), *garment.texture)
    mesh = cloth_mesh(body)
    normals = vertex_normals(rest.vertices, body.faces)
    shells, outer = make_shells(body, rest, look.garments, normals)
    sheets = [make_sheet(mesh, rest, g, outer, sheet_top(g)) for g in look.sheets]
    kinds = {item.kind for item in look.items}
    hat = bool(kinds & {"cap", "beanie", "sun hat"})
    flat = 0.004 if look.hair.style not in ("bald", "cropped") else 0.0
    parts = make_items(body, rest, look.items, outer, flat)
    covered = _covered(body, mesh, shells, bool(kinds & {"trainers", "shoes", "boots"}))
    hidden = _all_three(covered, body.faces)
    for faces in _eye_faces(body):
        hidden[faces] = True
    shoe = next((item.kind for item in look.items if item.kind in SHOES), None)
    return Outfit(
        look, rest, tuple(shells), tuple(sheets), tuple(make_hair(body, rest, look.hair, normals, hat)), tuple(parts),
        skin_colours(body, look.skin, look.hair), body.faces[~hidden], covered,
        SOLES[shoe] * float(rest.landmarks["head_top"][1]) / 1.7 if shoe else 0.0,
        _seen(mesh, shells, look), None if textures is None else Path(textures),
    )  # fmt: skip


def worn(
    outfit: Outfit, body: DefaultBody, R: Float64, p: Float64, body_vertices: Float32, *, owner: int = -1
) -> list[Surface]:
    """What a person wears in a pose, the skin first.

    Args:
        R, p: (B, 3, 3) and (B, 3) frames of the skeleton's segments, ``rest.skeleton.forward(q, translation)``.
        body_vertices: (V, 3) posed skin, metres, world.
        owner: number of the person, for the surfaces.
    Returns:
        Surfaces with labels of :data:`LABELS`; the first has all of the skin's vertices, but faces only where skin can
        be seen.
    """
    mesh, rest, look = cloth_mesh(body), outfit.rest, outfit.look
    transforms = segment_transforms(rest.skeleton.bind, R, p)
    v = np.ascontiguousarray(body_vertices, np.float32)
    floor = float(v[:, 1].min()) - outfit.sole
    surfaces = [
        Surface(v, outfit.skin_faces, outfit.skin_colour, gloss=look.skin.gloss, label=_LABEL["skin"]),
        *_eyes(body, look, v),
    ]
    on_mesh = mesh.on(v)
    normal = unit(mesh.on(vertex_normals(v, body.faces)))
    below = on_mesh.copy()
    posed = pose_shells(mesh, outfit.shells, transforms, on_mesh, normal, floor)
    for shell, points, seen in zip(outfit.shells, posed, outfit.seen, strict=True):
        for cut, faces in zip(shell.cuts, seen, strict=True):
            if len(faces):
                vertices = drawn(cut, points, below, normal)
                surfaces.append(
                    _cloth(outfit.textures, shell.garment, vertices, faces, cut.colour, cut.place, cut.printed)
                )
        chosen = shell.ids[shell.covered[shell.ids]]
        below[chosen] = points[chosen]
    for sheet in outfit.sheets:
        vertices = hang_sheet(sheet, rest, transforms, p, floor)
        surfaces.append(_cloth(outfit.textures, sheet.garment, vertices, sheet.faces, 0, sheet.place, True))
    for part in outfit.parts:
        vertices = skin(part.points, part.weights, transforms[None])[0]
        surfaces.append(
            Surface(vertices, part.faces, part.colour, gloss=part.gloss, two_sided=True, label=_LABEL[part.label])
        )
    for piece in outfit.hair:
        vertices = pose_piece(piece, rest, transforms, p, floor)
        surfaces.append(Surface(vertices, piece.faces, piece.colour, gloss=0.3, two_sided=True, label=_LABEL["hair"]))
    return [replace(surface, owner=owner) for surface in surfaces]


def label_of(garment: Garment) -> str:
    """Which of :data:`LABELS` a garment is."""
    kind = garment.kind
    if kind in BOTTOMS or kind in ("skirt", "socks"):
        return "bottom"
    if kind in STRAPS:
        return "bag"
    if kind in ("dress", "dress-tank", "dress skirt"):
        return "dress"
    return "coat" if kind in ("jacket", "coat") else "top"


def sheet_top(garment: Garment) -> float:
    """Height on the average body where a sheet begins, metres."""
    return {"skirt": 1.035, "dress skirt": 1.075}.get(garment.kind, 1.0)


def _cloth(
    textures: Path | None, garment: Garment, vertices, faces, colour: int, place: Float32, printed: bool
) -> Surface:
    tint = np.array((garment.colour, garment.second)[colour], np.float32)
    texture = uv = None
    pattern = garment.pattern if printed else None
    if printed and garment.texture is not None and textures is not None:
        texture = read_texture(textures, *garment.texture)
        uv = np.stack([place[:, 0] / 0.5 + 0.5, place[:, 1] / 0.5], 1).astype(np.float32)
        pattern, tint = None, np.ones(3, np.float32)
    return Surface(
        vertices, faces, tint, pattern, place if pattern else None, texture, uv, gloss=0.05, two_sided=True,
        label=_LABEL[label_of(garment)],
    )  # fmt: skip


def _eyes(body: DefaultBody, look: Look, v: Float32) -> list[Surface]:
    picture = eye_texture(look.skin)
    out = []
    for eye, uv, own in zip(EYES, eye_coordinates(body), _eye_faces(body), strict=True):
        faces = body.faces[own] - eye.start
        out.append(
            Surface(v[eye], faces, np.ones(3, np.float32), texture=picture, uv=uv, gloss=0.7, label=_LABEL["eyes"])
        )
    return out


def _all_three(of: NDArray[np.bool_], faces: NDArray[np.int32]) -> NDArray[np.bool_]:
    """(F,) whether it holds at all corners."""
    return of[faces[:, 0]] & of[faces[:, 1]] & of[faces[:, 2]]


@functools.cache
def _eye_faces(body: DefaultBody) -> tuple[NDArray[np.intp], ...]:
    first = body.faces[:, 0]
    return tuple(np.flatnonzero((first >= eye.start) & (first < eye.stop)) for eye in EYES)


def _covered(body: DefaultBody, mesh: ClothMesh, shells: list[Shell], shod: bool) -> NDArray[np.bool_]:
    """(V,) vertices well inside clothes or shoes."""
    covered = np.zeros(body.vertex_count, bool)
    own = np.flatnonzero(mesh.parents[:, 0] == mesh.parents[:, 1])
    for shell in shells:
        inside = shell.shape.field[own] > shell.shape.hides
        covered[mesh.parents[own[inside], 0]] = True
    if shod:
        covered |= _feet(body)
    return covered


@functools.cache
def _feet(body: DefaultBody) -> NDArray[np.bool_]:
    return body.rest().vertices[:, 1] < _IN_SHOE


def _seen(mesh: ClothMesh, shells: list[Shell], look: Look) -> tuple[tuple[NDArray[np.int32], ...], ...]:
    """Faces of each cut that outer clothes do not hide."""
    out = []
    for number, shell in enumerate(shells):
        pieces = []
        for cut in shell.cuts:
            hidden = np.zeros(len(cut.place), bool)
            for other in shells[number + 1 :]:
                if other.shape.hides < 1:
                    hidden |= cut.at(other.shape.field) > other.shape.hides
            for sheet in look.sheets:
                if not sheet.open and label_of(shell.garment) in ("top", "dress"):
                    hidden |= cut.place[:, 1] < sheet_top(sheet) - _TUCKED
            pieces.append(cut.faces[~_all_three(hidden, cut.faces)] if hidden.any() else cut.faces)
        out.append(tuple(pieces))
    return tuple(out)
