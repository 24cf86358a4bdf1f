"""Training of the scene-graph parser: its captions as samples, the loss, and figures against gold graphs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from mov_ai.captions.caption import CaptionSource
from mov_ai.captions.prompts import PromptCaptions, prompt_words
from mov_ai.captions.stories import TemporalCaptions
from mov_ai.data.downloads import data_folder
from mov_ai.data.factual import read_factual
from mov_ai.data.storybench import load_stories
from mov_ai.data.uds_time import load_sentences
from mov_ai.errors import UsageError
from mov_ai.graph import SceneGraph
from mov_ai.graph.convert import to_triples
from mov_ai.parser.confidence import Calibration, fit_scaling, judge
from mov_ai.parser.loading import load_networks, save_parser
from mov_ai.parser.network import CompositionalSceneParser, ParserConfig
from mov_ai.parser.parser import SceneGraphParser
from mov_ai.parser.spacy_pipeline import EMBEDDED_PIPELINE, load_spacy
from mov_ai.parser.spelling import Corrected
from mov_ai.parser.token_graph import FEATURES, FORM_FEATURES, WORD_FEATURES, token_graphs
from mov_ai.parser.vocabulary import Vocabulary
from mov_ai.training.array_cache import cached_samples, fingerprint
from mov_ai.training.distillation import Teachers, exchange_words, load_members
from mov_ai.training.factual_alignment import (
    Aligner,
    Captioned,
    build_vocabulary,
    factual_sample,
    known_words,
    read_captions,
)
from mov_ai.training.graph_alignment import make_sample
from mov_ai.training.objective import Objective, Progress
from mov_ai.training.parser_figures import figures, held_out, triple_figures
from mov_ai.training.parser_loss import parser_loss
from mov_ai.training.parser_samples import IGNORED, Sample, collate
from mov_ai.training.timelines import collate_timelines, timeline_samples
from mov_ai.worlds.stage.world import StagedCaptions
from mov_ai.worlds.tabletop.world_captions import WorldCaptions

if TYPE_CHECKING:
    from spacy.language import Language

#: Part of the cache's name: raise it when samples are built differently.
_CACHE_VERSION = 10
#: Captions of each grammar that are looked at for their words; of prompts, whose words are many, more.
_SAMPLED, _SAMPLED_PROMPTS = 1500, 5000
#: A word seen n times is hidden, but for its spelling and meaning, with the chance share / (1 + n / often).
_SELDOM_SHARE, _OFTEN = 0.4, 10.0
SOURCES = ("factual", "world", "temporal", "prompts", "staged", "timelines")
#: Sources whose events are at one time only where a word says so; the labels and words of these are learnt later.
_PROMPTS = ("prompts", "staged")


class ParserObjective(Objective):
    """Teaches the parser's network to read: FACTUAL's captions, the embedded world's, temporal ones, human timelines.

    Each step shows captions of one source, so that short ones are not padded to the length of long ones; sources are
    drawn with the chances `shares`. In all of them some words are hidden, and the network also guesses them.

    Args:
        seed: of first weights, batches and captions.
        batch_size: captions per batch of FACTUAL's; the longer ones of the other sources come in fewer.
        split: FACTUAL's split, "random" or "length".
        captions: distinct training captions of each other source.
        shares: source -> share of the steps: factual, world, temporal, prompts (none as shipped), staged (prompts that
            say how things move and where), timelines (StoryBench, UDS-Time).
        substituted: share of the world's captions with words that the world does not know.
        validation: captions of each of the splits "validation" and "test" of the world that figures are measured on.
        hidden_words: share of tokens whose word features are hidden in training.
        hidden_syntax: share of captions whose tags and dependencies are hidden in training.
        teachers: exported parsers that are imitated on FACTUAL's captions; one of them, by the seed, gives the first
            weights.
        imitation: weight of the teachers' word, of people's what is left to 1.
        partners: exported parsers, whose networks' word counts as much as this run's own in the parser that it
            exports; "FOLDER@1" is the second network of one alone.
        made_up: share of FACTUAL's captions in which words are exchanged, for the teachers alone to speak of.
        network: settings of `ParserConfig`.

    Raises:
        UsageError: if a source is unknown, or a teacher or partner is not there.
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
        #: (folder, number of the network or None for all of them)
        self.partners = [_partner(name) for name in partners]
        for folder in (*self.teacher_folders, *(folder for folder, _ in self.partners)):
            if not (folder / "config.json").is_file():
                raise UsageError(f"{folder}: no parser there; train it first, as recipes/parser.sh does")
        self.teachers: Teachers | None = None
        self.imitation, self.made_up = imitation, made_up
        #: By source; those of "timelines" are `TimelineSample`s.
        self.samples: dict[str, list[Any]] = {}
        self._lengths: dict[str, np.ndarray] = {}
        self.held: dict[str, list[tuple[str, SceneGraph]]] = {}
        self.factual: list[Captioned] = []
        self.settings = dict(network or {})
        # Made by `prepare`: how many labels there are is known once FACTUAL is read.
        self.spacy: Language | None = None
        self.vocabulary = Vocabulary()
        self._module: CompositionalSceneParser | None = None
        #: How often each form is seen in the captions, by its number.
        self._form_counts = np.zeros(FEATURES["form"], dtype=np.int64)

    def config(self) -> dict[str, Any]:
        names = ("split", "captions", "shares", "substituted", "hidden_words", "hidden_syntax", "imitation", "made_up")
        return {
            **super().config(),
            **{name: getattr(self, name) for name in names},
            "teachers": [str(folder) for folder in self.teacher_folders],
            "partners": [str(folder) if number is None else f"{folder}@{number}" for folder, number in self.partners],
            "network": self.settings,
        }

    def module(self) -> torch.nn.Module:
        if self._module is None:
            raise RuntimeError("module() before prepare(): the vocabulary is not known yet")
        return self._module

    def prepare(self, device: torch.device, progress: Progress) -> None:
        """Read, tag and align the captions; those of grammars are kept in the user's cache."""
        self.spacy = load_spacy()
        if self.teacher_folders:
            # A student reads as its teachers do, and knows what only prompts say.
            words = load_networks(self.teacher_folders[0])[1].vocabulary
            for name in _PROMPTS:
                if name in self.shares:
                    words = words.extended(*prompt_words(self._source(name), _SAMPLED_PROMPTS))
        else:
            words = Vocabulary(words=known_words(read_factual(self.split, "train"), self._other_texts()))
        captions = read_captions(self.spacy, self.split, "train", words)
        aligner = Aligner(captions)
        aligned = [aligner.align(caption) for caption in captions]
        vocabulary = words if self.teacher_folders else build_vocabulary(captions, aligned, words.words)
        self.vocabulary = vocabulary
        sizes = {name: len(getattr(vocabulary, name)) for name in ("forms", "labels", "endings")}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self._module = CompositionalSceneParser(ParserConfig(**{**self.settings, **sizes}))
        if self.teacher_folders:
            self.teachers = Teachers([member.to(device) for member in load_members(self.teacher_folders, vocabulary)])
            # Partners of other seeds begin with other teachers, so that they differ.
            first = self.teachers.networks[self.seed % len(self.teachers.networks)]
            self._module.load_state_dict(first.state_dict())
        for name in self.shares:
            if name == "factual":
                parts = zip(captions, aligned, strict=True)
                self.samples[name] = [factual_sample(caption, places, vocabulary) for caption, places in parts]
            elif name == "timelines":
                folders = [data_folder(name) for name in ("storybench", "uds_time", "ud_english_ewt")]
                stories, timed = load_stories(folders[0]), load_sentences(*folders[1:])
                self.samples[name] = timeline_samples(stories, timed, vocabulary.known, _cache_folder(), progress)
            else:
                self.samples[name] = self._cached(name, self.spacy, progress)
            self._lengths[name] = np.array([len(sample) for sample in self.samples[name]])
            for sample in self.samples[name] if name != "timelines" else ():
                np.add.at(self._form_counts, sample.features[:, list(FEATURES).index("form")], 1)
        if "factual" in self.shares:
            self.factual = read_captions(self.spacy, self.split, "dev", vocabulary)
        if "world" in self.shares:
            self.held = held_out(self.validation)

    def _other_texts(self) -> Iterator[str]:
        """Some texts of the other sources; of both grammars, whichever of them a run trains on."""
        for name in ("world", "temporal", *(name for name in _PROMPTS if name in self.shares)):
            source = self._source(name)
            yield from (source.caption(i)[0] for i in range(min(_SAMPLED, self.captions)))
        if "timelines" in self.shares:
            yield from (story.text for story in load_stories(data_folder("storybench")) if story.split == "train")

    def _source(self, name: str) -> CaptionSource:
        if name == "world":
            return WorldCaptions("train", self.substituted)
        if name == "prompts":
            return PromptCaptions("train")
        if name == "staged":
            return StagedCaptions("train")
        return TemporalCaptions("train", every_pattern=True)

    def _cached(self, name: str, nlp: Language, progress: Progress) -> list[Sample]:
        source = self._source(name)

        def build() -> Iterator[Sample]:
            for start in range(0, self.captions, 256):
                drawn = [source.caption(i) for i in range(start, min(start + 256, self.captions))]
                graphs = token_graphs([Corrected(text) for text, _, _ in drawn], nlp, self.vocabulary.known)
                for tokens, (_, graph, mentions) in zip(graphs, drawn, strict=True):
                    yield make_sample(tokens, graph, mentions, self.vocabulary, open_order=name in _PROMPTS)
                progress(start + len(drawn), self.captions, f"{name} captions")

        some = [source.caption(i)[0] for i in range(0, self.captions, max(1, self.captions // 50))]
        key = fingerprint(EMBEDDED_PIPELINE, [some, FEATURES, self.vocabulary.to_dict(), self.captions])
        return cached_samples(_cache_folder() / f"v{_CACHE_VERSION}-{key}.npz", Sample, build)

    def batch(self, step: int) -> dict[str, Tensor]:
        """Samples drawn by (seed, step): see `collate` for the tensors."""
        rng = np.random.Generator(np.random.PCG64([self.seed, step]))
        names = list(self.shares)
        shares = np.array([self.shares[name] for name in names])
        name = names[int(rng.choice(len(names), p=shares / shares.sum()))]
        batch = self._collated(name, rng)
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
        seldom = mask & (rng.random(mask.shape) < _SELDOM_SHARE / (1 + self._form_counts[form] / _OFTEN))
        for feature in FORM_FEATURES:
            features[seldom, place[feature]] = 0
        blind = rng.random(len(mask)) < self.hidden_syntax
        hidden = blind[:, None] | (rng.random(mask.shape) < 0.04)
        for feature in ("pos", "tag", "dep"):
            features[hidden, place[feature]] = 0
        batch["relation"][torch.from_numpy(blind)] = 0
        return batch

    def _collated(self, source: str, rng: np.random.Generator) -> dict[str, Tensor]:
        """A batch of a source's samples of about one length, for the sake of little padding."""
        size = self.batch_size if source == "factual" else max(1, self.batch_size // 3)
        lengths = self._lengths[source]
        pool = rng.choice(len(lengths), size=min(len(lengths), 12 * size), replace=False)
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        start = int(rng.integers(max(1, len(pool) - size + 1)))
        picked = [self.samples[source][int(i)] for i in pool[start : start + size]]
        return collate_timelines(picked) if source == "timelines" else collate(picked, self.vocabulary)

    def loss(
        self, module: torch.nn.Module, batch: dict[str, Tensor], generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        return parser_loss(module, batch, self.teachers, self.imitation)

    def validate(self, module: torch.nn.Module) -> dict[str, float]:
        assert isinstance(module, CompositionalSceneParser)
        assert self.spacy is not None
        parser = SceneGraphParser([module], self.spacy, self.vocabulary)
        result: dict[str, float] = {}
        if self.factual:
            predicted = [to_triples(graph) for graph in parser.parse_batch([c.text for c in self.factual])]
            factual = triple_figures(predicted, [caption.triples for caption in self.factual])
            result |= {f"factual_{name}": value for name, value in factual.items()}
        for name, pairs in self.held.items():
            predicted_graphs = parser.parse_batch([text for text, _ in pairs])
            agreement = figures(predicted_graphs, [gold for _, gold in pairs])
            result |= {f"{name}_{key}": value for key, value in agreement.items()}
        return result

    def export(self, module: torch.nn.Module, directory: Path, card: dict[str, Any]) -> None:
        assert isinstance(module, CompositionalSceneParser)
        device = next(module.parameters()).device
        networks = [module]
        for folder, number in self.partners:
            members = load_members([folder], self.vocabulary)
            if number is not None and number >= len(members):
                raise UsageError(f"partners: {folder}: expected a network from 0 to {len(members) - 1}; found {number}")
            networks += [one.to(device) for one in (members if number is None else [members[number]])]
        calibration = Calibration()
        if self.factual and self.spacy is not None:
            calibration = fitted_calibration(networks, self.spacy, self.vocabulary, self.factual)
        save_parser(networks, self.vocabulary, directory, calibration)
        (directory / "card.json").write_text(json.dumps(card, indent=2, default=str) + "\n", encoding="utf-8")


def fitted_calibration(
    networks: Sequence[CompositionalSceneParser], spacy: Language, vocabulary: Vocabulary, factual: Sequence[Captioned]
) -> Calibration:
    """Of a parser's confidences, on captions of FACTUAL, as far as their triples judge nodes and edges."""
    parser = SceneGraphParser(networks, spacy, vocabulary)
    graphs = parser.parse_batch([caption.text for caption in factual])
    judged = judge(graphs, [caption.triples for caption in factual])
    return Calibration(*(fit_scaling(part.confidences, part.right) for part in judged))


def _partner(name: str) -> tuple[Path, int | None]:
    folder, at, number = name.rpartition("@")
    return (Path(folder), int(number)) if at and number.isdecimal() else (Path(name), None)


def _cache_folder() -> Path:
    return Path(os.environ.get("MOV_AI_CACHE") or Path.home() / ".cache" / "mov_ai") / "parser"
