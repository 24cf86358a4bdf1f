"""A scene graph as one self-contained web page: no scripts, fonts or styles from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import itertools

from mov_ai.graph.draw.svg import escape, node_numbers, to_svg
from mov_ai.graph.draw.words import COLOURS, NOT_XML, clean, fit, title_of
from mov_ai.graph.schema import SceneGraph

_PAGE_STYLE = """
body{font:16px/1.5 system-ui,'Segoe UI','DejaVu Sans',Helvetica,Arial,sans-serif;color:#2b2f36;background:#f6f7f9;
 margin:0}
main{max-width:1280px;margin:0 auto;padding:24px}
h1{font-size:14px;font-weight:600;color:#4a515c;margin:0 0 8px}
.caption{font-size:22px;line-height:1.7;margin:0 0 16px;white-space:pre-wrap;overflow-wrap:anywhere}
.caption mark{background:none;color:inherit;border-bottom:3px solid;padding:1px 0;cursor:default}
.picture{background:#fff;border:1px solid #d5d9df;border-radius:10px;overflow:auto;padding:8px}
.picture svg{display:block;margin:0 auto}
details{margin-top:16px;background:#fff;border:1px solid #d5d9df;border-radius:10px;padding:10px 16px}
summary{cursor:pointer;font-weight:600}
pre{font:13px/1.45 ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;white-space:pre-wrap;
 overflow-wrap:anywhere;max-height:60vh;overflow:auto}
button{font:inherit;font-size:14px;margin-top:8px;padding:3px 12px;border:1px solid #7b828c;border-radius:6px;
 background:#fff;color:#2b2f36;cursor:pointer}
.caption mark:focus-visible,button:focus-visible,summary:focus-visible{outline:3px solid #2f6fd0;outline-offset:2px}
.lit .sg-node,.lit .sg-edge,.lit .sg-bar{opacity:.25}
.lit .sg-node.on,.lit .sg-edge.on,.lit .sg-bar.on{opacity:1}
.lit .sg-node.on rect{stroke-width:3}
.caption mark.on{background:#fff3a3}
"""

# No `<` and no `&`: the page is read as HTML and as XML alike.
_PAGE_SCRIPT = """
(function () {
  var main = document.querySelector('main');
  var things = Array.from(document.querySelectorAll('[data-nodes]'));
  var edges = Array.from(document.querySelectorAll('[data-edge]'));
  function list(element, name) { return element.getAttribute(name).split(' '); }
  function light(nodes) {
    main.classList.toggle('lit', nodes.length !== 0);
    things.forEach(function (element) {
      element.classList.toggle('on', list(element, 'data-nodes').some(function (n) { return nodes.includes(n); }));
    });
    edges.forEach(function (element) {
      element.classList.toggle('on', list(element, 'data-edge').some(function (n) { return nodes.includes(n); }));
    });
  }
  things.forEach(function (element) {
    ['mouseenter', 'focus'].forEach(function (name) {
      element.addEventListener(name, function () { light(list(element, 'data-nodes')); });
    });
    ['mouseleave', 'blur'].forEach(function (name) {
      element.addEventListener(name, function () { light([]); });
    });
  });
  edges.forEach(function (element) {
    element.addEventListener('mouseenter', function () { light(list(element, 'data-edge')); });
    element.addEventListener('mouseleave', function () { light([]); });
  });
  var button = document.querySelector('button');
  button.addEventListener('click', function () {
    var text = document.querySelector('pre');
    window.getSelection().selectAllChildren(text);
    // A page opened from disk may have no clipboard; the text is selected then, ready for the keyboard.
    if (navigator.clipboard) {
      navigator.clipboard.writeText(text.textContent).then(function () { button.textContent = 'Copied'; });
    }
  });
})();
"""


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
    script = _PAGE_SCRIPT
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    # Characters that a page cannot hold stay exact as JSON escapes; they only occur inside strings.
    text = NOT_XML.sub(lambda m: f"\\u{ord(m[0]):04x}", graph.to_json())
    caption = _caption_html(graph) or "(no caption)"
    title = escape(fit(clean(graph.caption) or "scene graph", 1, 60))
    return (
        f'<!DOCTYPE html>\n<html xmlns="http://www.w3.org/1999/xhtml" lang="en">\n<head>\n<meta charset="utf-8"/>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}"/>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"/>\n<title>{title}</title>\n'
        f"<style>{_PAGE_STYLE}</style>\n</head>\n<body>\n<main>\n<h1>Scene graph</h1>\n"
        f'<p class="caption" dir="auto">{caption}</p>\n<div class="picture">\n{to_svg(graph)}</div>\n'
        f'<details>\n<summary>JSON</summary>\n<button type="button">Copy</button>\n<pre>{escape(text)}</pre>\n'
        f"</details>\n</main>\n<script>{script}</script>\n</body>\n</html>\n"
    )
