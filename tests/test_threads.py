"""One thread inside, as many as before outside, whatever happens inside."""

from __future__ import annotations

import pytest
import torch

from marrow._threads import one_thread


def test_threads_come_back():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with one_thread():
            assert torch.get_num_threads() == 1
        with pytest.raises(ZeroDivisionError), one_thread():
            _ = 1 / 0
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
