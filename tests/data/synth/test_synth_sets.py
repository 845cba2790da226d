"""Sets on disk: the same bytes on any number of workers, whole after any interruption, read by others."""

from __future__ import annotations

import errno
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from marrow.cli import main
from marrow.cli import synth as synth_verb
from marrow.data.synth import making
from marrow.data.synth.annotations import MAPS
from marrow.data.synth.making import make_set
from marrow.data.synth.samples import Recipe, make
from marrow.data.synth.scenes import Choices
from marrow.data.synth.stores import read_records, read_shard, write_shard
from marrow.errors import InputError, OutputError
from marrow.io.files import write_atomically

SMALL = Recipe("clean", seed=9, choices=Choices(size=(48, 48)))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    monkey = pytest.MonkeyPatch()
    monkey.setattr(making, "SHARD", 2)
    folder = make_set(SMALL, tmp_path_factory.mktemp("set") / "out", 5)
    monkey.undo()
    return folder


def test_two_workers_make_the_same_bytes_as_one(made, tmp_path, monkeypatch):
    monkeypatch.setattr(making, "SHARD", 2)
    again = make_set(SMALL, tmp_path / "again", 5, workers=2)
    assert contents(again) == contents(made)


def test_an_interrupted_set_is_gone_on_with(made, tmp_path, monkeypatch):
    monkeypatch.setattr(making, "SHARD", 2)
    folder, count = tmp_path / "again", 0
    plain = making.write_shard

    def fills_up(path, samples):
        nonlocal count
        count += 1
        if count == 2:
            with write_atomically(path) as file:
                file.write(b"half a shard")
                raise OSError(errno.ENOSPC, "no space left on device")
        return plain(path, samples)

    monkeypatch.setattr(making, "write_shard", fills_up)
    with pytest.raises(OutputError, match="disk is full"):
        make_set(SMALL, folder, 5)
    assert sorted(p.name for p in folder.iterdir()) == ["clean-000000.tar", "set.json"]
    told: list[int] = []
    make_set(SMALL, folder, 5, progress=lambda stage, done, total: told.append(done))
    assert told[0] == 2
    assert told[-1] == 5
    assert contents(folder) == contents(made)


def test_one_picture_can_be_made_again_alone(made, tmp_path):
    folder = make_set(SMALL, tmp_path / "one", 5, only=[3])
    for key, files in read_shard(made / "clean-000001.tar"):
        if key == "000003":
            assert (folder / "images" / "000003.jpg").read_bytes() == files["jpg"]
            assert (folder / "labels" / "000003.json").read_bytes() == files["json"]
            assert (folder / "mask" / "000003.png").read_bytes() == files["mask.png"]
    assert not (folder / "images" / "000002.jpg").exists()


def test_another_set_or_folder_is_not_touched(made, tmp_path):
    before = contents(made)
    with pytest.raises(InputError, match="another set: its seed is 9"):
        make_set(Recipe("clean", seed=1, choices=SMALL.choices), made, 5)
    with pytest.raises(InputError, match="another set: its split is 'train', not 'A'"):
        make_set(Recipe("clean", seed=9, choices=Choices(size=(48, 48), split="A")), made, 5)
    with pytest.raises(InputError, match=r"its maps is \['mask', .*\], not \['mask'\]"):
        make_set(Recipe("clean", seed=9, choices=SMALL.choices, maps=("mask",)), made, 5)
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="holds something else"):
        make_set(SMALL, tmp_path, 1)
    assert contents(made) == before
    (made / "set.json").write_text("{")
    with pytest.raises(InputError, match="damaged"):
        make_set(SMALL, made, 5)
    (made / "set.json").write_bytes(before["set.json"])


def test_a_set_is_not_gone_on_with_by_other_pictures(tmp_path):
    own = {name: tmp_path / name for name in ("photos", "textures")}
    for folder in own.values():
        folder.mkdir()
        Image.new("RGB", (8, 8), "red").save(folder / "a.png")
    choices = Choices(size=(16, 16), photos=(own["photos"] / "a.png",), textures=own["textures"])
    recipe = Recipe("clean", seed=9, choices=choices, maps=())
    make_set(recipe, tmp_path / "set", 1)
    make_set(recipe, tmp_path / "set", 1)
    for name, folder in own.items():
        before = (folder / "a.png").read_bytes()
        Image.effect_noise((16, 16), 90).save(folder / "a.png")
        with pytest.raises(InputError, match=f"another set: its {name} is"):
            make_set(recipe, tmp_path / "set", 1)
        (folder / "a.png").write_bytes(before)


