"""Every metric moves as it should while clips of the world are spoilt more and more. `pytest -s` shows the table."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from torch import Tensor, nn

from mov_ai.errors import UsageError
from mov_ai.evaluation.metrics.folders import Video
from mov_ai.evaluation.metrics.optical_flow import LucasKanade
from mov_ai.evaluation.metrics.result import Absent
from mov_ai.evaluation.networks import MetricNetworks, load_networks
from mov_ai.evaluation.video_metrics import FEATURES, I3D, PROBABILITIES, pair_quantities, quantities
from mov_ai.models.metric_networks.pixels import to_network
from mov_ai.worlds.tabletop.lexicon import COLORS, RGB
from tools.metrics.behaviour import (
    EXCEPTIONS,
    HIGHER_IS_BETTER,
    PROMPTS,
    STRENGTHS,
    Behaviour,
    Expectation,
    Move,
    Row,
    arguments,
    behaviour,
    exchange,
    expected,
    holds,
    main,
    rendered,
    run,
    table,
)
from tools.metrics.distortions import DISTORTIONS

CLIPS, SIDE = 8, 40

Clips = tuple[list[Video], dict[str, str]]


class RandomRecognition:
    """Random convolutions in space and time: distances between sets need no training to grow with damage."""

    network, weights = "random convolutions", "none"

    def __init__(self, clips: Sequence[np.ndarray]) -> None:
        generator = torch.Generator().manual_seed(0)

        def drawn(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator) / math.sqrt(math.prod(shape[1:]))

        self._frame = drawn(12, 3, 5, 5), drawn(24, 12, 3, 3)
        self._moving = drawn(32, 12, 3, 3, 3)
        # Half of them see only what changes.
        self._moving[::2] -= self._moving[::2].mean(2, keepdim=True)
        self._classes = drawn(6, 64)
        self._spread = np.ones(1)
        # Features of a trained network have one scale too.
        self._spread = np.stack([self.features(clip) for clip in clips]).std(0) + 1e-3

    def feature_maps(self, x: Tensor, /) -> list[Tensor]:
        first = nn.functional.relu(nn.functional.conv2d(x, self._frame[0], stride=2))
        return [first, nn.functional.relu(nn.functional.conv2d(first, self._frame[1], stride=2))]

    def frame_features(self, frames: np.ndarray, /) -> np.ndarray:
        deep = self.feature_maps(to_network(frames))[1].flatten(2)
        return torch.cat([deep.mean(-1), deep.amax(-1)], 1).numpy()

    def features(self, frames: np.ndarray, /) -> np.ndarray:
        maps = self.feature_maps(to_network(frames))[0]
        moving = nn.functional.conv3d(maps.transpose(0, 1)[None], self._moving, stride=(1, 2, 2))[0]
        moving = nn.functional.relu(moving).flatten(1)
        return torch.cat([moving.mean(1), moving.std(1)]).numpy() / self._spread

    def probabilities(self, frames: np.ndarray, /) -> np.ndarray:
        """Of classes that mean nothing; the inception score of trained ones is another test's."""
        scores = torch.from_numpy(self.features(frames)).float() @ self._classes.T
        return scores.softmax(-1).numpy()


class ColourWords:
    """Which share of the colours that a text names are in a video: tells whose text it is, and no more."""

    network, weights = "colour words", "none"

    def similarity(self, text: str, frames: np.ndarray, /) -> float:
        spoken = set(text.lower().replace(",", " ").replace(".", " ").split())
        named = [RGB[colour] for colour, words in COLORS.items() if spoken & set(words)]
        pixels = _hue((frames[::4].reshape(-1, 3) / 255) ** 2.2)
        there = [np.mean(np.linalg.norm(pixels - _hue(np.array(rgb)), axis=-1) < 0.2) > 0.005 for rgb in named]
        return float(np.mean(there)) if there else 0.0


def _hue(rgb: np.ndarray) -> np.ndarray:
    """Linear RGB without brightness; near 0 for greys."""
    centred = rgb - rgb.mean(-1, keepdims=True)
    return centred / (np.linalg.norm(centred, axis=-1, keepdims=True) + 0.05)


@pytest.fixture(scope="session")
def clips() -> Clips:
    """Real clips of the world, small."""
    return rendered(CLIPS, SIDE)


@pytest.fixture(scope="session")
def untrained(clips: Clips) -> MetricNetworks:
    missing = Absent("not on this machine", "mov-ai weights pull it")
    recognition = RandomRecognition([video.frames for video in clips[0]])
    return MetricNetworks(recognition, ColourWords(), missing, missing, missing, LucasKanade())


