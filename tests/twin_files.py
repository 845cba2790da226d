"""Model files of the twin of SMPL's family (:mod:`marrow.bench.twin`), written as the published ones are."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from marrow.bench.twin import twin


def write_twin(path: Path, family: str, vertices: int) -> Path:
    """A ``.pkl`` as Python 2 wrote it, with chumpy and scipy inside."""
    return _model_files().write_pkl(path, twin(family, vertices))


def _model_files() -> ModuleType:
    """The writer of made-up files, which lies with the body's tests."""
    path = Path(__file__).parent / "body" / "model_files.py"
    spec = importlib.util.spec_from_file_location("made_up_model_files", path)
    if spec is None or spec.loader is None:
        raise ImportError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
