"""Pickles are read as data. A file that would run something is refused by name, and what it would run has not run."""

from __future__ import annotations

import collections
import copyreg
import functools
import importlib
import io
import operator
import os
import pickle
import runpy
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import model_files
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from marrow.body._npz import read_npz
from marrow.body._pickled import Unreadable
from marrow.body.model_file import read_model_file
from marrow.body.unpickle import unpickle
from marrow.errors import InputError

DATA = {
    "array": np.arange(6.0).reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "big endian": np.arange(3, dtype=">f4"),
    "booleans": np.array([True, False]),
    "complex": np.array([1 + 2j]),
    "text": np.array(["a", "bç"]),
    "bytes array": np.array([b"ab", b"c"]),
    "nothing": np.zeros((0, 3)),
    "scalar": np.float64(2.5),
    "dtype": np.dtype("f8"),
    "csc": scipy.sparse.csc_matrix(np.eye(2, 3)),
    "csr": scipy.sparse.csr_array(np.eye(2, 3)),
    "coo": scipy.sparse.coo_matrix(np.eye(2, 3)),
    "plain": [1, 2.5, None, True, (1,), -5, 10**30, {"q": "ü"}, b"\xff\n'", 1 + 2j, frozenset([3]), {4, 5}],
    "ordered": collections.OrderedDict(a=1, b=[2]),
}


def equal(a: Any, b: Any) -> bool:
    if scipy.sparse.issparse(a):
        return a.format == b.format and np.array_equal(a.toarray(), b.toarray())
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b)
    return a == b


@pytest.mark.parametrize("protocol", range(6))
def test_data_come_back_from_every_protocol(protocol: int) -> None:
    found = unpickle(pickle.dumps(DATA, protocol), "x.pkl")
    assert found.keys() == DATA.keys()
    for key, value in DATA.items():
        assert equal(value, found[key]), key


@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_pickles_of_python_2(protocol: int) -> None:
    values = {"array": DATA["array"], "csc": DATA["csc"], "text": "l'été ".encode("latin-1"), "number": 10**12}
    data = model_files.python2_pickle(values | {"ch": model_files.Ch(np.eye(2))}, protocol)
    assert all(name in data for name in (b"numpy.core.multiarray", b"scipy.sparse.csc\n", b"chumpy.ch\nCh"))
    found = unpickle(data, "x.pkl")
    assert equal(found["array"], values["array"])
    assert equal(found["csc"], values["csc"])
    assert equal(found["ch"], np.eye(2))
    assert (found["text"], found["number"]) == ("l'été ", 10**12)
    assert "chumpy" not in sys.modules


def test_arrays_of_objects() -> None:
    array = np.empty((2, 2), object)
    array[:] = [[np.arange(3), "a"], [None, [1, np.float32(2)]]]
    found = unpickle(pickle.dumps(array), "x.pkl")
    assert found.shape == (2, 2)
    np.testing.assert_array_equal(found[0, 0], np.arange(3))
    assert (found[0, 1], found[1, 0], found[1, 1]) == ("a", None, [1, 2])


def test_memo_and_sharing() -> None:
    array = np.arange(3)
    found = unpickle(pickle.dumps([array, array, [array]]), "x.pkl")
    assert found[0] is found[1] is found[2][0]


# ---------------------------------------------------------------------------------------------------------------------
# What would run something
# ---------------------------------------------------------------------------------------------------------------------


class Calls:
    """Pickles to a call of ``what`` with ``args``, and a state on the object made, if there is one."""

    def __init__(self, what: Any, *args: Any, state: Any = None) -> None:
        self.reduced = (what, args) if state is None else (what, args, state)

    def __reduce__(self) -> Any:
        return self.reduced

    def __call__(self) -> None:
        """The pickler wants to see that what is called can be."""


def payloads(marker: Path) -> dict[str, Any]:
    """Name that is to be told, and an object whose pickle creates the marker in Python's own unpickler."""
    run, touch = f"open({str(marker)!r}, 'w').close()", f"touch '{marker}'"
    script = marker.with_name("script.py")
    script.write_text(run)
    opened = Calls(functools.partial, open, str(marker), "w")
    return {
        "system": Calls(os.system, touch),
        "subprocess.Popen": Calls(subprocess.Popen, ["touch", str(marker)]),
        "eval": Calls(eval, run),
        "exec": Calls(exec, run),
        "open": Calls(open, str(marker), "w"),
        "getattr": Calls(Calls(getattr, Calls(importlib.import_module, "os"), "system"), touch),
        "functools.partial": Calls(opened),
        "operator.methodcaller": Calls(operator.methodcaller("touch"), marker),
        "operator.attrgetter": Calls(Calls(operator.attrgetter("touch"), marker)),
        "runpy.run_path": Calls(runpy.run_path, str(script)),
        "pickle.loads": Calls(pickle.loads, pickle.dumps(Calls(open, str(marker), "w"))),
        "numpy.save": Calls(np.save, str(marker), 1),
    }


