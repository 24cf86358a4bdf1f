"""Whether a layout shows facts: yes, no, or cannot tell. Shares no code with planners or their verifiers.

Rules
-----
- **A fact of several instances** ("three dogs chase a cat") holds if it holds for each of them; of a group predicate,
  for all together.
- **Who is missing shows nothing**: a fact of an actor without boxes is wrong, but for `absent`. A place that stands in
  the graph as the scene's setting has no boxes by right: its facts cannot be told.
- **Static facts** must hold in four fifths of the frames of their time in which all actors are seen, and these must be
  half of that time's frames. Inner ends of a time are trimmed by a twelfth of the video, at most a quarter of the
  time, for nothing changes from one frame to the next.
- **Ways** are looked at from the first of these frames to the last.
- **`@start`, `@end`**: the first and last 15 % of the frames in which all actors are seen. `@once`: in any frame.
- **`A then B`**: there is a moment before which A holds and B does not, and after which B holds and A does not.
  **`A while B`**: both hold, and neither is over before the other begins.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from mov_ai.errors import UsageError
from mov_ai.graph import Layout
from mov_ai.graph.time import FULL, frame_times
from studies.layout.boxes import View
from studies.layout.cast import Cast
from studies.layout.facts import SEQUENCES, Fact
from studies.layout.predicates import EVERYTHING, GROUP, PREDICATES, Answer, Predicate, distinct

#: Share of the frames in which a static fact must hold, and share of its time in which its actors must be seen.
HOLDS, SEEN_TIME = 0.8, 0.5
#: Trimmed off the inner ends of a time; the first and last part of a way.
TRIM, ENDS = 1 / 12, 0.15
#: Frames that ways are looked at in, at least: layouts of fewer are interpolated.
FEWEST = 12


class Judge:
    """Answers about one layout.

    Args:
        layout: complete, or with boxes that are not given, which are not seen.
        cast: who plays whom.
    """

    def __init__(self, layout: Layout, cast: Cast) -> None:
        layout = layout if layout.frames >= FEWEST else layout.resampled(FEWEST)
        self.cast = cast
        self.times = frame_times(layout.frames)
        self.views = {(t.entity, t.instance): View(t.boxes.astype(float), self.times) for t in layout.tracks}

    def answers(self, facts: Sequence[Fact]) -> list[Answer]:
        """Yes, no or cannot tell (None) for each. Raises UsageError for a fact that has no meaning."""
        return [self.answer(fact) for fact in facts]

    def answer(self, fact: Fact) -> Answer:
        """Yes, no or cannot tell (None). Raises UsageError for a fact that has no meaning."""
        check_fact(fact, self.cast)
        return self._in(fact, np.ones(len(self.times), dtype=bool))

    def _in(self, fact: Fact, frames: np.ndarray) -> Answer:
        """The answer in some of the frames only, a mask; times of the fact are of the whole video."""
        if fact.name == "then":
            return self._then(fact, frames)
        if fact.name == "while":
            return self._while(fact, frames)
        answer = self._plain(fact, frames)
        return answer if answer is None or not fact.denied or self._nobody(fact) else not answer

    def _nobody(self, fact: Fact) -> bool:
        return any(not self.cast.actors[name] for name in self._actor_names(fact))

    def _plain(self, fact: Fact, frames: np.ndarray) -> Answer:
        if fact.name == "looks":
            name, look = fact.args
            return bool(self.cast.actors[name]) and look in self.cast.looks[name]
        names = self._actor_names(fact)
        if any(not self.cast.actors[name] and name in self.cast.settings for name in names):
            return None
        if self._nobody(fact):
            return fact.name == "absent"
        window = frames & self._window(fact)
        if fact.name == "count":
            return self._count(fact.args[0], int(fact.args[1]), window)
        predicate = PREDICATES[fact.name]
        words = fact.args[len(names) :]
        if predicate.actors == EVERYTHING:
            seen = [view.at(window & view.seen) for view in self.views.values() if (window & view.seen).any()]
            return predicate.test(*words, *seen)  # type: ignore[no-any-return]
        parts = [self.cast.actors[name] for name in names]
        if predicate.actors == GROUP:
            instances = [tuple(itertools.chain(*parts))]
        else:
            # "Between two trees": a name that stands twice means two of them.
            instances = [ones for ones in itertools.product(*parts) if len(set(ones)) == len(ones)]
        answers = [
            self._holds(predicate, [self.views[i] for i in ones], words, window, fact.when) for ones in instances
        ]
        return bool(answers) and (any if len(set(names)) < len(names) else all)(answers)

    def _actor_names(self, fact: Fact) -> tuple[str, ...]:
        if fact.name in ("looks", "count", *SEQUENCES):
            return fact.args[:1] if fact.name == "looks" else ()
        actors = PREDICATES[fact.name].actors
        return fact.args if actors == GROUP else fact.args[: max(0, actors)]

    def _window(self, fact: Fact) -> np.ndarray:
        """The frames of a fact's time."""
        if isinstance(fact.when, str):
            return np.ones(len(self.times), dtype=bool)
        start, end = fact.when
        is_static = fact.name == "count" or PREDICATES[fact.name].scope == "static"
        trim = min(TRIM, (end - start) / 4) if is_static else 0.0
        start, end = start + trim * (start > 0), end - trim * (end < 1)
        window = (self.times >= start) & (self.times <= end)
        if not window.any():
            window[np.abs(self.times - (start + end) / 2).argmin()] = True
        return window

    def _holds(
        self, predicate: Predicate, views: Sequence[View], words: Sequence[str], window: np.ndarray, when: object
    ) -> bool:
        """One predicate of certain instances, in the frames of a mask."""
        if predicate.scope == "raw":
            return bool(predicate.test(*(view.at(window) for view in views), *words))
        about_presence = predicate.name in ("present", "absent")
        frames = window if about_presence else window & np.logical_and.reduce([view.seen for view in views])
        count = int(frames.sum())
        # Where no time is told, it is the time in which they are there.
        needed = 2 if when == FULL or isinstance(when, str) else SEEN_TIME * window.sum()
        if count < min(max(1, needed), window.sum()):
            return False
        if when in ("start", "end"):
            chosen = np.flatnonzero(frames)
            few = max(1, round(ENDS * count))
            frames = chosen[:few] if when == "start" else chosen[-few:]
        result = predicate.test(*(view.at(frames) for view in views), *words)
        if predicate.scope == "whole":
            return bool(result)
        return bool(result.any()) if when == "once" else bool(result.mean() >= HOLDS)

    def _count(self, word: str, number: int, window: np.ndarray) -> bool:
        """Whether so many of a name are seen at one time, each in its own place."""
        views = [self.views[one] for one in self.cast.labelled.get(word, ())]
        seen = [view for view in views if view.seen[window].any()]
        there = np.sum([view.seen[window] for view in views], 0) if views else np.zeros(int(window.sum()))
        return bool((there == number).mean() >= HOLDS) and distinct([view.at(window) for view in seen])

    def _then(self, fact: Fact, frames: np.ndarray) -> Answer:
        first, second = fact.parts
        told = False
        for cut in np.flatnonzero(frames)[2:-1]:
            before, after = frames & (self.times < self.times[cut]), frames & (self.times >= self.times[cut])
            answers = self._in(first, before), self._in(second, after)
            told |= None not in answers
            if all(answers) and not (self._in(first, after) or self._in(second, before)):
                return True
        return False if told else None

    def _while(self, fact: Fact, frames: np.ndarray) -> Answer:
        answers = [self._in(part, frames) for part in fact.parts]
        if None in answers or not all(answers):
            return None if None in answers else False
        orders = fact.parts, fact.parts[::-1]
        return not any(self._then(Fact("then", parts=parts), frames) for parts in orders)


