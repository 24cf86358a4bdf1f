"""Video files: what is written comes back, and what others wrote is read as it is shown."""

from __future__ import annotations

import io
import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mov_ai.data.video import (
    VideoReader,
    encode_video,
    files_below,
    read_video,
    video_key,
    write_video,
)
from mov_ai.errors import MovAIError, UsageError
from tests.data.videos import cut_without_decoding, moving, psnr, write

DATA = os.environ.get("MOV_AI_DATA")
UNEVEN = [0, 0.1, 0.2, 0.3, 0.7, 0.8, 0.9, 1.0, 1.5, 1.6, 1.7, 1.8]


@pytest.mark.parametrize(("height", "width", "fps"), [(34, 60, 12.0), (64, 36, 23.976), (32, 32, 8.0)])
def test_a_video_of_any_even_size_and_rate_reads_back(tmp_path: Path, height: int, width: int, fps: float) -> None:
    frames = np.full((5, height, width, 3), 90, dtype=np.uint8)
    write_video(tmp_path / "video.mp4", frames, fps)
    read, rate = read_video(tmp_path / "video.mp4")
    assert read.shape == frames.shape
    assert abs(read.astype(int) - 90).max() <= 3
    assert rate == pytest.approx(fps, abs=1e-3)


@pytest.mark.parametrize(
    ("size", "fps", "message"),
    [
        ((4, 33, 32, 3), 8, "even height and width; found 33x32"),
        ((4, 32, 31, 3), 8, "even height and width; found 32x31"),
        ((0, 32, 32, 3), 8, "expected frames"),
        ((4, 32, 32, 3), 0, "found 4 at 0 fps"),
        ((4, 32, 32, 3), float("nan"), "found 4 at nan fps"),
    ],
)
def test_a_size_that_cannot_be_written_is_refused(size: tuple[int, ...], fps: float, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        encode_video(np.zeros(size, dtype=np.uint8), fps)


def test_equal_frames_are_equal_files_whatever_memory_held() -> None:
    rng = np.random.default_rng(0)
    squares = rng.normal(125, 4, (6, 16, 16, 3)).clip(0, 255).astype(np.uint8)
    frames = squares.repeat(4, axis=1).repeat(4, axis=2)
    files = set()
    for _ in range(12):
        # Left behind for whoever asks for memory next.
        used = [np.frombuffer(rng.bytes(int(size)), np.uint8).copy() for size in rng.integers(100, 60_000, 1000)]
        del used
        files.add(encode_video(frames, 8.0))
    assert len(files) == 1


def test_other_arrays_are_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="uint8"):
        encode_video(np.zeros((4, 32, 32, 3), dtype=np.float32))


FORMS: dict[str, dict[str, object]] = {
    "a.mp4": {},
    "a.m4v": {},
    "a.mov": {},
    "fragments.mp4": {"container_options": {"movflags": "frag_keyframe+empty_moov"}, "options": {"g": "4"}},
    "begun whole.mp4": {"container_options": {"movflags": "frag_keyframe"}, "options": {"g": "4"}},
    "a.mkv": {},
    "a.webm": {"codec": "libvpx-vp9", "options": {"crf": "10"}},
    "a.ts": {},
    "a.avi": {"codec": "mpeg4"},
    "b-frames.avi": {},
    "a.mpg": {"codec": "mpeg2video", "fps": 25},
    "a.flv": {"codec": "flv"},
    "a.wmv": {"codec": "wmv2"},
    "a.gif": {"codec": "gif", "pix_fmt": "rgb8"},
    "ten bits.mp4": {"pix_fmt": "yuv420p10le"},
    "slow motion.mp4": {"fps": 4000},
}


@pytest.mark.parametrize("name", FORMS)
def test_every_container_gives_all_frames_with_times(tmp_path: Path, name: str) -> None:
    video = moving()
    path = write(tmp_path / name, video, **FORMS[name])  # type: ignore[arg-type]
    fps = FORMS[name].get("fps", 10)
    with VideoReader(path) as reader:
        info = reader.info
        times, frames = zip(*reader.frames(), strict=True)
        assert reader.notices == []
    assert (info.height, info.width, info.frames, info.variable_rate) == (32, 48, 12, False)
    assert info.fps == pytest.approx(fps)
    assert info.duration == pytest.approx(12 / fps, abs=0.01)
    assert np.allclose(times, np.arange(12) / fps, atol=min(2e-3, 0.25 / fps))
    assert psnr(np.stack(frames), video) > (20 if name.endswith("gif") else 25)
    # Each is nearer to its own frame than to those beside it.
    nearest = [int(((video.astype(float) - frame) ** 2).mean((1, 2, 3)).argmin()) for frame in frames]
    assert nearest == list(range(12))


