"""Captions as people write prompts for video models, with the graphs that they mean."""

from __future__ import annotations

import re
from collections import Counter
from hashlib import blake2s

import numpy as np

from mov_ai.captions.caption import SPLITS, Caption, CaptionSource, Mention
from mov_ai.captions.prompt_plot import WORDS
from mov_ai.captions.prompt_wording import PromptWording
from mov_ai.captions.text import Piece, say
from mov_ai.graph import SceneGraph
from mov_ai.graph.time import FULL


def lines_of(text: str) -> tuple[str, ...]:
    """The lines of a block of templates that are not blank."""
    return tuple(line.strip() for line in text.splitlines() if line.strip())


TEMPLATES = {kind: lines_of(text) for kind, text in WORDS.templates.items()}
#: Content words of the prompts that parsers are judged on.
_GOLD = WORDS.held_out | WORDS.development
_FRONTS, _BACKS = lines_of(WORDS.fronts), lines_of(WORDS.backs)
#: The verbs of an event of a template.
_VERBS = re.compile(r"= ([\w|$ ]+)\(")
#: Kinds that stand alone, and that may be a further sentence of another prompt.
_ALONE = ("bare_nouns", "camera", "style", "shots_of", "headlines")
_FURTHER = {kind: share for kind, share in WORDS.shares.items() if kind not in _ALONE}
#: Sentences of a prompt -> how often.
_SENTENCES = {"1": 72.0, "2": 16.0, "3": 6.0, "4": 3.0, "5": 2.0, "6": 1.0}
_FRONT, _BACK, _COMMA = 0.15, 0.25, 0.15


def begins_with_actor(template: str) -> bool:
    """Whether words such as "a video of" may stand before a template: an actor, or what it does, comes first."""
    return template.partition("::")[2].strip().startswith(("<a>", "<e>"))


class PromptCaptions:
    """Prompts of every kind of `lexicons/prompts.yaml`, as often as its shares say.

    No prompt has the content words of one of data/prompts/real, but for the shortest of its development half: it is
    drawn again.

    Args:
        split: "train", "validation" or "test"; they share no captions.
    """

    def __init__(self, split: str = "train") -> None:
        if split not in SPLITS:
            raise ValueError(f"split: expected one of {', '.join(SPLITS)}; found {split!r}")
        self.split = split

    def caption(self, index: int) -> tuple[str, SceneGraph, tuple[Mention, ...]]:
        """Caption `index`, always the same."""
        prompt = self.prompt(index)
        return prompt.text, prompt.graph, prompt.mentions

    def prompt(self, index: int) -> Caption:
        """The same, whole; its pattern is the kind of prompt."""
        attempt = 0
        while True:
            rng = np.random.Generator(np.random.PCG64([31 + SPLITS.index(self.split), index, attempt]))
            prompt = _written(PromptWording(rng))
            if content_hash(prompt.text) not in _GOLD:
                return prompt
            attempt += 1


def content_hash(text: str) -> str:
    """A hash of the set of a text's content words, whatever their order and case."""
    words = sorted(set(re.findall(r"[a-z0-9]+", text.lower())) - set(WORDS.small_words))
    return blake2s(" ".join(words).encode(), digest_size=8).hexdigest()


def prompt_words(source: CaptionSource, count: int) -> tuple[list[str], list[str]]:
    """What the first `count` captions say: phrases that relate two things, and all words, commonest first.

    Those that are said twice or more.
    """
    phrases, words = Counter[str](), Counter[str]()
    for number in range(count):
        text, graph, mentions = source.caption(number)
        # Each once, in the order of the text: the commonest come out in one order on every machine.
        words.update(list(dict.fromkeys(re.findall(r"[a-z0-9][a-z0-9-]*", text.lower()))))
        phrases.update(text[slice(*mention.span)].lower() for mention in mentions if mention.kind == "relation")
        where = (e.label for e in graph.edges if e.type == "location" and graph.node(e.target).type == "entity")
        phrases.update(label for label in where if label and f" {label} " in text)
    phrases_kept, words_kept = ([word for word, n in part.most_common() if n > 1] for part in (phrases, words))
    return phrases_kept, words_kept


def _written(teller: PromptWording) -> Caption:
    kind = teller.weighted(WORDS.shares)
    templates = [teller.pick(TEMPLATES[kind])]
    alone = kind in _ALONE
    for _ in range(0 if alone else int(teller.weighted(_SENTENCES)) - 1):
        templates.append(teller.pick(TEMPLATES[teller.weighted(_FURTHER)]))
    pieces: list[Piece] = []
    if not alone and len(templates) == 1 and begins_with_actor(templates[0]) and teller.chance(_FRONT):
        teller.tense = "caption"
        pieces += teller.told(f":: {teller.pick(_FRONTS)}")
    pieces += _sentences(teller, templates)
    if kind != "bare_nouns" and teller.chance(_BACK):
        pieces += teller.told(f":: {teller.pick(_BACKS)}")
    return teller.prompt(pieces, kind)


def _happens(template: str) -> bool:
    """Whether a template has a verb of more than how something is: "sits", "wears" only describe."""
    states = set(WORDS.lists["states"])
    named = (verbs.split("|") for verbs in _VERBS.findall(template.partition("::")[0]))
    listed = ([verb for name in names for verb in WORDS.lists.get(name.removeprefix("$"), (name,))] for names in named)
    return any(not states.issuperset(verbs) for verbs in listed)


def _sentences(teller: PromptWording, templates: list[str]) -> list[Piece]:
    """Templates one after the other; of sentences, those in which something happens are steps of equal length."""
    comma = teller.chance(_COMMA)
    happening = [number for number, template in enumerate(templates) if _happens(template)]
    pieces: list[Piece] = []
    for number, template in enumerate(templates):
        span = FULL
        if number in happening and len(happening) > 1 and not comma:
            place = happening.index(number)
            span = (round(place / len(happening), 4), round((place + 1) / len(happening), 4))
        pieces += [*say("" if not number else "," if comma else "."), *teller.told(template, span)]
    return pieces
