"""JSON files: strict on the way in, all or nothing on the way out."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from mov_ai.errors import MovAIError, UsageError
from mov_ai.graph.files import parse_json, read_json, write_bytes, write_json


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