def wrapped(payload: Any) -> dict[str, Any]:
    """The payload in every place where a model file has data."""
    objects = np.empty(1, object)
    objects[0] = payload
    nested = model_files.Ch(np.eye(2))
    nested.x = payload
    sparse = scipy.sparse.csc_matrix(np.eye(2))
    sparse.data = payload
    key = {"x": 1}
    return {"bare": payload, "value": key | {"v_template": payload}, "in an array": objects} | {
        "in a chumpy array": nested,
        "in a sparse matrix": sparse,
        "in a list": [[payload]],
    }


NAMES = (
    *("system", "subprocess.Popen", "eval", "exec", "open", "getattr", "functools.partial", "operator.methodcaller"),
    *("operator.attrgetter", "runpy.run_path", "pickle.loads", "numpy.save"),
)


@pytest.mark.parametrize("name", NAMES)
def test_pythons_own_unpickler_would_run_these(name: str, tmp_path: Path) -> None:
    """So that the test below can fail."""
    marker = tmp_path / "ran"
    result = pickle.loads(pickle.dumps(payloads(marker)[name]))
    if isinstance(result, subprocess.Popen):
        result.wait()
    assert marker.exists() or Path(f"{marker}.npy").exists()


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("name", NAMES)
def test_nothing_runs_and_the_name_is_told(name: str, protocol: int, tmp_path: Path) -> None:
    marker, path = tmp_path / "ran", tmp_path / "model.pkl"
    for place, value in wrapped(payloads(marker)[name]).items():
        old = protocol < 3 or "chumpy" in place
        data = model_files.python2_pickle(value, protocol) if old else pickle.dumps(value, protocol)
        with pytest.raises(InputError, match=r"asks for '.*was not executed") as told:
            unpickle(data, "model.pkl")
        assert name.split(".")[-1] in str(told.value) or "functools" in str(told.value), place
        path.write_bytes(data)
        with pytest.raises(InputError):
            read_model_file(path)
    objects = np.empty((), object)
    objects[()] = payloads(marker)[name]
    np.savez(tmp_path / "model.npz", v_template=objects)
    with pytest.raises(InputError, match="was not executed"):
        read_model_file(tmp_path / "model.npz")
    assert not marker.exists()


