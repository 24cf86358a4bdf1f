"""Build the wheel and prove that it works where the checkout cannot be seen: `make check-wheel`.

The wheel is built from the source distribution, as a release would be. It is installed alone (`--no-deps`) into a fresh
environment in a temporary folder; what it needs comes from this environment's site-packages, appended by a `.pth` file,
because torch takes minutes to install. Folders that are appended so do not have their own `.pth` files read, so the
editable install of the checkout stays invisible; the first check says so. Then every command is run in an empty folder.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
import zipfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
#: Where the wheel has what the repository has; the rest of the repository is not carried.
CARRIED = {"mov_ai/": "mov_ai/", "conf/": "mov_ai/share/conf/", "data/": "mov_ai/share/data/"}
WHERE = """
import mov_ai, sys
from mov_ai.shipped_files import shipped
places = [mov_ai.__file__, str(shipped("conf")), *sys.path]
seen = [place for place in places if place.startswith(sys.argv[1]) and "site-packages" not in place]
sys.exit(f"the checkout is seen: {seen}" if seen else 0)
"""
PROMPT = "A red ball rolls left, then turns blue"
COMMANDS: list[list[str]] = [
    ["-c", WHERE, f"{CHECKOUT}{os.sep}"],
    ["-m", "mov_ai.cli.main", "parse", PROMPT, "--json", "--out", "graph.json"],
    ["-m", "mov_ai.cli.main", "plan", "--graph", "graph.json", "--out", "layout.json"],
    ["-m", "mov_ai.cli.main", "generate", PROMPT, "--stages", "128", "--out", "one"],
    ["-m", "mov_ai.cli.main", "generate", "--graph", "graph.json", "--stages", "128", "--seed", "1", "--out", "two"],
    ["-m", "mov_ai.cli.main", "eval", "--generated", "one", "--reference", "two", "--out", "eval"],
    ["-m", "mov_ai.train", "experiment=debug", "trainer.max_steps=40"],
    [
        *("-m", "mov_ai.evaluate", "suite=video", "eval.num_videos=2", "eval.layout_videos=1"),
        *("eval.reference_videos=4", "output=suite"),
    ],
]


def run(command: list[str], folder: Path) -> None:
    """Run a command in a folder, without this environment's settings; its output is shown if it fails."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "MOV_AI_CONF")}
    start = time.monotonic()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    words = " ".join(word if len(word) < 60 else "..." for word in command[1:])
    sys.stdout.write(f"{'ok    ' if done.returncode == 0 else 'FAILED'} {time.monotonic() - start:5.1f} s  {words}\n")
    if done.returncode:
        sys.stdout.write(done.stdout + done.stderr)
        sys.exit(1)


def check_content(wheel: Path) -> None:
    """Every tracked file of the package, of `conf/` and of `data/` is in the wheel."""
    tracked = subprocess.run(["git", "ls-files", *CARRIED], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    names_in_wheel = set(zipfile.ZipFile(wheel).namelist())
    missing = []
    for name in tracked.stdout.splitlines():
        top = f"{name.split('/')[0]}/"
        if CARRIED[top] + name.removeprefix(top) not in names_in_wheel:
            missing.append(name)
    if missing:
        sys.exit(f"{wheel.name} lacks {', '.join(missing)}; see setup.py and package_data in setup.cfg")
    sys.stdout.write(f"ok    {wheel.name}: {len(names_in_wheel)} files, {wheel.stat().st_size / 1e6:.1f} MB\n")


def main() -> None:
    """Build, install, run."""
    with tempfile.TemporaryDirectory(prefix="mov-ai-wheel-") as name:
        place = Path(name)
        run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(place / "dist"), str(CHECKOUT)], place)
        (wheel,) = (place / "dist").glob("*.whl")
        check_content(wheel)
        venv.create(place / "venv", with_pip=True)
        python = str(place / "venv" / "bin" / "python")
        run([python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", str(wheel)], place)
        (own,) = (place / "venv").glob("lib/python*/site-packages")
        (own / "heavy_packages.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
        (place / "work").mkdir()
        for command in COMMANDS:
            run([python, *command], place / "work")


if __name__ == "__main__":
    main()
