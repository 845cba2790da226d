"""A LiteRT network that several threads may call: each thread gets an interpreter of its own."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marrow.errors import AssetError

_STDERR = threading.Lock()
_FILE_IDENTIFIER = b"TFL3"


class Network:
    """``network(x) -> outputs`` for a ``.tflite`` file with one input and float32 outputs.

    One interpreter thread each: parallel work comes from the callers' threads (invoke runs without the GIL), which
    scales better on such small networks than threads inside one of them.

    Args:
        path: the ``.tflite`` file.
        without: names of outputs to leave out, with all the layers that only they need.
    """

    def __init__(self, path: Path, *, without: Collection[str] = ()) -> None:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise AssetError(f"{path} cannot be read ({error.strerror}); delete its folder and try again") from error
        self._content = _without_outputs(content, without) if without else content
        self._of_thread = threading.local()

    def __call__(self, x: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        """Run on x (1, H, W, 3) float32; every output without its leading batch dimension."""
        interpreter = getattr(self._of_thread, "interpreter", None)
        if interpreter is None:
            interpreter = self._of_thread.interpreter = self._start()
            self._of_thread.input = interpreter.get_input_details()[0]["index"]
            # Sorted by name: the order in which a file lists its outputs differs between converters.
            details = sorted(interpreter.get_output_details(), key=lambda detail: detail["name"])
            self._of_thread.outputs = [detail["index"] for detail in details]
        interpreter.set_tensor(self._of_thread.input, x)
        interpreter.invoke()
        return tuple(interpreter.get_tensor(index)[0] for index in self._of_thread.outputs)

    def _start(self):
        from ai_edge_litert.interpreter import Interpreter

        with _quiet_stderr():
            interpreter = Interpreter(model_content=self._content, num_threads=1)
            interpreter.allocate_tensors()
        return interpreter


def _without_outputs(content: bytes, names: Collection[str]) -> bytes:
    """The network without some outputs and without the layers that nothing else needs.

    LiteRT always computes every layer in a file, so what is not wanted has to leave the file.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated

    schema: Any = schema_py_generated  # generated code, whose annotations say that every list may be missing
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
    graph = model.subgraphs[0]
    graph.outputs = [int(output) for output in graph.outputs if graph.tensors[output].name.decode() not in names]
    needed, layers = set(graph.outputs), []
    for layer in reversed(graph.operators):  # a file lists layers in the order in which they run
        if needed.intersection(int(output) for output in layer.outputs):
            layers.append(layer)
            needed.update(int(source) for source in layer.inputs)
    graph.operators = layers[::-1]
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), _FILE_IDENTIFIER)
    return bytes(builder.Output())


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """LiteRT greets on the process's standard error stream, and no setting of its own stops it."""
    with _STDERR:
        try:
            kept = os.dup(2)
        except OSError:  # a process without that stream
            yield
            return
        try:
            with open(os.devnull, "w") as nowhere:
                os.dup2(nowhere.fileno(), 2)
                yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
