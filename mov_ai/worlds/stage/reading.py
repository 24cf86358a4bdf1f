"""From a scene graph to its screenplay: verbs, directions, places and relations, read by their meanings."""

from __future__ import annotations

from mov_ai.graph import Interval, Node, SceneGraph
from mov_ai.graph.time import FULL, change_time
from mov_ai.graph.ways import direction_in_picture, place_of_way
from mov_ai.worlds.stage.amendments import amend
from mov_ai.worlds.stage.meanings import stage_meanings
from mov_ai.worlds.stage.screenplay import EACH_OTHER, STILL, Bond, Deed, Performer, Screenplay
from mov_ai.worlds.stage.things import thing_of


def read_screenplay(graph: SceneGraph) -> Screenplay:
    """Read a valid graph; what is negated is left out, and words without a meaning here are passed over."""
    play, means = Screenplay(), stage_meanings()
    nodes = {node.id: node for node in graph.nodes}
    for node in graph.nodes:
        if node.type == "scene":
            _read_camera(play, node)
        elif node.type == "entity" and not node.negated:
            thing = thing_of(node.label)
            if thing.region:
                play.regions[node.id], play.numbers[node.id] = thing, node.count
            else:
                play.performers[node.id] = Performer(node.id, thing, node.count)
    for edge in graph.edges:
        performer = play.performers.get(edge.source)
        if edge.type == "contains" and edge.target in play.performers:
            play.performers[edge.target].present = edge.interval
        elif edge.type == "has_attribute" and performer is not None:
            label = nodes[edge.target].label
            performer.scale *= means.sizes.get(label, 1.0)
            if label in means.changes:
                performer.changes.append((_change(graph, edge.source, edge.interval), means.changes[label] == "grow"))
        elif edge.type == "location" and performer is not None and str(edge.label) in means.place_names:
            play.places.append((edge.source, means.place_names[str(edge.label)], edge.interval))
        elif edge.type in ("spatial", "relation") and performer is not None:
            _read_relation(play, edge.source, str(edge.label), edge.target, edge.interval)
    for node in graph.of_type("event"):
        if not node.negated:
            _read_event(play, graph, node)
    amend(play)
    return play


def _read_camera(play: Screenplay, scene: Node) -> None:
    means = stage_meanings()
    for move in scene.camera:
        if move.label in means.framing_names:
            play.framing = means.framings[means.framing_names[move.label]]
        elif move.label in means.camera:
            play.camera.append((means.camera[move.label], move.interval))


def _change(graph: SceneGraph, entity: str, interval: Interval) -> Interval:
    """While when a value that holds from some time on comes about: during the event whose change it is."""
    for edge in graph.edges_to(entity, "agent"):
        event = graph.node(edge.source)
        if abs(change_time(event.interval) - interval[0]) < 1e-3:
            return event.interval
    return FULL


def _read_relation(play: Screenplay, source: str, label: str, target: str, interval: Interval) -> None:
    means = stage_meanings()
    if label in means.comparisons and target in play.performers:
        play.larger.append((source, means.comparisons[label], target))
        # At one distance, or nobody would see it.
        play.bonds.append(Bond(source, "beside", target, interval))
        return
    relation = means.relations.get(label)
    if relation is None or source == target:
        return
    if target in play.performers:
        group = play.performers[target].thing.group
        if group == "garment" and relation in ("in", "beside"):
            relation = "wear"
        play.bonds.append(Bond(source, relation, target, interval))
    elif target in play.regions:
        play.bonds.append(Bond(source, relation, target, interval))


