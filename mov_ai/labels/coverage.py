"""Which words a network was trained on, and which words of a graph are far from all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mov_ai.errors import UsageError
from mov_ai.graph import Node, SceneGraph
from mov_ai.graph.files import read_json, write_json
from mov_ai.graph.schema import is_word
from mov_ai.labels.features import ROLES

if TYPE_CHECKING:
    from mov_ai.labels.encoder import LabelEncoder

#: The file beside a network's weights.
LABELS_FILE = "labels.json"
#: Free words of the scene node; each is a role of the label encoder too.
SCENE_FIELDS = ("setting", "camera", "light", "style")
#: A label whose best cosine with those of its role is below this is called distant.
DISTANT = 0.25
#: Of one role are kept, the most frequent ones: a new word is compared with all of them.
MOST_LABELS = 20_000


def node_role(node: Node) -> str:
    """The role in which a node's label is encoded."""
    return "setting" if node.type == "scene" else node.type


def graph_labels(graph: SceneGraph) -> Iterator[tuple[str, str]]:
    """(role, label) of everything that a graph says, in graph order; the scene's own label says nothing."""
    for node in graph.nodes:
        if node.type != "scene":
            yield node_role(node), node.label
        for role, text in (("direction", node.direction), ("direction", node.manner)):
            if text is not None:
                yield role, text
        for name in SCENE_FIELDS:
            for text in node.words(name):
                yield name, text
    for edge in graph.edges:
        if edge.type in ("spatial", "relation") and edge.label is not None:
            yield "relation", edge.label


def _are_counts(words: Any) -> bool:
    """Whether it is a dict of labels and whole numbers."""
    return (
        isinstance(words, dict)
        and len(words) <= MOST_LABELS
        and all(is_word(word) and type(count) is int and count >= 0 for word, count in words.items())
    )


@dataclass
class LabelCoverage:
    """Labels with how many training clips say them, by role."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, graphs: Iterable[SceneGraph]) -> None:
        """Count the labels of graphs, each once a graph."""
        for graph in graphs:
            for role, label in set(graph_labels(graph)):
                self.counts.setdefault(role, Counter())[label.lower()] += 1

    def distant(self, graph: SceneGraph, encoder: LabelEncoder, least: float = DISTANT) -> list[str]:
        """Labels of a graph that are far from all labels of their role, in graph order without repeats.

        What was assumed is not looked at. A label is near if its cosine with one of the training labels is `least` or
        more.
        """
        spoken = [(role, label) for role, label in graph_labels(graph) if label.strip()]
        assumed = {node.label for node in graph.nodes if node.assumed}
        assumed |= {word for node in graph.nodes for name in node.assumed for word in node.words(name)}
        distant = []
        for role, label in dict.fromkeys(spoken):
            trained_counts = self.counts.get(role, Counter())
            if label in assumed or label.lower() in trained_counts:
                continue
            nearest = -1.0
            if trained_counts:
                nearest = float(
                    (encoder([(role, word) for word in trained_counts]) @ encoder([(role, label)])[0]).max()
                )
            if nearest < least:
                distant.append(label)
        return list(dict.fromkeys(distant))

    def trained_part(self, graph: SceneGraph) -> SceneGraph:
        """A graph without the scene's words of fields that no training clip had.

        A network has weights for every field; those of a field that it was never told are what they were at the start,
        and would change the video by noise. Nothing is left out if nothing is known of the training.
        """
        untrained = [name for name in SCENE_FIELDS if self.counts and name not in self.counts]
        changes: list[dict[str, Any]] = [
            dict.fromkeys(name for name in untrained if n.words(name)) for n in graph.nodes
        ]
        if not any(changes):
            return graph
        return replace(graph, nodes=[replace(n, **own) for n, own in zip(graph.nodes, changes, strict=True)])

    def save(self, directory: str | Path) -> None:
        """Write `LABELS_FILE` into a network's folder, the most frequent labels first."""
        write_json(
            Path(directory) / LABELS_FILE,
            {role: dict(words.most_common(MOST_LABELS)) for role, words in sorted(self.counts.items())},
        )

    @classmethod
    def load(cls, directory: str | Path) -> LabelCoverage | None:
        """Read what `save` wrote; None if there is no such file. Raises UsageError if it holds something else."""
        path = Path(directory) / LABELS_FILE
        if not path.is_file():
            return None
        value: Any = read_json(str(path))
        if not isinstance(value, dict) or not all(
            role in ROLES and _are_counts(words) for role, words in value.items()
        ):
            raise UsageError(
                f"{path}: expected roles ({', '.join(ROLES)}) with up to {MOST_LABELS} labels each and how many clips "
                "say them; export the network again"
            )
        return cls({role: Counter(words) for role, words in value.items()})
