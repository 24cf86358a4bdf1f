"""The camera: where the ground is in the frame, and where the regions are.

A spot on the stage is (x, b, q): x and b are where its middle and its bottom are in the frame, from the left and from
the top, as parts of its width and height; q is how near it is, 1 over its distance, 1 in the middle of the stage. What
stands on the ground has b = horizon + slope * q; a thing of m metres is scale * m * q high. Seen so, all that goes
along a straight line on the ground goes along a straight line in the frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mov_ai.worlds.stage.screenplay import Screenplay

#: Where the horizon is from the top of the frame: from eye level, from above, under a sky in which something is.
_LEVEL, _HIGH, _UNDER_SKY = (0.28, 0.5), (-0.8, -0.3), (0.55, 0.72)
#: Where the ground in the middle of the stage is.
_GROUND = (0.7, 0.84)
#: Depth of the middle of the stage in a layout, of regions, and of performers at most; see `mov_ai.graph.BOX_FIELDS`.
MIDDLE_DEPTH, REGION_DEPTH, MAX_DEPTH = 6.7, 34.0, 30.0
Rectangle = tuple[float, float, float, float]


@dataclass(frozen=True)
class View:
    """Where the ground is in the frame; `scale`: how high a thing of one metre is in the middle of the stage."""

    horizon: float
    slope: float
    scale: float = 1.0

    def ground(self, q: float) -> float:
        """The bottom of what stands on the ground that near."""
        return self.horizon + self.slope * q

    def nearness(self, b: float) -> float:
        """The inverse of `ground`."""
        return (b - self.horizon) / self.slope


def choose_view(play: Screenplay, is_crowded: bool, rng: np.random.Generator) -> View:
    """A view in which what is asked for can be seen.

    Args:
        is_crowded: whether so many stand on the ground that they are seen from above.
    """
    on_ground = {key for key, p in play.performers.items() if p.thing.found in ("ground", "held")}
    placed = {(key, place) for key, place, _ in play.places}
    placed |= {(agent, deed.place) for deed in play.deeds for agent in deed.agents if deed.place}
    upper = any(key in on_ground and ("upper" in place or "top" in place) for key, place in placed)
    targets = {target for deed in play.deeds for _, target in deed.ways} | {bond.target for bond in play.bonds}
    in_sky = any(target in play.regions and play.regions[target].region == "sky" for target in targets)
    horizon = _LEVEL
    if upper or is_crowded:
        horizon = _HIGH
    elif in_sky:
        horizon = _UNDER_SKY
    elif play.framing and play.framing.horizon:
        horizon = play.framing.horizon
    line = float(rng.uniform(*horizon))
    ground = float(rng.uniform(max(_GROUND[0], line + 0.16), max(_GROUND[1], line + 0.2)))
    return View(line, ground - line)


def region_boxes(
    play: Screenplay, view: View, rng: np.random.Generator
) -> dict[str, tuple[float, float, float, float]]:
    """(left, top, right, bottom) of each region in the frame, before the camera moves."""
    kinds = {thing.region for thing in play.regions.values()}
    line = min(max(view.horizon, 0.0), 1.0)
    shore = line + float(rng.uniform(0.25, 0.4)) * (1 - line)
    deep = {target for deed in play.deeds if deed.direction in ("toward", "away") for _, target in deed.ways}
    boxes = {}
    for region_id, thing in play.regions.items():
        top, bottom = line, 1.0
        if thing.region == "sky":
            top, bottom = 0.0, max(line, 0.12)
        elif thing.region == "room":
            top = 0.0
        elif thing.region == "strip":
            top = min(max(view.ground(float(rng.uniform(0.55, 0.68))), 0.0), 0.8)
            bottom = min(max(view.ground(float(rng.uniform(1.25, 1.5))), top + 0.12), 1.0)
            if region_id in deep:
                # One that leads to the horizon.
                top, bottom = line, 1.0
        elif thing.region == "backdrop":
            bottom = max(line + 0.03, 0.16)
            top = max(0.0, bottom - float(rng.uniform(0.12, 0.3)))
        elif thing.region == "water" and "land" in kinds:
            bottom = shore
        elif thing.region == "land" and "water" in kinds:
            top = shore
        boxes[region_id] = (0.0, top, 1.0, bottom)
    return boxes
