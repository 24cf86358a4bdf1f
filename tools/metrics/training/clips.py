"""Clips of the world for the metric networks: rendered once, with all that is to be recognised in them.

They belong to no split of the world: their seeds have a first word of their own (`STREAM`), as those of the checker's
scenes do with another. Colours are exchanged at random, so that every pair of shape and colour occurs equally often,
those held out of the generator's training included: a judge must neither lack a pair nor expect it. For the same
reason some captions have the sentence patterns that are held out.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mov_ai.graph.time import change_time, frame_times
from mov_ai.models.metric_networks.video_network import CELLS, SIZE
from mov_ai.training.array_cache import cached_arrays
from mov_ai.training.objective import Progress
from mov_ai.worlds.tabletop.lexicon import COLORS, MOTIONS, RGB, SHAPES
from mov_ai.worlds.tabletop.render import render
from mov_ai.worlds.tabletop.scene import FRAMES, MAX_INSTANCES, Action, Scene, States, sample_scene, simulate
from tools.metrics.training.damage import damage_frames, damaged_order, draw_damage
from tools.metrics.training.false_captions import EDITS, mirrored_text, true_and_false_captions
from tools.metrics.training.labels import (
    CLASS_INDEX,
    CLASS_MIRROR,
    CLASSES,
    LABEL_INDEX,
    LABELS,
    MIRROR,
    TEMPORAL,
    THIRDS,
    Label,
    mirrored_motion,
)

#: First word of the clips' seeds; splits of the world use 0, 1 and 2, the checker 1009.
STREAM = 2003
#: Seed of the first clip that is held back.
HELD_BACK = 1_000_000
#: True captions of each clip, and the share of clips whose captions may have held-out sentence patterns.
CAPTIONS, _ALL_PATTERNS = 5, 0.2
#: Clips are rendered so much larger and averaged down: metrics see frames averaged down as well.
_FINER = 2
#: A cell shows an object that covers so much of it.
_COVERED = 0.12
#: A sudden change is said to be going on so many frames before and after.
_SUDDEN_FRAMES = 2
_SUDDEN = ("turn", "vanish", "appear")
#: Changes with what the file of rendered clips holds.
_VERSION = 1
_NOTHING = -1


@dataclass(frozen=True)
class MetricClips:
    """N clips of F = 16 frames, with up to K = 4 objects; -1 where there is no object.

    Attributes:
        frames: uint8 (N, F, 64, 64, 3).
        cells: uint8 (N, F, 8, 8); bit k says that object k shows in the cell.
        shapes: int8 (N, K), index of the shape.
        colors: int8 (N, F, K), index of the colour; -1 where the object is absent, too.
        motions: int8 (N, F, K), index of what the object is doing, "stay" if nothing.
        labels: bool (N, 316), `LABELS`.
        classes: float32 (N, 53), `CLASSES`; sum 1.
        texts: for each clip `CAPTIONS` times a true caption and its false ones (`true_and_false_captions`).
    """

    frames: np.ndarray
    cells: np.ndarray
    shapes: np.ndarray
    colors: np.ndarray
    motions: np.ndarray
    labels: np.ndarray
    classes: np.ndarray
    texts: list[list[list[str]]]

    def __len__(self) -> int:
        return len(self.frames)


def load_clips(first: int, count: int, cache: str | Path, progress: Progress) -> MetricClips:
    """Clips `first` to `first + count`, from the cache or rendered into it.

    Raises:
        MovAIError: if the cache cannot be written.
    """
    facts = repr((_VERSION, STREAM, CAPTIONS, SIZE, CELLS, LABELS, CLASSES, EDITS))
    key = hashlib.sha256(facts.encode()).hexdigest()[:8]

    def build() -> dict[str, np.ndarray]:
        made = []
        for index in range(first, first + count):
            if (index - first) % 25 == 0:
                progress(index - first, count, "rendering clips for the metric networks")
            made.append(_make(index))
        arrays = {name: np.stack([clip[name] for clip in made]) for name in made[0] if name != "texts"}
        texts = json.dumps([clip["texts"] for clip in made]).encode()
        return arrays | {"texts": np.frombuffer(texts, dtype=np.uint8)}

    arrays = cached_arrays(Path(cache) / f"clips_{first}_{count}_{key}.npz", build)
    return MetricClips(**{**arrays, "texts": json.loads(arrays["texts"].tobytes())})


def metric_scene(index: int) -> tuple[Scene, str, np.random.Generator]:
    """A scene of the stream, the split whose sentence patterns tell it, and the generator of what follows."""
    rng = np.random.Generator(np.random.PCG64([STREAM, index]))
    scene = sample_scene(rng)
    names = list(COLORS)
    other = dict(zip(names, (names[i] for i in rng.permutation(len(names))), strict=True))
    things = tuple(replace(thing, color=other[thing.color]) for thing in scene.things)
    actions = tuple(
        action if action.value is None else replace(action, value=other[action.value]) for action in scene.actions
    )
    split = "test" if rng.random() < _ALL_PATTERNS else "train"
    return replace(scene, things=things, actions=actions), split, rng


def _make(index: int) -> dict[str, np.ndarray | list[list[str]]]:
    scene, split, rng = metric_scene(index)
    states = simulate(scene)
    video, masks = render(scene, _FINER * SIZE, _FINER * SIZE, states=states)
    planes = functional.avg_pool2d(video.permute(0, 3, 1, 2).float(), _FINER)
    count = len(scene.instances)
    shares = functional.one_hot(masks.long(), count + 1).permute(0, 3, 1, 2)[:, 1:].float()
    covered = functional.avg_pool2d(shares, _FINER * SIZE // CELLS) > _COVERED  # (F, K, 8, 8)
    bits = (covered.byte() << torch.arange(count).view(1, -1, 1, 1)).sum(1)
    shapes = np.full(MAX_INSTANCES, _NOTHING, np.int8)
    colors, motions = (np.full((FRAMES, MAX_INSTANCES), _NOTHING, np.int8) for _ in range(2))
    palette = np.array([RGB[name] for name in COLORS])
    nearest = np.abs(states.color[:, :, None] - palette).sum(-1).argmin(-1)
    colors[:, :count] = np.where(states.visible, nearest, _NOTHING)
    for k, instance in enumerate(scene.instances):
        shapes[k] = list(SHAPES).index(scene.things[instance.thing].shape)
        motions[:, k] = _doing(scene, instance.thing)
    return {
        "frames": planes.round().byte().permute(0, 2, 3, 1).numpy(),
        "cells": bits.byte().numpy(),
        "shapes": shapes,
        "colors": colors,
        "motions": motions,
        "labels": scene_labels(scene, states),
        "classes": scene_classes(scene, states),
        "texts": true_and_false_captions(scene, split, CAPTIONS, rng),
    }


def _doing(scene: Scene, thing: int) -> np.ndarray:
    """Index of what a thing is doing in each frame, (F,)."""
    time = frame_times(FRAMES)
    result = np.full(FRAMES, MOTIONS.index("stay"))
    for action in scene.actions:
        if action.thing == thing:
            result[_going_on(action, time)] = MOTIONS.index(action.motion)
    return result


def _going_on(action: Action, time: np.ndarray) -> np.ndarray:
    if action.motion in _SUDDEN:
        return np.asarray(np.abs(time - change_time(action.interval)) < _SUDDEN_FRAMES / FRAMES)
    return (time >= action.interval[0]) & (time < action.interval[1])


# -- what is true of a scene -------------------------------------------------------------------------------------------


def scene_labels(scene: Scene, states: States) -> np.ndarray:
    """Which of `LABELS` are true of a scene; bool (316,)."""
    present: set[Label] = {("setting", scene.setting), ("light", scene.light)}
    total, counts = len(scene.instances), dict.fromkeys(SHAPES, 0)
    present |= {("total", str(n)) for n in range(2, total + 1)}
    for index, thing in enumerate(scene.things):
        actions = [a for a in scene.actions if a.thing == index]
        present |= {("size", thing.size, thing.shape), ("material", thing.material, thing.shape)}
        counts[thing.shape] += thing.count
        color = thing.color
        present.add(("object", thing.shape, color))
        for action in sorted(actions, key=lambda a: a.interval):
            if action.motion != "stay":
                present |= {("time", action.motion, part) for part in _thirds(action)}
                present |= {("motion of shape", action.motion, thing.shape), ("motion of color", action.motion, color)}
            if action.value is not None:
                color = action.value
                present |= {("turn to", color), ("object", thing.shape, color)}
        if all(action.motion == "stay" for action in actions):
            present |= {("motion of shape", "stay", thing.shape), ("motion of color", "stay", color)}
    present |= {("count", str(n), shape) for shape, count in counts.items() for n in range(1, min(count, 3) + 1)}
    present |= _relations(scene, states)
    labels = np.zeros(len(LABELS), bool)
    labels[[LABEL_INDEX[label] for label in present]] = True
    return labels


def _thirds(action: Action) -> list[str]:
    """The thirds of the clip of which the action fills half or more, or in which a sudden change happens."""
    if action.motion in _SUDDEN:
        return [THIRDS[min(int(3 * change_time(action.interval)), 2)]]
    start, end = action.interval
    filled = [min(end, (i + 1) / 3) - max(start, i / 3) for i in range(3)]
    return [name for name, share in zip(THIRDS, filled, strict=True) if share > 1 / 6 - 1e-3]


def _relations(scene: Scene, states: States) -> set[Label]:
    """Relations of objects that are there in the first frame, by the rule of the world's own captions."""
    relations: set[Label] = set()
    for i, one in enumerate(scene.instances):
        for j, other in enumerate(scene.instances):
            if i == j or not (states.visible[0, i] and states.visible[0, j]):
                continue
            dx, _, dz = states.position[0, j] - states.position[0, i]
            shapes = scene.things[one.thing].shape, scene.things[other.thing].shape
            if dx > 0.9 and dx > abs(dz):
                relations.add(("relation", "left of", *shapes))
            elif dz > 0.9 and dz > abs(dx):
                relations.add(("relation", "in front of", *shapes))
    return relations


