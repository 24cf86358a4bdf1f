"""A scene graph as one self-contained web page: no scripts, fonts or styles from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import itertools
from importlib.resources import files

from mov_ai.graph.draw.svg import escape, node_numbers, to_svg
from mov_ai.graph.draw.words import COLOURS, NOT_XML, clean, fit, title_of
from mov_ai.graph.schema import SceneGraph


def _caption_html(graph: SceneGraph) -> str:
    """The caption with a mark around each stretch that nodes' spans cover; spans may nest and overlap."""
    caption = graph.caption
    spans = [(node.span[0], node.span[1], node) for node in graph.nodes if node.span and node.type != "scene"]
    cuts = sorted({0, len(caption), *(end for start, stop, _ in spans for end in (start, stop))})
    parts = []
    for start, stop in itertools.pairwise(cuts):
        text = escape(clean(caption[start:stop]))
        inside = [(last - first, node) for first, last, node in spans if first <= start and stop <= last]
        if inside:
            # The shortest span that covers a stretch is the most telling, and gives the colour.
            node = min(inside, key=lambda pair: pair[0])[1]
            hover = escape(", ".join(f"{other.type}: {title_of(other)}" for _, other in inside))
            text = (
                f'<mark tabindex="0" data-nodes="{node_numbers(graph, [other.id for _, other in inside])}" '
                f'title="{hover}" style="border-color:{COLOURS[node.type][1]}">{text}</mark>'
            )
        parts.append(text)
    return "".join(parts)


def to_html(graph: SceneGraph) -> str:
    """The graph as one self-contained web page: caption, picture with strip of time, and the JSON to copy.

    Hovering over a part of the caption, a node or a bar lights up what belongs to it. The page forbids itself every
    script but its own, by that script's digest.
    """
    from jinja2 import Template

    template = (files(__package__) / "page.html").read_text("utf-8")
    script = template.partition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return Template(template, keep_trailing_newline=True).render(
        policy=f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'",
        title=escape(fit(clean(graph.caption) or "scene graph", 1, 60)),
        caption=_caption_html(graph) or "(no caption)",
        svg=to_svg(graph),
        # Characters that a page cannot hold stay exact as JSON escapes; they only occur inside strings.
        json=escape(NOT_XML.sub(lambda m: f"\\u{ord(m[0]):04x}", graph.to_json())),
    )
