"""Frames of a video file as its codec gives them, with their times, damage counted instead of fatal."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from mov_ai.errors import MovAIError

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

#: Containers store times as whole ticks, often of a millisecond: nearer than this, two times are one.
TOLERANCE = 1.5e-3
#: Containers whose frames carry no time of their own, only an order.
UNTIMED = ("avi",)
#: Containers that say where their frames are, so that a jump lands where it should.
INDEXED = ("mov", "matroska", "avi", "asf")
#: A clock that goes back by more seconds was set back, as where recordings are joined.
CLOCK_SET_BACK = 1.0
#: Without an index, a file's times are read from so much of it.
SCANNED_BYTES = 64 * 2**20
DEFAULT_FPS = 8.0
#: Frames of more pixels than 8K are not read: one would take hundreds of megabytes.
MAX_PIXELS = 7680 * 4320


@dataclass(frozen=True)
class Timeline:
    """Times of a video's frames, told without decoding.

    Attributes:
        times: (N,) ascending seconds, or None if only reading the whole file would tell.
    """

    times: np.ndarray | None
    fps: float
    duration: float | None
    variable: bool


class Decoder:
    """One video stream of one file.

    Attributes:
        name: of the file, for messages.
        damaged: seconds of frames that the codec could not decode, or only in part.
        missing: frames that the file's index promises and that are not there; known once the end was reached.
    """

    def __init__(self, source: Path | BinaryIO, name: str, threads: int = 1) -> None:
        """Open a file.

        Raises:
            MovAIError: if it is not a video.
        """
        self.source, self.name, self.threads = source, name, threads
        self.damaged: set[float] = set()
        self.missing = 0
        self._fresh, self._calls = False, 0
        self.container: InputContainer
        self._open()
        self.timeline = self._read_timeline()

    def close(self) -> None:
        self.container.close()

    def _open(self) -> None:
        import av

        # A plain name such as take:1.mp4 would be read as a protocol.
        file: Any = f"file:{self.source}" if isinstance(self.source, Path) else self.source
        try:
            if not isinstance(self.source, Path):
                self.source.seek(0)
            # Playlists and lists of parts may not reach for other files or the network.
            self.container = av.open(file, options={"protocol_whitelist": "file"}, metadata_errors="replace")
        except (av.FFmpegError, OSError, ValueError) as error:
            raise MovAIError(
                f"{self.name}: cannot be decoded ({reason(error)}); the file is damaged or not a video"
            ) from None
        try:
            self.stream = self._choose_stream()
        except MovAIError:
            self.container.close()
            raise
        self.stream.thread_count = self.threads
        self.codec = self._alpha_codec() or self.stream.codec_context
        self._fresh = True

    def _choose_stream(self) -> av.VideoStream:
        kind = self.container.format.name
        if kind.endswith("_pipe") or kind == "image2":
            raise MovAIError(f"{self.name}: an image; expected a video")
        from av.stream import Discard, Disposition

        # Cover pictures are video streams too.
        videos = [s for s in self.container.streams.video if not s.disposition & Disposition.attached_pic]
        if not videos:
            raise MovAIError(f"{self.name}: holds no video stream; give a video file")
        chosen = next((stream for stream in videos if stream.disposition & Disposition.default), videos[0])
        if chosen.codec_context is None:
            raise MovAIError(f"{self.name}: is in a codec that FFmpeg does not decode; give another file")
        check_pixels(self.name, chosen.codec_context.height, chosen.codec_context.width)
        # The size may also grow within the stream.
        chosen.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
        for stream in self.container.streams:
            if stream.index != chosen.index:
                stream.discard = Discard.all
        return chosen

    def _alpha_codec(self) -> Any:
        """FFmpeg's own VP8 and VP9 decoders leave the alpha channel out; libvpx's do not."""
        import av

        decoder = {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(self.stream.codec_context.name)
        if decoder is None or self._tag("alpha_mode") != "1":
            return None
        try:
            return av.CodecContext.create(decoder, "r")
        except (av.FFmpegError, ValueError):
            return None

    def _tag(self, name: str) -> str:
        """A value that Matroska keeps for the stream; muxers disagree about capitals."""
        return next((value for key, value in self.stream.metadata.items() if key.lower() == name), "")

    @property
    def container_name(self) -> str:
        return self.container.format.name.split(",")[0]

    @property
    def indexed(self) -> bool:
        """Whether jumps are cheap and land where they should."""
        # After a jump in an AVI, nothing tells which of the reordered frames is the first.
        reordered = self.container_name in UNTIMED and self.stream.codec_context.has_b_frames
        return self.container_name in INDEXED and not reordered

    @property
    def aspect(self) -> float:
        """Width of a stored pixel over its height; 1 if not given."""
        ratio = self.stream.sample_aspect_ratio
        return float(ratio) if ratio else 1.0

    @property
    def codec_words(self) -> str:
        """Codec, pixel format and, where the file tells it, the constant rate factor of x264 or x265."""
        context = self.stream.codec_context
        return f"{context.name} {context.pix_fmt}{self._crf}"

    def _read_timeline(self) -> Timeline:
        """From the index of MP4, else from the packets of the first `SCANNED_BYTES`; the file is opened again after."""
        stream, self._crf = self.stream, ""
        fps = float(stream.average_rate or stream.guessed_rate or 0) or DEFAULT_FPS
        base = float(stream.time_base or 0)
        duration = float(stream.duration * base) if stream.duration and base else None
        if duration is None and self.container.duration:
            duration = self.container.duration / 1e6
        entries = [entry.timestamp for entry in stream.index_entries if not entry.is_discard]
        self._promised = len(stream.index_entries)
        times: list[float] | None = [entry * base for entry in entries]
        if self.container_name != "mov" or not stream.frames or self._fragmented():
            self._promised = stream.frames if self.container_name in ("avi", "gif") else 0
            times = self._scan_packets(base, fps, SCANNED_BYTES if duration else None)
        else:
            self._find_crf(next(iter(self.container.demux(stream)), None))
        self.close()
        self._open()
        return timeline_of(times, fps, duration)

    def _fragmented(self) -> bool:
        """Whether the boxes of an MP4 hold fragments, which its index does not list."""
        if isinstance(self.source, Path):
            with self.source.open("rb") as file:
                return _holds_box(file, b"moof")
        place = self.source.tell()
        try:
            return _holds_box(self.source, b"moof")
        finally:
            self.source.seek(place)

    def _scan_packets(self, base: float, fps: float, limit: int | None) -> list[float] | None:
        import av

        times: list[float] = []
        size = untimed = 0
        latest, shift = 0.0, 0.0
        try:
            for packet in self.container.demux(self.stream):
                if not size:
                    self._find_crf(packet)
                time = packet.dts if self.container_name in UNTIMED or packet.pts is None else packet.pts
                size += packet.size
                if limit is not None and size > limit:
                    return None
                if packet.size and not packet.is_discard:
                    untimed += time is None
                    seconds = len(times) / fps if time is None else time * base + shift
                    if times and seconds < latest - CLOCK_SET_BACK:
                        shift += latest + 1 / fps - seconds
                        seconds = latest + 1 / fps
                    times.append(seconds)
                    latest = max(latest, seconds) if len(times) > 1 else seconds
        except av.FFmpegError:
            # Decoding reaches the same place, and says so.
            return None
        return [number / fps for number in range(len(times))] if untimed else sorted(times)

    def _find_crf(self, packet: av.Packet | None) -> None:
        if packet is not None and (quality := re.search(rb"crf=([\d.]+)", bytes(packet))):
            self._crf = f" crf {float(quality[1]):g}"

    def frames(self, start: float | None = None) -> Iterator[tuple[float, av.VideoFrame]]:
        """Decoded frames in the order in which they are shown, each with its time in seconds.

        Another call ends the earlier one.

        Args:
            start: begin with a frame that is shown before this time or then; as near as a jump in the file allows.
        """
        if start is not None and self.indexed:
            for earlier in (start, start - 10):
                if earlier > 0 and (frames := self._frames_after_jump(earlier, start)) is not None:
                    yield from frames
                    return
        if not self._fresh:
            self.close()
            self._open()
        yield from self._decode(whole=True)

    def _frames_after_jump(self, target: float, start: float) -> Iterator[tuple[float, av.VideoFrame]] | None:
        import av

        base = self.stream.time_base
        if base is None:
            return None
        try:
            self._fresh = False
            self.container.seek(int(target / base), stream=self.stream)
            self.codec.flush_buffers()
        except av.FFmpegError:
            return None
        frames = self._decode(whole=False)
        first = next(frames, None)
        if first is None or first[0] > start + TOLERANCE:
            return None

        def rest() -> Iterator[tuple[float, av.VideoFrame]]:
            yield first
            yield from frames

        return rest()

    def _decode(self, whole: bool) -> Iterator[tuple[float, av.VideoFrame]]:
        """Frames from where the file stands, with times that rise.

        Args:
            whole: this is the file from its beginning, so that frames can be counted and damage reported.
        """
        import av

        self._fresh = False
        self._calls += 1
        call, interval, base = self._calls, 1 / self.timeline.fps, float(self.stream.time_base or 0)
        order: deque[float] = deque()
        packets, shift = 0, 0.0
        time: float | None = None
        for packet in self._packets():
            packets += bool(packet.size)
            if packet.dts is not None and self.container_name in UNTIMED:
                order.append(packet.dts * base)
            try:
                frames = self.codec.decode(packet)
            except av.FFmpegError:
                self.damaged.add(packet.pts * base if packet.pts is not None else time or 0.0)
                continue
            for frame in frames:
                stamp = order.popleft() if order else frame.time
                if stamp is None:
                    stamp = (time + interval if time is not None else 0.0) - shift
                elif time is not None and stamp + shift < time - CLOCK_SET_BACK:
                    shift = time + interval - stamp
                time = stamp + shift if time is None else max(stamp + shift, time)
                if frame.is_corrupt:
                    self.damaged.add(time)
                yield time, frame
                if call != self._calls:
                    return
        if whole:
            # A file of Matroska that was cut short still has its full length in its head.
            unread = seconds_of(self._tag("duration")) - (self.timeline.duration or 0.0)
            late = int(unread / interval) if unread > 0.5 and self.timeline.times is not None else 0
            self.missing = max(self._promised - packets, late, 0)

    def _packets(self) -> Iterator[av.Packet]:
        """Packets of the stream up to the one without content that ends it, or as far as the file can be read."""
        import av

        last = 0.0
        try:
            for packet in self.container.demux(self.stream):
                if packet.dts is not None:
                    last = float(packet.dts * (self.stream.time_base or 0))
                    if not packet.size:
                        # An empty place in an AVI: the frame before it is shown on.
                        continue
                yield packet
        except av.FFmpegError:
            self.damaged.add(last)


def check_pixels(name: str, height: int, width: int) -> None:
    """Raises MovAIError if frames of a file are larger than is read."""
    if height * width > MAX_PIXELS:
        raise MovAIError(f"{name}: frames of {width}x{height}, expected at most {MAX_PIXELS} pixels; make it smaller")


def _holds_box(file: BinaryIO, kind: bytes) -> bool:
    """Whether a box of this kind is among the outermost boxes of an MP4."""
    place = 0
    while True:
        file.seek(place)
        head = file.read(16)
        if head[4:8] == kind:
            return True
        size = int.from_bytes(head[:4], "big")
        size = int.from_bytes(head[8:16], "big") if size == 1 else size
        if size < 8:
            return False
        place += size


def timeline_of(times: Sequence[float] | None, fps: float, duration: float | None = None) -> Timeline:
    """Whether the rate is constant, and the mean rate if it is not.

    Args:
        times: of the frames, rising, in seconds.
        fps: frames a second, as the file says.
        duration: seconds, as the file says; used without times.
    """
    if not times:
        return Timeline(None, fps, duration, variable=False)
    moments = np.asarray(times) - times[0]
    count = len(moments)
    intervals = np.diff(moments)
    usual = float(np.median(intervals)) if count > 1 else 1 / fps
    # Pairing by index is right as long as no frame is half a frame from where a constant rate would have it.
    drift = np.abs(moments - np.arange(count) / fps)
    variable = bool(count > 1 and drift.max() > 0.5 / fps)
    if variable and moments[-1] > 0:
        fitted = (count - 1) / float(moments[-1])
        if np.abs(moments - np.arange(count) / fitted).max() <= 0.5 / fitted:
            # Constant after all; the header names another rate.
            fps, variable = fitted, False
        else:
            fps = count / (float(moments[-1]) + usual)
    return Timeline(moments, fps, float(moments[-1]) + (usual if variable else 1 / fps), variable)


def seconds_of(clock: str) -> float:
    """Seconds of a clock's time such as 00:00:04.25; 0 if it is none."""
    parts = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", clock)
    return int(parts[1]) * 3600 + int(parts[2]) * 60 + float(parts[3]) if parts else 0.0


def reason(error: Exception) -> str:
    """What an error of FFmpeg or of the system says, in one line, without the name of the file."""
    return " ".join(str(getattr(error, "strerror", None) or error).split())[:160]
