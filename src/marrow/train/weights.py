"""Weights of networks as safetensors files, which tell in their header what they are of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from marrow.errors import InputError
from marrow.io.files import write_atomically

_HEADER = "marrow"


def save_weights(
    model: torch.nn.Module, path: str | Path, *, half: bool = False, header: Mapping[str, Any] | None = None
) -> None:
    """Write a model's weights, in 32 bits or in 16, and plain data about them.

    Raises:
        OutputError: the file cannot be written.
    """
    from safetensors.torch import save

    kept = torch.float16 if half else torch.float32
    tensors = {name: tensor.to(kept).contiguous() for name, tensor in model.state_dict().items()}
    # one entry, since safetensors writes several in any order, and one training should give one file
    data = save(tensors, {_HEADER: json.dumps(dict(header or {}))})
    with write_atomically(path) as file:
        file.write(data)


def load_weights(model: torch.nn.Module, path: str | Path, owner: str | None = None) -> None:
    """Read what :func:`save_weights` wrote into a model of the same form, which is then ready to read.

    Args:
        model: of the form that the weights have.
        path: the file.
        owner: the system or lifter that the weights have to be of, if their header names one.

    Raises:
        InputError: missing, damaged (numbers that are not finite among that), a checkpoint, or of another model.
    """
    stored, _ = _read(path, owner)
    own = model.state_dict()
    for name in (*own, *stored):
        one, other = (tuple(values[name].shape) if name in values else None for values in (own, stored))
        if one != other:
            raise InputError(
                f"{path}: no weights of this model: {name} has the shape {other} there and {one} here (None: it is not "
                f"there); load them into the same network with the same settings"
            )
    for name, tensor in stored.items():
        if not torch.isfinite(tensor).all():  # every answer would be NaN
            raise InputError(
                f"{path}: damaged weights: {name} has NaN or infinite numbers; train anew, or fetch the file anew"
            )
    model.load_state_dict({name: tensor.float() for name, tensor in stored.items()})
    model.eval()


def saved_header(path: str | Path, owner: str) -> dict[str, Any]:
    """The ``header`` that weights were saved with; its ``"owner"``, if it has one, is the system or lifter they are of.

    Raises:
        InputError: the file is missing, damaged or of another owner.
    """
    return _read(path, owner, header_only=True)[1]


def _read(
    path: str | Path, owner: str | None, header_only: bool = False
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    for wrong, told in ((not Path(path).exists(), "there is no such file"), (Path(path).is_dir(), "that is a folder")):
        if wrong:
            raise InputError(f"{path}: {told}; give the file of weights, such as marrow train writes")
    try:
        with safe_open(path, "pt") as file:
            names = list(file.keys())
            tensors = {} if header_only else {name: file.get_tensor(name) for name in names}
            header = json.loads((file.metadata() or {}).get(_HEADER, "{}"))
    except (OSError, SafetensorError, ValueError) as error:
        raise InputError(f"{path}: no weights of this model, nor of any other ({str(error).splitlines()[0]})") from None
    if any(name.startswith("optimiser.") for name in names):
        raise InputError(
            f"{path}: this is the checkpoint of a training, not weights; give the file that the training writes at its "
            "end (--out), or go on with it: marrow train ID --keep FILE --resume"
        )
    other = header.get("owner", owner)
    if owner is not None and other != owner:
        raise InputError(f"{path}: these are weights of {other!r}, not of {owner!r}; give them to {other!r}")
    return tensors, header
