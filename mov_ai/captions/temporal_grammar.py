"""Captions of the real world that tell what happens when: a grammar of its own, with the graphs the captions mean."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from mov_ai.captions.caption import HELD_OUT_PATTERNS, SPLITS, Caption, Mention
from mov_ai.captions.temporal_plot import WORDS, Dice, Event, Plot
from mov_ai.graph import Edge, Interval, Node, SceneGraph, allen
from mov_ai.graph.inflection import inflect, pluralize
from mov_ai.graph.time import change_time

_Key = tuple[str | int, ...]
_Piece = tuple[str, _Key | None]


class TemporalCaptions:
    """Captions of people, animals, vehicles and things, told in every order that English has for events.

    Args:
        split: "train", "validation" or "test"; they share no captions.
        every_pattern: also use the clause orders that the embedded world keeps for its test captions
            (`HELD_OUT_PATTERNS`); with False, a parser trained on both has not seen them anywhere.
    """

    def __init__(self, split: str = "train", every_pattern: bool = False) -> None:
        if split not in SPLITS:
            raise ValueError(f"split: expected one of {', '.join(SPLITS)}; found {split!r}")
        self.split, self.every_pattern = split, every_pattern

    def caption(self, index: int) -> tuple[str, SceneGraph, tuple[Mention, ...]]:
        """Caption `index`, always the same."""
        told = tell(np.random.Generator(np.random.PCG64([7 + SPLITS.index(self.split), index])), self.every_pattern)
        return told.text, told.graph, told.mentions


def tell(rng: np.random.Generator, every_pattern: bool = False) -> Caption:
    """Make up what happens, and put it into words; ids are "n0" (the scene), "n1", ... in the order of the text."""
    return _Writer(Plot(rng).write(), rng, every_pattern).caption()


# -- words -------------------------------------------------------------------------------------------------------------


def article(word: str) -> str:
    """ "a" or "an"."""
    return "an" if word[0] in "aeiou" and not word.startswith(("uni", "use")) else "a"


# -- how it is told ----------------------------------------------------------------------------------------------------


def _say(text: str) -> list[_Piece]:
    return [(text, None)] if text else []


def _clean(pieces: Sequence[_Piece]) -> list[_Piece]:
    return [piece for piece in pieces if piece[0]]


class _Writer(Dice):
    """Words a plot; everything is worded in the order of the text, so that first mentions are known."""

    def __init__(self, plot: Plot, rng: np.random.Generator, every_pattern: bool) -> None:
        self.plot, self.rng, self.every_pattern = plot, rng, every_pattern
        self.actors, self.steps = plot.actors, plot.steps
        self.mentioned: list[int] = []
        #: Told by a pronoun before its noun.
        self.expected: set[int] = set()
        self.salient: list[int] = []
        self.said: list[Event] = []
        self.meets: set[tuple[int, int]] = set()
        self.pattern = "plain"
        #: Of the clause that is being told.
        self.aside: tuple[int, Event] | None = None
        self.spotted: list[int] = []
        self.tense = self._weighted({"present": 72, "past": 14, "progressive": 11, "future": 3})
        self.the = self._weighted({"a": 60, "the": 30, "mixed": 10})
        self.lower = self._chance(0.14)
        self.stop = self._chance(0.4 if self.lower else 0.95)

    # -- nouns ---------------------------------------------------------------------------------------------------------

    def _noun_phrase(self, index: int, case: str = "subject", near: Sequence[int] = ()) -> list[_Piece]:
        """Speak of an actor: in full the first time, briefly afterwards. `near`: told in the same clause before it."""
        actor = self.actors[index]
        key: _Key = ("entity", index)
        noun = actor.noun if actor.count == 1 else pluralize(actor.noun)
        aside = self.aside[1] if self.aside is not None and self.aside[0] == index else None
        if aside is not None:
            self.aside = None
        if index in self.mentioned:
            if aside is None and self._pronoun_is_clear(index, near) and self._chance(0.62):
                return [(WORDS.pronouns[actor.pronoun][case == "object"], key)]
            owner = [(f"{self._possessive(actor.owner)}", None)] if actor.owner is not None else [("the", None)]
            lasting = [(k, w) for k, w in actor.looks if k not in actor.values]
            look = self._pick(lasting) if lasting and self._chance(0.15) else None
            adjective: list[_Piece] = [(look[1], ("attribute", index, look[0], 0))] if look else []
            return [*owner, *adjective, (noun, key), *self._relative(index, aside, case)]
        self.mentioned.append(index)
        looks: list[_Piece] = [(word, ("attribute", index, kind, 0)) for kind, word in actor.looks]
        first = looks[0][0] if looks else noun
        if actor.owner is not None:
            determiner = self._possessive(actor.owner)
        elif actor.count > 1:
            determiner = f"the {actor.number}" if self.the == "the" and actor.number else actor.number
            determiner = "the" if not actor.number and (self.the == "the" or index in self.expected) else determiner
        elif actor.noun in WORDS.mass:
            determiner = "the" if actor.group == "object" or (self.the == "the" and self._chance(0.5)) else ""
        elif actor.noun in ("sun", "moon") or index in self.expected:
            determiner = "the"
        else:
            the = self.the == "the" if self.the != "mixed" else self._chance(0.5)
            determiner = "the" if the else article(first)
        after: list[_Piece] = []
        if actor.lacks is not None:
            lack = self.actors[actor.lacks].noun
            after = [(f"without {article(lack)}", None), (lack, ("entity", actor.lacks))]
            self.mentioned.append(actor.lacks)
        if actor.spot is not None and case == "subject" and aside is None and actor.spot[1] not in self.mentioned:
            self.spotted.append(index)
            after += [(actor.spot[0], None), *self._noun_phrase(actor.spot[1], "object")]
        return _clean([(determiner, None), *looks, (noun, key), *after, *self._relative(index, aside, case)])

    def _relative(self, index: int, event: Event | None, case: str) -> list[_Piece]:
        """What follows a noun to tell what it does meanwhile; nothing without an event."""
        if event is None:
            return []
        form = self._weighted({"clause": 5, "progressive": 3, "participle": 4})
        if form == "participle":
            return self._verb_phrase(event, "gerund")
        tense = "present" if self.tense == "future" else self.tense
        tense = "progressive" if form == "progressive" and tense == "present" else tense
        words = ("who", "who", "that") if self.actors[index].group == "human" else ("that", "that", "which")
        word = self._pick(words)
        pieces = [*_say(word), *self._verb_phrase(event, tense)]
        aside = word != "that" and case == "subject" and self._chance(0.3)
        return [*_say(","), *pieces, *_say(",")] if aside else pieces

    def _possessive(self, owner: int) -> str:
        return WORDS.pronouns[self.actors[owner].pronoun][2]

    def _pronoun_is_clear(self, index: int, near: Sequence[int]) -> bool:
        """Whether a pronoun can only mean this actor: no other told one shares it, or it was the last subject."""
        actor = self.actors[index]
        if actor.owner is not None or index in near:
            return False
        same = [i for i in self.mentioned if self.actors[i].pronoun == actor.pronoun and i != index]
        weighty = [i for i in same if i in self.salient or i in near or self.actors[i].group != "object"]
        return not weighty or (self.salient[:1] == [index] and not set(near) & set(same))

    def _subjects(self, event: Event) -> list[_Piece]:
        pieces: list[_Piece] = []
        if self._can_say_both(event) and self._chance(0.75):
            self.salient = list(event.subjects)
            return _say(self._pick(("both", "both", "both", "they both", "both of them")))
        both = len(event.agents) > 1 and not event.passive and self._chance(0.12)
        for position, index in enumerate(event.subjects):
            pieces += _say("and") if position else _say("both") if both else []
            pieces += self._noun_phrase(index, "subject", event.subjects[:position])
        self.salient = list(event.subjects)
        return pieces

    def _can_say_both(self, event: Event) -> bool:
        """Whether two are meant who alone have been told of."""
        told = {i for i in self.mentioned if self.actors[i].group != "object"}
        those = set(event.subjects)
        return len(event.agents) == 2 and those <= set(self.mentioned) and told <= those and not event.passive

    # -- verbs ---------------------------------------------------------------------------------------------------------

    def _plural(self, event: Event) -> bool:
        return len(event.subjects) > 1 or any(self.actors[i].count > 1 for i in event.subjects)

    def _auxiliary(self, event: Event, tense: str) -> tuple[str, str]:
        """Words before the verb, and the verb's form; `tense` may also be "perfect", "gerund" or "base"."""
        plural = self._plural(event)
        is_, was, has, do = ("are", "were", "have", "do") if plural else ("is", "was", "has", "does")
        word = event.negated
        if event.passive:
            chain = {"present": is_, "progressive": f"{is_} being", "past": was, "future": "will be"}
            chain |= {"perfect": f"{has} been", "gerund": "being", "base": "be"}
            first, _, rest = chain[tense].partition(" ")
            return f"{word} {first}" if tense == "gerund" else f"{first} {word} {rest}", "participle"
        if tense == "progressive":
            return (f"{is_}n't" if word == "not" and self._chance(0.4) else f"{is_} {word}"), "gerund"
        if tense == "perfect":
            return f"{has} {word}", "participle"
        if tense == "future":
            return f"will {word}", "base"
        if tense in ("gerund", "base"):
            return word, tense
        if word == "not":
            do = "did" if tense == "past" else do
            return (f"{do}n't" if self._chance(0.45) else f"{do} not"), "base"
        if not word and event.change is None and event.lemma not in ("begin", "start", "stop") and self._chance(0.05):
            one, several, past, form = self._pick(WORDS.beginnings)
            return (past if tense == "past" else several if plural else one), form
        return word, tense

    def _verb_phrase(self, event: Event, tense: str, elided: bool = False) -> list[_Piece]:
        """The verb with all that follows it; with `elided`, an auxiliary said before is left out."""
        self.said.append(event)
        before, form = self._auxiliary(event, tense)
        if elided and not event.negated and tense in ("progressive", "future"):
            before = ""
        near = [*event.subjects]
        word = inflect(event.lemma, form, self._plural(event))
        front = event.manner is not None and self._chance(0.4)
        times_first = event.times == "repeatedly" and self._chance(0.5)
        pieces: list[_Piece] = [(" ".join(before.split()), None)]
        pieces += [(event.manner if front else "", None)] if event.manner else []
        pieces += [("repeatedly", None)] if times_first else []
        pieces.append((word, ("event", len(self.said) - 1)))
        if event.patient is not None and not event.passive:
            told = self._noun_phrase(event.patient, "object", near)
            split = len(told) == 1 and told[0][0] in [p[1] for p in WORDS.pronouns.values()]
            after = bool(event.particle) and (split or self._chance(0.4))
            pieces += [*told, (event.particle, None)] if after else [(event.particle, None), *told]
            near.append(event.patient)
        else:
            owner = "their" if self._plural(event) else WORDS.pronouns[self.actors[near[0]].pronoun][2]
            pieces.append((event.particle.replace("its", owner), None))
        if event.change is not None:
            pieces += self._new_value(event)
        pieces += self._adverbials(event, near)
        if event.manner and not front:
            pieces.append((event.manner, None))
        if event.times and not times_first:
            pieces.append((event.times, None))
        return _clean(pieces)

    def _adverbials(self, event: Event, near: list[int]) -> list[_Piece]:
        """By whom, where, with what."""
        pieces: list[_Piece] = []
        if event.passive and event.agents:
            pieces += [("by", None), *self._noun_phrase(event.agents[0], "object", near)]
            near.append(event.agents[0])
        if event.place is not None:
            word, place = event.place
            pieces.append((word, None))
            if place is not None:
                pieces += self._noun_phrase(place, "object", near)
                near.append(place)
        if event.tool is not None:
            pieces += [("with", None), *self._noun_phrase(event.tool, "object", near)]
        return pieces

    def _new_value(self, event: Event) -> list[_Piece]:
        assert event.change is not None
        actor, kind, position, wording = event.change
        values = self.actors[actor].values[kind]
        new: _Piece = (str(values[position]), ("attribute", actor, kind, position))
        old = values[position - 1]
        if wording == "from" and old is not None:
            return [("from", None), (old, ("attribute", actor, kind, position - 1)), ("to", None), new]
        return [("to", None), new] if wording in ("to", "from") else [new]

    def _clause(self, event: Event, tense: str, subject: bool = True) -> list[_Piece]:
        self.aside = event.aside if subject or (event.aside and event.aside[0] not in event.subjects) else None
        pieces = self._subjects(event) if subject else []
        pieces += self._verb_phrase(event, tense, elided=not subject)
        self.aside = None
        return pieces

    # -- steps ---------------------------------------------------------------------------------------------------------

    def _step(self, step: int, tense: str, subject: bool = True) -> list[_Piece]:
        """One step: a clause, or two that are said to be simultaneous."""
        events = self.steps[step]
        if len(events) == 1:
            return self._clause(events[0], tense, subject)
        a, b = events
        if a.subjects == b.subjects and not a.passive and not b.passive:
            return self._two_at_once(a, b, tense, subject)
        form = self._weighted(
            {"A while B": 6, "A as B": 4, "while A B": 5, "A and B": 3, "together": 3, "meanwhile": 3}
        )
        if not subject and form == "while A B":
            form = "A while B"
        aside = "progressive" if tense == "present" and self._chance(0.2) else tense
        aside = "present" if aside == "future" else aside
        if form == "while A B":
            word = self._pick(("while", "while", "as", "as", "just as"))
            return [*_say(word), *self._clause(a, aside), *_say(","), *self._clause(b, tense)]
        first = self._clause(a, tense, subject)
        if form in ("A while B", "A as B"):
            word = form.split(" ")[1]
            return [*first, *_say("," if self._chance(0.12) else ""), *_say(word), *self._clause(b, aside)]
        if form == "A and B":
            return [*first, *_say("," if self._chance(0.5) else ""), *_say("and"), *self._clause(b, tense)]
        phrase = self._pick(
            ("at the same time", "meanwhile", "simultaneously", "in the meantime", "at the same moment")
        )
        if form == "together":
            if self._chance(0.3):
                return [
                    *first,
                    *_say(", and"),
                    *self._clause(b, tense),
                    *_say(self._pick(("at the same time", "meanwhile"))),
                ]
            comma = _say(",") if self._chance(0.4) else []
            return [
                *first,
                *_say(", and" if self._chance(0.6) else ";"),
                *_say(phrase),
                *comma,
                *self._clause(b, tense),
            ]
        return [*first, *_say("."), *_say(phrase), *_say("," if self._chance(0.8) else ""), *self._clause(b, tense)]

    def _two_at_once(self, a: Event, b: Event, tense: str, subject: bool) -> list[_Piece]:
        """One subject that does two things at the same time, or one of them without the other."""
        if b.negated or self._chance(0.3):
            negated, b.negated, b.manner, b.times = b.negated or "not", "", None, None
            form = self._pick(("without", "without", "never"))
            first = self._clause(a, tense, subject)
            # "without" says the negation itself.
            phrase = self._verb_phrase(b, "gerund")
            b.negated = negated
            return [*first, *_say(", never" if form == "never" else "without"), *phrase]
        if subject and self._chance(0.25):
            front = [*_say("while"), *self._cataphor(a, b, "gerund")]
            return [*front, *_say(","), *self._clause(b, tense)]
        first = self._clause(a, tense, subject)
        if self._chance(0.3):
            return [
                *first,
                *_say(self._pick(("and at the same time", "and simultaneously"))),
                *self._verb_phrase(b, tense),
            ]
        if self._chance(0.3):
            return [
                *first,
                *_say(self._pick(("while", "as"))),
                *self._clause(b, "present" if tense == "future" else tense),
            ]
        return [*first, *_say("while"), *self._verb_phrase(b, "gerund")]

    def _cataphor(self, front: Event, main: Event, tense: str) -> list[_Piece]:
        """A clause before the main one: without its subject, with its pronoun before its noun, or plain."""
        if tense == "gerund":
            return self._verb_phrase(front, "gerund")
        same = front.subjects == main.subjects and len(front.subjects) == 1
        index = main.subjects[0] if main.subjects else -1
        told = {self.actors[i].pronoun for i in self.mentioned} if same else set()
        if same and index not in self.mentioned and self.actors[index].pronoun not in told and self._chance(0.35):
            self.expected.add(index)
            pronoun: _Piece = (WORDS.pronouns[self.actors[index].pronoun][0], ("entity", index))
            return [pronoun, *self._verb_phrase(front, tense)]
        return self._clause(front, tense)

    # -- pairs of steps ------------------------------------------------------------------------------------------------

    def _pair(self, step: int, tense: str) -> list[_Piece]:
        """ "After A, B" and its kin; A is step `step`, B the next one."""
        a, b = self.steps[step][0], self.steps[step + 1][0]
        same = a.subjects == b.subjects
        forms = {
            "after_first": 4,
            "after_last": 4,
            "before_first": 4,
            "before_last": 5,
            "once_first": 4,
            "once_last": 4,
        }
        forms |= {"until_last": 6, "soon_first": 3, "soon_last": 3, "after_gerund_last": 3 if same else 0}
        forms |= {"before_gerund_last": 4 if same else 0, "before_gerund_first": 2 if same else 0}
        if b.negated:
            # Nothing waits for what does not happen.
            forms["until_last"] = 0
        if a.negated:
            forms |= {"once_first": 0, "once_last": 0, "soon_first": 0, "soon_last": 0}
        if self.every_pattern:
            forms |= {"until_first": 0 if b.negated else 3, "after_gerund_first": 4 if same else 0}
        pattern = self._weighted({name: float(weight) for name, weight in forms.items()})
        self.pattern = pattern if pattern in HELD_OUT_PATTERNS else self.pattern
        if pattern.startswith(("once", "soon", "until")):
            self.meets.add((id(a), id(b)))
        aside = "present" if tense in ("future", "progressive") else tense
        done = "perfect" if aside == "present" and self._chance(0.35) else aside
        words = {
            "after": ("after", "after", "right after", "just after"),
            "before": ("before", "before", "just before"),
        }
        word = {"once": "once", "soon": "as soon as", "until": self._pick(("until", "until", "till"))}.get(
            pattern.split("_")[0]
        ) or self._pick(words[pattern.split("_")[0]])
        if pattern.endswith("gerund_first"):
            aside_event, main = (a, b) if pattern.startswith("after") else (b, a)
            return [*_say(word), *self._verb_phrase(aside_event, "gerund"), *_say(","), *self._clause(main, tense)]
        if pattern.endswith("gerund_last"):
            main, aside_event = (b, a) if pattern.startswith("after") else (a, b)
            return [*self._clause(main, tense), *_say(word), *self._verb_phrase(aside_event, "gerund")]
        front = pattern.endswith("first")
        if pattern.startswith(("before", "until")):
            if front:
                return [*_say(word), *self._cataphor(b, a, aside), *_say(","), *self._clause(a, tense)]
            return [*self._clause(a, tense), *_say(word), *self._clause(b, aside)]
        if front:
            return [*_say(word), *self._cataphor(a, b, done), *_say(","), *self._clause(b, tense)]
        return [*self._clause(b, tense), *_say("," if self._chance(0.08) else ""), *_say(word), *self._clause(a, done)]

    # -- the whole text ------------------------------------------------------------------------------------------------

    def _single(self, step: int) -> bool:
        return step < len(self.steps) and len(self.steps[step]) == 1

    def _continues(self, step: int) -> bool:
        """Whether a step has the subject of the one before, so that it need not be said again."""
        if not (self._single(step) and self._single(step - 1)):
            return False
        before, now = self.steps[step - 1][0], self.steps[step][0]
        return before.subjects == now.subjects == self.salient and bool(now.subjects)

    def _pieces(self) -> list[_Piece]:
        count = len(self.steps)
        if self._can_be_a_fragment() and self._chance(0.3):
            return self._fragment()
        numbered = count >= 2 and self._chance(0.14) and self.plot.lasting is None
        step, pieces = 0, list[_Piece]()
        joined = 0
        if self.plot.lasting is not None:
            step, pieces, joined = 2, self._throughout(self.plot.lasting), 3
        while step < count:
            last = step == count - 1
            if not numbered and not last and all(map(self._single, range(step, count))) and self._chance(0.09):
                return [*pieces, *self._listed(step)]
            if not numbered and self._single(step) and self._single(step + 1) and self._chance(0.42):
                pieces += self._lead(step, numbered, last)
                pieces += self._pair(step, self.tense)
                step, joined = step + 2, 3
                continue
            run = step > 0 and joined < 2 and not numbered and self._continues(step) and self._continues_to_end(step)
            if run and count - step == 2 and self._chance(0.35):
                # "runs, jumps and falls".
                final = self._pick(("and", ", and", "and then", ", then", "and finally"))
                pieces += [*_say(","), *self._clause(self.steps[step][0], self.tense, subject=False)]
                pieces += [*_say(final), *self._clause(self.steps[step + 1][0], self.tense, subject=False)]
                break
            if step and joined < 2 and self._chance(0.55):
                pieces += self._joined(step, numbered, last)
                joined += 1
            else:
                pieces += self._started(step, numbered, last)
                joined = 0
            step += 1
        return pieces

    def _can_be_a_fragment(self) -> bool:
        """Whether one subject does all there is, in two steps at most."""
        single = all(map(self._single, range(len(self.steps)))) and len(self.steps) < 3 and self.plot.lasting is None
        return single and bool(self.steps[0][0].subjects) and self._continues_to_end(0)

    def _fragment(self) -> list[_Piece]:
        """A caption without a finite verb: "a video of a dog chasing a cat and then barking"."""
        first, *later = (events[0] for events in self.steps)
        opening = _say(self._pick(WORDS.openings)) if self._chance(0.35) else []
        first.aside = None
        pieces = [*opening, *self._clause(first, "gerund")]
        for event in later:
            word = self._pick(("and then", ", then", "and", "before", "and finally"))
            pieces += [*_say(word), *self._verb_phrase(event, "gerund")]
        return pieces

    def _listed(self, step: int) -> list[_Piece]:
        """All that is left in one sentence, one clause after another: "a seed falls, it rains, and a shoot appears"."""
        clauses = [events[0] for events in self.steps[step:]]
        # Two clauses that only "and" ties may be simultaneous.
        mark = ";" if len(clauses) == 2 or self._chance(0.3) else ","
        pieces = [*self._lead(step, False, False), *self._clause(clauses[0], self.tense)]
        for event in clauses[1:]:
            final = event is clauses[-1] and self._chance(0.85 if mark == "," else 0.3)
            pieces += _say(f"{mark} {self._pick(('and', 'and', 'and finally'))}" if final else mark)
            pieces += self._clause(event, self.tense)
        return pieces

    def _throughout(self, lasting: Event) -> list[_Piece]:
        """ "While the crowd cheers, a man throws a ball and then a boy catches it": what lasts through two steps."""
        word = self._pick(("while", "while", "as"))
        aside = self._weighted({self.tense: 3, "progressive": 1})
        aside = "present" if aside == "future" else aside
        clause = self._clause(lasting, aside)
        first = self.steps[0][0]
        if self._chance(0.6):
            pieces = [*_say(word), *clause, *_say(","), *self._clause(first, self.tense)]
        else:
            pieces = [*clause, *_say(word), *self._clause(first, self.tense)]
        elide = self._continues(1) and self._chance(0.75)
        joints = ("and then", "and then", ", then", ", and then", "and afterwards", ", and after that")
        return [*pieces, *_say(self._pick(joints)), *self._clause(self.steps[1][0], self.tense, subject=not elide)]

    def _continues_to_end(self, step: int) -> bool:
        subjects = self.steps[step][0].subjects
        return all(len(s) == 1 and s[0].subjects == subjects for s in self.steps[step:])

    def _lead(self, step: int, numbered: bool, last: bool) -> list[_Piece]:
        """What a sentence starts with: nothing for the first, mostly a word of sequence for later ones."""
        if step == 0:
            if not numbered:
                return []
            return _say(self._pick(("first", "first", "at first", "first of all", "to begin with"))) + _say(
                "," if self._chance(0.6) else ""
            )
        words = ["then", "then", "after that", "afterwards", "next", "later", "a moment later", "a few seconds later"]
        words += ["after a while", "suddenly"] if not numbered else []
        if last and step > 1:
            words += ["finally", "finally", "lastly", "in the end", "at last"]
        if numbered:
            words = (
                ["finally", "finally", "lastly", "in the end", "at last"]
                if last and step > 1
                else ["then", "next", "next", "after that", "second"]
            )
        word = self._pick(words)
        if word == "suddenly" or (not numbered and self._chance(0.25)):
            return _say(".")
        comma = _say(",") if self._chance(0.65) else []
        return [*_say("."), *_say(word), *comma]

    def _started(self, step: int, numbered: bool, last: bool) -> list[_Piece]:
        """A step in a sentence of its own."""
        if step and self._single(step) and not numbered and self._chance(0.25):
            # "It then turns blue": the word stands between subject and verb.
            event = self.steps[step][0]
            word = "finally" if last and step > 1 and self._chance(0.4) else self._pick(("then", "then", "later"))
            return [*_say("."), *self._subjects(event), *_say(word), *self._verb_phrase(event, self.tense)]
        if step == 0 and not numbered and self._single(0) and self._chance(0.5):
            opening = self._before_change(self.steps[0][0])
            if opening:
                return opening
        lead = self._lead(step, numbered, last)
        if numbered and step == 0 and self._single(0) and self._chance(0.3):
            # "A cook first washes".
            event = self.steps[0][0]
            return [*self._subjects(event), *_say("first"), *self._verb_phrase(event, self.tense)]
        return [*lead, *self._step(step, self.tense)]

    def _before_change(self, event: Event) -> list[_Piece]:
        """ "The lamp is red at first, but then it turns blue"; nothing if that cannot be said."""
        if event.change is None or event.change[2] != 1 or event.change[3] == "from" or event.patient is not None:
            return []
        index, kind = event.change[:2]
        actor = self.actors[index]
        old = actor.values[kind][0]
        if old is None or len(event.agents) > 1:
            return []
        actor.looks = [look for look in actor.looks if look[0] != kind]
        past = self.tense == "past" or self._chance(0.2)
        be = ("were" if past else "are") if actor.count > 1 else ("was" if past else "is")
        value: _Piece = (old, ("attribute", index, kind, 0))
        joint = self._pick(
            ("at first, then", ", then", ", but then", ", but", "at first, but", "at first. Then", ", and then")
        )
        start = self._subjects(event)
        elide = not joint.endswith(("Then", "but")) and self._chance(0.6)
        return [*start, *_say(be), value, *_say(joint), *self._clause(event, self.tense, subject=not elide)]

    def _joined(self, step: int, numbered: bool, last: bool) -> list[_Piece]:
        """A step that goes on with the sentence."""
        elide = self._continues(step) and self._chance(0.75)
        words = [", then", ", then", "and then", ", and then", "and after that", "then"]
        if numbered:
            words = [", then", ", next", ", after that"]
        if last and (step > 1 or numbered):
            words += ["and finally", ", and finally", "and lastly"] * (3 if numbered else 1)
        if elide and not numbered:
            words += ["and", "and"]
        if not elide:
            words += ["; then", "; next", ", after which"] if not numbered else ["; then", "; next"]
        return [*_say(self._pick(words)), *self._step(step, self.tense, subject=not elide)]

    def caption(self) -> Caption:
        """The text with its graph."""
        text, spans = "", list[tuple[tuple[int, int], _Key]]()
        start_of_sentence = True
        for word, key in self._pieces():
            if text and word[0] not in ",.;":
                text += " "
            start = len(text)
            text += word[0].upper() + word[1:] if start_of_sentence and not self.lower else word
            start_of_sentence = word == "."
            if key is not None:
                spans.append(((start, len(text)), key))
        text += "." if self.stop or ". " in text else ""
        return _graph(text, spans, self)


