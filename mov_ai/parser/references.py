"""Sentences that stand by themselves: what they call "it" or "the ball" is named as an earlier sentence named it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mov_ai.errors import UsageError
from mov_ai.graph import Node, SceneGraph
from mov_ai.graph.convert import NUMBER_WORDS
from mov_ai.graph.inflection import pluralize
from mov_ai.parser.assembly import Parse
from mov_ai.parser.lemmas import WORDS

#: So long before an event begins, as a share of the text's time, a thing looks as it did before the event.
_BEFORE = 1e-6
_PERSONS = ("man", "woman")
_NUMBERS = {number: word for word, number in NUMBER_WORDS.items()}


def spell_out(sentences: Sequence[str], explain: Callable[[str], Parse]) -> list[str]:
    """The sentences of a text with each later mention of a thing named in full: "It jumps." as "The red ball jumps."

    What a mention stands for is read from the graph of all sentences so far, and the thing is called by what it has
    just before: after "A red ball turns blue.", it is "the blue ball". What is not understood stays.

    Args:
        sentences: in their order.
        explain: from a text to its parse; a UsageError of it (a text that is too long) leaves the sentence.
    """
    spelled = list(sentences[:1])
    for number, sentence in enumerate(sentences[1:], start=1):
        before = " ".join(sentences[:number]) + " "
        try:
            story = explain(before + sentence)
        except UsageError:
            spelled.append(sentence)
        else:
            spelled.append(_spelled(sentence, story, len(before)))
    return spelled


def _spelled(sentence: str, story: Parse, offset: int) -> str:
    """A sentence that begins at a character of the story, with its mentions of earlier things named in full."""
    graph = story.graph
    begin = min((e.interval[0] for e in graph.of_type("event") if e.span and e.span[0] >= offset), default=1.0)
    mentions = [
        (start - offset, end - offset, graph.node(thing))
        for thing, ranges in story.mentions.items()
        if min(ranges)[1] <= offset
        for start, end in ranges
        if start >= offset and not _is_other_person(sentence[start - offset : end - offset], graph.node(thing).label)
    ]
    for start, end, thing in sorted(mentions, key=lambda mention: mention[0], reverse=True):
        if not _is_of_another(graph, end + offset):
            looks = _looks(graph, thing, offset, begin - _BEFORE)
            sentence = sentence[:start] + _named(sentence[start:end], thing, looks) + sentence[end:]
    return sentence


def _named(word: str, thing: Node, looks: Sequence[str]) -> str:
    """A thing's name in the place of a word for it, which is a pronoun, or the noun after its article."""
    name = thing.label if thing.count == 1 else pluralize(thing.label)
    if word.lower() in (name, thing.label):
        return " ".join([*looks, word])
    count = [] if thing.count == 1 else [_NUMBERS.get(thing.count, str(thing.count))]
    full = " ".join(["the", *count, *looks, name])
    return full[0].upper() + full[1:] if word[0].isupper() else full


def _looks(graph: SceneGraph, thing: Node, offset: int, time: float) -> list[str]:
    """What an earlier sentence said that a thing is at a time, in words that this one does not say again."""
    said = graph.caption[offset:].lower().split()
    return [
        node.label
        for node, edge in graph.attributes(thing.id)
        if not node.negated
        and node.kind != "text"
        and (node.span is None or node.span[0] < offset)
        and edge.interval[0] <= max(time, 0.0) < edge.interval[1]
        and node.label not in said
    ]


def _is_other_person(word: str, label: str) -> bool:
    """Whether a pronoun is of a man and the thing a woman, or the other way round."""
    return label in _PERSONS and any(word.lower() in WORDS[person] for person in _PERSONS if person != label)


def _is_of_another(graph: SceneGraph, end: int) -> bool:
    """Whether what a mention owns follows it at once ("her hair"), so that it is no name by itself."""
    starts = {node.span[0] for node in graph.nodes if node.type in ("entity", "attribute") and node.span is not None}
    return end + 1 in starts
