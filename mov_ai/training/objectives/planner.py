"""Training the planner on graphs and box tracks of the tabletop and of staged scenes; no pixel is rendered."""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mov_ai.diffusion.process import add_noise, output_scale
from mov_ai.graph import Layout, SceneGraph, Track
from mov_ai.graph.files import write_bytes
from mov_ai.graph.instances import drawn_entities
from mov_ai.graph.layout_report import LayoutReport
from mov_ai.labels.encoder import LabelEncoderConfig, load_label_encoder
from mov_ai.models.component import load_component, save_component
from mov_ai.models.planner import LayoutPlanner, PlannerConfig
from mov_ai.models.planner_input import (
    CHANNELS,
    LINK_KINDS,
    PARTS,
    ROLES,
    PlannerInput,
    pad_inputs,
    read_graph,
    to_boxes,
    to_track,
)
from mov_ai.training import planner_scenes
from mov_ai.training.array_cache import cached_arrays
from mov_ai.training.card import model_card
from mov_ai.training.label_noise import blur_labels
from mov_ai.training.objective import Objective, Progress, check_start
from mov_ai.training.planner_scenes import RETIMED, draw_chunk, draw_staged_chunk
from mov_ai.worlds.tabletop import lexicon
from mov_ai.worlds.tabletop.layout_rules import score, world_positions
from mov_ai.worlds.tabletop.motions import motion_of, movers
from mov_ai.worlds.tabletop.scene import FRAMES
from mov_ai.worlds.tabletop.variation import WorldVariation

#: How often scenes with a spinning cube are drawn, compared with others; and staged ones of three, of five and more.
_SPIN_REPEATS, _SOME_REPEATS, _MANY_REPEATS = 6, 2, 4
#: The error of the clean track is not scaled up below this share of noise.
_SCALE_FLOOR = 0.1
#: Tensors of a batch that hold numbers of labels.
_LABELS = ("entity", "label", "direction", "manner", "place", "link", "verb")
#: Those with an instance in each row.
_BY_INSTANCE = ("entity", "count", "label", "direction", "manner", "place", "role", "interval", "mask")
_ABOUT = """
From a scene graph to the box tracks of 16 frames, see `mov_ai/models/planner.py`. Trained on {train} scenes of the
`train` split of `tabletop`, each with {timings} timings, and on {staged} staged scenes.

Shares are of graphs of the tabletop's validation split ({validation}) and of its test split ({test}, with shape and
colour pairs and clause orders held out of training), one plan each with seed 0 and 8 steps, judged by
`mov_ai/worlds/tabletop/layout_rules.py`. `apart`: plans in which nothing touches; `faultless`: without any fault;
milliseconds: median for one plan on the machine below, shared with other work.
"""


# -- the pool ----------------------------------------------------------------------------------------------------------


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


@dataclass(frozen=True)
class _Pool:
    """Scenes of one kind.

    Attributes:
        arrays: what `PlannerInput` holds of each, with numbers for labels, and "tracks", "spins" and "meets".
        rows: of the scenes, each as often as it is to be drawn.
    """

    arrays: dict[str, np.ndarray]
    rows: np.ndarray


