"""Prompts of videos in a folder: a file that maps the videos' names to texts."""

from __future__ import annotations

import csv
from pathlib import Path

from mov_ai.errors import UsageError
from mov_ai.evaluation.metrics.folders import VIDEO_SUFFIXES, printable
from mov_ai.graph.files import parse_json


def read_prompts(path: str | Path) -> dict[str, str]:
    """Video's name, as `VideoFile.name` -> prompt.

    Args:
        path: JSON, an object {"name": "prompt"}; CSV, two columns name and prompt, with or without that header; or any
            other text, a line "name<tab>prompt" or "name: prompt" for each video. Names with or without suffix.

    Raises:
        UsageError: if it cannot be read, is none of these, names a video twice, or gives an empty prompt.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{path}: expected a UTF-8 file of prompts, found other bytes; convert it first") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); give a file of prompts") from None
    kind = path.suffix.lower()
    pairs = _json(text, path) if kind == ".json" else _csv(text, path) if kind == ".csv" else _lines(text, path)
    prompts: dict[str, str] = {}
    for video_name, prompt in pairs:
        known = Path(video_name).suffix.lower() in VIDEO_SUFFIXES
        name = printable(Path(video_name).with_suffix("").as_posix() if known else video_name)
        if name in prompts:
            raise UsageError(f"{path}: names {name!r} twice; keep one prompt for each video")
        if not prompt.strip():
            raise UsageError(f"{path}: the prompt of {name!r} is empty; write one or leave the video out")
        prompts[name] = prompt.strip()
    if not prompts:
        raise UsageError(f"{path}: holds no prompts; give a name and a prompt for each video")
    return prompts


def _json(text: str, path: Path) -> list[tuple[str, str]]:
    value = parse_json(text, str(path))
    if not isinstance(value, dict) or not all(isinstance(prompt, str) for prompt in value.values()):
        raise UsageError(f'{path}: expected an object {{"name of the video": "prompt", ...}}; write it so')
    return list(value.items())


def _csv(text: str, path: Path) -> list[tuple[str, str]]:
    rows = [row for row in csv.reader(text.splitlines()) if any(cell.strip() for cell in row)]
    if any(len(row) != 2 for row in rows):
        wrong = next(row for row in rows if len(row) != 2)
        raise UsageError(
            f"{path}: expected two columns, name and prompt, found {len(wrong)} in {','.join(wrong)[:80]!r}; put "
            "prompts that hold commas into quotes"
        )
    if rows and rows[0][1].strip().lower() in ("prompt", "text", "caption"):
        rows = rows[1:]
    return [(row[0].strip(), row[1]) for row in rows]


def _lines(text: str, path: Path) -> list[tuple[str, str]]:
    pairs = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        name, separator, prompt = line.partition("\t" if "\t" in line else ": ")
        if not separator:
            raise UsageError(
                f"{path}: line {number}: expected 'name<tab>prompt' or 'name: prompt', found {line[:80]!r}"
            )
        pairs.append((name.strip(), prompt))
    return pairs
