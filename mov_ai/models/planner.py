"""The planner: from a scene graph to box tracks, sampled for all instances together by rectified flow.

The network reads labels as vectors (`mov_ai.labels`): entities and counts; events with their directions, places and
intervals; attributes; places on the screen; while when something is there; moves of the camera; relations, and who
takes part in an event with whom. Attributes whose kind says that they are looks only (`APPEARANCE_KINDS`) are left out,
so a graph in which "red" becomes "blue" has exactly the same layout.

A track is (x, y, log w, log h, log depth, visibility) over time, written as cosine coefficients: the frames of a video
are read off at their times, however many there are. Each coefficient is standardised, so that noise and errors have the
spectrum of real tracks: wrong tracks are still smooth.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from mov_ai.checked_config import Channels, Frames, Heads, Layers
from mov_ai.diffusion.process import input_scale, to_clean
from mov_ai.diffusion.sampling import sample
from mov_ai.errors import UsageError
from mov_ai.graph import Layout, SceneGraph, Track
from mov_ai.graph.instances import MAX_COUNT, drawn_entities
from mov_ai.graph.layout_report import LayoutReport, preference
from mov_ai.graph.time import frame_times
from mov_ai.labels.encoder import LabelEncoderConfig, load_label_encoder
from mov_ai.models.graph_layer import GraphLayer, spread_links
from mov_ai.models.label_projection import LabelProjection
from mov_ai.models.planner_input import (
    CHANNELS,
    LINK_KINDS,
    ROLES,
    PlannerInput,
    agree,
    check_known,
    read_graph,
    time_features,
    to_boxes,
)
from mov_ai.models.planner_spacing import SPACED_BELOW, keep_apart

#: Channels of what a link says in each direction.
_LINK = 24
#: Channels of a pair: its links in both directions, and "of the same entity".
LINKS = 2 * _LINK + 1
#: Dimensions that labels beside the main ones are read in.
_RANK = 48
#: Says how well a layout shows its graph; a world has one.
Verifier = Callable[[SceneGraph, Layout], LayoutReport]


@dataclass(frozen=True)
class PlannerConfig:
    """Sizes of the planner.

    Attributes:
        dim, layers, heads: of the graph layers. expansion: width of the hidden layer in units of `dim`.
        labels: the label encoder that the network was trained with.
        frames: points in time at which the network sees and makes tracks; videos may have any number.
    """

    dim: Channels = 128
    layers: Layers = 6
    heads: Heads = 4
    expansion: Layers = 3
    labels: LabelEncoderConfig = field(default_factory=LabelEncoderConfig)
    frames: Frames = 16


def cosine_basis(coefficients: int, times: Tensor) -> Tensor:
    """Orthonormal cosines (DCT-II) at times in [0, 1], (coefficients, len(times)).

    At the middles of as many frames as there are coefficients it is the transform; at other times it interpolates.
    """
    basis = (
        torch.cos(torch.arange(coefficients, device=times.device)[:, None] * math.pi * times)
        * (2 / coefficients) ** 0.5
    )
    basis[0] /= 2**0.5
    return basis


class LayoutPlanner(nn.Module):
    """A graph network over entity instances that denoises their box tracks together."""

    #: 2: labels are vectors; in 1 they were numbers of one world's words. 3: places, presence, camera, links of events.
    #: 4: ranks.
    SCHEMA = 4

    basis: Tensor
    mean: Tensor
    std: Tensor

    def __init__(self, config: PlannerConfig) -> None:
        super().__init__()
        self.config = config
        dim, frames, width = config.dim, config.frames, config.labels.width
        size = frames * CHANNELS
        self.entity = LabelProjection(width, dim)
        self.count = nn.Embedding(MAX_COUNT + 1, dim)
        # Several of a kind find their places more surely when each knows which it is.
        self.from_left, self.from_right = (nn.Embedding(MAX_COUNT + 1, dim, padding_idx=0) for _ in range(2))
        # A happening's vector is its meaning times the features of its interval; so is a link's.
        self.label = LabelProjection(width, 2 * dim, rank=128)
        self.direction, self.manner, self.place = (LabelProjection(width, 2 * dim, _RANK) for _ in range(3))
        self.role = nn.Embedding(len(ROLES), 2 * dim)
        self.when = nn.Linear(5 * frames + 2, 2 * dim)
        self.happening = nn.Linear(2 * dim, dim)
        self.link, self.verb = (LabelProjection(width, 2 * _LINK, _RANK) for _ in range(2))
        self.link_kind = nn.Embedding(len(LINK_KINDS), 2 * _LINK)
        self.link_when = nn.Linear(5 * frames + 2, 2 * _LINK)
        self.given = nn.Linear(size + frames, dim)
        self.track = nn.Linear(size, dim)
        self.time = nn.Sequential(nn.Linear(64, dim), nn.SiLU(), nn.Linear(dim, dim), nn.SiLU())
        self.layers = nn.ModuleList(
            GraphLayer(dim, config.heads, LINKS, config.expansion, modulated=True) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(dim)
        self.out = nn.Linear(dim, size)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        middles = (torch.arange(frames) + 0.5) / frames
        self.register_buffer("basis", cosine_basis(frames, middles), persistent=False)
        self.register_buffer("mean", torch.zeros(frames, CHANNELS))
        self.register_buffer("std", torch.ones(frames, CHANNELS))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.out.weight.device

    def standardise(self, tracks: Tensor) -> None:
        """Measure mean and deviation of each coefficient on tracks (n, frames, CHANNELS) as `to_track` makes them."""
        coefficients = torch.einsum("mf,nfc->nmc", self.basis, tracks)
        self.mean.copy_(coefficients.mean(0))
        # A floor: what hardly ever varies must not be blown up to unit variance.
        self.std.copy_(coefficients.std(0).clamp(min=0.03))

    def encode(self, tracks: Tensor) -> Tensor:
        """Tracks (B, K, frames, CHANNELS) as `to_track` to standardised coefficients of the same shape."""
        return (torch.einsum("mf,bkfc->bkmc", self.basis, tracks) - self.mean) / self.std

    def decode(self, coefficients: Tensor, frames: int | None = None) -> Tensor:
        """The inverse of `encode`, read off at the middles of `frames` frames; None for the network's own."""
        basis = self.basis
        if frames is not None and frames != self.config.frames:
            times = torch.from_numpy(frame_times(frames)).to(basis)
            basis = cosine_basis(self.config.frames, times.cpu()).to(basis)
        return torch.einsum("mf,bkmc->bkfc", basis, coefficients * self.std + self.mean)

    def forward(
        self, noisy: Tensor, sigma: Tensor, graph_input: PlannerInput, read: tuple[Tensor, Tensor] | None = None
    ) -> Tensor:
        """Denoise: the output in EDM's form (`process.to_clean`, "preconditioned"), of the shape of `noisy`.

        Args:
            noisy: (B, K, frames, CHANNELS) coefficients at noise level sigma, as `process.add_noise` makes them.
            sigma: (B,) in (0, 1].
            read: what `read` gives for the input, where it is known already; it is the same at every noise level.
        """
        angles = sigma[:, None] * torch.exp(torch.linspace(0, math.log(200), 32, device=sigma.device))
        time = self.time(torch.cat([angles.sin(), angles.cos()], -1))[:, None]
        x, links = self.read(graph_input) if read is None else read
        x = x + self.track((noisy * input_scale(sigma)[:, None, None, None]).flatten(2)) + time
        for layer in self.layers:
            x = layer(x, links, graph_input.mask, time)
        return self.out(self.norm(x)).view_as(noisy)

    def read(self, graph_input: PlannerInput) -> tuple[Tensor, Tensor]:
        """All that is said of each instance, (B, K, dim), and of each pair, (B, K, K, LINKS)."""
        meaning = self.label(graph_input.label) + self.direction(graph_input.direction)
        meaning = meaning + self.manner(graph_input.manner) + self.place(graph_input.place)
        meaning = functional.silu(meaning + self.role(graph_input.role))
        happens = (graph_input.role > 0)[..., None]
        happening = meaning * self.when(time_features(graph_input.interval, self.config.frames)) * happens
        x = self.entity(graph_input.entity) + self.count(graph_input.count) + self.happening(happening.sum(2))
        x = x + self.from_left(graph_input.rank[..., 0]) + self.from_right(graph_input.rank[..., 1])
        x = x + self.given(torch.cat([graph_input.values.flatten(2), graph_input.given.to(x)], -1))
        return x, self._links(graph_input)

    def _links(self, graph_input: PlannerInput) -> Tensor:
        """(B, K, K, LINKS)."""
        meaning = self.link(graph_input.link) + self.verb(graph_input.verb) + self.link_kind(graph_input.link_kind)
        says = functional.silu(meaning) * self.link_when(time_features(graph_input.link_interval, self.config.frames))
        forward, backward = (says * (graph_input.link_kind > 0)[..., None]).chunk(2, -1)
        table = spread_links(graph_input.link_ends, forward, backward, graph_input.mask.shape[1])
        return torch.cat([table, graph_input.siblings[..., None]], -1)

    def denoise(
        self, noisy: Tensor, sigma: Tensor, graph_input: PlannerInput, read: tuple[Tensor, Tensor] | None = None
    ) -> Tensor:
        """Clean coefficients that agree with known boxes, and of which nothing covers what it has nothing to do with.

        Arguments as `forward`.
        """
        clean = to_clean(self(noisy, sigma, graph_input, read), noisy, sigma, "preconditioned")
        is_spaced, has_known = float(sigma.max()) <= SPACED_BELOW, bool(graph_input.given.any())
        if not is_spaced and not has_known:
            return clean
        tracks = self.decode(clean)
        kept = keep_apart(tracks, graph_input) if is_spaced else tracks
        if has_known:
            kept = agree(kept, graph_input)
        return clean if kept is tracks else self.encode(kept)

    @torch.no_grad()
    def plan(
        self,
        graph: SceneGraph,
        seed: int = 0,
        known: Layout | None = None,
        steps: int = 8,
        candidates: int = 8,
        frames: int | None = None,
        verifier: Verifier | None = None,
        aspect: float = 1.0,
        rounds: int = 4,
    ) -> tuple[Layout, LayoutReport | None]:
        """Complete tracks of everything that the graph draws, and the verifier's report.

        Args:
            seed: another seed, another layout; the same on every machine up to arithmetic.
            known: boxes that are given (rows that are not NaN); they are kept exactly and the rest is filled in.
            steps: network evaluations, at least 1.
            candidates: layouts that are sampled together if there is a verifier to choose among them.
            frames: frames of the layout; None for as many as `known` has, or else the network's own.
            verifier: judges layouts, as for a square frame; without one, the first is taken.
            aspect: width over height of the frame. The planner thinks in squares: its square stands in the middle of
                the frame, as high or as wide as it.
            rounds: as long as the verifier finds a fault with every candidate, as many more are sampled, at most so
                many times in all. An easy graph takes one round, and few take more than two. Of one candidate nothing
                can be chosen, so there is one round of it.

        Raises UsageError if `known` has another number of frames or a track of something that the graph does not draw.
        """
        if min(candidates, rounds) < 1:
            raise UsageError(f"planner: expected candidates and rounds from 1; found {candidates} and {rounds}")
        if verifier is None or _nothing_to_plan(graph, known):
            candidates = 1
        best: tuple[Layout, LayoutReport | None] | None = None
        for first in range(0, candidates * (rounds if candidates > 1 else 1), candidates):
            found = self.judged(graph, seed, known, steps, candidates, frames, verifier, aspect, first)
            best = max([best, *found] if best is not None else found, key=lambda judged: preference(judged[1]))
            if best[1] is not None and best[1].satisfied:
                break
        assert best is not None
        return best

    def judged(
        self,
        graph: SceneGraph,
        seed: int = 0,
        known: Layout | None = None,
        steps: int = 8,
        candidates: int = 8,
        frames: int | None = None,
        verifier: Verifier | None = None,
        aspect: float = 1.0,
        first: int = 0,
    ) -> list[tuple[Layout, LayoutReport | None]]:
        """What `plan` chooses from in a round, in the order in which they are sampled, each with the verifier's report
        if there is one. Arguments and errors as of `plan`; `first`: number of the first candidate.
        """
        square = None if known is None else known.as_square(aspect)
        return [
            (layout.in_aspect(aspect).with_given(known), None if verifier is None else verifier(graph, layout))
            for layout in self.candidates(graph, seed, square, steps, candidates, frames, first)
        ]

    @torch.no_grad()
    def candidates(
        self,
        graph: SceneGraph,
        seed: int = 0,
        known: Layout | None = None,
        steps: int = 8,
        candidates: int = 8,
        frames: int | None = None,
        first: int = 0,
    ) -> list[Layout]:
        """Layouts of a square frame, from number `first` on; each is the same however many are asked for."""
        if steps < 1 or candidates < 1:
            raise UsageError(f"planner: expected steps and candidates from 1; found {steps} and {candidates}")
        frames = frames or (known.frames if known is not None else self.config.frames)
        if known is not None and known.frames != frames:
            raise UsageError(f"layout: expected {frames} frames, as the video has; found {known.frames}")
        drawn = drawn_entities(graph)
        if not drawn:
            if known is not None:
                check_known(known, {})
            return [Layout(frames, [])] * candidates
        encoder = load_label_encoder(self.config.labels)
        known_boxes = None if known is None else known.resampled(self.config.frames)
        one = read_graph(graph, encoder, known_boxes, self.config.frames).to(self.device)
        about_instances, about_pairs = self.read(one)
        # The same of every candidate, at every step.
        read = about_instances.expand(candidates, -1, -1), about_pairs.expand(candidates, -1, -1, -1)
        graph_input = one.repeat(candidates)
        noise = plan_noise(graph, seed, first + candidates, self.config.frames)[first:].to(self.device)
        clean = sample(lambda noisy, sigma: self.denoise(noisy, sigma, graph_input, read), noise, steps)
        boxes = to_boxes(self.decode(clean, frames).cpu().numpy())  # (candidates, K, frames, CHANNELS)
        names = {node.id: node.label for node in graph.nodes}
        layouts = []
        for planned in boxes:
            tracks = [Track(e, planned[k], i, names[e]) for k, (e, i) in enumerate(drawn)]
            layouts.append(Layout(frames, tracks).with_given(known))
        return layouts


def _nothing_to_plan(graph: SceneGraph, known: Layout | None) -> bool:
    """Whether all candidates would be the same: all boxes are given, or nothing is drawn."""
    tracks = [None if known is None else known.track(*instance) for instance in drawn_entities(graph)]
    return all(track is not None and np.isfinite(track.boxes).all() for track in tracks)


def plan_noise(graph: SceneGraph, seed: int, candidates: int, frames: int) -> Tensor:
    """Noise (candidates, K, frames, CHANNELS) of every instance from its own generator, on the CPU.

    Editing one entity leaves the others' noise as it was; the first candidates are the same however many there are.
    """
    order = {node.id: index for index, node in enumerate(graph.of_type("entity"))}
    noise = [
        np.random.default_rng([seed % (1 << 63), order[entity], instance]).standard_normal(
            (candidates, frames, CHANNELS), dtype=np.float32
        )
        for entity, instance in drawn_entities(graph)
    ]
    return torch.from_numpy(np.stack(noise, 1))
