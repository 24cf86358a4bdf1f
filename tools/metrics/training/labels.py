"""The names of the recognition network's labels and classes."""

from __future__ import annotations

import itertools

import numpy as np

from mov_ai.worlds.tabletop.lexicon import COLORS, LIGHTS, MATERIALS, MOTIONS, SETTINGS, SHAPES, SIZES

#: A label: its group, then what it is about.
Label = tuple[str, ...]

THIRDS = ("early", "middle", "late")
#: Relations in the first frame; "right of" and "behind" are these with the shapes exchanged.
RELATIONS = ("left of", "in front of")
COUNTS = ("1", "2", "3")
TOTALS = ("2", "3", "4")
#: Motions that can be seen at a moment; "stay" is said only of what rests through the whole clip.
MOVING = tuple(motion for motion in MOTIONS if motion != "stay")

_GROUPS: dict[str, tuple[tuple[str, ...], ...]] = {
    # A shape in a colour, at any time.
    "object": (tuple(SHAPES), tuple(COLORS)),
    "size": (tuple(SIZES), tuple(SHAPES)),
    "material": (tuple(MATERIALS), tuple(SHAPES)),
    # At least so many of a shape, and of all objects.
    "count": (COUNTS, tuple(SHAPES)),
    "total": (TOTALS,),
    # A motion in a third of the clip.
    "time": (MOVING, THIRDS),
    # Who does it. Of what turns, the colour before; "turn to" is the one after.
    "motion of shape": (MOTIONS, tuple(SHAPES)),
    "motion of color": (MOTIONS, tuple(COLORS)),
    "turn to": (tuple(COLORS),),
    "relation": (RELATIONS, tuple(SHAPES), tuple(SHAPES)),
    "setting": (tuple(SETTINGS),),
    "light": (tuple(LIGHTS),),
}
#: Labels, each true or false of a clip, in the order of the network's output.
LABELS: tuple[Label, ...] = tuple(
    (group, *names) for group, axes in _GROUPS.items() for names in itertools.product(*axes)
)
#: Classes, of which a clip has one: the first motion and the shape of what does it. Only cubes are seen to spin.
CLASSES: tuple[tuple[str, str], ...] = tuple(
    (motion, shape) for motion in MOTIONS for shape in SHAPES if motion != "spin" or shape == "cube"
)
#: Label or class -> its place.
LABEL_INDEX = {label: i for i, label in enumerate(LABELS)}
CLASS_INDEX = {name: i for i, name in enumerate(CLASSES)}
#: Labels that the order of the frames decides.
TEMPORAL = np.array([label[0] in ("time", "motion of shape", "motion of color", "turn to") for label in LABELS])

_OTHER_SIDE = {"left": "right", "right": "left"}


def mirrored_motion(motion: str) -> str:
    """The motion as seen in a mirror that exchanges left and right."""
    return _OTHER_SIDE.get(motion, motion)


def _mirrored(label: Label) -> Label:
    if label[:2] == ("relation", "left of"):
        return (*label[:2], label[3], label[2])
    return (label[0], *(mirrored_motion(name) for name in label[1:]))


#: `labels[MIRROR]` are the labels of the mirrored clip, `classes[CLASS_MIRROR]` its classes.
MIRROR = np.array([LABEL_INDEX[_mirrored(label)] for label in LABELS])
CLASS_MIRROR = np.array([CLASS_INDEX[mirrored_motion(motion), shape] for motion, shape in CLASSES])