def check_fact(fact: Fact, cast: Cast) -> None:
    """Raises UsageError for an unknown predicate or actor, or a wrong number of arguments."""
    if fact.name in SEQUENCES:
        for part in fact.parts:
            check_fact(part, cast)
        return
    if fact.name == "count":
        if len(fact.args) != 2 or not fact.args[1].isdecimal():
            raise UsageError(f"{fact}: expected a name and a number")
        return
    if fact.name == "looks":
        actors, least, most = 1, 1, 1
    elif fact.name in PREDICATES:
        predicate = PREDICATES[fact.name]
        actors, least, most = predicate.actors, predicate.least, predicate.most
    else:
        raise UsageError(f"{fact}: expected one of {', '.join(('count', 'looks', *PREDICATES))}; found {fact.name!r}")
    names = fact.args if actors == GROUP else fact.args[: max(0, actors)]
    unknown = [name for name in names if name not in cast.actors]
    if unknown:
        raise UsageError(f"{fact}: expected actors of {', '.join(cast.actors) or 'nobody'}; found {unknown[0]!r}")
    words = len(fact.args) - len(names)
    if (not names if actors == GROUP else len(names) < actors) or not least <= words <= most:
        raise UsageError(f"{fact}: {fact.name} expected other arguments; found {len(fact.args)}")
