"""What each figure of a report means, in words that stand beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: "real": neither more nor less is better by itself; the figure should be that of real clips.
Direction = Literal["higher", "lower", "real"]


@dataclass(frozen=True)
class Definition:
    """A metric in words.

    Attributes:
        title: short, for tables.
        text: one sentence, with the source.
        range: with its unit.
        direction: which way is better.
        group: which table it belongs to.
    """

    title: str
    text: str
    range: str
    direction: Direction
    group: str

    @property
    def arrow(self) -> str:
        """The direction as a sign, for narrow tables."""
        return {"higher": "↑", "lower": "↓", "real": "≈"}[self.direction]

    @property
    def better(self) -> str:
        """The direction in a table's words."""
        return {"higher": "higher", "lower": "lower", "real": "as real clips"}[self.direction]


SETS, FRAMES, TRUTH, TEXT, TIME = (
    "Distance to real videos",
    "Frames",
    "Frame by frame, against the truth",
    "Text and variety",
    "Over time",
)
GROUPS = (SETS, FRAMES, TRUTH, TEXT, TIME)
_EMBEDDED = " On embedded features: not comparable with figures on the published network."


def _distance(name: str, on: str, note: str) -> Definition:
    texts = {
        "FVD": (
            "Fréchet distance between Gaussians fitted to features of generated and real videos (Unterthiner et al. "
            "2018); biased upward at small n.",
            "[0, ∞)",
        ),
        "FVD at infinite n": (
            "The Fréchet distance extrapolated along 1/n (Chong and Forsyth, CVPR 2020).",
            "(-∞, ∞), about 0 at best",
        ),
        "KVD": (
            "Unbiased MMD² with KID's cubic kernel (Unterthiner et al. 2018; Bińkowski et al. 2018).",
            "(-∞, ∞), about 0 at best",
        ),
        "JEDi-style MMD": (
            "100 × unbiased MMD² with JEDi's quadratic kernel (Luo et al., ICLR 2025), not on its V-JEPA features.",
            "(-∞, ∞), about 0 at best",
        ),
    }
    text, span = texts[name]
    return Definition(f"{name}, {on}", text + note, span, "lower", SETS)


_NAMES = {"fvd": "FVD", "fvd_infinity": "FVD at infinite n", "kvd": "KVD", "jedi_style_mmd": "JEDi-style MMD"}

DEFINITIONS: dict[str, Definition] = {
    **{key: _distance(name, "I3D", "") for key, name in _NAMES.items()},
    **{f"embedded_{key}": _distance(name, "embedded", _EMBEDDED) for key, name in _NAMES.items()},
    "lpips": Definition(
        "LPIPS, consecutive frames",
        "Mean LPIPS (Zhang et al., CVPR 2018) between each frame and the next; a frozen video has 0.",
        "[0, about 1]",
        "real",
        FRAMES,
    ),
    "embedded_lpips": Definition(
        "LPIPS-style, consecutive frames, embedded",
        "LPIPS's distance without its learned weights between each frame and the next; a frozen video has 0."
        + _EMBEDDED,
        "[0, 4 × layers]",
        "real",
        FRAMES,
    ),
    "psnr": Definition(
        "PSNR",
        "Mean over frames, in dB, against the truth: the rendered layout, or the reference of the same name.",
        "[0, 100] dB",
        "higher",
        TRUTH,
    ),
    "ssim": Definition("SSIM", "Wang et al. (2004), mean over frames, against the truth.", "[-1, 1]", "higher", TRUTH),
    "lpips_truth": Definition(
        "LPIPS", "Mean LPIPS of each frame to the truth's frame.", "[0, about 1]", "lower", TRUTH
    ),
    "embedded_lpips_truth": Definition(
        "LPIPS-style, embedded",
        "LPIPS's distance without its learned weights to the truth's frame." + _EMBEDDED,
        "[0, 4 × layers]",
        "lower",
        TRUTH,
    ),
    "clipsim": Definition(
        "CLIPSIM", "Mean cosine of the prompt and the frames by CLIP (Wu et al. 2021).", "[-1, 1]", "higher", TEXT
    ),
    "embedded_clipsim": Definition(
        "Text-video similarity, embedded",
        "Mean similarity of the prompt and the video by the embedded text-video network." + _EMBEDDED,
        "[-1, 1]",
        "higher",
        TEXT,
    ),
    "is": Definition(
        "Inception score, I3D",
        "Salimans et al. (2016) on I3D's 400 Kinetics classes; not the C3D score of papers on UCF-101.",
        "[1, 400]",
        "higher",
        TEXT,
    ),
    "embedded_is": Definition(
        "Inception score, embedded",
        "Salimans et al. (2016) on the embedded recognition network's classes." + _EMBEDDED,
        "[1, classes]",
        "higher",
        TEXT,
    ),
    "temporal_flickering": Definition(
        "Temporal flickering",
        "1 - mean difference of consecutive frames (VBench); motion lowers it, a frozen video has 1.",
        "[0, 1]",
        "higher",
        TIME,
    ),
    "motion_smoothness": Definition(
        "Motion smoothness",
        "1 - mean difference of odd frames and their interpolation (VBench's, with optical flow for AMT).",
        "[0, 1]",
        "higher",
        TIME,
    ),
    "warping_error": Definition(
        "Warping error",
        "Mean squared difference of a frame and the next one warped back, where visible (Lai et al., ECCV 2018).",
        "[0, 1]",
        "lower",
        TIME,
    ),
    "embedded_subject_consistency": Definition(
        "Subject consistency, embedded",
        "How alike the frames are to a network (VBench's definition, which takes DINO)." + _EMBEDDED,
        "[0, 1]",
        "higher",
        TIME,
    ),
    "dynamic_degree": Definition(
        "Dynamic degree",
        "Share of videos that move (VBench's definition; it takes RAFT).",
        "[0, 1]",
        "real",
        TIME,
    ),
}


def definition(name: str) -> Definition:
    """Of any metric; one that is not known is shown under its own name."""
    return DEFINITIONS.get(name) or Definition(name, "", "", "higher", TEXT)
