"""How much people's times can be foretold from text: StoryBench's shares and UDS-Time's durations.

    python -m experiments.parser.timelines_study data              # what the data sets hold
    python -m experiments.parser.timelines_study linear            # a few minutes, one core
    python -m experiments.parser.timelines_study windows           # what no word is needed for; seconds
    python -m experiments.parser.timelines_study network --steps 1250

Each prints a table of figures on the held-out sources and writes it to `timelines_<name>.json` beside this file. What
was found is in timelines.md.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mov_ai.data.downloads import data_folder
from mov_ai.data.storybench import Story, intervals_of, load_stories
from mov_ai.data.uds_time import (
    TimedEvent,
    TimedSentence,
    length_pairs,
    length_relation,
    load_sentences,
)
from mov_ai.graph import Interval
from mov_ai.graph.time import DURATIONS, LENGTH_RELATIONS
from mov_ai.parser.network import CompositionalSceneParser, ParserConfig, TokenBatch
from mov_ai.parser.spacy_pipeline import load_spacy
from mov_ai.parser.timeline import TimelineHead, TimelineLogits
from mov_ai.parser.token_graph import FEATURES, WORD_FEATURES, token_graph
from mov_ai.training.timelines import (
    TimelineSample,
    collate_timelines,
    grouped_log_softmax,
    interval_overlap,
    sentence_sample,
    story_sample,
    timeline_loss,
    timeline_samples,
)
from studies.parser.span_times import SpanTimes
from studies.parser.timelines import TimedEvents, length_figures, report, story_figures

HERE = Path(__file__).parent
Figures = dict[str, dict[str, float]]
#: Columns of hashed words.
_HASHED = 8192


def words_of(text: str) -> list[str]:
    return re.findall(r"[\w'$]+", text.lower())


def hashed(rows: Sequence[Sequence[str]]) -> Tensor:
    """Sparse 0/1 matrix (rows, _HASHED)."""
    places = [(i, zlib.crc32(name.encode()) % _HASHED) for i, row in enumerate(rows) for name in set(row)]
    index = torch.tensor(places, dtype=torch.long).reshape(-1, 2).T
    return torch.sparse_coo_tensor(
        index, torch.ones(len(places)), (len(rows), _HASHED), check_invariants=True
    ).coalesce()


def minimise(loss: Callable[[], Tensor], weights: list[Tensor], steps: int = 50) -> None:
    optimizer = torch.optim.LBFGS(weights, max_iter=steps, history_size=20, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value.item()

    optimizer.step(closure)


# -- linear models -----------------------------------------------------------------------------------------------------


def story_numbers(story: Story, i: int, kinds: str) -> list[float]:
    last = len(story.sentences) - 1
    numbers: list[float] = []
    if "length" in kinds:
        numbers.append(float(np.log(1 + len(words_of(story.sentences[i])))))
    if "place" in kinds:
        first, final = float(i == 0), float(i == last)
        numbers += [first, final, i / last, first * (last == 1), final * (last == 1), first * (last == 2)]
    return numbers


def story_matrix(stories: Sequence[Story], kinds: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    items = [(n, story, i) for n, story in enumerate(stories) for i in range(len(story.sentences))]
    dense = torch.tensor([story_numbers(story, i, kinds) for _, story, i in items]).reshape(len(items), -1)
    bags = hashed([words_of(story.sentences[i]) if "words" in kinds else [] for _, story, i in items])
    gold = torch.tensor([story.shares[i] for _, story, i in items])
    return dense, bags, torch.tensor([n for n, _, _ in items]), gold


def linear_shares(
    train: Sequence[Story], test: Sequence[Story], kinds: str, loss: str, decay: float
) -> list[TimedEvents]:
    """Shares as the softmax of a linear function of the sentences: what it says of the test stories."""
    dense, bags, text, gold = story_matrix(train, kinds)
    mean, spread = dense.mean(0), dense.std(0) + 1e-6
    weights = [torch.zeros(dense.shape[1], requires_grad=True), torch.zeros(_HASHED, 1, requires_grad=True)]

    def scores(dense: Tensor, bags: Tensor) -> Tensor:
        return ((dense - mean) / spread) @ weights[0] + torch.sparse.mm(bags, weights[1])[:, 0]

    def objective() -> Tensor:
        said = grouped_log_softmax(scores(dense, bags), text, len(train))
        if loss == "overlap":
            value = (1 - interval_overlap(said.exp(), gold, text)).sum()
        elif loss == "log ratio":
            value = (said - gold.log()).square().sum()
        else:
            value = -(gold * said).sum()
        return value / len(train) + decay * weights[1].square().sum() + 1e-4 * weights[0].square().sum()

    minimise(objective, weights)
    dense, bags, text, _ = story_matrix(test, kinds)
    with torch.no_grad():
        said = grouped_log_softmax(scores(dense, bags), text, len(test)).exp()
    return [told_of(said[text == n].tolist()) for n in range(len(test))]


def told_of(shares: Sequence[float]) -> TimedEvents:
    return [[(i, interval)] for i, interval in enumerate(intervals_of(shares))]


def event_words(sentence: TimedSentence, event: TimedEvent) -> list[str]:
    start, end = event.span
    text = sentence.text.lower()
    word, left, right = text[start:end], words_of(text[:start])[-3:], words_of(text[end:])[:3]
    names = [f"word {word}", *(f"ends {word[-n:]}" for n in (2, 3)), f"starts {word[:4]}"]
    names += [f"before {w}" for w in left] + [f"after {w}" for w in right]
    names += [f"last {left[-1]}"] if left else []
    return names + [f"sentence {w}" for w in words_of(text)]


def linear_durations(
    train: Sequence[TimedSentence], test: Sequence[TimedSentence], kind: str, decay: float, relation_decay: float
) -> list[SpanTimes]:
    """Logistic regressions: durations of events, relations of pairs as the sum of what both events say."""

    def names(sentences: Sequence[TimedSentence]) -> Tensor:
        rows = [event_words(s, e) for s in sentences for e in s.events]
        return hashed(rows if kind == "words" else [[n for n in row if not n.startswith("sentence")] for row in rows])

    def pairs(sentences: Sequence[TimedSentence]) -> tuple[Tensor, Tensor]:
        starts = np.cumsum([0, *(len(s.events) for s in sentences)])
        found = [
            (start + i, start + j, LENGTH_RELATIONS.index(relation))
            for start, s in zip(starts, sentences, strict=False)
            for i, j, relation in length_pairs(s)
        ]
        table = torch.tensor(np.array(found, dtype=np.int64))
        return table[:, :2], table[:, 2]

    bags, (places, relation) = names(train), pairs(train)
    target = torch.tensor([e.durations for s in train for e in s.events])
    trust = torch.tensor([e.confidence for s in train for e in s.events])
    single = [torch.zeros(_HASHED, len(DURATIONS), requires_grad=True), torch.zeros(len(DURATIONS), requires_grad=True)]
    double = [torch.zeros(_HASHED, 6, requires_grad=True), torch.zeros(3, requires_grad=True)]

    def duration_logits(bags: Tensor) -> Tensor:
        return torch.sparse.mm(bags, single[0]) + single[1]

    def relation_logits(bags: Tensor, places: Tensor) -> Tensor:
        both = torch.sparse.mm(bags, double[0])
        return both[places[:, 0], :3] + both[places[:, 1], 3:] + double[1]

    def duration_objective() -> Tensor:
        value = -((target * duration_logits(bags).log_softmax(-1)).sum(-1) * trust).sum() / trust.sum()
        return value + decay * single[0].square().sum()

    def relation_objective() -> Tensor:
        value = nn.functional.cross_entropy(relation_logits(bags, places), relation)
        return value + relation_decay * double[0].square().sum()

    minimise(duration_objective, single, 30)
    minimise(relation_objective, double, 30)
    result = []
    with torch.no_grad():
        for sentence in test:
            bags = names([sentence])
            count = len(sentence.events)
            places = torch.cartesian_prod(torch.arange(count), torch.arange(count)).reshape(-1, 2)
            said = relation_logits(bags, places).softmax(-1).reshape(count, count, 3)
            result.append(SpanTimes(np.zeros(count), duration_logits(bags).softmax(-1).numpy(), said.numpy()))
    return result


def from_durations(times: Sequence[SpanTimes], same: float) -> list[SpanTimes]:
    """Relations from the predicted mean lengths alone: "same" below a difference of `same` steps."""
    result = []
    for told in times:
        length = told.duration @ np.arange(len(DURATIONS))
        apart = length[:, None] - length[None]
        relation = np.stack([apart <= -same, np.abs(apart) < same, apart >= same], axis=-1).astype(float)
        result.append(SpanTimes(told.log_duration, told.duration, relation))
    return result


def linear(stories: Sequence[Story], sentences: Sequence[TimedSentence]) -> Figures:
    figures: Figures = {}
    train = [s for s in stories if s.split == "train" and len(s.sentences) > 1]
    test = held_stories(stories)
    for kinds, loss, decay in (
        ("length", "shares", 0.0),
        ("place", "shares", 0.0),
        ("length place", "shares", 0.0),
        ("length place", "log ratio", 0.0),
        ("length place", "overlap", 0.0),
        ("length place words", "shares", 1e-3),
        ("length place words", "shares", 3e-3),
        ("length place words", "overlap", 3e-3),
    ):
        told = linear_shares(train, test, kinds, loss, decay)
        figures[f"StoryBench: {kinds}; loss: {loss}; decay {decay:g}"] = story_figures(test, told)
    known, held = [s for s in sentences if s.split == "train"], held_sentences(sentences)
    for kind, decay, relation_decay in (("near words", 3e-5, 3e-4), ("words", 1e-4, 1e-3)):
        times = linear_durations(known, held, kind, decay, relation_decay)
        figures[f"UDS-Time: {kind}, relation by itself"] = length_figures(held, times, known)
        for same in (0.5, 1.0):
            figures[f"UDS-Time: {kind}, relation from durations, same below {same:g}"] = length_figures(
                held, from_durations(times, same), known
            )
    return figures


def held_stories(stories: Sequence[Story]) -> list[Story]:
    return [s for s in stories if s.split == "held_out" and len(s.sentences) > 1]


def held_sentences(sentences: Sequence[TimedSentence]) -> list[TimedSentence]:
    return [s for s in sentences if s.split == "held_out" and len(s.events) > 1]


# -- the parser's network, small ---------------------------------------------------------------------------------------


class SmallNetwork(nn.Module):
    """The parser's encoder in a small size, with the head for time and nothing else."""

    def __init__(self, dim: int, layers: int) -> None:
        super().__init__()
        self.parser = CompositionalSceneParser(
            ParserConfig(dim=dim, layers=layers, heads=4, embedding=24, hidden=2 * dim, pair_dim=8, dropout=0.2)
        )
        self.head = TimelineHead(dim, dropout=0.3)

    def forward(self, batch: dict[str, Tensor]) -> TimelineLogits:
        state = self.parser.encode(TokenBatch(batch["features"], batch["relation"], batch["mask"]))
        return self.head(state.flatten(0, 1), batch["token"], batch["piece"], len(batch["shares"]), batch["pairs"])


