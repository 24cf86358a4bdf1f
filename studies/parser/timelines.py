"""How well a parser's times agree with people's: StoryBench's sentence lengths, UDS-Time's durations of events.

All intervals of figures are 95 % bootstrap intervals over sources (videos, documents): the samples of one source are
not independent. Every figure is on the held-out sources only.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from mov_ai.data.storybench import Story, intervals_of
from mov_ai.data.uds_time import TimedSentence, length_pairs
from mov_ai.errors import UsageError
from mov_ai.graph import Interval, Node, SceneGraph
from mov_ai.graph.time import LENGTH_RELATIONS
from studies.parser.span_times import SpanTimes

#: Texts per call of the parser.
_BATCH = 32


class TimelineParser(Protocol):
    """What is measured: `studies.parser.span_times.TimingParser`, or a stand-in."""

    def __call__(self, text: str) -> SceneGraph:
        """The text's scene graph. Raises UsageError where it refuses the text."""

    def timeline(self, texts: Sequence[str], spans: Sequence[Sequence[tuple[int, int]]]) -> list[SpanTimes]:
        """Times of given pieces of texts, straight from the network's heads.

        Args:
            texts: any that the parser reads; they need no graph of at most 64 nodes.
            spans: per text, S character ranges: words (an event's verb), clauses or sentences. A range that touches no
                token takes the nearest one.

        Returns:
            Per text what `SpanTimes` says of its S ranges, in the order given.
        """


def evaluate_timelines(
    parser: TimelineParser, stories: Sequence[Story], sentences: Sequence[TimedSentence]
) -> dict[str, dict[str, float]]:
    """All figures of a parser.

    Args:
        parser: see `TimelineParser`.
        stories: all of StoryBench; the held-out ones with two sentences or more are used.
        sentences: all of UDS-Time; the held-out ones with two events or more are used, the others say which class is
            the most common.

    Returns:
        "storybench": `story_figures` of the intervals of the scene graphs. "storybench_head": the same, of the shares
        that `timeline` gives the sentences. "uds_time": `length_figures` of `timeline`'s relations.
        "uds_time_graph": `graph_figures`.
    """
    held_out = [story for story in stories if story.split == "held_out" and len(story.sentences) > 1]
    predicted = [graph_events(parser, story) for story in held_out]
    shares = [
        [[(0, interval)] for interval in intervals_of(np.exp(times.log_duration - times.log_duration.max()).tolist())]
        for times in _times(parser, [s.text for s in held_out], [s.spans for s in held_out])
    ]
    timed = [sentence for sentence in sentences if sentence.split == "held_out" and len(sentence.events) > 1]
    times = _times(parser, [s.text for s in timed], [[e.span for e in s.events] for s in timed])
    return {
        "storybench": story_figures(held_out, predicted),
        "storybench_head": story_figures(held_out, shares),
        "uds_time": length_figures(timed, times, [s for s in sentences if s.split == "train"]),
        "uds_time_graph": graph_figures(timed, [_parse(parser, s.text) for s in timed]),
    }


def _times(parser: TimelineParser, texts: Sequence[str], spans: Sequence[Sequence[tuple[int, int]]]) -> list[SpanTimes]:
    result = []
    for start in range(0, len(texts), _BATCH):
        result += parser.timeline(texts[start : start + _BATCH], spans[start : start + _BATCH])
    return result


def _parse(parser: TimelineParser, text: str) -> SceneGraph | None:
    try:
        return parser(text)
    except UsageError:
        return None


# -- StoryBench --------------------------------------------------------------------------------------------------------

#: Per sentence, its events: (number, interval). The number only distinguishes them.
TimedEvents = Sequence[Sequence[tuple[int, Interval]]]


def graph_events(parser: TimelineParser, story: Story) -> TimedEvents:
    """The events of a story's scene graph by the sentence that their words stand in; none if the parser refuses it."""
    graph = _parse(parser, story.text)
    events = graph.of_type("event") if graph else []
    return [
        [(i, e.interval) for i, e in enumerate(events) if e.span is not None and start <= e.span[0] < end]
        for start, end in story.spans
    ]


