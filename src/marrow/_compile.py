"""One way to compile hot code: serial, without the GIL, cached per user.

Threads go over people or frames in the callers; ``parallel=True`` is not used (slow to compile, and numba's default
threading layer aborts under concurrent callers).
"""

from __future__ import annotations

import functools
import os

from marrow import __version__
from marrow.cache import cache_dir

# numba reads this when it is imported, so it has to be set first; a user's own choice wins. Each version has a folder
# of its own: numba opens what an older version left before it looks whether that is out of date, and a type that has
# moved since would end in an AttributeError.
os.environ.setdefault("NUMBA_CACHE_DIR", str(cache_dir() / f"numba-{__version__}"))

import numba

kernel = functools.partial(numba.njit, cache=True, nogil=True, error_model="numpy")
"""Decorator for a numba kernel: ``@kernel`` is not callable bare; write ``@kernel()``."""
