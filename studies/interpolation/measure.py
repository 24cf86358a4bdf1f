"""Frames between keyframes: the network against blending and optical flow, `python -m studies.interpolation.measure`.

Clips of the world are rendered at 32 frames a second; every fourth frame goes through the codec and is a keyframe, and
each method finds the three between. Figures are PSNR in dB over the pixels of a region of a clip's frames between,
pooled, then the mean over clips: beside the true frames, and beside the true frames through the codec, which no method
can do anything about.
"""

from __future__ import annotations

import argparse
import itertools
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor

from mov_ai.errors import UsageError, run_script
from mov_ai.graph.files import read_json, write_json
from mov_ai.hardware import machine
from mov_ai.models.codec import AnyCodec, to_bytes, to_unit
from mov_ai.models.in_between import blend, decoded, interpolate, split
from mov_ai.models.interpolation import BETWEEN, InterpolationNetwork
from mov_ai.pipeline_files import load_codec_and_interpolation, pipeline_folder
from mov_ai.smoothing import encoded
from studies.interpolation.flow_warping import FLOWS, frames_between
from studies.interpolation.regions import LARGE, OBJECTS, OCCLUSION, true_clip
from studies.stages.figures import mean

#: Frames a second of what is found.
FPS = 32.0
NETWORK, BLEND, CODEC = "network", "blending of latents", "codec alone"
#: What figures are taken beside.
TRUTH, CODED = "true frames", "true frames through the codec"
#: Keyframe latents (1, n, channels, h, w) and decoded keyframes (n, 3, H, W) in [0, 1] -> uint8 (4n - 3, H, W, 3).
Method = Callable[[Tensor, Tensor], np.ndarray]
Regions = dict[str, np.ndarray]


@dataclass
class Measured:
    """Figures by clip, as they are kept between runs.

    Attributes:
        psnr: beside what -> method -> region -> clip -> dB; a clip without such a region has none.
        seconds: method -> clip -> seconds for the frames between.
    """

    psnr: dict[str, dict[str, dict[str, dict[str, float]]]] = field(default_factory=dict)
    seconds: dict[str, dict[str, float]] = field(default_factory=dict)

    def add(self, clip: int, beside: str, method: str, found: np.ndarray, true: np.ndarray, regions: Regions) -> None:
        """Measure a video, uint8 (frames, H, W, 3), in its frames between keyframes."""
        between = np.arange(len(true)) % (BETWEEN + 1) > 0
        square = ((found[between].astype(np.float32) - true[between].astype(np.float32)) / 255) ** 2
        error = square.mean(-1)
        kept = self.psnr.setdefault(beside, {}).setdefault(method, {})
        for name, region in regions.items():
            if region.any():
                value = float(-10 * np.log10(max(error[region].mean(), 1e-10)))
                kept.setdefault(name, {})[str(clip)] = round(value, 4)

    def of_first(self, number: int) -> Measured:
        """The figures of clips 0, 1, ..., without those of more that were measured in earlier runs."""

        def those(values: dict[str, float]) -> dict[str, float]:
            return {clip: value for clip, value in values.items() if int(clip) < number}

        psnr = {
            beside: {
                method: {name: kept for name, values in regions.items() if (kept := those(values))}
                for method, regions in by_method.items()
            }
            for beside, by_method in self.psnr.items()
        }
        return Measured(psnr, {method: those(values) for method, values in self.seconds.items()})

    def has(self, clip: int, method: str) -> bool:
        """Whether a clip was measured with a method."""
        return str(clip) in self.seconds.get(method, {})


def decode(codec: AnyCodec, latents: Tensor) -> np.ndarray:
    """uint8 (frames, H, W, 3) of latents (1, frames, channels, h, w)."""
    return np.concatenate([to_bytes(piece[0]).numpy() for piece in decoded(codec, latents.unbind(1))])


