"""When events happen: their order, the steps that it makes of the clip, and the temporal edges."""

from __future__ import annotations

import itertools
import re

import numpy as np

from mov_ai.graph import Edge, allen
from mov_ai.parser.draft import Draft, Event
from mov_ai.parser.network import ORDERS

#: Steps get equal lengths if each predicted length is within this share of the equal one: lengths that are less uneven
#: are no nearer to people's than equal ones (StoryBench).
_LEAST_UNEVENNESS = 0.45
_EQUAL, _BEFORE, _AFTER = (np.eye(len(ORDERS))[ORDERS.index(name)] for name in ("equal", "before", "after"))
#: Words that place a sentence at or before another one's time, instead of after it.
_OTHER_TIME = re.compile(
    r"\b(meanwhile|simultaneously|earlier|previously|beforehand|at the same (time|moment|instant)"
    r"|at that (time|moment)|(before|while|during|as|until) (this|that|it|these|those))\b",
    re.IGNORECASE,
)


def order_events(draft: Draft) -> None:
    """Give each event its step, which events at the same time share, and its interval."""
    count = len(draft.events)
    if count == 0:
        return
    order = _orders(draft)  # (events, events, orders)
    equal, before, after, meets, met_by = (order[..., ORDERS.index(name)] for name in ORDERS)
    earlier = (before + meets + (after + met_by).T) / 2
    margin = (equal + equal.T) / 2 - np.maximum(earlier, earlier.T)
    group = _groups(margin)
    # Steps are ordered by how many others they come before; ties keep the text's order.
    wins = {
        g: sum(np.sign(earlier[i, j] - earlier[j, i]) for i in range(count) if group[i] == g for j in range(count))
        / group.count(g)
        for g in set(group)
    }
    ranked = sorted(wins, key=lambda g: (-wins[g], g))
    for event, g in zip(draft.events, group, strict=True):
        event.rank = ranked.index(g)
    ends = _step_ends(draft, len(ranked))
    late = _late(draft)
    if late:
        # A step before the first, as long as the others are on the mean.
        ends = [0.0, *(round((1 + len(ranked) * end) / (1 + len(ranked)), 4) for end in ends)]
    for i, event in enumerate(draft.events):
        begin = end = event.rank
        # "While A, B and then C": A lasts through each step whose events all happen at A's time.
        beside = [
            all(margin[i, j] > 0 for j, other in enumerate(draft.events) if other.rank == step)
            for step in range(len(ranked))
        ]
        while end + 1 < len(ranked) and beside[end + 1]:
            end += 1
        while begin > 0 and beside[begin - 1]:
            begin -= 1
        if late:
            begin, end = begin + (begin > 0 or event in late), end + 1
        event.interval = (ends[begin], ends[end + 1])
    for run, holder in draft.places.items():
        if any(_leaves(draft, event, run, holder) for event in late):
            draft.at_first[run] = (0.0, ends[1])


def _late(draft: Draft) -> list[Event]:
    """The events of the first step before which there is something else to see.

    Where a thing is at first ("a car on the left, then it rolls to the right"), or that it is not there yet.
    """
    return [
        event
        for event in draft.events
        if event.rank == 0
        and (
            any(_leaves(draft, event, run, holder) for run, holder in draft.places.items())
            or any(draft.scores.part_of(a.entity.mentions[0]) == "last" for a in event.of_role("agent", "patient"))
        )
    ]


def _leaves(draft: Draft, event: Event, run: range, holder: int) -> bool:
    """Whether who takes part in an event is said to be at a place before it."""
    if holder not in draft.owner or draft.scores.part_of(run[-1]) != "first" or run[-1] > event.token:
        return False  # "slides from the left to the right": that it slides is told first
    return event.has(draft.owner[holder])


