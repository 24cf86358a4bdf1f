"""The gallery: sentences that are new to training, and a folder that holds all of it or nothing."""

from __future__ import annotations

import re
from pathlib import Path

import PIL.Image
import pytest

from mov_ai.parser.parser import SceneGraphParser
from mov_ai.pipeline import MovAIPipeline
from mov_ai.worlds.tabletop.held_out import unseen_in_training
from studies.gallery import __main__ as gallery
from studies.gallery.sentences import SENTENCES, Sentence


@pytest.fixture(scope="module")
def checkpoint(tiny_pipeline_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random pipeline that reads text with the embedded parser."""
    folder = tmp_path_factory.mktemp("pipeline") / "reading"
    MovAIPipeline.from_pretrained(tiny_pipeline_dir, "cpu").save_pretrained(folder, parser=False)
    return folder


@pytest.fixture
def two_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery, "SENTENCES", SENTENCES[5::2])


def test_eight_sentences_each_new_to_training() -> None:
    parser = SceneGraphParser.from_pretrained()
    graphs = [parser(sentence.text) for sentence in SENTENCES]
    assert len({sentence.text for sentence in SENTENCES}) == 8
    assert [
        sentence.text for sentence, graph in zip(SENTENCES, graphs, strict=True) if not unseen_in_training(graph)
    ] == []
    # Counts, changes over time and things that act on things are all among them.
    assert any(node.count > 1 for graph in graphs for node in graph.of_type("entity"))
    assert any(edge.interval != (0, 1) for graph in graphs for edge in graph.edges if edge.type == "has_attribute")
    assert any(len({n.interval for n in graph.of_type("event")}) == 3 for graph in graphs)
    assert any(edge.type == "patient" for graph in graphs for edge in graph.edges)


@pytest.mark.usefixtures("two_sentences")
def test_folder_holds_a_page_and_its_pictures(checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "gallery"
    assert gallery.main(["--checkpoint", str(checkpoint), "--stages", "128", "--out", str(out)]) == 0
    page = (out / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"!\[[^]]*\]\(([^)]+)\)", page)
    assert sorted(shown) == sorted(path.name for path in out.iterdir() if path.name != "README.md")
    assert len(shown) == 6
    assert "## 2. A crimson orb ascends, then a navy block dwindles." in page
    assert '"crimson", "orb"' in page
    assert PIL.Image.open(out / "1.jpg").size == (4 * 128, 128)
    assert PIL.Image.open(out / "1-boxes.jpg").size == (8 * 192, 192)
    assert (out / "2-graph.svg").read_text(encoding="utf-8").startswith("<svg")


@pytest.mark.usefixtures("two_sentences")
@pytest.mark.parametrize("fault", ["heavy", "seen"])
def test_nothing_is_left_of_a_gallery_that_fails(
    checkpoint: Path, tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if fault == "heavy":
        monkeypatch.setattr(gallery, "MOST_BYTES", 1000)
    else:
        monkeypatch.setattr(gallery, "SENTENCES", (Sentence("A red ball rolls.", "nothing new"),))
    out = tmp_path / "gallery"
    assert gallery.main(["--checkpoint", str(checkpoint), "--stages", "128", "--out", str(out)]) == 1
    assert not out.exists()
    message = {"heavy": "expected at most", "seen": "expected a held-out word"}[fault]
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [(["--stages", "0"], "--stages: expected a size"), (["--checkpoint", "nothing"], "expected 'tiny' or a folder")],
)
def test_bad_options_are_one_line(arguments: list[str], fault: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert gallery.main(arguments) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert fault in error
