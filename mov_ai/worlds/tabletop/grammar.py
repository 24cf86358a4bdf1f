"""Captions of the embedded world: a grammar that words a scene, with the scene graph those words mean."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from mov_ai.captions.caption import HELD_OUT_PATTERNS, SPLITS, Caption, Mention
from mov_ai.captions.lexicon import TabletopWords, VerbBlock, load
from mov_ai.graph import Edge, Interval, Node, SceneGraph
from mov_ai.graph.inflection import inflect
from mov_ai.graph.time import change_time, relation_end
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

#: Share of the test captions with several steps that use a held-out pattern.
_HELD_OUT_SHARE = 0.7

_T = TypeVar("_T")


def describe(scene: Scene, rng: np.random.Generator, split: str) -> Caption:
    """Word a scene.

    Args:
        scene: what happens.
        rng: the source of every choice of words.
        split: "train", "validation" or "test"; only "test" uses `HELD_OUT_PATTERNS`.

    Returns:
        The caption with its gold graph; node ids are "n0" (the scene), "n1", ... in the order of the text.

    Raises:
        ValueError: if `split` is not a split.
    """
    if split not in SPLITS:
        raise ValueError(f"split: expected one of {', '.join(SPLITS)}; found {split!r}")
    return _Writer(scene, rng, split).write()


# -- verbs -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Verb:
    """One way to word a motion: lemma, what follows it, the direction that says, and whether it is passive."""

    lemma: str
    tail: str = ""
    direction: str | None = None
    passive: bool = False


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


WORDS = load("tabletop", TabletopWords)
_WORDINGS = {motion: _wordings(groups, motion) for motion, groups in WORDS.motions.items()}


# -- text with references ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Reference:
    """What a word speaks of.

    `key`: ("entity", thing), ("attribute", thing, kind, number), ("event", number), ("setting",) or ("light",).
    """

    key: tuple[str | int, ...]


_Piece = tuple[str, _Reference | None]


def _say(text: str) -> list[_Piece]:
    return [(text, None)] if text else []


def _about(text: str, *key: str | int) -> list[_Piece]:
    return [(text, _Reference(key))]


@dataclass
class _Event:
    """What is known of one event once it has been worded."""

    actions: list[Action]
    verb: _Verb
    manner: str | None


@dataclass
class _Step:
    """The actions of one part of the clip, grouped into clauses: one list of action numbers per clause."""

    clauses: list[list[int]]


@dataclass
class _Style:
    """Choices that hold for a whole caption."""

    tense: str
    article: str
    color_word: str
    lower: bool
    full_stop: bool
    comma_before_then: bool


@dataclass
class _Words:
    """The words for one thing, chosen once."""

    noun: str
    count: str
    attributes: dict[str, str]
    order: tuple[str, ...]
    form: str


class _Writer:
    """Writes one caption; `pieces` grows in the order of the text, so the first mention is known when it is made."""

    def __init__(self, scene: Scene, rng: np.random.Generator, split: str) -> None:
        self.scene, self.rng, self.split = scene, rng, split
        self.pieces: list[_Piece] = []
        self.events: list[_Event] = []
        self.event_of: dict[int, int] = {}
        self.mentioned: list[int] = []
        self.turned: set[int] = set()
        #: The thing that a pronoun would mean.
        self.salient: int | None = None
        #: The relation as worded, and one that is still to be said with its subject's first mention.
        self.relation: tuple[int, str, int] | None = None
        self.untold: tuple[int, str, int] | None = None
        self.meets: set[int] = set()
        self.pattern = "plain"
        self.style = self._choose_style()
        self.words = [self._choose_words(index) for index in range(len(scene.things))]
        self.steps = self._group()

    # -- random choices ------------------------------------------------------------------------------------------------

    def _chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def _pick(self, options: Sequence[_T]) -> _T:
        return options[int(self.rng.integers(len(options)))]

    def _weighted(self, options: dict[str, float]) -> str:
        names = list(options)
        weights = np.array([options[name] for name in names])
        return names[int(self.rng.choice(len(names), p=weights / weights.sum()))]

    def _synonym(self, words: Sequence[str]) -> str:
        return words[0] if self._chance(0.5) else self._pick(words)

    def _choose_style(self) -> _Style:
        tense = self._weighted({"present": 56, "progressive": 16, "past": 11, "caption": 14, "future": 3})
        article = self._weighted({"a": 80, "the": 12, "one": 3, "none": 5})
        if tense == "caption" and self._chance(0.4):
            article = "none"
        casual = self._chance(0.5 if tense == "caption" else 0.13)
        return _Style(
            tense,
            article,
            self._pick(("color", "color", "colour")),
            lower=casual,
            full_stop=self._chance(0.25 if casual else 0.93),
            comma_before_then=self._chance(0.75),
        )

    def _choose_words(self, index: int) -> _Words:
        thing = self.scene.things[index]
        shares_shape = sum(other.shape == thing.shape for other in self.scene.things) > 1
        attributes = {}
        if self._chance(0.4 if thing.count == 1 else 0.25):
            attributes["size"] = self._synonym(SIZES[thing.size])
        if thing.material == "shiny" or self._chance(0.15):
            attributes["material"] = self._synonym(MATERIALS[thing.material])
        if shares_shape or self._chance(0.95):
            attributes["color"] = COLORS[thing.color][0] if self._chance(0.7) else self._pick(COLORS[thing.color])
        order = ("material", "size", "color") if self._chance(0.06) else ("size", "material", "color")
        if self._chance(0.04):
            order = ("size", "color", "material")
        form = self._weighted({"plain": 91, "commas": 4, "clause": 5})
        count = self._pick(WORDS.counts[thing.count]) if thing.count > 1 else ""
        noun = self._synonym(SHAPES[thing.shape])
        if thing.shape == "sphere" and self._chance(0.4):
            noun = "ball"
        return _Words(noun, count, attributes, order, form)

    def _group(self) -> list[_Step]:
        """Steps in order; two things that do the same at the same time may share one clause."""
        steps: dict[Interval, list[int]] = {}
        for number, action in enumerate(self.scene.actions):
            steps.setdefault(action.interval, []).append(number)
        result = []
        for interval in sorted(steps):
            numbers = steps[interval]
            same = {(self.scene.actions[n].motion, self.scene.actions[n].value) for n in numbers}
            if len(numbers) > 1 and len(same) == 1 and self._chance(0.8):
                result.append(_Step([numbers]))
            else:
                result.append(_Step([[n] for n in numbers]))
        return result

    # -- nouns ---------------------------------------------------------------------------------------------------------

    def _plural(self, things: Sequence[int]) -> bool:
        return len(things) > 1 or self.scene.things[things[0]].count > 1

    def _noun(self, index: int) -> str:
        noun = self.words[index].noun
        if self.scene.things[index].count == 1:
            return noun
        return noun + ("es" if noun.endswith("x") else "s")

    def _thing(self, index: int, subject: bool = True) -> list[_Piece]:
        """Speak of a thing: in full the first time, briefly afterwards."""
        if index not in self.mentioned:
            self.mentioned.append(index)
            return self._first_mention(index)
        return self._again(index, subject)

    def _first_mention(self, index: int) -> list[_Piece]:
        words, thing = self.words[index], self.scene.things[index]
        said = {kind: words.attributes[kind] for kind in words.order if kind in words.attributes}
        after: list[_Piece] = []
        if words.form == "clause" and "color" in said and not self.relation:
            verb = "are" if thing.count > 1 else "is"
            color = said.pop("color")
            after = [*_say(f"{self._pick(('that', 'which'))} {verb}"), *_about(color, "attribute", index, "color", 0)]
        pieces: list[_Piece] = []
        for position, (kind, word) in enumerate(said.items()):
            if position and words.form == "commas":
                pieces += _say(",")
            pieces += _about(word, "attribute", index, kind, 0)
        pieces += _about(self._noun(index), "entity", index)
        return [*_say(self._determiner(index, pieces[0][0])), *pieces, *after]

    def _determiner(self, index: int, following: str) -> str:
        thing, article = self.scene.things[index], self.style.article
        if thing.count > 1:
            count = self.words[index].count
            return f"the {count}" if article == "the" and not count.startswith("a ") else count
        if article == "a":
            return "an" if following[0] in "aeiou" else "a"
        return "" if article == "none" else article

    def _again(self, index: int, subject: bool) -> list[_Piece]:
        thing, words = self.scene.things[index], self.words[index]
        things = self.scene.things
        options: dict[str, float] = {}
        if self.salient == index and subject:
            options["pronoun"] = 5
        if sum(other.shape == thing.shape for other in things) == 1:
            options["noun"] = 3
        color_known = "color" in words.attributes and index not in self.turned
        if color_known:
            options["color noun"] = 3
            if sum(other.color == thing.color for other in things) == 1 and len(things) > 1:
                options["color one"] = 1
        if "size" in words.attributes and options.get("noun"):
            options["size noun"] = 0.7
        if not options:
            options["full"] = 1
        choice = self._weighted(options)
        if choice == "pronoun":
            return _about("they" if thing.count > 1 else "it", "entity", index)
        pieces = _say("the")
        if choice.startswith("color"):
            pieces += _about(words.attributes["color"], "attribute", index, "color", 0)
        elif choice == "size noun":
            pieces += _about(words.attributes["size"], "attribute", index, "size", 0)
        elif choice == "full":
            for kind in words.order:
                if kind in words.attributes:
                    pieces += _about(words.attributes[kind], "attribute", index, kind, 0)
        if choice == "color one":
            return [*pieces, *_about("ones" if thing.count > 1 else "one", "entity", index)]
        return [*pieces, *_about(self._noun(index), "entity", index)]

    def _list(self, things: Sequence[int], word: str = "and") -> list[_Piece]:
        pieces: list[_Piece] = []
        for position, index in enumerate(things):
            if position:
                last = position == len(things) - 1
                if not last or (len(things) > 2 and self._chance(0.5)):
                    pieces += _say(",")
                if last:
                    pieces += _say(word)
            pieces += self._thing(index)
        return pieces

    # -- verbs ---------------------------------------------------------------------------------------------------------

    def _event(self, numbers: Sequence[int]) -> int:
        """Choose the words of an event; returns its number."""
        actions = [self.scene.actions[n] for n in numbers]
        motion = actions[0].motion
        if motion == "turn":
            verb = self._pick((_Verb("turn"), _Verb("turn"), _Verb("become"), _Verb("change", "to")))
        else:
            verb = self._pick(self._pick(_WORDINGS[motion]))
        if verb.tail == "where it is" and self._plural([a.thing for a in actions]):
            verb = _Verb(verb.lemma, "still")
        sudden = motion in ("turn", "vanish", "appear")
        manner = self._pick(WORDS.sudden_manners if sudden else WORDS.gradual_manners)
        has_manner = motion != "stay" and self._chance(0.07)
        self.events.append(_Event(actions, verb, manner if has_manner else None))
        for number in numbers:
            self.event_of[number] = len(self.events) - 1
        return len(self.events) - 1

    def _verb_phrase(self, numbers: Sequence[int], tense: str) -> list[_Piece]:
        """The event's verb with all that follows it; `tense` may also be "gerund", "perfect" or "base"."""
        number = self._event(numbers)
        event = self.events[number]
        things = [a.thing for a in event.actions]
        before, form = self._auxiliary(tense, event.verb.passive, self._plural(things))
        adverb_first = self._chance(0.6)
        manner = _say(event.manner or "")
        word = inflect(event.verb.lemma, form, self._plural(things))
        pieces = [*_say(before), *(manner if adverb_first else []), *_about(word, "event", number)]
        if event.actions[0].motion == "turn":
            pieces += self._new_color(event)
        else:
            pieces += _say(event.verb.tail)
        if not adverb_first:
            pieces += manner
        return pieces

    def _auxiliary(self, tense: str, passive: bool, plural: bool) -> tuple[str, str]:
        """Words before the verb, and the verb's form."""
        is_, was, has = ("are", "were", "have") if plural else ("is", "was", "has")
        if passive:
            before = {
                "present": is_,
                "progressive": f"{is_} being",
                "past": was,
                "future": "will be",
                "caption": "being",
                "gerund": "being",
                "perfect": f"{has} been",
                "base": "be",
            }[tense]
            return before, "participle"
        return {
            "present": ("", "present"),
            "progressive": (is_, "gerund"),
            "past": ("", "past"),
            "future": ("will", "base"),
            "caption": ("", "gerund"),
            "gerund": ("", "gerund"),
            "perfect": (has, "participle"),
            "base": ("", "base"),
        }[tense]

    def _new_color(self, event: _Event) -> list[_Piece]:
        pieces: list[_Piece] = []
        action = event.actions[0]
        assert action.value is not None
        thing = action.thing
        turn = [a for a in self.scene.actions if a.thing == thing and a.motion == "turn"].index(action)
        word = COLORS[action.value][0] if self._chance(0.75) else self._pick(COLORS[action.value])
        old = self.words[thing].attributes.get("color", COLORS[self.scene.things[thing].color][0])
        if turn == 0 and len(event.actions) == 1 and event.verb.lemma in ("turn", "change") and self._chance(0.2):
            said = _about(old, "attribute", thing, "color", 0)
            if event.verb.lemma == "change" and self._chance(0.6):
                pieces += _say(self.style.color_word)
            pieces += [*_say("from"), *said, *_say("to")]
        elif event.verb.lemma == "change":
            if self._chance(0.3):
                owner = "its" if not self._plural([a.thing for a in event.actions]) else "their"
                pieces += _say(self._pick((self.style.color_word, f"{owner} {self.style.color_word}")))
            pieces += _say(event.verb.tail)
        # Things that turn together share the word, and so the attribute.
        pieces += _about(word, "attribute", thing, "color", turn + 1)
        self.turned.update(a.thing for a in event.actions)
        return pieces

    def _clause(self, numbers: Sequence[int], tense: str, subject: bool = True) -> list[_Piece]:
        """Subject and verb phrase of one event."""
        things = [self.scene.actions[n].thing for n in numbers]
        pieces = self._list(things) if subject else []
        if not subject and tense in ("progressive", "future") and self._chance(0.6):
            # "is rolling left, then turning blue": the auxiliary is not said again.
            tense = "gerund" if tense == "progressive" else "base"
        if len(things) > 1 and self._chance(0.25):
            pieces += _say("both")
        pieces += self._verb_phrase(numbers, tense)
        self.salient = things[0] if len(things) == 1 else None
        return pieces

    # -- what comes before and after the events ------------------------------------------------------------------------

    def _setting_phrase(self) -> list[_Piece]:
        word = self._synonym(SETTINGS[self.scene.setting])
        about = _about(word, "setting")
        if word == "dark":
            return [*_say("in a"), *about, *_say("room")] if self._chance(0.6) else [*_say("in the"), *about]
        if word == "night":
            return [*_say("at"), *about]
        if word in ("floor", "ground"):
            return [*_say("on the"), *about]
        material = self._pick(("wooden", "brown")) if word != "tabletop" and self._chance(0.25) else ""
        return [*_say(f"on {self._pick(('a', 'a', 'the'))} {material}".rstrip()), *about]

    def _light_phrase(self) -> list[_Piece]:
        word = self._synonym(LIGHTS[self.scene.light])
        about = _about(word, "light")
        if word == "overhead":
            return [*_say(self._pick(("under", "with"))), *self._overhead(about)]
        place = _say("" if word == "above" else "the")
        start = self._pick(("lit from", "illuminated from", "with light from", "with light coming from"))
        return [*_say(start), *place, *about]

    def _overhead(self, about: list[_Piece]) -> list[_Piece]:
        if self._chance(0.5):
            return [*_say("an"), *about, *_say("light")]
        return [*about, *_say("lighting")]

    def _light_sentence(self) -> list[_Piece]:
        word = self._synonym([w for w in LIGHTS[self.scene.light] if w != "overhead"])
        about = [*_say("" if word == "above" else "the"), *_about(word, "light")]
        start = self._pick(
            ("the light comes from", "light comes from", "the scene is lit from", "it is lit from", "the light is from")
        )
        return [*_say(start), *about]

    def _spatial_words(self, label: str) -> str:
        return self._pick([w for w in SPATIAL[label] if w != "before"])

    def _voiced_relation(self) -> tuple[int, str, int] | None:
        if not self.scene.relations:
            return None
        i, label, j = self.scene.relations[0]
        return (j, INVERSE_SPATIAL[label], i) if self._chance(0.35) else (i, label, j)

    def _related(self, relation: tuple[int, str, int], link: str) -> list[_Piece]:
        """ "A (link) to the left of B"; for things not yet spoken of the graph gets its edge through `relation`."""
        i, label, j = relation
        self.relation = relation
        first = self._thing(i)
        return [*first, *_say(link), *_say(self._spatial_words(label)), *self._thing(j, subject=False)]

    def _opening(self, things: list[int], relation: tuple[int, str, int] | None, place: list[_Piece]) -> list[_Piece]:
        """A sentence that says what there is, without an event."""
        past = self.style.tense == "past"
        if relation is not None and not set(relation[::2]) - set(things):
            rest = [t for t in things if t not in relation[::2]]
            number = self.scene.things[relation[0]].count > 1
            be = ("were" if number else "was") if past else ("are" if number else "is")
            form = self._weighted({"there": 4, "is": 4, "sits": 3, "we": 1, "bare": 1, "noun": 0 if self.steps else 5})
            if form == "there":
                sentence = [*_say(f"there {be}"), *self._related(relation, "")]
            elif form == "we":
                sentence = [*_say("we saw" if past else "we see"), *self._related(relation, "")]
            elif form in ("bare", "noun"):
                start = self._pick(("a scene with", "a video of")) if form == "bare" else ""
                sentence = [*_say(start), *self._related(relation, "")]
            else:
                verb = inflect(self._pick(("sit", "stand", "lie", "rest")), "past" if past else "present", number)
                sentence = self._related(relation, be if form == "is" else verb)
            if rest:
                sentence += [*_say(self._pick(("and", ", along with", ", with"))), *self._list(rest)]
                if sentence[-1][1] is not None and self._chance(0.3):
                    sentence += _say("nearby")
            return self._with_place(sentence, place)
        if not self.steps and self._chance(0.5):
            # Nothing happens: "a red ball on a table".
            return [*self._list(things), *place]
        number = self._plural(things)
        form = self._weighted({"there": 5, "sit": 3 if place else 1, "are": 3 if place else 0.01, "we": 1, "bare": 1})
        singular_there = self.scene.things[things[0]].count == 1 and (len(things) == 1 or self._chance(0.6))
        if form == "there":
            be = ("was" if singular_there else "were") if past else ("is" if singular_there else "are")
            return self._with_place([*_say(f"there {be}"), *self._list(things)], place)
        if form == "we":
            return self._with_place([*_say("we saw" if past else "we see"), *self._list(things)], place)
        if form == "bare":
            return self._with_place([*_say(self._pick(("a scene with", "a video of"))), *self._list(things)], place)
        verb = (
            inflect(self._pick(("sit", "stand", "lie", "rest")), "past" if past else "present", number)
            if form == "sit"
            else (("were" if number else "was") if past else ("are" if number else "is"))
        )
        where = place or _say(self._pick(("here", "side by side", "there")) if len(things) > 1 else "here")
        return [*self._list(things), *_say(verb), *where]

    def _with_place(self, sentence: list[_Piece], place: list[_Piece]) -> list[_Piece]:
        # The sentence was worded first, so moving the place in front of it changes no first mention.
        if place and self._chance(0.4):
            return [*place, *(_say(",") if self._chance(0.7) else []), *sentence]
        return [*sentence, *place]

    # -- the whole text ------------------------------------------------------------------------------------------------

    def write(self) -> Caption:
        """Compose the text, then read the graph off its pieces."""
        scene = self.scene
        acting = {a.thing for a in scene.actions}
        appearing = {a.thing for a in scene.actions if a.motion == "appear"}
        hanging = {a.thing for a in scene.actions if a.motion == "fall"}
        idle = [i for i in range(len(scene.things)) if i not in acting]
        relation = self._voiced_relation()
        opened = list(idle)
        if relation is not None and self._chance(0.55 if not idle else 0.8):
            opened = sorted({*opened, *relation[::2]})
        ready = [i for i in acting if i not in appearing and i not in hanging and i not in opened]
        if ready and self._chance(0.22 if not opened else 0.4):
            opened += ready if self._chance(0.7) else ready[:1]
        opened = [opened[int(i)] for i in self.rng.permutation(len(opened))]
        in_opening = relation is not None and not set(relation[::2]) - set(opened)
        setting = scene.setting != "floor" or self._chance(0.15)
        light = scene.light != "left" or self._chance(0.15)
        place: list[_Piece] = self._setting_phrase() if setting else []
        light_sentence: list[_Piece] = []
        if light:
            if self._chance(0.3):
                light_sentence = self._light_sentence()
            else:
                lit = self._light_phrase()
                place = [*place, *(_say(",") if place and self._chance(0.5) else []), *lit]
        late_opening = (
            bool(opened) and not in_opening and bool(self.steps) and self._chance(0.12) and set(opened) == set(idle)
        )
        if opened and not late_opening:
            where = place if self._chance(0.85) or not self.steps else []
            place = [] if where else place
            self._sentence(self._opening(opened, relation if in_opening else None, where))
        elif relation is not None and not in_opening and self._chance(0.3) and not appearing & set(relation[::2]):
            self._sentence(self._opening([relation[0], relation[2]], relation, place))
            place, in_opening = [], True
        inline = relation if relation is not None and not in_opening else None
        if inline is not None and self.mentioned:
            self._sentence(self._related(inline, "are" if scene.things[inline[0]].count > 1 else "is"))
            inline = None
        if self.steps:
            self._tell(place, inline)
        if late_opening:
            self._sentence([*_say("there is also"), *self._list(opened)])
        if light_sentence:
            self._sentence(light_sentence)
        return self._caption()

    def _sentence(self, pieces: list[_Piece]) -> None:
        if self.pieces:
            self.pieces += _say(".")
        self.pieces += pieces

    def _tell(self, place: list[_Piece], inline: tuple[int, str, int] | None) -> None:
        """All events in order; the place goes with the first sentence, an untold relation with its first mention."""
        started = bool(self.pieces)
        if place and self._chance(0.35):
            lead = [*place, *(_say(",") if self._chance(0.75) else [])]
            place = []
        else:
            lead = []
        numbered = len(self.steps) >= 2 and self._chance(0.12)
        pieces: list[_Piece] = list(lead)
        if numbered:
            pieces += [*_say("first"), *(_say(",") if self._chance(0.6) else [])]
        if started and self.style.tense == "caption":
            self.style.tense = "present" if self._chance(0.6) else "progressive"
        self.untold = inline
        step = 0
        if not numbered:
            reordered = self._reordered(0)
            if reordered:
                pieces += reordered
                step = 2
        if step == 0 and inline is None and not started and not lead and not numbered and self._chance(0.12):
            presented = self._presented()
            if presented:
                pieces += presented
                step = 1
        if step == 0:
            pieces += self._step(0, self.style.tense)
            step = 1
        placed = False
        if place and len(self.steps) == step:
            pieces, placed = [*pieces, *place], True
        self._sentence(pieces)
        while step < len(self.steps):
            step = self._continue(step, numbered, place if not placed else [])
            placed = True

    def _subject(self, step: int) -> int | None:
        """The only thing that acts in a step, if there is one."""
        things = {self.scene.actions[n].thing for clause in self.steps[step].clauses for n in clause}
        return things.pop() if len(things) == 1 else None

    def _presented(self) -> list[_Piece] | None:
        """ "There is a red ball rolling left", for a first step with one clause."""
        clauses = self.steps[0].clauses
        things = [self.scene.actions[n].thing for n in clauses[0]]
        if len(clauses) > 1 or self.scene.actions[clauses[0][0]].motion == "appear":
            return None
        past = self.style.tense == "past"
        plural = self.scene.things[things[0]].count > 1
        forms = {
            "there": "there " + (("were" if plural else "was") if past else ("are" if plural else "is")),
            "video": self._pick(("a video of", "a clip of", "an animation of", "a scene where")),
            "we": "we saw" if past else "we see",
        }
        form = self._weighted({"there": 5, "video": 3, "we": 1})
        tense = (
            "present" if forms[form].endswith("where") else "base" if form == "we" and self._chance(0.3) else "gerund"
        )
        if self.style.tense == "caption":
            self.style.tense = "present"
        return [*_say(forms[form]), *self._clause(clauses[0], tense)]

    def _step(self, step: int, tense: str, subject: bool = True) -> list[_Piece]:
        """One step: a clause, or two that are said to be simultaneous."""
        clauses = self.steps[step].clauses
        if len(clauses) == 1:
            return self._first_clause(clauses[0], tense, subject)
        a, b = (clauses[int(i)] for i in self.rng.permutation(2))
        aside = tense if tense != "caption" or self._chance(0.4) else "present"
        if tense == "present" and self._chance(0.12):
            aside = "progressive"
        things = [{self.scene.actions[n].thing for n in clause} for clause in (a, b)]
        if things[0] == things[1]:
            return self._two_at_once(a, b, tense)
        form = self._weighted({"A while B": 6, "while A B": 3, "A and B": 4, "together": 2, "sentences": 2})
        if form == "while A B":
            word = self._pick(("while", "while", "as", "when"))
            front = self._first_clause(a, "present" if aside == "caption" else aside)
            return [*_say(word), *front, *_say(","), *self._clause(b, tense)]
        first = self._first_clause(a, tense)
        if form == "A while B":
            word = self._pick(("while", "while", "while", "as", "as", "when", "just as"))
            return [*first, *(_say(",") if self._chance(0.2) else []), *_say(word), *self._clause(b, aside)]
        if form == "A and B":
            return [*first, *(_say(",") if self._chance(0.25) else []), *_say("and"), *self._clause(b, tense)]
        if form == "together":
            word = self._pick(("and at the same time", "and simultaneously", "and meanwhile"))
            return [*first, *(_say(",") if self._chance(0.4) else []), *_say(word), *self._clause(b, tense)]
        word = self._pick(("at the same time", "meanwhile", "simultaneously"))
        tense = "present" if tense == "caption" else tense
        return [*first, *_say("."), *_say(word), *_say(","), *self._clause(b, tense)]

    def _two_at_once(self, a: list[int], b: list[int], tense: str) -> list[_Piece]:
        """One thing that does two things at the same time; "and" alone would tell them in sequence."""
        first = self._first_clause(a, tense)
        form = self._weighted({"while": 5, "clause": 2, "together": 2})
        if form == "while":
            word = self._pick(("while", "while", "while also", ",", "as it is"))
            if word == "as it is" and self._plural([self.scene.actions[a[0]].thing]):
                word = "while"
            return [*first, *_say(word), *self._verb_phrase(b, "gerund")]
        if form == "clause":
            tense = "present" if tense == "caption" else tense
            return [*first, *_say(self._pick(("while", "as"))), *self._clause(b, tense)]
        word = self._pick(("and at the same time", "and simultaneously", "and also"))
        return [*first, *_say(word), *self._verb_phrase(b, tense)]

    def _first_clause(self, numbers: list[int], tense: str, subject: bool = True) -> list[_Piece]:
        """A clause; says the relation with its subject if that is still to be said and both can be introduced here."""
        inline = self.untold
        thing = self.scene.actions[numbers[0]].thing
        if inline is None or len(numbers) > 1 or thing not in inline[::2] or not subject:
            return self._clause(numbers, tense, subject)
        self.untold = None
        if thing == inline[2]:
            inline = (inline[2], INVERSE_SPATIAL[inline[1]], inline[0])
        aside = self._chance(0.25)
        link = ", which " + ("are" if self.scene.things[thing].count > 1 else "is") if aside else ""
        pieces = self._related(inline, link)
        if aside:
            pieces += _say(",")
        pieces += self._verb_phrase(numbers, tense)
        self.salient = thing
        return pieces

    def _reordered(self, step: int) -> list[_Piece] | None:
        """Two steps in one sentence whose order in the text, or whose link, is told by a subordinate clause."""
        if len(self.steps) < step + 2 or any(len(self.steps[s].clauses) > 1 for s in (step, step + 1)):
            return None
        if self.split == "test" and step == 0 and self._chance(_HELD_OUT_SHARE):
            # A gerund needs one subject for both clauses.
            same = self._subject(step) == self._subject(step + 1) is not None
            return self._subordinate(step, self._pick(HELD_OUT_PATTERNS) if same else HELD_OUT_PATTERNS[1])
        if not self._chance(0.4):
            return None
        forms = {"after_last": 4.0, "after_first": 4.0, "before_first": 4.0, "once_last": 3.0, "once_first": 3.0}
        return self._subordinate(step, self._weighted(forms))

    def _subordinate(self, step: int, pattern: str) -> list[_Piece]:
        """ "After A, B" and its kin; A is step `step`, B the next one."""
        early, late = (self.steps[s].clauses[0] for s in (step, step + 1))
        tense = "present" if self.style.tense == "caption" else self.style.tense
        aside = "present" if tense == "future" else tense
        done = "perfect" if aside != "past" and self._chance(0.6) else aside
        same = self._subject(step) is not None and self._subject(step) == self._subject(step + 1)
        self.pattern = pattern
        if pattern.startswith(("once", "until")):
            self.meets.add(step)
        if pattern == "after_gerund_first":
            # "After rolling left, the ball jumps".
            front = [*_say("after"), *self._verb_phrase(early, "gerund"), *_say(",")]
            return [*front, *self._first_clause(late, tense)]
        if pattern in ("after_first", "once_first"):
            front = self._first_clause(early, done)
            return [*_say(pattern.split("_")[0]), *front, *_say(","), *self._clause(late, tense)]
        if pattern in ("before_first", "until_first"):
            if pattern == "before_first" and same and self._chance(0.5):
                front = [*_say("before"), *self._verb_phrase(late, "gerund"), *_say(",")]
                return [*front, *self._first_clause(early, tense)]
            front = self._first_clause(late, aside)
            return [*_say(pattern.split("_")[0]), *front, *_say(","), *self._clause(early, tense)]
        word = pattern.split("_")[0]
        main = self._first_clause(late, tense)
        if word == "after" and same and self._chance(0.5):
            return [*main, *_say(word), *self._verb_phrase(early, "gerund")]
        return [*main, *(_say(",") if self._chance(0.15) else []), *_say(word), *self._clause(early, done)]

    def _continue(self, step: int, numbered: bool, place: list[_Piece]) -> int:
        """Add step `step` (and perhaps the next ones) to the text; returns the step to go on with."""
        tense = self.style.tense
        single = len(self.steps[step].clauses) == 1
        last = step == len(self.steps) - 1
        subject = self._subject(step)
        simple_before = len(self.steps[step - 1].clauses) == 1 and self.pattern == "plain"
        same = subject is not None and subject == self.salient == self._subject(step - 1)
        rest_same = all(self._subject(s) == subject for s in range(step, len(self.steps)))
        plain = all(len(s.clauses) == 1 for s in self.steps[step:])
        if (
            not place
            and same
            and plain
            and rest_same
            and simple_before
            and len(self.steps) - step == 2
            and self._chance(0.35)
        ):
            # "rolls left, jumps and turns blue".
            self.pieces += [*_say(","), *self._clause(self.steps[step].clauses[0], tense, subject=False)]
            word = self._pick(("and", "and then", "and finally", ", and", ", then", ", and then"))
            self.pieces += [*_say(word), *self._clause(self.steps[step + 1].clauses[0], tense, subject=False)]
            return step + 2
        forms = {"then": 8.0, "sentence": 7.0}
        if single and simple_before:
            forms |= {"before": 1.5, "until": 1.2}
        if same and single and simple_before:
            forms |= {"and": 2.5}
        form = self._weighted(forms)
        # A place that is still to be said ends the first sentence, before anything is joined to it.
        self.pieces += place
        if form == "sentence":
            self._next_sentence(step, numbered, last)
            return step + 1
        comma = _say(",") if self.style.comma_before_then and self._chance(0.9) else []
        elide = same and self._chance(0.7)
        if form == "and":
            self.pieces += [*(_say(",") if self._chance(0.15) else []), *_say("and")]
            self.pieces += self._clause(self.steps[step].clauses[0], tense, subject=False)
        elif form == "before":
            self.pieces += [*(_say(",") if self._chance(0.1) else []), *_say("before")]
            aside = "present" if tense in ("future", "caption") else tense
            if same and self._chance(0.7):
                self.pieces += self._verb_phrase(self.steps[step].clauses[0], "gerund")
            else:
                self.pieces += self._clause(self.steps[step].clauses[0], aside)
            self.pattern = "before_last" if self.pattern == "plain" else self.pattern
        elif form == "until":
            aside = "present" if tense in ("future", "caption") else tense
            self.pieces += [*(_say(",") if self._chance(0.1) else []), *_say("until")]
            aside = "present" if aside == "progressive" else aside
            self.pieces += self._clause(self.steps[step].clauses[0], aside)
            self.meets.add(step - 1)
            self.pattern = "until_last" if self.pattern == "plain" else self.pattern
        else:
            self.pieces += self._then(step, tense, comma, elide, numbered and last)
        return step + 1

    def _then(self, step: int, tense: str, comma: list[_Piece], elide: bool, final: bool) -> list[_Piece]:
        words = ["then", "then", "then", "and then", "and then", "and after that", "and afterwards", "then"]
        words += ["and next"] if not elide else ["and finally"] if final else []
        word = "and finally" if final and self._chance(0.5) else self._pick(words)
        if not elide and self._chance(0.07):
            return [*_say(","), *_say("after which"), *self._step(step, "present" if tense == "caption" else tense)]
        if not elide and self._chance(0.05):
            comma, word = _say(";"), "then"
        return [*comma, *_say(word), *self._step(step, tense, subject=not elide)]

    def _next_sentence(self, step: int, numbered: bool, last: bool) -> None:
        tense = "present" if self.style.tense == "caption" else self.style.tense
        words = ["then", "then", "after that", "afterwards", "next", "then", "subsequently", "later"]
        if last and len(self.steps) > 2:
            words += ["finally", "finally"]
        if numbered and last:
            words = ["finally", "finally", "lastly", "then"]
        single = len(self.steps[step].clauses) == 1
        form = self._weighted({"word": 7, "inside": 3 if single else 0, "bare": 1.5 if not numbered else 0})
        if form == "inside":
            # "It then turns blue": the word stands between subject and verb.
            clause = self.steps[step].clauses[0]
            things = [self.scene.actions[n].thing for n in clause]
            pieces = self._list(things)
            word = self._pick(("then", "then", "finally" if last else "then"))
            pieces += [*_say(word), *self._verb_phrase(clause, tense)]
            self.salient = things[0] if len(things) == 1 else None
            self._sentence(pieces)
        elif form == "bare":
            self._sentence(self._step(step, tense))
        else:
            comma = _say(",") if self._chance(0.7) else []
            self._sentence([*_say(self._pick(words)), *comma, *self._step(step, tense)])

    # -- from pieces to a graph ----------------------------------------------------------------------------------------

    def _assemble(self) -> tuple[str, list[tuple[tuple[int, int], tuple[str | int, ...]]]]:
        """The text, and (span, key) of every piece with a reference."""
        text, spans = "", []
        sentence_start = True
        for word, reference in self.pieces:
            word = word.strip()
            if text and word[0] not in ",.;":
                text += " "
            start = len(text)
            text += word[0].upper() + word[1:] if sentence_start and not self.style.lower else word
            sentence_start = word == "."
            if reference is not None:
                spans.append(((start, len(text)), reference.key))
        return text + ("." if self.style.full_stop or ". " in text else ""), spans

    def _caption(self) -> Caption:
        text, spans = self._assemble()
        builder = _GraphBuilder(self.scene, self.events, self.words, self.meets, text, spans)
        if self.relation is not None:
            builder.relate(self.relation)
        return builder.caption(self.pattern)


