"""From what the checker's network sees in single frames to objects followed through a video."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mov_ai.errors import UsageError
from mov_ai.models.metric_networks.checker import SIZE, STRIDE, CheckerNetwork, targets_to_boxes
from mov_ai.worlds.tabletop.metric_labels import COLOR_NAMES, SHAPE_NAMES

#: A cell shows an object if the network gives the background less than this.
_BACKGROUND = 0.5
#: An object has at least so many cells: a small, shrunken, half hidden one still has 15.
_FEWEST_CELLS = 8
#: And shows at least this share of its box; less is a seam between two objects, whose votes lie between theirs.
_LEAST_SHARE = 0.07
#: Votes for a centre count as one object within this share of its width and height.
_SPREAD = 0.38
#: Two detections whose boxes overlap more than this (intersection over union) are one object seen twice.
_SAME_BOX = 0.55
#: Groups of cells that are looked at in a frame: noise has hundreds, which would take long; a frame of the world has a
#: few for each object.
_MOST_GROUPS = 64
#: Costs of linking a detection to a track: 1 for this distance (share of the frame), and the largest that is allowed.
_STEP, _LARGEST_COST, _FARTHEST = 0.1, 3.2, 0.24


@dataclass
class Detection:
    """One object in one frame.

    Attributes:
        box: (4,) centre x, y, width, height in [0, 1] of the whole object, hidden parts included.
        cells: how many cells show it.
        shape, color: (4,) and (8,) probabilities in the order of `SHAPE_NAMES` and `COLOR_NAMES`.
        turn: (2,) cosine and sine of four times a cube's angle to the line of sight; short in doubt.
    """

    box: np.ndarray
    cells: int
    shape: np.ndarray
    color: np.ndarray
    turn: np.ndarray


@dataclass
class Track:
    """One object through F frames; rows of frames in which it is not seen hold NaN.

    Attributes:
        cells: (F,) cells of 2x2 pixels of a 128-pixel frame that show it, 0 where it is not seen.
        boxes, shape, color, turn: (F, 4), (F, 4), (F, 8), (F, 2), as `Detection` has them.
    """

    boxes: np.ndarray
    cells: np.ndarray
    shape: np.ndarray
    color: np.ndarray
    turn: np.ndarray

    @classmethod
    def empty(cls, frames: int) -> Track:
        """A track that is nowhere."""
        return cls(
            np.full((frames, 4), np.nan),
            np.zeros(frames, dtype=np.int64),
            np.full((frames, len(SHAPE_NAMES)), np.nan),
            np.full((frames, len(COLOR_NAMES)), np.nan),
            np.full((frames, 2), np.nan),
        )

    def put(self, frame: int, detection: Detection) -> None:
        """Note where the object is in a frame."""
        self.boxes[frame], self.cells[frame] = detection.box, detection.cells
        self.shape[frame], self.color[frame], self.turn[frame] = detection.shape, detection.color, detection.turn

    @property
    def seen(self) -> np.ndarray:
        """Where it is seen; (F,) bool."""
        return self.cells > 0

    def shape_name(self) -> str:
        """What it looks like on the whole."""
        return SHAPE_NAMES[int(np.nanmean(self.shape, 0).argmax())]


def to_planes(video: np.ndarray | Tensor) -> Tensor:
    """Frames uint8 (F, H, W, 3), square, of 32 pixels or more -> (F, 3, 128, 128) in [-1, 1] for the network.

    Larger frames are averaged down over areas, smaller ones are enlarged.

    Raises:
        UsageError: if it is not such a video.
    """
    frames = torch.as_tensor(video)
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != torch.uint8 or len(frames) < 2:
        shape = f"{str(frames.dtype).removeprefix('torch.')} {tuple(frames.shape)}"
        raise UsageError(f"video: expected uint8 (frames, height, width, 3) with at least 2 frames; found {shape}")
    height, width = frames.shape[1:3]
    if height != width or height < 32:
        raise UsageError(f"video: expected square frames of at least 32 pixels; found {height}x{width}")
    planes = frames.permute(0, 3, 1, 2)
    small = []
    # Frame by frame: 16 frames of 512 pixels in floating point would take 50 MB at once.
    for frame in planes:
        single = frame[None].float()
        if height > SIZE:
            single = functional.interpolate(single, (SIZE, SIZE), mode="area")
        elif height < SIZE:
            single = functional.interpolate(single, (SIZE, SIZE), mode="bilinear", align_corners=False)
        small.append(single)
    return torch.cat(small) / 127.5 - 1


@torch.no_grad()
def detect(network: CheckerNetwork, planes: Tensor) -> list[list[Detection]]:
    """Objects in every frame; planes: (F, 3, 128, 128) in [-1, 1]."""
    device = next(network.parameters()).device
    outputs: list[list[Tensor]] = []
    for part in planes.split(8):
        shape, color, box, turn = network(part.to(device).contiguous(memory_format=torch.channels_last))
        probabilities = shape.softmax(1)
        outputs.append(
            [probabilities[:, 0], shape[:, 1:].softmax(1), color.softmax(1), targets_to_boxes(box), turn],
        )
    background, shape, color, box, turn = (
        torch.cat(parts).float().cpu().numpy() for parts in zip(*outputs, strict=True)
    )
    return [_group(background[f], shape[f], color[f], box[f], turn[f]) for f in range(len(planes))]


def _group(
    background: np.ndarray, shape: np.ndarray, color: np.ndarray, box: np.ndarray, turn: np.ndarray
) -> list[Detection]:
    """Gather cells that vote for the same centre and have the same colour; an object of two colours is joined again.

    All are (64, 64), of shape, color, box and turn 4, 8, 4 and 2 such maps.
    """
    inside = background < _BACKGROUND
    shapes, colors, boxes, turns = (values[:, inside].T for values in (shape, color, box, turn))
    objectness = 1 - background
    cell_objectness = objectness[inside]
    free = np.ones(len(boxes), dtype=bool)
    groups: list[tuple[np.ndarray, np.ndarray]] = []
    cells = SIZE // STRIDE
    bins = np.clip((boxes[:, :2] * cells).astype(int), 0, cells - 1)
    hues = colors.argmax(1)
    for _ in range(_MOST_GROUPS):
        if free.sum() < _FEWEST_CELLS:
            break
        votes = np.zeros((len(COLOR_NAMES), cells + 2, cells + 2))
        np.add.at(votes, (hues[free], bins[free, 1] + 1, bins[free, 0] + 1), cell_objectness[free])
        crowd = np.lib.stride_tricks.sliding_window_view(votes, (3, 3), axis=(1, 2)).sum((-1, -2))
        hue, row, column = np.unravel_index(np.argmax(crowd), crowd.shape)
        alike = free & (hues == hue)
        near = alike & (np.abs(bins[:, 0] - column) <= 1) & (np.abs(bins[:, 1] - row) <= 1)
        middle = np.median(boxes[near], 0)
        members = alike & ((((boxes[:, :2] - middle[:2]) / (_SPREAD * middle[2:])) ** 2).sum(-1) < 1)
        if not members.any():
            break
        free &= ~members
        if members.sum() >= _FEWEST_CELLS:
            middle_box = np.median(boxes[members], 0)
            if members.sum() < _LEAST_SHARE * middle_box[2:].prod() * cells**2:
                continue
            same_box = next((i for i, (other, _) in enumerate(groups) if _overlap(middle_box, other) > _SAME_BOX), None)
            if same_box is None:
                groups.append((middle_box, members))
            else:
                groups[same_box] = (groups[same_box][0], groups[same_box][1] | members)
    labels = np.zeros(background.shape, dtype=np.int64)
    for number, (_, members) in enumerate(groups):
        labels[inside] = np.where(members, number + 1, labels[inside])
    # On the floor, what reaches farther down in the image is nearer, and may hide what it touches.
    bottoms = np.array([middle_box[1] + middle_box[3] / 2 for middle_box, _ in groups])
    return [
        Detection(
            _seen_box(labels, number + 1, np.flatnonzero(bottoms > bottoms[number]) + 1, objectness, middle_box),
            int(members.sum()),
            np.average(shapes[members], 0, cell_objectness[members]),
            np.average(colors[members], 0, cell_objectness[members]),
            np.average(turns[members], 0, cell_objectness[members]),
        )
        for number, (middle_box, members) in enumerate(groups)
    ]


def _seen_box(
    labels: np.ndarray, number: int, nearer: np.ndarray, objectness: np.ndarray, voted_box: np.ndarray
) -> np.ndarray:
    """The box around an object's cells, which is exact where nothing hides them; else the box that the cells vote for.

    Args:
        labels: (64, 64) number of the object in each cell, 0 where there is none.
        nearer: numbers of the objects that may hide it.
        objectness: (64, 64) probability that there is an object; it places an edge within a cell.
    """
    cells = labels == number
    border = np.zeros_like(cells)
    rows, columns = np.nonzero(cells)
    top, bottom, left, right = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
    padded = np.pad(cells, 1)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            border |= padded[1 + dy : 1 + dy + len(cells), 1 + dx : 1 + dx + len(cells)]
    if np.isin(labels[border], nearer).any():
        return voted_box
    window = (slice(max(0, top - 1), bottom + 1), slice(max(0, left - 1), right + 1))
    part = np.where(cells | border & (labels == 0), objectness, 0)[window]
    width, height = part.max(0).sum(), part.max(1).sum()
    # A cell that the mask reaches only half counts half: the sides move towards what is surer.
    x = (part.max(0) * (np.arange(part.shape[1]) + window[1].start + 0.5)).sum() / width
    y = (part.max(1) * (np.arange(part.shape[0]) + window[0].start + 0.5)).sum() / height
    return np.array([x, y, width, height]) / len(cells)


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes (4,)."""
    low = np.maximum(a[:2] - a[2:] / 2, b[:2] - b[2:] / 2)
    high = np.minimum(a[:2] + a[2:] / 2, b[:2] + b[2:] / 2)
    both = float(np.clip(high - low, 0, None).prod())
    return both / max(float(a[2:].prod() + b[2:].prod()) - both, 1e-9)


