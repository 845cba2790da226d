"""A sequence of skin meshes onto the skeleton inside the body: the shape first, then all frames at once.

Meshes have the default body's vertices in its own order, so every vertex is a measured point of a known place. The fit
takes a few of them (:func:`skin_points`) and is judged by all.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marrow.body import DefaultBody, load_body
from marrow.body.keypoints import KeypointSource
from marrow.errors import InputError
from marrow.fit.api import fit
from marrow.fit.evidence import Evidence, Points
from marrow.fit.options import SHAPE, FitOptions
from marrow.fit.result import PersonFit
from marrow.fit.riders import SMALLEST_WEIGHT
from marrow.geometry.procrustes import align
from marrow.geometry.rotations import euler_zxy, rotation_z
from marrow.progress import Progress
from marrow.skeleton import Skeleton
from marrow.skeleton.definition import FINGER_BODIES
from marrow.types import Float64, Guess, Motion

#: Standard deviation of a vertex about its place, metres: how differently other rigs bend the skin.
VERTEX_SD = 0.004
#: Vertices taken of each segment, and of each segment of a finger: 222 in all. Three fix a rigid segment, more average
#: out what another rig does differently; on such meshes 4 to 20 leave the same residual to 0.1 mm (median).
EACH, EACH_FINGER = 6, 3
_SHAPE_FRAMES = 60
_FRAMES_AT_ONCE = 64
#: A whole skin tells what keypoints do not: the fingers, the age, and nearly all that priors and smoothness are for;
#: they would only move what is known. The first guess is so near that a few steps arrive.
_MOVING = FitOptions(
    fingers=True, contact=False, upright=0.0, robust=0.0, pose_prior=0.1, smoothness=0.1, iterations=(5, 2, 0)
)
STILL = replace(_MOVING, shape=("age", *SHAPE), smoothness=0.0, iterations=(15, 1, 2))

#: Shapes that the fit of a shape begins with. The shape space has kinks in the middle of these two, and what lies
#: beyond a kink is not always found: of 29 people drawn evenly 2 were missed by 4 mm from the average alone.
_STARTS: tuple[Mapping[str, float], ...] = (
    {},
    *({"muscle": muscle, "weight": weight} for muscle in (0.2, 0.8) for weight in (0.2, 0.8)),
)


@dataclass(frozen=True)
class MeshFit:
    """A person fitted to meshes.

    Attributes:
        person: body and movement.
        meshes: (T, V, 3) metres, those fitted.
    """

    person: PersonFit
    meshes: NDArray

    @functools.cached_property
    def residual(self) -> Mapping[str, Float64]:
        """Segment to the (T,) mean distance in metres of its skin from the meshes'; a hand with its fingers."""
        return distances(self.person.motion, self.person.skeleton, self.meshes)

    @property
    def worst(self) -> str:
        """The segment whose skin is farthest away in most frames."""
        return max(self.residual, key=lambda name: float(np.median(self.residual[name])))


def fit_meshes(
    vertices: ArrayLike,
    time: ArrayLike,
    *,
    shape: Mapping[str, float] | None = None,
    fingers: bool = True,
    progress: Progress | None = None,
) -> MeshFit:
    """Body and movement of a person from a sequence of skin meshes.

    Args:
        vertices: (T, V, 3) metres, marrow's world, in the order of the default body's vertices.
        time: (T,) increasing seconds.
        shape: shape parameters, where they are known; by default they are fitted to frames spread over the sequence.
        fingers: False leaves the fingers relaxed, which takes half the time.

    Raises:
        InputError: shapes that do not fit, or vertices that are not finite.
    """
    skin, time = np.asarray(vertices), np.asarray(time, float)
    expected = (len(time), load_body().vertex_count, 3)
    if skin.shape != expected:
        raise InputError(f"vertices: expected {expected}, a mesh for each time, got {skin.shape}")
    ids = skin_points(fingers)
    seen = skin[:, ids].astype(float)
    if not np.isfinite(seen).all():
        raise InputError("vertices: expected finite metres, got NaN or infinite ones; leave those frames out")
    return MeshFit(fit_vertices(seen, ids, time, shape=shape, fingers=fingers, progress=progress), skin)


