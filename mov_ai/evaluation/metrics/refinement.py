"""What a refining stage adds, against a truth whose object masks are known: objects, their edges, the still floor.

Videos are uint8 (T, H, W, 3), as for every metric; masks are integers (T, H, W), 0 the background and another number
each instance. A frame's own PSNR says little of them: most of a frame is floor, which every stage gets right.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from mov_ai.errors import UsageError
from mov_ai.evaluation.metrics.image_quality import PSNR_LIMIT
from mov_ai.evaluation.metrics.preprocess import same_shape
from mov_ai.models.metric_networks.pixels import check_video

#: Half the width of the band around an object's outline, in pixels.
EDGE_REACH = 3
#: Luma of R, G, B (ITU-R BT.601).
_LUMA = np.array([0.299, 0.587, 0.114])


def object_psnr(video: np.ndarray, reference: np.ndarray, masks: np.ndarray) -> float:
    """10 log10(255² / MSE) dB over the object pixels of all frames together; [0, 100], higher is better.

    All frames together, as an object may be out of sight in some; 100 stands for no difference, as in `psnr`.

    Raises:
        UsageError: as `same_shape`, if the masks have another size, or show no object.
    """
    same_shape(video, reference)
    objects = _checked(masks, video) > 0
    if not objects.any():
        raise UsageError("object PSNR: the masks show no object in any frame; give masks that are above 0 on objects")
    error = np.square(video[objects].astype(np.float64) - reference[objects]).mean()
    return PSNR_LIMIT if error == 0 else min(PSNR_LIMIT, float(10 * np.log10(255**2 / error)))


def object_edges(masks: np.ndarray, reach: int = EDGE_REACH) -> np.ndarray:
    """The band around the outlines of objects, also between two of them: bool (T, H, W).

    Args:
        masks: (T, H, W).
        reach: pixels on each side of an outline, 1 or more; distances are those of a king's moves.
    """
    if reach < 1:
        raise UsageError(f"object edges: expected a reach of 1 pixel or more, got {reach}")
    size = (1, 2 * reach + 1, 2 * reach + 1)
    # A place is near an outline where its surroundings hold more than one instance.
    return np.asarray(
        ndimage.maximum_filter(masks, size, mode="nearest") != ndimage.minimum_filter(masks, size, mode="nearest")
    )


def edge_gradient(video: np.ndarray, reference: np.ndarray, masks: np.ndarray, reach: int = EDGE_REACH) -> float:
    """Sum of the lengths of luma's Sobel gradient over `object_edges`, as a share of the reference's; [0, ∞), best 1.

    Below 1 edges are soft or not where they belong, above 1 they ring or are noisy: a figure of sharpness, not of
    likeness, to be read beside the object PSNR. The band is the truth's for both, and narrow: a blurred edge has the
    same sum as a sharp one over more pixels. Lengths and not their squares, since a codec that spreads the one-pixel
    edges of a rendered truth over two halves the sum of squares, which would hide all that is worse than that.

    Raises:
        UsageError: as `same_shape`, if the masks have another size, or the reference has no gradient in the band.
    """
    same_shape(video, reference)
    band = object_edges(_checked(masks, video), reach)
    own, true = (float(gradient_length(frames)[band].sum()) for frames in (video, reference))
    if true == 0:
        raise UsageError("edge gradient: the reference is flat around every object; give masks that fit the video")
    return own / true


def still_floor(reference: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Pixels that are background and the same in all frames of the reference, so under no moving shadow: bool (H, W).

    Raises:
        UsageError: as `check_video`, or if the masks have another size.
    """
    check_video(reference, name="reference")
    background = (_checked(masks, reference) == 0).all(0)
    return np.asarray(background & (reference == reference[:1]).all((0, 3)))


def flicker(video: np.ndarray, where: np.ndarray) -> float:
    """Mean |frame - next frame| over some pixels and their channels, in grey levels of 255; [0, 255], lower is better.

    On `still_floor` the reference has 0, of which there are no multiples. One grey level stands for it, the least that
    8 bits hold: the figure is then "times the truth" as it is. A codec alone, given the truth, stays far below 1.

    Args:
        video: (T, H, W, 3), T ≥ 2.
        where: bool (H, W).

    Raises:
        UsageError: as `check_video`, for `where` of another size, or for no pixel.
    """
    check_video(video, 2)
    if where.shape != video.shape[1:3] or not where.any():
        raise UsageError(
            f"flicker: expected one pixel or more of {video.shape[1:3]}, got {int(where.sum())} of {where.shape}"
        )
    return float(np.abs(np.diff(video[:, where].astype(np.int16), axis=0)).mean())


def gradient_length(video: np.ndarray) -> np.ndarray:
    """The length of luma's Sobel gradient, float64 (T, H, W), of a uint8 video (T, H, W, 3)."""
    luma = video @ _LUMA
    down, across = (ndimage.sobel(luma, axis, mode="nearest") for axis in (1, 2))
    return np.hypot(down, across)


def _checked(masks: np.ndarray, video: np.ndarray) -> np.ndarray:
    if masks.shape != video.shape[:3]:
        raise UsageError(f"masks: expected (frames, height, width) {video.shape[:3]} as the video, got {masks.shape}")
    return masks
