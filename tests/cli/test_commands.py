"""The command line around a capture: options, folders, messages, exit codes. The capture itself is a stand-in here."""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import marrow
import marrow.cli.capture as capture_verb
from marrow.cli import main, verbs
from marrow.errors import AssetError, InputError, LicenceError, MarrowError, NoPersonError, OutputError


@dataclass
class Person:
    name: str = "person_1"
    warnings: list[str] = field(default_factory=lambda: ["the left hand is never seen"])


@dataclass
class Road:
    """Stands in for ``marrow.main_road``: remembers what it was asked for, and fails where it is told to."""

    asked: list[tuple[str | int, dict[str, Any]]] = field(default_factory=list)
    saved: list[tuple[Path, dict[str, Any]]] = field(default_factory=list)
    failures: dict[str | int, BaseException] = field(default_factory=dict)

    def capture(self, source: str | int, **options: Any) -> Any:
        self.asked.append((source, options))
        options["progress"]("detect", 0, 4)
        options["progress"]("detect", 4, 4)
        if source in self.failures:
            raise self.failures[source]
        return self

    people = (Person(),)
    warnings = ("scale assumed; give --height",)

    def summary(self) -> list[dict[str, Any]]:
        return [{"person": "person_1", "frames": 230, "height (m)": 1.8, "note": None}]

    def save(self, folder: Path, **options: Any) -> None:
        self.saved.append((folder, options))
        (folder / "capture.json").write_text("{}")


