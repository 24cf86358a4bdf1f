from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from mov_ai.errors import UsageError
from mov_ai.evaluation.metrics.result import (
    Absent,
    MetricResult,
    Provenance,
    Reference,
    Settings,
    dependencies,
    differences,
    mean_over_videos,
    shared,
    shared_settings,
)

SETTINGS = Settings(16, 8.0, "128x128", "h264 yuv420p crf 18")
PROVENANCE = Provenance("I3D", "i3d.pt (sha256 ab)", SETTINGS, Reference("test split", 64, SETTINGS))
RESULT = MetricResult("fvd", 12.5, (10.0, 15.0), 64, False, PROVENANCE, {"splits": 1}, ("few videos",))


def test_json_has_what_results_json_promises_and_survives_a_round_trip() -> None:
    entry = json.loads(json.dumps(RESULT.to_json(), allow_nan=False))
    expected = {"value": 12.5, "ci95": [10.0, 15.0], "n": 64, "higher_is_better": False, "network": "I3D"}
    assert expected.items() <= entry.items()
    assert entry["weights"] == "i3d.pt (sha256 ab)"
    assert entry["settings"] == {"frames": 16, "fps": 8.0, "resolution": "128x128", "codec": "h264 yuv420p crf 18"}
    assert entry["reference"]["n"] == 64
    assert entry["notes"] == ["few videos"]


def test_absent_gives_reason_and_command() -> None:
    assert Absent("no weights", "mov-ai weights pull i3d").to_json() == {
        "absent": "no weights; mov-ai weights pull i3d"
    }


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"name": "kvd"}, "metric"),
        ({"n": 63}, "n:"),
        ({"parameters": {"splits": 2}}, "splits"),
        ({"parameters": {}}, "not given"),
        ({"provenance": replace(PROVENANCE, network="VGG")}, "network"),
        ({"provenance": replace(PROVENANCE, weights="other")}, "weights"),
        ({"provenance": replace(PROVENANCE, reference=None)}, "reference"),
        ({"provenance": replace(PROVENANCE, reference=Reference("test split", 65, SETTINGS))}, "n of the reference"),
        *(
            ({"provenance": replace(PROVENANCE, settings=replace(SETTINGS, **{key: value}))}, key)  # type: ignore[arg-type]
            for key, value in {"frames": 17, "fps": 24.0, "resolution": "64x64", "codec": "none"}.items()
        ),
    ],
)
def test_results_that_differ_in_anything_they_depend_on_are_not_comparable(change: dict, word: str) -> None:
    reasons = differences(dependencies(RESULT), dependencies(replace(RESULT, **change)))
    assert any(word in reason for reason in reasons)


def test_results_that_differ_in_value_only_are_comparable() -> None:
    other = replace(RESULT, value=1.0, ci95=None, notes=())
    assert not differences(dependencies(RESULT), dependencies(other))


@pytest.mark.parametrize("change", [{"value": np.nan}, {"value": np.inf}, {"ci95": (2.0, 1.0)}, {"n": 0}])
def test_results_that_mean_nothing_are_refused(change: dict) -> None:
    with pytest.raises(ValueError, match="fvd: expected"):
        replace(RESULT, **change)


def test_settings_of_a_set_say_what_is_mixed() -> None:
    both = shared_settings([SETTINGS, replace(SETTINGS, frames=8)])
    assert (both.frames, both.fps) == ("mixed: 8, 16", 8.0)
    assert shared([3, 3]) == 3


def test_mean_over_videos_has_an_interval_from_two_videos_on() -> None:
    one = mean_over_videos("x", [0.5], True, PROVENANCE)
    assert (one.value, one.ci95, one.n, one.notes) == (0.5, None, 1, ("one video: no interval",))
    two = mean_over_videos("x", [0.25, 0.75], True, PROVENANCE)
    assert two.value == 0.5
    assert two.ci95 == (0.25, 0.75)
    with pytest.raises(UsageError, match="no video to measure"):
        mean_over_videos("x", [], True, PROVENANCE)
