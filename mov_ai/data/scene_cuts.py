"""Scene changes of a video, with PySceneDetect."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from mov_ai.errors import UsageError

#: Longer side, about, of the copies that are compared.
_SIDE = 256


def require_scenedetect() -> None:
    """Raises UsageError if PySceneDetect is not installed."""
    try:
        import scenedetect  # noqa: F401
    except ImportError:
        raise UsageError("scenes: PySceneDetect is not installed; run: pip install 'mov_ai[scenedetect]'") from None


def scene_cuts(frames: Iterable[tuple[float, np.ndarray]], fps: float, threshold: float = 27.0) -> list[float]:
    """Times at which another scene begins.

    Args:
        frames: of a video or a part of it: seconds and uint8 (height, width, 3) RGB.
        fps: frames a second, the mean.
        threshold: change of colour between two frames that is a cut, 0 to 255; 27 is PySceneDetect's own.

    Returns:
        Seconds, ascending, as given with the frames.

    Raises:
        UsageError: as `require_scenedetect`.
    """
    require_scenedetect()
    from scenedetect import ContentDetector, FrameTimecode

    # However short a scene is: no window may reach over a cut.
    detector = ContentDetector(threshold=threshold, min_scene_len=1)
    times: list[float] = []
    cuts: list[int] = []
    for number, (seconds, frame) in enumerate(frames):
        times.append(seconds)
        step = max(1, max(frame.shape[:2]) // _SIDE)
        blue_first = np.ascontiguousarray(frame[::step, ::step, ::-1])
        cuts += [cut.frame_num for cut in detector.process_frame(FrameTimecode(number, fps), blue_first)]
    if times:
        cuts += [cut.frame_num for cut in detector.post_process(FrameTimecode(len(times) - 1, fps))]
    return [times[cut] for cut in sorted(set(cuts)) if 0 < cut < len(times)]