def _read_event(play: Screenplay, graph: SceneGraph, node: Node) -> None:
    means = stage_meanings()

    def role(edge_type: str) -> tuple[str, ...]:
        targets = (edge.target for edge in graph.edges_from(node.id, edge_type))
        return tuple(dict.fromkeys(target for target in targets if target in play.performers))

    agents, patients, receivers = role("agent"), role("patient"), role("receiver")
    ways, place, mutual = [], None, None
    for edge in graph.edges_from(node.id, "location"):
        relation = means.relations.get(str(place_of_way(node, edge)), "beside")
        if str(edge.label) in means.place_names and graph.node(edge.target).type == "scene":
            place = means.place_names[str(edge.label)]
        elif edge.target in agents:
            # "Toward each other."
            mutual = relation
        elif edge.target in play.performers or edge.target in play.regions:
            ways.append((relation, edge.target))
    action = means.verbs.get(node.label)
    direction = means.directions.get(direction_in_picture(graph, node) or "")
    if len(ways) == 1 and (ways[0][0], direction) in (("from_left", "right"), ("from_right", "left")):
        # From the one side of it and on to the other: it is told of no other end.
        ways.append((f"to_{direction}", ways[0][1]))
    if action is None:
        action = (
            "go" if direction or any(relation in ("past", "across", "to", "from") for relation, _ in ways) else "stay"
        )
    action = _in_company(action, node, bool(patients), bool(ways))
    if action == "follow" and not patients:
        # Who "trails behind" somebody follows them.
        patients = tuple(target for relation, target in ways if relation == "behind" and target in play.performers)
        ways = [way for way in ways if way[1] not in patients]
    if set(agents) & set(patients):
        mutual, patients = action, tuple(patient for patient in patients if patient not in agents)
    among = _among(play, action, agents, bool(patients), direction, mutual, node.label, ways)
    if among is not None:
        action, patients = among, ()
    if action == "meet" and len(agents) > 1 and not patients:
        agents, patients = agents[:1], agents[1:]
    manner = node.manner or ""
    deed = Deed(
        node.id,
        action,
        agents or patients,
        patients if agents else (),
        receivers,
        tuple(ways),
        place,
        direction,
        means.manner_names.get(manner),
        node.interval,
        node.label,
        means.directions.get(manner) == "zigzag",
    )
    if deed.agents:
        play.deeds.append(deed)
        _note_posture(play, node, deed)
        # Things that "appear each other" is what parsers make of "one after another".
        if action in ("appear", "vanish") and (manner in means.turns or mutual is not None):
            for agent in deed.agents:
                play.performers[agent].one_by_one = True
        if action in STILL:
            _stand(play, deed)
        elif action == "put":
            play.bonds += [Bond(deed.agents[0], "beside", target, deed.interval) for _, target in ways]


def _among(
    play: Screenplay,
    action: str,
    agents: tuple[str, ...],
    has_patient: bool,
    direction: str | None,
    mutual: str | None,
    verb: str,
    ways: list[tuple[str, str]],
) -> str | None:
    """What several do among themselves, a name of `AMONG`; None if each does it for itself, or there is only one.

    Args:
        mutual: what they do to each other, or the way that they take by each other.
    """
    several = sum(play.performers[agent].count for agent in agents) > 1
    if not several or has_patient:
        return {"scatter": "go", "gather": "go"}.get(action)
    comes_around = verb in stage_meanings().comings and any(relation == "around" for relation, _ in ways)
    if verb in stage_meanings().swaps and direction is None and not ways:
        return "swap"
    if action in ("scatter", "gather") or comes_around:
        return "gather" if comes_around else action
    if direction in ("apart", "together"):
        return "scatter" if direction == "apart" else "gather"
    if mutual is not None:
        is_parting = mutual == "beside" and direction == "away"
        return "scatter" if is_parting else EACH_OTHER.get(mutual, EACH_OTHER.get(action))
    if action in ("pass", "chase") and direction is None:
        return EACH_OTHER[action]
    return "gather" if action == "meet" and len(agents) == 1 else None


def _in_company(action: str, node: Node, has_patient: bool, has_way: bool) -> str:
    """What a verb means beside what else the graph says: who sits to the left stays, who dances to the left goes."""
    if has_patient:
        alone = {"fall": "drop", "rise": "lift", "jump": "stay"}
        action = alone.get(action, action)
        return "lower" if action == "put" and not has_way else action
    # Who comes closer is there already.
    if action == "enter" and (has_way or stage_meanings().directions.get(node.direction or "") in ("toward", "away")):
        return "go"
    # Who kneels goes down by itself, and nowhere else.
    moving = {"stay": "go"} if node.direction and node.label not in stage_meanings().postures else {}
    return {"lift": "rise", "drop": "fall", **moving}.get(action, action)


def _note_posture(play: Screenplay, node: Node, deed: Deed) -> None:
    posture = stage_meanings().postures.get(node.label)
    for agent in deed.agents if posture and node.interval == FULL else ():
        performer = play.performers[agent]
        is_person = performer.thing.group == "person"
        performer.posture = posture if is_person and posture else (max(0.65, posture[0]) if posture else 1.0, 1.05)


def _stand(play: Screenplay, deed: Deed) -> None:
    """Where something is done without going is where whoever does it stands."""
    for agent in deed.agents:
        for relation, target in deed.ways:
            if target != agent:
                play.bonds.append(Bond(agent, relation, target, deed.interval))
        if deed.place:
            play.places.append((agent, deed.place, deed.interval))
        if deed.action in ("grow", "shrink"):
            play.performers[agent].changes.append((deed.interval, deed.action == "grow"))
    # Those who do it together stand side by side.
    for first, second in zip(deed.agents, deed.agents[1:], strict=False):
        if all(bond.source != second or bond.target in play.regions for bond in play.bonds):
            play.bonds.append(Bond(second, "beside", first, deed.interval))
