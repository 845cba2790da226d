"""A small model to fit to markers, and recordings of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import osim_oracle as oracle
from osim_oracle import coordinate, document, marker, saved

from marrow.skeleton.osim import Kinematics, read_osim

#: A trunk that floats, a leg with hip, a knee whose axis slides, a coupled patella, an ankle; markers on all but it.
BODIES = ("pelvis", "thigh", "shank", "patella", "foot")
ROOT = tuple(f"pelvis_{n}" for n in ("rx", "ry", "rz", "tx", "ty", "tz"))


def leg(*, knee: str = "", hip: str = "", ground_marker: bool = False) -> str:
    """The document; ``knee`` and ``hip`` go into those coordinates."""

    def plain(kind: str, name: str, parent: str, child: str, at: str, coordinates: list[str], inside: str = "") -> str:
        frames = oracle.offset("in_parent", f"/{parent}", at) + oracle.offset("in_child", f"/bodyset/{child}")
        return (
            f'<{kind} name="{name}"><socket_parent_frame>in_parent</socket_parent_frame>'
            f"<socket_child_frame>in_child</socket_child_frame><coordinates>{''.join(coordinates)}</coordinates>"
            f"<frames>{frames}</frames>{inside}</{kind}>"
        )

    spline = '<SimmSpline name="function"><x>-2 -1 0 0.5</x><y>-0.02 -0.005 0.004 0.01</y></SimmSpline>'
    nothing = [oracle.axis(f"rotation{i}", "", d, oracle.NOTHING) for i, d in ((2, "0 1 0"), (3, "1 0 0"))]
    slide = oracle.axis("translation1", "knee", "1 0 0", spline) + oracle.axis(
        "translation2", "", "0 1 0", oracle.NOTHING
    )
    last = oracle.axis("translation3", "", "0 0 1", oracle.NOTHING)
    turn = oracle.axis("rotation1", "knee", "0 0 1", oracle.LINEAR)
    spatial = f"<SpatialTransform>{turn}{''.join(nothing)}{slide}{last}</SpatialTransform>"
    hips = [coordinate(n, hip if n == "hip_flexion" else "") for n in ("hip_flexion", "hip_adduction", "hip_rotation")]
    joints = [
        plain("FreeJoint", "floating", "ground", "pelvis", "0 0 0", [coordinate(n) for n in ROOT]),
        plain("GimbalJoint", "hip", "bodyset/pelvis", "thigh", "-0.05 -0.08 0.09", hips),
        plain("CustomJoint", "knee", "bodyset/thigh", "shank", "0 -0.4 0", [coordinate("knee", knee)], spatial),
        plain("PinJoint", "patella", "bodyset/thigh", "patella", "0.04 -0.4 0", [coordinate("patella_angle")]),
        plain("PinJoint", "ankle", "bodyset/shank", "foot", "0 -0.42 0", [coordinate("ankle")]),
    ]
    places = {
        "pelvis": ("0.1 0 0.12", "0.1 0 -0.12", "-0.15 0.02 0", "-0.1 0.1 0.1"),
        "thigh": ("0.06 -0.2 0.02", "-0.05 -0.15 0.05", "0 -0.39 0.06"),
        "shank": ("0.05 -0.1 0.01", "-0.04 -0.2 0.04", "0 -0.41 0.05"),
        "patella": ("0.02 0 0.01",),
        "foot": ("0.15 -0.05 0.02", "-0.06 -0.04 0", "0.1 -0.03 -0.05"),
    }
    markers = [marker(f"{body}_{i}", body, at) for body, all_of in places.items() for i, at in enumerate(all_of)]
    text = document(BODIES, joints, markers)
    coupler = (
        '<ConstraintSet><objects><CoordinateCouplerConstraint name="c"><coupled_coordinates_function>'
        "<SimmSpline><x>-2 -1 0 1</x><y>-1.2 -0.7 0 0.6</y></SimmSpline></coupled_coordinates_function>"
        "<independent_coordinate_names>knee</independent_coordinate_names>"
        "<dependent_coordinate_name>patella_angle</dependent_coordinate_name></CoordinateCouplerConstraint></objects>"
        "</ConstraintSet>"
    )
    if ground_marker:
        still = (
            '<Marker name="still"><socket_parent_frame>/ground</socket_parent_frame><location>1 0 0</location></Marker>'
        )
        text = text.replace("<MarkerSet><objects>", f"<MarkerSet><objects>{still}")
    return text.replace("</Model>", f"{coupler}</Model>")


def motion(body: Kinematics, frames: int, seed: int = 0) -> np.ndarray:
    """A smooth motion (T, D)."""
    rng = np.random.default_rng(seed)
    phase, size = rng.uniform(0, 6, len(body.coordinates)), rng.uniform(0.1, 0.5, len(body.coordinates))
    time = np.arange(frames)[:, None] / 50
    q = size * np.sin(2 * time + phase)
    q[:, body.index("knee")] -= 0.6
    return body.couple(q)


def recording(body: Kinematics, q: np.ndarray, noise: float, gaps: float, seed: int = 1) -> np.ndarray:
    """Markers (T, M, 3) with noise and gaps."""
    rng = np.random.default_rng(seed)
    xyz = body.marker_positions(q) + noise * rng.normal(size=(len(q), len(body.markers), 3))
    xyz[rng.random(xyz.shape[:2]) < gaps] = np.nan
    return xyz


def the_leg(folder: Path, **options: object) -> Kinematics:
    return Kinematics(read_osim(saved(folder, leg(**options))))  # pyright: ignore[reportArgumentType]
