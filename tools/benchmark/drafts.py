"""A prompt in the making: what happens, how it is told, and what will be asked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from mov_ai.evaluation.benchmark.prompts import Check
from mov_ai.worlds.tabletop.scene import Action, Instance, Scene, Thing
from tools.benchmark.arrange import Pair, arranged, scene_of
from tools.benchmark.choices import Choice, heights
from tools.benchmark.wording import Happening, Worded, plural, word

#: A condition on where things are, or a way to place them.
Condition = Callable[[Scene], bool]
Placing = Callable[[], Sequence[Instance] | None]


@dataclass
class Draft:
    """A scene in words, with the checks made so far; each method adds one and returns the draft."""

    scene: Scene
    nouns: tuple[str, ...]
    worded: Worded
    checks: list[Check] = field(default_factory=list)

    def name(self, thing: int) -> str:
        """ "red ball", or "3 red balls"."""
        entity, noun = self.scene.things[thing], self.nouns[thing]
        return f"{entity.color} {noun}" if entity.count == 1 else f"{entity.count} {entity.color} {plural(noun)}"

    def look(self, *things: int) -> Draft:
        """Each thing is there, once for each that is said, and looks as said all the time."""
        for thing in things:
            self._add(f"{self.name(thing)} looks right", "look", entity=self.worded.things[thing])
        return self

    def larger(self, large: int, small: int) -> Draft:
        """One thing is larger than another."""
        name = f"{self.name(large)} is larger than {self.name(small)}"
        return self._add(name, "larger", entity=self.worded.things[large], other=self.worded.things[small])

    def event(self, number: int) -> Draft:
        """Those of whom it is said do it, at whatever time."""
        node = self.worded.graph.node(self.worded.events[number])
        doers = [edge.target for edge in self.worded.graph.edges_from(node.id) if edge.type in ("agent", "patient")]
        names = " and ".join(self.name(self.worded.things.index(doer)) for doer in doers)
        words = " ".join(word for word in (node.label, node.direction) if word)
        return self._add(f"{names}: {words}", "event", event=node.id)

    def steady(self, thing: int) -> Draft:
        """A thing to which nothing happens; needed."""
        return self._add(f"{self.name(thing)} stays as it is", "steady", True, entity=self.worded.things[thing])

    def lively(self, things: Collection[int]) -> Draft:
        """Something happens to one of these things at least, so it is no still picture; needed."""
        entities = [self.worded.things[thing] for thing in things]
        return self._add("something happens", "lively", True, entities=entities)

    def relation(self, first: int, label: str, second: int) -> Draft:
        """Where one thing is, seen from another."""
        name = f"{self.name(first)} {label} {self.name(second)}"
        return self._add(
            name, "relation", entity=self.worded.things[first], label=label, other=self.worded.things[second]
        )

    def count(self, thing: int) -> Draft:
        """As many as said, no fewer and no more."""
        number = "1 " if self.scene.things[thing].count == 1 else ""
        return self._add(f"exactly {number}{self.name(thing)}", "count", entity=self.worded.things[thing])

    def order(self, first: int, second: int, label: str) -> Draft:
        """Two events happen, the first `before` the second, or both at the same time (`equal`)."""
        graph = self.worded.graph
        events = [graph.node(self.worded.events[n]) for n in (first, second)]
        name = f"{events[0].label} ({events[0].id}) {label} {events[1].label} ({events[1].id})"
        return self._add(name, "order", event=events[0].id, label=label, other=events[1].id)

    def meeting(self, kind: str, first: int, second: int, words: str, **about: str) -> Draft:
        """An interaction of two things, which `words` names: "{0} falls onto {1}"."""
        name = words.format(self.name(first), self.name(second))
        pair = {"entity": self.worded.things[first], "other": self.worded.things[second]}
        self._append(Check(name, kind, False, {**pair, **about}))
        return self

    def _add(self, name: str, kind: str, needed: bool = False, **about: object) -> Draft:
        self._append(Check(name, kind, needed, about))
        return self

    def _append(self, check: Check) -> None:
        if check.name in {other.name for other in self.checks}:
            raise ValueError(f"check {check.name!r}: expected names used once")
        self.checks.append(check)


def drafted(
    choice: Choice,
    template: str,
    things: Sequence[Thing],
    actions: Sequence[Action],
    happenings: Sequence[Happening] = (),
    placing: Placing | None = None,
    condition: Condition | None = None,
    relations: Collection[tuple[int, str, int]] = (),
    sized: Collection[int] = (),
    meeting: Collection[Pair] = (),
    meets: Collection[tuple[int, int]] = (),
) -> Draft | None:
    """Arrange a scene and word it.

    Args:
        template, happenings, relations, sized, meets: as `wording.word`.
        placing: draws the instances; anywhere on the table if None.
        condition: what the arrangement must fulfil besides being showable.
        meeting: as `scenes.arranged`.

    Returns:
        A draft without checks, or None if no arrangement was found.
    """
    high = heights(actions, len(things))

    def anywhere() -> list[Instance]:
        return [choice.place(i, high[i]) for i, thing in enumerate(things) for _ in range(thing.count)]

    def propose(rng: np.random.Generator) -> Scene | None:
        places = (placing or anywhere)()
        scene = None if places is None else scene_of(things, actions, places)
        return scene if scene is not None and (condition is None or condition(scene)) else None

    scene = arranged(choice.rng, propose, meeting)
    if scene is None:
        return None
    nouns = tuple(choice.nouns(things))
    return Draft(scene, nouns, word(template, scene, happenings, relations, nouns, sized, meets))
