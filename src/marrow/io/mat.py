"""MATLAB files of version 5 to 7: numeric arrays and cells of them, checked against the bytes the file has.

Format (MathWorks, "MAT-File Format"): 128 bytes of header, then data elements: a tag with type and size, and the data,
padded to 8 bytes; up to 4 bytes stand in the tag itself. A matrix is an element of elements: flags, dimensions, name,
then its numbers, or a matrix for each cell. Version 7 compresses whole variables with zlib. scipy's reader trusts the
file and can end the process on a damaged one; structures, text, objects and sparse matrices are not read here.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from marrow.errors import InputError
from marrow.io.columns import read_content

_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_CELL, _FIRST_NUMERIC, _LAST_NUMERIC = 1, 6, 15
_CLASSES = {2: "a structure", 3: "an object", 4: "text", 5: "a sparse matrix", 16: "a function", 17: "an opaque object"}
_COMPLEX, _LOGICAL = 8, 2
_DEPTH = 8  # cells in cells
_MAX_UNPACKED = 4 << 30


def read_mat(path: str | Path, *names: str) -> dict[str, NDArray]:
    """Variables of a file: numbers as arrays of at least two axes, cells as arrays of objects; what is not there, not.

    Args:
        names: the variables wanted; none: all that are numbers or cells.

    Raises:
        InputError: missing or damaged, another version, or a variable wanted that is neither numbers nor cells.
    """
    path = Path(path)
    data = read_content(path)
    if len(data) < 128 or data[126:128] not in (b"IM", b"MI"):
        raise InputError(f"{path}: not a MATLAB file of version 5 to 7 (or one without its header); get it again")
    order = "<" if data[126:128] == b"IM" else ">"
    if struct.unpack(order + "H", data[124:126])[0] >> 8 != 1:
        raise InputError(f"{path}: a MATLAB file of version 7.3 (HDF5) or unknown; expected one of version 5 to 7")
    return _File(path, order).variables(data[128:], names)


class _File:
    """Reads elements of one file; every size is held against what is there."""

    def __init__(self, path: Path, order: str) -> None:
        self.path, self.order = path, order

    def variables(self, data: bytes, names: tuple[str, ...]) -> dict[str, NDArray]:
        found: dict[str, NDArray] = {}
        for kind, content in self.elements(data, padded=False):
            if kind == _COMPRESSED:
                inner = list(self.elements(self.unpacked(content)))
                kind, content = inner[0] if len(inner) == 1 else (0, b"")
            if kind != _MATRIX:
                raise self.damaged(f"a variable is of the type {kind}")
            name, value = self.matrix(content, names, 0)
            if value is not None:
                found[name] = value
        return found

    def unpacked(self, content: bytes) -> bytes:
        try:
            stream = zlib.decompressobj()
            data = stream.decompress(content, _MAX_UNPACKED)
        except zlib.error as error:
            raise self.damaged(str(error)) from error
        if not stream.eof:
            raise self.damaged("a compressed variable does not end")
        return data

    def elements(self, data: bytes, *, padded: bool = True) -> Iterator[tuple[int, bytes]]:
        """Type and content of each element; those of a file itself are not padded where they are compressed."""
        place = 0
        while place < len(data):
            if len(data) - place < 8:
                raise self.damaged("an element without its tag")
            kind, count = struct.unpack_from(self.order + "II", data, place)
            if kind >> 16:
                kind, count, place, end = kind & 0xFFFF, kind >> 16, place + 4, place + 8
                if count > 4:
                    raise self.damaged(f"an element of {count} bytes in a tag")
            else:
                place += 8
                end = place + count + (-count % 8 if padded or kind != _COMPRESSED else 0)
                if place + count > len(data):
                    raise self.damaged(f"an element of {count} bytes, of which {len(data) - place} are there")
            yield kind, data[place : place + count]
            place = end

    def matrix(self, content: bytes, names: tuple[str, ...], depth: int) -> tuple[str, NDArray | None]:
        """Name and value of a matrix; no value where it is not wanted, or cannot be read and was not asked for."""
        parts = self.elements(content)
        if not content:
            return "", np.zeros((0, 0))  # an empty cell may have no content at all
        try:
            flags, shape, name = (next(parts) for _ in range(3))
        except StopIteration:
            raise self.damaged("a matrix without flags, shape or name") from None
        if len(flags[1]) < 4 or shape[0] != 5 or len(shape[1]) % 4:
            raise self.damaged("a matrix whose flags or shape are not numbers")
        word = struct.unpack_from(self.order + "I", flags[1])[0]
        kind, marks = word & 0xFF, word >> 8 & 0xFF
        sizes = tuple(np.frombuffer(shape[1], self.order + "i4").tolist())
        text = name[1].decode("latin-1")
        if min(sizes, default=-1) < 0 or not 2 <= len(sizes) <= 32:
            raise self.damaged(f"{text!r} has the shape {sizes}")
        if names and not depth and text not in names:
            return text, None
        if kind == _CELL:
            return text, self.cells(list(parts), sizes, text, depth)
        if not _FIRST_NUMERIC <= kind <= _LAST_NUMERIC:
            if text in names or depth:
                told = _CLASSES.get(kind, f"of the class {kind}")
                raise InputError(f"{self.path}: '{text}': expected numbers or cells of them, got {told}")
            return text, None
        return text, self.numbers(list(parts), sizes, text, marks)

    def cells(self, parts: list[tuple[int, bytes]], sizes: tuple[int, ...], name: str, depth: int) -> NDArray:
        if depth >= _DEPTH or len(parts) != math.prod(sizes) or any(kind != _MATRIX for kind, _ in parts):
            raise self.damaged(f"the cells {name!r} of the shape {sizes} have {len(parts)} parts")
        held = np.empty(len(parts), object)
        for place, (_, content) in enumerate(parts):
            held[place] = self.matrix(content, (), depth + 1)[1]
        return held.reshape(sizes, order="F")

    def numbers(self, parts: list[tuple[int, bytes]], sizes: tuple[int, ...], name: str, marks: int) -> NDArray:
        if marks & _COMPLEX or len(parts) != 1:
            raise self.damaged(f"{name!r} has {len(parts)} parts of numbers; expected one, of real numbers")
        kind, content = parts[0]
        if kind not in _NUMBERS:
            raise self.damaged(f"{name!r} has numbers of the type {kind}")
        dtype = np.dtype(self.order + _NUMBERS[kind])
        if len(content) != math.prod(sizes) * dtype.itemsize:
            raise self.damaged(f"{name!r} of the shape {sizes} has {len(content)} bytes of {dtype}")
        values = np.frombuffer(content, dtype).reshape(sizes, order="F")
        return values.astype(bool) if marks & _LOGICAL else values.astype(dtype.newbyteorder("="))

    def damaged(self, why: str) -> InputError:
        return InputError(f"{self.path}: this MATLAB file is damaged or truncated ({why}); get it again")
