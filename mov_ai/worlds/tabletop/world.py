"""Clips of the embedded world: a scene with its frames, caption, gold scene graph, gold layout and masks."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import PIL.Image
import torch
from torch import Tensor

from mov_ai.captions.caption import Caption
from mov_ai.graph import Layout, Track
from mov_ai.graph.files import write_json
from mov_ai.worlds.tabletop.grammar import describe
from mov_ai.worlds.tabletop.render import render
from mov_ai.worlds.tabletop.scene import FRAMES, Scene, States, sample_scene, simulate, split_seed
from mov_ai.worlds.tabletop.variation import PLAIN, WorldVariation, seen_boxes
from mov_ai.worlds.tabletop.varied_clips import varied_scene

FPS = 8
#: Raise it with every change of what a seed shows: cached clips are then rendered again.
WORLD_VERSION = 1


@dataclass
class Clip:
    """One clip and everything that is known about it.

    Attributes:
        seed, split: what it was drawn from.
        scene, states: what is shown, and where it is in every frame.
        caption: text, gold graph and mentions.
        video: uint8 (F, H, W, 3), sRGB.
        masks: uint8 (F, H, W): 0 background, k + 1 instance k.
        layout: gold box tracks; `Track.entity` is the id of the entity's node in `caption.graph`.
    """

    seed: int
    split: str
    scene: Scene
    states: States
    caption: Caption
    video: Tensor
    masks: Tensor
    layout: Layout


def gold_layout(scene: Scene, states: States, caption: Caption) -> Layout:
    """The box tracks of a scene, one per instance, with the ids of the caption's entity nodes."""
    tracks, instances_seen = [], [0] * len(scene.things)
    for instance, box in zip(scene.instances, seen_boxes(scene, states), strict=True):
        entity = caption.things[instance.thing]
        label = caption.graph.node(entity).label
        tracks.append(Track(entity, box, instances_seen[instance.thing], label))
        instances_seen[instance.thing] += 1
    return Layout(states.radius.shape[0], tracks)


def caption_and_layout(
    seed: int, split: str = "train", variation: WorldVariation = PLAIN
) -> tuple[Scene, Caption, Layout]:
    """Everything about a clip but its pixels, in a few milliseconds; the same as in `sample_clip`."""
    if variation == PLAIN:
        rng = split_seed(split, seed)
        scene = sample_scene(rng, split)
        caption = describe(scene, rng, split)
    else:
        scene, caption = varied_scene(seed, split, variation)
    return scene, caption, gold_layout(scene, simulate(scene), caption)


def sample_clip(
    seed: int,
    split: str = "train",
    size: int = 128,
    crop: tuple[int, int, int, int] | None = None,
    frames: np.ndarray | None = None,
    device: torch.device | str = "cpu",
    variation: WorldVariation = PLAIN,
) -> Clip:
    """Draw a clip; the same seed gives the same clip on every machine.

    Args:
        size: height and width of a whole frame in pixels.
        crop: (top, left, height, width) in pixels: only this window is rendered.
        frames: indices of the frames to render; all if None. The layout always covers all of them.
        variation: what the clip may show beyond the plain ones.
    """
    scene, caption, layout = caption_and_layout(seed, split, variation)
    states = simulate(scene)
    video, masks = render(scene, size, size, crop=crop, frames=frames, device=device, states=states)
    return Clip(seed, split, scene, states, caption, video, masks, layout)


def contact_sheet(video: Tensor, columns: int = 8) -> PIL.Image.Image:
    """Frames (F, H, W, 3) uint8 side by side, in rows of `columns`."""
    frames, height, width, _ = video.shape
    rows = -(-frames // columns)
    sheet = np.zeros((rows * height, min(columns, frames) * width, 3), dtype=np.uint8)
    for f, frame in enumerate(video.cpu().numpy()):
        top, left = f // columns * height, f % columns * width
        sheet[top : top + height, left : left + width] = frame
    return PIL.Image.fromarray(sheet)


def masks_image(masks: Tensor) -> PIL.Image.Image:
    """Masks (F, H, W) uint8 as one palette image, frames side by side."""
    frames, height, width = masks.shape
    flat = masks.permute(1, 0, 2).reshape(height, frames * width).cpu().numpy()
    image = PIL.Image.fromarray(flat)
    image.putpalette([0, 0, 0, 230, 60, 60, 60, 140, 230, 70, 190, 80, 240, 200, 50, 180, 90, 210])
    return image


def save_clip(clip: Clip, directory: str | Path) -> None:
    """Write video.mp4, graph.json, layout.json, masks.png, sheet.png and clip.json into a directory."""
    from mov_ai.data.video import write_video

    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    clip.caption.graph.save(folder / "graph.json")
    clip.layout.save(folder / "layout.json")
    masks_image(clip.masks).save(folder / "masks.png")
    contact_sheet(clip.video).save(folder / "sheet.png")
    summary = {
        "seed": clip.seed,
        "split": clip.split,
        "caption": clip.caption.text,
        "things": list(clip.caption.things),
        "frames": FRAMES,
        "fps": FPS,
        "scene": asdict(clip.scene),
    }
    write_json(folder / "clip.json", summary)
    write_video(folder / "video.mp4", clip.video.cpu().numpy(), fps=FPS)