@pytest.mark.parametrize("name", ["a.mp4", "fragments.mp4", "a.mkv", "a.ts", "b-frames.avi", "a.gif"])
def test_an_open_file_is_read_as_the_file_itself(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, moving(), **FORMS[name])  # type: ignore[arg-type]
    expected, _ = read_video(path)
    source = io.BytesIO(path.read_bytes())
    with VideoReader(source, "member of a tar") as reader:
        for _ in range(2):
            assert (np.stack([frame for _, frame in reader.frames()]) == expected).all()
        with VideoReader(path) as plain:
            assert reader.info == plain.info
        assert reader.name == "member of a tar"
    assert not source.closed


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_turned_or_mirrored_recording_is_upright(tmp_path: Path, degrees: int, mirrored: bool, suffix: str) -> None:
    shown = moving()
    stored = np.flip(shown, 2) if mirrored else shown
    stored = np.rot90(stored, -degrees // 90, axes=(1, 2))
    path = write(tmp_path / f"phone.{suffix}", stored, turn=(degrees, mirrored, False))
    with VideoReader(path) as reader:
        info = reader.info
    assert (info.height, info.width) == (32, 48)
    # The same frames, stored upright, lose as much.
    plain = psnr(read_video(write(tmp_path / "plain.mp4", shown))[0], shown)
    assert psnr(read_video(path)[0], shown) > plain - 1 > 30


def test_an_upside_down_mirror_is_undone(tmp_path: Path) -> None:
    shown = moving()
    path = write(tmp_path / "mirror.mp4", np.flip(shown, 1), turn=(0, False, True))
    assert psnr(read_video(path)[0], shown) > 30


@pytest.mark.parametrize(
    ("aspect", "turn", "size"), [("4/3", 0, (32, 64)), ("3/4", 0, (43, 48)), ("4/3", 90, (64, 32))]
)
def test_pixels_become_square(tmp_path: Path, aspect: str, turn: int, size: tuple[int, int]) -> None:
    path = write(tmp_path / "wide.mp4", moving(), aspect=Fraction(aspect), turn=(turn, False, False))
    assert read_video(path)[0].shape[1:3] == size


@pytest.mark.parametrize("matrix", [1, 6, 9])
@pytest.mark.parametrize("colour_range", [1, 2])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv420p10le"])
def test_colours_follow_matrix_and_range(tmp_path: Path, matrix: int, colour_range: int, pix_fmt: str) -> None:
    colour = np.array([200, 60, 30], dtype=np.uint8)
    frames = np.broadcast_to(colour, (2, 32, 48, 3))
    path = write(
        tmp_path / "red.mp4",
        frames,
        pix_fmt=pix_fmt,
        matrix=matrix,
        colour_range=colour_range,
        options={"crf": "1"},
    )
    assert np.abs(read_video(path)[0].astype(int) - colour).max() <= 3


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.mov", {"codec": "qtrle", "pix_fmt": "argb"}),
        ("b.mov", {"codec": "prores_ks", "pix_fmt": "yuva444p10le"}),
        ("c.webm", {"codec": "libvpx-vp9", "pix_fmt": "yuva420p", "metadata": {"alpha_mode": "1"}}),
        ("d.apng", {"codec": "apng", "pix_fmt": "rgba"}),
    ],
)
def test_what_is_transparent_shows_the_background(tmp_path: Path, name: str, form: dict[str, object]) -> None:
    frames = np.zeros((3, 32, 48, 4), np.uint8)
    frames[..., :3] = (200, 60, 30)
    frames[:, :, :16, 3], frames[:, :, 16:32, 3] = 255, 128
    path = write(tmp_path / name, frames, **form)  # type: ignore[arg-type]
    with VideoReader(path, background=(0, 0, 255)) as reader:
        _, frame = next(reader.frames())
    expected = ((200, 60, 30), (100, 30, 142), (0, 0, 255))
    for column, colour in zip((8, 24, 40), expected, strict=True):
        assert np.abs(frame[16, column].astype(int) - colour).max() <= 4


