"""Which kind of attribute an adjective names, for captions whose annotation does not say."""

from __future__ import annotations

from functools import cache

from mov_ai.captions.lexicon import OtherWords, load
from mov_ai.worlds.tabletop.lexicon import COLORS, MATERIALS, SIZES


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


#: Kind -> words, beside the world's own and those that its captions are given.
_WORDS: dict[str, tuple[str, ...]] = {
    "color": _words(
        """
        blonde blond burgundy khaki cream colored coloured dark light bright multicolored multi-colored colorful
        colourful brunette
        """
    ),
    "size": _words(
        """
        high low deep shallow larger smaller bigger taller shorter longer largest smallest fat skinny slim lengthy
        sized broad slender
        """
    ),
    "material": _words(
        """
        wood brick cement iron dirt gravel chrome porcelain granite marble denim cardboard tile tiled rubber aluminum
        bronze wicker straw cotton silk clay fur bamboo asphalt rock sandy stainless
        """
    ),
    "texture": _words(
        """
        plaid shiny grassy rocky floral patterned hairy curly straight wavy bushy leafy printed rusty rusted paved
        carpeted polka stripes woven
        """
    ),
    "shape": _words(
        """
        pointy circular arched bent slanted cylindrical hexagonal angled crooked shaped curled domed octagonal
        slanting vertical horizontal
        """
    ),
    "state": _words(
        """
        opened lit melted cooked baked folded fallen dead alive parked painted raised extended cut crossed stuffed
        sliced fried grilled cloudy sunny overcast clear smiling sleeping standing sitting walking flying dried bare
        barefoot bald ready worn torn turned on off up down messy busy crowded stacked tied hanging leaning decorated
        framed lined covered unmade unlit blurry ripe fresh potted peeled chopped shaved loose tight still blank
        visible hidden shut locked lifted
        """
    ),
}


@cache
def _kinds() -> dict[str, str]:
    kind_of_word = {
        word: kind
        for kind, words in _WORDS.items()
        for word in (*load("other_words", OtherWords).adjectives[kind], *words)
    }
    for kind, words_by_concept in (("color", COLORS), ("size", SIZES), ("material", MATERIALS)):
        kind_of_word |= {word: kind for words in words_by_concept.values() for word in words}
    return kind_of_word


def attribute_kind(word: str) -> str:
    """The kind of an attribute by its head word in lower case; "other" for words that are not listed."""
    return _kinds().get(word, "other")
