"""Is a training on MP4s as good as one on what was rendered? `python -m studies.exported_clips.study`.

The embedded world's clips are exported as MP4s with captions and boxes, prepared with `mov-ai data prepare`, and a
small network is trained on them; and once more on the same clips as they are rendered. Both see the same clips in the
same order with the same noise, and are judged on the same clips of the validation split.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from mov_ai.data.shards import ShardSet
from mov_ai.errors import MovAIError, run_script
from mov_ai.graph.files import write_json
from mov_ai.hardware import machine
from mov_ai.models.denoiser import DenoiserConfig
from mov_ai.models.graph_encoder import GraphEncoderConfig
from mov_ai.models.registry import load_denoiser
from mov_ai.pipeline_files import pipeline_folder
from mov_ai.training.clip_source import ClipSource
from mov_ai.training.loop import Trainer
from mov_ai.training.losses import LossWeights
from mov_ai.training.objectives.denoiser import DenoiserObjective
from mov_ai.training.settings import TrainerConfig
from mov_ai.training.video_clips import VideoClips
from studies.exported_clips.direct_clips import DirectClips
from studies.exported_clips.export import export_clips, round_trip

SIZE, BATCH = 64, 8
SPLITS = ("train", "validation")
#: What is judged on, and compared.
SOURCES = ("rendered", "exported")
#: What is trained on: one more tells what the frames and what the parsed captions do, frames as rendered, the rest as
#: it came out of the files.
TRAINED_ON = (*SOURCES, "parsed")


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m studies.exported_clips.study", description=__doc__)
    parser.add_argument("--clips", type=int, default=100, help="of the training split")
    parser.add_argument("--held-out", type=int, default=50, help="of the validation split, to judge on")
    parser.add_argument("--steps", type=int, default=150, help="of each training")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="one pair of trainings each")
    parser.add_argument("--runs", type=Path, default=Path("runs/exported_clips"), help="folder of videos and trainings")
    parser.add_argument("--out", type=Path, default=Path("experiments/exported_clips"), help="folder of the figures")
    return parser.parse_args(given)


class Study:
    """The files of a study, and its parts; what is there already is not made again."""

    def __init__(self, options: argparse.Namespace, console: Console) -> None:
        self.options, self.console = options, console
        self.codec = str(pipeline_folder("tiny") / "codec")
        self.shards: dict[str, ShardSet] = {}

    def prepare(self) -> None:
        """Export both splits, and prepare them as anybody would. Raises MovAIError if the command fails."""
        for split, count in zip(SPLITS, (self.options.clips, self.options.held_out), strict=True):
            export_clips(self._videos(split), split, count, SIZE)
            out = self.options.runs / "shards" / split
            if not (out / "index.json").is_file():
                command = [sys.executable, "-m", "mov_ai.cli.main", "data", "prepare", str(self._videos(split))]
                command += ["--out", str(out), "--codec", self.codec, "--size", str(SIZE), "--workers", "1"]
                self.console.print(f"$ {shlex.join(command)}", highlight=False)
                if code := subprocess.run(command, check=False).returncode:
                    raise MovAIError(f"the command above ended with {code}; give this command again to go on")
            self.shards[split] = ShardSet(out)

    def source(self, name: str, split: str) -> ClipSource:
        """The clips of a split, by a name of `TRAINED_ON`."""
        if name == "exported":
            return VideoClips(self.shards[split].path, self.shards[split].path)
        cache = str(self.options.runs / "rendered")
        counts = (self.options.clips, self.options.held_out)
        return DirectClips(self.shards[split], split, cache, *counts, parsed=name == "parsed")

    def objective(self, source: ClipSource, seed: int, drop: float) -> DenoiserObjective:
        """The same small network and loss for both; `drop` is how often each part of the condition is left out."""
        encoder = GraphEncoderConfig(dim=96, layers=1, heads=4)
        model = DenoiserConfig(dim=96, heads=8, depth=3, stem=32, graph_encoder=encoder, stages=(SIZE,))
        return DenoiserObjective(
            seed=seed,
            batch_size=BATCH,
            codec=self.codec,
            data=source,
            stage_shares=(1.0,),
            drop_text=drop,
            drop_graph=drop / 2,
            drop_layout=drop / 2,
            blur=0.0,
            loss=LossWeights(perceptual=0.0),
            model=model,
            experiment="exported_clips",
        )

    def train(self, name: str, seed: int) -> Path:
        """Train on the clips of one source; the folder of the network."""
        folder = self.options.runs / f"{name}-{seed}"
        if not (folder / "result.json").is_file():
            config = TrainerConfig(
                max_steps=self.options.steps,
                learning_rate=2e-3,
                optimizer="muon",
                warmup_steps=20,
                ema_decay=0.95,
                precision="bf16",
                device="cpu",
                threads=1,
            )
            Trainer(self.objective(self.source(name, "train"), seed, 0.2), config, folder).run()
        return folder / "export"

    def judges(self) -> dict[str, DenoiserObjective]:
        """What judges a network, on the held-out clips of each source: with all of the condition."""
        judges = {name: self.objective(self.source(name, "validation"), 0, 0.0) for name in SOURCES}
        for judge in judges.values():
            judge.prepare(torch.device("cpu"), lambda *_: None)
        return judges

    def round_trips(self) -> dict[str, dict[str, Any]]:
        """What came back of the exported clips of each split."""
        trips = {}
        for split in SPLITS:
            direct = self.source("rendered", split)
            assert isinstance(direct, DirectClips)
            self.objective(direct, 0, 0.0).prepare(torch.device("cpu"), lambda *_: None)
            trips[split] = asdict(
                round_trip(self._videos(split), self.shards[split], split, SIZE, direct.latents()),
            )
        return trips

    def _videos(self, split: str) -> Path:
        return Path(self.options.runs / "videos" / split)


def validation_error(judge: DenoiserObjective, network: torch.nn.Module, clips: int) -> float:
    """Mean of the loss's denoising term over held-out clips, each at one noise level, the same for every network."""
    total, seen = 0.0, 0
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for batch in _batches(judge, clips):
            _, terms = judge.loss(network, batch, generator)
            total += float(terms["denoise"]) * len(batch["latents"])
            seen += len(batch["latents"])
    return total / seen


