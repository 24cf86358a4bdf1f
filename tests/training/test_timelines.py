import numpy as np
import pytest
import torch

from mov_ai.data.storybench import Story, intervals_of
from mov_ai.data.uds_time import TimedEvent, TimedSentence
from mov_ai.graph.time import DURATIONS, LENGTH_RELATIONS
from mov_ai.parser.spacy_pipeline import load_spacy
from mov_ai.parser.timeline import TimelineHead, TimelineLogits, tokens_of
from mov_ai.parser.token_graph import FEATURES, token_graph
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
from studies.parser.timelines import iou

STORIES = [
    Story("uvo/a", ("A man in a blue shirt sits.", "He runs away."), (3, 1), "uvo/v", "train"),
    Story("uvo/b", ("A cat sleeps.", "It wakes up.", "It runs."), (1, 2, 1), "uvo/w", "train"),
]


def timed(text: str, words: dict[str, str], split: str = "train") -> TimedSentence:
    events = tuple(
        TimedEvent((text.index(word), text.index(word) + len(word)), 1, tuple(float(d == said) for d in DURATIONS), 0.5)
        for word, said in words.items()
    )
    return TimedSentence(f"ewt-{text[:3]}", text, events, "doc", split, "train")


SENTENCES = [timed("He sat down and slept.", {"sat": "seconds", "slept": "hours"}), timed("I run.", {"run": "hours"})]


@pytest.fixture(scope="module")
def samples() -> list[TimelineSample]:
    nlp = load_spacy()
    told = [story_sample(token_graph(nlp(story.text)), story) for story in STORIES]
    return told + [sentence_sample(token_graph(nlp(s.text)), s) for s in SENTENCES]


def logits(batch: dict[str, torch.Tensor], log_duration: torch.Tensor) -> TimelineLogits:
    pairs = torch.zeros(len(batch["pair_relation"]), len(LENGTH_RELATIONS))
    return TimelineLogits(log_duration, torch.zeros(len(log_duration), len(DURATIONS)), pairs)


def test_pieces_are_the_tokens_of_their_text(samples):
    story, sentence = samples[0], samples[2]
    told = [[story.tokens.words[t] for t in story.token[story.piece == i]] for i in range(2)]
    assert told == [["a", "man", "in", "a", "blue", "shirt", "sits", "."], ["he", "runs", "away", "."]]
    assert [sentence.tokens.words[t] for t in sentence.token] == ["sat", "slept"]
    assert [LENGTH_RELATIONS[i] for i in sentence.relation] == ["shorter"]


def test_a_range_between_tokens_takes_the_nearest():
    spans = np.array([[0, 3], [4, 7], [8, 9]])
    assert tokens_of(spans, 2, 5).tolist() == [0, 1]
    assert tokens_of(spans, 7, 8).tolist() == [1] or tokens_of(spans, 7, 8).tolist() == [2]
    assert tokens_of(spans, 20, 21).tolist() == [2]


def test_a_batch_points_at_the_right_tokens(samples):
    batch = collate_timelines(samples)
    flat = batch["features"].flatten(0, 1)
    place = list(FEATURES).index("form")
    for piece, (sample, own) in enumerate((s, p) for s in samples for p in range(len(s.shares))):
        expected = sample.tokens.features[sample.token[sample.piece == own], place]
        assert flat[batch["token"][batch["piece"] == piece], place].tolist() == expected.tolist()
    assert batch["text"].tolist() == [0, 0, 1, 1, 1, 2, 2, 3]
    assert batch["pairs"].tolist() == [[5], [6]]
    assert batch["pair_confidence"].tolist() == [0.25]


def test_the_loss_of_shares_is_zero_just_at_peoples_shares(samples):
    batch = collate_timelines(samples)
    right = timeline_loss(logits(batch, batch["shares"].clamp(min=0.1).log() + 3), batch)["shares"]
    even = timeline_loss(logits(batch, torch.zeros(8)), batch)["shares"]
    assert right.item() == pytest.approx(0, abs=1e-6)
    kl = np.sum([[0.75 * np.log(1.5) + 0.25 * np.log(0.5)], [0.5 * np.log(0.75) + 0.5 * np.log(1.5)]]) / 2
    assert even.item() == pytest.approx(kl, rel=1e-5)


