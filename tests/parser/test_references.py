"""Later mentions of a thing, named in full."""

from __future__ import annotations

import pytest

from mov_ai.errors import UsageError
from mov_ai.parser.assembly import Parse
from mov_ai.parser.parser import EMBEDDED_PARSER, SceneGraphParser
from mov_ai.parser.references import spell_out

pytestmark = pytest.mark.skipif(
    not (EMBEDDED_PARSER / "model.safetensors").is_file(), reason="the embedded parser is not trained yet"
)


@pytest.fixture(scope="module")
def parser() -> SceneGraphParser:
    return SceneGraphParser.from_pretrained()


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        (["A red ball rolls left.", "It jumps.", "A cone spins."], ["The red ball jumps.", "A cone spins."]),
        # As it looks by then.
        (
            ["A red ball turns blue.", "It jumps.", "Then it turns green.", "It vanishes."],
            ["The blue ball jumps.", "Then the blue ball turns green.", "The green ball vanishes."],
        ),
        (
            ["Two small cubes slide to the left.", "They spin.", "The cubes grow."],
            ["The two small cubes spin.", "The small cubes grow."],
        ),
        (
            ["A red ball and a blue cube roll.", "The ball jumps.", "The blue cube pushes it."],
            ["The red ball jumps.", "The blue cube pushes the red ball."],
        ),
        (["A statue stands in a park.", "It is white."], ["The statue is white."]),
        # What is new stays as it was said, and what belongs to somebody, too.
        (["A cube spins.", "A cube jumps.", "Another cube falls."], ["A cube jumps.", "Another cube falls."]),
        (["A man walks in.", "Her hair is blonde."], ["Her hair is blonde."]),
    ],
)
def test_later_mentions_are_named_in_full(parser: SceneGraphParser, text: list[str], spelled: list[str]) -> None:
    assert spell_out(text, parser.explain) == [text[0], *spelled]


def test_a_text_that_is_too_long_to_read_leaves_its_sentences() -> None:
    def refuse(text: str) -> Parse:
        raise UsageError("too long")

    assert spell_out(["A ball rolls.", "It jumps."], refuse) == ["A ball rolls.", "It jumps."]
    assert spell_out([], refuse) == []
