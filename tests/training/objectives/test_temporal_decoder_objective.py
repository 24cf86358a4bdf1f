"""Training temporal decoders: samples that belong together, held-out clips, a start from an image decoder, export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from mov_ai.data.video import write_video
from mov_ai.errors import UsageError
from mov_ai.models.codec import AnyCodec, CodecConfig, to_unit
from mov_ai.models.codec_registry import load_codec, save_codec
from mov_ai.models.temporal_codec import TemporalCodec
from mov_ai.models.temporal_decoder import TemporalDecoderConfig, TemporalParts
from mov_ai.training.decoder_clips import DecoderClips, RealClips, WorldClips
from mov_ai.training.loop import Trainer
from mov_ai.training.objectives.temporal_decoder import TemporalDecoderObjective
from mov_ai.training.settings import TrainerConfig
from tests.models.test_codec import small_codec

SIZES: dict[str, Any] = {"widths": (32, 32, 32, 32), "layers": 1}


class Numbered(DecoderClips):
    """Clips that say where each of their pixels is from."""

    about = "Numbers."

    def settings(self, held_out: bool) -> Any:
        return held_out

    def estimate(self, held_out: bool) -> int:
        return 2

    def read(self, held_out: bool) -> Any:
        rng = np.random.default_rng(int(held_out))
        for name in ("c", "d") if held_out else ("a", "b"):
            yield name, rng.integers(0, 256, (self.frames, self.size, self.size, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("codec")
    save_codec(small_codec(), folder)
    return str(folder)


def make_objective(codec: str, folder: Path, **changes: Any) -> TemporalDecoderObjective:
    parts = changes.pop("parts", TemporalParts())
    values: dict[str, Any] = {"batch_size": 2, "frames": 2, "model": TemporalDecoderConfig(**SIZES, parts=parts)}
    objective = TemporalDecoderObjective(Numbered(32, 4, str(folder / "cache")), codec, **{**values, **changes})
    objective.prepare(torch.device("cpu"), lambda done, total, what: None)
    return objective


def test_latents_and_frames_of_a_sample_are_of_the_same_place_and_time(codec: str, tmp_path: Path) -> None:
    objective = make_objective(codec, tmp_path, window=16)
    batch = objective.batch(3)
    assert batch["video"].shape == (2, 2, 3, 16, 16)
    assert batch["latents"].shape == (2, 2, 4, 2, 2)
    again = make_objective(codec, tmp_path, window=16)
    assert all(torch.equal(again.batch(3)[name], value) for name, value in batch.items())
    assert not torch.equal(again.batch(4)["video"], batch["video"])
    network = load_codec(codec)
    places = []
    for video, latents in zip(batch["video"], batch["latents"], strict=True):
        for clip in objective._train:
            whole = to_unit(torch.from_numpy(clip.frames))
            encoded = network.encode(whole[None])[0]
            for first in range(3):
                for top in range(3):
                    for left in range(3):
                        shown = whole[first : first + 2, :, 8 * top : 8 * top + 16, 8 * left : 8 * left + 16]
                        if torch.equal(shown, video):
                            places.append((first, top, left))
                            cells = encoded[first : first + 2, :, top : top + 2, left : left + 2]
                            assert_close(latents, cells, atol=1e-2, rtol=1e-2)
    assert len(places) == 2


def test_an_option_goes_on_from_the_image_decoder_and_only_what_was_added_is_trained(
    codec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trained(name: str, **changes: Any) -> Path:
        objective = make_objective(codec, tmp_path, **changes)
        rate = 3e-3
        config = TrainerConfig(max_steps=4, learning_rate=rate, warmup_steps=0, ema_decay=0, device="cpu", threads=1)
        result = Trainer(objective, config, tmp_path / name).run()
        assert set(result["validation"]) == {"psnr"}
        return tmp_path / name / "export"

    image = trained("image")
    option = trained("option", parts=TemporalParts("convolution"), tuned="temporal", start=str(image))
    begun, gone_on = load_codec(image), load_codec(option)
    assert isinstance(begun, TemporalCodec)
    assert isinstance(gone_on, TemporalCodec)
    after = gone_on.decoder.state_dict()
    assert all(torch.equal(after[name], value) for name, value in begun.decoder.state_dict().items())
    assert all(part.out.weight.any() for part in gone_on.decoder.temporal)  # type: ignore[union-attr, operator]
    assert "`encoder/`" in (option / "README.md").read_text()

    def no_reading(self: Numbered, held_out: bool) -> Any:
        raise AssertionError("clips that were encoded are read from the cache")

    monkeypatch.setattr(Numbered, "read", no_reading)
    make_objective(codec, tmp_path)


def test_settings_that_do_not_fit_are_one_clear_line(codec: str, tmp_path: Path) -> None:
    for changes, message in (
        ({"tuned": "all"}, "tuned: expected one of decoder, temporal; found 'all'"),
        ({"window": 12}, "window: expected a multiple of 8, the codec's cell, up to the clips' 32 pixels; found 12"),
        ({"window": 40}, "found 40"),
        ({"frames": 5}, "frames: expected 1 to 4, the clips' own; found 5"),
        ({"model": TemporalDecoderConfig(widths=(32, 32))}, "cells of 2 pixels"),
        ({"start": codec}, "start: .*expected an exported decoder of experiment=temporal_decoder"),
    ):
        with pytest.raises(UsageError, match=message):
            make_objective(codec, tmp_path, **changes)
    with pytest.raises(UsageError, match=r"clips\.size: expected a multiple of 8, the codec's cell; found 20"):
        Numbered(20, 4, str(tmp_path)).load(codec, load_codec(codec), False)


def test_real_clips_are_windows_of_videos_and_held_out_ones_are_others(codec: str, tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    for number, name in enumerate(("one", "two", "short")):
        level = np.linspace(40 * number, 200, 5 if name == "short" else 24).astype(np.uint8)
        write_video(folder / f"{name}.mp4", np.broadcast_to(level[:, None, None, None], (len(level), 48, 48, 3)), 8.0)
        (folder / f"{name}.txt").write_text("A light goes on.")
    clips = RealClips(str(folder), ["two"], size=16, frames=8, fps=8.0, cache=str(tmp_path / "cache"))
    network = load_codec(codec)
    train, held_out = (clips.load(codec, network, held_out) for held_out in (False, True))
    assert [clip.name for clip in train] == ["one", "one"]
    assert [clip.name for clip in held_out] == ["two", "two"]
    assert train[0].frames.shape == (8, 16, 16, 3)
    assert train[0].latents.shape == (8, 4, 2, 2)
    assert train[0].frames.mean() < train[1].frames.mean()
    with pytest.raises(UsageError, match=r"held_out: .*has no video three; it has"):
        RealClips(str(folder), ["three"])
    with pytest.raises(UsageError, match="expected a data set of videos"):
        RealClips("", [])


def test_the_worlds_held_out_clips_are_of_another_split(tmp_path: Path) -> None:
    class Counting(AnyCodec):
        config = CodecConfig()

        def encode(self, video: torch.Tensor) -> torch.Tensor:
            return video.new_zeros(1, video.shape[1], 8, 2, 2)

        def decode(self, latents: torch.Tensor, frames: int | None = None) -> torch.Tensor:
            raise NotImplementedError

    embedded = str(Path(__file__).parents[3] / "mov_ai" / "assets" / "tiny" / "codec")
    clips = WorldClips(clips=2, held_out=1, size=16, frames=3, cache=str(tmp_path))
    assert [clip.name for clip in clips.load(embedded, Counting(), False)] == ["train 0", "train 1"]
    held_out = clips.load(embedded, Counting(), True)
    assert [clip.name for clip in held_out] == ["validation 0"]
    assert held_out[0].frames.shape == (3, 16, 16, 3)
