"""`mov-ai generate --sketch`: damaged drawings, odd modes and sizes, dots, nothing and noise; odd names of things."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageDraw

from mov_ai.graph import Layout
from tools.fuzz.case import Case, Kind
from tools.fuzz.command import Said, generate, wrong_video
from tools.fuzz.pictures import picture_file

#: Of things, and whether the graph has them.
_THINGS = {
    "": True, "@ball": True, "@b": True, "@ ball ": True,
    "@": False, "@dragon": False, "@s": False, "@e": False, "@ball@ball": False, "@\x1b[31m": False,
    f"@{'x' * 500}": False, "@\x00": False,
}  # fmt: skip


def _drawn(rng: random.Random) -> tuple[np.ndarray, bool]:
    """A drawing, uint8 (height, width), and whether it is clearly one thing."""
    side = rng.choice((16, 64, 300))
    picture = PIL.Image.new("L", (side, side), 255)
    draw = PIL.ImageDraw.Draw(picture)
    how = rng.choice(("disk", "disk", "lines", "ring", "dots", "noise", "nothing", "all", "border", "one dot"))
    box = (side // 4, side // 4, side - side // 4, side - side // 4)
    if how == "disk":
        draw.ellipse(box, fill=0)
    elif how == "ring":
        draw.ellipse(box, outline=0, width=max(1, side // 32))
    elif how == "lines":
        draw.line([(rng.randrange(side), rng.randrange(side)) for _ in range(rng.choice((2, 3, 40)))], fill=0)
    elif how == "dots":
        draw.point([(rng.randrange(side), rng.randrange(side)) for _ in range(side)], fill=0)
    elif how == "one dot":
        draw.point((side // 2, side // 2), fill=0)
    elif how == "border":
        draw.rectangle((0, 0, side - 1, side - 1), outline=0)
    elif how == "noise":
        return np.frombuffer(rng.randbytes(side * side), np.uint8).reshape(side, side).copy(), False
    elif how == "all":
        picture.paste(0, (0, 0, side, side))
    return np.asarray(picture), how in ("disk", "ring")


def make(rng: random.Random, folder: Path) -> Case:
    """One drawing, or two of one thing."""
    grey, is_clear = _drawn(rng)
    picture = picture_file(rng, grey)
    path = folder / f"{rng.choice(('drawing', 'a@b', 'ä %d'))}.{picture.suffix}"
    path.write_bytes(picture.content)
    thing = rng.choice(("", "@ball", rng.choice(list(_THINGS))))
    twice = rng.random() < 0.1
    out = folder / "out"

    def run() -> Said:
        given = ["--sketch", f"{path}{thing}"] * (1 + twice)
        return generate(folder, out, *given, "--stages", "16", watch=folder)

    def wrong(said: Said) -> str | None:
        outlined = [track for track in Layout.load(out / "layout.json").tracks if track.outline is not None]
        if len(outlined) != 1 or outlined[0].entity != "b":
            return "the layout has no outline of the ball"
        box = outlined[0].boxes[0]
        if not np.isfinite(box).all():
            return f"its box is {box}"
        if is_clear and ":" not in picture.about and "x" not in picture.about and abs(box[:4] - 0.5).max() > 0.15:
            return f"what is drawn in the middle is at {box[:4]}"
        return wrong_video(out / "video.mp4", 2, 16)

    refusal = "must" if not _THINGS[thing] or twice else "may"
    return Case(f"{picture.about} {thing[:20]!r}", run, wrong, refusal)


KIND = Kind("sketches", 0.1, make, least=3)
