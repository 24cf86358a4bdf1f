"""Dataset files are found where they are, or fetched, checked and kept; never kept half or wrong."""

from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path

import pytest

from mov_ai.data import downloads
from mov_ai.data.downloads import PUBLIC_FILES, PublicFile, data_file, data_folder, project_data_folder
from mov_ai.errors import MovAIError

NAME = "colours/warm.txt"
TEXT = b"red\norange\n"


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file published under a file:// address, a project without data, and no `MOV_AI_DATA`."""
    source = tmp_path / "server" / "warm.txt"
    source.parent.mkdir()
    source.write_bytes(TEXT)
    files = {NAME: PublicFile(source.as_uri(), hashlib.sha256(TEXT).hexdigest())}
    monkeypatch.setattr(downloads, "PUBLIC_FILES", files)
    monkeypatch.setattr(downloads, "project_data_folder", lambda: tmp_path / "project" / "data")
    monkeypatch.delenv("MOV_AI_DATA", raising=False)
    return source


def test_a_fetched_file_is_kept_in_the_project_and_used_from_then_on(published: Path, tmp_path: Path) -> None:
    kept = data_file(NAME)
    assert kept == tmp_path / "project" / "data" / NAME
    assert kept.read_bytes() == TEXT
    published.unlink()
    assert data_file(NAME) == kept
    assert data_folder("colours") == kept.parent


def test_the_named_folder_comes_first(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data_file(NAME)
    own = tmp_path / "own" / NAME
    own.parent.mkdir(parents=True)
    own.write_text("mine")
    monkeypatch.setenv("MOV_AI_DATA", str(tmp_path / "own"))
    assert data_file(NAME) == own
    assert data_folder("colours") == own.parent


def test_a_named_folder_without_the_file_is_passed_over(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOV_AI_DATA", str(tmp_path / "empty"))
    assert data_file(NAME).read_bytes() == TEXT
    assert data_folder("colours") == tmp_path / "project" / "data" / "colours"


def test_a_member_of_an_archive_is_taken_out(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = published.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("inside/warm.txt", TEXT)
    public = PublicFile(archive.as_uri(), hashlib.sha256(TEXT).hexdigest(), member="inside/warm.txt")
    monkeypatch.setitem(downloads.PUBLIC_FILES, NAME, public)
    assert data_file(NAME).read_bytes() == TEXT


def test_a_file_that_changed_is_not_kept(published: Path, tmp_path: Path) -> None:
    published.write_bytes(b"not the published text")
    with pytest.raises(MovAIError, match="SHA-256") as caught:
        data_file(NAME)
    assert published.as_uri() in str(caught.value)
    assert list((tmp_path / "project").rglob("*")) == []


@pytest.mark.parametrize("damage", ["missing", "no archive"])
def test_what_cannot_be_fetched_is_one_line_with_the_remedy(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    if damage == "missing":
        published.unlink()
    else:
        public = PublicFile(published.as_uri(), "", member="warm.txt")
        monkeypatch.setitem(downloads.PUBLIC_FILES, NAME, public)
    with pytest.raises(MovAIError) as caught:
        data_file(NAME)
    message = str(caught.value)
    assert NAME in message
    assert published.as_uri() in message
    assert "MOV_AI_DATA" in message
    assert "\n" not in message
    assert not (tmp_path / "project").exists()


def test_fetched_datasets_stay_out_of_git() -> None:
    ignored = (project_data_folder().parent / ".gitignore").read_text().split()
    assert {f"/data/{name.split('/')[0]}/" for name in PUBLIC_FILES} <= set(ignored)


@pytest.mark.parametrize("name", sorted(PUBLIC_FILES))
def test_checksums_are_those_of_the_files_at_hand(name: str) -> None:
    path = Path(os.environ.get("MOV_AI_DATA", "nowhere")) / name
    if not path.is_file():
        pytest.skip(f"MOV_AI_DATA has no {name}")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == PUBLIC_FILES[name].sha256
