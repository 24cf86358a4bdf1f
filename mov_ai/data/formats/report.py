"""What a reading of a data set leaves out, and the keys that it gave away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from mov_ai.data.clips import Clip, Problem
from mov_ai.data.formats.wording import caption_of


@dataclass
class Report:
    """Collects problems while clips are read."""

    problems: list[Problem] = field(default_factory=list)

    def add(self, where: str, reason: str) -> None:
        """Note something that is left out; `reason` is the same for all of one kind."""
        self.problems.append(Problem(where, reason))


def distinct(clips: Iterator[Clip], report: Report) -> Iterator[Clip]:
    """The clips with unique keys, captions without blanks around them, and none that says nothing.

    What is annotated without a caption is given one in plain words; the first caption is the graph's.

    Neighbours of one key become one clip with all their captions. A later clip of a known key that says something
    else goes on as KEY#2, KEY#3, ...; one that says the same is reported.
    """
    known: dict[str, set[int]] = {}
    for clip in _joined(clips, report):
        content = hash(clip.captions)
        contents = known.setdefault(clip.key, set())
        if content in contents:
            report.add(clip.key, "listed more than once")
            continue
        contents.add(content)
        yield clip if len(contents) == 1 else replace(clip, key=f"{clip.key}#{len(contents)}")


def _joined(clips: Iterator[Clip], report: Report) -> Iterator[Clip]:
    last: Clip | None = None
    for clip in clips:
        captions = tuple(" ".join(text.split()) for text in clip.captions if text.strip())
        graph = clip.graph
        if graph is not None:
            captions = captions or (caption_of(graph),)
            graph = replace(graph, caption=captions[0])
        clip = replace(clip, captions=captions, graph=graph)
        if not captions:
            report.add(clip.key, "no caption")
        elif last is not None and last.key == clip.key and last.captions != clip.captions and clip.graph is None:
            new = tuple(text for text in clip.captions if text not in last.captions)
            last = replace(last, captions=last.captions + new)
        else:
            if last is not None:
                yield last
            last = clip
    if last is not None:
        yield last
