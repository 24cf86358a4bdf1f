"""Training of the scene-graph parser: its captions as samples, the loss, and figures against gold graphs."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mov_ai.captions.caption import HELD_OUT_PATTERNS, CaptionSource, Mention
from mov_ai.captions.stories import TemporalCaptions
from mov_ai.captions.unmarked_words import number_before, spatial_words
from mov_ai.data.downloads import data_folder
from mov_ai.data.factual import FactualCaption, read_factual
from mov_ai.data.storybench import load_stories
from mov_ai.data.uds_time import load_sentences
from mov_ai.errors import MovAIError, UsageError
from mov_ai.graph import Edge, SceneGraph
from mov_ai.graph.convert import FACTUAL_WORDINGS, Triple, to_triples
from mov_ai.graph.time import change_time
from mov_ai.parser.confidence import Calibration, fit_scaling, judge
from mov_ai.parser.lexicon import load_lexicon
from mov_ai.parser.loading import load_networks, save_parser
from mov_ai.parser.network import (
    DIRECTIONS,
    LINKS,
    ORDERS,
    ROLES,
    SPATIAL_LABELS,
    CompositionalSceneParser,
    ParserConfig,
)
from mov_ai.parser.parser import SceneGraphParser
from mov_ai.parser.spacy_pipeline import EMBEDDED_PIPELINE, load_spacy
from mov_ai.parser.spelling import Corrected
from mov_ai.parser.timeline import TimelineLogits
from mov_ai.parser.token_graph import FEATURES, FORM_FEATURES, WORD_FEATURES, TokenGraph, token_graphs
from mov_ai.parser.vocabulary import COPY, Vocabulary, base_verb
from mov_ai.training.array_cache import cached_arrays
from mov_ai.training.distillation import Teachers, exchange_words, imitation_losses, load_members
from mov_ai.training.factual_alignment import Aligner, Captioned, build_vocabulary, factual_sample
from mov_ai.training.objective import Objective, Progress
from mov_ai.training.parser_samples import IGNORED, Sample, Targets, collate, pack, unpack
from mov_ai.training.timelines import TimelineSample, collate_timelines, share_loss, timeline_loss, timeline_samples
from mov_ai.worlds.tabletop.told_scenes import WorldCaptions
from mov_ai.worlds.tabletop.world import caption_and_layout

if TYPE_CHECKING:
    from spacy.language import Language

log = logging.getLogger(__name__)

#: Part of the cache's name: raise it when samples are built differently.
_CACHE_VERSION = 6
#: A word is learnt if it is seen so often, and taken for a word if it is seen so often whatever it looks like.
_SEEN, _SURE = 2, 12
#: Captions of each grammar that are looked at for their words.
_SAMPLED = 1500
#: A word seen n times is hidden, but for its spelling and meaning, with the chance share / (1 + n / often).
_SELDOM_SHARE, _OFTEN = 0.4, 10.0
SOURCES = ("factual", "world", "temporal", "timelines")
#: Weights of the losses, 1 where not listed.
_WEIGHTS = {
    "direction": 0.5,
    "left": 0.5,
    "negated": 0.5,
    "guess": 0.2,
    "shares": 3.0,
    "duration": 0.3,
    "overlap": 0.5,
    "relation": 0.5,
}


# -- samples of captions with graphs -----------------------------------------------------------------------------------


def make_sample(tokens: TokenGraph, graph: SceneGraph, mentions: Sequence[Mention], vocabulary: Vocabulary) -> Sample:
    """Lay the gold graph over the tokens of its text."""
    return _Alignment(tokens, graph, mentions, vocabulary).sample()


class _Alignment:
    def __init__(
        self, tokens: TokenGraph, graph: SceneGraph, mentions: Sequence[Mention], vocabulary: Vocabulary
    ) -> None:
        self.tokens, self.graph, self.vocabulary = tokens, graph, vocabulary
        self.targets = Targets(tokens)
        self.role = self.targets.role
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
            self.targets.links[source, target] = LINKS.index(name)

    def sample(self) -> Sample:
        self._roles()
        self._arguments()
        self._attributes()
        self._relations()
        self._extras()
        self._attribute_rows()
        self._predicates()
        self.targets.shares = self._shares()
        chosen = np.flatnonzero(~np.isin(self.role, [ROLES.index(n) for n in ("none", "setting", "light")]))
        row = {int(token): i for i, token in enumerate(chosen)}
        return self.targets.sample(chosen, self._orders(row), self.vocabulary)

    def _roles(self) -> None:
        for node_id, heads in self.heads.items():
            node = self.nodes[node_id]
            name = node.type if node.type != "attribute" else f"attribute:{node.kind}"
            for position, (head, span) in enumerate(zip(heads, self.spans[node_id], strict=True)):
                self.role[head] = ROLES.index(name)
                self.targets.negated[head] = int(node.negated and position == 0)
                if node.type == "entity":
                    self.targets.set_left(head, 0, self._size(span) - 1)
                    if self.tokens.pos[head] != "PRON":
                        self.targets.form[head, 0] = self.vocabulary.forms.index(COPY)
                    if position:
                        self._link(head, heads[position - 1], "coref")
                elif node.type == "event":
                    self.targets.direction[head] = DIRECTIONS.index(node.direction)
                elif node.type == "attribute":
                    self.targets.set_left(head, 1, self._size(span) - 1)
                    self.targets.form[head, 1] = self.vocabulary.forms.index(COPY)

    def _arguments(self) -> None:
        for edge in self.graph.edges:
            event = self.heads[edge.source][0] if edge.source in self.heads else 0
            if edge.type in ("instrument", "location"):
                after = [head for head in self.heads[edge.target] if head > event]
                self._link(event, after[0] if after else self.heads[edge.target][-1], edge.type)
            elif edge.type in ("agent", "patient"):
                before = [head for head in self.heads[edge.target] if head < event]
                after = [head for head in self.heads[edge.target] if head > event]
                # "The dog takes the ball and drops it": what is done to stands behind the verb, but for passives.
                behind = edge.type == "patient" and after and self.tokens.tags[event] != "VBN"
                found = after[0] if behind or not before else before[-1]
                self._link(event, found, edge.type)

    def _attributes(self) -> None:
        for edge in self.graph.edges:
            if edge.type != "has_attribute":
                continue
            for head in self.heads[edge.target]:
                self._link(self._nearest(edge.source, head), head, "has_attribute")
            event = self._cause(edge)
            if event is not None:
                self._link(event, min(self.heads[edge.target], key=lambda head: abs(head - event)), "result")

    def _cause(self, edge: Edge) -> int | None:
        """The verb of the event that brings an attribute about: of those that change it in time, the nearest before."""
        start = edge.interval[0]
        if start <= 0:
            return None
        word = self.heads[edge.target][0]
        causes = [
            self.heads[argument.source][0]
            for argument in self.graph.edges_to(edge.source)
            if argument.type in ("agent", "patient")
            and abs(change_time(self.nodes[argument.source].interval) - start) < 1e-6
        ]
        return min(causes, key=lambda head: (head > word, abs(head - word)), default=None)

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
                words = tuple(node.manner.split())
                last = len(words) - 1
                places = [i for i in range(last, len(self.tokens)) if self.tokens.words[i - last : i + 1] == words]
                if places:
                    token = min(places, key=lambda i: abs(i - event))
                    self.role[token] = ROLES.index("manner")
                    self.targets.set_left(token, 1, last)
                    self._link(event, token, "manner")
            for name in ("setting", "light"):
                value = getattr(node, name)
                # The phrase is found by its words, for the graph does not say where it stands: not "to the left".
                place = None if value is None else _field_token(self.tokens, name, value, self.role)
                if place is not None:
                    self.role[place] = ROLES.index(name)

    def _attribute_rows(self) -> None:
        """An entity's mention has the attributes and the number that are linked to it."""
        events = [head for node in self.graph.of_type("event") for head in self.heads[node.id]]
        for node in self.graph.of_type("entity"):
            for head in self.heads[node.id]:
                self.targets.attribute[head] = 0
                # FACTUAL calls a verb without an object an attribute, these captions do not.
                self.targets.attribute[head, events] = IGNORED
        for (source, target), link in self.targets.links.items():
            if LINKS[link] in ("has_attribute", "number"):
                self.targets.attribute[source, target] = 1

    def _predicates(self) -> None:
        """Relations and events as FACTUAL words them, between the mentions that the links lead to; else nothing."""
        wording = self.vocabulary.wording(self.tokens)
        mentions = [head for node in self.graph.of_type("entity") for head in self.heads[node.id]]
        told = self.targets.predicates
        told.update({(a, b): 0 for a in mentions for b in mentions if a != b})
        for node in self.graph.of_type("event"):
            verb = self.heads[node.id][0]
            linked = [(LINKS[link], token) for (source, token), link in self.targets.links.items() if source == verb]
            agents, patients = ([token for name, token in linked if name == role] for role in ("agent", "patient"))
            objects: list[tuple[int, str | None]] = [(token, "") for token in patients if agents]
            objects += [
                (token, self.vocabulary.preposition(self.tokens, verb, token))
                for name, token in linked
                if name in ("location", "instrument")
            ]
            for subject in agents or patients:
                for token, preposition in objects:
                    words = f"{base_verb(self.tokens, verb)} {preposition or ''}".strip()
                    choice = self.vocabulary.choice(self.tokens, wording, words)
                    known = choice is not None and preposition is not None and not node.negated
                    told[subject, token] = choice if known and choice is not None else IGNORED
        for (source, target), link in self.targets.links.items():
            if LINKS[link].startswith("spatial:"):
                label = LINKS[link].split(":")[1]
                choice = self.vocabulary.choice(self.tokens, wording, FACTUAL_WORDINGS.get(label, label))
                told[source, target] = IGNORED if choice is None else choice

    def _shares(self) -> list[int]:
        """Thousandths of the clip that each sentence lasts, where they follow each other without gap or overlap.

        Sentences without events last no time of their own.
        """
        starts = self.tokens.sentences
        hulls: list[list[float]] = [[2.0, 0.0] for _ in starts]
        for node in self.graph.of_type("event"):
            hull = hulls[int(np.searchsorted(starts, self.heads[node.id][0], side="right")) - 1]
            hull[:] = min(hull[0], node.interval[0]), max(hull[1], node.interval[1])
        told = [hull for hull in hulls if hull[1] > 0]
        ends = [0.0, *(end for _, end in told)]
        apart = all(abs(hull[0] - end) < 1e-3 for hull, end in zip(told, ends, strict=False))
        if len(told) < 2 or not apart or abs(ends[-1] - 1) > 1e-3:
            return []
        return [round(1000 * (end - start)) if end > 0 else 0 for start, end in hulls]

    def _orders(self, row: dict[int, int]) -> np.ndarray:
        order = np.full((len(row), len(row)), IGNORED, dtype=np.int64)
        labels = {(e.source, e.target): str(e.label) for e in self.graph.edges if e.type == "temporal"}
        events = self.graph.of_type("event")
        for a in events:
            for b in events:
                if a.id == b.id:
                    continue
                if a.interval[1] <= b.interval[0]:
                    name = "meets" if labels.get((a.id, b.id)) == "meets" else "before"
                elif b.interval[1] <= a.interval[0]:
                    name = "met by" if labels.get((b.id, a.id)) == "meets" else "after"
                else:
                    name = "equal"
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


