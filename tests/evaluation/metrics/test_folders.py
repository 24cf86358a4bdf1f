from __future__ import annotations

import os
import tracemalloc
import unicodedata
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mov_ai.data.video import VideoReader, read_video, write_video
from mov_ai.errors import MovAIError, UsageError
from mov_ai.evaluation.metrics.folders import common_shape, measured_settings, read, read_pairs, scan
from tests.data.videos import cut_without_decoding, moving, psnr
from tests.data.videos import write as write_clip
from tests.evaluation.metrics.videos import sprites


def write(path: Path, video: np.ndarray, codec: str, fps: int = 8) -> None:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps)
        stream.height, stream.width = video.shape[1:3]
        stream.pix_fmt = "rgb8" if codec == "gif" else "yuv420p"
        for picture in video:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three videos of 12 frames, 32×32, 8 a second."""
    made = tmp_path / "a"
    for seed in range(3):
        write_video(made / f"clip{seed}.mp4", sprites(seed), 8)
    return made


def test_every_kind_of_video_is_read_with_rate_and_codec(tmp_path: Path) -> None:
    video = sprites(0)
    write_video(tmp_path / "a.mp4", video, 8, crf=5)
    write(tmp_path / "b.webm", video, "libvpx-vp9")
    write(tmp_path / "c.gif", video, "gif", 10)
    np.savez(tmp_path / "d.npz", video=video, fps=12.5)
    found = scan(tmp_path)
    assert [f.path.name for f in found.files] == ["a.mp4", "b.webm", "c.gif", "d.npz"]
    assert [f.frames for f in found.files] == [12] * 4
    assert [f.fps for f in found.files] == [8, 8, 10, 12.5]
    assert [f.codec for f in found.files][::3] == ["h264 yuv420p crf 5", "none"]
    videos = list(read(found))
    assert all(v.frames.shape == (12, 32, 32, 3) and v.frames.dtype == np.uint8 for v in videos)
    assert (videos[3].frames == video).all()
    assert np.abs(videos[0].frames.astype(float) - video).mean() < 6
    assert found.settings.codec.startswith("mixed: ")


def test_what_is_no_good_video_is_left_out_and_named(folder: Path) -> None:
    PIL.Image.fromarray(sprites(0)[0]).save(folder / "sheet.png")
    PIL.Image.fromarray(sprites(0)[0]).save(folder / "disguised.png")
    (folder / "disguised.png").rename(folder / "disguised.mp4")
    (folder / "empty.mp4").write_bytes(b"")
    whole = (folder / "clip0.mp4").read_bytes()
    (folder / "cut.mp4").write_bytes(whole[: len(whole) * 2 // 3])
    (folder / "bad.npz").write_bytes(b"PK")
    os.mkfifo(folder / "pipe.npz")
    (folder / "notes.txt").write_text("hello")
    (folder / ".hidden").write_text("")
    write_video(folder / "short.mp4", sprites(0)[:1], 8)
    found = scan(folder)
    assert [f.path.name for f in found.files] == ["clip0.mp4", "clip1.mp4", "clip2.mp4"]
    told = {Path(notice.split(":")[0]).name: notice for notice in found.notices}
    broken = {"disguised.mp4", "empty.mp4", "cut.mp4", "bad.npz", "pipe.npz", "short.mp4"}
    assert set(told) == {"sheet.png", "notes.txt", *broken}
    assert all(notice.endswith("left out") and "\n" not in notice for notice in told.values())
    assert "an image" in told["sheet.png"]
    assert "an image" in told["disguised.mp4"]
    assert "broken" in told["cut.mp4"]
    assert "has 1 frame, expected at least 2" in told["short.mp4"]


def test_folders_without_videos_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        scan(tmp_path / "none")
    with pytest.raises(UsageError, match="holds no video that can be measured; give"):
        scan(tmp_path)
    (tmp_path / "x.mp4").write_bytes(b"")
    with pytest.raises(UsageError, match=r"x\.mp4: broken"):
        scan(tmp_path)


def test_two_videos_of_one_name_are_refused(folder: Path) -> None:
    np.savez(folder / "clip1.npz", video=sprites(0), fps=8)
    with pytest.raises(UsageError, match="more than one video named clip1"):
        scan(folder)


def test_like_folders_need_nothing(folder: Path) -> None:
    shape = common_shape(scan(folder), scan(folder))
    assert shape.notices == ()
    assert (shape.frames, shape.fps, shape.height, shape.width) == (12, 8, 32, 32)
    as_they_are, shaped = list(read(scan(folder))), list(read(scan(folder), shape))
    assert all((a.frames == b.frames).all() for a, b in zip(as_they_are, shaped, strict=True))


def test_every_difference_is_told_with_file_and_remedy_and_then_done(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "b"
    write_video(other / "clip1.mp4", sprites(1, frames=30, side=64), 24)
    write_video(other / "new.mp4", sprites(2, frames=40, side=64), 24)
    ours, theirs = scan(folder), scan(other)
    shape = common_shape(ours, theirs)
    assert (shape.frames, shape.fps, shape.height, shape.width) == (10, 8, 32, 32)
    told = "\n".join(shape.notices)
    for piece in (
        "different numbers of videos",
        f"{other} has 2",
        "thinned to 8 a second",
        "clip1.mp4 has 10 frames",
        "the first 10 of each are used",
        "all are resized to 32x32",
    ):
        assert piece in told
    assert [v.frames.shape for v in read(theirs, shape)] == [(10, 32, 32, 3)] * 2
    assert [v.name for v in read(ours, shape)] == ["clip0", "clip1", "clip2"]
    pairs = list(read_pairs(ours, theirs, shape))
    assert [(a.name, b.name) for a, b in pairs] == [("clip1", "clip1")]
    # Every third frame of the faster video.
    full = next(iter(read(theirs))).frames[::3]
    assert np.abs(pairs[0][1].frames.mean((1, 2)) - full.mean((1, 2))).max() < 1.5
    settings = measured_settings(theirs, shape)
    assert (settings.frames, settings.fps, settings.resolution) == (10, 8, "32x32")
    assert measured_settings(theirs).resolution == "64x64"


def test_frames_can_be_limited(folder: Path) -> None:
    found = scan(folder)
    shape = common_shape(found, max_frames=5)
    assert shape.notices == ()
    assert {len(v.frames) for v in read(found, shape)} == {5}


def test_pairs_need_a_common_name(folder: Path, tmp_path: Path) -> None:
    write_video(tmp_path / "c" / "else.mp4", sprites(1), 8)
    with pytest.raises(UsageError, match="no video has a name in both"):
        next(read_pairs(scan(folder), scan(tmp_path / "c"), common_shape(scan(folder))))


def test_a_file_that_changes_meanwhile_is_noticed(folder: Path) -> None:
    found = scan(folder)
    write_video(folder / "clip0.mp4", sprites(0)[:4], 8)
    with pytest.raises(MovAIError, match=r"clip0\.mp4: changed"):
        list(read(found))


def test_videos_are_read_one_at_a_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mov_ai.evaluation.metrics import folders

    opened: list[str] = []
    found = scan(folder)
    original = folders.VideoReader

    def noted(path: Path) -> VideoReader:
        opened.append(path.name)
        return original(path)

    monkeypatch.setattr(folders, "VideoReader", noted)
    next(read(found))
    assert opened == ["clip0.mp4"]


def pair(tmp_path: Path) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """The only pair of the folders `a` and `b`, and what was noticed."""
    ours, theirs = scan(tmp_path / "a"), scan(tmp_path / "b")
    shape = common_shape(ours, theirs)
    ((first, second),) = read_pairs(ours, theirs, shape)
    return first.frames, second.frames, (*ours.notices, *theirs.notices, *shape.notices)


def test_a_turned_recording_is_paired_upright(tmp_path: Path) -> None:
    video = moving()
    plain = write_clip(tmp_path / "b/clip.mp4", video)
    write_clip(tmp_path / "a/clip.mp4", np.rot90(video, -1, axes=(1, 2)), turn=(90, False, False))
    ours, theirs, notices = pair(tmp_path)
    assert notices == ()
    assert psnr(ours, theirs) > psnr(read_video(plain)[0], video) - 3 > 30


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_varying_rate_is_paired_by_time(tmp_path: Path, suffix: str) -> None:
    """A recorder that leaves out every frame like the one before it shows the same as one that does not."""
    steps = [0, 1, 2, 3, 3, 3, 3, 4, 5, 6, 6, 6, 7, 8, 9, 10, 10, 10, 10, 11]
    video = moving()
    write_clip(tmp_path / "b/clip.mp4", video[steps])
    kept = [i for i, step in enumerate(steps) if i == 0 or step != steps[i - 1]]
    # As phones do, a few milliseconds off.
    times = [i / 10 + 0.004 * (i % 3) for i in kept]
    write_clip(tmp_path / f"a/clip.{suffix}", video, times=times)
    ours, theirs, _ = pair(tmp_path)
    assert psnr(ours, theirs) > 40


def test_a_cut_without_decoding_is_whole(tmp_path: Path) -> None:
    video = moving(30)
    cut_without_decoding(write_clip(tmp_path / "long.mp4", video, options={"g": "10"}), tmp_path / "cut.mp4", 1.3)
    (tmp_path / "a").mkdir()
    (tmp_path / "cut.mp4").rename(tmp_path / "a/clip.mp4")
    write_clip(tmp_path / "b/clip.mp4", video[13:])
    ours, theirs, notices = pair(tmp_path)
    # x264's settings lie in the packets that the cut left behind.
    assert [notice.partition(":")[0] for notice in notices] == ["different compression"]
    assert len(ours) == 17
    assert psnr(ours, theirs) > 35


def test_subfolders_and_odd_names_are_paired(tmp_path: Path) -> None:
    names = ["take:1", "9.41.00\u202fAM", "sub/caf\u00e9", "line\nbreak"]
    for name in names:
        write_clip(tmp_path / "a" / f"{name}.mp4", moving(3))
        write_clip(tmp_path / "b" / f"{unicodedata.normalize('NFD', name)}.mp4", moving(3))
    ours, theirs = scan(tmp_path / "a"), scan(tmp_path / "b")
    assert ours.notices == theirs.notices == ()
    pairs = read_pairs(ours, theirs, common_shape(ours, theirs))
    expected = ["9.41.00 AM", "line break", "sub/caf\u00e9", "take:1"]
    assert sorted(first.name for first, _ in pairs) == expected


def test_a_notice_names_its_file_once_and_many_files_together(folder: Path) -> None:
    (folder / "noise.mp4").write_bytes(b"no video")
    for number in range(5):
        (folder / f"clip{number}.txt").write_text("a ball")
    notices = scan(folder).notices
    assert len(notices) == 2
    assert notices[0].count("noise.mp4") == 1
    assert notices[1] == f"{folder}: 5 files that are no videos, clip0.txt and others; left out"


def test_long_videos_are_measured_as_far_as_memory_goes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mov_ai.evaluation.metrics import folders

    monkeypatch.setattr(folders, "VIDEO_BYTES", 5 * folders.NETWORK_PIXELS * 3)
    shape = common_shape(scan(folder))
    assert shape.frames == 5
    assert "the first 5 of 12 frames of each are measured" in shape.notices[0]
    assert common_shape(scan(folder), max_frames=8).frames == 8


def test_more_frames_than_memory_is_meant_to_hold_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mov_ai.evaluation.metrics import folders

    monkeypatch.setattr(folders, "MOST_VIDEO_BYTES", 9 * folders.NETWORK_PIXELS * 3)
    with pytest.raises(UsageError, match=r"clip0\.mp4: 10 frames of 32x32 .* --max-frames 9"):
        common_shape(scan(folder), max_frames=10)


def test_large_frames_are_measured_smaller(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mov_ai.evaluation.metrics import folders

    monkeypatch.setattr(folders, "FRAME_PIXELS", 20 * 20)
    found = scan(folder)
    shape = common_shape(found)
    assert (shape.height, shape.width) == (20, 20)
    assert "large frames" in shape.notices[0]
    assert {video.frames.shape for video in read(found, shape)} == {(12, 20, 20, 3)}


def test_frames_larger_than_8k_are_left_out_before_they_are_decoded(folder: Path) -> None:
    np.savez_compressed(folder / "huge.npz", video=np.zeros((2, 7000, 7000, 3), np.uint8), fps=8)
    notices = scan(folder).notices
    assert len(notices) == 1
    assert "huge.npz: broken, frames of 7000x7000" in notices[0]


@pytest.mark.parametrize("kind", ["deflated", "stored"])
def test_a_flipped_byte_in_an_archive_leaves_only_that_one_out(folder: Path, kind: str) -> None:
    save = np.savez_compressed if kind == "deflated" else np.savez
    save(folder / "x.npz", video=sprites(4), fps=8)
    content = bytearray((folder / "x.npz").read_bytes())
    content[len(content) // 2] ^= 0xFF
    (folder / "x.npz").write_bytes(content)
    found = scan(folder)
    assert [file.name for file in found.files] == ["clip0", "clip1", "clip2"]
    assert found.notices[0].startswith(f"{folder / 'x.npz'}: broken, ")


@given(st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_damaged_archive_stops_the_others(tmp_path: Path, data: st.DataObject) -> None:
    np.savez_compressed(tmp_path / "good.npz", video=sprites(1), fps=8)
    content = bytearray((tmp_path / "good.npz").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "damaged.npz").write_bytes(content[: data.draw(st.integers(1, len(content)))])
    found = scan(tmp_path)
    assert "good" in {file.name for file in found.files}
    for video in read(found):
        assert (video.frames == sprites(1)).all() or video.name == "damaged"


def test_arrays_are_read_a_frame_at_a_time(tmp_path: Path) -> None:
    """A file of half a megabyte that unpacks to five hundred."""
    video = np.lib.stride_tricks.as_strided(np.zeros(1, np.uint8), (400, 640, 640, 3), (0, 0, 0, 0))
    np.savez_compressed(tmp_path / "x.npz", video=video, fps=8)
    tracemalloc.start()
    try:
        found = scan(tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.files[0].frames == 400
    assert peak < 20 * 2**20