def short(text: str) -> bytes:
    return b"\x8c" + bytes([len(text)]) + text.encode()


ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n"
NDARRAY = b"cnumpy\nndarray\n"
FLOAT = b"cnumpy\ndtype\n(S'f8'\nI0\nI1\ntR"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"cos\nsystem\n(S'touch ran'\ntR.", "asks for 'os.system'"),
        (b"(S'touch ran'\nios\nsystem\n.", "asks for 'os.system'"),
        (b"(cos\nsystem\nS'touch ran'\no.", "asks for 'os.system'"),
        (short("os") + short("system") + b"\x93.", "asks for 'os.system'"),
        (short("builtins") + short("object.__reduce_ex__") + b"\x93.", "asks for 'builtins.object.__reduce_ex__'"),
        (short("numpy") + short("dtype.__class__") + b"\x93.", "asks for 'numpy.dtype.__class__'"),
        (short("chumpy.ch") + short("os.system") + b"\x93.", "asks for 'chumpy.ch.os.system'"),
        (b"cscipy.sparse.linalg\nsvds\n.", "asks for 'scipy.sparse.linalg.svds'"),
        (b"cscipy.sparse\ncsr_matrix.from\n.", "asks for 'scipy.sparse.csr_matrix.from'"),
        (b"cnumpy.core.memmap\nmemmap\n(S'ran'\ntR.", "asks for 'numpy.core.memmap.memmap'"),
        (ARRAY + b"c__builtin__\nobject\n(I0\ntS'b'\n\x87R.", "something other than a numpy array"),
        (ARRAY + b"(S'os.system'\n(I0\ntS'b'\ntR.", "something other than a numpy array"),
        (ARRAY + b"(tR.", "something other than a numpy array"),
        (NDARRAY + b"((I10000000000\nttR.", "called with arguments"),
        (NDARRAY + b"}S'__class__'\nI1\nsb.", "damaged (TypeError: a state for a Global)"),
        (b"cnumpy\ndtype\n(S'V8'\ntR.", "an array of the type 'V8'"),
        (b"cnumpy\ndtype\n((tI0\nI1\ntR.", "an array of the type tuple"),
        (FLOAT + b"(I3\nS'<'\nN(S'a'\nt}I-1\nI-1\nI0\ntb.", "an array with named fields"),
        (b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(S'O8'\ntR(tt R.", "of an object"),
        (b"c_codecs\nencode\n(S'x'\nS'zip'\ntR.", "for something other than bytes"),
        (b"c__builtin__\nbytearray\n(I9999999999\ntR.", "for something other than bytes"),
        (b"c__builtin__\nbytes\n(I9999999999\ntR.", "for something other than bytes"),
        (b"Pos.system\n.", "persistent ids"),
        (b"N\x51.", "persistent ids"),
        (b"\x82\x01.", "extension codes"),
        (b"\x84\x01\x00\x00\x00.", "extension codes"),
        (b"\x97.", "outside the file"),
        (b"I1\n(tR.", "a int cannot be called"),
        (b"S'os.system'\n(tR.", "a str cannot be called"),
        (b"c__builtin__\nset\n)}(S'x'\nI1\nu\x92.", "arguments by name"),
    ],
)
def test_hand_made_opcodes(data: bytes, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as told:
        unpickle(data.replace(b"tt R", b"ttR"), "x.pkl")
    assert message in str(told.value)
    assert list(tmp_path.iterdir()) == []


def test_the_extension_registry_is_not_asked() -> None:
    copyreg.add_extension("os", "system", 201)
    try:
        with pytest.raises(InputError, match="extension codes"):
            unpickle(b"\x82\xc9(S'true'\ntR.", "x.pkl")
    finally:
        copyreg.remove_extension("os", "system", 201)


def test_a_state_changes_nothing_of_ours() -> None:
    """BUILD on what a name stands for would reach our own functions, were they on the stack."""
    for known in (b"c_codecs\nencode\n", b"ccopy_reg\n_reconstructor\n", b"cchumpy.ch\nCh\n", NDARRAY):
        with pytest.raises(InputError, match="a state for a Global"):
            unpickle(known + b"N}S'make'\nI1\ns\x86b.", "x.pkl")
    assert equal(unpickle(pickle.dumps(DATA), "x.pkl")["array"], DATA["array"])


# ---------------------------------------------------------------------------------------------------------------------
# What would exhaust memory or the stack, or break numpy and scipy
# ---------------------------------------------------------------------------------------------------------------------


def array_pickle(shape: bytes, data: bytes, dtype: bytes = FLOAT) -> bytes:
    return ARRAY + b"(" + NDARRAY + b"(I0\ntS'b'\ntR(I1\n" + shape + dtype + b"I00\n" + data + b"tb."


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (array_pickle(b"(I1000000000000\nt", b"S'12345678'\n"), "takes 8000000000000 bytes, the file has 8 bytes"),
        (array_pickle(b"(I2\nt", b"S'12345678'\n"), "takes 16 bytes, the file has 8 bytes"),
        (array_pickle(b"(I-1\nt", b"S'12345678'\n"), "not a tuple of counts"),
        (array_pickle(b"(S'1'\nt", b"S'12345678'\n"), "not a tuple of counts"),
        (array_pickle(b"(I1\nt", b"N"), "the file has no bytes"),
        (array_pickle(b"(I99999\nt", b"(l", b"cnumpy\ndtype\n(S'O8'\ntR"), "does not hold 99999 of them"),
        (array_pickle(b"(I9999999999\nt", b"S''\n", b"cnumpy\ndtype\n(S'S0'\ntR"), "numbers and strings are read"),
        (
            array_pickle(b"(I1\nt", b"S'\\xff\\xff\\xff\\xff'\n", b"cnumpy\ndtype\n(S'U1'\ntR"),
            "bytes are no characters",
        ),
        (b"\x8e" + struct.pack("<Q", 2**40) + b"x", "the file ends too early: 1099511627776 bytes are due"),
        (b"\x8d" + struct.pack("<Q", 2**63) + b"x", "the file ends too early"),
        (b"T\xff\xff\xff\xff", "the file ends too early"),
        (b"\x8b\xff\xff\xff\x7f", "an integer of 2147483647 bytes"),
        (b"I" + b"9" * 5000 + b"\n.", "damaged (ValueError"),
        (b"N" * 1_000_001, "more than 1000000 opcodes"),
        (b"(" * 100_000 + b".", "damaged (IndexError"),
        (b")" + b"\x85" * 300_000 + b"}" + b"h\x00.", "damaged (KeyError"),
        (b"}(" + b")" + b"\x85" * 300_000 + b"Nu.", "a dictionary with a key of type tuple"),
        (b"\x8f(" + b")" + b"\x85" * 300_000 + b"\x90.", "a dictionary with a key of type tuple"),
        (b"c__builtin__\nset\n((" + b")" + b"\x85" * 300_000 + b"ltR.", "a dictionary with a key of type tuple"),
        (b"\x80", "the file ends too early"),
        (b"S'abc", "within a line"),
        (b"S'abc\n.", "a string without quotes"),
        (b"}a.", "damaged"),
        (b"0.", "damaged"),
        (b"\xff.", "not a pickle, or it is damaged"),
    ],
)
def test_bombs_and_damage(data: bytes, message: str) -> None:
    began = time.process_time()
    with pytest.raises(InputError) as told:
        unpickle(data, "x.pkl")
    assert message in str(told.value)
    assert time.process_time() - began < 15


