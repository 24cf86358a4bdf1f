"""Training the planner on graphs and box tracks of the world; no pixel is rendered."""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mov_ai.captions.caption import Caption
from mov_ai.diffusion.process import add_noise, output_scale
from mov_ai.graph import Interval, Layout, SceneGraph, Track
from mov_ai.graph.files import write_bytes
from mov_ai.graph.instances import drawn_entities
from mov_ai.graph.layout_report import LayoutReport
from mov_ai.labels.encoder import LabelEncoderConfig, load_label_encoder
from mov_ai.models.component import load_component, save_component
from mov_ai.models.planner import LayoutPlanner, PlannerConfig
from mov_ai.models.planner_input import CHANNELS, PlannerInput, pad_inputs, read_graph, to_boxes, to_track
from mov_ai.training.array_cache import cached_arrays
from mov_ai.training.card import model_card
from mov_ai.training.label_noise import blur_labels
from mov_ai.training.objective import Objective, Progress, check_start
from mov_ai.worlds.tabletop import lexicon
from mov_ai.worlds.tabletop.held_out import with_seen_words
from mov_ai.worlds.tabletop.layout_rules import score, world_positions
from mov_ai.worlds.tabletop.motions import motion_of, movers
from mov_ai.worlds.tabletop.scene import FRAMES, Scene, simulate
from mov_ai.worlds.tabletop.variation import PLAIN, VariedScene, WorldVariation
from mov_ai.worlds.tabletop.world import caption_and_layout, gold_layout

#: Scenes in a file of the pool, and how often each training scene is told again with other intervals.
CHUNK, RETIMED = 250, 2
#: Shortest interval of a retimed event.
_SHORTEST = 0.18
#: How often scenes with a spinning cube are drawn, compared with others.
_SPIN_REPEATS = 6
#: The error of the clean track is not scaled up below this share of noise.
_SCALE_FLOOR = 0.1
_ABOUT = """
From a scene graph to the box tracks of 16 frames, see `mov_ai/models/planner.py`. Trained on {train} scenes of the
`train` split of `tabletop`, each with {timings} timings.

Shares are of graphs of the validation split ({validation}) and of the test split ({test}, with shape and colour pairs
and clause orders held out of training), one plan each with seed 0 and 8 steps, judged by
`mov_ai/worlds/tabletop/layout_rules.py`. `apart`: plans in which nothing touches; `faultless`: without any fault;
milliseconds: median for one plan on the machine below, shared with other work.
"""


# -- the pool ----------------------------------------------------------------------------------------------------------


def retime(scene: Scene, caption: Caption, rng: np.random.Generator) -> tuple[Scene, SceneGraph] | None:
    """The same happenings at other times: the world's own intervals are halves and thirds only, users write any.

    Time is stretched piecewise, so nothing collides that did not before. None if an interval would be too short.
    """
    meeting = scene.meeting if isinstance(scene, VariedScene) else None
    met = meeting.actions if meeting else 0
    steps = sorted({a.interval for a in scene.actions[met:]} | ({meeting.interval} if meeting else set()))
    cuts = np.sort(rng.uniform(0, 1, 2 * len(steps)))
    if rng.random() < 0.6:
        # One step begins where the one before ends; else there is a pause between them.
        cuts[1:-1] = np.repeat(cuts[1:-1].reshape(-1, 2).mean(1), 2)
    if rng.random() < 0.5:
        cuts[0] = 0.0
    if rng.random() < 0.5:
        cuts[-1] = 1.0
    cuts = np.round(cuts, 4)
    if (cuts[1::2] - cuts[::2]).min() < _SHORTEST:
        return None
    new = {old: (float(cuts[2 * i]), float(cuts[2 * i + 1])) for i, old in enumerate(steps)}
    knots = [t for old in steps for t in old], [t for old in steps for t in new[old]]

    def moved(interval: Interval) -> Interval:
        if interval in new:
            return new[interval]
        start, end = (t if t in (0, 1) else float(np.interp(t, *knots)) for t in interval)
        return start, max(end, start + 1e-3)

    actions = tuple(replace(action, interval=new[action.interval]) for action in scene.actions[met:])
    if meeting is not None:
        # What belongs to a meeting keeps its share of it: what is pushed starts at the contact.
        told = [tuple(np.interp(a.interval, meeting.interval, new[meeting.interval])) for a in scene.actions[:met]]
        parts = zip(scene.actions[:met], told, strict=True)
        actions = (*(replace(a, interval=(float(start), float(end))) for a, (start, end) in parts), *actions)
    graph = caption.graph
    nodes = [replace(n, interval=moved(n.interval)) if n.type == "event" else n for n in graph.nodes]
    edges = [replace(e, interval=moved(e.interval)) if e.type == "spatial" else e for e in graph.edges]
    return replace(scene, actions=actions), SceneGraph(graph.caption, nodes, edges)