@pytest.fixture(scope="session")
def found(clips: Clips, untrained: MetricNetworks) -> Behaviour:
    result = behaviour(*clips, untrained)
    Console(width=140).print(table(result))
    return result


#: What needs trained networks: classes that mean something, and text that is compared with more than colours.
UNTRAINED = ("embedded_is", "embedded_clipsim")


@pytest.mark.parametrize("distortion", DISTORTIONS)
def test_every_metric_moves_as_it_should(found: Behaviour, distortion: str) -> None:
    rows = [row for row in found.rows if row.distortion == distortion and row.metric not in UNTRAINED]
    assert len(rows) == 12
    for row in rows:
        print(row)  # noqa: T201
    assert [row for row in rows if row.holds is False] == []


def test_text_and_video_part_as_prompts_are_exchanged(found: Behaviour) -> None:
    row = found.row("embedded_clipsim", PROMPTS)
    assert row.holds, row
    assert [other.metric for other in found.rows if other.distortion == PROMPTS] == ["embedded_clipsim"]


def test_every_metric_of_a_report_is_in_the_table(clips: Clips, untrained: MetricNetworks, found: Behaviour) -> None:
    reported = {q.name for q in [*quantities(untrained, clips[1]), *pair_quantities(untrained)]}
    reported -= {FEATURES, PROBABILITIES, I3D} | {name for name in reported if name.endswith("_permuted")}
    shown = {row.metric for row in found.rows}
    assert reported < shown
    assert shown - reported == {"embedded_fvd", "embedded_kvd", "embedded_jedi_style_mmd", "embedded_is"}
    for distortion in DISTORTIONS:
        assert {row.metric for row in found.rows if row.distortion == distortion} == shown


def test_undistorted_videos_are_at_the_good_end(found: Behaviour) -> None:
    for distortion in DISTORTIONS:
        assert found.row("embedded_fvd", distortion).values[0] == 0
        assert found.row("embedded_lpips_truth", distortion).values[0] == 0
        assert found.row("psnr", distortion).values[0] == 100
        assert found.row("ssim", distortion).values[0] == 1


def test_exceptions_have_reasons_and_those_without_a_promise_are_these() -> None:
    entries = {(metric, name): entry for metric, found in EXCEPTIONS.items() for name, entry in found.items()}
    assert all(entry.reason and entry.move != "worse" for entry in entries.values())
    assert {metric.removeprefix("embedded_") for metric in EXCEPTIONS} <= set(HIGHER_IS_BETTER)
    assert {distortion for _, distortion in entries} <= set(DISTORTIONS)
    assert {cell for cell, entry in entries.items() if entry.move == "free"} == {
        ("motion_smoothness", "drop"),
        ("warping_error", "blur"),
        ("subject_consistency", "blur"),
        ("subject_consistency", "colour shift"),
        ("dynamic_degree", "blur"),
        ("dynamic_degree", "noise"),
        ("dynamic_degree", "drop"),
        ("dynamic_degree", "colour shift"),
        ("lpips", "drop"),
        ("lpips", "colour shift"),
        ("is", "colour shift"),
        ("embedded_is", "colour shift"),
        ("clipsim", "drop"),
    }
    # What judges quality against a reference has no excuse.
    for metric in ("fvd", "kvd", "jedi_style_mmd", "psnr", "ssim", "lpips_truth"):
        assert {expected(metric, distortion).move for distortion in DISTORTIONS} == {"worse"}


def test_promises_that_were_taken_back_still_count() -> None:
    """As first written: whoever weakens a promise after measuring does not get it kept."""
    entries = {(metric, name): entry for metric, found in EXCEPTIONS.items() for name, entry in found.items()}
    weakened = {cell: entry.first for cell, entry in entries.items() if entry.first is not None}
    assert weakened == {
        ("subject_consistency", "blur"): "better",
        ("dynamic_degree", "noise"): "better",
        ("lpips", "drop"): "down",
        ("embedded_is", "blur"): "worse",
        ("embedded_is", "drop"): "worse",
        ("embedded_clipsim", "blur"): "worse",
        ("embedded_clipsim", "noise"): "worse",
        ("embedded_clipsim", "drop"): "worse",
    }
    late = Expectation("worse late", "why", first="worse")
    rows = [
        Row("psnr", "blur", (3, 2, 1), Expectation("worse"), True, True),
        Row("embedded_is", "blur", (1.0, 1.01, 0.8), late, True, False),
        Row("lpips", "colour shift", (1, 2, 1), Expectation("free", "why"), None, None),
        Row("lpips", "drop", (1, 2, 1), Expectation("free", "why", first="down"), None, False),
    ]
    assert Behaviour((0, 0.5, 1), tuple(rows), {}).first_promises == (1, 3)
    assert Behaviour((0, 0.5, 1), tuple(rows), {}).failures == []


