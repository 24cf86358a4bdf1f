"""What clips of the world may show beyond the plain ones: meetings, crowds, soft shadows, a moving camera or light."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, fields, replace

import numpy as np

from mov_ai.errors import UsageError
from mov_ai.graph.time import FULL, Interval, frame_times
from mov_ai.worlds.tabletop.scene import Camera, Scene, States, boxes

#: Brightness of a light that has dimmed, as a share of the full one, and how far a moving one goes (x, world units).
DIMMED, LIGHT_WAY = 0.35, 1.1


@dataclass(frozen=True)
class WorldVariation:
    """How much of a source of clips is varied; with the defaults every clip is as it always was.

    Attributes:
        interactions: share of clips in which two things meet (pushing, carrying, passing, falling onto, jumping over).
        crowds: share of clips with one entity of four to six equal things.
        soft_shadows: whether shadows have soft edges and things darken what they stand on.
        camera_moves, light_changes: shares of clips in which the camera or the light does something.
    """

    interactions: float = 0.0
    crowds: float = 0.0
    soft_shadows: bool = False
    camera_moves: float = 0.0
    light_changes: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            is_share = not isinstance(value, bool) and isinstance(value, (int, float)) and 0 <= value <= 1
            if not isinstance(value, bool) if field.name == "soft_shadows" else not is_share:
                expected = "true or false" if field.name == "soft_shadows" else "a share from 0 to 1"
                raise UsageError(f"variation.{field.name}: expected {expected}; found {value!r}")
        if self.interactions + self.crowds > 1:
            total = self.interactions + self.crowds
            raise UsageError(f"variation: expected interactions + crowds of at most 1; found {total:g}")

    @property
    def name(self) -> str:
        """A name for files: "" for the default, and another one for each other variation."""
        return "" if self == PLAIN else "varied_" + "_".join(f"{float(value):g}" for value in astuple(self))


#: Clips as they always were.
PLAIN = WorldVariation()
#: Clips of every kind, to look at.
EVERYTHING = WorldVariation(interactions=0.5, crowds=0.2, soft_shadows=True, camera_moves=0.25, light_changes=0.2)


@dataclass(frozen=True)
class Meeting:
    """What one thing does to, or about, another one.

    Attributes:
        kind: push, pull, carry, pass, fall onto or jump over.
        agent, patient: things; in "carry" the patient lies on the agent, in "fall onto" the agent comes to lie on it.
        interval: of the event.
        contact: when they touch for the first time; 0 where they do so from the start, the interval's start where they
            never do.
        actions: how many of the scene's first actions belong to it.
        way: left or right; None for a fall.
        side: behind or in front of, for "pass".
    """

    kind: str
    agent: int
    patient: int
    interval: Interval
    contact: float
    actions: int
    way: str | None = None
    side: str | None = None


@dataclass(frozen=True)
class CameraPath:
    """A move of the camera from the scene's own view to `end`, slow at both ends."""

    label: str
    interval: Interval
    end: Camera


@dataclass(frozen=True)
class VariedScene(Scene):
    """A scene with more to it.

    Attributes:
        meeting: what two of the things do together.
        soft_shadows: see `WorldVariation`.
        path: how the camera moves.
        light_change: "moves right", "moves left", "dims" or "brightens", from the first frame to the last.
        brightness: of everything, 1 as usual.
    """

    meeting: Meeting | None = None
    soft_shadows: bool = False
    path: CameraPath | None = None
    light_change: str | None = None
    brightness: float = 1.0

    @property
    def still(self) -> bool:
        """Whether camera and light are the same in every frame."""
        return self.path is None and self.light_change is None


def varied(scene: Scene) -> VariedScene:
    """The scene as one that can be varied; one that is varied already comes back as it is."""
    if isinstance(scene, VariedScene):
        return scene
    return VariedScene(**{field.name: getattr(scene, field.name) for field in fields(scene)})


def snapshot(scene: VariedScene, time: float) -> VariedScene:
    """The scene with camera and light as they are at a time in [0, 1], and still."""
    camera, (azimuth, lift), brightness = scene.camera, scene.light_jitter, scene.brightness
    if scene.path is not None:
        camera = between(camera, scene.path.end, _eased(time, scene.path.interval))
    share = _eased(time, FULL)
    match scene.light_change:
        case "moves right":
            azimuth += LIGHT_WAY * share
        case "moves left":
            azimuth -= LIGHT_WAY * share
        case "dims":
            brightness = 1 + (DIMMED - 1) * share
        case "brightens":
            brightness = DIMMED + (1 - DIMMED) * share
    still = {"path": None, "light_change": None, "light_jitter": (azimuth, lift), "brightness": brightness}
    return replace(scene, camera=camera, **still)  # type: ignore[arg-type]


def _eased(time: float, interval: Interval) -> float:
    """From 0 before the interval to 1 after it, smoothly."""
    u = min(1.0, max(0.0, (time - interval[0]) / (interval[1] - interval[0])))
    return u * u * (3 - 2 * u)


def between(first: Camera, last: Camera, share: float) -> Camera:
    """The camera a share of the way from one to the other: on an arc around the vertical through its target."""

    def mixed(a: float, b: float) -> float:
        return a + (b - a) * share

    target = tuple(mixed(a, b) for a, b in zip(first.target, last.target, strict=True))
    polar = []
    for camera in (first, last):
        x, z = camera.position[0] - camera.target[0], camera.position[2] - camera.target[2]
        polar.append((math.hypot(x, z), math.atan2(x, -z)))
    reach, angle = (mixed(a, b) for a, b in zip(*polar, strict=True))
    height = mixed(first.position[1], last.position[1])
    position = (target[0] + reach * math.sin(angle), height, target[2] - reach * math.cos(angle))
    return Camera(position, (target[0], target[1], target[2]), mixed(first.tangent, last.tangent))


def seen_boxes(scene: Scene, states: States) -> np.ndarray:
    """`scene.boxes`, (K, F, 6), under a camera that may move."""
    if not isinstance(scene, VariedScene) or scene.path is None:
        return boxes(scene, states)
    return np.concatenate(
        [
            boxes(snapshot(scene, float(time)), frame_states(states, np.array([frame])))
            for frame, time in enumerate(frame_times(len(states.radius)))
        ],
        1,
    )


def frame_states(states: States, frames: np.ndarray) -> States:
    """The states of some frames only."""
    return States(
        states.position[frames],
        states.radius[frames],
        states.yaw[frames],
        states.color[frames],
        states.visible[frames],
    )
