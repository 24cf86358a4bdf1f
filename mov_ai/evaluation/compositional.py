"""The compositional benchmark on the embedded world: how many objects and events of a caption does a video show?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from mov_ai.evaluation.checker import Checker, CheckReport
from mov_ai.graph import SceneGraph
from mov_ai.worlds.tabletop import lexicon
from mov_ai.worlds.tabletop.scene import FRAMES, simulate
from mov_ai.worlds.tabletop.world import caption_and_layout

if TYPE_CHECKING:
    from mov_ai.graph import Layout

#: Rows of a table that are not motions.
OVERALL = ("objects", "shapes", "colors", "events", "motions")
#: Draws of the bootstrap, and the seed that makes them the same on every machine.
_DRAWS, _SEED = 2000, 0
#: Motion -> (verb, direction) that says it in a graph.
_WORDS: dict[str, tuple[str, str | None]] = {
    "left": ("roll", "left"),
    "right": ("roll", "right"),
    "toward": ("roll", "toward"),
    "away": ("roll", "away"),
    "jump": ("jump", None),
    "spin": ("spin", None),
    "fall": ("fall", None),
    "rise": ("rise", None),
    "stay": ("stay", None),
    "grow": ("grow", None),
    "shrink": ("shrink", None),
    "vanish": ("vanish", None),
    "appear": ("appear", None),
}


class Video(Protocol):
    """What a pipeline returns: uint8 frames (F, H, W, 3), and the graph and layout that it made of the text."""

    frames: np.ndarray
    graph: SceneGraph
    layout: Layout


class Pipeline(Protocol):
    """What is judged: text (or a graph) in, a video out."""

    def __call__(self, prompt: str | SceneGraph, /, *, seed: int) -> Video: ...


@dataclass(frozen=True)
class Prompt:
    """A caption of the world, the graph that it means, and the seed that the pipeline gets."""

    text: str
    graph: SceneGraph
    seed: int


@dataclass(frozen=True)
class Score:
    """A share with its 95 % bootstrap interval over prompts; `n` is how many things were checked."""

    share: float
    low: float
    high: float
    n: int

    def to_dict(self) -> dict[str, float | int | None]:
        """JSON-ready; None where nothing was checked."""
        return {
            name: None if value != value else round(value, 4) if isinstance(value, float) else value
            for name, value in (("share", self.share), ("low", self.low), ("high", self.high), ("n", self.n))
        }


@dataclass
class Row:
    """What one video showed: verdicts by kind. `verdicts` has the keys of `OVERALL` and "motion:NAME"."""

    verdicts: dict[str, list[bool]] = field(default_factory=dict)

    @classmethod
    def of(cls, report: CheckReport) -> Row:
        """The verdicts of a report; what could not be checked is left out."""
        row = cls()
        for entity in report.entities:
            row.add("objects", entity.ok)
            if not entity.expected["negated"]:
                row.add("shapes", None if entity.shape_ok is None else entity.found and entity.shape_ok)
                row.add("colors", None if entity.color_ok is None else entity.found and entity.color_ok)
        for event in report.events:
            row.add("events", event.ok)
            row.add("motions", event.motion_ok)
            row.add(f"motion:{event.motion}", event.ok)
        return row

    def add(self, kind: str, verdict: bool | None) -> None:
        """Note a verdict; None is left out."""
        if verdict is not None:
            self.verdicts.setdefault(kind, []).append(bool(verdict))


def scores(rows: Sequence[Row]) -> dict[str, Score]:
    """Shares right over all rows, with bootstrap intervals (percentiles of resampled prompts).

    Things in one video are not independent, so whole prompts are resampled.
    """
    kinds = [*OVERALL, *(f"motion:{motion}" for motion in lexicon.MOTIONS)]
    result = {}
    for kind in kinds:
        right = np.array([sum(row.verdicts.get(kind, [])) for row in rows], dtype=float)
        number = np.array([len(row.verdicts.get(kind, [])) for row in rows], dtype=float)
        if number.sum() == 0:
            result[kind] = Score(float("nan"), float("nan"), float("nan"), 0)
            continue
        share = float(right.sum() / number.sum())
        picks = np.random.default_rng(_SEED).integers(len(rows), size=(_DRAWS, len(rows)))
        drawn = right[picks].sum(1) / np.maximum(number[picks].sum(1), 1)
        drawn = drawn[number[picks].sum(1) > 0]
        low, high = (float(v) for v in np.percentile(drawn, [2.5, 97.5]))
        result[kind] = Score(share, low, high, int(number.sum()))
    return result


def held_out_prompts(number: int = 64) -> list[Prompt]:
    """Captions of the world's test split, clips 0, 1, ...: each shows a pair of shape and colour held out."""
    prompts = []
    for seed in range(number):
        _, caption, _ = caption_and_layout(seed, "test")
        prompts.append(Prompt(caption.text, caption.graph, seed))
    return prompts


def check_prompt(pipeline: Pipeline, prompt: Prompt, checker: Checker) -> tuple[Row, CheckReport, Video]:
    """Make the video of a prompt from its text and judge it by the gold graph, not by the pipeline's own."""
    video = pipeline(prompt.text, seed=prompt.seed)
    report = checker.check(prompt.graph, video.frames)
    return Row.of(report), report, video


