"""Relations in space and directions: a closed class of phrases, most of which WordNet does not have."""

from __future__ import annotations

from pathlib import Path

from mov_ai.graph.files import read_json

#: Phrase -> the first phrase of its group, and of the group that means the opposite, or "".
_PHRASES: dict[str, tuple[str, str]] = {
    phrase: (phrases.split(",")[0], opposite)
    for phrases, opposite in read_json(Path(__file__).with_suffix(".json"))
    for phrase in phrases.split(", ")
}


def relation_group(phrase: str) -> tuple[str, str] | None:
    """(group, opposite group or "") of a phrase in lower case, each by its first phrase; None if it is in none."""
    return _PHRASES.get(phrase)
