"""What the main road's detector makes of true points in a picture: errors to train lifters with.

Drawn people were shown to the detector (BlazePose as :mod:`marrow.detect` runs it) and its points compared with their
places on the body by ``scripts/measure_detector.py``; ``detector_errors.json`` holds what came out. An error has a mean
along trunk and shoulders, and a part that is a normal field, correlated over points and time, whose lengths are then
stretched to those measured, point by point, seen and hidden (a Gaussian copula: far misses come as often, and of as
many points at once, as they did). Sides are exchanged for moments, of the body, the legs or the arms, depending on from
where the person is seen. The confidence is drawn from what the detector gave for an error of that length. Everything is
a share of the person's size, the longer side of the box around shoulders, elbows, wrists, hips, knees and ankles.

Not measured on photographs: drawn people have hair and clothes of few kinds and rooms of plain things.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from marrow.conventions import JOINT_SETS, SWAP, joint_conversion, joint_names
from marrow.errors import AssetError, InputError
from marrow.types import Float64

if TYPE_CHECKING:
    from torch import Generator, Tensor

TABLE = Path(__file__).with_name("detector_errors.json")
MEASURED = "blazepose33"
_LIMBS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
#: Parts of the names of the points that change sides with the legs or the arms.
_PARTS = {
    "body": ("",),
    "legs": ("knee", "ankle", "heel", "foot", "toe"),
    "arms": ("elbow", "wrist", "pinky", "index", "thumb", "hand"),
}
#: Across the shoulders over the trunk's length, above which a person is seen from the front (below: from behind).
_SIDEWAYS = 0.35
#: Millimetres of a body of 1.70 m that make one size: the height of its shoulders above its ankles.
_SIZE_MM = 1300.0
#: Poses worked on at once; more do not stay in the processor's cache.
_AT_ONCE = 2048
#: Normal scores at which quantiles of confidence are kept: up to this, so many to the unit.
_REACH, _STEPS = 3, 4


def kind_of(name: str) -> str:
    """A point's name without its side."""
    return "_".join(part for part in name.split("_") if part not in ("left", "right"))


def hard_level() -> float:
    """The ``level`` whose errors are as long as those on pictures of the preset ``hard`` where somebody was found."""
    return float(_table()["hard_level"])


def detected(
    xy: Tensor,
    visible: Tensor | None,
    *,
    joint_set: str,
    level: Tensor | float = 1.0,
    fps: float = 30.0,
    generator: Generator,
) -> tuple[Tensor, Tensor]:
    """Points as the detector would have put them, and its confidence.

    In a set that is converted from the detector's own, such as ``h36m17``, the errors are those that the detector's
    points bring with them through :func:`marrow.convert_joints`, and those of the conversion itself. In films (T > 1)
    the person is lost for a while now and then. The detector itself leaves out no single point: it is not sure of it.

    Args:
        xy: (B, T, J, 2) true points in a picture (y down), in any unit; NaN where there is none.
        visible: (B, T, J) bool, whether a point is seen (hidden neither by the person nor by anything else), or None:
            hidden as often, and as long, as people hide their own points. Hidden points are worse.
        joint_set: of the J points: ``blazepose33`` or one that it can be converted to.
        level: (B,) or a number; scales lengths and rates of all errors. 0: exact and confidence 1 (where there is a
            point); 1: as measured on pictures of the preset ``clean``; :func:`hard_level`: of ``hard``.
        fps: frames per second.
        generator: of random numbers, on the device of ``xy``.

    Returns:
        xy (B, T, J, 2) float32 in the unit of the input and confidence (B, T, J) float32; both 0 where absent, which
        is where the truth is NaN, the person lost, or the joint one that the detector's points do not give.

    Raises:
        InputError: an unknown joint set, or shapes that do not fit.
        AssetError: the table of errors is missing or damaged.
    """
    import torch

    count = len(joint_names(joint_set))
    if xy.ndim != 4 or tuple(xy.shape[2:]) != (count, 2):
        raise InputError(f"xy: expected (B, T, {count}, 2) for {joint_set}, got {tuple(xy.shape)}")
    if visible is not None and visible.shape != xy.shape[:3]:
        raise InputError(f"visible: expected {tuple(xy.shape[:3])} as xy has it, got {tuple(visible.shape)}")
    if fps <= 0:
        raise InputError(f"fps: expected more than 0, got {fps}")
    batch, frames = xy.shape[:2]
    levels = torch.as_tensor(level, dtype=torch.float32, device=xy.device).reshape(-1).clamp(min=0.0)
    if len(levels) not in (1, batch):
        raise InputError(f"level: expected a number or ({batch},), got ({len(levels)},)")
    levels = levels.expand(batch)
    model, step = _model(joint_set, str(xy.device)), max(1, _AT_ONCE // max(frames, 1))
    parts = [
        _some(
            model,
            xy[i : i + step].float(),
            None if visible is None else visible[i : i + step],
            levels[i : i + step, None, None],
            _Draws(generator, xy.device, fps),
        )
        for i in range(0, batch, step)
    ]
    if not parts:
        return torch.zeros_like(xy, dtype=torch.float32), torch.zeros(xy.shape[:3], device=xy.device)
    return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])


