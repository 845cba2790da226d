"""The values of a model file by key, taken out with their shape and kind checked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marrow.body._pickled import Unreadable
from marrow.errors import InputError

#: Numbers in a matrix that is made dense; a sparse one of few bytes may claim any shape.
_MAX_DENSE = 100_000_000


class NamedArrays:
    """The values of a file by key, with errors that name the key, the shape that came and the one that is wanted."""

    def __init__(self, values: Mapping[str, Any], source: str) -> None:
        self.values, self.source = values, source

    def fail(self, key: str, what: str) -> InputError:
        return InputError(f"{self.source}: {key!r} {what}")

    def has(self, key: str) -> bool:
        return self.values.get(key) is not None

    def array(self, key: str, shape: Sequence[int | str], kinds: str = "fiub") -> NDArray:
        """Dense numbers of that shape; a name in it stands for any length. Values that are not finite are refused."""
        value: Any = self.values.get(key)
        if isinstance(value, Unreadable):
            raise self.fail(key, f"is a {value.name.replace(' ', '.')} that cannot be read: {value.why}")
        if hasattr(value, "toarray"):
            self.check_shape(key, value.shape, shape)  # before it is made dense
            if math.prod(value.shape) > _MAX_DENSE:
                raise self.fail(key, f"must be a matrix of a body; got the shape {_told(value.shape)}")
            value = value.toarray()
        if isinstance(value, list | tuple):
            value = _of_list(value)
        if not isinstance(value, np.ndarray) or value.dtype.kind not in kinds:
            got = f"an array of {value.dtype}" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"
            wanted = "whole numbers" if "f" not in kinds else "numbers"
            raise self.fail(key, f"must be an array {_told(shape)} of {wanted}; got {got}")
        self.check_shape(key, value.shape, shape)
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            raise self.fail(
                key, f"has {np.count_nonzero(~np.isfinite(value))} values that are not finite; get it again"
            )
        return value

    def whole(self, key: str, shape: Sequence[int | str]) -> NDArray[np.int64]:
        """Whole numbers; floats without a fraction are taken too, as some converters write them."""
        value = self.array(key, shape)
        if value.dtype.kind == "f" and not (np.abs(value) < 2**53).all():
            raise self.fail(key, "must be whole numbers; got larger ones than a float can count")
        out = value.astype(np.int64)
        if (out != value).any():
            raise self.fail(key, "must be whole numbers; got fractions")
        return out

    def check_shape(self, key: str, got: tuple[int, ...], wanted: Sequence[int | str]) -> None:
        fits = len(got) == len(wanted) and all(isinstance(w, str) or g == w for g, w in zip(got, wanted, strict=True))
        if not fits:
            raise self.fail(key, f"must have the shape {_told(wanted)}; got {_told(got)}")

    def text(self, key: str) -> str:
        value = self.values.get(key)
        value = value[()] if isinstance(value, np.ndarray) and value.shape == () else value
        value = value.decode("latin-1") if isinstance(value, bytes) else value
        return str(value) if isinstance(value, str | float | int) else ""

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.values.get(key)
        parts = value.reshape(-1).tolist() if isinstance(value, np.ndarray) else value
        parts = [part.decode("latin-1") if isinstance(part, bytes) else part for part in parts or ()]
        return tuple(part for part in parts if isinstance(part, str))


def _told(shape: Sequence[int | str]) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def _of_list(value: Sequence[Any]) -> Any:
    """An array of a list of numbers, or of lists of as many each; else None."""
    flat = [part for row in value for part in (row if isinstance(row, list | tuple) else (row,))]
    if not all(isinstance(part, int | float | np.number) for part in flat):
        return None
    try:
        return np.array(value)
    except (ValueError, OverflowError):
        return None
