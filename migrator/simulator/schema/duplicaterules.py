"""Duplicate rules of a schema file, with the matching rules that they go by."""

from collections.abc import Mapping, Sequence
from typing import Any

from migrator.simulator.schema.model import (
    DuplicateAction,
    DuplicateRule,
    FieldType,
    MatchField,
    MatchingRule,
    MatchMethod,
    SObject,
)

_RULE = {"name", "action", "on_insert", "on_update", "message", "active", "matching", "fields"}
_MATCHING = {"object", "rule", "fields"}
_FIELD = {"field", "with", "method", "blanks"}
_NOT_COMPARED = frozenset({FieldType.ADDRESS, FieldType.LOCATION, FieldType.BASE64})


def duplicate_rules(sobject: str, listed: Sequence[Mapping[str, Any]]) -> tuple[DuplicateRule, ...]:
    """The duplicate rules of an sObject; a ValueError says what cannot be."""
    return tuple(_rule(sobject, each) for each in listed)


def _only(given: Mapping[str, Any], known: set[str], what: str) -> None:
    unknown = set(given) - known
    if unknown:
        raise ValueError(f"unknown key of {what}: {min(unknown)}")


def _rule(sobject: str, given: Mapping[str, Any]) -> DuplicateRule:
    _only(given, _RULE, "a duplicate rule")
    name = str(given["name"])
    action = given.get("action", "block")
    listed = given.get("matching") or [{"fields": given.get("fields") or []}]
    return DuplicateRule(
        name,
        tuple(_matching(sobject, name, each) for each in listed),
        DuplicateAction(given.get("on_insert", action)),
        DuplicateAction(given.get("on_update", action)),
        str(given.get("message", DuplicateRule(name, ()).message)),
        bool(given.get("active", True)),
    )


def _matching(sobject: str, rule: str, given: Mapping[str, Any]) -> MatchingRule:
    _only(given, _MATCHING, "a matching rule")
    other = str(given.get("object", sobject))
    fields = tuple(_field(each) for each in given.get("fields") or ())
    if not fields:
        raise ValueError(f"duplicate rule {rule}: needs fields to match")
    return MatchingRule(str(given.get("rule", f"{other.removesuffix('__c')}_Match_Rule")), other, fields)


def _field(given: Mapping[str, Any] | str) -> MatchField:
    if isinstance(given, str):
        return MatchField(given, given)
    _only(given, _FIELD, "a field to match")
    name = str(given["field"])
    return MatchField(
        name,
        str(given.get("with", name)),
        MatchMethod(given.get("method", "exact")),
        bool(given.get("blanks", False)),
    )


def check_duplicate_rules(objects: Mapping[str, SObject]) -> None:
    """Everything that the rules compare is there."""
    for sobject in objects.values():
        for rule in sobject.duplicate_rules:
            for matching in rule.matching:
                other = objects.get(matching.sobject)
                if other is None:
                    raise ValueError(
                        f"{sobject.name}: duplicate rule {rule.name}: no object {matching.sobject}"
                    )
                for each in matching.fields:
                    for owner, name in ((sobject, each.field), (other, each.other)):
                        field = owner.field(name)
                        if field is None or field.type in _NOT_COMPARED:
                            raise ValueError(
                                f"{sobject.name}: duplicate rule {rule.name}: no field {owner.name}.{name}"
                            )