def _batches(judge: DenoiserObjective, clips: int) -> Iterator[dict[str, Any]]:
    # A batch for each step of one epoch: every clip once.
    for step in range(-(-clips // BATCH)):
        yield judge.batch(step)


def verdict(errors: dict[str, list[float]]) -> dict[str, float | bool]:
    """How far two rows of errors, one error a seed, lie apart, against how much the seed alone does.

    Returns:
        `difference` of the means, exported less rendered; `spread`, the standard deviation over seeds, of both rows
        together; `paired_error`, the standard error of the differences seed by seed; whether they are the `same`:
        the difference is within the spread.
    """
    rendered, exported = (np.array(errors[name]) for name in SOURCES)
    spread = float(np.sqrt((rendered.var(ddof=1) + exported.var(ddof=1)) / 2))
    difference = float(exported.mean() - rendered.mean())
    paired = float((exported - rendered).std(ddof=1) / np.sqrt(len(rendered)))
    return {
        "difference": round(difference, 5),
        "spread": round(spread, 5),
        "paired_error": round(paired, 5),
        "same": abs(difference) <= spread,
    }


def run(options: argparse.Namespace) -> None:
    """Export, prepare, train, judge, and write results.json. Raises MovAIError if a part fails."""
    began = time.monotonic()
    torch.set_num_threads(1)
    study = Study(options, Console())
    study.prepare()
    trips = study.round_trips()
    study.console.print(trips)
    judges = study.judges()
    #: Judged on -> trained on -> an error for each seed.
    errors: dict[str, dict[str, list[float]]] = {judge: {name: [] for name in TRAINED_ON} for judge in SOURCES}
    for seed in options.seeds:
        for name in TRAINED_ON:
            network = load_denoiser(study.train(name, seed)).eval()
            for judged_on, judge in judges.items():
                error = validation_error(judge, network, len(study.shards["validation"]))
                errors[judged_on][name].append(round(error, 5))
                study.console.print(f"seed {seed}: trained on {name}, judged on {judged_on}: {error:.4f}")
    result = {
        "clips": options.clips,
        "held_out": options.held_out,
        "size": SIZE,
        "steps": options.steps,
        "batch": BATCH,
        "seeds": options.seeds,
        "round_trip": trips,
        "errors": errors,
        "verdict": verdict(errors["rendered"]),
        "machine": machine(),
        "seconds_of_last_call": round(time.monotonic() - began, 1),
    }
    options.out.mkdir(parents=True, exist_ok=True)
    write_json(options.out / "results.json", result)
    table = Table("judged on", "trained on", *(f"seed {seed}" for seed in options.seeds), "mean", "spread")
    for judged_on, rows in errors.items():
        for name, row in rows.items():
            cells = [f"{error:.4f}" for error in (*row, np.mean(row), np.std(row, ddof=1))]
            table.add_row(judged_on, name, *cells)
    study.console.print(table)
    study.console.print(result["verdict"])


if __name__ == "__main__":
    sys.exit(run_script("exported_clips", lambda: run(arguments()), "stopped; give the same command again to go on"))
