"""Captions of staged scenes: `scenes.yaml` told by the realiser of prompts, with nouns and verbs that fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import ClassVar

import numpy as np

from mov_ai.captions.caption import Caption
from mov_ai.captions.lexicon import Lexicon, PromptWords, Words, WordsByClass
from mov_ai.captions.plot import Event
from mov_ai.captions.prompt_plot import WORDS, PromptPlot
from mov_ai.captions.prompt_wording import PromptWording
from mov_ai.captions.prompts import begins_with_actor, content_hash, lines_of
from mov_ai.captions.text import Piece, say
from mov_ai.graph.inflection import inflect
from mov_ai.shipped_files import from_yaml
from mov_ai.worlds.stage.things import known_things, thing_classes

#: Share of the captions that begin with the video itself.
_FRONT = 0.18


class SceneWords(Lexicon):
    """`scenes.yaml`; what a field holds is said there."""

    shares: dict[str, float]
    templates: dict[str, str]
    fronts: str
    clauses: str
    ways: WordsByClass
    wordings: WordsByClass
    lists: WordsByClass
    goes: WordsByClass
    stays: WordsByClass
    numbers: dict[int, Words]
    changes: dict[str, tuple[tuple[str, str], ...]]


@cache
def scene_words() -> SceneWords:
    """The file, read once."""
    return SceneWords.model_validate(from_yaml((files(__package__) / "scenes.yaml").read_text("utf-8")))


@cache
def scene_templates() -> Mapping[str, Words]:
    """Kind -> its templates."""
    return {kind: lines_of(text) for kind, text in scene_words().templates.items()}


def _prompt_words() -> PromptWords:
    """The words of prompts, with those of staged scenes in their place where both have some."""
    own = scene_words()
    return WORDS.model_copy(
        update={
            "ways": {**WORDS.ways, **own.ways},
            "wordings": {**WORDS.wordings, **own.wordings},
            "lists": {**WORDS.lists, **own.lists},
            "changes": {**WORDS.changes, **own.changes},
            "looks": {name: WORDS.looks[about.looks] for name, about in thing_classes().items()},
            "numbers": {n: (*words, *own.numbers.get(n, ())) for n, words in WORDS.numbers.items() if n <= 10},
        }
    )


class StagePlot(PromptPlot):
    """A plot whose nouns are of `things.yaml`; beside classes, templates may name nouns."""

    words: ClassVar[PromptWords] = _prompt_words()
    nouns: ClassVar[Mapping[str, Words]] = {name: tuple(about.nouns) for name, about in thing_classes().items()}

    def _noun(self, spec: str, raw: str) -> tuple[str, str]:
        if spec.startswith("="):
            return super()._noun(spec, raw)
        options = [option for option in self.listed(spec, spaces=True) if option not in self.used]
        option = self.pick(options or self.listed(spec, spaces=True))
        if option in self.nouns:
            free = [noun for noun in self.nouns[option] if noun not in self.used]
            group, noun = option, self.pick(free)
        else:
            group, noun = known_things()[option].group, option
        self.used.add(noun)
        return group, noun

    def _verb(self, verbs: str, agents: Sequence[int], patients: Sequence[int]) -> str:
        fitting = {"go": scene_words().goes, "stay": scene_words().stays}.get(verbs)
        if fitting is None:
            return super()._verb(verbs, agents, patients)
        group = self.classes[agents[0]]
        return self._draw(fitting.get(group, fitting["other"]))

    def _event(self, mark: str, name: str, rest: str) -> None:
        """`~turns`: a manner of that list."""
        super()._event(mark, name, rest)
        if "~turns" in rest:
            self.events[name].manner = self._draw(self.words.lists["turns"])

    def _present(self, mark: str, name: str, rest: str) -> None:
        """`t@ a @2 of 3`: in that step only."""
        statement, of, steps = rest.partition(" of ")
        super()._present(mark, name, statement)
        if of:
            letter, step = statement.split()
            self._steps = max(self._steps, int(steps))
            self.facts.times["entity", self.who[letter]] = self.at(step[1:])


class StageWording(PromptWording):
    """Words staged scenes as people word prompts; beside theirs, forms of events:

    e mutual    what two do to each other, of which `e` is what the first does
    f unsaid    what the second does, in the same words
    e verb      the verb by itself, for its subject follows ("on the left sits a cat") or other words do
    e verbing   the same as a participle: "we see a cat sitting"
    e rest      what would have followed that verb
    """

    make_plot: ClassVar[type[PromptPlot]] = StagePlot

    def _event(self, event: Event, how: str) -> list[Piece]:
        if how == "unsaid":
            event.lemma, event.particle = self.events[-1].lemma, self.events[-1].particle
            self.events.append(event)
            return [("", ("event", len(self.events) - 1))]
        if how in ("verb", "verbing"):
            self.events.append(event)
            verb = inflect(event.lemma, "present" if how == "verb" else "gerund", self.plural(event.subjects))
            return [(verb, ("event", len(self.events) - 1)), *say(event.particle)]
        if how == "rest":
            particle, event.particle = event.particle, ""
            pieces = self.complements(event)
            event.particle = particle
            return pieces
        if how != "mutual":
            return super()._event(event, how)
        agents, patients = event.agents, event.patients
        place = self.plot.places.get(id(event))
        other = place[1] if place else patients[0]
        event.agents = [*agents, other]
        event.patients = event.agents if patients else []
        pieces = super()._event(event, "present")
        event.agents, event.patients = agents, patients
        return pieces

    def prompt(self, pieces: list[Piece], kind: str) -> Caption:
        """The text of the pieces with its graph, which has it as a manner that one goes "in a zigzag"."""
        for event in self.events:
            if event.particle.endswith("zigzag"):
                event.manner = "zigzag"
        return super().prompt(pieces, kind)


def _front(teller: StageWording, template: str) -> list[Piece]:
    """Words such as "a realistic video of", before a template that begins with an actor or what it does."""
    if not begins_with_actor(template) or not teller.chance(_FRONT):
        return []
    is_clause = teller.chance(0.5)
    teller.tense = "present" if is_clause else "caption"
    fronts = scene_words().clauses if is_clause else scene_words().fronts
    return teller.told(f":: {teller.pick(lines_of(fronts))}")


def stage_caption(rng: np.random.Generator, kind: str | None = None) -> Caption:
    """A caption with its graph; its pattern is the kind of scene.

    Args:
        kind: one of `scene_templates`; drawn by the shares of `scenes.yaml` if None.
    """
    while True:
        teller = StageWording(rng)
        chosen = kind or teller.weighted(scene_words().shares)
        template = teller.pick(scene_templates()[chosen])
        caption = teller.prompt([*_front(teller, template), *teller.told(template)], chosen)
        # No caption has the words of a prompt that is held out.
        if content_hash(caption.text) not in WORDS.held_out:
            return caption
