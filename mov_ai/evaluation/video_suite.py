"""A pipeline measured: videos of the benchmark's prompts are generated, measured, checked, and a report is written."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rich.console import Console

from mov_ai.errors import UsageError
from mov_ai.evaluation.benchmark import Benchmark
from mov_ai.evaluation.networks import FLOWS, LPIPS_NETWORKS, load_networks
from mov_ai.evaluation.report.files import write_report
from mov_ai.evaluation.report.results import Results
from mov_ai.evaluation.report.terminal import tables
from mov_ai.evaluation.report.wording import absences
from mov_ai.evaluation.variants import VariantPipeline, variants
from mov_ai.evaluation.video_run import Frames, Parts, Pipeline, VideoRun
from mov_ai.evaluation.video_store import weights_digest
from mov_ai.graph import Layout, SceneGraph
from mov_ai.graph.files import check_writable
from mov_ai.models.denoiser import STAGES
from mov_ai.worlds.tabletop.world import sample_clip


@dataclass(frozen=True)
class VideoSuite:
    """What `conf/suite/video.yaml` builds.

    Attributes:
        checkpoint: folder of a pipeline; the embedded one if None.
        num_videos: how many prompts are generated; more than there are prompts begin again with other seeds.
        layout_videos: for how many of them a second video is generated from the gold layout, and compared with the
            rendered truth frame by frame.
        reference_videos: clips of the world that distances are taken to, from seeds of their own.
        rows: what is left out in the rows beside the score, keys of `mov_ai.evaluation.variants.ROWS`.
        row_videos: prompts, the first ones, that each row is generated for and judged on.
        guidances: strengths by text and by graph that are rows as well, of which the best is named.
        stage: size of the videos: 128, 256 or 512.
        steps: of the first stage; the checkpoint's own if None.
        guidance_text, guidance_graph: strengths of the guidances; 1 is none, None the checkpoint's own.
        prompts: folder or file of prompts; the benchmark's own if None.
        clip, lpips, flow: as `load_networks` takes them.
        batch: videos in memory at a time.
        seed: of generation and bootstrap.
        cache: folder for rendered clips and what was measured on them; runs share it.
    """

    checkpoint: str | None = None
    num_videos: int = 128
    layout_videos: int = 32
    reference_videos: int = 256
    rows: tuple[str, ...] = ()
    row_videos: int = 32
    guidances: tuple[tuple[float, float], ...] = ()
    stage: int = 128
    steps: int | None = None
    guidance_text: float | None = None
    guidance_graph: float | None = None
    prompts: str | None = None
    clip: str | None = None
    lpips: str = "alex"
    flow: str = "classical"
    batch: int = 4
    device: str = "auto"
    dtype: str = "float32"
    seed: int = 0
    cache: str = "cache/evaluate"

    def __post_init__(self) -> None:
        # Configuration files have lists only.
        for name in ("rows", "guidances"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        variants(self.rows, self.guidances)
        least = {
            "num_videos": 1,
            "row_videos": 1,
            "layout_videos": 0,
            "reference_videos": 2,
            "batch": 1,
            "seed": 0,
            "steps": 1,
        }
        for name, value in ((name, getattr(self, name)) for name in least):
            if value is None and name == "steps":
                continue
            if not isinstance(value, int) or isinstance(value, bool) or value < least[name]:
                raise UsageError(f"{name}: expected a whole number from {least[name]}; found {value!r}")
        for name, choices in (("stage", STAGES), ("lpips", LPIPS_NETWORKS), ("flow", FLOWS)):
            if getattr(self, name) not in choices:
                raise UsageError(
                    f"{name}: expected one of {', '.join(map(str, choices))}; found {getattr(self, name)!r}"
                )

    @property
    def less_memory(self) -> str:
        """Two settings that need less, where memory has run out."""
        choices = ["eval.batch=1 for fewer videos at a time"] if self.batch > 1 else []
        choices += [f"eval.stage={stage} for smaller ones" for stage in STAGES if stage < self.stage][:1]
        choices += ["eval.rows=[] eval.guidances=[] for one pipeline at a time", "eval.num_videos=16 for fewer videos"]
        return f"use {' or '.join(choices[:2])}"

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
        from mov_ai.pipeline_files import own_guidance, pipeline_folder, read_pipeline_file

        device = str(choose_device(self.device))
        name = self.checkpoint or "tiny"
        settings = {
            "steps": self.steps,
            "guidance_text": self.guidance_text,
            "guidance_graph": self.guidance_graph,
            "stages": self.stage,
        }

        @cache
        def loaded() -> MovAIPipeline:
            return MovAIPipeline.from_pretrained(name, device, self.dtype)

        def load() -> Pipeline:
            pipeline = loaded()

            def run(prompt: str | SceneGraph, /, *, seed: int, layout: Layout | None = None) -> Frames:
                return pipeline(prompt, seed=seed, layout=layout, **settings)  # type: ignore[arg-type]

            return run

        return Parts(
            checkpoint=name,
            digest=weights_digest(name),
            load_pipeline=load,
            benchmark=Benchmark.from_pretrained(self.prompts),
            networks=load_networks(self.clip, self.lpips, self.flow, device),
            real_clip=lambda seed, size: sample_clip(seed, "test", size).video.numpy(),
            load_variant=lambda variant: VariantPipeline(loaded(), variant, settings),
            fps=float(read_pipeline_file(pipeline_folder(name))["shape"]["fps"]),
            guidance=own_guidance(name),
        )

    def evaluate(self, parts: Parts, output: Path, console: Console) -> Results:
        """`run` with given parts, without its printing.

        Every video is written as soon as it is made, and one that is there already is not made again.
        """
        results = VideoRun(self, parts, output, console).results()
        write_report(results, output)
        return results
