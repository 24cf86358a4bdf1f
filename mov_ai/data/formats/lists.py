"""Lists with a column for the video and one for the caption: captions.csv, metadata.*, videos2caption.json and kin.

Names of columns as in: the Hub's video folders (`file_name`), diffusers (`video`, `text`), finetrainers and CogVideoX
(`video_path`, `caption`), Open-Sora (`path,text,num_frames,height,width,aspect_ratio,resolution,fps`), Open-Sora-Plan,
Latte and FastVideo (`path`, `cap`), OpenVid-1M (`video,caption`, scores, motion, `frame,fps,seconds`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mov_ai.data.clips import Clip
from mov_ai.data.formats.place import Place
from mov_ai.data.formats.report import Report
from mov_ai.data.formats.tables import Row, Table, number
from mov_ai.errors import UsageError

#: Columns that name the video, and that say what it shows, by plain names; the first that a list has is taken.
VIDEO_COLUMNS = (
    *("file_name", "video", "path", "file_path", "media_path", "video_path", "filename", "video_name", "video_file"),
)
CAPTION_COLUMNS = ("caption", "text", "prompt", "cap", "content", "captions")
_OPENVID = {"aesthetic_score", "motion_score", "temporal_consistency_score", "camera_motion"}
_OPENSORA = {"num_frames", "height", "width", "aspect_ratio", "resolution"}


def is_list(table: Table) -> bool:
    """Whether a list has a column for the video and one for the caption."""
    return bool(table.names & set(VIDEO_COLUMNS)) and bool(table.names & set(CAPTION_COLUMNS))


def is_openvid(table: Table) -> bool:
    """Whether a list is OpenVid-1M's."""
    return {"video", "caption"} <= table.names and len(table.names & _OPENVID) >= 2


def is_opensora(table: Table) -> bool:
    """Whether a list is Open-Sora's."""
    return {"path", "text"} <= table.names and len(table.names & _OPENSORA) >= 2


def is_videos2caption(table: Table) -> bool:
    """Whether a list is a videos2caption.json."""
    return is_list(table) and table.path.name.lower() == "videos2caption.json"


def listed_clips(place: Place, table: Table, report: Report) -> Iterator[Clip]:
    """The clips of a list, in its order."""
    folders = place.folders_for(table.path)
    for where, row in table.rows(report):
        name = _first(row, VIDEO_COLUMNS)
        if isinstance(name, dict):
            name = name.get("path")
        if not isinstance(name, str) or not name.strip():
            report.add(where, "rows that name no video")
            continue
        video = place.files.video(name, folders)
        if video is None:
            report.add(name, "no such file")
            continue
        yield Clip(place.key(video), video, captions=texts(_first(row, CAPTION_COLUMNS)), metadata=others(row))


def texts(value: Any) -> tuple[str, ...]:
    """One caption or several."""
    if isinstance(value, str):
        return (value,)
    return tuple(text for text in value if isinstance(text, str)) if isinstance(value, (list, tuple)) else ()


def others(row: Row, used: tuple[str, ...] = (*VIDEO_COLUMNS, *CAPTION_COLUMNS)) -> dict[str, Any]:
    """What a row says beside the video and its caption; numbers as numbers."""
    return {name: number(value) for name, value in row.items() if name not in used and value not in (None, "")}


def unknown_columns(tables: list[Table]) -> UsageError:
    """The error for lists none of whose columns is understood."""
    table = tables[0]
    shown = ", ".join(repr(column) for column in table.columns[:12]) or "none"
    return UsageError(
        f"{table.path}: expected a column for the video ({', '.join(VIDEO_COLUMNS[:6])}) and one for its caption "
        f"({', '.join(CAPTION_COLUMNS[:5])}); its columns are {shown}: rename two of them"
    )


def _first(row: Row, columns: tuple[str, ...]) -> Any:
    return next((row[column] for column in columns if row.get(column) not in (None, "")), None)
