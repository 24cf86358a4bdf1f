"""UCF-101: a folder for each class, with v_{Class}_g{group}_c{clip}.avi; the class's name is the caption."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mov_ai.data.clips import Clip
from mov_ai.data.formats.place import Place
from mov_ai.data.formats.report import Report

_NAME = re.compile(r"v_(\w+)_g([0-9]+)_c([0-9]+)", re.IGNORECASE)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def class_caption(name: str) -> str:
    """The words of a class: "ApplyEyeMakeup" -> "apply eye makeup"."""
    return " ".join(_WORD.findall(name)).lower() or name


def has_classes(place: Place) -> bool:
    """Whether the first videos are named as UCF-101's, in a folder of their class."""
    first = next(iter(place.first_videos), None)
    match = _NAME.match(first.name) if first is not None else None
    # The case of letters differs in one class: HandstandPushups/v_HandStandPushups_g01_c01.avi.
    return match is not None and first is not None and match[1].lower() == first.parent.name.lower()


def class_clips(place: Place, report: Report) -> Iterator[Clip]:
    """Each video with the name of its folder in words; videos in no folder of a class are reported."""
    for video in place.videos():
        if video.parent == place.root:
            report.add(place.key(video), "videos in no folder of a class")
            continue
        match = _NAME.match(video.name)
        about = {"class": video.parent.name} | ({"group": int(match[2]), "clip": int(match[3])} if match else {})
        yield Clip(place.key(video), video, captions=(class_caption(video.parent.name),), metadata=about)
