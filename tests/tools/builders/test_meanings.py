"""Word meanings are built from WordNet's own files."""

from __future__ import annotations

from pathlib import Path

import pytest

from mov_ai.errors import UsageError
from mov_ai.labels.meanings import EMBEDDED_MEANINGS, read_meanings
from mov_ai.labels.word_forms import word_key
from tools.builders.meanings import meanings, write_meanings


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
    monkeypatch.setattr("tools.builders.meanings.data_folder", lambda name: tmp_path / name)
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
