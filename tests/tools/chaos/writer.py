"""A command to kill: writes two files and a record into a folder, all at once or one after the other."""

from __future__ import annotations

import sys
from pathlib import Path

from mov_ai.graph.files import staged_folder

if __name__ == "__main__":
    how, seed, out = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    if how == "staged":
        with staged_folder(out, "run.json") as folder:
            for name in ("a", "b", "run.json"):
                (folder / name).write_text(seed, encoding="utf-8")
    else:
        out.mkdir(exist_ok=True, parents=True)
        for name in ("run.json", "a", "b"):
            (out / name).write_text(seed, encoding="utf-8")
