"""What a system file (``marrow/systems/<id>.py``) says about itself, and what its bench hands back.

A system is one paper's method, made of marrow's shared parts, with one claim that a measurement can refute.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from numpy.typing import ArrayLike

from marrow.errors import InputError

TIERS = ("quick", "full")

#: Number of seeds of each tier: quick takes exactly one, full at least three.
SEEDS = {"quick": 1, "full": 3}


@dataclass(frozen=True)
class Paper:
    """Where a method comes from.

    Attributes:
        title: of the paper.
        authors: "First Last" each.
        year: of publication.
        venue: journal or conference, abbreviated.
        arxiv: identifier such as ``2509.06607``.
        doi: without ``https://doi.org/``.
        url: where neither of both exists.
    """

    title: str
    authors: tuple[str, ...]
    year: int
    venue: str = ""
    arxiv: str = ""
    doi: str = ""
    url: str = ""


@dataclass(frozen=True)
class Claim:
    """One effect of the paper's idea, against the paper's own baseline at equal budget.

    Attributes:
        text: one sentence that numbers can refute.
        metric: name and unit of what is measured.
        better: whether lower or higher figures are better.
        from_abstract: only an abstract could be had and the rest was guessed; then nothing is called reproduced.
    """

    text: str
    metric: str
    better: Literal["lower", "higher"] = "lower"
    from_abstract: bool = False


@dataclass(frozen=True)
class System:
    """A system's entry, the last line of its file.

    Attributes:
        id: name of its file, lower case.
        paper: its source.
        tasks: what it is for, such as ``("lift",)``.
        verb: how a user reaches it, such as ``marrow capture VIDEO --lifter posekan``.
        claim: the effect that its bench measures.
        notes: patents and licences that touch it, one sentence each.
    """

    id: str
    paper: Paper
    tasks: tuple[str, ...]
    verb: str
    claim: Claim
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Paired:
    """What a bench measured: the same N observations with and without the idea.

    Attributes:
        with_: (N,) figures with the idea.
        without: (N,) figures of the same observations without it, at the same budget.
        clusters: (N,) label of the independent unit (person, clip) of each.
        seeds: of the runs.
        data: what it was measured on, one line.
        details: further figures, nested plain data.
    """

    with_: ArrayLike
    without: ArrayLike
    clusters: ArrayLike
    seeds: tuple[int, ...]
    data: str
    details: Mapping[str, Any] = field(default_factory=dict)


def check_id(text: str) -> str:
    """The id of a system, if it is one.

    Raises:
        InputError: not lower-case letters, digits and underscores, beginning with a letter.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", text):
        near = re.sub(r"[^a-z0-9_]+", "_", text.lower()).strip("_0123456789")
        hint = f", such as {near!r}" if near else ""
        raise InputError(f"{text!r} is no id; use lower-case letters, digits and underscores{hint}")
    return text
