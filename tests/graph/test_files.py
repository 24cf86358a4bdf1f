"""JSON files: strict on the way in, all or nothing on the way out."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from mov_ai.errors import MovAIError, UsageError
from mov_ai.graph import files
from mov_ai.graph.files import parse_json, read_json, staged_folder, write_bytes, write_json


def test_written_json_reads_back_and_can_be_read_by_others(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "value.json"
    write_json(path, {"word": "Bär \x00 </script>", "number": 0.5})
    assert read_json(path) == {"word": "Bär \x00 </script>", "number": 0.5}
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [entry.name for entry in path.parent.iterdir()] == ["value.json"]


def test_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.json: cannot be read"):
        read_json(tmp_path / "none.json")


def test_folder_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_json(tmp_path)


def test_other_bytes_are_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="UTF-8"):
        read_json(tmp_path / "x.json")


def test_bad_text_gives_line_and_column() -> None:
    with pytest.raises(UsageError, match=r"note: line 2, column 3: .*; expected JSON"):
        parse_json("{\n  version: 1}", "note")


def test_place_below_a_file_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")
    with pytest.raises(MovAIError, match="cannot be written"):
        write_bytes(tmp_path / "file" / "value.json", b"x")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_folder_in_the_way_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "value.json").mkdir()
    with pytest.raises(MovAIError, match="cannot be written"):
        write_bytes(tmp_path / "value.json", b"x")
    assert [entry.name for entry in tmp_path.iterdir()] == ["value.json"]


def test_full_disk_keeps_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "value.json"
    write_bytes(path, b"old")

    def full(source: str, target: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(MovAIError, match="No space left"):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["value.json"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"], ids=["NaN", "infinity", "half a pair"])
def test_values_that_json_cannot_hold_are_not_written(tmp_path: Path, value: object) -> None:
    with pytest.raises(MovAIError, match="not written"):
        write_json(tmp_path / "value.json", value)
    assert list(tmp_path.iterdir()) == []


def test_a_key_given_twice_is_refused() -> None:
    with pytest.raises(UsageError, match=r"note: the key 'b' is given twice in one object"):
        parse_json('{"a": {"b": 1, "c": 2, "b": 1}}', "note")


def test_no_more_is_read_than_is_meant_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_JSON_BYTES", 2**20)
    (tmp_path / "x.json").write_bytes(b" " * (2**20 + 1))
    with pytest.raises(UsageError, match=r"x\.json: expected at most 1 MiB"):
        read_json(tmp_path / "x.json")


@pytest.mark.timeout(20)
def test_what_is_no_file_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "device.json").symlink_to("/dev/zero")
    for place in (tmp_path / "pipe.json", tmp_path / "device.json", Path("/dev/zero")):
        with pytest.raises(UsageError, match=f"{place}: expected a JSON file, found a device or a pipe"):
            read_json(place)


def test_what_a_shell_hands_over_is_read() -> None:
    reading, writing = os.pipe()
    os.write(writing, b'{"a": 1}')
    os.close(writing)
    assert read_json(f"/dev/fd/{reading}") == {"a": 1}
    os.close(reading)


def write_result(folder: Path, seed: str, names: Sequence[str]) -> None:
    with staged_folder(folder, "run.json", ("stages/*.mp4",)) as staging:
        for name in (*names, "run.json"):
            (staging / name).parent.mkdir(exist_ok=True)
            (staging / name).write_text(seed)


def contents(folder: Path) -> dict[str, str]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_text() for path in paths}


def test_an_older_result_is_replaced_and_other_files_stay(tmp_path: Path) -> None:
    write_result(tmp_path / "out", "1", ["video.mp4", "stages/128.mp4", "stages/256.mp4"])
    (tmp_path / "out" / "notes.txt").write_text("mine")
    write_result(tmp_path / "out", "2", ["video.mp4", "stages/128.mp4"])
    expected = {"notes.txt": "mine", "run.json": "2", "stages/128.mp4": "2", "video.mp4": "2"}
    assert contents(tmp_path / "out") == expected


def test_what_stands_where_a_result_is_to_be_leaves_the_older_one_whole(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_result(out, "1", ["video.mp4"])
    (out / "layout.json").mkdir()
    (out / "stages").write_text("mine")
    before = contents(out)
    with pytest.raises(MovAIError, match=r"layout.json: is a folder"):
        write_result(out, "2", ["layout.json", "video.mp4"])
    with pytest.raises(MovAIError, match=r"stages: is a file"):
        write_result(out, "2", ["stages/128.mp4", "video.mp4"])
    assert contents(out) == before
    assert before["run.json"] == "1"


def test_a_folder_that_is_called_as_an_older_file_stays(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_result(out, "1", ["stages/128.mp4"])
    (out / "stages" / "mine.mp4").mkdir()
    write_result(out, "2", ["video.mp4"])
    assert (out / "stages" / "mine.mp4").is_dir()
    assert contents(out) == {"run.json": "2", "video.mp4": "2"}


@pytest.mark.parametrize("moves", range(5))
def test_wherever_writing_is_cut_short_no_record_stands_beside_files_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moves: int
) -> None:
    names = ["a.txt", "stages/128.mp4", "video.mp4"]
    write_result(tmp_path / "out", "1", names)
    replace, left = os.replace, iter(range(moves))

    def cut_short(source: Path, target: Path) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", cut_short)
    with contextlib.suppress(KeyboardInterrupt):
        write_result(tmp_path / "out", "2", names)
    found = contents(tmp_path / "out")
    assert "run.json" not in found or found == dict.fromkeys([*names, "run.json"], "2")


def test_what_a_killed_process_left_is_cleared_and_what_is_alive_or_foreign_stays(tmp_path: Path) -> None:
    script = (
        "import os, sys, time; from mov_ai.graph.files import staged_folder\n"
        "with staged_folder(sys.argv[1]) as folder:\n"
        "    (folder / 'half').write_text('x'); print('ready', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "out")], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    (tmp_path / ".mov-ai-other").mkdir()
    (tmp_path / f".mov-ai-elsewhere-{process.pid}-abc").mkdir()
    write_result(tmp_path / "first", "1", [])
    assert len(list(tmp_path.glob(".mov-ai-*"))) == 3
    assert not files.is_unfinished(tmp_path)
    process.kill()
    process.wait()
    assert files.is_unfinished(tmp_path)
    write_result(tmp_path / "second", "1", [])
    names = {entry.name for entry in tmp_path.iterdir()}
    assert names == {".mov-ai-other", f".mov-ai-elsewhere-{process.pid}-abc", "first", "second"}


def test_half_a_file_of_a_killed_process_is_cleared_by_the_next_file_there(tmp_path: Path) -> None:
    lines = (
        "import os, signal, sys; from mov_ai.graph.files import write_bytes",
        "os.replace = lambda *names: os.kill(os.getpid(), signal.SIGKILL)",
        "write_bytes(sys.argv[1], b'half')",
    )
    subprocess.run([sys.executable, "-c", "\n".join(lines), str(tmp_path / "a.txt")], check=False)
    assert len(list(tmp_path.iterdir())) == 1
    write_bytes(tmp_path / "b.txt", b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["b.txt"]
