"""Captions of the embedded world: in which order a scene is told, with the scene graph that the words mean."""

from __future__ import annotations

import numpy as np

from mov_ai.captions.caption import HELD_OUT_PATTERNS, SPLITS, Caption
from mov_ai.captions.english import be
from mov_ai.captions.text import Piece, say
from mov_ai.graph.inflection import inflect
from mov_ai.graph.time import relation_end
from mov_ai.worlds.tabletop.lexicon import INVERSE_SPATIAL
from mov_ai.worlds.tabletop.scene import Scene
from mov_ai.worlds.tabletop.wording import Relation, SceneWords

#: Share of the test captions with several steps that use a held-out pattern.
_HELD_OUT_SHARE = 0.7


def describe(scene: Scene, rng: np.random.Generator, split: str) -> Caption:
    """The caption of a scene with its gold graph; node ids are "n0" (the scene), "n1", ... in the order of the text.

    `split`: "train", "validation" or "test"; only "test" uses `HELD_OUT_PATTERNS`. ValueError for another.
    """
    if split not in SPLITS:
        raise ValueError(f"split: expected one of {', '.join(SPLITS)}; found {split!r}")
    return SceneTeller(scene, rng, split).write()


class SceneTeller(SceneWords):
    """Tells one scene; `pieces` grows in the order of the text."""

    def __init__(self, scene: Scene, rng: np.random.Generator, split: str) -> None:
        super().__init__(scene, rng)
        self.split = split
        self.pieces: list[Piece] = []

    def write(self) -> Caption:
        """Compose the text, then read the graph off its pieces."""
        scene = self.scene
        acting = {action.thing for action in scene.actions}
        appearing = {action.thing for action in scene.actions if action.motion == "appear"}
        hanging = {action.thing for action in scene.actions if action.motion == "fall"}
        idle = [index for index in range(len(scene.things)) if index not in acting]
        relation = self._worded_relation()
        ends = set() if relation is None else {relation[0], relation[2]}
        opened = list(idle)
        if relation is not None and self.chance(0.55 if not idle else 0.8):
            opened = sorted({*opened, *ends})
        ready = [i for i in acting if i not in appearing and i not in hanging and i not in opened]
        if ready and self.chance(0.22 if not opened else 0.4):
            opened += ready if self.chance(0.7) else ready[:1]
        opened = [opened[int(i)] for i in self.rng.permutation(len(opened))]
        in_opening = relation is not None and ends <= set(opened)
        place, light_sentence = self.place_and_light()
        late = bool(opened) and not in_opening and bool(self.steps)
        late = late and self.chance(0.12) and set(opened) == set(idle)
        if opened and not late:
            where = place if self.chance(0.85) or not self.steps else []
            place = [] if where else place
            self.sentence(self.opening(opened, relation if in_opening else None, where))
        elif relation is not None and not in_opening and self.chance(0.3) and not appearing & ends:
            self.sentence(self.opening([relation[0], relation[2]], relation, place))
            place, in_opening = [], True
        if relation is not None and not in_opening:
            if self.mentioned:
                self.sentence(self.related(relation, be(self.plural([relation[0]]))))
            else:
                self.open_relation = relation
        if self.steps:
            self.tell(place)
        if late:
            self.sentence([*say("there is also"), *self.listed(opened)])
        if light_sentence:
            self.sentence(light_sentence)
        return self.caption(self.pieces, self.held_relations())

    def _worded_relation(self) -> Relation | None:
        """The scene's relation, from either side."""
        if not self.scene.relations:
            return None
        i, label, j = self.scene.relations[0]
        return (j, INVERSE_SPATIAL[label], i) if self.chance(0.35) else (i, label, j)

    def held_relations(self) -> list[tuple[int, str, int, tuple[float, float]]]:
        """The relation that the text says, and until when it holds."""
        if self.relation is None:
            return []
        i, label, j = self.relation
        moves = [a for a in self.scene.actions if a.thing in (i, j) and a.motion in ("left", "right", "toward", "away")]
        end = relation_end([move.interval for move in moves])
        return [(i, label, j, (0.0, end))]

    def sentence(self, pieces: list[Piece]) -> None:
        self.pieces += [*say("." if self.pieces else ""), *pieces]

    # -- what there is -------------------------------------------------------------------------------------------------

    def place_and_light(self) -> tuple[list[Piece], list[Piece]]:
        """Words for place and light that go into a sentence, and a sentence about the light."""
        setting = self.scene.setting != "floor" or self.chance(0.15)
        light = self.scene.light != "left" or self.chance(0.15)
        place = self.setting_phrase() if setting else []
        if not light:
            return place, []
        if self.chance(0.3):
            return place, self.light_sentence()
        lit = self.light_phrase()
        return [*place, *say("," if place and self.chance(0.5) else ""), *lit], []

    def opening(self, things: list[int], relation: Relation | None, place: list[Piece]) -> list[Piece]:
        """A sentence that says what there is, without an event."""
        past = self.tense == "past"
        see, scene_with = "we saw" if past else "we see", ("a scene with", "a video of")

        def rests(plural: bool) -> str:
            return inflect(self.pick(("sit", "stand", "lie", "rest")), "past" if past else "present", plural)

        if relation is not None and {relation[0], relation[2]} <= set(things):
            rest = [thing for thing in things if thing not in (relation[0], relation[2])]
            plural = self.plural([relation[0]])
            form = self.weighted({"there": 4, "is": 4, "sits": 3, "we": 1, "bare": 1, "noun": 0 if self.steps else 5})
            verb = rests(plural) if form in ("is", "sits") else ""
            start = {"there": f"there {be(plural, past)}", "we": see}.get(form, "")
            start = self.pick(scene_with) if form == "bare" else start
            sentence = [*say(start), *self.related(relation, be(plural, past) if form == "is" else verb)]
            if rest:
                sentence += [*say(self.pick(("and", ", along with", ", with"))), *self.listed(rest)]
                if sentence[-1][1] is not None and self.chance(0.3):
                    sentence += say("nearby")
            return self._with_place(sentence, place)
        if not self.steps and self.chance(0.5):
            # Nothing happens: "a red ball on a table".
            return [*self.listed(things), *place]
        plural = self.plural(things)
        form = self.weighted({"there": 5, "sit": 3 if place else 1, "are": 3 if place else 0.01, "we": 1, "bare": 1})
        one_first = self.scene.things[things[0]].count == 1 and (len(things) == 1 or self.chance(0.6))
        if form in ("there", "we", "bare"):
            start = {"there": f"there {be(not one_first, past)}", "we": see}.get(form) or self.pick(scene_with)
            return self._with_place([*say(start), *self.listed(things)], place)
        verb = rests(plural) if form == "sit" else be(plural, past)
        where = place or say(self.pick(("here", "side by side", "there")) if len(things) > 1 else "here")
        return [*self.listed(things), *say(verb), *where]

    def _with_place(self, sentence: list[Piece], place: list[Piece]) -> list[Piece]:
        # The sentence was worded first, so moving the place in front of it changes no first mention.
        if place and self.chance(0.4):
            return [*place, *say("," if self.chance(0.7) else ""), *sentence]
        return [*sentence, *place]

    # -- what happens --------------------------------------------------------------------------------------------------

    def tell(self, place: list[Piece]) -> None:
        """All events in order; the place goes with the first sentence."""
        started = bool(self.pieces)
        pieces: list[Piece] = []
        if place and self.chance(0.35):
            pieces, place = [*place, *say("," if self.chance(0.75) else "")], []
        lead = bool(pieces)
        numbered = len(self.steps) >= 2 and self.chance(0.12)
        if numbered:
            pieces += say("first", "," if self.chance(0.6) else "")
        if started and self.tense == "caption":
            self.tense = "present" if self.chance(0.6) else "progressive"
        step = 0
        if not numbered:
            reordered = self._reordered()
            pieces, step = pieces + reordered, 2 if reordered else 0
        alone = self.open_relation is None and not started and not lead and not numbered
        if step == 0 and alone and self.chance(0.12):
            presented = self._presented()
            pieces, step = pieces + presented, 1 if presented else 0
        if step == 0:
            pieces += self._step(0, self.tense)
            step = 1
        if len(self.steps) == step:
            pieces, place = [*pieces, *place], []
        self.sentence(pieces)
        while step < len(self.steps):
            step, place = self._continue(step, numbered, place), []

    def _subject(self, step: int) -> int | None:
        """The only thing that acts in a step, if there is one."""
        things = {thing for event in self.steps[step] for thing in event.subjects}
        return things.pop() if len(things) == 1 else None

    def _presented(self) -> list[Piece]:
        """ "There is a red ball rolling left", for a first step with one clause; else nothing."""
        event = self.steps[0][0]
        if len(self.steps[0]) > 1 or event.motion == "appear":
            return []
        past = self.tense == "past"
        starts = {
            "there": f"there {be(self.scene.things[event.subjects[0]].count > 1, past)}",
            "video": self.pick(("a video of", "a clip of", "an animation of", "a scene where")),
            "we": "we saw" if past else "we see",
        }
        form = self.weighted({"there": 5, "video": 3, "we": 1})
        if starts[form].endswith("where"):
            tense = "present"
        else:
            tense = "base" if form == "we" and self.chance(0.3) else "gerund"
        self.tense = self.finite_tense
        return [*say(starts[form]), *self.clause(event, tense)]

    def _step(self, step: int, tense: str, subject: bool = True) -> list[Piece]:
        """One step: a clause, or two that are said to be simultaneous."""
        events = self.steps[step]
        if len(events) == 1:
            return self.first_clause(events[0], tense) if subject else self.clause(events[0], tense, subject=False)
        a, b = (events[int(i)] for i in self.rng.permutation(2))
        aside = tense if tense != "caption" or self.chance(0.4) else "present"
        if tense == "present" and self.chance(0.12):
            aside = "progressive"
        finite, front = ("present" if each == "caption" else each for each in (tense, aside))
        tenses = {"main": tense, "aside": aside, "finite": finite, "front": front}
        if set(a.subjects) == set(b.subjects):
            # One thing that does two things at the same time; "and" alone would tell them in sequence.
            first = self.first_clause(a, tense)
            return [*first, *self.arrange(self.template("both_at_once"), a, b, tenses, introduces=False)]
        return self.arrange(self.template("at_once"), a, b, tenses)

    def _reordered(self) -> list[Piece]:
        """The first two steps in one sentence with a subordinate clause; nothing where each gets its own clause."""
        if len(self.steps) < 2 or any(len(events) > 1 for events in self.steps[:2]):
            return []
        same = self._subject(0) is not None and self._subject(0) == self._subject(1)
        if self.split == "test" and self.chance(_HELD_OUT_SHARE):
            # A gerund needs one subject for both clauses.
            pattern = self.pick(HELD_OUT_PATTERNS) if same else HELD_OUT_PATTERNS[1]
        elif self.chance(0.4):
            pattern = self.pattern_among("pairs")
        else:
            return []
        tense = self.finite_tense
        aside = "present" if tense == "future" else tense
        done = "perfect" if aside != "past" and self.chance(0.6) else aside
        tenses = {"main": tense, "aside": aside, "done": done}
        return self.pair(pattern, self.steps[0][0], self.steps[1][0], tenses, same)

    def _continue(self, step: int, numbered: bool, place: list[Piece]) -> int:
        """Add a step (and perhaps the next one) to the text; returns the step to go on with."""
        tense, last = self.tense, step == len(self.steps) - 1
        event, before = self.steps[step][0], self.steps[step - 1][0]
        subject = self._subject(step)
        single = all(len(events) == 1 for events in self.steps[step - 1 : step + 1]) and self.pattern == "plain"
        same = subject is not None and self.salient == [subject] and subject == self._subject(step - 1)
        if not place and same and single and self._last_two(step) and self.chance(0.35):
            # "rolls left, jumps and turns blue".
            final = self.steps[step + 1][0]
            self.pieces += self.arrange(self.template("run", "run"), event, final, {"main": tense})
            return step + 2
        unfit = () if single and same else ("and",) if single else ("before", "until", "and")
        form = self.pattern_among("joined", without=unfit)
        # A place that is still to be said ends the first sentence, before anything is joined to it.
        self.pieces += place
        if form == "sentence":
            self._next_sentence(step, numbered, last)
            return step + 1
        comma = self.comma_before_then and self.chance(0.9)
        elide = same and self.chance(0.7)
        if form == "then":
            self.pieces += self._then(step, tense, comma, elide, numbered and last)
            return step + 1
        aside = "present" if tense in ("future", "caption") or (form, tense) == ("until", "progressive") else tense
        tenses = {"main": tense, "aside": aside}
        self.pieces += self.arrange(self.template("joined", form), before, event, tenses, same, introduces=False)
        if form == "until":
            self.meets.add((id(before), id(event)))
        if form != "and":
            self.pattern = f"{form}_last"
        return step + 1

    def _last_two(self, step: int) -> bool:
        """Whether two steps are left, of one clause each, with one and the same subject."""
        remaining = self.steps[step:]
        subjects = {self._subject(number) for number in range(step, len(self.steps))}
        return len(remaining) == 2 and len(subjects) == 1 and all(len(events) == 1 for events in remaining)

    def _then(self, step: int, tense: str, comma: bool, elide: bool, final: bool) -> list[Piece]:
        words = ["then", "then", "then", "and then", "and then", "and after that", "and afterwards", "then"]
        words += ["and next"] if not elide else ["and finally"] if final else []
        word = "and finally" if final and self.chance(0.5) else self.pick(words)
        mark = "," if comma else ""
        if not elide and self.chance(0.07):
            return [*say(",", "after which"), *self._step(step, self.finite_tense)]
        if not elide and self.chance(0.05):
            mark, word = ";", "then"
        return [*say(mark, word), *self._step(step, tense, subject=not elide)]

    def _next_sentence(self, step: int, numbered: bool, last: bool) -> None:
        tense, events = self.finite_tense, self.steps[step]
        words = ["then", "then", "after that", "afterwards", "next", "then", "subsequently", "later"]
        if last and len(self.steps) > 2:
            words += ["finally", "finally"]
        if numbered and last:
            words = ["finally", "finally", "lastly", "then"]
        form = self.weighted({"word": 7, "inside": 3 if len(events) == 1 else 0, "bare": 1.5 if not numbered else 0})
        if form == "inside":
            # "It then turns blue": the word stands between subject and verb.
            subjects = self.listed(events[0].subjects)
            word = self.pick(("then", "then", "finally" if last else "then"))
            self.sentence([*subjects, *say(word), *self.verb_phrase(events[0], tense)])
            self.salient = list(events[0].subjects)
        elif form == "bare":
            self.sentence(self._step(step, tense))
        else:
            comma = self.chance(0.7)
            self.sentence([*say(self.pick(words), "," if comma else ""), *self._step(step, tense)])
