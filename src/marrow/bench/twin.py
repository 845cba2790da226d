"""A twin of SMPL's family made of the default body: what a real file looks like, with known truth and free to pass on.

Its skin is part of the default body's vertices, in a T-pose; its joints are the family's, each of the rig's bones hangs
on one of them. It bends differently from marrow's skeleton, as the real ones do: ball joints only, no shoulder blade,
three joints in the spine, no rolling knee. Nothing of a published model is in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marrow.body import load_body
from marrow.body.model_file import FAMILIES
from marrow.body.skinning import SkinWeights
from marrow.data.motion_pack import motion_pack
from marrow.fit.options import SHAPE
from marrow.fit.registration import limbs_along, straight_hands
from marrow.geometry.rotations import exp
from marrow.skeleton.tree import relaxed
from marrow.types import Float64, Motion

#: Vertices of the published bodies.
VERTICES = 6890
#: Shape coefficients, and the people whose principal components they are.
SHAPES, PEOPLE = 10, 48

#: Bones of the rig, without side, to joints of SMPL, without side.
_BONES: Mapping[str, str] = {
    "root": "pelvis", "pelvis": "pelvis", "spine05": "pelvis", "spine04": "spine1", "spine03": "spine2",
    "spine02": "spine3", "spine01": "spine3", "neck01": "neck", "neck02": "neck", "neck03": "neck", "head": "head",
    "eye": "head", "clavicle": "collar", "shoulder01": "collar", "upperarm01": "shoulder", "upperarm02": "shoulder",
    "lowerarm01": "elbow", "lowerarm02": "elbow", "wrist": "wrist", "metacarpal": "wrist", "upperleg01": "hip",
    "upperleg02": "hip", "lowerleg01": "knee", "lowerleg02": "knee", "foot": "ankle", "toe": "foot",
}  # fmt: skip
_FINGERS = ("thumb", "index", "middle", "ring", "pinky")
#: Joints whose centre is a bone's head; the others' is a landmark.
_HEADS: Mapping[str, str] = {
    "pelvis": "spine05", "spine1": "spine04", "spine2": "spine03", "spine3": "spine02",
    "left_eye": "eye.L", "right_eye": "eye.R",
}  # fmt: skip
_CENTRES: Mapping[str, str] = {
    "hip": "hip", "knee": "knee", "ankle": "ankle", "foot": "mtp", "neck": "neck", "head": "head", "jaw": "head",
    "collar": "clavicle", "shoulder": "shoulder", "elbow": "elbow", "wrist": "wrist", "hand": "middle_mcp",
    "thumb1": "thumb_cmc", "thumb2": "thumb_mcp", "thumb3": "thumb_ip",
    **{f"{f}{i}": f"{f}_{j}" for f in ("index", "middle", "ring") for i, j in enumerate(("mcp", "pip", "dip"), 1)},
    **{f"pinky{i}": f"little_{j}" for i, j in enumerate(("mcp", "pip", "dip"), 1)},
}  # fmt: skip
#: Of the correctives: every so many of the training clips, frames of each, and the ridge per frame.
_EVERY_CLIP, _OF_CLIP, _RIDGE = 4, 6, 1e-3
#: Turn of the forearm (rad) of a motion that does not tell it: half way between palms forward and palms back.
_FOREARM = np.radians(60.0)
#: Vertices around a joint that it is regressed from.
_AROUND = 60


def twin(family: str = "smpl", vertices: int = VERTICES, *, corrected: bool = False) -> dict[str, Any]:
    """The content of a model file of ``family``, "smpl", "smplh" or "smplx", with the published keys, types and sizes.

    Args:
        vertices: about how many.
        corrected: with correctives of the pose, by which it bends more like the default body, as the published bodies
            bend more like people: linear in R - I, by ridge regression on frames of the motion pack's training clips.
    """
    from scipy.sparse import csc_matrix

    names = FAMILIES[family].joints
    body = load_body()
    kept, faces = thinned(body.rest().vertices, body.faces, vertices)
    made = [t_pose(shape, names) for shape in people()]
    skins, joints = np.stack([skin[kept] for skin, _ in made]), np.stack([centres for _, centres in made])
    template, centres = skins.mean(0), joints.mean(0)
    # people's skins are sums of few components, and so, by the same sums, are their joints
    U, scale, components = np.linalg.svd((skins - template).reshape(PEOPLE, -1), full_matrices=False)
    sd = scale[:SHAPES] / np.sqrt(PEOPLE)
    basis = (components[:SHAPES] * sd[:, None]).reshape(SHAPES, -1, 3)
    joints_basis = np.tensordot(U[:, :SHAPES].T / np.sqrt(PEOPLE), joints - centres, 1)
    regressor = _regressor(template, basis, centres, joints_basis)
    parents = np.array(_parents(names), np.int64)
    dense = _weights(names)[kept]
    posedirs = np.zeros((len(kept), 3, 9 * (len(names) - 1)))
    if corrected:
        posedirs = _correctives(kept, (template, basis, centres, joints_basis), parents.tolist(), dense)
    content: dict[str, Any] = {
        "v_template": template,
        "f": faces.astype(np.uint32),
        "shapedirs": np.ascontiguousarray(np.moveaxis(basis, 0, -1)),
        "posedirs": posedirs,
        "J_regressor": csc_matrix(regressor),
        "kintree_table": (np.stack([parents, np.arange(len(names))]) % 2**32).astype(np.uint32),
        "weights": dense,
        "bs_style": "lbs",
        "bs_type": "lrotmin",
    }
    for side in "lr" if family != "smpl" else "":
        content |= {f"hands_components{side}": np.eye(45), f"hands_mean{side}": np.zeros(45)}
    return content


def thinned(vertices: NDArray, faces: NDArray, count: int) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """About ``count`` of the vertices (V, 3) of the largest piece of a mesh, and triangles between them.

    Short edges are collapsed into one of their ends, none that meet in the same round.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    x, faces = np.asarray(vertices, float), np.asarray(faces, np.int64)
    joined = csr_array((np.ones(len(faces)), (faces[:, 0], faces[:, 1])), shape=(len(x), len(x)))
    piece = connected_components(joined, directed=False)[1]
    faces = faces[piece[faces[:, 0]] == np.bincount(piece).argmax()]
    left = len(np.unique(faces))
    while left > count:
        edges = np.unique(np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1), axis=0)
        length = np.linalg.norm(x[edges[:, 0]] - x[edges[:, 1]], axis=1)
        free, goes, gone = np.ones(len(x), bool), np.arange(len(x)), 0
        both = np.concatenate([edges, edges[:, ::-1]])
        neighbours = csr_array((np.ones(len(both)), (both[:, 0], both[:, 1])), shape=(len(x), len(x)))
        start, around = neighbours.indptr, neighbours.indices
        # only the shortest half: the longer ones have their turn when the mesh has become coarser
        for a, b in edges[np.argsort(length)[: len(edges) // 2]].tolist():
            near = around[start[b] : start[b + 1]]
            if gone < left - count and free[a] and free[b] and free[near].all():
                goes[b], gone = a, gone + 1
                free[near] = free[b] = False
        faces = goes[faces]
        distinct = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
        faces, left = faces[distinct], left - gone
    kept, place = np.unique(faces, return_inverse=True)
    return kept.astype(np.intp), place.reshape(-1, 3).astype(np.int32)


def people(count: int = PEOPLE, seed: int = 0) -> list[dict[str, float]]:
    """Shapes drawn from the default body's prior of adults, those of a fit (:data:`marrow.fit.options.SHAPE`)."""
    random = np.random.default_rng(seed)
    known = {p.name: p for p in load_body().spec.parameters}
    drawn = random.normal(size=(count, len(SHAPE)))
    return [
        {
            n: float(np.clip(known[n].mean + known[n].sd * z, known[n].low, known[n].high))
            for n, z in zip(SHAPE, row, strict=True)
        }
        for row in drawn
    ]


def t_pose(shape: Mapping[str, float], names: Sequence[str]) -> tuple[Float64, Float64]:
    """Vertices (V, 3) and joint centres (J, 3) of a person in a T-pose, the pelvis' joint at the origin."""
    body = load_body()
    rest = body.rest(shape)
    out = {"r": np.array([-1.0, 0, 0]), "l": np.array([1.0, 0, 0])}
    down = np.array([0.0, -1.0, 0.0])
    along = {f"{name}_{s}": out[s] for name in ("humerus", "ulna", "hand") for s in "rl"}
    along |= {f"{name}_{s}": down for name in ("femur", "tibia") for s in "rl"}
    q = rest.skeleton.coordinates_from_joint_rotations(
        limbs_along(rest, straight_hands(rest.skeleton), along), rest.landmarks["pelvis"]
    )
    R, p = rest.skeleton.forward(q)
    at = dict(zip(rest.skeleton.point_names, rest.skeleton.points(R, p), strict=True))
    # the spine stands as it does at rest: its bones' heads move with the pelvis
    turn = R[0] @ rest.skeleton.bind[0, :3, :3].T
    heads = {
        j: turn @ (rest.bone_heads[body.bones.index(b)] - rest.skeleton.bind[0, :3, 3]) + p[0]
        for j, b in _HEADS.items()
    }
    centres = []
    for name in names:
        side, _, part = name.rpartition("_")
        own = _CENTRES.get(part, "")
        centres.append(heads[name] if name in heads else at[f"{own}_{side[0]}" if side else own])
    skin = body.pose(rest, q, outputs=("vertices",)).vertices.astype(float)
    return skin - centres[0], np.stack(centres) - centres[0]


def _weights(names: Sequence[str]) -> Float64:
    """(V, J) of the joints, from the rig's bones."""
    body = load_body()
    column = [names.index(_joint_of(bone, names)) for bone in body.bones]
    start, bone, weight = body.bone_weights
    out = np.zeros((body.vertex_count, len(names)))
    np.add.at(out, (np.repeat(np.arange(body.vertex_count), np.diff(start)), np.array(column)[bone]), weight)
    return out / out.sum(1, keepdims=True)


def _joint_of(bone: str, names: Sequence[str]) -> str:
    stem, _, side = bone.rpartition(".") if "." in bone else (bone, "", "")
    long = {"L": "left_", "R": "right_"}.get(side, "")
    if stem.startswith("finger"):
        finger, part = int(stem[6]), stem[8]
        own = f"{long}{_FINGERS[finger - 1]}{part}"
        return own if own in names else f"{long}hand"
    joint = _BONES[next(key for key in (stem, stem.rstrip("0123456789-")) if key in _BONES)]
    return joint if joint in ("pelvis", "head") else long + joint


def _parents(names: Sequence[str]) -> list[int]:
    chain = {
        "spine1": "pelvis", "spine2": "spine1", "spine3": "spine2", "neck": "spine3", "head": "neck", "jaw": "head",
        "eye": "head", "hip": "pelvis",
        "knee": "hip", "ankle": "knee", "foot": "ankle", "collar": "spine3", "shoulder": "collar",
        "elbow": "shoulder", "wrist": "elbow", "hand": "wrist",
    }  # fmt: skip
    out = [-1]
    for name in names[1:]:
        side, _, part = name.rpartition("_")
        above = chain.get(part) or ("wrist" if part.endswith("1") else f"{part[:-1]}{int(part[-1]) - 1}")
        out.append(names.index(f"{side}_{above}" if side and f"{side}_{above}" in names else above))
    return out


def _regressor(template: Float64, basis: Float64, centres: Float64, joints_basis: Float64) -> Float64:
    """(J, N) weights on the nearest vertices that give the centres and how the shape moves them; rows sum to one."""
    out = np.zeros((len(centres), len(template)))
    for j, centre in enumerate(centres):
        near = np.argsort(np.linalg.norm(template - centre, axis=1))[:_AROUND]
        rows = np.concatenate([template[near].T, *np.swapaxes(basis[:, near], 1, 2), np.ones((1, _AROUND))])
        wanted = np.concatenate([centre, joints_basis[:, j].ravel(), [1.0]])
        even = np.full(_AROUND, 1.0 / _AROUND)
        scale = np.concatenate([np.ones(len(rows) - 1), [10.0]])
        # the least change of the mean of them; what a few millimetres would cost in large weights is left
        system, rest = rows * scale[:, None], (wanted - rows @ even) * scale
        change = system.T @ np.linalg.solve(system @ system.T + 1e-5 * np.eye(len(rows)), rest)
        own = even + change
        out[j, near] = own / own.sum()
    return out


def clip_of(name: str, frames: int | None = None, shape: Mapping[str, float] | None = None) -> Motion:
    """The first frames of a clip of the motion pack, hands at ease and forearms half turned, as they usually are.

    Args:
        shape: of the person; by default the clip's own.
    """
    pack = motion_pack()
    packed = pack.motion(name)
    shape = pack.shapes[packed.subject] if shape is None else shape
    skeleton = load_body().rest(shape).skeleton
    q = packed.full(skeleton.coordinates, relaxed(skeleton.coordinates))[:frames].copy()
    for side in "rl":
        q[:, skeleton.index(f"pro_sup_{side}")] += _FOREARM
    time = np.arange(len(q)) / packed.fps
    return Motion(time, skeleton.coordinates, q, skeleton.forward(q)[1][:, 0], dict(shape))


def _correctives(
    kept: NDArray[np.intp], linear: tuple[Float64, Float64, Float64, Float64], parents: Sequence[int], dense: Float64
) -> Float64:
    """(N, 3, 9 (J - 1)): what the default body's skin does beyond blending, by turns of the joints."""
    from marrow.body.linear import LinearBody
    from marrow.body.to_points import fit_to_points

    template, basis, centres, joints_basis = linear
    row, joint = np.nonzero(dense)
    start = np.searchsorted(row, np.arange(len(dense) + 1)).astype(np.int32)
    weights = SkinWeights(start, joint.astype(np.int32), dense[row, joint].astype(np.float32))
    plain = LinearBody(template, basis, centres, joints_basis, parents, weights)
    body = load_body()
    seen = []
    for packed in motion_pack().select("train")[::_EVERY_CLIP]:
        clip = clip_of(packed.name, shape={})
        at = np.linspace(0, len(clip.q) - 1, _OF_CLIP).astype(int)
        seen.append(body.pose(body.rest(), clip.q[at], clip.translation[at], vertex_ids=kept).vertices)
    wanted = np.concatenate(seen)
    some = np.arange(0, len(kept), 8)
    found = fit_to_points(plain, wanted[:, some], some, shapes=0)
    local = exp(found.pose)
    W, place = local.copy(), np.zeros((len(local), len(parents), 3))
    place[:, 0] = centres[0] + found.translation
    for j in range(1, len(parents)):
        p = parents[j]
        W[:, j] = W[:, p] @ local[:, j]
        place[:, j] = place[:, p] + W[:, p] @ (centres[j] - centres[p])
    offset = place - (W @ centres[:, :, None])[..., 0]
    blended = np.einsum("nj,tjik->tnik", dense, W)
    posed = (blended @ template[:, :, None])[..., 0] + np.einsum("nj,tji->tni", dense, offset)
    away = np.linalg.solve(blended, (wanted - posed)[..., None])[..., 0]
    # what is there in every pose is how this person differs from the twin's
    features = np.c_[np.ones(len(away)), (exp(found.pose[:, 1:]) - np.eye(3)).reshape(len(away), -1)]
    normal = features.T @ features + _RIDGE * len(away) * np.eye(features.shape[1])
    slopes = np.linalg.solve(normal, features.T @ away.reshape(len(away), -1))[1:]
    return np.ascontiguousarray(np.moveaxis(slopes.reshape(-1, len(kept), 3), 0, -1))
