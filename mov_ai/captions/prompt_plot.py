"""Plots of prompts: a template's statements, with actors, verbs, values and places drawn for them.

A template, a line of `lexicons/prompts.yaml`, is statements with `;` between, `::`, and how they are said:
    a: person|thing*n         an actor of one of these classes; *s: several, *n: a number of them, *3: three;
                              then `plain`: without adjectives, `look`: with one. '...' gives the nouns themselves,
                              `=b` the noun of another actor, `!a:` an actor that is said not to be there
    a+b: animal               actors that are told of together first, and apart then
    e= sit|lie(a, b, c)       an event: agents, patients, receiver; `act`, `do`, `move`: a verb that fits them. Then
                              `[on|in d]` a place, `^ways` a direction with its words, `^=up` one without, `@2` the
                              step, `%with|using d` an instrument, `~manner`, `~gradual` (often before the verb),
                              `passive`, `given` (passive, of the receiver), `to` or `for` (the receiver follows).
                              `!e=` is denied by its verb, `~e=` by other words
    x/ a color|!size          a value of an actor; `x>y/ a color @1` a change in a step; `>y/`: only its end is said;
                              `x>y>z/ a color`: each holds for a third
    r- a+b on|in c            a relation, of an event its place; `b 's a` an owner, `b ~'s a` one that a pronoun
                              stands for; `s[ a left @1` a place on the screen; `t@ a @2` when it is there
`$name` stands for one of a list of the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from mov_ai.captions.choices import Choices
from mov_ai.captions.lexicon import PromptWords, StoryWords, Words, load
from mov_ai.captions.plot import Actor, Event, Facts
from mov_ai.captions.text import Key
from mov_ai.graph import Interval
from mov_ai.graph.inflection import pluralize
from mov_ai.graph.time import FULL, change_time

WORDS = load("prompts", PromptWords)
STORIES = load("stories", StoryWords)
#: Classes of `stories.yaml` whose movements these classes share.
_MOVERS = {"person": "human", "animal": "animal", "vehicle": "vehicle"}
#: Kinds of adjective that are no kind of attribute of the schema.
_KINDS = {
    **{"mood": "state", "taste": "state", "light": "state", "scene": "state", "weather": "state", "tidiness": "state"},
    **{"grow": "size", "growth": "size", "shrinkage": "size"},
    **{"fabric": "material", "matter": "material", "twotone": "color"},
}
_SCHEMA_KINDS = ("color", "size", "material", "shape", "texture", "state", "text")
_POSSESSION = ("of", "with", "have")
_STATEMENT = re.compile(r"(?P<mark>[!~]?)(?P<name>[\w+>]*)(?P<kind>: |= |/ |- |\[ |@ | ~?'s )(?P<rest>.*)$")
_EVENT = re.compile(r"(?P<verbs>[\w|$ ]+)\((?P<roles>[^)]*)\)(?P<tail>.*)$")
#: Share of the things that a noun names more closely, and of the actors with an adjective.
_MODIFIED, _LOOKS = 0.1, 0.4


@dataclass
class Given(Event):
    """An event that is told of those who receive: "a child is given a ball"."""

    receivers: list[int] = field(default_factory=list)

    @property
    def subjects(self) -> list[int]:
        """Who receives."""
        return self.receivers


class PromptPlot(Choices):
    """What one template speaks of; several make a prompt.

    Args:
        actors, facts: of the whole prompt; what this template adds is appended.
        used: nouns of the prompt so far.
    """

    #: The words that templates draw from, and class -> nouns.
    words: ClassVar[PromptWords] = WORDS
    nouns: ClassVar[Mapping[str, Words]]

    def __init__(self, rng: np.random.Generator, actors: list[Actor], facts: Facts, used: set[str]) -> None:
        super().__init__(rng)
        self.actors, self.facts, self.used = actors, facts, used
        #: By the template's letters.
        self.who: dict[str, int] = {}
        self.events: dict[str, Event] = {}
        self.values: dict[str, Key] = {}
        #: What is said of a relation, a place or a way; and of values, whose nodes bear other words.
        self.wordings: dict[str, str] = {}
        self.marks: dict[str, Key] = {}
        self.classes: dict[int, str] = {}
        #: Actor -> all that are told of together with it.
        self.twins: dict[int, list[int]] = {}
        #: Things whose owner a pronoun stands for ("her hat") -> the owner.
        self.own: dict[int, int] = {}
        #: Event -> (preposition, actor), words of its direction and before its instrument, its receivers and the word
        #: before them if they follow the object; by `id`.
        self.places: dict[int, tuple[str, int]] = {}
        self.ways: dict[int, str] = {}
        self.tools: dict[int, str] = {}
        self.receivers: dict[int, tuple[list[int], str]] = {}
        #: Edges whose ends may be events, which get their keys when they are told.
        self.links: list[tuple[Key | Event, str, str | None, Key, Interval]] = []
        self._drawn: set[str] = set()
        #: Letters that the text says by themselves.
        self._spoken: set[str] = set()
        self._span: Interval = FULL
        self._steps = 1

    def read(self, template: str, span: Interval = FULL) -> str:
        """Draw all that a template's statements ask for; their steps are parts of `span`. Returns its text."""
        statements, _, text = template.partition("::")
        self._spoken = {name for token in re.findall(r"<([^>]*)>", text) for name in token.split()}
        self._span = span
        # The text has steps of its own: those of the camera.
        self._steps = max(map(int, re.findall(r"@(?:\d-)?(\d)", template)), default=1)
        parts = [part.strip() for part in statements.split(";") if part.strip()]
        # Actors first, then events: the others name them.
        for statement in sorted(parts, key=lambda part: (": " not in part, "= " not in part)):
            match = _STATEMENT.match(statement)
            if match is None:
                raise ValueError(f"prompts.yaml: cannot read {statement!r}")
            mark, name, kind, rest = match.groups()
            readers = {":": self._actor, "=": self._event, "/": self._value, "-": self._relation}
            readers |= {"[": self._screen, "@": self._present, "'s": self._owner}
            readers[kind.strip().removeprefix("~")](mark or ("~" if "~" in kind else ""), name, rest)
        return text

    # -- statements ------------------------------------------------------------------------------------------------

    def _actor(self, mark: str, name: str, rest: str) -> None:
        names = name.split("+")
        spec, _, flag = rest.partition("' ") if rest.startswith("'") else rest.partition(" ")
        spec, _, number = spec.partition("*")
        group, noun = self._noun(spec.strip("'"), spec)
        counts = {"": 1, "s": 2, "n": 1}
        for letter in names:
            actor = Actor(noun, group, self._pronoun(group, noun), counts.get(number) or int(number or 1))
            if number == "n":
                actor.count = int(self.weighted({str(n): 4.0 if n < 6 else 1.0 for n in self.words.numbers if n > 1}))
                actor.number = self.pick(self.words.numbers[actor.count])
            elif number.isdecimal():
                actor.number = self.pick(self.words.numbers[actor.count])
            if noun in self.words.mass or noun in self.words.plural_only or group in self.words.names:
                actor.count, actor.number = 1, ""
            self.who[letter] = len(self.actors)
            self.classes[len(self.actors)] = group
            self.actors.append(actor)
            if flag == "look" or (not flag and not spec.startswith("=") and self.chance(_LOOKS)):
                actor.looks = self._looks(group)
        together = [self.who[letter] for letter in names]
        if len(names) > 1:
            self.twins |= dict.fromkeys(together, together)
            for index in together:
                self.actors[index].looks = []
        if mark == "!":
            self.facts.denied.add(("entity", together[0]))

    def _noun(self, spec: str, raw: str) -> tuple[str, str]:
        """A class, and a noun of it that the prompt does not have yet."""
        if spec.startswith("="):
            other = self.who[spec[1:]]
            return self.classes[other], self.actors[other].noun
        if raw.startswith("'"):
            options = spec.split("|")
            is_person = "some" in spec or options[0] in self.nouns.get("person", ())
            group = "person" if is_person else "thing"
        else:
            group = self.pick(self.listed(spec))
            options = list(self.nouns[group])
        free = [noun for noun in options if noun not in self.used] or options
        noun = self.pick(free)
        self.used.add(noun)
        if (
            not raw.startswith("'")
            and group in ("thing", "furniture", "building", "place")
            and noun not in self.words.mass
            and self.chance(_MODIFIED)
        ):
            noun = f"{self.pick(self.words.modifiers)} {noun}"
        return group, noun

    def _pronoun(self, group: str, noun: str) -> str:
        if group not in ("person", "who"):
            return "plural" if noun in self.words.plural_only else "thing"
        return next((sex for sex in ("male", "female") if noun in STORIES.nouns[sex]), "plural")

    def _looks(self, group: str) -> list[tuple[str, str]]:
        kinds = self.words.looks.get(group, ())
        if not kinds:
            return []
        kind = self.pick(kinds)
        looks = [(schema_kind(kind), self.pick(self.words.adjectives[kind]))]
        if self.chance(0.12):
            other = self.pick(kinds)
            if schema_kind(other) != looks[0][0]:
                looks.append((schema_kind(other), self.pick(self.words.adjectives[other])))
        return looks

    def _owner(self, mark: str, name: str, rest: str) -> None:
        thing, owner = self.who[name], self.who[rest]
        if mark == "~":
            self.own[thing] = owner
            return
        self.actors[thing].owner = owner
        self.links.append((("entity", thing), "relation", "of", ("entity", owner), FULL))

    def _event(self, mark: str, name: str, rest: str) -> None:
        match = _EVENT.match(rest)
        assert match is not None, rest
        roles = [[self.who[n] for n in part.strip().split("+") if n] for part in match["roles"].split(",")]
        agents, patients, receivers = [*roles, [], []][:3]
        tail = match["tail"]
        event = (
            Given(agents, patients=patients, receivers=receivers)
            if " given" in tail
            else Event(agents, patients=patients)
        )
        event.lemma, _, event.particle = self._verb(match["verbs"], agents, patients).partition(" ")
        event.passive = " passive" in tail or isinstance(event, Given)
        step = re.search(r"@([\d-]+)", tail)
        event.interval = self.at(step[1] if step else "")
        if manner := re.search(r"~(manner|gradual)", tail):
            event.manner = self._draw(self.words.lists[manner[1]])
            # "Slowly turns red" is as common as "turns red slowly".
            event.manner_first = manner[1] == "gradual" and self.chance(0.7)
        if mark:
            event.negated = self.weighted({"not": 4, "never": 1, "no longer": 1}) if mark == "!" else ""
        self.events[name] = event
        if way := re.search(r"\^(\S+)", tail):
            words, _, event.direction = (
                way[1] if way[1].startswith("=") else self.pick(self.words.ways[way[1]])
            ).rpartition("=")
            self.ways[id(event)] = words
        if place := re.search(r"\[(\S+) (\w)\]", tail):
            label = self._draw(self.listed(place[1], spaces=True))
            self.places[id(event)] = (self.pick(self.words.wordings.get(label, (label,))), self.who[place[2]])
            self.links.append((event, "location", label, ("entity", self.who[place[2]]), FULL))
        if tool := re.search(r"%(\S+) (\w)", tail):
            self.tools[id(event)], event.tool = self.pick(tool[1].split("|")), self.who[tool[2]]
        after = next((word for word in tail.split() if word in ("to", "for")), "")
        if receivers and not isinstance(event, Given):
            self.receivers[id(event)] = (receivers, after)
        for receiver in receivers:
            self.links.append((event, "receiver", None, ("entity", receiver), FULL))

    def _verb(self, verbs: str, agents: Sequence[int], patients: Sequence[int]) -> str:
        who = self.classes[agents[0]] if agents else "person"
        if verbs == "act":
            return self._draw(
                self.words.acts.get(who) or self.words.acts.get(self.words.alike.get(who, ""), self.words.acts["thing"])
            )
        if verbs == "move":
            return self._draw(STORIES.moves[_MOVERS.get(self.words.alike.get(who, who), "object")])
        if verbs == "do":
            verbs_by_object = self.words.does[self.words.alike.get(who, who)]
            what = self.classes[patients[0]]
            alike = self.words.alike.get(what, "thing")
            return self._draw(verbs_by_object.get(what) or verbs_by_object.get(alike) or verbs_by_object["thing"])
        return self._draw(self.listed(verbs))

    def _value(self, mark: str, name: str, rest: str) -> None:
        letter, spec, *step = rest.split()
        actor, denied = self.who[letter], "!" in spec
        before, change, after = name.partition(">")
        kinds = self.listed(spec.replace("!", ""))
        kind = self.pick(
            [k for kind in kinds for k in (self.words.looks[self.classes[actor]] if kind == "look" else [kind])]
        )
        if kind == "text":
            self._keep(before, ("attribute", actor, "text", 0), self._quote())
            return
        if not change:
            # "Blue, not red": two values of one kind are apart.
            earlier = [key for key in self.values.values() if key[1:3] == (actor, schema_kind(kind))]
            key: Key = ("attribute", actor, schema_kind(kind), len(earlier))
            self._drop_looks(actor, key)
            self._keep(before, key, self._draw(self.words.adjectives[kind]))
            if denied:
                self.facts.denied.add(key)
            return
        if ">" in after:
            self._three_values([before, *after.split(">")], actor, kind)
            return
        if kind in self.words.changes:
            old, new = self.pick(self.words.changes[kind])
        else:
            old, new = self._draw(self.words.adjectives[kind]), self._draw(self.words.adjectives[kind])
        kinds_of = [
            "color" if kind == "light" and word in self.words.adjectives["color"] else schema_kind(kind)
            for word in (old, new)
        ]
        time = change_time(self.at(step[0][1:] if step else ""))
        first, second = (("attribute", actor, k, i) for i, k in enumerate(kinds_of))
        self.facts.times |= {first: (0.0, time), second: (time, 1.0)}
        if before or kind in self.words.changes:
            self._drop_looks(actor, first)
        if before:
            self._keep(before, first, old)
        self._keep(after, second, new)

    def _three_values(self, names: Sequence[str], actor: int, kind: str) -> None:
        """Values that follow each other, each for its share of the time."""
        start, length = self._span[0], (self._span[1] - self._span[0]) / len(names)
        for number, name in enumerate(names):
            key: Key = ("attribute", actor, schema_kind(kind), number)
            self.facts.times[key] = (round(start + number * length, 4), round(start + (number + 1) * length, 4))
            self._drop_looks(actor, key)
            self._keep(name, key, self._draw(self.words.adjectives[kind]))

    def _drop_looks(self, actor: int, key: Key) -> None:
        self.actors[actor].looks = [look for look in self.actors[actor].looks if look[0] != key[2]]

    def _keep(self, name: str, key: Key, word: str) -> None:
        self.values[name], self.wordings[name] = key, word
        if key[2] == "text":
            self.facts.labels[key] = word[1:-1]
        elif key not in self.facts.times and name not in self._spoken:
            # It is told with its thing: "a red ball".
            self.actors[int(key[1])].looks.insert(0, (str(key[2]), word))

    def _quote(self) -> str:
        """What is written somewhere: words as signs have them, or a phrase that could be taken for a prompt."""
        text = self.pick(self.words.texts)
        if self.chance(0.4):
            noun, colour = (
                self.pick(self.nouns[self.pick(("thing", "animal", "person"))]),
                self.pick(self.words.adjectives["color"]),
            )
            way = self.pick(("left", "right", "up", "away", "home", "now"))
            text = self.pick(
                (
                    f"{colour} {noun}",
                    f"{noun} {self.pick(self.words.acts['thing'])}s {way}",
                    f"no {noun}",
                    f"two {pluralize(noun)}",
                    f"{noun} {self.rng.integers(1, 100)}",
                    f"{noun} and {self.pick(self.nouns['food'])}",
                    f"{self.pick(('save the', 'i love my', 'beware of the', 'the last', 'my', 'best'))} {noun}",
                    f"{noun} {self.pick(('on', 'in', 'behind'))} the {self.pick(self.nouns['place'])}",
                )
            )
        marks = self.weighted({'""': 6, "''": 3, "“”": 2, "‘’": 1})
        return f"{marks[0]}{self.pick((text, text.upper(), text.capitalize(), text.title()))}{marks[1]}"

    def _relation(self, mark: str, name: str, rest: str) -> None:
        sources, labels, targets, *step = rest.split()
        label = self._draw(self.listed(labels, spaces=True))
        self.wordings[name] = self.pick(self.words.wordings.get(label, (label,)))
        kind = "relation" if label in _POSSESSION or label.endswith((" than", " as")) or " as " in label else "spatial"
        when = self.at(step[0][1:]) if step else FULL
        self.marks[name] = ("mark", "relation", "entity", self.who[targets[0]])
        for source in sources.split("+"):
            for target in targets.split("+"):
                end: Key = ("entity", self.who[target])
                if source in self.events:
                    self.links.append((self.events[source], "location", label, end, when))
                else:
                    self.links.append((("entity", self.who[source]), kind, label, end, when))

    def _screen(self, mark: str, name: str, rest: str) -> None:
        letter, labels, *step = rest.split()
        self.wordings[name] = label = self._draw(self.listed(labels, spaces=True))
        when = self.at(step[0][1:]) if step else FULL
        self.marks[name] = ("mark", "place", "scene")
        source: Key | Event = self.events[letter] if letter in self.events else ("entity", self.who[letter])
        self.links.append((source, "location", label, ("scene",), when))

    def _present(self, mark: str, name: str, rest: str) -> None:
        letter, step = rest.split()
        self._steps = max(self._steps, 2)
        start, end = self.at(step[1:])
        # What is there from a step on stays, whatever other sentences tell.
        self.facts.times["entity", self.who[letter]] = (0.0 if step == "@1" else start, end if step == "@1" else 1.0)

    def at(self, step: str) -> Interval:
        """The interval of a step ("2") or of several ("1-2"); of none, all of it."""
        if not step:
            return self._span
        first, _, last = step.partition("-")
        steps = max(self._steps, int(last or first))
        start, length = self._span[0], (self._span[1] - self._span[0]) / steps
        return round(start + (int(first) - 1) * length, 4), round(start + int(last or first) * length, 4)

    def listed(self, text: str, spaces: bool = False) -> Words:
        """The options that a template gives; `spaces`: underscores stand for them."""
        options = self.words.lists[text[1:]] if text.startswith("$") else tuple(text.split("|"))
        return tuple(option.replace("_", " ") for option in options) if spaces else options

    def _draw(self, options: Sequence[str]) -> str:
        """One of the options that this template has not drawn yet, as far as there is one."""
        option = self.pick([option for option in options if option not in self._drawn] or list(options))
        self._drawn.add(option)
        return option


def schema_kind(kind: str) -> str:
    """The schema's name for a kind of adjective."""
    kind = _KINDS.get(kind, kind)
    return kind if kind in _SCHEMA_KINDS else "other"


def _nouns() -> dict[str, Words]:
    own = {**WORDS.nouns, **WORDS.names}
    shared = {name: [n for part in parts for n in _story_nouns(part)] for name, parts in WORDS.stories.items()}
    return {name: tuple(dict.fromkeys((*nouns, *shared.get(name, ())))) for name, nouns in own.items()}


def _story_nouns(part: str) -> Words:
    return STORIES.nouns[part] if part in STORIES.nouns else STORIES.places[part]


#: Class -> nouns.
NOUNS = _nouns()
PromptPlot.nouns = NOUNS
