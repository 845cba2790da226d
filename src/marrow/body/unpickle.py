"""Pickles as data: arrays, sparse matrices and plain containers are read; nothing in the file is imported or called.

Published body models are pickles, many written by Python 2 with chumpy and scipy inside. Python's own unpickler calls
whatever a file names; this one interprets the opcodes (Python's ``pickletools`` documents them) on a stack of values,
knows a short table of globals by name, and builds their values itself from the bytes in the file. What a file claims of
sizes is held against the bytes it has.
"""

from __future__ import annotations

import codecs
import struct
from collections.abc import Callable
from typing import Any

from marrow.body._pickled import Global, Object, Unreadable, finished, named, plain_key, settled
from marrow.errors import InputError

#: More opcodes than any model file has (some thousands); an opcode of one byte may take a hundred bytes of memory.
MAX_OPCODES = 1_000_000
#: Bytes of an integer; arithmetic on longer ones takes long.
_MAX_LONG = 255


def unpickle(data: bytes, source: str, *, max_opcodes: int = MAX_OPCODES) -> Any:
    """What a pickle of protocol 0 to 5 holds, without executing anything.

    numpy arrays, scalars and dtypes become numpy's (arrays are read-only views where they can be); csc, csr and coo
    matrices become scipy's; chumpy arrays become numpy arrays, and selections from one the selected entries; any other
    chumpy object an :class:`Unreadable`. Tables of pandas become dictionaries, column name to array. Python-2 strings
    become ``str`` (latin-1).

    Args:
        data: the whole pickle; what follows its end is ignored.
        source: name of the file, for messages.
        max_opcodes: how many opcodes are run at most; tables of a dataset have more than models.
    Raises:
        InputError: a global beyond those of plain data (it is named), a truncated or inconsistent file, or persistent
            ids, extension codes and buffers outside the file.
    """
    try:
        return _Machine(data, source).run(max_opcodes)
    except InputError:
        raise
    except (ValueError, TypeError, IndexError, KeyError, OverflowError, AttributeError, MemoryError) as error:
        # An opcode met a stack, memo or argument that no pickle writer leaves.
        raise InputError(f"{source}: this pickle is damaged ({type(error).__name__}: {error}); get it again") from error


