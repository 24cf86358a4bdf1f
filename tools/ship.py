"""A trained network as it is shipped, in 8 bits: `python -m tools.ship RUN FOLDER`."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from safetensors.torch import save

from mov_ai.errors import UsageError, run_script
from mov_ai.graph.files import staged_folder, write_bytes
from mov_ai.models.component import CONFIG_FILE, WEIGHTS_FILE
from mov_ai.weight_files import load_weights, pack


def ship(source: Path, target: Path) -> tuple[int, int]:
    """Write the files of an exported network into a folder, in the place of what is there, its weights packed.

    Args:
        source: the folder of an exported network, or of the run that exported it.
        target: the folder to write.

    Returns:
        Bytes of the weights before and after.

    Raises:
        UsageError: if there is no exported network.
        MovAIError: if its weights are damaged, or the folder cannot be written.
    """
    folder = source / "export" if (source / "export").is_dir() else source
    if not (folder / CONFIG_FILE).is_file():
        raise UsageError(f"{source}: expected an exported network, a folder with {CONFIG_FILE}; train one first")
    weights = save(pack(load_weights(folder / WEIGHTS_FILE)))
    with staged_folder(target) as staged:
        for path in sorted(folder.iterdir()):
            if path.is_file() and path.name != WEIGHTS_FILE:
                shutil.copy(path, staged / path.name)
        write_bytes(staged / WEIGHTS_FILE, weights)
    return (folder / WEIGHTS_FILE).stat().st_size, len(weights)


def main(given: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.ship", description=__doc__)
    parser.add_argument("run", type=Path, help="an exported network's folder, or its run's")
    parser.add_argument("folder", type=Path, help="where it is shipped, as mov_ai/assets/tiny/denoiser")
    options = parser.parse_args(given)

    def run() -> None:
        before, after = ship(options.run, options.folder)
        sys.stdout.write(f"{options.folder}: {after:,} bytes of weights; {before:,} in half precision\n")

    return run_script("ship", run)


if __name__ == "__main__":
    sys.exit(main())
