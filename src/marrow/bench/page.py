"""The page of a system in the documentation, and its citation: generated, never written by hand."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from marrow.bench.parts import Part
from marrow.bench.result import BenchResult
from marrow.bench.runner import effect_text, status
from marrow.bench.system import Paper, System

_PACKAGE = Path(__file__).parents[1]


def page(system: System, doc: str, config: type, parts: Sequence[Part], result: BenchResult | None) -> str:
    """Markdown: what the method is, how to run it, what was measured here, what it is made of, how to cite it.

    Args:
        system: the entry.
        doc: docstring of its file.
        config: its ``Config`` dataclass.
        parts: what its file imports.
        result: the committed result, or None.
    """
    lines = [f"# {system.id}", "", f"{_cited(system.paper)}", "", inspect.cleandoc(doc), ""]
    lines += ["## Use", "", f"    {system.verb}", "", f"Tasks: {', '.join(system.tasks)}.", ""]
    lines += ["## Measured here", "", f"Claim: {system.claim.text}", ""]
    lines += [f"**{status(system, result).capitalize()}.**", ""]
    if result is not None:
        lines += [*_measured(result), ""]
    lines += ["## Settings", "", "| name | default |", "|---|---|"]
    lines += [f"| `{name}` | `{default!r}` |" for name, default in settings(config)]
    lines += ["", "## Made of", ""]
    lines += [f"* `{part.name}` ({_place(part)})" for part in parts]
    if system.notes:
        lines += ["", "## Patents and licences", "", *(f"* {note}" for note in system.notes)]
    lines += ["", "## Cite", "", "```bibtex", bibtex(system.id, system.paper), "```", ""]
    return "\n".join(lines)


def idea_of(doc: str) -> str:
    """The idea in a few words: the docstring's first, up to the paper."""
    return " ".join(inspect.cleandoc(doc).partition("\n\n")[0].split()).partition(" (")[0].rstrip(".")


def _measured(result: BenchResult) -> list[str]:
    facts = [
        ("with the idea", f"{result.with_:.4g}"),
        ("without it", f"{result.without:.4g}"),
        ("difference", effect_text(result)),
        ("verdict", result.verdict),
        ("independent units, seeds", f"{result.n}, {len(result.seeds)}"),
        ("data", result.data),
        ("time", f"{result.seconds:.3g} s on {result.machine}"),
        ("again", f"`{result.command}` (commit {result.commit})"),
    ]
    head = [f"| {result.metric} | {result.tier} tier |", "|---|---|"]
    return [*head, *(f"| {name} | {_cell(value)} |" for name, value in facts)]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def settings(config: type) -> list[tuple[str, Any]]:
    """Name and default of every field of a ``Config``."""
    return [(field.name, getattr(config(), field.name)) for field in fields(config)]


def _place(part: Part) -> str:
    """File and line as seen from the source tree; the line is left out, since it would change with every edit."""
    try:
        return part.path.relative_to(_PACKAGE.parents[1]).as_posix()
    except ValueError:
        return part.path.name


def _cited(paper: Paper) -> str:
    authors = paper.authors[0] if len(paper.authors) == 1 else f"{paper.authors[0]} and others"
    if len(paper.authors) == 2:
        authors = " and ".join(paper.authors)
    where = f", {paper.venue}" if paper.venue else ""
    return f"{authors}: *{paper.title}*{where}, {paper.year}. {_link(paper)}".rstrip()


def _link(paper: Paper) -> str:
    if paper.doi:
        return f"https://doi.org/{paper.doi}"
    return f"https://arxiv.org/abs/{paper.arxiv}" if paper.arxiv else paper.url


def bibtex(key: str, paper: Paper) -> str:
    """A BibTeX entry."""
    facts = {
        "title": f"{{{paper.title}}}",
        "author": " and ".join(paper.authors),
        "year": str(paper.year),
        "journal": paper.venue or (f"arXiv:{paper.arxiv}" if paper.arxiv else ""),
        "eprint": paper.arxiv,
        "doi": paper.doi,
        "url": _link(paper),
    }
    inside = ",\n".join(f"  {name} = {{{value}}}" for name, value in facts.items() if value)
    return f"@article{{{key}{paper.year},\n{inside}\n}}"
