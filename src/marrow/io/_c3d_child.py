"""Reads one C3D file in a process of its own: ``python -m marrow.io._c3d_child FILE.c3d OUT.npz``.

The C++ reader trusts the counts in the file; with a damaged one it may end the process or never end, which must not
happen to the caller.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np


def main(source: str, out: str) -> int:
    """Copy what is needed of ``source`` into ``out``; 1 with a reason on the error stream if it cannot be read."""
    _limit_memory(os.path.getsize(source))
    import ezc3d

    try:
        content: Any = ezc3d.c3d(source)
        texts = {group: _texts(content["parameters"][group]) for group in ("POINT", "ANALOG")}
        header, data = content["header"], content["data"]
        np.savez(
            out,
            points=np.asarray(data["points"], np.float64),
            analogs=np.asarray(data["analogs"], np.float64),
            rates=np.array([header["points"]["frame_rate"], header["analogs"]["frame_rate"]], np.float64),
            first=np.int64(header["points"]["first_frame"]),
            texts=np.array(json.dumps(texts)),
        )
    except Exception as error:  # whatever the C++ side throws: OSError, ValueError, RuntimeError …
        print(" ".join(str(error).split())[:300], file=sys.stderr)
        return 1
    return 0


def _texts(group: Any) -> dict[str, list[str]]:
    """The parameters of a group that hold texts."""
    found = {}
    for name in group:
        values = group[name]["value"] if name != "__METADATA__" else None
        if isinstance(values, list) and all(isinstance(value, str) for value in values):
            found[name] = values
    return found


def _limit_memory(size: int) -> None:
    """A damaged count may ask for any amount; where the system has limits, this process gets one."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        most = 2_000_000_000 + 60 * size
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


if __name__ == "__main__":
    sys.exit(main(*map(str, map(Path, sys.argv[1:3]))))
