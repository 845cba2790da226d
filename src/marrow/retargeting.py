"""A motion from one body onto another: marrow's own, and the user's of SMPL's family.

The surfaces are laid on each other once for each model (:mod:`marrow.fit.registration`); then every frame is fitted by
corresponding points (:mod:`marrow.fit.smpl`). Error figures and limits: ``docs/retargeting.md``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Protocol, overload

from marrow.body.smpl import SmplBody
from marrow.conversion import Converted, from_amass
from marrow.errors import InputError
from marrow.fit.smpl import Retargeted, model_of, smpl_body, to_smpl
from marrow.io.amass import SmplMotion
from marrow.progress import Progress
from marrow.types import Motion


class Moving(Protocol):
    """What has a motion of marrow's body: :class:`marrow.Person`, :class:`marrow.conversion.Converted`."""

    @property
    def name(self) -> str:
        """Used in files."""
        ...

    @property
    def motion(self) -> Motion:
        """Coordinates and shape."""
        ...


@overload
def retarget(
    motion: SmplMotion | Retargeted,
    to: Literal["default"],
    *,
    body: str | Path | SmplBody | None = None,
    progress: Progress | None = None,
) -> Converted: ...
@overload
def retarget(
    motion: Motion | Moving, to: str | Path | SmplBody, *, body: None = None, progress: Progress | None = None
) -> Retargeted: ...
@overload
def retarget(
    motion: SmplMotion | Retargeted,
    to: str | Path | SmplBody,
    *,
    body: str | Path | SmplBody | None = None,
    progress: Progress | None = None,
) -> Retargeted | Converted: ...
def retarget(
    motion: Motion | Moving | SmplMotion | Retargeted,
    to: str | Path | SmplBody,
    *,
    body: str | Path | SmplBody | None = None,
    progress: Progress | None = None,
) -> Retargeted | Converted:
    """The same movement on another body.

    Args:
        motion: of marrow's body (a Motion, a person of a capture, what ``convert`` gives), or of a body of SMPL's
            family in marrow's world (what this function gives, or a :class:`marrow.io.amass.SmplMotion`; AMASS *files*,
            whose world has Z up, are read by :func:`marrow.convert`).
        to: ``"default"`` for marrow's body; else the name of a model that you keep (``marrow models``), the path of a
            model file, or a loaded body of the families SMPL, SMPL-H and SMPL-X.
        body: the body that a motion of SMPL's family belongs to; by default the model it was made with, or the kept one
            of its family and gender.
        progress: called as ``progress(stage, done, total)``.

    Returns:
        of a body of SMPL's family: shape, poses and translation, which ``save("x.npz")`` writes as AMASS does; of
        marrow's: what :func:`marrow.convert` gives, which ``save`` writes in every format.

    Raises:
        InputError: no such model, one of a family without a body, or a motion that does not belong to it.
    """
    if isinstance(motion, SmplMotion | Retargeted):
        own, known = (motion, None) if isinstance(motion, SmplMotion) else (motion.motion, motion.model)
        converted = from_amass(own, smpl_body(body or known or model_of(own)), progress=progress)
        return converted if _is_default(to) else retarget(converted, to, progress=progress)
    if body is not None:
        raise InputError("body: says which body of SMPL's family a motion is of; this motion is of marrow's own")
    if not isinstance(motion, Motion) and not hasattr(motion, "motion"):
        raise InputError(
            f"motion: expected a Motion, a person or what marrow.convert gives, got {type(motion).__name__}; "
            "read a file first: marrow.convert(PATH)"
        )
    name, own = ("motion", motion) if isinstance(motion, Motion) else (motion.name, motion.motion)
    if _is_default(to):
        raise InputError("to: the motion is of marrow's body already; expected a body of SMPL's family")
    return to_smpl(own, smpl_body(to), name=name, progress=progress)


def _is_default(to: str | Path | SmplBody) -> bool:
    return not isinstance(to, SmplBody) and str(to) == "default"
