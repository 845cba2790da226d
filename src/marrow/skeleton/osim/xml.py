"""XML with line numbers, so that an error can say where. Entities and document types are refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

import numpy as np

from marrow.errors import InputError
from marrow.types import Float64


@dataclass(eq=False)
class Element:
    """One element: tag, attributes, own text, children, and where it stands."""

    tag: str
    attributes: dict[str, str]
    file: Path
    line: int
    text: str = ""
    children: list[Element] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.attributes.get("name", "")

    def __iter__(self) -> Iterator[Element]:
        return iter(self.children)

    def find(self, *tags: str) -> Element | None:
        """The first child with one of the tags."""
        return next((child for child in self.children if child.tag in tags), None)

    def walk(self) -> Iterator[Element]:
        """All elements below this one, depth first."""
        for child in self.children:
            yield child
            yield from child.walk()

    def error(self, message: str) -> InputError:
        """An error that names the file, the line and this element."""
        label = f'<{self.tag} name="{self.name}">' if self.name else f"<{self.tag}>"
        return InputError(f"{self.file}:{self.line}: {label}: {message}")

    def string(self, *tags: str, default: str | None = None) -> str:
        """Text of a child, stripped; ``default`` where there is none, an error without one."""
        child = self.find(*tags)
        if child is not None:
            return child.text.strip()
        if default is None:
            raise self.error(f"<{tags[0]}> is missing")
        return default

    def words(self, tag: str) -> tuple[str, ...]:
        """Words of a child's text; none where it is missing."""
        return tuple(self.string(tag, default="").split())

    def numbers(self, tag: str, count: int | None = None, default: object = None) -> Float64:
        """Finite numbers of a child's text, (n,); ``count`` of them where that is given."""
        child = self.find(tag)
        if child is None or (not child.text.strip() and default is not None):
            if default is None:
                raise self.error(f"<{tag}> is missing")
            return np.array(default, float).reshape(-1)
        try:
            values = np.array([float(word) for word in child.text.replace(",", " ").split()], float)
        except ValueError as fault:
            raise child.error(f"expected numbers, got {_short(child.text)} ({fault})") from None
        if count is not None and len(values) != count:
            raise child.error(f"expected {count} numbers, got {len(values)}: {_short(child.text)}")
        if not np.isfinite(values).all():
            raise child.error(f"expected finite numbers, got {_short(child.text)}")
        return values

    def number(self, tag: str, default: float | None = None) -> float:
        """One finite number of a child."""
        return float(self.numbers(tag, 1, default)[0])

    def flag(self, tag: str, default: bool) -> bool:
        """``true`` or ``false`` of a child."""
        child = self.find(tag)
        word = "" if child is None else child.text.strip().lower()
        if not word:
            return default
        if word in ("true", "1", "false", "0"):
            return word in ("true", "1")
        assert child is not None
        raise child.error(f"expected true or false, got {_short(child.text)}")


def parse(path: str | Path) -> Element:
    """Root element of a file.

    Raises:
        InputError: the file is not there, is not XML, or has a document type.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as fault:
        raise InputError(f"{path}: cannot be read ({fault.strerror or fault}); is the path right?") from None
    parser = expat.ParserCreate()
    parser.buffer_text = True
    top = Element("", {}, path, 0)
    open_elements = [top]

    def start(tag: str, attributes: dict[str, str]) -> None:
        element = Element(tag, attributes, path, parser.CurrentLineNumber)
        open_elements[-1].children.append(element)
        open_elements.append(element)

    def end(tag: str) -> None:
        open_elements.pop()

    def text(piece: str) -> None:
        open_elements[-1].text += piece

    def refuse(*_: object) -> None:
        raise InputError(f"{path}:{parser.CurrentLineNumber}: a document type has no place here; remove <!DOCTYPE …>")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(content, True)
    except expat.ExpatError as fault:
        what = expat.ErrorString(fault.code)
        raise InputError(f"{path}:{fault.lineno}: not well-formed XML ({what}); is this an OpenSim file?") from None
    return top.children[0]


def _short(text: str) -> str:
    text = " ".join(text.split())
    return repr(text if len(text) <= 40 else text[:37] + "…")
