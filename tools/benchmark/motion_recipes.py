"""Recipes for what things do: directions, actions and the order of events, each with the thing it is said of."""

from __future__ import annotations

from collections.abc import Sequence

from mov_ai.graph import Interval
from mov_ai.worlds.tabletop.scene import Action, Thing
from tools.benchmark.choices import OPPOSITE, Choice
from tools.benchmark.drafts import Draft, drafted

_SIDEWAYS = ("left", "right")
_IN_DEPTH = ("toward", "away")
_UPRIGHT = ("rise", "fall")

# -- directions --------------------------------------------------------------------------------------------------------


def opposite_ways(choice: Choice) -> Draft | None:
    """ "A red ball rolls to the left while a blue cube slides to the right"."""
    first = choice.pick((*_SIDEWAYS, *_IN_DEPTH, *_UPRIGHT))
    return _at_once(choice, (first, OPPOSITE[first]))


def different_ways(choice: Choice) -> Draft | None:
    """ "A red ball comes closer while a blue cube slides to the right"."""
    return _at_once(choice, tuple(choice.pick(axis) for axis in choice.some((_SIDEWAYS, _IN_DEPTH, _UPRIGHT), 2)))


def one_goes_one_stays(choice: Choice) -> Draft | None:
    """ "A red ball rolls to the left while a blue cube stays still"."""
    things = choice.things(2)
    actions = [choice.action(0, choice.pick((*_SIDEWAYS, *_IN_DEPTH, *_UPRIGHT))), choice.action(1, "stay")]
    happenings = [choice.happening([action], things) for action in actions]
    template = choice.pick(("{0} {e0} while {1} {e1}.", "{1} {e1} while {0} {e0}.", "While {1} {e1}, {0} {e0}."))
    draft = drafted(choice, template, things, actions, happenings)
    return draft and draft.event(0).steady(1)


def alike_but_for_color(choice: Choice) -> Draft | None:
    """ "A red cube slides to the left and a blue cube slides to the right": only the colour says which goes where."""
    first = choice.pick(_SIDEWAYS)
    shape = choice.pick(("sphere", "cube", "cylinder", "cone"))
    return _at_once(choice, (first, OPPOSITE[first]), choice.things(2, shapes=(shape, shape)))


def _at_once(choice: Choice, motions: Sequence[str], things: tuple[Thing, ...] | None = None) -> Draft | None:
    shapes = [("cube" if motion == "spin" else None) for motion in motions]
    things = things or choice.things(len(motions), shapes=shapes)
    actions = [choice.action(i, motion) for i, motion in enumerate(motions)]
    happenings = [choice.happening([action], things) for action in actions]
    options = ["{0} {e0} while {1} {e1}.", "While {0} {e0}, {1} {e1}.", "{0} {e0} and {1} {e1} at the same time."]
    draft = drafted(choice, choice.pick(options), things, actions, happenings)
    return draft and draft.event(0).event(1)


# -- actions -----------------------------------------------------------------------------------------------------------


def two_actions(choice: Choice) -> Draft | None:
    """ "A red ball jumps while a blue cube spins"."""
    pairs = (("jump", "spin"), ("jump", "rise"), ("jump", "fall"), ("spin", "rise"), ("spin", "fall"))
    pair = choice.pick(pairs)
    return _at_once(choice, pair if choice.chance(0.5) else pair[::-1])


def action_and_way(choice: Choice) -> Draft | None:
    """ "A red ball rolls to the left while a blue cube spins"."""
    pair = (choice.pick(("jump", "spin")), choice.pick((*_SIDEWAYS, *_IN_DEPTH)))
    return _at_once(choice, pair if choice.chance(0.5) else pair[::-1])


def action_and_change(choice: Choice) -> Draft | None:
    """ "A red ball jumps while a blue cube grows"."""
    motion, change = choice.pick(("jump", "spin", *_SIDEWAYS)), choice.pick(("grow", "shrink", "vanish"))
    things = choice.things(
        2,
        shapes=("cube" if motion == "spin" else None,),
        sizes=(choice.pick(("small", "large")), {"grow": "small", "shrink": "large"}.get(change, "small")),
    )
    actions = [choice.action(0, motion), choice.action(1, change)]
    happenings = [choice.happening([action], things) for action in actions]
    template = choice.pick(("{0} {e0} while {1} {e1}.", "{1} {e1} while {0} {e0}.", "{0} {e0} as {1} {e1}."))
    draft = drafted(choice, template, things, actions, happenings)
    return draft and draft.event(0).event(1)


def same_shape_two_actions(choice: Choice) -> Draft | None:
    """ "A red cube spins while a blue cube jumps": only the colour says which does what."""
    pair = ("spin", choice.pick(("jump", "left", "right", "rise")))
    things = choice.things(2, shapes=("cube", "cube"))
    return _at_once(choice, pair if choice.chance(0.5) else pair[::-1], things)


# -- the order of events -----------------------------------------------------------------------------------------------


def one_thing_two_events(choice: Choice) -> Draft | None:
    """ "A red ball rolls to the left, then turns blue": one after the other."""
    things = choice.things(1)
    motions = _sequence(choice, things[0], 2)
    options = [
        "{0} {e0}, then {e1}.",
        "{0} {e0} and then {e1}.",
        "{0} {e0} before {e1:gerund}.",
        "{0} {e0}. Then {0:it} {e1}.",
        "After {e0:gerund}, {0} {e1}.",
    ]
    return _in_order(choice, things, [(0, motion) for motion in motions], choice.pick(options))