def methods(
    codec: AnyCodec, network: InterpolationNetwork, samplings: Sequence[tuple[int, float, int]], flows: Sequence[str]
) -> dict[str, Method]:
    """What is compared, by name.

    Args:
        samplings: steps, guidance and perturbation step of the network, beside its own.
        flows: names of `FLOWS`.
    """

    def by_network(steps: int | None = None, guidance: float | None = None, told: int | None = None) -> Method:
        return lambda latents, _: decode(codec, interpolate(latents, network, FPS, 0, steps, guidance, told))

    def by_blending(latents: Tensor, _: Tensor) -> np.ndarray:
        result = latents.new_empty(1, latents.shape[1] * (BETWEEN + 1) - BETWEEN, *latents.shape[2:])
        result[:, :: BETWEEN + 1] = latents
        between = blend(latents)
        for place in range(BETWEEN):
            result[:, place + 1 :: BETWEEN + 1] = between[:, :, place]
        return decode(codec, result)

    def by_flow(name: str) -> Method:
        def warped(_: Tensor, frames: Tensor) -> np.ndarray:
            parts = [frames[:1]]
            for first, second in itertools.pairwise(frames):
                parts += [frames_between(first, second, FLOWS[name], BETWEEN), second[None]]
            return to_bytes(torch.cat(parts) * 2 - 1).numpy()

        return warped

    result: dict[str, Method] = {NETWORK: by_network(), BLEND: by_blending}
    for steps, guidance, told in samplings:
        result[f"network, {steps} steps, w = {guidance:g}, tp = {told}"] = by_network(steps, guidance, told)
    return result | {f"flow warping, {name}": by_flow(name) for name in flows}


def measure_clip(
    seed: int, split_name: str, size: int, codec: AnyCodec, compared: dict[str, Method], measured: Measured
) -> None:
    """Measure every method on one clip."""
    clip = true_clip(seed, split_name, size)
    latents = torch.stack(list(encoded(codec, to_unit(torch.from_numpy(clip.video)))), 1)
    keyframes, _ = split(latents)
    frames = (torch.from_numpy(decode(codec, keyframes)).permute(0, 3, 1, 2) / 255).contiguous()
    through_codec = decode(codec, latents)
    measured.add(seed, TRUTH, CODEC, through_codec, clip.video, clip.regions)
    for name, method in compared.items():
        began = time.perf_counter()
        found = method(keyframes, frames)
        measured.seconds.setdefault(name, {})[str(seed)] = round(time.perf_counter() - began, 3)
        for beside, true in ((TRUTH, clip.video), (CODED, through_codec)):
            measured.add(seed, beside, name, found, true, clip.regions)


def summary(measured: Measured) -> list[dict[str, Any]]:
    """A row for each method and what it is compared with: PSNR by region, and what the network gains by region."""
    rows = []
    for beside, by_method in measured.psnr.items():
        for method, regions in by_method.items():
            own = by_method.get(NETWORK, {})
            gains = {}
            for name, values in regions.items():
                pairs = [own[name][clip] - value for clip, value in values.items() if clip in own.get(name, {})]
                if pairs and method != NETWORK:
                    gains[name] = mean(pairs).to_dict()
            seconds = list(measured.seconds.get(method, {}).values())
            rows.append(
                {
                    "beside": beside,
                    "method": method,
                    "psnr": {
                        name: {**mean(list(values.values())).to_dict(), "clips": len(values)}
                        for name, values in regions.items()
                    },
                    "gain_of_network": gains,
                    "seconds": round(float(np.median(seconds)), 2) if seconds else None,
                }
            )
    return rows


def table(rows: list[dict[str, Any]], title: str) -> Table:
    """PSNR over regions, and in brackets what the network has more."""
    names = list(dict.fromkeys(name for row in rows for name in row["psnr"]))
    result = Table(title=title)
    for column in ("beside", "", *names, "s"):
        result.add_column(column, justify="left" if column in ("beside", "") else "right")
    for row in rows:
        cells = []
        for name in names:
            value, gain = row["psnr"].get(name), row["gain_of_network"].get(name)
            more = "" if gain is None else f" ({gain['value']:+.2f})"
            cells.append("" if value is None else f"{value['value']:.2f}{more}")
        result.add_row(row["beside"], row["method"], *cells, "" if row["seconds"] is None else f"{row['seconds']:.2f}")
    return result


