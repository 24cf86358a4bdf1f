"""Training of the scene-graph parser: samples with targets, the loss, and figures against gold graphs."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mov_ai.data.tabletop.grammar import HELD_OUT_PATTERNS, Mention
from mov_ai.data.tabletop.scene import change_time
from mov_ai.data.tabletop.world import caption_and_layout
from mov_ai.graph import SceneGraph
from mov_ai.parser.decode import decode
from mov_ai.parser.network import (
    DIRECTIONS,
    LINKS,
    MAX_LEFT,
    ORDERS,
    ROLES,
    SPATIAL_LABELS,
    CompositionalSceneParser,
    ParserConfig,
)
from mov_ai.parser.parser import save_network, score
from mov_ai.parser.spacy_pipeline import EMBEDDED_PIPELINE, load_spacy
from mov_ai.parser.token_graph import FEATURES, WORD_FEATURES, TokenGraph, join, token_graph
from mov_ai.training.objective import Objective, Progress
from mov_ai.training.parser_captions import (
    CaptionSource,
    WorldCaptions,
    number_before,
    spatial_words,
    temporal_labels,
)

_IGNORED = -100
#: Part of the cache's name: raise it when samples are built differently.
_CACHE_VERSION = 1


@dataclass(frozen=True)
class Sample:
    """A token graph and what the network should say of it; N tokens, M chosen ones.

    Attributes:
        tokens: the input.
        role: (N,) index in ROLES.
        direction: (N,) index in DIRECTIONS for events, else ignored (-100).
        left: (N,) words before the head for entities, else ignored.
        negated: (N,) 0 or 1 for entities and events, else ignored.
        chosen: (M,) tokens whose pairs are scored.
        link: (M, M) index in LINKS.
        order: (M, M) index in ORDERS for pairs of events, else ignored.
    """

    tokens: TokenGraph
    role: np.ndarray
    direction: np.ndarray
    left: np.ndarray
    negated: np.ndarray
    chosen: np.ndarray
    link: np.ndarray
    order: np.ndarray


# -- samples -----------------------------------------------------------------------------------------------------------


def make_sample(tokens: TokenGraph, graph: SceneGraph, mentions: Sequence[Mention]) -> Sample:
    """Lay the gold graph over the tokens of its text."""
    return _Alignment(tokens, graph, mentions).sample()


class _Alignment:
    def __init__(self, tokens: TokenGraph, graph: SceneGraph, mentions: Sequence[Mention]) -> None:
        self.tokens, self.graph = tokens, graph
        count = len(tokens)
        self.role = np.zeros(count, dtype=np.int64)
        self.direction, self.left, self.negated = (np.full(count, _IGNORED, dtype=np.int64) for _ in range(3))
        self.links: dict[tuple[int, int], int] = {}
        self.nodes = {node.id: node for node in graph.nodes}
        #: Node id -> head tokens of its mentions, in the order of the text; and their character ranges.
        self.heads: dict[str, list[int]] = {}
        self.spans: dict[str, list[tuple[int, int]]] = {}
        for mention in mentions:
            self.heads.setdefault(mention.node, []).append(self._head(mention.span))
            self.spans.setdefault(mention.node, []).append(mention.span)

    def _head(self, span: tuple[int, int]) -> int:
        """The last token that a character range touches."""
        starts, ends = self.tokens.spans.T
        return int(np.flatnonzero((starts < span[1]) & (ends > span[0]))[-1])

    def _size(self, span: tuple[int, int]) -> int:
        starts, ends = self.tokens.spans.T
        return int(((starts < span[1]) & (ends > span[0])).sum())

    def _nearest(self, node: str, token: int) -> int:
        return min(self.heads[node], key=lambda head: (abs(head - token), head))

    def _link(self, source: int, target: int, name: str) -> None:
        if source != target:
            self.links[source, target] = LINKS.index(name)

    def sample(self) -> Sample:
        self._roles()
        self._arguments()
        self._attributes()
        self._relations()
        self._extras()
        chosen = np.flatnonzero(~np.isin(self.role, [ROLES.index(n) for n in ("none", "setting", "light")]))
        row = {int(token): i for i, token in enumerate(chosen)}
        link = np.zeros((len(chosen), len(chosen)), dtype=np.int64)
        for (source, target), name in self.links.items():
            link[row[source], row[target]] = name
        order = self._orders(row)
        return Sample(self.tokens, self.role, self.direction, self.left, self.negated, chosen, link, order)

    def _roles(self) -> None:
        for node_id, heads in self.heads.items():
            node = self.nodes[node_id]
            name = node.type if node.type != "attribute" else f"attribute:{node.kind}"
            for position, (head, span) in enumerate(zip(heads, self.spans[node_id], strict=True)):
                self.role[head] = ROLES.index(name)
                self.negated[head] = int(node.negated and position == 0)
                if node.type == "entity":
                    self.left[head] = min(self._size(span) - 1, MAX_LEFT)
                    if position:
                        self._link(head, heads[position - 1], "coref")
                elif node.type == "event":
                    self.direction[head] = DIRECTIONS.index(node.direction)

    def _arguments(self) -> None:
        for edge in self.graph.edges:
            event = self.heads[edge.source][0] if edge.source in self.heads else 0
            if edge.type in ("instrument", "location"):
                after = [head for head in self.heads[edge.target] if head > event]
                self._link(event, after[0] if after else self.heads[edge.target][-1], edge.type)
            elif edge.type in ("agent", "patient"):
                before = [head for head in self.heads[edge.target] if head < event]
                self._link(event, before[-1] if before else self.heads[edge.target][0], edge.type)

    def _attributes(self) -> None:
        for edge in self.graph.edges:
            if edge.type != "has_attribute":
                continue
            for head in self.heads[edge.target]:
                self._link(self._nearest(edge.source, head), head, "has_attribute")
            causes = [
                self.heads[argument.source][0]
                for argument in self.graph.edges_to(edge.source)
                if argument.type in ("agent", "patient") and self._causes(argument.source, edge.interval[0])
            ]
            for event in causes:
                self._link(event, min(self.heads[edge.target], key=lambda head: abs(head - event)), "result")

    def _causes(self, event: str, start: float) -> bool:
        node = self.nodes[event]
        return start > 0 and node.label in ("turn", "become", "change") and change_time(node.interval) == start

    def _relations(self) -> None:
        for edge in self.graph.edges:
            if edge.type != "spatial" or edge.label not in SPATIAL_LABELS:
                continue
            found = spatial_words(self.graph.caption, self.spans[edge.source], self.spans[edge.target], edge.label)
            if found is not None:
                self._link(self._head(found[0]), self._head(found[1]), f"spatial:{edge.label}")

    def _extras(self) -> None:
        """Words that belong to a node but have no node of their own: numbers, manners, setting, light."""
        for node in self.graph.nodes:
            if node.type == "entity" and node.count > 1:
                span = number_before(self.graph.caption, self.spans[node.id][0][0], node.count)
                if span is not None:
                    token = self._head(span)
                    self.role[token] = ROLES.index("number")
                    self._link(self.heads[node.id][0], token, "number")
            if node.manner is not None:
                event = self.heads[node.id][0]
                places = [i for i, word in enumerate(self.tokens.words) if word == node.manner]
                if places:
                    token = min(places, key=lambda i: abs(i - event))
                    self.role[token] = ROLES.index("manner")
                    self._link(event, token, "manner")
            for name in ("setting", "light"):
                value = getattr(node, name)
                # The phrase is found by its words, for the graph does not say where it stands: not "to the left".
                place = None if value is None else _field_token(self.tokens, name, value, self.role)
                if place is not None:
                    self.role[place] = ROLES.index(name)

    def _orders(self, row: dict[int, int]) -> np.ndarray:
        order = np.full((len(row), len(row)), _IGNORED, dtype=np.int64)
        labels = temporal_labels(self.graph.edges)
        events = self.graph.of_type("event")
        for a in events:
            for b in events:
                if a.id == b.id:
                    continue
                if a.interval == b.interval:
                    name = "equal"
                elif a.interval[1] <= b.interval[0]:
                    name = "meets" if labels.get((a.id, b.id)) == "meets" else "before"
                else:
                    name = "met by" if labels.get((b.id, a.id)) == "meets" else "after"
                order[row[self.heads[a.id][0]], row[self.heads[b.id][0]]] = ORDERS.index(name)
        return order


def _field_token(tokens: TokenGraph, name: str, value: str, role: np.ndarray) -> int | None:
    """The token that says the setting or the light."""
    places = [i for i, word in enumerate(tokens.words) if word == value and role[i] == 0]
    if name == "setting":
        return places[0] if places else None
    for i in places:
        before = tokens.words[max(0, i - 7) : i]
        if {"light", "lit", "illuminated"} & set(before) or tokens.words[i + 1 : i + 2] in (("light",), ("lighting",)):
            return i
    return None


# -- the cache ---------------------------------------------------------------------------------------------------------


def _pack(samples: Sequence[Sample]) -> dict[str, np.ndarray]:
    """Samples as a few flat arrays. Words are not kept: training does not read them."""
    columns = ("role", "direction", "left", "negated", "chosen")
    packed = {name: np.concatenate([getattr(s, name) for s in samples]) for name in columns}
    packed |= {name: np.concatenate([getattr(s, name).ravel() for s in samples]) for name in ("link", "order")}
    packed["features"] = np.concatenate([s.tokens.features for s in samples])
    packed["edges"] = np.concatenate([s.tokens.edges for s in samples], axis=1)
    packed["relation"] = np.concatenate([s.tokens.relation for s in samples])
    packed["sizes"] = np.array([(len(s.role), s.tokens.edges.shape[1], len(s.chosen)) for s in samples])
    return packed


def _unpack(packed: dict[str, np.ndarray]) -> list[Sample]:
    samples = []
    n = e = m = square = 0
    spans = np.zeros((0, 2), dtype=np.int64)
    for tokens, edges, chosen in packed["sizes"]:
        t, k = slice(n, n + tokens), slice(e, e + edges)
        graph = TokenGraph(packed["features"][t], packed["edges"][:, k], packed["relation"][k], spans, (), (), ())
        link, order = (
            packed[name][square : square + chosen * chosen].reshape(chosen, chosen) for name in ("link", "order")
        )
        role, direction, left, negated = (packed[name][t] for name in ("role", "direction", "left", "negated"))
        samples.append(Sample(graph, role, direction, left, negated, packed["chosen"][m : m + chosen], link, order))
        n, e, m, square = n + tokens, e + edges, m + chosen, square + chosen * chosen
    return samples


# -- figures -----------------------------------------------------------------------------------------------------------


def node_keys(graph: SceneGraph) -> set[tuple]:
    """What must agree of each node: everything but id and confidence."""
    return {
        (n.type, n.label, n.span, n.negated, n.count, n.kind, n.direction, n.manner, n.interval, n.setting, n.light)
        for n in graph.nodes
    }


def edge_keys(graph: SceneGraph) -> set[tuple]:
    """What must agree of each edge: ends (by span), type, label, interval."""
    ends = {node.id: (node.type, node.span) for node in graph.nodes}
    return {(ends[e.source], ends[e.target], e.type, e.label, e.interval) for e in graph.edges}


def figures(predicted: Sequence[SceneGraph], gold: Sequence[SceneGraph]) -> dict[str, float]:
    """Agreement of graphs: F1 of nodes and edges, share of exact graphs, share of gold events with exact interval."""
    totals = {"node": np.zeros(3), "edge": np.zeros(3)}
    exact = intervals = events = 0
    for p, g in zip(predicted, gold, strict=True):
        for name, keys in (("node", node_keys), ("edge", edge_keys)):
            a, b = keys(p), keys(g)
            totals[name] += (len(a & b), len(a), len(b))
        exact += node_keys(p) == node_keys(g) and edge_keys(p) == edge_keys(g)
        found = {n.span: n.interval for n in p.of_type("event")}
        intervals += sum(found.get(n.span) == n.interval for n in g.of_type("event"))
        events += len(g.of_type("event"))
    result = {f"{name}_f1": float(2 * t[0] / max(t[1] + t[2], 1)) for name, t in totals.items()}
    return {**result, "exact": exact / max(len(gold), 1), "intervals": intervals / max(events, 1)}


# -- the objective -----------------------------------------------------------------------------------------------------


class ParserObjective(Objective):
    """Teaches the parser's network to read captions of the embedded world.

    Args:
        seed: of first weights, batches and captions.
        batch_size: captions per batch.
        captions: distinct training captions.
        substituted: share of them with words that the world does not know.
        validation: captions of each of the splits "validation" and "test" that figures are measured on.
        hidden_words: share of tokens whose word features are hidden in training.
        hidden_syntax: share of captions whose tags and dependencies are hidden in training.
        network: settings of `ParserConfig`.
        source: other captions than the world's.
    """

    def __init__(
        self,
        seed: int = 0,
        batch_size: int = 48,
        captions: int = 12_000,
        substituted: float = 0.45,
        validation: int = 150,
        hidden_words: float = 0.06,
        hidden_syntax: float = 0.05,
        network: dict[str, Any] | None = None,
        source: CaptionSource | None = None,
    ) -> None:
        self.seed, self.batch_size, self.captions = seed, batch_size, captions
        self.substituted, self.validation = substituted, validation
        self.hidden_words, self.hidden_syntax = hidden_words, hidden_syntax
        self.network = ParserConfig(**(network or {}))
        self.source = source or WorldCaptions("train", substituted)
        self.samples: list[Sample] = []
        self.held: dict[str, list[tuple[TokenGraph, SceneGraph]]] = {}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._module = CompositionalSceneParser(self.network)

    def config(self) -> dict[str, Any]:
        return {
            **super().config(),
            "captions": self.captions,
            "substituted": self.substituted,
            "hidden_words": self.hidden_words,
            "hidden_syntax": self.hidden_syntax,
            "network": asdict(self.network),
        }

    def module(self) -> torch.nn.Module:
        return self._module

    def prepare(self, device: torch.device, progress: Progress) -> None:
        """Word, tag and align the captions; the result is kept under `MOV_AI_DATA` (default: the user's cache)."""
        path = self._cache_path()
        if path.is_file():
            with np.load(path, allow_pickle=False) as file:
                self.samples = _unpack(dict(file))
        else:
            self.samples = self._build(progress)
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_suffix(f".{os.getpid()}.npz")
            with temporary.open("wb") as file:
                np.savez(file, allow_pickle=False, **_pack(self.samples))
            temporary.replace(path)
        self.held = held_out(self.validation)

    def _cache_path(self) -> Path:
        root = Path(os.environ.get("MOV_AI_DATA") or Path.home() / ".cache" / "mov_ai")
        files = sorted(p for p in EMBEDDED_PIPELINE.rglob("*") if p.is_file())
        pipeline = hashlib.sha256(b"".join(p.read_bytes() for p in files)).hexdigest()[:12]
        captions = [self.source.caption(i)[0] for i in range(0, self.captions, max(1, self.captions // 50))]
        told = hashlib.sha256(json.dumps(captions).encode()).hexdigest()[:12]
        sizes = hashlib.sha256(json.dumps(FEATURES).encode()).hexdigest()[:6]
        return root / "parser" / f"v{_CACHE_VERSION}-{self.captions}-{told}-{pipeline}-{sizes}.npz"

    def _build(self, progress: Progress) -> list[Sample]:
        nlp = load_spacy()
        samples = []
        for start in range(0, self.captions, 256):
            told = [self.source.caption(i) for i in range(start, min(start + 256, self.captions))]
            for doc, (_, graph, mentions) in zip(nlp.pipe([text for text, _, _ in told]), told, strict=True):
                samples.append(make_sample(token_graph(doc), graph, mentions))
            progress(len(samples), self.captions, "captions")
        return samples

    def batch(self, step: int) -> dict[str, Tensor]:
        """Samples drawn by (seed, step): see `collate` for the tensors."""
        rng = np.random.Generator(np.random.PCG64([self.seed, step]))
        picked = [self.samples[int(i)] for i in rng.integers(len(self.samples), size=self.batch_size)]
        batch = collate(picked)
        features = batch["features"].numpy()
        names = list(FEATURES)
        hidden = rng.random(len(features)) < self.hidden_words
        for name in WORD_FEATURES:
            features[hidden, names.index(name)] = 0
        blind = np.repeat(rng.random(len(picked)) < self.hidden_syntax, [len(s.role) for s in picked])
        for name in ("pos", "tag", "dep"):
            features[blind | (rng.random(len(features)) < 0.04), names.index(name)] = 0
        return batch

    def loss(
        self, module: torch.nn.Module, batch: dict[str, Tensor], generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        tokens, pairs = module(batch["features"], batch["edges"], batch["relation"], batch["chosen"])
        known = batch["negated"] >= 0
        terms = {
            "role": functional.cross_entropy(tokens.role, batch["role"]),
            "direction": _mean_loss(tokens.direction, batch["direction"]),
            "left": _mean_loss(tokens.left, batch["left"]),
            "negated": functional.binary_cross_entropy_with_logits(
                tokens.negated[known], batch["negated"][known].float()
            ),
            "link": _mean_loss(pairs.link.flatten(0, 2), batch["link"].flatten()),
            "order": _mean_loss(pairs.order.flatten(0, 2), batch["order"].flatten()),
        }
        weights = {"role": 3.0, "direction": 1.0, "left": 0.3, "negated": 0.5, "link": 8.0, "order": 1.0}
        total = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
        return total, {name: term.detach() for name, term in terms.items()}

    def validate(self, module: torch.nn.Module) -> dict[str, float]:
        assert isinstance(module, CompositionalSceneParser)
        result = {}
        for name, pairs in self.held.items():
            for key, value in figures(predict(module, pairs), [gold for _, gold in pairs]).items():
                result[f"{name}_{key}"] = value
        return result

    def export(self, module: torch.nn.Module, directory: Path, card: dict[str, Any]) -> None:
        assert isinstance(module, CompositionalSceneParser)
        save_network(module, directory)
        (directory / "card.json").write_text(json.dumps(card, indent=2, default=str) + "\n", encoding="utf-8")


def _mean_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Cross entropy over the targets that are not ignored; 0 if all are."""
    total = functional.cross_entropy(logits, target, ignore_index=_IGNORED, reduction="sum")
    return total / (target != _IGNORED).sum().clamp(min=1)


def collate(samples: Sequence[Sample]) -> dict[str, Tensor]:
    """Samples as one batch.

    Returns:
        features (N, F), edges (2, E), relation (E,), role, direction, left, negated (N,); chosen (B, M), link and
        order (B, M, M), filled up with token 0 and ignored targets.
    """
    features, edges, relation, starts = join([s.tokens for s in samples])
    most = max(1, *(len(s.chosen) for s in samples))
    chosen = np.zeros((len(samples), most), dtype=np.int64)
    link, order = (np.full((len(samples), most, most), _IGNORED, dtype=np.int64) for _ in range(2))
    for i, sample in enumerate(samples):
        m = len(sample.chosen)
        chosen[i, :m] = sample.chosen + starts[i]
        link[i, :m, :m], order[i, :m, :m] = sample.link, sample.order
    arrays = {
        "features": features,
        "edges": edges,
        "relation": relation,
        "chosen": chosen,
        "link": link,
        "order": order,
    }
    for name in ("role", "direction", "left", "negated"):
        arrays[name] = np.concatenate([getattr(s, name) for s in samples])
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def held_out(count: int) -> dict[str, list[tuple[TokenGraph, SceneGraph]]]:
    """Token graphs with gold graphs: `count` captions of real scenes of each split that is not trained on.

    "pattern" holds the test captions that use `HELD_OUT_PATTERNS`, "test" all of them.
    """
    nlp = load_spacy()
    held: dict[str, list[tuple[TokenGraph, SceneGraph]]] = {"pattern": []}
    for split in ("validation", "test"):
        captions = [caption_and_layout(seed, split)[1] for seed in range(count)]
        docs = nlp.pipe([caption.text for caption in captions])
        held[split] = [(token_graph(doc), caption.graph) for doc, caption in zip(docs, captions, strict=True)]
        used = [caption.pattern in HELD_OUT_PATTERNS for caption in captions]
        held["pattern"] += [pair for pair, held_pattern in zip(held[split], used, strict=True) if held_pattern]
    return held


def predict(network: CompositionalSceneParser, pairs: Sequence[tuple[TokenGraph, SceneGraph]]) -> list[SceneGraph]:
    """What the network makes of token graphs; the gold graphs only give the texts."""
    result = []
    for start in range(0, len(pairs), 64):
        part = pairs[start : start + 64]
        scores = score(network, [tokens for tokens, _ in part])
        result += [decode(gold.caption, tokens, s) for (tokens, gold), s in zip(part, scores, strict=True)]
    return result
