"""Who gathers from whom on a graph, and that the parts begin where they should."""

from __future__ import annotations

import pytest
import torch

from marrow.errors import InputError
from marrow.nn.graph import Propagation, ResponseNorm, normalised_adjacency

CHAIN = [(0, 1), (1, 2), (2, 3)]


def test_the_adjacency_is_normalised_and_symmetric():
    A = normalised_adjacency(CHAIN, 4)
    torch.testing.assert_close(A, A.T)
    assert float(torch.linalg.eigvalsh(A).max()) == pytest.approx(1.0)
    assert float(A[0, 1]) == pytest.approx(1 / (2 * 3) ** 0.5)
    assert (A[0] > 0).tolist() == [True, True, False, False]


@pytest.mark.parametrize(("hops", "reached"), [((1.0,), 2), ((0.8, 0.2), 3), ((0.5, 0.3, 0.2), 4)])
def test_each_hop_reaches_one_node_further(hops, reached):
    x = torch.eye(4)[:, :1]
    assert int((Propagation(normalised_adjacency(CHAIN, 4), hops)(x) > 0).sum()) == reached


def test_two_hops_are_a_filter_of_the_laplacian():
    """P = (1 - s) A + s A^2 has the eigenvalues (1 - l)(1 - s l) for those l of I - A."""
    s, A = 0.3, normalised_adjacency(CHAIN, 4)
    l, V = torch.linalg.eigh(torch.eye(4) - A)
    P = Propagation(A, (1 - s, s)).matrix()
    torch.testing.assert_close(P, V @ torch.diag((1 - l) * (1 - s * l)) @ V.T)


def test_what_is_learnt_stays_symmetric():
    layer = Propagation(normalised_adjacency(CHAIN, 4))
    torch.nn.init.normal_(layer.own)
    torch.testing.assert_close(layer.matrix(), layer.matrix().T)
    assert (layer.matrix()[0, 2:] != 0).all()


def test_response_norm_begins_as_nothing_and_then_prefers_strong_channels():
    x = torch.rand(2, 4, 3) + torch.tensor([0.0, 0.0, 5.0])
    norm = ResponseNorm(3)
    torch.testing.assert_close(norm(x), x)
    torch.nn.init.ones_(norm.scale)
    gain = (norm(x) / x).mean((0, 1))
    assert gain[2] > 2 > gain[0] > 1


def test_edges_to_nowhere_are_answered():
    with pytest.raises(InputError, match="nodes 0 to 3"):
        normalised_adjacency([(0, 4)], 4)
