"""The command line that the studies of stages share."""

from __future__ import annotations

import argparse
from pathlib import Path


def options(name: str, about: str | None, stage: str) -> argparse.ArgumentParser:
    """A parser whose values go by the names that the study's `run` takes them by.

    Args:
        name: of the study's module.
        about: the module's docstring.
        stage: what `--stage` says.
    """
    parser = argparse.ArgumentParser(prog=f"python -m studies.stages.{name}", description=about)
    parser.add_argument(
        "--clips", dest="number", metavar="CLIPS", type=int, default=16, help="clips of the split, 0, 1, ..."
    )
    parser.add_argument("--checkpoint", default="tiny", help="an embedded pipeline, or the folder of a saved one")
    parser.add_argument("--split", default="validation", help="train, validation or test")
    parser.add_argument("--variation", default="plain", help="plain, or varied as data=tabletop_varied")
    parser.add_argument("--stage", type=int, help=stage)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    return parser
