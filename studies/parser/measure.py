"""The parser measured on FACTUAL, beside published figures, and on time in text: `python -m studies.parser.measure`."""

from __future__ import annotations

import argparse
import logging
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from rich.console import Console

from mov_ai.data.downloads import data_folder
from mov_ai.data.factual import SPLITS, FactualCaption, read_factual
from mov_ai.data.storybench import load_stories
from mov_ai.data.uds_time import load_sentences
from mov_ai.errors import UsageError, run_script
from mov_ai.evaluation.report.environment import environment
from mov_ai.graph import SceneGraph
from mov_ai.graph.convert import to_triples, triples_to_text
from mov_ai.graph.files import check_writable, write_bytes, write_json
from mov_ai.parser.confidence import Judged, judge
from mov_ai.parser.lexicon import EMBEDDED_LEXICON
from mov_ai.parser.parser import EMBEDDED_PARSER
from studies.parser.calibration import BINS, expected_calibration_error, reliability
from studies.parser.extractive_oracle import oracle_triples, predicate_labels, reachable_words
from studies.parser.parser_errors import (
    count_kinds,
    errors_csv,
    errors_markdown,
    find_errors,
    sample_errors,
)
from studies.parser.rare_words import by_rarest_word
from studies.parser.report import remarks, report, table
from studies.parser.scene_graph_metrics import lemmatized, set_match, spice
from studies.parser.span_times import TimingParser
from studies.parser.temporal_scores import evaluate_temporal
from studies.parser.temporal_sentences import PROMPTS
from studies.parser.timelines import evaluate_timelines
from studies.parser.wordnet import load_wordnet

if TYPE_CHECKING:
    from spacy.language import Language

log = logging.getLogger(__name__)

#: Set Match and SPICE F on random/test in per cent, from the README of github.com/zhuang-li/FACTUAL.
PUBLISHED = {
    "Flan-T5-large": (81.63, 93.20),
    "Flan-T5-base": (81.37, 93.27),
    "Flan-T5-small": (78.18, 92.26),
    "SPICE / Stanford": (19.30, 64.77),
}
#: Below so many captions that a parser has not seen, a figure would say nothing.
_FEWEST = 30
_DRAWS = 1000
_SPEED_CAPTIONS, _SPEED_RUNS, _SINGLE_CAPTIONS = 512, 5, 100


class Parser(Protocol):
    """What is measured: `TimingParser`, or a stand-in for tests."""

    spacy: Language

    def parse_batch(self, texts: Sequence[str], /) -> list[SceneGraph]:
        """A graph for each text. Raises UsageError where one cannot be parsed."""


@dataclass(frozen=True)
class Mean:
    """A mean over captions in [0, 1], with its 95 % bootstrap interval (percentiles over resampled captions)."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float], seed: int) -> Mean:
        """The mean of at least one value."""
        array = np.asarray(values, dtype=float)
        rng = np.random.default_rng(seed)
        means = [array[rng.integers(len(array), size=len(array))].mean() for _ in range(_DRAWS)]
        low, high = np.percentile(means, [2.5, 97.5])
        return cls(float(array.mean()), float(low), float(high))


@dataclass(frozen=True)
class Accuracy:
    """A parser's figures on n captions; `refused` is how many it could not parse, which count as empty graphs."""

    n: int
    set_match: Mean
    spice: Mean
    refused: int = 0


