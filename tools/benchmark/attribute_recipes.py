"""Recipes for what things are: attributes that stay with their owners, attributes that change, and counts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from mov_ai.worlds.tabletop.lexicon import SHAPES
from mov_ai.worlds.tabletop.scene import Action, Instance, Thing
from tools.benchmark.choices import Choice
from tools.benchmark.drafts import Draft, drafted

#: Shapes for groups, whose back rows are small in the picture: small cylinders would look like cubes.
_GROUPED = ("sphere", "cube", "cone")
#: Draws of things and places for one choice of numbers.
_ATTEMPTS = 12
#: Places (x, z) for groups: rows get wider with the distance, and stand in the gaps of those before them.
_GRID = (
    [(x, -1.5) for x in (-0.6, 0.6)]
    + [(x, -0.4) for x in (-1.15, 0.0, 1.15)]
    + [(x, 0.7) for x in (-1.7, -0.57, 0.57, 1.7)]
)

# -- attributes stay with their owners ---------------------------------------------------------------------------------


def two_move_together(choice: Choice) -> Draft | None:
    """ "A red ball and a blue cube slide to the left": two shapes, two colours."""
    things = choice.things(2)
    motion = choice.pick(("left", "right", "jump", "toward", "away"))
    actions = _same(choice, motion, (0, 1))
    template = choice.pick(
        ("{0} and {1} {e0}.", "{0} and {1} {e0} at the same time.", "There is {0} and {1}. {0} and {1} {e0}.")
    )
    draft = drafted(choice, template, things, actions, [choice.happening(actions, things)])
    return draft and draft.look(0, 1).lively((0, 1))


def three_move_together(choice: Choice) -> Draft | None:
    """ "A green cube, a pink ball and an orange cone move to the right": three of each to mix up."""
    things = choice.things(3, sizes=("small", "small", "small"))
    actions = _same(choice, choice.pick(("left", "right", "jump")), (0, 1, 2))
    draft = drafted(choice, "{0}, {1} and {2} {e0}.", things, actions, [choice.happening(actions, things)])
    return draft and draft.look(0, 1, 2).lively((0, 1, 2))


def same_shape_two_colors(choice: Choice) -> Draft | None:
    """ "A red ball jumps while a blue ball stays still": only the colours tell them apart."""
    shape = choice.pick(tuple(SHAPES))
    things = choice.things(2, shapes=(shape, shape))
    actions = [choice.action(0, choice.pick(("jump", "left", "right"))), choice.action(1, "stay")]
    happenings = [choice.happening([action], things) for action in actions]
    template = choice.pick(("{0} {e0} while {1} {e1}.", "{1} {e1} while {0} {e0}."))
    draft = drafted(choice, template, things, actions, happenings)
    return draft and draft.look(0, 1).lively((0,))


def small_and_large(choice: Choice) -> Draft | None:
    """ "A small yellow cone and a large purple cylinder move left": sizes are to be bound, too."""
    things = choice.things(2, sizes=choice.pick((("small", "large"), ("large", "small"))))
    large = int(things[1].size == "large")
    actions = _same(choice, choice.pick(("left", "right", "jump")), (0, 1))
    draft = drafted(choice, "{0} and {1} {e0}.", things, actions, [choice.happening(actions, things)], sized=(0, 1))
    return draft and draft.look(0, 1).larger(large, 1 - large).lively((0, 1))


def _same(choice: Choice, motion: str, things: tuple[int, ...]) -> list[Action]:
    """The same for all of them, by the same amount: they keep their distance."""
    first = choice.action(things[0], motion)
    return [choice.action(thing, motion, amount=first.amount) for thing in things]


# -- attributes change -------------------------------------------------------------------------------------------------


def turns(choice: Choice) -> Draft | None:
    """ "A red ball turns blue while a green cube stays still"."""
    return _changes(choice, "turn")


def grows_or_shrinks(choice: Choice) -> Draft | None:
    """ "A green cone grows while a pink cube stays still"."""
    return _changes(choice, choice.pick(("grow", "shrink")))


def comes_or_goes(choice: Choice) -> Draft | None:
    """ "A yellow cylinder vanishes while an orange ball stays still"."""
    return _changes(choice, choice.pick(("vanish", "appear")))


def turns_on_the_way(choice: Choice) -> Draft | None:
    """ "A red ball rolls to the left and turns blue on the way": told as two events at the same time."""
    things = choice.things(1)
    value = choice.color_besides(things)
    actions = [
        choice.action(0, choice.pick(("left", "right", "toward", "away"))),
        choice.action(0, "turn", value=value),
    ]
    happenings = [choice.happening([action], things) for action in actions]
    template = choice.pick(("{0} {e0} while {e1:gerund}.", "{0} {e1} while {e0:gerund}."))
    draft = drafted(choice, template, things, actions, happenings)
    return draft and draft.event(1)


def _changes(choice: Choice, motion: str) -> Draft | None:
    size = {"grow": "small", "shrink": "large"}.get(motion)
    things = choice.things(2, sizes=(size or choice.pick(("small", "large")), choice.pick(("small", "large"))))
    value = choice.color_besides(things) if motion == "turn" else None
    actions = [choice.action(0, motion, value=value), choice.action(1, "stay")]
    happenings = [choice.happening([action], things) for action in actions]
    options = ["{0} {e0} while {1} {e1}.", "While {1} {e1}, {0} {e0}.", "{1} {e1} as {0} {e0}."]
    draft = drafted(choice, choice.pick(options), things, actions, happenings)
    return draft and draft.event(0).steady(1)


# -- counts ------------------------------------------------------------------------------------------------------------


def one_group(choice: Choice) -> Draft | None:
    """ "Four red balls roll to the left"."""
    return _counted(choice, (choice.pick((2, 3, 4, 5, 6)),))


def group_and_one(choice: Choice) -> Draft | None:
    """ "Three green cubes jump while a yellow cone stays still"."""
    things = choice.things(2, choice.some(_GROUPED, 2), ("small", "small"), (choice.pick((2, 3, 4)), 1))
    actions = [choice.action(0, choice.pick(("left", "right", "jump")), amount=0.9), choice.action(1, "stay")]
    happenings = [choice.happening([action], things) for action in actions]
    draft = drafted(
        choice,
        "{0} {e0} while {1} {e1}.",
        things,
        actions,
        happenings,
        placing=lambda: _spread(choice, things, actions[0]),
    )
    return draft and draft.count(0).count(1).lively((0,))


def two_groups(choice: Choice) -> Draft | None:
    """ "Two red balls and three blue cubes move to the right"."""
    return _counted(choice, choice.pick(((2, 2), (2, 3), (3, 2), (4, 2), (2, 4), (3, 3))))


def group_that_is_there(choice: Choice) -> Draft | None:
    """ "There are three red balls. The balls jump"."""
    return _counted(choice, (choice.pick((2, 3, 4, 5)),), "There are {0}. {0} {e0}.")


def _counted(choice: Choice, counts: tuple[int, ...], template: str | None = None) -> Draft | None:
    template = template or ("{0} {e0}." if len(counts) == 1 else "{0} and {1} {e0}.")
    # Tried again with the same numbers: else many things, which seldom fit, would seldom be asked for.
    for _ in range(_ATTEMPTS):
        things = choice.things(len(counts), choice.some(_GROUPED, len(counts)), ("small",) * len(counts), counts)
        motion = choice.pick(("left", "right", "jump", "toward"))
        amount = choice.between(0.6, 0.9)
        actions = [choice.action(i, motion, amount=amount) for i in range(len(things))]
        happenings = [choice.happening(actions, things)]
        placing = partial(_spread, choice, things, actions[0])
        draft = drafted(choice, template, things, actions, happenings, placing=placing)
        if draft is not None:
            for thing in range(len(things)):
                draft.count(thing)
            return draft.lively(range(len(things)))
    return None


def _spread(choice: Choice, things: Sequence[Thing], action: Action) -> list[Instance]:
    """Places on a loose grid about which the group moves: drawn freely, six things would hardly ever fit."""
    owners = [i for i, thing in enumerate(things) for _ in range(thing.count)]
    x, z = {"left": (1, 0), "right": (-1, 0), "toward": (0, 1)}.get(action.motion, (0, 0))
    half = action.amount / 2
    return [
        choice.place(
            owner,
            x=column + x * half + choice.between(-0.05, 0.05),
            z=row + z * half + choice.between(-0.06, 0.06),
        )
        for owner, (column, row) in zip(owners, choice.some(_GRID, len(owners)), strict=True)
    ]
