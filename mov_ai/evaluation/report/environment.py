"""Where a report was made: machine, versions, time, memory."""

from __future__ import annotations

import importlib.metadata
import sys
from typing import Any

_VERSIONS = ("torchvision", "torchmetrics", "transformers", "lpips", "av", "scipy")


def environment() -> dict[str, Any]:
    """Machine, threads, load, versions, time (UTC), and the most memory that the process has held."""
    # Not above: it brings the parser along, which no other part of a report needs.
    from mov_ai.evaluation.parser_suite import environment as common

    record = common()
    record["versions"] |= {name: importlib.metadata.version(name) for name in _VERSIONS}
    try:
        import resource
    except ImportError:  # Windows
        return record
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return {**record, "peak_memory_mb": round(peak / 1e6)}
