"""Settings of the video suite."""

from __future__ import annotations

from dataclasses import dataclass

from mov_ai.errors import UsageError
from mov_ai.evaluation.networks import FLOWS, LPIPS_NETWORKS
from mov_ai.models.denoiser import STAGES


@dataclass(frozen=True)
class VideoSettings:
    """What `conf/suite/video.yaml` sets.

    Attributes:
        checkpoint: folder of a pipeline; the embedded one if None.
        num_videos: how many prompts are generated; more than there are prompts begin again with other seeds.
        layout_videos: for how many of them a second video is generated from the gold layout, and compared with the
            rendered truth frame by frame.
        reference_videos: clips of the world that distances are taken to, from seeds of their own.
        stage: size of the videos: 128, 256 or 512.
        steps: of the first stage; the checkpoint's own if None.
        guidance_text, guidance_graph: strengths of the guidances; 1 is none.
        prompts: folder or file of prompts; the benchmark's own if None.
        clip: folder of a transformers CLIP checkpoint, for CLIPSIM.
        lpips: backbone of LPIPS: alex, vgg or squeeze.
        flow: optical flow: classical, or raft (slow without a GPU).
        batch: videos in memory at a time.
        device, dtype: where and in what the pipeline computes.
        seed: of generation and bootstrap.
        cache: folder for rendered clips and what was measured on them; runs share it.
    """

    checkpoint: str | None = None
    num_videos: int = 128
    layout_videos: int = 32
    reference_videos: int = 256
    stage: int = 128
    steps: int | None = None
    guidance_text: float = 1.0
    guidance_graph: float = 1.0
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
        least = {"num_videos": 1, "layout_videos": 0, "reference_videos": 2, "batch": 1, "seed": 0, "steps": 1}
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
