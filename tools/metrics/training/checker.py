"""Training the checker's network on frames of the world, damaged in the ways that generated frames are."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch
from torch import Tensor
from torch.nn import functional

from mov_ai.graph.files import write_bytes
from mov_ai.models.codec import to_unit
from mov_ai.models.component import save_component
from mov_ai.models.metric_networks.checker import (
    REACH,
    SIZE,
    STRIDE,
    TYPICAL,
    CheckerConfig,
    CheckerNetwork,
    cell_centres,
)
from mov_ai.training.objective import Objective, Progress
from mov_ai.worlds.tabletop.lexicon import RGB
from mov_ai.worlds.tabletop.metric_labels import COLOR_NAMES, SHAPE_NAMES
from mov_ai.worlds.tabletop.render import render
from mov_ai.worlds.tabletop.scene import FRAMES, Scene, boxes, sample_scene, simulate

#: First word of the scenes' seeds. Splits of the world use 0, 1 and 2, so no scene here is one of theirs.
_STREAM = 1009
_HELD_BACK = 1_000_000
_CELLS = SIZE // STRIDE


@dataclass
class _Frame:
    """One frame: pixels uint8 (128, 128, 3), instance per cell uint8 (64, 64), and per instance what it is.

    `looks` is (K, 2) indices of shape and colour, `boxes` (K, 4) centre x, y, width, height in [0, 1], `angles` (K,)
    yaw relative to the line of sight in radians.
    """

    pixels: np.ndarray
    cells: np.ndarray
    looks: np.ndarray
    boxes: np.ndarray
    angles: np.ndarray


class CheckerObjective(Objective):
    """L = CE(background or shape) + CE(shape) + CE(colour) + SmoothL1(box) + SmoothL1(turn), means over cells.

    The first goes over all cells, turns over those of cubes, the others over those of objects.

    Colours are drawn independently of shapes, so every pair occurs equally often, those held out of the generator's
    training included: a judge must neither lack a pair nor expect it.

    Args:
        scenes: how many scenes the pool holds.
        frames: frames of each, spread over the clip.
        fine: share of the scenes rendered at twice the size and averaged down, which softens their edges.
        window: height and width in pixels, a multiple of 16, of the windows around objects that two batches of three
            are cut to: most of a frame is empty floor.
    """

    def __init__(
        self,
        seed: int = 0,
        batch_size: int = 16,
        scenes: int = 1000,
        frames: int = 4,
        fine: float = 0.2,
        window: int = 80,
        model: CheckerConfig | None = None,
    ) -> None:
        self.seed, self.batch_size = seed, batch_size
        self.scenes, self.frames, self.fine, self.window = scenes, frames, fine, window
        self._pool: list[_Frame] = []
        self._held: list[_Frame] = []
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._module = CheckerNetwork(model or CheckerConfig()).to(memory_format=torch.channels_last)

    def config(self) -> dict[str, Any]:
        return {
            **super().config(),
            "scenes": self.scenes,
            "frames": self.frames,
            "fine": self.fine,
            "window": self.window,
        }

    def prepare(self, device: torch.device, progress: Progress) -> None:
        for i in range(self.scenes):
            if i % 25 == 0:
                progress(i, self.scenes, "rendering scenes")
            self._pool += _draw(i, self.frames, self.fine, device)
        for i in range(48):
            self._held += _draw(_HELD_BACK + i, 2, 0.5, device)

    def module(self) -> CheckerNetwork:
        return self._module

    def batch(self, step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng([self.seed, step])
        picked = [self._pool[int(i)] for i in rng.integers(len(self._pool), size=self.batch_size)]
        other = [self._pool[int(i)].pixels for i in rng.integers(len(self._pool), size=self.batch_size)]
        samples = [_sample(frame, ghost, rng) for frame, ghost in zip(picked, other, strict=True)]
        return _collate(samples if step % 3 == 0 else [_cut(sample, self.window, rng) for sample in samples])

    def loss(
        self, module: torch.nn.Module, batch: Any, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        shape, color, box, turn = module(batch["frames"])
        objects = functional.cross_entropy(shape, batch["shape"])
        # Once more among the shapes alone: most cells are floor, and would drown what tells a can from a box.
        shapes = functional.cross_entropy(shape[:, 1:], batch["shape"] - 1, ignore_index=-1)
        colors = functional.cross_entropy(color, batch["color"], ignore_index=-1)
        has_object = (batch["shape"] > 0)[:, None]
        away = functional.smooth_l1_loss(box, batch["box"], beta=0.1, reduction="none") * has_object
        places = away.sum() / (4 * has_object.sum()).clamp(min=1)
        cubes = (batch["shape"] == 1 + SHAPE_NAMES.index("cube"))[:, None]
        away = functional.smooth_l1_loss(turn, batch["turn"], beta=0.1, reduction="none") * cubes
        turns = away.sum() / (2 * cubes.sum()).clamp(min=1)
        terms: dict[str, float | Tensor] = {
            "objects": objects.detach(),
            "shape": shapes.detach(),
            "color": colors.detach(),
            "box": places.detach(),
            "turn": turns.detach(),
        }
        return objects + shapes + colors + places + turns, terms

    def validate(self, module: torch.nn.Module) -> dict[str, float]:
        """On scenes that are not trained on: as rendered, and damaged as in training."""
        figures: dict[str, float] = {}
        device = next(module.parameters()).device
        for name in ("clean", "damaged"):
            rng = np.random.default_rng(0)
            samples = [_sample(frame, self._held[0].pixels, rng if name == "damaged" else None) for frame in self._held]
            batch = {key: value.to(device) for key, value in _collate(samples).items()}
            shape, color, box, turn = module(batch["frames"])
            has_object = batch["shape"] > 0
            figures[f"{name}_objects"] = _accuracy(shape.argmax(1) > 0, has_object)
            figures[f"{name}_shape"] = _accuracy(shape[:, 1:].argmax(1)[has_object] + 1, batch["shape"][has_object])
            figures[f"{name}_color"] = _accuracy(color.argmax(1)[has_object], batch["color"][has_object])
            figures[f"{name}_box"] = ((box - batch["box"]).abs().mean(1)[has_object]).mean().item()
            cubes = batch["shape"] == 1 + SHAPE_NAMES.index("cube")
            figures[f"{name}_turn"] = ((turn - batch["turn"]).abs().mean(1)[cubes]).mean().item()
        return figures

    def sample_sheet(self, module: torch.nn.Module) -> PIL.Image.Image:
        """Damaged frames above what the network sees in them: brightness per shape, hue per colour."""
        rng = np.random.default_rng(0)
        batch = _collate([_sample(frame, self._held[0].pixels, rng) for frame in self._held[:8]])
        shape, color, *_ = (t.cpu() for t in module(batch["frames"].to(next(module.parameters()).device)))
        hue = color.argmax(1).numpy() * (255 // len(COLOR_NAMES))
        predicted_shape = shape.argmax(1).numpy()
        bright = predicted_shape * (255 // len(SHAPE_NAMES))
        rows = []
        for i, frame in enumerate(batch["frames"]):
            top = ((frame.permute(1, 2, 0) + 1) * 127.5).round().byte().numpy()
            planes = np.stack([hue[i], np.full_like(hue[i], 200), bright[i]], -1).astype(np.uint8)
            labels = (
                PIL.Image.fromarray(planes, "HSV").convert("RGB").resize((SIZE, SIZE), PIL.Image.Resampling.NEAREST)
            )
            rows.append(np.concatenate([top, np.array(labels)], 0))
        return PIL.Image.fromarray(np.concatenate(rows, 1))

    def export(self, module: torch.nn.Module, directory: Path, card: dict[str, Any]) -> None:
        save_component(module, directory)
        card_text = _card(card, sum(p.numel() for p in module.parameters()))
        write_bytes(directory / "README.md", card_text.encode("utf-8"))


def _card(card: dict[str, Any], parameters: int) -> str:
    figures = "\n".join(f"| {name} | {value:.4f} |" for name, value in (card["validation"] or {}).items())
    settings = card["objective"]
    return f"""# The checker's network

