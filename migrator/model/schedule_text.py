"""A schedule as JSON text and back, lossless.

**Invariant:** `parse_schedule(dump_schedule(schedule)) == schedule`, and equal schedules give equal bytes.
"""

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from migrator.errors import MigratorError
from migrator.model.gates import AssignPermissionSet, Confirm, DeferSharing, Gate, SetCustomSetting
from migrator.model.schedule import ExtractStep, GateStep, LinkStep, LoadStep, MatchStep, Schedule, VerifyStep

SCHEDULE_VERSION = 1

#: the word that tells which kind of step or gate an object is
KINDS: Mapping[str, type] = {
    "gate": GateStep,
    "extract": ExtractStep,
    "match": MatchStep,
    "load": LoadStep,
    "link": LinkStep,
    "verify": VerifyStep,
    "defer_sharing": DeferSharing,
    "permission_set": AssignPermissionSet,
    "custom_setting": SetCustomSetting,
    "confirm": Confirm,
}
_KIND_OF = {kind: word for word, kind in KINDS.items()}


def gate_word(gate: Gate) -> str:
    """The word of the plan language and of schedules for a gate."""
    return _KIND_OF[type(gate)]


def dump_schedule(schedule: Schedule) -> str:
    """The schedule as JSON text: facts at their default left out, keys in the order of the model."""
    return (
        json.dumps({"schedule": SCHEDULE_VERSION, **to_json(schedule)}, ensure_ascii=False, indent=1) + "\n"
    )


def parse_schedule(text: str) -> Schedule:
    """The schedule in a text that `dump_schedule` made.

    Raises MigratorError `schedule-unreadable` for any other text.
    """
    try:
        body = json.loads(text)
        if body.pop("schedule") != SCHEDULE_VERSION:
            raise _unreadable("another version of migrator made it")
        schedule = _decode(Schedule, body)
    except (ValueError, TypeError, KeyError, AttributeError) as wrong:
        raise _unreadable(type(wrong).__name__) from wrong
    if not isinstance(schedule, Schedule):
        raise _unreadable("it holds something else")
    return schedule


def to_json(value: Any) -> Any:
    """A value of the model as plain JSON values."""
    if is_dataclass(value) and not isinstance(value, type):
        kind = _KIND_OF.get(type(value))
        facts = {
            each.name: to_json(getattr(value, each.name))
            for each in fields(value)
            if not _is_default(each.default, each.default_factory, getattr(value, each.name))
        }
        return {"kind": kind, **facts} if kind else facts
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, Mapping):
        return {key: to_json(one) for key, one in value.items()}
    if isinstance(value, tuple):
        return [to_json(one) for one in value]
    return value


def _is_default(default: Any, factory: Any, value: Any) -> bool:
    if factory is not MISSING:
        return bool(value == factory())
    # `0 == False`: a default is left out only when the value is of its type too
    return default is not MISSING and type(default) is type(value) and bool(value == default)


def _unreadable(why: str) -> MigratorError:
    return MigratorError(
        "schedule-unreadable", f"the schedule cannot be read: {why}", hint="use the version that made the run"
    )


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _decode(kind: Any, value: Any) -> Any:
    """The JSON value as a value of that type annotation; ValueError and its like when it does not fit."""
    origin = get_origin(kind)
    if origin in {UnionType, Union}:
        return _decode_union(get_args(kind), value)
    if origin is tuple:
        if not isinstance(value, list):
            raise TypeError("a list is expected")
        return tuple(_decode(get_args(kind)[0], one) for one in value)
    if origin is not None:  # a mapping of texts
        return {str(key): _decode(get_args(kind)[1], one) for key, one in value.items()}
    if hasattr(kind, "__dataclass_fields__"):
        hints = _hints(kind)
        return kind(**{name: _decode(hints[name], one) for name, one in value.items() if name != "kind"})
    if issubclass(kind, StrEnum):
        return kind(value)
    if type(value) is not kind and not (kind is float and type(value) is int):
        raise TypeError(f"{kind.__name__} is expected")
    return value


def _decode_union(options: tuple[Any, ...], value: Any) -> Any:
    if type(None) in options:
        rest = next(one for one in options if one is not type(None))
        return None if value is None else _decode(rest, value)
    return _decode(KINDS[value["kind"]], value)