@dataclass(frozen=True, eq=False)
class _Times:
    """Shares of a series' variance that stay and drift, and the drift's memory in seconds."""

    constant: float
    drifting: float
    memory: float


@dataclass(frozen=True, eq=False)
class _Model:
    """The table as tensors, for a joint set of J joints; the detector's own has K points."""

    limbs: Tensor  # the twelve that tell the size
    ends: tuple[int, int, int, int]  # left and right shoulder, left and right hip
    swap: Tensor  # (J,)
    moved: Tensor  # (3, J) bool: what changes sides with body, legs, arms
    way: Tensor  # (J, K) weights of the detector's points
    parts: tuple[tuple[int, ...], ...]  # of each joint, those points
    identity: bool  # whether the joints are the points
    given: Tensor  # (J,) bool, whether they give the joint
    astray: Tensor  # (J,) standard deviation of the conversion per axis, sizes
    seen_as: Tensor  # (K,) the joint whose visibility is a point's
    bias: Tensor  # (2, J) along the trunk, and along the shoulders to the left
    factor: Tensor  # (K, K)
    hidden_factor: Tensor
    hidden_from: Tensor  # (K,) normal score above which a point is hidden
    person_log_sd: float
    length: Tensor  # (K * 2, G, 2) by point and hidden: of an error at lengths of the field, and its steps
    grid_step: float
    first_edge: float  # of the bins of an error's length; each next is twice as long
    bins: int
    confidence: Tensor  # (K * 2 * bins, L, 2) at normal scores from -_REACH on, _STEPS to the unit, and its steps
    alike: float
    swap_rate: Tensor  # (3, 3) front, side, back; body, legs, arms
    swap_run: float
    lost_share: float
    lost_run: float
    times: dict[str, _Times]


class _Draws:
    """Random series of a batch."""

    def __init__(self, generator: Generator, device: Any, fps: float) -> None:
        self.generator, self.device, self.fps = generator, device, fps

    def normal(self, *shape: int) -> Tensor:
        import torch

        return torch.randn(shape, generator=self.generator, device=self.device)

    def uniform(self, *shape: int) -> Tensor:
        import torch

        return torch.rand(shape, generator=self.generator, device=self.device)

    def lasting(self, shape: tuple[int, ...], times: _Times) -> Tensor:
        """(B, T, ...) of variance one: a part that stays, one that drifts and one that is new in each frame."""
        import torch

        if shape[1] == 1:
            return self.normal(*shape)
        keep = float(np.exp(-1.0 / (self.fps * times.memory)))
        kick, drift = np.sqrt(1 - keep**2) * self.normal(*shape), [self.normal(shape[0], *shape[2:])]
        for t in range(1, shape[1]):
            drift.append(keep * drift[-1] + kick[:, t])
        fresh = max(1.0 - times.constant - times.drifting, 0.0)
        out = np.sqrt(times.drifting) * torch.stack(drift, 1) + np.sqrt(fresh) * self.normal(*shape)
        return out + np.sqrt(times.constant) * self.normal(shape[0], 1, *shape[2:])

    def runs(self, share: Tensor, seconds: float) -> Tensor:
        """Bool like ``share`` (B, T, ...), true as often, in runs of ``seconds`` on average."""
        import torch

        chance = self.uniform(*share.shape)
        leave = min(1.0, 1.0 / (self.fps * seconds))
        state = [chance[:, 0] < share[:, 0]]
        for t in range(1, share.shape[1]):
            enter = leave * share[:, t] / (1.0 - share[:, t])
            state.append(torch.where(state[-1], chance[:, t] >= leave, chance[:, t] < enter))
        return torch.stack(state, 1)


