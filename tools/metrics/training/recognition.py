"""Training the embedded recognition network on clips of the world, some of them damaged."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torchmetrics.functional.classification import multilabel_average_precision

from mov_ai.graph.files import write_bytes
from mov_ai.models.component import save_component
from mov_ai.models.metric_networks.recognition import Recognised, RecognitionConfig, VideoRecognition
from mov_ai.training.card import model_card
from mov_ai.training.objective import Objective, Progress
from tools.metrics.training.clips import HELD_BACK, MetricClips, Sample, draw_sample, load_clips
from tools.metrics.training.damage import DAMAGED
from tools.metrics.training.labels import CLASSES, LABELS

#: Frames of a batch's clips, and how often.
FRAME_COUNTS, _SHARES = (8, 12, 16), (0.3, 0.2, 0.5)
#: Weights of the loss's terms, so that all begin at about one.
_WEIGHTS = {"labels": 8.0, "classes": 0.3, "damage": 2.0, "objects": 6.0, "looks": 8.0, "motions": 12.0}
#: A label is judged if so many of the clips held back have it.
_LEAST_POSITIVES = 3
_ABOUT = """
Sees up to 16 frames at 64x64 and names what they show: shapes, colours, sizes, materials, counts, motions by third of
the clip, who does which, spatial relations, and the damage that the clip has suffered. Metrics use its features
(distances between sets of videos), its features of frames (subject consistency, distances between frames) and its 53
classes, the first motion and the shape of what does it (inception score).