def test_an_embedded_metric_is_expected_to_do_what_the_published_one_does() -> None:
    assert expected("embedded_lpips", "blur") == expected("lpips", "blur")
    assert expected("embedded_fvd", "noise").move == "worse"
    # A mean over frames has no order; the embedded network sees videos.
    assert expected("clipsim", "shuffle").move == "still"
    assert expected("embedded_clipsim", "shuffle").move == "worse"


@pytest.mark.parametrize(
    ("values", "move", "higher_is_better", "so_it_is"),
    [
        ([0, 1, 2], "worse", False, True),
        ([0, 1, 2], "worse", True, False),
        ([0, 1, 2], "better", True, True),
        ([0, 1, 2], "up", True, True),
        ([0, 1, 2], "down", False, False),
        ([2, 1, 1], "down", False, True),
        ([0, 2, 1], "up", False, False),
        ([1, 1, 1], "up", False, False),
        ([1, 1, 1], "still", False, True),
        ([1, 1, 1.1], "still", False, False),
        ([0, 2, 1], "free", False, None),
        ([1.0, 1.01, 0.8], "worse late", True, True),
        ([1.0, 1.03, 0.8], "worse late", True, False),
        ([1.0, 0.9, 1.01], "worse late", True, False),
        ([1.0, 0.99, 1.2], "worse late", False, True),
    ],
)
def test_moves_are_told_apart(values: list[float], move: Move, higher_is_better: bool, so_it_is: bool | None) -> None:
    assert holds(values, move, higher_is_better) is so_it_is


def test_more_and_more_pairs_exchange_their_prompts() -> None:
    prompts = {f"{i:02d}": f"text {i}" for i in range(17)}
    moved = []
    for strength in STRENGTHS:
        others = exchange(prompts, strength)
        assert sorted(others.values()) == sorted(prompts.values())
        moved.append({name for name in prompts if others[name] != prompts[name]})
    assert [len(names) for names in moved] == [0, 4, 8, 12, 16]
    assert all(a <= b for a, b in pairwise(moved))


def test_command_prints_the_table_writes_it_and_fails_where_a_metric_does(
    clips: Clips,
    untrained: MetricNetworks,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("tools.metrics.behaviour.STRENGTHS", (0.0, 1.0))
    monkeypatch.setattr("tools.metrics.behaviour.rendered", lambda count, size: (clips[0][:count], clips[1]))
    monkeypatch.setattr("tools.metrics.behaviour.load_networks", lambda: untrained)
    monkeypatch.setattr("tools.metrics.behaviour.DISTORTIONS", {"blur": DISTORTIONS["blur"]})
    options = ["--videos", "3", "--out", str(tmp_path / "table.json")]
    run(arguments(options), Console(width=140))
    written = json.loads((tmp_path / "table.json").read_text())
    assert written["command"].endswith("--videos 3 --size 64")
    assert {row["distortion"] for row in written["rows"]} == {"blur", PROMPTS}
    held, made = written["first_promises"]["hold"], written["first_promises"]["made"]
    assert 0 < held <= made
    assert "temporal_flickering, blur: better" in capsys.readouterr().out
    monkeypatch.setitem(EXCEPTIONS, "psnr", {"blur": Expectation("better", "it is not")})
    assert main(options) == 1
    assert "psnr, blur: expected better" in capsys.readouterr().err


@pytest.mark.parametrize(("options", "said"), [(["--videos", "1"], "--videos"), (["--size", "31"], "--size")])
def test_bad_options_are_refused(options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(options) == 2
    assert said in capsys.readouterr().err


def test_too_little_to_compare_is_refused(clips: Clips, untrained: MetricNetworks) -> None:
    with pytest.raises(UsageError, match="at least 2 videos"):
        behaviour(clips[0][:1], clips[1], untrained)


@pytest.mark.slow
def test_with_the_embedded_networks_every_metric_moves_as_it_should() -> None:
    # In large steps and on few clips; `make check-metrics` takes small steps, and the clips that they need.
    result = behaviour(*rendered(24, 64), load_networks(), strengths=(0.0, 0.5, 1.0))
    Console(width=140).print(table(result))
    assert result.failures == []
    assert result.row("embedded_clipsim", PROMPTS).holds