def run(
    console: Console,
    number: int = 64,
    size: int = 128,
    split_name: str = "test",
    checkpoint: str = "tiny",
    samplings: Sequence[tuple[int, float, int]] = (),
    flows: Sequence[str] = tuple(FLOWS),
    only: str | None = None,
    kept: Path | None = None,
    out: Path | None = None,
) -> dict[str, Any]:
    """Measure, print and write.

    Args:
        console: for the table.
        number: of clips, 0, 1, ... of the split.
        size: side of the frames in pixels.
        split_name: of the world.
        checkpoint: an embedded pipeline, or the folder of a saved one.
        samplings, flows: see `methods`.
        only: "network" or "others", to measure those alone; None for all.
        kept: JSON file of the figures by clip: what it holds of methods other than the network is not measured again.
        out: JSON file for the figures; those of another size or split that it holds stay.

    Returns:
        What is written for this size.

    Raises:
        UsageError: if an option names nothing that there is.
    """
    if number < 1:
        raise UsageError(f"--clips: expected 1 or more; found {number}")
    codec, network = load_codec_and_interpolation(pipeline_folder(checkpoint))
    compared = {
        name: method
        for name, method in methods(codec, network, samplings, flows).items()
        if only is None or name.startswith(NETWORK) == (only == NETWORK)
    }
    place = f"{split_name}_{size}"
    earlier = read_json(kept) if kept is not None and kept.is_file() else {}
    measured = Measured(**earlier.get(place, {}))
    began = time.perf_counter()
    for seed in track(range(number), "clips", console=console, transient=True):
        left = {
            name: method
            for name, method in compared.items()
            if name.startswith(NETWORK) or not measured.has(seed, name)
        }
        if left:
            measure_clip(seed, split_name, size, codec, left, measured)
        if kept is not None:
            write_json(kept, {**earlier, place: asdict(measured)})
    rows = summary(measured.of_first(number))
    config = network.config
    about = f"{number} clips of the {split_name} split at {size}"
    console.print(table(rows, f"Frames between keyframes, {about}: PSNR in dB (what the network has more)"))
    result = {
        "command": shlex.join(
            [
                *("python", "-m", "studies.interpolation.measure", "--clips", str(number), "--size", str(size)),
                *("--split", split_name, "--checkpoint", checkpoint, "--flows", *flows),
                *(word for sampling in samplings for word in ("--sampling", *map(str, sampling))),
            ]
        ),
        "clips": number,
        "size": size,
        "split": split_name,
        "sampling": {"steps": config.steps, "guidance": config.guidance, "perturbation": config.perturbation},
        "machine": machine(),
        "seconds": round(time.perf_counter() - began),
        "targets": _targets(rows),
        "rows": rows,
    }
    if out is not None:
        others = read_json(out) if out.is_file() else {}
        write_json(out, {**others, place: result})
    return result


def _targets(rows: list[dict[str, Any]]) -> dict[str, dict[str, dict[str, float]]]:
    """What the network has more than blending and than each flow, by region, beside either truth."""
    return {
        beside: {
            row["method"]: {
                name: row["gain_of_network"][name]["value"]
                for name in (OBJECTS, LARGE, OCCLUSION)
                if name in row["gain_of_network"]
            }
            for row in rows
            if row["beside"] == beside and (row["method"] == BLEND or row["method"].startswith("flow"))
        }
        for beside in (TRUTH, CODED)
    }


def main(given: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m studies.interpolation.measure", description=__doc__)
    parser.add_argument("--clips", dest="number", type=int, default=64, help="clips of the split, 0, 1, ...")
    parser.add_argument("--size", type=int, default=128, help="side of the frames in pixels")
    parser.add_argument("--split", dest="split_name", default="test", help="train, validation or test")
    parser.add_argument("--checkpoint", default="tiny", help="an embedded pipeline, or the folder of a saved one")
    parser.add_argument(
        "--sampling", dest="samplings", nargs=3, action="append", default=[], metavar=("STEPS", "W", "TP"),
        help="measure the network with other settings as well; may be given several times",
    )  # fmt: skip
    parser.add_argument("--flows", nargs="*", default=list(FLOWS), choices=list(FLOWS), help="methods of optical flow")
    parser.add_argument("--only", choices=("network", "others"), help="measure these alone")
    parser.add_argument("--kept", type=Path, help="JSON file of figures by clip, to go on from")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    chosen = vars(parser.parse_args(given))
    chosen["samplings"] = [(int(steps), float(w), int(told)) for steps, w, told in chosen["samplings"]]
    return run_script("interpolation", lambda: run(Console(), **chosen))


if __name__ == "__main__":
    sys.exit(main())
