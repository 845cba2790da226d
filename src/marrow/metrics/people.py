"""Several people in one picture: who was found, how well, and errors that count those who were missed.

The protocol of AGORA (P. Patel and others, "AGORA: Avatars in Geography Optimized for Regression Analysis", CVPR 2021):
predictions are matched to the true people in the picture's plane; the mean error of the matched alone rewards a method
that leaves out whom it finds hard, so it is divided by the F1 score of finding them (NMVE, NMJE).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marrow.errors import InputError
from marrow.geometry.boxes import box_iou
from marrow.types import Float64

#: Boxes of joints that overlap less than this do not match (intersection over union).
LEAST_IOU = 0.1
#: A person of whom more than this share is hidden does not count, found or not.
MOST_HIDDEN = 0.9


@dataclass(frozen=True)
class Matches:
    """Who is who in one picture with P predictions and G people.

    Attributes:
        pairs: (M, 2) prediction and person, of people who count.
        missed: people who count and were not found.
        false: predictions of nobody.
        ignored: predictions of people who do not count.
    """

    pairs: NDArray[np.intp]
    missed: NDArray[np.intp]
    false: NDArray[np.intp]
    ignored: NDArray[np.intp]


@dataclass(frozen=True)
class Finding:
    """How well people were found, and the mean error with and without counting the missed.

    Attributes:
        found, missed, false: numbers of people.
        precision, recall, f1: shares of 1; NaN where there is nothing to divide by.
        error: mean over the found, in the unit of what went in.
        normalised: ``error / f1`` (AGORA's NMVE or NMJE); infinite where nobody was found.
    """

    found: int
    missed: int
    false: int
    precision: float
    recall: float
    f1: float
    error: float
    normalised: float


def match_people(predicted: ArrayLike, truth: ArrayLike, hidden: ArrayLike | None = None) -> Matches:
    """Match by the mean distance of joints in the picture, nearest pairs first.

    Args:
        predicted: (P, J, 2) pixels.
        truth: (G, J, 2) pixels; joints that are NaN in a person are left out of their distances and box.
        hidden: (G,) share of each person that is hidden; those above :data:`MOST_HIDDEN` do not count.
    Raises:
        InputError: shapes that do not agree, or a person without a single joint.
    """
    p, g = np.asarray(predicted, float), np.asarray(truth, float)
    if p.ndim != 3 or g.ndim != 3 or p.shape[1:] != g.shape[1:] or p.shape[2] != 2:
        raise InputError(
            f"match_people: expected joints (P, J, 2) and (G, J, 2) of one joint set, got {p.shape} and {g.shape}"
        )
    given = np.asarray(np.isfinite(g).all(-1))
    if not given.any(1).all():
        raise InputError(f"match_people: person {int((~given.any(1)).argmax())} has no joint; leave them out")
    if not np.isfinite(p).all():
        raise InputError("match_people: predicted joints must be finite")
    share = np.zeros(len(g)) if hidden is None else np.asarray(hidden, float)
    if share.shape != (len(g),):
        raise InputError(f"match_people: expected hidden ({len(g)},), got {share.shape}")
    distance = np.full((len(p), len(g)), np.inf)
    for k in range(len(g)):
        distance[:, k] = np.linalg.norm(p[:, given[k]] - g[k, given[k]], axis=-1).mean(-1)
        overlap = box_iou(_boxes(g[None, k, given[k]])[0], _boxes(p[:, given[k]]))
        distance[overlap < LEAST_IOU, k] = np.inf
    pairs: list[tuple[int, int]] = []
    for flat in np.argsort(distance, axis=None, kind="stable"):
        i, k = np.unravel_index(flat, distance.shape)
        if np.isfinite(distance[i, k]):  # neither too far apart nor taken meanwhile
            pairs.append((int(i), int(k)))
            distance[i, :], distance[:, k] = np.inf, np.inf
    return _sorted_out(pairs, len(p), share <= MOST_HIDDEN)


def finding(matches: Sequence[Matches], errors: ArrayLike) -> Finding:
    """Over many pictures: how well people were found, and the errors of those found.

    Args:
        matches: of each picture.
        errors: (N,) of all pairs, in their order.
    """
    e = np.asarray(errors, float)
    found = sum(len(m.pairs) for m in matches)
    if e.shape != (found,):
        raise InputError(f"finding: expected {found} errors, one for each pair, got {e.shape}")
    missed, false = sum(len(m.missed) for m in matches), sum(len(m.false) for m in matches)
    return _finding(found, missed, false, float(e.sum()))


@dataclass(frozen=True, eq=False)
class Scores:
    """N people who count, in K pictures, and how each was found.

    Attributes:
        picture: (N,) number of the picture each is in.
        mve: (N,) mean distance of the skin's vertices, pelvises laid on each other, metres; NaN of the missed (and of
            all where no vertices were predicted).
        mpjpe: (N,) the same of the joints.
        found: (N,) bool.
        false: (K,) predictions of nobody, by picture.
    """

    picture: NDArray[np.intp]
    mve: Float64
    mpjpe: Float64
    found: NDArray[np.bool_]
    false: NDArray[np.intp]

    def finding(self, of: str = "mve") -> Finding:
        """Of everybody, by AGORA's protocol; F1 is not rounded, as AGORA's own is."""
        return _finding(*(float(total) for total in sums(self, of).sum(0)))

    def pictures(self, which: ArrayLike) -> Scores:
        """Some pictures in a new order; the same one may come several times."""
        chosen = np.asarray(which, np.intp)
        rows = [np.flatnonzero(self.picture == k) for k in chosen]
        at = np.concatenate([*rows, np.zeros(0, np.intp)])
        number = np.repeat(np.arange(len(chosen)), [len(own) for own in rows])
        return Scores(number, self.mve[at], self.mpjpe[at], self.found[at], self.false[chosen])

    def pseudo_values(self, of: str = "mve") -> Float64:
        """(K,) what each picture adds to the normalised error: K pairs of pictures can then be compared as such.

        The normalised error is one number of all pictures together, a mean divided by a score. Its jackknife
        pseudo-values (J. W. Tukey 1958) are ``K e - (K - 1) e_k`` with the error ``e_k`` of all pictures but the k-th;
        their mean is the normalised error, corrected for the little bias of dividing.

        Raises:
            InputError: fewer than 2 pictures, or all that were found are in one of them.
        """
        own = sums(self, of)
        count = len(own)
        if int(np.count_nonzero(own[:, 0])) < 2:
            raise InputError("pseudo_values: expected people who were found in at least 2 pictures")
        e = np.array([_finding(*row).normalised for row in own.sum(0) - own])
        return count * _finding(*own.sum(0)).normalised - (count - 1) * e


def score_people(
    predicted: Sequence[tuple[ArrayLike, ArrayLike, ArrayLike | None]],
    truth: Sequence[tuple[ArrayLike, ArrayLike, ArrayLike]],
    hidden: Sequence[ArrayLike],
) -> tuple[Scores, list[NDArray[np.intp]]]:
    """Score predictions of K pictures.

    Args:
        predicted: of each picture joints (P, J, 2) pixels, joints (P, J, 3) and vertices (P, V, 3) metres or None;
            joint 0 is the pelvis.
        truth: the same of its G people.
        hidden: (G,) as in :func:`match_people`.
    Returns:
        Scores; and by picture the numbers of the people who count, in the scores' order.
    """
    counted, rows, false = [], [], []
    for k, ((xy, joints, skin), (true_xy, true_joints, true_skin), share) in enumerate(
        zip(predicted, truth, hidden, strict=True)
    ):
        matches = match_people(xy, true_xy, share)
        who = np.sort(np.concatenate([matches.pairs[:, 1], matches.missed]))
        counted.append(who)
        false.append(len(matches.false))
        by_person = {int(person): int(row) for row, person in matches.pairs}
        for person in who:
            row = by_person.get(int(person))
            if row is None:
                rows.append((k, np.nan, np.nan, False))
                continue
            p, g = np.asarray(joints, float)[row], np.asarray(true_joints, float)[person]
            joint = np.linalg.norm((p - p[0]) - (g - g[0]), axis=-1).mean()
            vertex = np.nan
            if skin is not None:
                apart = (np.asarray(skin)[row] - p[0]) - (np.asarray(true_skin)[person] - g[0])
                vertex = np.linalg.norm(apart, axis=-1).mean()
            rows.append((k, vertex, joint, True))
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    scores = Scores(
        np.array(columns[0], np.intp), np.array(columns[1], float), np.array(columns[2], float),
        np.array(columns[3], bool), np.array(false, np.intp),
    )  # fmt: skip
    return scores, counted


def sums(scores: Scores, of: str = "mve") -> Float64:
    """(K, 4) found, missed, false and the sum of the errors, by picture."""
    total = np.where(scores.found, getattr(scores, of), 0.0)
    out = np.zeros((len(scores.false), 4))
    for column, values in ((0, scores.found), (1, ~scores.found), (3, total)):
        np.add.at(out[:, column], scores.picture, values)
    out[:, 2] = scores.false
    return out


def _finding(found: float, missed: float, false: float, total: float) -> Finding:
    nan = float("nan")
    f1 = found / (found + 0.5 * (missed + false)) if found + missed + false else nan
    error = total / found if found else nan
    return Finding(
        int(found), int(missed), int(false), found / (found + false) if found + false else nan,
        found / (found + missed) if found + missed else nan, f1, error, error / f1 if found else float("inf"),
    )  # fmt: skip


def _sorted_out(pairs: Sequence[tuple[int, int]], predictions: int, counts: NDArray[np.bool_]) -> Matches:
    every = np.array(pairs, np.intp).reshape(-1, 2)
    good = counts[every[:, 1]] if len(every) else np.zeros(0, bool)
    found = np.isin(np.arange(len(counts)), every[:, 1])
    return Matches(
        every[good],
        np.flatnonzero(counts & ~found),
        np.setdiff1d(np.arange(predictions), every[:, 0]),
        every[~good, 0],
    )


def _boxes(joints: Float64) -> Float64:
    """(N, 4) ``x0 y0 x1 y1`` around joints (N, J, 2)."""
    return np.concatenate([joints.min(1), joints.max(1)], axis=1)
