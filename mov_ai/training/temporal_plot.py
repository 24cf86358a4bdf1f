"""What happens in a temporal caption that trains the parser: actors, and their events step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from mov_ai.training import temporal_lexicon as lexicon
from mov_ai.training.temporal_lexicon import Action

_T = TypeVar("_T")
#: Share of the words that stand for a class when it is asked for.
_CLASSES = ("male", "female", "person", "animal", "bird", "vehicle", "object", "food", "openable", "fixture", "weather")
_CAST = np.array([16, 16, 14, 12, 5, 10, 14, 3, 4, 6, 5], dtype=float)
_NUMBERS = {2: ("two", "2"), 3: ("three", "3"), 4: ("four",), 5: ("five",), 6: ("six",)}
#: Class of nouns -> which kinds of value change.
_CHANGING: dict[str, dict[str, float]] = {
    "human": {"state": 1.0},
    "animal": {"state": 3.0, "color": 1.0, "size": 1.0},
    "object": {"color": 5.0, "state": 4.0, "size": 1.5},
}


class Dice:
    """Random choices."""

    rng: np.random.Generator

    def _chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def _pick(self, options: Sequence[_T]) -> _T:
        return options[int(self.rng.integers(len(options)))]

    def _weighted(self, options: dict[str, float]) -> str:
        weights = np.array(list(options.values()))
        return list(options)[int(self.rng.choice(len(options), p=weights / weights.sum()))]


@dataclass
class Actor:
    """Someone or something.

    Attributes:
        noun: in the singular.
        group: class of verbs and looks: "human", or the class of the noun.
        pronoun: key of `lexicon.PRONOUNS`.
        count: how many; `number` is the word for it, "" for a bare plural.
        looks: (kind, word) that are said with the first mention.
        owner: number of the actor whose it is, if it is said so ("her hand").
        lacks: number of the actor that it is said to be without.
        values: kind -> the values it has had: the first is None where it is not said.
    """

    noun: str
    group: str
    pronoun: str
    count: int = 1
    number: str = ""
    looks: list[tuple[str, str]] = field(default_factory=list)
    owner: int | None = None
    lacks: int | None = None
    values: dict[str, list[str | None]] = field(default_factory=dict)

    @property
    def changing(self) -> bool:
        return any(len(values) > 1 for values in self.values.values())


@dataclass
class Event:
    """One thing that happens; numbers stand for actors.

    Attributes:
        agents: who does it; empty for a passive that does not say so.
        lemma, particle: of the verb.
        patient: what it is done to.
        passive: whether the patient is the subject.
        place: (preposition, actor), (word, None) for a direction without a place, or None.
        tool: what it is done with.
        change: (actor, kind, position of the new value in `values`, wording) or None.
        negated: how it is said not to happen: "", "not", "never" or "no longer".
    """

    agents: list[int]
    lemma: str
    particle: str = ""
    patient: int | None = None
    passive: bool = False
    place: tuple[str, int | None] | None = None
    tool: int | None = None
    direction: str | None = None
    manner: str | None = None
    times: str | None = None
    change: tuple[int, str, int, str] | None = None
    negated: str = ""

    @property
    def subjects(self) -> list[int]:
        return [self.patient] if self.passive and self.patient is not None else self.agents


class Plot(Dice):
    """Makes up actors and events, step by step."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.actors: list[Actor] = []
        self.steps: list[list[Event]] = []
        #: Bare plurals count two, and so would be taken for the "two" of other things.
        self.bare_plurals = self._chance(0.5)

    def write(self) -> Plot:
        """The whole story."""
        cast = [self._someone() for _ in range(int(self.rng.choice([1, 2, 3], p=[0.35, 0.45, 0.2])))]
        number = int(self.rng.choice([1, 2, 3, 4, 5], p=[0.24, 0.37, 0.25, 0.1, 0.04]))
        last = cast[0]
        for _ in range(number):
            last = last if self._chance(0.55) else self._pick(cast)
            step = [self._event(last, cast)]
            if self._chance(0.5 if number == 1 else 0.22):
                other = last if len(cast) == 1 or self._chance(0.25) else self._pick([i for i in cast if i != last])
                second = self._event(other, cast, busy=step[0])
                if second is not None:
                    step.append(second)
            self.steps.append([event for event in step if event is not None])
        return self

    def _add(self, noun: str, kind: str, plural: float = 0.14) -> int:
        group = "human" if kind in lexicon.HUMAN else kind
        pronoun = kind if kind in ("male", "female") else "thing"
        if kind == "person" or (group in lexicon.BEAST and self._chance(0.12)):
            pronoun = self._pick(("male", "female"))
        actor = Actor(noun, group, pronoun)
        if noun not in lexicon.MASS and noun not in ("sun", "moon") and self._chance(plural):
            actor.pronoun, actor.count = "plural", 2
            if not self.bare_plurals:
                actor.count = int(self.rng.choice(list(_NUMBERS), p=[0.5, 0.25, 0.12, 0.08, 0.05]))
                actor.number = self._pick(_NUMBERS[actor.count])
        kinds = lexicon.LOOKS.get(group, ("color", "size"))
        for look in (
            dict.fromkeys(self._pick(kinds) for _ in range(int(self.rng.choice([0, 1, 2], p=[0.5, 0.4, 0.1]))))
            if kinds
            else ()
        ):
            words = lexicon.ADJECTIVES[look]
            if look == "state":
                words = lexicon.MOODS if group in ("human", *lexicon.BEAST) else words
            actor.looks.append((look, self._pick(words)))
        self.actors.append(actor)
        return len(self.actors) - 1

    def _noun(self, options: Sequence[str]) -> str:
        told = {actor.noun for actor in self.actors}
        # Where all have been told of, one comes a second time.
        return self._pick([noun for noun in options if noun not in told] or options)

    def _someone(self) -> int:
        kind = _CLASSES[int(self.rng.choice(len(_CLASSES), p=_CAST / _CAST.sum()))]
        index = self._add(self._noun(lexicon.NOUNS[kind]), kind)
        if kind in lexicon.HUMAN and self._chance(0.03):
            self.actors.append(Actor(self._noun(lexicon.OWN["person"][5:]), "object", "thing"))
            self.actors[index].lacks = len(self.actors) - 1
        return index

    # -- events --------------------------------------------------------------------------------------------------------

    def _event(self, subject: int, cast: list[int], busy: Event | None = None) -> Event:
        actor = self.actors[subject]
        forms = {
            "move": 4.0,
            "act": 3.0,
            "do": 6.0 if actor.group in lexicon.ACTIONS else 0.0,
            "suffer": 0.0,
            "turn": 1.0,
        }
        if actor.group in ("object", "food", "openable", "fixture", "vehicle"):
            forms |= {"suffer": 2.5, "turn": 3.0}
        if actor.group == "weather":
            forms = {"move": 1.0, "act": 3.0}
        if actor.lacks is not None:
            forms.pop("turn")
        if busy is not None and (subject in busy.agents or subject == busy.patient):
            # One change at a time, and nothing is acted on while it acts.
            forms = {"move": 3.0, "act": 3.0}
        event = getattr(self, f"_{self._weighted(forms)}")(subject, cast)
        if busy is not None and event.lemma == busy.lemma:
            event = Event([subject], self._pick([v for v in self._acts(actor) if v != busy.lemma]))
        self._details(event, cast)
        return event

    def _acts(self, actor: Actor) -> tuple[str, ...]:
        return (
            lexicon.WEATHER[actor.noun] if actor.group == "weather" else lexicon.ACTS.get(actor.group, ("fall", "burn"))
        )

    def _act(self, subject: int, cast: list[int]) -> Event:
        event = Event([subject], self._pick(self._acts(self.actors[subject])))
        if self._chance(0.3):
            preposition, kind = self._pick(lexicon.SPOTS)
            event.place = (preposition, self._somewhere(kind))
        return event

    def _move(self, subject: int, cast: list[int]) -> Event:
        group = self.actors[subject].group
        event = Event([subject], self._pick(lexicon.MOVES[group]))
        if self._chance(0.25):
            word, event.direction = self._pick(lexicon.DIRECTED)
            event.place = (word, None)
        elif self._chance(0.85):
            preposition, kind, event.direction = self._pick(lexicon.PATHS)
            others = [i for i in cast if i != subject and self.actors[i].group != "weather"]
            if kind == "landmark" and others and preposition not in ("behind", "under") and self._chance(0.3):
                event.place = (preposition, self._pick(others))
            else:
                event.place = (preposition, self._somewhere(kind))
        return event

    def _do(self, subject: int, cast: list[int]) -> Event:
        actor = self.actors[subject]
        options = lexicon.ACTIONS[actor.group]
        targets = [i for i in range(len(self.actors)) if i != subject and self.actors[i].group in options]
        targets = [i for i in targets if self.actors[i].owner is None]
        if targets and self._chance(0.65):
            target = self._pick(targets)
        elif actor.group in ("human", "animal") and self._chance(0.12):
            own = "person" if actor.group == "human" else "animal"
            target = self._owned(subject, lexicon.OWN[own])
            verbs = options[own if own == "person" else "animal_own"]
            return Event([subject], self._pick(verbs).lemma, patient=target)
        else:
            group = self._pick([g for g in options if g not in ("person", "animal_own")])
            kind = self._pick(lexicon.HUMAN) if group == "human" else group
            target = self._add(self._noun(lexicon.NOUNS[kind]), kind)
        if self.actors[subject].group == "human" and self.actors[target].group in lexicon.THING and self._chance(0.1):
            changed = self._made(subject, target)
            if changed is not None:
                return changed
        return self._done([subject], target, self._pick(options[self.actors[target].group]), passive=self._chance(0.12))

    def _suffer(self, subject: int, cast: list[int]) -> Event:
        """A passive whose subject is a thing."""
        group = self.actors[subject].group
        action = self._pick(
            [a for a in lexicon.ACTIONS["human"][group] if not a.particle or self._chance(0.5)] or [Action("move")]
        )
        agents: list[int] = []
        people = [i for i in cast if self.actors[i].group == "human" and i != subject]
        if self._chance(0.5):
            kind = self._pick(lexicon.HUMAN)
            agents = [self._pick(people) if people else self._add(self._noun(lexicon.NOUNS[kind]), kind)]
        return self._done(agents, subject, action, passive=True)

    def _done(self, agents: list[int], patient: int, action: Action, passive: bool) -> Event:
        event = Event(agents, action.lemma, action.particle, patient, passive, direction=action.direction)
        by_hand = not agents or self.actors[agents[0]].group == "human"
        if by_hand and action.lemma in lexicon.TOOLS and not action.particle and self._chance(0.35):
            event.tool = self._add(self._noun(lexicon.TOOLS[action.lemma]), "object", plural=0)
        elif action.lemma in lexicon.RECEIVED and self._chance(0.6):
            kind = self._pick(lexicon.HUMAN)
            event.place = (
                self._pick(("to", "to", "toward")),
                self._add(self._noun(lexicon.NOUNS[kind]), kind, plural=0.05),
            )
            event.direction = "toward" if event.place[0] == "toward" else event.direction
        elif action.lemma in ("put", "carry", "push", "pull", "take", "drop", "place") and self._chance(0.5):
            preposition, kind, direction = self._pick([path for path in lexicon.PATHS if path[1] != "slope"])
            event.place, event.direction = (preposition, self._somewhere(kind)), direction or event.direction
        elif self._chance(0.14):
            preposition, kind = self._pick(lexicon.SPOTS)
            event.place = (preposition, self._somewhere(kind))
        return event

    def _turn(self, subject: int, cast: list[int]) -> Event:
        """A change that happens to its subject."""
        kind, old, new = self._values(subject)
        by_degrees = new in lexicon.COMPARATIVES and self._chance(0.4)
        new = lexicon.COMPARATIVES[new] if by_degrees else new
        wordings = {
            "color": {"turn": 4, "become": 2, "change": 3, "go": 1, "switch": 1, "fade": 1},
            "size": {"become": 2, "grow": 3 if new in ("big", "huge", "long", "large", "thick") else 0, "get": 1},
        }.get(kind, {"become": 4, "get": 3, "go": 2, "turn": 1, "change": 1})
        if by_degrees:
            wordings = {"grow": 4, "get": 3, "become": 3}
        elif new == "asleep":
            wordings = {"fall": 1}
        lemma = self._weighted({name: float(weight) for name, weight in wordings.items()})
        event = Event([subject], lemma)
        from_to = (
            lemma in ("switch", "fade")
            or (lemma == "go" and kind != "color")
            or (lemma == "change" and old is not None)
        )
        from_to = from_to or (lemma in ("turn", "go", "grow", "change") and not by_degrees and self._chance(0.4))
        event.change = self._change(
            subject, kind, old, new, "from" if from_to else "to" if lemma == "change" else "bare"
        )
        if lemma == "change" and kind == "color" and self._chance(0.6):
            event.particle = self._pick(("color", "colour", "its color"))
        return event

    def _made(self, subject: int, target: int) -> Event | None:
        """A change that someone brings about: "paints the fence white"."""
        if self.actors[target].count > 1 or "color" in self.actors[target].values:
            return None
        old = dict(self.actors[target].looks).get("color")
        new = self._pick([c for c in lexicon.ADJECTIVES["color"] if c != old])
        event = Event([subject], self._pick(("paint", "paint", "dye", "color", "turn")), patient=target)
        event.change = self._change(target, "color", old, new, "bare")
        return event

    def _values(self, subject: int) -> tuple[str, str | None, str]:
        """Kind, value until now (None if it is not known) and new value of a change."""
        actor = self.actors[subject]
        known = [kind for kind in actor.values if len(actor.values[kind]) < 3]
        kind = self._pick(known) if known else self._weighted(_CHANGING.get(actor.group, _CHANGING["object"]))
        said = actor.values.get(kind, [dict(actor.looks).get(kind)])
        old = said[-1]
        if kind == "color":
            return kind, old, self._pick([c for c in lexicon.ADJECTIVES["color"] if c not in said])
        pairs = lexicon.SIZES if kind == "size" else lexicon.OPPOSITES.get(actor.group, lexicon.OPPOSITES["object"])
        back = [value for pair in pairs if old in pair for value in pair if value != old]
        if back:
            return kind, old, self._pick(back)
        one, other = self._pick(pairs)
        if self._chance(0.5):
            one, other = other, one
        if kind not in actor.values:
            # What it was fits what it becomes, or is not said.
            actor.looks = [look for look in actor.looks if look[0] != kind]
            old = None
            if self._chance(0.4):
                old = one
                actor.looks += [(kind, old)] if self._chance(0.7) else []
        return kind, old, other

    def _change(self, actor: int, kind: str, old: str | None, new: str, wording: str) -> tuple[int, str, int, str]:
        values = self.actors[actor].values.setdefault(kind, [old])
        if values[-1] is None and wording == "from":
            # It is told with the change what was never told before.
            pairs = [*lexicon.SIZES, *(pair for pairs in lexicon.OPPOSITES.values() for pair in pairs)]
            options = [value for pair in pairs if new in pair for value in pair]
            options = list(lexicon.ADJECTIVES["color"]) if kind == "color" else options
            values[-1] = self._pick([value for value in options if value != new and value not in values])
        values.append(new)
        return actor, kind, len(values) - 1, wording

    def _details(self, event: Event, cast: list[int]) -> None:
        """Manner, repetition, negation, company."""
        if event.change is None and self._chance(0.08):
            event.negated = self._weighted({"not": 5, "never": 2, "no longer": 1.5})
        elif self._chance(0.09):
            event.manner = self._pick(lexicon.MANNERS)
        elif event.change is None and self._chance(0.08):
            event.times = self._pick(lexicon.TIMES)
        if len(event.agents) == 1 and not event.passive and event.change is None and event.patient is None:
            taken = {event.agents[0], event.place[1] if event.place else None}
            others = [i for i in cast if i not in taken and self.actors[i].group == self.actors[event.agents[0]].group]
            if others and self._chance(0.15):
                event.agents.append(self._pick(others))

    def _owned(self, owner: int, nouns: Sequence[str]) -> int:
        noun = self._noun(nouns)
        self.actors.append(Actor(noun, "object", "thing", owner=owner))
        return len(self.actors) - 1

    def _somewhere(self, kind: str) -> int:
        noun = self._noun([place for place in lexicon.PLACES[kind] if place != "stairs" or self.bare_plurals])
        if noun == "stairs":
            self.actors.append(Actor("stair", "object", "plural", count=2))
        else:
            self.actors.append(Actor(noun, "object", "thing"))
            if self._chance(0.15) and noun not in lexicon.MASS:
                kind = self._pick(("color", "size", "other"))
                self.actors[-1].looks = [(kind, self._pick(lexicon.ADJECTIVES[kind]))]
        return len(self.actors) - 1
