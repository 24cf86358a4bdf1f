"""The realiser: from events to clauses, and from two clauses to a sentence by a pattern."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np

from mov_ai.captions.caption import Caption
from mov_ai.captions.choices import Choices
from mov_ai.captions.english import negated, verb_chain
from mov_ai.captions.gold_graph import gold_caption
from mov_ai.captions.lexicon import Patterns
from mov_ai.captions.plot import Actor, Event, Facts
from mov_ai.captions.text import Piece, joined, say
from mov_ai.graph import Interval
from mov_ai.graph.inflection import inflect

#: Wordings that speak of one thing only -> what is said of several.
FOR_SEVERAL = {"as it is": "while", "where it is": "still"}
_TOKEN = re.compile(
    r"""
    \[(?P<odds>[\d.]+)\ (?P<either>.*?)\ \|\ (?P<other>.*?)\]   # [0.5 this | that]
    | (?:,(?P<comma>[\d.]+))?\{(?P<words>[^}]*)\}               # ,0.2{while|as}
    | (?P<who>[AB])(?::(?P<how>\w+))?(?=\s|$)                   # A or B:aside
    | \S+
    """,
    re.VERBOSE,
)


class Realiser(Choices, ABC):
    """Words events; everything is worded in the order of the text, so that first mentions are known.

    A plot's own realiser says how its nouns are worded (`noun_phrase`, `subject_phrase`), how its verbs are chosen
    (`choose_words`) and what follows them (`complements`).
    """

    def __init__(self, rng: np.random.Generator, actors: list[Actor], patterns: Patterns) -> None:
        super().__init__(rng)
        self.actors, self.patterns = actors, patterns
        #: Events in the order in which the text mentions them, and actors in the order of their first mentions.
        self.events: list[Event] = []
        self.mentioned: list[int] = []
        #: The last subjects: a pronoun would be understood as one of them.
        self.salient: list[int] = []
        self.meets: set[tuple[int, int]] = set()
        self.facts = Facts()
        self.pattern = "plain"
        self.lower, self.full_stop = False, True

    # -- what each plot words in its own way ---------------------------------------------------------------------------

    @abstractmethod
    def noun_phrase(self, index: int, case: str = "subject", near: Sequence[int] = ()) -> list[Piece]:
        """Speak of an actor: in full the first time, briefly afterwards. `near`: told in the same clause before it."""

    @abstractmethod
    def subject_phrase(self, event: Event) -> list[Piece]:
        """All subjects of an event."""

    def choose_words(self, event: Event) -> None:
        """Fix the words of an event that are still open, just before it is worded."""

    @abstractmethod
    def complements(self, event: Event) -> list[Piece]:
        """What follows the verb."""

    @abstractmethod
    def elided_tense(self, event: Event, tense: str) -> str:
        """The tense of a verb whose subject is left out: "is rolling, then turning"."""

    def first_clause(self, event: Event, tense: str, main: Event | None = None) -> list[Piece]:
        """The first clause of a pattern; `main` is the event of the main clause if that still follows."""
        return self.clause(event, tense)

    # -- clauses -------------------------------------------------------------------------------------------------------

    def plural(self, actors: Sequence[int]) -> bool:
        """Whether actors are several."""
        return len(actors) > 1 or any(self.actors[index].count > 1 for index in actors)

    def clause(self, event: Event, tense: str, subject: bool = True) -> list[Piece]:
        """Subject and verb phrase of an event; without the subject, what goes on with the clause before."""
        if not subject:
            return self.verb_phrase(event, self.elided_tense(event, tense))
        pieces = self.subject_phrase(event)
        self.salient = list(event.subjects)
        return [*pieces, *self.verb_phrase(event, tense)]

    def verb_phrase(self, event: Event, tense: str) -> list[Piece]:
        """The verb with all that belongs to it; tenses as in `english.verb_chain`."""
        self.choose_words(event)
        self.events.append(event)
        number = len(self.events) - 1
        before, form = self.auxiliaries(event, tense)
        manner, times = event.manner or "", event.times or ""
        pieces = say(*before, manner if event.manner_first else "", times if event.times_first else "")
        pieces.append((inflect(event.lemma, form, self.plural(event.subjects)), ("event", number)))
        pieces += self.complements(event)
        return pieces + say("" if event.manner_first else manner, "" if event.times_first else times)

    def auxiliaries(self, event: Event, tense: str) -> tuple[tuple[str, ...], str]:
        """Words before the verb, negation among them, and the verb's form."""
        plural = self.plural(event.subjects)
        before, form = verb_chain(tense, event.passive, plural)
        if not event.negated:
            return before, form
        short = event.negated == "not" and not event.passive and tense in ("progressive", "present", "past")
        contracted = short and self.chance(0.4 if tense == "progressive" else 0.45)
        return negated(event.negated, before, form, plural, contracted)

    # -- patterns ------------------------------------------------------------------------------------------------------

    def pattern_among(self, family: str, without: Sequence[str] = ()) -> str:
        """The name of a pattern of a family, as likely as its weight says."""
        patterns = self.patterns[family].items()
        return self.weighted({name: weight for name, (weight, _) in patterns if weight and name not in without})

    def template(self, family: str, name: str = "") -> str:
        """The template of a pattern; of any one of its family if it is not named."""
        return self.patterns[family][name or self.pattern_among(family)][1]

    def arrange(
        self,
        template: str,
        a: Event,
        b: Event,
        tenses: Mapping[str, str],
        same: bool = False,
        introduces: bool = True,
    ) -> list[Piece]:
        """Two events in the order of a template.

        A template is written in words and
            A, B            the clause of an event in the tense "main"; A:aside, A:done: in another one of `tenses`;
            A:gerund        its verb phrase without a subject, in that form; A:again: in the main tense;
            A:elided        its clause without the subject;
            {while|as}      one of these words;
            ,0.2{while|as}  the same, after a comma with that probability;
            [0.5 x | y]     x with that probability if `same` (both events have one subject), else y.

        Args:
            introduces: whether the first clause is one that things may be introduced in: `first_clause`.
        """
        tokens, pieces = list(_TOKEN.finditer(template)), list[Piece]()
        while tokens:
            token = tokens.pop(0)
            if token["odds"]:
                chosen = token["either"] if same and self.chance(float(token["odds"])) else token["other"]
                tokens[:0] = _TOKEN.finditer(chosen)
            elif token["words"] is not None:
                words = self.pick(token["words"].split("|"))
                words = FOR_SEVERAL.get(words, words) if self.plural(a.subjects) else words
                comma = token["comma"] is not None and self.chance(float(token["comma"]))
                pieces += say("," if comma else "", words)
            elif token["who"]:
                event, other = (a, b) if token["who"] == "A" else (b, a)
                how = token["how"] or "main"
                if how in ("gerund", "again"):
                    pieces += self.verb_phrase(event, tenses["main"] if how == "again" else how)
                elif how == "elided":
                    pieces += self.clause(event, tenses["main"], subject=False)
                elif introduces:
                    introduces = False
                    pieces += self.first_clause(event, tenses[how], None if how == "main" else other)
                else:
                    pieces += self.clause(event, tenses[how])
            else:
                pieces += say(token[0])
        return pieces

    def pair(self, pattern: str, a: Event, b: Event, tenses: Mapping[str, str], same: bool) -> list[Piece]:
        """Two steps in one sentence, their order or link given by a subordinate clause."""
        self.pattern = pattern
        if pattern.startswith(("once", "soon", "until")):
            self.meets.add((id(a), id(b)))
        return self.arrange(self.template("pairs", pattern), a, b, tenses, same)

    def caption(self, pieces: Sequence[Piece], relations: Sequence[tuple[int, str, int, Interval]] = ()) -> Caption:
        """The text of the pieces with its graph."""
        text, spans = joined(pieces, self.lower, self.full_stop)
        return gold_caption(text, spans, self.actors, self.events, relations, self.meets, self.pattern, self.facts)
