"""The whole state of a training in one safetensors file: tensors by name, and the rest as JSON in its header."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from marrow.errors import InputError
from marrow.io.files import write_atomically

_FORMAT = "marrow training 1"
_HISTORY = "history"


@dataclass
class Progressed:
    """How far a training has come, beside its tensors.

    Attributes:
        step: steps done.
        seed: of the chance in batches and networks.
        samples: seen so far.
        seconds: trained so far.
    """

    step: int
    seed: int
    samples: int = 0
    seconds: float = 0.0


def write_checkpoint(
    path: Path,
    tensors: Mapping[str, torch.Tensor],
    history: list[float],
    settings: Mapping[str, Any],
    progressed: Progressed,
) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        path: the file.
        tensors: by name.
        history: the loss of each step.
        settings: plain data that have to be the same to go on.
        progressed: how far.
    Raises:
        OutputError: disk full, no such folder …; an older file stays as it was.
    """
    from safetensors.torch import save

    content = {_HISTORY: torch.tensor(history, dtype=torch.float64)}
    content |= {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    about = {"format": _FORMAT, "settings": json.dumps(settings), "progressed": json.dumps(asdict(progressed))}
    data = save(content, about)
    with write_atomically(path) as file:
        file.write(data)


def read_checkpoint(path: Path, settings: Mapping[str, Any]) -> tuple[dict[str, torch.Tensor], list[float], Progressed]:
    """Tensors, losses and progress of a checkpoint.

    Args:
        path: the file.
        settings: of the training that goes on.
    Raises:
        InputError: damaged, no checkpoint, or of other settings.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
            if about.get("format") != _FORMAT:
                raise InputError(f"{path}: no checkpoint of a training; give another file, or begin without --resume")
            then = json.loads(about["settings"])
            progressed = Progressed(**json.loads(about["progressed"]))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
            history = tensors.pop(_HISTORY).tolist()
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path}: a damaged checkpoint ({str(error).splitlines()[0]}); begin anew with another file"
        ) from None
    for name, value in json.loads(json.dumps(settings)).items():
        if then.get(name) != value:
            raise InputError(
                f"{path}: its training has {name} {then.get(name)!r}, this one {value!r}; "
                "go on with the same settings, or begin anew with another file"
            )
    return tensors, history, progressed
