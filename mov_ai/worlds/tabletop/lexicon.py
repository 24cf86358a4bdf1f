"""What the embedded world knows: shapes, colours, sizes, materials, motions, and the words for them."""

from __future__ import annotations

from functools import cache

from mov_ai.captions.lexicon import RelationWords, load

#: Canonical name -> words that mean it (the first is the canonical word itself).
SHAPES: dict[str, tuple[str, ...]] = {
    "sphere": ("sphere", "ball", "orb", "globe"),
    "cube": ("cube", "box", "block"),
    "cylinder": ("cylinder", "tube", "can", "barrel"),
    "cone": ("cone",),
}
COLORS: dict[str, tuple[str, ...]] = {
    "red": ("red", "crimson", "scarlet"),
    "orange": ("orange",),
    "yellow": ("yellow", "golden"),
    "green": ("green", "emerald"),
    "cyan": ("cyan", "turquoise"),
    "blue": ("blue", "navy"),
    "purple": ("purple", "violet"),
    "pink": ("pink", "rose"),
}
SIZES: dict[str, tuple[str, ...]] = {
    "small": ("small", "tiny", "little", "mini"),
    "large": ("large", "big", "huge", "giant"),
}
MATERIALS: dict[str, tuple[str, ...]] = {
    "matte": ("matte", "dull", "rubber"),
    "shiny": ("shiny", "metallic", "glossy", "polished"),
}
SETTINGS: dict[str, tuple[str, ...]] = {
    "floor": ("floor", "ground"),
    "table": ("table", "desk", "tabletop"),
    "dark": ("dark", "night"),
}
LIGHTS: dict[str, tuple[str, ...]] = {
    "left": ("left",),
    "right": ("right",),
    "above": ("above", "overhead"),
}
#: Linear RGB albedo of each colour.
RGB: dict[str, tuple[float, float, float]] = {
    "red": (0.80, 0.06, 0.05),
    "orange": (0.95, 0.36, 0.02),
    "yellow": (0.92, 0.78, 0.05),
    "green": (0.06, 0.50, 0.10),
    "cyan": (0.05, 0.66, 0.70),
    "blue": (0.05, 0.12, 0.75),
    "purple": (0.34, 0.07, 0.60),
    "pink": (0.95, 0.40, 0.62),
}

#: What a thing can do. "turn" changes the colour; "spin" is only seen on cubes, so only cubes do it.
MOTIONS = (
    "left",
    "right",
    "toward",
    "away",
    "jump",
    "spin",
    "fall",
    "rise",
    "stay",
    "turn",
    "grow",
    "shrink",
    "vanish",
    "appear",
)
#: Motion -> verb lemmas that mean it by themselves, whatever the direction.
MOTION_VERBS: dict[str, tuple[str, ...]] = {
    "jump": ("jump", "hop", "leap", "bounce"),
    "spin": ("spin", "rotate", "twirl", "revolve"),
    "fall": ("fall", "drop", "plummet", "descend"),
    "rise": ("rise", "ascend", "levitate", "climb"),
    "stay": ("stay", "rest", "stand", "sit", "remain", "wait", "lie"),
    "turn": ("turn", "become", "change"),
    "grow": ("grow", "expand", "swell", "enlarge"),
    "shrink": ("shrink", "contract", "dwindle"),
    "vanish": ("vanish", "disappear"),
    "appear": ("appear", "emerge", "materialize"),
    "toward": ("approach",),
    "away": ("recede", "retreat"),
}
#: `Node.direction` -> motion, for verbs that name no motion themselves (roll, push) or that the world does not know.
DIRECTION_MOTIONS: dict[str, str] = {
    "left": "left",
    "right": "right",
    "toward": "toward",
    "away": "away",
    "up": "rise",
    "down": "fall",
    "around": "spin",
}
SPATIAL: dict[str, tuple[str, ...]] = load("relations", RelationWords).common
INVERSE_SPATIAL = {
    "left of": "right of",
    "right of": "left of",
    "behind": "in front of",
    "in front of": "behind",
    "next to": "next to",
}

#: Shape and colour pairs that no training clip shows, to measure generalisation.
HELD_OUT_PAIRS = frozenset(
    {
        ("cube", "purple"),
        ("sphere", "cyan"),
        ("cone", "red"),
        ("cylinder", "yellow"),
        ("cone", "blue"),
        ("sphere", "orange"),
        ("cylinder", "pink"),
        ("cube", "green"),
    }
)


@cache
def _index(kind: str) -> dict[str, str]:
    table = {
        "shape": SHAPES,
        "color": COLORS,
        "size": SIZES,
        "material": MATERIALS,
        "setting": SETTINGS,
        "light": LIGHTS,
        "spatial": SPATIAL,
    }[kind]
    return {word: name for name, words in table.items() for word in words}


def concept(kind: str, word: str | None) -> str | None:
    """The canonical name of a word, or None if the world does not know it.

    Args:
        kind: shape, color, size, material, setting, light or spatial.
        word: any case.
    """
    return None if word is None else _index(kind).get(word.lower().strip())


def attribute_concept(word: str) -> tuple[str, str] | None:
    """(kind, canonical name) of an attribute word, looked up in every kind; None if unknown."""
    for kind in ("color", "size", "material"):
        name = concept(kind, word)
        if name is not None:
            return kind, name
    return None
