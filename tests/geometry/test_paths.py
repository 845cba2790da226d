from __future__ import annotations

import itertools

import numpy as np

from marrow.geometry.paths import cheapest_path


def test_the_cheapest_way_changes_where_it_pays():
    cost = np.array([[0, 0, 0, 5, 5, 5, 0, 5, 0.0], [3, 3, 3, 0, 0, 0, 3, 0, 3]])
    switch = np.broadcast_to(2.5 * (1 - np.eye(2)), (8, 2, 2))
    assert cheapest_path(cost, switch).tolist() == [0, 0, 0, 1, 1, 1, 1, 1, 0]
    assert cheapest_path(cost, 100 * switch).tolist() == [1] * 9


def test_the_path_is_the_cheapest_of_all():
    rng = np.random.default_rng(0)
    for _ in range(20):
        cost, switch = rng.uniform(0, 1, (3, 5)), rng.uniform(0, 1, (4, 3, 3))

        def total(path, cost=cost, switch=switch):
            ways = sum(switch[t, path[t], path[t + 1]] for t in range(4))
            return sum(cost[s, t] for t, s in enumerate(path)) + ways

        best = min(itertools.product(range(3), repeat=5), key=total)
        assert cheapest_path(cost, switch).tolist() == list(best)
