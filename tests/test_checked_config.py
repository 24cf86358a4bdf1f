"""Settings from disk: strict types, ranges, one line with the place and what was expected."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mov_ai.checked_config import Channels, Layers, Name, Share, config_from_dict
from mov_ai.errors import UsageError
from mov_ai.graph.files import parse_json


@dataclass(frozen=True)
class Inner:
    width: Channels = 8


@dataclass(frozen=True)
class Outer:
    blocks: tuple[Layers, ...] = (2, 2)
    share: Share = 0.5
    name: Name | None = None
    switch: bool = True
    inner: Inner = field(default_factory=Inner)

    def __post_init__(self) -> None:
        if len(self.blocks) > 3:
            raise ValueError(f"outer: expected three blocks at most, got {len(self.blocks)}, {self.blocks}")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"blocks": [2, 2, 100_000_000]}, "config: blocks.2: expected less than or equal to 256; found 100000000"),
        ({"blocks": [1, 1, 1, 1]}, "config: outer: expected three blocks at most, got 4"),
        ({"blocks": [1] * 5000}, "config: outer: expected three blocks at most, got 5000"),
        ({"blocks": 2}, "config: blocks: expected a valid array; found 2"),
        ({"share": "x"}, "config: share: expected a valid number; found 'x'"),
        ({"share": True}, "config: share: expected a valid number; found True"),
        ({"share": float("inf")}, "config: share: expected less than or equal to 1; found inf"),
        ({"share": float("nan")}, "config: share: expected"),
        ({"inner": {"width": 0}}, "config: inner.width: expected greater than or equal to 1; found 0"),
        ({"inner": {"width": 8.0}}, "config: inner.width: expected a valid integer; found 8.0"),
        ({"inner": {"width": True}}, "config: inner.width: expected a valid integer; found True"),
        ({"inner": {"depth": 1}}, "config: 'depth' is not a setting of Inner"),
        ({"inner": [1]}, "config: inner: expected an object; found [1]"),
        ({"switch": 1}, "config: switch: expected a valid boolean; found 1"),
        ({"name": "x" * 5000}, "config: name: "),
        ({"name": "\ud800"}, "config: expected text of whole characters"),
        ({"size": 3}, "config: 'size' is not a setting of Outer"),
        ([1], "config: expected an object, found [1]"),
    ],
)
def test_a_setting_that_is_not_what_it_should_be_is_one_line(value: Any, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        config_from_dict(Outer, value, "config.json")
    message = str(caught.value)
    assert message.startswith(f"config.json: {words}")
    assert message.isprintable()
    assert len(message) < 450


def test_good_settings_come_back_with_their_own_types() -> None:
    found = config_from_dict(Outer, {"blocks": [1, 2], "share": 1, "inner": {"width": 4}}, "x")
    assert found == Outer((1, 2), 1.0, inner=Inner(4))
    assert type(found.inner) is Inner
    assert config_from_dict(Outer, json.loads(json.dumps(asdict(found))), "x") == found


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inside: (
        st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from([*Outer.__dataclass_fields__]), inside)
    ),
    max_leaves=8,
)


def _read(value: dict[str, Any]) -> Outer | str:
    """The config, or the line that refuses it."""
    try:
        found: Outer = config_from_dict(Outer, value, "config.json")
    except UsageError as error:
        return str(error)
    return found


@given(st.dictionaries(st.sampled_from([*Outer.__dataclass_fields__, "width"]), _values, max_size=4))
def test_whatever_stands_in_a_file_is_a_config_or_one_line(value: dict[str, Any]) -> None:
    found = _read(value)
    if isinstance(found, str):
        assert found.startswith("config.json: config: ")
        assert found.isprintable()
    else:
        assert all(1 <= block <= 256 for block in found.blocks)
        assert 0 <= found.share <= 1


def test_brackets_without_end_are_one_line() -> None:
    deep: Any = 1
    for _ in range(950):
        deep = [deep]
    with pytest.raises(UsageError):
        config_from_dict(Outer, {"blocks": deep}, "x")
    with pytest.raises(UsageError):
        config_from_dict(Outer, parse_json('{"share": 1e999}', "x"), "x")