def test_losses_without_targets_are_zero_and_have_gradients(samples):
    for part in (samples[:2], samples[2:3], samples[3:]):
        batch = collate_timelines(part)
        log_duration = torch.zeros(len(batch["shares"]), requires_grad=True)
        terms = timeline_loss(logits(batch, log_duration), batch)
        assert set(terms) == {"shares", "overlap", "duration", "relation"}
        torch.stack(list(terms.values())).sum().backward()
        assert torch.isfinite(log_duration.grad).all()
    assert timeline_loss(logits(batch, log_duration), batch)["shares"].item() == 0


def test_overlap_is_that_of_the_intervals_laid_side_by_side():
    shares, text = torch.tensor([0.75, 0.25, 0.25, 0.5, 0.25]), torch.tensor([3, 3, 5, 5, 5])
    assert interval_overlap(shares, shares, text).tolist() == pytest.approx([1.0] * 5)
    even = torch.tensor([0.5, 0.5, 1 / 3, 1 / 3, 1 / 3])
    expected = [iou(a, b) for s in STORIES for a, b in zip(intervals_of([1] * len(s.shares)), s.intervals, strict=True)]
    assert interval_overlap(even, shares, text).tolist() == pytest.approx(expected)


def test_softmax_within_groups():
    scores, group = torch.tensor([1.0, 2.0, 700.0, 700.0]), torch.tensor([0, 0, 2, 2])
    said = grouped_log_softmax(scores, group, 3)
    assert torch.allclose(said[:2], scores[:2].log_softmax(0))
    assert said[2:].exp().tolist() == pytest.approx([0.5, 0.5])


def test_the_head_says_the_same_of_a_pair_either_way_round():
    torch.manual_seed(0)
    head = TimelineHead(8).eval()
    token = piece = torch.arange(2)
    said = head(torch.randn(2, 8), token, piece, 2, torch.tensor([[0, 1], [1, 0]]))
    assert torch.allclose(said.relation[0], said.relation[1].flip(-1))
    assert said.log_duration.shape == (2,)
    assert said.duration.shape == (2, len(DURATIONS))


def test_a_few_steps_lower_every_loss(samples):
    torch.manual_seed(0)
    table, head = torch.nn.Embedding(FEATURES["form"], 16), TimelineHead(16, dropout=0.0)
    batch = collate_timelines(samples)
    optimizer = torch.optim.Adam([*table.parameters(), *head.parameters()], 0.02)
    history = []
    for _ in range(30):
        state = table(batch["features"][..., 0].flatten())
        terms = timeline_loss(head(state, batch["token"], batch["piece"], 8, batch["pairs"]), batch)
        history.append({name: term.item() for name, term in terms.items()})
        optimizer.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        optimizer.step()
    assert all(history[-1][name] < 0.6 * history[0][name] for name in history[0])


def test_samples_survive_the_cache_and_leave_out_what_is_held_out(samples, tmp_path):
    stories = [*STORIES, Story("uvo/c", ("A dog runs.", "It sits."), (1, 1), "uvo/x", "held_out")]
    stories.append(Story("uvo/d", ("A dog runs.",), (1,), "uvo/y", "train"))
    sentences = [*SENTENCES, timed("They slept.", {"slept": "hours"}, split="held_out")]
    built = timeline_samples(stories, sentences, None, tmp_path, lambda *told: None)
    read = timeline_samples(stories, sentences, None, tmp_path, lambda *told: pytest.fail("built again"))
    assert len(built) == len(read) == 4
    for a, b in ((built, samples), (read, samples)):
        for name, tensor in collate_timelines(a).items():
            assert torch.equal(tensor, collate_timelines(b)[name]), name
    changed = [Story("uvo/a", STORIES[0].sentences, (1, 1), "uvo/v", "train")]
    assert len(timeline_samples(changed, [], None, tmp_path, lambda *told: None)) == 1
