"""Settings read from disk: each of its own type and within its range, or a line that says what was expected."""

from __future__ import annotations

import dataclasses
import json
from functools import cache
from typing import Annotated, Any, get_type_hints

from pydantic import Field, TypeAdapter, ValidationError

from mov_ai.errors import UsageError, shown

# Ranges of settings, wide enough for any network that a machine holds; they stand in the configs' own annotations.
#: Channels of a layer, words of a vocabulary.
Channels = Annotated[int, Field(ge=1, le=65_536)]
#: The same, where there may be none, or they are found out later.
ChannelsOrNone = Annotated[int, Field(ge=0, le=65_536)]
#: A name, a folder or a digest, and where there may be none.
Name = Annotated[str, Field(min_length=1, max_length=4096)]
NameOrNone = Annotated[str, Field(max_length=4096)]
#: Layers or blocks one after another, and where there may be none.
Layers = Annotated[int, Field(ge=1, le=256)]
LayersOrNone = Annotated[int, Field(ge=0, le=256)]
#: Heads of an attention.
Heads = Annotated[int, Field(ge=1, le=1024)]
#: Frames of a video, steps of a sampler.
Frames = Annotated[int, Field(ge=1, le=1024)]
#: Pixels of a side.
Side = Annotated[int, Field(ge=1, le=65_536)]
Share = Annotated[float, Field(ge=0, le=1)]
#: Numbers that are only known to be finite, and to be above nothing.
Finite = Annotated[float, Field(ge=-1e9, le=1e9)]
Positive = Annotated[float, Field(gt=0, le=1e9)]

#: Characters of a config's own message.
_LONGEST = 400


def config_from_dict(config_type: type, value: Any, source: str) -> Any:
    """A config dataclass (nested ones too) from parsed JSON.

    Types are taken strictly: true is no number, 1.0 no whole number, "1" neither; lists become tuples.

    Raises:
        UsageError: naming the first setting that is unknown, missing, of another type or out of range.
    """
    if not isinstance(value, dict):
        raise UsageError(f"{source}: config: expected an object, found {shown(value)}")
    _require_known(config_type, value, source)
    try:
        return _adapter(config_type).validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        raise UsageError(f"{source}: config: {_in_words(dict(first))}") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"{source}: config: {shown(str(error), 200)}") from None
    except UsageError as error:
        raise UsageError(f"{source}: config: {_cut(str(error))}") from None


@cache
def _adapter(config_type: type) -> TypeAdapter[Any]:
    return TypeAdapter(config_type)


def _require_known(config_type: type, value: dict[str, Any], source: str) -> None:
    """Raises UsageError for a key that is no field, here or in a config inside."""
    hints = get_type_hints(config_type)
    names = {field.name for field in dataclasses.fields(config_type)}
    for key, entry in value.items():
        if key not in names:
            raise UsageError(f"{source}: config: {shown(key)} is not a setting of {config_type.__name__}")
        hint = hints[key]
        if dataclasses.is_dataclass(hint) and isinstance(hint, type) and isinstance(entry, dict):
            _require_known(hint, entry, source)


def _in_words(error: dict[str, Any]) -> str:
    """pydantic's account of an error as ours: where, what was expected, what was found."""
    message = str(error["msg"])
    if error["type"] == "value_error":
        return _cut(message.removeprefix("Value error, "))
    if error["type"] == "json_invalid":
        return f"expected text of whole characters ({message})"
    where = ".".join(map(str, error["loc"]))
    if error["type"] == "missing":
        return f"{where}: expected a value, as this setting has no default"
    return f"{where}: {message.replace('Input should be', 'expected', 1)}; found {shown(error['input'])}"


def _cut(message: str) -> str:
    """A config's own message, without what a long list in it adds."""
    return message if len(message) <= _LONGEST else f"{message[: _LONGEST - 3]}..."
