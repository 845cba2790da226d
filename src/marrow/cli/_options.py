"""How an option of a verb is described."""

from __future__ import annotations

from typing import Any

import tyro


def option(help: str, metavar: str | None = None) -> Any:
    """Annotation of an argument of ``run``: its help, without tyro's "(default: None)" behind it."""
    return tyro.conf.arg(help=help, metavar=metavar, help_behavior_hint="")
