"""The place of a data set, as every format looks at it: its files, its lists, its videos."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from mov_ai.data.formats.finding import VIDEO_FOLDERS, Files, is_video, key_of, stem
from mov_ai.data.formats.tables import SUFFIXES, Table, open_table
from mov_ai.errors import UsageError

#: Lists of these names are preferred to others in their folder.
LIST_NAMES = ("captions", "metadata", "videos2caption")
#: More files that might be lists than this are something else: one file a clip.
MAX_LISTS = 20
#: Videos beside which files are opened to tell a format.
FIRST_VIDEOS = 20


@dataclass(frozen=True)
class Place:
    """A folder with a data set, or one list of it.

    Attributes:
        path: as given.
        unreadable: what is wrong with files that may be lists, as far as `tables` has met them.
    """

    path: Path
    unreadable: list[UsageError] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.path.exists():
            raise UsageError(f"{self.path}: no such file or folder; give a folder with videos, or a list of them")

    @cached_property
    def root(self) -> Path:
        """The folder to which keys are relative."""
        return self.path if self.path.is_dir() else self.path.parent

    @cached_property
    def files(self) -> Files:
        """All files below the root."""
        return Files(self.root)

    @cached_property
    def names(self) -> dict[str, bool]:
        """Name -> whether it is a folder, of what is in the root."""
        return self.files.names(self.root)

    def videos(self) -> Iterator[Path]:
        """All videos and folders of frames at and below the root; none if the place is a list."""
        return self.files.videos() if self.path.is_dir() else iter(())

    @cached_property
    def first_videos(self) -> list[Path]:
        """The first of them: what is beside these tells the format, without a look at ten thousand files."""
        return list(itertools.islice(self.videos(), FIRST_VIDEOS))

    @cached_property
    def tables(self) -> list[Table]:
        """The lists in the root, or the one that was given: those with usual names first.

        Raises:
            UsageError: if one with a usual name, or the one that was given, cannot be read.
        """
        if self.path.is_file():
            table = open_table(self.path) if self.path.suffix.lower() in SUFFIXES else None
            return [table] if table is not None else []
        # OpenVid's lists lie two folders below.
        folders = [self.root, self.root / "data" / "train"]
        paths = [
            folder / name
            for folder in folders
            for name, is_folder in self.files.names(folder).items()
            if not is_folder and not name.startswith(".") and name.lower().endswith(SUFFIXES)
        ]
        usual = [path for name in LIST_NAMES for path in paths if path.stem.lower() == name]
        stems = {stem(name) for name, is_folder in self.names.items() if not is_folder and is_video(name)}
        others = [path for path in paths if path not in usual and path.stem not in stems]
        tables = [open_table(path) for path in usual]
        for path in others if len(others) <= MAX_LISTS else ():
            try:
                tables.append(open_table(path))
            except UsageError as error:
                # What it is nobody knows; if nothing else tells the format, this is why.
                self.unreadable.append(error)
        return [table for table in tables if table is not None]

    def folders_for(self, file: Path) -> tuple[Path, ...]:
        """Where videos are looked for that a list names: its own folder first."""
        near = [file.parent, self.root]
        if self.path.is_file():
            near += [file.parent.parent, file.parent.parent.parent]
        folders = [place for folder in near for place in (folder, *(folder / name for name in VIDEO_FOLDERS))]
        return tuple(dict.fromkeys(folder for folder in folders if folder.is_dir()))

    def key(self, video: Path, start: float | None = None, end: float | None = None) -> str:
        """A clip's key."""
        key = key_of(video, self.root)
        if start is None and end is None:
            return key
        return f"{key}[{start or 0:.3f}-{'' if end is None else f'{end:.3f}'}]"
