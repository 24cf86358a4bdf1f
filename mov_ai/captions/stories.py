"""Captions of the real world that tell what happens when, with the graphs that they mean."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mov_ai.captions.caption import HELD_OUT_PATTERNS, SPLITS, Caption, Mention
from mov_ai.captions.english import be
from mov_ai.captions.plot import Event
from mov_ai.captions.story_plot import WORDS, StoryPlot
from mov_ai.captions.story_wording import StoryWording
from mov_ai.captions.text import Piece, about, say
from mov_ai.graph import SceneGraph
from mov_ai.graph.time import FULL


class TemporalCaptions:
    """Captions of people, animals, vehicles and things, told in every order that English has for events.

    Args:
        split: "train", "validation" or "test"; they share no captions.
        every_pattern: also use the clause orders that the embedded world keeps for its test captions
            (`HELD_OUT_PATTERNS`); with False, a parser trained on both has not seen them anywhere.
    """

    def __init__(self, split: str = "train", every_pattern: bool = False) -> None:
        if split not in SPLITS:
            raise ValueError(f"split: expected one of {', '.join(SPLITS)}; found {split!r}")
        self.split, self.every_pattern = split, every_pattern

    def caption(self, index: int) -> tuple[str, SceneGraph, tuple[Mention, ...]]:
        """Caption `index`, always the same."""
        rng = np.random.Generator(np.random.PCG64([7 + SPLITS.index(self.split), index]))
        caption = _StoryTeller(StoryPlot(rng).write(), rng, self.every_pattern).write()
        return caption.text, caption.graph, caption.mentions


class _StoryTeller(StoryWording):
    """Tells one plot."""

    def __init__(self, plot: StoryPlot, rng: np.random.Generator, every_pattern: bool) -> None:
        super().__init__(plot.actors, rng)
        self.steps, self.lasting, self.every_pattern = plot.steps, plot.lasting, every_pattern

    def write(self) -> Caption:
        """Compose the text, then read the graph off its pieces."""
        pieces = self._fragment() if self._can_be_a_fragment() and self.chance(0.3) else self._sentences()
        spots = [(index, self.actors[index].spot) for index in self.spotted]
        return self.caption(pieces, [(index, spot[0], spot[1], FULL) for index, spot in spots if spot])

    # -- steps ---------------------------------------------------------------------------------------------------------

    def _step(self, step: int, subject: bool = True) -> list[Piece]:
        """One step: a clause, or two that are said to be simultaneous."""
        tense, events = self.tense, self.steps[step]
        if len(events) == 1:
            return self.clause(events[0], tense, subject)
        a, b = events
        finite = "present" if tense == "future" else tense
        aside = "progressive" if tense == "present" and self.chance(0.2) else finite
        tenses = {"main": tense, "aside": aside, "finite": finite}
        if a.subjects != b.subjects or a.passive or b.passive:
            family = "at_once"
        elif b.negated or self.chance(0.3):
            return self._without(a, b)
        else:
            family = "both_at_once"
        return self.arrange(self.template(family), a, b, tenses)

    def _without(self, a: Event, b: Event) -> list[Piece]:
        """One who does the first without the second; "without" is the negation, so the verb has none."""
        negation, b.negated, b.manner, b.times = b.negated or "not", "", None, None
        word = self.pick(("without", "without", ", never"))
        pieces = [*self.clause(a, self.tense), *say(word), *self.verb_phrase(b, "gerund")]
        b.negated = negation
        return pieces

    def _reordered(self, step: int) -> list[Piece]:
        """Two steps in one sentence with a subordinate clause: "After A, B" and its kin."""
        a, b = self.steps[step][0], self.steps[step + 1][0]
        same = a.subjects == b.subjects
        # "After running, ..." needs one subject for both steps; "until" and "once" need events that do happen.
        unfit = [] if self.every_pattern else list(HELD_OUT_PATTERNS)
        unfit += [] if same else [name for name in self.patterns["pairs"] if "gerund" in name]
        unfit += ["until_first", "until_last"] if b.negated else []
        unfit += ["once_first", "once_last", "soon_first", "soon_last"] if a.negated else []
        pattern = self.pattern_among("pairs", without=unfit)
        aside = "present" if self.tense in ("future", "progressive") else self.tense
        done = "perfect" if aside == "present" and self.chance(0.35) else aside
        return self.pair(pattern, a, b, {"main": self.tense, "aside": aside, "done": done}, same)

    def _single(self, *steps: int) -> bool:
        return all(step < len(self.steps) and len(self.steps[step]) == 1 for step in steps)

    def _continues(self, step: int) -> bool:
        """Whether a step has the subject of the one before, so that it need not be said again."""
        if not self._single(step - 1, step):
            return False
        before, now = self.steps[step - 1][0], self.steps[step][0]
        return before.subjects == now.subjects == self.salient and bool(now.subjects)

    def _continues_to_end(self, step: int) -> bool:
        subjects = self.steps[step][0].subjects
        return all(len(events) == 1 and events[0].subjects == subjects for events in self.steps[step:])

    # -- the whole text ------------------------------------------------------------------------------------------------

    def _sentences(self) -> list[Piece]:
        count = len(self.steps)
        numbered = count >= 2 and self.chance(0.14) and self.lasting is None
        #: How many clauses the current sentence has been given so far.
        step, joined, pieces = 0, 0, list[Piece]()
        if self.lasting is not None:
            step, joined, pieces = 2, 3, self._throughout(self.lasting)
        while step < count:
            last = step == count - 1
            if not numbered and not last and self._single(*range(step, count)) and self.chance(0.09):
                return [*pieces, *self._listed(step)]
            if not numbered and self._single(step, step + 1) and self.chance(0.42):
                pieces += [*self._lead(step, numbered, last), *self._reordered(step)]
                step, joined = step + 2, 3
                continue
            run = step > 0 and joined < 2 and not numbered and self._continues(step) and self._continues_to_end(step)
            if run and count - step == 2 and self.chance(0.35):
                # "runs, jumps and falls".
                a, b = self.steps[step][0], self.steps[step + 1][0]
                return [*pieces, *self.arrange(self.template("run", "run"), a, b, {"main": self.tense})]
            if step and joined < 2 and self.chance(0.55):
                pieces += self._joined(step, numbered, last)
                joined += 1
            else:
                pieces += self._started(step, numbered, last)
                joined = 0
            step += 1
        return pieces

    def _can_be_a_fragment(self) -> bool:
        """Whether one subject does all there is, in two steps at most."""
        fits = len(self.steps) < 3 and self._single(*range(len(self.steps))) and self.lasting is None
        return fits and bool(self.steps[0][0].subjects) and self._continues_to_end(0)

    def _fragment(self) -> list[Piece]:
        """A caption without a finite verb: "a video of a dog chasing a cat and then barking"."""
        first, *later = (events[0] for events in self.steps)
        first.aside = None
        pieces = say(self.pick(WORDS.openings) if self.chance(0.35) else "") + self.clause(first, "gerund")
        for event in later:
            pieces += say(self.pick(("and then", ", then", "and", "before", "and finally")))
            pieces += self.verb_phrase(event, "gerund")
        return pieces

    def _listed(self, step: int) -> list[Piece]:
        """All that is left in one sentence, one clause after another: "a seed falls, it rains, and a shoot appears"."""
        first, *more, final = (events[0] for events in self.steps[step:])
        # Two clauses joined by "and" alone could be simultaneous, so they get a semicolon.
        mark = ";" if not more or self.chance(0.3) else ","
        pieces = [*self._lead(step, False, False), *self.clause(first, self.tense)]
        for event in more:
            pieces += [*say(mark), *self.clause(event, self.tense)]
        word = self.pick(("and", "and", "and finally")) if self.chance(0.85 if mark == "," else 0.3) else ""
        return [*pieces, *say(mark, word), *self.clause(final, self.tense)]

    def _throughout(self, lasting: Event) -> list[Piece]:
        """ "While the crowd cheers, a man throws a ball and then a boy catches it": what lasts through two steps."""
        word = self.pick(("while", "while", "as"))
        aside = self.weighted({self.tense: 3, "progressive": 1})
        pieces = self.clause(lasting, "present" if aside == "future" else aside)
        front = self.chance(0.6)
        pieces = [*say(word), *pieces, *say(",")] if front else [*pieces, *say(word)]
        pieces += self.clause(self.steps[0][0], self.tense)
        elide = self._continues(1) and self.chance(0.75)
        joints = ("and then", "and then", ", then", ", and then", "and afterwards", ", and after that")
        return [*pieces, *say(self.pick(joints)), *self.clause(self.steps[1][0], self.tense, subject=not elide)]

    # -- from one sentence to the next ---------------------------------------------------------------------------------

    def _lead(self, step: int, numbered: bool, last: bool) -> list[Piece]:
        """What a sentence starts with: nothing for the first, mostly a word of sequence for later ones."""
        if step == 0:
            firsts = ("first", "first", "at first", "first of all", "to begin with")
            return say(self.pick(firsts), "," if self.chance(0.6) else "") if numbered else []
        lasts = ["finally", "finally", "lastly", "in the end", "at last"] if last and step > 1 else []
        if numbered:
            words = lasts or ["then", "next", "next", "after that", "second"]
        else:
            words = ["then", "then", "after that", "afterwards", "next", "later", "a moment later"]
            words += ["a few seconds later", "after a while", "suddenly", *lasts]
        word = self.pick(words)
        if word == "suddenly" or (not numbered and self.chance(0.25)):
            return say(".")
        return say(".", word, "," if self.chance(0.65) else "")

    def _started(self, step: int, numbered: bool, last: bool) -> list[Piece]:
        """A step in a sentence of its own."""
        event, single = self.steps[step][0], self._single(step)
        word = ""
        if step and single and not numbered and self.chance(0.25):
            # "It then turns blue": the word stands between subject and verb.
            word = "finally" if last and step > 1 and self.chance(0.4) else self.pick(("then", "then", "later"))
        elif step == 0 and single and numbered and self.chance(0.3):
            word = "first"
        if word:
            subjects = self.subject_phrase(event)
            self.salient = list(event.subjects)
            return [*say("." if step else ""), *subjects, *say(word), *self.verb_phrase(event, self.tense)]
        if step == 0 and not numbered and single and self._says_value_before(event) and self.chance(0.5):
            return self._before_change(event)
        return [*self._lead(step, numbered, last), *self._step(step)]

    def _says_value_before(self, event: Event) -> bool:
        """Whether a sentence before the change may say what its subject was like until then."""
        if not event.changes or event.change_wording == "from" or event.patients or len(event.agents) > 1:
            return False
        actor, kind, position = event.changes[0]
        return position == 1 and self.actors[actor].values[kind][0] is not None

    def _before_change(self, event: Event) -> list[Piece]:
        """ "The lamp is red at first, but then it turns blue"."""
        index, kind, _ = event.changes[0]
        actor = self.actors[index]
        old = str(actor.values[kind][0])
        actor.looks = [look for look in actor.looks if look[0] != kind]
        past = self.tense == "past" or self.chance(0.2)
        joint = self.pick(
            ("at first, then", ", then", ", but then", ", but", "at first, but", "at first. Then", ", and then")
        )
        start = self.subject_phrase(event)
        self.salient = list(event.subjects)
        elide = not joint.endswith(("Then", "but")) and self.chance(0.6)
        state = [*say(be(actor.count > 1, past)), *about(old, "attribute", index, kind, 0), *say(joint)]
        return [*start, *state, *self.clause(event, self.tense, subject=not elide)]

    def _joined(self, step: int, numbered: bool, last: bool) -> list[Piece]:
        """A step that goes on with the sentence."""
        elide = self._continues(step) and self.chance(0.75)
        words: Sequence[str]
        if numbered:
            words = [", then", ", next", ", after that", *([] if elide else ["; then", "; next"])]
        else:
            words = [", then", ", then", "and then", ", and then", "and after that", "then"]
            words += ["and", "and"] if elide else ["; then", "; next", ", after which"]
        if last and (step > 1 or numbered):
            words = [*words, *["and finally", ", and finally", "and lastly"] * (3 if numbered else 1)]
        return [*say(self.pick(words)), *self._step(step, subject=not elide)]