class _Machine:
    """Runs the opcodes of one pickle. A value on the stack is plain data, a :class:`Global` or an :class:`Object`."""

    def __init__(self, data: bytes, source: str) -> None:
        self.data, self.source, self.place = data, source, 0
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def run(self, max_opcodes: int) -> Any:
        for _ in range(max_opcodes):
            opcode = self.take(1)
            if opcode == b".":
                return _tidy(self.stack.pop())
            step = _OPCODES.get(opcode)
            if step is None:
                raise InputError(f"{self.source}: {_NOT_READ.get(opcode, 'this is not a pickle, or it is damaged')}")
            step(self)
        raise InputError(f"{self.source}: more than {max_opcodes} opcodes; no file of this kind has so many")

    # Reading

    def take(self, count: int) -> bytes:
        """The next bytes; as many as there must be."""
        end = self.place + count
        if count < 0 or end > len(self.data):
            raise InputError(
                f"{self.source}: the file ends too early: {count} bytes are due at byte {self.place}, "
                f"{len(self.data) - self.place} are left. It was truncated; get it again"
            )
        taken = self.data[self.place : end]
        self.place = end
        return taken

    def number(self, form: str) -> Any:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self) -> bytes:
        end = self.data.find(b"\n", self.place)
        if end < 0:
            raise InputError(f"{self.source}: the file ends too early, within a line. It was truncated; get it again")
        return self.take(end - self.place + 1)[:-1]

    # The stack

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        return settled(self.stack.pop())

    def mark(self) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def since_mark(self) -> list[Any]:
        values, self.stack = self.stack, self.marks.pop()
        return [settled(value) for value in values]

    def put(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    def tuple(self, count: int) -> None:
        if len(self.stack) < count:
            raise IndexError("pop from an empty stack")
        values = tuple(settled(value) for value in self.stack[len(self.stack) - count :])
        del self.stack[len(self.stack) - count :]
        self.push(values)

    # Containers

    def append(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, list):
            target.extend(values)
        elif isinstance(target, set):
            target.update(plain_key(value, self.source) for value in values)
        else:
            raise TypeError(f"items for a {type(target).__name__}")

    def set_items(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict):
            raise TypeError(f"keys for a {type(target).__name__}")
        for key, value in zip(values[::2], values[1::2], strict=True):
            target[plain_key(key, self.source)] = value

    # Objects

    def name(self, module: Any, name: Any) -> None:
        self.push(named(module, name, self.source))

    def call(self, args: Any, known: Any) -> None:
        if not isinstance(known, Global) or not isinstance(args, tuple):
            raise TypeError(f"a {type(known).__name__} cannot be called")
        self.push(known.make(known, args, self.source))

    def build(self) -> None:
        state, target = self.pop(), self.stack[-1]
        if isinstance(target, Unreadable):
            return
        if not isinstance(target, Object):
            raise TypeError(f"a state for a {type(target).__name__}")
        target.value = target.take(state, self.source)
        target.done = True


def _tidy(value: Any) -> Any:
    """The result, with what never got its state marked in a dictionary's values."""
    value = finished(value)
    return {key: finished(part) for key, part in value.items()} if isinstance(value, dict) else value


def _text_line(machine: _Machine) -> None:
    """A Python-2 string as its ``repr``."""
    quoted = machine.line().strip()
    if len(quoted) < 2 or quoted[:1] != quoted[-1:] or quoted[:1] not in (b"'", b'"'):
        raise ValueError("a string without quotes")
    machine.push(_escapes(quoted[1:-1]))


def _escapes(text: bytes) -> str:
    return codecs.escape_decode(text)[0].decode("latin-1")  # type: ignore[attr-defined]


def _int_line(machine: _Machine) -> None:
    line = machine.line()
    machine.push(line == b"01" if line in (b"00", b"01") else int(line))


def _long(machine: _Machine, count: int) -> None:
    if count > _MAX_LONG:
        raise ValueError(f"an integer of {count} bytes")
    machine.push(int.from_bytes(machine.take(count), "little", signed=True))


def _memoize(machine: _Machine) -> None:
    machine.put(len(machine.memo))


def _pop(machine: _Machine) -> None:
    if machine.stack:
        machine.stack.pop()
    else:
        machine.since_mark()


def _pop_mark(machine: _Machine) -> None:
    machine.since_mark()


def _skip(count: int) -> Callable[[_Machine], None]:
    def skip(machine: _Machine) -> None:
        machine.take(count)

    return skip


def _pair(machine: _Machine) -> None:
    value, key = machine.pop(), machine.pop()
    machine.set_items([key, value])


def _dict(machine: _Machine) -> None:
    values = machine.since_mark()
    machine.push({})
    machine.set_items(values)


def _frozen(machine: _Machine) -> None:
    values = machine.since_mark()
    machine.push(frozenset(plain_key(value, machine.source) for value in values))


def _call(machine: _Machine) -> None:
    args, known = machine.pop(), machine.pop()
    machine.call(args, known)


def _call_with_keywords(machine: _Machine) -> None:
    keywords = machine.pop()
    if keywords != {}:
        raise TypeError("arguments by name")
    _call(machine)


def _named_line(machine: _Machine) -> None:
    module, name = machine.line(), machine.line()
    machine.name(module.decode("latin-1"), name.decode("latin-1"))


def _named_stack(machine: _Machine) -> None:
    name, module = machine.pop(), machine.pop()
    machine.name(module, name)


def _old_instance(machine: _Machine) -> None:
    _named_line(machine)
    known = machine.stack.pop()
    machine.call(tuple(machine.since_mark()), known)


def _old_object(machine: _Machine) -> None:
    known, *args = machine.since_mark()
    machine.call(tuple(args), known)


def _text(decoded: Callable[[bytes], Any], form: str) -> Callable[[_Machine], None]:
    return lambda m: m.push(decoded(m.take(m.number(form))))


def _latin1(data: bytes) -> str:
    return data.decode("latin-1")


def _utf8(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


_OPCODES: dict[bytes, Callable[[_Machine], None]] = {
    # protocol, frames
    b"\x80": _skip(1),
    b"\x95": _skip(8),
    # numbers
    b"N": lambda m: m.push(None),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    b"I": _int_line,
    b"L": lambda m: m.push(int(m.line().rstrip(b"L"))),
    b"J": lambda m: m.push(m.number("<i")),
    b"K": lambda m: m.push(m.number("<B")),
    b"M": lambda m: m.push(m.number("<H")),
    b"\x8a": lambda m: _long(m, m.number("<B")),
    b"\x8b": lambda m: _long(m, m.number("<i")),
    b"F": lambda m: m.push(float(m.line())),
    b"G": lambda m: m.push(m.number(">d")),
    # text and bytes
    b"S": _text_line,
    b"T": _text(_latin1, "<i"),
    b"U": _text(_latin1, "<B"),
    b"V": lambda m: m.push(m.line().decode("raw-unicode-escape")),
    b"X": _text(_utf8, "<I"),
    b"\x8c": _text(_utf8, "<B"),
    b"\x8d": _text(_utf8, "<Q"),
    b"B": _text(bytes, "<I"),
    b"C": _text(bytes, "<B"),
    b"\x8e": _text(bytes, "<Q"),
    b"\x96": _text(bytes, "<Q"),
    # the stack
    b"(": _Machine.mark,
    b"0": _pop,
    b"1": _pop_mark,
    b"2": lambda m: m.push(m.stack[-1]),
    # the memo
    b"p": lambda m: m.put(int(m.line())),
    b"q": lambda m: m.put(m.number("<B")),
    b"r": lambda m: m.put(m.number("<I")),
    b"\x94": _memoize,
    b"g": lambda m: m.push(m.memo[int(m.line())]),
    b"h": lambda m: m.push(m.memo[m.number("<B")]),
    b"j": lambda m: m.push(m.memo[m.number("<I")]),
    # containers
    b")": lambda m: m.push(()),
    b"t": lambda m: m.push(tuple(m.since_mark())),
    b"\x85": lambda m: m.tuple(1),
    b"\x86": lambda m: m.tuple(2),
    b"\x87": lambda m: m.tuple(3),
    b"]": lambda m: m.push([]),
    b"l": lambda m: m.push(m.since_mark()),
    b"a": lambda m: m.append([m.pop()]),
    b"e": lambda m: m.append(m.since_mark()),
    b"}": lambda m: m.push({}),
    b"d": _dict,
    b"s": _pair,
    b"u": lambda m: m.set_items(m.since_mark()),
    b"\x8f": lambda m: m.push(set()),
    b"\x90": lambda m: m.append(m.since_mark()),
    b"\x91": _frozen,
    # objects
    b"c": _named_line,
    b"\x93": _named_stack,
    b"i": _old_instance,
    b"o": _old_object,
    b"R": _call,
    b"\x81": _call,
    b"\x92": _call_with_keywords,
    b"b": lambda m: m.build(),
}
_NOT_READ = {
    **dict.fromkeys(
        (b"P", b"Q"), "this pickle refers to objects outside the file (persistent ids), which are not read"
    ),
    **dict.fromkeys((b"\x82", b"\x83", b"\x84"), "this pickle uses extension codes, which are not resolved"),
    **dict.fromkeys((b"\x97", b"\x98"), "this pickle keeps its arrays outside the file; save it as one file"),
}