def test_shards_are_tar_files_in_the_order_of_webdataset(made):
    with tarfile.open(made / "clean-000000.tar") as tar:
        names = tar.getnames()
    assert names[0].startswith("000000.")
    assert {n.split(".", 1)[1] for n in names} == {
        "jpg", "json", "mask.png", "amodal.png", "label.png", "depth.png", "normal.png", "iuv.png",
    }  # fmt: skip
    assert sorted(names, key=lambda n: n.split(".")[0]) == names


def test_a_damaged_shard_is_told(made, tmp_path):
    torn = tmp_path / "torn.tar"
    torn.write_bytes((made / "clean-000000.tar").read_bytes()[:3000])
    with pytest.raises(InputError, match="not a whole tar"):
        list(read_shard(torn))
    with pytest.raises(InputError, match="no such file"):
        list(read_shard(tmp_path / "none.tar"))
    with pytest.raises(InputError, match="holds no synthetic set"):
        next(read_records(tmp_path / "empty"))


def test_the_table_and_coco_tell_of_everybody(made):
    coco = json.loads((made / "coco.json").read_text())
    records = dict(read_records(made))
    assert len(coco["images"]) == len(records) == 5
    for image, (name, record) in zip(coco["images"], records.items(), strict=True):
        assert image["file_name"] == name
        own = [a for a in coco["annotations"] if a["image_id"] == image["id"]]
        assert len(own) == sum(p["box"] is not None for p in record["people"])
        assert len(own[0]["keypoints"]) == 51
        assert len(own[0]["face_kpts"]) == 204
        assert len(own[0]["lefthand_kpts"]) == 63
        seen = np.array(record["people"][0]["joints"]["coco17"]["seen"])
        np.testing.assert_array_equal(own[0]["keypoints"][2::3], seen)
    lines = (made / "people.csv").read_text().splitlines()
    assert lines[0].startswith("imgPath,frame,person,X,Y,Z,Yaw,camX")
    assert len(lines) == 6
    told = json.loads((made / "set.json").read_text())
    assert len(told["coordinates"]) == len(records[coco["images"][0]["file_name"]]["people"][0]["q"])
    assert len(told["joints"]["skeleton"]) == len(
        records[coco["images"][0]["file_name"]]["people"][0]["joints"]["skeleton"]["xyz"]
    )


def test_coco_is_read_by_its_own_tools(made):
    coco = pytest.importorskip("pycocotools.coco").COCO(str(made / "coco.json"))
    for annotation in coco.loadAnns(coco.getAnnIds()):
        assert coco.annToMask(annotation).sum() == annotation["area"]


def test_a_clip_is_a_film_with_a_record_for_each_frame(tmp_path):
    import av

    recipe = Recipe("clips", seed=2, choices=Choices(size=(48, 48)), maps=())
    ((key, files),) = make(recipe, 0)
    assert set(files) == {"mp4", "json"}
    path = tmp_path / "clip.mp4"
    path.write_bytes(files["mp4"])
    with av.open(str(path)) as film:
        shapes = [frame.to_ndarray(format="rgb24").shape for frame in film.decode(video=0)]
        assert film.streams.video[0].codec_context.name == "h264"
    record = json.loads(files["json"])
    assert record["key"] == key
    assert len(shapes) == len(record["frames"]) == 32
    assert shapes[0] == (48, 48, 3)
    assert record["frames"][1]["time"] == pytest.approx(1 / 30)


def test_all_maps_of_a_clip_are_made_where_they_are_asked_for():
    ((_, files),) = make(Recipe("clips", seed=2, choices=Choices(size=(16, 16)), maps=tuple(MAPS)), 0)
    assert {f"{frame:03d}.{name}.png" for frame in range(32) for name in MAPS} == set(files) - {"mp4", "json"}


