"""Training the planner: what a batch holds, mirrors, true relations, words it never sees, a loss that falls."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from mov_ai.errors import UsageError
from mov_ai.graph import Edge, Node, SceneGraph
from mov_ai.graph.instances import drawn_entities
from mov_ai.labels.encoder import load_label_encoder
from mov_ai.models.component import load_component, save_component
from mov_ai.models.planner import LayoutPlanner, PlannerConfig
from mov_ai.models.planner_input import CHANNELS, LINK_KINDS, PARTS, ROLES, PlannerInput, read_graph, to_boxes
from mov_ai.training import planner_scenes
from mov_ai.training.loop import Trainer
from mov_ai.training.objectives.planner import PlannerObjective
from mov_ai.training.planner_pool import LabelTable, relate_anew
from mov_ai.training.planner_scenes import retime, retimed
from mov_ai.training.settings import TrainerConfig
from mov_ai.worlds.stage.world import sample_scene
from mov_ai.worlds.tabletop import lexicon
from mov_ai.worlds.tabletop.held_out import HELD_OUT_WORDS
from mov_ai.worlds.tabletop.layout_rules import relation_margin, score
from mov_ai.worlds.tabletop.scene import FRAMES, simulate
from mov_ai.worlds.tabletop.variation import VariedScene, WorldVariation
from mov_ai.worlds.tabletop.world import caption_and_layout, gold_layout
from tests.models.builders import LABELS, ball_and_cube

SMALL = PlannerConfig(dim=16, layers=1, heads=2, expansion=1, labels=LABELS)
SCENES = 20


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for the pool, twenty scenes to a file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planner_scenes, "CHUNK", SCENES)
        yield tmp_path_factory.mktemp("pool")


def _objective(pool: Path, **changes: Any) -> PlannerObjective:
    values: dict[str, Any] = {"batch_size": 16, "cache": str(pool), "scenes": SCENES, "validation_scenes": 3}
    objective = PlannerObjective(**{**values, "test_scenes": 3, "model": SMALL, **changes})
    objective.prepare(torch.device("cpu"), lambda done, total, what: None)
    return objective


def _plain(pool: Path, **changes: Any) -> PlannerObjective:
    """One that leaves nothing unsaid and blurs nothing."""
    return _objective(
        pool,
        **{"drop_entity": 0.0, "drop_attribute": 0.0, "drop_event": 0.0, "blur": 0.0, "known_share": 0.0, **changes},
    )


def test_a_batch_has_the_shapes_that_the_planner_reads(pool: Path) -> None:
    objective = _objective(pool)
    sizes = set()
    for step in range(8):
        batch = objective.batch(step)
        given = PlannerInput(**{name: batch[name] for name in batch if name not in ("tracks", "spins")})
        rows, count = given.mask.shape
        sizes.add((rows, count))
        assert batch["tracks"].shape == given.values.shape == (rows, count, FRAMES, CHANNELS)
        assert given.given.shape == (rows, count, FRAMES)
        assert given.entity.shape == (rows, count, LABELS.width)
        happenings = given.role.shape[2]
        for tensor in (given.label, given.direction, given.manner, given.place):
            assert tensor.shape == (rows, count, happenings, LABELS.width)
        assert given.interval.shape == (rows, count, happenings, 2)
        links = given.link.shape[1]
        assert given.link.shape == given.verb.shape == (rows, links, LABELS.width)
        assert given.link_ends.shape == given.link_interval.shape == (rows, links, 2)
        assert given.link_ends.max() < count
        assert given.siblings.shape == (rows, count, count)
        assert torch.equal(given.values, batch["tracks"] * given.given[..., None])
        for name, tensor in batch.items():
            assert not tensor.is_floating_point() or tensor.isfinite().all(), name
        assert objective.module()(batch["tracks"], torch.full((rows,), 0.5), given).shape == batch["tracks"].shape
    # Sixteen samples of at most two instances, or eight of up to four.
    assert sizes == {(16, 2), (8, 4)}


def test_a_batch_depends_on_seed_and_step_only(pool: Path) -> None:
    one, two, other = _objective(pool), _objective(pool), _objective(pool, seed=1)
    torch.manual_seed(7)
    batches = [one.batch(step) for step in range(4)]

    def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
        return all(a[name].shape == b[name].shape and torch.equal(a[name], b[name]) for name in a)

    for step in (3, 0, 3):
        assert same(two.batch(step), batches[step])
    assert not any(same(batches[0], batch) for batch in batches[1:])
    assert not same(other.batch(0), batches[0])


def test_labels_in_a_batch_are_those_of_the_encoder(pool: Path) -> None:
    encoder = load_label_encoder(LABELS)
    objective = _plain(pool)
    known = encoder(list(objective._labels.numbers))
    for vectors in (objective.batch(0)[name] for name in ("entity", "label", "link", "verb")):
        said = vectors[(vectors != 0).any(-1)]
        assert ((said @ known.T).max(1).values > 1 - 1e-4).all()


def test_what_is_drawn_twice_is_read_once(pool: Path) -> None:
    _objective(pool)
    path = next(pool.glob("train_*"))
    before = path.stat().st_mtime_ns
    calls: list[Any] = []
    objective = PlannerObjective(cache=str(pool), scenes=SCENES, validation_scenes=3, test_scenes=3, model=SMALL)
    objective.prepare(torch.device("cpu"), lambda *step: calls.append(step))
    assert path.stat().st_mtime_ns == before
    assert calls == []


# -- words -------------------------------------------------------------------------------------------------------------


def test_held_out_words_never_reach_training(pool: Path) -> None:
    objective = _objective(pool)
    said = {text.lower() for _, text in objective._labels.numbers}
    assert {"ball", "cube"} & said
    assert not said & HELD_OUT_WORDS.keys()
    graphs = [graph for graph, _ in objective.tellings("train")]
    # Each scene is told with other times too.
    assert len(graphs) == 3 * SCENES
    for graph in graphs:
        assert not {node.label.lower() for node in graph.nodes} & HELD_OUT_WORDS.keys()
        words = graph.caption.lower().replace(".", " ").replace(",", " ").split()
        assert not set(words) & HELD_OUT_WORDS.keys()


def test_a_stand_in_for_an_encoder_reads_graphs_by_number() -> None:
    table = LabelTable()
    numbers, vectors = read_graph(ball_and_cube(), table), read_graph(ball_and_cube(), load_label_encoder(LABELS))
    looked_up = table.vectors(LABELS)
    assert not looked_up[0].any()
    for name in ("entity", "label", "direction", "manner", "place", "link", "verb"):
        places = numbers.tensors()[name].squeeze(-1).long()
        assert torch.equal(looked_up[places], vectors.tensors()[name]), name


def test_a_mirrors_mirror_is_the_label_itself() -> None:
    table = LabelTable()
    labels = [("relation", "left of"), ("direction", "right"), ("entity", "ball"), ("relation", "to the right of")]
    numbers = [table.number(*label) for label in labels]
    mirrored = table.mirrored()
    names = {number: label for label, number in table.numbers.items()}
    assert [names[mirrored[number]] for number in numbers] == [
        ("relation", "right of"), ("direction", "left"), ("entity", "ball"), ("relation", "to the left of")
    ]  # fmt: skip
    assert len(mirrored) == len(table.numbers) + 1
    assert np.array_equal(mirrored[mirrored], np.arange(len(mirrored)))


def test_mirroring_swaps_left_and_right_in_labels_and_in_tracks(pool: Path) -> None:
    objective = _plain(pool)
    arrays = objective._pools[False, 2].arrays
    rows = np.arange(len(arrays["mask"]))
    drawn = {name: array.copy() for name, array in arrays.items()}
    chosen = rows % 2 == 0
    objective._mirror(drawn, chosen)
    names = {number: text for (_, text), number in objective._labels.numbers.items()}
    swapped = 0
    for name in ("entity", "label", "direction", "manner", "link"):
        before, after = arrays[name], drawn[name]
        assert np.array_equal(after[~chosen], before[~chosen])
        for old, new in zip(before[chosen].flat, after[chosen].flat, strict=True):
            if old != new:
                swapped += 1
                words = {"left": "right", "right": "left"}
                expected = " ".join(
                    words.get(word, word.replace("left", "right") if "left" in word else word.replace("right", "left"))
                    for word in names[old].split()
                )
                assert names[new] == expected
            elif old:
                assert "left" not in names[old]
                assert "right" not in names[old]
    assert swapped > 3
    assert np.array_equal(drawn["tracks"][~chosen], arrays["tracks"][~chosen])
    boxes, mirrored = (to_boxes(d["tracks"][chosen]) for d in (arrays, drawn))
    assert np.allclose(mirrored[..., 0], 1 - boxes[..., 0], atol=1e-5)
    assert np.allclose(mirrored[..., 1:5], boxes[..., 1:5], atol=1e-5)


def test_only_true_relations_are_said_anew(pool: Path) -> None:
    objective = _plain(pool)
    names = {number: text for (_, text), number in objective._labels.numbers.items()}
    told = 0
    for seed in range(5):
        drawn = {name: array.copy() for name, array in objective._pools[False, 2].arrays.items()}
        boxes = to_boxes(drawn["tracks"])
        relate_anew(drawn, None, objective._labels, np.random.default_rng(seed))
        for row in range(len(boxes)):
            for number, kind, (first, second), (start, _) in zip(
                *(drawn[name][row] for name in ("link", "link_kind", "link_ends", "link_interval")), strict=True
            ):
                if LINK_KINDS[kind] != "relation":
                    continue
                assert drawn["mask"][row, first]
                assert drawn["mask"][row, second]
                label = lexicon.concept("spatial", names[number])
                frame = min(FRAMES - 1, round(float(start) * FRAMES))
                margin = relation_margin(label or "", boxes[row, first, frame], boxes[row, second, frame])
                assert margin is not None
                assert margin > 0, (names[number], margin)
                told += 1
    assert told > 50


# -- dropping and knowing ----------------------------------------------------------------------------------------------


def test_as_much_is_left_unsaid_as_asked_for(pool: Path) -> None:
    bare = _plain(pool, drop_entity=1.0, drop_attribute=1.0).batch(0)
    assert not bare["entity"].any()
    assert not (bare["role"] == ROLES.index("attribute")).any()
    whole = _plain(pool).batch(0)
    assert whole["entity"][whole["mask"]].any(-1).all()


def test_verbs_that_mean_nothing_still_happen(pool: Path) -> None:
    known, unknown = (_plain(pool, drop_event=share).batch(0) for share in (0.0, 1.0))
    events = (known["role"] >= ROLES.index(PARTS[0])) & (known["role"] <= ROLES.index(PARTS[-1]))
    lengths = unknown["label"][events].norm(dim=-1)
    assert_close(lengths, torch.ones_like(lengths))
    assert ((known["label"] * unknown["label"]).sum(-1)[events].abs() < 0.7).all()
    assert torch.equal(known["interval"], unknown["interval"])


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_boxes_are_known_in_a_share_of_the_samples(pool: Path, share: float) -> None:
    objective = _plain(pool, known_share=share)
    known = [objective.batch(step)["given"].any() for step in range(4)]
    assert all(bool(value) == bool(share) for value in known)
    for step in range(4):
        batch = objective.batch(step)
        assert not batch["given"][~batch["mask"]].any()


# -- telling at other times --------------------------------------------------------------------------------------------


def test_a_scene_told_at_other_times_is_still_true() -> None:
    told = 0
    for seed in range(12):
        scene, caption, layout = caption_and_layout(seed, "train")
        before = score(caption.graph, layout)
        other = retime(scene, caption, np.random.default_rng(seed))
        if other is None:
            continue
        told += 1
        graph = other[1]
        graph.validate()
        assert [node.id for node in graph.nodes] == [node.id for node in caption.graph.nodes]
        after = score(graph, gold_layout(other[0], simulate(other[0]), caption))
        right = [np.mean([v.satisfied is not False for v in report.events] or [1.0]) for report in (before, after)]
        assert right[1] >= right[0]
    assert told > 4


def test_a_meeting_told_at_other_times_is_still_one() -> None:
    told = 0
    for seed in range(40):
        scene, caption, _ = caption_and_layout(seed, "train", WorldVariation(interactions=1.0))
        assert isinstance(scene, VariedScene)
        assert scene.meeting is not None
        other = retime(scene, caption, np.random.default_rng(seed))
        if other is None or scene.meeting.kind not in ("push", "carry", "pull"):
            continue
        told += 1
        other[1].validate()
        position = simulate(other[0], 64).position
        apart = position[:, 1] - position[:, 0]
        # From the first contact on they go together.
        start = next(a.interval[0] for a in other[0].actions if a.thing == 1)
        later = (np.arange(64) + 0.5) / 64 > start
        np.testing.assert_allclose(apart[later] - apart[-1], 0, atol=1e-6)
    assert told > 6


def test_scenes_with_meetings_have_a_pool_of_their_own_and_keep_their_relations(pool: Path) -> None:
    plain, met = _plain(pool), _plain(pool, interactions=1.0)
    graphs = [[graph for graph, _ in objective.tellings("train")] for objective in (plain, met)]
    ends = [sum(edge.type in ("patient", "location") for g in some for edge in g.edges) for some in graphs]
    assert ends[1] > ends[0] + 10
    on_top = 0
    for step in range(4):
        batch = met.batch(step)
        assert "meets" not in batch
        on_top += int((batch["link_kind"] == LINK_KINDS.index("relation")).sum())
    assert on_top > 5
    with pytest.raises(UsageError, match="interactions: expected a share"):
        _plain(pool, interactions=2.0)


# -- staged scenes -----------------------------------------------------------------------------------------------------


def test_staged_scenes_are_as_large_a_share_of_the_batches_as_asked_for(pool: Path) -> None:
    objective = _plain(pool, staged=SCENES, staged_share=0.5)
    kinds = {staged for staged, _ in objective._pools}
    assert kinds == {False, True}
    assert len(list(pool.glob("staged/train_*.npz"))) == 1
    said = {text for _, text in objective._labels.numbers}
    for step in range(6):
        batch = objective.batch(step)
        given = PlannerInput(**{name: batch[name] for name in batch if name not in ("tracks", "spins")})
        assert objective.module()(batch["tracks"], torch.full((len(given.mask),), 0.5), given).isfinite().all()
    only = _plain(pool, staged=SCENES, staged_share=1.0)
    assert len(said) > 30
    # What only shows solids of the tabletop is left to the tabletop's own way of seeing them.
    for graph, gold in only.staged_tellings():
        assert [(track.entity, track.instance) for track in gold.tracks] == drawn_entities(graph)
        assert any(lexicon.concept("shape", node.label) is None for node in graph.of_type("entity"))


def test_a_staged_graph_told_at_other_times_keeps_its_order() -> None:
    told = 0
    for seed in range(60):
        graph = sample_scene(seed).caption.graph
        other = retimed(graph, np.random.default_rng(seed))
        if other is None:
            continue
        told += 1
        other.validate()
        events, again = graph.of_type("event"), other.of_type("event")
        for (a, x), (b, y) in itertools.combinations(zip(events, again, strict=True), 2):
            if a.interval[1] <= b.interval[0]:
                assert x.interval[1] <= y.interval[0]
        for edge, moved in zip(graph.edges, other.edges, strict=True):
            assert (moved.interval == (0, 1)) == (edge.interval == (0, 1))
    assert told > 10


# -- training ----------------------------------------------------------------------------------------------------------


def test_training_lowers_the_loss_and_exports_a_planner(pool: Path, tmp_path: Path) -> None:
    objective = _objective(pool)

    def judged(module: torch.nn.Module) -> float:
        with torch.no_grad():
            losses = [
                objective.loss(module, objective.batch(step), torch.Generator().manual_seed(step))[0].item()
                for step in range(1000, 1010)
            ]
        return float(np.mean(losses))

    before = judged(objective.module())
    config = TrainerConfig(
        max_steps=60, learning_rate=5e-3, warmup_steps=4, ema_decay=0, device="cpu", threads=1, log_every=20
    )
    result = Trainer(objective, config, tmp_path).run()
    assert result["steps"] == 60
    trained = load_component(LayoutPlanner, PlannerConfig, tmp_path / "export")
    assert trained.config == SMALL
    assert judged(trained) < 0.9 * before
    assert {"events", "relations", "one_events", "milliseconds"} <= set(result["validation"])
    assert "milliseconds" in (tmp_path / "export/README.md").read_text()


def test_the_noise_of_a_loss_comes_from_its_generator(pool: Path) -> None:
    objective = _objective(pool)
    batch = objective.batch(0)
    values = [
        objective.loss(objective.module(), batch, torch.Generator().manual_seed(seed))[0].item() for seed in (0, 0, 1)
    ]
    assert values[0] == values[1] != values[2]


def test_a_graph_of_another_world_is_planned_by_what_was_trained(pool: Path) -> None:
    nodes = [Node("s", "scene", "scene"), Node("d", "entity", "dog"), Node("f", "entity", "frisbee")]
    graph = SceneGraph("", nodes, [Edge("f", "d", "spatial", "above")])
    layout, _ = _objective(pool).module().eval().plan(graph)
    assert layout.complete
    assert [track.entity for track in layout.tracks] == ["d", "f"]


def test_crowds_are_batches_of_their_own(pool: Path) -> None:
    objective = _plain(pool, crowds=1.0)
    counts = {count for _, count in objective._pools}
    assert max(counts) >= 6
    for step in range(8):
        batch = objective.batch(step)
        assert batch["mask"].shape == batch["tracks"].shape[:2]
        assert batch["mask"].sum(1).min() >= 3
        assert batch["tracks"].isfinite().all()


def test_training_can_begin_with_an_exported_planner_in_its_own_units(pool: Path, tmp_path: Path) -> None:
    save_component(_plain(pool).module(), tmp_path / "planner")
    first = load_component(LayoutPlanner, PlannerConfig, tmp_path / "planner")
    objective = _plain(pool, interactions=1.0, start=str(tmp_path / "planner"))
    again = objective.module().state_dict()
    assert all(torch.equal(again[name], value) for name, value in first.state_dict().items())
    generator = torch.Generator().manual_seed(0)
    total, _ = objective.loss(objective.module(), objective.batch(0), generator)
    total.backward()
    with pytest.raises(UsageError, match=r"objective.start: .*: expected a network of"):
        _plain(pool, start=str(tmp_path / "planner"), model=replace(SMALL, dim=32))
