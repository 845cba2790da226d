"""What the names in a pickle stand for: each builds its value from the bytes in the file, nothing is imported for it.

A value is plain data, a :class:`Global` (a known name) or an :class:`Object` that waits for its state.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from marrow.errors import InputError

if TYPE_CHECKING:
    import scipy.sparse

_DTYPE = re.compile(r"[<>|=]?(?:[iu][1248]|f[248]|c(?:8|16)|b1|\?|[SUa]\d{1,6}|O[48]?)")
_SPARSE = re.compile(r"scipy\.sparse(?:\._?(?:csc|csr|coo))? (csc|csr|coo)_(?:matrix|array)")
_CHUMPY = re.compile(r"chumpy(\.\w+)* \w+")


@dataclass(frozen=True)
class Unreadable:
    """A value that is not plain data, where that may not matter: ``name`` of its class, ``why`` it has no value."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Global:
    """A name in the file that is known, and what makes its object from arguments; nothing was imported."""

    name: str
    make: Callable[[Global, tuple, str], Any]


@dataclass(slots=True, eq=False)
class Object:
    """An object that waits for its state, and its value once that came."""

    name: str
    take: Callable[[Any, str], Any]
    value: Any = None
    done: bool = False


def settled(value: Any) -> Any:
    """A finished object's value; everything else as it is."""
    return value.value if isinstance(value, Object) and value.done else value


def finished(value: Any) -> Any:
    """The same, where what never got its state has no value."""
    value = settled(value)
    return Unreadable(value.name, "it has no state") if isinstance(value, Object | Global) else value


def array_of(dtype: Any, shape: Any, fortran: Any, data: Any, source: str) -> NDArray:
    """An array of the bytes (or, for objects, the list) that the file has, which must be as many as its shape says."""
    if not isinstance(dtype, np.dtype):
        raise InputError(f"{source}: an array without a type; get the file again")
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape) or len(shape) > 32:
        raise InputError(f"{source}: an array whose shape is not a tuple of counts; get the file again")
    count, order = math.prod(shape), "F" if fortran else "C"
    if dtype.hasobject:
        if dtype.kind != "O" or type(data) is not list or len(data) != count:
            raise InputError(f"{source}: an array of objects {shape} that does not hold {count} of them")
        objects = np.empty(count, object)
        for place, value in enumerate(data):
            objects[place] = settled(value)
        return objects.reshape(shape, order=order)
    data = data.encode("latin-1") if isinstance(data, str) else data
    if dtype.kind not in "biufcSU" or dtype.itemsize == 0:
        raise InputError(f"{source}: an array of type {dtype}; numbers and strings are read")
    if not isinstance(data, bytes | bytearray) or len(data) != count * dtype.itemsize:
        has = f"{len(data)} bytes" if isinstance(data, bytes | bytearray) else "no bytes"
        raise InputError(
            f"{source}: an array {shape} of {dtype} takes {count * dtype.itemsize} bytes, the file has {has}"
        )
    if dtype.kind == "U" and (np.frombuffer(data, np.dtype("u4").newbyteorder(dtype.byteorder)) > sys.maxunicode).any():
        raise InputError(f"{source}: an array of text whose bytes are no characters; get the file again")
    return np.frombuffer(data, dtype).reshape(shape, order=order)


def _reconstruct(made: Global, args: tuple, source: str) -> Object:
    """``numpy.core.multiarray._reconstruct(ndarray, shape, typecode)``: an array that gets all else as state."""
    if not args or not isinstance(args[0], Global) or args[0].make is not _ndarray:
        raise InputError(f"{source}: {made.name} was asked for something other than a numpy array; not a model file")
    return Object("numpy.ndarray", _array_state)


def _array_state(state: Any, source: str) -> NDArray:
    if not isinstance(state, tuple) or len(state) not in (4, 5):
        raise InputError(f"{source}: a numpy array with a state that numpy does not write; get the file again")
    shape, dtype, fortran, data = (settled(part) for part in state[-4:])
    return array_of(dtype, shape, fortran, data, source)


def _ndarray(made: Global, args: tuple, source: str) -> Any:
    raise InputError(f"{source}: {made.name} called with arguments; numpy does not write that. Not a model file")


