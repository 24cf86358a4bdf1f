"""The gallery's sentences, and what of them training never showed."""

from __future__ import annotations

from dataclasses import dataclass

#: Every video has this seed: none was chosen among several.
SEED = 0


@dataclass(frozen=True)
class Sentence:
    """One sentence.

    Attributes:
        text: what the video is to show.
        shows: what it is an example of.
    """

    text: str
    shows: str


SENTENCES = (
    Sentence("A large green cube pushes a small orange ball to the right.", "one thing moves another"),
    Sentence("A small cyan ball falls onto a large red cylinder.", "one thing comes to lie on another"),
    Sentence("A small orange ball passes behind a large green cube from left to right.", "what is hidden, and when"),
    Sentence("Two purple cubes slide to the left while a yellow cylinder spins.", "a count, and things at one time"),
    Sentence("Three pink cylinders rise while a red cone shrinks.", "a larger count, and size over time"),
    Sentence("A red cone stands still, then turns blue.", "an attribute that changes"),
    Sentence(
        "First a blue cone jumps, then an orange ball rolls to the right, and finally a green cube disappears.",
        "the order of three events",
    ),
    Sentence("A crimson orb ascends, then a navy block dwindles.", "words that training never said"),
)
