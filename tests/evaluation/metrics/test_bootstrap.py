from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mov_ai.errors import UsageError
from mov_ai.evaluation.metrics.bootstrap import mean_interval, set_interval, share_interval


@settings(max_examples=40, deadline=None)
@given(arrays.arrays(np.float64, st.integers(2, 40), elements=st.floats(-1e6, 1e6)), st.integers(0, 5))
def test_interval_of_a_mean_lies_within_the_values_and_repeats(values: np.ndarray, seed: int) -> None:
    low, high = mean_interval(values, 200, seed)
    assert values.min() <= low <= high <= values.max()
    assert (low, high) == mean_interval(values, 200, seed)


def test_interval_of_a_mean_covers_the_truth_in_about_95_of_100_cases() -> None:
    rng = np.random.default_rng(0)
    cases = [mean_interval(rng.normal(3, 2, 50), 300, seed) for seed in range(200)]
    covered = np.mean([low <= 3 <= high for low, high in cases])
    assert 0.89 <= covered <= 0.99


def test_interval_of_a_mean_is_as_wide_as_theory_says() -> None:
    values = np.random.default_rng(1).normal(0, 1, 400)
    low, high = mean_interval(values)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.08)


def test_intervals_are_those_that_were_published_with() -> None:
    rng = np.random.default_rng(7)
    values = rng.random(40)
    assert mean_interval(values) == pytest.approx((0.3807769861765042, 0.563808059557594), abs=0.005)
    assert mean_interval(values, 300, 3) == pytest.approx((0.3782114702919141, 0.5685982825760064), abs=0.01)
    assert mean_interval([1.0] * 30 + [0.0] * 10) == pytest.approx((0.625, 0.875), abs=0.026)
    right = rng.integers(0, 4, 64)
    asked = right + rng.integers(0, 3, 64)
    assert share_interval(right, asked) == pytest.approx((0.5263072453861928, 0.6467248195915859), abs=0.005)


def test_groups_that_were_asked_for_nothing_count_for_nothing() -> None:
    assert share_interval([1, 0, 0], [1, 0, 0]) == (1.0, 1.0)


def test_interval_of_a_set_statistic_holds_its_value_and_is_cut_at_the_minimum() -> None:
    values = np.random.default_rng(2).normal(size=(30, 2))
    low, high = set_interval(lambda x: float(x.var()), [values], float(values.var()), minimum=0.0)
    assert 0 <= low < values.var() < high
    assert set_interval(lambda x: 0.0, [values], 0.0, minimum=0.0) == (0.0, 0.0)


def test_too_few_values_are_refused() -> None:
    with pytest.raises(UsageError, match="at least 2 values"):
        mean_interval([1.0])
    with pytest.raises(UsageError, match="at least 2 samples"):
        set_interval(lambda x: 0.0, [np.zeros((1, 3))], 0.0)
    with pytest.raises(ValueError, match="finite"):
        mean_interval([1.0, np.nan])