@pytest.fixture
def road(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Road]:
    road = Road()
    module = types.ModuleType("marrow.main_road")
    module.capture = road.capture  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "marrow.main_road", module)
    monkeypatch.setattr(marrow, "main_road", module, raising=False)
    monkeypatch.delitem(sys.modules, "marrow.cli._capture", raising=False)
    monkeypatch.delattr(marrow.cli, "_capture", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MARROW_DEBUG", raising=False)
    yield road
    # Imported meanwhile, with the stand-in inside: a later test shall import it anew.
    sys.modules.pop("marrow.cli._capture", None)
    vars(marrow.cli).pop("_capture", None)


def test_every_option_arrives(road: Road, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = "capture --height 1.80 1.65 walk.json --out here --fov 60 --max-people 2 --codec vp9 --influences 4"
    Path("Geometry").mkdir()
    Path("Geometry/r_femur.vtp").touch()
    assert (
        main(
            [
                *words.split(),
                *["--size", "1280", "720", "--fps", "29.97", "--no-overlay", "--commercial", "--mass", "80,64.5"],
                *["--bones", "Geometry", "--modern", "--dense", "--hypotheses", "3"],
            ]
        )
        == 0
    )
    (source, options), (folder, saving) = road.asked[0], road.saved[0]
    assert callable(options.pop("progress"))
    assert source == "walk.json"
    asked = {"height": (1.8, 1.65), "fov_deg": 60.0, "size": (1280, 720), "fps": 29.97, "max_people": 2}
    assert options == asked | {"commercial": True, "lifter": "time", "hypotheses": 3}
    assert callable(saving.pop("progress"))
    assert folder == Path("here")
    assert saving.pop("bones") == Path("Geometry")
    kept = {"overlay": False, "codec": "vp9", "influences": 4, "mass_kg": (80.0, 64.5), "modern": True, "dense": True}
    assert saving == kept | {"force": False}
    out, err = capsys.readouterr()
    assert "person_1" in out
    assert "1.8" in out
    assert "scale assumed" in out
    assert "left hand is never seen" in out
    assert str(Path("here/capture.json")) in out
    assert "marrow view here" in out
    assert err == ""


def test_what_is_not_given_is_left_open(road: Road) -> None:
    assert main(["capture", "clips/walk.mp4"]) == 0
    _, options = road.asked[0]
    assert options["height"] is options["fov_deg"] is options["max_people"] is None
    assert options["size"] is options["fps"] is None
    folder, saving = road.saved[0]
    assert folder == Path("marrow_out/walk")
    assert saving["overlay"] is True
    assert saving["codec"] == "h264"
    assert saving["influences"] is saving["mass_kg"] is saving["bones"] is None
    assert saving["modern"] is saving["dense"] is False


def test_a_folder_without_bones_is_told_before_the_long_work(road: Road, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["capture", "walk.json", "--bones", "nowhere"]) == InputError.exit_code
    assert "nowhere is not there; give the folder Geometry" in capsys.readouterr().err
    assert road.asked == []
    assert not Path("marrow_out").exists()


def test_a_number_is_a_webcam_unless_a_file_has_that_name(road: Road, tmp_path: Path) -> None:
    assert main(["capture", "0"]) == 0
    (tmp_path / "7").write_text("")
    assert main(["capture", "7"]) == 0
    assert [source for source, _ in road.asked] == [0, "7"]


def test_several_sources_get_a_folder_each_and_a_failure_does_not_stop_the_others(
    road: Road, capsys: pytest.CaptureFixture[str]
) -> None:
    road.failures = {"b.mp4": NoPersonError("no person was found"), "x/a.mov": InputError("broken")}
    assert main(["capture", "a.mp4", "b.mp4", "x/a.mov", "c.mp4", "--out", "all"]) == NoPersonError.exit_code
    assert [source for source, _ in road.asked] == ["a.mp4", "b.mp4", "x/a.mov", "c.mp4"]
    assert [folder for folder, _ in road.saved] == [Path("all/a"), Path("all/c")]
    assert sorted(path.name for path in Path("all").iterdir()) == ["a", "c"]  # nothing is left of the failed ones
    err = capsys.readouterr().err
    assert "b.mp4: no person was found" in err
    assert "x/a.mov: broken" in err


def test_sources_of_one_name_do_not_share_a_folder(road: Road) -> None:
    assert main(["capture", "a/walk.mp4", "b/walk.mp4", "c/walk.mp4"]) == 0
    assert [folder.name for folder, _ in road.saved] == ["walk", "walk_2", "walk_3"]


@pytest.mark.parametrize("kind", [InputError, NoPersonError, OutputError, AssetError, LicenceError, MarrowError])
def test_errors_have_a_message_and_an_exit_code(
    road: Road, capsys: pytest.CaptureFixture[str], kind: type[MarrowError]
) -> None:
    road.failures = {"a.mp4": kind("what came; what was expected")}
    assert main(["capture", "a.mp4"]) == kind.exit_code > 0
    out, err = capsys.readouterr()
    assert "what came; what was expected" in err
    assert "Traceback" not in out + err
    assert not Path("marrow_out").exists()


def test_exit_codes_differ() -> None:
    kinds = [MarrowError, InputError, NoPersonError, OutputError, AssetError, LicenceError]
    assert len({kind.exit_code for kind in kinds}) == len(kinds)


def test_a_fault_in_marrow_is_told_as_such(
    road: Road, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    road.failures = {"a.mp4": ZeroDivisionError("oh")}
    assert main(["capture", "a.mp4"]) == 70
    err = capsys.readouterr().err
    assert "ZeroDivisionError: oh" in err
    assert "MARROW_DEBUG=1" in err
    assert "Traceback" not in err
    monkeypatch.setenv("MARROW_DEBUG", "1")
    assert main(["capture", "a.mp4"]) == 70
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c_ends_with_130_and_keeps_what_is_finished(road: Road, capsys: pytest.CaptureFixture[str]) -> None:
    road.failures = {"b.mp4": KeyboardInterrupt()}
    assert main(["capture", "a.mp4", "b.mp4", "c.mp4"]) == 130
    assert [source for source, _ in road.asked] == ["a.mp4", "b.mp4"]
    assert sorted(path.name for path in Path("marrow_out").iterdir()) == ["a"]
    assert "stopped" in capsys.readouterr().err


def test_existing_results_are_not_touched_without_force(road: Road, capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path("marrow_out/a")
    folder.mkdir(parents=True)
    (folder / "mine.txt").write_text("keep")
    assert main(["capture", "a.mp4"]) == OutputError.exit_code
    assert road.asked == []  # told before the long work
    assert "--force" in capsys.readouterr().err
    assert main(["capture", "a.mp4", "--force"]) == 0
    assert road.saved[0][1]["force"] is True
    assert (folder / "mine.txt").read_text() == "keep"


def test_a_folder_that_cannot_be_made_is_told_before_the_work(
    road: Road, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["capture", "a.mp4", "--out", "file/inside"]) == OutputError.exit_code
    assert main(["capture", "a.mp4", "--out", "file"]) == OutputError.exit_code
    assert road.asked == []
    assert "file" in capsys.readouterr().err


def test_json_lines(road: Road, capsys: pytest.CaptureFixture[str]) -> None:
    road.failures = {"b.mp4": NoPersonError("nobody")}
    assert main(["capture", "a.mp4", "b.mp4", "--json"]) == NoPersonError.exit_code
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events] == ["progress", "progress", "result", "progress", "progress", "error"]
    result, error = events[2], events[-1]
    assert result["source"] == "a.mp4"
    assert result["people"][0]["frames"] == 230
    assert result["folder"] == str(Path("marrow_out/a"))
    assert error == {"event": "error", "source": "b.mp4", "code": 3, "message": "nobody"}
    assert events[1] == {**events[0], "done": 4, "eta_s": 0.0}


@pytest.mark.parametrize(
    ("words", "needle"),
    [
        ("capture", "no SOURCE"),
        ("capture a.mp4 --height 180", "did you mean 1.80"),
        ("capture a.mp4 --height tall", "expected metres"),
        ("capture a.mp4 --height 0.1", "between 0.3 and 2.8"),
        ("capture a.mp4 --height nan", "between 0.3 and 2.8"),
        ("capture a.mp4 --height 1,80", "with a point, such as 1.80"),
        ("capture --height 1,80 1,65 a.mp4", "with a point, such as 1.80"),
        ("capture a.mp4 --height 1.80 1,65", "with a point, such as 1.80"),
        ("capture a.mp4 --fov 0", "--fov"),
        ("capture a.json --size 1920 0", "--size"),
        ("capture a.json --size 1920", "--size"),
        ("capture a.json --fps 0", "--fps"),
        ("capture a.json --fps nan", "--fps"),
        ("capture a.mp4 --influences 0", "--influences"),
        ("capture a.mp4 --max-people 0", "--max-people"),
        ("capture a.mp4 --codec h265x", "h265x"),
        ("capture a.mp4 --heigth 1.8", "--height"),
        ("capture a.mp4 --out", "--out"),
        ("captrue a.mp4", "did you mean: marrow capture"),
        ("vew", "did you mean: marrow view"),
        ("--no-such", "see marrow --help"),
        ("view", "DIR"),
    ],
)
def test_mistakes_are_answered_at_once(road: Road, capsys: pytest.CaptureFixture[str], words: str, needle: str) -> None:
    assert main(words.split()) == InputError.exit_code
    assert road.asked == []
    assert needle in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "needle"),
    [
        ("capture", "no SOURCE"),
        ("capture a.mp4 --heigth 1.8", "--height"),
        ("capture a.mp4 --fov wide", "--fov"),
        ("capture a.mp4 --height 180", "did you mean 1.80"),
        ("demo --speed 3", "--speed"),
        ("view", "folder"),
        ("vew", "did you mean: marrow view"),
    ],
)
def test_mistakes_are_json_lines_for_programs(
    road: Road, capsys: pytest.CaptureFixture[str], words: str, needle: str
) -> None:
    assert main([*words.split(), "--json"]) == InputError.exit_code
    (line,) = capsys.readouterr().out.splitlines()
    event = json.loads(line)
    assert (event["event"], event["source"], event["code"]) == ("error", None, InputError.exit_code)
    assert needle in event["message"]
    assert not set(event["message"]) & set("╭│╰─\n")


def test_errors_of_the_demo_are_json_lines_too(
    road: Road, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(name: str) -> Path:
        raise AssetError(f"{name} could not be obtained")

    monkeypatch.setattr("marrow.assets.asset", missing)
    assert main(["demo", "--json"]) == AssetError.exit_code
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["code"] == AssetError.exit_code


def test_a_file_in_place_of_a_verb(road: Road, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "walk.mp4").write_text("")
    assert main(["walk.mp4"]) == InputError.exit_code
    assert "did you mean: marrow capture walk.mp4" in capsys.readouterr().err


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == main(["--help"]) == main(["-h"]) == 0
    out = capsys.readouterr().out
    assert {"capture", "demo", "view"} <= set(verbs())
    assert all(f"  {verb} " in out for verb in verbs())
    for verb in verbs():
        assert main([verb, "--help"]) == 0
    assert "(default: None)" not in capsys.readouterr().out
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"marrow {marrow.__version__}"


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    st.lists(st.floats(0.4, 2.5).map(lambda h: f"{h:.2f}"), min_size=1, max_size=4),
    st.lists(st.sampled_from(["walk.mp4", "0", "1", "2.avi", "--force"]), max_size=3),
)
def test_heights_before_the_source_do_not_swallow_it(heights: list[str], rest: list[str]) -> None:
    want = ["a.mp4", "--height", ",".join(heights), *rest]
    assert capture_verb.prepare(["a.mp4", "--height", *heights, *rest]) == want
    joined = capture_verb.prepare(["a.mp4", f"--height={heights[0]}", *heights[1:], *rest])
    assert joined == ["a.mp4", f"--height={','.join(heights)}", *rest]
    assert capture_verb.prepare(rest) == rest


def test_names_of_sources(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    name: Callable[[str], str] = capture_verb.source_name
    assert name("0") == "webcam_0"
    assert name("clips/my walk.MP4") == "my walk"
    assert name(str(tmp_path / "photos")) == "photos"
    assert name(str(tmp_path / "photos" / "*.png")) == "photos"
    assert name(str(tmp_path / "photos" / "**" / "im_??.png")) == "photos"
    assert name("/") == "pictures"


def test_demo_uses_the_clip_and_a_free_folder(
    road: Road, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("marrow.assets.asset", lambda name: tmp_path / name)
    assert main(["demo"]) == main(["demo"]) == main(["demo", "--out", "mine"]) == 0
    assert [source for source, _ in road.asked] == [str(tmp_path / "demo_video" / "demo.mp4")] * 3
    assert [folder for folder, _ in road.saved] == [Path("marrow_out/demo"), Path("marrow_out/demo_2"), Path("mine")]
    assert "BSD-3-Clause" in capsys.readouterr().out
    assert main(["demo", "--force", "--no-overlay"]) == 0
    assert road.saved[-1][0] == Path("marrow_out/demo")
    assert road.saved[-1][1]["overlay"] is False


def test_demo_tells_a_missing_clip(
    road: Road, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(name: str) -> Path:
        raise AssetError(f"{name} could not be had; put the wheel into a folder and set MARROW_WHEELS")

    monkeypatch.setattr("marrow.assets.asset", missing)
    assert main(["demo"]) == AssetError.exit_code
    assert "MARROW_WHEELS" in capsys.readouterr().err
    assert not Path("marrow_out").exists()


def test_view_passes_folder_and_port_and_ends_quietly_on_ctrl_c(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[tuple[Path, int]] = []

    def show(folder: Path, *, port: int) -> None:
        seen.append((folder, port))
        raise KeyboardInterrupt

    module = types.ModuleType("marrow.view")
    module.show = show  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "marrow.view", module)
    monkeypatch.setattr(marrow, "view", module, raising=False)
    assert main(["view", "results", "--port", "9001"]) == 0
    assert seen == [(Path("results"), 9001)]
    assert capsys.readouterr().err == ""
