"""Plots of people, animals, vehicles and things that train the parser: actors, and their events step by step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mov_ai.captions.choices import Choices
from mov_ai.captions.lexicon import Action, StoryWords, load
from mov_ai.captions.plot import Actor, Event

WORDS = load("stories", StoryWords)
#: How often a verb is drawn from those that are spelt like a noun ("fly", "wave").
_NOUN_LIKE_VERBS = 0.35
#: Share of the stories in which something lasts through two steps; and of the things that a noun names more closely.
_LASTING, _MODIFIED = 0.12, 0.1
#: Share of the stories that end with what two do together, of the steps with an aside, of the actors with a place.
_SHARED_END, _ASIDE, _PLACED = 0.1, 0.16, 0.07


class StoryPlot(Choices):
    """Makes up actors and events, step by step."""

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__(rng)
        self.actors: list[Actor] = []
        self.steps: list[list[Event]] = []
        #: An event that lasts through the first two steps, if there is one.
        self.lasting: Event | None = None
        #: Whether plurals come without a number ("dogs run"): the gold graph counts them as two.
        self.bare_plurals = self.chance(0.5)

    def write(self) -> StoryPlot:
        """The whole story."""
        cast = [self._someone() for _ in range(int(self.rng.choice([1, 2, 3], p=[0.35, 0.45, 0.2])))]
        number = int(self.rng.choice([1, 2, 3, 4, 5], p=[0.24, 0.37, 0.25, 0.1, 0.04]))
        last = cast[0]
        for _ in range(number):
            last = last if self.chance(0.55) else self.pick(cast)
            step = [self._event(last, cast)]
            if self.chance(0.5 if number == 1 else 0.22):
                other = last if len(cast) == 1 or self.chance(0.25) else self.pick([i for i in cast if i != last])
                step.append(self._event(other, cast, busy=step[0]))
            self.steps.append(step)
        if number > 1 and all(len(step) == 1 for step in self.steps[:2]) and self.chance(_LASTING):
            self.lasting = self._lasts(cast)
        elif number > 1 and self.chance(_SHARED_END):
            self._together()
        for step in self.steps:
            if len(step) == 1 and self.lasting is None and self.chance(_ASIDE):
                self._add_aside(step[0])
        self._set_times()
        return self

    def _set_times(self) -> None:
        """Steps are equal parts of the time; what lasts takes the first two."""
        count = len(self.steps)
        for number, step in enumerate(self.steps):
            for event in [*step, *(event.aside[1] for event in step if event.aside)]:
                event.interval = (round(number / count, 4), round((number + 1) / count, 4))
        if self.lasting is not None:
            self.lasting.interval = (0.0, round(2 / count, 4))

    def _together(self) -> None:
        """At the end, two who did something each do the same: "then both stop"."""
        alone = [
            event.agents[0]
            for (event,) in (s for s in self.steps if len(s) == 1)
            if len(event.subjects) == 1 and not event.passive
        ]
        unowned = [i for i in dict.fromkeys(alone) if self.actors[i].count == 1 and self.actors[i].owner is None]
        if len(unowned) < 2:
            return
        first, second = unowned[-2:]
        alike = self.actors[first].group == self.actors[second].group != "weather"
        verbs = self._acts(self.actors[first]) if alike else WORDS.anything
        self.steps.append([Event([first, second], self.pick(verbs))])

    def _add_aside(self, event: Event) -> None:
        """Let one who takes part in an event do something else meanwhile, unless that would be hard to tell apart."""
        last = event.place is None and event.tool is None and not event.changes
        free = not event.manner and not event.times
        options = event.subjects * 2 if len(event.subjects) == 1 else []
        if event.patient is not None and not event.passive and last and free and not event.particle:
            options.append(event.patient)
        if event.place is not None and event.place[1] is not None and event.tool is None and free:
            options.append(event.place[1])
        options = [i for i in options if self._can_act(i)]
        if not options:
            return
        index = self.pick(options)
        forms = ("move", "act", "do") if self.actors[index].group in ("human", "animal") else ("move", "act")
        other: Event = getattr(self, f"_{self.pick(forms)}")(index, [])
        part = {*event.agents, event.patient, event.tool, event.place[1] if event.place else None} - {None}
        shared_parts = {other.patient, other.place[1] if other.place else None} & part
        if not other.changes and not other.passive and other.lemma != event.lemma and not shared_parts:
            event.aside = (index, other)

    def _can_act(self, index: int) -> bool:
        actor = self.actors[index]
        return actor.group in WORDS.moves and actor.owner is None and actor.lacks is None and not actor.changing

    def _lasts(self, cast: list[int]) -> Event | None:
        """An event of an actor that has no other part in the first two steps; None if there is no such actor."""
        busy = {index for (event,) in self.steps[:2] for index in (*event.agents, event.patient, event.tool)}
        free = [i for i in cast if i not in busy and not self.actors[i].changing]
        subject = self.pick(free) if free else self._someone()
        event = getattr(self, self.pick(("_move", "_act", "_act")))(subject, [])
        if event.lemma in {other.lemma for (other,) in self.steps[:2]}:
            return None
        if self.chance(0.15):
            event.manner = self.pick(WORDS.manners)
        return event

    def _add(self, noun: str, kind: str, plural: float = 0.14) -> int:
        group = "human" if kind in (*WORDS.human, "group") else kind
        if kind in WORDS.thing and kind != "food" and " " not in noun and self.chance(_MODIFIED):
            noun = f"{self.pick([word for word in WORDS.modifiers if word != noun])} {noun}"
        pronoun = kind if kind in ("male", "female") else "thing"
        if kind == "person" or (group in WORDS.beast and self.chance(0.12)):
            pronoun = self.pick(("male", "female"))
        actor = Actor(noun, group, pronoun)
        if noun not in WORDS.mass and noun not in ("sun", "moon") and self.chance(plural):
            actor.pronoun, actor.count = "plural", 2
            if not self.bare_plurals:
                actor.count = int(self.rng.choice(list(WORDS.numbers), p=[0.5, 0.25, 0.12, 0.08, 0.05]))
                actor.number = self.pick(WORDS.numbers[actor.count])
        kinds = WORDS.looks.get(group, ("color", "size"))
        for look in (
            dict.fromkeys(self.pick(kinds) for _ in range(int(self.rng.choice([0, 1, 2], p=[0.5, 0.4, 0.1]))))
            if kinds
            else ()
        ):
            words = WORDS.adjectives[look]
            if look == "state":
                words = WORDS.moods if group in ("human", *WORDS.beast) else words
            actor.looks.append((look, self.pick(words)))
        self.actors.append(actor)
        return len(self.actors) - 1

    def _new(self, kind: str, plural: float = 0.14) -> int:
        """Someone or something of a class."""
        return self._add(self._noun(WORDS.nouns[kind]), kind, plural)

    def _noun(self, options: Sequence[str]) -> str:
        used_nouns = {actor.noun for actor in self.actors}
        # If every option is in use, one is used a second time.
        return self.pick([noun for noun in options if noun not in used_nouns] or options)

    def _someone(self) -> int:
        kind = self.weighted(WORDS.cast)
        index = self._new(kind)
        if kind in WORDS.human and self.chance(0.03):
            self.actors.append(Actor(self._noun(WORDS.own["person"][5:])))
            self.actors[index].lacks = len(self.actors) - 1
        elif kind != "weather" and self.chance(_PLACED):
            # Only relations that the parser can express: any other would be taught as "no relation".
            preposition, place = self.pick([spot for spot in WORDS.spots if spot[0] in WORDS.shown_spots])
            self.actors[index].spot = (preposition, self._somewhere(place))
        return index

    # -- events --------------------------------------------------------------------------------------------------------

    def _event(self, subject: int, cast: list[int], busy: Event | None = None) -> Event:
        actor = self.actors[subject]
        forms = {
            "move": 4.0,
            "act": 3.0,
            "do": 6.0 if actor.group in WORDS.actions else 0.0,
            "undergo": 0.0,
            "turn": 1.0,
        }
        if actor.group in ("object", "food", "openable", "fixture", "vehicle"):
            forms |= {"undergo": 2.5, "turn": 3.0}
        if actor.group == "weather":
            forms = {"move": 1.0, "act": 3.0}
        if actor.lacks is not None:
            forms.pop("turn")
        if busy is not None and (subject in busy.agents or subject == busy.patient):
            # While an event lasts, those who take part in it neither change nor act on anything.
            forms = {"move": 3.0, "act": 3.0}
        event = getattr(self, f"_{self.weighted(forms)}")(subject, cast)
        if busy is not None and event.lemma == busy.lemma:
            event = Event([subject], self.pick([v for v in self._acts(actor) if v != busy.lemma]))
        self._details(event, cast)
        return event

    def _acts(self, actor: Actor) -> tuple[str, ...]:
        if actor.group == "weather":
            return WORDS.weather[actor.noun]
        acts_by_group = WORDS.namesakes if self.chance(_NOUN_LIKE_VERBS) else WORDS.acts
        return acts_by_group.get(actor.group, ("fall", "burn"))

    def _act(self, subject: int, cast: list[int]) -> Event:
        event = Event([subject], self.pick(self._acts(self.actors[subject])))
        if self.chance(0.3):
            preposition, kind = self.pick(WORDS.spots)
            event.place = (preposition, self._somewhere(kind))
        return event

    def _move(self, subject: int, cast: list[int]) -> Event:
        group = self.actors[subject].group
        event = Event([subject], self.pick(WORDS.moves[group]))
        if self.chance(0.25):
            word, event.direction = self.pick(WORDS.directed)
            event.place = (word, None)
        elif self.chance(0.85):
            preposition, kind, event.direction = self.pick(WORDS.paths)
            others = [i for i in cast if i != subject and self.actors[i].group != "weather"]
            if kind == "landmark" and others and preposition not in ("behind", "under") and self.chance(0.3):
                event.place = (preposition, self.pick(others))
            else:
                event.place = (preposition, self._somewhere(kind))
        return event

    def _do(self, subject: int, cast: list[int]) -> Event:
        actor = self.actors[subject]
        options = WORDS.actions[actor.group]
        if actor.group in WORDS.namesake_actions and self.chance(_NOUN_LIKE_VERBS):
            options = WORDS.namesake_actions[actor.group]
        targets = [i for i in range(len(self.actors)) if i != subject and self.actors[i].group in options]
        targets = [i for i in targets if self.actors[i].owner is None]
        if targets and self.chance(0.65):
            target = self.pick(targets)
        elif actor.group in ("human", "animal") and self.chance(0.12):
            object_kind = "person" if actor.group == "human" else "animal"
            target = self._owned(subject, WORDS.own[object_kind])
            verbs = WORDS.actions[actor.group][object_kind if object_kind == "person" else "animal_own"]
            return Event([subject], self.pick(verbs).lemma, patients=[target])
        else:
            group = self.pick([g for g in options if g not in ("person", "animal_own")])
            kind = self.pick(WORDS.human) if group == "human" else group
            target = self._new(kind)
        if self.actors[subject].group == "human" and self.actors[target].group in WORDS.thing and self.chance(0.1):
            changed = self._made(subject, target)
            if changed is not None:
                return changed
        return self._done([subject], target, self.pick(options[self.actors[target].group]), passive=self.chance(0.12))

    def _undergo(self, subject: int, cast: list[int]) -> Event:
        """A passive whose subject is a thing."""
        group = self.actors[subject].group
        options = (WORDS.namesake_actions if self.chance(_NOUN_LIKE_VERBS) else WORDS.actions)["human"].get(group, ())
        action = self.pick([a for a in options if not a.particle or self.chance(0.5)] or [Action(lemma="move")])
        agents: list[int] = []
        people = [i for i in cast if self.actors[i].group == "human" and i != subject]
        if self.chance(0.5):
            kind = self.pick(WORDS.human)
            agents = [self.pick(people) if people else self._new(kind)]
        return self._done(agents, subject, action, passive=True)

    def _done(self, agents: list[int], patient: int, action: Action, passive: bool) -> Event:
        event = Event(agents, action.lemma, action.particle, [patient], passive, direction=action.direction)
        by_hand = not agents or self.actors[agents[0]].group == "human"
        if by_hand and action.lemma in WORDS.tools and not action.particle and self.chance(0.35):
            event.tool = self._add(self._noun(WORDS.tools[action.lemma]), "object", plural=0)
        elif action.lemma in WORDS.received and self.chance(0.6):
            kind = self.pick(WORDS.human)
            event.place = (self.pick(("to", "to", "toward")), self._new(kind, plural=0.05))
            event.direction = "toward" if event.place[0] == "toward" else event.direction
        elif action.lemma in ("put", "carry", "push", "pull", "take", "drop", "place") and self.chance(0.5):
            preposition, kind, direction = self.pick([path for path in WORDS.paths if path[1] != "slope"])
            event.place, event.direction = (preposition, self._somewhere(kind)), direction or event.direction
        elif self.chance(0.14):
            preposition, kind = self.pick(WORDS.spots)
            event.place = (preposition, self._somewhere(kind))
        return event

    def _turn(self, subject: int, cast: list[int]) -> Event:
        """A change that happens to its subject."""
        kind, old, new = self._values(subject)
        by_degrees = new in WORDS.comparatives and self.chance(0.4)
        new = WORDS.comparatives[new] if by_degrees else new
        verbs = WORDS.change_verbs["degrees" if by_degrees else kind if kind in WORDS.change_verbs else "state"]
        # "grow" fits only values that get larger: nothing grows small.
        grows = by_degrees or new in ("big", "huge", "long", "large", "thick")
        verbs = {"fall": 1.0} if new == "asleep" else {v: w if v != "grow" or grows else 0.0 for v, w in verbs.items()}
        lemma = self.weighted(verbs)
        event = Event([subject], lemma)
        always = lemma in ("switch", "fade") or (lemma == "go" and kind != "color")
        from_to = always or (lemma == "change" and old is not None)
        from_to = from_to or (lemma in ("turn", "go", "grow", "change") and not by_degrees and self.chance(0.4))
        self._change(event, subject, kind, old, new, "from" if from_to else "to" if lemma == "change" else "bare")
        if lemma == "change" and kind == "color" and self.chance(0.6):
            event.particle = self.pick(("color", "colour", "its color"))
        return event

    def _made(self, subject: int, target: int) -> Event | None:
        """A change that someone brings about: "paints the fence white"."""
        if self.actors[target].count > 1 or "color" in self.actors[target].values:
            return None
        old = dict(self.actors[target].looks).get("color")
        new = self.pick([c for c in WORDS.adjectives["color"] if c != old])
        event = Event([subject], self.pick(("paint", "paint", "dye", "color", "turn")), patients=[target])
        self._change(event, target, "color", old, new, "bare")
        return event

    def _values(self, subject: int) -> tuple[str, str | None, str]:
        """Kind, value until now (None if it is not known) and new value of a change."""
        actor = self.actors[subject]
        changed_kinds = [kind for kind in actor.values if len(actor.values[kind]) < 3]
        kind = (
            self.pick(changed_kinds)
            if changed_kinds
            else self.weighted(WORDS.changing.get(actor.group, WORDS.changing["object"]))
        )
        earlier_values = actor.values.get(kind, [dict(actor.looks).get(kind)])
        old = earlier_values[-1]
        if kind == "color":
            return kind, old, self.pick([c for c in WORDS.adjectives["color"] if c not in earlier_values])
        pairs = WORDS.sizes if kind == "size" else WORDS.opposites.get(actor.group, WORDS.opposites["object"])
        back = [value for pair in pairs if old in pair for value in pair if value != old]
        if back:
            return kind, old, self.pick(back)
        old_value, new_value = self.pick(pairs)
        if self.chance(0.5):
            old_value, new_value = new_value, old_value
        if kind not in actor.values:
            # The first change of this kind: looks that may contradict the old value are dropped.
            actor.looks = [look for look in actor.looks if look[0] != kind]
            old = None
            if self.chance(0.4):
                old = old_value
                actor.looks += [(kind, old)] if self.chance(0.7) else []
        return kind, old, new_value

    def _change(self, event: Event, actor: int, kind: str, old: str | None, new: str, wording: str) -> None:
        values = self.actors[actor].values.setdefault(kind, [old])
        if values[-1] is None and wording == "from":
            # "turns from red to blue" needs an old value, so one is drawn.
            pairs = [*WORDS.sizes, *(pair for pairs in WORDS.opposites.values() for pair in pairs)]
            options = [value for pair in pairs if new in pair for value in pair]
            options = list(WORDS.adjectives["color"]) if kind == "color" else options
            values[-1] = self.pick([value for value in options if value != new and value not in values])
        values.append(new)
        event.changes, event.change_wording = [(actor, kind, len(values) - 1)], wording

    def _details(self, event: Event, cast: list[int]) -> None:
        """Manner, repetition, negation, company."""
        if not event.changes and self.chance(0.08):
            event.negated = self.weighted({"not": 5, "never": 2, "no longer": 1.5})
        elif self.chance(0.09):
            event.manner = self.pick(WORDS.manners)
        elif not event.changes and self.chance(0.08):
            event.times = self.pick(WORDS.times)
        if len(event.agents) == 1 and not event.passive and not event.changes and event.patient is None:
            already_in_event = {event.agents[0], event.place[1] if event.place else None}
            others = [
                i
                for i in cast
                if i not in already_in_event and self.actors[i].group == self.actors[event.agents[0]].group
            ]
            if others and self.chance(0.15):
                event.agents.append(self.pick(others))

    def _owned(self, owner: int, nouns: Sequence[str]) -> int:
        noun = self._noun(nouns)
        self.actors.append(Actor(noun, owner=owner))
        return len(self.actors) - 1

    def _somewhere(self, kind: str) -> int:
        noun = self._noun([place for place in WORDS.places[kind] if place != "stairs" or self.bare_plurals])
        if noun == "stairs":
            self.actors.append(Actor("stair", pronoun="plural", count=2))
        else:
            self.actors.append(Actor(noun))
            if self.chance(0.15) and noun not in WORDS.mass:
                kind = self.pick(("color", "size", "other"))
                self.actors[-1].looks = [(kind, self.pick(WORDS.adjectives[kind]))]
        return len(self.actors) - 1
