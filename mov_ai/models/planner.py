"""The planner: from a scene graph to box tracks, sampled for all instances together by rectified flow.

The network sees what concerns geometry only: shapes, sizes, counts, motions with their intervals, spatial relations. It
never sees a colour, a material or a word, so a graph in which "red" becomes "blue" has exactly the same layout.

A track is 16 frames of (x, y, log w, log h, log depth, visibility), written as cosine coefficients over time. Each
coefficient is standardised, so that noise and errors have the spectrum of real tracks: wrong tracks are still smooth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from mov_ai.diffusion.process import input_scale, to_clean
from mov_ai.diffusion.sampling import sample
from mov_ai.errors import UsageError
from mov_ai.graph import BOX_FIELDS, Interval, Layout, SceneGraph, Track
from mov_ai.graph.time import change_time, frame_times
from mov_ai.models.conditioning import MAX_COUNT, SHAPES, SIZES, drawn_entities, said_appearance
from mov_ai.models.layout_rules import LayoutReport, movers, score
from mov_ai.worlds.tabletop import lexicon
from mov_ai.worlds.tabletop.scene import FRAMES

CHANNELS = len(BOX_FIELDS)
#: Index 0 is a motion that the world does not know.
MOTIONS = ("", *lexicon.MOTIONS)
SPATIAL = tuple(lexicon.SPATIAL)
#: Numbers for each motion of an instance: how far it has come in each frame, and how many events say it.
MOTION_WIDTH = FRAMES + 1
SIZE_WIDTH = (len(SIZES) - 1) * FRAMES
#: What an instance's timeline holds: size by frame, then motions.
TIMELINE = SIZE_WIDTH + len(MOTIONS) * MOTION_WIDTH
#: What a link holds: for each spatial relation, whether it is said and when it starts; then "of one entity".
LINKS = 2 * len(SPATIAL) + 1
#: Rough centre and spread of (x, y, log w, log h, log depth, visibility as -1 or 1) on the world's tracks.
CENTRE, SPREAD = (0.5, 0.55, -1.5, -1.4, 1.9, 0.0), (0.2, 0.15, 0.3, 0.3, 0.2, 1.0)
_LIMITS = ((-2.0, 3.0), (-2.0, 3.0), (0.004, 4.0), (0.004, 4.0), (0.05, 100.0), (0.0, 1.0))


@dataclass(frozen=True)
class PlannerConfig:
    """Sizes of the planner: width, layers, heads, width of the hidden layer in units of `dim`."""

    dim: int = 128
    layers: int = 6
    heads: int = 4
    expansion: int = 3


@dataclass
class PlannerInput:
    """What the planner sees of B graphs with K instances.

    Attributes:
        shape: (B, K) index into `conditioning.SHAPES`.
        count: (B, K) of the instance's entity, at most `MAX_COUNT`.
        timeline: (B, K, TIMELINE) float.
        links: (B, K, K, LINKS) float; the row's instance is "left of" the column's.
        values: (B, K, FRAMES, CHANNELS) float, given boxes as `to_track`; 0 where not given.
        given: (B, K, FRAMES) bool.
        mask: (B, K) bool, whether there is such an instance.
    """

    shape: Tensor
    count: Tensor
    timeline: Tensor
    links: Tensor
    values: Tensor
    given: Tensor
    mask: Tensor

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def to(self, device: torch.device | str) -> PlannerInput:
        """The same on another device."""
        return PlannerInput(**{name: tensor.to(device) for name, tensor in self.tensors().items()})

    def repeat(self, times: int) -> PlannerInput:
        """The batch `times` over."""
        return PlannerInput(**{n: t.repeat(times, *[1] * (t.ndim - 1)) for n, t in self.tensors().items()})


# -- from a graph to numbers -------------------------------------------------------------------------------------------


def motion_profile(motion: str, interval: Interval) -> np.ndarray:
    """How far a motion has come in each frame, as the world runs it: (FRAMES,) in [0, 1]."""
    time = frame_times(FRAMES)
    u = np.clip((time - interval[0]) / (interval[1] - interval[0]), 0.0, 1.0)
    match motion:
        case "jump":
            return 4 * u * (1 - u)
        case "fall":
            return u**2
        case "turn" | "vanish" | "appear":
            return (time >= change_time(interval)).astype(float)
    return u


def motion_columns(motion: str) -> slice:
    """Where a motion stands in a timeline."""
    start = SIZE_WIDTH + MOTIONS.index(motion) * MOTION_WIDTH
    return slice(start, start + MOTION_WIDTH)


def _timelines(graph: SceneGraph) -> dict[str, np.ndarray]:
    """Entity id -> (TIMELINE,): events speak to the entities they move, attributes to their owners."""
    lines = {node.id: np.zeros(TIMELINE, dtype=np.float32) for node in graph.of_type("entity")}
    time = frame_times(FRAMES)
    for entity, line in lines.items():
        for value, (start, end) in said_appearance(graph, entity).get("size", []):
            block = line[(SIZES.index(value) - 1) * FRAMES :][:FRAMES]
            block[(time >= start) & (time <= end)] = 1
    for event in graph.of_type("event"):
        motion = lexicon.motion_of(event.label, event.direction) or ""
        for entity in [] if event.negated else movers(graph, event):
            columns = lines[entity][motion_columns(motion)]
            columns[:FRAMES] += motion_profile(motion, event.interval)
            columns[FRAMES] += 1
    return lines


def read_graph(graph: SceneGraph, known: Layout | None = None) -> PlannerInput:
    """What the planner sees of one graph: a batch of one, instances in the order of `drawn_entities`.

    Args:
        graph: a valid scene graph that draws at least one entity.
        known: tracks with boxes that are given, rows of NaN where not.

    Raises:
        UsageError: if `known` has a track of something that the graph does not draw, or another number of frames.
    """
    drawn = drawn_entities(graph)
    place = {key: k for k, key in enumerate(drawn)}
    count = len(drawn)
    lines = _timelines(graph)
    links = np.zeros((count, count, LINKS), dtype=np.float32)
    for i, (entity, _) in enumerate(drawn):
        for j, (other, _) in enumerate(drawn):
            links[i, j, -1] = float(entity == other and i != j)
    members: dict[str, list[int]] = {}
    for k, (entity, _) in enumerate(drawn):
        members.setdefault(entity, []).append(k)
    for edge in graph.edges:
        label = lexicon.concept("spatial", edge.label) if edge.type == "spatial" else None
        if label is not None and edge.source != edge.target:
            for i in members.get(edge.source, []):
                for j in members.get(edge.target, []):
                    set_relation(links, i, j, label, edge.interval[0])
    values = np.zeros((count, FRAMES, CHANNELS), dtype=np.float32)
    given = np.zeros((count, FRAMES), dtype=bool)
    if known is not None:
        _check_known(graph, known, place)
        for track in known.tracks:
            k = place[track.entity, track.instance]
            given[k] = np.isfinite(track.boxes).all(-1)
            values[k, given[k]] = to_track(track.boxes[given[k]])
    shapes = [SHAPES.index(lexicon.concept("shape", graph.node(entity).label) or "") for entity, _ in drawn]
    counts = [min(graph.node(entity).count, MAX_COUNT) for entity, _ in drawn]
    return PlannerInput(
        shape=torch.tensor([shapes]),
        count=torch.tensor([counts]),
        timeline=torch.from_numpy(np.stack([lines[entity] for entity, _ in drawn]))[None],
        links=torch.from_numpy(links)[None],
        values=torch.from_numpy(values)[None],
        given=torch.from_numpy(given)[None],
        mask=torch.ones(1, count, dtype=torch.bool),
    )


def set_relation(links: np.ndarray, i: int, j: int, label: str, start: float) -> None:
    """Say in `links` (K, K, LINKS), in both directions, that instance i is `label` instance j from `start` on."""
    for row, column, name in ((i, j, label), (j, i, lexicon.INVERSE_SPATIAL[label])):
        at = 2 * SPATIAL.index(name)
        links[row, column, at : at + 2] = (1.0, start)


def _check_known(graph: SceneGraph, known: Layout, place: dict[tuple[str, int], int]) -> None:
    if known.frames != FRAMES:
        raise UsageError(
            f"layout: frames: the planner makes {FRAMES}; found {known.frames}; give {FRAMES} boxes a track"
        )
    for track in known.tracks:
        if (track.entity, track.instance) not in place:
            wanted = ", ".join(f"{entity}#{instance}" for entity, instance in place) or "none"
            raise UsageError(
                f"layout: track of entity {track.entity!r}, instance {track.instance}: the graph draws no such thing; "
                f"it draws {wanted}"
            )


def to_track(boxes: np.ndarray) -> np.ndarray:
    """Boxes (..., CHANNELS) as `BOX_FIELDS` to about unit range: logarithms of sizes and depth, visibility -1 or 1."""
    track = np.array(boxes, dtype=np.float32)
    track[..., 2:5] = np.log(np.maximum(track[..., 2:5], [low for low, _ in _LIMITS[2:5]]))
    track[..., 5] = np.where(track[..., 5] > 0.5, 1.0, -1.0)
    return ((track - np.array(CENTRE)) / np.array(SPREAD)).astype(np.float32)


def to_boxes(track: np.ndarray) -> np.ndarray:
    """The inverse of `to_track`; visibility is the share of the box within the frame, or 0 where it is absent."""
    boxes = np.asarray(track, dtype=np.float64) * np.array(SPREAD) + np.array(CENTRE)
    boxes[..., 2:5] = np.exp(np.minimum(boxes[..., 2:5], 5.0))
    for channel, (low, high) in enumerate(_LIMITS[:5]):
        boxes[..., channel] = boxes[..., channel].clip(low, high)
    near, far = boxes[..., :2] - boxes[..., 2:4] / 2, boxes[..., :2] + boxes[..., 2:4] / 2
    inside = np.clip(np.clip(far, 0, 1) - np.clip(near, 0, 1), 0, None).prod(-1) / boxes[..., 2:4].prod(-1)
    boxes[..., 5] = np.where(boxes[..., 5] > 0, inside.clip(0, 1), 0.0)
    return boxes.astype(np.float32)


# -- the network -------------------------------------------------------------------------------------------------------


def cosine_basis(frames: int = FRAMES) -> Tensor:
    """The orthonormal cosine transform (DCT-II), (coefficients, frames)."""
    place = (torch.arange(frames) + 0.5) * math.pi / frames
    basis = torch.cos(torch.arange(frames)[:, None] * place) * (2 / frames) ** 0.5
    basis[0] /= 2**0.5
    return basis


class _Layer(nn.Module):
    """Attention among instances with what links them in its logits and its messages, then a perceptron."""

    def __init__(self, config: PlannerConfig) -> None:
        super().__init__()
        dim, self.heads = config.dim, config.heads
        self.norm_attention, self.norm_hidden = (nn.LayerNorm(dim, elementwise_affine=False) for _ in range(2))
        self.modulate = nn.Linear(dim, 4 * dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.link_bias = nn.Linear(LINKS, config.heads, bias=False)
        self.link_message = nn.Parameter(torch.zeros(config.heads, LINKS, dim // config.heads))
        self.out = nn.Linear(dim, dim)
        self.hidden = nn.Sequential(
            nn.Linear(dim, config.expansion * dim), nn.GELU(), nn.Linear(config.expansion * dim, dim)
        )
        for last in (self.out, self.hidden[-1], self.modulate):
            assert isinstance(last, nn.Linear)
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, x: Tensor, time: Tensor, links: Tensor, hidden: Tensor) -> Tensor:
        """x: (B, K, dim); time: (B, 1, dim); links: (B, K, K, LINKS); hidden: (B, 1, 1, K), -inf where no instance."""
        batch, count, dim = x.shape
        scale, shift, scale_hidden, shift_hidden = self.modulate(time).chunk(4, -1)
        y = self.norm_attention(x) * (1 + scale) + shift
        q, k, v = self.qkv(y).view(batch, count, 3, self.heads, -1).permute(2, 0, 3, 1, 4)  # (B, heads, K, dim/heads)
        logits = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5 + self.link_bias(links).permute(0, 3, 1, 2) + hidden
        weight = logits.softmax(-1)
        # A relation is a message of its own: "left of that" must move the receiver, whatever the sender is. It comes
        # as a sum over links, not as an average, so that other instances do not thin it out.
        told = (links * (hidden[:, 0, 0, None, :, None] == 0)).sum(2)  # (B, K, LINKS)
        message = weight @ v + torch.einsum("bhij,bijl,hld->bhid", weight, links, self.link_message)
        message = message + 0.5 * torch.einsum("bil,hld->bhid", told, self.link_message)
        x = x + self.out(message.transpose(1, 2).reshape(batch, count, dim))
        return x + self.hidden(self.norm_hidden(x) * (1 + scale_hidden) + shift_hidden)


class LayoutPlanner(nn.Module):
    """A graph network over entity instances that denoises their box tracks together."""

    basis: Tensor
    mean: Tensor
    std: Tensor

    def __init__(self, config: PlannerConfig) -> None:
        super().__init__()
        self.config = config
        dim, size = config.dim, FRAMES * CHANNELS
        self.shape = nn.Embedding(len(SHAPES), dim)
        self.count = nn.Embedding(MAX_COUNT + 1, dim)
        self.timeline = nn.Linear(TIMELINE, dim)
        self.given = nn.Linear(size + FRAMES, dim)
        self.track = nn.Linear(size, dim)
        self.time = nn.Sequential(nn.Linear(64, dim), nn.SiLU(), nn.Linear(dim, dim), nn.SiLU())
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(dim)
        self.out = nn.Linear(dim, size)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.register_buffer("basis", cosine_basis(), persistent=False)
        self.register_buffer("mean", torch.zeros(FRAMES, CHANNELS))
        self.register_buffer("std", torch.ones(FRAMES, CHANNELS))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.out.weight.device

    def standardise(self, tracks: Tensor) -> None:
        """Measure mean and deviation of each coefficient on tracks (n, FRAMES, CHANNELS) as `to_track` makes them."""
        coefficients = torch.einsum("mf,nfc->nmc", self.basis, tracks)
        self.mean.copy_(coefficients.mean(0))
        # A floor: what hardly ever varies must not be blown up to unit variance.
        self.std.copy_(coefficients.std(0).clamp(min=0.03))

    def encode(self, tracks: Tensor) -> Tensor:
        """Tracks (B, K, FRAMES, CHANNELS) as `to_track` to standardised coefficients of the same shape."""
        return (torch.einsum("mf,bkfc->bkmc", self.basis, tracks) - self.mean) / self.std

    def decode(self, coefficients: Tensor) -> Tensor:
        """The inverse of `encode`."""
        return torch.einsum("mf,bkmc->bkfc", self.basis, coefficients * self.std + self.mean)

    def forward(self, noisy: Tensor, sigma: Tensor, given: PlannerInput) -> Tensor:
        """Denoise.

        Args:
            noisy: (B, K, FRAMES, CHANNELS) coefficients at noise level sigma, as `process.add_noise` makes them.
            sigma: (B,) in (0, 1].
            given: the batch's graphs and known boxes.

        Returns:
            The network's output in EDM's form (`process.to_clean`, "preconditioned"), of the shape of `noisy`.
        """
        angles = sigma[:, None] * torch.exp(torch.linspace(0, math.log(200), 32, device=sigma.device))
        time = self.time(torch.cat([angles.sin(), angles.cos()], -1))[:, None]
        x = self.shape(given.shape) + self.count(given.count) + self.timeline(given.timeline)
        x = x + self.given(torch.cat([given.values.flatten(2), given.given.to(x)], -1))
        x = x + self.track((noisy * input_scale(sigma)[:, None, None, None]).flatten(2)) + time
        hidden = torch.zeros(given.mask.shape, device=x.device).masked_fill(~given.mask, -1e4)[:, None, None, :]
        for layer in self.layers:
            x = layer(x, time, given.links, hidden)
        return self.out(self.norm(x)).view_as(noisy)

    def denoise(self, noisy: Tensor, sigma: Tensor, given: PlannerInput) -> Tensor:
        """Clean coefficients that agree with the known boxes; arguments as `forward`."""
        clean = to_clean(self(noisy, sigma, given), noisy, sigma, "preconditioned")
        if not given.given.any():
            return clean
        return self.encode(agree(self.decode(clean), given))

    @torch.no_grad()
    def plan(
        self,
        graph: SceneGraph,
        seed: int = 0,
        known: Layout | None = None,
        steps: int = 8,
        candidates: int = 8,
    ) -> Layout:
        """Sample a layout of `FRAMES` frames for a graph.

        Args:
            graph: a valid scene graph.
            seed: another seed, another layout; the same on every machine up to arithmetic.
            known: boxes that are given (rows that are not NaN); they are kept exactly and the rest is filled in.
            steps: network evaluations, at least 1.
            candidates: layouts that are sampled together; the one that `layout_rules.score` likes best is returned.

        Returns:
            Complete tracks of everything that the graph draws; no track if it draws nothing.

        Raises:
            UsageError: if `known` has another number of frames or a track of something that the graph does not draw,
                or if steps or candidates are below 1.
        """
        return self.plan_checked(graph, seed, known, steps, candidates)[0]

    @torch.no_grad()
    def plan_checked(
        self,
        graph: SceneGraph,
        seed: int = 0,
        known: Layout | None = None,
        steps: int = 8,
        candidates: int = 8,
    ) -> tuple[Layout, LayoutReport]:
        """As `plan`, with the report of the layout that was chosen."""
        made = self.candidates(graph, seed, known, steps, candidates)
        return max(made, key=lambda pair: pair[1].value)

    @torch.no_grad()
    def candidates(
        self,
        graph: SceneGraph,
        seed: int = 0,
        known: Layout | None = None,
        steps: int = 8,
        candidates: int = 8,
    ) -> list[tuple[Layout, LayoutReport]]:
        """All that `plan` chooses from; the first ones are the same however many are asked for."""
        if steps < 1 or candidates < 1:
            raise UsageError(f"planner: expected steps and candidates from 1; found {steps} and {candidates}")
        drawn = drawn_entities(graph)
        if not drawn:
            if known is not None:
                _check_known(graph, known, {})
            layout = Layout(FRAMES, [])
            return [(layout, score(graph, layout))] * candidates
        given = read_graph(graph, known).to(self.device).repeat(candidates)
        noise = plan_noise(graph, seed, candidates).to(self.device)
        clean = sample(lambda noisy, sigma: self.denoise(noisy, sigma, given), noise, steps)
        boxes = to_boxes(self.decode(clean).cpu().numpy())  # (candidates, K, FRAMES, CHANNELS)
        names = {node.id: node.label for node in graph.nodes}
        layouts = []
        for made in boxes:
            tracks = [Track(e, made[k], i, names[e]) for k, (e, i) in enumerate(drawn)]
            layouts.append(Layout(FRAMES, [_with_known(track, known) for track in tracks]))
        return [(layout, score(graph, layout)) for layout in layouts]


def agree(tracks: Tensor, given: PlannerInput) -> Tensor:
    """Put known boxes into tracks and bend the frames between them, so that nothing jumps.

    Args:
        tracks: (B, K, FRAMES, CHANNELS).
        given: known values where `given.given`.

    Returns:
        Tracks that equal the known values where given. Elsewhere the error at the nearest known frames before and
        after, interpolated over time, is taken off; visibility is left as it is.
    """
    known = given.given  # (B, K, F)
    error = (given.values - tracks) * known[..., None]
    time = torch.arange(known.shape[-1], device=known.device).expand(known.shape)
    before = torch.where(known, time, -1).cummax(-1).values
    after = torch.where(known, time, known.shape[-1]).flip(-1).cummin(-1).values.flip(-1)
    left, right = before >= 0, after < known.shape[-1]
    share = ((time - before) / (after - before).clamp(min=1)).clamp(0, 1)
    # Before the first and after the last known frame, its error holds on.
    share = torch.where(left & right, share, torch.where(right, 1.0, 0.0))[..., None]

    def at(frame: Tensor) -> Tensor:
        place = frame.clamp(0, known.shape[-1] - 1)[..., None].expand_as(error)
        return error.gather(2, place)

    correction = (1 - share) * at(before) * left[..., None] + share * at(after) * right[..., None]
    geometry = torch.arange(CHANNELS, device=known.device) < CHANNELS - 1
    return tracks + torch.where(geometry, correction, error)


def plan_noise(graph: SceneGraph, seed: int, candidates: int) -> Tensor:
    """Noise of every instance from its own generator: editing one entity leaves the others' noise as it was.

    Returns:
        (candidates, K, FRAMES, CHANNELS) float32 on the CPU; the first candidates are the same however many there are.
    """
    order = {node.id: index for index, node in enumerate(graph.of_type("entity"))}
    noise = [
        np.random.default_rng([seed % (1 << 63), order[entity], instance]).standard_normal(
            (candidates, FRAMES, CHANNELS), dtype=np.float32
        )
        for entity, instance in drawn_entities(graph)
    ]
    return torch.from_numpy(np.stack(noise, 1))


def _with_known(track: Track, known: Layout | None) -> Track:
    """The track with known boxes put in exactly as they were given."""
    given = known.track(track.entity, track.instance) if known is not None else None
    if given is None:
        return track
    rows = np.isfinite(given.boxes).all(-1, keepdims=True)
    return Track(track.entity, np.where(rows, given.boxes, track.boxes), track.instance, given.label or track.label)


def pad_inputs(items: list[PlannerInput], count: int) -> PlannerInput:
    """Join batches, padding each to `count` instances that are masked out."""
    joined: dict[str, list[Tensor]] = {}
    for item in items:
        more = count - item.mask.shape[1]
        for name, tensor in item.tensors().items():
            pads = [0, 0] * (tensor.ndim - 2) + [0, more]
            if name == "links":
                pads = [0, 0, 0, more, 0, more]
            joined.setdefault(name, []).append(functional.pad(tensor, pads))
    return PlannerInput(**{name: torch.cat(tensors) for name, tensors in joined.items()})
