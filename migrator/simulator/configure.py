"""Settings of an org as YAML and command lines give them: by their names in `OrgSettings`, checked by their types.

settings:
  row_seconds: 0.004
  sobject_seconds: {Contact: 0.02}
  locks: {wait: 10, lookups: restricted, private_sharing: [Account],
          writers: [{sobject: Account, every: 2.0, seconds: 1.5}]}
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass, replace
from enum import StrEnum
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import yaml

from migrator.simulator.schema.model import Schema
from migrator.simulator.settings import OrgSettings

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Settings = TypeVar("Settings")


class SettingInvalid(ValueError):  # noqa: N818 - the setting is invalid; the name says so
    """A setting that is not there, or a value that it cannot have; the text names it and says what it can."""


def configured(settings: OrgSettings, given: Mapping[str, Any]) -> OrgSettings:
    """The settings with these laid over them; raises `SettingInvalid`."""
    return _laid_over(settings, given, "")


def check_names(settings: OrgSettings, schema: Schema) -> None:
    """Raise `SettingInvalid` when a setting names an sObject that the org does not have."""
    locks = settings.locks
    named = {
        "sobject_seconds": list(settings.sobject_seconds),
        "locks.private_sharing": sorted(locks.private_sharing),
        "locks.writers": [writer.sobject for writer in locks.writers],
    }
    for path, names in named.items():
        for name in names:
            if schema.sobject(name) is None:
                near = difflib.get_close_matches(name, [found.name for found in schema.sobjects], 1)
                raise SettingInvalid(f"{path}: the org has no sObject {name}{_meant(near)}")


def _meant(near: Sequence[str]) -> str:
    return f"; did you mean {near[0]}?" if near else ""


def assigned(text: str) -> dict[str, Any]:
    """What `row_seconds=0.004` or `locks.wait=3` on a command line gives; raises `SettingInvalid`."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise SettingInvalid(f"{text}: a setting is given as name=value")
    try:
        loaded = yaml.load(value, Loader=_Loader)  # noqa: S506 - a safe loader, in C where there is one
    except yaml.YAMLError as fault:
        raise SettingInvalid(f"{name}: {value!r} is not a YAML value") from fault
    for part in reversed(name.strip().split(".")):
        loaded = {part: loaded}
    return dict(loaded)


def _laid_over(settings: Settings, given: object, where: str) -> Settings:
    if not isinstance(given, Mapping):
        raise SettingInvalid(f"{where or 'settings'}: a mapping of settings is wanted")
    types = _types(type(settings))
    values: dict[str, Any] = {}
    for name, value in given.items():
        path = f"{where}.{name}" if where else str(name)
        if name not in types:
            near = difflib.get_close_matches(str(name), types, 1)
            raise SettingInvalid(f"{path}: no such setting{_meant(near)}")
        held = getattr(settings, name)
        values[name] = (
            _laid_over(held, value, path) if is_dataclass(held) else _read(types[name], value, path)
        )
    return replace(settings, **values)  # type: ignore[type-var] # a dataclass, or it had no types


def _types(kind: type) -> dict[str, Any]:
    return get_type_hints(kind) if is_dataclass(kind) else {}


def _read(kind: Any, value: object, path: str) -> Any:
    """A value of this type, or `SettingInvalid`."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in {frozenset, tuple}:
        if not isinstance(value, list):
            raise SettingInvalid(f"{path}: a list is wanted")
        return origin(_read(arguments[0], each, f"{path}[{place}]") for place, each in enumerate(value))
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise SettingInvalid(f"{path}: a mapping is wanted")
        return {str(key): _read(arguments[1], each, f"{path}.{key}") for key, each in value.items()}
    if arguments:  # a type or nothing
        return None if value is None else _read(arguments[0], value, path)
    if is_dataclass(kind):
        return _made(kind, value, path)
    return _simple(kind, value, path)


def _made(kind: Any, value: object, path: str) -> Any:
    """A value of its own, such as a background writer, with all that it needs."""
    if not isinstance(value, Mapping):
        raise SettingInvalid(f"{path}: a mapping is wanted")
    types = _types(kind)
    unknown = sorted(set(map(str, value)) - set(types))
    needed = [
        each.name for each in fields(kind) if each.default is MISSING and each.default_factory is MISSING
    ]
    missing = [name for name in needed if name not in value]
    if unknown or missing:
        what = f"no such setting: {unknown[0]}" if unknown else f"{missing[0]} is missing"
        raise SettingInvalid(f"{path}: {what}")
    return kind(**{name: _read(types[name], each, f"{path}.{name}") for name, each in value.items()})


def _simple(kind: type, value: object, path: str) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if issubclass(kind, StrEnum):
        if value in list(kind):
            return kind(str(value))
        raise SettingInvalid(f"{path}: one of {', '.join(kind)} is wanted")
    if kind is float and number and value >= 0:  # type: ignore[operator] # a number
        return float(value)  # type: ignore[arg-type] # the same
    if kind is int and isinstance(value, int) and number and value >= 0:
        return value
    if kind in {bool, str} and isinstance(value, kind):
        return value
    words = {float: "a number from 0 on", int: "a whole number from 0 on", bool: "true or false", str: "text"}
    raise SettingInvalid(f"{path}: {words.get(kind, kind.__name__)} is wanted")
