"""From a scene graph, a layout and a caption to what the denoiser is conditioned on."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn import functional

from mov_ai.errors import UsageError
from mov_ai.graph import ATTRIBUTE_KINDS, EDGE_TYPES, NODE_TYPES, Layout, Node, SceneGraph, Track
from mov_ai.graph.instances import MAX_COUNT, MAX_INSTANCES, drawn_entities  # noqa: F401
from mov_ai.models.attention import attend
from mov_ai.worlds.tabletop import lexicon

#: Index 0 is "unknown" or "none" everywhere.
SHAPES = ("", *lexicon.SHAPES)
COLORS = ("", *lexicon.COLORS)
SIZES = ("", *lexicon.SIZES)
MATERIALS = ("", *lexicon.MATERIALS)
SETTINGS = ("", *lexicon.SETTINGS)
LIGHTS = ("", *lexicon.LIGHTS)
MOTIONS = ("", *lexicon.MOTIONS)
CONCEPTS = ("", *SHAPES[1:], *COLORS[1:], *SIZES[1:], *MATERIALS[1:], *(f"motion:{m}" for m in lexicon.MOTIONS))
DIRECTIONS = ("", *lexicon.DIRECTION_MOTIONS)
NODE_KINDS = ("", *ATTRIBUTE_KINDS)
#: Each edge type in both directions.
EDGES = ("", *EDGE_TYPES, *(f"{name}^" for name in EDGE_TYPES))
MAX_WORDS = 64
WORD_BUCKETS = 2048
_WORD = re.compile(r"[^\W_]+(?:'\w+)?|[^\w\s]", re.UNICODE)


def word_bucket(word: str) -> int:
    """A stable bucket in 1 ... WORD_BUCKETS - 1 for any word; 0 is padding."""
    return 1 + zlib.crc32(word.lower().encode("utf-8")) % (WORD_BUCKETS - 1)


@dataclass(frozen=True)
class Appearance:
    """How one entity looks where the graph leaves it open; canonical names of the lexicon."""

    shape: str
    color: str
    material: str


@dataclass
class Conditioning:
    """A batch of B conditions: N graph nodes, L words, K entity instances, F frames. All integers are int64.

    Attributes:
        node_type, node_concept, node_word, node_kind, node_direction, node_count, node_negated: (B, N).
        node_interval: (B, N, 2) float, when the node holds.
        node_mask: (B, N) bool.
        edges: (B, N, N), index into `EDGES` of the link from row to column.
        words: (B, L) buckets, 0 where there is none.
        boxes: (B, K, F, 6) float, as `mov_ai.graph.BOX_FIELDS`; visibility 0 where there is no instance.
        shape: (B, K). color, material: (B, K, F), changing with the attributes' intervals.
        setting, light: (B,).
        keep_text, keep_graph, keep_layout: (B,) bool; what was not dropped.
        text_features: (B, T, width) float from `PretrainedText`, rows of zeros where there is no token; None for
            networks that embed `words` themselves.
    """

    node_type: Tensor
    node_concept: Tensor
    node_word: Tensor
    node_kind: Tensor
    node_direction: Tensor
    node_count: Tensor
    node_negated: Tensor
    node_interval: Tensor
    node_mask: Tensor
    edges: Tensor
    words: Tensor
    boxes: Tensor
    shape: Tensor
    color: Tensor
    material: Tensor
    setting: Tensor
    light: Tensor
    keep_text: Tensor
    keep_graph: Tensor
    keep_layout: Tensor
    text_features: Tensor | None = None

    def __len__(self) -> int:
        return self.setting.shape[0]

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor that there is, by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) is not None}

    def to(self, device: torch.device | str) -> Conditioning:
        """The same on another device."""
        return Conditioning(**{name: tensor.to(device) for name, tensor in self.tensors().items()})

    def drop(self, text: Tensor, graph: Tensor, layout: Tensor) -> Conditioning:
        """Without the text, the graph (layout included) or the layout of the samples marked True; each (B,) bool."""
        return replace(
            self,
            keep_text=self.keep_text & ~text,
            keep_graph=self.keep_graph & ~graph,
            keep_layout=self.keep_layout & ~layout & ~graph,
        )

    def without(self, *, text: bool = False, graph: bool = False) -> Conditioning:
        """A copy with the text or the graph of every sample dropped, for guidance."""
        whole = torch.ones_like(self.keep_text)
        return self.drop(whole & text, whole & graph, whole & graph)


def collate(items: list[Conditioning]) -> Conditioning:
    """Join batches, padding nodes, words and instances with what means "none"."""
    width = max((item.text_features.shape[-1] for item in items if item.text_features is not None), default=None)
    if width is not None:
        items = [
            item
            if item.text_features is not None
            else replace(item, text_features=torch.zeros(len(item), 0, width, device=item.setting.device))
            for item in items
        ]
    joined = {}
    for name in items[0].tensors():
        tensors = [getattr(item, name) for item in items]
        target = [max(t.shape[d] for t in tensors) for d in range(1, tensors[0].ndim)]
        padded = []
        for tensor in tensors:
            pads: list[int] = []
            for d in range(tensor.ndim - 1, 0, -1):
                pads += [0, target[d - 1] - tensor.shape[d]]
            padded.append(functional.pad(tensor, pads))
        joined[name] = torch.cat(padded)
    return Conditioning(**joined)


def node_concept(node: Node) -> str:
    """The concept of a node in `CONCEPTS`, or "" if the world does not know it."""
    if node.type == "entity":
        return lexicon.concept("shape", node.label) or ""
    if node.type == "attribute":
        found = lexicon.attribute_concept(node.label)
        return found[1] if found else ""
    if node.type == "event":
        motion = lexicon.motion_of(node.label, node.direction)
        return f"motion:{motion}" if motion else ""
    return ""


def said_appearance(graph: SceneGraph, entity_id: str) -> dict[str, list[tuple[str, tuple[float, float]]]]:
    """What the graph says of an entity: kind -> [(canonical value, interval)], in order of time."""
    said: dict[str, list[tuple[str, tuple[float, float]]]] = {}
    for node, edge in graph.attributes(entity_id):
        found = None if node.negated else lexicon.attribute_concept(node.label)
        if found:
            said.setdefault(found[0], []).append((found[1], edge.interval))
    for values in said.values():
        values.sort(key=lambda value: value[1])
    return said


def complete_appearance(graph: SceneGraph, seed: int) -> dict[str, Appearance]:
    """Choose what the graph leaves open, so that the choice can be read: colours not yet in use, matte, a shape.

    Each entity draws from its own generator, so that editing one entity leaves the others as they were.

    Args:
        graph: the scene graph.
        seed: the run's seed.

    Returns:
        Entity id -> appearance at the start of the clip.
    """
    used = {value for n in graph.of_type("entity") for value, _ in said_appearance(graph, n.id).get("color", [])}
    chosen = {}
    for index, node in enumerate(graph.of_type("entity")):
        rng = np.random.default_rng([seed, index])
        said = said_appearance(graph, node.id)
        shapes, colors = list(lexicon.SHAPES), list(lexicon.COLORS)
        shape_draw, first = int(rng.integers(len(shapes))), int(rng.integers(len(colors)))
        # The first unused colour from a drawn place on: a colour said elsewhere moves this choice only if they meet.
        ring = colors[first:] + colors[:first]
        color = said["color"][0][0] if said.get("color") else next((c for c in ring if c not in used), ring[0])
        used.add(color)
        chosen[node.id] = Appearance(
            lexicon.concept("shape", node.label) or shapes[shape_draw],
            color,
            said["material"][0][0] if said.get("material") else "matte",
        )
    return chosen


def _timeline(
    values: list[tuple[str, tuple[float, float]]], start: str, names: tuple[str, ...], frames: int
) -> np.ndarray:
    """The value in each frame: the latest one that has begun and not ended, else the last before, else `start`."""
    result = np.full(frames, names.index(start), dtype=np.int64)
    for frame in range(frames):
        time = (frame + 0.5) / frames
        begun = [value for value, interval in values if interval[0] <= time]
        holding = [value for value, interval in values if interval[0] <= time < interval[1]]
        if holding or begun:
            result[frame] = names.index((holding or begun)[-1])
    return result


def _known(names: tuple[str, ...], kind: str, words: str | None) -> int:
    """Index of the first known word in a free text; 0 if none is known."""
    for word in (words or "").lower().split():
        name = lexicon.concept(kind, word)
        if name:
            return names.index(name)
    return 0


def condition(
    graph: SceneGraph,
    layout: Layout | None,
    appearance: dict[str, Appearance],
    frames: int = 16,
) -> Conditioning:
    """What the denoiser sees of one graph: computable from graph and layout alone (the text is the graph's caption).

    Args:
        graph: a valid scene graph.
        layout: complete box tracks, or None to leave the layout out.
        appearance: `complete_appearance(graph, seed)`.
        frames: frames of the video; the layout must have as many.

    Returns:
        A batch of one.

    Raises:
        ValueError: if the layout has another number of frames.
    """
    if layout is not None and layout.frames != frames:
        raise ValueError(f"layout: expected {frames} frames, found {layout.frames}")
    index = {node.id: i for i, node in enumerate(graph.nodes)}
    intervals = []
    for node in graph.nodes:
        held = [e.interval for e in graph.edges_to(node.id, "has_attribute")] if node.type == "attribute" else []
        intervals.append(held[0] if held else node.interval)
    edges = torch.zeros(len(graph.nodes), len(graph.nodes), dtype=torch.long)
    for edge in graph.edges:
        edges[index[edge.source], index[edge.target]] = EDGES.index(edge.type)
        edges[index[edge.target], index[edge.source]] = EDGES.index(f"{edge.type}^")
    words = [word_bucket(word) for word in _WORD.findall(graph.caption)][:MAX_WORDS]
    scene = graph.of_type("scene")[0]
    drawn = drawn_entities(graph)
    boxes = torch.zeros(max(1, len(drawn)), frames, 6)
    shape = torch.zeros(max(1, len(drawn)), dtype=torch.long)
    color = torch.zeros(max(1, len(drawn)), frames, dtype=torch.long)
    material = torch.zeros(max(1, len(drawn)), frames, dtype=torch.long)
    for k, (entity, instance) in enumerate(drawn):
        look, said = appearance[entity], said_appearance(graph, entity)
        shape[k] = SHAPES.index(look.shape)
        color[k] = torch.from_numpy(_timeline(said.get("color", []), look.color, COLORS, frames))
        material[k] = torch.from_numpy(_timeline(said.get("material", []), look.material, MATERIALS, frames))
        track = layout.track(entity, instance) if layout is not None else None
        if track is not None:
            boxes[k] = torch.from_numpy(np.nan_to_num(track.boxes))

    def column(values: list[int]) -> Tensor:
        return torch.tensor([values], dtype=torch.long)

    nodes = graph.nodes
    yes = torch.ones(1, dtype=torch.bool)
    return Conditioning(
        node_type=column([NODE_TYPES.index(n.type) for n in nodes]),
        node_concept=column([CONCEPTS.index(node_concept(n)) for n in nodes]),
        node_word=column([word_bucket(n.label) for n in nodes]),
        node_kind=column([NODE_KINDS.index(n.kind) if n.type == "attribute" else 0 for n in nodes]),
        node_direction=column([DIRECTIONS.index(n.direction) if n.direction in DIRECTIONS else 0 for n in nodes]),
        node_count=column([min(n.count, MAX_COUNT) for n in nodes]),
        node_negated=column([int(n.negated) for n in nodes]),
        node_interval=torch.tensor([intervals], dtype=torch.float32),
        node_mask=torch.ones(1, len(nodes), dtype=torch.bool),
        edges=edges[None],
        words=torch.tensor([words or [0]], dtype=torch.long),
        boxes=boxes[None].float(),
        shape=shape[None],
        color=color[None],
        material=material[None],
        setting=torch.tensor([_known(SETTINGS, "setting", scene.setting) or SETTINGS.index("floor")]),
        light=torch.tensor([_known(LIGHTS, "light", scene.light) or LIGHTS.index("left")]),
        keep_text=yes.clone(),
        keep_graph=yes.clone(),
        keep_layout=yes.clone() if layout is not None else ~yes,
    )


def ignored_words(graph: SceneGraph) -> list[str]:
    """Labels that the embedded world does not know, and so cannot show, in graph order without repeats."""
    unknown = []
    for node in graph.nodes:
        if node.type != "scene" and not node_concept(node):
            unknown.append(node.label)
        elif node.type == "scene":
            for kind, text in (("setting", node.setting), ("light", node.light)):
                if text and not any(lexicon.concept(kind, word) for word in text.lower().split()):
                    unknown.append(text)
            unknown += [text for text in (node.camera, node.style) if text]
    return list(dict.fromkeys(unknown))


# -- networks ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GraphEncoderConfig:
    """Sizes of the graph encoder: width, layers, heads."""

    dim: int = 192
    layers: int = 2
    heads: int = 4


class GraphEncoder(nn.Module):
    """Nodes look at one another along the edges: attention among nodes with a learned bias for each edge type."""

    def __init__(self, config: GraphEncoderConfig) -> None:
        super().__init__()
        self.config = config
        dim = config.dim
        self.node_type = nn.Embedding(len(NODE_TYPES), dim)
        self.concept = nn.Embedding(len(CONCEPTS), dim)
        self.word = nn.Embedding(WORD_BUCKETS, dim // 4)
        self.from_word = nn.Linear(dim // 4, dim)
        self.kind = nn.Embedding(len(NODE_KINDS), dim)
        self.direction = nn.Embedding(len(DIRECTIONS), dim)
        self.count = nn.Embedding(MAX_COUNT + 1, dim)
        self.negated = nn.Embedding(2, dim)
        self.interval = nn.Linear(2, dim)
        self.edge = nn.ModuleList(nn.Embedding(len(EDGES), config.heads) for _ in range(config.layers))
        self.norm = nn.ModuleList(nn.LayerNorm(dim) for _ in range(config.layers))
        self.qkv = nn.ModuleList(nn.Linear(dim, 3 * dim) for _ in range(config.layers))
        self.out = nn.ModuleList(nn.Linear(dim, dim) for _ in range(config.layers))
        self.mlp = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))
            for _ in range(config.layers)
        )

    def forward(self, c: Conditioning) -> Tensor:
        """Node tokens, (B, N, dim)."""
        # Unknown concepts fall back on the word itself; known ones do not need it: so colours and shapes stay apart.
        unknown = (c.node_concept == 0)[..., None]
        x = (
            self.node_type(c.node_type)
            + self.concept(c.node_concept)
            + unknown * self.from_word(self.word(c.node_word))
        )
        x = x + self.kind(c.node_kind) + self.direction(c.node_direction) + self.count(c.node_count)
        x = x + self.negated(c.node_negated) + self.interval(c.node_interval)
        hidden = torch.zeros(c.node_mask.shape, device=x.device).masked_fill(~c.node_mask, -1e4)[:, None, None, :]
        batch, nodes, dim = x.shape
        for edge, norm, qkv, out, mlp in zip(self.edge, self.norm, self.qkv, self.out, self.mlp, strict=True):
            split = qkv(norm(x)).view(batch, nodes, 3, self.config.heads, -1).permute(2, 0, 3, 1, 4)
            bias = edge(c.edges).permute(0, 3, 1, 2) + hidden
            mixed = attend(split[0], split[1], split[2], bias, "sdpa")
            x = x + out(mixed.transpose(1, 2).reshape(batch, nodes, dim))
            x = x + mlp(x)
        return x


class TextEmbedding(nn.Module):
    """The small preset's text encoder: hashed words with their positions, trained with the denoiser.

    Larger presets use a `transformers` encoder instead (`PretrainedText`, `TextProjection`).
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.word = nn.Embedding(WORD_BUCKETS, dim // 2)
        self.project = nn.Linear(dim // 2, dim)
        self.position = nn.Embedding(MAX_WORDS, dim)

    def forward(self, words: Tensor) -> Tensor:
        """words: (B, L) buckets. Returns (B, L, dim)."""
        place = torch.arange(words.shape[1], device=words.device)
        return self.project(self.word(words)) + self.position(place)


class PretrainedText:
    """A frozen text encoder of `transformers` (T5, CLIP, BERT, ...): what the larger presets read captions with.

    Its weights belong to no network of ours: they are neither trained, nor counted, nor stored with the denoiser, which
    learns a projection of the features (`TextProjection`).

    Args:
        name: a folder that `save_pretrained` has written, or a name on the hub.
        device: where the encoder runs.

    Raises:
        UsageError: if model or tokenizer cannot be loaded; pickled weights never are.
    """

    def __init__(self, name: str, device: torch.device | str = "cpu") -> None:
        from transformers import AutoModel, AutoTokenizer

        try:
            self.tokenizer = AutoTokenizer.from_pretrained(name)
            model = AutoModel.from_pretrained(name, use_safetensors=True)
        except (OSError, ValueError, ImportError, KeyError, SafetensorError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise UsageError(
                f"text_encoder: {name}: cannot be loaded ({reason}); give a folder with config.json, safetensors "
                "weights and a tokenizer, a name on the hub while online, or null"
            ) from None
        if model.config.is_encoder_decoder:
            model = model.get_encoder()
        elif hasattr(model, "vision_model"):
            model = model.text_model
        self.name = name
        self.encoder = model.to(device).eval().requires_grad_(False)
        self.device = torch.device(device)

    @property
    def width(self) -> int:
        """Channels of a feature."""
        return int(self.encoder.config.hidden_size)

    @torch.no_grad()
    def __call__(self, captions: list[str]) -> Tensor:
        """Encode captions.

        Args:
            captions: B texts; of each, the first `MAX_WORDS` tokens count.

        Returns:
            (B, T, width) float32 for T tokens of the longest caption; rows of zeros where there is no token.
        """
        batch = self.tokenizer(
            captions,
            padding=True,
            truncation=True,
            max_length=MAX_WORDS,
            return_tensors="pt",
            return_attention_mask=True,
        ).to(self.device)
        mask = batch["attention_mask"]
        hidden = self.encoder(input_ids=batch["input_ids"], attention_mask=mask).last_hidden_state
        return hidden.float() * mask[..., None]


class TextProjection(nn.Module):
    """From a pretrained encoder's features, (B, T, width), to text tokens, (B, T, dim)."""

    def __init__(self, width: int, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.project = nn.Linear(width, dim)

    def forward(self, features: Tensor) -> Tensor:
        return self.project(self.norm(features))


class LayoutPainter(nn.Module):
    """Paints entities into their boxes on the latent grid, frame by frame.

    Two layers deep: the nearest box over each cell and the one behind it, so that what shows beside a round object in
    front is known. Each carries the entity's shape, colour and material (kept in separate channels, so that a pair
    never seen together is still two things that were seen), its place within the box, its size and its depth.
    """

    SHAPE, COLOR, MATERIAL, GEOMETRY = 8, 10, 4, 6

    def __init__(self) -> None:
        super().__init__()
        self.shape = nn.Embedding(len(SHAPES), self.SHAPE)
        self.color = nn.Embedding(len(COLORS), self.COLOR)
        self.material = nn.Embedding(len(MATERIALS), self.MATERIAL)

    @classmethod
    def channels(cls) -> int:
        """Channels of the painting."""
        return 2 * (cls.SHAPE + cls.COLOR + cls.MATERIAL + cls.GEOMETRY)

    def forward(self, c: Conditioning, height: int, width: int, window: Tensor) -> Tensor:
        """Paint.

        Args:
            c: the batch.
            height, width: cells of the grid.
            window: (B, 4) left, top, width, height of the part of the frame that the grid covers, in [0, 1].

        Returns:
            (B, F, channels, height, width).
        """
        u, v, cover = box_coordinates(c.boxes, height, width, window)  # (B, K, F, height, width)
        cover = cover * (c.boxes[..., 5] > 0.02)[..., None, None] * c.keep_layout[:, None, None, None, None]
        frames = c.boxes.shape[2]
        look = torch.cat(
            [
                self.shape(c.shape)[:, :, None].expand(-1, -1, frames, -1),
                self.color(c.color),
                self.material(c.material),
            ],
            -1,
        )
        depth = c.boxes[..., 4]
        front, behind = layer_weights(cover, depth)
        size = torch.stack([c.boxes[..., 2], c.boxes[..., 3], depth / 8], -1)
        flat = torch.cat([look, size], -1)  # (B, K, F, look + 3)
        layers = []
        for weight in (front, behind):
            spread = torch.einsum("bkfhw,bkfc->bfchw", weight, flat)
            place = torch.stack([(weight * u).sum(1), (weight * v).sum(1), weight.sum(1)], 2)
            layers += [spread, place]
        return torch.cat(layers, 2)


def box_coordinates(boxes: Tensor, height: int, width: int, window: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Where each cell of a grid lies within each box.

    Args:
        boxes: (B, K, F, 6).
        height, width: cells of the grid.
        window: (B, 4) left, top, width, height of the grid in the frame.

    Returns:
        u, v: (B, K, F, height, width), -1 and 1 at the box's edges, clamped to [-1.5, 1.5]; share of the cell covered,
        [0, 1].
    """
    left, top, wide, tall = window.unbind(-1)
    x = left[:, None] + wide[:, None] * (torch.arange(width, device=boxes.device) + 0.5) / width  # (B, width)
    y = top[:, None] + tall[:, None] * (torch.arange(height, device=boxes.device) + 0.5) / height
    half_w = boxes[..., 2].clamp(min=1e-3)[..., None] / 2
    half_h = boxes[..., 3].clamp(min=1e-3)[..., None] / 2
    dx = x[:, None, None, :] - boxes[..., 0:1]  # (B, K, F, width)
    dy = y[:, None, None, :] - boxes[..., 1:2]
    cell_w, cell_h = (wide / width)[:, None, None, None], (tall / height)[:, None, None, None]
    cover_x = ((half_w - dx.abs()) / cell_w + 0.5).clamp(0, 1)
    cover_y = ((half_h - dy.abs()) / cell_h + 0.5).clamp(0, 1)
    cover = cover_y[..., :, None] * cover_x[..., None, :]
    u = (dx / half_w).clamp(-1.5, 1.5)[..., None, :].expand_as(cover)
    v = (dy / half_h).clamp(-1.5, 1.5)[..., :, None].expand_as(cover)
    return u, v, cover


def layer_weights(cover: Tensor, depth: Tensor) -> tuple[Tensor, Tensor]:
    """How much of each cell shows each instance as the nearest box, and as the one behind the nearest.

    Args:
        cover: (B, K, F, h, w) in [0, 1].
        depth: (B, K, F), smaller is nearer.

    Returns:
        Two tensors of cover's shape; over K each sums to at most 1.
    """
    order = depth.argsort(1)
    back = order.argsort(1)
    sorted_cover = torch.gather(cover, 1, order[..., None, None].expand_as(cover))
    none = torch.ones_like(cover[:, 0])
    one = torch.zeros_like(none)
    front, behind = [], []
    for alpha in sorted_cover.unbind(1):
        front.append(alpha * none)
        behind.append(alpha * one)
        one = one * (1 - alpha) + none * alpha
        none = none * (1 - alpha)
    index = back[..., None, None].expand_as(cover)
    return torch.gather(torch.stack(front, 1), 1, index), torch.gather(torch.stack(behind, 1), 1, index)


def tracks_from_boxes(graph: SceneGraph, boxes: np.ndarray) -> Layout:
    """A layout from (K, F, 6) boxes in the order of `drawn_entities(graph)`."""
    tracks = [
        Track(entity, boxes[k].astype(np.float32), instance, graph.node(entity).label)
        for k, (entity, instance) in enumerate(drawn_entities(graph))
    ]
    return Layout(int(boxes.shape[1]), tracks)
