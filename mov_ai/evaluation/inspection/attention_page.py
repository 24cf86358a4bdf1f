"""The page of `mov-ai inspect attention`: a heat map for each node and frame, under the node's interval."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mov_ai.evaluation.inspection.attention import AttentionMaps, Share, Token, boxed_entities, shares
from mov_ai.evaluation.inspection.page import page
from mov_ai.evaluation.inspection.pictures import as_jpeg, chosen_frames, data_address, strip, under_heat
from mov_ai.evaluation.inspection.run_folder import RunFolder
from mov_ai.graph import Layout, SceneGraph
from mov_ai.graph.draw.words import COLOURS, detail_of, title_of

#: Frames of a row, and their height in pixels.
_COLUMNS, _HEIGHT = 16, 96
#: What the kinds of tokens are called together.
_KINDS = {
    "null": "nothing: the token that stands for no condition",
    "text": "words of the text",
    "scene": "scene",
    "event": "events",
    "entity": "entities",
    "attribute": "attributes",
}


@dataclass(frozen=True)
class Row:
    """One row of the page.

    Attributes:
        share: the token and its figures.
        title, detail: of the node, as drawings of graphs have them; of a word, itself.
        colours: CSS of the tag.
        picture: address of the strip.
        most: the largest weight in it, which is brightest.
        start, end: of the interval.
    """

    share: Share
    title: str
    detail: str
    colours: str
    picture: str
    most: float
    start: float
    end: float


def attention_page(run: RunFolder, looked: AttentionMaps) -> bytes:
    """The whole file, UTF-8."""
    chosen = chosen_frames(len(looked.frames), _COLUMNS)
    layout = run.layout.sampled(looked.times[chosen])
    frames = list(looked.frames[chosen])
    rows = [
        _row(run.graph, layout, looked, share, i, chosen)
        for i, share in enumerate(shares(looked))
        if share.token.kind != "null"
    ]
    height, width = looked.frames.shape[1:3]
    facts = (
        f"{run.folder.resolve().name}: stage {run.stages[0]} ({height}x{width}) of {run.record.pipeline}, seed "
        f"{run.record.seed}; blocks {_numbers(looked.blocks)}, steps {_numbers(looked.steps)}"
    )
    return page(
        "attention.html",
        title="Where the video looks",
        caption=run.graph.caption,
        facts=facts,
        video=data_address(as_jpeg(strip(frames, _HEIGHT, [track.boxes for track in layout.tracks]))),
        blocks=looked.blocks,
        all=list(_kinds(looked)),
        nodes=[row for row in rows if row.share.token.node is not None],
        words=[row for row in rows if row.share.token.node is None],
    )


def _row(graph: SceneGraph, layout: Layout, looked: AttentionMaps, share: Share, index: int, chosen: np.ndarray) -> Row:
    """The row of token `index`; the layout has the boxes of the frames that are shown."""
    weights = looked.maps[index]
    most = float(weights.max())
    heated = [under_heat(looked.frames[f], weights[f] / max(most, 1e-12)) for f in chosen]
    token = share.token
    boxes: list[np.ndarray] = []
    title, detail, colours = token.name, "", ""
    if token.node is not None:
        node = graph.node(token.node)
        entities = boxed_entities(graph, node)
        boxes = [track.boxes for track in layout.tracks if track.entity in entities]
        fill, border, text = COLOURS[node.type]
        title, detail = title_of(node), detail_of(node)
        colours = f"background:{fill};border-color:{border};color:{text}"
    picture = data_address(as_jpeg(strip(heated, _HEIGHT, boxes)))
    return Row(share, title, detail, colours, picture, most, *token.interval)


def _kinds(looked: AttentionMaps) -> Iterator[dict[str, Any]]:
    """The attention to all tokens of a kind together, over all and in each block."""
    for kind, name in _KINDS.items():
        rows = [i for i, token in enumerate(looked.tokens) if token.kind == kind]
        if rows:
            yield {
                "name": name,
                "tokens": len(rows),
                "attention": float(looked.maps[rows].sum(0).mean()),
                "by_block": [float(block[rows].sum()) for block in looked.by_block],
            }


def _numbers(numbers: Sequence[int]) -> str:
    """As "1 to 6" where they follow one another, else "1, 3"."""
    if len(numbers) > 2 and list(numbers) == list(range(numbers[0], numbers[-1] + 1)):
        return f"{numbers[0]} to {numbers[-1]}"
    return ", ".join(map(str, numbers))


def distinct(tokens: Sequence[Token]) -> list[str]:
    """Names for a table: a node's id is added where two tokens of a kind read the same."""
    known = [(token.kind, token.name) for token in tokens]
    return [
        f"{token.name} ({token.node})" if token.node and known.count((token.kind, token.name)) > 1 else token.name
        for token in tokens
    ]