@dataclass(frozen=True)
class ParserSuite:
    """What the command line sets.

    Attributes:
        parser: folder of the parser; the embedded one if None. It is taken to be trained on random/train.
        length_parser: folder of a parser trained on length/train, for length/test; 92 % of the captions of length/test
            are in random/train, so a parser trained there cannot be measured on them.
        split: FACTUAL's splits to measure.
        limit: use only that many captions of each test part; None for all.
        batch_size: captions a call of the parser, for accuracy and speed.
        errors: how many wrong captions of random/test to draw for a person to check.
        seed: of the bootstrap and of that draw.
        time: also measure sentences about time and timelines.
    """

    parser: str | None = None
    length_parser: str | None = None
    split: Sequence[str] = SPLITS
    limit: int | None = None
    batch_size: int = 64
    errors: int = 50
    seed: int = 0
    time: bool = True

    def __post_init__(self) -> None:
        for name, least in (("limit", 1), ("batch_size", 1), ("errors", 0), ("seed", 0)):
            value = getattr(self, name)
            if value is None and name == "limit":
                continue
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise UsageError(f"{name}: expected a whole number from {least}; found {value!r}")
        if not self.split or set(self.split) - set(SPLITS):
            raise UsageError(f"split: expected one or both of {', '.join(SPLITS)}; found {self.split!r}")

    def run(self, output: Path, console: Console) -> dict[str, Any]:
        """Measure, print the table, write results.json, report.md and errors.{md,csv}; returns what is in results.json.

        Raises:
            UsageError: if a folder does not hold a parser.
            MovAIError: if data are missing or the output cannot be written.
        """
        check_writable(output)
        started = time.perf_counter()
        parser = TimingParser.from_pretrained(self.parser)
        length_parser = None if self.length_parser is None else TimingParser.from_pretrained(self.length_parser)
        result = self.measure(parser, length_parser, output)
        result["size_mb"] = size_mb(Path(self.parser) if self.parser else EMBEDDED_PARSER, parser)
        result["seconds"] = round(time.perf_counter() - started, 1)
        write_json(output / "results.json", result)
        write_bytes(output / "report.md", report(result).encode("utf-8"))
        console.print(table(result))
        for line in remarks(result):
            console.print(line, highlight=False, soft_wrap=True)
        console.print(f"written: {output}/results.json, report.md", highlight=False, soft_wrap=True)
        return result

    def measure(self, parser: Parser, length_parser: Parser | None, output: Path) -> dict[str, Any]:
        """All figures but size, ready for JSON; writes the drawn errors into `output`."""
        settings = {**asdict(self), "split": list(self.split)}
        result: dict[str, Any] = {"suite": "parser", "settings": settings, "environment": environment()}
        result["published"] = {
            name: {"set_match": pair[0] / 100, "spice": pair[1] / 100} for name, pair in PUBLISHED.items()
        }
        result["accuracy"], result["oracle"], result["remarks"] = {}, {}, []
        training = [caption.caption for caption in read_factual("random", "train")]
        training_captions = set(training)
        for split in self.split:
            captions = read_factual(split, "test")[: self.limit]
            result["oracle"][split] = self._oracle(parser, split, captions)
            if split == "random":
                graphs, refused = self.parse(parser, captions)
                result["accuracy"]["random"] = asdict(self.accuracy(captions, graphs, refused))
                result["accuracy"]["random_lemmatized"] = asdict(self.accuracy(captions, graphs, refused, lemmatized))
                result["calibration"] = calibration(graphs, captions)
                right = [set(to_triples(g)) == set(c.triples) for g, c in zip(graphs, captions, strict=True)]
                rows = by_rarest_word(training, [caption.caption for caption in captions], right)
                result["rare_words"] = [row._asdict() for row in rows]
                result["errors"] = self._errors(captions, graphs, output)
            else:
                self._measure_length(captions, training_captions, parser, length_parser, result)
        accuracy = result["accuracy"]
        if "random" in accuracy and "length" in accuracy:
            result["gap"] = {
                name: accuracy["random"][name]["value"] - accuracy["length"][name]["value"]
                for name in ("set_match", "spice")
            }
        speed_captions = [caption.caption for caption in read_factual("random", "test")[:_SPEED_CAPTIONS]]
        result["speed"] = speed(parser, speed_captions[: self.limit], self.batch_size)
        if self.time:
            result["time"] = time_in_text(parser, result["remarks"])
        return result

    def _measure_length(
        self,
        captions: Sequence[FactualCaption],
        training_captions: set[str],
        parser: Parser,
        length_parser: Parser | None,
        result: dict[str, Any],
    ) -> None:
        new = [caption for caption in captions if caption.caption not in training_captions]
        overlap = f"{len(captions) - len(new)} of {len(captions)} captions of length/test are in random/train"
        result["length_test_captions_in_random_train"] = len(captions) - len(new)
        if length_parser is not None:
            graphs, refused = self.parse(length_parser, captions)
            result["accuracy"]["length"] = asdict(self.accuracy(captions, graphs, refused))
        else:
            result["remarks"].append(
                f"length/test is not measured: {overlap}; give a parser trained on length/train with length_parser="
            )
        if len(new) >= _FEWEST:
            graphs, refused = self.parse(parser, new)
            result["accuracy"]["length_unseen"] = asdict(self.accuracy(new, graphs, refused))
        else:
            result["remarks"].append(f"{overlap}: too few are left for the parser trained on random/train")

    def parse(self, parser: Parser, captions: Sequence[FactualCaption]) -> tuple[list[SceneGraph], int]:
        """Graphs of all captions, and how many the parser refused: those get an empty graph."""
        graphs = parse_all(parser, [caption.caption for caption in captions], self.batch_size)
        empty = SceneGraph.from_dict({"version": 1, "nodes": []})
        return [graph or empty for graph in graphs], graphs.count(None)

    def accuracy(
        self,
        captions: Sequence[FactualCaption],
        graphs: Sequence[SceneGraph],
        refused: int,
        form: Callable[[str], str] = str,
    ) -> Accuracy:
        """Set Match and SPICE F of the graphs of captions; `form` is done to the text of both sides' triples."""
        return self._compare([triples_to_text(to_triples(graph)) for graph in graphs], captions, refused, form)

    def _compare(
        self,
        texts: Sequence[str],
        captions: Sequence[FactualCaption],
        refused: int = 0,
        form: Callable[[str], str] = str,
    ) -> Accuracy:
        golds = [caption.graph for caption in captions]
        pairs = [(form(text), form(gold)) for text, gold in zip(texts, golds, strict=True)]
        matches = Mean.of([set_match(*pair) for pair in pairs], self.seed)
        return Accuracy(len(pairs), matches, Mean.of([spice(*pair) for pair in pairs], self.seed), refused)

    def _oracle(self, parser: Parser, split: str, captions: Sequence[FactualCaption]) -> dict[str, Any]:
        wordnet = load_wordnet()
        sayable = []
        for caption, doc in zip(captions, parser.spacy.pipe(c.caption for c in captions), strict=True):
            tokens = [*(token.text for token in doc), *caption.caption.split()]
            sayable.append(reachable_words(tokens, [token.lemma_ for token in doc], wordnet))
        labels = predicate_labels(read_factual(split, "train"))
        result = {}
        for name, known in (("words", frozenset[str]()), ("words, labels", labels)):
            oracles = (oracle_triples(c.triples, words, known) for c, words in zip(captions, sayable, strict=True))
            texts = [triples_to_text(triples) for triples in oracles]
            result[name] = {**asdict(self._compare(texts, captions)), "labels": len(known)}
        return result

    def _errors(self, captions: Sequence[FactualCaption], graphs: Sequence[SceneGraph], output: Path) -> dict[str, Any]:
        mistakes = find_errors(captions, [to_triples(graph) for graph in graphs])
        if self.errors and mistakes:
            drawn = sample_errors(mistakes, self.errors, self.seed)
            write_bytes(output / "errors.csv", errors_csv(drawn).encode("utf-8"))
            write_bytes(output / "errors.md", errors_markdown(drawn).encode("utf-8"))
        return {"captions": len(captions), "wrong": len(mistakes), "kinds": count_kinds(mistakes)}


