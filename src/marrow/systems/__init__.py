"""One file for each paper. A file here, or an entry point in the group ``marrow.systems``, is the whole registration.

``marrow systems`` lists them, ``marrow new ID`` begins one from ``_template.py``, which shows what a file has to hold.
Files of a folder of one's own join with ``--folder``.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from marrow.bench.system import System, check_id
from marrow.errors import InputError, MarrowError

GROUP = "marrow.systems"
HERE = Path(__file__).parent
TEMPLATE = HERE / "_template.py"

#: What a system file has beside ``SYSTEM``; ``infer`` may be called ``fit``.
FUNCTIONS = ("build", "example", "bench")


@dataclass(frozen=True)
class Entry:
    """A system with its code.

    Attributes:
        system: what it says of itself.
        module: its file, imported.
        path: its file.
    """

    system: System
    module: ModuleType
    path: Path

    @property
    def infer(self) -> Callable[..., Any]:
        """``infer(model, inputs)`` or ``fit(model, inputs)`` of its file."""
        return getattr(self.module, "infer", None) or self.module.fit

    @property
    def learns(self) -> bool:
        """Whether its file has ``train``."""
        return callable(getattr(self.module, "train", None))

    @property
    def weights(self) -> Path:
        """Where the weights lie that come with it, if any do."""
        return self.path.parent / "weights" / f"{self.system.id}.safetensors"

    def save(self, model: Any, path: str | Path, config: Any, *, half: bool = False) -> None:
        """Write what a model has learnt and its settings: as safetensors, unless its file has ``save(model, path)``.

        Raises:
            OutputError: the file cannot be written.
            InputError: a setting cannot be, see :meth:`header`.
        """
        if hasattr(self.module, "save"):
            self.module.save(model, path)
            return
        from marrow.train.weights import save_weights

        save_weights(model, path, half=half, header=self.header(config))

    def load(self, path: str | Path, config: Any = None) -> Any:
        """The model that :meth:`save` wrote, ready to infer.

        Args:
            path: the file.
            config: its settings; without them those of the file, or else the usual ones.

        Raises:
            InputError: the file is missing, damaged, of another system or of other settings.
        """
        config = self.config_of(path) if config is None else config
        if hasattr(self.module, "load"):
            return self.module.load(path, config)
        from marrow.train.weights import load_weights

        model = self.module.build(config)
        load_weights(model, path, self.system.id)
        return model

    def header(self, config: Any) -> dict[str, Any]:
        """What a file of :meth:`save` tells beside the weights, plain data: the system, and its settings.

        Raises:
            InputError: a setting has a type that cannot be written.
        """
        try:
            told = msgspec.to_builtins(config, enc_hook=_as_text)
        except TypeError as error:
            raise InputError(
                f"{self.system.id}: {error}; settings are numbers, texts, paths and tuples of them"
            ) from None
        return {"owner": self.system.id, "config": told}

    def config_of(self, path: str | Path) -> Any:
        """The settings that a file of :meth:`save` tells; of those that it does not, the usual ones.

        Raises:
            InputError: the file is missing, damaged or of another system, or has settings that this version does not
                know.
        """
        if hasattr(self.module, "load"):
            return self.module.Config()
        from marrow.train.weights import saved_header

        told = saved_header(path, self.system.id).get("config", {})
        unknown = [
            name for name in told if name not in {field.name for field in dataclasses.fields(self.module.Config)}
        ]
        if unknown:
            raise InputError(
                f"{path}: {self.system.id} has no setting {unknown[0]!r}; it is of another version of marrow"
            )
        try:
            return msgspec.convert(told, self.module.Config, dec_hook=lambda kind, value: kind(value))
        except msgspec.ValidationError as error:
            raise InputError(f"{path}: settings of {self.system.id} that cannot be read: {error}") from None


@dataclass(frozen=True)
class Found:
    """What discovery found.

    Attributes:
        entries: id to system, in the order of ids.
        broken: id to the reason, for files that are no system yet.
    """

    entries: dict[str, Entry]
    broken: dict[str, str]


def _as_text(value: Any) -> str:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"a setting of the type {type(value).__name__} cannot be written")


def discover(folder: str | Path | None = None) -> Found:
    """All systems: files here, entry points of other packages, and files of ``folder``.

    A file that cannot be used is told in ``broken`` and does not hinder the others.

    Raises:
        InputError: ``folder`` is not there.
    """
    sources = {path.stem: (path, f"marrow.systems.{path.stem}") for path in _files(HERE)}
    if folder is not None:
        if not Path(folder).is_dir():
            raise InputError(f"{folder}: no such folder of systems")
        for path in _files(Path(folder)):
            if path.resolve() != sources.get(path.stem, (None, ""))[0]:
                sources[path.stem] = _once(sources, path.stem, path)
    loaded: dict[str, Entry] = {}
    broken: dict[str, str] = {}
    for name, (path, module) in sources.items():
        _try(name, lambda path=path, module=module: _import(path, module), loaded, broken)
    for point in entry_points(group=GROUP):
        if point.name in sources:
            broken[point.name] = f"the id is taken: {sources[point.name][0]} and the package of {point.value}"
            loaded.pop(point.name, None)
            continue
        _try(point.name, lambda point=point: importlib.import_module(point.module), loaded, broken)
    return Found(dict(sorted(loaded.items())), dict(sorted(broken.items())))


def find(name: str, folder: str | Path | None = None) -> Entry:
    """A system by its id.

    Raises:
        InputError: there is none, and the message names the nearest; or its file cannot be used, and why.
    """
    found = discover(folder)
    if name in found.entries:
        return found.entries[name]
    if name in found.broken:
        raise InputError(f"the system {name!r} cannot be used: {found.broken[name]}")
    near = difflib.get_close_matches(name.lower(), found.entries, n=1, cutoff=0.4)
    if near:
        raise InputError(f"there is no system {name!r}; did you mean {near[0]!r}?")
    known = f"there are {', '.join(found.entries)}" if found.entries else "there is none yet"
    raise InputError(f"there is no system {name!r}; {known}. A new one begins with: marrow new {_possible_id(name)}")


def _possible_id(name: str) -> str:
    """The name, or the word ID where it can be none."""
    try:
        return check_id(name)
    except InputError:
        return "ID"


def load_file(path: str | Path) -> Entry:
    """The system of one file.

    Raises:
        InputError: it is no system; the message says what is missing.
    """
    path = Path(path)
    return _entry(path.stem, _import(path, f"marrow_system_{path.stem}"))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.py") if not path.name.startswith("_"))


def _once(sources: dict[str, tuple[Path, str]], name: str, path: Path) -> tuple[Path, str]:
    if name in sources:
        raise InputError(f"the id {name!r} is taken by {sources[name][0]}; rename {path}")
    return path, f"marrow_system_{name}"


def _try(name: str, load: Callable[[], ModuleType], loaded: dict[str, Entry], broken: dict[str, str]) -> None:
    try:
        loaded[name] = _entry(name, load())
    except MarrowError as error:
        broken[name] = str(error)
    except Exception as error:  # a stranger's file may fail in any way when it is imported
        broken[name] = f"{type(error).__name__}: {error}"


def _import(path: Path, name: str) -> ModuleType:
    if path.parent == HERE:
        return importlib.import_module(name)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _entry(name: str, module: ModuleType) -> Entry:
    path = Path(str(module.__file__))
    system = getattr(module, "SYSTEM", None)
    if not isinstance(system, System):
        raise InputError(f"{path.name}: it has no SYSTEM = System(…)")
    check_id(system.id)
    if system.id != name:
        raise InputError(f"{path.name}: SYSTEM.id is {system.id!r}, expected {name!r}")
    if system.claim.better not in ("lower", "higher"):
        raise InputError(f"{path.name}: Claim.better must be 'lower' or 'higher', got {system.claim.better!r}")
    if not (module.__doc__ or "").strip():
        raise InputError(f"{path.name}: it has no docstring (paper, idea, what is reproduced and what is not)")
    missing = [f for f in FUNCTIONS if not callable(getattr(module, f, None))]
    if not any(callable(getattr(module, f, None)) for f in ("infer", "fit")):
        missing.append("infer")
    if missing:
        raise InputError(f"{path.name}: the functions {', '.join(missing)} are missing")
    config = getattr(module, "Config", None)
    if not (isinstance(config, type) and dataclasses.is_dataclass(config)):
        raise InputError(f"{path.name}: the dataclass Config is missing")
    config()  # every setting needs a default; a TypeError says which has none
    return Entry(system, module, path)
