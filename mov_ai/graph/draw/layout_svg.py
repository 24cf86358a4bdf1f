"""A layout as a self-contained SVG picture: where things start and end, and their ways in between."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence

from mov_ai.graph.draw.layout_things import (
    BESIDE,
    GROUND,
    INK,
    QUIET,
    Colour,
    Panel,
    Thing,
    back_to_front,
    hexadecimal,
    label_places,
    line_colour,
    mixed,
    moments,
    spread,
    text_colour,
    things_of,
)
from mov_ai.graph.draw.placement import Rectangle
from mov_ai.graph.draw.svg import escape
from mov_ai.graph.draw.words import clean, fit, interval_text, text_width
from mov_ai.graph.schema import SceneGraph
from mov_ai.graph.video_shape import VideoShape

#: Longer side of a frame alone and of one among several, in SVG user units (pixels).
_ALONE, _AMONG = 640, 400
#: What is seen around a frame, in parts of its longer side: things on their way in and out.
_AROUND = 0.07
_MARGIN, _HEAD, _TITLE, _KEY = 16, 52, 24, 22
_FONT = 13
#: Dots on a way are at most so many.
_DOTS = 33
#: A way or a change of size shorter than this, in parts of the frame, is none.
_STILL = 0.05
#: An arrow's head points away from the last dot that lies so far from it.
_AWAY = 12
_LEGEND, _ROW = 220, 20


def layout_svg(graph: SceneGraph, panels: Sequence[Panel]) -> str:
    """Layouts as a self-contained SVG picture, several side by side.

    The dashed box is where a thing is first seen, the filled one where it is seen last; dots on the way between their
    centres are frames. What is near covers what is far, what fills the frame lies pale behind. A layout by itself has a
    list of its things beside it, from near to far.

    Args:
        graph: says what things are called, and their colours.
        panels: one or more.
    """
    side = _ALONE if len(panels) == 1 else _AMONG
    columns = min(len(panels), max(1, math.ceil(math.sqrt(len(panels)))))
    shape = panels[0].layout.shape or VideoShape(panels[0].layout.frames)
    scale = side / max(shape.width, shape.height)
    around = _AROUND * side
    wide, high = shape.width * scale + 2 * around, shape.height * scale + 2 * around
    has_titles = any(panel.title for panel in panels)
    step = high + (_TITLE if has_titles else 0) + _MARGIN
    rows = -(-len(panels) // columns)
    legend = _LEGEND if len(panels) == 1 and panels[0].layout.tracks else 0
    width = max(columns * (wide + _MARGIN) + _MARGIN + legend, 420)
    content = json.dumps([panel.layout.to_dict() for panel in panels])
    prefix = "ly" + hashlib.sha256(content.encode()).hexdigest()[:8]
    parts = []
    for i, panel in enumerate(panels):
        left = _MARGIN + i % columns * (wide + _MARGIN)
        top = _HEAD + i // columns * step
        if has_titles:
            text = escape(fit(clean(panel.title), _FONT, wide))
            parts.append(f'<text class="ly-title" x="{left:.1f}" y="{top + 16:.1f}">{text}</text>')
            top += _TITLE
        parts += _frame_svg(graph, panel, Rectangle(left, top, wide, high), around, len(panels) > 1)
    height = _HEAD + rows * step + _KEY
    if legend:
        listed, bottom = _legend_svg(graph, panels[0], width - _LEGEND, _HEAD + 14)
        parts += listed
        height = max(height, bottom + 2 * _KEY)
    key = "dashed: first seen · filled: last seen · dots: frames · near covers far"
    parts.append(f'<text class="ly-quiet" x="{_MARGIN}" y="{height - 12:.1f}">{escape(key)}</text>')
    caption = clean(graph.caption) or "no caption"
    titles = "; ".join(_sentence(panel) for panel in panels)
    names = ", ".join(thing.name for thing in things_of(graph, panels[0].layout)) or "nothing"
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="ly" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-labelledby="{prefix}-title {prefix}-desc">',
        f'<title id="{prefix}-title">Layout: {escape(caption)}</title>',
        f'<desc id="{prefix}-desc">{escape(titles)}. {escape(names)}</desc>',
        f"<style>{_STYLE}</style>",
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="{hexadecimal(GROUND)}"/>',
        f'<text class="ly-head" x="{_MARGIN}" y="24">{escape(fit(caption, 15, width - 2 * _MARGIN))}</text>',
        f'<text class="ly-quiet" x="{_MARGIN}" y="42">{escape(str(shape))}, {shape.seconds:.3g} s</text>',
    ]
    return "\n".join([*head, *parts, "</svg>"]) + "\n"


_STYLE = (
    ".ly text{font-family:system-ui,'Segoe UI','DejaVu Sans',Helvetica,Arial,sans-serif;font-size:13px;"
    f"fill:{hexadecimal(INK)}}}"
    f".ly .ly-head{{font-size:15px;font-weight:600}}.ly .ly-quiet{{font-size:12px;fill:{hexadecimal(QUIET)}}}"
    ".ly .ly-title{font-weight:600}"
)


def _sentence(panel: Panel) -> str:
    count = len(panel.layout.tracks)
    return f"{panel.title + ': ' if panel.title else ''}{count} {'thing' if count == 1 else 'things'}"


def _frame_svg(graph: SceneGraph, panel: Panel, tile: Rectangle, around: float, is_small: bool) -> list[str]:
    """One layout within a tile, whose frame has so much around it; what reaches over the tile is cut off."""
    frame = Rectangle(around, around, tile.width - 2 * around, tile.height - 2 * around)
    things = things_of(graph, panel.layout)
    ordered = back_to_front([thing for thing in things if thing.seen()])
    times = moments(panel.layout)
    whole = Rectangle(0, 0, tile.width, tile.height)
    parts = [f'<svg x="{tile.x:.1f}" y="{tile.y:.1f}" width="{tile.width:.1f}" height="{tile.height:.1f}">']
    parts.append(f'<rect width="100%" height="100%" fill="{hexadecimal(BESIDE)}"/>')
    parts.append(_rectangle(frame, f'fill="{hexadecimal(GROUND)}"'))
    ways, labels = [], []
    for thing in ordered:
        seen = thing.seen()
        first, last = (thing.box(number, frame) for number in (seen[0], seen[-1]))
        start, end = (thing.colour(float(times[number])) for number in (seen[0], seen[-1]))
        title = f"<title>{escape(thing.name)}, depth {thing.depth:.2g}</title>"
        if thing.is_region:
            fill = hexadecimal(mixed(end, GROUND, 0.82))
            parts.append(f"<g>{title}{_rectangle(last, _stroke(mixed(end, GROUND, 0.45), 1, fill))}</g>")
        else:
            opacity = f'fill-opacity="0.4" {_stroke(line_colour(end), 2, hexadecimal(end))}'
            parts.append(f"<g>{title}{_rectangle(last, opacity)}</g>")
        if _moves(thing):
            dashes = f'{_stroke(line_colour(start), 1.5, "none")} stroke-dasharray="5 4"'
            ways.append(_rectangle(first, dashes))
            ways.append(_way_svg(thing, frame, line_colour(end)))
        labels.append((thing, last))
    parts += ways
    parts.append(_rectangle(frame, _stroke(QUIET, 1, "none")))
    # What is near is named first, so that its label has the better place.
    labels = labels[::-1]
    sizes = [(min(text_width(_name(thing, is_small), 12.5) + 9, tile.width), 17.0) for thing, _ in labels]
    for (thing, _), place in zip(labels, label_places([box for _, box in labels], sizes, whole), strict=True):
        colour = thing.colour(float(times[thing.seen()[-1]]))
        parts.append(_label_svg(thing, _name(thing, is_small), colour, place))
    if not ordered:
        parts.append(
            f'<text class="ly-quiet" x="{tile.width / 2:.1f}" y="{tile.height / 2:.1f}" text-anchor="middle">'
            "nothing to be seen</text>"
        )
    return [*parts, "</svg>"]


def _rectangle(box: Rectangle, rest: str) -> str:
    return f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="2" {rest}/>'


def _stroke(colour: Colour, width: float, fill: str) -> str:
    return f'stroke="{hexadecimal(colour)}" stroke-width="{width:g}" fill="{fill}"'


def _moves(thing: Thing) -> bool:
    """Whether its box changes enough over time to be seen."""
    boxes = thing.track.boxes[thing.seen()][:, :4]
    return bool((boxes.max(axis=0) - boxes.min(axis=0)).max() > _STILL)


def _way_svg(thing: Thing, frame: Rectangle, colour: Colour) -> str:
    """The line through the centres of its boxes, broken where it is not to be seen, with dots and an arrow's head."""
    seen = thing.seen()
    boxes = {number: thing.box(number, frame) for number in seen}
    centres = {number: (box.x + box.width / 2, box.y + box.height / 2) for number, box in boxes.items()}
    path = "".join(
        f"{'L' if number - 1 in centres else 'M'}{centres[number][0]:.1f} {centres[number][1]:.1f}" for number in seen
    )
    parts = [
        f'<path d="{path}" fill="none" stroke="{hexadecimal(GROUND)}" stroke-width="4.5" stroke-opacity="0.7"/>',
        f'<path d="{path}" {_stroke(colour, 2, "none")}/>',
    ]
    for i in spread(len(seen), _DOTS)[:-1]:
        x, y = centres[seen[i]]
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.4" fill="{hexadecimal(colour)}"/>')
    end = centres[seen[-1]]
    # Where it comes from: the last centre that is far enough away to give a direction.
    away = [centres[number] for number in seen if math.dist(centres[number], end) > _AWAY]
    if away:
        angle = math.atan2(end[1] - away[-1][1], end[0] - away[-1][0])
        tips = [(end[0] - 11 * math.cos(angle + turn), end[1] - 11 * math.sin(angle + turn)) for turn in (-0.45, 0.45)]
        corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in (end, *tips))
        parts.append(
            f'<polygon points="{corners}" fill="{hexadecimal(colour)}" stroke="{hexadecimal(GROUND)}" '
            'stroke-width="0.7"/>'
        )
    return "".join(parts)


