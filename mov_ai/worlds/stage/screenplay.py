"""What a scene graph asks of the stage: who performs, what is done when, who stands where, what the camera does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import combinations

from mov_ai.graph import Interval, Node, SceneGraph
from mov_ai.graph.time import FULL, change_time
from mov_ai.worlds.stage.meanings import Comparison, Framing, stage_meanings
from mov_ai.worlds.stage.things import Thing, thing_of

#: What is done while whoever does it stays where it is.
STILL = ("stay", "appear", "vanish", "grow", "shrink", "lean")
#: What is done to a thing that lies in a hand, before or after.
HANDLED = ("hold", "carry", "throw", "catch", "kick", "lift", "lower", "put", "give", "release", "drop")
#: What several do among themselves, each on a way of its own: apart, together, past each other, round each other.
AMONG = ("scatter", "gather", "swap", "ring")
#: What it is among several to do something to each other.
_EACH_OTHER = {
    "pass": "swap", "chase": "ring", "follow": "ring", "circle": "ring", "meet": "gather", "approach": "gather",
    "flee": "scatter", "depart": "scatter", "leave": "scatter", "to": "gather", "from": "scatter", "around": "ring",
    "past": "swap",
}  # fmt: skip
#: Pairs of actions in which one goes along with the other: who leads is the patient of these, the agent of all others.
LED_BY_PATIENT = ("chase", "follow", "ride")


@dataclass
class Performer:
    """One entity of the graph; its instances act together.

    Attributes:
        id: of its node.
        count: how many, at least 1.
        scale: how large it is said to be, beside an ordinary one.
        present: while it is there.
        changes: (interval, whether it grows) of each time that it grows or shrinks.
        posture: height and width as parts of those of one that stands.
        apart: who must find room between its instances.
        one_by_one: whether its instances come and go one after another.
    """

    id: str
    thing: Thing
    count: int = 1
    scale: float = 1.0
    present: Interval = FULL
    changes: list[tuple[Interval, bool]] = field(default_factory=list)
    posture: tuple[float, float] = (1.0, 1.0)
    apart: str | None = None
    one_by_one: bool = False


@dataclass(frozen=True)
class Deed:
    """One event.

    Attributes:
        action: a name of `verbs` in `meanings.yaml`, or of `AMONG`.
        ways: (relation, id of a performer or region) of its places.
        place: on the screen, where it ends, or is if nothing moves.
        direction, manner: names of `directions` and `manners`.
        verb: as in the graph.
        zigzags: whether it goes to and fro on its way.
    """

    id: str
    action: str
    agents: tuple[str, ...]
    patients: tuple[str, ...]
    receivers: tuple[str, ...]
    ways: tuple[tuple[str, str], ...]
    place: str | None
    direction: str | None
    manner: str | None
    interval: Interval
    verb: str = ""
    zigzags: bool = False


@dataclass(frozen=True)
class Bond:
    """How one performer stands to another; `apart`: what must find room between them."""

    source: str
    relation: str
    target: str
    interval: Interval = FULL
    apart: str | None = None


@dataclass
class Screenplay:
    """All of it, by the ids of the graph's entities.

    Attributes:
        regions: large places behind the performers; numbers: how many there are of each.
        places: (performer, place on the screen, while when).
        larger: (performer, how much larger, than whom).
    """

    performers: dict[str, Performer] = field(default_factory=dict)
    regions: dict[str, Thing] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    deeds: list[Deed] = field(default_factory=list)
    bonds: list[Bond] = field(default_factory=list)
    places: list[tuple[str, str, Interval]] = field(default_factory=list)
    larger: list[tuple[str, Comparison, str]] = field(default_factory=list)
    camera: list[tuple[str, Interval]] = field(default_factory=list)
    framing: Framing | None = None


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
    _amend(play)
    _make_room_between(play)
    return play


def _amend(play: Screenplay) -> None:
    """Read events again beside each other: what only two of them, or two places, say together."""
    _lean_on_the_bound(play)
    _merge_mutual(play)
    _move_between_places(play)
    _pass_through(play)
    _face_catchers(play)


def _lean_on_the_bound(play: Screenplay) -> None:
    """What is beside a thing that lies on another, or in it, goes by where that is."""
    held = {bond.source for bond in play.bonds if bond.relation in ("on", "in", "against")}
    for number, bond in enumerate(play.bonds):
        if bond.relation == "beside" and bond.source in held and bond.target not in held:
            play.bonds[number] = replace(bond, source=bond.target, target=bond.source)


def _merge_mutual(play: Screenplay) -> None:
    """Two that do the same to each other at one time do it among themselves."""
    for first, second in combinations(play.deeds, 2):
        if first.interval != second.interval or len(first.agents) != 1 or len(second.agents) != 1:
            continue
        (a,), (b,) = first.agents, second.agents
        if first.patients == (b,) and second.patients == (a,) and first.action == second.action:
            action = _EACH_OTHER.get(first.action)
        elif a != b and ("to", b) in first.ways and ("to", a) in second.ways:
            action = "gather"
        else:
            continue
        if action is not None and first in play.deeds and second in play.deeds:
            both = replace(first, action=action, agents=(a, b), patients=(), ways=(), direction=None)
            play.deeds = [both if deed is first else deed for deed in play.deeds if deed is not second]


def _move_between_places(play: Screenplay) -> None:
    """Who is said to be at one place first and at another later goes there in between."""
    for key in play.performers:
        own = sorted((when, place) for who, place, when in play.places if who == key)
        led = [deed.interval for deed in play.deeds if key in deed.agents and deed.place]
        for number, (when, place) in enumerate(own):
            if number == 0 or when[0] <= own[0][0][0] or any(start < when[1] and when[0] < end for start, end in led):
                continue
            length = when[1] - when[0]
            interval = (max(0.0, when[0] - 0.3 * length), when[0] + 0.5 * length)
            play.deeds.append(Deed(f"{key}@{number}", "go", (key,), (), (), (), place, None, None, interval))
        if len(own) > 1:
            play.places = [entry for entry in play.places if entry[0] != key] + [(key, own[0][1], own[0][0])]


def _pass_through(play: Screenplay) -> None:
    """Who comes after having done something else only goes; who goes on and on one way comes in, then goes out."""
    for number, deed in enumerate(play.deeds):
        before = [d for d in play.deeds if set(d.agents) & set(deed.agents) and d.interval[1] <= deed.interval[0]]
        if deed.action == "enter" and any(d.action not in ("leave", "appear", "vanish") for d in before):
            play.deeds[number] = replace(deed, action="go")
    for number, deed in enumerate(play.deeds):
        if deed.action != "go" or deed.ways or deed.place or deed.direction not in ("left", "right"):
            continue
        same = {"agents": deed.agents, "direction": deed.direction, "verb": deed.verb, "action": "go"}
        for later, other in enumerate(play.deeds):
            follows = other is not deed and abs(other.interval[0] - deed.interval[1]) < 1e-3
            if follows and all(getattr(other, name) == value for name, value in same.items()) and not other.ways:
                whole = deed.interval[0] < 1e-3 and other.interval[1] > 1 - 1e-3
                if whole and not any(who in deed.agents for who, _, _ in play.places) and not other.place:
                    play.deeds[number] = replace(deed, action="enter")
                    play.deeds[later] = replace(other, action="leave")


def _face_catchers(play: Screenplay) -> None:
    """Who catches what another has thrown is thrown to; it stands at some distance, as does who is handed something."""
    for number, deed in enumerate(play.deeds):
        if deed.action in ("throw", "kick") and not deed.receivers:
            catchers = tuple(
                other.agents[0]
                for other in play.deeds
                if other.action == "catch"
                and set(other.patients) & set(deed.patients)
                and other.agents[0] not in deed.agents
                and other.interval[0] >= deed.interval[0]
            )
            deed = play.deeds[number] = replace(deed, receivers=catchers[:1])
        if deed.action not in ("throw", "give", "kick") or not deed.agents:
            continue
        bound = {bond.source for bond in play.bonds} | {who for who, _, _ in play.places}
        bound |= {agent for other in play.deeds for agent in other.agents if other.action not in (*STILL, *HANDLED)}
        for receiver in deed.receivers:
            if receiver not in bound and receiver not in deed.agents:
                relation = "beside" if deed.action == "give" else "opposite"
                play.bonds.append(Bond(receiver, relation, deed.agents[0], deed.interval))


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
        relation = means.relations.get(str(edge.label), "beside")
        if str(edge.label) in means.place_names and graph.node(edge.target).type == "scene":
            place = means.place_names[str(edge.label)]
        elif edge.target in agents:
            # "Toward each other."
            mutual = relation
        elif edge.target in play.performers or edge.target in play.regions:
            ways.append((relation, edge.target))
    action = means.verbs.get(node.label)
    direction = means.directions.get(node.direction or "")
    if action is None:
        action = (
            "go" if direction or any(relation in ("past", "across", "to", "from") for relation, _ in ways) else "stay"
        )
    action = _in_company(action, node, bool(patients), bool(ways))
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
    if action in ("scatter", "gather") or comes_around:
        return "gather" if comes_around else action
    if direction in ("apart", "together"):
        return "scatter" if direction == "apart" else "gather"
    if mutual is not None:
        is_parting = mutual == "beside" and direction == "away"
        return "scatter" if is_parting else _EACH_OTHER.get(mutual, _EACH_OTHER.get(action))
    if action in ("pass", "chase"):
        return _EACH_OTHER[action]
    return "gather" if action == "meet" and len(agents) == 1 else None


def _in_company(action: str, node: Node, has_patient: bool, has_way: bool) -> str:
    """What a verb means beside what else the graph says: who sits to the left stays, who dances to the left goes."""
    if has_patient:
        alone = {"fall": "drop", "rise": "lift", "jump": "stay"}
        action = alone.get(action, action)
        return "lower" if action == "put" and not has_way else action
    if action == "enter" and has_way:
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


def _make_room_between(play: Screenplay) -> None:
    """Things between which something is, or goes, stand apart from each other."""
    pairs: list[tuple[str, list[str]]] = []
    for deed in play.deeds:
        pairs.append((deed.agents[0], [target for relation, target in deed.ways if relation == "between"]))
    for source in play.performers:
        pairs.append((source, [b.target for b in play.bonds if b.source == source and b.relation == "between"]))
    for between, ends in pairs:
        if len(ends) == 1 and ends[0] in play.performers and play.performers[ends[0]].count > 1:
            play.performers[ends[0]].apart = between
        if len(ends) == 2 and all(end in play.performers for end in ends):
            apart = [b for b in play.bonds if {b.source, b.target} == set(ends)]
            play.bonds = [bond for bond in play.bonds if bond not in apart]
            relation = next((b.relation for b in apart if b.relation in ("left", "right")), "right")
            source, target = (apart[0].source, apart[0].target) if apart else (ends[1], ends[0])
            play.bonds.append(Bond(source, relation, target, apart=between))


def depends_on(play: Screenplay, performer: str) -> list[str]:
    """The performers whose ways must be known before this one's."""
    found: list[str] = [b.target for b in play.bonds if b.source == performer and b.relation != "wear"]
    found += [b.source for b in play.bonds if b.target == performer and b.relation == "wear"]
    for deed in play.deeds:
        found += _needed(deed, performer)
    return list(dict.fromkeys(other for other in found if other in play.performers and other != performer))


def _needed(deed: Deed, performer: str) -> Iterable[str]:
    if performer in deed.agents:
        yield from (target for _, target in deed.ways)
        if deed.action in (*LED_BY_PATIENT, "pass", "approach", "depart", "circle", "flee"):
            yield from deed.patients
        yield from deed.agents[: deed.agents.index(performer)]
    elif performer in deed.patients:
        if deed.action in (*HANDLED, "wear", "push", "pull", "meet"):
            yield from deed.agents
        if deed.action in HANDLED:
            yield from deed.receivers
            yield from (target for _, target in deed.ways)
        if deed.action in LED_BY_PATIENT:
            yield from (target for _, target in deed.ways)
