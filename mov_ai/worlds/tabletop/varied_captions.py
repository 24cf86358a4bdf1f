"""Captions of varied scenes: meetings of two things, what the camera does, and how the light changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mov_ai.captions.caption import Caption
from mov_ai.captions.english import be
from mov_ai.captions.lexicon import MeetingBlock
from mov_ai.captions.plot import Event
from mov_ai.captions.text import Piece, about, say
from mov_ai.graph import Interval, SceneGraph
from mov_ai.graph.inflection import inflect
from mov_ai.graph.schema import CameraMove
from mov_ai.graph.time import FULL
from mov_ai.worlds.tabletop.grammar import SceneTeller, describe
from mov_ai.worlds.tabletop.scene import Action, Scene
from mov_ai.worlds.tabletop.variation import Meeting, VariedScene
from mov_ai.worlds.tabletop.wording import WORDS, Motion, Relation

#: Starts of a sentence on the camera, by when it moves.
_WHEN: dict[Interval, tuple[str, ...]] = {
    FULL: ("", "", "meanwhile ,", "all the while ,", "throughout ,"),
    (0.0, 0.5): ("at first ,", "in the first half ,", "in the beginning ,", "to begin with ,"),
    (0.5, 1.0): ("then", "in the second half ,", "towards the end ,", "halfway through ,"),
}


def describe_varied(scene: Scene, rng: np.random.Generator, split: str) -> Caption:
    """`grammar.describe` of scenes that may be varied: what is more in them is said as well."""
    if not isinstance(scene, VariedScene) or (scene.meeting is None and scene.still):
        return describe(scene, rng, split)
    return _VariedTeller(scene, rng, split).write()


class _VariedTeller(SceneTeller):
    """Tells a scene with a meeting, a moving camera or a changing light."""

    scene: VariedScene

    def __init__(self, scene: VariedScene, rng: np.random.Generator, split: str) -> None:
        #: Relations that the words say, beside the scene's own.
        self.said: list[tuple[int, str, int, Interval]] = []
        self.block: MeetingBlock | None = None
        self.view_first = False
        super().__init__(scene, rng, split)

    def group(self, scene_actions: Sequence[Action]) -> list[list[Motion]]:
        """The meeting is one step."""
        meeting = self.scene.meeting
        if meeting is None:
            return super().group(scene_actions)
        steps = super().group(scene_actions[meeting.actions :])
        event = self._event(meeting)
        return sorted([*steps, [event]], key=lambda step: step[0].interval)

    def _event(self, meeting: Meeting) -> Motion:
        """The meeting with who its subject is: what is left out of later clauses depends on it."""
        rides = meeting.kind == "carry" and self.chance(0.15)
        blocks = WORDS.meetings["ride" if rides else meeting.kind]
        self.block = block = blocks[int(self.weighted({str(i): b.weight for i, b in enumerate(blocks)}))]
        event = Motion([meeting.patient if rides else meeting.agent], interval=meeting.interval, motion=meeting.kind)
        if block.passive:
            event.patients, event.passive = [meeting.patient], True
        return event

    def write(self) -> Caption:
        """The scene's story, then camera and light."""
        if self.scene.meeting is None:
            self.view_first = self.chance(0.25)
            if self.view_first:
                self._tell_camera()
            caption = super().write()
        else:
            caption = self._write_meeting()
        return replace(caption, graph=self._completed(caption.graph))

    def held_relations(self) -> list[tuple[int, str, int, Interval]]:
        """Those of the scene and those of the meeting; camera and light are told last, when all else has been."""
        if self.scene.meeting is not None or not self.view_first:
            self._tell_camera()
        self._tell_light()
        return [*super().held_relations(), *self.said]

    # -- meetings --------------------------------------------------------------------------------------------------

    def _write_meeting(self) -> Caption:
        meeting = self.scene.meeting
        assert meeting is not None
        place, light_sentence = self.place_and_light()
        busy = {meeting.agent, meeting.patient, *(thing for step in self.steps for e in step for thing in e.subjects)}
        opened = [thing for thing in range(len(self.scene.things)) if thing not in busy]
        relation: Relation | None = None
        if meeting.kind == "carry" and self.chance(0.4):
            # First how they lie, then that they go.
            relation = (meeting.patient, "on", meeting.agent)
            opened = [meeting.patient, meeting.agent, *opened]
            self._lie_first()
        elif meeting.kind == "fall onto":
            opened = [*([meeting.patient] if self.chance(0.25) else []), *opened]
        elif meeting.kind != "carry" and self.chance(0.25):
            opened = [meeting.agent, meeting.patient, *opened]
        if relation is None:
            opened = [opened[int(i)] for i in self.rng.permutation(len(opened))]
        if opened:
            self.sentence(self.opening(opened, relation, place))
            place = []
        self.tell(place)
        if light_sentence:
            self.sentence(light_sentence)
        return self.caption(self.pieces, self.held_relations())

    def _lie_first(self) -> None:
        """The event of things that have been said to lie on one another: the lower one goes, or both do."""
        meeting = self.scene.meeting
        assert meeting is not None
        assert meeting.way is not None
        things = [meeting.agent, meeting.patient] if self.chance(0.45) else [meeting.agent]
        for step in self.steps:
            if step[0].motion == meeting.kind:
                step[0] = Motion(things, interval=meeting.interval, motion=meeting.way)
        self.said.append((meeting.patient, "on", meeting.agent, FULL))

    def related(self, relation: Relation, link: str) -> list[Piece]:
        """ "A (link) on top of B", which `held_relations` knows of."""
        if relation[1] != "on":
            return super().related(relation, link)
        first = self.noun_phrase(relation[0])
        return [*first, *say(link, self.pick(WORDS.on_top)), *self.noun_phrase(relation[2], "object")]

    def choose_words(self, event: Event) -> None:
        """Choose the verb of a meeting, and with it who is the subject."""
        assert isinstance(event, Motion)
        meeting = self.scene.meeting
        if meeting is None or event.motion != meeting.kind:
            return super().choose_words(event)
        block = self.block
        assert block is not None
        way = meeting.way or ""
        words = {"side": way, "other": "left" if way == "right" else "right", "where": meeting.side or ""}
        event.lemma, event.particle = self.pick(block.verbs), self.pick(block.tails).format(**words)
        event.direction = block.direction and block.direction.format(**words)
        other = meeting.agent if event.subjects == [meeting.patient] else meeting.patient
        if block.role == "location":
            first_words = event.particle.split(" B")[0].removeprefix("down ").removeprefix("right ")
            event.place = (first_words.removeprefix("high "), other)
        elif block.role == "patient" and not block.passive:
            event.patients = [other]
        if block.relation == "B on it":
            self.said.append((other, "on", event.subjects[0], FULL))
        elif block.relation is not None:
            # What falls onto a thing lies on it from then on.
            when = (meeting.contact, 1.0) if meeting.kind == "fall onto" else FULL
            self.said.append((event.subjects[0], block.relation.format(**words), other, when))
        manner = self.pick(WORDS.gradual_manners)
        event.manner = manner if self.chance(0.07) else None
        event.manner_first = True

    def complements(self, event: Event) -> list[Piece]:
        """What follows the verb, the other thing among it."""
        meeting = self.scene.meeting
        assert isinstance(event, Motion)
        if meeting is None or event.motion != meeting.kind:
            return super().complements(event)
        subject = event.subjects[0]
        other = meeting.agent if subject == meeting.patient else meeting.patient
        pieces: list[Piece] = []
        words: list[str] = []
        own_is_last = False
        for word in event.particle.split():
            if word == "B":
                pieces += [*say(" ".join(words)), *self.noun_phrase(other, "object")]
                words, own_is_last = [], meeting.kind == "fall onto"
            elif word in ("it", "its"):
                # After "falls onto the cube and rests on top of", it is the cube.
                pieces += [*say(" ".join(words)), *about(word, "entity", other if own_is_last else subject)]
                words = []
            elif word in ("stays", "comes", "rests") and own_is_last:
                words.append(inflect(word.removesuffix("s"), self._second_form(), False))
            else:
                words.append(word)
        return [*pieces, *say(" ".join(words))]

    def _second_form(self) -> str:
        """The form of a second verb after "and", as of the first."""
        return self.form

    def auxiliaries(self, event: Event, tense: str) -> tuple[tuple[str, ...], str]:
        """Remembers the verb's form for a second verb."""
        before, self.form = super().auxiliaries(event, tense)
        return before, self.form

    # -- camera and light ------------------------------------------------------------------------------------------

    def place_and_light(self) -> tuple[list[Piece], list[Piece]]:
        """A light that changes gets a sentence of its own, the last one."""
        place, light_sentence = super().place_and_light()
        if self.scene.light_change is None:
            return place, light_sentence
        setting = self.scene.setting != "floor" or self.chance(0.15)
        return self.setting_phrase() if setting else [], []

    def _tell_camera(self) -> None:
        path = self.scene.path
        if path is None:
            return
        start = self.pick(_WHEN[path.interval])
        mark = start.endswith(" ,")
        words = self.pick(WORDS.camera[path.label])
        self.sentence([*say(start.removesuffix(" ,"), "," if mark else ""), *say("the camera", self._in_tense(words))])

    def _tell_light(self) -> None:
        change = self.scene.light_change
        if change is None:
            return
        # The words are the value of the scene's light, so they stay in one form.
        words = self.pick(WORDS.light_changes[change])
        start = self.pick(("the light", "the light", "the lamp", "meanwhile the light", "the lighting"))
        self.sentence([*say(start), *about(words, "light")])

    def _in_tense(self, words: str) -> str:
        verb, _, rest = words.partition(" ")
        lemma = verb.removesuffix("s")
        if self.tense == "past":
            return f"{inflect(lemma, 'past', False)} {rest}".strip()
        if self.tense == "progressive":
            return f"{be(False)} {inflect(lemma, 'gerund', False)} {rest}".strip()
        return words

    def _completed(self, graph: SceneGraph) -> SceneGraph:
        """With the camera's move, and with the preposition of a place."""
        path = self.scene.path
        nodes = graph.nodes
        if path is not None:
            camera = (CameraMove(path.label, path.interval),)
            nodes = [replace(node, camera=camera) if node.type == "scene" else node for node in nodes]
        label = next((event.place[0] for event in self.events if event.place), None)
        edges = [replace(edge, label=label) if edge.type == "location" else edge for edge in graph.edges]
        return SceneGraph(graph.caption, nodes, edges)
