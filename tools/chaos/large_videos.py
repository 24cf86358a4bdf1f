"""Does `mov-ai eval` stay below 2 GB whatever it is given? `python -m tools.chaos.large_videos [--only NAME]`.

Makes small files that are large when they are read: an MP4 of 8,000 frames, an archive of 5 GB in 22 MB, a video in 8K.
Each is measured against its like in a process of its own. Exit code 1 if one fails or needs more.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np

from mov_ai.errors import MovAIError, UsageError, run_script
from mov_ai.graph.files import write_json
from mov_ai.hardware import machine

#: Bytes of memory that a process may have at its peak.
MOST = 2 * 10**9
_MEASURE = """
import resource, sys
from mov_ai.cli.main import main
code = main(sys.argv[1:])
sys.stderr.write(f"\\n{code} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}\\n")
"""


def _film(path: Path, frames: int, height: int, width: int) -> None:
    """Grey frames whose brightness changes now and then: a few bytes each."""
    with av.open(str(path.with_suffix(".mp4")), "w") as container:
        stream = container.add_stream("libx264", 25, options={"preset": "ultrafast", "crf": "40"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(frames):
            picture = np.full((height * 3 // 2, width), 40 + number // 100 % 160, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "yuv420p")))
        container.mux(stream.encode())


def _archive(path: Path, frames: int, height: int, width: int) -> None:
    """Frames that are nearly empty, in an .npz that compresses them away."""
    header = {"descr": "|u1", "fortran_order": False, "shape": (frames, height, width, 3)}
    frame, rng = np.zeros((height, width, 3), np.uint8), np.random.default_rng(0)
    with zipfile.ZipFile(path.with_suffix(".npz"), "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("video.npy", "w", force_zip64=True) as member:
            np.lib.format.write_array_header_1_0(member, header)
            for _ in range(frames):
                frame[:4] = rng.integers(0, 255, (4, 1, 3))
                member.write(frame.tobytes())
        with archive.open("fps.npy", "w") as member:
            np.lib.format.write_array(member, np.array(8.0))


#: Name -> how such a video is made, with its frames, height and width.
INPUTS: dict[str, tuple[Callable[[Path, int, int, int], None], int, int, int]] = {
    "mp4, 8,000 frames of 640x360": (_film, 8000, 360, 640),
    "npz, 7,200 frames of 640x360": (_archive, 7200, 360, 640),
    "mp4, 30 frames of 7680x4320": (_film, 30, 4320, 7680),
}


def measure(name: str, place: Path) -> dict[str, Any]:
    """Make one input twice in an empty folder, and evaluate one against the other: what it took."""
    make, frames, height, width = INPUTS[name]
    for folder in ("generated", "reference"):
        (place / folder).mkdir(parents=True)
        make(place / folder / "video", frames, height, width)
    file = next((place / "generated").iterdir())
    began = time.monotonic()
    given = ("--generated", str(place / "generated"), "--reference", str(place / "reference"))
    command = [sys.executable, "-c", _MEASURE, "eval", *given, "--out", str(place / "out")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    last = result.stderr.strip().rpartition("\n")[2].split()
    if len(last) != 2 or last[0] != "0":
        raise MovAIError(f"{name}: mov-ai eval failed ({result.stderr.strip()[-300:]})")
    values = json.loads((place / "out" / "results.json").read_text(encoding="utf-8"))
    return {
        "MB of the file": round(file.stat().st_size / 1e6, 2),
        "MB of its frames": round(frames * height * width * 3 / 1e6),
        "MB of memory at the peak": round(int(last[1]) * 1024 / 1e6),
        "seconds": round(time.monotonic() - began),
        "figures": sum("value" in entry for entry in values["metrics"].values()),
    }


def run(options: argparse.Namespace) -> None:
    """Measure the inputs that are asked for. Raises MovAIError if one needs more than `MOST`."""
    wanted = list(INPUTS) if options.only is None else [name for name in INPUTS if name.startswith(options.only)]
    if not wanted:
        raise UsageError(f"--only: expected the beginning of one of {'; '.join(INPUTS)}; found {options.only!r}")
    rows: dict[str, dict[str, Any]] = {}
    for name in wanted:
        with tempfile.TemporaryDirectory(prefix="mov-ai-large-") as folder:
            rows[name] = measure(name, Path(folder))
        sys.stdout.write(f"{name}: " + ", ".join(f"{value} {what}" for what, value in rows[name].items()) + "\n")
        sys.stdout.flush()
        if options.out is not None:
            # After each input, as all of them take long.
            about = {"command": "python -m tools.chaos.large_videos", "machine": machine(), "seed": 0}
            write_json(options.out, {**about, "most, MB": MOST // 10**6, "inputs": rows})
    large = [name for name, row in rows.items() if row["MB of memory at the peak"] * 1e6 > MOST]
    if large:
        raise MovAIError(f"more than {MOST / 1e9:g} GB of memory for {'; '.join(large)}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="the input whose name begins so")
    parser.add_argument("--out", type=Path, help="JSON with what each input took")
    options = parser.parse_args(arguments)
    return run_script("large_videos", lambda: run(options))


if __name__ == "__main__":
    sys.exit(main())
