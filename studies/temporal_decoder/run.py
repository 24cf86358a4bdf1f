"""Nine temporal decoders at equal steps: `python -m studies.temporal_decoder.run --data DIR`.

An image decoder is trained on the latents of a frozen codec; every option goes on from it for the same number of steps
on the same samples, and is judged on clips that none was trained on. Real clips with TAEF2's latents, and the embedded
world's with its own codec's. What is trained already is not trained again, and a training that was stopped goes on.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from mov_ai.errors import UsageError, run_script
from mov_ai.graph.files import read_json, write_bytes, write_json
from mov_ai.hardware import machine
from mov_ai.hydra_entry import build
from mov_ai.models.codec import AnyCodec
from mov_ai.models.codec_registry import load_codec
from mov_ai.models.presets import parameters
from mov_ai.train import build_objective, trainer_config
from mov_ai.training.decoder_clips import EncodedClip
from mov_ai.training.loop import Trainer
from studies.temporal_decoder.measure import against, figures, seconds_per_frame
from studies.temporal_decoder.options import BASE, CONTROL, OPTIONS, clips_overrides, composed, full_size
from studies.temporal_decoder.report import COLUMNS, markdown

CLIPS = ("real", "world")


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m studies.temporal_decoder.run", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with real_clips and taef2")
    parser.add_argument("--clips", nargs="+", choices=CLIPS, default=list(CLIPS))
    parser.add_argument("--options", nargs="+", choices=list(OPTIONS), default=list(OPTIONS), metavar="OPTION")
    parser.add_argument("--steps", type=int, default=60, help="of every option after the image decoder's own")
    parser.add_argument("--image-steps", type=int, default=300, help="of the image decoder that all begin with")
    parser.add_argument("--size", type=int, default=32, help="height and width of the clips in pixels")
    parser.add_argument("--seed", type=int, default=0, help="of weights and samples")
    parser.add_argument("--runs", type=Path, default=Path("runs/temporal_decoder"))
    parser.add_argument("--out", type=Path, default=Path("experiments/temporal_decoder"))
    parser.add_argument("--train", nargs="+", default=[], metavar="K=V", help="settings for every training, for trials")
    return parser.parse_args(given)


@dataclass(frozen=True)
class Study:
    """The trainings on one kind of clips.

    Attributes:
        clips: "real" or "world".
        options: the command line's.
    """

    clips: str
    options: argparse.Namespace

    def folder(self, name: str) -> Path:
        """The run of an option."""
        root: Path = self.options.runs
        return root / self.clips / f"seed{self.options.seed}" / name

    def config(self, name: str) -> Any:
        """The configuration that an option is trained with."""
        given, option = self.options, OPTIONS[name]
        steps = given.image_steps if name == BASE else given.steps
        overrides = [
            *(f"decoder={option.decoder}", *clips_overrides(self.clips, given.data), f"clips.size={given.size}"),
            *(f"seed={given.seed}", f"trainer.max_steps={steps}", "trainer.threads=1", "trainer.device=cpu"),
            *("trainer.validate_every=0", "trainer.sheet_every=0", *given.train),
        ]
        start = [] if name == BASE else [f"start={self.folder(BASE) / 'export'}"]
        return composed(*overrides, *start)

    def train(self, name: str) -> Path:
        """Train an option unless it is trained; its exported codec's folder."""
        folder = self.folder(name)
        if not (folder / "result.json").is_file():
            config = self.config(name)
            objective = build_objective(config.objective, config.seed)
            Trainer(objective, trainer_config(config.trainer), folder).run()
        return folder / "export"

    def held_out(self) -> list[EncodedClip]:
        """Clips that no option is trained on."""
        config = self.config(BASE)
        codec: str = config.objective.codec
        clips: list[EncodedClip] = build(config.objective.clips, "clips").load(codec, load_codec(codec), True)
        return clips

    def own_decoder(self) -> AnyCodec:
        """The codec's own decoder."""
        return load_codec(self.config(BASE).objective.codec)


def row(codec: AnyCodec, clips: list[EncodedClip]) -> dict[str, Any]:
    """What a decoder reaches on clips, by video, and costs."""
    return {
        "by_video": figures(codec, clips),
        "seconds_per_frame": round(seconds_per_frame(codec, clips[0]), 5),
        "parameters": parameters(codec) - parameters(codec.encoder),  # type: ignore[arg-type]
    }


def run(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Train what is not trained, measure all, print and write.

    Raises:
        UsageError: if the data is not there.
    """
    if "real" in options.clips and not (options.data / "real_clips").is_dir():
        raise UsageError(f"--data: {options.data}: expected a folder with real_clips and taef2")
    names = [BASE, *(name for name in options.options if name != BASE)]
    results: dict[str, Any] = read_json(options.out / "results.json") if _there(options.out) else {}
    for kind in options.clips:
        study = Study(kind, options)
        trained = {}
        for name in names:
            console.print(f"{kind}: {name}", highlight=False)
            trained[name] = study.train(name)
        clips = study.held_out()
        rows = {name: row(load_codec(folder), clips) for name, folder in trained.items()}
        for name, one in rows.items():
            one["million_at_full_size"] = round(full_size(OPTIONS[name].decoder), 3)
            one["training_seconds"] = read_json(study.folder(name) / "result.json")["seconds"]
            if CONTROL in rows and name != CONTROL:
                control = rows[CONTROL]["by_video"]
                one["against_control"] = {
                    figure: against(values, control[figure]) for figure, values in one["by_video"].items()
                }
        results[kind] = {
            "rows": rows,
            "own_decoder": row(study.own_decoder(), clips),
            "videos": sorted({clip.name for clip in clips}),
            "clips": len(clips),
            "size": options.size,
            "frames": len(clips[0].frames),
            "steps": options.steps,
            "image_steps": options.image_steps,
            "seed": options.seed,
            "settings": options.train,
            "machine": machine(),
        }
        write_json(options.out / "results.json", results)
        write_bytes(options.out / "report.md", markdown(results).encode("utf-8"))
        console.print(_table(kind, results[kind]))
    return results


def _there(out: Path) -> bool:
    return (out / "results.json").is_file()


def _table(kind: str, found: dict[str, Any]) -> Table:
    table = Table("option", *(title for title, _ in COLUMNS.values()), title=kind)
    for name, one in found["rows"].items():
        figures_of = one["by_video"]
        cells = [
            f"{sum(figures_of[figure]) / len(figures_of[figure]):.{digits}f}" if figure in figures_of else ""
            for figure, (_, digits) in COLUMNS.items()
        ]
        table.add_row(name, *cells)
    return table


def main(given: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    options = arguments(given)
    return run_script("temporal_decoder", lambda: run(options, Console()), "stopped; the same command goes on")


if __name__ == "__main__":
    sys.exit(main())
