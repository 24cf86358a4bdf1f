"""Relations in space and directions: a closed class of phrases, most of which WordNet does not have."""

from __future__ import annotations

#: Phrases that mean the same, and the group that means the opposite, or "".
_GROUPS: tuple[tuple[str, str], ...] = (
    ("above, over, on top of, atop, overhead", "below"),
    ("below, under, underneath, beneath", "above"),
    ("left of, to the left of, on the left of, left side of, on the left side of, at the left of", "right of"),
    ("right of, to the right of, on the right of, right side of, on the right side of, at the right of", "left of"),
    ("behind, in back of, at the back of", "in front of"),
    ("in front of, before, ahead of, at the front of", "behind"),
    ("next to, beside, near, by, close to, adjacent to, alongside, at the side of, nearby", "far from"),
    ("far from, away from", "next to"),
    ("inside, in, within, inside of", "outside"),
    ("outside, outside of, out of", "inside"),
    ("into, in to", "from"),
    ("from, off, off of", "into"),
    ("on, upon, onto", ""),
    ("between, among, amid, in between", ""),
    ("around, round, about", ""),
    ("across, over to", ""),
    ("through, throughout", ""),
    ("against, leaning on", ""),
    ("along, down along", ""),
    ("with, accompanied by", "without"),
    ("without, lacking", "with"),
    ("toward, towards, closer, forward", "away"),
    ("away, further, farther, back", "toward"),
)
_PHRASES: dict[str, tuple[str, str]] = {
    phrase: (phrases.split(",")[0], opposite) for phrases, opposite in _GROUPS for phrase in phrases.split(", ")
}


def relation_group(phrase: str) -> tuple[str, str] | None:
    """(group, opposite group or "") of a phrase in lower case, each by its first phrase; None if it is in none."""
    return _PHRASES.get(phrase)
