"""Duplicate and matching rules of metadata source, as a schema file says them."""

import re
from collections.abc import Callable, Mapping

from migrator.simulator.schema.sfdxfield import Given, Unreadable, child, children, flag, text
from migrator.simulator.xmltree import Numbered

MatchingRules = Mapping[tuple[str, str], Numbered]  # by sObject and name
Tell = Callable[[int, str], None]
_ALL = re.compile(r"[\d\s()]*(?:AND[\d\s()]*)*", re.IGNORECASE)


def matching_rules(sobject: str, root: Numbered) -> dict[tuple[str, str], Numbered]:
    """The matching rules of a file."""
    return {(sobject, text(each, "fullName")): each for each in children(root, "matchingRules")}


def read_duplicate_rule(name: str, root: Numbered, rules: MatchingRules, tell: Tell) -> Given:
    """The duplicate rule; raises `Unreadable` for one whose matching cannot be imitated."""
    made: Given = {
        "name": name,
        "on_insert": _action(root, "actionOnInsert", "operationsOnInsert"),
        "on_update": _action(root, "actionOnUpdate", "operationsOnUpdate"),
        "matching": [_matching(each, rules, tell) for each in children(root, "duplicateRuleMatchRules")],
    }
    if text(root, "alertText"):
        made["message"] = text(root, "alertText")
    condition = child(root, "duplicateRuleFilter")
    if condition is not None and len(condition):
        tell(condition.line, f"{name}: the rule's conditions are ignored; it is for all records")
    return made


def _action(root: Numbered, action: str, operations: str) -> str:
    if text(root, action) == "Block":
        return "block"
    alerts = any((each.text or "").strip() == "Alert" for each in children(root, operations))
    return "alert" if alerts else "allow"


def _matching(element: Numbered, rules: MatchingRules, tell: Tell) -> Given:
    other, name = text(element, "matchRuleSObjectType"), text(element, "matchingRule")
    rule = rules.get((other, name))
    if rule is None:
        raise Unreadable(element.line, f"the matching rule {name} is not in the source")
    if not _ALL.fullmatch(text(rule, "booleanFilter")):
        raise Unreadable(element.line, f"the matching rule {name} matches by {text(rule, 'booleanFilter')}")
    mapping = child(element, "objectMapping")
    named = {
        text(each, "outputField"): text(each, "inputField")
        for each in (children(mapping, "mappingFields") if mapping is not None else ())
    }
    fields = [_field(each, named, tell) for each in children(rule, "matchingRuleItems")]
    return {"object": other, "rule": name, "fields": fields}


def _field(item: Numbered, named: Mapping[str, str], tell: Tell) -> Given:
    other, method = text(item, "fieldName"), text(item, "matchingMethod")
    made: Given = {"field": named.get(other, other), "with": other}
    if method != "Exact":
        made["method"] = "normalised"
        tell(item.line, f"{other}: the method {method} compares letters and digits only")
    if text(item, "blankValueBehavior") == "MatchBlanks":
        made["blanks"] = True
    return made


def is_active(root: Numbered) -> bool:
    """Whether the rule does anything."""
    return flag(root, "isActive")
