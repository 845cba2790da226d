"""Crowds for measuring: held-out pictures, who is found in them, and the tables of AGORA's protocol."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marrow.cache import cache_dir
from marrow.data.synth.making import VERSION, make_set
from marrow.data.synth.samples import Recipe
from marrow.data.synth.scenes import Choices
from marrow.data.synth.truth import TruePeople, read_truth
from marrow.io.images import read_image
from marrow.metrics.people import Scores, score_people
from marrow.progress import Progress, silent
from marrow.types import Float64

if TYPE_CHECKING:
    from marrow.recover.people import People

#: Bins of the share of a person that is hidden, percent, as in AGORA's curves.
HIDDEN = ((0, 10), (10, 40), (40, 90))
#: Somebody under this age is a child, years.
CHILD = 16.0
#: Halves of the picture by the distance from its middle, shares of half the diagonal.
_MIDDLE = 0.4


@dataclass(frozen=True, eq=False)
class Crowd:
    """K held-out pictures with their people, and the boxes (P, 4) of BlazePose."""

    images: list[NDArray[np.uint8]]
    truth: list[TruePeople]
    boxes: list[Float64]

    @property
    def hidden(self) -> list[Float64]:
        """(G,) by picture."""
        return [people.hidden for people in self.truth]


def held_out(split: str, seed: int, count: int, progress: Progress = silent) -> Crowd:
    """Pictures of the preset ``multi`` in motions that no training saw, made once and kept in the cache.

    Args:
        split: of the motions: ``"A"`` or ``"B"``.
        seed: of the set.
        count: pictures.
    """
    folder = cache_dir() / "synth" / f"crowd-{VERSION}-{split}-{seed}-{count}"
    make_set(Recipe("multi", seed, Choices(split=split), ()), folder, count, layout="folder", progress=progress)
    truth = list(read_truth(folder))
    images = [read_image(folder / people.file) for people in truth]
    kept = folder / ".found.json"
    if not kept.is_file():
        from marrow.detect import BlazePose

        detector = BlazePose()
        kept.write_text(json.dumps([[d.box.tolist() for d in detector.detect(image)] for image in images]))
    found = [np.array(rows, float).reshape(-1, 4) for rows in json.loads(kept.read_text())]
    return Crowd(images, truth, found)


def joined(crowds: Sequence[Crowd]) -> Crowd:
    """Several as one."""
    return Crowd(*([one for crowd in crowds for one in getattr(crowd, name)] for name in Crowd.__dataclass_fields__))


def read_crowd(model: Any, crowd: Crowd, boxes: Sequence[ArrayLike], size: int) -> list[People]:
    """What a model says of everybody in the boxes of each picture (:func:`marrow.recover.people.read_people`)."""
    from marrow.recover.people import read_people

    return [
        read_people(model, image, own, people.camera, size)
        for image, own, people in zip(crowd.images, boxes, crowd.truth, strict=True)
    ]


def scored(crowd: Crowd, said: Sequence[People], keep: Sequence[NDArray[np.bool_]] | None = None) -> Scores:
    """Scores of what was said, or of a part of it by picture."""
    rows = [np.ones(len(one.xy), bool) for one in said] if keep is None else keep
    return score_people(
        [(one.xy[at], one.joints[at], one.vertices[at]) for one, at in zip(said, rows, strict=True)],
        [(people.xy, people.joints, people.vertices) for people in crowd.truth],
        crowd.hidden,
    )[0]


def people_who_count(truth: Sequence[TruePeople], name: str) -> Float64:
    """(N,) an attribute of the people in the order of their scores."""
    from marrow.metrics.people import MOST_HIDDEN

    return np.concatenate([getattr(people, name)[people.hidden <= MOST_HIDDEN] for people in truth])


def groups(truth: Sequence[TruePeople]) -> dict[str, NDArray[np.bool_]]:
    """Of those who count, by name: how much is hidden, children and adults, in the middle of the picture or not."""
    hidden, age = 100 * people_who_count(truth, "hidden"), people_who_count(truth, "age")
    away = people_who_count(truth, "off_centre")
    bins = {f"{low}-{high} % hidden": (hidden >= low) & (hidden < high) for low, high in HIDDEN[:-1]}
    low, high = HIDDEN[-1]
    bins[f"{low}-{high} % hidden"] = hidden >= low
    return bins | {
        "children (under 16)": age < CHILD, "adults (16 and over)": age >= CHILD,
        "near the picture's middle": away < _MIDDLE, "far from it": away >= _MIDDLE,
    }  # fmt: skip


def summary(scores: Scores, times: int = 1) -> dict[str, float | None]:
    """AGORA's table, millimetres; None where nobody was found.

    Args:
        times: how often the same pictures are in the scores.
    """
    mve, mpjpe = scores.finding("mve"), scores.finding("mpjpe")
    out: dict[str, float | None] = {
        "MVE": _mm(mve.error), "MPJPE": _mm(mpjpe.error), "NMVE": _mm(mve.normalised), "NMJE": _mm(mpjpe.normalised),
        "F1": _share(mve.f1), "precision": _share(mve.precision), "recall": _share(mve.recall),
        "people": round(len(scores.found) / times), "found": mve.found / times, "false": mve.false / times,
    }  # fmt: skip
    return {name: value if value is None else round(value, 3) for name, value in out.items()}


def by_group(scores: Scores, which: Mapping[str, NDArray[np.bool_]], times: int = 1) -> dict[str, Any]:
    """How many of each group were found, and how far off (mm); false findings belong to no group."""
    out = {}
    for name, rows in which.items():
        rows = np.tile(rows, times)
        found = rows & scores.found
        out[name] = {
            "people": round(int(rows.sum()) / times), "recall": _share(found.sum() / max(rows.sum(), 1)),
            "MVE": _mm(scores.mve[found].mean()) if found.any() else None,
            "MPJPE": _mm(scores.mpjpe[found].mean()) if found.any() else None,
        }  # fmt: skip
    return out


def stacked(scores: Sequence[Scores]) -> Scores:
    """Scores of several runs on the same pictures as of so many more pictures."""
    first = np.cumsum([0, *(len(one.false) for one in scores)])
    return Scores(
        np.concatenate([one.picture + at for one, at in zip(scores, first[:-1], strict=True)]),
        *(np.concatenate([getattr(one, name) for one in scores]) for name in ("mve", "mpjpe", "found", "false")),
    )


def between(a: Scores, b: Scores, runs: int, *, resamples: int = 1000) -> dict[str, Any]:
    """``a - b`` of MVE and NMVE in millimetres, whole pictures (with all their runs) drawn again.

    Args:
        runs: how often the same pictures follow each other in both.
    """
    from marrow.metrics.people import sums

    count = len(a.false) // runs
    totals = [sums(one, "mve").reshape(runs, count, 4).sum(0) for one in (a, b)]
    rng = np.random.default_rng(0)
    draws = [np.arange(count), *rng.integers(0, count, (resamples, count))]
    found = {"MVE": np.zeros(len(draws)), "NMVE": np.zeros(len(draws))}
    for n, draw in enumerate(draws):
        for sign, own in zip((1, -1), totals, strict=True):
            hits, missed, false, total = own[draw].sum(0)
            error = total / hits
            found["MVE"][n] += sign * error
            found["NMVE"][n] += sign * error * (hits + 0.5 * (missed + false)) / hits
    out = {}
    for name, values in found.items():
        low, high = np.quantile(values[1:], [0.025, 0.975])
        out[name] = {"difference": _mm(values[0]), "ci95": [_mm(low), _mm(high)]}
    return out


def compared(
    crowd: Crowd, models: Mapping[str, Sequence[Any]], trivial: Any, size: int
) -> tuple[dict[str, list[Scores]], dict[str, Any]]:
    """Scores of two kinds of models in the true boxes, by kind and run, and all tables, in BlazePose's boxes too.

    Args:
        crowd: whom they look at.
        models: of two kinds, as many runs of each; the first is the one that should be better.
        trivial: a model that knows nothing of the picture.
        size: of their crops, pixels.
    """
    true_boxes = [people.boxes for people in crowd.truth]
    (first, second), runs = models, len(next(iter(models.values())))
    which = groups(crowd.truth)
    said = {kind: [read_crowd(model, crowd, true_boxes, size) for model in own] for kind, own in models.items()}
    scores = {kind: [scored(crowd, one) for one in own] for kind, own in said.items()}
    found = {
        kind: [scored(crowd, read_crowd(model, crowd, crowd.boxes, size)) for model in own]
        for kind, own in models.items()
    }
    every, detected = ({kind: stacked(own) for kind, own in by.items()} for by in (scores, found))
    details: dict[str, Any] = {}
    for name, by, boxes in (("true boxes", every, true_boxes), ("BlazePose's boxes", detected, crowd.boxes)):
        mean = summary(scored(crowd, read_crowd(trivial, crowd, boxes, size)))
        details[name] = {f"trained on {kind}": summary(own, runs) for kind, own in by.items()} | {"mean pose": mean}
        details[name][f"{first} against {second}"] = between(by[first], by[second], runs)
        details[f"groups, {name}"] = {kind: by_group(own, which, runs) for kind, own in by.items()}
    details["NMVE by run, mm"] = {kind: [_mm(one.finding().normalised) for one in own] for kind, own in scores.items()}
    details["who leaves out the hard ones"] = _choosy(crowd, said[first], every[first], detected[first])
    return scores, details


def _choosy(crowd: Crowd, runs: Sequence[Sequence[People]], every: Scores, detected: Scores) -> dict[str, Any]:
    """A model where somebody is left out, against itself on everybody: the smaller half, or whom BlazePose misses."""
    tall = [people.boxes[:, 3] - people.boxes[:, 1] for people in crowd.truth]
    keep = [own >= np.median(np.concatenate(tall)) for own in tall]
    some = stacked([scored(crowd, said, keep) for said in runs])
    return {
        name: summary(own, len(runs)) | {"against everybody": between(own, every, len(runs))}
        for name, own in (("only the taller half of the boxes", some), ("only whom BlazePose finds", detected))
    }


def _mm(metres: float) -> float | None:
    return round(1000 * float(metres), 2) if np.isfinite(metres) else None


def _share(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
