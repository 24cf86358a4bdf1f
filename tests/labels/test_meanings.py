"""The file of word meanings: what it says of known words, and what a wrong file says."""

from __future__ import annotations

from pathlib import Path

import pytest

from mov_ai.errors import UsageError
from mov_ai.labels.meanings import EMBEDDED_MEANINGS, load_meanings, read_meanings
from mov_ai.labels.word_forms import base_words, word_key
from mov_ai.training.labels import meanings, write_meanings

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
    with pytest.raises(UsageError, match="mov-ai build meanings") as error:
        read_meanings(path)
    assert "\n" not in str(error.value)


def test_the_command_reads_wordnets_own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "wordnet3"
    folder.mkdir()
    for part in ("noun", "verb", "adj", "adv"):
        for name in (f"data.{part}", f"index.{part}", f"{part}.exc"):
            (folder / name).write_text("  1 a line of the licence\n" if name.endswith(part) else "")
    (folder / "data.noun").write_text(
        '00000100 05 n 01 creature 0 001 ~ 00000200 n 0000 | a living thing; "poor creature"\n'
        "00000200 05 n 02 Ox 0 cow 0 001 @ 00000100 n 0000 | a large thing with horns\n"
    )
    (folder / "index.noun").write_text(
        "creature n 1 1 ~ 1 0 00000100  \nox n 1 1 @ 1 1 00000200  \ncow n 1 1 @ 1 0 00000200  \n"
        "thing n 1 0 1 0 00000100  \n"
    )
    (folder / "noun.exc").write_text("oxen ox\n")
    (folder / "cntlist.rev").write_text("ox%1:05:00:: 1 3\n")
    monkeypatch.setattr("mov_ai.training.labels.data_folder", lambda name: tmp_path / name)
    path = tmp_path / "new" / EMBEDDED_MEANINGS.name
    assert write_meanings(path) == (4, 2)
    made = read_meanings(path)
    ((ox, used),) = made.senses(word_key("ox"))
    ((creature, never),) = made.senses(word_key("creature"))
    assert made.senses(word_key("cow")) == [(ox, 0.0)]
    assert (made.parent[ox], made.lexname[ox], made.part(ox)) == (creature, 5, "n")
    assert (used, never) == (pytest.approx(3, abs=0.2), 0.0)
    assert made.below == [1.0, 0.0]
    # Both definitions have "thing"; a word that only one has tells nothing of what it shares.
    assert [made.definition(synset) for synset in (creature, ox)] == [[(word_key("thing"), 1.0)]] * 2
    assert made.base_forms("oxen", "n") == [word_key("ox")]


def test_a_folder_without_wordnet_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no WordNet 3\.0 database there"):
        meanings(tmp_path)
