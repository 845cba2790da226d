"""docs/lifting.md: its first example runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from marrow.lift.shipped import example

PAGE = (Path(__file__).parents[2] / "docs" / "lifting.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_the_first_example_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("keypoints.npy", example(5)[0])
    names: dict[str, object] = {}
    exec(compile(BLOCKS[0], "docs/lifting.md", "exec"), names)
    assert names["found"].xyz.shape == (5, 17, 3)  # type: ignore[attr-defined]
    assert np.isfinite(names["found"].xyz).all()  # type: ignore[attr-defined]
