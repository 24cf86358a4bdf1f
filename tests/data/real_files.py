"""Datasets that are not in the repository: tests of them skip where `MOV_AI_DATA` does not have them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def real_folder(dataset: str) -> Path:
    """The folder of a dataset; skips the test, with the reason, if it is not there. Nothing is fetched."""
    root = os.environ.get("MOV_AI_DATA")
    if not root or not (Path(root) / dataset).is_dir():
        pytest.skip(f"{dataset} is not at hand: set MOV_AI_DATA to a folder that has it")
    return Path(root) / dataset
