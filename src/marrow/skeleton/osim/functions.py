"""The functions of OpenSim files as small tables that the kernels evaluate.

Every function becomes a kind and a vector of numbers (:class:`Function`); splines, steps and polynomials of one
variable all become one kind, the piecewise polynomial. The kernels read the same vectors (``_fast_functions``), which
is why the layouts are written here, once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from marrow.skeleton.osim.xml import Element
from marrow.types import Float64

#: Kinds and the layout of their data.
PIECEWISE = (
    0  # knots n, coefficients m, n knots, (n + 1) x m ascending powers about the knot to the left (first: to its
)
# right); one argument
SINE = 1  # amplitude, angular frequency, phase, offset; one argument
POLYNOMIAL = 2  # terms n, then n rows of coefficient and one power per argument
ELLIPSOID = 3  # radius, component 0..2: the z axis of Rx(a) Ry(b), times the radius; arguments a, b
ARC = 4  # length, neutral a, neutral b, component 0..2: end of an arc that starts along y and ends along Rx(a) Rz(b) y


@dataclass(frozen=True, eq=False)
class Function:
    """A scalar function of ``arity`` coordinates: a kind and its numbers.

    Attributes:
        arity: number of arguments; 0 where any number is accepted and ignored (a constant).
    """

    kind: int
    data: Float64
    arity: int

    @property
    def constant(self) -> float | None:
        """The value of a function that does not vary, else None."""
        if self.kind != PIECEWISE:
            return None
        n, m = int(self.data[0]), int(self.data[1])
        table = self.data[2 + n :].reshape(n + 1, m)
        varies = (table[:, 1:] != 0).any() or (table[:, 0] != table[0, 0]).any()
        return None if varies else float(table[0, 0])

    def scaled(self, factor: float) -> Function:
        """The function times a factor."""
        data = self.data.copy()
        if self.kind == PIECEWISE:
            data[2 + int(data[0]) :] *= factor
        elif self.kind == SINE:
            data[[0, 3]] *= factor
        elif self.kind == POLYNOMIAL:
            data[1:].reshape(int(data[0]), -1)[:, 0] *= factor
        else:
            data[0] *= factor
        return Function(self.kind, data, self.arity)


def piecewise(knots: ArrayLike, coefficients: ArrayLike, arity: int = 1) -> Function:
    """Piecewise polynomial.

    Args:
        knots: (n,) ascending.
        coefficients: (n + 1, m) ascending powers; row 0 holds below ``knots[0]`` and is about it, row i + 1 holds from
            ``knots[i]`` on and is about that.
    """
    knots, coefficients = np.asarray(knots, float), np.asarray(coefficients, float)
    return Function(
        PIECEWISE, np.concatenate([[len(knots), coefficients.shape[1]], knots, coefficients.ravel()]), arity
    )


def polynomial(ascending: ArrayLike) -> Function:
    """Polynomial of one variable, lowest power first."""
    row = np.atleast_1d(np.asarray(ascending, float))
    return piecewise([0.0], np.stack([row, row]), arity=1 if len(row) > 1 else 0)


def constant(value: float) -> Function:
    """A constant of any coordinates."""
    return polynomial([value])


IDENTITY = polynomial([0.0, 1.0])


def simm_spline(x: Float64, y: Float64) -> Function:
    """SIMM's cubic spline: straight beyond the ends.

    On the first and last interval its third derivative is that of the cubic through the four points at that end
    (Forsythe, Malcolm and Moler, Computer Methods for Mathematical Computations, 1977, chapter 4).
    """
    n = len(x)
    if n == 2:
        slope = (y[1] - y[0]) / (x[1] - x[0])
        return polynomial([y[0] - slope * x[0], slope])
    h, second = np.diff(x), np.zeros((n, n))
    right = np.zeros(n)
    for i in range(1, n - 1):
        second[i, i - 1 : i + 2] = h[i - 1], 2 * (h[i - 1] + h[i]), h[i]
        right[i] = 6 * ((y[i + 1] - y[i]) / h[i] - (y[i] - y[i - 1]) / h[i - 1])
    second[0, :2], second[-1, -2:] = (-1.0, 1.0), (-1.0, 1.0)
    if n > 3:
        right[0] = 6 * h[0] * _divided_difference(x[:4], y[:4])
        right[-1] = 6 * h[-1] * _divided_difference(x[-4:], y[-4:])
    return _cubic(x, y, np.asarray(np.linalg.solve(second, right), np.float64))


def _divided_difference(x: Float64, y: Float64) -> float:
    table = y.copy()
    for k in range(1, len(x)):
        table = np.diff(table) / (x[k:] - x[:-k])
    return float(table[0])


def _cubic(x: Float64, y: Float64, second: Float64) -> Function:
    """Cubic pieces of values and second derivatives at the knots, straight beyond the ends."""
    h = np.diff(x)
    slope = np.diff(y) / h - h * (2 * second[:-1] + second[1:]) / 6
    rows = np.zeros((len(x) + 1, 4))
    rows[1:-1] = np.stack([y[:-1], slope, second[:-1] / 2, np.diff(second) / (6 * h)], -1)
    last = slope[-1] + h[-1] * (second[-2] + second[-1]) / 2
    rows[0, :2], rows[-1, :2] = (y[0], slope[0]), (y[-1], last)
    return piecewise(x, rows)


def piecewise_linear(x: Float64, y: Float64) -> Function:
    """Straight pieces; the end pieces go on beyond the ends."""
    slope = np.diff(y) / np.diff(x)
    rows = np.stack([np.concatenate([y[:1], y]), np.concatenate([slope[:1], slope, slope[-1:]])], -1)
    return piecewise(x, rows)


def piecewise_constant(x: Float64, y: Float64) -> Function:
    """``y[i]`` from ``x[i]`` on; the first value also before it."""
    return piecewise(x, np.concatenate([y[:1], y])[:, None])


def natural_spline(x: Float64, y: Float64, degree: int) -> Function:
    """Interpolating natural spline of odd degree 2 m - 1; a polynomial of degree m - 1 beyond the ends."""
    from scipy.interpolate import PPoly, make_interp_spline

    half = (degree + 1) // 2
    if degree == 1:
        flat = piecewise_linear(x, y).data[2 + len(x) :].reshape(-1, 2).copy()
        flat[[0, -1], 1] = 0.0
        return piecewise(x, flat)
    ends = [(k, 0.0) for k in range(half, degree)]
    spline = make_interp_spline(x, y, k=degree, bc_type=(ends, ends))
    whole = PPoly.from_spline(spline)
    spans = np.diff(whole.x) > 0
    rows = np.zeros((len(x) + 1, degree + 1))
    rows[1:-1] = whole.c[::-1, spans].T
    for row, at in ((0, x[0]), (-1, x[-1])):
        factorial = 1.0
        for k in range(half):
            factorial *= max(k, 1)
            rows[row, k] = spline(at, k) / factorial
    return piecewise(x, rows)


def step(x: Float64, y: Float64) -> Function:
    """Smooth step of degree 5 from ``(x[0], y[0])`` to ``(x[1], y[1])``."""
    rise, width = y[1] - y[0], x[1] - x[0]
    rows = np.zeros((3, 6))
    rows[:, 0] = y[0], y[0], y[1]
    rows[1, 3:] = rise * np.array([10.0, -15.0, 6.0]) / width ** np.array([3.0, 4.0, 5.0])
    return piecewise(x, rows)


def read_function(element: Element) -> Function:
    """The function that an element describes.

    Raises:
        InputError: a class that is not read, or numbers that do not fit it.
    """
    reader = _READERS.get(element.tag)
    if reader is None:
        known = ", ".join(sorted(_READERS))
        raise element.error(f"a function of the class {element.tag} is not read; those read are {known}")
    return reader(element)


def _linear(element: Element) -> Function:
    values = element.numbers("coefficients", default=(1.0, 0.0))
    if len(values) < 2:
        return constant(float(values[0]) if len(values) else 0.0)
    if len(values) == 2:
        return polynomial(values[::-1])
    count = len(values) - 1
    terms = np.column_stack([values, np.vstack([np.eye(count), np.zeros(count)])])
    return Function(POLYNOMIAL, np.concatenate([[count + 1], terms.ravel()]), count)


def _polynomial(element: Element) -> Function:
    return polynomial(element.numbers("coefficients")[::-1])


def _many_polynomial(element: Element) -> Function:
    """Terms are ordered with the last variable's power running fastest, all of total order up to ``order``."""
    values = element.numbers("coefficients")
    dimension, order = element.number("dimension", 0.0), element.number("order", 0.0)
    if dimension not in range(1, 7) or order not in range(11):
        raise element.error(f"expected a dimension of 1 to 6 and an order of 0 to 10, got {dimension:g} and {order:g}")
    dimension, order = int(dimension), int(order)
    powers = _powers(dimension, order)
    if len(values) != len(powers):
        expected = f"{len(powers)} coefficients for dimension {dimension} and order {order}"
        raise element.error(f"expected {expected}, got {len(values)}")
    terms = np.column_stack([values, powers])
    return Function(POLYNOMIAL, np.concatenate([[len(powers)], terms.ravel()]), dimension)


