"""Skinning sixteen bodies at once, or one: vector operations that numba does not find by itself, as LLVM instructions.

A row holds one number of sixteen bodies, float32: one register with AVX-512, two with AVX, four with NEON; LLVM splits
as the machine needs. A vertex takes three rows (x, y, z), a 3x4 transform twelve, side by side. One body has a vector
across the twelve entries of a transform instead. Pointers are not checked: callers keep every row inside its array.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

import marrow._compile  # noqa: F401 (sets numba's cache folder before numba is imported)

LANES = 16

_INT = ir.IntType(64)
_ONE = ir.FloatType()
_ROW, _MATRIX = ir.VectorType(_ONE, LANES), ir.VectorType(_ONE, 12)
_FUSE = ("contract",)  # allows a * b + c in one rounding; NaN and infinity keep their meaning


@intrinsic
def address(typing, array, offset):
    """Pointer to element ``offset`` of a C-contiguous array."""

    def generate(context, builder, signature, arguments):
        array, offset = arguments
        return builder.gep(context.make_array(signature.args[0])(context, builder, array).data, [offset])

    return types.CPointer(array.dtype)(array, types.int64), generate


@intrinsic
def skin_vertex(typing, body, weight, first, last, transforms, rest, out):
    """One vertex: ``out = (sum of weight * transform) applied to rest``.

    Args:
        body, weight, first, last: its influences are ``body[first:last]`` with ``weight[first:last]``.
        transforms: (J, 12) rows, 3x4 matrices row by row.
        rest, out: 3 rows.
    """

    def generate(context, builder, signature, arguments):
        body, weight, first, last, transforms, rest, out = arguments
        m = _blended(builder, (body, weight, first, last), transforms, range(12))
        x = [_load(builder, rest, i * LANES) for i in range(3)]
        for i in range(3):
            moved = m[4 * i + 3]
            for c in range(3):
                moved = _multiply_add(builder, m[4 * i + c], x[c], moved)
            _store(builder, moved, out, i * LANES)
        return context.get_dummy_value()

    return types.void(body, weight, first, last, transforms, rest, out), generate


@intrinsic
def skin_vertex_alone(typing, body, weight, first, last, transforms, rest, out):
    """:func:`skin_vertex` of one body: transforms (J, 12), ``rest`` and ``out`` (3,)."""

    def generate(context, builder, signature, arguments):
        body, weight, first, last, transforms, rest, out = arguments
        total = cgutils.alloca_once_value(builder, ir.Constant(_MATRIX, [0.0] * 12))
        for j, w in _each_influence(builder, body, weight, first, last, 12):
            matrix = _load(builder, transforms, j, 12, kind=_MATRIX)
            builder.store(_multiply_add(builder, w, matrix, builder.load(total)), total)
        m = builder.load(total)
        column = [builder.shuffle_vector(m, m, ir.Constant(_index(4), [c, c + 4, c + 8, 0])) for c in range(4)]
        moved = column[3]
        for c in range(3):
            moved = _multiply_add(builder, column[c], _spread(builder, _load(builder, rest, c, kind=_ONE), 4), moved)
        for i in range(3):
            _store(builder, builder.extract_element(moved, ir.Constant(ir.IntType(32), i)), out, i)
        return context.get_dummy_value()

    return types.void(body, weight, first, last, transforms, rest, out), generate


@intrinsic
def skin_vertex_back(typing, body, weight, first, last, transforms, rest, grad, to_transforms, to_rest):
    """The reverse of :func:`skin_vertex` for a gradient ``grad`` (3 rows) at its result.

    ``to_transforms`` (J, 12) and ``to_rest`` (3 rows) are added to.
    """

    def generate(context, builder, signature, arguments):
        body, weight, first, last, transforms, rest, grad, to_transforms, to_rest = arguments
        influences = body, weight, first, last
        g = [_load(builder, grad, i * LANES) for i in range(3)]
        m = _blended(builder, influences, transforms, [4 * i + c for i in range(3) for c in range(3)])
        for c in range(3):
            total = _load(builder, to_rest, c * LANES)
            for i in range(3):
                total = _multiply_add(builder, m[3 * i + c], g[i], total)
            _store(builder, total, to_rest, c * LANES)
        x = [_load(builder, rest, c * LANES) for c in range(3)]
        outer = [builder.fmul(g[i], x[c]) if c < 3 else g[i] for i in range(3) for c in range(4)]
        for j, w in _each_influence(builder, *influences):
            matrix = _moved(builder, to_transforms, j, 12 * LANES)
            for entry, product in enumerate(outer):
                total = _multiply_add(builder, w, product, _load(builder, matrix, entry * LANES))
                _store(builder, total, matrix, entry * LANES)
        return context.get_dummy_value()

    arguments = body, weight, first, last, transforms, rest, grad, to_transforms, to_rest
    return types.void(*arguments), generate


@intrinsic
def transpose(typing, source, step, to, to_step):
    """Sixteen rows, ``step`` floats apart, become the columns of sixteen rows at ``to``, ``to_step`` floats apart."""

    def generate(context, builder, signature, arguments):
        source, step, to, to_step = arguments
        rows = [_load(builder, source, step, i) for i in range(LANES)]
        half = LANES // 2
        shuffled = np.arange(2 * LANES).reshape(2, LANES).T.reshape(-1).tolist()  # 0, 16, 1, 17, …
        low, high = (ir.Constant(_index(LANES), part) for part in (shuffled[:LANES], shuffled[LANES:]))
        for _ in range(LANES.bit_length() - 1):  # a perfect shuffle of all numbers, once per bit of the index
            rows = [builder.shuffle_vector(rows[i], rows[i + half], m) for i in range(half) for m in (low, high)]
        for i, row in enumerate(rows):
            _store(builder, row, to, to_step, i)
        return context.get_dummy_value()

    return types.void(source, step, to, to_step), generate


def _moved(builder, pointer, *factors):
    """``pointer`` moved on by the product of ``factors`` (Python's or LLVM's integers)."""
    offset = ir.Constant(_INT, 1)
    for factor in factors:
        offset = builder.mul(offset, ir.Constant(_INT, factor) if isinstance(factor, int) else factor)
    return builder.gep(pointer, [offset])


def _load(builder, pointer, *factors, kind: ir.Type = _ROW):
    return builder.load(builder.bitcast(_moved(builder, pointer, *factors), kind.as_pointer()), align=4)


def _store(builder, row, pointer, *factors):
    builder.store(row, builder.bitcast(_moved(builder, pointer, *factors), row.type.as_pointer()), align=4)


def _index(size):
    return ir.VectorType(ir.IntType(32), size)


def _spread(builder, number, size):
    """A vector of ``size`` times a number."""
    undefined = ir.Constant(ir.VectorType(_ONE, size), ir.Undefined)
    lone = builder.insert_element(undefined, number, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(lone, undefined, ir.Constant(_index(size), [0] * size))


def _multiply_add(builder, a, b, c):
    return builder.fadd(builder.fmul(a, b, flags=_FUSE), c, flags=_FUSE)


def _each_influence(builder, body, weight, first, last, size=LANES):
    """Once, inside a loop over a vertex's influences: the body's index and its weight in all lanes (or ``size``)."""
    with cgutils.for_range_slice(builder, first, last, ir.Constant(_INT, 1), _INT) as (k, _):
        number = builder.load(builder.gep(weight, [k]))
        yield builder.zext(builder.load(builder.gep(body, [k])), _INT), _spread(builder, number, size)


def _blended(builder, influences, transforms, entries):
    """Rows of the weighted sum of the influences' transforms: the given entries of the twelve."""
    sums = [cgutils.alloca_once_value(builder, ir.Constant(_ROW, [0.0] * LANES)) for _ in entries]
    for j, w in _each_influence(builder, *influences):
        matrix = _moved(builder, transforms, j, 12 * LANES)
        for entry, total in zip(entries, sums, strict=True):
            row = _load(builder, matrix, entry * LANES)
            builder.store(_multiply_add(builder, w, row, builder.load(total)), total)
    return [builder.load(total) for total in sums]