def span_times(network: SmallNetwork, samples: Sequence[TimelineSample]) -> list[SpanTimes]:
    network.eval()
    result = []
    for sample in samples:
        batch = collate_timelines([sample])
        count = len(sample.shares)
        batch["pairs"] = torch.cartesian_prod(torch.arange(count), torch.arange(count)).reshape(-1, 2).T
        with torch.no_grad():
            logits = network(batch)
        relation = logits.relation.softmax(-1).reshape(count, count, 3).numpy()
        result.append(SpanTimes(logits.log_duration.numpy(), logits.duration.softmax(-1).numpy(), relation))
    return result


def trained(
    samples: Sequence[TimelineSample], weights: dict[str, float], steps: int, dim: int, layers: int, seed: int = 0
) -> SmallNetwork:
    """A network trained with AdamW; the rate falls to 0 along a cosine."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = SmallNetwork(dim, layers)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1.5e-3, weight_decay=0.05)
    stories = [s for s in samples if s.shares.any()]
    timed = [s for s in samples if not s.shares.any()]
    hidden = [list(FEATURES).index(name) for name in WORD_FEATURES]
    network.train()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 1.5e-3 * min(1, (step + 1) / 50) * 0.5 * (1 + np.cos(np.pi * step / steps))
        terms: dict[str, Tensor] = {}
        # One batch of each kind: padding a sentence to the length of a story would be wasted work.
        for part, size in ((stories, 12), (timed, 24)):
            batch = collate_timelines([part[int(i)] for i in rng.integers(len(part), size=size)])
            covered = torch.rand(batch["mask"].shape) < 0.1
            for column in hidden:
                batch["features"][..., column].masked_fill_(covered, 0)
            losses = timeline_loss(network(batch), batch)
            wanted = ("shares", "overlap") if part is stories else ("duration", "relation")
            terms |= {name: losses[name] for name in wanted}
        loss = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        if step % 100 == 99:
            told = ", ".join(f"{name} {term.item():.3f}" for name, term in terms.items())
            sys.stdout.write(f"step {step + 1}: {told}\n")
            sys.stdout.flush()
    return network


def network(stories: Sequence[Story], sentences: Sequence[TimedSentence], given: argparse.Namespace) -> Figures:
    samples = timeline_samples(stories, sentences, "cache/parser", lambda *told: None)
    weights = {"shares": given.shares, "overlap": given.overlap, "duration": 1.0, "relation": 1.0}
    model = trained(samples, weights, given.steps, given.dim, given.layers)
    known, test, held = [s for s in sentences if s.split == "train"], held_stories(stories), held_sentences(sentences)
    nlp = load_spacy()
    told = [story_sample(token_graph(nlp(s.text)), s) for s in test]
    shares = [told_of(np.exp(t.log_duration - t.log_duration.max()).tolist()) for t in span_times(model, told)]
    times = span_times(model, [sentence_sample(token_graph(nlp(s.text)), s) for s in held])
    figures = {"StoryBench: network": story_figures(test, shares)}
    for name in ("oops", "uvo", "didemo"):
        mine = [i for i, s in enumerate(test) if s.id.startswith(name)]
        figures[f"StoryBench, {name}"] = story_figures([test[i] for i in mine], [shares[i] for i in mine])
    figures["UDS-Time: network, relation by itself"] = length_figures(held, times, known)
    for same in (0.5, 1.0):
        figures[f"UDS-Time: network, relation from durations, same below {same:g}"] = length_figures(
            held, from_durations(times, same), known
        )
    return figures


def one_person(sentences: Sequence[TimedSentence]) -> float:
    """Share of the pairs whose relation is what one person's answers say, drawn from those of each event."""
    rng = np.random.default_rng(0)
    agreed = []
    for sentence in sentences:
        answers = [rng.choice(len(DURATIONS), p=np.array(e.durations) / sum(e.durations)) for e in sentence.events]
        agreed += [length_relation(answers[i], answers[j]) == relation for i, j, relation in length_pairs(sentence)]
    return float(np.mean(agreed))