def test_a_set_of_clips_tells_what_it_holds(tmp_path):
    for layout, name in (("shards", "clips-000000.tar/000000.mp4"), ("folder", "videos/000000.mp4")):
        folder = tmp_path / layout
        words = ["synth", "--preset", "clips", "--count", "1", "--size", "16", "--layout", layout]
        assert main([*words, "--out", str(folder)]) == 0
        assert json.loads((folder / "set.json").read_text())["maps"] == {}
        assert (folder / "people.csv").read_text().splitlines()[1].startswith(name + ",")
    assert (tmp_path / "folder" / "videos" / "000000.mp4").is_file()


def test_a_damaged_record_is_told_with_its_cure(tmp_path):
    (tmp_path / "labels").mkdir()
    label = tmp_path / "labels" / "000003.json"
    for damaged in (b'{"people": [', b"[1]", b"\xff"):
        label.write_bytes(damaged)
        with pytest.raises(InputError, match=r"000003.json: its record is damaged .* delete 000003.json"):
            list(read_records(tmp_path))
    label.unlink()
    write_shard(tmp_path / "s.tar", iter([("a", {"json": b"{"})]))
    with pytest.raises(InputError, match=r"s.tar: a: its record is damaged"):
        list(read_records(tmp_path))


def test_what_a_killed_process_left_is_removed(made, tmp_path, monkeypatch):
    monkeypatch.setattr(making, "SHARD", 2)
    folder = make_set(SMALL, tmp_path / "again", 5)
    (folder / ".clean-000001.12ab34cd.part.tar").write_bytes(b"half a shard")
    assert contents(make_set(SMALL, folder, 5)) == contents(made)


@pytest.mark.parametrize("words", ["48 32", "48x32", "48X32"])
def test_the_size_is_told_in_either_form(words):
    assert synth_verb._size(tuple(words.split())) == (48, 32)
    assert synth_verb._size(("48",)) == (48, 48)


def test_files_of_a_shard_come_back(tmp_path):
    samples = [("a", {"jpg": b"1", "x.png": b"22"}), ("b", {"json": b"{}"})]
    assert write_shard(tmp_path / "s.tar", iter(samples)) == 2
    assert list(read_shard(tmp_path / "s.tar")) == samples


def test_the_command_makes_a_set_and_tells_of_it(tmp_path, capsys):
    out = tmp_path / "set"
    words = ["synth", "--preset", "clean", "--count", "1", "--size", "32", "32", "--layout", "folder"]
    words += ["--out", str(out)]
    assert main([*words, "--maps", "mask", "--dense", "20", "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[-1]["event"] == "done"
    assert sorted(p.name for p in out.iterdir()) == [
        "coco.json", "dense", "images", "labels", "mask", "people.csv", "set.json",
    ]  # fmt: skip
    with np.load(out / "dense" / "000000.npz", allow_pickle=False) as dense:
        assert len(dense["xy"]) == 20
    assert main(["synth", "--preset", "list"]) == 0
    assert "fifteen people" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "needle"),
    [
        ("--preset crowd --out x", "nearest"),
        ("--preset clean", "say where to"),
        ("--preset clean --out x --size 12ab", "--size: expected pixels"),
        ("--preset clean --out x --size 0x40", "16 to 8192"),
        ("--preset clean --out x --size 16 16 16", "--size: expected pixels"),
        ("--preset clean --out x --photos nowhere", "no such folder"),
        ("--preset clean --out x --photos torn --count 1 --size 16", "a.jpg: not a picture"),
        ("--preset clean --out x --textures torn --count 1 --size 16", "a.jpg cannot be read"),
        ("--preset clean --out x --textures nowhere --count 1", "no pictures"),
        ("--preset clean --out x --motions nowhere", "no such file"),
        ("--preset clean --out x --split C --count 1", "no split 'C'"),
        ("--preset clean --out x --layout zip", "shards or folder"),
        ("--preset clean --out x --maps dpth", "no map 'dpth'"),
        ("--preset clean --out x --count -2", "at least 1"),
        ("--preset clean --out x --count 0", "at least 1, got 0"),
        ("--preset clean --out x --only 3 -1", "numbers from 0, got -1"),
        ("--preset clean --out x --seed -2", "seed"),
    ],
)
def test_mistakes_are_told(words, needle, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "a.jpg").write_bytes(b"no picture")
    assert main(["synth", *words.split()]) in (InputError.exit_code, OutputError.exit_code)
    assert needle in capsys.readouterr().err
    assert not (tmp_path / "x").exists()  # else the corrected command would be told of another set