def _dtype(made: Global, args: tuple, source: str) -> Object:
    """``numpy.dtype('f8', …)``; numbers, strings and objects by their code, nothing with fields."""
    code = args[0] if args else None
    code = code.decode("latin-1") if isinstance(code, bytes) else code
    if not isinstance(code, str) or not _DTYPE.fullmatch(code):
        told = repr(code[:40]) if isinstance(code, str) else type(code).__name__
        raise InputError(f"{source}: an array of the type {told}; numbers, strings and objects are read")
    code = code.replace("a", "S")
    plain = np.dtype(object) if code.lstrip("<>|=").startswith("O") else np.dtype(code)

    def state(state: Any, source: str) -> np.dtype:
        if not isinstance(state, tuple) or len(state) < 5 or any(part is not None for part in state[2:5]):
            raise InputError(f"{source}: an array with named fields; plain arrays are read")
        order = state[1].decode("latin-1") if isinstance(state[1], bytes) else state[1]
        if order not in ("<", ">", "|", "="):
            raise InputError(f"{source}: an array of the byte order {type(order).__name__}; get the file again")
        # '|' of a string or a byte leaves nothing to order
        return plain if order == "|" else plain.newbyteorder(order)

    return Object("numpy.dtype", state, plain, done=True)


def _scalar(made: Global, args: tuple, source: str) -> Any:
    dtype, data = (settled(part) for part in (*args, None, None)[:2])
    if isinstance(dtype, np.dtype) and dtype.hasobject:
        raise InputError(f"{source}: {made.name} of an object; numbers and strings are read")
    return array_of(dtype, (), False, data, source)[()]


def _frombuffer(made: Global, args: tuple, source: str) -> NDArray:
    """``numpy.core.numeric._frombuffer(bytes, dtype, shape, order)``, of protocol 5."""
    data, dtype, shape, order = (settled(part) for part in args)
    if order not in ("C", "F"):
        raise InputError(f"{source}: {made.name} with the order {type(order).__name__}; get the file again")
    return array_of(dtype, shape, order == "F", data, source)


def _encode(made: Global, args: tuple, source: str) -> bytes:
    """``_codecs.encode(text, 'latin1')``: how Python 3 writes bytes for Python 2."""
    if len(args) != 2 or not isinstance(args[0], str) or args[1] not in ("latin1", "latin-1"):
        raise InputError(f"{source}: {made.name} for something other than bytes; not a model file")
    return args[0].encode("latin-1")


def _reconstructor(made: Global, args: tuple, source: str) -> Any:
    """``copy_reg._reconstructor(cls, object, None)``: a new object of a class, in protocols 0 and 1."""
    if len(args) != 3 or not isinstance(args[0], Global) or args[2] is not None:
        raise InputError(f"{source}: {made.name} for something other than an empty object; not a model file")
    return args[0].make(args[0], (), source)


def _bare_object(made: Global, args: tuple, source: str) -> Unreadable:
    return Unreadable("object", "it holds nothing")


def _sparse(made: Global, args: tuple, source: str) -> Object:
    if args:
        raise InputError(f"{source}: {made.name} with arguments; scipy does not write that. Not a model file")
    kind = made.name.rsplit(" ", 1)[-1][:3]
    return Object(made.name, lambda state, source: _sparse_state(kind, state, source))


def _sparse_state(kind: str, state: Any, source: str) -> scipy.sparse.sparray:
    """A matrix built by us of its arrays, whose indices are checked first: scipy's kernels do not check them."""
    from scipy import sparse

    def want(true: bool, what: str) -> None:
        if not true:
            raise InputError(f"{source}: a sparse matrix ({kind}) whose {what}; get the file again")

    want(isinstance(state, dict), "state is not scipy's")
    shape = settled(state.get("_shape", state.get("shape")))
    want(isinstance(shape, tuple) and len(shape) == 2, "shape is missing")
    shape = tuple(int(n) for n in shape if isinstance(n, int | np.integer))
    want(len(shape) == 2 and all(0 <= n < 2**31 for n in shape), "shape is not two counts")
    data = settled(state.get("data"))
    want(_vector(data, "biufc"), "values are missing")
    if kind == "coo":
        coords = settled(state.get("coords", (state.get("row"), state.get("col"))))
        want(isinstance(coords, tuple) and len(coords) == 2, "indices are missing")
        coords = tuple(settled(axis) for axis in coords)
        for axis, length in zip(coords, shape, strict=True):
            want(_vector(axis, "iu", len(data)) and _within(axis, length), "indices do not fit its shape")
        return sparse.coo_array((data, coords), shape=shape)
    indices, indptr = settled(state.get("indices")), settled(state.get("indptr"))
    major, minor = shape if kind == "csr" else shape[::-1]
    want(_vector(indices, "iu", len(data)) and _within(indices, minor), "indices do not fit its shape")
    want(_vector(indptr, "iu", major + 1), "row starts do not fit its shape")
    starts = indptr.astype(np.int64)
    want(starts[0] == 0 and starts[-1] == len(data) and bool((np.diff(starts) >= 0).all()), "row starts do not ascend")
    make = sparse.csr_array if kind == "csr" else sparse.csc_array
    return make((data, indices, indptr), shape=shape)


