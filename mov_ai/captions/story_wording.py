"""Words for the actors and events of a story: nouns, pronouns and what is said with them, verbs and what follows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mov_ai.captions.english import PRONOUNS, article
from mov_ai.captions.plot import Actor, Event
from mov_ai.captions.realiser import Realiser
from mov_ai.captions.story_plot import WORDS
from mov_ai.captions.text import Piece, about, say
from mov_ai.graph.inflection import pluralize

_OBJECT_PRONOUNS = {forms[1] for forms in PRONOUNS.values()}


class StoryWording(Realiser):
    """Words the parts of a story; some choices are made once for the whole caption."""

    def __init__(self, actors: list[Actor], rng: np.random.Generator) -> None:
        super().__init__(rng, actors, WORDS.patterns)
        #: Actors that were mentioned by a pronoun and are still to be named.
        self.expected: set[int] = set()
        #: (actor, what it does meanwhile) in the current clause.
        self.aside: tuple[int, Event] | None = None
        #: Actors whose place has been mentioned.
        self.spotted: list[int] = []
        self.tense = self.weighted({"present": 72, "past": 14, "progressive": 11, "future": 3})
        self.article = self.weighted({"a": 60, "the": 30, "mixed": 10})
        self.lower = self.chance(0.14)
        self.full_stop = self.chance(0.4 if self.lower else 0.95)

    # -- nouns ---------------------------------------------------------------------------------------------------------

    def noun_phrase(self, index: int, case: str = "subject", near: Sequence[int] = ()) -> list[Piece]:
        """Speak of an actor: in full the first time, briefly afterwards. `near`: told in the same clause before it."""
        actor = self.actors[index]
        noun = actor.noun if actor.count == 1 else pluralize(actor.noun)
        aside = self.aside[1] if self.aside is not None and self.aside[0] == index else None
        if aside is not None:
            self.aside = None
        looks = actor.looks
        if index in self.mentioned:
            if aside is None and self._pronoun_is_clear(index, near) and self.chance(0.62):
                return about(PRONOUNS[actor.pronoun][case == "object"], "entity", index)
            lasting = [look for look in looks if look[0] not in actor.values]
            looks = [self.pick(lasting)] if lasting and self.chance(0.15) else []
            determiner, after = "the" if actor.owner is None else self._possessive(actor.owner), list[Piece]()
        else:
            self.mentioned.append(index)
            determiner = self._first_determiner(index, looks[0][1] if looks else noun)
            after = self._what_comes_with(index, case == "subject" and aside is None)
        pieces = say(determiner)
        for kind, word in looks:
            pieces += about(word, "attribute", index, kind, 0)
        return [*pieces, *about(noun, "entity", index), *after, *self._relative(index, aside, case)]

    def _first_determiner(self, index: int, following: str) -> str:
        actor = self.actors[index]
        if actor.owner is not None:
            return self._possessive(actor.owner)
        if actor.count > 1:
            the = self.article == "the" or (not actor.number and index in self.expected)
            return f"{'the' if the else ''} {actor.number}".strip()
        if actor.noun in WORDS.mass:
            return "the" if actor.group == "object" or (self.article == "the" and self.chance(0.5)) else ""
        if actor.noun in ("sun", "moon") or index in self.expected:
            return "the"
        the = self.article == "the" if self.article != "mixed" else self.chance(0.5)
        return "the" if the else article(following)

    def _what_comes_with(self, index: int, placed: bool) -> list[Piece]:
        """What an actor lacks, and, if `placed`, where it is."""
        actor, pieces = self.actors[index], list[Piece]()
        if actor.lacks is not None:
            lack = self.actors[actor.lacks].noun
            pieces += [*say(f"without {article(lack)}"), *about(lack, "entity", actor.lacks)]
            self.mentioned.append(actor.lacks)
        if actor.spot is not None and placed and actor.spot[1] not in self.mentioned:
            self.spotted.append(index)
            pieces += [*say(actor.spot[0]), *self.noun_phrase(actor.spot[1], "object")]
        return pieces

    def _relative(self, index: int, event: Event | None, case: str) -> list[Piece]:
        """A relative clause after a noun: what it does meanwhile; nothing without an event."""
        if event is None:
            return []
        form = self.weighted({"clause": 5, "progressive": 3, "participle": 4})
        if form == "participle":
            return self.verb_phrase(event, "gerund")
        tense = "present" if self.tense == "future" else self.tense
        tense = "progressive" if form == "progressive" and tense == "present" else tense
        word = self.pick(("who", "who", "that") if self.actors[index].group == "human" else ("that", "that", "which"))
        pieces = [*say(word), *self.verb_phrase(event, tense)]
        set_off = word != "that" and case == "subject" and self.chance(0.3)
        return [*say(","), *pieces, *say(",")] if set_off else pieces

    def _possessive(self, owner: int) -> str:
        return PRONOUNS[self.actors[owner].pronoun][2]

    def _pronoun_is_clear(self, index: int, near: Sequence[int]) -> bool:
        """Whether a pronoun can only mean this actor: no other mentioned one shares it, or it was the last subject."""
        actor = self.actors[index]
        if actor.owner is not None or index in near:
            return False
        same = [i for i in self.mentioned if self.actors[i].pronoun == actor.pronoun and i != index]
        weighty = [i for i in same if i in self.salient or i in near or self.actors[i].group != "object"]
        return not weighty or (self.salient[:1] == [index] and not set(near) & set(same))

    def subject_phrase(self, event: Event) -> list[Piece]:
        """All subjects of an event."""
        if self._can_say_both(event) and self.chance(0.75):
            return say(self.pick(("both", "both", "both", "they both", "both of them")))
        pieces = say("both" if len(event.agents) > 1 and not event.passive and self.chance(0.12) else "")
        for position, index in enumerate(event.subjects):
            pieces += say("and" if position else "")
            pieces += self.noun_phrase(index, "subject", event.subjects[:position])
        return pieces

    def _can_say_both(self, event: Event) -> bool:
        """Whether "both" can only mean the event's two subjects: no other actor that acts was mentioned."""
        acting = {index for index in self.mentioned if self.actors[index].group != "object"}
        both = set(event.subjects)
        return len(event.agents) == 2 and both <= set(self.mentioned) and acting <= both and not event.passive

    # -- clauses -------------------------------------------------------------------------------------------------------

    def clause(self, event: Event, tense: str, subject: bool = True) -> list[Piece]:
        """A clause, with what one of its actors does meanwhile."""
        self.aside = event.aside if subject or (event.aside and event.aside[0] not in event.subjects) else None
        pieces = super().clause(event, tense, subject)
        self.aside = None
        return pieces

    def first_clause(self, event: Event, tense: str, main: Event | None = None) -> list[Piece]:
        """A clause; before its main clause it may have its subject's pronoun before the noun."""
        if main is None or event.subjects != main.subjects or len(event.subjects) != 1:
            return self.clause(event, tense)
        (index,) = event.subjects
        pronoun = self.actors[index].pronoun
        free = index not in self.mentioned and pronoun not in {self.actors[i].pronoun for i in self.mentioned}
        if not free or not self.chance(0.35):
            return self.clause(event, tense)
        self.expected.add(index)
        return [*about(PRONOUNS[pronoun][0], "entity", index), *self.verb_phrase(event, tense)]

    def elided_tense(self, event: Event, tense: str) -> str:
        """The auxiliaries are left out, except for a negated verb."""
        if event.negated or tense not in ("progressive", "future"):
            return tense
        return "participle" if event.passive else {"progressive": "gerund", "future": "base"}[tense]

    def choose_words(self, event: Event) -> None:
        """Choose where adverbs stand."""
        event.manner_first = bool(event.manner) and self.chance(0.4)
        event.times_first = event.times == "repeatedly" and self.chance(0.5)

    def auxiliaries(self, event: Event, tense: str) -> tuple[tuple[str, ...], str]:
        """As for any verb; some only "begin to" happen."""
        plain = not (event.negated or event.passive or event.changes) and tense in ("present", "past")
        if plain and event.lemma not in ("begin", "start", "stop") and self.chance(0.05):
            one, several, past, form = self.pick(WORDS.beginnings)
            return (past if tense == "past" else several if self.plural(event.subjects) else one,), form
        return super().auxiliaries(event, tense)

    def complements(self, event: Event) -> list[Piece]:
        """What is acted on, the new value, by whom, where, with what."""
        near, pieces = [*event.subjects], list[Piece]()
        if event.patient is not None and not event.passive:
            pieces = self.noun_phrase(event.patient, "object", near)
            pronoun = len(pieces) == 1 and pieces[0][0] in _OBJECT_PRONOUNS
            after = bool(event.particle) and (pronoun or self.chance(0.4))
            pieces = [*pieces, *say(event.particle)] if after else [*say(event.particle), *pieces]
            near.append(event.patient)
        else:
            owner = "their" if self.plural(event.subjects) else self._possessive(near[0])
            pieces = say(event.particle.replace("its", owner))
        pieces += self._new_value(event)
        others = [("by", event.agents[0] if event.passive and event.agents else None)]
        others += [event.place] if event.place is not None else []
        others += [("with", event.tool)]
        for word, actor in others:
            if actor is not None:
                pieces += [*say(word), *self.noun_phrase(actor, "object", near)]
                near.append(actor)
            elif word not in ("by", "with"):
                pieces += say(word)
        return pieces

    def _new_value(self, event: Event) -> list[Piece]:
        if not event.changes:
            return []
        actor, kind, position = event.changes[0]
        values = self.actors[actor].values[kind]
        old, new = values[position - 1], about(str(values[position]), "attribute", actor, kind, position)
        if event.change_wording == "from" and old is not None:
            return [*say("from"), *about(old, "attribute", actor, kind, position - 1), *say("to"), *new]
        return [*say("" if event.change_wording == "bare" else "to"), *new]
