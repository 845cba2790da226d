"""Tables of pandas in pickles: one that pandas 2.2.3 wrote, and those that a writer here makes in two forms."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dataset_files import frame_pickle
from marrow.body.unpickle import unpickle
from marrow.errors import InputError

COLUMNS: dict[str, list[Any]] = {"name": ["a", "b"], "x": [1.5, 2.5], "points": [[np.eye(2)], []], "y": [3.0, 4.0]}


def test_a_table_that_pandas_wrote() -> None:
    found = unpickle(Path(__file__).with_name("frame_pandas22.pkl").read_bytes(), "frame")
    assert list(found) == ["imgPath", "camX", "camYaw", "X", "n", "ok", "gt_joints_2d", "kid"]
    assert found["imgPath"].tolist() == ["a.png", "b.png"]
    assert found["camYaw"].tolist() == [10.0, 20.0]
    assert found["n"].tolist() == [1, 2]
    assert found["ok"].tolist() == [True, False]
    np.testing.assert_array_equal(found["gt_joints_2d"][0][1], np.arange(6.0).reshape(3, 2))
    assert not any(name.split(".")[0] == "pandas" for name in sys.modules)


@pytest.mark.parametrize("before_1_3", [False, True])
def test_both_forms(before_1_3: bool) -> None:
    found = unpickle(frame_pickle(COLUMNS, before_1_3=before_1_3), "frame")
    assert list(found) == list(COLUMNS)
    assert found["y"].tolist() == [3.0, 4.0]
    assert found["name"].tolist() == ["a", "b"]
    np.testing.assert_array_equal(found["points"][0][0], np.eye(2))


@pytest.mark.parametrize("before_1_3", [False, True])
@pytest.mark.parametrize(
    ("blocks", "text"),
    [
        (lambda parts: parts[:1], "do not hold each of its 4 columns once"),
        (lambda parts: [(parts[0][0][:, :1], parts[0][1]), parts[1]], "does not have its 2 rows"),
        (lambda parts: [(parts[0][0], parts[0][1] + 9), parts[1]], "do not hold each"),
        (lambda parts: [(parts[0][0], slice(0, 7)), parts[1]], "not counted right"),
        (lambda parts: [(parts[0][0], "x"), parts[1]], "not named by their places"),
        (lambda parts: [("x", parts[0][1]), parts[1]], "no plain array, but str"),
        (lambda parts: [(parts[0][0], slice(0, 2, 0)), parts[1]], "slice of step 0"),
    ],
)
def test_tables_that_do_not_fit_together(blocks: Any, text: str, before_1_3: bool) -> None:
    with pytest.raises(InputError, match=text):
        unpickle(frame_pickle(COLUMNS, before_1_3=before_1_3, blocks=blocks), "frame")
