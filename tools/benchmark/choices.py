"""What the benchmark's recipes choose among: looks, actions and the words for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from mov_ai.graph import Interval
from mov_ai.graph.schema import FULL
from mov_ai.worlds.tabletop.lexicon import COLORS, SHAPES
from mov_ai.worlds.tabletop.scene import AIR_HEIGHT, DEPTHWISE, JUMP_HEIGHT, LATERAL, Action, Instance, Thing
from tools.benchmark.wording import Happening

_T = TypeVar("_T")
OPPOSITE = {
    "left": "right",
    "right": "left",
    "toward": "away",
    "away": "toward",
    "rise": "fall",
    "fall": "rise",
    "grow": "shrink",
    "shrink": "grow",
    "vanish": "appear",
    "appear": "vanish",
}
_NOUNS = {
    "sphere": ("ball", "ball", "sphere"),
    "cube": ("cube", "cube", "box", "block"),
    "cylinder": ("cylinder",),
    "cone": ("cone",),
}
#: Motion -> ways to tell it: verb, what follows it, direction. What cannot "roll" slides or glides instead.
_WORDS: dict[str, tuple[tuple[str, str, str | None], ...]] = {
    "left": (("roll", "to the left", "left"), ("roll", "left", "left"), ("move", "to the left", "left")),
    "right": (("roll", "to the right", "right"), ("roll", "right", "right"), ("move", "to the right", "right")),
    "toward": (
        ("roll", "toward the camera", "toward"),
        ("move", "toward the camera", "toward"),
        ("come", "closer", "toward"),
    ),
    "away": (
        ("roll", "away from the camera", "away"),
        ("move", "away from the camera", "away"),
        ("move", "into the distance", "away"),
    ),
    "jump": (("jump", "", None), ("hop", "", None), ("jump", "up and down", "up"), ("leap", "into the air", "up")),
    "spin": (("spin", "", None), ("rotate", "", None), ("spin", "in place", None)),
    "fall": (("fall", "", None), ("fall", "down", "down"), ("drop", "down", "down")),
    "rise": (("rise", "", None), ("rise", "into the air", "up"), ("float", "up", "up")),
    "stay": (("stay", "still", None), ("stand", "still", None), ("remain", "in place", None)),
    "turn": (("turn", "{new}", None), ("turn", "from {old} to {new}", None), ("become", "{new}", None)),
    "grow": (("grow", "", None), ("grow", "larger", None), ("expand", "", None)),
    "shrink": (("shrink", "", None), ("shrink", "in size", None)),
    "vanish": (("vanish", "", None), ("disappear", "", None)),
    "appear": (("appear", "", None), ("appear", "out of nowhere", None)),
}
_AMOUNTS = {
    "left": LATERAL,
    "right": LATERAL,
    "toward": DEPTHWISE,
    "away": DEPTHWISE,
    "jump": JUMP_HEIGHT,
    "spin": (np.pi, 1.5 * np.pi),
    "fall": AIR_HEIGHT,
    "rise": AIR_HEIGHT,
}


class Choice:
    """A source of choices, the same for the same generator."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def pick(self, options: Sequence[_T]) -> _T:
        """One of them."""
        return options[int(self.rng.integers(len(options)))]

    def some(self, options: Sequence[_T], number: int) -> list[_T]:
        """So many different ones, in any order."""
        return [options[int(i)] for i in self.rng.permutation(len(options))[:number]]

    def between(self, low: float, high: float) -> float:
        """A number in the range."""
        return float(self.rng.uniform(low, high))

    def chance(self, probability: float) -> bool:
        """Whether something of that probability happens."""
        return bool(self.rng.random() < probability)

    # -- things --------------------------------------------------------------------------------------------------------

    def things(
        self, number: int, shapes: Sequence[str | None] = (), sizes: Sequence[str] = (), counts: Sequence[int] = ()
    ) -> tuple[Thing, ...]:
        """Matte things of different colours and, where `shapes` leaves it open, different shapes.

        Args:
            number: at most 4.
            shapes: the shape of each thing, None or nothing where it is open.
            sizes: the size of each; any if not given.
            counts: how many of each; 1 if not given.
        """
        chosen_shapes = [*shapes, *(None for _ in range(number - len(shapes)))]
        free = self.some([shape for shape in SHAPES if shape not in chosen_shapes], number)
        names = [shape or free.pop() for shape in chosen_shapes]
        colors = self.some(tuple(COLORS), number)
        return tuple(
            Thing(
                names[i],
                colors[i],
                sizes[i] if sizes else self.pick(("small", "large")),
                "matte",
                counts[i] if counts else 1,
            )
            for i in range(number)
        )

    def nouns(self, things: Sequence[Thing]) -> list[str]:
        """A word for the shape of each, the same for the same shape."""
        words = {shape: self.pick(_NOUNS[shape]) for shape in SHAPES}
        return [words[thing.shape] for thing in things]

    def color_besides(self, things: Sequence[Thing]) -> str:
        """A colour that none of them has."""
        return self.pick([color for color in COLORS if color not in {thing.color for thing in things}])

    def place(self, thing: int, height: float = 0.0, x: float | None = None, z: float | None = None) -> Instance:
        """Somewhere on the table, or in the air above it."""
        x = self.between(-1.8, 1.8) if x is None else x
        z = self.between(-1.9, 1.9) if z is None else z
        return Instance(thing, x, z, height, self.between(-0.6, 0.6) + np.pi / 5)

    # -- actions -------------------------------------------------------------------------------------------------------

    def action(
        self, thing: int, motion: str, interval: Interval = FULL, value: str | None = None, amount: float | None = None
    ) -> Action:
        """What a thing does, by an amount that is usual in the world if none is given."""
        if amount is None:
            amount = self.between(*_AMOUNTS[motion]) if motion in _AMOUNTS else 0.0
        return Action(thing, motion, interval, value, amount)

    def happening(self, actions: Sequence[Action], things: Sequence[Thing]) -> Happening:
        """One event for actions that are the same but for the thing."""
        motion = actions[0].motion
        verb, tail, direction = self.pick(_WORDS[motion])
        if verb == "roll" and any(things[a.thing].shape in ("cube", "cone") for a in actions):
            verb = self.pick(("slide", "slide", "glide"))
        if len(actions) > 1:
            # The colours that several things had are several words.
            tail = tail.replace("from {old} to {new}", "{new}")
        return Happening(verb, tail, direction, actions[0].interval, tuple(a.thing for a in actions))


def heights(actions: Sequence[Action], number: int) -> list[float]:
    """How high each of so many things hangs at first: what falls starts in the air."""
    result = [0.0] * number
    for action in actions:
        rose = any(a.thing == action.thing and a.motion == "rise" and a.interval < action.interval for a in actions)
        if action.motion == "fall" and not rose:
            result[action.thing] = action.amount
    return result
