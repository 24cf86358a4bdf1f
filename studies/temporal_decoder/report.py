"""The tables of the study, from results.json."""

from __future__ import annotations

from typing import Any

import numpy as np

from studies.temporal_decoder.options import CONTROL, OPTIONS

#: Figure -> title of its column, digits.
COLUMNS = {
    "psnr": ("PSNR, dB", 2),
    "ssim": ("SSIM", 4),
    "mse": ("MSE", 5),
    "features": ("feature distance", 4),
    "lpips_alex": ("LPIPS (alex)", 4),
    "change": ("change error", 3),
}
#: Figures that are also shown as paired differences.
_AGAINST = ("psnr", "change")
_ABOUT = {
    "real": "Real clips, TAEF2's latents",
    "world": "The embedded world's clips, the embedded codec's latents",
}


def markdown(results: dict[str, Any]) -> str:
    """All tables that there are results for."""
    return "\n".join(_section(kind, found) for kind, found in results.items())


def _section(kind: str, found: dict[str, Any]) -> str:
    shown = [name for name in COLUMNS if name in found["own_decoder"]["by_video"]]
    titles = ["temporal part", "tuned", *(COLUMNS[name][0] for name in shown)]
    titles += [f"{COLUMNS[name][0]} less the control's (95 %)" for name in _AGAINST]
    titles += ["parameters", "at full size, M", "CPU ms a frame", "the paper's PSNR"]
    lines = [
        f"## {_ABOUT[kind]}",
        "",
        f"{found['clips']} clips of {found['frames']} frames at {found['size']}×{found['size']} of "
        f"{len(found['videos'])} held-out videos; {found['image_steps']} steps of the image decoder, then "
        f"{found['steps']} of each option; seed {found['seed']}; {found['machine']}.",
        "",
        f"| {' | '.join(titles)} |",
        "|---" * len(titles) + "|",
    ]
    for name, one in found["rows"].items():
        option = OPTIONS[name]
        cells = [option.part, option.tuned, *_figures(one, shown), *(_difference(one, name) for name in _AGAINST)]
        full = "" if name == CONTROL else f"{one['million_at_full_size']:.1f}"
        paper = "" if option.paper_psnr is None else f"{option.paper_psnr:.2f}"
        lines.append(_line([*cells, f"{one['parameters']:,}", full, _milliseconds(one), paper]))
    own = found["own_decoder"]
    cells = ["the codec's own decoder", "as shipped", *_figures(own, shown), *[""] * len(_AGAINST)]
    lines.append(_line([*cells, f"{own['parameters']:,}", "", _milliseconds(own), ""]))
    return "\n".join([*lines, ""])


def _figures(one: dict[str, Any], shown: list[str]) -> list[str]:
    return [f"{np.mean(one['by_video'][name]):.{COLUMNS[name][1]}f}" for name in shown]


def _difference(one: dict[str, Any], figure: str) -> str:
    if figure not in one.get("against_control", {}):
        return ""
    found = one["against_control"][figure]
    low, high = found["ci95"]
    return f"{found['value']:+.2f} ({low:+.2f} to {high:+.2f})"


def _milliseconds(one: dict[str, Any]) -> str:
    return f"{1000 * one['seconds_per_frame']:.1f}"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
