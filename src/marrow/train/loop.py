"""The one training loop: AdamW, a warm start, a cosine to zero, clipped gradients; it can stop anywhere and go on.

Everything about a step follows from its number: the batches, the chance in them and in the network, the rate. So a
training that was killed goes on from its checkpoint to bitwise the same weights, and several processes that share the
batches of a step agree with one that takes them all. Devices and processes are those of Lightning Fabric.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any

import torch

from marrow.errors import InputError
from marrow.io.files import output_error, refuse_existing, remove_torn, write_atomically
from marrow.progress import Progress, silent
from marrow.train.checkpoint import Progressed, read_checkpoint, write_checkpoint
from marrow.train.processes import ranks
from marrow.train.seeds import generator, mixed

#: Of a batch's number the batch; of a model and a batch how wrong it is.
Batch = Callable[[int], Any]
Loss = Callable[[torch.nn.Module, Any], torch.Tensor]


def train(
    model: torch.nn.Module,
    batch: Batch,
    loss: Loss,
    *,
    steps: int,
    rate: float = 1e-3,
    weight_decay: float = 0.01,
    warm: int = 100,
    clip: float = 1.0,
    average: float = 0.0,
    precision: str = "32",
    accumulate: int = 1,
    keep: Path | None = None,
    every: int = 500,
    resume: bool = False,
    log: Path | None = None,
    processes: int = 1,
    progress: Progress = silent,
    about: str = "",
) -> list[float]:
    """Train a model in place, on the device where it is.

    Args:
        model: left in evaluation mode.
        batch: gives the batch of a number (0, 1, 2 …), whatever ``loss`` takes; a function of the number alone. A step
            takes ``accumulate * processes`` numbers. Torch's own chance is set anew for each number, so it may be used.
        loss: of the model on a batch, a number to be made small.
        steps: of the optimiser.
        rate: highest learning rate.
        weight_decay: of matrices and kernels; biases and scales decay not.
        warm: steps until the highest rate is reached.
        clip: largest norm of a gradient.
        average: decay of the exponential moving average of the weights, which the model holds at the end; 0: none, it
            holds the last weights. Early on the decay is at most ``(1 + step) / (10 + step)``, so that the first
            weights are soon forgotten.
        precision: ``"32"``, or ``"bf16"``: the model's forward pass in mixed precision, what it gives and the loss in
            32 bits.
        accumulate: batches whose gradients are averaged in a step (in each process).
        keep: file of the checkpoint: weights, average, optimiser, step and chance.
        every: steps between two checkpoints; another one is written at the end.
        resume: go on from ``keep``, if it is there.
        log: file that gets a JSON line a step: step, loss, rate, seconds, samples (seen so far).
        processes: that share the work on this machine's processors (DistributedDataParallel over gloo), with one thread
            each; the gradients of all are averaged.
        progress: is told of each step.
        about: what else has to be the same to go on from a checkpoint, such as the data's settings.
    Returns:
        The loss of each step, those before the checkpoint included.
    Raises:
        InputError: the loss or its gradient became NaN or infinite; settings out of range; a checkpoint that is damaged
            or of another model or settings (it stays as it is).
        OutputError: ``keep`` or ``log`` cannot be written; what was written before is whole.
    """
    settings = {
        "about": about, "steps": steps, "rate": rate, "weight_decay": weight_decay, "warm": warm, "clip": clip,
        "average": average, "precision": precision, "batches a step": accumulate * processes,
    }  # fmt: skip
    device = _check(model, settings, accumulate, processes, every, keep, resume, log)
    rates = functools.partial(_rate, steps=steps, warm=warm, highest=rate)
    names = dict(model.named_parameters())
    matrices = [p for p in names.values() if p.requires_grad and p.ndim > 1]
    others = [p for p in names.values() if p.requires_grad and p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98))
    averaged = {name: p.detach().clone() for name, p in names.items() if p.requires_grad} if average else {}
    at, history = Progressed(0, int(torch.randint(2**31, ()))), []
    if resume and keep is not None and keep.exists():
        tensors, history, at = read_checkpoint(keep, settings)
        _restore(keep, tensors, model, optimiser, averaged)
    for path in (keep, log) if resume else ():
        if path is not None:
            remove_torn(path)
    begun = time.perf_counter() - at.seconds
    optimiser.zero_grad(set_to_none=True)
    model.train()
    with ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng([device] if device.type == "cuda" else []))
        stack.enter_context(_mixed_precision(model, device) if precision == "bf16" else nullcontext())
        rank = stack.enter_context(ranks(processes))
        fabric = _fabric(device, processes)
        net, stepping = fabric.setup(_Objective(model, batch, loss, at.seed, device), optimiser)
        lines = stack.enter_context(_lines(log, at.step)) if log is not None and rank == 0 else None
        while at.step < steps:
            for group in optimiser.param_groups:
                group["lr"] = rates(at.step)
            first = (at.step * processes + rank) * accumulate
            told, norm, samples = _gradients(fabric, net, stepping, range(first, first + accumulate), clip)
            for name, found in (("loss", told), ("gradient", norm)):
                if not math.isfinite(found):
                    raise InputError(
                        f"train: the {name} became {found} at step {at.step}; take a smaller rate than {rate}"
                    )
            stepping.step()
            stepping.zero_grad(set_to_none=True)
            with torch.no_grad():
                for name, kept in averaged.items():
                    kept.lerp_(names[name], 1 - min(average, (1 + at.step) / (10 + at.step)))
            history.append(told)
            at = Progressed(at.step + 1, at.seed, at.samples + samples * processes, time.perf_counter() - begun)
            if lines is not None and log is not None:
                _write_line(lines, log, at, told, rates(at.step - 1))
            if rank == 0 and keep is not None and (at.step % every == 0 or at.step == steps):
                write_checkpoint(keep, _tensors(model, optimiser, averaged), history, settings, at)
            if rank == 0:
                progress("training", at.step, steps)
    with torch.no_grad():
        for name, kept in averaged.items():
            names[name].copy_(kept)
    model.eval()
    return history


def _gradients(fabric: Any, net: Any, optimiser: Any, numbers: range, clip: float) -> tuple[float, float, int]:
    """Gather the clipped gradients of so many batches; mean loss over all processes, norm before, own samples."""
    total, samples = 0.0, 0
    for number in numbers:
        with fabric.no_backward_sync(net, enabled=number != numbers[-1]):
            loss, count = net(number)
            fabric.backward(loss / len(numbers))
        total, samples = total + loss.detach() / len(numbers), samples + count
    norm = fabric.clip_gradients(net, optimiser, max_norm=clip, error_if_nonfinite=False)
    return float(fabric.all_reduce(total, reduce_op="mean")), float(norm), samples


def shuffled(count: int, size: int, seed: int) -> Callable[[int], torch.Tensor]:
    """Of a batch's number ``size`` row numbers below ``count``: each row once in a pass, each pass in a new order."""
    if count < 1 or size < 1:
        raise InputError(f"shuffled: expected at least one row and one a batch, got {count} and {size}")

    @functools.lru_cache(2)
    def order(turn: int) -> torch.Tensor:
        return torch.randperm(count, generator=generator(seed, turn))

    def rows(number: int) -> torch.Tensor:
        first, last = number * size, (number + 1) * size
        turns = range(first // count, (last - 1) // count + 1)
        return torch.cat([order(t)[max(first - t * count, 0) : last - t * count] for t in turns])

    return rows


class _Objective(torch.nn.Module):
    """The loss of a batch's number as a module, so that Fabric sees whatever the loss does with the model."""

    def __init__(self, model: torch.nn.Module, batch: Batch, loss: Loss, seed: int, device: torch.device) -> None:
        super().__init__()
        self.model, self.batch, self.loss, self.seed, self.device = model, batch, loss, seed, device

    def forward(self, number: int) -> tuple[torch.Tensor, int]:
        torch.default_generator.manual_seed(mixed(self.seed, number))
        if self.device.type == "cuda":
            torch.cuda.manual_seed(mixed(self.seed, number))
        own = self.batch(number)
        if self.device.type != "cpu":
            own = _each(own, lambda tensor: tensor.to(self.device))
        return self.loss(self.model, own), _samples(own)


def _fabric(device: torch.device, processes: int) -> Any:
    try:
        from lightning_fabric import Fabric
        from lightning_fabric.strategies.ddp import DDPStrategy
    except ImportError as error:
        raise InputError(f"train: Lightning Fabric is missing ({error}); pip install lightning-fabric") from None

    # a loss may leave parameters out, in some batches only
    strategy = "auto" if processes == 1 else DDPStrategy(find_unused_parameters=True)
    devices = [device.index or 0] if device.type == "cuda" else processes
    fabric = Fabric(accelerator=device.type, devices=devices, strategy=strategy)
    fabric.launch()
    return fabric


def _rate(step: int, steps: int, warm: int, highest: float) -> float:
    cosine = 0.5 * (1 + math.cos(math.pi * min(step / max(steps, 1), 1.0)))
    return highest * (min(1.0, (step + 1) / max(warm, 1)) * cosine)


def _check(
    model: torch.nn.Module,
    settings: Mapping[str, Any],
    accumulate: int,
    processes: int,
    every: int,
    keep: Path | None,
    resume: bool,
    log: Path | None,
) -> torch.device:
    """The device of the model, where everything can begin."""
    learning = [p for p in model.parameters() if p.requires_grad]
    if not learning:
        raise InputError("train: the model has nothing to learn: no parameter requires a gradient")
    for name, value in (("accumulate", accumulate), ("processes", processes), ("every", every)):
        if value < 1:
            raise InputError(f"train: expected {name} of at least 1, got {value}")
    if not 0 < settings["rate"] < math.inf:
        raise InputError(f"train: expected a rate above 0, got {settings['rate']:g}")
    if settings["steps"] < 0 or not 0 <= settings["average"] < 1 or settings["precision"] not in ("32", "bf16"):
        raise InputError(
            "train: expected steps of at least 0, an average in [0, 1) and a precision of '32' or 'bf16', got "
            f"{settings['steps']}, {settings['average']} and {settings['precision']!r}"
        )
    if resume and keep is None:
        raise InputError("train: there is nothing to resume without keep; give the file of the checkpoint")
    for path in (keep, log):
        if path is not None:
            refuse_existing(path, force=True)
    device = learning[0].device
    if processes > 1 and device.type != "cpu":
        raise InputError(f"train: {processes} processes share processors only; the model is on {device}")
    return device


@contextmanager
def _mixed_precision(model: torch.nn.Module, device: torch.device) -> Iterator[None]:
    """The model's forward pass in bfloat16 where that is safe; what it gives is float32 again."""
    forward = model.forward

    @functools.wraps(forward)
    def mixed_forward(*given: Any, **named: Any) -> Any:
        with torch.autocast(device.type, torch.bfloat16):
            out = forward(*given, **named)
        return _each(out, lambda tensor: tensor.float() if tensor.dtype == torch.bfloat16 else tensor)

    model.forward = mixed_forward
    try:
        yield
    finally:
        del model.forward


def _each(value: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """A tensor, or a collection or dataclass of them, changed."""
    if isinstance(value, torch.Tensor):
        return change(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [field.name for field in dataclasses.fields(value) if field.init]
        return dataclasses.replace(value, **{name: _each(getattr(value, name), change) for name in fields})
    if isinstance(value, Mapping):
        return {name: _each(item, change) for name, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_each(item, change) for item in value))
    return type(value)(_each(item, change) for item in value) if isinstance(value, list | tuple) else value


def _samples(value: Any) -> int:
    """Samples in a batch: the length of its first tensor, or 1."""
    lengths: list[int] = []
    _each(value, lambda tensor: lengths.append(len(tensor) if tensor.ndim else 1) or tensor)
    return lengths[0] if lengths else 1


def _tensors(
    model: torch.nn.Module, optimiser: torch.optim.Optimizer, averaged: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """All that a training is made of, by name."""
    out = {f"model.{name}": value for name, value in model.state_dict().items()}
    out |= {f"average.{name}": value for name, value in averaged.items()}
    for name, parameter in model.named_parameters():
        out |= {f"optimiser.{key}.{name}": value for key, value in optimiser.state.get(parameter, {}).items()}
    return out


def _restore(
    path: Path,
    tensors: Mapping[str, torch.Tensor],
    model: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    averaged: Mapping[str, torch.Tensor],
) -> None:
    """Put a checkpoint's tensors where they belong; nothing is changed where they do not fit.

    Raises:
        InputError: they are another model's.
    """
    own = _tensors(model, optimiser, averaged)  # the optimiser knows nothing yet
    kept = {name: value for name, value in tensors.items() if not name.startswith("optimiser.")}
    wrong = sorted(own.keys() ^ kept.keys())
    wrong += [n for n in own if n in kept and (own[n].shape, own[n].dtype) != (kept[n].shape, kept[n].dtype)]
    if wrong:
        raise InputError(
            f"{path}: the checkpoint of another model ({wrong[0].partition('.')[2]} is in one only, or of another "
            "shape); go on with the same model, or begin anew with another file"
        )
    with torch.no_grad():
        for name, value in kept.items():
            own[name].copy_(value)
    parameters = dict(model.named_parameters())
    for full, value in tensors.items():
        if full.startswith("optimiser."):
            _, key, name = full.split(".", 2)
            # a count of steps stays on the processor, as the optimiser has it
            device = parameters[name].device if value.ndim else torch.device("cpu")
            optimiser.state[parameters[name]][key] = value.to(device)


@contextmanager
def _lines(path: Path, step: int) -> Iterator[IO[str]]:
    """The log, open for the lines after so many steps: those of later ones, or torn, are taken out."""
    kept: list[str] = []
    if step and path.exists():
        kept = [line for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if _until(line, step)]
    with write_atomically(path, "w") as file:
        file.writelines(line + "\n" for line in kept)
    with open(path, "a", encoding="utf-8") as file:
        yield file


def _until(line: str, step: int) -> bool:
    try:
        return json.loads(line)["step"] <= step
    except (ValueError, KeyError, TypeError):
        return False


def _write_line(file: IO[str], path: Path, at: Progressed, loss: float, rate: float) -> None:
    facts = {"step": at.step, "loss": loss, "rate": rate, "seconds": round(at.seconds, 3), "samples": at.samples}
    try:
        file.write(json.dumps(facts) + "\n")
        file.flush()
    except OSError as error:
        raise output_error(error, path) from error
