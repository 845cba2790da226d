"""Nearest rotations and their reverse: the numba twins of :mod:`marrow.body.procrustes`; float64.

Horn 1987 (closed-form absolute orientation with quaternions): the nearest rotation is the eigenvector of the largest
eigenvalue of a symmetric 4x4 matrix; Theobald 2005 (rapid calculation of RMSDs): that eigenvalue by Newton's method.
"""

from __future__ import annotations

import numpy as np

from marrow._compile import kernel

_STEPS = 60  # far more than ever needed: Newton falls on the largest root from above, at last quadratically


@kernel()
def nearest_rotations(matrices, rotations):
    """Write rotations (n, 3, 3) that maximise ``trace(R^T M)`` for matrices (n, 3, 3)."""
    K = np.empty((4, 4))
    for n in range(len(matrices)):
        M = matrices[n]
        K[0, 0] = M[0, 0] + M[1, 1] + M[2, 2]
        K[1, 1] = M[0, 0] - M[1, 1] - M[2, 2]
        K[2, 2] = M[1, 1] - M[0, 0] - M[2, 2]
        K[3, 3] = M[2, 2] - M[0, 0] - M[1, 1]
        K[0, 1] = K[1, 0] = M[2, 1] - M[1, 2]
        K[0, 2] = K[2, 0] = M[0, 2] - M[2, 0]
        K[0, 3] = K[3, 0] = M[1, 0] - M[0, 1]
        K[1, 2] = K[2, 1] = M[0, 1] + M[1, 0]
        K[1, 3] = K[3, 1] = M[0, 2] + M[2, 0]
        K[2, 3] = K[3, 2] = M[1, 2] + M[2, 1]
        top = _largest_eigenvalue(M, K)
        for i in range(4):
            K[i, i] -= top
        w, x, y, z = _null_vector(K)
        R = rotations[n]
        R[0, 0], R[0, 1], R[0, 2] = 1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)
        R[1, 0], R[1, 1], R[1, 2] = 2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)
        R[2, 0], R[2, 1], R[2, 2] = 2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)


@kernel()
def nearest_rotations_back(matrices, rotations, by_rotations, by_matrices):
    """The reverse: a turn ``w`` of R follows ``(trace(S) I - S) w = axial(dM R^T - R dM^T)`` with ``S = M R^T``."""
    for n in range(len(matrices)):
        R = rotations[n]
        S = matrices[n] @ R.T
        G = by_rotations[n] @ R.T
        trace = S[0, 0] + S[1, 1] + S[2, 2]
        gx, gy, gz = G[2, 1] - G[1, 2], G[0, 2] - G[2, 0], G[1, 0] - G[0, 1]
        a, b, c = trace - S[0, 0], trace - S[1, 1], trace - S[2, 2]
        d = -0.5 * (S[0, 1] + S[1, 0])
        e = -0.5 * (S[0, 2] + S[2, 0])
        f = -0.5 * (S[1, 2] + S[2, 1])
        xx, xy, xz = b * c - f * f, e * f - d * c, d * f - b * e
        determinant = a * xx + d * xy + e * xz
        yy, yz, zz = a * c - e * e, d * e - a * f, a * b - d * d
        x = (xx * gx + xy * gy + xz * gz) / determinant
        y = (xy * gx + yy * gy + yz * gz) / determinant
        z = (xz * gx + yz * gy + zz * gz) / determinant
        for i in range(3):
            by_matrices[n, 0, i] = y * R[2, i] - z * R[1, i]
            by_matrices[n, 1, i] = z * R[0, i] - x * R[2, i]
            by_matrices[n, 2, i] = x * R[1, i] - y * R[0, i]


@kernel()
def _largest_eigenvalue(M, K):
    square = 0.0
    for i in range(3):
        for j in range(3):
            square += M[i, j] * M[i, j]
    determinant = (
        M[0, 0] * (M[1, 1] * M[2, 2] - M[1, 2] * M[2, 1])
        - M[0, 1] * (M[1, 0] * M[2, 2] - M[1, 2] * M[2, 0])
        + M[0, 2] * (M[1, 0] * M[2, 1] - M[1, 1] * M[2, 0])
    )
    quadratic, linear, constant = -2 * square, -8 * determinant, _determinant(K)
    top = np.sqrt(3 * square)  # no smaller than the sum of the singular values
    for _ in range(_STEPS):
        value = ((top * top + quadratic) * top + linear) * top + constant
        slope = (4 * top * top + 2 * quadratic) * top + linear
        if slope <= 0:
            break
        step = value / slope
        top -= step
        if abs(step) <= 1e-15 * top:
            break
    return top


@kernel()
def _determinant(K):
    """Of a symmetric 4x4 matrix, by complementary 2x2 minors."""
    total = 0.0
    for i in range(4):
        for j in range(i + 1, 4):
            k, l = _others(i, j)
            sign = 1.0 if (i + j) % 2 == 1 else -1.0
            total += sign * (K[0, i] * K[1, j] - K[0, j] * K[1, i]) * (K[2, k] * K[3, l] - K[2, l] * K[3, k])
    return total


@kernel()
def _others(i, j):
    """The two of 0 … 3 that are neither, in order."""
    first = 0
    while first in (i, j):
        first += 1
    second = first + 1
    while second in (i, j):
        second += 1
    return first, second


@kernel()
def _null_vector(A):
    """Unit vector that the singular symmetric ``A`` (4, 4) maps to zero: the longest column of its adjugate."""
    best, longest = np.zeros(4), 0.0
    column = np.empty(4)
    for c in range(4):
        square = 0.0
        for r in range(4):
            column[r] = _cofactor(A, r, c)
            square += column[r] * column[r]
        if square > longest:
            longest = square
            best[:] = column
    if longest == 0.0:
        best[0] = longest = 1.0
    return best / np.sqrt(longest)


@kernel()
def _cofactor(A, r, c):
    i0, i1, i2 = 0 if r > 0 else 1, 1 if r > 1 else 2, 2 if r > 2 else 3
    j0, j1, j2 = 0 if c > 0 else 1, 1 if c > 1 else 2, 2 if c > 2 else 3
    minor = (
        A[i0, j0] * (A[i1, j1] * A[i2, j2] - A[i1, j2] * A[i2, j1])
        - A[i0, j1] * (A[i1, j0] * A[i2, j2] - A[i1, j2] * A[i2, j0])
        + A[i0, j2] * (A[i1, j0] * A[i2, j1] - A[i1, j1] * A[i2, j0])
    )
    return minor if (r + c) % 2 == 0 else -minor
