"""The cheapest path through a few states over time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from marrow.types import Float64


def cheapest_path(cost: Float64, switch: Float64) -> NDArray[np.int64]:
    """States (T,) of least total cost, by dynamic programming (Viterbi 1967).

    Args:
        cost: (V, T) of being in each of V states.
        switch: (T - 1, V, V) of going from one state (row) to another (column) between two times.
    """
    V, T = cost.shape
    total, back = cost[:, 0], np.zeros((T, V), np.int64)
    for t in range(1, T):
        way = total[:, None] + switch[t - 1]
        back[t] = way.argmin(0)
        total = way.min(0) + cost[:, t]
    path = [int(total.argmin())]
    for t in range(T - 1, 0, -1):
        path.append(int(back[t, path[-1]]))
    return np.array(path[::-1])