def parse_all(parser: Parser, texts: Sequence[str], batch_size: int) -> list[SceneGraph | None]:
    """Graphs of all texts, None for those that the parser refuses."""
    graphs: list[SceneGraph | None] = []
    with warnings.catch_warnings():
        # A misspelt caption may not look English; all of these are.
        warnings.simplefilter("ignore", UserWarning)
        for chunk in _chunks(texts, batch_size):
            try:
                graphs += parser.parse_batch(chunk)
            except UsageError:
                for text in chunk:
                    try:
                        graphs += parser.parse_batch([text])
                    except UsageError as error:
                        log.warning("refused: %r (%s)", text, error)
                        graphs.append(None)
    return graphs


def calibration(graphs: Sequence[SceneGraph], captions: Sequence[FactualCaption]) -> dict[str, Any]:
    """Expected calibration error and reliability table of nodes and of edges."""

    def figures(judged: Judged) -> dict[str, Any]:
        rows = [asdict(row) for row in reliability(judged) if row.n]
        return {"n": len(judged.right), "ece": expected_calibration_error(judged), "bins": BINS, "reliability": rows}

    nodes, edges = judge(graphs, [caption.triples for caption in captions])
    return {"nodes": figures(nodes), "edges": figures(edges)}


def speed(parser: Parser, captions: Sequence[str], batch_size: int) -> dict[str, Any]:
    """Captions per second in batches, and milliseconds for one; medians after one unmeasured run."""
    # This first run also says which captions are refused; only the others are timed.
    graphs = parse_all(parser, captions, batch_size)
    captions = [caption for caption, graph in zip(captions, graphs, strict=True) if graph is not None]
    if not captions:
        raise UsageError("the parser refuses every caption of random/test; give another parser")
    words = sum(len(caption.split()) for caption in captions) / len(captions)
    rates, singles = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for _ in range(_SPEED_RUNS):
            started = time.perf_counter()
            for texts in _chunks(captions, batch_size):
                parser.parse_batch(texts)
            rates.append(len(captions) / (time.perf_counter() - started))
        for caption in captions[:_SINGLE_CAPTIONS]:
            started = time.perf_counter()
            parser.parse_batch([caption])
            singles.append(1000 * (time.perf_counter() - started))
    return {
        "captions": len(captions),
        "words_per_caption": round(words, 2),
        "batch_size": batch_size,
        "runs": _SPEED_RUNS,
        "captions_per_second": round(statistics.median(rates), 1),
        "captions_per_second_of_each_run": [round(rate, 1) for rate in rates],
        "ms_one_caption": round(statistics.median(singles), 2),
    }


