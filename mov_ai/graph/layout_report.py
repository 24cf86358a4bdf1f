"""What a verifier says of a layout: which facts of its graph it shows, and how well everything is to be seen."""

from __future__ import annotations

from dataclasses import dataclass

#: Share of the farther box that a nearer one may hide, at worst and on average over the clip.
HIDDEN_WORST, HIDDEN_MEAN = 0.65, 0.3
#: A fact is plain to see from this margin on.
_PLAIN = 0.6


@dataclass(frozen=True)
class Verdict:
    """Whether one fact that the graph states is seen in the layout.

    Attributes:
        source, target: node ids; event and entity, or the two entities of a relation; twice the same for others.
        text: what is said, for readers ("ball n2 moves left in [0, 0.5]").
        kind: the motion or the canonical relation; "" if the verifier does not know it.
        satisfied: None if it cannot be seen in boxes (a change of colour, an unknown verb).
        margin: by how much the threshold is met, in units of the threshold; negative if not satisfied.
    """

    source: str
    target: str
    text: str
    kind: str
    satisfied: bool | None
    margin: float = 0.0


@dataclass(frozen=True)
class LayoutReport:
    """The verdicts on one layout.

    Attributes:
        events: one for each pair of an event and an entity instance that it moves.
        relations: one for each spatial edge between drawn entities, and for each two of which one does something to
            the other.
        inside: share of the seen boxes that lie within the frame; 1 if none is seen.
        hidden: greatest share of a box that a nearer one hides, averaged over the clip.
        hidden_worst: the same in the worst frame.
        touching: pairs of instances whose bodies would meet somewhere on the way.
        places: where on the screen things are or come to.
        presence: what is there, how many, and when.
        sizes: what is larger than what, and what grows or shrinks.
        camera: moves of the camera, its framing, and the large places behind.
    """

    events: tuple[Verdict, ...]
    relations: tuple[Verdict, ...]
    inside: float
    hidden: float
    hidden_worst: float
    touching: int
    places: tuple[Verdict, ...] = ()
    presence: tuple[Verdict, ...] = ()
    sizes: tuple[Verdict, ...] = ()
    camera: tuple[Verdict, ...] = ()

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """All of them."""
        return (*self.events, *self.relations, *self.places, *self.presence, *self.sizes, *self.camera)

    @property
    def satisfied(self) -> bool:
        """Whether nothing is wrong."""
        return self.faults == 0

    @property
    def faults(self) -> int:
        """How many verdicts and checks fail."""
        wrong = sum(verdict.satisfied is False for verdict in self.verdicts)
        crowded = self.hidden > HIDDEN_MEAN or self.hidden_worst > HIDDEN_WORST
        return wrong + int(self.inside < 1) + int(crowded) + self.touching

    @property
    def value(self) -> float:
        """Larger is better: what is wrong, how much is out of frame or hidden, and what is not plain to see."""
        wrong = sum(1 + min(1.0, -v.margin) for v in self.verdicts if v.satisfied is False)
        slight = sum(max(0.0, _PLAIN - v.margin) for v in self.verdicts if v.satisfied)
        return -(10 * wrong + self.faults + 10 * (1 - self.inside) + self.hidden + self.hidden_worst + slight)

    def __str__(self) -> str:
        """One line a verdict."""
        signs = {True: "yes", False: "NO ", None: " ? "}
        lines = [f"{signs[v.satisfied]} {v.text}" for v in self.verdicts]
        lines.append(f"{signs[self.inside >= 1]} inside the frame: {self.inside:.1%} of the boxes")
        crowded = self.hidden > HIDDEN_MEAN or self.hidden_worst > HIDDEN_WORST
        lines.append(
            f"{signs[not crowded]} in view: at most {self.hidden:.0%} of a box hidden on average, "
            f"{self.hidden_worst:.0%} in the worst frame"
        )
        lines.append(f"{signs[self.touching == 0]} apart: {self.touching} pairs touch")
        return "\n".join(lines)


def preference(report: LayoutReport | None) -> tuple[bool, float]:
    """For choosing among candidates, larger is better: no layout without a fault stands behind one that has any.

    `report`: None where nothing judges layouts; all are alike then.
    """
    return (False, 0.0) if report is None else (report.satisfied, report.value)