def answer_spread(events: Sequence[TimedEvent]) -> dict[str, float]:
    """How far the answers on one event lie apart, in steps of the scale of durations."""
    steps = np.arange(len(DURATIONS))
    shares = np.array([e.durations for e in events])
    spread = np.sqrt(np.maximum((shares * (steps - (shares @ steps)[:, None]) ** 2).sum(1), 0))
    several = (shares > 0).sum(1) > 1
    trust = np.array([e.confidence for e in events])
    return {
        "events with one answer, of which confidence is 1 (to two places)": float((trust[~several] >= 0.995).mean()),
        "events": float(len(events)),
        "events with different answers": float(several.mean()),
        "their answers' median standard deviation": float(np.median(spread[several])),
    }


def best_windows(train: Sequence[Story], test: Sequence[Story], key: Callable[[Story], object]) -> list[TimedEvents]:
    """For each key and place in the story the interval with most overlap in training, whatever the sentences say.

    Bounds are multiples of 1/40; neighbours may overlap or leave gaps. Without such stories in training, even parts.
    """
    grid = np.linspace(0, 1, 41)
    begin, end = (bound[np.triu_indices(len(grid), 1)] for bound in np.meshgrid(grid, grid, indexing="ij"))
    gold: dict[tuple[object, int], list[Interval]] = {}
    for story in train:
        for place, interval in enumerate(story.intervals):
            gold.setdefault((key(story), place), []).append(interval)
    best: dict[tuple[object, int], Interval] = {}
    for where, intervals in gold.items():
        a, b = np.array(intervals).T[..., None]
        shared = np.maximum(np.minimum(b, end) - np.maximum(a, begin), 0)
        overlap = (shared / (b - a + end - begin - shared)).mean(axis=0)
        best[where] = (float(begin[overlap.argmax()]), float(end[overlap.argmax()]))
    return [
        [
            [(0, best.get((key(story), place), even))]
            for place, even in enumerate(intervals_of([1.0] * len(story.sentences)))
        ]
        for story in test
    ]


