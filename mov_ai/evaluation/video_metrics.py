"""Which metrics are measured on a set of videos, and how: quantities of a pass, and figures made of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import softmax

from mov_ai.errors import UsageError
from mov_ai.evaluation.metrics.folders import Video
from mov_ai.evaluation.metrics.frechet import (
    frechet_distance,
    frechet_video_distance,
    frechet_video_distance_infinity,
)
from mov_ai.evaluation.metrics.image_quality import (
    FrameDistance,
    between_consecutive_frames,
    feature_distance,
    psnr,
    ssim,
    to_reference_frames,
)
from mov_ai.evaluation.metrics.inception_score import inception_score_result
from mov_ai.evaluation.metrics.kernel_distance import jedi, kernel_video_distance
from mov_ai.evaluation.metrics.preprocess import I3D_NETWORK, i3d_features
from mov_ai.evaluation.metrics.refinement import edge_gradient, object_psnr
from mov_ai.evaluation.metrics.result import Absent, MetricResult, Provenance, Reference, mean_over_videos
from mov_ai.evaluation.metrics.temporal import (
    dynamic_degree,
    motion_smoothness,
    subject_consistency,
    temporal_flickering,
    warping_error,
)
from mov_ai.evaluation.metrics.weights import WEIGHTS
from mov_ai.evaluation.networks import MetricNetworks, TextSimilarity
from mov_ai.evaluation.video_pass import Item, Quantity, Values, because, each

#: Raise it with every change of a metric's value: cached values of real clips are then measured again.
METRICS_VERSION = 1
#: Quantities from which only a set of videos gets a figure.
FEATURES, PROBABILITIES, I3D = "embedded_features", "embedded_probabilities", "i3d_logits"
_PERMUTED = "_permuted"
#: Times are reported for so many videos.
PER_VIDEOS = 64
_CURVE_POINTS, _CURVE_DRAWS = 8, 4


def _fvd(generated: np.ndarray, reference: np.ndarray, provenance: Provenance, name: str, *, seed: int) -> MetricResult:
    """As the other distances are called; nothing is drawn for this one."""
    return frechet_video_distance(generated, reference, provenance, name)


#: Figure -> (from generated and reference features).
_DISTANCES: dict[str, Callable[..., MetricResult]] = {
    "fvd": _fvd,
    "fvd_infinity": frechet_video_distance_infinity,
    "kvd": kernel_video_distance,
    # Not "jedi": that is on V-JEPA's features.
    "jedi_style_mmd": jedi,
}
#: Figures that are means over videos -> whether higher is better. Of the first two neither is: they have a target.
MEANS: dict[str, bool] = {
    "lpips": False,
    "embedded_lpips": False,
    "temporal_flickering": True,
    "motion_smoothness": True,
    "warping_error": False,
    "embedded_subject_consistency": True,
    "dynamic_degree": True,
    "clipsim": True,
    "embedded_clipsim": True,
}
#: The same for pairs.
PAIR_MEANS: dict[str, bool] = {"lpips_truth": False, "embedded_lpips_truth": False, "psnr": True, "ssim": True}
#: The same for pairs of which it is known where in the truth the objects are. The second has a target, 1.
OBJECT_MEANS: dict[str, bool] = {"object_psnr": True, "edge_gradient": True}
#: The name of a video -> masks (T, H, W) of its truth: 0 background, another number each instance.
Masks = Callable[[str], np.ndarray]


@dataclass(frozen=True)
class Figure:
    """A metric of a report.

    Attributes:
        real: the same metric of real clips, what a perfect generator would get.
        permuted: the same with the prompts exchanged among the videos, what one that does not listen would get.
        seconds_per_64: wall seconds for 64 videos: its quantity's, shared or not, and the figure's own as it was.
        curve: how the figure falls with the number of videos: (n, mean over draws).
    """

    result: MetricResult | Absent
    real: MetricResult | None = None
    permuted: MetricResult | None = None
    seconds_per_64: float | None = None
    curve: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class ReferenceValues:
    """Features of reference videos under the name of their set."""

    name: str
    values: Values


# -- what a pass measures ----------------------------------------------------------------------------------------------


def quantities(networks: MetricNetworks, prompts: Mapping[str, str] | None = None) -> list[Quantity]:
    """What is measured on each video; similarity to its prompt (video's name -> text), where it has one."""
    recognition = networks.recognition
    recognition_source: dict[str, Any] = {"network": recognition.network, "weights": recognition.weights}
    result = [
        Quantity(FEATURES, each(lambda v: recognition.features(v.frames)), **recognition_source),
        Quantity(PROBABILITIES, each(lambda v: recognition.probabilities(v.frames)), **recognition_source),
        Quantity("temporal_flickering", each(lambda v: temporal_flickering(v.frames))),
        Quantity(
            "embedded_subject_consistency",
            each(lambda v: subject_consistency(recognition.frame_features(v.frames))),
            **recognition_source,
        ),
        Quantity(
            "embedded_lpips", each(_consecutive(feature_distance(recognition.feature_maps))), **recognition_source
        ),
    ]
    if not isinstance(networks.lpips, Absent):
        result.append(Quantity("lpips", each(_consecutive(networks.lpips)), **_lpips_source(networks)))
    if not isinstance(networks.flow, Absent):
        flow = networks.flow
        by_flow: dict[str, Any] = {"network": flow.network, "weights": flow.weights}
        result += [
            Quantity("motion_smoothness", each(lambda v: motion_smoothness(v.frames, flow)), **by_flow),
            Quantity("warping_error", each(lambda v: warping_error(v.frames, flow)), **by_flow),
            Quantity("dynamic_degree", each(lambda v: float(dynamic_degree(v.frames, v.fps, flow))), **by_flow),
        ]
    if not isinstance(networks.i3d, Absent):
        i3d, device = networks.i3d, networks.device

        def logits(items: Sequence[Item]) -> list[ArrayLike | None]:
            batches = i3d_features(i3d, (item[0].frames for item in items), len(items), device)
            return list(np.concatenate(list(batches)))

        result.append(Quantity(I3D, logits, I3D_NETWORK, WEIGHTS["i3d"].identity))
    if prompts:
        result += _similarities("embedded_clipsim", networks.text_video, prompts)
        if not isinstance(networks.clip, Absent):
            result += _similarities("clipsim", networks.clip, prompts)
    return result


def pair_quantities(networks: MetricNetworks, masks: Masks | None = None) -> list[Quantity]:
    """What is measured on each pair of a video and its truth, frame by frame; on its objects if `masks` shows them."""
    recognition = networks.recognition
    result = [
        Quantity("psnr", each(lambda a, b: float(psnr(a.frames, b.frames).mean()))),
        Quantity("ssim", each(lambda a, b: float(ssim(a.frames, b.frames).mean()))),
        Quantity(
            "embedded_lpips_truth",
            each(_to_truth(feature_distance(recognition.feature_maps))),
            recognition.network,
            recognition.weights,
        ),
    ]
    if not isinstance(networks.lpips, Absent):
        result.append(Quantity("lpips_truth", each(_to_truth(networks.lpips)), **_lpips_source(networks)))
    if masks is not None:
        result += [
            Quantity("object_psnr", each(lambda a, b: object_psnr(a.frames, b.frames, masks(a.name)))),
            Quantity("edge_gradient", each(lambda a, b: edge_gradient(a.frames, b.frames, masks(a.name)))),
        ]
    return result


def _lpips_source(networks: MetricNetworks) -> dict[str, str]:
    name = networks.lpips_network
    return {
        "network": f"LPIPS v0.1, {name}",
        "weights": f"{WEIGHTS[name].identity}; linear layers of the package lpips",
    }


def _consecutive(distance: FrameDistance) -> Callable[[Video], float]:
    return lambda video: float(between_consecutive_frames(video.frames, distance).mean())


def _to_truth(distance: FrameDistance) -> Callable[[Video, Video], float]:
    return lambda video, truth: float(to_reference_frames(video.frames, truth.frames, distance).mean())


def _similarities(name: str, network: TextSimilarity, prompts: Mapping[str, str]) -> Iterator[Quantity]:
    for suffix, texts in (("", prompts), (_PERMUTED, permuted(prompts))):

        def similarity(video: Video, texts: Mapping[str, str] = texts) -> float | None:
            return network.similarity(texts[video.name], video.frames) if video.name in texts else None

        yield Quantity(name + suffix, each(similarity), network.network, network.weights, repr(sorted(texts.items())))


def permuted(prompts: Mapping[str, str]) -> dict[str, str]:
    """Every video with the prompt of another, half the list away; left out where that is the same text."""
    names = sorted(prompts)
    far = len(names) // 2
    return {
        name: prompts[other]
        for name, other in zip(names, names[far:] + names[:far], strict=True)
        if prompts[name] != prompts[other]
    }


# -- what is made of it ------------------------------------------------------------------------------------------------


def figures(
    networks: MetricNetworks,
    generated: Values,
    reference: ReferenceValues | None = None,
    real: Values | None = None,
    parameters: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> dict[str, Figure]:
    """All metrics of a set of videos; those that cannot be told from it are there as absent, with the reason.

    Args:
        generated: of a pass with `quantities(networks, prompts)`.
        reference: the set that distances are taken to.
        real: what stands beside each figure as real clips' own; not the reference's own videos, whose distance is 0.
        parameters: what else the figures depend on, such as the prompts.
    """
    maker = _Maker(networks, generated, reference, real, dict(parameters or {}), seed)
    result: dict[str, Figure] = {}
    for prefix, quantity in (("", I3D), ("embedded_", FEATURES)):
        result |= {prefix + name: maker.distance(prefix + name, quantity, _DISTANCES[name]) for name in _DISTANCES}
    result |= {name: maker.mean(name, MEANS[name]) for name in ("lpips", "embedded_lpips")}
    result |= {name: maker.mean(name, MEANS[name]) for name in ("clipsim", "embedded_clipsim")}
    result["is"] = maker.inception("is", I3D)
    result["embedded_is"] = maker.inception("embedded_is", PROBABILITIES)
    return result | {name: maker.mean(name, better) for name, better in MEANS.items() if name not in result}


def pair_figures(
    networks: MetricNetworks,
    pairs: Values | Absent,
    reference: Reference | None = None,
    parameters: Mapping[str, Any] | None = None,
    seed: int = 0,
    objects: bool = False,
) -> dict[str, Figure]:
    """Metrics of pairs, from a pass with `pair_quantities(networks)`.

    Args:
        reference: what the truths are.
        objects: whether the pass had masks.
    """
    means = PAIR_MEANS | (OBJECT_MEANS if objects else {})
    if isinstance(pairs, Absent):
        return dict.fromkeys(means, Figure(pairs))
    maker = _Maker(networks, pairs, None, None, dict(parameters or {}), seed)
    return {name: maker.mean(name, better, reference) for name, better in means.items()}


@dataclass(frozen=True)
class _Maker:
    networks: MetricNetworks
    generated: Values
    reference: ReferenceValues | None
    real: Values | None
    parameters: dict[str, Any]
    seed: int

    def distance(self, name: str, quantity: str, compute: Callable[..., MetricResult]) -> Figure:
        network, weights, missing = self._source(quantity)
        if missing is not None:
            return Figure(missing)
        if self.reference is None:
            return Figure(Absent("there are no reference videos", "give some"))
        reference = self.reference.values
        if quantity in reference.absent:
            return Figure(reference.absent[quantity])
        others = reference.stack(quantity)
        to = Reference(self.reference.name, len(others), reference.settings)

        def of(values: Values) -> MetricResult:
            provenance = Provenance(network, weights, values.settings, to)
            return compute(values.stack(quantity), others, provenance, name, seed=self.seed)

        curve: tuple[tuple[int, float], ...] = ()
        if compute is _fvd:
            curve = _curve(self.generated.stack(quantity), others, self.seed)
        figure = self._figure(of, quantity)
        # The distance of a set to itself is not reported.
        itself = self.real is reference
        return replace(figure, curve=curve, real=None if itself else figure.real)

    def inception(self, name: str, quantity: str) -> Figure:
        network, weights, missing = self._source(quantity)
        if missing is not None:
            return Figure(missing)

        def of(values: Values) -> MetricResult:
            shares = values.stack(quantity)
            if quantity == I3D and shares.size:
                shares = softmax(shares, axis=1)
            return inception_score_result(shares, Provenance(network, weights, values.settings), name, seed=self.seed)

        return self._figure(of, quantity)

    def mean(self, name: str, higher_is_better: bool, reference: Reference | None = None) -> Figure:
        network, weights, missing = self._source(name)
        if missing is not None:
            return Figure(missing)

        def of(values: Values, suffix: str = "") -> MetricResult:
            numbers, provenance = values.stack(name + suffix), Provenance(network, weights, values.settings, reference)
            left_out = len(values.names) - len(numbers)
            notes = [f"{left_out} of {len(values.names)} videos have no prompt and are left out"] if left_out else []
            return mean_over_videos(
                name, numbers.tolist(), higher_is_better, provenance, notes=() if suffix else notes, seed=self.seed
            )

        figure = self._figure(of, name)
        if self.generated.of.get(name + _PERMUTED):
            figure = replace(figure, permuted=of(self.generated, _PERMUTED))
        return figure

    def _figure(self, of: Callable[[Values], MetricResult], quantity: str) -> Figure:
        started = time.perf_counter()
        try:
            result = of(self.generated)
        except UsageError as error:
            return Figure(because(error))
        spent = self.generated.seconds_per(PER_VIDEOS, quantity) + time.perf_counter() - started
        result = replace(result, parameters={**result.parameters, **self.parameters})
        real = None
        if self.real is not None and self.real.of.get(quantity):
            try:
                real = of(self.real)
            except UsageError:
                real = None
        return Figure(result, real, seconds_per_64=spent)

    def _source(self, quantity: str) -> tuple[str | None, str | None, Absent | None]:
        """Network and weights of a quantity, and why it is not there if it is not."""
        if quantity in self.generated.absent:
            return None, None, self.generated.absent[quantity]
        sources: dict[str, Any] = {
            I3D: self.networks.i3d,
            "lpips": self.networks.lpips,
            "lpips_truth": self.networks.lpips,
            "clipsim": self.networks.clip,
        } | dict.fromkeys(("motion_smoothness", "warping_error", "dynamic_degree"), self.networks.flow)
        missing = sources.get(quantity)
        if isinstance(missing, Absent):
            return None, None, missing
        if not self.generated.of.get(quantity):
            return None, None, Absent("no video has a prompt", "give the videos' prompts with --prompts FILE")
        return *_sources(self.networks)[quantity], None


def _sources(networks: MetricNetworks) -> dict[str, tuple[str | None, str | None]]:
    """Quantity -> network, weights."""
    all_quantities = [*quantities(networks, {"": ""}), *pair_quantities(networks, lambda _: np.empty(0))]
    return {quantity.name: (quantity.network, quantity.weights) for quantity in all_quantities}


def _curve(generated: np.ndarray, reference: np.ndarray, seed: int) -> tuple[tuple[int, float], ...]:
    """The Fréchet distance of fewer videos, as many of each set: what the plot of its bias shows."""
    smaller = min(len(generated), len(reference))
    if smaller < 4:
        return ()
    rng = np.random.default_rng(seed)
    points = []
    for n in np.unique(np.geomspace(max(2, smaller // 8), smaller, _CURVE_POINTS).round().astype(int)):
        drawn = [
            frechet_distance(*(members[rng.permutation(len(members))[:n]] for members in (generated, reference)))
            for _ in range(_CURVE_DRAWS)
        ]
        points.append((int(n), float(np.mean(drawn))))
    return tuple(points)