def scene_classes(scene: Scene, states: States) -> np.ndarray:
    """Probabilities of `CLASSES`: equal shares for all that move in the first step; else for all that then rest.

    Returns:
        (53,) float32 with sum 1.
    """
    first = min(action.interval for action in scene.actions)
    starting = [a for a in scene.actions if a.interval == first and a.motion != "stay"]
    pairs = {(action.motion, scene.things[action.thing].shape) for action in starting}
    if not pairs:
        visible_things = [instance.thing for k, instance in enumerate(scene.instances) if states.visible[0, k]]
        pairs = {("stay", scene.things[thing].shape) for thing in visible_things}
    classes = np.zeros(len(CLASSES), np.float32)
    classes[[CLASS_INDEX[pair] for pair in pairs]] = 1 / len(pairs)
    return classes


# -- batches -----------------------------------------------------------------------------------------------------------

_MOTION_MIRROR = np.array([MOTIONS.index(mirrored_motion(motion)) for motion in MOTIONS])


@dataclass
class Sample:
    """One clip as a network sees it in training, F frames of it, with its targets as `Recognised` has them.

    Attributes:
        video: (F, 3, 64, 64) in [-1, 1].
        known: (316,) 0 for labels that cannot be told because frames were shuffled, else 1.
        known_in_time: the same for classes and motions of cells, ().
    """

    video: Tensor
    labels: Tensor
    known: Tensor
    classes: Tensor
    known_in_time: Tensor
    damage: Tensor
    objects: Tensor
    looks: Tensor
    motions: Tensor

    def tensors(self) -> dict[str, Tensor]:
        """The fields by name."""
        return dict(vars(self))


