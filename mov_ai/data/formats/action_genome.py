"""Action Genome: boxes of a person and of what it handles, with their relations, in chosen frames of Charades videos.

Source: github.com/JingweiJ/ActionGenome. Its annotations are pickles, which are not opened here, as a pickle can run
code; turned into JSON, `object_bbox_and_relationship.json` has {"VIDEO_ID.mp4/FRAME_ID.png": [{class, bbox [x, y, w,
h], attention_relationship, spatial_relationship, contacting_relationship, visible}]} and `person_bbox.json` {the same:
{bbox [[x1, y1, x2, y2]], bbox_size [w, h]}}. Frames are numbered from 1. A clip goes from the first annotated frame to
the last. Captions are the scripts and descriptions of Charades_v1_train.csv and _test.csv, where those are there.

Spatial relations go from the object to the person ("in front of": the object is in front), as the data set's users
read them; the others from the person to the object. `unsure`, `not_looking_at`, `not_contacting` and
`other_relationship` say nothing that can be seen, and are left out.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mov_ai.data.clips import Clip
from mov_ai.data.formats.annotations import Annotations
from mov_ai.data.formats.place import Place
from mov_ai.data.formats.predicates import Predicate, read_predicate
from mov_ai.data.formats.report import Report
from mov_ai.data.formats.tables import open_table
from mov_ai.data.formats.timing import Timing, video_timing
from mov_ai.errors import UsageError
from mov_ai.graph.files import read_json

OBJECTS, PERSONS = "object_bbox_and_relationship", "person_bbox"
#: Attention and contact: from the person to the object.
ACTIONS = {
    "looking_at": Predicate("look", "event", "at"),
    "carrying": Predicate("carry", "event"),
    "drinking_from": Predicate("drink", "event", "from"),
    "eating": Predicate("eat", "event"),
    "have_it_on_the_back": Predicate("have on the back", "relation"),
    "holding": Predicate("hold", "event"),
    "leaning_on": Predicate("lean", "event", "on"),
    "lying_on": Predicate("lie", "event", "on"),
    "sitting_on": Predicate("sit", "event", "on"),
    "standing_on": Predicate("stand", "event", "on"),
    "touching": Predicate("touch", "event"),
    "twisting": Predicate("twist", "event"),
    "wearing": Predicate("wear", "event"),
    "wiping": Predicate("wipe", "event"),
    "writing_on": Predicate("write", "event", "on"),
}
#: What the object does to the person.
PASSIVES = {"covered_by": Predicate("cover", "event")}
#: Classes of two names: the first is enough for a graph.
_PERSON = "person"


def has_action_genome(place: Place) -> bool:
    """Whether Action Genome's annotations are there, as JSON or still as pickles."""
    return _file(place, f"{OBJECTS}.json") is not None or _file(place, f"{OBJECTS}.pkl") is not None


def action_genome_clips(place: Place, report: Report) -> Iterator[Clip]:
    """The annotated videos, by name.

    Raises:
        UsageError: if the annotations are not there as JSON.
    """
    objects_file, persons_file = _json_file(place, OBJECTS), _json_file(place, PERSONS)
    objects, persons = read_json(objects_file), read_json(persons_file)
    if not isinstance(objects, dict) or not isinstance(persons, dict):
        raise UsageError(f"{objects_file}: expected an object of frames, as Action Genome's pickle; convert it again")
    captions = _charades(place, report)
    folders = place.folders_for(objects_file)
    for name, tags in itertools.groupby(sorted(objects), lambda tag: tag.rpartition("/")[0]):
        video = place.files.video(name, folders)
        if video is None:
            report.add(name, "no such file")
            continue
        timing = video_timing(video)
        if timing is None:
            report.add(place.key(video), "videos that cannot be opened")
            continue
        try:
            by_frame = {int(tag.rpartition("/")[2].split(".")[0]) - 1: (objects[tag], persons.get(tag)) for tag in tags}
            annotations = _annotations(by_frame, timing)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError):
            report.add(name, "annotations that lack a key")
            continue
        graph, tracks = annotations.result()
        start, end = (edge / timing.fps for edge in (annotations.first, annotations.first + annotations.frames))
        video_id = name.removesuffix(".mp4")
        yield Clip(
            place.key(video, start, end),
            video,
            captions=captions.get(video_id, ()),
            start=start,
            end=end,
            graph=graph,
            tracks=tracks,
            metadata={"video_id": video_id, "fps": timing.fps},
        )


def _annotations(by_frame: dict[int, tuple[Any, Any]], timing: Timing) -> Annotations:
    frames = sorted(by_frame)
    annotations = Annotations(frames, frames[-1] + 1 - frames[0], timing.fps, first=frames[0])
    annotations.thing(_PERSON, _PERSON)
    for frame, (objects, person) in sorted(by_frame.items()):
        when = annotations.around(frame)
        width, height = (person or {}).get("bbox_size") or (timing.width, timing.height)
        for left, top, right, bottom in ((person or {}).get("bbox") or ())[:1]:
            annotations.box(_PERSON, frame, (left / width, top / height, right / width, bottom / height))
        for entry in objects:
            if not entry.get("visible", True):
                continue
            # "closet/cabinet", "cup/glass/bottle": the first of the names.
            key = str(entry["class"])
            annotations.thing(key, key.split("/")[0])
            if entry.get("bbox"):
                x, y, w, h = entry["bbox"]
                annotations.box(key, frame, (x / width, y / height, (x + w) / width, (y + h) / height))
            for name in (*(entry.get("attention_relationship") or ()), *(entry.get("contacting_relationship") or ())):
                if name in ACTIONS:
                    annotations.relate(_PERSON, ACTIONS[name], key, when)
                elif name in PASSIVES:
                    annotations.relate(key, PASSIVES[name], _PERSON, when)
            for name in entry.get("spatial_relationship") or ():
                annotations.relate(key, read_predicate(name), _PERSON, when)
    return annotations


def _charades(place: Place, report: Report) -> dict[str, tuple[str, ...]]:
    """Video id -> its script and its descriptions."""
    captions = {}
    for name in ("Charades_v1_train.csv", "Charades_v1_test.csv"):
        path = _file(place, name)
        table = open_table(path) if path is not None else None
        for _, row in table.rows(report) if table is not None and {"id", "script"} <= table.names else ():
            texts = [row["script"], *str(row.get("descriptions") or "").split(";")]
            captions[str(row["id"])] = tuple(dict.fromkeys(text.strip() for text in texts if text and text.strip()))
    return captions


def _file(place: Place, name: str) -> Path | None:
    """A file in the root or in a folder of it, such as annotations, Charades."""
    folders = [place.root, *(place.root / folder for folder, is_folder in place.names.items() if is_folder)]
    return next((folder / name for folder in folders if place.files.names(folder).get(name) is False), None)


def _json_file(place: Place, name: str) -> Path:
    path = _file(place, f"{name}.json")
    if path is None:
        raise UsageError(
            f"{place.path}: expected {name}.json, as pickles are not opened here: they can run code; if you trust "
            f"{name}.pkl, run: python -c \"import json, pickle; json.dump(pickle.load(open('{name}.pkl', 'rb')), "
            f"open('{name}.json', 'w'), default=lambda v: v.tolist())\""
        )
    return path
