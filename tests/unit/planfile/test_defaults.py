"""Defaults are written twice, in the schema for editors and in the parser for plans; they are the same."""

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from migrator.model.plan import (
    Expect,
    FieldRule,
    FieldSelection,
    FilesEnd,
    LaneChoice,
    Locks,
    Plan,
    RelationshipRule,
    VerifyRule,
)
from migrator.planfile import load_plan, plan_schema
from migrator.planfile.schema import inlined
from migrator.planfile.validator import PlanValidator

WHOLE = inlined(plan_schema())
HEAD = "version: 1\nname: p\ntarget: {org: b}\n"
OBJECT = (
    "objects:\n  - {object: A__c, operation: insert, map: {B__c: {from: C}}, relationships: {D__c: {}}}\n"
)


GATE = "before: [{defer_sharing: %s}]\n"


def plan(text: str) -> Plan:
    loaded, found = load_plan("p.yaml", {}, text=text)
    assert found == []
    assert loaded is not None
    return loaded


def defaults(schema: Any, path: str = "") -> dict[str, Any]:
    """Every default in the schema by the path of its key."""
    found: dict[str, Any] = {}
    if isinstance(schema, dict):
        for key, each in schema.get("properties", {}).items():
            if isinstance(each, dict) and "default" in each:
                found[f"{path}.{key}".strip(".")] = each["default"]
        for key, each in schema.items():
            inner = f"{path}.{key}" if path.endswith("properties") or key == "properties" else path
            found |= defaults(each, inner)
    elif isinstance(schema, list):
        for each in schema:
            found |= defaults(each, path)
    return {key.replace("properties.", ""): value for key, value in found.items()}


def test_a_plan_that_says_nothing_gets_what_the_schema_says() -> None:
    silent = plan(HEAD + "source: {files: .}\n" + OBJECT)
    assert silent.expect == Expect()
    assert silent.verify == VerifyRule(counts=True, sample=10_000)
    assert silent.source == FilesEnd(".", ",", "utf-8")
    entry = silent.objects[0]
    assert (entry.fields, entry.after, entry.locks, entry.lane) == (
        FieldSelection(("all",), ()),
        (),
        Locks(),
        LaneChoice.AUTO,
    )
    assert entry.map == (FieldRule("B__c", source="C"),)
    assert entry.relationships == (RelationshipRule("D__c"),)


BUDGET = {"max_failed": "1%", "max_quarantined": 0, "min_sample": 1000}
POLICY = {
    **{f"error_budget.{key}": value for key, value in BUDGET.items()},
    "on_budget_exceeded": "stop_object",
    "canary": {"rows": 200},
    "before_images": "keep",
    "canary.rows": 200,
    "canary.max_failed": "20%",
    "canary.max_same_code": "50%",
}


def test_saying_the_defaults_changes_nothing() -> None:
    told = defaults(inlined(plan_schema()))
    assert told == {
        "before": [],
        "before.defer_sharing.group_membership": True,
        "before.defer_sharing.sharing_rules": True,
        "before.defer_sharing.when_unavailable": "required",
        "defaults": {},
        **{f"run_budget.{key}": value for key, value in BUDGET.items()},
        **{f"{holder}.{key}": value for holder in ("defaults", "objects") for key, value in POLICY.items()},
        "description": "",
        "source.consistency": "fuzzy",
        "source.delimiter": ",",
        "source.encoding": "utf-8",
        "target.expect": {},
        "variables": {},
        "verify": {},
        "verify.counts": "exact",
        "verify.fields": {"sample": 10000},
        "objects.fields": {},
        "objects.fields.include": ["all"],
        "objects.fields.exclude": [],
        "objects.after": [],
        "objects.lane": "auto",
        "objects.headers": {},
        "objects.headers.allow_duplicates": False,
        "objects.headers.assignment_rule": "off",
        "objects.locks": {},
        "objects.locks.max_in_flight": "auto",
        "objects.locks.prefer": "time",
        "objects.locks.weights": {},
        "objects.locks.on_lock": ["regroup", "shrink", "serial_v1"],
        "objects.map": {},
        "objects.map.otherwise": "keep",
        "objects.nulls": "keep",
        "objects.on_existing": "update",
        "objects.relationships": {},
        "objects.relationships.when_missing": "fail",
    }
    text = (
        "version: 1\nname: p\ndescription: ''\nsource: {files: ., delimiter: ',', encoding: utf-8}\n"
        "target: {org: b, expect: {}}\n"
        "defaults: {error_budget: {max_failed: 1%, max_quarantined: 0, min_sample: 1000},\n"
        "  on_budget_exceeded: stop_object, canary: {rows: 200, max_failed: 20%, max_same_code: 50%}, before_images: keep}\n"
        "variables: {}\nverify: {counts: exact, fields: {sample: 10000}}\n"
        "objects:\n  - object: A__c\n    operation: insert\n    fields: {include: [all], exclude: []}\n    after: []\n"
        "    lane: auto\n    headers: {assignment_rule: off, allow_duplicates: false}\n    locks: {max_in_flight: auto, prefer: time, weights: {}, on_lock: [regroup, shrink, serial_v1]}\n    map: {B__c: {from: C, otherwise: keep}}\n    relationships: {D__c: {when_missing: fail}}\n"
    )
    silent, said = plan(HEAD + "source: {files: .}\n" + OBJECT), plan(text)
    assert replace(silent, places={}) == replace(said, places={})
    assert silent.digest == said.digest
    told_all = "{group_membership: true, sharing_rules: true, when_unavailable: required}"
    short, long = (plan(HEAD + "source: {files: .}\n" + GATE % given + OBJECT) for given in ("{}", told_all))
    assert replace(short, places={}) == replace(long, places={})


_SCALARS = st.sampled_from(["A", "all", "keep", "null", "", None, True, 1, 0, 2.5])
_KEYS = st.sampled_from(
    ["from", "value", "expression", "org", "files", "match", "operation", "object", "default", "sample"]
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(_KEYS, inner, max_size=3)),
    max_leaves=6,
)


@settings(max_examples=60)
@given(_VALUES)
def test_the_quicker_validator_says_the_same(value: Any) -> None:
    for schema in (
        WHOLE["properties"]["source"],
        WHOLE["properties"]["verify"]["properties"]["fields"],
        WHOLE["properties"]["objects"]["items"],
        WHOLE["properties"]["objects"]["items"]["properties"]["map"],
        WHOLE["properties"]["objects"]["items"]["properties"]["relationships"],
    ):
        quick, plain = (
            PlanValidator(schema).iter_errors(value),
            Draft202012Validator(schema).iter_errors(value),
        )
        assert [(each.message, each.absolute_path) for each in quick] == [
            (each.message, each.absolute_path) for each in plain
        ]