def test_interlaced_frames_become_whole(tmp_path: Path) -> None:
    fields = np.full((24, 64, 96, 3), 40, np.uint8)
    for number, field in enumerate(fields):
        field[:, 3 * number : 3 * number + 20] = 220
    woven = fields[::2].copy()
    # The earlier half picture lies in the odd rows, as encoders expect unless told otherwise.
    woven[:, ::2] = fields[1::2, ::2]
    for name, codec, flags in (("a.mp4", "libx264", "+ildct"), ("b.ts", "mpeg2video", "+ildct+ilme")):
        path = write(tmp_path / name, woven, codec, fps=25, options={"flags": flags})
        with VideoReader(path) as reader:
            times, frames = zip(*reader.frames(), strict=True)
        assert np.allclose(times, np.arange(12) / 25, atol=1e-3)
        assert psnr(np.stack(frames), fields[::2]) > psnr(woven, fields[::2]) + 10


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "gif"])
def test_a_varying_rate_is_read_by_its_times(tmp_path: Path, suffix: str) -> None:
    form: dict[str, object] = {"codec": "gif", "pix_fmt": "rgb8"} if suffix == "gif" else {}
    video = moving()
    path = write(tmp_path / f"phone.{suffix}", video, times=UNEVEN, **form)  # type: ignore[arg-type]
    with VideoReader(path) as reader:
        assert reader.info.variable_rate
        assert reader.info.frames == 12
        times, frames = zip(*reader.frames(), strict=True)
        assert np.allclose(times, UNEVEN, atol=2e-3)
        chosen = reader.frames_at([0.0, 0.31, 0.6, 0.7, 1.2, 5.0])
        assert (chosen == np.stack([frames[i] for i in (0, 3, 3, 4, 7, 11)])).all()
    constant, fps = read_video(path)
    expected = [max(i for i, time in enumerate(UNEVEN) if time <= k / fps + 1e-3) for k in range(len(constant))]
    assert (constant == np.stack([frames[i] for i in expected])).all()
    assert (read_video(path, 3)[0] == constant[:3]).all()


def test_what_an_edit_list_hides_is_not_shown(tmp_path: Path) -> None:
    video = moving(30)
    path = write(tmp_path / "long.mp4", video, options={"g": "10"})
    cut = cut_without_decoding(path, tmp_path / "cut.mp4", 1.3)
    with VideoReader(cut) as reader:
        assert reader.info.frames == 17
        times, frames = zip(*reader.frames(), strict=True)
        assert reader.notices == []
    assert np.allclose(times, np.arange(17) / 10, atol=1e-3)
    assert psnr(np.stack(frames), video[13:]) > 30


@pytest.mark.parametrize(
    "name", ["a\u202fb.mp4", "take:1.mp4", "e\u0301.mp4", "\u00e9.mp4", "x#y?z%03d.mp4", "-.mp4", "file:a.mp4"]
)
def test_any_name_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path("plain.mp4"), moving()).rename(name)
    with VideoReader(name) as reader:
        assert reader.info.frames == 12
    assert [path.name for path in files_below(".")] == [name]


def test_files_are_listed_with_those_of_subfolders(tmp_path: Path) -> None:
    for name in ("b/clip10.mp4", "b/clip2.mp4", "a.MOV", ".hidden.mp4", ".trash/c.mp4", "notes.txt", "b/._clip2.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "b/above").symlink_to(tmp_path, target_is_directory=True)
    files = [path.relative_to(tmp_path).as_posix() for path in files_below(tmp_path)]
    assert files == ["a.MOV", "b/clip10.mp4", "b/clip2.mp4", "notes.txt"]
    assert video_key(tmp_path / "b/e\u0301.1.mp4", tmp_path) == "b/\u00e9.1"
    with pytest.raises(UsageError, match="no such folder"):
        files_below(tmp_path / "none")


@pytest.fixture(scope="module")
def jumping(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, list[float], np.ndarray]]:
    """Files of 12 seconds with a keyframe each second, and all their frames."""
    folder = tmp_path_factory.mktemp("jumping")
    forms: dict[str, dict[str, object]] = {
        "a.mp4": {},
        "a.mkv": {},
        "a.avi": {"codec": "mpeg4"},
        "a.ts": {},
        "fragments.mp4": {"container_options": {"movflags": "frag_keyframe+empty_moov"}},
    }
    made = {}
    for name, form in forms.items():
        path = write(folder / name, moving(120, (16, 16)), options={"g": "10"}, **form)  # type: ignore[arg-type]
        with VideoReader(path) as reader:
            times, frames = zip(*reader.frames(), strict=True)
        made[name] = (path, list(times), np.stack(frames))
    return made


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.ts", "fragments.mp4"])
@settings(max_examples=8, deadline=None)
@given(
    times=st.lists(st.floats(-1, 14), min_size=1, max_size=6).map(sorted), start=st.floats(0, 13), long=st.floats(0, 4)
)
def test_a_jump_shows_what_reading_everything_shows(
    jumping: dict[str, tuple[Path, list[float], np.ndarray]], name: str, times: list[float], start: float, long: float
) -> None:
    path, shown, frames = jumping[name]
    at = np.array(shown)
    with VideoReader(path) as reader:
        expected = np.searchsorted(at, np.array(times) + 1.5e-3, side="right") - 1
        assert (reader.frames_at(times) == frames[np.clip(expected, 0, None)]).all()
        part = list(reader.frames(start, start + long))
    ends = np.append(at[1:], at[-1] + 0.1)
    inside = [i for i in range(120) if ends[i] > start + 1.5e-3 and at[i] < start + long - 1.5e-3]
    assert [seconds for seconds, _ in part] == pytest.approx(at[inside].tolist(), abs=1e-6)
    assert all((frame == frames[i]).all() for i, (_, frame) in zip(inside, part, strict=True))


