"""The text-video network learns which caption is whose, and that false captions are false."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mov_ai.errors import UsageError
from mov_ai.models.component import save_component
from mov_ai.models.metric_networks.text_video import UNKNOWN, TextVideo, TextVideoConfig
from mov_ai.models.metric_networks.video_network import VideoNetworkConfig
from mov_ai.training.loop import Trainer
from mov_ai.training.settings import TrainerConfig
from tests.models.metric_networks.small import BACKBONE, recognition
from tools.metrics.training import text_video as training
from tools.metrics.training.clips import MetricClips, load_clips
from tools.metrics.training.false_captions import EDITS
from tools.metrics.training.text_video import TextVideoObjective, text_video_figures, vocabulary

SMALL = TextVideoConfig(backbone=BACKBONE, dim=16, text_width=32, text_layers=1)


def _quiet(done: int, total: int, what: str) -> None:
    pass


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("metrics")


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four videos to find one among, eight frames of each."""
    monkeypatch.setattr(training, "RETRIEVED_FROM", 4)
    monkeypatch.setattr(training, "FRAME_COUNTS", (8, 8, 8))


def _objective(cache: Path, **changes: Any) -> TextVideoObjective:
    values = {"batch_size": 6, "clips": 8, "validation_clips": 4, "cache": str(cache), "model": SMALL}
    objective = TextVideoObjective(**{**values, **changes})
    objective.prepare(torch.device("cpu"), _quiet)
    return objective


def test_a_batch_has_true_captions_then_false_ones(cache: Path) -> None:
    objective = _objective(cache)
    batch = objective.batch(0)
    assert batch["video"].shape == (6, 8, 3, 64, 64)
    assert len(batch["words"]) == 6 + 6 * 3
    assert batch["false_known"].shape == (6, 3)
    true, false = batch["words"][:6], batch["words"][6:].view(6, 3, -1)
    for clip in range(6):
        for place in range(3):
            # Hidden words may hide the difference, but hardly in all of them.
            if not batch["false_known"][clip, place]:
                same = (false[clip, place] == true[clip]) | (false[clip, place] == UNKNOWN) | (true[clip] == UNKNOWN)
                assert same.all()
    different = (false != true[:, None]).any(-1)[batch["false_known"] > 0]
    assert different.float().mean() > 0.9


def test_a_batch_depends_on_seed_and_step_only(cache: Path) -> None:
    one, two = _objective(cache), _objective(cache)
    batches = [one.batch(step) for step in range(3)]
    np.random.seed(3)
    for step in (2, 0):
        again = two.batch(step)
        assert all(torch.equal(again[name], value) for name, value in batches[step].items())
    assert not torch.equal(batches[0]["words"], batches[1]["words"])


def test_the_vocabulary_holds_every_word_of_the_captions(cache: Path) -> None:
    objective = _objective(cache)
    words = set(objective.module().config.words)
    assert {".", "left", "right"} <= words
    clips = load_clips(0, 8, cache, _quiet)
    assert vocabulary(clips) == objective.module().config.words
    assert (objective.module().text.encode([clips.texts[0][0][0]]) > UNKNOWN).all()


def test_false_captions_that_are_not_there_do_not_count(cache: Path) -> None:
    objective = _objective(cache)
    batch = objective.batch(0)
    generator = torch.Generator()
    with torch.no_grad():
        some, terms = objective.loss(objective.module(), batch, generator)
        none, without = objective.loss(
            objective.module(), {**batch, "false_known": torch.zeros_like(batch["false_known"])}, generator
        )
    expected = (terms["to_text"] + terms["to_video"]) / 2 + terms["false"] + terms["unseen"]
    assert some.item() == pytest.approx(float(expected), rel=1e-5)
    assert float(terms["unseen"]) >= 0
    assert float(without["false"]) == float(without["unseen"]) == pytest.approx(0, abs=1e-6)
    assert float(without["to_text"]) == pytest.approx(float(terms["to_text"]))
    assert none < some