Labels every 2x2 pixels of a 128x128 frame of the embedded world with background or shape, colour, and the box of the
object it belongs to. It judges videos; no generator trains on it or shares weights with it. Its scenes belong to no
split of the world, and their colours are drawn independently of their shapes.

| | |
|---|---|
| parameters | {parameters:,} |
| data | {settings["scenes"]} scenes of `tabletop`, {settings["frames"]} frames each; a stream of seeds of its own |
| damage | resampling from 24-96 px, blur, warped edges, noise, JPEG, colour shifts, ghosts |
| steps | {card["steps"]} of {settings["batch_size"]} frames |
| seconds | {card["seconds"]} |
| hardware | {card["hardware"]} |
| seed | {card["seed"]} |
| made by | `recipes/checker.sh` |

Per cell, on 48 scenes held back (share right; `box` and `turn` are mean errors in the heads' units):

| figure | value |
|---|---|
{figures}
"""


def _accuracy(predicted: Tensor, expected: Tensor) -> float:
    return (predicted == expected).float().mean().item()


# -- data --------------------------------------------------------------------------------------------------------------


def _draw(index: int, count: int, fine: float, device: torch.device) -> list[_Frame]:
    """Frames of one scene; the same on every machine."""
    rng = np.random.Generator(np.random.PCG64([_STREAM, index]))
    scene = _recolored(sample_scene(rng), rng)
    scale = 2 * SIZE if rng.random() < fine else SIZE
    starts = rng.uniform(0, FRAMES / count) + np.arange(count) * FRAMES / count
    picked = np.minimum(starts.astype(int), FRAMES - 1)
    states = simulate(scene)
    video, masks = render(scene, scale, scale, frames=picked, device=device, states=states)
    planes = video.permute(0, 3, 1, 2).float()
    small = functional.avg_pool2d(planes, scale // SIZE).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    cells = _cells(masks, scale // _CELLS).cpu().numpy()
    layout = boxes(scene, states)[:, picked, :4]
    color_of = _colors(scene, states.color[picked])
    shapes = np.array([SHAPE_NAMES.index(scene.things[i.thing].shape) for i in scene.instances])
    eye, places = scene.camera.position, states.position[picked]
    angles = states.yaw[picked] - np.arctan2(places[..., 0] - eye[0], places[..., 2] - eye[2])
    return [
        _Frame(small[f], cells[f], np.stack([shapes, color_of[f]], -1), layout[:, f], angles[f])
        for f in range(len(picked))
    ]


def _recolored(scene: Scene, rng: np.random.Generator) -> Scene:
    """The scene with colours drawn anew, so that colours do not depend on shapes.

    Splits of the world rule some pairs out or show them too often. A network that has learned that would take a purple
    can for the purple box that a caption of the test split asks for.
    """
    names = list(COLOR_NAMES)
    things = tuple(replace(thing, color=names[int(rng.integers(len(names)))]) for thing in scene.things)
    actions = tuple(
        replace(action, value=names[int(rng.integers(len(names)))]) if action.value is not None else action
        for action in scene.actions
    )
    return replace(scene, things=things, actions=actions)


def _colors(scene: Scene, albedo: np.ndarray) -> np.ndarray:
    """Index of the colour of each instance, from its albedo (F, K, 3); (F, K)."""
    palette = np.array([RGB[name] for name in COLOR_NAMES])
    return np.abs(albedo[:, :, None] - palette).sum(-1).argmin(-1)


def _cells(masks: Tensor, stride: int) -> Tensor:
    """The instance that fills most of each cell; masks (F, H, W) -> (F, 64, 64)."""
    shares = functional.avg_pool2d(functional.one_hot(masks.long()).permute(0, 3, 1, 2).float(), stride)
    return shares.argmax(1).byte()


def _sample(frame: _Frame, ghost: np.ndarray, rng: np.random.Generator | None) -> dict[str, Tensor]:
    """One training sample; damaged and perhaps mirrored if a generator is given."""
    pixels, cells = frame.pixels, frame.cells.astype(np.int64)
    places, angles = frame.boxes.copy(), frame.angles
    if rng is not None:
        if rng.random() < 0.5:
            pixels, cells = pixels[:, ::-1].copy(), cells[:, ::-1].copy()
            places[:, 0], angles = 1 - places[:, 0], -angles
        image = to_unit(torch.from_numpy(_damage(pixels, ghost, rng)))
    else:
        image = to_unit(torch.from_numpy(pixels))
    # Row 0 stands for the background: no shape, no colour, any box and angle.
    shape = np.concatenate([[0], frame.looks[:, 0] + 1])
    color = np.concatenate([[-1], frame.looks[:, 1]])
    table = np.concatenate([np.full((1, 4), 0.5), places]).astype(np.float32)
    turned = np.concatenate([[0], 4 * angles])
    turns = np.stack([np.cos(turned), np.sin(turned)], -1).astype(np.float32)
    return {
        "frames": image,
        "shape": torch.from_numpy(shape[cells]),
        "color": torch.from_numpy(color[cells]),
        "box": boxes_to_targets(torch.from_numpy(table[cells])),
        "turn": torch.from_numpy(turns[cells]).permute(2, 0, 1),
    }


def _cut(sample: dict[str, Tensor], window: int, rng: np.random.Generator) -> dict[str, Tensor]:
    """A window of a sample, around an object if there is one."""
    cells = window // STRIDE
    object_cells = sample["shape"].nonzero()
    middle = (
        object_cells[int(rng.integers(len(object_cells)))].numpy()
        if len(object_cells)
        else np.array([_CELLS // 2, _CELLS // 2])
    )
    corner = middle - cells // 2 + rng.integers(-cells // 4, cells // 4 + 1, size=2)
    top, left = (int(v) for v in np.clip(corner, 0, _CELLS - cells))
    cut = {key: value[..., top : top + cells, left : left + cells] for key, value in sample.items() if key != "frames"}
    rows, columns = (slice(STRIDE * v, STRIDE * v + window) for v in (top, left))
    return {**cut, "frames": sample["frames"][..., rows, columns]}


def _collate(samples: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    batch = {key: torch.stack([sample[key] for sample in samples]) for key in samples[0]}
    batch["frames"] = batch["frames"].contiguous(memory_format=torch.channels_last)
    return batch


# -- damage ------------------------------------------------------------------------------------------------------------


def _damage(pixels: np.ndarray, ghost: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A frame (128, 128, 3) uint8 as a generator or a codec might have got it; each fault comes now and then."""
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255  # (1, 3, 128, 128)
    if rng.random() < 0.12:
        share = float(rng.uniform(0.05, 0.2))
        image = (1 - share) * image + share * torch.from_numpy(ghost).permute(2, 0, 1)[None].float() / 255
    if rng.random() < 0.35:
        image = _warp(image, rng)
    if rng.random() < 0.4:
        image = _resample(image, rng)
    if rng.random() < 0.35:
        image = _blur(image, float(rng.uniform(0.4, 1.8)))
    if rng.random() < 0.6:
        image = _shift_colors(image, rng)
    if rng.random() < 0.35:
        cells = int(rng.choice([8, 16, 32]))
        spots = torch.from_numpy(rng.normal(0, rng.uniform(0.01, 0.06), (1, 3, cells, cells)).astype(np.float32))
        image = image + functional.interpolate(spots, (SIZE, SIZE), mode="bilinear", align_corners=False)
    if rng.random() < 0.4:
        image = image + torch.from_numpy(rng.normal(0, rng.uniform(0.005, 0.06), image.shape).astype(np.float32))
    result = (image.clamp(0, 1) * 255).round().byte()[0].permute(1, 2, 0).numpy()
    return _jpeg(result, int(rng.integers(12, 85))) if rng.random() < 0.3 else result


def _warp(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Ragged edges: every place is moved by up to a few pixels, smoothly."""
    cells, reach = int(rng.choice([8, 12, 20])), float(rng.uniform(0.4, 2.0)) * 2 / SIZE
    moves = torch.from_numpy(rng.normal(0, 0.6 * reach, (1, 2, cells, cells)).astype(np.float32))
    moves = functional.interpolate(moves, (SIZE, SIZE), mode="bicubic", align_corners=False).permute(0, 2, 3, 1)
    line = (torch.arange(SIZE) + 0.5) / SIZE * 2 - 1
    grid = torch.stack([line[None, :].expand(SIZE, -1), line[:, None].expand(-1, SIZE)], -1)[None]
    return functional.grid_sample(image, grid + moves, padding_mode="border", align_corners=False)


def _resample(image: Tensor, rng: np.random.Generator) -> Tensor:
    size = int(rng.choice([24, 32, 48, 64, 96], p=[0.08, 0.22, 0.25, 0.3, 0.15]))
    small = functional.interpolate(image, (size, size), mode="area")
    mode = str(rng.choice(["bilinear", "bicubic", "nearest"], p=[0.45, 0.4, 0.15]))
    smooth = None if mode == "nearest" else False
    return functional.interpolate(small, (SIZE, SIZE), mode=mode, align_corners=smooth)


def _blur(image: Tensor, sigma: float) -> Tensor:
    reach = max(1, round(2.5 * sigma))
    kernel = torch.exp(-((torch.arange(-reach, reach + 1) / sigma) ** 2) / 2)
    kernel = (kernel / kernel.sum()).expand(3, 1, -1)
    image = functional.pad(image, (reach, reach, reach, reach), mode="replicate")
    image = functional.conv2d(image, kernel[:, :, None, :], groups=3)
    return functional.conv2d(image, kernel[:, :, :, None], groups=3)


def _shift_colors(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Small shifts only: an orange must not become a red."""
    gain = torch.from_numpy(rng.uniform(0.92, 1.08, 3).astype(np.float32)).view(1, 3, 1, 1)
    offset = torch.from_numpy(rng.uniform(-0.04, 0.04, 3).astype(np.float32)).view(1, 3, 1, 1)
    image = (image.clamp(0, 1) ** float(rng.uniform(0.82, 1.2))) * gain + offset
    grey = image.mean(1, keepdim=True)
    return grey + (image - grey) * float(rng.uniform(0.7, 1.25))


def _jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    with io.BytesIO() as buffer:
        PIL.Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
        buffer.seek(0)
        return np.array(PIL.Image.open(buffer))


def boxes_to_targets(boxes: Tensor) -> Tensor:
    """What the box head should say, (4, 64, 64), where cells show boxes (64, 64, 4) of centre and size in [0, 1]."""
    offset = (boxes[..., :2].permute(2, 0, 1) - cell_centres(boxes.device)) / REACH
    size = (boxes[..., 2:].permute(2, 0, 1).clamp(min=1e-3) / TYPICAL).log()
    return torch.cat([offset, size])