def test_times_must_ascend(tmp_path: Path) -> None:
    with VideoReader(write(tmp_path / "a.mp4", moving())) as reader, pytest.raises(ValueError, match="ascending"):
        reader.frames_at([0.3, 0.1])


def test_damage_is_noticed_once(tmp_path: Path) -> None:
    content = bytearray(write(tmp_path / "a.mp4", moving(30), options={"g": "10"}).read_bytes())
    generator = np.random.default_rng(0)
    middle = slice(len(content) // 3, len(content) // 2, 40)
    content[middle] = bytes(generator.integers(0, 256, len(range(*middle.indices(len(content)))), dtype=np.uint8))
    (tmp_path / "b.mp4").write_bytes(content)
    with VideoReader(tmp_path / "b.mp4") as reader:
        assert reader.notices == []
        for _ in range(2):
            assert len(list(reader.frames())) >= 20
        assert len(reader.notices) == 1
        assert "damaged frames, the first at" in reader.notices[0]
        assert reader.notices[0].startswith(str(tmp_path / "b.mp4"))


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_file_that_was_cut_short_is_noticed(tmp_path: Path, suffix: str) -> None:
    options = {"movflags": "faststart"} if suffix == "mp4" else {}
    whole = write(tmp_path / f"a.{suffix}", moving(30, (64, 96)), container_options=options, options={"g": "5"})
    part = tmp_path / f"b.{suffix}"
    part.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    with VideoReader(part) as reader:
        count = len(list(reader.frames()))
        assert 5 < count < 30
        assert reader.damage is not None
        assert "ends early" in reader.damage


def test_joined_recordings_follow_each_other(tmp_path: Path) -> None:
    part = write(tmp_path / "a.ts", moving(20))
    (tmp_path / "b.ts").write_bytes(part.read_bytes() * 2)
    with VideoReader(tmp_path / "b.ts") as reader:
        times = [seconds for seconds, _ in reader.frames()]
        info = reader.info
    assert (info.frames, info.variable_rate) == (40, False)
    assert np.diff(times) == pytest.approx(0.1, abs=0.06)


def test_what_is_no_video_is_named_once(tmp_path: Path) -> None:
    import PIL.Image

    (tmp_path / "a.mp4").write_bytes(b"no video")
    PIL.Image.new("RGB", (8, 8)).save(tmp_path / "picture.png")
    (tmp_path / "picture.png").rename(tmp_path / "b.mp4")
    for name, words in (("a.mp4", "cannot be decoded"), ("b.mp4", "an image")):
        with pytest.raises(MovAIError, match=words) as error:
            VideoReader(tmp_path / name)
        assert str(error.value).count(name) == 1
        assert "\n" not in str(error.value)
    with pytest.raises(UsageError, match="no such file"):
        VideoReader(tmp_path / "none.mp4")


def test_a_list_of_other_files_is_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", moving())
    for text in (
        "#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n",
        "ffconcat version 1.0\nfile http://127.0.0.1:9/a.ts\n",
    ):
        (tmp_path / "list.mp4").write_text(text)
        with pytest.raises(MovAIError):
            VideoReader(tmp_path / "list.mp4")


@pytest.mark.skipif(DATA is None, reason="needs MOV_AI_DATA")
@pytest.mark.parametrize(
    ("name", "size", "fps", "frames"),
    [
        ("formats/av1_video.mkv", (360, 640), 25, 125),
        ("formats/bt709_full_range.mp4", (720, 1280), 30, 30),
        ("formats/h264_10bits.mp4", (200, 200), 30, 30),
        ("formats/h265_10bits.mp4", (200, 200), 30, 30),
        ("formats/h265_video.mp4", (128, 128), 10, 10),
        ("making_up.avi", (240, 320), 25, 164),
        ("pool.mp4", (256, 455), 30, 32),
    ],
)
def test_difficult_encodings_of_others_are_read(name: str, size: tuple[int, int], fps: float, frames: int) -> None:
    with VideoReader(Path(str(DATA), "real_clips", name)) as reader:
        info = reader.info
        count = sum(1 for _ in reader.frames())
        assert reader.notices == []
    assert ((info.height, info.width), info.fps, info.frames, count) == (size, fps, frames, frames)
