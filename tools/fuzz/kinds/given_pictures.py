"""`mov-ai generate --image`: damaged pictures, odd modes, sizes and times."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np

from mov_ai.data.video import read_video
from tools.fuzz.case import Case, Kind
from tools.fuzz.command import Said, generate, wrong_video
from tools.fuzz.pictures import picture_file

_FRAMES = 3
#: Times of the three frames at 8 a second, those that are none, and what is no time.
_TIMES = {
    "": 0, "@first": 0, "@last": 2, "@0s": 0, "@0.125s": 1, "@0.30s": 2, "@0.37499s": 2,
    "@0.375s": None, "@1e9s": None, "@-1s": None, "@nans": None, "@infs": None, "@": None, "@s": None, "@middle": None,
    f"@{'9' * 200}s": None, "@\x00s": None, "@1.5": None, "@٣s": None, "@0.125s@0.125s": None,
}  # fmt: skip
#: Levels of 255 by which a compressed video may differ from a picture of one colour.
_NEAR = 6


def make(rng: random.Random, folder: Path) -> Case:
    """One picture, or the same one twice."""
    grey = rng.randrange(256)
    picture = picture_file(rng, np.full((24, 24), grey, np.uint8))
    path = folder / f"{rng.choice(('picture', 'a@b', 'ä %d', '-'))}.{picture.suffix}"
    path.write_bytes(picture.content)
    times = [rng.choice(("", "@last", rng.choice(list(_TIMES))))]
    if rng.random() < 0.2:
        times.append(rng.choice(("@first", "@last")))
    numbers = [_TIMES[time] for time in times]
    out = folder / "out"
    is_right = None not in numbers and len(set(numbers)) == len(numbers)

    def run() -> Said:
        given = [part for time in times for part in ("--image", f"{path}{time}")]
        return generate(folder, out, *given, "--frames", str(_FRAMES), watch=folder)

    def wrong(said: Said) -> str | None:
        found = wrong_video(out / "video.mp4", _FRAMES)
        if found is not None or picture.grey is None:
            return found
        frames = read_video(out / "video.mp4")[0].astype(float)
        means = [frames[number].mean() for number in numbers if number is not None]
        near = all(abs(mean - picture.grey) < _NEAR for mean in means)
        return None if near else f"pictures of grey {picture.grey} become frames of {means}"

    refusal = "must" if not is_right else "never" if picture.grey is not None else "may"
    return Case(f"{picture.about} {times}"[:200], run, wrong, refusal)


KIND = Kind("given_pictures", 0.1, make, least=3)
