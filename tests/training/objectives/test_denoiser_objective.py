"""Training the denoiser: cached latents, batches that only (seed, step) decide, and a real run whose loss falls."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from filelock import FileLock
from torch import Tensor
from torch.testing import assert_close

import mov_ai
from mov_ai.errors import UsageError
from mov_ai.graph import SceneGraph
from mov_ai.graph.video_shape import VideoShape
from mov_ai.labels.coverage import LabelCoverage
from mov_ai.labels.pretrained import PretrainedText
from mov_ai.models.cascade import Cascade, CascadeConfig, resize
from mov_ai.models.codec import FACTOR, CodecConfig, VideoCodec, to_unit
from mov_ai.models.component import load_component, save_component
from mov_ai.models.conditioning import Conditioning, condition
from mov_ai.models.denoiser import STAGES, DenoiserConfig, TSAMDenoiser
from mov_ai.models.graph_encoder import GraphEncoderConfig
from mov_ai.models.refiner import RefinerConfig, VideoRefiner
from mov_ai.pipeline import MovAIPipeline
from mov_ai.pipeline_files import load_parts
from mov_ai.training import latents
from mov_ai.training.clip_source import LatentSample, join
from mov_ai.training.earlier_stages import EarlierStages
from mov_ai.training.latents import LatentCache, TabletopClips, make_sample, write_chunk
from mov_ai.training.loop import Trainer
from mov_ai.training.losses import LossWeights
from mov_ai.training.objectives.denoiser import DenoiserObjective
from mov_ai.training.settings import TrainerConfig
from mov_ai.worlds.tabletop import lexicon
from mov_ai.worlds.tabletop.completion import without_assumed
from mov_ai.worlds.tabletop.held_out import HELD_OUT_WORDS
from mov_ai.worlds.tabletop.render import render
from mov_ai.worlds.tabletop.world import caption_and_layout
from tests.labels.test_pretrained import save_t5, save_tokenizer
from tests.models.builders import LABELS
from tests.models.test_codec import small_codec
from tests.training.objectives.here_pool import HerePool

CODEC = Path(mov_ai.__file__).parent / "assets" / "tiny" / "codec"
#: Latent cells along a side of a sample.
GRID = STAGES[0] // FACTOR
SMALL = DenoiserConfig(
    dim=32, heads=2, depth=1, mlp_ratio=2.0, stem=16, graph_encoder=GraphEncoderConfig(16, 1, 2), labels=LABELS
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for cached clips, six to a chunk; one for the whole run, as the clips take a processor 15 seconds."""
    threads = torch.get_num_threads()
    run = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        # Each worker has a folder in that of the run.
        run = run.parent
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latents, "CHUNK", 6)
        patch.setattr(latents, "ProcessPoolExecutor", HerePool)
        with FileLock(run / "clips.lock"):
            _objective(run / "clips")
        yield run / "clips"
    torch.set_num_threads(threads)


def _objective(cache: Path, **changes: Any) -> DenoiserObjective:
    clips = {"cache": str(cache), "clips": 6, "late": 0.5, "validation_clips": 6}
    clips |= {name: changes.pop(name) for name in ("late", "validation_clips", "drop_assumed") if name in changes}
    values = {"batch_size": 4, "codec": str(CODEC), "data": TabletopClips(**clips), "recognizer_clips": 8}
    objective = DenoiserObjective(**{**values, "model": SMALL, **changes})
    objective.prepare(torch.device("cpu"), lambda done, total, what: None)
    return objective


def _flat(batch: dict[str, Any]) -> dict[str, Tensor]:
    return {**{n: t for n, t in batch.items() if n != "condition"}, **batch["condition"]}


def _same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    first, second = _flat(a), _flat(b)
    return all(first[name].shape == second[name].shape and torch.equal(first[name], second[name]) for name in first)


def test_a_batch_depends_on_seed_and_step_only(cache: Path) -> None:
    one, two, other = _objective(cache), _objective(cache), _objective(cache, seed=1)
    torch.manual_seed(7)
    batches = [one.batch(step) for step in range(6)]
    torch.manual_seed(8)
    for step in (3, 0, 5, 3):
        assert _same(two.batch(step), batches[step])
    assert not any(_same(batches[0], batch) for batch in batches[1:])
    assert not _same(other.batch(0), batches[0])