# -- the graph ---------------------------------------------------------------------------------------------------------


def _graph(text: str, spans: list[tuple[tuple[int, int], _Key]], writer: _Writer) -> Caption:
    """What the words mean: nodes in the order of the text, each with the span of the words that name it."""
    plot, said = writer.plot, writer.said
    pronouns = {word for forms in WORDS.pronouns.values() for word in forms[:2]}
    places: dict[_Key, list[tuple[int, int]]] = {}
    for span, key in spans:
        places.setdefault(key, []).append(span)
    named = {
        key: next((s for s in found if text[slice(*s)].lower() not in pronouns), found[0])
        for key, found in places.items()
    }
    ids = {key: f"n{number}" for number, key in enumerate(sorted(named, key=lambda key: named[key]), start=1)}
    steps = {id(event): (step, step + 1) for step, events in enumerate(plot.steps) for event in events}
    steps |= {id(e.aside[1]): steps[id(e)] for events in plot.steps for e in events if e.aside is not None}
    if plot.lasting is not None:
        steps[id(plot.lasting)] = (0, 2)
    intervals: list[Interval] = [
        (round(start / len(plot.steps), 4), round(end / len(plot.steps), 4))
        for start, end in (steps[id(event)] for event in said)
    ]
    lacking = {actor.lacks for actor in plot.actors}
    nodes = [Node("n0", "scene", "scene")]
    for key, node_id in ids.items():
        number = int(key[1])
        if key[0] == "entity":
            actor = plot.actors[number]
            nodes.append(Node(node_id, "entity", actor.noun, named[key], negated=number in lacking, count=actor.count))
        elif key[0] == "attribute":
            label = text[slice(*named[key])].lower()
            nodes.append(Node(node_id, "attribute", label, named[key], kind=str(key[2])))
        else:
            event = said[number]
            nodes.append(
                Node(
                    node_id,
                    "event",
                    event.lemma,
                    named[key],
                    negated=bool(event.negated),
                    direction=event.direction,
                    manner=event.times or event.manner,
                    interval=intervals[number],
                )
            )
    mentions = tuple(
        Mention(span, ids[key], "node" if span == named[key] else "coref")
        for span, key in sorted(spans, key=lambda s: s[0])
    )
    edges = [Edge("n0", node_id, "contains") for key, node_id in ids.items() if key[0] != "attribute"]
    edges += _roles(said, ids)
    for index in writer.spotted:
        preposition, place = plot.actors[index].spot or ("", 0)
        edges.append(Edge(ids["entity", index], ids["entity", place], "spatial", preposition))
    changed = {event.change[:3]: intervals[number] for number, event in enumerate(said) if event.change}
    for key, node_id in ids.items():
        if key[0] == "attribute":
            actor_id, kind, position = int(key[1]), str(key[2]), int(key[3])
            start, end = (changed.get((actor_id, kind, p)) for p in (position, position + 1))
            interval = (change_time(start) if start else 0.0, change_time(end) if end else 1.0)
            edges.append(Edge(ids["entity", actor_id], node_id, "has_attribute", interval=interval))
    edges += _order(said, intervals, ids, writer.meets)
    return Caption(text, SceneGraph(text, nodes, edges), mentions, pattern=writer.pattern)


def _roles(said: list[Event], ids: dict[_Key, str]) -> list[Edge]:
    edges = []
    for number, event in enumerate(said):
        source = ids["event", number]
        edges += [Edge(source, ids["entity", agent], "agent") for agent in event.agents]
        others = {
            "patient": event.patient,
            "location": event.place[1] if event.place else None,
            "instrument": event.tool,
        }
        edges += [Edge(source, ids["entity", i], role) for role, i in others.items() if i is not None]
    return edges


def _order(
    said: list[Event], intervals: list[Interval], ids: dict[_Key, str], meets: set[tuple[int, int]]
) -> list[Edge]:
    edges = []
    order = sorted(range(len(said)), key=lambda number: (intervals[number], number))
    for a, b in itertools.pairwise(order):
        swapped, label = allen(intervals[a], intervals[b], (id(said[a]), id(said[b])) in meets)
        first, second = (b, a) if swapped else (a, b)
        edges.append(Edge(ids["event", first], ids["event", second], "temporal", label))
    return edges
