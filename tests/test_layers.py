"""Import arrows point one way: read from the source, not from what happens to be loaded."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "marrow"

#: An area may import areas of lower rank, and those named beside it. Areas of one rank do not import each other.
RANK = {
    **{"errors": 0, "types": 0, "cache": 0, "progress": 0},
    **{"_compile": 1, "_threads": 1},
    "conventions": 1,
    **{"assets": 2, "geometry": 2},
    "skeleton": 3,
    **{"body": 4, "render": 4, "nn": 4},
    **{"metrics": 4, "io": 4},
    **{"data": 5, "train": 5},
    "fit": 6,
    **{"detect": 7, "lift": 7, "recover": 7, "multiview": 7, "avatar": 7, "generate": 7, "language": 7},
    **{"clinical": 7, "view": 7, "bench": 7, "scale": 7},
    **{"person": 8, "perception": 8},
    **{"results": 9, "conversion": 9},
    **{"main_road": 10, "retargeting": 10},
    **{"systems": 11, "lifters": 11, "cli": 11},
}
#: Arrows within a rank that are part of the design.
ALLOWED = {
    ("bench", "detect"),  # benches run the stages
    ("bench", "lift"),
    ("bench", "recover"),
    ("body", "io"),  # the user's models are written whole, as every file is
    ("cli", "lifters"),
    ("cli", "systems"),  # verbs that list and run them
    ("lifters", "systems"),  # lifters by name, systems' among them
    ("recover", "detect"),  # crops are cut around people; a detector's landmarks as hints
    ("recover", "lift"),  # where a body stands, from its joints in the picture
    ("train", "data"),
    ("types", "errors"),
    ("view", "clinical"),
}
#: The public names of ``marrow/__init__.py`` are loaded lazily, so it may name any area.
TOP = {"__init__", "__main__"}


def area_of(module: str) -> str:
    """``marrow.body.rig`` -> ``body``; ``marrow`` -> ````."""
    return (module.split(".") + [""])[1]


def arrows(path: Path) -> Iterator[tuple[str, int]]:
    """Areas of marrow that a file imports, with line numbers, imports inside functions included."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise AssertionError(f"{path}:{node.lineno}: write imports of marrow in full")
            module = node.module or ""
            names = [f"marrow.{alias.name}" for alias in node.names] if module == "marrow" else [module]
        else:
            continue
        for name in names:
            if name.split(".")[0] == "marrow" and area_of(name):
                yield area_of(name), node.lineno


def faults(package: Path) -> list[str]:
    found = []
    for path in sorted(package.rglob("*.py")):
        relative = path.relative_to(package)
        area = relative.parts[0].removesuffix(".py")
        if area in TOP:
            continue
        if area not in RANK:
            found.append(f"{relative}: the area {area!r} has no rank in tests/test_layers.py")
            continue
        for other, line in arrows(path):
            if other == area:
                continue
            if other.startswith("__") or other not in RANK:
                continue  # a public name such as marrow.__version__
            if RANK[other] >= RANK[area] and (area, other) not in ALLOWED:
                found.append(f"{relative}:{line}: {area} imports {other}")
    return found


def test_arrows_point_one_way() -> None:
    assert faults(PACKAGE) == []


def test_systems_do_not_import_systems() -> None:
    for path in (PACKAGE / "systems").glob("*.py"):
        inner = [line for area, line in arrows(path) if area == "systems"]
        assert inner == [], f"{path.name} imports another system on lines {inner}"


def test_geometry_and_conventions_need_numpy_alone() -> None:
    for path in [PACKAGE / "conventions.py", *(PACKAGE / "geometry").glob("*.py")]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        modules = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
        modules |= {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        outside = {name.split(".")[0] for name in modules}
        standard = {"__future__", "collections", "dataclasses", "difflib", "functools", "math", "pathlib", "typing"}
        assert outside <= standard | {"numpy", "marrow"}, path


#: Areas in which something learns, or is drawn with derivatives.
TORCH = (
    "body",
    "nn",
    "render",
    "train",
    "systems",
    "recover",
    "lift",
    "data",
    "bench",
    "avatar",
    "generate",
    "_threads",
)


def test_torch_is_imported_only_where_it_lives_and_never_at_the_top() -> None:
    for path in PACKAGE.rglob("*.py"):
        area = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                continue
            if any(name.split(".")[0] in ("torch", "roma") for name in names):
                assert area in TORCH, path


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("geometry/x.py", "from marrow.body import rig\n"),
        ("skeleton/x.py", "def f():\n    import marrow.body.rig\n"),
        ("body/x.py", "from marrow import fit\n"),
        ("fit/x.py", "from marrow.main_road import capture\n"),
        ("render/x.py", "from marrow.body import load_body\n"),
        ("novel/x.py", "import numpy\n"),
    ],
)
def test_a_wrong_arrow_is_found(tmp_path: Path, file: str, text: str) -> None:
    (tmp_path / file).parent.mkdir()
    (tmp_path / file).write_text(text)
    assert len(faults(tmp_path)) == 1
