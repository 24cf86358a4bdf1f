"""Words for the things and motions of a scene: nouns and what is said of them again, verbs, place and light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mov_ai.captions.english import article, be
from mov_ai.captions.lexicon import TabletopWords, VerbBlock, load
from mov_ai.captions.plot import Actor, Event
from mov_ai.captions.realiser import FOR_SEVERAL, Realiser
from mov_ai.captions.text import Piece, about, say
from mov_ai.graph.inflection import pluralize
from mov_ai.worlds.tabletop.lexicon import (
    COLORS,
    INVERSE_SPATIAL,
    LIGHTS,
    MATERIALS,
    SETTINGS,
    SHAPES,
    SIZES,
    SPATIAL,
)
from mov_ai.worlds.tabletop.scene import Action, Scene

WORDS = load("tabletop", TabletopWords)
#: Two things and how the first lies to the second, as a label of `lexicon.SPATIAL`.
Relation = tuple[int, str, int]


@dataclass(frozen=True)
class _Verb:
    """One way to word a motion: lemma, what follows it, the direction that says, and whether it is passive."""

    lemma: str
    tail: str
    direction: str | None
    passive: bool


def _wordings(groups: tuple[tuple[VerbBlock, ...], ...], motion: str) -> list[list[_Verb]]:
    sides = {"side": motion, "other": "left" if motion == "right" else "right"}
    return [
        [
            _Verb(lemma, tail.format(**sides), block.direction and block.direction.format(**sides), block.passive)
            for block in group
            for lemma in block.verbs
            for tail in block.tails
        ]
        for group in groups
    ]


WORDINGS = {motion: _wordings(groups, motion) for motion, groups in WORDS.motions.items()}


@dataclass
class Motion(Event):
    """What one thing does, or several together; `value` is the new colour of a "turn"."""

    motion: str = ""
    value: str | None = None


class SceneWords(Realiser):
    """Words the parts of a scene; some choices are made once for the whole caption."""

    def __init__(self, scene: Scene, rng: np.random.Generator) -> None:
        super().__init__(rng, [], WORDS.patterns)
        self.scene = scene
        #: Things whose colour is no longer the first one.
        self.turned: set[int] = set()
        #: The relation as worded, and one that is still to be said with its subject's first mention.
        self.relation: Relation | None = None
        self.open_relation: Relation | None = None
        self.tense = self.weighted({"present": 56, "progressive": 16, "past": 11, "caption": 14, "future": 3})
        self.article = self.weighted({"a": 80, "the": 12, "one": 3, "none": 5})
        if self.tense == "caption" and self.chance(0.4):
            self.article = "none"
        self.lower = self.chance(0.5 if self.tense == "caption" else 0.13)
        self.color_word = self.pick(("color", "color", "colour"))
        self.full_stop = self.chance(0.25 if self.lower else 0.93)
        self.comma_before_then = self.chance(0.75)
        #: How a thing's looks are said at first: one after another, with commas, or the colour in a clause.
        self.forms: list[str] = []
        for index in range(len(scene.things)):
            self.actors.append(self._actor(index))
        self.steps = self.group(scene.actions)

    @property
    def finite_tense(self) -> str:
        """The tense of a full sentence."""
        return "present" if self.tense == "caption" else self.tense

    def synonym(self, words: Sequence[str]) -> str:
        """The first word half of the time."""
        return words[0] if self.chance(0.5) else self.pick(words)

    def _actor(self, index: int) -> Actor:
        thing = self.scene.things[index]
        shares_shape = sum(other.shape == thing.shape for other in self.scene.things) > 1
        looks = {}
        if self.chance(0.4 if thing.count == 1 else 0.25):
            looks["size"] = self.synonym(SIZES[thing.size])
        if thing.material == "shiny" or self.chance(0.15):
            looks["material"] = self.synonym(MATERIALS[thing.material])
        if shares_shape or self.chance(0.95):
            looks["color"] = COLORS[thing.color][0] if self.chance(0.7) else self.pick(COLORS[thing.color])
        order = ("material", "size", "color") if self.chance(0.06) else ("size", "material", "color")
        if self.chance(0.04):
            order = ("size", "color", "material")
        self.forms.append(self.weighted({"plain": 91, "commas": 4, "clause": 5}))
        number = self.pick(WORDS.counts[thing.count]) if thing.count > 1 else ""
        noun = self.synonym(SHAPES[thing.shape])
        if thing.shape == "sphere" and self.chance(0.4):
            noun = "ball"
        pronoun = "plural" if thing.count > 1 else "thing"
        return Actor(noun, "thing", pronoun, thing.count, number, [(k, looks[k]) for k in order if k in looks])

    def group(self, scene_actions: Sequence[Action]) -> list[list[Motion]]:
        """Steps in order; two things that do the same at the same time may share one clause."""
        steps: dict[tuple[float, float], list[Action]] = {}
        for action in scene_actions:
            steps.setdefault(action.interval, []).append(action)
        result = []
        for interval in sorted(steps):
            actions = steps[interval]
            same = len({(action.motion, action.value) for action in actions}) == 1
            together = len(actions) > 1 and same and self.chance(0.8)
            result.append([self._motion(group) for group in ([actions] if together else [[a] for a in actions])])
        return result

    def _motion(self, actions: Sequence[Action]) -> Motion:
        first = actions[0]
        turns = [action for action in actions if action.motion == "turn"]
        changes = [(turn.thing, "color", 1 + self._turns(turn.thing).index(turn)) for turn in turns]
        things = [action.thing for action in actions]
        return Motion(things, interval=first.interval, changes=changes, motion=first.motion, value=first.value)

    def _turns(self, thing: int) -> list[Action]:
        return [action for action in self.scene.actions if action.thing == thing and action.motion == "turn"]

    # -- nouns ---------------------------------------------------------------------------------------------------------

    def noun(self, index: int) -> str:
        """The noun of a thing in its number."""
        actor = self.actors[index]
        return actor.noun if actor.count == 1 else pluralize(actor.noun)

    def noun_phrase(self, index: int, case: str = "subject", near: Sequence[int] = ()) -> list[Piece]:
        """Speak of a thing: in full the first time, briefly afterwards."""
        if index in self.mentioned:
            return self._again(index, case)
        self.mentioned.append(index)
        looks, form = dict(self.actors[index].looks), self.forms[index]
        after: list[Piece] = []
        if form == "clause" and "color" in looks and not self.relation:
            word = looks.pop("color")
            start = f"{self.pick(('that', 'which'))} {be(self.plural([index]))}"
            after = [*say(start), *about(word, "attribute", index, "color", 0)]
        pieces: list[Piece] = []
        for position, (kind, word) in enumerate(looks.items()):
            pieces += say("," if position and form == "commas" else "")
            pieces += about(word, "attribute", index, kind, 0)
        pieces += about(self.noun(index), "entity", index)
        return [*say(self._determiner(index, pieces[0][0])), *pieces, *after]

    def _determiner(self, index: int, following: str) -> str:
        number = self.actors[index].number
        if number:
            return f"the {number}" if self.article == "the" and not number.startswith("a ") else number
        if self.article == "a":
            return article(following)
        return "" if self.article == "none" else self.article

    def _again(self, index: int, case: str) -> list[Piece]:
        things, actor = self.scene.things, self.actors[index]
        looks = dict(actor.looks)
        options: dict[str, float] = {}
        if self.salient == [index] and case == "subject":
            options["pronoun"] = 5
        if sum(other.shape == things[index].shape for other in things) == 1:
            options["noun"] = 3
        if "color" in looks and index not in self.turned:
            options["color noun"] = 3
            if sum(other.color == things[index].color for other in things) == 1 and len(things) > 1:
                options["color one"] = 1
        if "size" in looks and "noun" in options:
            options["size noun"] = 0.7
        choice = self.weighted(options or {"full": 1})
        if choice == "pronoun":
            return about("they" if actor.count > 1 else "it", "entity", index)
        kinds = list(looks) if choice == "full" else [choice.split(" ")[0]] if " " in choice else []
        pieces = say("the")
        for kind in kinds:
            pieces += about(looks[kind], "attribute", index, kind, 0)
        one = "ones" if actor.count > 1 else "one"
        return [*pieces, *about(one if choice == "color one" else self.noun(index), "entity", index)]

    def listed(self, things: Sequence[int]) -> list[Piece]:
        """A, B and C."""
        pieces: list[Piece] = []
        for position, index in enumerate(things):
            last = position == len(things) - 1
            if position and (not last or (len(things) > 2 and self.chance(0.5))):
                pieces += say(",")
            pieces += say("and" if position and last else "")
            pieces += self.noun_phrase(index)
        return pieces

    def subject_phrase(self, event: Event) -> list[Piece]:
        """All subjects of an event."""
        pieces = self.listed(event.subjects)
        return pieces + say("both" if len(event.subjects) > 1 and self.chance(0.25) else "")

    def related(self, relation: Relation, link: str) -> list[Piece]:
        """ "A (link) to the left of B"."""
        i, label, j = self.relation = relation
        first = self.noun_phrase(i)
        words = self.pick([word for word in SPATIAL[label] if word != "before"])
        return [*first, *say(link, words), *self.noun_phrase(j, "object")]

    # -- verbs ---------------------------------------------------------------------------------------------------------

    def choose_words(self, event: Event) -> None:
        """Choose the verb of a motion."""
        assert isinstance(event, Motion)
        verb = self.pick(self.pick(WORDINGS[event.motion]))
        event.lemma, event.particle, event.direction, event.passive = (
            verb.lemma,
            verb.tail,
            verb.direction,
            verb.passive,
        )
        if self.plural(event.agents):
            event.particle = FOR_SEVERAL.get(verb.tail, verb.tail)
        if verb.passive:
            event.agents, event.patients = [], event.agents
        sudden = event.motion in ("turn", "vanish", "appear")
        manner = self.pick(WORDS.sudden_manners if sudden else WORDS.gradual_manners)
        event.manner = manner if event.motion != "stay" and self.chance(0.07) else None
        event.manner_first = self.chance(0.6)

    def complements(self, event: Event) -> list[Piece]:
        """What follows the verb."""
        assert isinstance(event, Motion)
        return self._new_color(event, event.value) if event.value is not None else say(event.particle)

    def _new_color(self, event: Motion, value: str) -> list[Piece]:
        (thing, _, position), alone = event.changes[0], len(event.changes) == 1
        word = COLORS[value][0] if self.chance(0.75) else self.pick(COLORS[value])
        pieces: list[Piece] = []
        if position == 1 and alone and event.lemma in ("turn", "change") and self.chance(0.2):
            old = dict(self.actors[thing].looks).get("color", COLORS[self.scene.things[thing].color][0])
            pieces += say(self.color_word if event.lemma == "change" and self.chance(0.6) else "", "from")
            pieces += [*about(old, "attribute", thing, "color", 0), *say("to")]
        elif event.lemma == "change":
            if self.chance(0.3):
                owner = "their" if self.plural(event.subjects) else "its"
                pieces += say(self.pick((self.color_word, f"{owner} {self.color_word}")))
            pieces += say("to")
        self.turned.update(event.subjects)
        # Things that turn together share the word, and so the attribute.
        return [*pieces, *about(word, "attribute", thing, "color", position)]

    def elided_tense(self, event: Event, tense: str) -> str:
        """Mostly, the auxiliary is not said again either."""
        bare = {"progressive": "gerund", "future": "base"}
        return bare[tense] if tense in bare and self.chance(0.6) else tense

    def first_clause(self, event: Event, tense: str, main: Event | None = None) -> list[Piece]:
        """A clause; says the relation with its subject if that is still to be said and both can be introduced here."""
        relation, thing = self.open_relation, event.subjects[0]
        if relation is None or len(event.subjects) > 1 or thing not in (relation[0], relation[2]):
            return self.clause(event, tense)
        self.open_relation = None
        if thing == relation[2]:
            relation = (relation[2], INVERSE_SPATIAL[relation[1]], relation[0])
        aside = self.chance(0.25)
        pieces = self.related(relation, f", which {be(self.plural([thing]))}" if aside else "")
        pieces += [*say("," if aside else ""), *self.verb_phrase(event, tense)]
        self.salient = [thing]
        return pieces

    # -- place and light -----------------------------------------------------------------------------------------------

    def setting_phrase(self) -> list[Piece]:
        """Where it is seen: "on a wooden table"."""
        word = self.synonym(SETTINGS[self.scene.setting])
        setting = about(word, "setting")
        if word == "dark":
            return [*say("in a"), *setting, *say("room")] if self.chance(0.6) else [*say("in the"), *setting]
        if word == "night":
            return [*say("at"), *setting]
        if word in ("floor", "ground"):
            return [*say("on the"), *setting]
        material = self.pick(("wooden", "brown")) if word != "tabletop" and self.chance(0.25) else ""
        return [*say("on", self.pick(("a", "a", "the")), material), *setting]

    def light_phrase(self) -> list[Piece]:
        """Where the light comes from, as part of a sentence."""
        word = self.synonym(LIGHTS[self.scene.light])
        light = about(word, "light")
        if word == "overhead":
            start = self.pick(("under", "with"))
            return (
                [*say(start, "an"), *light, *say("light")]
                if self.chance(0.5)
                else [*say(start), *light, *say("lighting")]
            )
        start = self.pick(("lit from", "illuminated from", "with light from", "with light coming from"))
        return [*say(start, "" if word == "above" else "the"), *light]

    def light_sentence(self) -> list[Piece]:
        """Where the light comes from, as a sentence."""
        word = self.synonym([w for w in LIGHTS[self.scene.light] if w != "overhead"])
        start = self.pick(
            ("the light comes from", "light comes from", "the scene is lit from", "it is lit from", "the light is from")
        )
        return [*say(start, "" if word == "above" else "the"), *about(word, "light")]
