"""Groups whose members are told apart: "Two women. One has black hair, the other has blonde hair."."""

from __future__ import annotations

from dataclasses import replace

from mov_ai.graph import Edge, Node
from mov_ai.parser.draft import Entity

#: An edge and the token that it was read from.
Read = tuple[Edge, int | None]


def split_groups(entities: list[Entity], nodes: list[Node], edges: list[Read]) -> tuple[list[Node], list[Read]]:
    """Members get their group's name and all that is said of it; the group stays as those who are left, if any are."""
    members: dict[str, list[str]] = {}
    for entity in entities:
        if entity.group is not None:
            members.setdefault(entity.group.id, []).append(entity.id)
    if not members:
        return nodes, edges
    by_id = {node.id: node for node in nodes}
    left = {group: by_id[group].count - len(ids) for group, ids in members.items()}
    label = {member: by_id[group].label for group, ids in members.items() for member in ids}
    split: list[Node] = []
    for node in nodes:
        if node.id in label:
            node = replace(node, label=label[node.id], count=1)
        if left.get(node.id, 1) > 0:
            split.append(replace(node, count=left.get(node.id, node.count)) if node.id in left else node)
    result: list[Read] = []
    known: set[tuple[str, str, str, str | None]] = set()
    for edge, word in edges:
        sources, targets = (_those(end, members, left) for end in (edge.source, edge.target))
        for one in [replace(edge, source=a, target=b) for a in sources for b in targets if a != b]:
            key = (one.source, one.target, one.type, one.label)
            if key not in known:
                known.add(key)
                result.append((one, word))
    return split, result


def _those(node: str, members: dict[str, list[str]], left: dict[str, int]) -> list[str]:
    """The nodes that stand for one: a group's members, and the group itself while some of it is left."""
    return [node] * (left.get(node, 1) > 0) + members.get(node, [])
