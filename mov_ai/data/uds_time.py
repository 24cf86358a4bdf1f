"""UDS-Time: how long people say that the events of the English Web Treebank's sentences last.

Source: github.com/decompositional-semantics-initiative/decomp (CC BY-SA 4.0); Vashishtha, Van Durme and White (2019),
"Fine-Grained Temporal Relation Extraction". Of its two layers the one of sentences is read, normalised (`time.json`):
for each predicate a value for each of eleven classes from "instant" to "forever", and a confidence. Annotators are
merged: a class's value is positive if someone chose it.

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
from mov_ai.graph.files import read_json
from mov_ai.graph.time import DURATIONS

#: Steps of the duration scale by which two events must differ to be told apart; see `length_relation`.
LENGTH_TOLERANCE = 1.0


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


def length_pairs(sentence: TimedSentence) -> Iterator[tuple[int, int, str]]:
    """All pairs of a sentence's events, in the order of the text, with their `length_relation`."""
    for i, j in itertools.combinations(range(len(sentence.events)), 2):
        yield i, j, length_relation(sentence.events[i].length, sentence.events[j].length)


def load_sentences(folder: str | Path, treebank: str | Path) -> list[TimedSentence]:
    """Read the sentences that have events with durations.

    Args:
        folder: holds `time.json` and `ud_ids.json`.
        treebank: holds UD English-EWT's `train.conllu`, `dev.conllu` and `test.conllu`.

    Raises:
        UsageError: if a file is absent or of another kind.
    """
    folder = Path(folder)
    source = folder / "time.json"
    durations, names = read_json(source), read_json(folder / "ud_ids.json")
    texts = _treebank(Path(treebank))
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
            sentences.append(
                TimedSentence(
                    uds_id,
                    text,
                    tuple(events),
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
