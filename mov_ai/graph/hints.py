"""What a request gives beside its words and boxes: drawings of its things, times from a sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mov_ai.graph.onsets import Onsets
from mov_ai.graph.outline import outline_to_list
from mov_ai.graph.sketch import Sketch


@dataclass(frozen=True)
class Hints:
    """What is given.

    Attributes:
        sketches: of things that the graph draws.
        onsets: of a sound, at which the graph's events begin.
    """

    sketches: tuple[Sketch, ...] = ()
    onsets: Onsets | None = None

    def __bool__(self) -> bool:
        return bool(self.sketches) or self.onsets is not None

    def to_dict(self) -> dict[str, Any]:
        """JSON values that say all that is given; empty if nothing is."""
        value: dict[str, Any] = {}
        if self.sketches:
            value["sketches"] = [
                {**_source(one), "entity": one.entity, "box": list(one.box), "outline": outline_to_list(one.outline)}
                for one in self.sketches
            ]
        if self.onsets is not None:
            value["audio"] = _heard(self.onsets)
        return value

    def record(self, instances: Sequence[tuple[str, int]]) -> dict[str, Any]:
        """What run.json says of them; outlines are in the layout, and event times in the graph.

        Args:
            instances: (entity id, instance) that each sketch is of.
        """
        value: dict[str, Any] = {}
        if self.sketches:
            value["sketches"] = [
                {**_source(one), "entity": entity, "instance": instance, "box": list(one.box)}
                for one, (entity, instance) in zip(self.sketches, instances, strict=True)
            ]
        if self.onsets is not None:
            value["audio"] = _heard(self.onsets)
        return value


def _source(one: Sketch | Onsets) -> dict[str, str]:
    return {"file": one.file, "sha256": one.sha256}


def _heard(onsets: Onsets) -> dict[str, Any]:
    listed = [{"seconds": time, "decibels": loud} for time, loud in zip(onsets.times, onsets.decibels, strict=True)]
    return {**_source(onsets), "duration": onsets.duration, "onsets": listed}
