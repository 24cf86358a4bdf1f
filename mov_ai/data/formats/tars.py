"""WebDataset tars: KEY.mp4 with KEY.txt or KEY.json in a tar file, as video2dataset writes them."""

from __future__ import annotations

import itertools
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mov_ai.data.clips import Clip
from mov_ai.data.formats.finding import decode, is_video, key_of
from mov_ai.data.formats.lists import CAPTION_COLUMNS, texts
from mov_ai.data.formats.place import Place
from mov_ai.data.formats.report import Report
from mov_ai.data.formats.tables import plain_name
from mov_ai.errors import UsageError
from mov_ai.graph.files import parse_json

#: Members that are looked at to see whether a tar file holds videos at all.
FIRST_MEMBERS = 64
#: A text or JSON of a sample is no longer than this.
MAX_TEXT = 2**22


def has_tars(place: Place) -> bool:
    """Whether the first tar file holds videos among its first members."""
    first = next(_tars(place), None)
    if first is None:
        return False
    try:
        with tarfile.open(first, "r:") as tar:
            return any(is_video(Path(member.name).name) for member in itertools.islice(tar, FIRST_MEMBERS))
    except (tarfile.TarError, OSError, EOFError):
        return False


def tar_clips(place: Place, report: Report) -> Iterator[Clip]:
    """The samples of each tar file in its order; a tar file that breaks off is read as far as it goes."""
    for path in _tars(place):
        name = key_of(path, place.root)
        size = path.stat().st_size
        try:
            with tarfile.open(path, "r:") as tar:
                members = (member for member in tar if member.isfile())
                for key, sample in itertools.groupby(members, lambda member: sample_key(member.name)):
                    yield from _clips(path, tar, name, key, list(sample), size, report)
        except (tarfile.TarError, OSError, EOFError):
            report.add(name, "tar files that are cut short or damaged")


def sample_key(name: str) -> str:
    """What members of one sample share: the path up to the first dot of the file's name."""
    folder, slash, file = name.rpartition("/")
    return folder + slash + file.split(".")[0]


def _clips(
    path: Path, tar: tarfile.TarFile, tar_name: str, key: str, members: list[Any], size: int, report: Report
) -> Iterator[Clip]:
    videos = [member for member in members if is_video(member.name.rpartition("/")[2])]
    if not videos:
        report.add(f"{tar_name}/{key}", "samples without a video")
        return
    video = videos[0]
    if video.offset_data + video.size > size:
        raise tarfile.ReadError("the video goes on behind the end")
    captions: tuple[str, ...] = ()
    about: dict[str, Any] = {}
    for member in members:
        ending = member.name[len(key) + 1 :].lower()
        if ending not in ("txt", "caption", "json") or member.size > MAX_TEXT:
            continue
        file = tar.extractfile(member)
        content = file.read() if file is not None else b""
        if len(content) < member.size:
            raise tarfile.ReadError("a text goes on behind the end")
        where = f"{tar_name}/{member.name}"
        try:
            text = decode(content, where)
            if ending != "json":
                captions = (text,)
                continue
            value = parse_json(text, where)
        except UsageError:
            report.add(where, "texts that are not UTF-8, or JSON that is none")
            continue
        if isinstance(value, dict):
            about = {plain_name(name): entry for name, entry in value.items()}
    if not captions:
        captions = texts(next((about[name] for name in CAPTION_COLUMNS if about.get(name)), ()))
    about = {name: entry for name, entry in about.items() if name not in CAPTION_COLUMNS}
    yield Clip(
        f"{tar_name}/{video.name}", path, video.name, captions, metadata=about, span=(video.offset_data, video.size)
    )


def _tars(place: Place) -> Iterator[Path]:
    if place.path.is_file():
        if place.path.suffix.lower() == ".tar":
            yield place.path
        return
    for folder, names in place.files.walk():
        yield from (
            folder / name for name, is_folder in names.items() if not is_folder and name.lower().endswith(".tar")
        )
