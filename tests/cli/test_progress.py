"""The progress display: bars on a terminal, JSON lines for programs, silence otherwise; exit through a real process."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from marrow.progress import JsonLines, show_progress, silent

WORK = """
import sys
from marrow.progress import show_progress
with show_progress(as_json={as_json}, title="walk.mp4") as progress:
    for done in range(31):
        progress("detect", done, 30)
    progress("fit", 3, None)
"""


def lines_of(stream: io.StringIO) -> list[dict]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_lines_begin_and_end_every_stage_and_are_rare_between() -> None:
    stream = io.StringIO()
    progress = JsonLines(stream, source="a.mp4", interval_s=1000)
    for stage in ("detect", "fit"):
        for done in range(101):
            progress(stage, done, 100)
    progress("webcam", 5, None)
    got = [(line["stage"], line["done"], line["total"]) for line in lines_of(stream)]
    assert got == [("detect", 0, 100), ("detect", 100, 100), ("fit", 0, 100), ("fit", 100, 100), ("webcam", 5, None)]
    assert all(line["source"] == "a.mp4" and line["event"] == "progress" for line in lines_of(stream))


def test_json_lines_estimate_the_time_left() -> None:
    stream = io.StringIO()
    progress = JsonLines(stream, interval_s=0)
    progress("detect", 0, 40)
    time.sleep(0.3)
    progress("detect", 10, 40)
    first, second = lines_of(stream)
    assert first["eta_s"] is None
    assert 0.9 <= second["eta_s"] < 5
    assert "source" not in second


def test_json_lines_from_threads_stay_whole() -> None:
    stream = io.StringIO()
    progress = JsonLines(stream, interval_s=0)
    threads = [
        threading.Thread(target=lambda stage=f"s{n}": [progress(stage, i, 200) for i in range(200)]) for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lines_of(stream)) == 800


def test_silent_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress() as progress:
        assert progress is silent
        progress("detect", 1, 2)
    assert capsys.readouterr() == ("", "")


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are a Unix thing")
def test_bars_with_stage_and_time_on_a_terminal() -> None:
    import pty

    ours, theirs = pty.openpty()
    code = WORK.format(as_json=False)
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=theirs, env=env)
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # Linux ends a pseudo-terminal this way
            break
        if not part:
            break
        shown += part
    out, _ = process.communicate(timeout=30)
    text = shown.decode()
    assert process.returncode == 0
    assert out == b""  # the standard output stays free for results
    assert "walk.mp4" in text
    assert "detect" in text
    assert "30/30" in text
    assert "fit" in text
    assert "0:00:00" in text


def test_a_reader_that_leaves_is_not_a_traceback() -> None:
    read, write = os.pipe()
    os.close(read)
    code = "import sys; from marrow.cli import main; sys.exit(main(['--help']))"
    done = subprocess.run([sys.executable, "-c", code], stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert done.returncode == 141
    assert done.stderr == ""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT to one process is a Unix thing")
def test_a_real_ctrl_c_gives_130() -> None:
    code = (
        "import sys, time, marrow.cli as cli\n"
        "def task(words, as_json):\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(30)\n"
        "cli._dispatch = task\n"
        "sys.exit(cli.main([]))"
    )
    # Whoever runs the tests in the background made them ignore the signal, and children inherit that.
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )  # fmt: skip
    finally:
        signal.signal(signal.SIGINT, before)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert err.startswith("marrow: stopped")
    assert "Traceback" not in err


def test_python_dash_m() -> None:
    done = subprocess.run([sys.executable, "-m", "marrow", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("marrow ")