def _some(model: _Model, xy: Tensor, visible: Tensor | None, level: Tensor, draws: _Draws) -> tuple[Tensor, Tensor]:
    import torch

    batch, frames, joints = xy.shape[:3]
    points = model.way.shape[1]
    known = torch.isfinite(xy).all(-1)
    true = torch.nan_to_num(xy, 0.0, 0.0, 0.0)
    size, up, across, view = _frame(model, true, known)

    if visible is None:
        hidden = draws.lasting((batch, frames, points), model.times["hidden"]) @ model.hidden_factor.T
        hidden = hidden > model.hidden_from
    else:
        hidden = ~visible[..., model.seen_as]
    row = 2 * torch.arange(points, device=xy.device) + hidden.long()

    # a normal field, stretched to the lengths measured
    field = draws.lasting((batch, frames, 2, points), model.times["error"]) @ model.factor.T
    field *= torch.exp(model.person_log_sd * draws.lasting((batch, frames, 1, 1), model.times["error"]))
    drawn = torch.sqrt((field**2).sum(-2)).clamp(min=1e-6)
    length = _between(model.length, row, drawn / model.grid_step)
    error = (field * (length / drawn)[:, :, None]) @ model.way.T
    error += model.astray * draws.lasting((batch, frames, 2, joints), model.times["error"])
    error += up[..., None] * model.bias[0] + across[..., None] * model.bias[1]

    # sides
    rate = 1.0 - (1.0 - model.swap_rate[view]) ** level
    exchanged = draws.runs(rate, model.swap_run)
    who = exchanged.any(-1)
    if who.any():
        moved = (exchanged[who][..., None] & model.moved).any(-2)
        known[who] = torch.where(moved, known[who][:, model.swap], known[who])
        true[who] = torch.where(moved[..., None], true[who][:, model.swap], true[who])
    found = true + (level * size[..., None])[..., None] * error.transpose(-1, -2)

    # less sure where the error is long
    bin_ = torch.log2(length * (1 / model.first_edge)).add_(1).clamp_(0, model.bins - 1).long()
    own = draws.lasting((batch, frames, points), model.times["confidence"])
    score = (1 - model.alike) ** 0.5 * own
    score += model.alike**0.5 * draws.lasting((batch, frames, 1), model.times["confidence"])
    sure = _between(model.confidence, row * model.bins + bin_, score * _STEPS + _REACH * _STEPS)
    if points == joints and model.identity:
        least = sure
    else:
        least = torch.stack([sure[..., own].amin(-1) if own else sure[..., 0] for own in model.parts], -1)
    least = 1.0 - level.clamp(max=1.0) * (1.0 - least)
    there = known & model.given
    if frames > 1:
        share = 1.0 - (1.0 - model.lost_share) ** level
        there &= ~draws.runs(share.expand(batch, frames, 1), model.lost_run)
    return found * there[..., None], least * there


def _between(table: Tensor, row: Tensor, at: Tensor) -> Tensor:
    """Values of the rows (N, G, 2) of a table, each a value and the step to the next, at fractional columns."""
    columns = table.shape[1]
    at = at.clamp(0.0, columns - 1.001)
    low = at.long()
    pair = table.flatten(0, 1).index_select(0, (row * columns + low).flatten()).view(*row.shape, 2)
    return pair[..., 0] + pair[..., 1] * (at - low)


