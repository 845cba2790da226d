"""Weights of networks as safetensors files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from marrow.errors import InputError
from marrow.io.files import write_atomically


def save_weights(model: torch.nn.Module, path: str | Path, *, half: bool = False) -> None:
    """Write a model's weights, in 32 bits or in 16.

    Raises:
        OutputError: the file cannot be written.
    """
    from safetensors.torch import save

    kept = torch.float16 if half else torch.float32
    data = save({name: tensor.to(kept).contiguous() for name, tensor in model.state_dict().items()})
    with write_atomically(path) as file:
        file.write(data)


def load_weights(model: torch.nn.Module, path: str | Path) -> None:
    """Read what :func:`save_weights` wrote into a model of the same form, which is then ready to read.

    Raises:
        InputError: missing, damaged, or of another model.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        stored = load(Path(path).read_bytes())
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: no weights of this model, nor of any other ({str(error).splitlines()[0]})") from None
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


def _checkpoint_hint(stored: Mapping[str, torch.Tensor]) -> str:
    if any(name.startswith("optimiser.") for name in stored):
        return ". The file is the checkpoint of a training; its weights are those that it writes at its end"
    return ""
