"""How far the layout rules of the stage can be trusted: `python -m tools.layout_rules [scenes of each kind] [first]`.

Prints, on gold boxes of the validation split, the share of facts accepted, and of those that boxes cannot tell, by kind
of scene. Then, by kind of fact, the share of those accepted on gold that are accepted on wrong boxes too: mirrored,
backwards in time, frozen, with the actors changed about, of another scene of the kind with as many of each. And the
time for eight layouts.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from mov_ai.graph import Layout
from mov_ai.worlds.stage.rules.report import rules_of
from mov_ai.worlds.stage.wording import scene_templates
from mov_ai.worlds.stage.world import StagedScene, sample_scene

#: Layouts that a planner samples of one graph.
CANDIDATES = 8
WRONG = ("mirrored", "backwards", "frozen", "shuffled", "another")


def wrong_layouts(scene: StagedScene, others: Sequence[StagedScene]) -> Mapping[str, Layout]:
    """Boxes that do not show the scene's graph, or not all of it."""
    layout = scene.layout

    def mirrored(boxes: np.ndarray) -> np.ndarray:
        return np.concatenate([1 - boxes[:, :1], boxes[:, 1:]], 1)

    def changed(tracks: Sequence[np.ndarray]) -> Layout:
        pairs = zip(layout.tracks, tracks, strict=True)
        return Layout(layout.frames, [replace(track, boxes=boxes) for track, boxes in pairs])

    boxes = [track.boxes for track in layout.tracks]
    found = {
        "mirrored": changed([mirrored(b) for b in boxes]),
        "backwards": changed([b[::-1] for b in boxes]),
        "frozen": changed([np.repeat(b[len(b) // 2 :][:1], len(b), 0) for b in boxes]),
    }
    if len({track.entity for track in layout.tracks}) == len(boxes) > 1:
        found["shuffled"] = changed([*boxes[1:], boxes[0]])
    alike = [o for o in others if o is not scene and _numbers(o) == _numbers(scene)]
    if alike:
        found["another"] = changed([track.boxes for track in alike[scene.seed % len(alike)].layout.tracks])
    return found


def _numbers(scene: StagedScene) -> list[int]:
    return [track.instance for track in scene.layout.tracks]


def main(arguments: Sequence[str]) -> None:
    """See the top of the file."""
    count, first = (int(value) for value in (*arguments, *("60", "0")[len(arguments) :]))
    accepted: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    seconds: list[float] = []
    marks: list[bool | None] = []
    for kind in scene_templates():
        scenes = [sample_scene(seed, "validation", kind) for seed in range(first, first + count)]
        own: list[bool | None] = []
        for scene in scenes:
            start = time.process_time()
            rules = rules_of(scene.caption.graph, scene.layout)
            reports = [rules.judged(scene.layout) for _ in range(CANDIDATES)]
            seconds.append(time.process_time() - start)
            own += [verdict.satisfied for verdict in reports[0].verdicts]
            good = {(v.kind, v.text) for v in reports[0].verdicts if v.satisfied}
            for name, wrong in wrong_layouts(scene, scenes).items():
                for v in rules.judged(wrong).verdicts:
                    if (v.kind, v.text) in good and v.satisfied is not None:
                        accepted[v.kind][name].append(v.satisfied)
        _say(f"{kind:16s} {_shares(own)}")
        marks += own
    _say(f"{'all':16s} {_shares(marks)}")
    _say(f"{'':16s} {' '.join(f'{name:>14s}' for name in WRONG)}")
    for kind, by_name in sorted(accepted.items()):
        cells = (by_name.get(name, []) for name in WRONG)
        _say(f"{kind:16s} {' '.join(f'{np.mean(c):7.0%} of {len(c):3d}' if c else ' ' * 14 for c in cells)}")
    ms = 1000 * np.array(seconds)
    median, most = np.percentile(ms, (50, 95))
    _say(f"{CANDIDATES} layouts and the reading of their graph: median {median:.1f} ms, 95 % {most:.1f} ms")


def _shares(marks: Sequence[bool | None]) -> str:
    known = [mark for mark in marks if mark is not None]
    return f"{len(known):5d} facts, {np.mean(known):7.2%} accepted, {1 - len(known) / len(marks):6.2%} cannot tell"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
