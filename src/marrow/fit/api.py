"""``fit`` and ``framewise``: evidence in, movements with their uncertainty out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from threadpoolctl import threadpool_limits

from marrow.body import DefaultBody, load_body
from marrow.errors import InputError
from marrow.fit import pipeline, sequence
from marrow.fit.evidence import Evidence, check, part
from marrow.fit.options import MOST_HYPOTHESES, FitOptions
from marrow.fit.pipeline import Progress
from marrow.fit.problem import prepare, repeats
from marrow.fit.result import FitResult, read_out
from marrow.fit.spans import padded, span_of
from marrow.types import Float64


def fit(
    people: Sequence[Evidence],
    time: Float64,
    *,
    body: DefaultBody | None = None,
    focal_known: bool = True,
    static_camera: bool = True,
    floor: bool = True,
    options: FitOptions | None = None,
    progress: Progress | None = None,
) -> FitResult:
    """Fit all people of a video at once.

    Args:
        people: evidence of each person, all over the same frames.
        time: (T,) increasing seconds.
        body: by default :func:`marrow.body.load_body`.
        focal_known: False fits one factor on the focal lengths, with a prior about the cameras given.
        static_camera: the camera does not move; else neither vertical nor floor are looked for.
        floor: look for the floor under the feet (needs views).
        progress: called with ("fit", done, total).

    Raises:
        InputError: no people, evidence whose shapes do not fit, or a number of hypotheses that is none.
    """
    options = options or FitOptions()
    if not 1 <= options.hypotheses <= MOST_HYPOTHESES:
        raise InputError(f"hypotheses: expected 1 to {MOST_HYPOTHESES}, got {options.hypotheses}")
    time = np.asarray(time, float)
    _check(people, time)
    body = body or load_body("default")
    feet = floor and static_camera and options.contact and len(time) >= 3
    repeated = repeats(people, time)
    setting = pipeline.setting_of(
        people,
        options,
        focal_known=focal_known,
        static=static_camera,
        floor=feet,
        repeats=repeated,
    )
    # People are solved in threads; BLAS threads of their own would fight over the same cores.
    with threadpool_limits(limits=1, user_api="blas"):
        if len(time) > options.window:
            return sequence.fit_long(
                people, time, body, setting, options, feet=feet, repeated=repeated, progress=progress
            )
        own = [span_of(e, len(time)) for e in people]
        prepared = [
            prepare(part(e, at), time[at], body, options, feet=feet, repeated=repeats([e], time))
            for e, at in zip(people, own, strict=True)
        ]
        found = read_out(prepared, pipeline.run(prepared, setting, options, progress))
    every = tuple(padded(p, at, time) for p, at in zip(found.people, own, strict=True))
    return replace(found, people=every)


def framewise(
    people: Sequence[Evidence],
    time: Float64,
    *,
    body: DefaultBody | None = None,
    focal_known: bool = True,
    options: FitOptions | None = None,
) -> list[FitResult]:
    """The same residuals, each frame alone: one result of one frame for every frame. The baseline of :func:`fit`."""
    time = np.asarray(time, float)
    _check(people, time)
    body = body or load_body("default")
    return [
        fit(
            [part(e, slice(t, t + 1)) for e in people],
            time[t : t + 1],
            body=body,
            focal_known=focal_known,
            floor=False,
            options=options,
        )
        for t in range(len(time))
    ]


def _check(people: Sequence[Evidence], time: Float64) -> None:
    if not people:
        raise InputError("fit: no people; expected at least one Evidence")
    if time.ndim != 1 or len(time) == 0 or not np.isfinite(time).all() or (np.diff(time) <= 0).any():
        raise InputError(f"fit: time must be (T,) finite increasing seconds, got shape {time.shape}")
    for evidence in people:
        check(evidence, len(time))
