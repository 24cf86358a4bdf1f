"""What is annotated in plain words, where a data set has no captions."""

from __future__ import annotations

from collections import Counter

from mov_ai.captions.english import article
from mov_ai.graph import Edge, SceneGraph
from mov_ai.graph.inflection import inflect, pluralize
from mov_ai.graph.instances import entity_phrase

#: More sentences would not be read by a text encoder.
MAX_SENTENCES = 6


def caption_of(graph: SceneGraph) -> str:
    """Sentences such as "A dog chases a ball. The dog is behind the ball."; never empty.

    What lasts longest is chosen and told in order of time; then what is where, and what else there is.
    """
    mention = _Mentions(graph)
    events = sorted(graph.of_type("event"), key=lambda node: node.interval[0] - node.interval[1])[:MAX_SENTENCES]
    sentences = []
    for event in sorted(events, key=lambda node: node.interval):
        ends = {edge.type: edge for edge in graph.edges_from(event.id)}
        if "agent" in ends:
            words = [mention(ends["agent"].target), inflect(event.label, "present")]
            words += [mention(ends["patient"].target)] if "patient" in ends else []
            place = ends.get("location")
            words += [place.label or "at", mention(place.target)] if place is not None else []
            sentences.append(" ".join(words))
    ties = [edge for edge in graph.edges if edge.type in ("spatial", "relation")]
    for edge in sorted(ties, key=lambda tie: tie.interval[0] - tie.interval[1]):
        if len(sentences) < MAX_SENTENCES:
            sentences.append(f"{mention(edge.source)} {_verb(edge)} {mention(edge.target)}")
    rest = Counter(node.label for node in graph.of_type("entity") if node.id not in mention.known)
    if rest and len(sentences) < MAX_SENTENCES:
        things = [f"{count} {pluralize(label)}" if count > 1 else _with_article(label) for label, count in rest.items()]
        listed = f"{', '.join(things[:-1])} and {things[-1]}" if things[1:] else things[0]
        sentences.append(f"there {'are' if next(iter(rest.values())) > 1 else 'is'} {listed}")
    return " ".join(f"{text[0].upper()}{text[1:]}." for text in dict.fromkeys(sentences)) or "Nothing is to be seen."


class _Mentions:
    """What a thing is called: "a red dog", then "the red dog"; "another" and "the other" if there are several."""

    def __init__(self, graph: SceneGraph) -> None:
        self._graph = graph
        self.known: set[str] = set()
        self._first: dict[str, str] = {}

    def __call__(self, entity: str) -> str:
        node = self._graph.node(entity)
        name = entity_phrase(self._graph, entity)
        is_first = self._first.setdefault(node.label, entity) == entity
        if entity in self.known:
            return f"the {name}" if is_first else f"the other {name}"
        self.known.add(entity)
        return _with_article(name) if is_first else f"another {name}"


def _with_article(name: str) -> str:
    return f"{article(name)} {name}"


def _verb(edge: Edge) -> str:
    label = edge.label or "with"
    is_verb = edge.type == "relation" and not label.endswith(" than")
    return inflect(label, "present") if is_verb else f"is {label}"