def test_a_far_place_in_the_memo_takes_no_memory() -> None:
    assert unpickle(b"N" + b"r\xff\xff\xff\xff" + b"0j\xff\xff\xff\xff.", "x.pkl") is None


def test_deep_nesting_is_read_and_let_go_of() -> None:
    found = unpickle(b")" + b"\x85" * 100_000 + b".", "x.pkl")
    assert isinstance(found, tuple)
    del found
    unpickle(b"]" + b"]" * 100_000 + b"a" * 100_000 + b".", "x.pkl")


def sparse_pickle(kind: str, **changes: Any) -> bytes:
    matrix = getattr(scipy.sparse, f"{kind}_matrix")(np.eye(3, 4))
    state = vars(matrix) | changes
    vars(matrix).clear()
    vars(matrix).update({key: value for key, value in state.items() if value is not None})
    return pickle.dumps(matrix)


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("csr", {"indices": np.array([0, 1, 9])}, "indices do not fit"),
        ("csr", {"indices": np.array([0, -1, 2])}, "indices do not fit"),
        ("csr", {"indices": np.array([0.0, 1.0, 2.0])}, "indices do not fit"),
        ("csr", {"indptr": np.array([0, 1, 2, 2_000_000])}, "row starts do not ascend"),
        ("csr", {"indptr": np.array([0, 3, 2, 3])}, "row starts do not ascend"),
        ("csr", {"indptr": np.array([0, 3])}, "row starts do not fit"),
        ("csc", {"_shape": (10**12, 10**12)}, "shape is not two counts"),
        ("csc", {"_shape": (3,)}, "shape is missing"),
        ("csc", {"_shape": ("a", "b")}, "shape is not two counts"),
        ("csc", {"data": None}, "values are missing"),
        ("csc", {"data": np.array([[1, 2], None], object)[:1]}, "values are missing"),
        ("coo", {"coords": (np.array([0, 1, 2]), np.array([0, 1, 4]))}, "indices do not fit"),
        ("coo", {"coords": None}, "indices do not fit"),
    ],
)
def test_sparse_matrices_that_would_read_beyond_their_arrays(kind: str, changes: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        unpickle(sparse_pickle(kind, **changes), "x.pkl")
    assert unpickle(sparse_pickle(kind), "x.pkl").shape == (3, 4)


def test_what_contains_itself() -> None:
    objects = np.empty(1, object)
    objects[0] = objects
    values: dict[str, Any] = {"objects": objects, "v_template": np.eye(3)}
    ch = model_files.Ch(np.eye(2))
    ch.x = ch  # type: ignore[assignment]
    found = unpickle(pickle.dumps(values), "x.pkl")
    assert found["v_template"].shape == (3, 3)
    found = unpickle(model_files.python2_pickle({"ch": ch}), "x.pkl")
    assert isinstance(found["ch"], Unreadable)


def npz_member(header: str, data: bytes, tmp_path: Path) -> Path:
    text = header.encode("latin-1")
    member = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", member)
    return path


@pytest.mark.parametrize(
    ("header", "data", "message"),
    [
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }\n", b"", "takes 8000000000000 bytes"),
        ("{'descr': '|V8', 'fortran_order': False, 'shape': (1,), }\n", b"12345678", "numbers and strings are read"),
        ("{'descr': '|O', 'fortran_order': False, 'shape': (), }\n", pickle.dumps(1), "holds something else"),
        ("{'descr': '|O', 'fortran_order': False, 'shape': (), }\n", b"cos\nsystem\n.", "asks for 'os.system'"),
        ("{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (), }\n", b"N.", "holds something else"),
        ("__import__('os').system('touch ran')\n", b"", "not an array in numpy's format"),
        ("(" * 5000 + "\n", b"", "not an array in numpy's format"),
        ("{'descr': '<f8'}\n", b"", "not an array in numpy's format"),
    ],
)
def test_hostile_npz(header: str, data: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as told:
        read_npz(npz_member(header, data, tmp_path).read_bytes(), "bomb.npz")
    assert message in str(told.value)
    assert not (tmp_path / "ran").exists()


def test_an_npz_that_unpacks_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marrow.body._npz._MAX_UNPACKED", 1 << 20)
    np.savez_compressed(tmp_path / "zeros.npz", a=np.zeros(200_000))
    assert (tmp_path / "zeros.npz").stat().st_size < 5000
    with pytest.raises(InputError, match="unpacks to more than"):
        read_npz((tmp_path / "zeros.npz").read_bytes(), "zeros.npz")


# ---------------------------------------------------------------------------------------------------------------------
# Whatever the bytes
# ---------------------------------------------------------------------------------------------------------------------


def good() -> list[bytes]:
    small = {key: value for key, value in DATA.items() if key != "nothing"}
    hostile = {"call": Calls(os.system, "exit 1"), "array": np.eye(2)}
    out = [pickle.dumps(small, protocol) for protocol in range(6)] + [pickle.dumps(hostile, 2)]
    return [*out, model_files.python2_pickle({"ch": model_files.Ch(np.eye(2)), "m": DATA["csc"]})]


GOOD = good()


#: Events that Python reports when a name is resolved from a pickle, or something is run.
RUNS = {"pickle.find_class", "os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "os.fork", "import"}
#: What reading itself may import when it is first used.
OWN = ("encodings", "numpy", "scipy")
watching = False


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    if watching and event in RUNS and not (event == "import" and str(arguments[0]).startswith(OWN)):
        raise AssertionError(f"{event} {arguments[:1]}")


sys.addaudithook(watch)


def read_or_refuse(read: Callable[[], Any]) -> None:
    """Anything but our own error fails the test, as does anything that runs."""
    global watching
    watching, told = True, "x.pkl"
    try:
        read()
    except InputError as error:
        told = str(error)
    finally:
        watching = False
    assert "x.pkl" in told


def test_the_watch_sees_what_runs() -> None:
    with pytest.raises(AssertionError, match="find_class"):
        read_or_refuse(lambda: pickle.loads(pickle.dumps(np.eye(2))))


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_random_bytes(data: bytes) -> None:
    read_or_refuse(lambda: unpickle(data, "x.pkl"))


OPCODES = st.sampled_from([bytes([code]) for code in b"(.012FGIJKLMNRSTUVXabcdeghijlopqrstu}])BC"])
NEW = st.sampled_from([bytes([code]) for code in (*range(0x80, 0x99), 0x82)])


@given(st.lists(st.one_of(OPCODES, NEW, st.binary(max_size=4), st.just(ARRAY), st.just(NDARRAY), st.just(FLOAT))))
@settings(max_examples=300, deadline=None)
def test_random_opcodes(parts: list[bytes]) -> None:
    read_or_refuse(lambda: unpickle(b"".join(parts) + b".", "x.pkl"))


EDITS = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 3), st.binary(min_size=1, max_size=6)), max_size=6)


