"""Peers under one harness, trained, measured, compared: `python -m studies.peers.study peers` or `peers/unet3d`."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from mov_ai.errors import MovAIError, UsageError, run_script
from mov_ai.evaluation.report.files import RESULTS
from mov_ai.evaluation.report.results import read_results
from mov_ai.graph.files import check_writable, read_json, write_bytes, write_json
from studies.peers.report import Entrant, document, markdown

#: The one study there is, and the peers in it, as conf/experiment/peers names them; the first is what the others are
#: compared with.
STUDY = "peers"
PEERS: dict[str, str] = {
    "ours": "the full system: text, graph, layout, interval gating",
    "text_only": "(a) text only, no graph",
    "no_layout": "(b) graph without layout",
    "no_gating": "(c) graph without interval gating",
    "single_stage": "(d) one stage at 512 instead of the cascade",
    "factorised": "(e) plain factorised transformer, text only",
    "unet3d": "(f) 3D U-Net (diffusers' UNet3DConditionModel), text only",
}
PARTS = ("train", "evaluate", "table")
#: Runs a command and gives its exit code.
Runner = Callable[[list[str]], int]


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m studies.peers.study", description=__doc__)
    parser.add_argument("name", help=f"{STUDY}, or one of them: {', '.join(f'{STUDY}/{peer}' for peer in PEERS)}")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of trainings and evaluations")
    parser.add_argument("--out", type=Path, default=Path("experiments"), help="folder for results.json and report.md")
    parser.add_argument("--do", nargs="+", choices=PARTS, default=list(PARTS), help="which parts; all if not given")
    parser.add_argument("--fresh", action="store_true", help="train again what is trained already")
    parser.add_argument("--train", nargs="+", default=[], metavar="K=V", help="settings for mov_ai.train, for trials")
    parser.add_argument("--evaluate", nargs="+", default=[], metavar="K=V", help="settings for mov_ai.evaluate")
    return parser.parse_args(given)


def chosen(name: str) -> list[str]:
    """The peers that a study's name means. Raises UsageError for an unknown one."""
    study, _, peer = name.partition("/")
    if study != STUDY or (peer and peer not in PEERS) or name.endswith("/"):
        known = ", ".join([STUDY, *(f"{STUDY}/{known}" for known in PEERS)])
        raise UsageError(f"expected one of {known}; found {name!r}")
    return [peer] if peer else list(PEERS)


def call(command: list[str]) -> int:
    """Run a command with this process's output and wait for it."""
    return subprocess.run(command, check=False).returncode


