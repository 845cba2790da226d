"""One body, one person and one skeleton for the whole folder."""

from __future__ import annotations

import pytest

from marrow.body import load_body
from marrow.skeleton import Skeleton


@pytest.fixture(scope="session")
def body():
    return load_body()


@pytest.fixture(scope="session")
def rest(body):
    return body.rest()


@pytest.fixture(scope="session")
def skeleton(rest):
    return Skeleton.inside(rest.landmarks)
