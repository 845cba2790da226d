"""``.npz`` files as data; arrays of objects, which are pickles inside, are read without executing anything."""

from __future__ import annotations

import io
import zipfile
import zlib

import numpy as np
from numpy.typing import NDArray

from marrow.body._pickled import array_of
from marrow.body.unpickle import unpickle
from marrow.errors import InputError

#: Bytes that the members of one file may have together: eight times the largest model published.
_MAX_UNPACKED = 4 << 30


def read_npz(data: bytes, source: str) -> dict[str, NDArray]:
    """The arrays of an ``.npz`` file, name to array; arrays of objects go through :func:`unpickle`.

    Args:
        data: the whole file.
        source: its name, for messages.
    Raises:
        InputError: not an ``.npz`` file, a damaged one, or one that claims more than it holds.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            if not members or not all(member.filename.endswith(".npy") for member in members):
                raise InputError(f"{source}: a zip archive, but not of numpy arrays (.npz); PyTorch files are not read")
            if sum(member.file_size for member in members) > _MAX_UNPACKED:
                raise InputError(f"{source}: unpacks to more than {_MAX_UNPACKED >> 30} GiB; no model file does")
            return {
                member.filename.removesuffix(".npy"): _read_npy(archive.read(member), f"{source}, {member.filename}")
                for member in members
            }
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{source}: this .npz file is damaged or truncated ({error}); get it again") from error


def _read_npy(data: bytes, source: str) -> NDArray:
    """An array in numpy's ``.npy`` format."""
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"version {version}")
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(stream)
    except Exception as error:  # numpy parses the header as Python's source, which fails in many ways
        raise InputError(f"{source}: not an array in numpy's format ({error}); get the file again") from error
    if dtype.hasobject:
        value = unpickle(data[stream.tell() :], source)
        if not isinstance(value, np.ndarray) or value.shape != tuple(shape):
            raise InputError(f"{source}: the header speaks of an array {shape}, the pickle inside holds something else")
        return value
    return array_of(dtype, shape, fortran, data[stream.tell() :], source)
