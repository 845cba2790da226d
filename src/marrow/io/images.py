"""Single pictures and numbered picture sequences: any depth and colour mode in, upright uint8 RGB out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from marrow.errors import InputError
from marrow.io.source import Source, check_size, focal_from_35mm
from marrow.types import Frame

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".avif")

#: Frames per second of a picture sequence, which has no time stamps, when the user names none.
SEQUENCE_FPS = 30.0


@dataclass
class ImageSource(Source):
    """One picture, or a sequence of equal size in natural order of the names (``img2`` before ``img10``)."""

    paths: Sequence[Path] = field(default_factory=list)

    def __iter__(self) -> Iterator[Frame]:
        for index, path in enumerate(self.paths):
            image = read_image(path)
            size = (image.shape[1], image.shape[0])
            if size != self.size:
                raise InputError(
                    f"{path}: {size[0]}×{size[1]} pixels, but the sequence began with {self.size[0]}×{self.size[1]} "
                    f"({self.paths[0].name}); a sequence needs pictures of one size, capture the others on their own"
                )
            yield Frame(index, index / self.fps, image)


def open_images(paths: Sequence[Path], name: str, fps: float | None = None) -> ImageSource:
    """A source over pictures; the first one is read to learn size and focal length.

    Raises:
        InputError: the first picture cannot be read or is too small.
    """
    ordered = sorted(paths, key=natural_key)
    first = read_image(ordered[0])
    size = (first.shape[1], first.shape[0])
    check_size(size, str(ordered[0]))
    source = ImageSource(name, size, fps or SEQUENCE_FPS, len(ordered), paths=ordered)
    if len(ordered) > 1 and fps is None:
        source.warn(f"a picture sequence has no time stamps: {SEQUENCE_FPS:g} frames per second assumed")
    source.focal_px, warning = _exif_focal(ordered[0], size)
    if warning:
        source.warn(warning)
    return source


def natural_key(path: Path) -> list[tuple[int, int, str]]:
    """Sort key that orders numbers by value: ``img2`` before ``img10``."""
    parts = re.split(r"(\d+)", path.name.lower())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]


def read_image(path: str | Path) -> NDArray[np.uint8]:
    """Read a picture as upright RGB.

    Grey is repeated, deeper than 8 bits is scaled down, transparency is laid on white, EXIF orientation is applied.

    Returns:
        (H, W, 3) uint8.

    Raises:
        InputError: missing, empty, damaged or not a picture.
    """
    path = Path(path)
    try:
        with Image.open(path) as opened:
            opened.load()
            upright = ImageOps.exif_transpose(opened) or opened
            return _to_rgb8(upright)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except Image.DecompressionBombError as error:
        raise InputError(f"{path}: {error}; shrink the picture first") from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        empty = path.is_file() and path.stat().st_size == 0
        why = "the file is empty" if empty else f"not a picture that can be read ({error})"
        raise InputError(f"{path}: {why}; expected one of {' '.join(IMAGE_SUFFIXES)}") from error


def cut_crop(image: NDArray[np.uint8], image_from_crop: NDArray[np.float64], size: int) -> NDArray[np.uint8]:
    """(size, size, 3) the crop of a picture (H, W, 3); black beyond its edges. Shrinks by areas, so nothing aliases."""
    import cv2

    scale = image_from_crop[0, 0]
    halvings = max(0, int(np.floor(np.log2(max(scale, 1e-6)))))
    small = image
    for _ in range(halvings):
        small = cv2.resize(small, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    A = image_from_crop.copy()
    # the smaller picture's pixel centres: x_small = (x + 0.5) / 2^k - 0.5
    A[:, 2] = (A[:, 2] + 0.5) / 2**halvings - 0.5
    A[:, :2] /= 2**halvings
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(small, A, (size, size), flags=flags), np.uint8)


def _to_rgb8(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode.startswith("I") or image.mode == "F":
        grey = np.asarray(image).astype(np.float64)
        # A 16-bit picture arrives as "I;16" or "I"; whole numbers up to 255 and floats up to 1 are other habits.
        peak = float(np.nanmax(grey, initial=0.0))
        full = 1.0 if image.mode == "F" and peak <= 1 else (255.0 if image.mode == "F" and peak <= 255 else 65535.0)
        grey8 = np.clip(np.nan_to_num(grey) / full * 255, 0, 255).round().astype(np.uint8)
        return np.repeat(grey8[..., None], 3, axis=-1)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return np.array(image.convert("RGB"))


def _exif_focal(path: Path, size: tuple[int, int]) -> tuple[float | None, str | None]:
    """Focal length in pixels by EXIF, and a warning where EXIF is there but cannot be believed."""
    with Image.open(path) as image:
        tags = image.getexif().get_ifd(ExifTags.IFD.Exif)
    try:
        focal = float(tags.get(ExifTags.Base.FocalLengthIn35mmFilm, 0))
        taken = tuple(int(tags.get(tag, 0)) for tag in (ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight))
    except (TypeError, ValueError, ZeroDivisionError):
        return None, f"{path.name}: unreadable EXIF focal length ignored"
    if not focal > 0:
        return None, None
    if min(taken) > 0 and abs(max(taken) / min(taken) - max(size) / min(size)) > 0.02:
        return None, f"{path.name}: the picture was cropped after it was taken, so its EXIF focal length is ignored"
    return focal_from_35mm(focal, size), None
