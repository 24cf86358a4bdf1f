"""The suite on a few captions made up here and a parser that knows them by heart."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import spacy

from mov_ai.data.factual import parse_triples
from mov_ai.errors import UsageError
from mov_ai.graph import SceneGraph
from studies.parser.measure import Mean, ParserSuite, main, size_mb
from studies.parser.report import remarks, report, table
from studies.parser.wordnet import load_wordnet

CAPTIONS = {
    "a red ball": "( ball , is , red )",
    "a ball on a mat": "( ball , on , mat )",
    "a mat": "( mat )",
    "dogs near a mat": "( dogs , near , mat )",
}


def graph_of(text: str, gold: str) -> SceneGraph:
    """The scene graph whose triples are `gold`."""
    nodes: dict[str, dict[str, Any]] = {}
    edges = []
    for head, predicate, tail in parse_triples(gold):
        kinds = [(head, "entity"), (tail, "attribute" if predicate == "is" else "entity")]
        for name, kind in kinds:
            if name:
                nodes[name] = {"id": name, "type": kind, "label": name, "confidence": 0.75}
        if predicate == "is":
            edges.append({"source": head, "target": tail, "type": "has_attribute"})
        elif predicate:
            edges.append({"source": head, "target": tail, "type": "relation", "label": predicate})
    return SceneGraph.from_dict({"version": 1, "caption": text, "nodes": list(nodes.values()), "edges": edges})


class KnowingParser:
    """Gives the gold graph, but for "a red ball" none of its colour; refuses "dogs near a mat"."""

    def __init__(self) -> None:
        self.spacy = spacy.blank("en")

    def parse_batch(self, texts: Sequence[str], /) -> list[SceneGraph]:
        if "dogs near a mat" in texts:
            raise UsageError("no dogs here")
        return [graph_of(t, "( ball )" if t == "a red ball" else CAPTIONS.get(t, "( thing )")) for t in texts]


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder whose random/test is `CAPTIONS`, and whose length/test is half in random/train."""
    parts = {
        "random/train": {f"thing {i}": "( thing )" for i in range(40)},
        "random/test": CAPTIONS,
        "length/train": {"a mat": "( mat )"},
        "length/test": {f"thing {i}": "( thing )" for i in range(80)},
    }
    for name, captions in parts.items():
        path = tmp_path / "data" / "factual" / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([("caption", "scene_graph"), *captions.items()])
    for name, text in (("english.synsets", "ball\n1\n"), ("english.exceptions", "dog\ndogs\n")):
        path = tmp_path / "data" / "wordnet" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.setenv("MOV_AI_DATA", str(tmp_path / "data"))
    load_wordnet.cache_clear()
    yield tmp_path
    load_wordnet.cache_clear()


def test_everything_is_measured_and_written(dataset: Path) -> None:
    output = dataset / "out"
    parser = KnowingParser()
    result = ParserSuite(batch_size=2, errors=5).measure(parser, None, output)
    random = result["accuracy"]["random"]
    # Right: "a ball on a mat", "a mat"; of the ball and its colour, only the ball; nothing of the dogs.
    assert (random["n"], random["refused"], random["set_match"]["value"]) == (4, 1, 0.5)
    assert random["spice"]["value"] == pytest.approx((2 / 3 + 1 + 1 + 0) / 4)
    assert result["accuracy"]["length_unseen"]["n"] == 40
    assert result["length_test_captions_in_random_train"] == 40
    assert "length" not in result["accuracy"]
    assert any("40 of 80" in line and "length_parser=" in line for line in result["remarks"])
    assert result["oracle"]["random"]["words"]["set_match"]["value"] == 1
    assert result["errors"]["wrong"] == 2
    assert len((output / "errors.csv").read_text().splitlines()) == 3
    assert result["calibration"]["nodes"]["n"] == 4
    assert result["calibration"]["nodes"]["ece"] == pytest.approx(0.25)
    assert result["speed"]["captions_per_second"] > 0
    assert result["time"]["sentences"]["sentences"] > 0
    result["size_mb"] = size_mb(dataset, parser)
    assert table(result).row_count == 3 + 4 + 4
    text = report(result)
    assert "| this parser | random/test | 4 | 50.00" in text
    assert all(line in text for line in remarks(result))


def test_a_length_parser_gives_length_and_the_gap(dataset: Path) -> None:
    suite = ParserSuite(errors=0, time=False, batch_size=1)
    result = suite.measure(KnowingParser(), KnowingParser(), dataset / "out")
    assert result["accuracy"]["length"]["n"] == 80
    assert result["gap"]["set_match"] == pytest.approx(0.5 - 1)
    assert not (dataset / "out").exists()


def test_limit_and_split_narrow_it(dataset: Path) -> None:
    result = ParserSuite(split=["random"], limit=2, time=False).measure(KnowingParser(), None, dataset / "out")
    assert result["accuracy"]["random"]["n"] == 2
    assert set(result["oracle"]) == {"random"}
    assert set(result["accuracy"]) == {"random", "random_lemmatized"}


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"limit": 0}, "limit"),
        ({"batch_size": "many"}, "batch_size"),
        ({"errors": -1}, "errors"),
        ({"seed": True}, "seed"),
        ({"split": ["topic"]}, "split"),
        ({"split": []}, "split"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, Any], word: str) -> None:
    with pytest.raises(UsageError, match=word):
        ParserSuite(**settings)


def test_intervals_hold_the_mean_and_repeat_by_seed() -> None:
    values = [0.0, 1.0] * 50
    mean = Mean.of(values, seed=1)
    assert mean.low < mean.value == 0.5 < mean.high
    assert mean == Mean.of(values, seed=1)
    assert Mean.of([1.0] * 5, seed=0) == Mean(1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--limit", "0"], 2, "limit"),
        (["--parser", "nowhere"], 2, "nowhere"),
        (["--out", "file/run"], 1, "is a file"),
    ],
)
def test_mistakes_are_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    assert main(arguments) == code
    error = capsys.readouterr().err
    assert words in error
    assert len(error.splitlines()) == 1
