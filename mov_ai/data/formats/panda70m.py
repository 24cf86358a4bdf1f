"""Panda-70M's lists: one row a source video, with lists of its clips' times, captions and scores.

Columns `videoID,url,timestamp,caption,matching_score`: timestamp holds [['0:00:05.005', '0:00:20.020'], ...], caption
and matching_score one entry a clip, all as Python writes lists. Files {videoID}.mp4 hold the whole source videos; clips
that the data set's own downloader cut out have a text beside them, and are read as pairs.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from mov_ai.data.clips import Clip
from mov_ai.data.formats.lists import others
from mov_ai.data.formats.place import Place
from mov_ai.data.formats.report import Report
from mov_ai.data.formats.tables import Table

_TIME = re.compile(r"(?:(?:([0-9]+):)?([0-9]+):)?([0-9]+(?:\.[0-9]+)?)")
_USED = ("videoid", "timestamp", "caption", "matching_score")


def is_panda70m(table: Table) -> bool:
    """Whether a list names clips by their times, as Panda-70M's."""
    return {"videoid", "timestamp", "caption"} <= table.names


def panda70m_clips(place: Place, table: Table, report: Report) -> Iterator[Clip]:
    """The clips of a list, in its order; each is a stretch of its source video."""
    folders = place.folders_for(table.path)
    for where, row in table.rows(report):
        name = f"{str(row['videoid']).strip()}.mp4"
        video = place.files.video(name, folders)
        if video is None:
            report.add(name, "no such file")
            continue
        times, captions, scores = (_as_list(row.get(column)) for column in _USED[1:])
        if times and not isinstance(times[0], (list, tuple)):
            times = [times]
        if len(times) != len(captions):
            report.add(where, "rows with another number of captions than of times")
            continue
        about = others(row, _USED)
        for i, (time, caption) in enumerate(zip(times, captions, strict=True)):
            is_pair = isinstance(time, (list, tuple)) and len(time) == 2
            start, end = map(_seconds, time) if is_pair else (None, None)
            if start is None or end is None or not start < end:
                report.add(f"{where} clip {i}", "times that are not [start, end]")
                continue
            score = {"matching_score": scores[i]} if i < len(scores) else {}
            key = place.key(video, start, end)
            yield Clip(key, video, captions=(str(caption),), start=start, end=end, metadata=about | score)


def _as_list(value: Any) -> list[Any]:
    if isinstance(value, str):
        try:
            value = ast.literal_eval(value) if value.lstrip()[:1] in ("[", "(") else value
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return []
    return list(value) if isinstance(value, (list, tuple)) else [] if value in (None, "") else [value]


def _seconds(moment: Any) -> float | None:
    if isinstance(moment, (int, float)) and not isinstance(moment, bool):
        return float(moment)
    match = _TIME.fullmatch(moment.strip()) if isinstance(moment, str) else None
    if match is None:
        return None
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return 3600 * hours + 60 * minutes + seconds