def one_thing_three_events(choice: Choice) -> Draft | None:
    """ "A red ball jumps, then rolls to the left, and finally vanishes"."""
    things = choice.things(1)
    motions = _sequence(choice, things[0], 3)
    options = ["{0} {e0}, then {e1}, and finally {e2}.", "First {0} {e0}, then {0:it} {e1}, and finally {0:it} {e2}."]
    return _in_order(choice, things, [(0, motion) for motion in motions], choice.pick(options))


def two_things_in_turn(choice: Choice) -> Draft | None:
    """ "After a red ball jumps, a blue cube spins"; the words may tell the second event first."""
    things = choice.things(2)
    motions = [choice.pick(_options(thing)) for thing in things]
    options = [
        "{0} {e0}, then {1} {e1}.",
        "{0} {e0} before {1} {e1}.",
        "After {0} {e0}, {1} {e1}.",
        "{1} {e1} after {0} {e0}.",
        "Once {0} {e0:perfect}, {1} {e1}.",
        "First {0} {e0}. Then {1} {e1}.",
    ]
    if motions[0] in (*_SIDEWAYS, *_IN_DEPTH, "spin"):
        # Only what can go on for any time is done until something happens.
        options.append("{0} {e0} until {1} {e1}.")
    template = choice.pick(options)
    meets = template.startswith("Once") or "until" in template
    return _in_order(choice, things, list(enumerate(motions)), template, meets)


def three_things_in_turn(choice: Choice) -> Draft | None:
    """ "First a red ball jumps, then a blue cube spins, and finally a green cone grows"."""
    things = choice.things(3)
    motions = [choice.pick(_options(thing)) for thing in things]
    options = ["First {0} {e0}, then {1} {e1}, and finally {2} {e2}.", "{0} {e0}. Then {1} {e1}. After that, {2} {e2}."]
    return _in_order(choice, things, list(enumerate(motions)), choice.pick(options))


def at_the_same_time(choice: Choice) -> Draft | None:
    """ "While a red ball jumps, a blue cube spins. Then the ball vanishes": two events at once, then a third."""
    things = choice.things(2)
    motions = [choice.pick([m for m in _options(thing) if m not in ("vanish", "appear")]) for thing in things]
    last = choice.pick([m for m in ("turn", "vanish", "jump") if m != motions[0]])
    size = {"grow": "small", "shrink": "large"}
    things = tuple(
        Thing(t.shape, t.color, size.get(m, t.size), t.material) for t, m in zip(things, motions, strict=True)
    )
    value = choice.color_besides(things)
    if motions[0] in ("rise", "fall", "turn"):
        last = "vanish"
    halves: tuple[Interval, Interval] = ((0.0, 0.5), (0.5, 1.0))
    actions = [_act(choice, i, motion, halves[0], value) for i, motion in enumerate(motions)]
    actions.append(
        _act(choice, 0, last, halves[1], choice.color_besides((*things, Thing("cube", value, "small", "matte"))))
    )
    happenings = [choice.happening([action], things) for action in actions]
    template = choice.pick(("{0} {e0} while {1} {e1}, then {0} {e2}.", "While {0} {e0}, {1} {e1}. Then {0} {e2}."))
    draft = drafted(choice, template, things, actions, happenings)
    return draft and draft.order(0, 1, "equal").order(0, 2, "before").order(1, 2, "before")


def _in_order(
    choice: Choice, things: tuple[Thing, ...], steps: Sequence[tuple[int, str]], template: str, meets: bool = False
) -> Draft | None:
    number = len(steps)
    size = {"grow": "small", "shrink": "large"}
    for thing, motion in steps:
        changed = Thing(things[thing].shape, things[thing].color, size.get(motion, things[thing].size), "matte")
        things = (*things[:thing], changed, *things[thing + 1 :])
    value = choice.color_besides(things)
    actions: list[Action] = []
    for step, (thing, motion) in enumerate(steps):
        interval = (round(step / number, 4), round((step + 1) / number, 4))
        risen = next((a.amount for a in actions if a.thing == thing and a.motion == "rise"), None)
        amount = risen if motion == "fall" else None
        actions.append(_act(choice, thing, motion, interval, value, amount))
    happenings = [choice.happening([action], things) for action in actions]
    linked = [(0, 1)] if meets else []
    draft = drafted(choice, template, things, actions, happenings, meets=linked)
    if draft is None:
        return None
    for step in range(number - 1):
        draft.order(step, step + 1, "before")
    return draft


def _act(
    choice: Choice, thing: int, motion: str, interval: Interval, value: str, amount: float | None = None
) -> Action:
    return choice.action(thing, motion, interval, value if motion == "turn" else None, amount)


def _options(thing: Thing) -> list[str]:
    spins = ["spin"] if thing.shape == "cube" else []
    return ["left", "right", "toward", "away", "jump", "turn", "grow", "shrink", "vanish", "rise", *spins]


def _sequence(choice: Choice, thing: Thing, steps: int) -> list[str]:
    """So many different motions, one after the other: nothing follows its going, and from the air it can only fall."""
    motions: list[str] = []
    while len(motions) < steps:
        options = [m for m in _options(thing) if m not in motions and OPPOSITE.get(m) not in motions]
        if motions and motions[-1] == "rise":
            options = ["fall", "vanish", "turn"]
        elif "rise" in motions:
            options = [m for m in ("turn", "vanish") if m not in motions]
        if len(motions) < steps - 1:
            options = [m for m in options if m != "vanish"]
        motions.append(choice.pick(options))
    return motions