def test_training_lowers_the_loss_and_exports(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objective = _objective(cache, damaged=0.0)
    # One batch over and over: from scratch, so small a network needs minutes to learn of clips that it sees once.
    batch = objective.batch(0)
    monkeypatch.setattr(objective, "batch", lambda step: batch)

    def judged() -> float:
        with torch.no_grad():
            return objective.loss(objective.module(), batch, torch.Generator())[0].item()

    before = judged()
    config = TrainerConfig(max_steps=45, learning_rate=2e-3, warmup_steps=5, ema_decay=0, device="cpu", threads=1)
    result = Trainer(objective, config, tmp_path).run()
    assert judged() < 0.5 * before
    assert {"video_r1", "text_r1", "false", "false_colors", "false_motions"} <= set(result["validation"])
    network = TextVideo.from_pretrained(tmp_path / "export")
    assert network.config == objective.module().config
    assert "recipes/text_video.sh" in (tmp_path / "export" / "README.md").read_text(encoding="utf-8")


def test_the_video_tower_starts_from_a_recognition_network(cache: Path, tmp_path: Path) -> None:
    start = recognition()
    save_component(start, tmp_path / "start", torch.float32)
    objective = _objective(cache, start=str(tmp_path / "start"))
    ours, theirs = objective.module().backbone.state_dict(), start.backbone.state_dict()
    assert all(torch.equal(ours[name], value) for name, value in theirs.items())
    assert all(parameter.requires_grad for parameter in objective.module().parameters())
    assert objective.config()["start"] == str(tmp_path / "start")


def test_mistakes_are_told_before_anything_is_rendered(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"recipes/recognition\.sh"):
        TextVideoObjective(start=str(tmp_path / "none"))
    with pytest.raises(UsageError, match="multiple of 4"):
        TextVideoObjective(validation_clips=6)
    save_component(recognition(), tmp_path / "small")
    wide = TextVideoConfig(backbone=VideoNetworkConfig(features=32), dim=16)
    with pytest.raises(UsageError, match=r"objective\.start"):
        TextVideoObjective(start=str(tmp_path / "small"), model=wide)


def test_figures_say_who_is_nearest(cache: Path) -> None:
    """With vectors that know every clip, all is found; with all vectors equal, nothing is nearer."""
    clips = load_clips(0, 8, cache, _quiet)

    class _Known(TextVideo):
        def __init__(self, known: bool) -> None:
            super().__init__(SMALL)
            self.known, self.at = known, 0

        def video_vectors(self, video: torch.Tensor) -> torch.Tensor:
            numbers = torch.arange(self.at, self.at + len(video))
            self.at += len(video)
            return torch.eye(9)[numbers] if self.known else torch.eye(9)[torch.zeros_like(numbers)]

        def embed_text(self, texts: Any) -> np.ndarray:
            true = {texts_of[0][0]: n for n, texts_of in enumerate(clips.texts)}
            return np.eye(9, dtype=np.float32)[[true.get(text, 8) if self.known else 8 for text in texts]]

    figures = text_video_figures(_Known(True), clips)
    # To the videos of other clips, true and false captions are equally far.
    assert figures.pop("unseen") == 0
    assert set(figures.values()) == {1.0}
    assert {f"false_{edit}" for edit in EDITS} - {"false_order"} <= set(figures)
    figures = text_video_figures(_Known(False), clips)
    assert figures["false"] == 0
    assert figures["video_r1"] == figures["text_r1"] == 0.25


def test_clips_have_what_the_figures_need(cache: Path) -> None:
    clips = load_clips(0, 8, cache, _quiet)
    assert isinstance(clips, MetricClips)
    having = np.mean([[bool(text) for text in told[0]] for told in clips.texts], 0)
    assert having[0] == 1
    assert having[1 : 1 + 3].min() > 0.5
