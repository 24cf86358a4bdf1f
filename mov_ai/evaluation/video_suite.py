"""A pipeline measured: videos of the benchmark's prompts are generated, measured, checked, and a report is written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from mov_ai.evaluation.benchmark import Benchmark
from mov_ai.evaluation.networks import load_networks
from mov_ai.evaluation.report.files import write_report
from mov_ai.evaluation.report.results import Results
from mov_ai.evaluation.report.terminal import tables
from mov_ai.evaluation.report.wording import absences
from mov_ai.evaluation.video_run import Frames, Parts, Pipeline, VideoRun
from mov_ai.evaluation.video_settings import VideoSettings
from mov_ai.evaluation.video_store import weights_digest
from mov_ai.graph import Layout, SceneGraph
from mov_ai.graph.files import check_writable
from mov_ai.worlds.tabletop.world import sample_clip


@dataclass(frozen=True)
class VideoSuite(VideoSettings):
    """What `conf/suite/video.yaml` builds."""

    def run(self, output: Path, console: Console) -> Results:
        """Generate, measure, write the report into `output`, print the tables.

        Raises:
            UsageError: if a setting is wrong. MovAIError: if the output cannot be written.
        """
        check_writable(output)
        results = self.evaluate(self._parts(), output, console)
        for table in tables(results):
            console.print(table)
        for line in (*absences(results), f"wrote {output / 'report.html'}"):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        return results

    def _parts(self) -> Parts:
        from mov_ai.hardware import choose_device
        from mov_ai.pipeline import MovAIPipeline
        from mov_ai.pipeline_files import pipeline_folder, read_pipeline_file

        device = str(choose_device(self.device))
        name = self.checkpoint or "tiny"

        def load() -> Pipeline:
            pipeline = MovAIPipeline.from_pretrained(name, device, self.dtype)

            def run(prompt: str | SceneGraph, /, *, seed: int, layout: Layout | None = None) -> Frames:
                return pipeline(
                    prompt,
                    seed=seed,
                    layout=layout,
                    steps=self.steps,
                    guidance_text=self.guidance_text,
                    guidance_graph=self.guidance_graph,
                    stages=self.stage,
                )

            return run

        return Parts(
            checkpoint=name,
            digest=weights_digest(name),
            load_pipeline=load,
            benchmark=Benchmark.from_pretrained(self.prompts),
            networks=load_networks(self.clip, self.lpips, self.flow, device),
            real_clip=lambda seed, size: sample_clip(seed, "test", size).video.numpy(),
            fps=float(read_pipeline_file(pipeline_folder(name))["shape"]["fps"]),
        )

    def evaluate(self, parts: Parts, output: Path, console: Console) -> Results:
        """`run` with given parts, without its printing.

        Every video is written as soon as it is made, and one that is there already is not made again.
        """
        results = VideoRun(self, parts, output, console).results()
        write_report(results, output)
        return results
