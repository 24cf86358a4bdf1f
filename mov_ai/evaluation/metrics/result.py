"""What a metric gives: a figure with its interval and all that it depends on, or why there is none."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from mov_ai.errors import UsageError
from mov_ai.evaluation.metrics.bootstrap import mean_interval

#: A figure of a set of videos, or "mixed: ..." if they differ.
Shared = int | float | str


@dataclass(frozen=True)
class Settings:
    """What the measured videos were; a metric's value moves with each of these.

    Attributes:
        frames, fps: of each video, as measured.
        resolution: "WIDTHxHEIGHT" in pixels, before the network's own resizing.
        codec: codec, pixel format and compression of the files ("h264 yuv420p crf 18"), "none" for arrays.
    """

    frames: Shared
    fps: Shared
    resolution: str
    codec: str


@dataclass(frozen=True)
class Reference:
    """What the videos were compared with: a name that tells one set from another, its size, its settings."""

    name: str
    n: int
    settings: Settings


@dataclass(frozen=True)
class Provenance:
    """Where a figure comes from.

    Attributes:
        network: what looked at the pixels ("I3D, Kinetics-400 logits"); None if the metric needs none.
        weights: the file of its weights with its SHA-256, or "embedded ..."; None if it has none.
    """

    network: str | None
    weights: str | None
    settings: Settings
    reference: Reference | None = None


@dataclass(frozen=True)
class MetricResult:
    """One figure of a report.

    Attributes:
        ci95: 95 % interval; None if there are too few samples for one (`notes` says so).
        n: how many videos it was measured on.
        parameters: of the metric itself (kernel, splits, ...), plain values.
        notes: what a reader of the figure must know.

    Raises:
        ValueError: if the value or the interval is not finite, the interval is turned round, or `n` is below 1.
    """

    name: str
    value: float
    ci95: tuple[float, float] | None
    n: int
    higher_is_better: bool
    provenance: Provenance
    parameters: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ValueError(f"{self.name}: expected a finite value, got {self.value}")
        if self.ci95 is not None and not (all(map(math.isfinite, self.ci95)) and self.ci95[0] <= self.ci95[1]):
            raise ValueError(f"{self.name}: expected an interval (low, high) of finite numbers, got {self.ci95}")
        if self.n < 1:
            raise ValueError(f"{self.name}: expected at least one sample, got n = {self.n}")

    @property
    def network(self) -> str | None:
        return self.provenance.network

    @property
    def weights(self) -> str | None:
        return self.provenance.weights

    @property
    def settings(self) -> Settings:
        return self.provenance.settings

    def to_json(self) -> dict[str, Any]:
        """The entry of `metrics` in results.json; the name is its key there."""
        reference = self.provenance.reference
        return {
            "value": self.value,
            "ci95": None if self.ci95 is None else list(self.ci95),
            "n": self.n,
            "higher_is_better": self.higher_is_better,
            "network": self.network,
            "weights": self.weights,
            "settings": asdict(self.settings),
            "reference": None if reference is None else asdict(reference),
            "parameters": dict(self.parameters),
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Absent:
    """A metric that could not be measured: what is missing, and what to type to get it."""

    reason: str
    command: str

    def to_json(self) -> dict[str, str]:
        """The entry of `metrics` in results.json."""
        return {"absent": f"{self.reason}; {self.command}"}


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """One line for each key whose values differ; floats are equal within 1e-6 of their size."""
    return [
        f"{key}: {first.get(key, 'not given')} and {second.get(key, 'not given')}"
        for key in dict.fromkeys([*first, *second])
        if key not in first or key not in second or not _same(first[key], second[key])
    ]


def dependencies(result: MetricResult) -> dict[str, Any]:
    """What a result depends on; two may stand in one column only if they have no `differences` in it."""
    reference = result.provenance.reference
    depends_on: dict[str, Any] = {
        "metric": result.name,
        "network": result.network,
        "weights": result.weights,
        "n": result.n,
        **asdict(result.settings),
        "reference": None if reference is None else reference.name,
    }
    if reference is not None:
        depends_on["n of the reference"] = reference.n
        depends_on |= {f"{key} of the reference": value for key, value in asdict(reference.settings).items()}
    return depends_on | dict(result.parameters)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, float) or isinstance(b, float):
        try:
            return math.isclose(a, b, rel_tol=1e-6)
        except TypeError:
            return False
    return bool(a == b)


def shared(values: Iterable[Shared]) -> Any:
    """The one value that all have, else "mixed: ..." with all different ones; ValueError if there are none."""
    different = sorted(set(values), key=lambda value: (isinstance(value, str), value))
    if not different:
        raise ValueError("expected at least one value")
    return different[0] if len(different) == 1 else "mixed: " + ", ".join(map(str, different))


def shared_settings(several: Iterable[Settings]) -> Settings:
    """The settings of a set of videos, from those of each; ValueError if there are none."""
    all_of_them = list(several)
    return Settings(**{f.name: shared(getattr(one, f.name) for one in all_of_them) for f in fields(Settings)})


def mean_over_videos(
    name: str,
    values: Sequence[float],
    higher_is_better: bool,
    provenance: Provenance,
    parameters: Mapping[str, Any] | None = None,
    notes: Sequence[str] = (),
    seed: int = 0,
) -> MetricResult:
    """A metric that is measured on each video: the mean, and its bootstrap interval over the videos.

    Raises:
        UsageError: if there are no values. ValueError: if one is not finite.
    """
    if not len(values):
        raise UsageError(f"{name}: there is no video to measure; give at least one")
    all_notes = list(notes)
    if len(values) == 1:
        all_notes.append("one video: no interval")
    interval = mean_interval(values, seed=seed) if len(values) > 1 else None
    value = float(math.fsum(values) / len(values))
    return MetricResult(
        name, value, interval, len(values), higher_is_better, provenance, parameters or {}, tuple(all_notes)
    )
