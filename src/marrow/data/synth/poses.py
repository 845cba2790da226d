"""Poses and movements of people: frames of clips as they are, mirrored, mixed and varied, and poses made from ranges.

Every pose faces +Z with its pelvis above the origin. Arms of the clips get what markers did not see: collar bone and
shoulder blade by the rhythm of :func:`~marrow.data.synth.articulation.with_humerus`, forearms, wrists and hands, and
turns of the head.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from marrow.body import load_body
from marrow.data.synth import articulation as joints
from marrow.data.synth.articulation import AT, NAMES
from marrow.data.synth.attitudes import attitude, pose_arm
from marrow.data.synth.collisions import Solids, scaled, solids
from marrow.data.synth.hands import hand, hand_kind, set_hand
from marrow.data.synth.motions import PoseSource, checked, shipped
from marrow.errors import InputError
from marrow.geometry import rotations
from marrow.skeleton import Skeleton
from marrow.types import Float64

if TYPE_CHECKING:
    from marrow.body.default import DefaultBody, Rest

#: How a pose comes about, and how often.
WAYS: Mapping[str, float] = {"frame": 0.45, "mixed": 0.2, "made": 0.35}
#: Standard deviation of what varies a frame, degrees.
_VARIED = {"hip_": 4.0, "knee_": 4.0, "ankle_": 3.0, "lumbar_": 3.0, "thorax_": 3.0, "gh_": 7.0, "elbow_": 8.0}
_VARIATION = np.radians([next((sd for k, sd in _VARIED.items() if n.startswith(k)), 0.0) for n in NAMES])
#: Head: standard deviations of nod, tilt and turn, degrees; no further than this share of the range.
_HEAD, _HEAD_MOST = np.radians([9.0, 5.0, 18.0]), 0.6
_FOREARM = {s: [AT[f"{n}_{s}"] for n in ("pro_sup", "wrist_flex", "wrist_dev")] for s in "rl"}
_FOREARM_MEAN, _FOREARM_SD = np.radians([65.0, -5.0, 4.0]), np.radians([28.0, 12.0, 6.0])
#: Out of a collision: degrees an arm is led away from the trunk, a leg from the other, and how often before giving up.
_AWAY, _APART, _STEPS = 5.0, 3.0, 7
_TRIES = 12
_GIVES = 0.04  # metres
_LEANS = np.radians(30.0)  # how much further a mixed pose may lean than the upper body did
#: Years from which people leave out clips with these words.
_OLD, _STRENUOUS = 68.0, ("jump", "run", "soccer", "01_")
_JOIN = 12  # frames over which one clip becomes the next
_RATE = 30.0


class PoseSampler:
    """Draws poses and movements. The same generator gives the same poses.

    Args:
        split: of marrow's own clips: ``"train"``, ``"A"`` (unseen clips) or ``"B"`` (an unseen subject).
        source: other clips (:func:`marrow.data.synth.motions.motions_from`), in place of marrow's own.
    """

    def __init__(self, split: str = "train", source: PoseSource | None = None) -> None:
        self.source = _sound(split) if source is None else _all_checked(source)

    def pose(
        self, rng: np.random.Generator, skeleton: Skeleton, age: float | None = None, flesh: Solids | None = None
    ) -> Float64:
        """Coordinates (D,) of somebody who does something, free of collisions and on the floor (see :func:`stand`).

        Args:
            rng: generator.
            skeleton: of the person, with fingers.
            age: years; leaves out what people of that age do not do.
            flesh: of the person (:func:`marrow.data.synth.collisions.solids`); by default that of the default body,
                fitted to the skeleton, which is too thin for heavy people.
        """
        flesh, least, best = _flesh(skeleton, flesh), np.inf, None
        for _ in range(_TRIES):
            drawn, lies = self._drawn(rng, skeleton, age)
            q, depth = _apart(joints.within(drawn), skeleton, flesh)
            if lies:
                depth = max(depth, _held_up(q, skeleton, flesh))
            if depth < least:
                least, best = depth, q
            if depth <= 0.0:
                break
        assert best is not None
        return _placed(joints.facing_ahead(best), skeleton, flesh)

    def frame(self, name: str, index: int, skeleton: Skeleton) -> Float64:
        """Coordinates (D,) of one frame of a clip as it is, hands at ease, facing +Z, on the floor.

        Raises InputError where the clip or the frame does not exist.
        """
        clip, flesh = self.source.clip(name), _flesh(skeleton, None)
        if not -len(clip.q) <= index < len(clip.q):
            raise InputError(f"{name}: no frame {index}; it has {len(clip.q)} at {clip.fps:g} a second")
        q = joints.full(clip.coordinates, clip.q[index])
        return _placed(joints.facing_ahead(joints.within(joints.with_girdle(q))), skeleton, flesh)

    def clip(
        self,
        rng: np.random.Generator,
        skeleton: Skeleton,
        seconds: float,
        fps: float = 30.0,
        flesh: Solids | None = None,
        name: str | None = None,
    ) -> Float64:
        """Coordinates (T, D) of a movement of ``round(seconds * fps)`` frames, at first facing +Z above the origin.

        A clip that is too short goes over into others of its kind. The path is scaled with the legs' length. Angles
        are continuous, so that those of arms may read beyond their ranges where their rotations do not.

        Args:
            name: of the clip; drawn by default.
        """
        if not (seconds > 0.0 and fps > 0.0 and round(seconds * fps) >= 1):
            raise InputError(f"clip: expected a duration and a rate with a frame at least, got {seconds} s, {fps} fps")
        flesh, least, best = _flesh(skeleton, flesh), np.inf, None
        for _ in range(4):
            q = self._moved(rng, skeleton, seconds, fps, name)
            for _ in range(4):
                ends = flesh.placed(skeleton, q[:: max(1, round(fps / 8.0))])
                depth = flesh.depth(ends)
                share = float((depth.max(-1) > 0.0).mean())
                if share < least:
                    least, best = share, q
                if share <= 0.05:
                    break
                q = _led_away(q, flesh.families, depth.max(0))
            if least <= 0.05:
                break
        assert best is not None
        floor = float(np.quantile(flesh.lowest(flesh.placed(skeleton, best)), 0.05))
        best[:, 4] -= floor
        return _in_order(best, skeleton)

    def _drawn(self, rng: np.random.Generator, skeleton: Skeleton, age: float | None) -> tuple[Float64, bool]:
        """A pose as it comes (D,), and whether it lies."""
        share = np.array(list(WAYS.values()))
        if age is not None and age < 2.0:  # the clips are of grown-ups
            share = share * (0.0, 0.0, 1.0)
        way = tuple(WAYS)[int(rng.choice(len(WAYS), p=share / share.sum()))]
        if way == "made":
            q, arms, lies = attitude(rng, age)
            alike = rng.random() < 0.5
            for s in "rl":
                q = pose_arm(rng, q, s, arms if alike or rng.random() < 0.4 else _other(rng, arms), skeleton)
        else:
            q, lies = self._one(rng, age), False
            if way == "mixed":
                other = self._one(rng, age)
                upward = skeleton.forward(other)[0][torso := skeleton.body_index("torso"), :, 1]
                legs = q.copy()
                upper = np.concatenate([joints.NECK, joints.ARMS["r"], joints.ARMS["l"]])
                share_of = rng.uniform(0.3, 0.7)
                q[joints.TRUNK] = share_of * q[joints.TRUNK] + (1.0 - share_of) * other[joints.TRUNK]
                q[upper] = other[upper]
                if skeleton.forward(q)[0][torso, :, 1] @ upward < np.cos(_LEANS):
                    q = legs  # nobody would keep upright so
            q += abs(rng.normal(0.0, 0.7)) * _VARIATION * rng.normal(size=len(q))
            for s in "rl":
                q[_FOREARM[s]] = _FOREARM_MEAN + _FOREARM_SD * np.clip(rng.normal(size=3), -2.0, 2.0)
            q = joints.with_girdle(q)
        q[joints.NECK] += _HEAD * rng.normal(size=3)
        most = _HEAD_MOST * joints.TREE.ranges[joints.NECK]
        q[joints.NECK] = np.clip(q[joints.NECK], most[:, 0], most[:, 1])
        kind = hand_kind(rng)
        set_hand(q, hand(rng, "r", kind))
        set_hand(q, hand(rng, "l", kind if rng.random() < 0.5 else None))
        return q, lies

    def _one(self, rng: np.random.Generator, age: float | None) -> Float64:
        """A frame (D,) of any clip, mirrored half the time; activities come alike often, but old people do not jump."""
        name = self._name(rng)
        for _ in range(8):
            if age is None or age < _OLD or not any(word in name for word in _STRENUOUS):
                break
            name = self._name(rng)
        clip = self.source.clip(name)
        q = joints.full(clip.coordinates, clip.q[int(rng.integers(len(clip.q)))])
        return joints.mirrored(q) if rng.random() < 0.5 else q

    def _name(self, rng: np.random.Generator, like: str | None = None) -> str:
        groups = self.source.groups
        if like is None:
            names = tuple(groups.values())[int(rng.integers(len(groups)))]
        else:
            names = next(names for names in groups.values() if like in names)
        return names[int(rng.integers(len(names)))]

    def _moved(
        self, rng: np.random.Generator, skeleton: Skeleton, seconds: float, fps: float, name: str | None
    ) -> Float64:
        """A movement (T, D) as it comes."""
        name = self._name(rng) if name is None else name
        frames = int(np.ceil(seconds * _RATE)) + 2
        q = self._track(rng, name, frames)
        if rng.random() < 0.15:
            other = self._track(rng, self._name(rng), frames)
            upper = np.concatenate([joints.NECK, joints.ARMS["r"], joints.ARMS["l"]])
            q[:, upper] = other[:, upper]
            q[:, joints.TRUNK] = 0.5 * (q[:, joints.TRUNK] + other[:, joints.TRUNK])
        if rng.random() < 0.5:
            q = joints.mirrored(q)
        subject = self.source.clip(name).subject
        q[:, 3:6] *= _legs(skeleton) / _legs_of(tuple(sorted(self.source.shapes.get(subject, {}).items())))
        q = _resampled(joints.smooth_arms(q), round(seconds * fps), fps)
        count = len(q)
        time = np.arange(count) / fps
        for s in "rl":
            sd = _FOREARM_SD * 0.5
            q[:, _FOREARM[s]] = _FOREARM_MEAN + sd * rng.normal(size=3) + sd * _slowly(rng, time, 3)
            own, then = hand(rng, s, hand_kind(rng)), hand(rng, s, hand_kind(rng))
            share = 0.5 + 0.5 * np.clip(2.0 * _slowly(rng, time, 1)[:, 0], -1.0, 1.0)
            set_hand(q, {i: own[i] + share * (then[i] - own[i]) for i in own})  # type: ignore[misc]
        q[:, joints.NECK] += _HEAD * _slowly(rng, time, 3)
        most = _HEAD_MOST * joints.TREE.ranges[joints.NECK]
        q[:, joints.NECK] = np.clip(q[:, joints.NECK], most[:, 0], most[:, 1])
        q = joints.smooth_arms(joints.within(joints.with_girdle(q)))
        q = joints.turned(q, -joints.heading(q[0]))
        q[:, [3, 5]] -= q[0, [3, 5]]
        return joints.smooth_arms(q)

    def _track(self, rng: np.random.Generator, name: str, frames: int) -> Float64:
        """``frames`` frames (T, D) at 30 a second, one clip after another of its kind."""
        parts: list[Float64] = []
        count = 0
        while count < frames:
            clip = self.source.clip(name)
            q = joints.full(clip.coordinates, clip.q)
            if abs(clip.fps - _RATE) > 1e-6 and len(q) > 1:
                q = _resampled(joints.smooth_arms(q), max(1, int(len(q) * _RATE / clip.fps)), _RATE, clip.fps)
            spare = len(q) - (frames - count)
            first = int(rng.integers(spare + 1)) if spare > 0 else 0
            q = q[first : first + frames - count + _JOIN]
            parts = [_joined(parts[0], q)] if parts else [q]
            count = len(parts[0])
            name = self._name(rng, like=name)
        return parts[0][:frames]


def stand(body: DefaultBody, rest: Rest, q: Float64) -> Float64:
    """The poses with the skin's lowest point on the floor, y = 0: of (D,) exactly, of (T, D) in all but 5 % of frames.

    What jumps stays in the air. All vertices are looked at.
    """
    lowest = np.asarray(body.pose(rest, q, outputs=("vertices",)).vertices)[..., 1].min(-1)
    out = np.array(q, np.float64)
    out[..., rest.skeleton.index("pelvis_ty")] -= float(np.quantile(lowest, 0.05))
    return out


def _all_checked(source: PoseSource) -> PoseSource:
    if not source.clips:
        raise InputError("no clips to draw poses from; give a PoseSource that holds some, or split='train'")
    for clip in source.clips.values():
        checked(clip)
    return source


@functools.cache
def _sound(split: str) -> PoseSource:
    return _all_checked(shipped(split))


def _other(rng: np.random.Generator, arms: str) -> str:
    if arms in ("propped", "reach down"):
        return arms
    return ("down", "gesture", "forward", "at face", "on hips")[int(rng.integers(5))]


def _apart(q: Float64, skeleton: Skeleton, flesh: Solids) -> tuple[Float64, float]:
    """The pose with arms and legs led away from what they run into, if that helps; and how deep it still is, metres."""
    depth = flesh.depth(flesh.placed(skeleton, q))
    for _ in range(_STEPS):
        worst = float(depth.max())
        if worst <= 0.0 or worst > 0.10:
            break
        moved = joints.within(_led_away(q, flesh.families, depth))
        then = flesh.depth(flesh.placed(skeleton, moved))
        if float(np.maximum(then, 0.0).sum()) >= float(np.maximum(depth, 0.0).sum()):
            break
        q, depth = moved, then
    return q, float(depth.max())


def _held_up(q: Float64, skeleton: Skeleton, flesh: Solids) -> float:
    """How much further down than its trunk a lying body reaches, metres, beyond what a mattress gives."""
    height = flesh.placed(skeleton, q)[..., 1].min(-1) - flesh.radius
    return float(height[flesh.trunk].min() - height.min()) - _GIVES


def _led_away(q: Float64, families: Mapping[str, NDArray[np.bool_]], depth: Float64) -> Float64:
    """The poses (..., D) with what collides a little further apart."""
    hit = {family: bool((depth[members] > 0.0).any()) for family, members in families.items()}
    for s, out in (("r", -1.0), ("l", 1.0)):
        if hit[f"arm_{s}"]:
            turn = rotations.rotation_x(np.radians(out * _AWAY))
            q = joints.with_humerus(q, s, turn @ joints.humerus(q, s))
    if hit["legs"]:
        q = q.copy()
        q[..., [AT["hip_adduction_r"], AT["hip_adduction_l"]]] -= np.radians(_APART)
    return q


def _placed(q: Float64, skeleton: Skeleton, flesh: Solids) -> Float64:
    q[4] = 0.0
    q[4] = -float(flesh.lowest(flesh.placed(skeleton, q)))
    return _in_order(q, skeleton)


def _in_order(q: Float64, skeleton: Skeleton) -> Float64:
    return np.ascontiguousarray(q[..., [AT[name] for name in skeleton.coordinates]])


def _flesh(skeleton: Skeleton, flesh: Solids | None) -> Solids:
    if skeleton.coordinates != NAMES:
        raise InputError("poses need a whole skeleton, fingers included: pass rest.skeleton of the default body")
    if flesh is not None:
        return flesh
    usual, own = _usual()
    return scaled(usual, skeleton, own)


@functools.cache
def _usual() -> tuple[Solids, Skeleton]:
    body = load_body()
    rest = body.rest()
    return solids(body, rest), rest.skeleton


def _legs(skeleton: Skeleton) -> float:
    """Thigh plus shank, metres."""
    return float(sum(np.linalg.norm(skeleton.offsets[skeleton.body_index(b)]) for b in ("tibia_r", "talus_r")))


@functools.lru_cache(64)
def _legs_of(shape: tuple[tuple[str, float], ...]) -> float:
    return _legs(load_body().rest(dict(shape)).skeleton)


def _slowly(rng: np.random.Generator, time: Float64, columns: int) -> Float64:
    """(T, columns) smooth noise of unit standard deviation: three slow waves each."""
    rate, phase = rng.uniform(0.08, 0.5, (3, columns)), rng.uniform(0.0, 2.0 * np.pi, (3, columns))
    return np.sin(2.0 * np.pi * rate * time[:, None, None] + phase).sum(1) * np.sqrt(2.0 / 3.0)


def _resampled(q: Float64, count: int, fps: float, rate: float = _RATE) -> Float64:
    """``count`` frames at ``fps`` of continuous poses (T, D) at ``rate``, by cubic splines."""
    from scipy.interpolate import CubicSpline

    if len(q) < 2:
        return np.repeat(q[:1], count, axis=0)
    at = np.minimum(np.arange(count) / fps, (len(q) - 1) / rate)
    return np.asarray(CubicSpline(np.arange(len(q)) / rate, q)(at))


def _joined(a: Float64, b: Float64) -> Float64:
    """One movement going over into another, which starts where the first one ends and goes its way."""
    n = min(_JOIN, len(a), len(b))
    b = joints.turned(b, joints.heading(a[-n]) - joints.heading(b[0]))
    b[:, [3, 5]] += a[-n, [3, 5]] - b[0, [3, 5]]
    whole = joints.smooth_arms(np.concatenate([a, b]))
    a, b = whole[: len(a)], whole[len(a) :]
    share = np.linspace(0.0, 1.0, n + 2)[1:-1, None]
    share = share * share * (3.0 - 2.0 * share)
    return np.concatenate([a[: len(a) - n], (1.0 - share) * a[len(a) - n :] + share * b[:n], b[n:]])