def _name(thing: Thing, is_small: bool) -> str:
    return thing.short if is_small else thing.name


def _label_svg(thing: Thing, name: str, colour: Colour, place: Rectangle) -> str:
    ground = mixed(colour, GROUND, 0.7) if thing.is_region else line_colour(colour)
    text = escape(fit(name, 12, place.width - 8))
    return (
        f"{_rectangle(place, _stroke(GROUND, 0.7, hexadecimal(ground)))}"
        f'<text x="{place.x + 4:.1f}" y="{place.y + 12.8:.1f}" '
        f'style="font-size:12px;fill:{hexadecimal(text_colour(ground))}">{text}</text>'
    )


def _legend_svg(graph: SceneGraph, panel: Panel, left: float, top: float) -> tuple[list[str], float]:
    """The things from near to far, with the time in which each is to be seen where that is not always."""
    parts = [f'<text class="ly-title" x="{left:.1f}" y="{top:.1f}">near to far</text>']
    y = top
    for thing in reversed(back_to_front(things_of(graph, panel.layout))):
        y += _ROW
        seen, frames = thing.seen(), panel.layout.frames
        when = ""
        if not seen:
            when = "never seen"
        elif len(seen) < frames:
            when = interval_text((seen[0] / frames, (seen[-1] + 1) / frames))
        colour = thing.colour(float(moments(panel.layout)[seen[-1] if seen else 0]))
        swatch = Rectangle(left, y - 10, 12, 12)
        fill = hexadecimal(mixed(colour, GROUND, 0.82 if thing.is_region else 0.3))
        name = escape(fit(thing.name, 13, _LEGEND - 40 - text_width(when, 12)))
        parts.append(_rectangle(swatch, _stroke(line_colour(colour), 1.5, fill)))
        parts.append(f'<text x="{left + 20:.1f}" y="{y:.1f}">{name}</text>')
        if when:
            parts.append(
                f'<text class="ly-quiet" x="{left + _LEGEND - _MARGIN:.1f}" y="{y:.1f}" text-anchor="end">'
                f"{escape(when)}</text>"
            )
    return parts, y
