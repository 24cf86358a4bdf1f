"""WebVid's lists: `videoid,name,page_idx,page_dir,duration,contentUrl`.

The files are {videoid}.mp4 or {page_dir}/{videoid}.mp4.
"""

from __future__ import annotations

from collections.abc import Iterator

from mov_ai.data.clips import Clip
from mov_ai.data.formats.lists import others
from mov_ai.data.formats.place import Place
from mov_ai.data.formats.report import Report
from mov_ai.data.formats.tables import Table


def is_webvid(table: Table) -> bool:
    """Whether a list is WebVid's."""
    return {"videoid", "name"} <= table.names and bool(table.names & {"page_dir", "contenturl"})


def webvid_clips(place: Place, table: Table, report: Report) -> Iterator[Clip]:
    """The clips of a list, in its order."""
    folders = place.folders_for(table.path)
    for where, row in table.rows(report):
        video_id = str(row["videoid"] or "").strip()
        if not video_id:
            report.add(where, "rows that name no video")
            continue
        # With the page's folder first: without it, the name alone is looked for too.
        name = "/".join(part for part in (str(row.get("page_dir") or "").strip(), f"{video_id}.mp4") if part)
        video = place.files.video(name, folders)
        if video is None:
            report.add(name, "no such file")
            continue
        yield Clip(place.key(video), video, captions=(str(row["name"] or ""),), metadata=others(row, ("name",)))