def story_figures(stories: Sequence[Story], predicted: Sequence[TimedEvents]) -> dict[str, float]:
    """Agreement of predicted times with the sentences' annotated intervals.

    A sentence's predicted interval is the hull of its events'. A sentence without an event counts as overlap 0, and
    as one event all of whose pairs are wrong.

    Args:
        stories: with two sentences or more each.
        predicted: per story and sentence, the predicted events.

    Returns:
        `order`: share of the pairs of events of different sentences whose centres are in the sentences' order;
        `order_apart`: the same, and the first must end by the time the second begins; `iou`: mean overlap (length of
        the intersection over that of the hull) of sentences; `iou_even_split`: of equal parts; `iou_gain`: the
        difference; each with `_low` and `_high`; `without_event`: share of sentences; `sentences`, `pairs`, `stories`.
    """
    rows: dict[str, list[tuple[float, float]]] = {name: [] for name in ("order", "order_apart", "iou", "even", "gain")}
    empty = 0
    for story, sentences in zip(stories, predicted, strict=True):
        hulls = [_hull([interval for _, interval in events]) if events else None for events in sentences]
        overlap = [0.0 if h is None else iou(h, gold) for h, gold in zip(hulls, story.intervals, strict=True)]
        even = [
            iou(e, gold) for e, gold in zip(intervals_of([1.0] * len(story.sentences)), story.intervals, strict=True)
        ]
        empty += hulls.count(None)
        rows["iou"].append((sum(overlap), len(overlap)))
        rows["even"].append((sum(even), len(even)))
        rows["gain"].append((sum(overlap) - sum(even), len(even)))
        right = apart = pairs = 0
        for first, second in itertools.combinations(sentences, 2):
            pairs += max(len(first), 1) * max(len(second), 1)
            for (_, a), (_, b) in itertools.product(first, second):
                right += a[0] + a[1] < b[0] + b[1]
                # Intervals of graphs are rounded to four places.
                apart += a[1] <= b[0] + 2e-4
        rows["order"].append((right, pairs))
        rows["order_apart"].append((apart, pairs))
    groups = [story.source for story in stories]
    names = {"order": "order", "order_apart": "order_apart", "iou": "iou", "even": "iou_even_split", "gain": "iou_gain"}
    result: dict[str, float] = {}
    for name, figure_name in names.items():
        result |= mean_with_interval(figure_name, rows[name], groups)
    count = sum(len(story.sentences) for story in stories)
    pair_count = float(sum(total for _, total in rows["order"]))
    sizes = {"without_event": empty / max(count, 1), "sentences": float(count), "pairs": pair_count}
    return {**result, **sizes, "stories": float(len(stories))}


def iou(a: Interval, b: Interval) -> float:
    """Length of the intersection over that of the union; 0 for intervals apart."""
    shared = min(a[1], b[1]) - max(a[0], b[0])
    return max(shared, 0.0) / (a[1] - a[0] + b[1] - b[0] - max(shared, 0.0))


def _hull(intervals: Sequence[Interval]) -> Interval:
    return min(start for start, _ in intervals), max(end for _, end in intervals)


# -- UDS-Time ----------------------------------------------------------------------------------------------------------


def length_figures(
    sentences: Sequence[TimedSentence], times: Sequence[SpanTimes], training: Sequence[TimedSentence]
) -> dict[str, float]:
    """Agreement with what people say of how long events last.

    Args:
        sentences: held out.
        times: per sentence, of its events' spans.
        training: what the most common relation and the middle length are taken from.

    Returns:
        `accuracy` of the relation "shorter, same, longer" of pairs, that of the class most common in training
        (`majority`), their difference (`margin`), each with `_low` and `_high`; `macro_f1`, and that of the majority
        class; `longer`: share of the pairs that differ whose longer event is told rightly, "same" being no answer;
        `length_error`: mean distance of the mean length from people's in steps of the scale, and that of the
        training events' median (`length_error_median`), with the difference (`length_gain`); `pairs`, `events`.
    """
    common = Counter(relation for s in training for _, _, relation in length_pairs(s)).most_common(1)[0][0]
    middle = float(np.median([event.length for s in training for event in s.events]))
    gold: list[str] = []
    guess: list[str] = []
    rows: dict[str, list[tuple[float, float]]] = {n: [] for n in ("accuracy", "majority", "margin", "error", "median")}
    rows["gain"], rows["longer"] = [], []
    for sentence, predicted in zip(sentences, times, strict=True):
        pairs = list(length_pairs(sentence))
        predicted_relations = [LENGTH_RELATIONS[int(predicted.relation[i, j].argmax())] for i, j, _ in pairs]
        gold += [relation for _, _, relation in pairs]
        guess += predicted_relations
        right = sum(a == b for (_, _, a), b in zip(pairs, predicted_relations, strict=True))
        base = sum(relation == common for _, _, relation in pairs)
        rows["accuracy"].append((right, len(pairs)))
        rows["majority"].append((base, len(pairs)))
        rows["margin"].append((right - base, len(pairs)))
        # Without its middle, a relation's index is twice the answer to "is the first longer?".
        first = [
            predicted.relation[i, j, ::2].argmax() * 2 == LENGTH_RELATIONS.index(r) for i, j, r in pairs if r != "same"
        ]
        rows["longer"].append((float(sum(first)), len(first)))
        length = np.array([event.length for event in sentence.events])
        error = float(np.abs(predicted.duration @ np.arange(predicted.duration.shape[1]) - length).sum())
        median_error = float(np.abs(middle - length).sum())
        rows["error"].append((error, len(length)))
        rows["median"].append((median_error, len(length)))
        rows["gain"].append((median_error - error, len(length)))
    groups = [sentence.document for sentence in sentences]
    names = {"error": "length_error", "median": "length_error_median", "gain": "length_gain"}
    result: dict[str, float] = {}
    for name, values in rows.items():
        result |= mean_with_interval(names.get(name, name), values, groups)
    result["macro_f1"] = macro_f1(gold, guess, LENGTH_RELATIONS)
    result["macro_f1_majority"] = macro_f1(gold, [common] * len(gold), LENGTH_RELATIONS)
    return {**result, "pairs": float(len(gold)), "events": float(sum(len(s.events) for s in sentences))}


