"""The metric networks' clips say what is true of them; the recognition network learns from them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mov_ai.models.metric_networks.recognition import DAMAGES, VideoRecognition
from mov_ai.training.loop import Trainer
from mov_ai.training.settings import TrainerConfig
from mov_ai.worlds.tabletop.grammar import describe
from mov_ai.worlds.tabletop.lexicon import HELD_OUT_PAIRS, MOTIONS, SHAPES
from mov_ai.worlds.tabletop.scene import Action, Scene, Thing, sample_scene, simulate, split_seed
from tests.models.metric_networks.small import RECOGNITION
from tools.metrics.training import recognition as training
from tools.metrics.training.clips import (
    CAPTIONS,
    MetricClips,
    draw_sample,
    load_clips,
    metric_scene,
    scene_classes,
    scene_labels,
)
from tools.metrics.training.damage import damage_frames, damaged_order, draw_damage
from tools.metrics.training.false_captions import EDITS, consistent, mirrored_text, true_and_false_captions
from tools.metrics.training.labels import CLASSES, LABEL_INDEX, LABELS, MIRROR
from tools.metrics.training.recognition import RecognitionObjective, recognition_figures


def _quiet(done: int, total: int, what: str) -> None:
    pass


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("metrics")


@pytest.fixture(scope="module")
def clips(cache: Path) -> MetricClips:
    return load_clips(0, 8, cache, _quiet)


def _objective(cache: Path, **changes: Any) -> RecognitionObjective:
    values = {"batch_size": 4, "clips": 8, "validation_clips": 4, "cache": str(cache), "model": RECOGNITION}
    objective = RecognitionObjective(**{**values, **changes})
    objective.prepare(torch.device("cpu"), _quiet)
    return objective


def _scene() -> Scene:
    """A red cube rolls left and turns blue; a large green ball behind it rests."""
    scene = next(s for s in (sample_scene(split_seed("train", i)) for i in range(99)) if len(s.instances) == 2)
    things = (Thing("cube", "red", "small", "matte"), Thing("sphere", "green", "large", "shiny"))
    cube, ball = scene.instances
    instances = (replace(cube, x=0.0, y=0.0, z=-1.0), replace(ball, x=0.3, y=0.0, z=1.0))
    actions = (Action(0, "left", (0.0, 0.5), None, 1.5), Action(0, "turn", (0.5, 1.0), "blue"))
    return replace(scene, things=things, instances=instances, actions=actions, relations=())


def test_labels_say_what_is_true_of_a_scene() -> None:
    scene = _scene()
    found = {label for label, true in zip(LABELS, scene_labels(scene, simulate(scene)), strict=True) if true}
    assert found == {
        *{("object", "cube", "red"), ("object", "cube", "blue"), ("object", "sphere", "green")},
        *{("size", "small", "cube"), ("size", "large", "sphere")},
        *{("material", "matte", "cube"), ("material", "shiny", "sphere")},
        *{("count", "1", "cube"), ("count", "1", "sphere"), ("total", "2")},
        *{("time", "left", "early"), ("time", "left", "middle"), ("time", "turn", "middle")},
        *{
            ("motion of shape", "left", "cube"),
            ("motion of shape", "turn", "cube"),
            ("motion of shape", "stay", "sphere"),
        },
        *{("motion of color", "left", "red"), ("motion of color", "turn", "red"), ("motion of color", "stay", "green")},
        *{("turn to", "blue"), ("relation", "in front of", "cube", "sphere")},
        *{("setting", scene.setting), ("light", scene.light)},
    }


def test_the_class_is_the_first_motion_and_its_shape_or_what_rests() -> None:
    def classes(scene: Scene) -> dict[tuple[str, str], float]:
        found = scene_classes(scene, simulate(scene))
        assert found.sum() == pytest.approx(1)
        return {CLASSES[i]: float(found[i]) for i in np.flatnonzero(found)}

    scene = _scene()
    assert classes(scene) == {("left", "cube"): 1}
    together = replace(scene, actions=(*scene.actions, Action(1, "grow", (0.0, 0.5))))
    assert classes(together) == {("left", "cube"): 0.5, ("grow", "sphere"): 0.5}
    resting = replace(scene, actions=(Action(1, "stay", (0.0, 0.5)), scene.actions[1]))
    assert classes(resting) == {("stay", "cube"): 0.5, ("stay", "sphere"): 0.5}


def test_clips_are_cached_and_the_same_whatever_else_is_loaded(clips: MetricClips, cache: Path) -> None:
    again = load_clips(2, 3, cache, _quiet)
    assert np.array_equal(again.frames, clips.frames[2:5])
    assert np.array_equal(again.labels, clips.labels[2:5])
    assert again.texts == clips.texts[2:5]
    assert len(list(cache.glob("clips_2_3_*.npz"))) == 1
    assert clips.frames.shape == (8, 16, 64, 64, 3)
    assert clips.frames.dtype == np.uint8
    assert len(clips.texts[0]) == CAPTIONS


def test_a_judge_knows_pairs_that_the_generator_never_sees() -> None:
    pairs = {(t.shape, t.color) for i in range(60) for t in metric_scene(i)[0].things}
    assert len(pairs & HELD_OUT_PAIRS) >= 4
    scenes = [metric_scene(i)[0] for i in range(60)]
    assert all(consistent(scene) for scene in scenes)


def test_cells_show_where_each_object_is(clips: MetricClips) -> None:
    """Cells with an object have more contrast than the floor, and each has a shape, a colour and a motion."""
    right = []
    for n in range(len(clips)):
        sample = draw_sample(clips, n, 16, np.random.default_rng(0), 0.0, mirrored=False)
        colors = sample.looks[..., len(SHAPES) :]
        assert ((colors.sum(-1) > 0) == (sample.looks[..., : len(SHAPES)].sum(-1) > 0)).all()
        assert ((sample.motions.sum(-1) > 0) == (colors.sum(-1) > 0)).all()
        cells = clips.frames[n].reshape(16, 8, 8, 8, 8, 3).transpose(0, 1, 3, 2, 4, 5).reshape(16, 64, 64, 3)
        spread = cells.astype(float).max((2,)).max(-1) - cells.astype(float).min((2,)).min(-1)
        there = colors.sum(-1).numpy() > 0
        right.append(spread[there].mean() > spread[~there].mean())
    assert np.mean(right) > 0.8


def test_a_mirrored_sample_is_the_mirrored_clip(clips: MetricClips) -> None:
    plain, mirrored = (
        draw_sample(clips, 1, 16, np.random.default_rng(0), 0.0, mirrored=side) for side in (False, True)
    )
    assert torch.equal(mirrored.video, plain.video.flip(-1))
    assert torch.equal(mirrored.labels, plain.labels[torch.from_numpy(MIRROR)])
    assert torch.equal(mirrored.looks.view(16, 8, 8, -1), plain.looks.view(16, 8, 8, -1).flip(2))
    left, right = (plain.motions[..., MOTIONS.index(side)] for side in ("left", "right"))
    assert torch.equal(mirrored.motions.view(16, 8, 8, -1)[..., MOTIONS.index("right")].flip(2).flatten(1), left)
    assert torch.equal(mirrored.motions.view(16, 8, 8, -1)[..., MOTIONS.index("left")].flip(2).flatten(1), right)


#: Damage that is not only stronger but also other at each strength.
_RANDOM = ("freeze", "shuffle")


def test_damage_grows_with_its_strength(clips: MetricClips) -> None:
    video, ghost = (torch.from_numpy(clips.frames[i]).permute(0, 3, 1, 2).float() / 255 for i in (0, 1))
    for kind, name in enumerate(DAMAGES):
        errors = []
        for strength in (0.0, 0.2, 0.6, 1.0):
            strengths = np.zeros(len(DAMAGES), np.float32)
            strengths[kind] = strength
            order = damaged_order(strengths, 16, np.random.default_rng(1))
            result = damage_frames(video, ghost, strengths, np.random.default_rng(1))[order]
            assert result.shape == video.shape
            assert 0 <= result.min() <= result.max() <= 1
            errors.append((result - video).square().mean().item())
        assert errors[0] == 0
        assert errors[1] < errors[3] > 0, name
        assert errors == sorted(errors) or name in _RANDOM, name


def test_some_clips_are_left_whole() -> None:
    rng = np.random.default_rng(0)
    drawn = np.stack([draw_damage(rng, 0.5) for _ in range(400)])
    assert 0.4 < (drawn.sum(1) > 0).mean() < 0.6
    assert ((drawn > 0).sum(1) <= 3).all()
    assert not draw_damage(rng, 0.0).any()


def test_shuffled_clips_do_not_teach_when_things_happen(cache: Path) -> None:
    objective = _objective(cache, damaged=1.0, batch_size=16)
    for step in range(4):
        batch = objective.batch(step)
        shuffled = batch["damage"][:, DAMAGES.index("shuffle")] > 0
        assert torch.equal(batch["known_in_time"] == 0, shuffled)
        assert (batch["known"][shuffled][:, LABEL_INDEX["time", "left", "early"]] == 0).all()
        assert (batch["known"][:, LABEL_INDEX["object", "cube", "red"]] == 1).all()


def test_a_batch_depends_on_seed_and_step_only(cache: Path) -> None:
    one, two, other = _objective(cache), _objective(cache), _objective(cache, seed=1)
    batches = [one.batch(step) for step in range(3)]
    torch.manual_seed(3)
    np.random.seed(3)
    for step in (2, 0):
        again = two.batch(step)
        assert all(torch.equal(again[name], value) for name, value in batches[step].items())
    assert not torch.equal(other.batch(0)["labels"], batches[0]["labels"])
    assert batches[0]["video"].abs().max() <= 1


def test_training_lowers_the_loss_and_exports(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "FRAME_COUNTS", (8, 8, 8))
    objective = _objective(cache, damaged=0.0)
    batch = objective.batch(0)

    def judged() -> float:
        with torch.no_grad():
            return objective.loss(objective.module(), batch, torch.Generator())[0].item()

    before = judged()
    config = TrainerConfig(max_steps=25, learning_rate=5e-3, warmup_steps=5, ema_decay=0, device="cpu", threads=1)
    result = Trainer(objective, config, tmp_path).run()
    assert judged() < 0.6 * before
    assert {"map", "motion_accuracy", "class_accuracy", "damage_error"} <= set(result["validation"])
    network = VideoRecognition.from_pretrained(tmp_path / "export")
    assert network.config == RECOGNITION
    card = (tmp_path / "export" / "README.md").read_text(encoding="utf-8")
    assert "recipes/recognition.sh" in card


def test_figures_of_a_network_that_knows_everything_are_one(clips: MetricClips) -> None:
    """Logits that are the truth give 1, and those of another clip do not."""

    class _Oracle(torch.nn.Module):
        def __init__(self, shift: int) -> None:
            super().__init__()
            self.place = torch.nn.Parameter(torch.zeros(1))
            self.shift, self.at = shift, 0

        def forward(self, video: torch.Tensor) -> Any:
            order = (np.arange(self.at, self.at + len(video)) + self.shift) % len(clips)
            self.at = (self.at + len(video)) % len(clips)
            truth = torch.from_numpy(clips.labels[order].astype(np.float32))

            class _Seen:
                labels = 9 * truth
                classes = torch.from_numpy(clips.classes[order]).clamp(min=1e-6).log()
                damage = torch.zeros(len(video), len(DAMAGES))

            return _Seen()

    right, wrong = (recognition_figures(_Oracle(shift), clips, batch_size=4) for shift in (0, 3))
    assert right["map"] == right["motion_accuracy"] == right["class_accuracy"] == pytest.approx(1)
    assert wrong["map"] < 0.9
    assert wrong["class_accuracy"] < 0.7


# -- captions ----------------------------------------------------------------------------------------------------------


def test_mirrored_texts_exchange_sides() -> None:
    text = "Left of it a ball rolls to the right, moves from left to right and leftwards. It is left of a cube."
    assert mirrored_text(text) == (
        "Right of it a ball rolls to the left, moves from right to left and rightwards. It is right of a cube."
    )
    assert mirrored_text(mirrored_text(text)) == text
    assert mirrored_text("a bright cleft") == "a bright cleft"


def test_false_captions_are_false_in_one_thing() -> None:
    """Colours and shapes of the true caption's scene are not those of the false one's; the rest of the words stays."""
    for index in range(12):
        scene, split, rng = metric_scene(index)
        for true, *false in true_and_false_captions(scene, split, 2, rng):
            assert len(false) == len(EDITS)
            assert true == true.strip() != ""
            assert all(text != true for text in false)
            if false[EDITS.index("order")]:
                assert len({action.interval for action in scene.actions}) > 1
            assert false[EDITS.index("shapes")] or len({t.shape for t in scene.things}) > 2
    scene = _scene()
    told = true_and_false_captions(scene, "train", 4, np.random.default_rng(0))
    assert all(texts[EDITS.index("order")] for texts in told)


def test_false_captions_share_the_true_one_s_style() -> None:
    scene = _scene()
    words = []
    for true, *false in true_and_false_captions(scene, "train", 8, np.random.default_rng(1)):
        for text in false:
            one, other = set(true.lower().split()), set(text.lower().split())
            words.append(len(one & other) / len(one | other))
    assert np.mean(words) > 0.5


def test_scenes_that_cannot_be_are_not_told() -> None:
    scene = _scene()
    assert consistent(scene)
    turn = scene.actions[1]
    assert not consistent(replace(scene, actions=(replace(turn, value="red"),)))
    twins = (scene.things[0], replace(scene.things[1], shape="cube", color="red"))
    assert not consistent(replace(scene, things=twins))
    vanishing = (Action(0, "vanish", (0.0, 0.5)), Action(0, "left", (0.5, 1.0)))
    assert not consistent(replace(scene, actions=vanishing))
    in_order = (replace(vanishing[1], interval=(0.0, 0.5)), replace(vanishing[0], interval=(0.5, 1.0)))
    assert consistent(replace(scene, actions=in_order))
    assert describe(scene, np.random.default_rng(0), "train").text
