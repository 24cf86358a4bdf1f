"""Labels as vectors: any text, the same every time, near to what means the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mov_ai.errors import UsageError
from mov_ai.labels.encoder import (
    EmbeddedLabelEncoder,
    LabelEncoderConfig,
    PretrainedLabelEncoder,
    load_label_encoder,
    project,
)
from mov_ai.labels.features import ROLES, LabelFeatures, clean
from mov_ai.labels.meanings import load_meanings
from tests.strategies import words

ENCODER = load_label_encoder(LabelEncoderConfig())
roles = st.sampled_from(ROLES)
#: The first three channels of each; another vector makes every checkpoint silently wrong.
GOLDEN = [[-0.043274, 0.072005, 0.00289], [0.076232, -0.008784, -0.069285], [0.083289, 0.060346, 0.040766]]


def cosine(role: str, one: str, other: str) -> float:
    first, second = ENCODER([(role, one), (role, other)])
    return float(first @ second)


@given(roles, words)
def test_any_text_is_a_finite_vector_of_unit_length(role: str, text: str) -> None:
    vectors = ENCODER([(role, text)])
    assert vectors.shape == (1, 512)
    assert vectors.dtype == torch.float32
    assert vectors.norm().item() == pytest.approx(1, abs=1e-5)


@given(roles, words)
def test_case_composition_and_outer_spaces_do_not_matter(role: str, text: str) -> None:
    same = [text.casefold(), f"  {text}\t"]
    vectors = ENCODER([(role, text), *((role, other) for other in same)])
    assert (vectors == vectors[0]).all()
    assert torch.equal(*ENCODER([(role, "caf\u00e9"), (role, "CAFE\u0301")]))


@settings(max_examples=20)
@given(st.lists(st.tuples(roles, words), min_size=1, max_size=4))
def test_a_vector_depends_on_no_other_label(labels: list[tuple[str, str]]) -> None:
    together = EmbeddedLabelEncoder(LabelEncoderConfig())(labels)
    alone = torch.cat([EmbeddedLabelEncoder(LabelEncoderConfig())([label]) for label in reversed(labels)])
    assert torch.equal(together, alone.flip(0))


def test_only_the_labels_used_last_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mov_ai.labels.encoder.REMEMBERED", 3)
    encoded: list[str] = []

    def features(texts: list[str]) -> torch.Tensor:
        encoded.extend(texts)
        return torch.ones(len(texts), 1, 2)

    encoder = PretrainedLabelEncoder(LabelEncoderConfig("some", 2), features)
    for label in ("one", "two", "three", "one", "four", "one", "two"):
        assert encoder([("word", label)]).shape == (1, 2)
    assert encoded == ["one", "two", "three", "four", "two"]
    assert len(encoder([("word", label) for label in "abcdef"])) == 6


@given(st.lists(words, min_size=2, max_size=6, unique_by=clean))
def test_two_labels_never_share_a_vector(texts: list[str]) -> None:
    vectors = ENCODER([("word", text) for text in texts])
    assert len({vector.numpy().tobytes() for vector in vectors}) == len(texts)


@pytest.mark.parametrize("text", ["zzqx", "красный", "赤い", "🙂", "x" * 5_000, "word " * 500 + "end"])
def test_unknown_words_are_far_from_known_ones_and_from_each_other(text: str) -> None:
    for other in ("red", "dog", "зелёный", "青い", "🚗", "zzqy"):
        assert cosine("word", text, other) < 0.7


def test_long_labels_that_begin_alike_differ() -> None:
    assert cosine("entity", "y" * 1_000 + "a", "y" * 1_000 + "b") < 0.999


def test_vectors_are_those_that_checkpoints_were_trained_with() -> None:
    vector = ENCODER([("attribute", "red"), ("event", "jump"), ("relation", "left of")])[:, :3]
    assert vector.numpy() == pytest.approx(np.array(GOLDEN), abs=1e-6)


@pytest.mark.parametrize(
    ("role", "one", "other"),
    [
        *(("relation", "to the left of", "left of"), ("relation", "underneath", "under")),
        *(
            ("entity", "dogs", "dog"),
            ("entity", "mice", "mouse"),
            ("event", "rolling", "roll"),
            ("event", "fell", "fall"),
        ),
        *(("entity", "car", "automobile"), ("attribute", "large", "big"), ("entity", "sofa", "couch")),
        ("attribute", "reddish", "red"),
    ],
)
def test_forms_and_synonyms_are_near(role: str, one: str, other: str) -> None:
    assert cosine(role, one, other) >= 0.5


@pytest.mark.parametrize(
    ("role", "one", "other"),
    [
        *(("direction", "left", "right"), ("direction", "up", "down"), ("direction", "toward", "away")),
        *(("relation", "left of", "right of"), ("relation", "behind", "in front of")),
        *(("attribute", "large", "small"), ("event", "grow", "shrink"), ("event", "appear", "vanish")),
    ],
)
def test_opposites_stay_apart(role: str, one: str, other: str) -> None:
    assert cosine(role, one, other) < 0.25


def test_the_role_chooses_the_part_of_speech() -> None:
    thing, act = ENCODER([("entity", "fly"), ("event", "fly")])
    insect, soar = ENCODER([("entity", "insect"), ("event", "soar")])
    assert thing @ insect > act @ insect
    assert act @ soar > thing @ soar


def test_the_head_of_a_phrase_counts_most() -> None:
    assert cosine("entity", "toy zebra truck", "truck") > cosine("entity", "toy zebra truck", "zebra") > 0.05
    assert cosine("entity", "ice cream", "dessert") > cosine("entity", "ice", "dessert")


def test_an_empty_label_or_an_unknown_role_is_one_clear_line() -> None:
    for label, expected in ((("entity", " \n"), "expected a word"), (("thing", "dog"), "expected a role of entity")):
        with pytest.raises(UsageError, match=expected) as error:
            ENCODER([label])
        assert "\n" not in str(error.value)


def test_no_labels_are_no_rows() -> None:
    assert ENCODER([]).shape == (0, 512)


def test_embedded_encoders_are_loaded_once_and_refuse_what_they_do_not_know() -> None:
    assert load_label_encoder(LabelEncoderConfig(width=64)) is load_label_encoder(LabelEncoderConfig(width=64))
    with pytest.raises(UsageError, match=r"expected version 1 .* found 9"):
        load_label_encoder(LabelEncoderConfig(version=9))
    with pytest.raises(UsageError, match="width of at least 1, found 0"):
        load_label_encoder(LabelEncoderConfig(width=0))


def test_the_projection_keeps_cosines() -> None:
    features = LabelFeatures(load_meanings())
    one, other = features("entity", "puppy"), features("entity", "dog")
    exact = sum(value * other.get(key, 0.0) for key, value in one.items())
    assert project(one, 8_192) @ project(other, 8_192) == pytest.approx(exact, abs=0.04)


def test_a_pretrained_encoder_is_the_mean_of_its_tokens() -> None:
    tokens = torch.tensor([[[3.0, 0.0], [0.0, 4.0], [0.0, 0.0]]])
    encoder = PretrainedLabelEncoder(LabelEncoderConfig("some", 2), lambda texts: tokens.expand(len(texts), -1, -1))
    assert encoder([("entity", "dog"), ("event", "run")]).tolist() == [pytest.approx([0.6, 0.8])] * 2


def test_a_pretrained_encoder_of_another_width_is_refused() -> None:
    encoder = PretrainedLabelEncoder(LabelEncoderConfig("some", 3), lambda texts: torch.ones(len(texts), 4, 2))
    with pytest.raises(UsageError, match="label encoder: expected width 3, found 2 in some"):
        encoder([("entity", "dog")])
