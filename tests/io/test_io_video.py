"""Videos, pictures, folders and webcams: what is read is what was written, and bad files are told plainly."""

from __future__ import annotations

import itertools
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from marrow.errors import InputError, OutputError
from marrow.io.images import natural_key, read_image
from marrow.io.video import CODECS, Writer, open_source
from marrow.io.webcam import open_webcam

WIDTH, HEIGHT = 96, 64


def quadrants(width: int = WIDTH, height: int = HEIGHT, level: int = 0) -> np.ndarray:
    """Red, green, blue and white quarters, with a slow change of brightness so that frames differ."""
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, : width // 2] = (200, 20, 20)
    image[: height // 2, width // 2 :] = (20, 200, 20)
    image[height // 2 :, : width // 2] = (20, 20, 200)
    image[height // 2 :, width // 2 :] = 200
    return np.clip(image.astype(int) + level, 0, 255).astype(np.uint8)


def write_video(path: Path, count: int = 12, **options) -> list[np.ndarray]:
    images = [quadrants(level=2 * k) for k in range(count)]
    with Writer(path, (WIDTH, HEIGHT), **options) as video:
        for image in images:
            video.write(image)
    return images


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_video(path, 60, fps=25)
    return path


@pytest.mark.parametrize("codec", ["h264", "vp9", "mpeg4"])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_written_video_comes_back(tmp_path, codec, suffix):
    path = tmp_path / f"clip{suffix}"
    images = write_video(path, codec=codec, fps=Fraction(30000, 1001))
    source = open_source(path)
    assert (source.name, source.size, source.count) == ("clip", (WIDTH, HEIGHT), 12)
    assert source.fps == pytest.approx(29.97, abs=0.01)
    frames = list(source)
    assert [frame.index for frame in frames] == list(range(12))
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(12) * 1001 / 30000, atol=1e-3)
    for frame, image in zip(frames, images, strict=True):
        assert frame.image.dtype == np.uint8
        assert np.abs(frame.image.astype(int) - image).mean() < 8
    assert source.warnings == []
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_source_is_read_again_and_left_early(clip):
    source = open_source(clip)
    for frame in source:
        if frame.index == 3:
            break
    assert [frame.index for frame in source] == list(range(60))
    assert source.duration == pytest.approx(2.4)


def test_two_readers_at_once_do_not_disturb_each_other(clip):
    source = open_source(clip)
    for a, b in zip(source, source, strict=True):
        assert a.index == b.index
        assert np.array_equal(a.image, b.image)


def test_variable_frame_rate_keeps_its_times(tmp_path):
    times = np.cumsum([0, 0.02, 0.05, 0.1, 0.033, 0.5, 0.01])
    with Writer(tmp_path / "vfr.mp4", (WIDTH, HEIGHT)) as video:
        for k, time in enumerate(times):
            video.write(quadrants(level=k), time)
    np.testing.assert_allclose([frame.time for frame in open_source(tmp_path / "vfr.mp4")], times, atol=1e-4)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_phone_video_stands_upright(tmp_path, degrees):
    """The stored picture is turned; the display matrix in the file says how to turn it back."""
    upright = quadrants()
    stored = np.rot90(upright, -degrees // 90)
    path = tmp_path / "phone.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "10"})
        stream.height, stream.width, stream.pix_fmt = *stored.shape[:2], "yuv420p"
        stream.set_display_rotation(degrees)
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(stored), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    source = open_source(path)
    assert source.rotation == degrees
    assert source.size == (WIDTH, HEIGHT)
    for frame in source:
        assert frame.image.shape == upright.shape
        assert frame.image.flags.c_contiguous
        assert np.abs(frame.image.astype(int) - upright).mean() < 10


def test_tkhd_matrix_of_a_portrait_phone_turns_clockwise(tmp_path, clip):
    """Phones held upright write the matrix (0 1 -1 0) into the track header: shown turned 90° clockwise."""
    data = bytearray(clip.read_bytes())
    at = data.index(b"tkhd")
    plain = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    start = data.index(plain, at)
    data[start : start + 36] = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, HEIGHT << 16, 0, 1 << 30)
    path = tmp_path / "portrait.mp4"
    path.write_bytes(data)
    source = open_source(path)
    assert source.size == (HEIGHT, WIDTH)
    first = next(iter(source)).image
    assert np.abs(first.astype(int) - np.rot90(quadrants(), -1)).mean() < 10


def test_wide_pixels_become_square(tmp_path):
    path = tmp_path / "dv.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(quadrants(), format="rgb24")))
        container.mux(stream.encode(None))
    source = open_source(path)
    assert source.size == (128, 64)
    assert next(iter(source)).image.shape == (64, 128, 3)


def test_truncated_video_gives_its_good_part_and_a_warning(tmp_path, clip):
    data = clip.read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(data[: len(data) * 6 // 10])
    source = open_source(path)
    frames = list(source)
    assert 5 < len(frames) < 60
    assert len(source.warnings) == 1
    assert "damaged" in source.warnings[0]
    assert f"{len(frames)} of 60" in source.warnings[0]
    assert source.count == len(frames)
    list(source)
    assert len(source.warnings) == 1


@pytest.mark.parametrize("suffix", [".mkv", ".webm"])
def test_truncated_video_without_a_frame_count(tmp_path, suffix):
    whole, path = tmp_path / f"whole{suffix}", tmp_path / f"cut{suffix}"
    with Writer(whole, (WIDTH, HEIGHT), codec="vp9") as video:
        for k in range(90):
            video.write(np.random.default_rng(k).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8))
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    source = open_source(path)
    frames = list(source)
    assert 20 < len(frames) < 80
    assert "damaged" in source.warnings[0]
    source = open_source(whole)
    assert len(list(source)) == 90
    assert source.warnings == []


def test_damage_in_the_middle_is_stepped_over(tmp_path, clip):
    data = bytearray(clip.read_bytes())
    start = data.index(b"mdat") + 3000
    data[start : start + 200] = b"\x00" * 200
    path = tmp_path / "hole.mp4"
    path.write_bytes(data)
    assert len(list(open_source(path))) >= 50


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.mp4", b"", "empty"),
        ("noise.mp4", bytes(range(256)) * 40, "not a video"),
        ("text.mkv", b"hello" * 100, "not a video"),
        ("notes.txt", b"hello", "unknown suffix .txt"),
        ("noise.png", b"\x89PNG\r\n\x1a\n" + b"x" * 50, "not a picture"),
        ("empty.jpg", b"", "empty"),
        ("poses.json", b"{}", "keypoint file"),
        ("list.m3u8.mp4", b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n", "not a video"),
    ],
)
def test_bad_files_are_input_errors(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        open_source(tmp_path / name)
    assert name in str(caught.value)


def test_header_without_pictures_is_an_input_error(tmp_path, clip):
    data = clip.read_bytes()
    path = tmp_path / "head.mp4"
    path.write_bytes(data[: data.index(b"mdat") + 8])
    with pytest.raises(InputError, match="no picture could be decoded"):
        open_source(path)


def test_sound_only_is_an_input_error(tmp_path):
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(InputError, match="no picture stream"):
        open_source(path)


def test_missing_source_and_bad_rate():
    with pytest.raises(InputError, match="no such file"):
        open_source("nowhere.mp4")
    with pytest.raises(InputError, match="fps must be positive"):
        open_source("nowhere.mp4", fps=0)


# --- pictures ---------------------------------------------------------------------------------------------------------


def test_every_kind_of_picture_becomes_rgb(tmp_path):
    grey = np.tile(np.linspace(0, 255, WIDTH).astype(np.uint8), (HEIGHT, 1))
    rgba = np.dstack([quadrants(), np.where(np.arange(WIDTH) < WIDTH // 2, 255, 0) * np.ones((HEIGHT, 1))])
    Image.fromarray(grey).save(tmp_path / "grey.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.tif")
    Image.fromarray((grey / 255).astype(np.float32)).save(tmp_path / "float.tif")
    Image.fromarray(grey).convert("LA").save(tmp_path / "la.png")
    Image.fromarray(grey > 127).save(tmp_path / "bits.png")
    Image.fromarray(rgba.astype(np.uint8)).save(tmp_path / "rgba.png")
    Image.fromarray(quadrants()).convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    Image.fromarray(quadrants()).quantize(64).save(tmp_path / "palette.png")
    want = np.repeat(grey[..., None], 3, axis=2)
    for name in ("grey.png", "deep.png", "deep.tif", "float.tif", "la.png"):
        assert np.abs(read_image(tmp_path / name).astype(int) - want).max() <= 1, name
    assert set(np.unique(read_image(tmp_path / "bits.png"))) == {0, 255}
    laid = read_image(tmp_path / "rgba.png")
    assert np.array_equal(laid[:, : WIDTH // 2], quadrants()[:, : WIDTH // 2])
    assert (laid[:, WIDTH // 2 :] == 255).all()
    for name in ("cmyk.jpg", "palette.png"):
        assert np.abs(read_image(tmp_path / name).astype(int) - quadrants()).mean() < 12, name
    for path in tmp_path.iterdir():
        frames = list(open_source(path))
        assert len(frames) == 1
        assert frames[0].image.shape == (HEIGHT, WIDTH, 3)
        assert frames[0].image.dtype == np.uint8


def test_one_pixel_is_refused(tmp_path):
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    with pytest.raises(InputError, match="1×1 pixels"):
        open_source(tmp_path / "dot.png")


def test_exif_gives_orientation_and_focal_length(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying, shown turned 90° clockwise
    exif.get_ifd(0x8769)[0xA405] = 28
    Image.fromarray(np.rot90(quadrants(120, 80), 1)).save(tmp_path / "phone.jpg", exif=exif, quality=95)
    source = open_source(tmp_path / "phone.jpg")
    assert source.size == (120, 80)
    # A 36 × 24 mm frame has this picture's aspect, so its width is 36 mm.
    assert source.focal_px == pytest.approx(28 / 36 * 120, rel=1e-3)
    assert np.abs(next(iter(source)).image.astype(int) - quadrants(120, 80)).mean() < 10


def test_focal_length_of_a_cropped_picture_is_not_believed(tmp_path):
    exif = Image.Exif()
    ifd = exif.get_ifd(0x8769)
    ifd[0xA405], ifd[0xA002], ifd[0xA003] = 28, 4000, 3000
    Image.fromarray(quadrants(100, 90)).save(tmp_path / "crop.jpg", exif=exif)
    source = open_source(tmp_path / "crop.jpg")
    assert source.focal_px is None
    assert "cropped" in source.warnings[0]


def test_folder_and_pattern_come_in_natural_order(tmp_path):
    for number in (1, 2, 10):
        Image.fromarray(np.full((HEIGHT, WIDTH, 3), 10 * number, np.uint8)).save(tmp_path / f"img{number}.png")
    (tmp_path / "notes.txt").write_text("not a picture")
    for where in (tmp_path, str(tmp_path / "img*.png")):
        source = open_source(where, fps=10)
        assert source.name == tmp_path.name
        assert source.warnings == []
        assert [int(frame.image[0, 0, 0]) for frame in source] == [10, 20, 100]
        assert [frame.time for frame in source] == pytest.approx([0, 0.1, 0.2])
    assert "30 frames per second assumed" in open_source(tmp_path).warnings[0]
    assert natural_key(Path("a9")) < natural_key(Path("a10")) < natural_key(Path("b1"))


def test_folder_problems_are_input_errors(tmp_path, clip):
    with pytest.raises(InputError, match="holds no pictures"):
        open_source(tmp_path)
    (tmp_path / "a.mp4").write_bytes(clip.read_bytes())
    with pytest.raises(InputError, match="it holds videos"):
        open_source(tmp_path)
    assert open_source(str(tmp_path / "*.mp4")).count == 60
    (tmp_path / "b.mp4").write_bytes(clip.read_bytes())
    with pytest.raises(InputError, match="matches 2 videos"):
        open_source(str(tmp_path / "*.mp4"))
    Image.fromarray(quadrants()).save(tmp_path / "1.png")
    Image.fromarray(quadrants(32, 32)).save(tmp_path / "2.png")
    with pytest.raises(InputError, match=r"2\.png: 32×32"):
        list(open_source(tmp_path))


# --- webcam -----------------------------------------------------------------------------------------------------------


def test_webcam_is_live_once_and_read_again_from_its_recording(clip):
    """OpenCV reads a file through the same class as a camera, which serves as the camera here."""
    camera = open_webcam(str(clip))
    assert camera.live
    assert camera.count is None
    assert "10 seconds" in camera.warnings[0]
    frames = list(camera)
    assert len(frames) == camera.count == 60
    assert not camera.live
    assert all(a.time < b.time for a, b in itertools.pairwise(frames))
    assert np.abs(frames[0].image.astype(int) - quadrants()).mean() < 12
    for live, again in zip(frames, camera, strict=True):
        assert again.time == pytest.approx(live.time, abs=1e-4)
        assert np.abs(live.image.astype(int) - again.image).mean() < 8


def test_webcam_stops_after_the_time_asked_for_or_when_left(clip):
    assert len(list(open_webcam(str(clip), seconds=0.0))) == 1
    camera = open_webcam(str(clip))
    for frame in camera:
        if frame.index == 4:
            break
    del frame
    assert len(list(camera)) == camera.count == 5


def test_missing_webcam_is_an_input_error():
    with pytest.raises(InputError, match="webcam 97 cannot be opened"):
        open_source(97)


# --- writer -----------------------------------------------------------------------------------------------------------


def test_odd_sizes_are_padded(tmp_path):
    image = quadrants(33, 21)
    with Writer(tmp_path / "odd.mp4", (33, 21)) as video:
        video.write(image)
    assert open_source(tmp_path / "odd.mp4").size == (34, 22)


def test_index_stands_before_the_pictures(clip):
    data = clip.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_failure_inside_leaves_the_old_file(tmp_path, clip):
    path = tmp_path / "out.mp4"
    path.write_bytes(b"older result")

    def fail_half_way() -> None:
        with Writer(path, (WIDTH, HEIGHT)) as video:
            video.write(quadrants())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert path.read_bytes() == b"older result"
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]


def test_writer_refuses_what_it_cannot_write(tmp_path):
    with pytest.raises(InputError, match="codec 'divx' is unknown; choose one of h264"):
        Writer(tmp_path / "a.mp4", (10, 10), codec="divx")
    with pytest.raises(InputError, match="suffix"):
        Writer(tmp_path / "a.txt", (10, 10))
    with pytest.raises(InputError, match="webm holds VP9"):
        Writer(tmp_path / "a.webm", (10, 10))
    with pytest.raises(InputError, match="no picture was written"), Writer(tmp_path / "a.mp4", (10, 10)):
        pass
    with Writer(tmp_path / "a.mp4", (WIDTH, HEIGHT)) as video:
        with pytest.raises(InputError, match="expected"):
            video.write(quadrants(20, 20))
        video.write(quadrants(), 1.0)
        with pytest.raises(InputError, match="times must increase"):
            video.write(quadrants(), 1.0)
    with pytest.raises(OutputError, match="folder does not exist"), Writer(tmp_path / "no" / "a.mp4", (10, 10)):
        pass
    with pytest.raises(InputError, match="with statement"):
        Writer(tmp_path / "b.mp4", (WIDTH, HEIGHT)).write(quadrants())
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_licences_of_codecs_are_named(tmp_path):
    writer = Writer(tmp_path / "a.mp4", (10, 10))
    assert writer.encoder.licence in writer.licence
    assert writer.licence.startswith(CODECS["h264"][0].name) or writer.licence.startswith(CODECS["h264"][1].name)
    for codec in ("vp9", "mpeg4"):
        assert not any(encoder.licence.startswith("GPL") for encoder in CODECS[codec])
