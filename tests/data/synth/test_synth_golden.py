"""A committed sample of 32 pictures is made again: other versions and processors may round, and no more.

python tests/data/synth/test_synth_golden.py      # make the sample anew, after a change that is meant
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image

from marrow.data.synth.samples import Recipe, make
from marrow.data.synth.scenes import Choices
from marrow.data.synth.stores import read_shard, write_shard

SAMPLE = Path(__file__).parent / "golden"
SEED, EACH = 41, 8
SETS = {
    "clean": Choices(size=(96, 96)), "hard": Choices(size=(96, 96)), "multi": Choices(size=(160, 90)),
    "dense": Choices(size=(96, 96)),
}  # fmt: skip


def picture(jpg: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(jpg)).convert("RGB")).astype(int)


def flat(value: Any, name: str = "") -> dict[str, Any]:
    """Every number and word of a record, by its path."""
    if isinstance(value, dict):
        return {k: v for key, item in value.items() for k, v in flat(item, f"{name}/{key}").items()}
    if isinstance(value, list):
        return {k: v for i, item in enumerate(value) for k, v in flat(item, f"{name}/{i}").items()}
    return {name: value}


def made(preset: str):
    for index in range(EACH):
        for key, files in make(Recipe(preset, SEED, SETS[preset], ("mask",), 0), index):
            yield key, {name: files[name] for name in ("jpg", "mask.png", "json")}


@pytest.mark.parametrize("preset", SETS)
def test_the_sample_is_made_again(preset):
    sample = dict(read_shard(SAMPLE / f"{preset}.tar"))
    assert len(sample) == EACH
    differing, pixels = 0, 0
    for key, files in made(preset):
        then = sample[key]
        now, before = picture(files["jpg"]), picture(then["jpg"])
        # JPEG blocks spread one rounded pixel over 64
        differing += int((np.abs(now - before).max(-1) > 2).sum())
        pixels += now.shape[0] * now.shape[1]
        a, b = flat(msgspec.json.decode(files["json"])), flat(msgspec.json.decode(then["json"]))
        masked = {name for name in a if any(f"/{word}" in name for word in ("rle", "box", "pixels", "share"))}
        for name in (a.keys() | b.keys()) - masked:
            if "/rle" in name or "/box" in name:
                continue
            one, other = a.get(name), b.get(name)
            if isinstance(one, float) or isinstance(other, float):
                # pixels to 1e-3, metres to 1e-6 (a micrometre is a thousandth of a millimetre), angles likewise
                assert one == pytest.approx(other, abs=1.5e-3 if "/xy/" in name else 2e-5, rel=1e-6), name
            elif "/seen/" not in name:
                assert one == other, name
        masks = [np.asarray(Image.open(io.BytesIO(f["mask.png"]))) for f in (files, then)]
        assert (masks[0] != masks[1]).mean() <= 1e-3
    assert differing <= 1e-3 * pixels


if __name__ == "__main__":
    SAMPLE.mkdir(exist_ok=True)
    for name in SETS:
        write_shard(SAMPLE / f"{name}.tar", made(name))