@dataclass(frozen=True)
class Study:
    """Where the study's files are, and how its commands are run.

    Attributes:
        runs: `RUNS/peers/NAME` holds a peer's training, its pipeline in `pipeline/NAME` and its evaluation in
            `evaluation/`.
        run: runs a command.
    """

    runs: Path
    run: Runner = call

    def folder(self, peer: str) -> Path:
        """Of everything about a peer."""
        return self.runs / STUDY / peer

    def pipeline(self, peer: str) -> Path:
        """Of its assembled pipeline, which is named as the peer is."""
        return self.folder(peer) / "pipeline" / peer

    def train(self, peer: str, settings: Sequence[str] = (), fresh: bool = False) -> None:
        """Train a peer unless it is trained; an unfinished training goes on where it was stopped.

        Args:
            settings: overrides of the configuration; with any, the training is asked whether it is finished.
            fresh: begin anew; the earlier run is kept beside it.

        Raises:
            MovAIError: if the training fails.
        """
        if not fresh and not settings and (self.folder(peer) / "result.json").is_file():
            return
        anew = ["trainer.resume=never"] if fresh else []
        place = [f"experiment={STUDY}/{peer}", f"hydra.run.dir={self.folder(peer)}"]
        self._command("mov_ai.train", [*place, *anew, *settings], f"training {peer}")

    def assemble(self, peer: str) -> Path:
        """Make a pipeline's folder of a trained peer, with the embedded codec and planner; the folder.

        Raises:
            MovAIError: if the peer is not trained.
        """
        from mov_ai.assembly import assemble
        from mov_ai.pipeline_files import pipeline_folder

        export = self.folder(peer) / "export"
        if not export.is_dir():
            raise MovAIError(f"{export}: {peer} is not trained; run make study NAME={STUDY}/{peer}")
        embedded, folder = pipeline_folder("tiny"), self.pipeline(peer)
        # Of an earlier training.
        shutil.rmtree(folder, ignore_errors=True)
        assemble(embedded / "codec", export, folder, embedded / "planner")
        return folder

    def evaluate(self, peer: str, settings: Sequence[str] = ()) -> None:
        """Run the video suite on a trained peer; videos that are there are not made again.

        Raises:
            MovAIError: if the peer is not trained or the suite fails.
        """
        # Peers without a layout have nothing to be compared frame by frame with, so none is.
        place = [f"checkpoint={self.assemble(peer)}", f"output={self.folder(peer) / 'evaluation'}"]
        fixed = ["suite=video", "eval.stage=128", "eval.layout_videos=0", "eval.device=cpu"]
        # What is left out of a peer is its own study.
        fixed += ["eval.rows=[]", "eval.guidances=[]"]
        self._command("studies.peers.evaluate", [*fixed, *place, *settings], f"evaluating {peer}")

    def entrant(self, peer: str) -> Entrant | None:
        """What is known of a peer; None if it is not evaluated yet.

        Raises:
            MovAIError: if it was trained again since.
        """
        results = self.folder(peer) / "evaluation" / RESULTS
        trained = self.folder(peer) / "result.json"
        if not results.is_file() or not trained.is_file():
            return None
        if results.stat().st_mtime < trained.stat().st_mtime:
            raise MovAIError(f"{results}: {peer} was trained again since; run make study NAME={STUDY}/{peer}")
        return Entrant(peer, PEERS[peer], read_json(trained), read_results(results), results, self._costs(peer))

    def _costs(self, peer: str) -> dict[str, int]:
        """FLOPs of the training on one sample and of one video."""
        from mov_ai.models.conditioning import condition
        from mov_ai.models.registry import load_denoiser
        from mov_ai.pipeline import MovAIPipeline
        from mov_ai.worlds.tabletop.world import caption_and_layout
        from studies.peers.flops import sampling_flops, training_flops

        _, caption, layout = caption_and_layout(0, "validation")
        pipeline = MovAIPipeline.from_pretrained(self.pipeline(peer), "cpu")
        given = condition(caption.graph, layout, pipeline.labels)
        cascade = pipeline.cascade
        sampled = sampling_flops(cascade, given)
        return {
            "training_sample": training_flops(load_denoiser(self.folder(peer) / "export"), given),
            "video": sampled["total"],
            "video_denoiser": sampled["denoise"],
        }

    def _command(self, module: str, given: list[str], what: str) -> None:
        code = self.run([sys.executable, "-m", module, *given])
        if code:
            raise _Failed(
                f"{what} ended with exit code {code}; what it said is above, and the same command goes on", code
            )


class _Failed(MovAIError):
    """A command of the study failed; the study ends with its exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.exit_code = code if code > 0 else 1


def run(options: argparse.Namespace, console: Console, runner: Runner = call) -> dict[str, Any] | None:
    """Train, evaluate and compare; what results.json holds, or None if no table was asked for.

    Raises:
        UsageError: for an unknown name. MovAIError: if a part fails, or nothing is there to compare.
    """
    peers = chosen(options.name)
    study = Study(options.runs, runner)
    out = options.out / STUDY
    check_writable(out)
    if "train" in options.do:
        for peer in peers:
            console.print(f"training {peer}: {PEERS[peer]}", markup=False, highlight=False)
            study.train(peer, options.train, options.fresh)
    if "evaluate" in options.do:
        for peer in peers:
            console.print(f"evaluating {peer}: {PEERS[peer]}", markup=False, highlight=False)
            study.evaluate(peer, options.evaluate)
    if "table" not in options.do:
        return None
    entrants = [entrant for peer in PEERS if (entrant := study.entrant(peer)) is not None]
    if not entrants or entrants[0].name != next(iter(PEERS)):
        raise MovAIError(f"nothing to compare with; run make study NAME={STUDY}/{next(iter(PEERS))} first")
    results = document(entrants)
    write_json(out / RESULTS, results)
    text = markdown(results, entrants)
    write_bytes(out / "report.md", text.encode("utf-8"))
    console.print(text, markup=False, highlight=False, soft_wrap=True)
    return results


def main(given: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    options = arguments(given)
    return run_script("study", lambda: run(options, Console()), "stopped; run the same command again to go on")


if __name__ == "__main__":
    sys.exit(main())
