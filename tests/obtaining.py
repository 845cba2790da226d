"""Assets for the tests: obtained, or the test skips; in continuous integration it fails."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from marrow import assets
from marrow.errors import AssetError


def obtain(name: str) -> Path:
    """The folder of an asset. Without a connection the test is skipped, under ``CI`` it fails instead."""
    try:
        return assets.asset(name)
    except AssetError as error:
        if "could not be obtained" not in str(error):
            raise  # damaged, or the cache cannot be written: a fault wherever it happens
        if os.environ.get("CI", "").lower() not in ("", "0", "false"):
            pytest.fail(f"in continuous integration the asset {name} must be there: {error}")
        pytest.skip(f"no connection and no cached wheel for the asset {name}")
