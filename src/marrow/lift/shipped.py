"""Lifters that come with marrow, and a picture's keypoints to try one on.

Importing this is cheap: torch is imported where a network is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from marrow.errors import AssetError, InputError
from marrow.types import Camera, Float64

if TYPE_CHECKING:
    from marrow.lift.lifter import Lifter
    from marrow.lift.networks import FrameLifter, TimeLifter

WEIGHTS = Path(__file__).with_name("weights")

#: The lifter that the main road takes unless told otherwise; intervals of angles are calibrated with it.
DEFAULT = "time"


def require_weights(name: str, path: Path) -> None:
    """Raises AssetError where the weights that come along with a lifter are not at ``path``."""
    if not path.is_file():
        raise AssetError(
            f"the lifter {name!r} has no weights in this installation; reinstall marrow, or in its repository: python "
            f"scripts/train_lifters.py {name} (of a system of your own: marrow train {name} --out {path})"
        )


@contextmanager
def coming_along(name: str, path: Path) -> Iterator[None]:
    """Loads the weights at ``path`` that come along with a lifter.

    Raises:
        AssetError: they are not there, damaged, or of another network.
    """
    require_weights(name, path)
    try:
        yield
    except InputError as error:
        raise AssetError(f"the lifter {name!r} cannot be loaded: {error}; reinstall marrow") from error


def load_shipped(name: str, weights: str | Path | None = None) -> Lifter:
    """The lifter ``"frame"``, of single frames, or ``"time"``, which looks at 13 frames before and after each, and also
    into a mirror.

    Args:
        name: a key of :data:`NETWORKS`.
        weights: a file of :func:`marrow.train.weights.save_weights`; without it the one that comes along.

    Raises:
        AssetError: the weights that come along are missing or damaged.
        InputError: the given ones are, or are of another lifter.
    """
    from marrow.data.lifting import FPS
    from marrow.lift.lifter import Lifter
    from marrow.lift.mirror import BothSides
    from marrow.train.weights import load_weights

    network, path = NETWORKS[name](), path_of(name) if weights is None else weights
    with coming_along(name, path_of(name)) if weights is None else nullcontext():
        load_weights(network, path, name)
    network.requires_grad_(False)
    return Lifter("frame", network) if name == "frame" else Lifter("time", BothSides(network), rate=FPS)


def path_of(name: str) -> Path:
    """Where the weights of a key of :data:`NETWORKS` lie that come along."""
    return WEIGHTS / f"{name}.safetensors"


def frame_network() -> FrameLifter:
    """The network of ``"frame"``, untrained."""
    from marrow.lift.networks import FrameLifter

    return FrameLifter(width=384, blocks=2)


def time_network() -> TimeLifter:
    """The network of ``"time"``, untrained."""
    from marrow.lift.networks import TimeLifter

    return TimeLifter(frame_network(), width=256, reach=(1, 3, 9))


#: Name of each lifter to what makes its network.
NETWORKS: dict[str, Callable[[], FrameLifter | TimeLifter]] = {"frame": frame_network, "time": time_network}


def example(frames: int = 9) -> tuple[Float64, Camera]:
    """Pixels (T, 17, 2) of ``h36m17`` of somebody who walks past, and the camera."""
    rise = np.array([0.95, 0.95, 0.5, 0.08, 0.95, 0.5, 0.08, 1.2, 1.45, 1.55, 1.7, 1.4, 1.12, 0.88, 1.4, 1.12, 0.88])
    side = np.array([0, -0.1, -0.12, -0.12, 0.1, 0.12, 0.12, 0, 0, 0, 0, 0.18, 0.24, 0.25, -0.18, -0.24, -0.25])
    K = np.array([[1000.0, 0.0, 640.0], [0.0, 1000.0, 360.0], [0.0, 0.0, 1.0]])
    x = np.stack([side + np.linspace(-0.3, 0.3, frames)[:, None], np.tile(1.0 - rise, (frames, 1))], -1)
    return K[:2, 2] + 1000 * x / 4.0, Camera(K, (1280, 720), np.eye(3), np.zeros(3))
