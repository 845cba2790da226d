"""Tables of pandas in pickles, as dictionaries of columns: numbers, flags and plain objects; pandas is not imported.

A ``DataFrame`` has a manager of blocks: 2-D arrays whose rows are columns of the table, with the places of those
columns. Managers of pandas before 1.3 came as a state, later ones as arguments. The index is not kept. Columns of
pandas' own types (times, categories, the strings of pandas 3) are refused by their names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marrow.body._pickled import Global, Object, settled
from marrow.errors import InputError


@dataclass(frozen=True)
class _Blocks:
    """The contents of a table: its columns in order, and the number of rows."""

    columns: tuple[str, ...]
    values: tuple[NDArray, ...]


@dataclass(frozen=True)
class _Block:
    """A block: ``values`` (C, R) and the places (C,) of its columns in the table."""

    values: NDArray
    places: NDArray[np.int64]


def _refuse(source: str, what: str) -> InputError:
    return InputError(f"{source}: a table of pandas {what}; get the file again, or save the table anew with pandas 2")


def _frame(made: Global, args: tuple, source: str) -> Object:
    if args:
        raise _refuse(source, "with arguments that pandas does not write")
    return Object(made.name, _frame_state)


def _frame_state(state: Any, source: str) -> dict[str, NDArray]:
    blocks = settled(state.get("_mgr", state.get("_data"))) if isinstance(state, dict) else None
    if not isinstance(blocks, _Blocks):
        raise _refuse(source, "without its blocks")
    return dict(zip(blocks.columns, blocks.values, strict=True))


def _manager(made: Global, args: tuple, source: str) -> Any:
    if not args:
        return Object(made.name, _manager_state)
    blocks, axes = (settled(part) for part in (*args, None)[:2])
    return _put_together(blocks, axes, source)


def _manager_state(state: Any, source: str) -> _Blocks:
    """The state of a manager before pandas 1.3: its last part has axes and blocks by name."""
    latest = settled(state[-1]) if isinstance(state, tuple) and state else None
    held = settled(latest.get("0.14.1")) if isinstance(latest, dict) else None
    if not isinstance(held, dict) or not isinstance(held.get("blocks"), list):
        raise _refuse(source, "with a state that is not known")
    parts = [part for part in held["blocks"] if isinstance(part, dict)]
    blocks = [_block_of(settled(part.get("values")), settled(part.get("mgr_locs")), source) for part in parts]
    return _put_together(tuple(blocks), settled(held.get("axes")), source)


def _put_together(blocks: Any, axes: Any, source: str) -> _Blocks:
    if not isinstance(blocks, tuple | list) or not isinstance(axes, list | tuple) or len(axes) != 2:
        raise _refuse(source, "whose manager has no blocks or no two axes")
    names, rows = (settled(axis) for axis in axes)
    if not all(isinstance(axis, np.ndarray) and axis.ndim == 1 for axis in (names, rows)):
        raise _refuse(source, "whose axes are not lists of names")
    names = [name if isinstance(name, str) else str(name) for name in names.tolist()]
    values: dict[int, NDArray] = {}
    for block in (settled(block) for block in blocks):
        if not isinstance(block, _Block) or block.values.shape[1] != len(rows):
            raise _refuse(source, f"with a block that does not have its {len(rows)} rows")
        values |= dict(zip(block.places.tolist(), block.values, strict=True))
    if sorted(values) != list(range(len(names))) or len(set(names)) != len(names):
        raise _refuse(source, f"whose blocks do not hold each of its {len(names)} columns once")
    return _Blocks(tuple(names), tuple(values[place] for place in range(len(names))))


def _block(made: Global, args: tuple, source: str) -> _Block:
    values, places = (settled(part) for part in (*args, None, None)[:2])
    return _block_of(values, places, source)


def _block_of(values: Any, places: Any, source: str) -> _Block:
    if not isinstance(values, np.ndarray) or values.ndim != 2:
        raise _refuse(source, f"with a block that is no plain array, but {type(values).__name__}")
    if isinstance(places, slice):
        start, stop, step = places.start or 0, places.stop, places.step or 1
        if stop is None or start < 0 or len(range(start, stop, step)) != len(values):
            raise _refuse(source, "with a block whose columns are not counted right")
        places = np.arange(start, stop, step)
    if not isinstance(places, np.ndarray) or places.dtype.kind not in "iu" or places.shape != (len(values),):
        raise _refuse(source, "with a block whose columns are not named by their places")
    return _Block(values, places.astype(np.int64))


def _placement(made: Global, args: tuple, source: str) -> Any:
    return settled(args[0]) if len(args) == 1 else None


def _index(made: Global, args: tuple, source: str) -> NDArray:
    """``pandas.core.indexes.base._new_Index(class, {"data": …})``, or a range by its ends."""
    held = settled(args[1]) if len(args) == 2 else None
    if not isinstance(held, dict):
        raise _refuse(source, "with an index that is not known")
    data = settled(held.get("data"))
    if isinstance(data, np.ndarray) and data.ndim == 1:
        return data
    ends = [held.get(name) for name in ("start", "stop", "step")]
    if all(type(end) is int and abs(end) < 2**31 for end in ends) and ends[2] != 0:
        # its values are not used; a range is counted without being laid out
        return np.broadcast_to(np.int64(0), (len(range(*(int(end) for end in ends if end is not None))),))
    raise _refuse(source, "with an index that is not known")


def _index_class(made: Global, args: tuple, source: str) -> Any:
    raise _refuse(source, "with an index that is made in a way pandas does not write")


def _slice(made: Global, args: tuple, source: str) -> slice:
    if len(args) != 3 or not all(part is None or (type(part) is int and abs(part) < 2**31) for part in args):
        raise InputError(f"{source}: a slice whose ends are not whole numbers; get the file again")
    if args[2] == 0:
        raise InputError(f"{source}: a slice of step 0; get the file again")
    return slice(*args)


SLICE: Mapping[str, Callable[[Global, tuple, str], Any]] = {"slice": _slice}
BY_MODULE: Mapping[str, Mapping[str, Callable[[Global, tuple, str], Any]]] = {
    "__builtin__": SLICE,
    "builtins": SLICE,
    "pandas": dict.fromkeys(("Index", "RangeIndex"), _index_class) | {"DataFrame": _frame},
    "pandas.core.frame": {"DataFrame": _frame},
    "pandas.core.internals.managers": {"BlockManager": _manager},
    "pandas._libs.internals": {"_unpickle_block": _block, "BlockPlacement": _placement},
    "pandas.core.indexes.base": {"_new_Index": _index, "Index": _index_class},
    "pandas.core.indexes.range": {"RangeIndex": _index_class},
    "pandas.core.indexes.numeric": dict.fromkeys(("Int64Index", "UInt64Index", "Float64Index"), _index_class),
}
"""Module to name to what makes its object, as in :mod:`marrow.body._pickled`."""
