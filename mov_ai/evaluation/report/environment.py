"""Where a report was made: machine, versions, time, memory."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
import time
from typing import Any

from mov_ai.hardware import machine

_VERSIONS = (
    *("mov_ai", "torch", "spacy", "numpy"),
    *("torchvision", "torchmetrics", "transformers", "lpips", "av", "scipy"),
)


def environment() -> dict[str, Any]:
    """Machine, threads, load, versions, time (UTC), and the most memory that the process has held."""
    record = {
        "machine": machine(),
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS"),
        "load_average": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in _VERSIONS},
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    try:
        import resource
    except ImportError:  # Windows
        return record
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return {**record, "peak_memory_mb": round(peak / 1e6)}
