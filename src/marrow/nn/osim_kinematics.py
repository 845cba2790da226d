"""Forward kinematics of any OpenSim model on torch tensors: the differentiable twin of ``marrow.skeleton.osim``.

It reads the same tables as the compiled kernels and agrees with them to rounding; gradients of any order come from
autograd. It is the one to use inside a network or a torch fit; for single poses it is far slower than the kernels,
since every elementary motion is one step for the whole batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from marrow.errors import InputError
from marrow.skeleton.osim import functions as kinds
from marrow.skeleton.osim.kinematics import Kinematics
from marrow.skeleton.osim.tables import Functions
from marrow.types import Float64

if TYPE_CHECKING:
    from torch import Tensor


class TorchKinematics:
    """A model posed on tensors.

    Args:
        body: the model.

    Positions and rotations are in OpenSim's ground, metres; coordinates are radians and metres, in the order of
    ``body.coordinates``. Leading dimensions are free; dtype and device are those of the coordinates.
    """

    def __init__(self, body: Kinematics) -> None:
        self.body = body

    def couple(self, q: Tensor) -> Tensor:
        """Coordinates (..., D) with the dependent ones set by the couplings."""
        columns = list(_checked(self.body, q).unbind(-1))
        functions = self.body.couplings
        for f, dependent in enumerate(self.body.dependent):
            arguments = [columns[d] for d in functions.arg[functions.arg_start[f] : functions.arg_start[f + 1]]]
            columns[dependent] = _value(functions, f, arguments)
        return _stack(columns, -1)

    def forward(self, q: Tensor) -> tuple[Tensor, Tensor]:
        """Rotations (..., B, 3, 3) and origins (..., B, 3) of the bodies' frames."""
        import torch

        columns = _checked(self.body, q).unbind(-1)
        tables = self.body.tables
        functions = tables.functions
        unit = torch.eye(3, dtype=q.dtype, device=q.device).expand(*q.shape[:-1], 3, 3)
        rotations, origins = [], []
        for b, parent in enumerate(tables.parent):
            R, p = (rotations[parent], origins[parent]) if parent >= 0 else (unit, torch.zeros_like(unit[..., 0]))
            for e in range(tables.start[b], tables.start[b + 1]):
                arguments = [columns[d] for d in functions.arg[functions.arg_start[e] : functions.arg_start[e + 1]]]
                amount = _value(functions, e, arguments)
                R, p = _place(R, p, tables.fixed_kind[e], tables.fixed_R[e], tables.fixed_p[e])
                if tables.turn[e] >= 0:
                    R = _turned(R, int(tables.turn[e]), amount)
                else:
                    p = p + amount[..., None] * (R @ q.new_tensor(tables.axis[e]))
            R, p = _place(R, p, tables.end_kind[b], tables.end_R[b], tables.end_p[b])
            rotations.append(R)
            origins.append(p)
        return torch.stack(rotations, -3), torch.stack(origins, -2)

    def marker_positions(self, q: Tensor) -> Tensor:
        """(..., M, 3) positions of the model's markers."""
        import torch

        R, p = self.forward(q)
        bodies = torch.as_tensor(self.body.marker_bodies, device=q.device)
        local = q.new_tensor(self.body.marker_locations)
        x = (R[..., bodies, :, :] @ local[:, :, None])[..., 0] + p[..., bodies, :]
        return torch.where((bodies < 0)[:, None], local, x)


def _checked(body: Kinematics, q: Tensor) -> Tensor:
    if q.shape[-1:] != (len(body.coordinates),) or not q.is_floating_point():
        expected = f"floats (..., {len(body.coordinates)}), the model's coordinates"
        raise InputError(f"q: expected {expected}, got {tuple(q.shape)} {q.dtype}")
    return q


def _stack(columns: list[Tensor], dim: int) -> Tensor:
    import torch

    return torch.stack(columns, dim)


def _place(R: Tensor, p: Tensor, kind: int, fixed_R: Float64, fixed_p: Float64) -> tuple[Tensor, Tensor]:
    if kind & 2:
        p = p + R @ R.new_tensor(fixed_p)
    if kind & 1:
        R = R @ R.new_tensor(fixed_R)
    return R, p


def _turned(R: Tensor, axis: int, angle: Tensor) -> Tensor:
    """R turned about its own axis 0, 1 or 2."""
    s, c = angle.sin()[..., None], angle.cos()[..., None]
    j, k = (axis + 1) % 3, (axis + 2) % 3
    columns = list(R.unbind(-1))
    columns[j], columns[k] = c * columns[j] + s * columns[k], c * columns[k] - s * columns[j]
    return _stack(columns, -1)


def _value(functions: Functions, f: int, x: list[Tensor]) -> Tensor:
    """Value of function ``f`` of a table at its arguments, each (...,)."""
    kind = int(functions.kind[f])
    data = functions.data[functions.data_start[f] : functions.data_start[f + 1]]
    if kind == kinds.PIECEWISE:
        return _piecewise(data, x[0])
    if kind == kinds.SINE:
        return float(data[0]) * (float(data[1]) * x[0] + float(data[2])).sin() + float(data[3])
    if kind == kinds.POLYNOMIAL:
        return _polynomial(data, x)
    if kind == kinds.ELLIPSOID:
        a, b = x
        return float(data[0]) * (b.sin(), -a.sin() * b.cos(), a.cos() * b.cos())[int(data[1])]
    return _arc(float(data[0]), int(data[3]), x[0] + float(data[1]), x[1] + float(data[2]))


def _piecewise(data: Float64, x: Tensor) -> Tensor:
    import torch

    n, m = int(data[0]), int(data[1])
    knots = x.new_tensor(data[2 : 2 + n])
    rows = x.new_tensor(data[2 + n :]).reshape(n + 1, m)
    piece = torch.bucketize(x.detach().contiguous(), knots, right=True)
    t = x - knots[(piece - 1).clamp(min=0)]
    coefficients = rows[piece]
    value = coefficients[..., m - 1]
    for k in range(m - 2, -1, -1):
        value = value * t + coefficients[..., k]
    return value


def _polynomial(data: Float64, x: list[Tensor]) -> Tensor:
    import torch

    terms = data[1:].reshape(int(data[0]), -1)
    total = torch.zeros_like(x[0])
    for coefficient, *powers in terms.tolist():
        term = torch.full_like(x[0], coefficient)
        for argument, power in zip(x, powers, strict=True):
            term = term * argument ** int(power) if power else term
        total = total + term
    return total


def _arc(length: float, component: int, a: Tensor, b: Tensor) -> Tensor:
    """A component of the end of an arc; the formulas are those of ``_fast_functions``."""
    import torch

    u0, u2 = -b.sin(), b.cos() * a.sin()
    s2 = u0 * u0 + u2 * u2
    near = s2 < 1e-6
    s = torch.where(near, torch.full_like(s2, 0.5), s2.clamp(max=1 - 2e-12)).sqrt()
    theta = s.asin()
    up = torch.where(near, 1 - s2 / 6, s / theta)
    if component == 1:
        return length * up
    side = torch.where(near, 0.5 + s2 / 24, (1 - (1 - s * s).sqrt()) / (theta * s))
    return length * side * (u0 if component == 0 else u2)
