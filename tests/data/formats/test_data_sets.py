"""Public data sets in their own formats: WebVid, Panda-70M, MSR-VTT, UCF-101, WebDataset tars, folders of frames."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from mov_ai.data.formats import find_format, read_clips
from mov_ai.data.formats.ucf101 import class_caption
from mov_ai.errors import UsageError
from tests.data.formats.builders import captions, read, real_video, reasons, videos, write

WEBVID = "videoid,name,page_idx,page_dir,duration,contentUrl\n"


@pytest.mark.parametrize("place", ["{id}.mp4", "videos/{id}.mp4", "{dir}/{id}.mp4", "videos/{dir}/{id}.mp4"])
def test_webvid(tmp_path: Path, place: str) -> None:
    name = place.format(id=1053841541, dir="027701_027750")
    videos(tmp_path, name)
    row = '1053841541,"Travel blogger, on mountains.",27732,027701_027750,PT00H00M17S,https://example.org/x.mp4'
    write(tmp_path / "results_2M_train.csv", f"{WEBVID}{row}\n99,Gone.,1,000001_000050,PT00H00M05S,\n")
    assert find_format(tmp_path) == "webvid"
    (clip,), source = read(tmp_path)
    assert (clip.key, clip.captions) == (name, ("Travel blogger, on mountains.",))
    assert (clip.metadata["videoid"], clip.metadata["duration"]) == (1053841541, "PT00H00M17S")
    assert reasons(source) == {"no such file": ["000001_000050/99.mp4"]}


def test_panda70m(tmp_path: Path) -> None:
    videos(tmp_path, "videos/--C45l0hbKo.mp4", "videos/one.mp4", "videos/bad.mp4")
    rows = [
        "--C45l0hbKo,https://www.youtube.com/watch?v=--C45l0hbKo,"
        "\"[['0:00:05.005', '0:00:20.020'], ['0:01:02.500', '1:00:00.000']]\","
        '"[\'A car.\', ""It\'s a dog.""]","[0.5, 0.25]"',
        "one,u,\"['0:00:01.000', '0:00:02.000']\",A bird.,0.7",
        "bad,u,\"[['0:00:09.000', '0:00:02.000']]\",\"['Ends early.']\",\"[0.1]\"",
        "bad,u,\"[['0:00:01.000', '0:00:02.000']]\",\"['Two', 'captions']\",\"[0.1]\"",
        "bad,u,__import__('os').getcwd(),A call.,0.1",
        "gone,u,[],[],[]",
    ]
    write(tmp_path / "panda.csv", "\n".join(["videoID,url,timestamp,caption,matching_score", *rows]) + "\n")
    assert find_format(tmp_path) == "panda70m"
    clips, source = read(tmp_path)
    assert [(clip.key, clip.captions, clip.start, clip.end) for clip in clips] == [
        ("videos/--C45l0hbKo.mp4[5.005-20.020]", ("A car.",), 5.005, 20.02),
        ("videos/--C45l0hbKo.mp4[62.500-3600.000]", ("It's a dog.",), 62.5, 3600.0),
        ("videos/one.mp4[1.000-2.000]", ("A bird.",), 1.0, 2.0),
    ]
    assert [clip.metadata["matching_score"] for clip in clips] == [0.5, 0.25, "0.7"]
    assert reasons(source) == {
        "times that are not [start, end]": ["panda.csv line 4 clip 0", "panda.csv line 6 clip 0"],
        "rows with another number of captions than of times": ["panda.csv line 5"],
        "no such file": ["gone.mp4"],
    }


@pytest.mark.parametrize("folder", ["TrainValVideo", "videos/all", "."])
def test_msrvtt(tmp_path: Path, folder: str) -> None:
    videos(tmp_path / folder, "video0.mp4", "video1.mp4")
    entry = {"category": 9, "url": "https://example.org", "start time": 137.7, "end time": 149.4, "split": "train"}
    annotation = {
        "info": {"year": "2016"},
        "videos": [{"id": i, "video_id": f"video{i}", **entry} for i in range(3)],
        "sentences": [{"sen_id": n, "video_id": f"video{n % 2}", "caption": f"caption {n}"} for n in range(40)],
    }
    write(tmp_path / "train_val_videodatainfo.json", annotation)
    assert find_format(tmp_path) == "msrvtt"
    clips, source = read(tmp_path)
    assert [clip.video.name for clip in clips] == ["video0.mp4", "video1.mp4"]
    assert clips[1].captions == tuple(f"caption {n}" for n in range(1, 40, 2))
    # The files are cut already: their source's times are not theirs.
    assert (clips[0].start, clips[0].end) == (None, None)
    assert (clips[0].metadata["split"], clips[0].metadata["start_time"]) == ("train", 137.7)
    assert reasons(source) == {"no such file": ["video2.mp4"]}
    write(tmp_path / "train_val_videodatainfo.json", '{"videos": 3}')
    with pytest.raises(UsageError, match="'videos' and 'sentences'"):
        list(read_clips(tmp_path))


def test_ucf101(tmp_path: Path) -> None:
    videos(
        tmp_path / "UCF-101",
        *("ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi", "HandstandPushups/v_HandStandPushups_g02_c03.avi"),
    )
    assert captions(tmp_path, "ucf101") == {
        "UCF-101/ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi": ("apply eye makeup",),
        "UCF-101/HandstandPushups/v_HandStandPushups_g02_c03.avi": ("handstand pushups",),
    }
    clips, _ = read(tmp_path)
    assert clips[1].metadata == {"class": "HandstandPushups", "group": 2, "clip": 3}


@pytest.mark.parametrize(
    ("name", "caption"),
    [("TaiChi", "tai chi"), ("YoYo", "yo yo"), ("JumpRope", "jump rope"), ("brush_hair", "brush hair")],
)
def test_class_names_in_words(name: str, caption: str) -> None:
    assert class_caption(name) == caption


def test_other_class_folders_are_read_if_that_is_asked_for(tmp_path: Path) -> None:
    videos(tmp_path, "brush_hair/a.mp4", "loose.mp4")
    clips, source = read(tmp_path, "ucf101")
    assert [clip.captions for clip in clips] == [("brush hair",)]
    assert reasons(source) == {"videos in no folder of a class": ["loose.mp4"]}


def tar(path: Path, members: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as file:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))


def test_webdataset_tars(tmp_path: Path) -> None:
    meta = {"caption": "From the JSON.", "fps": 25, "videoid": "x"}
    tar(
        tmp_path / "00000.tar",
        {
            **{"0001.json": b"{}", "0001.mp4": b"video one", "0001.txt": b"A dog runs."},
            **{"sub/0002.mp4": b"video two", "sub/0002.json": json.dumps(meta).encode()},
            **{"0003.mp4": b"video three"},
            **{"0004.txt": b"No video."},
            **{"0005.mp4": b"five", "0005.txt": "Caf\xe9".encode("latin1")},
        },
    )
    tar(tmp_path / "00001.tar", {"0006.webm": b"six", "0006.txt": b"A cat."})
    assert find_format(tmp_path) == "webdataset"
    clips, source = read(tmp_path)
    assert {clip.key: clip.captions for clip in clips} == {
        "00000.tar/0001.mp4": ("A dog runs.",),
        "00000.tar/sub/0002.mp4": ("From the JSON.",),
        "00001.tar/0006.webm": ("A cat.",),
    }
    assert clips[1].metadata == {"fps": 25, "videoid": "x"}
    with clips[1].open_member() as file:
        assert file.read() == b"video two"
    assert reasons(source) == {
        "no caption": ["00000.tar/0003.mp4", "00000.tar/0005.mp4"],
        "samples without a video": ["00000.tar/0004"],
        "texts that are not UTF-8, or JSON that is none": ["00000.tar/0005.txt"],
    }
    assert [clip.key for clip in read(tmp_path / "00001.tar")[0]] == ["00001.tar/0006.webm"]


def test_tars_that_are_cut_short_are_read_as_far_as_they_go(tmp_path: Path) -> None:
    members = {name: content for i in range(4) for name, content in ((f"{i}.txt", b"A."), (f"{i}.mp4", b"v" * 2000))}
    tar(tmp_path / "a.tar", members)
    tar(tmp_path / "b.tar", {"9.txt": b"B.", "9.mp4": b"v"})
    content = (tmp_path / "a.tar").read_bytes()
    (tmp_path / "a.tar").write_bytes(content[: 512 * 11])
    clips, source = read(tmp_path)
    assert [clip.key for clip in clips] == ["a.tar/0.mp4", "b.tar/9.mp4"]
    assert reasons(source) == {"tar files that are cut short or damaged": ["a.tar"]}


def test_tars_without_videos_are_no_data_set_of_videos(tmp_path: Path) -> None:
    tar(tmp_path / "shard.tar", {"a.json": b"{}", "a.latents.safetensors": b"x"})
    with pytest.raises(UsageError, match="holds no videos"):
        find_format(tmp_path)


def test_folders_of_frames(tmp_path: Path) -> None:
    for clip in ("one", "two", "three"):
        for i in range(3):
            path = tmp_path / "clips" / clip / f"{i:04d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (16, 16)).save(path)
    write(tmp_path / "clips" / "one.txt", "Beside.")
    write(tmp_path / "clips" / "two" / "caption.txt", "Within.")
    assert find_format(tmp_path) == "frames"
    clips, source = read(tmp_path)
    assert {clip.key: clip.captions for clip in clips} == {"clips/one": ("Beside.",), "clips/two": ("Within.",)}
    assert reasons(source) == {"no caption": ["clips/three"]}
    # A list may name folders of frames as it names videos.
    write(tmp_path / "captions.csv", "file_name,caption\none,Listed.\nclips/three,Listed too.\n")
    assert captions(tmp_path, "metadata") == {"clips/one": ("Listed.",), "clips/three": ("Listed too.",)}


def test_clips_of_tars_and_of_frames_are_opened(tmp_path: Path) -> None:
    real_video(tmp_path / "made" / "a.mp4", frames=6, fps=3.0, height=32, width=64)
    content = (tmp_path / "made" / "a.mp4").read_bytes()
    tar(tmp_path / "tars" / "0.tar", {"a.txt": b"A.", "a.mp4": content, "b.txt": b"B.", "b.mp4": content})
    for clip in read(tmp_path / "tars")[0]:
        with clip.open() as reader:
            assert (reader.info.frames, reader.info.fps, reader.info.height, reader.info.width) == (6, 3.0, 32, 64)
            assert reader.frames_at([0.0, 1.9]).shape == (2, 32, 64, 3)
    for i in range(4):
        path = tmp_path / "frames" / "one" / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16)).save(path)
    write(tmp_path / "frames" / "captions.csv", "path,text,fps\none,Grey.,2\n")
    (clip,), _ = read(tmp_path / "frames")
    with clip.open() as reader:
        assert (reader.info.fps, reader.info.duration) == (2.0, 2.0)