def fit_vertices(
    seen: Float64,
    ids: Sequence[int],
    time: Float64,
    *,
    shape: Mapping[str, float] | None = None,
    fingers: bool = True,
    coupled: tuple[str, ...] = (),
    guides: NDArray[np.bool_] | None = None,
    progress: Progress | None = None,
) -> PersonFit:
    """As :func:`fit_meshes`, from some vertices only.

    Args:
        seen: (T, n, 3) metres.
        ids: (n,) of the default body's vertices.
        coupled: see :class:`marrow.fit.options.FitOptions`.
        guides: (n,) those that only the first guess is taken from.
    """
    still, moving = (replace(options, fingers=fingers, coupled=coupled) for options in (STILL, _MOVING))
    if shape is None:
        pick = np.unique(np.linspace(0, len(seen) - 1, _SHAPE_FRAMES).astype(int))
        shape = dict(_solve(seen[pick], ids, None, np.arange(len(pick), dtype=float), still, guides).motion.shape)
    return _solve(seen, ids, shape, time, moving, guides, progress)


@functools.cache
def skin_points(fingers: bool = True, each: int = EACH, each_finger: int = EACH_FINGER) -> tuple[int, ...]:
    """Vertices that the fit looks at: as many of each segment, as far apart from each other as they can be.

    Left out is skin that something else moves too: the face's actions, the eyes, and with ``fingers`` false a finger.
    """
    body = load_body()
    rest = body.rest()
    bodies = Skeleton.inside(rest.landmarks).bodies
    owner, steady = owners(body, bodies), _steady(body, bodies, fingers)
    chosen: list[int] = []
    for b, name in enumerate(bodies):
        own = np.flatnonzero((owner == b) & steady)
        count = each_finger if name in FINGER_BODIES else each
        chosen += own[far_apart(rest.vertices[own], count)].tolist()
    return tuple(chosen)


def owners(body: DefaultBody, bodies: Sequence[str]) -> NDArray[np.int64]:
    """(V,) which of the skeleton's segments has the most weight on each vertex."""
    start, segment, weight = body.skin_weights(bodies)
    row = np.repeat(np.arange(body.vertex_count), np.diff(start))
    return segment[np.lexsort((-weight, row))][start[:-1]].astype(np.int64)


def _steady(body: DefaultBody, bodies: Sequence[str], fingers: bool) -> NDArray[np.bool_]:
    """(V,) whether a vertex is moved by the skeleton alone, and by weights that the fit takes in full."""
    rest = body.rest().vertices
    out = np.ones(body.vertex_count, bool)
    for action in body.spec.expressions:
        out &= np.abs(body.rest(expression={action: 1.0}).vertices - rest).max(1) < 1e-5
    rows = np.arange(body.vertex_count)
    start, bone, _ = body.bone_weights
    eyes = np.array([name.startswith("eye") for name in body.bones])
    out[np.repeat(rows, np.diff(start))[eyes[bone]]] = False
    start, segment, weight = body.skin_weights(bodies)
    idle = np.array([name in FINGER_BODIES and not fingers for name in bodies])
    out[np.repeat(rows, np.diff(start))[(weight < SMALLEST_WEIGHT) | idle[segment]]] = False
    return out


def far_apart(x: NDArray, count: int) -> NDArray[np.int64]:
    """Indices of up to ``count`` of the points (N, 3), each the farthest from those before.

    T. Gonzalez, "Clustering to minimize the maximum intercluster distance", Theoretical Computer Science 38, 1985.
    """
    away = np.linalg.norm(x - x.mean(0), axis=1) if len(x) else np.zeros(0)
    chosen: list[int] = []
    for _ in range(min(count, len(x))):
        chosen.append(int(np.argmax(away)))
        near = np.linalg.norm(x - x[chosen[-1]], axis=1)
        away = near if len(chosen) == 1 else np.minimum(away, near)
    return np.array(chosen, np.int64)


