"""Trained weights mean what they mean only as long as labels have the vectors that they were trained with."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from mov_ai.labels.encoder import LabelEncoderConfig, load_label_encoder

#: The first numbers of vectors that shipped weights were trained with. If they change on purpose,
#: `LabelEncoderConfig.version` must change too, and everything that reads labels is trained again.
STORED = {
    ("entity", "ball"): [0.0163, 0.0439, -0.0348, 0.0548],
    ("attribute", "red"): [-0.0433, 0.0720, 0.0029, -0.0514],
    ("event", "roll"): [0.0141, -0.0743, -0.0350, 0.0164],
    ("relation", "left of"): [0.0833, 0.0603, 0.0408, 0.0021],
    ("direction", "left"): [0.0116, 0.0097, -0.0356, -0.0208],
    ("word", "then"): [0.0335, 0.0028, -0.0339, -0.0382],
    ("entity", "zzqx"): [0.0348, 0.0392, -0.0348, -0.0435],
    ("setting", "table"): [-0.0944, 0.0723, 0.1166, -0.0068],
}


@pytest.mark.parametrize(("role", "text"), STORED)
def test_a_label_has_the_vector_that_weights_were_trained_with(role: str, text: str) -> None:
    config = LabelEncoderConfig()
    assert (config.name, config.width, config.version) == ("embedded", 512, 1)
    vector = load_label_encoder(config)([(role, text)])[0]
    assert_close(vector[:4], torch.tensor(STORED[role, text]), atol=6e-5, rtol=0)
