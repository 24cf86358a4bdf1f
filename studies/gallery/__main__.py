"""Eight sentences that no training has seen, each with graph, boxes and video: `python -m studies.gallery`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from rich.console import Console
from rich.progress import track

from mov_ai.errors import MovAIError, UsageError, run_script
from mov_ai.evaluation.inspection.pictures import as_jpeg, chosen_frames
from mov_ai.graph.draw import to_svg
from mov_ai.graph.files import staged_folder, write_bytes
from mov_ai.graph.time import frame_times
from mov_ai.hardware import machine
from mov_ai.pipeline import MovAIPipeline
from mov_ai.result import VideoResult
from mov_ai.worlds.tabletop.held_out import unseen_in_training
from studies.gallery.sentences import SEED, SENTENCES, Sentence

#: Frames of a video that are shown at its full size, and of its layout, each so many pixels on its longer side.
_FRAMES, _BOXED, _BOXED_SIDE = 4, 8, 192
#: All files together, for they are carried by the repository.
MOST_BYTES = 1_500_000


@dataclass(frozen=True)
class Picture:
    """What the page says of one sentence.

    Attributes:
        number: from 1; in the names of its files.
        sentence: which.
        unseen: what of it training never showed.
        seconds: of the whole run.
        warnings: of the run.
    """

    number: int
    sentence: Sentence
    unseen: list[str]
    seconds: float
    warnings: list[str]


def draw(result: VideoResult, number: int, folder: Path) -> None:
    """Write N-graph.svg, N-boxes.jpg (frames with the layout's boxes) and N.jpg (frames at full size)."""
    write_bytes(folder / f"{number}-graph.svg", to_svg(result.graph).encode("utf-8"))
    height, width = result.frames.shape[1:3]
    write_bytes(folder / f"{number}.jpg", as_jpeg(_few(result, _FRAMES).sheet(max(height, width)), 84))
    write_bytes(folder / f"{number}-boxes.jpg", as_jpeg(_few(result, _BOXED).sheet(_BOXED_SIDE, boxes=True)))


def _few(result: VideoResult, most: int) -> VideoResult:
    """A result that has only some of its frames and boxes, evenly spread."""
    chosen = chosen_frames(len(result.frames), most)
    layout = result.layout.sampled(frame_times(len(result.frames))[chosen])
    return replace(result, frames=result.frames[chosen], layout=layout)


def make(pipeline: MovAIPipeline, sentences: Sequence[Sentence], stages: int | None, folder: Path) -> list[Picture]:
    """Make and draw a video of every sentence.

    Raises:
        MovAIError: if the parser finds nothing in a sentence that training never showed.
    """
    pictures = []
    for number, sentence in enumerate(track(sentences, "making", console=Console(stderr=True), transient=True), 1):
        result = pipeline(sentence.text, seed=SEED, stages=stages)
        unseen = unseen_in_training(result.graph)
        if not unseen:
            raise MovAIError(
                f"{sentence.text!r}: expected a held-out word, or a shape in a colour that is held out; the parser "
                "found neither: write another sentence into studies/gallery/sentences.py"
            )
        draw(result, number, folder)
        seconds = sum(result.run["seconds"].values())
        pictures.append(Picture(number, sentence, unseen, seconds, result.run["warnings"]))
    return pictures


def readme(pictures: Sequence[Picture], checkpoint: str, size: int) -> str:
    """The page, Markdown."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), trim_blocks=True, undefined=StrictUndefined, autoescape=False
    )
    template = environment.get_template("README.md.jinja")
    return template.render(pictures=pictures, checkpoint=checkpoint, size=size, seed=SEED, machine=machine())


def run(options: argparse.Namespace) -> None:
    """Make the gallery's folder, all of it or nothing.

    Raises:
        UsageError: for a checkpoint that is not there. MovAIError: as `make`, or if the files are too large.
    """
    pipeline = MovAIPipeline.from_pretrained(options.checkpoint)
    with staged_folder(options.out) as folder:
        pictures = make(pipeline, SENTENCES, options.stages, folder)
        size = options.stages or max(pipeline.shape.height, pipeline.shape.width)
        write_bytes(folder / "README.md", readme(pictures, options.checkpoint, size).encode("utf-8"))
        weight = sum(path.stat().st_size for path in folder.iterdir())
        if weight > MOST_BYTES:
            raise MovAIError(
                f"{options.out}: {weight / 1e6:.2f} MB, expected at most {MOST_BYTES / 1e6:.1f}; show fewer frames "
                "(studies/gallery/__main__.py)"
            )
    Console().print(f"wrote {options.out / 'README.md'}: {len(pictures)} sentences, {weight / 1e6:.2f} MB")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m studies.gallery", description=__doc__)
    parser.add_argument("--checkpoint", default="tiny", help="an embedded pipeline, or the folder of a saved one")
    parser.add_argument("--stages", type=int, help="longer side of the last stage; the pipeline's own if absent")
    parser.add_argument("--out", type=Path, default=Path("experiments/gallery"), help="folder to write into")
    options = parser.parse_args(arguments)

    def work() -> None:
        if options.stages is not None and options.stages < 1:
            raise UsageError(f"--stages: expected a size in pixels, found {options.stages}")
        run(options)

    return run_script("gallery", work)


if __name__ == "__main__":
    sys.exit(main())