def windows(stories: Sequence[Story]) -> Figures:
    train = [s for s in stories if s.split == "train" and len(s.sentences) > 1]
    test = held_stories(stories)
    keys: dict[str, Callable[[Story], object]] = {
        "number of sentences and place": lambda story: len(story.sentences),
        "data set, number of sentences and place": lambda story: (story.id.split("/")[0], len(story.sentences)),
    }
    return {
        f"StoryBench: best windows by {name}": story_figures(test, best_windows(train, test, key))
        for name, key in keys.items()
    }


def data_shares(stories: Sequence[Story], sentences: Sequence[TimedSentence]) -> dict[str, object]:
    """What the data sets hold."""
    result: dict[str, object] = {}
    for split in ("train", "held_out"):
        relations = Counter(r for s in sentences if s.split == split for _, _, r in length_pairs(s))
        mine = [s for s in stories if s.split == split]
        others = {text for s in stories if s.split != split for text in s.sentences}
        result[split] = {
            "stories": len(mine),
            "stories of two sentences or more": sum(len(s.sentences) > 1 for s in mine),
            "sources": len({s.source for s in mine}),
            "sentences of stories": sum(len(s.sentences) for s in mine),
            "of them also in the other part, word for word": sum(text in others for s in mine for text in s.sentences),
            "treebank sentences": sum(s.split == split for s in sentences),
            "documents": len({s.document for s in sentences if s.split == split}),
            "relations": {name: round(relations[name] / relations.total(), 4) for name in LENGTH_RELATIONS},
            "pairs": relations.total(),
            **answer_spread([e for s in sentences if s.split == split for e in s.events]),
            "relation that one person's answers give": one_person([s for s in sentences if s.split == split]),
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", choices=("data", "linear", "windows", "network"))
    parser.add_argument("--steps", type=int, default=1250, help="of training")
    parser.add_argument("--dim", type=int, default=96)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--shares", type=float, default=5.0, help="weight of the loss of that name")
    parser.add_argument("--overlap", type=float, default=0.0, help="weight of the loss of that name")
    given = parser.parse_args()
    torch.set_num_threads(1)
    stories = load_stories(data_folder("storybench"))
    sentences = load_sentences(data_folder("uds_time"), data_folder("ud_english_ewt"))
    if given.study == "data":
        content: dict[str, object] = data_shares(stories, sentences)
        sys.stdout.write(json.dumps(content, indent=1) + "\n")
    else:
        figures = {
            "linear": lambda: linear(stories, sentences),
            "windows": lambda: windows(stories),
            "network": lambda: network(stories, sentences, given),
        }[given.study]()
        report(figures, lambda line: sys.stdout.write(line + "\n"))
        content = {"figures": figures, "settings": vars(given)}
    (HERE / f"timelines_{given.study}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