def test_first_weights_depend_on_the_seed_only(cache: Path) -> None:
    weights = []
    for seed in (0, 0, 1):
        torch.manual_seed(torch.seed() % 1000)
        weights.append(_objective(cache, seed=seed).module().embed.weight)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_batches_hold_one_stage_and_drop_what_they_should(cache: Path) -> None:
    objective = _objective(cache, drop_text=1.0, drop_graph=0.0, drop_layout=0.0, drop_all=0.0)
    stages = set()
    for step in range(12):
        batch = objective.batch(step)
        assert batch["latents"].shape == batch["low"].shape == (4, 16, 8, GRID, GRID)
        stages.add(tuple(batch["stage"].unique().tolist()))
        given = Conditioning(**batch["condition"])
        assert not given.keep_text.any()
        assert (given.keep_graph & given.keep_layout).all()
        first = batch["stage"][0] == 0
        assert bool(batch["low"].any()) != bool(first)
        assert torch.equal(batch["window"][0], torch.tensor([0.0, 0.0, 1.0, 1.0])) == bool(first)
    assert stages == {(0,), (1,), (2,)}


def test_the_cache_is_made_once(cache: Path) -> None:
    data = _objective(cache).data
    assert isinstance(data, TabletopClips)
    chunk = data._train.path(0)
    before = chunk.stat().st_mtime_ns
    said: list[tuple[int, int, str]] = []
    LatentCache(chunk.parent, str(CODEC), FACTOR, "train", 6, 0.5).prepare(lambda *step: said.append(step), 1)
    assert chunk.stat().st_mtime_ns == before
    assert said == [(6, 6, "encoding clips")]


def test_another_codec_has_another_cache(cache: Path, tmp_path: Path) -> None:
    codec = small_codec()
    save_component(codec, tmp_path / "codec")
    small = replace(SMALL, latent_channels=4)
    objective = _objective(cache, codec=str(tmp_path / "codec"), model=small, stage_shares=(1.0, 0.0, 0.0), late=0.0)
    assert objective.batch(0)["latents"].shape[2] == 4


