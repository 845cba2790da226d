"""Weights of networks as safetensors files."""

from __future__ import annotations

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
        model.load_state_dict({name: tensor.float() for name, tensor in stored.items()})
    except (OSError, SafetensorError, RuntimeError) as error:
        raise InputError(f"{path}: no weights of this model ({str(error).splitlines()[0]})") from None
    model.eval()