# -- over time ---------------------------------------------------------------------------------------------------------


def link(frames: list[list[Detection]]) -> list[Track]:
    """Follow detections from frame to frame; what is seen in one frame only is left out.

    Each frame's detections are given to the tracks so that the sum of costs is least (Hungarian algorithm). A
    cost is made of the distance to where the track was or was heading, and of changes in look and size. A sudden
    change of colour alone is affordable, for things do turn blue.
    """
    from scipy.optimize import linear_sum_assignment

    tracks: list[Track] = []
    for f, detections in enumerate(frames):
        cost = np.array([[_cost(track, f, d) for d in detections] for track in tracks]).reshape(
            len(tracks), len(detections)
        )
        used = set()
        for i, j in zip(*linear_sum_assignment(cost), strict=True):
            if cost[i, j] <= _LARGEST_COST:
                tracks[i].put(f, detections[j])
                used.add(j)
        for j, detection in enumerate(detections):
            if j not in used:
                track = Track.empty(len(frames))
                track.put(f, detection)
                tracks.append(track)
    return [track for track in tracks if track.seen.sum() > 1]


def _cost(track: Track, frame: int, detection: Detection) -> float:
    """What it costs to go on with a detection; far above `_LARGEST_COST` if it is out of reach."""
    before = np.flatnonzero(track.seen[:frame])
    last, gap = before[-1], frame - before[-1]
    last_box = track.boxes[last]
    distance = float(np.linalg.norm(detection.box[:2] - last_box[:2]))
    if len(before) > 1 and last - before[-2] == 1:
        heading = last_box[:2] + (last_box[:2] - track.boxes[before[-2], :2]) * min(gap, 2)
        distance = min(distance, float(np.linalg.norm(detection.box[:2] - heading)))
    if distance > _FARTHEST:
        return 100.0
    shape = 1 - float(np.minimum(track.shape[last], detection.shape).sum())
    color = 1 - float(np.minimum(track.color[last], detection.color).sum())
    size = abs(float(np.log(detection.box[2:] / last_box[2:]).mean()))
    # After a gap a change of look is no longer a thing that turned; more likely another thing came.
    return distance / _STEP + shape + color * (1 if gap <= 2 else 2) + size + 0.05 * (gap - 1)