def _vector(array: Any, kinds: str, length: int | None = None) -> bool:
    fits = isinstance(array, np.ndarray) and array.ndim == 1 and array.dtype.kind in kinds
    return fits and (length is None or len(array) == length)


def _within(indices: NDArray, length: int) -> bool:
    return len(indices) == 0 or (int(indices.min()) >= 0 and int(indices.max()) < length)


def _chumpy(made: Global, args: tuple, source: str) -> Object:
    return Object(made.name, lambda state, source: _chumpy_state(made.name, state))


def _chumpy_state(name: str, state: Any) -> Any:
    """The array that a chumpy object holds: ``x`` of an array, the chosen entries of a selection."""
    if not isinstance(state, dict):
        return Unreadable(name, "its state is not one of chumpy's")
    x, a, chosen = (settled(state.get(key)) for key in ("x", "a", "idxs"))
    if name.endswith(" Ch") and isinstance(x, np.ndarray | np.number | float | int):
        return np.asarray(x)
    if name.endswith(" Select") and isinstance(a, np.ndarray) and _vector(chosen, "iu") and _within(chosen, a.size):
        shape = settled(state.get("preferred_shape"))
        picked = a.reshape(-1)[chosen]
        fits = isinstance(shape, tuple) and all(type(n) is int for n in shape) and math.prod(shape) == picked.size
        return picked.reshape(shape) if fits else picked
    return Unreadable(name, "it is a chumpy expression and not an array; save the file again with its value")


def _plain_bytes(made: Global, args: tuple, source: str) -> bytes:
    if not args:
        return b""
    if isinstance(args[0], bytes | bytearray):
        return bytes(args[0])
    return _encode(made, (args[0], args[1] if len(args) > 1 else None), source)


def _plain_set(made: Global, args: tuple, source: str) -> set | frozenset:
    values = [plain_key(value, source) for value in (args[0] if args else ()) if isinstance(args[0], list | tuple)]
    return frozenset(values) if made.name.endswith("frozenset") else set(values)


def _plain_dict(made: Global, args: tuple, source: str) -> dict:
    return {plain_key(key, source): settled(value) for key, value in (args[0] if args else ())}


def _plain_complex(made: Global, args: tuple, source: str) -> complex:
    real, imaginary = (float(part) for part in args if isinstance(part, int | float))
    return complex(real, imaginary)


_Make = Callable[[Global, tuple, str], Any]
_BUILTINS: Mapping[str, _Make] = {
    "object": _bare_object,
    "bytes": _plain_bytes,
    "bytearray": _plain_bytes,
    "set": _plain_set,
    "frozenset": _plain_set,
    "complex": _plain_complex,
}
_BY_MODULE: Mapping[str, Mapping[str, _Make]] = {
    "numpy": {"ndarray": _ndarray, "dtype": _dtype},
    "numpy.core.multiarray": {"_reconstruct": _reconstruct, "scalar": _scalar},
    "numpy._core.multiarray": {"_reconstruct": _reconstruct, "scalar": _scalar},
    "numpy.core.numeric": {"_frombuffer": _frombuffer},
    "numpy._core.numeric": {"_frombuffer": _frombuffer},
    "_codecs": {"encode": _encode},
    "copy_reg": {"_reconstructor": _reconstructor},
    "copyreg": {"_reconstructor": _reconstructor},
    "collections": {"OrderedDict": _plain_dict},
    "__builtin__": _BUILTINS,
    "builtins": _BUILTINS,
}


def named(module: Any, name: Any, source: str) -> Global:
    """The global of that name, if it is one of plain data."""
    if not isinstance(module, str) or not isinstance(name, str):
        raise InputError(f"{source}: a global whose name is not text; this is not a model file")
    full = f"{module} {name}"
    make = _BY_MODULE.get(module, {}).get(name)
    if make is None and module.split(".")[0] in ("pandas", "builtins", "__builtin__"):
        from marrow.body._pickled_frames import BY_MODULE  # which builds on this module

        make = BY_MODULE.get(module, {}).get(name)
    if make is None and _SPARSE.fullmatch(full):
        make = _sparse
    if make is None and _CHUMPY.fullmatch(full):
        make = _chumpy
    if make is None:
        shown = f"{module}.{name}"[:120]
        raise InputError(
            f"{source}: this pickle asks for {shown!r}, which is not an array or plain data. It was not executed. "
            "Files of models and datasets need nothing of the kind; get yours again from where it is published"
        )
    return Global(full, make)


def plain_key(value: Any, source: str) -> Any:
    """A key of a dictionary: plain, since hashing a tower of tuples would exhaust the stack of the interpreter."""
    if value is None or isinstance(value, str | bytes | int | float):
        return value
    raise InputError(f"{source}: a dictionary with a key of type {type(value).__name__}; not a model file")
