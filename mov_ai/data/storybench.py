"""StoryBench's stories: sentences in order, each with the number of frames that it lasts (annotations CC BY 4.0).

Source: github.com/google/storybench; files `{oops,uvo,didemo}-valid_story_gen.json`, a list of objects with `texts`,
`exact_frames_per_prompt` (8 frames a second), `npz_video` and `comment`, which is the story's own name.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mov_ai.errors import UsageError
from mov_ai.graph import Interval
from mov_ai.graph.files import read_json

FILES = tuple(f"{name}-valid_story_gen.json" for name in ("oops", "uvo", "didemo"))
SPLITS = ("train", "held_out")
_ENDS = (".", "!", "?")


@dataclass(frozen=True)
class Story:
    """One story of a video.

    Attributes:
        id: unique name, such as "oops/oops_val_1004_0".
        sentences: in order, without blanks around them, each ending in a mark that ends a sentence.
        frames: how many frames each sentence lasts, at least 1.
        source: the video that the story tells; Oops cuts its clips out of compilations, there it is the compilation.
        split: "train" or "held_out".
    """

    id: str
    sentences: tuple[str, ...]
    frames: tuple[int, ...]
    source: str
    split: str

    @property
    def text(self) -> str:
        """The sentences, a blank between them."""
        return " ".join(self.sentences)

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """Character range of each sentence in `text`."""
        ends = itertools.accumulate(len(sentence) + 1 for sentence in self.sentences)
        return tuple((end - 1 - len(sentence), end - 1) for end, sentence in zip(ends, self.sentences, strict=True))

    @property
    def shares(self) -> tuple[float, ...]:
        """Share of the clip that each sentence lasts; they sum to 1."""
        total = sum(self.frames)
        return tuple(count / total for count in self.frames)

    @property
    def intervals(self) -> tuple[Interval, ...]:
        """When each sentence holds, on [0, 1]: one after the other without gaps."""
        return intervals_of(self.shares)


def intervals_of(shares: Sequence[float]) -> tuple[Interval, ...]:
    """Intervals on [0, 1] that follow each other, from positive lengths of any unit."""
    ends = [0.0, *itertools.accumulate(shares)]
    return tuple((start / ends[-1], end / ends[-1]) for start, end in itertools.pairwise(ends))


def held_out(source: str) -> bool:
    """Whether a video, document or other source belongs to the tenth that no training sees; by a hash of its name."""
    return int(hashlib.sha256(source.encode()).hexdigest()[:8], 16) % 10 == 0


def load_stories(folder: str | Path) -> list[Story]:
    """Read the stories of the three files.

    Many stories are overlapping windows of one video, so the split is by video. Oops numbers the clips of a
    compilation, and one scene can run over two clips, so there it is by compilation: no source is on both sides.

    Args:
        folder: holds the files named in `FILES`.

    Raises:
        UsageError: if a file is absent or is not StoryBench's.
    """
    stories = []
    for name in FILES:
        path = Path(folder) / name
        dataset = name.split("-")[0]
        entries = read_json(path)
        if not isinstance(entries, list):
            raise UsageError(f"{path}: expected a list of stories; found {type(entries).__name__}; fetch it again")
        for i, entry in enumerate(entries):
            try:
                video = entry["npz_video"].rsplit("/", 1)[-1].removesuffix(".npy")
                texts = [text.strip() for text in entry["texts"]]
                frames = [int(count) for count in entry["exact_frames_per_prompt"]]
                story_id = f"{dataset}/{entry['comment']}"
            except (KeyError, TypeError, AttributeError, ValueError) as error:
                raise UsageError(
                    f"{path}: entry {i} is not a story of StoryBench ({type(error).__name__}: {error}); fetch it again"
                ) from None
            if not texts or len(texts) != len(frames) or not all(texts) or min(frames) < 1:
                raise UsageError(
                    f"{path}: entry {i}: expected as many frame counts of at least 1 as sentences; found "
                    f"{len(texts)} sentences and the counts {frames}; fetch it again"
                )
            source = f"{dataset}/{re.sub(r'[0-9]+$', '', video) if dataset == 'oops' else video}"
            # A tenth of the sentences lack their full stop; without it the next sentence would run on.
            sentences = tuple(text if text.endswith(_ENDS) else f"{text}." for text in texts)
            stories.append(Story(story_id, sentences, tuple(frames), source, SPLITS[held_out(source)]))
    return stories
