"""The coordinate tasks of a set-up file as values per frame."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from marrow.errors import InputError
from marrow.skeleton.osim.ik import CoordinateTask
from marrow.skeleton.osim.kinematics import Kinematics
from marrow.skeleton.osim.tasks import IkSetup
from marrow.types import Float64


def coordinate_tasks(
    body: Kinematics,
    setup: IkSetup,
    time: ArrayLike,
    table: tuple[Float64, Mapping[str, Float64]] | None = None,
) -> tuple[CoordinateTask, ...]:
    """Tasks with their values at the frames' times.

    Args:
        time: (T,) seconds.
        table: times (N,) and columns (N,) by coordinate name, radians and metres, for tasks ``from_file``; between its
            rows a spline of degree 5, as in OpenSim.

    Raises:
        InputError: an unknown coordinate, or values that the table lacks.
    """
    time = np.asarray(time, float)
    tasks = []
    for aim in setup.coordinates:
        try:
            d = body.index(aim.coordinate)
        except InputError as fault:
            raise InputError(f"{setup.file}: IKCoordinateTask: {fault}") from None
        if aim.source == "manual_value":
            values = np.array(aim.value)
        elif aim.source == "default_value":
            values = np.array(body.model.coordinates[d].default)
        elif table is None or aim.coordinate not in table[1]:
            known = "no coordinate file is given" if table is None else "the coordinate file lacks it"
            raise InputError(f"{setup.file}: the task {aim.coordinate!r} takes its value from a file, but {known}")
        else:
            values = at_times(time, table[0], table[1][aim.coordinate])
        tasks.append(CoordinateTask(aim.coordinate, aim.weight, values))
    return tuple(tasks)


def at_times(time: Float64, known: Float64, values: Float64) -> Float64:
    """(T,) values at other times, by a spline through (N,) known ones; held beyond the ends."""
    if len(known) == len(time) and np.abs(known - time).max() < 1e-9:
        return values
    from scipy.interpolate import make_interp_spline

    degree = min(5, len(known) - 1)
    degree -= 1 - degree % 2 if degree else 0
    return make_interp_spline(known, values, k=degree)(np.clip(time, known[0], known[-1]))
