"""What a graph states, one thing at a time, and how boxes are asked whether they show it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from mov_ai.graph.layout_report import Verdict
from mov_ai.worlds.stage.rules.boxes import Shot

#: By how much the boxes show something, in units of its threshold: 0 at the threshold, 1 at twice the threshold,
#: negative if they do not; None if they cannot tell.
Rule = Callable[[Shot], float | None]
Family = Literal["events", "relations", "places", "presence", "sizes", "camera"]
#: Margins beyond this say nothing more.
_MOST = 2.0


@dataclass(frozen=True)
class Fact:
    """One thing that a graph states.

    Attributes:
        family: the part of the report that it belongs to.
        source, target, text, kind: as in `Verdict`.
        rule: None if boxes never show such a thing.
        hopeful: whether a negative margin means that boxes cannot tell, as when the camera moves and nothing beside the
            thing says how far.
    """

    family: Family
    source: str
    target: str
    text: str
    kind: str
    rule: Rule | None
    hopeful: bool = False

    def judged(self, shot: Shot) -> Verdict:
        """The verdict on one layout."""
        margin = None if self.rule is None else self.rule(shot)
        if margin is None or (self.hopeful and margin < 0):
            return Verdict(self.source, self.target, self.text, self.kind, None)
        margin = min(max(margin, -_MOST), _MOST)
        return Verdict(self.source, self.target, self.text, self.kind, margin >= 0, margin)