def edited(data: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    """With bytes replaced, put in, taken out or doubled."""
    out = bytearray(data)
    for place, kind, new in edits:
        at = place % max(1, len(out))
        if kind == 0:
            out[at : at + len(new)] = new
        elif kind == 1:
            out[at:at] = new
        elif kind == 2:
            del out[at : at + len(new)]
        else:
            out[at:at] = out[at : at + 8 * len(new)]
    return bytes(out)


@given(st.integers(0, len(GOOD) - 1), EDITS)
@settings(max_examples=500, deadline=None)
def test_damaged_pickles(which: int, edits: list[tuple[int, int, bytes]]) -> None:
    read_or_refuse(lambda: unpickle(edited(GOOD[which], edits), "x.pkl"))


def packed(content: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **content)
    return stream.getvalue()


MODELS = [
    packed(model_files.arrays("mano", 3, 1) | {"bs_style": np.array("lbs", object)}),
    model_files.python2_pickle(model_files.arrays("flame", 3, 1)),
    pickle.dumps(model_files.arrays("flame", 3, 1)),
]


@given(st.integers(0, len(MODELS) - 1), EDITS)
@settings(max_examples=200, deadline=None)
def test_damaged_model_files(which: int, edits: list[tuple[int, int, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.pkl"
        path.write_bytes(edited(MODELS[which], edits))
        read_or_refuse(lambda: read_model_file(path))
