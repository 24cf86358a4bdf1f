"""Word vectors are built from sets of synonyms."""

import numpy as np

from mov_ai.parser.lexicon import Lexicon, read_lexicon
from tools.builders.word_vectors import word_vectors, write_lexicon


def made_up_sets(count):
    rng = np.random.default_rng(0)
    starts = {"animal": 1_500_000, "food": 7_700_000, "person": 10_000_000}
    return {
        kind + "".join("abcdefghij"[int(digit)] for digit in str(i)): frozenset(
            [str(start + int(rng.integers(250_000)))]
        )
        for kind, start in starts.items()
        for i in range(count)
    }


def test_vectors_tell_ranges_of_sets_apart():
    vectors = word_vectors(made_up_sets(40), 12)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    within, across = vectors[:40] @ vectors[:40].T, vectors[:40] @ vectors[40:].T
    assert within.mean() > across.mean() + 0.2


def test_a_lexicon_is_written_and_read(tmp_path):
    sets = made_up_sets(10)
    assert write_lexicon(sets, tmp_path / "vectors.safetensors", 8) == 30
    lexicon = read_lexicon(tmp_path / "vectors.safetensors")
    assert isinstance(lexicon, Lexicon)
    exact = word_vectors(sets, 8)
    for place, word in enumerate(sets):
        assert np.allclose(lexicon.vectors[lexicon.row([word])], exact[place], atol=0.01)
