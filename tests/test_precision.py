"""What a pipeline computes in, and how much work a quality is."""

from __future__ import annotations

import pytest
import torch

from mov_ai import precision
from mov_ai.errors import UsageError
from mov_ai.models.cascade import CascadeConfig
from mov_ai.precision import Precision, choose_precision, draft_stage, steps_of
from tests.models.test_cascade import small_cascade

CPU = torch.device("cpu")


def _on(monkeypatch: pytest.MonkeyPatch, fast: bool) -> None:
    monkeypatch.setattr(precision, "has_bfloat16_matrices", lambda: fast)


def test_bfloat16_is_for_convolutions_where_the_processor_gains(monkeypatch: pytest.MonkeyPatch) -> None:
    cascade = small_cascade()
    _on(monkeypatch, True)
    assert choose_precision("auto", CPU, cascade) == Precision("float32", "bfloat16", "bfloat16")
    assert choose_precision("auto", CPU, cascade, "best") == Precision()
    assert choose_precision("auto", torch.device("cuda"), cascade) == Precision()
    _on(monkeypatch, False)
    assert choose_precision("auto", CPU, cascade) == Precision()


def test_what_is_asked_for_goes_before_what_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    cascade = small_cascade()
    _on(monkeypatch, True)
    assert choose_precision("float32", CPU, cascade) == Precision()
    assert choose_precision("bfloat16", CPU, cascade) == Precision("bfloat16", "bfloat16", "bfloat16")
    # Of codecs in float16 many overflow.
    assert choose_precision("float16", torch.device("cuda"), cascade) == Precision("float16", "float16", "float32")
    with pytest.raises(UsageError, match="dtype: float16 needs a GPU; use bfloat16, float32 or auto"):
        choose_precision("float16", CPU, cascade)
    with pytest.raises(UsageError, match="dtype: expected one of auto, float32, bfloat16, float16; found 'int8'"):
        choose_precision("int8", CPU, cascade)


def test_a_quality_is_a_number_of_steps_and_of_stages() -> None:
    config = CascadeConfig(steps=(4, 1, 1))
    assert [steps_of(config, quality, None) for quality in ("draft", "default", "best")] == [2, None, 8]
    assert steps_of(config, "best", 3) == 3
    assert draft_stage(config, "draft", 512) == 256
    assert draft_stage(config, "draft", 128) is None
    assert draft_stage(config, "default", 512) is None
    with pytest.raises(UsageError, match="quality: expected one of draft, default, best; found 'good'"):
        steps_of(config, "good", None)
