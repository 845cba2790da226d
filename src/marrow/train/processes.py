"""Several processes that train one network together, on the processors of one machine.

They are forked, so that models, batches and losses may be any closures; the first is the process that asked for them.
Each computes with one thread: the threads of OpenMP do not survive a fork.
"""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch

from marrow.errors import InputError, MarrowError

_LOCAL_RANK = "LOCAL_RANK"  # by which Fabric knows that the processes are there already


@contextlib.contextmanager
def ranks(count: int) -> Iterator[int]:
    """Run a ``with`` block in so many processes, connected by gloo; gives each its number.

    Only number 0 leaves the block. The others end with it, and are ended where it fails.

    Raises:
        InputError: processes cannot be forked here, or one failed, and why.
    """
    if count == 1:
        yield 0
        return
    import torch.distributed as dist

    if not hasattr(os, "fork") or not dist.is_available() or dist.is_initialized():
        raise InputError(f"train: {count} processes cannot be started here; take processes=1")
    threads, before = torch.get_num_threads(), os.environ.get(_LOCAL_RANK)
    children: list[int] = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            for rank in range(1, count):
                pid = _fork()
                if pid == 0:
                    try:
                        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # one process is enough to warn
                        _join(rank, count, folder)
                        yield rank
                    except BaseException as error:
                        text = str(error) if isinstance(error, MarrowError) else f"{type(error).__name__}: {error}"
                        Path(folder, f"error_{rank}").write_text(text, encoding="utf-8")
                    finally:
                        os._exit(0)  # what the caller does next is for the first process alone
                children.append(pid)
            _join(0, count, folder)
            yield 0
        except RuntimeError as error:  # gloo lost a process, which has said why before it went
            said = sorted(Path(folder).glob("error_*"), key=lambda path: path.stat().st_mtime_ns)
            if isinstance(error, MarrowError) or not said:
                raise
            raise InputError(
                f"train: one of {count} processes failed ({said[0].read_text(encoding='utf-8')})"
            ) from error
        finally:
            for pid in children:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            if dist.is_initialized():
                dist.destroy_process_group()
            torch.set_num_threads(threads)
            os.environ.pop(_LOCAL_RANK, None)
            if before is not None:
                os.environ[_LOCAL_RANK] = before


def _fork() -> int:
    with warnings.catch_warnings():
        # Python 3.12 warns of threads; those of OpenMP are not used by the child
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _join(rank: int, count: int, folder: str) -> None:
    import torch.distributed as dist

    torch.set_num_threads(1)
    os.environ[_LOCAL_RANK] = str(rank)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=count)
