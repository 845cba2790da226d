"""Lifters by name: those that come with marrow, and those of the systems for the task ``lift``."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from marrow.conventions import nearest_names
from marrow.errors import InputError

if TYPE_CHECKING:
    from marrow.lift.lifter import Lifter

TASK = "lift"


def load_lifter(name: str, *, refine: str | None = None) -> Lifter:
    """A lifter with its weights, ready to be called.

    Args:
        name: ``"frame"``, ``"time"``, or the id of a system for the task ``lift`` whose file has ``lifter()``.
        refine: the id of a system whose file has ``refine(network, given)``, which betters what the network says at
            test time; such as ``"uao"``.

    Returns:
        :class:`marrow.lift.lifter.Lifter`: call it with keypoints, or hand it to ``marrow.capture(…, lifter=…)``.

    Raises:
        InputError: there is no such lifter or refinement; the message names the nearest.
        AssetError: its weights are missing or damaged.
    """
    from marrow.lift.shipped import SHIPPED

    if name in SHIPPED:
        lifter = SHIPPED[name]()
    else:
        make = _of_system(name, "lifter", "lifter", (*SHIPPED, *_systems_with("lifter")))
        from marrow.train.seeds import chance_apart

        with chance_apart():
            lifter = make()
    if refine is None:
        return lifter
    better = _of_system(refine, "refine", "refinement", _systems_with("refine"))
    if not hasattr(lifter, "refine"):
        raise InputError(
            f"the lifter {name!r} takes no refinement, it fits the picture by itself; leave {refine!r} out"
        )
    return dataclasses.replace(lifter, name=f"{lifter.name}, refined by {refine}", refine=better)


def known_lifters() -> tuple[str, ...]:
    """Names that :func:`load_lifter` takes."""
    from marrow.lift.shipped import SHIPPED

    return (*SHIPPED, *_systems_with("lifter"))


def _systems_with(function: str) -> tuple[str, ...]:
    """Ids of the systems for lifting whose file has the function."""
    from marrow.systems import discover

    entries = discover().entries
    return tuple(i for i, e in entries.items() if TASK in e.system.tasks and hasattr(e.module, function))


def _of_system(name: str, function: str, what: str, known: tuple[str, ...]) -> Any:
    """A function of a system's file."""
    from marrow.systems import discover, find

    if name in known:
        return getattr(find(name).module, function)
    if name in discover().broken:
        find(name)  # raises, and tells what is wrong with it
    near = nearest_names(name, known)
    told = f"; nearest: {', '.join(near)}" if near else f", nor any other {what}, in this installation"
    raise InputError(f"there is no {what} {name!r}{told}")


__all__ = ["known_lifters", "load_lifter"]
