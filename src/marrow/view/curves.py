"""Joint angles over time with their 95 % bands, as a matplotlib figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from marrow.conventions import nearest_names
from marrow.errors import InputError
from marrow.types import Float64

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Panels drawn by default; each shows the right and the left side, or one curve of the trunk.
PANELS = (
    "hip_flexion",
    "hip_adduction",
    "knee_angle",
    "ankle_angle",
    "lumbar_extension",
    "arm_flex",
    "elbow_flex",
    "pelvis_tilt",
)
_COLOURS = {"r": "#d55e00", "l": "#0072b2", "": "#333333"}
_WORDS = {"r": "right", "l": "left", "": ""}


def plot_angles(
    time: Float64,
    angles: Mapping[str, Float64],
    sd: Mapping[str, Float64] | None = None,
    *,
    names: Sequence[str] | None = None,
    title: str = "",
) -> Figure:
    """Draw curves of coordinates, right and left of one kind in one panel.

    Args:
        time: (T,) seconds.
        angles: coordinate name to (T,) degrees; NaN where absent.
        sd: coordinate name to (T,) standard deviation, degrees; drawn as a band of 1.96 of it on either side.
        names: coordinates, with or without ``_r``/``_l``; by default :data:`PANELS`.

    Raises:
        InputError: an unknown name.
    """
    from matplotlib.figure import Figure

    panels = [(name, _sides(name, angles)) for name in (names or PANELS)]
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(5.5 * columns, 2.2 * rows), layout="constrained")
    for n, (name, sides) in enumerate(panels):
        axes = figure.add_subplot(rows, columns, n + 1)
        for side, full in sides.items():
            axes.plot(time, angles[full], color=_COLOURS[side], linewidth=1.3, label=_WORDS[side])
            if sd and full in sd:
                low, high = angles[full] - 1.96 * sd[full], angles[full] + 1.96 * sd[full]
                axes.fill_between(time, low, high, color=_COLOURS[side], alpha=0.18, linewidth=0)
        axes.set_title(name, fontsize=10)
        axes.set_ylabel("°")
        axes.margins(x=0)
        axes.grid(alpha=0.25)
        if len(sides) > 1:
            axes.legend(fontsize=8, frameon=False, loc="upper right")
        if n >= len(panels) - columns:
            axes.set_xlabel("time (s)")
    if title:
        figure.suptitle(f"{title} (bands: 95 %)" if sd else title, fontsize=11)
    return figure


def _sides(name: str, angles: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Side to full coordinate name."""
    if name in angles:
        return {name[-1] if name.endswith(("_r", "_l")) else "": name}
    found = {side: f"{name}_{side}" for side in "rl" if f"{name}_{side}" in angles}
    if not found:
        raise InputError(f"no coordinate {name!r}; did you mean {', '.join(nearest_names(name, angles))}?")
    return found