def evaluate_generated(
    pipeline: Pipeline,
    prompts: Iterable[Prompt] | None = None,
    checker: Checker | None = None,
    progress: Callable[[int, Row], None] | None = None,
) -> dict[str, Score]:
    """Judge a pipeline on captions of the test split (64 if none are given).

    Args:
        pipeline: gets each prompt's text and seed.
        prompts: what to make; the graph in each is the one that counts.
        checker: the embedded one if None.
        progress: called with the prompt's number and its row.

    Returns:
        Kind -> score; kinds are those of `OVERALL` and "motion:NAME". "events" asks that the right object does it,
        "motions" only that the best match does.
    """
    checker = Checker.from_pretrained() if checker is None else checker
    rows = []
    for number, prompt in enumerate(held_out_prompts() if prompts is None else prompts):
        rows.append(check_prompt(pipeline, prompt, checker)[0])
        if progress is not None:
            progress(number, rows[-1])
    return scores(rows)


# -- the checker's own score -------------------------------------------------------------------------------------------


def real_clip(seed: int, split: str, size: int = 128) -> tuple[SceneGraph, np.ndarray]:
    """The gold graph and the rendered frames, uint8 (16, size, size, 3), of a clip of the world."""
    from mov_ai.worlds.tabletop.render import render

    scene, caption, _ = caption_and_layout(seed, split)
    video, _ = render(scene, size, size, states=simulate(scene))
    return caption.graph, video.numpy()


def evaluate_real(
    split: str = "test",
    number: int = 100,
    size: int = 128,
    start: int = 100_000,
    checker: Checker | None = None,
    progress: Callable[[int], None] | None = None,
) -> dict[str, dict[str, Score]]:
    """The checker's own score: on real clips with their graphs, and with graphs made wrong in known ways.

    Args:
        split: "validation" or "test".
        number: clips.
        size: at which they are rendered.
        start: seed of the first; far from those that others use.

    Returns:
        "true" -> scores that should be near 1; "permuted" (another clip's graph), "colors" (every colour exchanged for
        another), "shapes" and "motions" (likewise) -> scores that should be near 0.
    """
    checker = Checker.from_pretrained() if checker is None else checker
    clips = []
    for seed in range(start, start + number):
        graph, video = real_clip(seed, split, size)
        clips.append((graph, checker.follow(video)))
        if progress is not None:
            progress(len(clips))

    def judged(graphs: Sequence[SceneGraph]) -> dict[str, Score]:
        pairs = zip(graphs, clips, strict=True)
        return scores([Row.of(checker.judge(graph, tracks, FRAMES)) for graph, (_, tracks) in pairs])

    graphs = [graph for graph, _ in clips]
    rng = np.random.default_rng(_SEED)
    return {
        "true": judged(graphs),
        "permuted": judged([*graphs[1:], graphs[0]]),
        "colors": judged([with_other_colors(graph, rng) for graph in graphs]),
        "shapes": judged([with_other_shapes(graph, rng) for graph in graphs]),
        "motions": judged([with_other_motions(graph, rng) for graph in graphs]),
    }


def with_other_colors(graph: SceneGraph, rng: np.random.Generator) -> SceneGraph:
    """The graph with every colour word replaced by another colour that the graph does not name."""
    used = {lexicon.concept("color", n.label) for n in graph.of_type("attribute")}
    free = [color for color in lexicon.COLORS if color not in used]
    nodes = [
        replace(node, label=str(rng.choice(free))) if lexicon.concept("color", node.label) else node
        for node in graph.nodes
    ]
    return SceneGraph(graph.caption, nodes, list(graph.edges))


def with_other_shapes(graph: SceneGraph, rng: np.random.Generator) -> SceneGraph:
    """The graph with every shape word replaced by another shape, one that the graph does not name if there is one."""
    used = {lexicon.concept("shape", n.label) for n in graph.of_type("entity")}
    nodes = []
    for node in graph.nodes:
        shape = lexicon.concept("shape", node.label) if node.type == "entity" else None
        others = [name for name in lexicon.SHAPES if name not in used] or [n for n in lexicon.SHAPES if n != shape]
        nodes.append(node if shape is None else replace(node, label=str(rng.choice(others))))
    return SceneGraph(graph.caption, nodes, list(graph.edges))


def with_other_motions(graph: SceneGraph, rng: np.random.Generator) -> SceneGraph:
    """The graph with every motion replaced by another one, though never by a spin: only cubes can be seen to spin."""
    nodes = []
    for node in graph.nodes:
        motion = lexicon.motion_of(node.label, node.direction) if node.type == "event" else None
        if motion is None:
            nodes.append(node)
            continue
        # What turns its colour stays in its place, so "stay" would be no mistake there.
        others = [name for name in _WORDS if name not in (motion, "spin") and (motion, name) != ("turn", "stay")]
        label, direction = _WORDS[str(rng.choice(others))]
        nodes.append(replace(node, label=label, direction=direction))
    return SceneGraph(graph.caption, nodes, list(graph.edges))


# -- a pipeline that makes no mistakes ---------------------------------------------------------------------------------


@dataclass
class RealVideo:
    """A rendered scene as a pipeline's result."""

    frames: np.ndarray
    graph: SceneGraph
    layout: Layout


class RealPipeline:
    """Renders the world's own clip of each prompt: the score that a perfect generator would get.

    Args:
        split: of the clips; a prompt's seed is the clip's seed, and its text must be the clip's caption.
        size: height and width of the frames.
    """

    def __init__(self, split: str = "test", size: int = 128) -> None:
        self.split, self.size = split, size

    def __call__(self, prompt: str | SceneGraph, /, *, seed: int) -> RealVideo:
        from mov_ai.worlds.tabletop.render import render

        scene, caption, layout = caption_and_layout(seed, self.split)
        video, _ = render(scene, self.size, self.size)
        return RealVideo(video.numpy(), caption.graph, layout)
