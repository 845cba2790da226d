"""The skin: parametric human bodies behind one interface. The default one ships and is rigged to marrow's skeleton.

Every body is a :class:`marrow.body.model.BodyModel`: ``rest(shape, expression, bones)``, ``pose(rest, pose,
translation)`` and a ``spec``. :func:`load_body` finds it by name or file.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

if TYPE_CHECKING:
    from marrow.body.anny import AnnyBody
    from marrow.body.body_models import PackageBody
    from marrow.body.default import DefaultBody, Rest
    from marrow.body.model import BodyModel, Spec
    from marrow.body.skel import SkelBody
    from marrow.body.smpl import SmplBody

__all__ = ["BodyModel", "DefaultBody", "Rest", "Spec", "load_body"]


@overload
def load_body(name: Literal["default"] = "default") -> DefaultBody: ...
@overload
def load_body(name: Literal["anny"]) -> AnnyBody: ...
@overload
def load_body(name: str | Path) -> DefaultBody | AnnyBody | SmplBody | SkelBody | PackageBody: ...


def load_body(name: str | Path = "default") -> DefaultBody | AnnyBody | SmplBody | SkelBody | PackageBody:
    """Load a body model; the same name gives the same object.

    Args:
        name: ``"default"``; ``"anny"`` (Anny through its own package, the extra ``anny``); the name of a model of yours
            (``marrow models``), or the path of a model file of SMPL's family or of SKEL; ``"body-models:NAME"``, such
            as ``"body-models:smplx-female"`` (a model of the package body-models, the extra of that name).
    Raises:
        InputError: no such name or file, or a file that cannot be used.
        AssetError: a package is missing.
    """
    return _load(str(name), _stamp(str(name)))


def _stamp(name: str) -> tuple[str, int] | None:
    """Which file stands behind a name, and since when; None for a body that needs none."""
    if name in ("default", "anny") or name.startswith("body-models:"):
        return None
    from marrow.body.shelf import models_dir

    for path in (models_dir() / f"{name}.json", Path(name).expanduser()):
        if path.is_file():
            return str(path.resolve()), path.stat().st_mtime_ns
    return None


@functools.lru_cache(maxsize=8)
def _load(name: str, stamp: tuple[str, int] | None) -> DefaultBody | AnnyBody | SmplBody | SkelBody | PackageBody:
    if name == "default":
        from marrow.body.default import DefaultBody

        return DefaultBody()
    if name == "anny":
        from marrow.body.anny import AnnyBody

        return AnnyBody()
    if name.startswith("body-models:"):
        from marrow.body.body_models import load_package_body

        return load_package_body(name.removeprefix("body-models:"))
    from marrow.body.shelf import find_model

    file = find_model(name)
    if file.family == "skel":
        from marrow.body.skel import SkelBody

        return SkelBody(file, Path(name).name)
    from marrow.body.smpl import SmplBody

    return SmplBody(file, Path(name).name)


def __getattr__(name: str):
    if name in ("DefaultBody", "Rest"):
        from marrow.body import default

        return getattr(default, name)
    if name in ("BodyModel", "Spec"):
        from marrow.body import model

        return getattr(model, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
