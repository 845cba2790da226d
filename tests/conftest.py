"""Puts this folder on the path, so that every test finds ``obtaining``; and bodies that several folders share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# Tests multiply small matrices: on a busy machine threads that wait for each other cost them minutes.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def twin_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file of SMPL made of the default body (:mod:`marrow.bench.twin`)."""
    from twin_files import write_twin

    return write_twin(tmp_path_factory.mktemp("twin") / "SMPL_NEUTRAL.pkl")


@pytest.fixture(scope="session")
def twin_body(twin_file: Path) -> Iterator[Any]:
    """The body of that file; its registration is made once and kept for these tests alone."""
    from marrow.body import load_body

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("marrow.fit.registration.cache_dir", lambda: twin_file.parent)
        yield load_body(twin_file)
