"""An upper arm that turns about one point, with the turns that a test asks for."""

from __future__ import annotations

from pathlib import Path

import osim_oracle as oracle
from osim_oracle import LINEAR, NOTHING, marker, saved

from marrow.skeleton.osim import Kinematics, read_osim

SHOULDER = ("0 0 1", "1 0 0", "0 1 0")
NAMES = ("flex", "add", "rot")
PLACES = ("0 -0.3 0.03", "0 -0.3 -0.03", "0.2 -0.32 0")


def shoulder(
    folder: Path,
    axes: tuple[str, ...] = SHOULDER,
    *,
    last: str = LINEAR,
    shift: str = NOTHING,
    ranges: tuple[str, ...] | None = None,
    extra: str = "",
) -> Kinematics:
    """An upper arm in the ground; ``last`` is the function of the third turn, ``extra`` goes into all coordinates."""
    functions = (LINEAR, LINEAR, last)
    turns = [oracle.axis(f"rotation{i + 1}", NAMES[i], axes[i], functions[i]) for i in range(3)]
    turns.append(oracle.axis("translation1", "" if shift == NOTHING else "flex", "1 0 0", shift))
    turns += [oracle.axis(f"translation{i}", "", d, NOTHING) for i, d in ((2, "0 1 0"), (3, "0 0 1"))]
    spatial = f"<SpatialTransform>{''.join(turns)}</SpatialTransform>"
    joint = oracle.joint("CustomJoint", "shoulder", "ground", "arm", NAMES, spatial, extra)
    markers = [marker(f"arm_{i}", "arm", at) for i, at in enumerate(PLACES)]
    text = oracle.document(["arm"], [joint], markers)
    for name, limits in zip(NAMES, ranges or (), strict=bool(ranges)):
        free = f'<Coordinate name="{name}"><range>-9 9</range><clamped>false</clamped>'
        assert free in text
        text = text.replace(free, f'<Coordinate name="{name}"><range>{limits}</range><clamped>true</clamped>')
    return Kinematics(read_osim(saved(folder, text)))