@pytest.mark.parametrize(("stage", "seed"), [(1, 0), (2, 0), (1, 1)])
def test_a_crops_latents_are_a_window_of_the_whole_frames(stage: int, seed: int) -> None:
    codec = load_component(VideoCodec, CodecConfig, CODEC)
    made = make_sample(codec, seed, "train", stage)
    scene, _, _ = caption_and_layout(seed, "train")
    size = STAGES[stage]
    first = np.arange(2)
    with torch.no_grad():
        whole = codec.encode(to_unit(render(scene, size, size, frames=first)[0])[None])
        earlier = to_unit(render(scene, size // 2, size // 2, frames=first)[0])[None]
        low = codec.encode(resize(earlier, size, size))
    left, top = (round(value * size / FACTOR) for value in made.window[0, :2].tolist())
    assert_close(made.window[0, 2:], torch.full((2,), GRID * FACTOR / size))
    for crop, full in ((made.latents, whole), (made.low, low)):
        error = crop[:, :2] - full[..., top : top + GRID, left : left + GRID]
        assert error.square().mean().sqrt() < 0.04
        # Away from the crop's edges nothing of them is seen.
        assert error[..., 3:-3, 3:-3].abs().mean() < 0.002


def test_a_sample_is_conditioned_on_what_it_shows() -> None:
    codec = load_component(VideoCodec, CodecConfig, CODEC)
    made = make_sample(codec, 2, "train", 0)
    scene, _, layout = caption_and_layout(2, "train")
    assert [(t.entity, t.instance) for t in made.layouts[0].tracks] == [(t.entity, t.instance) for t in layout.tracks]
    # Completed with what the clip shows, whether it is said or not.
    graph = made.graphs[0]
    colors = {
        node.label
        for entity in graph.of_type("entity")
        for node, edge in graph.attributes(entity.id)
        if node.kind == "color" and edge.interval[0] == 0
    }
    assert {lexicon.concept("color", label) for label in colors} == {thing.color for thing in scene.things}
    assert graph.of_type("scene")[0].setting is not None
    again = make_sample(codec, 2, "train", 0)
    assert torch.equal(again.latents, made.latents)


def test_terms_that_are_switched_off_are_not_computed(cache: Path) -> None:
    objective = _objective(cache, loss=LossWeights(0.0, 0.0, 0.0))
    total, terms = objective.loss(objective.module(), objective.batch(0), torch.Generator().manual_seed(0))
    assert set(terms) == {"denoise"}
    assert total == terms["denoise"]
    weights = LossWeights(2.0, 3.0, 4.0)
    objective = _objective(cache, loss=weights)
    total, terms = objective.loss(objective.module(), objective.batch(0), torch.Generator().manual_seed(0))
    expected = terms["denoise"] + 2 * terms["temporal"] + 3 * terms["semantic"] + 4 * terms["perceptual"]
    assert total.item() == pytest.approx(float(expected), rel=1e-5)


def test_the_semantic_term_asks_for_labels_as_they_are_whatever_the_network_sees(cache: Path) -> None:
    """What is said of each thing is part of the term; that label vectors are blurred for the network is not."""
    objective = _objective(cache, recognizer_clips=24, blur=1.0)

    def semantic(batch: dict[str, Any]) -> float:
        return float(objective.loss(_Truthful(), batch, torch.Generator().manual_seed(0))[1]["semantic"])

    class _Truthful(torch.nn.Module):
        refines = False

        def forward(self, *_: Any) -> Tensor:
            return clean

    batch = objective.batch(0)
    clean = batch["latents"]
    true = semantic(batch)
    exchanged = {
        **batch,
        "named_entity": batch["named_entity"].flip(0),
        "named_attribute": batch["named_attribute"].flip(0),
    }
    assert semantic(exchanged) > true + 0.01
    assert not torch.equal(batch["named_entity"], batch["condition"]["entity"])
    blurred = {**batch["condition"], "entity": torch.zeros_like(batch["condition"]["entity"])}
    assert semantic({**batch, "condition": blurred}) == true


def test_the_noise_of_a_loss_comes_from_its_generator(cache: Path) -> None:
    objective = _objective(cache)
    batch = objective.batch(0)
    values = [
        objective.loss(objective.module(), batch, torch.Generator().manual_seed(seed))[0].item() for seed in (0, 0, 1)
    ]
    assert values[0] == values[1] != values[2]


def test_captions_may_be_read_by_a_pretrained_encoder_each_once(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "encoder"
    save_t5(folder)
    save_tokenizer(folder)
    objective = _objective(cache, model=replace(SMALL, text_encoder=str(folder), text_width=12))
    read: list[str] = []
    encode = PretrainedText.__call__

    def note(self: PretrainedText, captions: list[str]) -> Tensor:
        read.extend(captions)
        return encode(self, captions)

    monkeypatch.setattr(PretrainedText, "__call__", note)
    batches = [objective.batch(step) for step in range(6)]
    assert all(batch["condition"]["text_features"].shape[-1] == 12 for batch in batches)
    assert read
    assert len(read) == len(set(read))
    loss, _ = objective.loss(objective.module(), batches[0], torch.Generator().manual_seed(0))
    loss.backward()
    weight = objective.module().text.project.weight  # type: ignore[union-attr]
    assert weight.shape == (SMALL.dim, 12)
    assert weight.grad is not None
    assert weight.grad.abs().sum() > 0


def test_training_lowers_the_loss_and_exports_a_network(cache: Path, tmp_path: Path) -> None:
    objective = _objective(cache)

    def judged(module: torch.nn.Module) -> float:
        with torch.no_grad():
            losses = [
                objective.loss(module, objective.batch(step), torch.Generator().manual_seed(step))[0].item()
                for step in range(1000, 1006)
            ]
        return float(np.mean(losses))

    before = judged(objective.module())
    config = TrainerConfig(
        max_steps=30, learning_rate=5e-3, warmup_steps=4, ema_decay=0, device="cpu", threads=1, log_every=10
    )
    result = Trainer(objective, config, tmp_path).run()
    assert result["steps"] == 30
    trained = load_component(TSAMDenoiser, DenoiserConfig, tmp_path / "export")
    assert judged(trained) < 0.9 * before
    known = LabelCoverage.load(tmp_path / "export")
    assert known is not None
    assert known.counts["entity"]
    assert {"denoise_0", "temporal_0", "semantic_0", "perceptual_0"} <= set(result["validation"])


def test_a_codec_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no trained codec there; run experiment=tiny/codec first"):
        DenoiserObjective(codec=str(tmp_path))


def test_what_cannot_be_trained_is_said_before_anything_is_made(cache: Path) -> None:
    for name, value in (("drop_all", -1.0), ("drop_text", 1.5), ("low_noise", -3.0), ("shared_noise", 2.0)):
        with pytest.raises(UsageError, match=rf"objective\.{name}: expected a number from 0 to 1; found {value}"):
            _objective(cache, **{name: value})
    with pytest.raises(
        UsageError, match=r"objective\.recognizer_clips: expected 1 or more; found 0; loss\.semantic=0 needs none"
    ):
        _objective(cache, recognizer_clips=0)
    with pytest.raises(UsageError, match=r"expected the codec's 8 .*, got 4"):
        _objective(cache, model=replace(SMALL, latent_channels=4))
    with pytest.raises(UsageError, match=r"stage_shares: expected one for each of \(128, 256\), got \(0.6, 0.2, 0.2\)"):
        _objective(cache, model=replace(SMALL, stages=(128, 256)))
    two = CascadeConfig(steps=(1, 1), starts=(1.0, 0.5), stages=(128, 256), last=256)
    with pytest.raises(UsageError, match=r"stages: the cascade has \(128, 256\), the network \(128, 256, 512\)"):
        _objective(cache, cascade=two)
    for stages in ((128, 192, 256), (100, 200, 400)):
        with pytest.raises(UsageError, match="stages: expected sizes that are multiples of 8 and of the size before"):
            _objective(cache, model=replace(SMALL, stages=stages))


# -- chunks ------------------------------------------------------------------------------------------------------------


def test_samples_come_back_from_a_chunk(cache: Path, tmp_path: Path) -> None:
    codec = load_component(VideoCodec, CodecConfig, CODEC)
    samples = [make_sample(codec, seed, "train", 0, (32, 64, 128), 3) for seed in (0, 1)]
    samples.append(make_sample(codec, 0, "train", 2, (32, 64, 128), 3))
    stored = LatentCache(tmp_path, str(CODEC), FACTOR, "train", 3, 0.5, (32, 64, 128), 3)
    write_chunk(stored.path(0), join(samples), "train", 0)
    for row in (2, 0, 1):
        back = stored.get([(0, row)])
        assert torch.equal(back.latents, samples[row].latents.half().float())
        assert torch.equal(back.low, samples[row].low.half().float())
        assert torch.equal(back.window, samples[row].window)
        assert torch.equal(back.stage, samples[row].stage)
        assert back.graphs == samples[row].graphs
        for layout, written in zip(back.layouts, samples[row].layouts, strict=True):
            assert layout.frames == 3
            for a, b in zip(layout.tracks, written.tracks, strict=True):
                assert (a.entity, a.instance) == (b.entity, b.instance)
                assert np.allclose(a.boxes, b.boxes, atol=1e-4)
    together = stored.get([(0, 1), (0, 2)])
    assert together.latents.shape == (2, 3, 8, 4, 4)
    assert together.stage.tolist() == [0, 2]
    assert together.graphs == [samples[1].graphs[0], samples[2].graphs[0]]
    assert [path.name for path in tmp_path.iterdir()] == ["train_00000.safetensors"]


def test_a_network_of_other_stages_and_frames_is_trained_on_such_clips(cache: Path) -> None:
    small = replace(SMALL, stages=(32, 64), frames=6)
    objective = _objective(cache, model=small, stage_shares=(0.5, 0.5), late=1.0, validation_clips=1)
    seen = set()
    for step in range(6):
        batch = objective.batch(step)
        seen.add(int(batch["stage"][0]))
        assert batch["latents"].shape == batch["low"].shape == (4, 6, 8, 4, 4)
        assert batch["condition"]["boxes"].shape[2] == 6
        assert batch["condition"]["attribute_holds"].shape[3] == 6
        total, _ = objective.loss(objective.module(), batch, torch.Generator().manual_seed(0))
        assert total.isfinite()
    assert seen == {0, 1}


# -- words -------------------------------------------------------------------------------------------------------------


def test_held_out_words_never_reach_training(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objective = _objective(cache, drop_assumed=0.5)
    read: list[SceneGraph] = []

    def noted(graph: SceneGraph, *others: Any, **more: Any) -> Conditioning:
        read.append(graph)
        return condition(graph, *others, **more)

    assert isinstance(objective.data, TabletopClips)
    stored = objective.data._train
    get = stored.get

    def told_with_held_out_words(places: list[tuple[int, int]]) -> LatentSample:
        drawn = get(places)
        drawn.graphs = [_unseen(graph) for graph in drawn.graphs]
        return drawn

    monkeypatch.setattr("mov_ai.training.objectives.denoiser.condition", noted)
    monkeypatch.setattr(stored, "get", told_with_held_out_words)
    for step in range(4):
        objective.batch(step)
    assert len(read) == 16
    for graph in read:
        labels = {node.label.lower() for node in graph.nodes}
        assert not labels & HELD_OUT_WORDS.keys()
        assert not [word for word in HELD_OUT_WORDS if re.search(rf"\b{word}", graph.caption.lower())]
    coverage = objective._coverage()
    assert coverage.counts["entity"]
    assert not {label for words in coverage.counts.values() for label in words} & HELD_OUT_WORDS.keys()


def _unseen(graph: SceneGraph) -> SceneGraph:
    """The same said with held-out words wherever there is one."""
    others = {word: unseen for unseen, word in HELD_OUT_WORDS.items()}
    nodes = [replace(node, label=others.get(node.label, node.label)) for node in graph.nodes]
    caption = " ".join(others.get(word, word) for word in graph.caption.split())
    return SceneGraph(caption, nodes, graph.edges)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_some_graphs_are_left_as_they_were_said(cache: Path, monkeypatch: pytest.MonkeyPatch, share: float) -> None:
    objective = _objective(cache, drop_assumed=share)
    read: list[SceneGraph] = []

    def noted(graph: SceneGraph, *others: Any, **more: Any) -> Conditioning:
        read.append(graph)
        return condition(graph, *others, **more)

    monkeypatch.setattr("mov_ai.training.objectives.denoiser.condition", noted)
    for step in range(3):
        objective.batch(step)
    assert any(node.assumed for graph in read for node in graph.nodes) == (share == 0)
    if share:
        assert all(without_assumed(graph) == graph for graph in read)


def test_blurred_labels_stay_of_unit_length_and_nothing_stays_nothing(cache: Path) -> None:
    for share in (0.0, 1.0):
        given = Conditioning(**_objective(cache, blur=share, drop_assumed=0.0).batch(0)["condition"])
        for vectors in (given.node_label, given.entity, given.attribute, given.link_label):
            lengths = vectors.norm(dim=-1)
            assert_close(lengths, (lengths > 0.5).float(), atol=1e-4, rtol=0)
        assert not given.node_label[~given.node_mask].any()


def test_a_stage_without_samples_is_named(cache: Path) -> None:
    """Before training begins: what the semantic term asks is taught with such samples."""
    with pytest.raises(UsageError, match=r"none of 6 clips gives a sample at the stage of 256; raise data\.late"):
        _objective(cache, late=0.0, stage_shares=(0.0, 1.0, 0.0))
    objective = _objective(cache, late=0.0, stage_shares=(0.0, 1.0, 0.0), loss=LossWeights(semantic=0))
    with pytest.raises(UsageError, match=r"none of 6 clips gives a sample at the stage of 256; raise data\.late"):
        objective.batch(0)


# -- the refiner -------------------------------------------------------------------------------------------------------

SMALL_REFINER = RefinerConfig(widths=(8, 12), blocks=(1, 1), dim=8, labels=LABELS, stages=(32, 64, 128), frames=4)


@pytest.fixture(scope="module")
def first_stage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline's folder that makes the first of three small stages, with random weights."""
    cascade = CascadeConfig(steps=(1, 1, 1), stages=(32, 64, 128), first=32, last=32)
    torch.manual_seed(0)
    network = TSAMDenoiser(replace(SMALL, stages=(32, 64, 128), frames=4))
    codec = load_component(VideoCodec, CodecConfig, CODEC)
    folder = tmp_path_factory.mktemp("pipelines") / "first"
    pipeline = MovAIPipeline(Cascade(cascade, codec, [network]), None, shape=VideoShape(4, height=32, width=32))
    pipeline.save_pretrained(folder, parser=False)
    return folder


def _refining(cache: Path, first_stage: Path, **changes: Any) -> DenoiserObjective:
    data = TabletopClips(str(cache), 6, 1.0, 6, earlier=str(first_stage), crop=64)
    values: dict[str, Any] = {"stage_shares": (0.0, 1.0, 0.0), "model": SMALL_REFINER, "data": data}
    cascade = CascadeConfig(steps=(1, 1, 1), stages=(32, 64, 128), first=32, last=64, networks="refined")
    return _objective(cache, **{**values, "cascade": cascade, **changes})


def test_a_refiner_is_trained_on_what_the_stages_before_it_make(cache: Path, first_stage: Path) -> None:
    objective = _refining(cache, first_stage)
    batch = objective.batch(0)
    assert batch["latents"].shape == batch["low"].shape == (4, 4, 8, 8, 8)
    drawn = objective.data.validation(1, 1)
    assert drawn is not None
    # The same as sampling it by hand, from the clip's own graph and boxes.
    earlier = EarlierStages(str(first_stage))
    video = earlier(0, drawn.graphs[0], drawn.layouts[0], 1)  # type: ignore[arg-type]
    assert video.shape == (1, 4, 3, 32, 32)
    codec = load_component(VideoCodec, CodecConfig, CODEC)
    with torch.no_grad():
        low = codec.encode(resize(video, 64, 64))
    assert_close(drawn.low, low, atol=0.02, rtol=0.02)
    assert not torch.equal(drawn.low, drawn.latents)
    # This pipeline ends before what the third stage begins with.
    assert objective.data.validation(2, 1) is None


def test_a_refiner_sees_what_sampling_begins_with_and_nothing_of_the_truth(cache: Path, first_stage: Path) -> None:
    objective = _refining(cache, first_stage, low_noise=0.0)
    batch = objective.batch(0)
    shown: list[tuple[Tensor, ...]] = []

    class Spy(torch.nn.Module):
        def forward(self, *given: Tensor) -> Tensor:
            shown.append(given)
            return given[0] * 1.0

    generator = torch.Generator().manual_seed(0)
    objective.loss(Spy(), batch, generator)
    low, level, stage, window, condition = shown[0]
    assert torch.equal(low, batch["low"])
    assert not level.any()
    assert torch.equal(stage, batch["stage"])
    assert torch.equal(window, batch["window"])
    assert isinstance(condition, Conditioning)
    _refining(cache, first_stage, low_noise=0.5).loss(Spy(), batch, generator)
    low, level, *_ = shown[1]
    assert_close((low - batch["low"]).std((1, 2, 3, 4)), level, atol=0.03, rtol=0.1)


def test_a_refiner_may_be_shown_a_few_frames_of_each_clip(cache: Path, first_stage: Path) -> None:
    objective = _refining(cache, first_stage, chunk=2)
    whole = _refining(cache, first_stage).batch(0)
    batch = objective.batch(0)
    assert batch["latents"].shape[1] == batch["low"].shape[1] == batch["condition"]["boxes"].shape[2] == 2
    firsts = [i for i in range(3) if torch.equal(whole["latents"][:, i : i + 2], batch["latents"])]
    assert len(firsts) == 1
    assert torch.equal(whole["condition"]["boxes"][:, :, firsts[0] : firsts[0] + 2], batch["condition"]["boxes"])
    total, terms = objective.loss(objective.module(), batch, torch.Generator().manual_seed(0))
    assert total.isfinite()
    assert {"denoise", "temporal", "semantic", "perceptual"} == set(terms)


def test_a_refiner_may_be_shown_small_windows(cache: Path, first_stage: Path) -> None:
    whole = _refining(cache, first_stage, drop_layout=0.0, drop_graph=0.0, drop_all=0.0)
    part = _refining(cache, first_stage, cells=4, drop_layout=0.0, drop_graph=0.0, drop_all=0.0)
    large, small = whole.batch(0), part.batch(0)
    assert small["latents"].shape == small["low"].shape == (4, 4, 8, 4, 4)
    assert_close(small["window"][:, 2:], large["window"][:, 2:] / 2)
    for i in range(4):
        # In cells, from the corner of what the data gave.
        place = (small["window"][i, :2] - large["window"][i, :2]) / large["window"][i, 2:] * 8
        left, top = place.round().int().tolist()
        assert_close(place, place.round(), atol=1e-4, rtol=0)
        assert torch.equal(small["latents"][i], large["latents"][i, ..., top : top + 4, left : left + 4])
        assert torch.equal(small["low"][i], large["low"][i, ..., top : top + 4, left : left + 4])
    # What is painted there is what is painted there in the whole.
    module = whole.module()
    assert isinstance(module, VideoRefiner)
    painted = module.painter(Conditioning(**large["condition"]), 8, 8, large["window"])
    inside = module.painter(Conditioning(**small["condition"]), 4, 4, small["window"])
    for i in range(4):
        left, top = ((small["window"][i, :2] - large["window"][i, :2]) / large["window"][i, 2:] * 8).round().int()
        assert_close(inside[i], painted[i, ..., top : top + 4, left : left + 4], atol=1e-4, rtol=1e-4)


def test_training_a_refiner_brings_it_nearer_to_the_truth_than_the_earlier_video(
    cache: Path, first_stage: Path, tmp_path: Path
) -> None:
    objective = _refining(cache, first_stage, low_noise=0.0, batch_size=2)
    config = TrainerConfig(
        max_steps=90, learning_rate=5e-3, warmup_steps=4, ema_decay=0, device="cpu", threads=1, log_every=10
    )
    Trainer(objective, config, tmp_path / "run").run()
    refiner = load_component(VideoRefiner, RefinerConfig, tmp_path / "run" / "export")
    batch = objective.batch(1000)
    with torch.no_grad():
        condition = Conditioning(**batch["condition"])
        refined = refiner(batch["low"], torch.zeros(2), batch["stage"], batch["window"], condition)
    before = (batch["low"] - batch["latents"]).square().mean()
    assert (refined - batch["latents"]).square().mean() < 0.7 * before
    # It goes on from where it was, if that is asked for.
    again = _refining(cache, first_stage, start=str(tmp_path / "run" / "export"))
    assert_close(again.module().state_dict()["into.weight"], refiner.into.weight)
    with pytest.raises(UsageError, match=r"objective.start: .*: expected a network of"):
        _refining(cache, first_stage, start=str(tmp_path / "run" / "export"), model=replace(SMALL_REFINER, dim=12))
    # With the first stage's network it is a pipeline of two stages.
    parts = load_parts(first_stage)
    cascade = Cascade(again.cascade, parts["cascade"].codec, [parts["cascade"].denoiser(0), refiner])
    assert cascade.config.trained == (32, 64)


def test_everything_is_left_out_together_as_often_as_guidance_needs(cache: Path) -> None:
    objective = _objective(cache, drop_text=0.0, drop_graph=0.0, drop_layout=0.0, drop_all=0.5, batch_size=16)
    kept = [Conditioning(**objective.batch(step)["condition"]) for step in range(6)]
    together = torch.cat([torch.stack([c.keep_text, c.keep_graph, c.keep_layout]) for c in kept], 1)
    assert (together.all(0) | ~together.any(0)).all()
    assert 0.3 < together[0].float().mean() < 0.7


def test_a_clip_may_give_several_windows_of_a_stage_that_is_larger(cache: Path) -> None:
    data = TabletopClips(str(cache), 6, 1.0, 6, windows=2)
    small = replace(SMALL, stages=(32, 64), frames=2)
    objective = _objective(cache, model=small, stage_shares=(0.5, 0.5), data=data)
    assert isinstance(objective.data, TabletopClips)
    firsts, laters = objective.data._train.index
    assert (len(firsts), len(laters)) == (6, 12)
    drawn = objective.data._train.get(laters[:2])
    assert drawn.graphs[0] == drawn.graphs[1]
    windows = [objective.data._train.get(laters[i : i + 2]).window for i in range(0, 12, 2)]
    assert any(not torch.equal(*pair) for pair in windows)
