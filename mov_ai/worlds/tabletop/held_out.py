"""What the generator's training never shows: synonyms, and shapes in some colours; to measure what is made of them."""

from __future__ import annotations

import re
from dataclasses import replace

from mov_ai.graph import SceneGraph
from mov_ai.worlds.tabletop.lexicon import HELD_OUT_PAIRS, concept

#: Word -> a word of the same meaning that takes its place in training.
HELD_OUT_WORDS: dict[str, str] = {
    "orb": "ball",
    "block": "cube",
    "tube": "cylinder",
    "crimson": "red",
    "emerald": "green",
    "turquoise": "cyan",
    "navy": "blue",
    "violet": "purple",
    "hop": "jump",
    "leap": "jump",
    "rotate": "spin",
    "plummet": "fall",
    "ascend": "rise",
    "swell": "grow",
    "dwindle": "shrink",
    "materialize": "appear",
    "huge": "large",
}
#: Endings that the words above take in captions.
_FORM = re.compile(
    r"\b(" + "|".join(sorted((re.escape(w[:-1] if w.endswith("e") else w) for w in HELD_OUT_WORDS), key=len)) + r")\w*",
    re.IGNORECASE,
)
_BY_STEM = {(word[:-1] if word.endswith("e") else word): other for word, other in HELD_OUT_WORDS.items()}


def with_seen_words(graph: SceneGraph) -> SceneGraph:
    """A copy whose labels and caption have other words for held-out ones; spans are dropped, as the text changes."""
    nodes = [replace(node, label=HELD_OUT_WORDS.get(node.label.lower(), node.label), span=None) for node in graph.nodes]
    caption = _FORM.sub(lambda match: _BY_STEM[match.group(1).lower()], graph.caption)
    return SceneGraph(caption, nodes, graph.edges)


def unseen_in_training(graph: SceneGraph) -> list[str]:
    """What a graph says that no training clip shows, in words: held-out synonyms, and shapes in held-out colours.

    What was assumed is not looked at.
    """
    unseen = [f'"{node.label}"' for node in graph.nodes if node.label.lower() in HELD_OUT_WORDS]
    for entity in graph.of_type("entity"):
        for attribute, _ in graph.attributes(entity.id):
            pair = (concept("shape", entity.label), concept("color", attribute.label))
            if pair in HELD_OUT_PAIRS and not attribute.assumed:
                unseen.append(f"{attribute.label} {entity.label}")
    return list(dict.fromkeys(unseen))
