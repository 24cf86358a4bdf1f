"""How the parts of a prompt are worded: things, verbs with what follows them, denial, camera, style.

Behind `::`, a template has words, `{this|that}` and, in angle brackets:
    a, a the, a a, a bare              an actor: in full, with "the", with "a", without an article
    a noun, a it, a them, a its        the noun alone, a pronoun, one after a verb or preposition, whose
    a other                            "each other": it stands to itself in a relation
    a deny:no|without                  one that is denied by these words, "neither a": with the article that fits;
                                       `deny:not x`: a value or an event that is denied
    a say:the other                    one that is spoken of in these words
    be a                               "is" or "are"
    e, e present, e headline, e shown  a clause, in that tense; e go, e ing, e base: without the subject
    e made             a clause with a bare participle: "a dog tied to a tree"
    e verb             the verb alone: who takes part follows, in words of the template
    e first            the verb before its subject: "on the wall hangs a mirror"
    e doing, e done    a participle without its subject, whether that is known yet or not: "after washing a car"
    e same             the event has the verb of the one before it: "goes to the left, then to the top"
    x, r, s                            a value, a relation's words, a place on the screen
    camera moves present @2            one of a list of camera moves, or `ing`; `style`, `setting`: likewise
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from mov_ai.captions.caption import Caption
from mov_ai.captions.english import PRONOUNS, article, be
from mov_ai.captions.gold_graph import gold_caption
from mov_ai.captions.plot import Actor, Event
from mov_ai.captions.prompt_plot import Given, PromptPlot
from mov_ai.captions.realiser import Realiser
from mov_ai.captions.text import Piece, about, joined, say
from mov_ai.graph import CameraMove, Interval
from mov_ai.graph.inflection import inflect, pluralize
from mov_ai.graph.time import FULL

_TOKEN = re.compile(r"<([^>]*)>|\{([^}]*)\}|([^\s<{]+)")
#: Words that a clause without a finite verb cannot follow.
_FINITE_AFTER = (
    *("while", "as", "until", "before", "but", "that", "which", "not"),
    *("who", "where", "when", "after", "once"),
)
#: Form of an event -> its tense, where that is not the whole prompt's.
_TENSE_OF = {
    **{"present": "present", "headline": "present", "ing": "gerund", "doing": "gerund", "shown": "caption"},
    **{"made": "participle", "done": "participle", "base": "base"},
}
#: Share of the camera moves to a side that say "to the left" instead of "left".
_TO_THE = 0.25
#: Words of denial that an article follows: "without a dog", but "no dog".
_BEFORE_ARTICLES = ("without", "wearing", "lacking", "missing", "of", "than", "minus")
#: Share of the objects spoken of before for which a pronoun stands, where it is clear.
_PRONOUNS = 0.4
_TENSES = {"present": 48, "caption": 35, "progressive": 17}


class PromptWording(Realiser):
    """Words plots, one after the other; some choices are made once for the whole prompt."""

    #: What reads a template's statements.
    make_plot: ClassVar[type[PromptPlot]] = PromptPlot

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__(rng, [], {})
        self.used: set[str] = set()
        self.tense = self.weighted(_TENSES)
        self.bare = self.chance(0.1)
        self.article = self.weighted({"a": 75, "the": 12, "mixed": 13})
        self.lower, self.full_stop = self.chance(0.45), self.chance(0.35)
        self.plot = self.make_plot(rng, self.actors, self.facts, self.used)
        #: Event -> the one whose verb it has.
        self.unsaid: dict[tuple[str, int], tuple[str, int]] = {}
        #: Whether the template words what follows the verb that is told.
        self._verb_alone = False
        #: The last word so far.
        self._before = ""

    # -- a template ------------------------------------------------------------------------------------------------

    def told(self, template: str, span: Interval = FULL) -> list[Piece]:
        """The pieces of one template, whose steps are parts of `span`."""
        outer, self.plot = self.plot, self.make_plot(self.rng, self.actors, self.facts, self.used)
        pieces = self._text(self.plot.read(template, span))
        keys = {id(event): ("event", number) for number, event in enumerate(self.events)}
        for source, kind, label, target, when in self.plot.links:
            key = keys[id(source)] if isinstance(source, Event) else source
            self.facts.links.append((key, kind, label, target, when))
        self.plot = outer
        return pieces

    def _text(self, text: str) -> list[Piece]:
        pieces: list[Piece] = []
        for token, options, word in _TOKEN.findall(text):
            if token:
                pieces += self._token(token)
            elif options or not word:
                pieces += self._text(self.pick(options.split("|")))
            else:
                pieces += self._plain(word)
            if pieces:
                self._before = pieces[-1][0]
        return pieces

    def _plain(self, word: str) -> list[Piece]:
        """A word of a template; commas that end it are words of their own."""
        mark = word[-1] if len(word) > 1 and word[-1] in ",.;:" else ""
        return say(word.removesuffix(mark) if mark else word, mark)

    def _token(self, token: str) -> list[Piece]:
        name, _, rest = token.partition(" ")
        plot = self.plot
        if name in ("camera", "style", "setting"):
            return self._look(name, rest)
        if name == "be":
            return say(be(self.actors[plot.who[rest]].count > 1))
        if name.startswith("deny:"):
            words, _, target = token.removeprefix("deny:").rpartition(" ")
            return self._denial(self.pick(words.split("|")), target)
        if name in plot.who:
            return self._actor(plot.who[name], rest)
        if name in plot.events:
            return self._event(plot.events[name], rest)
        if name in plot.values:
            return about(plot.wordings[name], *plot.values[name])
        return about(plot.wordings[name], *plot.marks[name])

    def _look(self, field: str, rest: str) -> list[Piece]:
        names, *form = rest.split()
        word = self.pick([word for name in names.split("|") for word in self.plot.words.lists[name]])
        step = next((part[1:] for part in form if part.startswith("@")), "")
        if field == "setting":
            return about(word, "setting")
        if field == "style":
            self.facts.style.append(word)
            return about(word, "mark", "style", "scene")
        adverb, move = ("slowly", word[7:]) if word.startswith("slowly ") else ("", word)
        self.facts.camera.append(CameraMove(move, self.plot.at(step) if step else FULL))
        tense = next((tense for word, tense in (("present", "present"), ("ing", "gerund")) if word in form), "base")
        said = inflect(move, tense)
        rest, _, side = said.rpartition(" ")
        if side in ("left", "right") and self.chance(_TO_THE):
            said = f"{rest} to the {side}"
        return say(adverb) + about(said, "mark", "camera", "scene")

    def _denial(self, words: str, target: str) -> list[Piece]:
        key = self.plot.values.get(target)
        if key is None:
            number = len(self.events)
            key = ("event", number)
            self.facts.denied.add(key)
        # Words like ", not" have their comma first.
        comma = words.startswith(", ")
        return [*say("," if comma else ""), *about(words.removeprefix(", "), "mark", "denial", *key)]

    def _actor(self, index: int, how: str) -> list[Piece]:
        if how.startswith("say:"):
            word = self.pick(how[4:].split("|"))
            return about(word, "entity", index)
        if how == "them":
            return self.noun_phrase(index, "object", how="it")
        if how == "its":
            return say(self._whose(self.actors[index]))
        if how == "other":
            return self._each_other()
        if how.startswith("deny:"):
            words = self.pick(how[5:].split("|"))
            comma, words = words.startswith(", "), words.removeprefix(", ")
            actor = self.actors[index]
            one = actor.count == 1 or words.endswith((" single", " a"))
            if one:
                actor.count, actor.number = 1, ""
            with_article = one and (words.endswith(" a") or words.split()[-1] in _BEFORE_ARTICLES)
            denied = about(words.removesuffix(" a"), "mark", "denial", "entity", index)
            phrase = self.noun_phrase(index, how="" if with_article else "bare")
            return [*say("," if comma else ""), *denied, *phrase]
        return self.noun_phrase(index, how=how)

    def _whose(self, actor: Actor) -> str:
        """A possessive pronoun; of a person of whom the noun does not say more, any."""
        unsaid = actor.pronoun == "plural" and actor.count == 1
        key = self.weighted({"male": 2, "female": 2, "plural": 1}) if unsaid else actor.pronoun
        return PRONOUNS["plural" if actor.count > 1 else key][2]

    def _each_other(self) -> list[Piece]:
        return say(self.weighted({"each other": 5, "one another": 1}))

    def _event(self, event: Event, how: str) -> list[Piece]:
        if how == "same":
            number = len(self.events)
            event.lemma, event.particle = self.events[-1].lemma, self.events[-1].particle
            before = ("event", number - 1)
            self.unsaid["event", number] = self.unsaid.get(before, before)
            self.events.append(event)
            return []
        tense = _TENSE_OF.get(how, self.tense)
        if tense == "caption" and self._before in _FINITE_AFTER:
            tense = "present"
        if how == "headline":
            self.bare, self.tense = self.chance(0.85), "present"
        if how == "go" and self._before == "before":
            tense = "gerund"
        if how in ("doing", "done"):
            return self.clause(event, _TENSE_OF[how], subject=False)
        if how == "verb":
            self._verb_alone = True
            how = "go"
        if how == "first":
            return [*self.verb_phrase(event, "present"), *self.subject_phrase(event)]
        is_named = all(subject in self.mentioned for subject in event.subjects)
        return self.clause(event, tense, subject=not (is_named and how in ("go", "ing", "present", "base")))

    # -- what the realiser asks for --------------------------------------------------------------------------------

    def noun_phrase(self, index: int, case: str = "subject", near: Sequence[int] = (), how: str = "") -> list[Piece]:
        """Speak of an actor; `how` as in the file's first lines."""
        actor = self.actors[index]
        twins = self.plot.twins.get(index, [index])
        plural = actor.count > 1 or (len(twins) > 1 and index not in self.mentioned)
        noun = pluralize(actor.noun) if plural and actor.noun not in self.plot.words.plural_only else actor.noun
        if index in self.mentioned and case == "object" and not how and len(twins) == 2:
            return about("the other", "entity", index)
        if index in self.mentioned:
            pronoun = PRONOUNS["plural" if actor.count > 1 else actor.pronoun][case == "object"]
            clear = actor.pronoun != "plural" and how == "it"
            if clear or (actor.count > 1 and how == "it"):
                return about(pronoun, "entity", index)
            return [*say("" if self.bare else "the"), *about(noun, "entity", index)]
        self.mentioned += twins
        if len(twins) > 1:
            number = self.pick(self.plot.words.numbers[len(twins)])
            spoken = [*about(number, "mark", "number", "entity", index), *about(noun, "entity", index)]
            return [*spoken, *(("", ("entity", twin)) for twin in twins[1:])]
        pieces: list[Piece] = []
        for kind, word in actor.looks if how != "noun" else ():
            pieces += about(word, "attribute", index, kind, 0)
        pieces += about(noun, "entity", index)
        if index in self.plot.own:
            return [*say(self._whose(self.actors[self.plot.own[index]])), *pieces]
        if actor.owner is not None:
            return [*self.noun_phrase(actor.owner), *say("'s"), *pieces]
        return [*self._determiner(actor, index, pieces[0][0], how), *pieces]

    def _determiner(self, actor: Actor, index: int, following: str, how: str) -> list[Piece]:
        number = about(actor.number, "mark", "number", "entity", index) if actor.number else []
        if how in ("bare", "noun"):
            return number if how == "bare" else []
        if ("entity", index) in self.facts.denied:
            return (
                number
                if number or actor.count > 1 or actor.noun in (*self.plot.words.mass, *self.plot.words.plural_only)
                else say(article(following))
            )
        mixed = self.article == "mixed" and self.chance(0.5)
        the = how == "the" or (how != "a" and (mixed or self.article == "the"))
        if number or self.bare:
            return number
        if actor.group in self.plot.words.names or (actor.count > 1 and not (the and how == "the")):
            return []
        if actor.noun in self.plot.words.mass or actor.noun in self.plot.words.plural_only:
            return []
        return say("the" if the else article(following))

    def subject_phrase(self, event: Event) -> list[Piece]:
        """All subjects of an event; those that are told of together first, by one word."""
        subjects = event.subjects
        twins = self.plot.twins.get(subjects[0], []) if subjects else []
        if len(twins) > 1 and set(twins) == set(subjects):
            return self.noun_phrase(subjects[0])
        return self._several(subjects, "subject")

    def _several(self, actors: Sequence[int], case: str) -> list[Piece]:
        pieces: list[Piece] = []
        for position, index in enumerate(actors):
            if position:
                pieces += say("and" if position == len(actors) - 1 else ",")
            how = "it" if case == "object" and len(actors) == 1 and self._is_clear(index) else ""
            pieces += self.noun_phrase(index, case, how=how)
        return pieces

    def _is_clear(self, index: int) -> bool:
        """Whether a pronoun is to stand for someone spoken of before, whom no other can be taken for."""
        actor = self.actors[index]
        last = self.salient or [index]
        if index not in self.mentioned or index in last or not self.chance(_PRONOUNS):
            return False
        sexes = [(other.pronoun, other.count > 1) for other in map(self.actors.__getitem__, self.mentioned)]
        return sexes.count((actor.pronoun, actor.count > 1)) == 1 and index not in self.plot.twins

    def complements(self, event: Event) -> list[Piece]:
        """Particle, receiver, object, direction, place, and who did it."""
        if self._verb_alone:
            self._verb_alone = False
            return say(event.particle)
        receivers, after = self.plot.receivers.get(id(event), ([], ""))
        apart = bool(event.particle) and not event.passive and bool(event.patients) and self.chance(0.25)
        pieces = say("" if apart else event.particle)
        if not after:
            pieces += (
                self._each_other() if receivers and receivers == event.agents else self._several(receivers, "object")
            )
        if not event.passive or isinstance(event, Given):
            mutual = bool(event.agents) and event.patients == event.agents
            pieces += self._each_other() if mutual else self._several(event.patients, "object")
        pieces += say(event.particle if apart else "")
        if receivers and after:
            pieces += [*say(after), *self._several(receivers, "object")]
        if event.tool is not None:
            pieces += [*say(self.plot.tools[id(event)]), *self.noun_phrase(event.tool, "object")]
        pieces += say(self.plot.ways.get(id(event), ""))
        if id(event) in self.plot.places:
            preposition, place = self.plot.places[id(event)]
            whom = self._each_other() if place in event.agents else self.noun_phrase(place, "object")
            pieces += [*say(preposition), *whom]
        if event.passive and event.agents:
            pieces += [*say("by"), *self._several(event.agents, "object")]
        return pieces

    def elided_tense(self, event: Event, tense: str) -> str:
        """The tense stays."""
        return tense

    # -- the text --------------------------------------------------------------------------------------------------

    def prompt(self, pieces: list[Piece], kind: str) -> Caption:
        """The text of the pieces, as carelessly as people type, with its graph."""
        pieces = self._typed(pieces)
        whole = [piece for piece in pieces if piece[0]]
        text, spans = joined(whole, self.lower, self.full_stop)
        # One word for all who are told of together.
        shared: list[tuple[tuple[int, int], tuple[str | int, ...]]] = []
        number = -1
        for words, key in pieces:
            if words and key is not None:
                number += 1
            elif not words and key is not None:
                shared.append((spans[number][0], key))
        of_key = {key: span for span, key in spans}
        shared += [(of_key[told], key) for key, told in self.unsaid.items()]
        in_order = sorted(spans + shared, key=lambda pair: pair[0])
        return gold_caption(text, in_order, self.actors, self.events, (), self.meets, kind, self.facts)

    def _typed(self, pieces: list[Piece]) -> list[Piece]:
        """Slips of the keys in small words, articles left out."""
        slips, typed = self.chance(0.08), list[Piece]()
        for place, (words, key) in enumerate(pieces):
            if key is None and words in ("a", "an") and place + 1 < len(pieces):
                words = article(pieces[place + 1][0].lower())
            if key is None and words in ("a", "an", "the") and self.bare and self.chance(0.5):
                continue
            if slips and key is None and words in self.plot.words.typos and self.chance(0.3):
                words = self.pick(self.plot.words.typos[words])
            typed.append((words, key))
        return typed
