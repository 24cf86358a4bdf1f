"""What events and places of a screenplay say beside each other, that none of them says alone."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

from mov_ai.worlds.stage.screenplay import EACH_OTHER, HANDLED, STILL, Bond, Deed, Screenplay


def amend(play: Screenplay) -> None:
    """Read events again beside each other: what only two of them, or two places, say together."""
    _lean_on_the_bound(play)
    _merge_mutual(play)
    _move_between_places(play)
    _pass_through(play)
    _face_catchers(play)
    _make_room_between(play)


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
            action = EACH_OTHER.get(first.action)
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
