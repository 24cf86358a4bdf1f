"""Training the planner on graphs and box tracks of the tabletop and of staged scenes; no pixel is rendered."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mov_ai.diffusion.process import add_noise, output_scale
from mov_ai.graph import Layout, SceneGraph
from mov_ai.graph.files import write_bytes
from mov_ai.models.component import load_component, save_component
from mov_ai.models.planner import LayoutPlanner, PlannerConfig
from mov_ai.models.planner_input import CHANNELS, PARTS, ROLES, PlannerInput, ranks_of
from mov_ai.training import planner_scenes
from mov_ai.training.array_cache import cached_arrays
from mov_ai.training.card import model_card
from mov_ai.training.label_noise import blur_labels
from mov_ai.training.objective import Objective, Progress, check_start
from mov_ai.training.planner_figures import plan_figures
from mov_ai.training.planner_pool import LABELS, LabelTable, Pool, read_pool, relate_anew
from mov_ai.training.planner_scenes import RETIMED, draw_chunk, draw_staged_chunk, staged_graphs, unpacked
from mov_ai.worlds.tabletop import lexicon
from mov_ai.worlds.tabletop.plugin import TABLETOP
from mov_ai.worlds.tabletop.scene import FRAMES
from mov_ai.worlds.tabletop.variation import WorldVariation

#: The error of the clean track is not scaled up below this share of noise.
_SCALE_FLOOR = 0.1
_ABOUT = """
From a scene graph to the box tracks of 16 frames, see `mov_ai/models/planner.py`. Trained on {train} scenes of the
`train` split of `tabletop`, each with {timings} timings, and on {staged} staged scenes.

Shares are of graphs of the tabletop's validation split ({validation}) and of its test split ({test}, with shape and
colour pairs and clause orders held out of training), one plan each with seed 0 and 8 steps, judged by
`mov_ai/worlds/tabletop/layout_rules.py`; those that begin with "staged" of as many staged scenes, judged by
`mov_ai/worlds/stage/rules`, the verifier that also chose. `apart`: plans in which nothing touches that should not;
`faultless`: without any fault; milliseconds: median for a plan on the machine below, shared with other work.
"""


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
        self._pools: dict[tuple[bool, int], Pool] = {}
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
            yield from unpacked(cached_arrays(path, partial(draw_chunk, split, chunk, self.variation)))

    def staged_tellings(self) -> Iterator[tuple[SceneGraph, Layout]]:
        """The graphs and gold layouts of the pool's staged scenes."""
        for path, draw in self._staged_drawing():
            yield from unpacked(cached_arrays(path, draw))

    def prepare_share(self, device: torch.device, progress: Progress, process: int, processes: int) -> None:
        share = list(self._drawing())[process::processes]
        for done, (path, draw) in enumerate(share, start=1):
            if not path.exists():
                cached_arrays(path, draw)
                progress(done, len(share), "drawing scenes")

    def prepare(self, device: torch.device, progress: Progress) -> None:
        self.prepare_share(device, progress, 0, 1)
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
        self._pools = {kind: read_pool(tellings, *kind, self._labels) for kind, tellings in sorted(kinds.items())}
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
            relate_anew(drawn, meets if self.variation.interactions else None, self._labels, rng)
        self._mirror(drawn, rng.random(len(chosen)) < 0.5)
        is_known = self._choose_known(drawn["mask"], rng)
        drawn["given"] = is_known
        drawn["rank"] = ranks_of(drawn["tracks"], drawn["siblings"], is_known)
        drawn["values"] = drawn["tracks"] * is_known[..., None]
        return self._with_vectors({name: torch.from_numpy(array) for name, array in drawn.items()}, rng)

    def _mirror(self, drawn: dict[str, np.ndarray], chosen: np.ndarray) -> None:
        """Swap left and right in the samples that are chosen (batch,), in place."""
        for name in LABELS:
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
        for name in LABELS:
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
        one, best = self._figures(module, "validation")
        return {f"one_{name}": value for name, value in one.items()} | best

    def _figures(self, module: LayoutPlanner, split: str) -> tuple[dict[str, float], dict[str, float]]:
        """With one candidate, and the best of those that a plan looks at; of the tabletop, and of staged scenes if it
        was trained on such.
        """
        graphs = [graph for graph, _ in itertools.islice(self.tellings(split), self.counts[split])]
        one, best = plan_figures(module, graphs, TABLETOP.verify)
        if self.staged:
            graphs = staged_graphs(split, self.counts[split])
            more_one, more_best = plan_figures(module, graphs, TABLETOP.verify, by_motion=False)
            one |= {f"staged_{name}": value for name, value in more_one.items()}
            best |= {f"staged_{name}": value for name, value in more_best.items()}
        return one, best

    def export(self, module: torch.nn.Module, directory: Path, card: dict[str, Any]) -> None:
        assert isinstance(module, LayoutPlanner)
        save_component(module, directory)
        one, best = self._figures(module, "test")
        columns = {
            "validation, 1 candidate": {k[4:]: v for k, v in card["validation"].items() if k.startswith("one_")},
            "validation, the best": {k: v for k, v in card["validation"].items() if not k.startswith("one_")},
            "test, 1 candidate": one,
            "test, the best": best,
        }
        about = _ABOUT.format(**self.counts, timings=1 + RETIMED, staged=self.staged)
        command = "python -m mov_ai.train experiment=tiny/planner"
        text = model_card("Layout planner", about, command, module, card, columns)
        write_bytes(directory / "README.md", text.encode("utf-8"))
