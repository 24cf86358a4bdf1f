"""UDS-Time: how long people say that the events of the English Web Treebank's sentences last, and when they happen.

Source: github.com/decompositional-semantics-initiative/decomp (CC BY-SA 4.0); Vashishtha, Van Durme and White (2019),
"Fine-Grained Temporal Relation Extraction". The data set has two layers, in two files:

- Durations (`time.json`, the layer of sentences, normalised): for each predicate a value for each of eleven classes
  from "instant" to "forever", and a confidence. Annotators are merged: a class's value is positive if someone chose it.
- Timelines (`timelines.json`, the layer of documents, raw, UDS 2.0; decomp's
  `data/2.0/raw/document/annotations/time.zip`): for pairs of predicates, each annotator's begin and end of both on one
  slider from 0 to 100, as `rel-start1`, `rel-end1`, `rel-start2`, `rel-end2`.

Sentences are the treebank's; the name of a predicate, such as `ewt-train-2255-semantics-pred-6`, ends in the number of
its root word.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mov_ai.data.storybench import SPLITS, held_out
from mov_ai.errors import UsageError
from mov_ai.graph import Interval
from mov_ai.graph.files import read_json
from mov_ai.graph.time import DURATIONS

#: Steps of the duration scale by which two events must differ to be told apart; see `length_relation`.
LENGTH_TOLERANCE = 1.0
#: When the first of two events happens, relative to the second.
TIME_RELATIONS = ("before", "after", "includes", "included", "equal", "overlap")
#: Distance of two slider positions, of 100, that counts as none; see `time_relation`.
TIME_TOLERANCE = 5.0
_SLIDERS = ("rel-start1", "rel-end1", "rel-start2", "rel-end2")


@dataclass(frozen=True)
class TimedEvent:
    """A predicate of a sentence.

    Attributes:
        span: character range of its root word in the sentence's text.
        word: the root word's number in the treebank, from 1.
        durations: (11,) share of each class of `DURATIONS` in what annotators said; sums to 1.
        confidence: of the annotators, in [0, 1].
    """

    span: tuple[int, int]
    word: int
    durations: tuple[float, ...]
    confidence: float

    @property
    def length(self) -> float:
        """Mean position on the scale of `DURATIONS`, 0 (instant) to 10 (forever)."""
        return sum(i * share for i, share in enumerate(self.durations))


@dataclass(frozen=True)
class Timeline:
    """What annotators say of when two events of one sentence happen.

    Attributes:
        first, second: places in `TimedSentence.events`, in the order of the text.
        begin_end: per annotator, begin and end of the first and of the second event, each in [0, 100].
        weights: per annotator, the confidence (of 0 to 4) plus one, as shares that sum to 1.
    """

    first: int
    second: int
    begin_end: tuple[tuple[float, float, float, float], ...]
    weights: tuple[float, ...]

    @property
    def relation(self) -> tuple[float, ...]:
        """Share of each of `TIME_RELATIONS`."""
        shares = dict.fromkeys(TIME_RELATIONS, 0.0)
        for (begin1, end1, begin2, end2), weight in zip(self.begin_end, self.weights, strict=True):
            shares[time_relation((begin1, end1), (begin2, end2))] += weight
        return tuple(shares.values())


@dataclass(frozen=True)
class TimedSentence:
    """A sentence of the treebank with its events, in the order of the text.

    Attributes:
        id: UDS's name of the sentence, such as "ewt-train-2255".
        text: as the treebank gives it.
        document: the treebank's document.
        split: "train" or "held_out"; by a hash of the document, so that no document is on both sides.
        original: the treebank's own split, "train", "dev" or "test" (more annotators worked on the latter two).
    """

    id: str
    text: str
    events: tuple[TimedEvent, ...]
    timelines: tuple[Timeline, ...]
    document: str
    split: str
    original: str


def length_relation(first: float, second: float) -> str:
    """Which of `LENGTH_RELATIONS` holds between two mean positions on the scale of durations.

    "Same" is a difference below one step, that is below the step from one class to the next: annotators of one event
    differ by more than that as a rule (experiments/parser/timelines.md gives the figures).
    """
    if abs(first - second) < LENGTH_TOLERANCE:
        return "same"
    return "shorter" if first < second else "longer"


def time_relation(first: Interval, second: Interval, tolerance: float = TIME_TOLERANCE) -> str:
    """Which of `TIME_RELATIONS` holds between two intervals; ends that are within the tolerance count as one place.

    "before": the first ends by the time the second begins (Allen's before and meets). "includes": the second lies
    within the first, which sticks out at one end at least (contains, started by, finished by). "equal": both ends are
    the same. "overlap": what is left. "after" and "included" are the mirrors.
    """
    (begin1, end1), (begin2, end2) = first, second
    starts, ends = begin2 - begin1, end1 - end2
    if abs(starts) <= tolerance and abs(ends) <= tolerance:
        return "equal"
    if end1 <= begin2 + tolerance and begin1 < begin2:
        return "before"
    if end2 <= begin1 + tolerance and begin2 < begin1:
        return "after"
    if starts >= -tolerance and ends >= -tolerance:
        return "includes"
    if starts <= tolerance and ends <= tolerance:
        return "included"
    return "overlap"


def length_pairs(sentence: TimedSentence) -> Iterator[tuple[int, int, str]]:
    """All pairs of a sentence's events, in the order of the text, with their `length_relation`."""
    for i, j in itertools.combinations(range(len(sentence.events)), 2):
        yield i, j, length_relation(sentence.events[i].length, sentence.events[j].length)


def load_sentences(folder: str | Path, treebank: str | Path) -> list[TimedSentence]:
    """Read the sentences that have events with durations, and the timelines of their pairs where there are any.

    Pairs across sentences are left out: the parser's question is about one sentence.

    Args:
        folder: holds `time.json`, `ud_ids.json` and, if at hand, `timelines.json`.
        treebank: holds UD English-EWT's `train.conllu`, `dev.conllu` and `test.conllu`.

    Raises:
        UsageError: if a file is absent or of another kind.
    """
    folder = Path(folder)
    source = folder / "time.json"
    durations, names = read_json(source), read_json(folder / "ud_ids.json")
    texts = _treebank(Path(treebank))
    timelines = _timelines(folder / "timelines.json")
    sentences = []
    try:
        for uds_id in sorted(durations["data"]):
            text, words = texts[names[uds_id]["sentence_id"]]
            document = names[uds_id]["document_id"]
            events = [
                _event(words[word], word, attributes["time"])
                for word, attributes in sorted((_word(k), v) for k, v in durations["data"][uds_id].items())
                # The treebank has lost two words since UDS was made.
                if word in words
            ]
            events.sort(key=lambda event: event.span)
            place = {event.word: i for i, event in enumerate(events)}
            sentences.append(
                TimedSentence(
                    uds_id,
                    text,
                    tuple(events),
                    tuple(_in_sentence(timelines.get(uds_id, {}), place)),
                    document,
                    SPLITS[held_out(document)],
                    uds_id.split("-")[1],
                )
            )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            f"{source}: not UDS-Time's normalised durations of the sentences in {treebank} "
            f"({type(error).__name__}: {error}); fetch both again"
        ) from None
    return sentences


