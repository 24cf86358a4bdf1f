"""Videos of a trained arm for captions that it was not trained on, and what is measured of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mov_ai.diffusion.sampling import Guidance
from mov_ai.evaluation.checker import Checker
from mov_ai.evaluation.metrics.frechet import frechet_distance
from mov_ai.evaluation.metrics.image_quality import feature_distance, to_reference_frames
from mov_ai.evaluation.metrics.optical_flow import LucasKanade
from mov_ai.evaluation.metrics.temporal import warping_error
from mov_ai.graph.files import read_json
from mov_ai.labels.encoder import load_label_encoder
from mov_ai.labels.pretrained import PretrainedText
from mov_ai.models.ablation import without
from mov_ai.models.cascade import CASCADE_FILE, Cascade, CascadeConfig
from mov_ai.models.codec import AnyCodec, to_bytes
from mov_ai.models.codec_registry import load_codec
from mov_ai.models.component import config_from_dict
from mov_ai.models.conditioning import collate, condition
from mov_ai.models.metric_networks.recognition import VideoRecognition
from mov_ai.models.registry import load_denoiser, text_encoder_of
from mov_ai.pipeline_files import pipeline_folder
from studies.graph_vs_text.clips import frames_of, layout_of
from studies.graph_vs_text.judge import judge
from studies.graph_vs_text.world import FRAMES, SIZE, Told, told_apart

#: Raise it with every change of what is measured: earlier figures are then measured again.
MEASURE_VERSION = 2
_AT_ONCE = 16


class Judges:
    """What measures videos of the captions that are judged on; loaded once.

    Args:
        prompts: how many captions.
    """

    def __init__(self, prompts: int) -> None:
        self.told = told_apart(prompts, "validation")
        self.truth = [frames_of(told).numpy() for told in self.told]
        self._checker, self._flow = Checker.from_pretrained(), LucasKanade()
        self._recognition = VideoRecognition.from_pretrained()
        self._true_features = self._features(self.truth)

    def figures(self, videos: Sequence[np.ndarray]) -> dict[str, Any]:
        """What there is to say of a video for each caption, uint8 (FRAMES, SIZE, SIZE, 3).

        Returns:
            `prompts`; `answers`, topic -> for each caption how many answers were yes, of how many; `distance` to the
            true clip and `warping` error of each video; `fvd` of all. Distances are those of the embedded recognition
            network: neither LPIPS nor the FVD of papers.
        """
        answers: dict[str, list[list[int]]] = {}
        for number, (told, video) in enumerate(zip(self.told, videos, strict=True)):
            for topic, right in judge(self._checker, told.caption.graph, video).items():
                rows = answers.setdefault(topic, [[0, 0] for _ in self.told])
                rows[number] = [sum(right), len(right)]
        distance = feature_distance(self._recognition.feature_maps)
        return {
            "version": MEASURE_VERSION,
            "prompts": len(self.told),
            "kinds": [told.kind for told in self.told],
            "answers": answers,
            "distance": [
                round(float(to_reference_frames(video, true, distance).mean()), 6)
                for video, true in zip(videos, self.truth, strict=True)
            ],
            "warping": [round(warping_error(video, self._flow), 6) for video in videos],
            "fvd": round(frechet_distance(self._features(videos), self._true_features), 4),
        }

    def _features(self, videos: Sequence[np.ndarray]) -> np.ndarray:
        return np.stack([self._recognition.features(video) for video in videos])


def embedded_codec() -> AnyCodec:
    """The codec that all of the study's networks work with."""
    return load_codec(str(pipeline_folder("tiny") / "codec")).requires_grad_(False)


def sampled(
    export: Path, codec: AnyCodec, told: Sequence[Told], off: Sequence[str] = ()
) -> tuple[list[np.ndarray], float]:
    """A video for each caption by an exported network, and seconds a video; the same noise for every network.

    All are told everything, graph and true boxes included; what a network was not built to read it does not see.

    Args:
        off: parts of the network that are switched off, see `mov_ai.models.ablation`.
    """
    network = load_denoiser(export).eval()
    cascade = Cascade(config_from_dict(CascadeConfig, read_json(export / CASCADE_FILE), str(export)), codec, [network])
    labels = load_label_encoder(network.config.labels)
    text_encoder = text_encoder_of(network.config)
    text = None if text_encoder is None else PretrainedText(text_encoder)
    videos: list[np.ndarray] = []
    began = time.monotonic()
    for first in range(0, len(told), _AT_ONCE):
        part = told[first : first + _AT_ONCE]
        asked = collate(
            [
                condition(
                    one.caption.graph,
                    layout_of(one),
                    labels,
                    FRAMES,
                    None if text is None else text([one.caption.text]),
                )
                for one in part
            ]
        )
        seeds = list(range(first, first + len(part)))
        with without([network], *off):
            latents = cascade.run_stage(0, asked, seeds, Guidance(), frames=FRAMES, sides=(SIZE, SIZE))
        videos += list(to_bytes(cascade.decode(latents)).numpy())
    return videos, (time.monotonic() - began) / len(told)


def parsed_alike(told: Sequence[Told]) -> float:
    """Share of the captions of which the embedded parser makes the graph that they mean, intervals to 0.01."""
    from mov_ai.parser.parser import SceneGraphParser
    from studies.exported_clips.export import statements

    graphs = SceneGraphParser.from_pretrained().parse_batch([one.caption.text for one in told])
    same = [statements(graph) == statements(one.caption.graph) for graph, one in zip(graphs, told, strict=True)]
    return float(np.mean(same))
