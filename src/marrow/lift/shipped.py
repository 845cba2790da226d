"""Lifters that come with marrow, and a picture's keypoints to try one on.

Importing this is cheap: torch is imported where a network is made.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from marrow.errors import AssetError, InputError
from marrow.types import Camera, Float64

if TYPE_CHECKING:
    import torch

    from marrow.lift.lifter import Lifter
    from marrow.lift.networks import FrameLifter, TimeLifter

WEIGHTS = Path(__file__).with_name("weights")

Network = TypeVar("Network", bound="torch.nn.Module")


def shipped(name: str, network: torch.nn.Module, path: Path) -> Lifter:
    """A lifter with a network whose weights lie at ``path``; errors as of :func:`with_weights`."""
    from marrow.lift.lifter import Lifter

    return Lifter(name, with_weights(name, network, path))


def with_weights(name: str, network: Network, path: Path) -> Network:
    """A lifter's network with the weights that lie at ``path``, in evaluation mode.

    Raises:
        AssetError: they are not there, damaged, or of another network.
    """
    from marrow.train.weights import load_weights

    if not path.is_file():
        raise AssetError(
            f"the lifter {name!r} has no weights in this installation; reinstall marrow, or in its repository: python "
            f"scripts/train_lifters.py {name}"
        )
    try:
        load_weights(network, path)
    except InputError as error:
        raise AssetError(f"the lifter {name!r} cannot be loaded: {error}; reinstall marrow") from error
    return network.eval()


def frame_lifter(folder: Path = WEIGHTS) -> Lifter:
    """The lifter of single frames; its weights are ``frame.safetensors`` in ``folder``."""
    return shipped("frame", frame_network(), folder / "frame.safetensors")


def time_lifter(folder: Path = WEIGHTS) -> Lifter:
    """The lifter that looks at 13 frames before and after each; its weights are ``time.safetensors`` in ``folder``."""
    return shipped("time", time_network(), folder / "time.safetensors")


#: Name of each to the function that loads it.
SHIPPED: dict[str, Callable[..., Lifter]] = {"frame": frame_lifter, "time": time_lifter}
#: The one that the main road takes unless told otherwise; intervals of angles are calibrated with it.
DEFAULT = "time"


def frame_network() -> FrameLifter:
    """The network of :func:`frame_lifter`, untrained."""
    from marrow.lift.networks import FrameLifter

    return FrameLifter(width=384, blocks=2)


def time_network() -> TimeLifter:
    """The network of :func:`time_lifter`, untrained."""
    from marrow.lift.networks import TimeLifter

    return TimeLifter(frame_network(), width=256, reach=(1, 3, 9))


def example(frames: int = 9) -> tuple[Float64, Camera]:
    """Pixels (T, 17, 2) of ``h36m17`` of somebody who walks past, and the camera."""
    rise = np.array([0.95, 0.95, 0.5, 0.08, 0.95, 0.5, 0.08, 1.2, 1.45, 1.55, 1.7, 1.4, 1.12, 0.88, 1.4, 1.12, 0.88])
    side = np.array([0, -0.1, -0.12, -0.12, 0.1, 0.12, 0.12, 0, 0, 0, 0, 0.18, 0.24, 0.25, -0.18, -0.24, -0.25])
    K = np.array([[1000.0, 0.0, 640.0], [0.0, 1000.0, 360.0], [0.0, 0.0, 1.0]])
    x = np.stack([side + np.linspace(-0.3, 0.3, frames)[:, None], np.tile(1.0 - rise, (frames, 1))], -1)
    return K[:2, 2] + 1000 * x / 4.0, Camera(K, (1280, 720), np.eye(3), np.zeros(3))
