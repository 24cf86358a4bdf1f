from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mov_ai.errors import UsageError
from mov_ai.models.codec import AnyCodec, CodecConfig, VideoCodec
from mov_ai.models.component import load_component, save_component
from mov_ai.models.in_between import split
from mov_ai.models.interpolation import BETWEEN, InterpolationConfig, InterpolationNetwork
from mov_ai.training.objective import Progress
from mov_ai.training.objectives.interpolation import InterpolationObjective, blurred
from mov_ai.training.stretches import MixedStretches, Stretches, StretchSource
from mov_ai.training.tabletop_stretches import SKIPS, TabletopStretches

SMALL = InterpolationConfig(latent_channels=4, widths=(8, 12), blocks=(1, 1), dim=8, steps=1)


class MovingBar(StretchSource):
    """A bar that moves evenly: what is between follows from the keyframes, and blending is wrong."""

    about = "A bar."

    def bind(self, codec_source: str, codec: AnyCodec) -> None:
        self.codec = codec

    def prepare(self, progress: Progress) -> None:
        self.prepared = True

    def draw(self, batch_size: int, rng: np.random.Generator) -> Stretches:
        place = np.arange(8)
        starts, speeds = rng.uniform(0, 7, (batch_size, 1, 1)), rng.choice([-0.5, 0.5], (batch_size, 1, 1))
        centre = starts + speeds * np.arange(14)[:, None]
        bar = np.exp(-((place - centre % 8) ** 2))
        latents = torch.from_numpy(np.broadcast_to(bar[:, :, None, None], (batch_size, 14, 4, 8, 8)).copy()).float()
        return Stretches(latents, torch.full((batch_size,), 4.0))

    def validation(self) -> list[Stretches]:
        return [self.draw(2, np.random.default_rng(99))]


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("codec")
    config = CodecConfig(4, (8, 8, 8), (1, 1, 1), (0.0,) * 4, (1.0,) * 4)
    save_component(VideoCodec(config), folder)
    return str(folder)


@pytest.fixture
def objective(codec: str) -> InterpolationObjective:
    return InterpolationObjective(codec, MovingBar(), batch_size=4, model=SMALL, keyframes=3)


class Still(MovingBar):
    """Nothing moves, and nothing is held out."""

    about = "Nothing."

    def draw(self, batch_size: int, rng: np.random.Generator) -> Stretches:
        return Stretches(torch.zeros(batch_size, 14, 4, 8, 8), torch.full((batch_size,), 8.0))

    def validation(self) -> list[Stretches]:
        return []


def test_sources_are_drawn_from_by_their_shares(codec: str) -> None:
    mixed = MixedStretches({"bars": MovingBar(), "still": Still()}, {"bars": 3, "still": 1})
    objective = InterpolationObjective(codec, mixed, batch_size=2, model=SMALL, keyframes=3)
    objective.prepare(torch.device("cpu"), lambda *_: None)
    skips = [float(objective.batch(step)["skip"][0]) for step in range(200)]
    assert 0.15 < skips.count(8.0) / 200 < 0.35
    assert mixed.about == "A bar. Nothing."
    figures = objective.validate(objective.module().eval())
    assert set(figures) == {"bars_one_8", "bars_four_8"}


@pytest.mark.parametrize("shares", [{"bars": 1}, {"bars": 1, "still": -1}, {"bars": 0, "still": 0}])
def test_shares_must_be_of_the_sources(shares: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=r"data.shares: expected a share for each of bars, still"):
        MixedStretches({"bars": MovingBar(), "still": Still()}, shares)


def test_a_batch_follows_from_the_step_alone_and_begins_anywhere_in_the_stretch(
    objective: InterpolationObjective,
) -> None:
    first, again, other = objective.batch(3), objective.batch(3), objective.batch(4)
    assert torch.equal(first["frames"], again["frames"])
    assert not torch.equal(first["frames"], other["frames"])
    assert first["frames"].shape == (4, 9, 4, 8, 8)


