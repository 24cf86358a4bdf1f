"""What every source of training captions makes: a text, its gold graph, and where the text speaks of the graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mov_ai.graph import SceneGraph

#: Parts of every source of captions.
SPLITS = ("train", "validation", "test")
#: Clause orders that only test captions show; the words in them are known from other orders.
HELD_OUT_PATTERNS = ("after_gerund_first", "until_first")


@dataclass(frozen=True)
class Mention:
    """A place in the text that speaks of a node.

    Attributes:
        span: character range [start, end) of the head word(s).
        node: id of the node in the caption's graph.
        kind: "node" where the node's own span is, "coref" for every later mention ("it", "the ball"). Of words that
            name no node: "number" and "denial" of the node that they belong to, "relation" of the one that they lead
            to; "camera", "style" and "place" (on the screen) of the scene.
    """

    span: tuple[int, int]
    node: str
    kind: str


@dataclass
class Caption:
    """A text, the graph that it means, and where it speaks of the graph's nodes.

    Attributes:
        text: the words.
        graph: what they mean.
        mentions: every head word of an entity, attribute or event, in the order of the text.
        things: id of the entity node of each of the scene's things.
        pattern: how clauses are ordered: "plain", or the name of a subordinate construction.
    """

    text: str
    graph: SceneGraph
    mentions: tuple[Mention, ...]
    things: tuple[str, ...] = ()
    pattern: str = "plain"


class CaptionSource(Protocol):
    """Where captions with their graphs come from; caption `index` must always be the same."""

    def caption(self, index: int) -> tuple[str, SceneGraph, tuple[Mention, ...]]:
        """A text, the graph that it means, and where it speaks of the graph's nodes."""
