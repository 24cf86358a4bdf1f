"""The file of word meanings: what it says of known words, and what a wrong file says."""

from __future__ import annotations

from pathlib import Path

import pytest

from mov_ai.errors import UsageError
from mov_ai.labels.meanings import EMBEDDED_MEANINGS, load_meanings, read_meanings
from mov_ai.labels.word_forms import base_words, word_key

MEANINGS = load_meanings()


def above(word: str) -> set[int]:
    """Everything above a word's first sense."""
    synset = MEANINGS.senses(word_key(word))[0][0]
    chain = {synset}
    while MEANINGS.parent[synset] not in chain:
        synset = MEANINGS.parent[synset]
        chain.add(synset)
    return chain


def test_kinds_lie_above_what_is_of_them() -> None:
    assert above("animal") < above("dog") < above("poodle")
    assert MEANINGS.below[min(above("dog"))] > MEANINGS.below[max(above("poodle"))]


def test_every_parent_comes_first() -> None:
    assert all(parent <= synset for synset, parent in enumerate(MEANINGS.parent))


def test_definitions_links_and_irregular_forms() -> None:
    sense = next(s for s, _ in MEANINGS.senses(word_key("large")) if MEANINGS.part(s) == "a")
    assert {"antonym", "attribute"} <= {kind for kind, _ in MEANINGS.links(sense)}
    emerald = [key for s, _ in MEANINGS.senses(word_key("emerald")) for key, _ in MEANINGS.definition(s)]
    assert word_key("green") in emerald
    assert MEANINGS.base_forms("mice", "n") == [word_key("mouse")]
    assert MEANINGS.base_forms("mice", "v") == []
    assert MEANINGS.senses(word_key("zzqx")) == []


def test_words_made_from_others() -> None:
    assert "left" in base_words("leftward")
    assert "red" in base_words("reddish")
    assert "white" in base_words("whitish")
    assert "run" in base_words("running")
    assert list(base_words("dog")) == []


def test_the_file_is_small() -> None:
    assert EMBEDDED_MEANINGS.stat().st_size <= 2_600_000


@pytest.mark.parametrize("content", [None, b"", b"no safetensors"])
def test_a_file_that_is_none_says_how_to_make_it(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "meanings.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"recipes/label_meanings\.sh") as error:
        read_meanings(path)
    assert "\n" not in str(error.value)