def graph_figures(sentences: Sequence[TimedSentence], graphs: Sequence[SceneGraph | None]) -> dict[str, float]:
    """`coverage`: share of the pairs of a sentence's events that are both events of the scene graph."""
    covered: list[tuple[float, float]] = []
    for sentence, graph in zip(sentences, graphs, strict=True):
        events = graph.of_type("event") if graph else []
        nodes = [_event_at(events, event.span) for event in sentence.events]
        pairs = list(itertools.combinations(nodes, 2))
        covered.append((sum(a is not None and b is not None and a is not b for a, b in pairs), len(pairs)))
    return mean_with_interval("coverage", covered, [sentence.document for sentence in sentences])


def _event_at(events: Sequence[Node], span: tuple[int, int]) -> Node | None:
    """The event whose words touch a range."""
    return next((e for e in events if e.span is not None and e.span[0] < span[1] and span[0] < e.span[1]), None)


# -- statistics --------------------------------------------------------------------------------------------------------


def macro_f1(gold: Sequence[str], guess: Sequence[str], classes: Sequence[str]) -> float:
    """Mean F1 of the classes, in [0, 1]; a class that is in neither list counts as 0."""
    scores = []
    for name in classes:
        both = sum(a == name == b for a, b in zip(gold, guess, strict=True))
        scores.append(2 * both / max(sum(a == name for a in gold) + sum(b == name for b in guess), 1))
    return float(np.mean(scores))


def mean_with_interval(
    name: str, rows: Sequence[tuple[float, float]], groups: Sequence[str], resamples: int = 1000
) -> dict[str, float]:
    """Sum over count, with its 95 % bootstrap interval.

    Args:
        name: of the figure; the bounds are `name_low` and `name_high`.
        rows: (sum, count) of each sample.
        groups: the source of each sample; whole sources are drawn, with replacement.
        resamples: how often.
    """
    places = {group: i for i, group in enumerate(dict.fromkeys(groups))}
    totals = np.zeros((max(len(places), 1), 2))
    for row, group in zip(rows, groups, strict=True):
        totals[places[group]] += row
    draws = np.random.default_rng(0).integers(len(totals), size=(resamples, len(totals)))
    sums = totals[draws].sum(1)  # (resamples, 2)
    means = sums[:, 0] / np.maximum(sums[:, 1], 1)
    low, high = np.percentile(means, [2.5, 97.5])
    mean = totals[:, 0].sum() / max(totals[:, 1].sum(), 1)
    return {name: float(mean), f"{name}_low": float(low), f"{name}_high": float(high)}


def report(figures: dict[str, dict[str, float]], write: Callable[[str], Any]) -> None:
    """Write the figures as lines: one per figure, with its interval where it has one."""
    for part, values in figures.items():
        for name, value in values.items():
            if name.endswith(("_low", "_high")):
                continue
            bounds = f"  [{values[f'{name}_low']:.3f}, {values[f'{name}_high']:.3f}]" if f"{name}_low" in values else ""
            write(f"{part:>16} {name:<22} {value:10.3f}{bounds}")