def _read_pool(tellings: Sequence[tuple[SceneGraph, Layout]], staged: bool, most: int, labels: LabelTable) -> _Pool:
    """Scenes of at most `most` instances, padded to that many."""
    inputs = pad_inputs([read_graph(graph, labels) for graph, _ in tellings]).tensors()
    arrays = {
        name: tensor.squeeze(-1).int().numpy() if name in _LABELS else tensor.numpy()
        for name, tensor in inputs.items()
        if name not in ("values", "given")
    }
    missing = most - arrays["mask"].shape[1]
    for name in _BY_INSTANCE if missing else ():
        arrays[name] = np.pad(arrays[name], [(0, 0), (0, missing), *[(0, 0)] * (arrays[name].ndim - 2)])
    if missing:
        arrays["siblings"] = np.pad(arrays["siblings"], [(0, 0), (0, missing), (0, missing)])
    tracks = np.zeros((len(tellings), most, FRAMES, CHANNELS), dtype=np.float32)
    spins = np.zeros((len(tellings), most), dtype=bool)
    for row, (graph, gold) in enumerate(tellings):
        tracks[row, : len(gold.tracks)] = to_track(np.stack([track.boxes for track in gold.tracks]))
        spinning = {
            entity
            for event in graph.of_type("event")
            if motion_of(event.label, event.direction) == "spin"
            for entity in movers(graph, event)
        }
        spins[row, : len(gold.tracks)] = [entity in spinning for entity, _ in drawn_entities(graph)]
    meets = np.array([_says_a_meeting(graph) for graph, _ in tellings])
    # Spinning is rare, and shows only in how the width wobbles: it is seen more often, or it would not be learned. So
    # are many at once, who must leave one another room.
    often = np.where(spins.any(1), _SPIN_REPEATS, 1)
    if staged:
        number = arrays["mask"].sum(1)
        often = np.where(number >= 5, _MANY_REPEATS, np.where(number >= 3, _SOME_REPEATS, 1))
    rows = np.repeat(np.arange(len(tellings)), often)
    return _Pool({**arrays, "tracks": tracks, "spins": spins, "meets": meets}, rows)


def _unpacked(arrays: dict[str, np.ndarray]) -> Iterator[tuple[SceneGraph, Layout]]:
    first = 0
    for text, count in zip(arrays["graphs"].tolist(), arrays["counts"].tolist(), strict=True):
        graph = SceneGraph.from_dict(json.loads(text))
        boxes = arrays["boxes"][first : first + count]
        drawn = zip(drawn_entities(graph), boxes, strict=True)
        yield graph, Layout(FRAMES, [Track(entity, track, instance) for (entity, instance), track in drawn])
        first += count


# -- the objective -----------------------------------------------------------------------------------------------------