def draw_chunk(split: str, chunk: int, variation: WorldVariation = PLAIN) -> dict[str, np.ndarray]:
    """The scenes from `chunk * CHUNK` on: graphs as JSON, boxes in the order of `drawn_entities`, and their number.

    `variation`: what the scenes may show beyond the plain ones.
    """
    graphs, tracks, counts = [], [], []
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        scene, caption, layout = caption_and_layout(seed, split, variation)
        rng = np.random.default_rng([seed, 7])
        tellings = [(caption.graph, layout)]
        while split == "train" and len(tellings) <= RETIMED:
            other = retime(scene, caption, rng)
            if other is not None:
                tellings.append((other[1], gold_layout(other[0], simulate(other[0]), caption)))
        for graph, gold in tellings:
            if split == "train":
                graph = with_seen_words(graph)
            gold_tracks = [gold.track(*instance) for instance in drawn_entities(graph)]
            tracks += [track.boxes for track in gold_tracks if track is not None]
            counts.append(len(gold_tracks))
            graphs.append(json.dumps(graph.to_dict()))
    return {"boxes": np.stack(tracks), "counts": np.array(counts), "graphs": np.array(graphs)}


class LabelTable:
    """Stands in for a label encoder while graphs are read: a label's vector is its number, from 1; 0 is no label."""

    def __init__(self) -> None:
        self.config = LabelEncoderConfig(width=1)
        self.width = 1
        self.numbers: dict[tuple[str, str], int] = {}

    def __call__(self, labels: Sequence[tuple[str, str]]) -> Tensor:
        return torch.tensor([[self.number(*label)] for label in labels], dtype=torch.float32)

    def number(self, role: str, text: str) -> int:
        """The number of a label, a new one if it is new."""
        return self.numbers.setdefault((role, text), len(self.numbers) + 1)

    def vectors(self, config: LabelEncoderConfig) -> Tensor:
        """(labels + 1, width): the vector of every number so far."""
        label_vectors = load_label_encoder(config)(list(self.numbers))
        return torch.cat([torch.zeros(1, config.width), label_vectors])

    def mirrored(self) -> np.ndarray:
        """(labels + 1,): the number of the same label with left and right exchanged, new ones included."""
        numbers = [0]
        for role, text in list(self.numbers):
            other = re.sub(r"left|right", lambda match: "left" if match.group() == "right" else "right", text)
            numbers.append(self.number(role, other))
        missing = len(self.numbers) + 1 - len(numbers)
        return np.array(numbers) if not missing else self.mirrored()


# -- the objective -----------------------------------------------------------------------------------------------------


