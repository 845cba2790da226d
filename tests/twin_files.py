"""A model file of the twin of SMPL (:mod:`marrow.bench.twin`), written as the published ones are."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from marrow.bench.twin import twin

VERTICES = 2500


def write_twin(path: Path) -> Path:
    """A ``.pkl`` as Python 2 wrote it, with chumpy and scipy inside."""
    writer = Path(__file__).parent / "body" / "model_files.py"  # lies with the body's tests
    spec = importlib.util.spec_from_file_location("made_up_model_files", writer)
    if spec is None or spec.loader is None:
        raise ImportError(writer)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.write_pkl(path, twin("smpl", VERTICES, corrected=True))
