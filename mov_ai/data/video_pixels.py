"""A decoded frame as it is shown: upright, square pixels, whole pictures instead of half ones, over a background."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import av

Timed = tuple[float, "av.VideoFrame"]


class Converter:
    """Turns a file's decoded frames into RGB arrays of one size, that of its first frame.

    Attributes:
        height, width: of the arrays, after turning and after stretching to square pixels.
    """

    def __init__(self, first: av.VideoFrame, aspect: float, background: tuple[int, int, int]) -> None:
        """Take everything that holds for the whole file from its first frame.

        Args:
            aspect: width of a stored pixel over its height.
            background: RGB, 0 to 255, seen where a frame is transparent.
        """
        from av.video.reformatter import VideoReformatter

        self._stored = stored_size(first.height, first.width, aspect)
        self._turn = turn_of(first)
        self._background = np.array(background, dtype=np.uint16)
        self._reformatter = VideoReformatter()
        height, width = self._stored
        self.height, self.width = (width, height) if self._turn[0] else (height, width)

    def __call__(self, frame: av.VideoFrame) -> np.ndarray:
        """uint8 (height, width, 3) RGB. Matrix and range of colours are those that the frame names; else BT.601."""
        height, width = self._stored
        transparent = has_alpha(frame)
        scaled = (frame.height, frame.width) != (height, width)
        picture = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="rgba" if transparent else "rgb24",
            interpolation="BICUBIC" if scaled else "BILINEAR",
            threads=1,
        ).to_ndarray()
        if transparent:
            picture = self._over_background(picture)
        transposed, flip_rows, flip_columns = self._turn
        if transposed:
            picture = picture.transpose(1, 0, 2)
        # The array is a view of memory that the decoder uses again.
        return np.array(picture[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1], order="C")

    def _over_background(self, picture: np.ndarray) -> np.ndarray:
        alpha = picture[..., 3:]
        if alpha.min() == 255:
            return picture[..., :3]
        part = alpha.astype(np.uint16)
        mixed = picture[..., :3] * part + self._background * (255 - part)
        return ((mixed + 127) // 255).astype(np.uint8)


def stored_size(height: int, width: int, aspect: float) -> tuple[int, int]:
    """Height and width with square pixels: one side grows, so that nothing is lost."""
    if not 0.1 < aspect < 10:
        return height, width
    return (height, round(width * aspect)) if aspect >= 1 else (round(height / aspect), width)


def turn_of(frame: av.VideoFrame) -> tuple[bool, bool, bool]:
    """How a frame is turned to be upright: transpose it, then reverse its rows, then its columns.

    From the display matrix, [a b u; c d v; x y w]: the pixel at (p, q) is shown at (a p + c q, b p + d q). Phones write
    quarter turns and mirrors; anything between is taken as the nearest of these.
    """
    from av.sidedata.sidedata import Type

    side_data: Any = frame.side_data
    data = side_data.get(Type.DISPLAYMATRIX)
    if data is None:
        return False, False, False
    a, b, _, c, d = (int(value) for value in np.frombuffer(bytes(data), dtype=np.int32)[:5])
    if abs(b) + abs(c) > abs(a) + abs(d):
        return True, b < 0, c < 0
    return False, d < 0, a < 0


def has_alpha(frame: av.VideoFrame) -> bool:
    """Whether pixels of a frame may be transparent."""
    layout = frame.format
    return layout.has_palette or any(component.is_alpha for component in layout.components)


def deinterlaced(frames: Iterable[Timed]) -> Iterator[Timed]:
    """Frames that are flagged as interlaced, two half pictures in one, become whole (FFmpeg's bwdif); others pass.

    One frame comes out for each that goes in, with its time.
    """
    graph: Any = None
    waiting: list[float] = []
    stored: tuple[int, int, str] | None = None
    for seconds, frame in frames:
        layout = (frame.height, frame.width, frame.format.name)
        if graph is not None and layout != stored:
            yield from _drained(graph, waiting)
            graph = None
        if graph is None:
            if not frame.interlaced_frame:
                yield seconds, frame
                continue
            graph, stored = _bwdif(frame), layout
        waiting.append(seconds)
        graph.vpush(frame)
        yield from _pulled(graph, waiting)
    if graph is not None:
        yield from _drained(graph, waiting)


def _bwdif(frame: av.VideoFrame) -> Any:
    from fractions import Fraction

    from av.filter import Graph

    graph = Graph()
    source = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format,
        time_base=frame.time_base or Fraction(1, 1000),
    )
    graph.link_nodes(source, graph.add("bwdif", mode="send_frame", deint="interlaced"), graph.add("buffersink"))
    graph.configure()
    return graph


def _pulled(graph: Any, waiting: list[float]) -> Iterator[Timed]:
    import av

    while waiting:
        try:
            yield waiting[0], graph.vpull()
        except (av.BlockingIOError, av.EOFError):
            return
        waiting.pop(0)


def _drained(graph: Any, waiting: list[float]) -> Iterator[Timed]:
    graph.vpush(None)
    yield from _pulled(graph, waiting)
    waiting.clear()
