"""The lifters that come with marrow: ``frame`` looks at each frame alone, ``time`` at those before and after too.

Importing this is cheap: torch is imported where a network is made.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from marrow.errors import AssetError, InputError

if TYPE_CHECKING:
    from torch.nn import Module

    from marrow.lift.lifter import Lifter

WEIGHTS = Path(__file__).with_name("weights")
#: Standard deviation of a coordinate over the distance that a network expects; exact for errors that are normal and
#: alike along all three axes.
_EVEN = 0.63


def frame_lifter(folder: Path = WEIGHTS) -> Lifter:
    """The lifter of single frames. Raises AssetError where its weights are missing or damaged."""
    from marrow.lift.networks import FrameLifter

    return _lifter(FrameLifter, folder / "frame.safetensors")


def time_lifter(folder: Path = WEIGHTS) -> Lifter:
    """The lifter of sequences. Raises AssetError where its weights are missing or damaged."""
    from marrow.lift.networks import TimeLifter

    return _lifter(TimeLifter, folder / "time.safetensors")


#: Name of each to the function that loads it.
SHIPPED: dict[str, Callable[..., Lifter]] = {"frame": frame_lifter, "time": time_lifter}


def default_lifter(folder: Path = WEIGHTS) -> Lifter | None:
    """What a capture uses where nothing is said: ``time`` where its weights are there, else none."""
    return time_lifter(folder) if (folder / "time.safetensors").is_file() else None


def _lifter(network: Callable[[], Module], path: Path) -> Lifter:
    from marrow.lift.lifter import Lifter
    from marrow.train.weights import load_weights

    if not path.is_file():
        raise AssetError(
            f"the lifter {path.stem!r} has no weights in this installation ({path}); reinstall marrow, or train it: "
            f"python scripts/train_lifters.py {path.stem}"
        )
    made = network()
    try:
        load_weights(made, path)
    except InputError as error:
        raise AssetError(f"the lifter {path.stem!r} cannot be loaded: {error}; reinstall marrow") from error
    return Lifter(path.stem, made, _EVEN)
