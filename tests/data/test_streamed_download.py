"""A file is there complete and checked, or what was there before is."""

from __future__ import annotations

import hashlib
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from mov_ai.data.streamed_download import download
from mov_ai.errors import MovAIError
from tests.data.file_server import FileServer, running

CONTENT = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
REMEDY = "bring it by hand"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setenv("no_proxy", "*")
    with running() as found:
        yield found


@pytest.fixture(params=["new folder", "folder with the file"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "deep" / "place" / "a.bin"
    if request.param != "new folder":
        path.parent.mkdir(parents=True)
        path.write_bytes(b"older")
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_file_comes_with_its_progress_and_its_mode(server: FileServer, target: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    url = server.publish("/a", CONTENT)
    download(url, target, SHA256, REMEDY, progress=lambda done, whole: told.append((done, whole)))
    assert contents(tmp_path) == {"deep/place/a.bin": CONTENT}
    assert told[0] == (0, len(CONTENT))
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert len(told) > 3
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert target.stat().st_mode & 0o600 == 0o600


def test_without_a_length_the_known_size_is_told(server: FileServer, target: Path) -> None:
    told: list[int | None] = []
    url = server.publish("/a", CONTENT)
    server.announced["/a"] = None
    download(url, target, SHA256, REMEDY, len(CONTENT), lambda done, whole: told.append(whole))
    assert set(told) == {len(CONTENT)}


def spoil(server: FileServer, how: str) -> tuple[str, str]:
    """The address of a file that does not come, and what is said of it."""
    if how == "missing":
        return f"{server.address}/nothing", "the server answers 404 Not Found"
    if how == "cut off":
        server.announced["/a"] = len(CONTENT) + 10
        return server.publish("/a", CONTENT), f"the connection ended after {len(CONTENT)} of {len(CONTENT) + 10} bytes"
    if how == "cut off without a length":
        server.announced["/a"] = None
        return server.publish("/a", CONTENT[:500]), f"the connection ended after 500 of {len(CONTENT)} bytes"
    if how == "another":
        return server.publish("/a", b"<html>please log in</html>"), f"expected {SHA256}; not kept"
    if how == "endless":
        server.announced["/a"] = None
        return server.publish("/a", CONTENT * 20), f"it sends more than the {len(CONTENT)} bytes"
    if how == "no server":
        # The port that is reserved for nothing.
        return "http://127.0.0.1:1/a", "Connection refused"
    return "htp:/wrong", "could not be fetched"


@pytest.mark.parametrize(
    "how", ["missing", "cut off", "cut off without a length", "another", "endless", "no server", "no address"]
)
def test_what_does_not_come_leaves_what_was_there(server: FileServer, target: Path, tmp_path: Path, how: str) -> None:
    before = contents(tmp_path)
    url, said = spoil(server, how)
    with pytest.raises(MovAIError) as caught:
        download(url, target, SHA256, REMEDY, len(CONTENT))
    message = str(caught.value)
    assert url in message
    assert said in message
    assert message.endswith(REMEDY)
    assert "\n" not in message
    assert contents(tmp_path) == before
    assert bool(before) == (tmp_path / "deep").exists()


def test_an_interrupt_leaves_what_was_there(server: FileServer, target: Path, tmp_path: Path) -> None:
    before = contents(tmp_path)

    def interrupt(done: int, whole: int | None) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(server.publish("/a", CONTENT), target, SHA256, REMEDY, progress=interrupt)
    assert contents(tmp_path) == before
    assert bool(before) == (tmp_path / "deep").exists()


def test_a_disk_that_takes_no_more_is_not_called_a_network_error(
    server: FileServer, target: Path, tmp_path: Path
) -> None:
    before = contents(tmp_path)
    url = server.publish("/a", CONTENT)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(CONTENT) // 2, limits[1]))
    try:
        with pytest.raises(MovAIError, match=r"place: cannot be written \(File too large\)"):
            download(url, target, SHA256, REMEDY)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert contents(tmp_path) == before


def test_a_file_in_the_place_of_the_folder_is_named(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "place").write_text("mine")
    with pytest.raises(MovAIError, match="place: is a file"):
        download(server.publish("/a", CONTENT), tmp_path / "place" / "a.bin", SHA256, REMEDY)
    assert contents(tmp_path) == {"place": b"mine"}


@pytest.mark.parametrize("announced", [True, False])
def test_a_server_without_end_is_left(server: FileServer, target: Path, tmp_path: Path, announced: bool) -> None:
    before = contents(tmp_path)
    url = server.publish("/a", CONTENT)
    if not announced:
        server.announced["/a"] = None
    words = f"announces {len(CONTENT)} bytes, expected at most" if announced else "sends more than"
    with pytest.raises(MovAIError, match=words):
        download(url, target, None, REMEDY, most=len(CONTENT) // 2)
    assert contents(tmp_path) == before
