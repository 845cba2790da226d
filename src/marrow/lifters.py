"""Lifters by name: those that come with marrow, and those of the systems for the task ``lift``."""

from __future__ import annotations

import dataclasses
import hashlib
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from marrow.conventions import nearest_names
from marrow.errors import InputError

if TYPE_CHECKING:
    from marrow.lift.lifter import Lifter
    from marrow.systems import Entry

TASK = "lift"


def load_lifter(name: str, *, refine: str | None = None, weights: str | Path | None = None) -> Lifter:
    """A lifter with its weights, ready to be called.

    Args:
        name: ``"frame"``, ``"time"``, or the id of a system for the task ``lift`` whose file has
            ``lifter(model, config)``.
        refine: the id of a system whose file has ``refine(network, given)``, which betters what the network says at
            test time; such as ``"uao"``.
        weights: a file that ``marrow train NAME`` wrote (of frame and time: benchmarks/lifting.py), instead of the
            weights that come with marrow.

    Returns:
        :class:`marrow.lift.lifter.Lifter`: call it with keypoints, or hand it to ``marrow.capture(…, lifter=…)``.

    Raises:
        InputError: there is no such lifter or refinement, and the message names the nearest; ``weights`` is missing,
            damaged or of another lifter.
        AssetError: the weights that come with marrow are missing or damaged.
    """
    from marrow.lift.shipped import NETWORKS, load_shipped
    from marrow.train.seeds import chance_apart

    with chance_apart():
        if name in NETWORKS:
            lifter = load_shipped(name, weights)
        else:
            lifter = _loaded(_system(name, "lifter", "lifter", known_lifters()), weights)
    if weights is not None:
        known = hashlib.sha256(Path(weights).read_bytes()).hexdigest()[:8]
        lifter = dataclasses.replace(lifter, name=f"{name} with {Path(weights).name} (sha256 {known}…)")
    if refine is None:
        return lifter
    better = _system(refine, "refine", "refinement", _systems_with("refine")).module.refine
    if not hasattr(lifter, "refine"):
        raise InputError(
            f"the lifter {name!r} takes no refinement, it fits the picture by itself; leave {refine!r} out"
        )
    return dataclasses.replace(lifter, name=f"{lifter.name}, refined by {refine}", refine=better)


def known_lifters() -> tuple[str, ...]:
    """Names that :func:`load_lifter` takes."""
    from marrow.lift.shipped import NETWORKS

    return (*NETWORKS, *_systems_with("lifter"))


def _loaded(entry: Entry, weights: str | Path | None) -> Lifter:
    """The lifter of a system with the weights that come along, or with others."""
    from marrow.lift.shipped import coming_along

    if not entry.learns:
        if weights is not None:
            raise InputError(f"the lifter {entry.system.id!r} learns nothing; leave weights={str(weights)!r} out")
        config = entry.module.Config()
        return entry.module.lifter(entry.module.build(config), config)
    path = entry.weights if weights is None else Path(weights)
    with coming_along(entry.system.id, path) if weights is None else nullcontext():
        config = entry.config_of(path)
        model = entry.load(path, config)
    if hasattr(model, "requires_grad_"):  # a model may be no network
        model.requires_grad_(False)
    return entry.module.lifter(model, config)


def _systems_with(function: str) -> tuple[str, ...]:
    """Ids of the systems for lifting whose file has the function."""
    from marrow.systems import discover

    entries = discover().entries
    return tuple(i for i, e in entries.items() if TASK in e.system.tasks and hasattr(e.module, function))


def _system(name: str, function: str, what: str, known: tuple[str, ...]) -> Entry:
    """A system whose file has the function."""
    from marrow.systems import discover, find

    if name in known:
        return find(name)
    if name in discover().broken:
        find(name)  # raises, and tells what is wrong with it
    near = nearest_names(name, known)
    told = f"; nearest: {', '.join(near)}" if near else f", nor any other {what}, in this installation"
    raise InputError(f"there is no {what} {name!r}{told}")


__all__ = ["known_lifters", "load_lifter"]
