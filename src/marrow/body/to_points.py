"""Shape and poses of a linear body from where some of its vertices should be: Gauss-Newton over all frames.

Every joint is first turned as the vertices that it moves are (Kabsch), from the root outwards. Then all turns, the
translation and, over some of the frames, one shape are refined together. The derivative leaves out that correctives
follow the pose, which moves the skin by millimetres; the residual does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from marrow._threads import one_thread
from marrow.body.linear import LinearBody
from marrow.body.procrustes import nearest_rotation
from marrow.geometry.rotations import log
from marrow.progress import Progress, silent
from marrow.types import Float64

#: Standard deviation of a vertex about its place, metres: how differently two bodies bend.
_SD = 0.004
#: The vertices of a frame tell as much as so many that err by themselves.
_INDEPENDENT = 100.0
#: Standard deviation (rad) of a joint's turn against its parent: what holds joints that no vertex shows.
_TURN_SD = 10.0
#: The same of joints that stay still.
_STILL_SD = 1e-3
_FRAMES_AT_ONCE = 64
_SHAPE_FRAMES = 24
_ITERATIONS, _SHAPE_ITERATIONS = 6, 8
#: Steps end where no joint of any frame turns by more (rad).
_ENOUGH = 1e-4


@dataclass(frozen=True, eq=False)
class LinearFit:
    """What was found.

    Attributes:
        shape: (S,) coefficients.
        pose: (T, J, 3) rotation vectors, radians, each joint against its parent.
        translation: (T, 3) metres.
    """

    shape: Float64
    pose: Float64
    translation: Float64


def fit_to_points(
    body: LinearBody,
    points: NDArray,
    vertex_ids: NDArray[np.intp],
    *,
    shapes: int = 10,
    still: Sequence[int] = (),
    progress: Progress | None = None,
) -> LinearFit:
    """One shape, and a pose for each frame, whose vertices come nearest to points.

    Args:
        body: on the processor.
        points: (T, n, 3) metres.
        vertex_ids: (n,) the vertices that belong there.
        shapes: how many of the shape coefficients are fitted; the others stay 0, with 0 all.
        still: joints that stay unturned, such as jaw and eyes.
        progress: called as ``progress("fit", done, total)``.
    """
    solver = _Solver(body, vertex_ids, min(shapes, body.identity - body.expressions), still)
    tell, seen = progress or silent, torch.from_numpy(np.asarray(points, np.float32))
    with torch.no_grad(), one_thread():
        pick = torch.from_numpy(np.unique(np.linspace(0, len(seen) - 1, _SHAPE_FRAMES).astype(int)))
        shape = solver.shape(seen[pick])
        turns, shifts = [], []
        for start in range(0, len(seen), _FRAMES_AT_ONCE):
            tell("fit", start, len(seen))
            turn, shift = solver.poses(seen[start : start + _FRAMES_AT_ONCE], shape)
            turns.append(turn.numpy())
            shifts.append(shift.numpy())
    return LinearFit(shape.numpy().astype(float), log(np.concatenate(turns)), np.concatenate(shifts).astype(float))


class _Solver:
    def __init__(self, body: LinearBody, ids: NDArray[np.intp], shapes: int, still: Sequence[int]) -> None:
        self.body, self.ids, self.shapes, self.parents = body, ids, shapes, body.parents
        joints, count = len(body.parents), len(ids)
        start, joint, weight = body.weights.rows(ids)
        self.weights = torch.zeros(count, joints)
        row = torch.from_numpy(np.repeat(np.arange(count), np.diff(start)))
        self.weights[row, torch.from_numpy(joint.astype(np.int64))] = torch.from_numpy(weight)
        #: (J, J) whether the second joint hangs on the first.
        self.below = torch.eye(joints)
        for j in reversed(range(1, joints)):
            self.below[body.parents[j]] += self.below[j]
        self.carried = self.weights @ self.below.T
        self.precision = _INDEPENDENT / (count * _SD**2)
        turn_sd = torch.full((joints,), _TURN_SD)
        turn_sd[list(still)] = _STILL_SD
        self.turn_precision = (1.0 / turn_sd**2).repeat_interleave(3)

    # -- the two fits -------------------------------------------------------------------------------------------------

    def shape(self, points: torch.Tensor) -> torch.Tensor:
        """(S,) shape that all frames (T, n, 3) share."""
        shape = torch.zeros(self.shapes)
        if self.shapes == 0:
            return shape
        turns = self._first_turns(points, shape)
        shifts = self._centred(points, turns, shape)
        for _ in range(_SHAPE_ITERATIONS):
            parts = [slice(s, s + _FRAMES_AT_ONCE) for s in range(0, len(points), _FRAMES_AT_ONCE)]
            made = [self._normal(points[at], turns[at], shifts[at], shape, True) for at in parts]
            # frames are eliminated, the shape is what they share
            H = sum((own.shape_shape.sum(0) for own in made), torch.eye(self.shapes, dtype=torch.float64))
            g = sum((own.shape_gradient.sum(0) for own in made), -shape.double())
            eliminated = []
            for own in made:
                L = torch.linalg.cholesky(own.pose_pose)
                across = torch.cholesky_solve(own.pose_shape, L)
                H = H - (own.pose_shape.mT @ across).sum(0)
                g = g - (across.mT @ own.pose_gradient[..., None]).sum(0)[:, 0]
                eliminated.append((L, across))
            step = torch.linalg.solve(H, g)
            shape = shape + step.float()
            for at, own, (L, across) in zip(parts, made, eliminated, strict=True):
                pose_step = torch.cholesky_solve(own.pose_gradient[..., None], L)[..., 0] - across @ step
                turns[at], shifts[at] = _stepped(turns[at], shifts[at], pose_step)
        return shape

    def poses(self, points: torch.Tensor, shape: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Turns (T, J, 3, 3) and translations (T, 3) of that shape."""
        turns = self._first_turns(points, shape)
        shifts = self._centred(points, turns, shape)
        best, kept = torch.full((len(points),), torch.inf, dtype=torch.float64), (turns, shifts)
        for _ in range(_ITERATIONS):
            own = self._normal(points, turns, shifts, shape, False)
            better = own.cost <= best
            best = torch.where(better, own.cost, best)
            kept = _chosen(better, turns, kept[0]), _chosen(better, shifts, kept[1])
            step = torch.cholesky_solve(own.pose_gradient[..., None], torch.linalg.cholesky(own.pose_pose))[..., 0]
            turns, shifts = _stepped(turns, shifts, step)
            if float(step[:, :-3].abs().max()) < _ENOUGH:
                return turns, shifts
        better = self._normal(points, turns, shifts, shape, False).cost <= best
        return _chosen(better, turns, kept[0]), _chosen(better, shifts, kept[1])

    # -- where it begins ----------------------------------------------------------------------------------------------

    def _first_turns(self, points: torch.Tensor, shape: torch.Tensor) -> torch.Tensor:
        """Turns (T, J, 3, 3) against the parent by which each joint's own vertices lie best on their points."""
        part = self.body._part(self.ids)
        rest = part.rest(shape[None]).vertices[0]
        world = torch.empty(len(points), len(self.parents), 3, 3)
        for j, parent in enumerate(self.parents):
            own = torch.where(self.weights[:, j] > 0.4, self.weights[:, j], torch.zeros(()))
            above = world[:, parent] if parent >= 0 else torch.eye(3).expand(len(points), 3, 3)
            if int((own > 0).sum()) < 4:
                world[:, j] = above
                continue
            own = own / own.sum()
            x, y = rest - own @ rest, points - torch.einsum("n,tni->ti", own, points)[:, None]
            world[:, j] = nearest_rotation(torch.einsum("n,tni,nk->tik", own, y, x).contiguous())
        local = world.clone()
        local[:, 1:] = world[:, list(self.parents[1:])].mT @ world[:, 1:]
        return local

    def _centred(self, points: torch.Tensor, turns: torch.Tensor, shape: torch.Tensor) -> torch.Tensor:
        rest = self.body.rest(shape[None])
        posed = self.body.pose(rest, turns, outputs=("vertices",), vertex_ids=self.ids).vertices
        return (points - posed).mean(1) if posed is not None else points.mean(1)

    # -- linearisation ------------------------------------------------------------------------------------------------

    def _normal(
        self, points: torch.Tensor, turns: torch.Tensor, shifts: torch.Tensor, shape: torch.Tensor, with_shape: bool
    ) -> _Normal:
        """Normal equations about a state, per frame.

        A small turn ``a`` of a joint in its own axes ``W`` moves a vertex by ``(W a) x l``, l being the lever from the
        joint to where the bones that hang on it carry the vertex, weighted. Products of such columns need only the
        sums over the vertices of ``l l'``: ``(u x l) . (v x m) = u' ((l . m) I - m l') v``.
        """
        body, frames, joints = self.body, len(points), len(self.parents)
        rest = body.rest(shape[None])
        posed = body.pose(rest, turns, shifts, outputs=("vertices", "joints", "frames"), vertex_ids=self.ids)
        vertices, places, W = posed.vertices, posed.joints, posed.frames
        if vertices is None or places is None or W is None:
            raise RuntimeError("the body gave less than it was asked for")
        r = points - vertices
        lever = self._levers(rest.joints[0], shape, turns, W, places)
        flat = lever.view(frames, len(self.ids), 3 * joints)
        G = (flat.mT @ flat).view(frames, joints, 3, joints, 3)
        dots = torch.einsum("tjaka->tjk", G)
        inner = dots[..., None, None] * torch.eye(3) - G.permute(0, 1, 3, 4, 2)
        turned = torch.einsum("tjca,tjkcd->tjkad", W, inner)
        turned = torch.einsum("tjkad,tkdb->tjakb", turned, W).reshape(frames, 3 * joints, 3 * joints)
        by_shift = (W.mT @ _hat(lever.sum(1))).reshape(frames, 3 * joints, 3)
        own = len(self.ids) * torch.eye(3).expand(frames, 3, 3)
        H = self.precision * torch.cat([torch.cat([turned, by_shift], 2), torch.cat([by_shift.mT, own], 2)], 1).double()
        pulled = _crossed((flat.mT @ r).view(frames, joints, 3, 3))
        pulled = (W.mT @ pulled[..., None]).reshape(frames, 3 * joints)
        g = self.precision * torch.cat([pulled, r.sum(1)], 1).double()
        vectors = _rotvec(turns).flatten(1).double()
        g[:, : 3 * joints] -= self.turn_precision * vectors
        H.diagonal(dim1=1, dim2=2)[:, : 3 * joints] += self.turn_precision
        H.diagonal(dim1=1, dim2=2).mul_(1.0 + 1e-6)
        cost = self.precision * (r**2).sum((1, 2)).double() + (self.turn_precision * vectors**2).sum(1)
        if not with_shape:
            none = torch.zeros(0)
            return _Normal(H, g, cost, none, none, none)
        B = self._by_shape(W)
        across = (flat.mT @ B.reshape(frames, len(self.ids), -1)).view(frames, joints, 3, 3, self.shapes)
        across = (W.mT @ _crossed(across.movedim(-1, 2)).mT).reshape(frames, 3 * joints, self.shapes)
        columns = B.reshape(frames, -1, self.shapes)
        return _Normal(
            H,
            g,
            cost,
            self.precision * torch.cat([across, B.sum(1)], 1).double(),
            self.precision * (columns.mT @ columns).double(),
            self.precision * (columns.mT @ r.reshape(frames, -1, 1))[..., 0].double(),
        )

    def _levers(
        self, rest_joints: torch.Tensor, shape: torch.Tensor, turns: torch.Tensor, W: torch.Tensor, places: torch.Tensor
    ) -> torch.Tensor:
        """(T, n, J, 3) from each joint to where the bones that hang on it carry the vertex, times their weight."""
        part, frames = self.body._part(self.ids), len(turns)
        rest = part.rest(shape[None]).vertices[0].expand(frames, -1, -1)
        if part.corrected:
            feature = (turns[:, 1:] - torch.eye(3)).flatten(1)
            rest = rest + (feature @ part.basis[part.identity :]).view(frames, -1, 3)
        offset = places - (W @ rest_joints[:, :, None])[..., 0]
        # axis by axis, so that all is products of matrices: (T, 3, n, J)
        by_bone = rest[:, None] @ W.permute(0, 2, 3, 1) + offset.mT[:, :, None]
        lever = by_bone.mul_(self.weights) @ self.below.T - self.carried * places.mT[:, :, None]
        return lever.permute(0, 2, 3, 1).contiguous()

    def _by_shape(self, W: torch.Tensor) -> torch.Tensor:
        """(T, n, 3, S) how the shape moves the posed vertices."""
        part, joints = self.body._part(self.ids), len(self.parents)
        basis = part.basis[: self.shapes].view(self.shapes, -1, 3)
        centres = part.joints_basis[: self.shapes].view(self.shapes, joints, 3)
        places: list[torch.Tensor] = []
        for j, parent in enumerate(self.parents):
            if parent < 0:
                places.append(centres[:, j].T.expand(len(W), 3, self.shapes))
            else:
                places.append(places[parent] + W[:, parent] @ (centres[:, j] - centres[:, parent]).T)
        offset = torch.stack(places, 1) - W @ centres.permute(1, 2, 0)
        blended = torch.einsum("nj,tjik->tnik", self.weights, W)
        return torch.einsum("tnik,snk->tnis", blended, basis) + torch.einsum("nj,tjis->tnis", self.weights, offset)


