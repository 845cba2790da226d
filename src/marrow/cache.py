"""Where marrow keeps what it may delete and make again: compiled code and assets."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """The cache folder; ``MARROW_CACHE`` overrides ``$XDG_CACHE_HOME/marrow`` and ``~/.cache/marrow``."""
    chosen = os.environ.get("MARROW_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or (Path.home() / ".cache")
    return Path(base).expanduser() / "marrow"