def _event(span: tuple[int, int], word: int, attributes: Mapping[str, Any]) -> TimedEvent:
    values = np.array([attributes[f"dur-{name}"]["value"] for name in DURATIONS])
    # Where one annotator alone answered, one class is positive and the confidence is 1: positive means "was chosen".
    chosen = np.maximum(values, 0.0)
    if not chosen.any():
        chosen = np.eye(len(DURATIONS))[values.argmax()]
    return TimedEvent(span, word, tuple((chosen / chosen.sum()).tolist()), attributes["dur-instant"]["confidence"])


def _word(name: str) -> int:
    return int(name.rsplit("-", 1)[1])


def _treebank(folder: Path) -> dict[str, tuple[str, dict[int, tuple[int, int]]]]:
    """Sentence name -> text, and the character range of each numbered word."""
    sentences = {}
    for part in ("train", "dev", "test"):
        path = folder / f"{part}.conllu"
        try:
            blocks = path.read_text(encoding="utf-8").strip().split("\n\n")
        except OSError as error:
            raise UsageError(f"{path}: cannot be read ({error.strerror}); fetch UD English-EWT") from None
        for block in blocks:
            lines = block.split("\n")
            fields = dict(line[2:].split(" = ", 1) for line in lines if line.startswith("# ") and " = " in line)
            text = fields.get("text", "")
            rows = [line.split("\t") for line in lines if line[:1].isdigit()]
            sentences[fields.get("sent_id", "")] = (text, _spans(text, rows))
    return sentences


def _spans(text: str, rows: list[list[str]]) -> dict[int, tuple[int, int]]:
    """Character ranges of the words; those of one written word ("don't", row "1-2") share its letters."""
    spans: dict[int, tuple[int, int]] = {}
    position, whole_end, last = 0, 0, 0
    for row in rows:
        number, form = row[0], row[1]
        if "." in number:  # an empty node has no letters
            continue
        start = text.find(form, position)
        if "-" in number:
            if start >= 0:
                last, position, whole_end = int(number.split("-")[1]), start, start + len(form)
            continue
        limit = whole_end if int(number) <= last else len(text)
        if start >= 0 and start + len(form) <= limit:
            spans[int(number)] = (start, start + len(form))
            position = start + len(form)
        elif int(number) <= last:
            # A part that is spelt differently inside the whole word gets the rest of the word.
            spans[int(number)] = (min(position, whole_end - 1), whole_end)
        if int(number) == last:
            position = whole_end
    return spans


def _timelines(path: Path) -> dict[str, dict[tuple[int, int], dict[str, Any]]]:
    """Sentence name -> (word, word) -> attributes, from the raw layer of documents; empty if there is no such file."""
    if not path.is_file():
        return {}
    timelines: dict[str, dict[tuple[int, int], dict[str, Any]]] = {}
    try:
        for edges in read_json(path)["data"].values():
            for name, attributes in edges.items():
                # "ewt-train-1-document-pred-3%%ewt-train-1-document-pred-9"
                (first, one), (second, two) = (end.split("-document-pred-") for end in name.split("%%"))
                if first == second and "time" in attributes:
                    timelines.setdefault(first, {})[int(one), int(two)] = attributes["time"]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            f"{path}: not UDS-Time's raw timelines of documents ({type(error).__name__}: {error}); fetch it again"
        ) from None
    return timelines


def _in_sentence(pairs: Mapping[tuple[int, int], Mapping[str, Any]], place: Mapping[int, int]) -> Iterator[Timeline]:
    for (one, two), attributes in sorted(pairs.items()):
        if one not in place or two not in place:
            continue
        annotators = sorted(attributes[_SLIDERS[0]]["value"])
        rows = np.array([[float(attributes[s]["value"][a]) for s in _SLIDERS] for a in annotators])
        weights = np.array([1.0 + float(attributes[_SLIDERS[0]]["confidence"][a]) for a in annotators])
        if place[one] > place[two]:
            one, two, rows = two, one, rows[:, [2, 3, 0, 1]]
        shares = tuple((weights / weights.sum()).tolist())
        yield Timeline(place[one], place[two], tuple(map(tuple, rows.tolist())), shares)