def _powers(dimension: int, order: int) -> Float64:
    if dimension == 0:
        return np.zeros((1, 0))
    rows = [(first, *rest) for first in range(order + 1) for rest in _powers(dimension - 1, order - first)]
    return np.array(rows, float)


def _sine(element: Element) -> Function:
    names = (("amplitude", 1.0), ("omega", 1.0), ("phase", 0.0), ("offset", 0.0))
    return Function(SINE, np.array([element.number(name, default) for name, default in names]), 1)


def _step(element: Element) -> Function:
    x = np.array([element.number(f"transition_{end}_time", i) for i, end in enumerate(("start", "end"))], float)
    y = np.array([element.number("start_value", 0.0), element.number("end_value", 1.0)])
    if x[1] <= x[0]:
        raise element.error(f"the transition ends at {x[1]:g}, not after its start at {x[0]:g}")
    return step(x, y)


def _multiplier(element: Element) -> Function:
    inner = element.find("function")
    if inner is None or len(inner.children) != 1:
        raise element.error("expected one function inside <function>")
    return read_function(inner.children[0]).scaled(element.number("scale", 1.0))


def _knots(element: Element) -> tuple[Float64, Float64]:
    x, y = element.numbers("x"), element.numbers("y")
    if len(x) != len(y) or len(x) < 2:
        raise element.error(f"expected as many <x> as <y>, at least 2, got {len(x)} and {len(y)}")
    if not (np.diff(x) > 0).all():
        at = int(np.argmin(np.diff(x)))
        raise element.error(f"<x> must ascend; number {at + 2} ({x[at + 1]:g}) follows {x[at]:g}")
    return x, y


