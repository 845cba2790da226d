"""Weights of networks as safetensors files, with the settings of the network in their header."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from marrow.errors import InputError
from marrow.io.files import write_atomically

_SETTINGS = "config"


def save_weights(
    model: torch.nn.Module, path: str | Path, *, half: bool = False, settings: Mapping[str, Any] | None = None
) -> None:
    """Write a model's weights, in 32 bits or in 16, and plain data by which the model can be made again.

    Raises:
        OutputError: the file cannot be written.
    """
    from safetensors.torch import save

    kept = torch.float16 if half else torch.float32
    header = {} if settings is None else {_SETTINGS: json.dumps(dict(settings))}
    data = save({name: tensor.to(kept).contiguous() for name, tensor in model.state_dict().items()}, header)
    with write_atomically(path) as file:
        file.write(data)


def load_weights(model: torch.nn.Module, path: str | Path) -> None:
    """Read what :func:`save_weights` wrote into a model of the same form, which is then ready to read.

    Raises:
        InputError: missing, damaged, or of another model.
    """
    stored, _ = _read(path)
    own = model.state_dict()
    for name in (*own, *stored):
        one, other = (tuple(values[name].shape) if name in values else None for values in (own, stored))
        if one != other:
            raise InputError(
                f"{path}: no weights of this model: {name} has the shape {other} there and {one} here (None: it is not "
                f"there); load them into the same network with the same settings{_checkpoint_hint(stored)}"
            )
    model.load_state_dict({name: tensor.float() for name, tensor in stored.items()})
    model.eval()


def saved_settings(path: str | Path) -> dict[str, Any]:
    """The settings that weights were saved with; none where the file does not tell them.

    Raises:
        InputError: the file is missing or damaged.
    """
    return _read(path)[1]


def _read(path: str | Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            settings = json.loads((file.metadata() or {}).get(_SETTINGS, "{}"))
            return {name: file.get_tensor(name) for name in file.keys()}, settings  # noqa: SIM118 (it is no mapping)
    except (OSError, SafetensorError, ValueError) as error:
        raise InputError(f"{path}: no weights of this model, nor of any other ({str(error).splitlines()[0]})") from None


def _checkpoint_hint(stored: Mapping[str, torch.Tensor]) -> str:
    if any(name.startswith("optimiser.") for name in stored):
        return ". The file is the checkpoint of a training; its weights are those that it writes at its end"
    return ""
