"""Labels and classes: one place for each name, and what a mirror does to them."""

from __future__ import annotations

import numpy as np

from mov_ai.models.metric_networks.checker import CheckerConfig
from mov_ai.models.metric_networks.recognition import RecognitionConfig
from mov_ai.worlds.tabletop.lexicon import MOTIONS
from mov_ai.worlds.tabletop.metric_labels import COLOR_NAMES, SHAPE_NAMES
from tools.metrics.training.labels import (
    CLASS_INDEX,
    CLASS_MIRROR,
    CLASSES,
    LABEL_INDEX,
    LABELS,
    MIRROR,
    TEMPORAL,
)


def test_every_label_and_class_has_one_place() -> None:
    assert len(LABELS) == len(LABEL_INDEX) == 316
    assert len(CLASSES) == len(CLASS_INDEX) == 53
    assert [shape for motion, shape in CLASSES if motion == "spin"] == ["cube"]


def test_a_mirror_exchanges_left_and_right_and_nothing_else() -> None:
    assert (MIRROR[MIRROR] == np.arange(len(LABELS))).all()
    assert (CLASS_MIRROR[CLASS_MIRROR] == np.arange(len(CLASSES))).all()
    for one, other in (
        (("time", "left", "early"), ("time", "right", "early")),
        (("motion of color", "right", "red"), ("motion of color", "left", "red")),
        (("relation", "left of", "cube", "cone"), ("relation", "left of", "cone", "cube")),
        (("light", "left"), ("light", "right")),
        (("relation", "in front of", "cube", "cone"), ("relation", "in front of", "cube", "cone")),
        (("object", "cube", "red"), ("object", "cube", "red")),
    ):
        assert LABELS[MIRROR[LABEL_INDEX[one]]] == other
    assert CLASSES[CLASS_MIRROR[CLASS_INDEX["left", "cone"]]] == ("right", "cone")


def test_labels_that_the_order_of_frames_decides() -> None:
    groups = {label[0] for label, temporal in zip(LABELS, TEMPORAL, strict=True) if temporal}
    assert groups == {"time", "motion of shape", "motion of color", "turn to"}


def test_the_networks_have_a_number_for_each() -> None:
    recognition, checker = RecognitionConfig(), CheckerConfig()
    shapes, colors = len(SHAPE_NAMES), len(COLOR_NAMES)
    assert (recognition.labels, recognition.classes) == (len(LABELS), len(CLASSES))
    assert (recognition.objects, recognition.looks) == (shapes * colors, shapes + colors)
    assert recognition.motions == len(MOTIONS)
    assert (checker.shapes, checker.colors) == (shapes, colors)
