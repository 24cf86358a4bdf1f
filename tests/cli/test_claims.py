"""No two runs write into one folder, and a run that ended, however it ended, claims none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mov_ai.cli.claims import claimed
from mov_ai.cli.outputs import free_folder
from mov_ai.errors import UsageError


@pytest.fixture(autouse=True)
def own_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "locks"))
    (tmp_path / "locks").mkdir()


def test_a_folder_that_a_run_writes_into_is_refused_to_the_next_and_free_afterwards(tmp_path: Path) -> None:
    folders = [tmp_path / "deep" / "out", tmp_path / "other"]
    with claimed(folders):
        for folder in folders:
            with pytest.raises(UsageError, match="another run is writing into it"), claimed([folder]):
                pass
        with claimed([tmp_path / "third"]):
            pass
    with claimed(folders):
        pass
    assert not (tmp_path / "deep").exists()
    assert not list((tmp_path / "locks").rglob("*.*"))


def test_a_name_that_another_run_has_claimed_is_not_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with claimed([free_folder("ball")]):
        assert free_folder("ball") == Path("outputs/ball-2")
    assert free_folder("ball") == Path("outputs/ball")


def test_a_killed_run_claims_nothing(tmp_path: Path) -> None:
    lines = (
        "import sys, tempfile; from pathlib import Path; from mov_ai.cli.claims import claimed",
        f"tempfile.tempdir = {str(tmp_path / 'locks')!r}",
        f"with claimed([Path({str(tmp_path / 'out')!r})]):",
        "    print('claimed', flush=True); sys.stdin.read()",
    )
    process = subprocess.Popen(
        [sys.executable, "-c", "\n".join(lines)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "claimed\n"
    with pytest.raises(UsageError, match="another run"), claimed([tmp_path / "out"]):
        pass
    process.kill()
    process.wait()
    with claimed([tmp_path / "out"]):
        pass


def test_where_no_lock_can_be_made_every_folder_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "not" / "there"))
    with claimed([tmp_path / "out"]), claimed([tmp_path / "out"]):
        pass


def test_a_folder_of_locks_that_leads_elsewhere_is_not_written_into(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "locks" / f"mov-ai-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    with claimed([tmp_path / "out"]), claimed([tmp_path / "out"]):
        pass
    assert not list((tmp_path / "elsewhere").iterdir())
