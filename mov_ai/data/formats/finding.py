"""Finding the videos that a data set's lists name, and reading its texts."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from mov_ai.data.frame_folder import IMAGE_SUFFIXES
from mov_ai.data.video import VIDEO_SUFFIXES
from mov_ai.errors import UsageError

#: Folders beside a list in which videos commonly lie.
VIDEO_FOLDERS = ("videos", "video", "clips", "data", "train")


def is_video(name: str) -> bool:
    """Whether a file of that name is a video, by its ending. Files whose names begin with a dot are none."""
    return not name.startswith(".") and name.lower().endswith(VIDEO_SUFFIXES)


def is_image(name: str) -> bool:
    """Whether a file of that name is a picture, by its ending."""
    return not name.startswith(".") and name.lower().endswith(IMAGE_SUFFIXES)


def stem(name: str) -> str:
    """A video's file name without its ending; a dot elsewhere, as in "0.05-b", is part of the name."""
    ending = next((suffix for suffix in VIDEO_SUFFIXES if name.lower().endswith(suffix)), "")
    return name[: len(name) - len(ending)]


def key_of(video: Path, root: Path) -> str:
    """A video's relative path, with slashes and in composed Unicode (NFC), so that it is the same on every system."""
    return unicodedata.normalize("NFC", PurePosixPath(Path(os.path.relpath(video, root))).as_posix())


class Files:
    """The files of a data set, each folder listed once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folders: dict[Path, dict[str, bool]] = {}
        self._spellings: dict[Path, dict[str, str]] = {}

    def names(self, folder: Path) -> dict[str, bool]:
        """Name -> whether it is a folder, sorted; empty if there is no such folder or it cannot be read."""
        if folder not in self._folders:
            try:
                with os.scandir(folder) as entries:
                    listed = {entry.name: entry.is_dir() for entry in entries}
            except OSError:
                listed = {}
            self._folders[folder] = dict(sorted(listed.items()))
        return self._folders[folder]

    def walk(self) -> Iterator[tuple[Path, dict[str, bool]]]:
        """The root and all folders below it, through links too, sorted, each once with its `names`; no hidden ones."""
        waiting = [self.root]
        seen = set()
        while waiting:
            folder = waiting.pop()
            real = os.path.realpath(folder)
            if real in seen:
                continue
            seen.add(real)
            names = self.names(folder)
            yield folder, names
            below = [folder / name for name, is_folder in names.items() if is_folder and not name.startswith(".")]
            waiting += reversed(below)

    def videos(self) -> Iterator[Path]:
        """All video files and folders of frames at and below the root."""
        for folder, names in self.walk():
            if folder != self.root and self.has_frames(folder):
                yield folder
            yield from (folder / name for name, is_folder in names.items() if not is_folder and is_video(name))

    def has_frames(self, folder: Path) -> bool:
        """Whether a folder holds pictures and no videos."""
        names = [name for name, is_folder in self.names(folder).items() if not is_folder]
        return any(map(is_image, names)) and not any(map(is_video, names))

    def spelled(self, folder: Path, name: str) -> str | None:
        """A name as the folder has it, whatever the form of Unicode (NFC, NFD) and the kind of its blanks (U+202F)."""
        names = self.names(folder)
        if name in names:
            return name
        if folder not in self._spellings:
            plain = {unicodedata.normalize("NFKC", other): other for other in names}
            self._spellings[folder] = {key: other for key, other in plain.items() if key != other}
        plain_name = name if name.isascii() else unicodedata.normalize("NFKC", name)
        return plain_name if plain_name in names else self._spellings[folder].get(plain_name)

    def path(self, folder: Path, parts: tuple[str, ...]) -> Path | None:
        """A file or folder by the parts of its path below a folder."""
        for part in parts:
            spelled = part if part == ".." else self.spelled(folder, part)
            if spelled is None:
                return None
            folder = folder / spelled
        return folder

    def video(self, name: str, folders: tuple[Path, ...]) -> Path | None:
        """The video that a list names.

        Args:
            name: relative to one of `folders`, or absolute; lists often come from another machine, so beginnings of
                the path are left away until the rest is found. Its ending may be absent.
            folders: tried in this order.
        """
        name = name.strip().replace("\\", "/")
        if name.startswith("/") and (Path(name).is_file() or self.has_frames(Path(name))):
            return Path(name)
        parts = tuple(part for part in name.split("/") if part not in ("", "."))
        for first in range(len(parts)):
            for folder in folders:
                place = self.path(folder, parts[first:-1])
                video = self._video_in(place, parts[-1]) if place is not None else None
                if video is not None:
                    return video
        return None

    def _video_in(self, folder: Path, name: str) -> Path | None:
        spelled = self.spelled(folder, name)
        if spelled is not None:
            path = folder / spelled
            return path if not self.names(folder)[spelled] or self.has_frames(path) else None
        if is_video(name):
            return None
        for suffix in VIDEO_SUFFIXES:
            spelled = self.spelled(folder, name + suffix)
            if spelled is not None and not self.names(folder)[spelled]:
                return folder / spelled
        return None


def read_text(path: Path) -> str:
    """A text file's content.

    Raises:
        UsageError: if it cannot be read or is not UTF-8.
    """
    try:
        return decode(path.read_bytes(), str(path))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); check the file") from None


def decode(content: bytes, source: str) -> str:
    """UTF-8 text, with or without a byte order mark.

    Raises:
        UsageError: if it is not UTF-8, with the way to convert it.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin1"
        raise UsageError(
            f"{source}: expected UTF-8 text; byte {error.start} is not; if it is {encoding}, convert it with "
            f"`iconv -f {encoding} -t utf-8`"
        ) from None


def peek(path: Path, size: int = 4096) -> bytes:
    """The first bytes of a file; none if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(size)
    except OSError:
        return b""
