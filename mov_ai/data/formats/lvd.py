"""Layouts of LLM-grounded video diffusion (LVD): per frame `id`, `name` and `box` [x, y, w, h] in pixels of 512x512.

Source: github.com/TonyLianLong/LLM-groundedVideoDiffusion. A layout is an object with `Prompt`, `Frame 1` ... `Frame N`
and `Background keyword`, as `parsed_layout_to_condition` takes it; a cache of a language model's answers is an object
{prompt: [text]} whose text has a line for each frame. The first frame is the video's first, the last its last.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

from mov_ai.data.formats.annotations import Annotations
from mov_ai.errors import UsageError
from mov_ai.graph import Layout, SceneGraph
from mov_ai.graph.files import read_json
from mov_ai.graph.instances import entity_phrase

#: Side of the square in whose pixels boxes are written.
SIDE = 512
_FRAME = re.compile(r"Frame ([0-9]+)")
_LINE = re.compile(r"^\s*Frame ([0-9]+):\s*(\[.*\])\s*$", re.MULTILINE)


def read_lvd(path: Path, seconds: float | None = None, shown: float = 0.0) -> dict[str, Annotations]:
    """Prompt -> annotations of each layout in a file.

    Args:
        seconds: how long the video plays; each frame of the layout is a second if None.
        shown: for how long it shows each of its frames, in seconds.

    Raises:
        UsageError: if it is not such a file.
    """
    content = read_json(path)
    layouts = _layouts(content)
    if not layouts:
        raise UsageError(
            f'{path}: expected an LVD layout: "Prompt", "Frame 1": [{{"id", "name", "box"}}], "Frame 2", ...'
        )
    return {prompt: _annotations(frames, seconds, shown, str(path)) for prompt, frames in layouts.items()}


def _layouts(content: Any) -> dict[str, list[Any]]:
    if not isinstance(content, dict):
        return {}
    if "Frame 1" in content:
        named = {int(match[1]): frame for name, frame in content.items() if (match := _FRAME.fullmatch(name))}
        return {str(content.get("Prompt", "")): [named[number] for number in sorted(named)]}
    layouts = {}
    for prompt, answers in content.items():
        answer = answers[0] if isinstance(answers, list) and answers else answers
        lines = _LINE.findall(answer) if isinstance(answer, str) else []
        try:
            frames = [ast.literal_eval(boxes) for _, boxes in lines]
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if frames:
            layouts[prompt] = frames
    return layouts


def _annotations(frames: list[Any], seconds: float | None, shown: float, source: str) -> Annotations:
    # From the middle of the video's first frame to that of its last there is one step less than there are frames.
    length = max(seconds - shown, shown) if seconds else 0.0
    fps = max(len(frames) - 1, 1) / length if length else 1.0
    annotations = Annotations(range(len(frames)), len(frames), fps, moment=shown / 2)
    for number, things in enumerate(frames):
        listed: list[Any] = things if isinstance(things, list) else [None]
        for thing in listed:
            try:
                x, y, w, h = (float(value) / SIDE for value in thing["box"])
                key, name = thing["id"], str(thing.get("name") or thing["keyword"])
            except (KeyError, TypeError, ValueError, AttributeError):
                raise UsageError(
                    f"{source}: Frame {number + 1}: expected objects with id, name and box [x, y, w, h]"
                ) from None
            annotations.thing(key, name)
            annotations.box(key, number, (x, y, x + w, y + h))
    return annotations


def lvd_from_layout(layout: Layout, graph: SceneGraph) -> dict[str, Any]:
    """A layout as LVD's parsed layout. LVD itself plans six frames: plan with as many to give it to its scripts.

    Where a thing is not to be seen, or its box not given, the frame lacks it; depth has no place in the format.
    """
    names = [entity_phrase(graph, track.entity) or track.label for track in layout.tracks]
    content: dict[str, Any] = {"Prompt": graph.caption or " and ".join(names)}
    for frame in range(layout.frames):
        things = []
        for number, track in enumerate(layout.tracks):
            corners = track.corners(frame)
            if corners is not None:
                left, top, right, bottom = (SIDE * edge for edge in corners)
                box = [round(value, 2) for value in (left, top, right - left, bottom - top)]
                things.append({"id": number, "name": names[number], "box": box})
        content[f"Frame {frame + 1}"] = things
    scene = graph.of_type("scene")
    content["Background keyword"] = (scene[0].setting if scene else None) or ""
    return content
