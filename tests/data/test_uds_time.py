import json
from collections import Counter
from pathlib import Path

import pytest

from mov_ai.data.uds_time import (
    length_pairs,
    length_relation,
    load_sentences,
)
from mov_ai.errors import UsageError
from mov_ai.graph.time import DURATIONS, LENGTH_RELATIONS
from tests.data.real_files import real_folder

#: Two written words of the second sentence are several words of the treebank each.
TREEBANK = """# newdoc id = doc-a
# sent_id = doc-a-1
# text = He sat down and slept.
1\tHe\the\tPRON
2\tsat\tsit\tVERB
3\tdown\tdown\tADV
4\tand\tand\tCCONJ
5\tslept\tsleep\tVERB
6\t.\t.\tPUNCT

# sent_id = doc-b-1
# text = I don't know, you cannot sleep.
1\tI\tI\tPRON
2-3\tdon't\t_\t_
2\tdo\tdo\tAUX
3\tn't\tnot\tPART
4\tknow\tknow\tVERB
5\t,\t,\tPUNCT
5.1\tthat\tthat\tSCONJ
6\tyou\tyou\tPRON
7-8\tcannot\t_\t_
7\tcan\tcan\tAUX
8\tnot\tnot\tPART
9\tsleep\tsleep\tVERB
10\t.\t.\tPUNCT
"""


def answers(confidence: float = 1.0, **chosen: float) -> dict:
    return {"time": {f"dur-{d}": {"value": chosen.get(d, -1.2), "confidence": confidence} for d in DURATIONS}}


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    treebank, uds = tmp_path / "treebank", tmp_path / "uds"
    treebank.mkdir()
    uds.mkdir()
    (treebank / "train.conllu").write_text(TREEBANK, encoding="utf-8")
    for part in ("dev", "test"):
        (treebank / f"{part}.conllu").write_text("", encoding="utf-8")
    names = {
        f"ewt-train-{i}": {"document_id": f"doc-{d}", "sentence_id": f"doc-{d}-1"} for i, d in ((1, "a"), (2, "b"))
    }
    (uds / "ud_ids.json").write_text(json.dumps(names))
    data = {
        "ewt-train-1": {
            "ewt-train-1-semantics-pred-5": answers(0.5, hours=1.5, days=0.5),
            "ewt-train-1-semantics-pred-2": answers(seconds=1.0),
        },
        "ewt-train-2": {
            "ewt-train-2-semantics-pred-4": answers(years=1.0),
            "ewt-train-2-semantics-pred-9": answers(hours=1.0),
            "ewt-train-2-semantics-pred-99": answers(hours=1.0),
        },
    }
    (uds / "time.json").write_text(json.dumps({"metadata": {}, "data": data}))
    return uds, treebank


def test_events_stand_at_their_words_in_the_order_of_the_text(folders):
    first, second = load_sentences(*folders)
    assert (first.id, first.document, first.original) == ("ewt-train-1", "doc-a", "train")
    assert [first.text[slice(*event.span)] for event in first.events] == ["sat", "slept"]
    # Word 99 is not in the treebank: it is left out.
    assert [second.text[slice(*event.span)] for event in second.events] == ["know", "sleep"]


def test_what_was_chosen_makes_the_shares_of_durations(folders):
    (sit, sleep), _ = (sentence.events for sentence in load_sentences(*folders))
    assert sit.durations[DURATIONS.index("seconds")] == 1
    assert sit.length == 1
    assert (sleep.durations[3], sleep.durations[4]) == (0.75, 0.25)
    assert sleep.length == pytest.approx(3.25)
    assert sleep.confidence == 0.5


def test_pairs_say_which_event_lasts_longer(folders):
    first, second = load_sentences(*folders)
    assert list(length_pairs(first)) == [(0, 1, "shorter")]
    assert list(length_pairs(second)) == [(0, 1, "longer")]
    assert [length_relation(3.0, x) for x in (2.0, 2.5, 3.9, 4.0)] == ["longer", "same", "same", "shorter"]


def test_other_files_are_refused(folders):
    uds, treebank = folders
    (uds / "time.json").write_text(json.dumps({"data": {"ewt-train-7": {}}}))
    with pytest.raises(UsageError, match="not UDS-Time's normalised durations"):
        load_sentences(uds, treebank)
    (treebank / "dev.conllu").unlink()
    with pytest.raises(UsageError, match=r"dev\.conllu: cannot be read"):
        load_sentences(uds, treebank)


def test_the_real_sentences():
    sentences = load_sentences(real_folder("uds_time"), real_folder("ud_english_ewt"))
    assert len(sentences) == 12_302
    # The treebank has lost two of the 32,302 words since.
    assert sum(len(s.events) for s in sentences) == 32_300
    assert all(0 <= e.span[0] < e.span[1] <= len(s.text) for s in sentences for e in s.events)
    held = {s.document for s in sentences if s.split == "held_out"}
    assert not held & {s.document for s in sentences if s.split == "train"}
    relations = Counter(r for s in sentences if s.split == "train" for _, _, r in length_pairs(s))
    assert relations.most_common(1)[0][0] == "same"
    assert set(relations) == set(LENGTH_RELATIONS)
