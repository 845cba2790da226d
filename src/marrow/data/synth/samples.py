"""The files of one synthetic picture or clip, as names and bytes: the same bytes whoever makes them."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from marrow.data.synth.annotations import MAPS, Labels, annotate
from marrow.data.synth.draw import draw, set_stage
from marrow.data.synth.motions import SPLITS
from marrow.data.synth.presets import preset
from marrow.data.synth.scenes import Choices, Scene, sample_scene
from marrow.errors import InputError


@dataclass(frozen=True)
class Recipe:
    """What a set is made of; with a number it makes one sample.

    Attributes:
        preset: name.
        seed: of the set.
        choices: what the user set beyond the preset.
        maps: names of :data:`marrow.data.synth.annotations.MAPS`.
        points: dense points a person; None: the preset's.
    """

    preset: str
    seed: int = 0
    choices: Choices = field(default_factory=Choices)
    maps: tuple[str, ...] = tuple(MAPS)
    points: int | None = None

    def __post_init__(self) -> None:
        unknown = [name for name in self.maps if name not in MAPS]
        if unknown:
            raise InputError(f"there is no map {unknown[0]!r}; known: {', '.join(MAPS)}")
        if self.choices.split not in SPLITS:
            raise InputError(f"no split {self.choices.split!r}: expected {', '.join(SPLITS)}")
        if self.seed < 0:
            raise InputError(f"seed: expected 0 or more, got {self.seed}")
        size = self.choices.size
        if size is not None and (min(size) < 16 or max(size) > 8192):
            raise InputError(f"size: expected a width and height of 16 to 8192 pixels, got {size[0]}x{size[1]}")
        if not 1 <= self.choices.views <= 32:
            raise InputError(f"views: expected 1 to 32 cameras, got {self.choices.views}")
        if self.points is not None and self.points < 0:
            raise InputError(f"points: expected 0 or more, got {self.points}")


def keys(recipe: Recipe, index: int) -> list[str]:
    """Names of the samples that a number gives, one for each view."""
    views = recipe.choices.views
    return [f"{index:06d}" if views == 1 else f"{index:06d}_{view}" for view in range(views)]


def scene_of(recipe: Recipe, index: int) -> Scene:
    """The scene of one number."""
    return sample_scene(recipe.preset, preset(recipe.preset), recipe.seed, index, recipe.choices)


def make(recipe: Recipe, index: int) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Samples of one number, one a view: key, and files by their ending; ``json`` is the last.

    A picture has ``jpg``, ``json``, a ``png`` for each map, such as ``mask.png``, and ``dense.npz`` where dense points
    are wanted; a clip has ``mp4`` and ``json`` (and maps of its frames: ``007.mask.png``).
    """
    given = preset(recipe.preset)
    points = given.points if recipe.points is None else recipe.points
    scene = scene_of(recipe, index)
    frames = range(len(scene.time))
    stages = [set_stage(scene, frame) for frame in frames]
    for view, key in enumerate(keys(recipe, index)):
        files: dict[str, bytes] = {}
        records, images = [], []
        for frame in frames:
            drawn = draw(stages[frame], view)
            labels = annotate(drawn, view, recipe.maps, points)
            prefix = f"{frame:03d}." if given.seconds else ""
            files |= _encoded(labels, prefix)
            records.append(labels.record)
            images.append(drawn)
        if given.seconds:
            files["mp4"] = _video([drawn.image for drawn in images], given.fps)
            files["json"] = msgspec.json.encode({"key": key, "fps": given.fps, "frames": records})
        else:
            files["jpg"] = _jpeg(images[0].image, scene.disturbance.quality)
            files["json"] = msgspec.json.encode({"key": key, **records[0]})
        yield key, files


def _jpeg(image: NDArray[np.uint8], quality: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return file.getvalue()


def _encoded(labels: Labels, prefix: str) -> dict[str, bytes]:
    out = {f"{prefix}{name}.png": _png(image, smooth=name == "depth") for name, image in labels.maps.items()}
    if labels.dense:
        file = io.BytesIO()
        np.savez(file, allow_pickle=False, **labels.dense)
        out[f"{prefix}dense.npz"] = file.getvalue()
    return out


def _png(image: NDArray, smooth: bool) -> bytes:
    channels = image[..., ::-1] if image.ndim == 3 else image  # OpenCV writes blue first
    # Run lengths take less than half the time on these pictures and are as small, but not where each pixel is another.
    quick = (cv2.IMWRITE_PNG_COMPRESSION, 1) if smooth else (cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE)
    done, data = cv2.imencode(".png", channels, quick)
    if not done:
        raise ValueError(f"a map of {image.shape} {image.dtype} could not be written as PNG")
    return data.tobytes()


def _video(images: Sequence[NDArray[np.uint8]], fps: float) -> bytes:
    from marrow.io.writer import Writer

    height, width = images[0].shape[:2]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        with Writer(path, (width, height), fps=fps) as video:
            for image in images:
                video.write(image)
        return path.read_bytes()
