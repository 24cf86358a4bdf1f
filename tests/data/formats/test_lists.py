"""Lists with columns, and captions as plain text: all the ways in which folders of videos are captioned."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest

from mov_ai.data.clips import Problem, problem_lines
from mov_ai.data.formats import find_format, read_clips
from mov_ai.errors import UsageError
from tests.data.formats.builders import captions, read, reasons, videos, write

TWO = {"a.mp4": ("A dog runs.",), "b.mp4": ("A cat, asleep.",)}
ROWS = [("a.mp4", "A dog runs."), ("b.mp4", "A cat, asleep.")]


def as_csv(video: str, caption: str, delimiter: str = ",") -> str:
    return "\n".join([delimiter.join([video, caption]), *(f'{name}{delimiter}"{text}"' for name, text in ROWS)]) + "\n"


@pytest.mark.parametrize("video", ["file_name", "video", "path", "file_path", "media_path", "video_path"])
@pytest.mark.parametrize("caption", ["caption", "text", "prompt", "cap", "content"])
def test_every_known_pair_of_columns_is_understood(tmp_path: Path, video: str, caption: str) -> None:
    videos(tmp_path, "a.mp4", "b.mp4")
    write(tmp_path / "metadata.csv", as_csv(video, caption))
    assert captions(tmp_path, "metadata") == TWO


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("captions.csv", as_csv("file_name", "caption")),
        ("captions.csv", "\ufeff" + as_csv("file_name", "caption")),
        ("captions.csv", as_csv("file_name", "caption", ";")),
        ("metadata.tsv", as_csv("file_name", "caption", "\t")),
        ("metadata.json", json.dumps([{"video": name, "text": text} for name, text in ROWS])),
        ("metadata.json", json.dumps({"data": [{"video_path": name, "caption": text} for name, text in ROWS]})),
        ("metadata.jsonl", "\n".join(json.dumps({"file_name": name, "text": text}) for name, text in ROWS)),
        ("list of mine.csv", as_csv("path", "text")),
    ],
)
def test_lists_of_each_kind_are_read(tmp_path: Path, name: str, content: str) -> None:
    videos(tmp_path, "a.mp4", "b.mp4")
    path = write(tmp_path / name, content)
    assert captions(tmp_path, "metadata") == TWO
    assert captions(path, "metadata") == TWO


@pytest.mark.parametrize(
    "content",
    [
        [{"path": "a.mp4", "cap": ["A dog runs."], "fps": 25}, {"path": "b.mp4", "cap": "A cat, asleep."}],
        {"a.mp4": "A dog runs.", "b.mp4": "A cat, asleep."},
    ],
)
def test_videos2caption_in_both_forms_with_videos_in_their_folder(tmp_path: Path, content: list | dict) -> None:
    videos(tmp_path / "videos", "a.mp4", "b.mp4")
    write(tmp_path / "videos2caption.json", content)
    assert captions(tmp_path, "videos2caption") == {f"videos/{key}": text for key, text in TWO.items()}


@pytest.mark.parametrize("separator", [" ", "_"])
def test_openvid_with_and_without_blanks_in_its_header(tmp_path: Path, separator: str) -> None:
    header = "video,caption,aesthetic score,motion score,camera motion,frame,fps,seconds"
    videos(tmp_path / "video", "a.mp4")
    row = 'a.mp4,"A man, seated.",5.2,3.5,pan_left,120,30.0,4.0'
    write(tmp_path / "data" / "train" / "OpenVid-1M.csv", f"{header.replace(' ', separator)}\n{row}\n")
    assert find_format(tmp_path) == "openvid"
    (clip,), source = read(tmp_path)
    assert source.problems == []
    assert (clip.key, clip.captions) == ("video/a.mp4", ("A man, seated.",))
    assert clip.metadata == {
        **{"aesthetic_score": 5.2, "motion_score": 3.5, "camera_motion": "pan_left"},
        **{"frame": 120, "fps": 30.0, "seconds": 4.0},
    }


OPENSORA = {"path": "/elsewhere/pexels/a.mp4", "text": "Sea.", "num_frames": 51, "height": 720, "width": 1280}


def test_opensora_csv_of_another_machine(tmp_path: Path) -> None:
    videos(tmp_path, "pexels/a.mp4")
    names = [*OPENSORA, "aspect_ratio", "resolution", "fps"]
    values = [*map(str, OPENSORA.values()), "0.5625", "921600", "25.0"]
    write(tmp_path / "train_data.csv", f"{','.join(names)}\n{','.join(values)}\n")
    assert captions(tmp_path, "opensora") == {"pexels/a.mp4": ("Sea.",)}


def test_opensora_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    videos(tmp_path, "pexels/a.mp4")
    parquet.write_table(pyarrow.table({name: [value] for name, value in OPENSORA.items()}), tmp_path / "list.parquet")
    assert captions(tmp_path, "opensora") == {"pexels/a.mp4": ("Sea.",)}
    (tmp_path / "list.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(UsageError, match="no Parquet file"):
        list(read_clips(tmp_path / "list.parquet"))


def test_parquet_without_pyarrow_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    write(tmp_path / "metadata.parquet", "")
    with pytest.raises(UsageError, match=r"pip install mov_ai\[parquet\]"):
        find_format(tmp_path)


@pytest.mark.parametrize("prompts", ["prompts.txt", "prompt.txt", "captions.txt"])
def test_prompts_and_videos_line_by_line(tmp_path: Path, prompts: str) -> None:
    videos(tmp_path / "videos", "a.mp4", "b.mp4")
    write(tmp_path / prompts, "A dog runs.\nA cat, asleep.\n")
    write(tmp_path / "videos.txt", "videos/a.mp4\nvideos/b.mp4\n")
    assert captions(tmp_path, "prompts") == {f"videos/{key}": text for key, text in TWO.items()}
    write(tmp_path / prompts, "A dog runs.\n")
    with pytest.raises(UsageError, match=r"as many lines in .* found 1 and 2"):
        list(read_clips(tmp_path))


def test_texts_beside_videos_in_nested_folders(tmp_path: Path) -> None:
    videos(tmp_path, "0.05-b.mp4", "one/a.webm", "one/two/c.MOV", "one/uncaptioned.mkv", "one/.hidden.mp4")
    write(tmp_path / "0.05-b.txt", "B.\n")
    write(tmp_path / "one" / "a.txt", "A\n  on two lines.\n")
    (tmp_path / "one" / "two" / "c.txt").write_bytes("Caf\xe9.".encode("latin1"))
    clips, source = read(tmp_path)
    assert source.format == "pairs"
    assert {clip.key: clip.captions for clip in clips} == {
        "0.05-b.mp4": ("B.",),
        "one/a.webm": ("A on two lines.",),
    }
    assert reasons(source) == {
        "no caption": ["one/uncaptioned.mkv"],
        "captions that are not UTF-8 text": ["one/two/c.txt"],
    }


def test_names_are_found_in_every_form_of_unicode(tmp_path: Path) -> None:
    files = [unicodedata.normalize("NFD", "caf\xe9.mp4"), "Screen 1.23.45\u202fPM.mov", "12:30:00.mp4", "日本.mp4"]
    videos(tmp_path, *files)
    listed = ["caf\xe9.mp4", "Screen 1.23.45 PM.mov", "12:30:00.mp4", "日本"]
    write(tmp_path / "captions.csv", "file_name,caption\n" + "".join(f"{name},Yes.\n" for name in listed))
    clips, source = read(tmp_path)
    assert source.problems == []
    assert sorted(clip.video.name for clip in clips) == sorted(files)
    assert clips[0].key == "caf\xe9.mp4"


def test_linked_folders_are_followed_once(tmp_path: Path) -> None:
    videos(tmp_path / "elsewhere", "a.mp4")
    write(tmp_path / "elsewhere" / "a.txt", "A dog.")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "videos").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "around").symlink_to(tmp_path / "set")
    assert captions(tmp_path / "set", "pairs") == {"videos/a.mp4": ("A dog.",)}


def test_lines_of_one_video_become_its_captions_and_repeated_ones_are_left_out(tmp_path: Path) -> None:
    videos(tmp_path, "a.mp4", "b.mp4")
    rows = ["a.mp4,One.", "a.mp4,Two.", "b.mp4,Three.", "a.mp4,Four.", "b.mp4,Three.", "b.mp4,"]
    write(tmp_path / "captions.csv", "\n".join(["file_name,caption", *rows]))
    clips, source = read(tmp_path)
    assert [(clip.key, clip.captions) for clip in clips] == [
        ("a.mp4", ("One.", "Two.")),
        ("b.mp4", ("Three.",)),
        ("a.mp4#2", ("Four.",)),
    ]
    assert reasons(source) == {"listed more than once": ["b.mp4"], "no caption": ["b.mp4"]}


def test_missing_files_by_the_thousand_are_one_line(tmp_path: Path) -> None:
    videos(tmp_path, "a.mp4")
    rows = [*(f"gone{i}.mp4,A dog." for i in range(2500)), "a.mp4,A dog.", "a.mp4,too,many", ",Nothing."]
    write(tmp_path / "captions.csv", "\n".join(["file_name,caption", *rows]))
    clips, source = read(tmp_path)
    assert [clip.key for clip in clips] == ["a.mp4"]
    assert problem_lines(source.problems) == [
        "no such file: 2,500 (gone0.mp4, gone1.mp4, gone2.mp4 and 2,497 more)",
        "rows that have not the header's 2 columns: 1 (captions.csv line 2503)",
        "rows that name no video: 1 (captions.csv line 2504)",
    ]


def test_problem_lines_put_the_most_frequent_first() -> None:
    problems = [Problem("a", "rare"), Problem("b", "usual"), Problem("c", "usual")]
    assert problem_lines(problems) == ["usual: 2 (b, c)", "rare: 1 (a)"]


def test_unknown_columns_are_named_with_those_that_are_understood(tmp_path: Path) -> None:
    videos(tmp_path, "a.mp4")
    write(tmp_path / "captions.csv", "clip,description\na.mp4,A dog.\n")
    for format in (None, "metadata"):
        with pytest.raises(UsageError) as caught:
            list(read_clips(tmp_path, format))
        message = str(caught.value)
        assert "'clip', 'description'" in message
        assert "file_name, video, path, file_path, media_path, video_path" in message
        assert "caption, text, prompt, cap, content" in message
        assert "\n" not in message


def test_other_encodings_are_refused_with_the_way_to_convert_them(tmp_path: Path) -> None:
    videos(tmp_path, "a.mp4", "b.mp4")
    content = "file_name,caption\na.mp4,Fine.\nb.mp4,Caf\xe9.\n"
    (tmp_path / "captions.csv").write_bytes(content.encode("latin1"))
    with pytest.raises(UsageError, match=r"line 3: expected UTF-8 text; byte 9 is not; .*iconv -f latin1"):
        list(read_clips(tmp_path))
    for name in ("captions.csv", "mine.csv"):
        (tmp_path / "captions.csv").unlink(missing_ok=True)
        (tmp_path / name).write_bytes(content.encode("utf-16"))
        with pytest.raises(UsageError, match="iconv -f utf-16"):
            list(read_clips(tmp_path))


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([], "holds no videos; expected files such as .mp4"),
        (["notes.txt"], "holds no videos"),
        (["a.mp4"], "nothing that says what they show; add captions.csv"),
    ],
)
def test_places_that_are_no_data_set_are_refused(tmp_path: Path, files: list[str], expected: str) -> None:
    videos(tmp_path, *files)
    with pytest.raises(UsageError, match=expected):
        read_clips(tmp_path)


def test_what_is_asked_for_wrongly_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file or folder"):
        read_clips(tmp_path / "absent")
    with pytest.raises(UsageError, match=r"data.format: expected one of .*metadata.*found 'csvs'"):
        read_clips(tmp_path, "csvs")
    write(tmp_path / "one.csv", as_csv("path", "text"))
    write(tmp_path / "two.csv", as_csv("path", "text"))
    with pytest.raises(UsageError, match=r"2 lists \(one.csv, two.csv\); give one of them"):
        list(read_clips(tmp_path))


def test_long_lists_are_read_without_decoding(tmp_path: Path) -> None:
    names = [f"{i // 100:02d}/{i:04d}.mp4" for i in range(3000)]
    videos(tmp_path, *names[::10])
    write(tmp_path / "captions.csv", "file_name,caption\n" + "".join(f"{name},A dog.\n" for name in names))
    source = read_clips(tmp_path)
    first = next(iter(source))
    assert (first.key, len(source.problems)) == (names[0], 9)
    assert [clip.key for clip in source] == names[::10]
    assert len(source.problems) == 2700
