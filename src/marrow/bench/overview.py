"""One page and one picture of what was measured of all systems: generated, never written by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from marrow.bench.page import idea_of
from marrow.bench.result import BenchResult
from marrow.bench.runner import effect_text, status
from marrow.bench.system import System

_KEY = "marrow-effects"  # of the picture's text, by which a picture of other results is found
_COLOURS = {"better": "#2a6fbb", "cannot tell": "#8a8a8a", "worse": "#c8541a"}


@dataclass(frozen=True)
class Measured:
    """A system with the first words of its file and its committed result."""

    system: System
    doc: str
    result: BenchResult | None


def overview(measured: Sequence[Measured], picture: str) -> str:
    """Markdown: a table of all systems with effect, interval and verdict.

    Args:
        measured: all systems.
        picture: the file of :func:`draw_effects`, as the page names it.
    """
    full = [m.result for m in measured if m.result is not None and m.result.tier == "full"]
    found = sum(result.verdict == "better" for result in full)
    seconds = sum(result.seconds for result in full)
    lines = [
        "# What was measured of the systems",
        "",
        f"{len(measured)} systems, {len(full)} measured, the claimed effect found in {found}. Each figure is the mean",
        "paired difference with and without the paper's idea on the same data, seeds and budget, with its 95 %",
        "interval over whole people or clips; the gain is the same in per cent of the figure without the idea, above 0",
        "where the idea is better. [systems.md](../systems.md) tells what a verdict means. Measuring all",
        f"of them again (`marrow bench all --tier full`) took {_time(seconds)} on the machines that their pages name;",
        "`make bench` runs one seed of each.",
        "",
        f"![Relative effect of each system's idea with its interval]({picture})",
        "",
        "| system | idea | effect | gain | of | status | full tier |",
        "|---|---|---|---|---|---|---|",
    ]
    gains = {row["id"]: "{:+.1f} % ({:+.1f} to {:+.1f})".format(*row["gain"]) for row in effects(measured)}
    for m in measured:
        told = status(m.system, m.result).partition(";")[0]
        facts = ["", "", "", told, ""]
        if m.result is not None:
            gain = gains.get(m.system.id, "")
            facts = [effect_text(m.result), gain, m.result.metric, told, _time(m.result.seconds)]
        cells = [f"[{m.system.id}]({m.system.id}.md)", idea_of(m.doc), *facts]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join([*lines, ""])


def effects(measured: Sequence[Measured]) -> list[dict[str, Any]]:
    """What the picture shows: of each system the improvement and its interval, % of the figure without the idea."""
    out = []
    for m in measured:
        r = m.result
        if r is None or r.tier != "full" or r.without == 0:
            continue
        sign = (-1 if m.system.claim.better == "lower" else 1) * 100 / abs(r.without)
        low, high = sorted(sign * end for end in r.ci95)
        gain = [round(value, 3) for value in (sign * r.difference, low, high)]
        out.append({"id": m.system.id, "gain": gain, "verdict": r.verdict})
    return out


def draw_effects(measured: Sequence[Measured], path: Path) -> None:
    """Draw the improvements as points with their intervals (PNG).

    Raises:
        OutputError: it cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from marrow.io.files import write_atomically

    rows = effects(measured)
    figure = Figure(figsize=(7, 1.1 + 0.24 * max(len(rows), 1)), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for at, row in enumerate(rows):
        gain, low, high = row["gain"]  # type: ignore[misc]
        colour = _COLOURS[str(row["verdict"])]
        axes.plot([low, high], [at, at], color=colour, lw=2, solid_capstyle="butt")
        axes.plot([gain], [at], "o", color=colour, ms=5)
    axes.axvline(0, color="black", lw=0.8)
    axes.set_yticks(range(len(rows)), [str(row["id"]) for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel("improvement by the idea, % of the figure without it (95 % interval)")
    for name, colour in _COLOURS.items():
        axes.plot([], [], "o-", color=colour, ms=5, lw=2, label=name)
    axes.legend(frameon=False, fontsize=8, ncols=3, loc="lower right", bbox_to_anchor=(1, 1))
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.grid(axis="x", lw=0.3)
    with write_atomically(path) as file:
        figure.savefig(file, format="png", metadata={_KEY: json.dumps(rows), "Software": None})


def effects_drawn(path: Path) -> list[dict[str, object]]:
    """What :func:`draw_effects` drew in a picture; nothing, if it is not one of its."""
    from PIL import Image

    with Image.open(path) as picture:
        return json.loads(picture.info.get(_KEY, "[]"))


def _time(seconds: float) -> str:
    return (
        f"{seconds:.0f} s"
        if seconds < 100
        else f"{seconds / 60:.0f} min"
        if seconds < 6000
        else f"{seconds / 3600:.1f} h"
    )
