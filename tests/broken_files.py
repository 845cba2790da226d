"""Files damaged on purpose."""

from __future__ import annotations

import zipfile
from pathlib import Path


def break_compressed(path: Path) -> None:
    """Overwrite the start of the first member's compressed data, as a failing disk might."""
    with zipfile.ZipFile(path) as archive:
        start = archive.infolist()[0].header_offset
    data = bytearray(path.read_bytes())
    name, extra = (int.from_bytes(data[start + at : start + at + 2], "little") for at in (26, 28))
    start += 30 + name + extra
    data[start : start + 8] = b"\xff" * 8
    path.write_bytes(data)