def _groups(margin: np.ndarray) -> list[int]:
    """The step of each event, as a number without order, given how much likelier each pair is at one time than not."""
    count = len(margin)
    group = list(range(count))
    for i, j in sorted(itertools.combinations(range(count), 2), key=lambda pair: -margin[pair]):
        first, second = ([k for k in range(count) if group[k] == group[member]] for member in (i, j))
        # Two groups are joined only if they agree on average: in "while A, B; then C" B must not join A and C.
        if margin[i, j] > 0 and group[i] != group[j] and margin[np.ix_(first, second)].mean() > 0:
            group = [group[i] if g == group[j] else g for g in group]
    return group


def _orders(draft: Draft) -> np.ndarray:
    """The order of each pair of events, as probabilities (events, events, orders).

    Within a sentence the network says it; events that only a fact speaks of are at the time of all others. What one
    sentence tells comes before what the next tells, unless that has a word that says otherwise.
    """
    events, scores, tokens = draft.events, draft.scores, draft.tokens
    order = np.zeros((len(events), len(events), len(ORDERS)))
    order[..., ORDERS.index("equal")] = 1
    scored = [i for i, event in enumerate(events) if event.token in scores.row]
    rows = [scores.row[events[i].token] for i in scored]
    order[np.ix_(scored, scored)] = scores.order[np.ix_(rows, rows)]
    sentence = [tokens.sentence_of(event.token) for event in events]
    starts = [*tokens.sentences, len(tokens)]
    for i, j in itertools.permutations(range(len(events)), 2):
        if events[i].token == events[j].token:
            order[i, j] = _BEFORE if i < j else _AFTER
        elif sentence[i] < sentence[j]:
            begin = tokens.spans[starts[sentence[j]], 0]
            end = tokens.spans[starts[sentence[j] + 1] - 1, 1]
            if not _OTHER_TIME.search(draft.text, begin, end):
                order[i, j], order[j, i] = _BEFORE, _AFTER
    return order


def _step_ends(draft: Draft, steps: int) -> list[float]:
    """When each step begins, and the end: equal parts, or parts of the sentences' shares where each is in one."""
    lengths = [1.0] * steps
    if len(draft.tokens.sentences) > 1:
        sentences = [
            {draft.tokens.sentence_of(event.token) for event in draft.events if event.rank == rank}
            for rank in range(steps)
        ]
        single = [numbers.pop() for numbers in sentences if len(numbers) == 1]
        if len(single) == steps and single == sorted(single):
            # Sentences without events last no time of their own.
            eventful, counts = np.unique(single, return_counts=True)
            lengths = np.repeat(step_lengths(draft.scores.log_duration[eventful], counts), counts).tolist()
    ends = np.concatenate([[0.0], np.cumsum(lengths) / sum(lengths)])
    return [round(float(end), 4) for end in ends]


def step_lengths(log_duration: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """How long one step of each sentence lasts: all the same, unless the network is sure of something else.

    Args:
        log_duration: (S,), of the sentences. steps: (S,), how many steps each has, at least 1.

    Returns:
        (S,), positive; with the number of steps they sum to 1.
    """
    shares = np.exp(log_duration - log_duration.max())
    lengths = shares / shares.sum() / steps
    uneven = np.abs(lengths * steps.sum() - 1).max()
    return lengths if uneven > _LEAST_UNEVENNESS else np.full(len(steps), 1 / steps.sum())


def temporal_edges(draft: Draft) -> list[Edge]:
    """How each event lies in time to the next one."""
    edges = []
    row = draft.scores.row
    for pair in itertools.pairwise(sorted(draft.events, key=lambda event: (event.rank, event.token))):
        both_scored = all(event.token in row for event in pair)
        order = draft.scores.order[tuple(row[event.token] for event in pair)] if both_scored else _EQUAL
        meets = order[ORDERS.index("meets")] > order[ORDERS.index("before")]
        swapped, label = allen(pair[0].interval, pair[1].interval, meets)
        first, second = reversed(pair) if swapped else pair
        probability = round(float(order[ORDERS.index(label if label in ORDERS else "equal")]), 4)
        edges.append(Edge(first.id, second.id, "temporal", label, confidence=probability))
    return edges