Trained on clips of the embedded world, which this repository renders itself, with seeds that belong to no split and
colours drawn independently of shapes; it shares neither data nor weights with the generator and the checker. (The
embedded text-video network saw the same clips, and its video tower started from these weights.) It knows no natural
images, and its figures do not compare with those of other networks.
"""


class RecognitionObjective(Objective):
    """L = w BCE(labels) + CE(classes) + BCE(damage) + BCE(objects of frames) + BCE(looks, motions of cells), w fixed.

    Means over clips, frames, cells and labels, each term weighed (`_WEIGHTS`) to begin at about one. In shuffled clips
    the terms that need the order of frames are left out. The terms for frames and cells have the gold of every pixel to
    go by, from which the rest learns much faster.

    Args:
        clips: how many to train on.
        validation_clips: how many to hold back.
        damaged: share of the clips that are damaged.
        cache: folder of the rendered clips.
    """

    def __init__(
        self,
        seed: int = 0,
        batch_size: int = 16,
        clips: int = 3200,
        validation_clips: int = 256,
        damaged: float = DAMAGED,
        cache: str = "cache/metrics",
        model: RecognitionConfig | None = None,
    ) -> None:
        self.seed, self.batch_size = seed, batch_size
        self.clips, self.validation_clips, self.damaged, self.cache = clips, validation_clips, damaged, cache
        self._clips: MetricClips | None = None
        self._held: MetricClips | None = None
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._module = VideoRecognition(model or RecognitionConfig()).to(memory_format=torch.channels_last)

    def config(self) -> dict[str, Any]:
        return {
            **super().config(),
            "clips": self.clips,
            "validation_clips": self.validation_clips,
            "damaged": self.damaged,
        }

    def prepare(self, device: torch.device, progress: Progress) -> None:
        self._clips = load_clips(0, self.clips, self.cache, progress)
        self._held = load_clips(HELD_BACK, self.validation_clips, self.cache, progress)

    def module(self) -> VideoRecognition:
        return self._module

    def batch(self, step: int) -> dict[str, Tensor]:
        assert self._clips is not None, "prepare comes first"
        rng = np.random.default_rng([self.seed, step])
        frames = int(rng.choice(FRAME_COUNTS, p=_SHARES))
        picked = rng.integers(len(self._clips), size=self.batch_size)
        return collate([draw_sample(self._clips, int(i), frames, rng, self.damaged) for i in picked])

    def loss(
        self, module: torch.nn.Module, batch: Any, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        recognised: Recognised = module(batch["video"])
        in_time = batch["known_in_time"]
        classes = functional.cross_entropy(recognised.classes.float(), batch["classes"], reduction="none")
        terms = {
            "labels": _mean(_bce(recognised.labels, batch["labels"]), batch["known"]),
            "classes": _mean(classes, in_time),
            "damage": _bce(recognised.damage, batch["damage"]).mean(),
            "objects": _bce(recognised.objects, batch["objects"]).mean(),
            "looks": _bce(recognised.looks, batch["looks"]).mean(),
            "motions": _mean(_bce(recognised.motions, batch["motions"]), in_time[:, None, None, None]),
        }
        total = torch.stack([_WEIGHTS[name] * term for name, term in terms.items()]).sum()
        return total, {name: term.detach() for name, term in terms.items()}

    def validate(self, module: torch.nn.Module) -> dict[str, float]:
        """On clips that are not trained on, as rendered and damaged: see `recognition_figures`."""
        assert self._held is not None, "prepare comes first"
        return recognition_figures(module, self._held)

    def export(self, module: torch.nn.Module, directory: Path, card: dict[str, Any]) -> None:
        save_component(module, directory)
        command = "recipes/recognition.sh"
        text = model_card("Embedded recognition network", _ABOUT, command, module, card)
        write_bytes(directory / "README.md", text.encode("utf-8"))


def collate(samples: list[Sample]) -> dict[str, Tensor]:
    """Samples of equal length as one batch; each field of `Sample` gets a first dimension."""
    fields = [sample.tensors() for sample in samples]
    return {name: torch.stack([tensors[name] for tensors in fields]) for name in fields[0]}


def recognition_figures(module: torch.nn.Module, clips: MetricClips, batch_size: int = 16) -> dict[str, float]:
    """How well clips are recognised, each in [0, 1] but `damage_error`.

    `map`: mean over labels of the average precision, of labels that at least 3 clips have; `map_GROUP`: of some;
    `motion_accuracy`: share of clips whose first motion, one of those that begin together, has the highest
    probability; `class_accuracy`: the same of motion and shape; `map_damaged`: of damaged clips, without shuffled
    ones; `damage_error`: mean error of the strengths.
    """
    figures: dict[str, float] = {}
    device = next(module.parameters()).device
    for name, damaged in (("", 0.0), ("_damaged", 1.0)):
        rng = np.random.default_rng(0)
        outputs: list[tuple[Tensor, Tensor, Tensor]] = []
        samples: list[dict[str, Tensor]] = []
        for start in range(0, len(clips), batch_size):
            indices = range(start, min(start + batch_size, len(clips)))
            batch = collate([draw_sample(clips, i, FRAME_COUNTS[-1], rng, damaged, mirrored=False) for i in indices])
            recognised: Recognised = module(batch.pop("video").to(device))
            outputs.append(
                (recognised.labels.float().cpu(), recognised.classes.float().cpu(), recognised.damage.float().cpu())
            )
            samples.append({key: batch[key] for key in ("labels", "classes", "damage", "known_in_time")})
        labels, classes, damage = (torch.cat(parts) for parts in zip(*outputs, strict=True))
        gold = {key: torch.cat([sample[key] for sample in samples]) for key in samples[0]}
        in_order = gold["known_in_time"] > 0
        precision = _average_precision(labels[in_order], gold["labels"][in_order])
        figures[f"map{name}"] = precision.nanmean().item()
        if damaged:
            figures["damage_error"] = (damage.sigmoid() - gold["damage"]).abs().mean().item()
            continue
        for group in ("object", "time", "motion of shape", "motion of color", "relation"):
            of_group = torch.tensor([label[0] == group for label in LABELS])
            figures[f"map_{group.replace(' ', '_')}"] = precision[of_group].nanmean().item()
        probabilities, truth = classes.softmax(-1), gold["classes"]
        figures["class_accuracy"] = _right(probabilities, truth)
        motions = sorted({motion for motion, _ in CLASSES})
        to_motion = functional.one_hot(torch.tensor([motions.index(motion) for motion, _ in CLASSES])).float()
        figures["motion_accuracy"] = _right(probabilities @ to_motion, truth @ to_motion)
    # Of few clips, no label may have enough.
    return {name: value for name, value in figures.items() if not math.isnan(value)}


def _average_precision(logits: Tensor, truth: Tensor) -> Tensor:
    """(n, L) logits and truth -> (L,), not a number for labels that hardly any clip has."""
    precision = torch.full((logits.shape[1],), torch.nan)
    judged = truth.sum(0) >= _LEAST_POSITIVES
    if judged.any():
        number = int(judged.sum())
        precision[judged] = multilabel_average_precision(
            logits[:, judged], truth[:, judged].long(), number, average="none"
        )
    return precision


def _right(probabilities: Tensor, truth: Tensor) -> float:
    best = probabilities.argmax(-1, keepdim=True)
    return (truth.gather(1, best) > 0).float().mean().item()


def _bce(logits: Tensor, truth: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(logits.float(), truth, reduction="none")


def _mean(values: Tensor, is_known: Tensor) -> Tensor:
    """The mean of those that are known; 0 if none is."""
    is_known = is_known.expand_as(values)
    return (values * is_known).sum() / is_known.sum().clamp(min=1)