@dataclass
class _GraphBuilder:
    """Turns worded references into the gold graph."""

    scene: Scene
    events: list[_Event]
    words: list[_Words]
    meets: set[int]
    text: str
    spans: list[tuple[tuple[int, int], tuple[str | int, ...]]]
    relation: tuple[int, str, int] | None = None
    ids: dict[tuple[str | int, ...], str] = field(default_factory=dict)

    def relate(self, relation: tuple[int, str, int]) -> None:
        """Add the relation that the text says."""
        self.relation = relation

    def caption(self, pattern: str) -> Caption:
        """Nodes in the order of their first mention, then edges."""
        fields: dict[str, str] = {}
        nodes: list[Node] = []
        mentions: list[Mention] = []
        for span, key in self.spans:
            if key[0] in ("setting", "light"):
                fields[str(key[0])] = self.text[slice(*span)].lower()
                continue
            kind = "coref" if key in self.ids else "node"
            if kind == "node":
                self.ids[key] = f"n{len(self.ids) + 1}"
                nodes.append(self._node(key, span))
            mentions.append(Mention(span, self.ids[key], kind))
        scene = Node("n0", "scene", "scene", setting=fields.get("setting"), light=fields.get("light"))
        graph = SceneGraph(self.text, [scene, *nodes], self._edges())
        things = tuple(self.ids["entity", index] for index in range(len(self.scene.things)))
        return Caption(self.text, graph, tuple(mentions), things, pattern)

    def _node(self, key: tuple[str | int, ...], span: tuple[int, int]) -> Node:
        word = self.text[slice(*span)].lower()
        node_id = self.ids[key]
        if key[0] == "entity":
            thing = int(key[1])
            return Node(node_id, "entity", self.words[thing].noun, span, count=self.scene.things[thing].count)
        if key[0] == "attribute":
            return Node(node_id, "attribute", word, span, kind=str(key[2]))
        event = self.events[int(key[1])]
        return Node(
            node_id,
            "event",
            event.verb.lemma,
            span,
            direction=event.verb.direction,
            manner=event.manner,
            interval=event.actions[0].interval,
        )

    def _edges(self) -> list[Edge]:
        edges = [Edge("n0", node_id, "contains") for key, node_id in self.ids.items() if key[0] in ("entity", "event")]
        for number, event in enumerate(self.events):
            role = "patient" if event.verb.passive else "agent"
            for action in event.actions:
                edges.append(Edge(self.ids["event", number], self.ids["entity", action.thing], role))
        for key, node_id in self.ids.items():
            if key[0] == "attribute":
                for thing, number in self._owners(key):
                    interval = self._color_interval(thing, number) if key[2] == "color" else (0.0, 1.0)
                    edges.append(Edge(self.ids["entity", thing], node_id, "has_attribute", interval=interval))
        if self.relation is not None:
            i, label, j = self.relation
            source, target = self.ids["entity", i], self.ids["entity", j]
            edges.append(Edge(source, target, "spatial", label, self._relation_interval(i, j)))
        return edges + self._temporal()

    def _owners(self, key: tuple[str | int, ...]) -> list[tuple[int, int]]:
        """The things that have an attribute, and which of their colours it is; several if they turn together."""
        thing, number = int(key[1]), int(key[3])
        if number > 0:
            for event in self.events:
                turns = self._turns(thing)
                if turns[number - 1] in event.actions:
                    return [(a.thing, 1 + self._turns(a.thing).index(a)) for a in event.actions]
        return [(thing, number)]

    def _turns(self, thing: int) -> list[Action]:
        return [a for a in self.scene.actions if a.thing == thing and a.motion == "turn"]

    def _color_interval(self, thing: int, number: int) -> Interval:
        times = [0.0, *(change_time(a.interval) for a in self._turns(thing)), 1.0]
        return times[number], times[number + 1]

    def _relation_interval(self, i: int, j: int) -> Interval:
        return 0.0, relation_end([(a.motion, a.interval) for a in self.scene.actions if a.thing in (i, j)])

    def _temporal(self) -> list[Edge]:
        steps = sorted({action.interval for action in self.scene.actions})
        told = {number: self.ids["event", number] for number in range(len(self.events))}
        position = {node_id: i for i, node_id in enumerate(self.ids.values())}

        def place(number: int) -> tuple[int, int]:
            return steps.index(self.events[number].actions[0].interval), position[told[number]]

        order = sorted(told, key=place)
        edges = []
        for a, b in itertools.pairwise(order):
            step = place(a)[0]
            label = "equal" if place(b)[0] == step else "meets" if step in self.meets else "before"
            edges.append(Edge(told[a], told[b], "temporal", label))
        return edges