def draw_sample(
    clips: MetricClips, index: int, frames: int, rng: np.random.Generator, damaged: float, mirrored: bool | None = None
) -> Sample:
    """A clip with some of its frames, perhaps mirrored and damaged.

    Args:
        index: of the clip.
        frames: how many, one from each of so many equal parts of the clip.
        damaged: chance of damage.
        mirrored: drawn if None.
    """
    mirrored = bool(rng.random() < 0.5) if mirrored is None else mirrored
    ghost = int(rng.integers(len(clips)))
    starts = np.arange(frames) + rng.random()
    picked = np.minimum((starts * FRAMES / frames).astype(int), FRAMES - 1)
    strengths = draw_damage(rng, damaged)
    picked = picked[damaged_order(strengths, frames, rng)]
    video, other = (_planes(clips.frames[i, picked], mirrored) for i in (index, ghost))
    if strengths.any():
        video = damage_frames(video, other, strengths, rng)
    shuffled = strengths[-1] > 0
    labels, classes = clips.labels[index], clips.classes[index]
    cells, motions = clips.cells[index, picked], clips.motions[index, picked]
    if mirrored:
        labels, classes = labels[MIRROR], classes[CLASS_MIRROR]
        cells = cells[..., ::-1]
        motions = np.where(motions >= 0, _MOTION_MIRROR[motions], _NOTHING)
    objects, looks, doing = _dense(clips.shapes[index], clips.colors[index, picked], motions, cells)
    return Sample(
        video * 2 - 1,
        torch.from_numpy(labels.astype(np.float32)),
        torch.from_numpy(1 - shuffled * TEMPORAL.astype(np.float32)),
        torch.from_numpy(classes.astype(np.float32)),
        torch.tensor(1.0 - shuffled),
        torch.from_numpy(strengths),
        torch.from_numpy(objects),
        torch.from_numpy(looks),
        torch.from_numpy(doing),
    )


def clip_text(clips: MetricClips, index: int, variant: int, mirrored: bool) -> list[str]:
    """A true caption of a clip and its false ones, "" where there is none."""
    texts = clips.texts[index][variant]
    return [mirrored_text(text) for text in texts] if mirrored else texts


def _planes(frames: np.ndarray, mirrored: bool) -> Tensor:
    """(F, 64, 64, 3) uint8 -> (F, 3, 64, 64) in [0, 1]."""
    frames = frames[:, :, ::-1] if mirrored else frames
    return torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 3, 1, 2))).float() / 255


def _dense(
    shapes: np.ndarray, colors: np.ndarray, motions: np.ndarray, cells: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Targets of frames and cells, float32: objects (F, 32), looks (F, 64, 12), motions (F, 64, 14)."""
    frames = len(colors)
    objects = np.zeros((frames, len(SHAPES), len(COLORS)), np.float32)
    looks = np.zeros((frames, CELLS * CELLS, len(SHAPES) + len(COLORS)), np.float32)
    doing = np.zeros((frames, CELLS * CELLS, len(MOTIONS)), np.float32)
    flat = cells.reshape(frames, -1)
    for k in np.flatnonzero(shapes >= 0):
        is_visible = colors[:, k] >= 0
        objects[is_visible, shapes[k], colors[is_visible, k]] = 1
        frame, cell = np.nonzero((flat >> k) & 1)
        looks[frame, cell, shapes[k]] = 1
        looks[frame, cell, len(SHAPES) + colors[frame, k]] = 1
        doing[frame, cell, motions[frame, k]] = 1
    return objects.reshape(frames, -1), looks, doing