def triple_figures(predicted: Sequence[Sequence[Triple]], gold: Sequence[Sequence[Triple]]) -> dict[str, float]:
    """Agreement of triples: share of captions with equal sets (FACTUAL's Set Match), F1 over all triples."""
    pairs = [(set(p), set(g)) for p, g in zip(predicted, gold, strict=True)]
    both, either = sum(len(p & g) for p, g in pairs), sum(len(p) + len(g) for p, g in pairs)
    exact = sum(p == g for p, g in pairs)
    return {"set_match": exact / max(len(pairs), 1), "triple_f1": 2 * both / max(either, 1)}


# -- the objective -----------------------------------------------------------------------------------------------------


class ParserObjective(Objective):
    """Teaches the parser's network to read: FACTUAL's captions, the embedded world's, temporal ones, human timelines.

    Each step shows captions of one source, so that short ones are not padded to the length of long ones; sources are
    drawn with the chances `shares`. In all of them some words are hidden, and the network also guesses them.

    Args:
        seed: of first weights, batches and captions.
        batch_size: captions per batch of FACTUAL's; the longer ones of the other sources come in fewer.
        split: FACTUAL's split, "random" or "length".
        captions: distinct training captions of each other source.
        shares: source -> share of the steps: factual, world, temporal, timelines (StoryBench, UDS-Time).
        substituted: share of the world's captions with words that the world does not know.
        validation: captions of each of the splits "validation" and "test" of the world that figures are measured on.
        hidden_words: share of tokens whose word features are hidden in training.
        hidden_syntax: share of captions whose tags and dependencies are hidden in training.
        teachers: exported parsers that are imitated on FACTUAL's captions; one of them, by the seed, gives the first
            weights. Those that are not there are trained before anything else, from the seeds 0, 1, ...
        imitation: weight of the teachers' word, of people's what is left to 1.
        partners: exported parsers whose word counts as much as this run's own in the parser that it exports. Those that
            are not there are trained meanwhile, from the seeds after this run's.
        made_up: share of FACTUAL's captions in which words are exchanged, for the teachers alone to speak of.
        network: settings of `ParserConfig`.
    """

    def __init__(
        self,
        seed: int = 0,
        batch_size: int = 128,
        split: str = "random",
        captions: int = 12_000,
        shares: dict[str, float] | None = None,
        substituted: float = 0.45,
        validation: int = 150,
        hidden_words: float = 0.06,
        hidden_syntax: float = 0.05,
        teachers: Sequence[str] = (),
        imitation: float = 0.7,
        partners: Sequence[str] = (),
        made_up: float = 0.4,
        network: dict[str, Any] | None = None,
    ) -> None:
        self.seed, self.batch_size, self.split, self.captions = seed, batch_size, split, captions
        self.shares = {name: share for name, share in (shares or {"factual": 1.0}).items() if share > 0}
        unknown = set(self.shares) - set(SOURCES)
        if unknown or not self.shares:
            raise UsageError(f"shares: expected some of {', '.join(SOURCES)}; found {sorted(self.shares)}")
        self.substituted, self.validation = substituted, validation
        self.hidden_words, self.hidden_syntax = hidden_words, hidden_syntax
        self.teacher_folders = [Path(folder) for folder in teachers]
        self.partner_folders = [Path(folder) for folder in partners]
        self._running: list[tuple[Path, subprocess.Popen[bytes]]] = []
        self.teachers: Teachers | None = None
        self.imitation, self.made_up = imitation, made_up
        self.samples: dict[str, list[Sample]] = {}
        self.timelines: list[TimelineSample] = []
        self.held: dict[str, list[tuple[str, SceneGraph]]] = {}
        self.factual: list[Captioned] = []
        self.settings = dict(network or {})
        # Made by `prepare`: how many labels there are is known once FACTUAL is read.
        self.spacy: Language | None = None
        self.vocabulary = Vocabulary()
        self._module: CompositionalSceneParser | None = None
        self._lengths: dict[int, np.ndarray] = {}
        #: How often each form is seen in the captions, by its number.
        self._seen = np.zeros(FEATURES["form"], dtype=np.int64)

    def config(self) -> dict[str, Any]:
        return {
            **super().config(),
            "split": self.split,
            "captions": self.captions,
            "shares": self.shares,
            "substituted": self.substituted,
            "hidden_words": self.hidden_words,
            "hidden_syntax": self.hidden_syntax,
            "teachers": [str(folder) for folder in self.teacher_folders],
            "imitation": self.imitation,
            "partners": [str(folder) for folder in self.partner_folders],
            "made_up": self.made_up,
            "network": self.settings,
        }

    def module(self) -> torch.nn.Module:
        if self._module is None:
            raise RuntimeError("module() before prepare(): the vocabulary is not known yet")
        return self._module

    def prepare(self, device: torch.device, progress: Progress) -> None:
        """Read, tag and align the captions; those of grammars are kept in the user's cache."""
        wait_for(start_missing(self.teacher_folders, "parser/teacher", 0, self.split))
        self._running = start_missing(
            self.partner_folders, "parser/factual", self.seed + 1, self.split, "objective.partners=[]"
        )
        self.spacy = load_spacy()
        if self.teacher_folders:
            # A student reads as its teachers do.
            words = Vocabulary(words=load_networks(self.teacher_folders[0])[1].words)
        else:
            words = Vocabulary(words=known_words(read_factual(self.split, "train"), self._other_texts()))
        captions = read_captions(self.spacy, self.split, "train", words)
        aligner = Aligner(captions)
        aligned = [aligner.align(caption) for caption in captions]
        self.vocabulary = vocabulary = build_vocabulary(captions, aligned, words.words)
        sizes = {
            "forms": len(vocabulary.forms),
            "labels": len(vocabulary.labels),
            "endings": len(vocabulary.endings),
        }
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self._module = CompositionalSceneParser(ParserConfig(**{**self.settings, **sizes}))
        if self.teacher_folders:
            self.teachers = Teachers(load_members(self.teacher_folders, vocabulary))
            # Partners of other seeds begin with other teachers, so that they differ.
            first = self.teachers.networks[self.seed % len(self.teachers.networks)]
            self._module.load_state_dict(first.state_dict())
        for name in self.shares:
            if name == "factual":
                parts = zip(captions, aligned, strict=True)
                self.samples[name] = [factual_sample(caption, places, vocabulary) for caption, places in parts]
            elif name == "timelines":
                folders = [data_folder(name) for name in ("storybench", "uds_time", "ud_english_ewt")]
                told, timed = load_stories(folders[0]), load_sentences(*folders[1:])
                self.timelines = timeline_samples(told, timed, vocabulary.known, _cache_folder(), progress)
            else:
                self.samples[name] = self._cached(name, self.spacy, progress)
        for samples in self.samples.values():
            for sample in samples:
                np.add.at(self._seen, sample.features[:, list(FEATURES).index("form")], 1)
        if "factual" in self.shares:
            self.factual = read_captions(self.spacy, self.split, "dev", vocabulary)
        if "world" in self.shares:
            self.held = held_out(self.validation)

    def _other_texts(self) -> Iterator[str]:
        """Some texts of the other sources; of both grammars, whichever of them a run trains on."""
        for name in ("world", "temporal"):
            source = self._source(name)
            yield from (source.caption(i)[0] for i in range(min(_SAMPLED, self.captions)))
        if "timelines" in self.shares:
            yield from (story.text for story in load_stories(data_folder("storybench")) if story.split == "train")

    def _source(self, name: str) -> CaptionSource:
        return (
            WorldCaptions("train", self.substituted)
            if name == "world"
            else TemporalCaptions("train", every_pattern=True)
        )

    def _cached(self, name: str, nlp: Language, progress: Progress) -> list[Sample]:
        source = self._source(name)

        def build() -> dict[str, np.ndarray]:
            samples = []
            for start in range(0, self.captions, 256):
                told = [source.caption(i) for i in range(start, min(start + 256, self.captions))]
                graphs = token_graphs([Corrected(text) for text, _, _ in told], nlp, self.vocabulary.known)
                for tokens, (_, graph, mentions) in zip(graphs, told, strict=True):
                    samples.append(make_sample(tokens, graph, mentions, self.vocabulary))
                progress(len(samples), self.captions, f"{name} captions")
            return pack(samples)

        return unpack(cached_arrays(self._cache_path(source), build))

    def _cache_path(self, source: CaptionSource) -> Path:
        files = sorted(p for p in EMBEDDED_PIPELINE.rglob("*") if p.is_file())
        captions = [source.caption(i)[0] for i in range(0, self.captions, max(1, self.captions // 50))]
        parts = (
            b"".join(p.read_bytes() for p in files),
            json.dumps([captions, FEATURES, self.vocabulary.to_dict(), self.captions]).encode(),
        )
        told = "-".join(hashlib.sha256(part).hexdigest()[:12] for part in parts)
        return _cache_folder() / f"v{_CACHE_VERSION}-{told}.npz"

    def batch(self, step: int) -> dict[str, Tensor]:
        """Samples drawn by (seed, step): see `collate` for the tensors."""
        rng = np.random.Generator(np.random.PCG64([self.seed, step]))
        names = list(self.shares)
        shares = np.array([self.shares[name] for name in names])
        name = names[int(rng.choice(len(names), p=shares / shares.sum()))]
        samples: Sequence[Sample | TimelineSample] = self.timelines if name == "timelines" else self.samples[name]
        size = self.batch_size if name == "factual" else max(1, self.batch_size // 3)
        batch = self._collated(samples, size, rng)
        if name == "factual" and self.teachers is not None:
            exchange_words(batch, self.made_up, rng)
            batch["whole"], batch["whole_relation"] = batch["features"].clone(), batch["relation"].clone()
        features, mask = batch["features"].numpy(), batch["mask"].numpy()
        place = {feature: i for i, feature in enumerate(FEATURES)}
        # Nobody can guess a word that has no embedding.
        named = mask & (features[..., place["lemma"]] > 0)
        hidden = named & (rng.random(mask.shape) < self.hidden_words)
        batch["hidden"] = torch.from_numpy(np.where(hidden, features[..., place["lemma"]], IGNORED))
        for feature in WORD_FEATURES:
            features[hidden, place[feature]] = 0
        form = features[..., place["form"]]
        seldom = mask & (rng.random(mask.shape) < _SELDOM_SHARE / (1 + self._seen[form] / _OFTEN))
        for feature in FORM_FEATURES:
            features[seldom, place[feature]] = 0
        blind = rng.random(len(mask)) < self.hidden_syntax
        hidden = blind[:, None] | (rng.random(mask.shape) < 0.04)
        for feature in ("pos", "tag", "dep"):
            features[hidden, place[feature]] = 0
        batch["relation"][torch.from_numpy(blind)] = 0
        return batch

    def _collated(
        self, samples: Sequence[Sample | TimelineSample], size: int, rng: np.random.Generator
    ) -> dict[str, Tensor]:
        """A batch of samples of about one length, for the sake of little padding."""
        lengths = self._lengths.setdefault(
            id(samples), np.array([len(s) if isinstance(s, Sample) else len(s.tokens) for s in samples])
        )
        pool = rng.choice(len(samples), size=min(len(samples), 12 * size), replace=False)
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        start = int(rng.integers(max(1, len(pool) - size + 1)))
        picked = [samples[int(i)] for i in pool[start : start + size]]
        parses = [sample for sample in picked if isinstance(sample, Sample)]
        if parses:
            return collate(parses, self.vocabulary)
        return collate_timelines([sample for sample in picked if isinstance(sample, TimelineSample)])

    def loss(
        self, module: torch.nn.Module, batch: dict[str, Tensor], generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        guesses, logits = module(batch)
        guess = {"guess": _cross_entropy(guesses, batch["hidden"][batch["hidden"] >= 0]) / len(batch["mask"])}
        if isinstance(logits, TimelineLogits):
            logits = TimelineLogits(*(part.float() for part in logits))
            terms = {**guess, **timeline_loss(logits, batch)}
            total = torch.stack([_WEIGHTS.get(name, 1.0) * term for name, term in terms.items()]).sum()
            return total, {name: term.detach() for name, term in terms.items()}
        tokens, pairs, attributes, predicates, log_duration = logits
        role = batch["role"].masked_fill(~batch["mask"], IGNORED)
        # Sums over what is known, a text's share each.
        terms = {
            "role": _cross_entropy(tokens.role, role),
            "direction": _cross_entropy(tokens.direction, batch["direction"]),
            "left": _cross_entropy(tokens.left, batch["left"]),
            "form": _cross_entropy(tokens.form, batch["form"]),
            "negated": _binary(tokens.negated, batch["negated"]),
            "attribute": _binary(attributes, batch["attribute"]),
            "link": _cross_entropy(pairs.link, batch["link"]),
            "order": _cross_entropy(pairs.order, batch["order"]),
            "predicate": _cross_entropy(predicates, batch["predicate"]),
            "shares": share_loss(log_duration, batch["told_shares"], batch["told_text"], len(role)),
        }
        terms = {**guess, **{name: term / len(role) for name, term in terms.items()}}
        if self.teachers is not None and "whole" in batch:
            terms = {name: (1 - self.imitation) * term for name, term in terms.items()}
            imitated = imitation_losses(logits, self.teachers(batch), batch["mask"])
            terms |= {name: self.imitation * term for name, term in imitated.items()}
        total = torch.stack([_WEIGHTS.get(name, 1.0) * term for name, term in terms.items()]).sum()
        return total, {name: term.detach() for name, term in terms.items()}

    def validate(self, module: torch.nn.Module) -> dict[str, float]:
        assert isinstance(module, CompositionalSceneParser)
        assert self.spacy is not None
        parser = SceneGraphParser([module], self.spacy, self.vocabulary)
        result: dict[str, float] = {}
        if self.factual:
            predicted = [to_triples(graph) for graph in parser.parse_batch([c.text for c in self.factual])]
            result |= {
                f"factual_{k}": v for k, v in triple_figures(predicted, [c.triples for c in self.factual]).items()
            }
        for name, pairs in self.held.items():
            predicted_graphs = parser.parse_batch([text for text, _ in pairs])
            for key, value in figures(predicted_graphs, [gold for _, gold in pairs]).items():
                result[f"{name}_{key}"] = value
        return result

    def _calibration(self, networks: Sequence[CompositionalSceneParser]) -> Calibration:
        """Fitted on FACTUAL's dev captions, as far as their triples judge nodes and edges."""
        if not self.factual or self.spacy is None:
            return Calibration()
        parser = SceneGraphParser(networks, self.spacy, self.vocabulary)
        graphs = parser.parse_batch([caption.text for caption in self.factual])
        judged = judge(graphs, [caption.triples for caption in self.factual])
        return Calibration(*(fit_scaling(part.confidences, part.right) for part in judged))

    def _partners(self) -> list[CompositionalSceneParser]:
        """The networks that share the word with this run's own, once their runs have ended."""
        wait_for(self._running)
        return load_members(self.partner_folders, self.vocabulary) if self.partner_folders else []

    def export(self, module: torch.nn.Module, directory: Path, card: dict[str, Any]) -> None:
        assert isinstance(module, CompositionalSceneParser)
        networks = [module, *self._partners()]
        save_parser(networks, self.vocabulary, directory, self._calibration(networks))
        (directory / "card.json").write_text(json.dumps(card, indent=2, default=str) + "\n", encoding="utf-8")


def start_missing(
    folders: Sequence[Path], experiment: str, seed: int, split: str, *overrides: str
) -> list[tuple[Path, subprocess.Popen[bytes]]]:
    """Start the training of the parsers that are not there, side by side, each in a process of its own.

    Args:
        folders: exports of their runs; the first is of this `seed`, the next of the one after it, and so on.
        experiment, split, overrides: of their runs.

    Returns:
        The run folder and the process of each that was started.
    """
    started = []
    for number, folder in enumerate(folders):
        if (folder / "config.json").is_file():
            continue
        run = folder.parent
        run.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "mov_ai.train", f"experiment={experiment}", f"seed={seed + number}"]
        command += [f"objective.split={split}", f"hydra.run.dir={run}", *overrides]
        log.info("training %s: %s", run, " ".join(command[2:]))
        with (run / "output.log").open("ab") as output:
            started.append((run, subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)))
    return started


def wait_for(started: Sequence[tuple[Path, subprocess.Popen[bytes]]]) -> None:
    """Wait until these runs have ended.

    Raises:
        MovAIError: if one fails; its log says why.
    """
    failed = [run for run, process in started if process.wait() != 0]
    if failed:
        raise MovAIError(f"{failed[0]}: this run failed; {failed[0] / 'output.log'} says why")


def _cache_folder() -> Path:
    return Path(os.environ.get("MOV_AI_CACHE") or Path.home() / ".cache" / "mov_ai") / "parser"


def _cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Summed over the targets that are not ignored; logits (..., classes), target (...)."""
    flat = logits.float().flatten(0, -2)
    return functional.cross_entropy(flat, target.flatten(), ignore_index=IGNORED, reduction="sum")


def _binary(logits: Tensor, target: Tensor) -> Tensor:
    """Summed over the targets that are not ignored; both (...)."""
    known = target != IGNORED
    chosen = logits[known].float()
    return functional.binary_cross_entropy_with_logits(chosen, target[known].float(), reduction="sum")


def read_captions(nlp: Language, split: str, part: str, words: Vocabulary) -> list[Captioned]:
    """A part of FACTUAL as the parser reads it; of the vocabulary only the words are needed."""
    captions = read_factual(split, part)
    graphs = token_graphs([words.spelling(caption.caption) for caption in captions], nlp, words.known)
    return [
        Captioned(caption.caption, tokens, caption.triples) for caption, tokens in zip(captions, graphs, strict=True)
    ]


def known_words(captions: Sequence[FactualCaption], others: Iterable[str]) -> tuple[str, ...]:
    """Words that get an embedding of their own: seen twice or more, and no slips of the annotators' keys.

    Args:
        captions: FACTUAL's training captions; a word is no slip if a graph or WordNet has it, or if it is frequent.
        others: texts of the other sources.

    Returns:
        Lower case; those of FACTUAL's captions first, commonest first.
    """
    lexicon = load_lexicon()
    told = Counter(word for caption in captions for word in _text_words(caption.caption))
    named = Counter(
        word for caption in captions for triple in caption.triples for word in _text_words(" ".join(triple))
    )
    more = Counter(word for text in others for word in _text_words(text))
    small = load_spacy().Defaults.stop_words

    def sound(word: str, count: int) -> bool:
        return count >= _SEEN and (count >= _SURE or word in named or word in small or lexicon.knows(word))

    ours = [word for word, count in told.most_common() if sound(word, count + more[word])]
    return tuple(dict.fromkeys((*ours, *(word for word, count in more.most_common() if sound(word, count)))))


def _text_words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


def held_out(count: int) -> dict[str, list[tuple[str, SceneGraph]]]:
    """Texts with gold graphs: `count` captions of real scenes of each split of the world that is not trained on.

    "pattern" holds the test captions that use `HELD_OUT_PATTERNS`, "test" all of them.
    """
    held: dict[str, list[tuple[str, SceneGraph]]] = {"pattern": []}
    for split in ("validation", "test"):
        captions = [caption_and_layout(seed, split)[1] for seed in range(count)]
        held[split] = [(caption.text, caption.graph) for caption in captions]
        held["pattern"] += [(c.text, c.graph) for c in captions if c.pattern in HELD_OUT_PATTERNS]
    return held
