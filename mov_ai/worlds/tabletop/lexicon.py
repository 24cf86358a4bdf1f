"""What the embedded world knows: shapes, colours, sizes, materials, motions, and the words for them."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from mov_ai.captions.lexicon import Lexicon, RelationWords, WordsByClass, load
from mov_ai.shipped_files import from_yaml


class _World(Lexicon):
    """`lexicon.yaml`: canonical names with the words that mean them, and what is drawn how."""

    shapes: WordsByClass
    colors: WordsByClass
    sizes: WordsByClass
    materials: WordsByClass
    settings: WordsByClass
    lights: WordsByClass
    rgb: dict[str, tuple[float, float, float]]
    motions: dict[str, float]
    verbs: WordsByClass
    directions: dict[str, str]
    inverse_spatial: dict[str, str]
    held_out_pairs: frozenset[tuple[str, str]]


_WORLD = _World.model_validate(from_yaml((files(__package__) / "lexicon.yaml").read_text("utf-8")))
SHAPES, COLORS, SIZES, MATERIALS = _WORLD.shapes, _WORLD.colors, _WORLD.sizes, _WORLD.materials
SETTINGS, LIGHTS, RGB = _WORLD.settings, _WORLD.lights, _WORLD.rgb
#: What a thing can do, and how often it is drawn.
MOTIONS, MOTION_WEIGHTS = tuple(_WORLD.motions), _WORLD.motions
#: Motion -> verbs that mean it; `Node.direction` -> motion.
MOTION_VERBS, DIRECTION_MOTIONS = _WORLD.verbs, _WORLD.directions
SPATIAL, INVERSE_SPATIAL = load("relations", RelationWords).common, _WORLD.inverse_spatial
#: Shape and colour pairs that no training clip shows.
HELD_OUT_PAIRS = _WORLD.held_out_pairs


@cache
def _index(kind: str) -> dict[str, str]:
    table = SPATIAL if kind == "spatial" else getattr(_WORLD, f"{kind}s")
    return {word: name for name, words in table.items() for word in words}


def concept(kind: str, word: str | None) -> str | None:
    """The canonical name of a word in any case, or None if the world does not know it.

    `kind`: shape, color, size, material, setting, light or spatial.
    """
    return None if word is None else _index(kind).get(word.lower().strip())


def attribute_concept(word: str) -> tuple[str, str] | None:
    """(kind, canonical name) of an attribute word, looked up in every kind; None if unknown."""
    for kind in ("color", "size", "material"):
        name = concept(kind, word)
        if name is not None:
            return kind, name
    return None