def test_the_loss_falls_and_what_moves_is_found_better_than_by_blending(objective: InterpolationObjective) -> None:
    network = objective.module().train()
    optimizer = torch.optim.Adam(network.parameters(), 5e-3)
    losses = []
    for step in range(40):
        loss, parts = objective.loss(network, objective.batch(step), torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(parts["clean"].item() if "clean" in parts else losses[-1])
    assert np.mean(losses[-10:]) < 0.75 * np.mean(losses[:10])
    assert objective.validate(network.eval())["one_8"] > 0.5


def test_keyframes_are_perturbed_as_the_network_is_told_and_clean_where_it_is_told_nothing(
    objective: InterpolationObjective,
) -> None:
    frames = objective.batch(0)["frames"]
    keyframes, _ = split(frames)
    told = torch.tensor([0.0, 250.0, 250.0, 0.0])
    seen = objective._degraded(frames, keyframes, told, torch.Generator().manual_seed(0))
    assert torch.equal(seen[told == 0], keyframes[told == 0])
    difference = seen[1:3] - np.cos(np.pi / 8) * keyframes[1:3]
    assert float(difference.std()) == pytest.approx(np.sin(np.pi / 8), rel=0.15)


def test_some_of_the_perturbed_keyframes_are_mixed_or_blurred(codec: str) -> None:
    objective = InterpolationObjective(codec, MovingBar(), batch_size=4, model=SMALL, keyframes=3, augment=0.5)
    frames = objective.batch(0)["frames"]
    keyframes, _ = split(frames)
    # The smallest step there is: hardly any noise, so that what else was done shows.
    seen = objective._degraded(frames, keyframes, torch.full((4,), 1e-3), torch.Generator().manual_seed(0))
    neighbours = torch.cat([frames[:, 1 :: BETWEEN + 1], frames[:, -2:-1]], 1)
    mixed, soft = (keyframes + neighbours) / 2, blurred(keyframes)
    kinds = [
        [torch.allclose(seen[i, k], kind[i, k], atol=1e-3) for kind in (mixed, soft)]
        for i in range(4)
        for k in range(3)
    ]
    assert all(any(kind) for kind in kinds)
    assert {kind.index(True) for kind in kinds} == {0, 1}


def test_a_share_of_the_samples_is_without_keyframes(codec: str) -> None:
    objective = InterpolationObjective(codec, MovingBar(), batch_size=4, model=SMALL, keyframes=3, drop=1.0)
    _, parts = objective.loss(objective.module(), objective.batch(0), torch.Generator().manual_seed(0))
    assert set(parts) == {"alone"}


def test_the_export_is_what_a_pipeline_loads(objective: InterpolationObjective, tmp_path: Path) -> None:
    card = {
        "steps": 1, "samples": 4, "seconds": 1.0, "hardware": "none", "precision": "no", "seed": 0, "versions": {},
        "validation": {"one_8": 1.0},
    }  # fmt: skip
    objective.export(objective.module(), tmp_path, card)
    loaded = load_component(InterpolationNetwork, InterpolationConfig, tmp_path)
    assert loaded.config == SMALL
    assert "A bar." in (tmp_path / "README.md").read_text()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"keyframes": 1}, r"objective\.keyframes: expected 2 or more; found 1"),
        ({"drop": 1.5}, r"objective\.drop: expected a share, 0 to 1; found 1\.5"),
        ({"augment": 0.7}, r"objective\.augment: expected a share, 0 to 0\.5"),
        ({"model": InterpolationConfig()}, r"expected latents of 8 channels, as the model has; found 4"),
    ],
)
def test_wrong_settings_are_one_line(codec: str, given: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        InterpolationObjective(codec, MovingBar(), **{"model": SMALL, **given})


def test_stretches_longer_than_there_are_are_asked_for_in_vain(codec: str) -> None:
    objective = InterpolationObjective(codec, MovingBar(), model=SMALL, keyframes=5)
    with pytest.raises(UsageError, match=r"5 need stretches of 17 frames; data\.frames gives 14"):
        objective.batch(0)


def test_the_worlds_stretches_are_kept_and_drawn_whole_or_in_windows(codec: str, tmp_path: Path) -> None:
    sizes = {"clips": (2, 1), "sizes": (16, 64), "shares": (0.5, 0.5), "crops": (2, 3), "validation_clips": (1, 0)}
    said: list[str] = []

    def source() -> TabletopStretches:
        made = TabletopStretches(str(tmp_path), window=64, frames=5, **sizes)
        made.bind(codec, VideoCodec(CodecConfig(4, (8, 8, 8), (1, 1, 1), (0.0,) * 4, (1.0,) * 4)).eval())
        made.prepare(lambda done, total, what: said.append(what))
        return made

    first = source()
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}
    assert len(files) == 3
    again = source()
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")} == files
    shapes = set()
    for step in range(8):
        drawn, same = (made.draw(3, np.random.default_rng(step)) for made in (first, again))
        assert torch.equal(drawn.latents, same.latents)
        assert set(drawn.skip.tolist()) <= set(map(float, SKIPS))
        shapes.add(tuple(drawn.latents.shape))
    assert shapes == {(3, 5, 4, 2, 2), (3, 5, 4, 3, 3)}
    assert [tuple(kept.latents.shape) for kept in first.validation()] == [(1, 5, 4, 2, 2)]


def test_settings_of_sizes_must_be_of_one_length(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^data: expected as many .* as sizes"):
        TabletopStretches(str(tmp_path), sizes=(128,))
    with pytest.raises(UsageError, match=r"data\.frames: expected 5 to 22; found 40"):
        TabletopStretches(str(tmp_path), frames=40)


def test_decoded_frames_count_where_they_are_asked_for(codec: str) -> None:
    objective = InterpolationObjective(codec, MovingBar(), batch_size=4, model=SMALL, keyframes=3, drop=0.0, pixels=0.5)
    module = objective.module()
    weights = [weight.clone() for weight in objective._codec.parameters()]
    batch = objective.batch(0)

    def loss_of(pixels: float) -> tuple[torch.Tensor, dict[str, float | torch.Tensor]]:
        objective.pixels = pixels
        return objective.loss(module, batch, torch.Generator().manual_seed(0))

    (plain, without), (both, parts) = loss_of(0.0), loss_of(0.5)
    assert "pixels" not in without
    assert 0.1 < float(parts["pixels"]) < 10, "in units of what blending leaves"
    assert (both - plain).item() == pytest.approx(0.5 * float(parts["pixels"]), rel=1e-3)
    (both - plain).backward()
    assert module.out.weight.grad is not None
    assert float(module.out.weight.grad.abs().sum()) > 0
    assert all(torch.equal(*pair) for pair in zip(weights, objective._codec.parameters(), strict=True))
    with pytest.raises(UsageError, match=r"objective.pixels: expected a weight"):
        InterpolationObjective(codec, MovingBar(), model=SMALL, pixels=-1.0)
