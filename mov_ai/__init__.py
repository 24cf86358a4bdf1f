"""mov_ai: text-to-video through scene graphs and layouts that can be read, edited and re-entered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"
__all__ = ["Layout", "MovAIPipeline", "SceneGraph", "VideoResult", "__version__"]

if TYPE_CHECKING:
    from mov_ai.graph import Layout, SceneGraph
    from mov_ai.pipeline import MovAIPipeline, VideoResult


def __getattr__(name: str) -> Any:
    # Resolved on first use: importing torch and spaCy costs seconds that `mov-ai --help` must not pay.
    if name in {"Layout", "SceneGraph"}:
        from mov_ai import graph

        return getattr(graph, name)
    if name in {"MovAIPipeline", "VideoResult"}:
        from mov_ai import pipeline

        return getattr(pipeline, name)
    raise AttributeError(f"module 'mov_ai' has no attribute {name!r}")