def _frame(model: _Model, true: Tensor, known: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Size (B, T), unit vector up the trunk and shoulders over size (B, T, 2), and 0 front, 1 side, 2 back (B, T)."""
    import torch

    limbs, there = true[:, :, model.limbs], known[:, :, model.limbs, None]
    high = torch.where(there, limbs, -torch.inf).amax(2)
    low = torch.where(there, limbs, torch.inf).amin(2)
    size = (high - low).amax(-1)
    size = torch.where(torch.isfinite(size), size, 0.0).clamp(min=1e-9)
    left, right, hip_left, hip_right = (true[:, :, joint] for joint in model.ends)
    trunk, across = 0.5 * (left + right - hip_left - hip_right), left - right
    long = torch.linalg.vector_norm(trunk, dim=-1, keepdim=True).clamp(min=1e-9)
    facing = (across[..., 1] * trunk[..., 0] - across[..., 0] * trunk[..., 1]) / long[..., 0] ** 2
    view = 1 - (facing > _SIDEWAYS).long() + (facing < -_SIDEWAYS).long()
    return size, trunk / long, across / size[..., None], view


@functools.cache
def _model(joint_set: str, device: str) -> _Model:
    import torch

    table, names, own = _table(), joint_names(joint_set), JOINT_SETS[MEASURED]
    kind = [table["kinds"].index(kind_of(name)) for name in own]
    way = joint_conversion(MEASURED, joint_set)
    side = np.array([1.0 if "left" in n.split("_") else -1.0 if "right" in n.split("_") else 0.0 for n in own])
    bias = np.array(table["bias"])[kind] * np.stack([np.ones(len(own)), side], -1)
    moved = [
        [swap != j and any(part in names[j] for part in parts) for j, swap in enumerate(SWAP[joint_set])]
        for parts in _PARTS.values()
    ]
    share = np.array(table["hidden_share"])[kind]

    def tensor(values: Any, dtype: Any = torch.float32) -> Tensor:
        return torch.as_tensor(np.array(values), dtype=dtype, device=device)

    return _Model(
        limbs=tensor([j for j, name in enumerate(names) if kind_of(name) in _LIMBS], torch.long),
        ends=tuple(names.index(f"{s}_{j}") for j in ("shoulder", "hip") for s in ("left", "right")),  # type: ignore[arg-type]
        swap=tensor(SWAP[joint_set], torch.long),
        moved=tensor(moved, torch.bool),
        way=tensor(way.matrix),
        parts=tuple(tuple(np.flatnonzero(row).tolist()) for row in way.matrix),
        identity=joint_set == MEASURED,
        given=tensor([kind != "absent" for kind in way.kind], torch.bool),
        astray=tensor(np.nan_to_num(way.residual_mm) / _SIZE_MM / np.sqrt(3)),
        seen_as=tensor(np.abs(way.matrix).argmax(0), torch.long),
        bias=tensor((way.matrix @ bias).T),
        factor=tensor(np.linalg.cholesky(np.array(table["correlation"]) + 0.005 * np.eye(len(own)))),
        hidden_factor=tensor(np.linalg.cholesky(np.array(table["hidden_correlation"]) + 0.005 * np.eye(len(own)))),
        hidden_from=-torch.special.ndtri(tensor(share)),
        person_log_sd=table["person_log_sd"],
        length=tensor(_with_steps(np.array(table["length"])[kind])).flatten(0, 1),
        grid_step=table["grid"][1],
        first_edge=table["edges"][0],
        bins=len(table["edges"]) + 1,
        confidence=tensor(_with_steps(_by_score(table)[kind])).flatten(0, 2),
        alike=table["confidence_alike"],
        swap_rate=tensor([[table["swaps"][part][view] for part in _PARTS] for view in ("front", "side", "back")]),
        swap_run=table["swap_run_s"],
        lost_share=table["lost"]["share"],
        lost_run=table["lost"]["run_s"],
        times={name: _Times(**times) for name, times in table["times"].items()},
    )  # fmt: skip


def _with_steps(values: Float64) -> Float64:
    """(..., G, 2): values and what comes to each by the next."""
    return np.stack([values, np.diff(values, append=values[..., -1:])], -1)


def _by_score(table: dict[str, Any]) -> Float64:
    """The quantiles of confidence (K, 2, bins, L) at even steps of a normal score."""
    from scipy.special import ndtr

    share = ndtr(np.arange(-_REACH * _STEPS, _REACH * _STEPS + 1) / _STEPS)
    levels = np.array(table["levels"])
    low = np.clip(np.searchsorted(levels, share) - 1, 0, len(levels) - 2)
    part = (share - levels[low]) / (levels[low + 1] - levels[low])
    values = np.array(table["confidence"])
    return values[..., low] + part * (values[..., low + 1] - values[..., low])


@functools.cache
def _table() -> dict[str, Any]:
    try:
        return json.loads(TABLE.read_text())
    except (OSError, ValueError) as error:
        raise AssetError(f"{TABLE} cannot be read ({error}): reinstall marrow.") from error