def _solve(
    seen: Float64,
    ids: Sequence[int],
    shape: Mapping[str, float] | None,
    time: Float64,
    options: FitOptions,
    guides: NDArray[np.bool_] | None = None,
    progress: Progress | None = None,
) -> PersonFit:
    fitted = seen if guides is None else np.where(guides[:, None], np.nan, seen)
    points = Points(fitted, [KeypointSource(f"vertex {v}", (v,), (1.0,)) for v in ids], VERTEX_SD)
    guess = _first_guess(seen, ids, shape)
    guesses = [guess] if shape is not None else [replace(guess, shape=start) for start in _STARTS]
    evidence = Evidence(points=(points,), initial=guesses, known_shape=shape)
    return fit([evidence], time, body=load_body(), floor=False, options=options, progress=progress).people[0]


def _first_guess(seen: Float64, ids: Sequence[int], shape: Mapping[str, float] | None) -> Guess:
    """Each segment laid on its own vertices (T, N, 3); where it has too few, it goes with its parent."""
    body = load_body()
    rest = body.rest(shape)
    skeleton = Skeleton.inside(rest.landmarks)
    owner, x = owners(body, skeleton.bodies)[list(ids)], rest.vertices[list(ids)]
    R, root = [], np.zeros((len(seen), 3))
    for b, parent in enumerate(skeleton.parents):
        own = np.flatnonzero(owner == b)
        if len(own) < 3:
            R.append(R[parent])
            continue
        _, turn, shift = align(x[own], seen[:, own], scale=False)
        R.append(turn @ skeleton.bind[b, :3, :3])
        if b == 0:
            root = turn @ skeleton.bind[0, :3, 3] + shift
    for c in (c for c, joint in enumerate(skeleton.joints) if joint.begins is not None):
        # an arc of the spine has no skin: of the turn of the segment above, it takes what bends forwards and back
        arc = int(skeleton.parents[c])
        below = R[skeleton.parents[arc]]
        R[arc] = below @ rotation_z(euler_zxy(np.swapaxes(below, -1, -2) @ R[c])[:, 0])
    joints = [R[0], *(np.swapaxes(R[p], -1, -2) @ R[b] for b, p in enumerate(skeleton.parents) if p >= 0)]
    return Guess(np.stack(joints, 1), root, np.zeros(len(seen)))


def distances(
    motion: Motion, skeleton: Skeleton, skin: NDArray, counted: NDArray[np.bool_] | None = None
) -> dict[str, Float64]:
    """Segment to the (T,) mean distance in metres of its skin from meshes (T, V, 3); fingers count as hand.

    ``counted`` (V,) leaves vertices out.
    """
    body = load_body()
    rest, region = body.rest(motion.shape), np.arange(len(skeleton.bodies))
    for b, name in enumerate(skeleton.bodies):
        region[b] = region[skeleton.parents[b]] if name in FINGER_BODIES else b
    own = region[owners(body, skeleton.bodies)]
    share = np.zeros((body.vertex_count, len(skeleton.bodies)))
    kept = np.arange(body.vertex_count) if counted is None else np.flatnonzero(counted)
    share[kept, own[kept]] = 1.0 / np.bincount(own[kept])[own[kept]]
    mean = []
    for t in range(0, len(skin), _FRAMES_AT_ONCE):
        at = slice(t, t + _FRAMES_AT_ONCE)
        posed = body.pose(rest, motion.q[at], motion.translation[at], outputs=("vertices",)).vertices
        mean.append(np.linalg.norm(posed - skin[at], axis=-1) @ share)
    return {skeleton.bodies[b]: np.concatenate(mean)[:, b] for b in np.unique(own[kept])}
