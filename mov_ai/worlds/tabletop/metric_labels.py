"""Shapes and colours in the order in which the checker's network numbers them."""

from __future__ import annotations

from mov_ai.worlds.tabletop.lexicon import COLORS, SHAPES

#: In the shape head class 0 is the background and class i + 1 is SHAPE_NAMES[i].
SHAPE_NAMES, COLOR_NAMES = tuple(SHAPES), tuple(COLORS)
