"""Loading of the spaCy pipeline that turns a caption into tokens, tags, lemmas and dependencies."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from mov_ai.errors import UsageError

if TYPE_CHECKING:
    from spacy.language import Language

EMBEDDED_PIPELINE = Path(__file__).resolve().parents[1] / "assets" / "spacy_ewt"
"""Folder of the pipeline that ships with mov_ai (trained by `recipes/spacy_pipeline.sh`)."""

_PIPELINES = "spacy_models"
"""The group of entry points in which spaCy's pipeline packages name themselves."""

UNUSED_COMPONENTS = (
    "ner",
    "entity_linker",
    "entity_ruler",
    "span_ruler",
    "spancat",
    "textcat",
    "textcat_multilabel",
    "coref",
)
"""Components of common pipelines that the caption parser never reads; a caption is faster without them."""


def _import_spacy() -> ModuleType:
    """spaCy without its command line, which it imports for one function: that is a third of its own time."""
    names = ("spacy.cli", "spacy.cli.info")
    if "spacy" not in sys.modules and not any(name in sys.modules for name in names):
        for name in names:
            sys.modules[name] = ModuleType(name)
        sys.modules["spacy.cli.info"].info = None  # type: ignore[attr-defined]
    try:
        import spacy
    finally:
        # Whoever imports `spacy.cli` afterwards gets the true one.
        for name in names:
            if getattr(sys.modules.get(name), "__file__", None) is None:
                sys.modules.pop(name, None)
    return spacy


def load_spacy(name: str | Path | None = None) -> Language:
    """Load a spaCy pipeline that gives UPOS tags, lemmas and a dependency tree, less `UNUSED_COMPONENTS`.

    The embedded pipeline labels dependencies as Universal Dependencies does (`nsubj`, `obl`, `case`, the root as
    spaCy's `ROOT`) and needs neither the network nor another package. spaCy's own English pipelines (`en_core_web_*`)
    use ClearNLP labels (`prep`, `pobj`, `dobj`) instead. Every call reads the disk again, so keep the result.

    Args:
        name: None for the embedded pipeline, the name of an installed pipeline package, or the path of a folder. A
            string may stand in a checkpoint, and so names nothing but packages that say they are pipelines.

    Raises UsageError if spaCy is not installed, the pipeline cannot be found or read, or it has no parser.
    """
    try:
        # spaCy costs most of a second to import; commands that parse nothing must not pay for it.
        spacy = _import_spacy()
    except ImportError as error:
        raise UsageError("spaCy is not installed; install it with `pip install 'spacy>=3.7,<4'`") from error

    target = EMBEDDED_PIPELINE if name is None else name
    remedy = "or leave the name out to use the embedded pipeline"
    try:
        if isinstance(name, str) and name not in {entry.name for entry in entry_points(group=_PIPELINES)}:
            raise OSError(f"no package of the group {_PIPELINES}")
        nlp = spacy.load(target, exclude=list(UNUSED_COMPONENTS))
    except (OSError, ImportError, ValueError) as error:
        if name is None:
            raise UsageError(
                f"the embedded spaCy pipeline in {target} cannot be read ({error}); reinstall mov_ai, or train it with "
                "recipes/spacy_pipeline.sh"
            ) from error
        # E050 (no such package or folder) and a folder without config.cfg both arrive as OSError; else it needs a
        # package that is absent (spacy-transformers, for one), or another version of spaCy.
        reason = (
            "was not found: it is neither an installed pipeline package nor a folder. Install it with "
            f"`python -m spacy download {name}`"
            if isinstance(error, OSError)
            else f"cannot be loaded here: {error}. Install what it needs"
        )
        raise UsageError(f"spaCy pipeline {str(name)!r} {reason}, {remedy}") from error

    if "parser" not in nlp.pipe_names:
        raise UsageError(
            f"spaCy pipeline {str(target)!r} has no dependency parser (it has {', '.join(nlp.pipe_names)}); "
            f"use one that has, such as en_core_web_sm, {remedy}"
        )
    return nlp
