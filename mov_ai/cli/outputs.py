"""Where commands write: a folder that does not replace anything by accident."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from mov_ai.cli.claims import is_claimed
from mov_ai.errors import UsageError
from mov_ai.graph.files import check_writable, is_unfinished, read_json

#: Results go here unless the user says otherwise.
DEFAULT_PLACE = Path("outputs")


def slug(text: str) -> str:
    """A short file name that recalls a text: "A red ball, rolling!" -> "a-red-ball-rolling"."""
    plain = unicodedata.normalize("NFKD", text[:1000]).encode("ascii", "ignore").decode("ascii").lower()
    words = re.findall(r"[a-z0-9]+", plain)
    kept = words[:1]
    for word in words[1:]:
        if len("-".join([*kept, word])) > 40:
            break
        kept.append(word)
    return "-".join(kept)[:40] or "video"


def numbered(name: str, suffix: str = "") -> Iterator[Path]:
    """Places under `outputs`, without end: name, name-2, name-3, ..., each with the suffix."""
    return (DEFAULT_PLACE / f"{name if i == 1 else f'{name}-{i}'}{suffix}" for i in itertools.count(1))


def free_folder(name: str) -> Path:
    """A writable folder under `outputs` that is not there yet and that no other run has claimed: name, name-2, ..."""
    folder = next(place for place in numbered(name) if not place.exists() and not is_claimed(place))
    check_writable(folder)
    return folder


def asked_folder(folder: Path, record: str, keys: Sequence[str]) -> Path:
    """The folder the user named, if writing there replaces nothing but an older result.

    That holds the file `record`, a JSON object with these keys; or it is one whose writing was cut short, or a long
    video's whose windows are not all made.

    Raises UsageError if it holds something else, MovAIError if it cannot be written.
    """
    from mov_ai.long_video.saving import UnfinishedRun

    check_writable(folder)
    if not folder.is_dir() or not any(folder.iterdir()):
        return folder
    if (folder / record).is_file():
        content = read_json(folder / record)
        if not isinstance(content, dict) or any(key not in content for key in keys):
            raise UsageError(
                f"--out: {folder}: its {record} is of something else (expected the keys {', '.join(keys)}); choose a "
                "new or an empty folder"
            )
    elif not is_unfinished(folder) and UnfinishedRun.request_in(folder) is None:
        raise UsageError(
            f"--out: {folder}: holds files but no {record}, so it is no older result; choose a new or an empty folder"
        )
    return folder
