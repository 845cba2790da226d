"""Whether a recording looks as its reader believes its set to be: upright, in front of its cameras, where it is seen.

Most formats are read from descriptions and not from real files; a wrong axis or unit shows here at once.
"""

from __future__ import annotations

import warnings

import numpy as np

from marrow.data.samples import Recording, Subject, View
from marrow.geometry.rotations import exp
from marrow.types import Float64

#: Mean cosine between trunk and up below which people are not upright.
_UPRIGHT = 0.3
#: Median distance of projected points to the 2-D points of the same names, as a share of the person's size.
_APART = 0.2
_SIZES = (0.3, 3.0)  # metres from the lowest to the highest point of a person, in the median
_TOPS, _BOTTOMS = ("left_shoulder", "right_shoulder"), ("left_hip", "right_hip")


def doubts(recording: Recording) -> tuple[str, ...]:
    """Remarks on axes, units and cameras that do not look right; empty where all does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # means of nothing are NaN, which raises no doubt
        return (*_upright(recording), *_sizes(recording), *_cameras(recording))


def _upright(recording: Recording) -> list[str]:
    found = [up for person in recording.people if (up := _trunk(person, recording.R_world_source)) is not None]
    mean = np.nanmean(np.concatenate(found), 0)[1] if found else np.nan
    if not mean < _UPRIGHT:
        return []
    return [
        f"people are not upright (mean cosine of the trunk to +Y: {mean:.2f}): they lie, or this copy has other axes "
        "than its reader believes; up='y', 'z' or '-y' says which is up"
    ]


def _trunk(person: Subject, R_world_source: Float64) -> Float64 | None:
    """(N, 3) unit directions of the trunk in the frames that count."""
    if person.points is not None and set(_TOPS + _BOTTOMS) <= set(person.points.names):
        place = person.points.names.index
        top, bottom = (person.points.xyz[:, [place(name) for name in names]].mean(1) for names in (_TOPS, _BOTTOMS))
        along = (top - bottom)[person.valid]
        return along / np.linalg.norm(along, axis=-1, keepdims=True)
    if person.body is not None:
        return (exp(person.body.poses[person.valid, 0]) @ [0.0, 1.0, 0.0]) @ R_world_source.T
    return None


def _sizes(recording: Recording) -> list[str]:
    # the points of a moving person at one time
    spans = [np.nanmedian(np.ptp(p.points.xyz, axis=1).max(-1)) for p in recording.people if p.points is not None]
    spans = [span for span in spans if np.isfinite(span)]
    if not spans or _SIZES[0] < np.median(spans) < _SIZES[1]:
        return []
    return [f"people extend over {np.median(spans):.3g} m: this copy may have another unit than its reader believes"]


def _cameras(recording: Recording) -> list[str]:
    remarks = []
    for place, view in enumerate(recording.views):
        if view.camera is None or not view.placed:
            continue
        apart = [d for person in recording.people if np.isfinite(d := _apart(person, view, place))]
        if apart and np.median(apart) > _APART:
            remarks.append(
                f"camera {view.name}: 3-D points project {np.median(apart):.2g} times the person's size beside the 2-D "
                "points: this copy may have other axes, units or cameras than its reader believes"
            )
        ahead = [_ahead(person, view) for person in recording.people if person.points is not None]
        if ahead and np.nanmean(ahead) < 0.5:
            remarks.append(f"camera {view.name}: most points lie behind it, so its place may be read wrongly")
    return remarks


def _apart(person: Subject, view: View, place: int) -> float:
    seen = person.keypoints[place] if person.keypoints else None
    if person.points is None or seen is None:
        return np.nan
    wanted = [(a, b) for a, name in enumerate(person.points.names) for b in _same(name, seen.joint_set)]
    if not wanted:
        return np.nan
    a, b = (list(part) for part in zip(*wanted, strict=True))
    there = np.where(person.valid[:, None, None], view.project(person.points.xyz[:, a]), np.nan)
    distance = np.linalg.norm(there - seen.xy[:, b], axis=-1)
    size = np.nanmax(seen.xy, 1) - np.nanmin(seen.xy, 1)
    return float(np.nanmedian(distance / size.max(-1, keepdims=True)))


def _same(name: str, joint_set: str) -> list[int]:
    from marrow.conventions import joint_names

    names = joint_names(joint_set)
    return [names.index(name)] if name in names else []


def _ahead(person: Subject, view: View) -> float:
    """Share of a person's points that the camera has in front."""
    assert person.points is not None
    xyz = person.points.xyz
    given = np.asarray(np.isfinite(xyz).all(-1)) & person.valid[:, None]
    if view.valid is not None:
        given &= view.valid[:, None]
    return float(np.asarray(np.isfinite(view.project(xyz)).all(-1))[given].mean()) if given.any() else np.nan