def _gcv(element: Element) -> Function:
    x, y = _knots(element)
    half = int(element.number("half_order", 3.0))
    if element.number("error_variance", 0.0) != 0:
        raise element.error("a smoothing spline (error_variance not 0) is not read; write one that interpolates")
    if not 1 <= half <= 4 or len(x) < 2 * half:
        raise element.error(f"half_order {half} needs 1 to 4 and at least {2 * half} points, got {len(x)} points")
    return natural_spline(x, y, 2 * half - 1)


_READERS = {
    "Constant": lambda element: constant(element.number("value", 0.0)),
    "LinearFunction": _linear,
    "PolynomialFunction": _polynomial,
    "MultivariatePolynomialFunction": _many_polynomial,
    "Sine": _sine,
    "StepFunction": _step,
    "MultiplierFunction": _multiplier,
    "SimmSpline": lambda element: simm_spline(*_knots(element)),
    "NaturalCubicSpline": lambda element: simm_spline(*_knots(element)),  # the name before OpenSim 3
    "natCubicSpline": lambda element: simm_spline(*_knots(element)),
    "GCVSpline": _gcv,
    "PiecewiseLinearFunction": lambda element: piecewise_linear(*_knots(element)),
    "PiecewiseConstantFunction": lambda element: piecewise_constant(*_knots(element)),
}