class PlannerObjective(Objective):
    """L = mean of w |F - target|^2 over the coefficients of all tracks: rectified flow in EDM's form.

    w of a coefficient grows with the root of its deviation: the loss is about boxes more than about their last wiggle.

    Args:
        batch_size: scenes in a batch of one or two instances each; of scenes with three or four it holds half as many.
        cache: folder of the pool.
        scenes, validation_scenes, test_scenes: of each split; each training scene is told `1 + RETIMED` times.
        drop_entity, drop_attribute: how often each is left unsaid, for an instance. drop_event: how often an event is
            a verb that means nothing.
        blur: how often a label's vector is blurred, see `mov_ai.training.label_noise`.
        known_share: share of the samples in which some boxes are given.
        interactions, crowds: shares of the scenes in which two things meet, or four to six are alike; the pool of such
            scenes lies beside that of the plain ones.
        model: sizes of the network.
        start: folder of an exported planner of these sizes, whose weights training begins with; None for none.
    """

    def __init__(
        self,
        seed: int = 0,
        batch_size: int = 128,
        cache: str = "cache/planner",
        scenes: int = 6000,
        validation_scenes: int = 200,
        test_scenes: int = 250,
        drop_entity: float = 0.1,
        drop_attribute: float = 0.15,
        drop_event: float = 0.06,
        blur: float = 0.5,
        known_share: float = 0.3,
        model: PlannerConfig | None = None,
        interactions: float = 0.0,
        crowds: float = 0.0,
        start: str | None = None,
    ) -> None:
        self.variation = WorldVariation(interactions=interactions, crowds=crowds)
        self.seed, self.batch_size, self.cache = seed, batch_size, Path(cache)
        self.counts = {"train": scenes, "validation": validation_scenes, "test": test_scenes}
        self.drop_entity, self.drop_attribute, self.drop_event = drop_entity, drop_attribute, drop_event
        self.blur, self.known_share = blur, known_share
        self._pool: dict[str, np.ndarray] = {}
        self._labels = LabelTable()
        #: Vectors of the table's labels, and the numbers of the same labels in a mirror.
        self._vectors, self._mirrored = torch.zeros(1, 1), np.zeros(1, dtype=int)
        #: Padded number of instances -> rows of the pool; a batch is of one kind, so that little is padding.
        self._rows: dict[int, np.ndarray] = {}
        self._weight = torch.ones(FRAMES, CHANNELS)
        sizes = model or PlannerConfig()
        #: A planner that goes on keeps the units that its weights are for.
        self._goes_on = start is not None
        if start is None:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                self._module = LayoutPlanner(sizes)
        else:
            self._module = load_component(LayoutPlanner, PlannerConfig, Path(start)).train()
            check_start(start, self._module.config, sizes)

    def config(self) -> dict[str, Any]:
        return {**super().config(), "scenes": self.counts["train"], "known_share": self.known_share}

    def _chunks(self, split: str) -> list[Path]:
        folder = self.cache / self.variation.name
        return [folder / f"{split}_{chunk:05d}.npz" for chunk in range(-(-self.counts[split] // CHUNK))]

    def tellings(self, split: str) -> Iterator[tuple[SceneGraph, Layout]]:
        """The graphs and gold layouts of a split of the pool; what is not in the cache is drawn."""
        for chunk, path in enumerate(self._chunks(split)):
            arrays = cached_arrays(path, partial(draw_chunk, split, chunk, self.variation))
            first = 0
            for text, count in zip(arrays["graphs"].tolist(), arrays["counts"].tolist(), strict=True):
                graph = SceneGraph.from_dict(json.loads(text))
                boxes = arrays["boxes"][first : first + count]
                drawn = zip(drawn_entities(graph), boxes, strict=True)
                yield graph, Layout(FRAMES, [Track(entity, track, instance) for (entity, instance), track in drawn])
                first += count

    def prepare_share(self, device: torch.device, progress: Progress, process: int, processes: int) -> None:
        every = [(path, split, chunk) for split in self.counts for chunk, path in enumerate(self._chunks(split))]
        share = every[process::processes]
        for done, (path, split, chunk) in enumerate(share, start=1):
            if not path.exists():
                cached_arrays(path, partial(draw_chunk, split, chunk, self.variation))
                progress(done, len(share), "drawing scenes")

    def prepare(self, device: torch.device, progress: Progress) -> None:
        self.prepare_share(device, progress, 0, 1)
        self._read_pool()
        if not self._goes_on:
            self._module.standardise(torch.from_numpy(self._pool["tracks"][self._pool["mask"]]))
        deviation = self._module.std.cpu()
        weight = (deviation / deviation.amax(0)).sqrt() + 0.05
        self._weight = weight / weight.mean()

    def _read_pool(self) -> None:
        inputs, tracks, spins, meets = [], [], [], []
        for graph, gold in self.tellings("train"):
            meets.append(_says_a_meeting(graph))
            inputs.append(read_graph(graph, self._labels))
            boxes = np.stack([track.boxes for track in gold.tracks])
            tracks.append(to_track(boxes))
            spinning = {
                entity
                for event in graph.of_type("event")
                if motion_of(event.label, event.direction) == "spin"
                for entity in movers(graph, event)
            }
            spins.append(np.array([entity in spinning for entity, _ in drawn_entities(graph)]))
        for label in (word for words in lexicon.SPATIAL.values() for word in words):
            self._labels.number("relation", label)
        self._mirrored = self._labels.mirrored()
        self._vectors = self._labels.vectors(self._module.config.labels)
        batch = pad_inputs(inputs).tensors()
        numbers = ("entity", "label", "direction", "manner", "relation")
        self._pool = {
            name: array.squeeze(-1).long().numpy() if name in numbers else array.numpy()
            for name, array in batch.items()
            if name not in ("values", "given")
        }
        most = self._pool["mask"].shape[1]
        for name, arrays in (("tracks", tracks), ("spins", spins)):
            sides = [((0, most - len(array)), *[(0, 0)] * (array.ndim - 1)) for array in arrays]
            self._pool[name] = np.stack([np.pad(array, side) for array, side in zip(arrays, sides, strict=True)])
        if self.variation.interactions:
            self._pool["meets"] = np.array(meets)
        number = self._pool["mask"].sum(1)
        # Spinning is rare, and shows only in how the width wobbles: it is seen more often, or it would not be learned.
        often = np.where(self._pool["spins"].any(1), _SPIN_REPEATS, 1)
        kinds = {
            count: np.flatnonzero((number <= count) & (number > count - 2)) for count in range(2, int(most) + 2, 2)
        }
        self._rows = {count: np.repeat(rows, often[rows]) for count, rows in kinds.items()}

    def module(self) -> LayoutPlanner:
        return self._module

    def batch(self, step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng([self.seed, step])
        sizes = np.array([count * len(rows) for count, rows in self._rows.items()], dtype=float)
        count = int(rng.choice(list(self._rows), p=sizes / sizes.sum()))
        chosen = rng.choice(self._rows[count], size=2 * self.batch_size // count)
        drawn = {name: array[chosen] for name, array in self._pool.items()}
        for name in ("entity", "count", "label", "direction", "manner", "role", "interval", "mask", "tracks", "spins"):
            drawn[name] = drawn[name][:, :count]
        drawn["siblings"] = drawn["siblings"][:, :count, :count]
        _relate_anew(drawn, self._labels, rng)
        self._mirror(drawn, rng.random(len(chosen)) < 0.5)
        is_known = self._choose_known(drawn["mask"], rng)
        drawn["given"] = is_known
        drawn["values"] = drawn["tracks"] * is_known[..., None]
        return self._with_vectors({name: torch.from_numpy(array) for name, array in drawn.items()}, rng)

    def _mirror(self, drawn: dict[str, np.ndarray], chosen: np.ndarray) -> None:
        """Swap left and right in the samples that are chosen (batch,), in place."""
        for name in ("entity", "label", "direction", "manner", "relation"):
            swap = chosen.reshape(-1, *[1] * (drawn[name].ndim - 1))
            drawn[name] = np.where(swap, self._mirrored[drawn[name]], drawn[name])
        # x is centred on the middle of the frame, see `planner_input.CENTRE`.
        drawn["tracks"][..., 0] *= np.where(chosen, -1.0, 1.0)[:, None, None].astype(np.float32)

    def _with_vectors(self, drawn: dict[str, Tensor], rng: np.random.Generator) -> dict[str, Tensor]:
        """Numbers of labels become vectors; some labels are left unsaid, for users say less, and use other words."""
        generator = torch.Generator().manual_seed(int(rng.integers(1 << 62)))

        def chance(like: Tensor, share: float) -> Tensor:
            return torch.rand(like.shape, generator=generator) < share

        attribute = drawn["role"] == 0
        hidden = chance(drawn["label"], self.drop_attribute) & attribute
        drawn["label"] = drawn["label"].masked_fill(hidden, 0)
        drawn["entity"] = drawn["entity"].masked_fill(chance(drawn["entity"], self.drop_entity), 0)
        # A verb that means nothing: the event is still there, so only its time and direction are known.
        unknown = chance(drawn["label"], self.drop_event) & ~attribute
        for name in ("entity", "label", "direction", "manner", "relation"):
            drawn[name] = blur_labels(self._vectors[drawn[name]], self.blur, generator)
        random = torch.randn(drawn["label"].shape, generator=generator)
        drawn["label"] = torch.where(unknown[..., None], functional.normalize(random, dim=-1), drawn["label"])
        return drawn

    def _choose_known(self, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Which boxes are given: whole tracks, first boxes or random ones; (batch, K, FRAMES) bool."""
        batch, count = mask.shape
        kind = rng.choice(4, p=[0.4, 0.3, 0.15, 0.15], size=(batch, count, 1))
        some = rng.random((batch, count, FRAMES)) < rng.random((batch, count, 1)) ** 2
        first = np.arange(FRAMES) == 0
        is_known = (kind == 1) | ((kind == 2) & first) | ((kind == 3) & some)
        return is_known & mask[..., None] & (rng.random((batch, 1, 1)) < self.known_share)

    def loss(
        self, module: torch.nn.Module, batch: dict[str, Tensor], generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        graph_input = PlannerInput(**{name: batch[name] for name in batch if name not in ("tracks", "spins")})
        clean = self._module.encode(batch["tracks"])
        noise = torch.randn(tuple(clean.shape), generator=generator).to(clean)
        sigma = torch.sigmoid(torch.randn(len(clean), generator=generator) * 1.4 + 0.5).to(clean).clamp(min=0.02)
        noisy = add_noise(clean, noise, sigma)
        output = module(noisy, sigma, graph_input)
        level = sigma.view(-1, 1, 1, 1)
        squared = (1 - level) ** 2 + level**2
        # `process.to_clean` solved for the output.
        target = (clean - (1 - level) / squared * noisy) / output_scale(sigma).clamp(min=_SCALE_FLOOR).view_as(level)
        scaled = output * (output_scale(sigma) / output_scale(sigma).clamp(min=_SCALE_FLOOR)).view_as(level)
        error = ((scaled - target).square() * self._weight.to(clean)).mean((-1, -2))
        loss = (error * (1 + 2 * batch["spins"]))[batch["mask"]].mean()
        free = batch["mask"] & ~batch["given"].any(-1)
        return loss, {"free": error[free].mean().detach(), "known": error[batch["mask"] & ~free].mean().detach()}

    def validate(self, module: torch.nn.Module) -> dict[str, float]:
        assert isinstance(module, LayoutPlanner)
        graphs = self._graphs("validation")
        one, best = plan_figures(module, graphs)
        return {f"one_{name}": value for name, value in one.items()} | best

    def _graphs(self, split: str) -> list[SceneGraph]:
        return [graph for graph, _ in itertools.islice(self.tellings(split), self.counts[split])]

    def export(self, module: torch.nn.Module, directory: Path, card: dict[str, Any]) -> None:
        assert isinstance(module, LayoutPlanner)
        save_component(module, directory)
        graphs = self._graphs("test")
        one, best = plan_figures(module, graphs)
        columns = {
            "validation, 1 candidate": {k[4:]: v for k, v in card["validation"].items() if k.startswith("one_")},
            "validation, 8 candidates": {k: v for k, v in card["validation"].items() if not k.startswith("one_")},
            "test, 1 candidate": one,
            "test, 8 candidates": best,
        }
        about = _ABOUT.format(**self.counts, timings=1 + RETIMED)
        command = "python -m mov_ai.train experiment=tiny/planner"
        text = model_card("Layout planner", about, command, module, card, columns)
        write_bytes(directory / "README.md", text.encode("utf-8"))


def _says_a_meeting(graph: SceneGraph) -> bool:
    """Whether a relation may be part of what happens: on a thing, or by it in depth until the end."""
    kinds = ("on", "behind", "in front of")
    return any(e.type == "spatial" and e.label in kinds and e.interval[1] == 1 for e in graph.edges)


def _relate_anew(drawn: dict[str, np.ndarray], labels: LabelTable, rng: np.random.Generator) -> None:
    """Replace the relation by other true ones, or none, in most samples; only every third scene has one by itself.

    A relation starts with the clip or at a random frame, and is true in that frame.
    """
    batch, count = drawn["mask"].shape
    frame = np.where(rng.random(batch) < 0.75, 0, rng.integers(FRAMES, size=batch))
    boxes = drawn["tracks"][np.arange(batch), :, frame]  # (batch, K, CHANNELS)
    place = world_positions(to_boxes(boxes).astype(np.float64))
    offset = place[:, None] - place[:, :, None]  # from row to column
    x, z = offset[..., 0], offset[..., 2]
    lateral, deep = (np.abs(x) > 0.9) & (np.abs(x) > np.abs(z)), (np.abs(z) > 0.9) & (np.abs(z) > np.abs(x))
    true = {
        "left of": lateral & (x > 0),
        "right of": lateral & (x < 0),
        "behind": deep & (z < 0),
        "in front of": deep & (z > 0),
        "next to": x**2 + z**2 < 2.4,
    }
    pairs = drawn["mask"][:, :, None] & drawn["mask"][:, None] & (drawn["siblings"] == 0) & ~np.eye(count, dtype=bool)
    kind = np.asarray(rng.random(batch))
    # Without the relation of a meeting nothing would say what is on or behind what.
    kind = np.where(drawn.pop("meets"), 0.0, kind) if "meets" in drawn else kind
    relations: list[list[tuple[int, list[int], float]]] = []
    for b in range(batch):
        numbers, ends, starts = (drawn[n][b].tolist() for n in ("relation", "relation_ends", "relation_start"))
        entries = [entry for entry in zip(numbers, ends, starts, strict=True) if entry[0]]
        relations.append(entries if kind[b] < 0.35 else [])
    for label, holds in true.items():
        numbers = [labels.number("relation", word) for word in lexicon.SPATIAL[label]]
        chosen = holds & pairs & (rng.random(holds.shape) < 0.2) & (kind >= 0.55)[:, None, None]
        for b, i, j in np.argwhere(chosen):
            relations[b].append((int(rng.choice(numbers)), [int(i), int(j)], float(frame[b]) / FRAMES))
    most = max(1, *(len(entries) for entries in relations))
    drawn["relation"] = np.zeros((batch, most), dtype=np.int64)
    drawn["relation_ends"] = np.zeros((batch, most, 2), dtype=np.int64)
    drawn["relation_start"] = np.zeros((batch, most), dtype=np.float32)
    for b, entries in enumerate(relations):
        for r, (number, pair, start) in enumerate(entries):
            drawn["relation"][b, r], drawn["relation_ends"][b, r], drawn["relation_start"][b, r] = number, pair, start


# -- figures -----------------------------------------------------------------------------------------------------------


def plan_figures(
    module: LayoutPlanner, graphs: list[SceneGraph], candidates: int = 8, seed: int = 0
) -> tuple[dict[str, float], dict[str, float]]:
    """Shares of events, relations and boxes that are right in planned layouts: with one candidate, with the best.

    Args:
        module: the planner.
        graphs: one layout is planned for each.
        candidates: see `LayoutPlanner.plan`.
        seed: of every plan.

    Returns:
        "events", "relations", "inside", "apart" (plans in which nothing touches), "faultless" (plans) and
        "motion_<name>"; of the best also "milliseconds" (median for a plan).
    """
    one, best, seconds = [], [], []
    for graph in graphs:
        start = time.perf_counter()
        reports = [score(graph, layout) for layout in module.candidates(graph, seed, candidates=candidates)]
        seconds.append(time.perf_counter() - start)
        one.append(reports[0])
        best.append(max(reports, key=lambda report: report.value))
    return _shares(one), {**_shares(best), "milliseconds": round(1000 * float(np.median(seconds)), 1)}


def _shares(reports: list[LayoutReport]) -> dict[str, float]:
    events = [v for report in reports for v in report.events if v.satisfied is not None]
    relations = [v for report in reports for v in report.relations if v.satisfied is not None]
    marks: dict[str, list[Any]] = {
        "events": [v.satisfied for v in events],
        "relations": [v.satisfied for v in relations],
        "inside": [report.inside for report in reports],
        "apart": [report.touching == 0 for report in reports],
        "faultless": [report.satisfied for report in reports],
    }
    for motion in sorted({v.kind for v in events}):
        marks[f"motion_{motion}"] = [v.satisfied for v in events if v.kind == motion]
    # What no graph says has no share.
    return {name: round(float(np.mean(values)), 4) for name, values in marks.items() if values}