class PlannerObjective(Objective):
    """L = mean of w |F - target|^2 over the coefficients of all tracks: rectified flow in EDM's form.

    w of a coefficient grows with the root of its deviation: the loss is about boxes more than about their last wiggle.

    Args:
        batch_size: scenes in a batch of one or two instances each; of scenes with three or four it holds half as many.
        cache: folder of the pool.
        staged, staged_share: staged scenes in the pool, and the share of the batches that are of such scenes.
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
        staged: int = 0,
        staged_share: float = 0.0,
    ) -> None:
        self.variation = WorldVariation(interactions=interactions, crowds=crowds)
        self.seed, self.batch_size, self.cache = seed, batch_size, Path(cache)
        self.counts = {"train": scenes, "validation": validation_scenes, "test": test_scenes}
        self.staged, self.staged_share = staged, staged_share if staged else 0.0
        self.drop_entity, self.drop_attribute, self.drop_event = drop_entity, drop_attribute, drop_event
        self.blur, self.known_share = blur, known_share
        #: (whether staged, padded number of instances) -> the scenes of that kind; a batch is of one kind, so that
        #: little is padding.
        self._pools: dict[tuple[bool, int], _Pool] = {}
        self._labels = LabelTable()
        #: Vectors of the table's labels, and the numbers of the same labels in a mirror.
        self._vectors, self._mirrored = torch.zeros(1, 1), np.zeros(1, dtype=int)
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
        more = {"staged": self.staged, "staged_share": self.staged_share} if self.staged else {}
        return {**super().config(), "scenes": self.counts["train"], "known_share": self.known_share, **more}

    def _chunks(self, split: str) -> list[Path]:
        folder = self.cache / self.variation.name
        return [folder / f"{split}_{chunk:05d}.npz" for chunk in range(-(-self.counts[split] // planner_scenes.CHUNK))]

    def _drawing(self) -> Iterator[tuple[Path, Callable[[], dict[str, np.ndarray]]]]:
        """Every file of the pool, and what draws it."""
        for split in self.counts:
            for chunk, path in enumerate(self._chunks(split)):
                yield path, partial(draw_chunk, split, chunk, self.variation)
        yield from self._staged_drawing()

    def _staged_drawing(self) -> Iterator[tuple[Path, Callable[[], dict[str, np.ndarray]]]]:
        for chunk in range(-(-self.staged // planner_scenes.CHUNK)):
            yield self.cache / "staged" / f"train_{chunk:05d}.npz", partial(draw_staged_chunk, "train", chunk)

    def tellings(self, split: str) -> Iterator[tuple[SceneGraph, Layout]]:
        """The tabletop's graphs and gold layouts of a split of the pool; what is not in the cache is drawn."""
        for chunk, path in enumerate(self._chunks(split)):
            yield from _unpacked(cached_arrays(path, partial(draw_chunk, split, chunk, self.variation)))

    def staged_tellings(self) -> Iterator[tuple[SceneGraph, Layout]]:
        """The graphs and gold layouts of the pool's staged scenes."""
        for path, draw in self._staged_drawing():
            yield from _unpacked(cached_arrays(path, draw))

    def prepare(self, device: torch.device, progress: Progress) -> None:
        every = list(self._drawing())
        for done, (path, draw) in enumerate(every, start=1):
            if not path.exists():
                cached_arrays(path, draw)
                progress(done, len(every), "drawing scenes")
        self._read_pools()
        if not self._goes_on:
            tracks = [pool.arrays["tracks"][pool.arrays["mask"]] for pool in self._pools.values()]
            self._module.standardise(torch.from_numpy(np.concatenate(tracks)))
        deviation = self._module.std.cpu()
        weight = (deviation / deviation.amax(0)).sqrt() + 0.05
        self._weight = weight / weight.mean()

    def _read_pools(self) -> None:
        for label in (word for words in lexicon.SPATIAL.values() for word in words):
            self._labels.number("relation", label)
        kinds: dict[tuple[bool, int], list[tuple[SceneGraph, Layout]]] = {}
        for staged, tellings in ((False, self.tellings("train")), (True, self.staged_tellings())):
            for graph, gold in tellings:
                kinds.setdefault((staged, 2 * -(-len(gold.tracks) // 2)), []).append((graph, gold))
        self._pools = {kind: _read_pool(tellings, *kind, self._labels) for kind, tellings in sorted(kinds.items())}
        self._mirrored = self._labels.mirrored()
        self._vectors = self._labels.vectors(self._module.config.labels)

    def module(self) -> LayoutPlanner:
        return self._module

    def batch(self, step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng([self.seed, step])
        staged = bool(self.staged_share) and rng.random() < self.staged_share
        sizes = {count: count * len(pool.rows) for (kind, count), pool in self._pools.items() if kind == staged}
        shares = np.array(list(sizes.values()), dtype=float)
        count = int(rng.choice(list(sizes), p=shares / shares.sum()))
        pool = self._pools[staged, count]
        chosen = rng.choice(pool.rows, size=max(1, 2 * self.batch_size // count))
        drawn = {name: array[chosen] for name, array in pool.arrays.items()}
        meets = drawn.pop("meets")
        if not staged:
            _relate_anew(drawn, meets if self.variation.interactions else None, self._labels, rng)
        self._mirror(drawn, rng.random(len(chosen)) < 0.5)
        is_known = self._choose_known(drawn["mask"], rng)
        drawn["given"] = is_known
        drawn["values"] = drawn["tracks"] * is_known[..., None]
        return self._with_vectors({name: torch.from_numpy(array) for name, array in drawn.items()}, rng)

    def _mirror(self, drawn: dict[str, np.ndarray], chosen: np.ndarray) -> None:
        """Swap left and right in the samples that are chosen (batch,), in place."""
        for name in _LABELS:
            swap = chosen.reshape(-1, *[1] * (drawn[name].ndim - 1))
            drawn[name] = np.where(swap, self._mirrored[drawn[name]], drawn[name])
        # x is centred on the middle of the frame, see `planner_input.CENTRE`.
        drawn["tracks"][..., 0] *= np.where(chosen, -1.0, 1.0)[:, None, None].astype(np.float32)

    def _with_vectors(self, drawn: dict[str, Tensor], rng: np.random.Generator) -> dict[str, Tensor]:
        """Numbers of labels become vectors; some labels are left unsaid, for users say less, and use other words."""
        generator = torch.Generator().manual_seed(int(rng.integers(1 << 62)))

        def chance(like: Tensor, share: float) -> Tensor:
            return torch.rand(like.shape, generator=generator) < share

        attribute = drawn["role"] == ROLES.index("attribute")
        hidden = chance(drawn["label"], self.drop_attribute) & attribute
        drawn["role"] = drawn["role"].masked_fill(hidden, 0)
        drawn["entity"] = drawn["entity"].masked_fill(chance(drawn["entity"], self.drop_entity), 0)
        # A verb that means nothing: the event is still there, so only its time and direction are known.
        part = (drawn["role"] >= ROLES.index(PARTS[0])) & (drawn["role"] <= ROLES.index(PARTS[-1]))
        unknown = chance(drawn["label"], self.drop_event) & part
        drawn["verb"] = drawn["verb"].masked_fill(chance(drawn["verb"], self.drop_event), 0)
        for name in _LABELS:
            drawn[name] = self._blurred(drawn[name].long(), generator)
        random = torch.randn((int(unknown.sum()), drawn["label"].shape[-1]), generator=generator)
        drawn["label"][unknown] = functional.normalize(random, dim=-1)
        return drawn

    def _blurred(self, numbers: Tensor, generator: torch.Generator) -> Tensor:
        """Label vectors (..., width) of numbers, some of them blurred; most places hold no label, and cost nothing."""
        vectors = torch.zeros(*numbers.shape, self._vectors.shape[1])
        has_label = numbers > 0
        vectors[has_label] = blur_labels(self._vectors[numbers[has_label]], self.blur, generator)
        return vectors

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
        about = _ABOUT.format(**self.counts, timings=1 + RETIMED, staged=self.staged)
        command = "python -m mov_ai.train experiment=tiny/planner"
        text = model_card("Layout planner", about, command, module, card, columns)
        write_bytes(directory / "README.md", text.encode("utf-8"))


def _says_a_meeting(graph: SceneGraph) -> bool:
    """Whether a relation may be part of what happens: on a thing, or by it in depth until the end."""
    kinds = ("on", "behind", "in front of")
    return any(e.type == "spatial" and e.label in kinds and e.interval[1] == 1 for e in graph.edges)


def _relate_anew(
    drawn: dict[str, np.ndarray], meets: np.ndarray | None, labels: LabelTable, rng: np.random.Generator
) -> None:
    """Replace the tabletop's relation by other true ones, or none, in most samples; only every third scene has one by
    itself.

    A relation starts with the clip or at a random frame, and is true in that frame. `meets`: (batch,) scenes whose own
    relation says what happens; None for none.
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
    kind = kind if meets is None else np.where(meets, 0.0, kind)
    relation = LINK_KINDS.index("relation")
    found: list[list[tuple[int, int, int, list[int], list[float]]]] = []
    names = ("link", "verb", "link_kind", "link_ends", "link_interval")
    for b in range(batch):
        entries = zip(*(drawn[name][b].tolist() for name in names), strict=True)
        found.append([e for e in entries if e[2] and (e[2] != relation or kind[b] < 0.35)])
    for label, holds in true.items():
        numbers = [labels.number("relation", word) for word in lexicon.SPATIAL[label]]
        chosen = holds & pairs & (rng.random(holds.shape) < 0.2) & (kind >= 0.55)[:, None, None]
        for b, i, j in np.argwhere(chosen):
            start = float(frame[b]) / FRAMES
            found[b].append((int(rng.choice(numbers)), 0, relation, [int(i), int(j)], [start, 1.0]))
    most = max(1, *(len(entries) for entries in found))
    for name in names:
        old = drawn[name]
        drawn[name] = np.zeros((batch, most, *old.shape[2:]), dtype=old.dtype)
    for b, entries in enumerate(found):
        for r, entry in enumerate(entries):
            for name, value in zip(names, entry, strict=True):
                drawn[name][b, r] = value


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