@dataclass(frozen=True, eq=False)
class _Normal:
    """Normal equations of T frames with P pose unknowns, float64; those of the shape where it is fitted."""

    pose_pose: torch.Tensor
    pose_gradient: torch.Tensor
    cost: torch.Tensor
    pose_shape: torch.Tensor
    shape_shape: torch.Tensor
    shape_gradient: torch.Tensor


def _stepped(turns: torch.Tensor, shifts: torch.Tensor, step: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    import roma

    turn = roma.rotvec_to_rotmat(step[:, :-3].reshape(len(step), -1, 3)).float()
    return turns @ turn, shifts + step[:, -3:].float()


def _chosen(which: torch.Tensor, these: torch.Tensor, those: torch.Tensor) -> torch.Tensor:
    return torch.where(which.view(-1, *(1,) * (these.ndim - 1)), these, those)


def _rotvec(turns: torch.Tensor) -> torch.Tensor:
    import roma

    return roma.rotmat_to_rotvec(turns)


def _hat(v: torch.Tensor) -> torch.Tensor:
    """Cross-product matrices (..., 3, 3) of (..., 3)."""
    zero = torch.zeros_like(v[..., 0])
    x, y, z = v.unbind(-1)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).view(*v.shape, 3)


def _crossed(products: torch.Tensor) -> torch.Tensor:
    """Sums of ``l x r`` (..., 3) from sums of ``l r'`` (..., 3, 3)."""
    (_, xy, xz), (yx, _, yz), (zx, zy, _) = (row.unbind(-1) for row in products.unbind(-2))
    return torch.stack([yz - zy, zx - xz, xy - yx], -1)