def time_in_text(parser: Any, notes: list[str]) -> dict[str, Any]:
    """Figures on held-out sentences about time, on prompts, on human timelines; what is left out goes into `notes`."""
    result: dict[str, Any] = {
        "sentences": evaluate_temporal(parser),
        "prompts": evaluate_temporal(parser, path=PROMPTS),
    }
    if hasattr(parser, "timeline"):
        stories = load_stories(data_folder("storybench"))
        sentences = load_sentences(data_folder("uds_time"), data_folder("ud_english_ewt"))
        result["timelines"] = evaluate_timelines(parser, stories, sentences)
    else:
        notes.append("StoryBench and UDS-Time are not measured: this parser gives no timeline of pieces of text")
    return result


def size_mb(folder: Path, parser: Parser) -> dict[str, float]:
    """Size on disk of the parser's folder, of the word vectors and of the spaCy pipeline, in units of 10^6 bytes."""

    def size(place: Path | None) -> float:
        files = [path for path in place.rglob("*") if path.is_file()] if place else []
        return sum(path.stat().st_size for path in files) / 1e6

    parts = {"parser": size(folder), "words": size(EMBEDDED_LEXICON.parent), "spacy": size(parser.spacy.path)}
    return {name: round(value, 2) for name, value in (*parts.items(), ("total", sum(parts.values())))}


def _chunks(texts: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(texts), size):
        yield texts[start : start + size]


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m studies.parser.measure", description=__doc__)
    parser.add_argument("--parser", help="folder of a parser trained on random/train; the embedded one if not given")
    parser.add_argument("--length-parser", help="folder of a parser trained on length/train, for length/test")
    parser.add_argument("--split", nargs="+", choices=SPLITS, default=list(SPLITS), help="FACTUAL's splits")
    parser.add_argument("--limit", type=int, help="captions of each test part; all if not given")
    parser.add_argument("--errors", type=int, default=50, help="wrong captions drawn for a person to check")
    parser.add_argument("--no-time", dest="time", action="store_false", help="without sentences about time")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap and of that draw")
    parser.add_argument("--out", type=Path, default=Path("runs/evaluate/parser"), help="folder for the report")
    return parser.parse_args(given)


def main(given: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    options = vars(arguments(given))
    output = options.pop("out")
    return run_script(
        "measure", lambda: ParserSuite(**options).run(output, Console()), "stopped; no report was written"
    )


if __name__ == "__main__":
    sys.exit(main())
