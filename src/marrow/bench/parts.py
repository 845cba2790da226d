"""Which shared parts a file of code uses, read from its imports, so that no list can fall behind the code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]

#: Every system speaks in these; they are no parts of a method.
_VOCABULARY = ("marrow.bench.system", "marrow.errors", "marrow.types")


@dataclass(frozen=True)
class Part:
    """Something of marrow that a file imports.

    Attributes:
        name: such as ``marrow.geometry.procrustes.align``.
        path: file in which it is defined.
        line: line there; 1 for whole modules.
    """

    name: str
    path: Path
    line: int


def parts_of(path: str | Path, package: Path = _PACKAGE) -> tuple[Part, ...]:
    """The parts that a file imports, imports inside functions included, in the order of their names.

    Args:
        path: Python file.
        package: folder of the package ``marrow``.
    """
    found = {}
    for module, name in _imports(ast.parse(Path(path).read_text(encoding="utf-8"))):
        if module.split(".")[0] != "marrow" or module in _VOCABULARY:
            continue
        place = _locate(module, name, package, depth=4)
        if place is not None:
            full = f"{module}.{name}" if name else module
            found[full] = Part(full, *place)
    return tuple(found[name] for name in sorted(found))


def _imports(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Module and imported name (empty for whole modules)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((node.module, alias.name) for alias in node.names)


def _locate(module: str, name: str, package: Path, depth: int) -> tuple[Path, int] | None:
    """File and line of a definition; follows what a package's ``__init__`` takes from its modules."""
    path = _file(module, package)
    if path is None or depth == 0:
        return None
    if not name:
        return path, 1
    inner = _file(f"{module}.{name}", package)
    if inner is not None:
        return inner, 1
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            return path, node.lineno
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return path, node.lineno
    for other, imported in _imports(tree):
        if imported == name:
            return _locate(other, name, package, depth - 1) or (path, 1)
    return path, 1


def _file(module: str, package: Path) -> Path | None:
    at = package.joinpath(*module.split(".")[1:])
    for path in (at.with_suffix(".py"), at / "__init__.py"):
        if path.is_file():
            return path
    return None
