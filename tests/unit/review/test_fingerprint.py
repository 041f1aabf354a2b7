"""What tells a changed plan from one that only looks different, and what a changed schema means for a step."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import pytest

from migrator.model.schedule import ExtractStep, LinkStep, LoadStep, MatchStep, Schedule, Side, VerifyStep
from migrator.model.schema import OrgSchema
from migrator.planner import make_schedule
from migrator.review.drift import Harm, drift, used_schema, uses
from migrator.review.fingerprint import OPERATIONAL, compare, fingerprint, merged
from tests.planner.builders import field, org, plan

SCHEMA: dict[str, dict[str, Any]] = {
    "Account": {
        "Name": "string length=255 required",
        "Key__c": "string length=18 external unique",
        "Industry": "picklist",
        "ParentId": "->Account",
    },
    "Contact": {"LastName": "string length=80 required", "AccountId": "->Account"},
}
PLAN: dict[str, Any] = {
    "objects": [
        {
            "object": "Account",
            "operation": "upsert",
            "external_id": "Key__c",
            "fields": {"include": ["Name", "Industry", "Key__c", "ParentId"]},
            "relationships": {"ParentId": {"when_missing": "link"}},
        },
        {"object": "Contact", "operation": "insert", "fields": {"include": ["LastName", "AccountId"]}},
    ],
}


def schedule_of(document: Mapping[str, Any], counts: Mapping[str, int] | None = None) -> Schedule:
    schema = org(SCHEMA)
    made, found = make_schedule(plan(document), source=schema, target=schema, counts=counts or {})
    assert made is not None, found
    return made


def with_account(**facts: Any) -> dict[str, Any]:
    return {"objects": [PLAN["objects"][0] | facts, PLAN["objects"][1]]}


def test_counts_are_not_part_of_what_a_plan_means() -> None:
    one, other = schedule_of(PLAN, {"Account": 5_000}), schedule_of(PLAN, {"Account": 9_999_999})
    assert compare(one, other) == ()
    assert [fingerprint(one, step) for step in one.steps] == [
        fingerprint(other, step) for step in other.steps
    ]


@pytest.mark.parametrize(
    ("facts", "field_"),
    [
        ({"where": "Name != 'x'"}, "soql"),
        ({"map": {"Industry": {"from": "Name"}}}, "columns.Industry.rule.source"),
        ({"fields": {"include": ["Name", "Key__c", "ParentId"]}}, "columns.Industry.rule.target"),
        ({"operation": "update", "external_id": None, "key": ["Id"]}, "operation"),
        ({"after": ["Contact"], "relationships": {}}, "after"),
    ],
)
def test_what_a_plan_means_is_compared_field_by_field(facts: dict[str, Any], field_: str) -> None:
    if field_ == "operation":
        facts = facts | {"map": {"Id": {"from": "Id"}}}
    if field_ == "after":
        contact = {"object": "Contact", "operation": "insert", "fields": {"include": ["LastName"]}}
        before = {"objects": [PLAN["objects"][0], contact]}
        after = {"objects": [PLAN["objects"][0] | {"after": ["Contact"]}, contact]}
        found = compare(schedule_of(before), schedule_of(after))
    else:
        found = compare(schedule_of(PLAN), schedule_of(with_account(**facts)))
    semantic = [one for one in found if not one.operational]
    assert any(one.field == field_ for one in semantic), [str(one) for one in found]


def test_how_it_is_done_is_operational() -> None:
    locks = {"max_in_flight": 2, "on_lock": ["regroup"], "prefer": "batches"}
    before, after = schedule_of(PLAN), schedule_of(with_account(locks=locks))
    found = compare(before, after)
    assert {one.field for one in found} == {"max_in_flight", "on_lock", "prefer"}
    assert all(one.operational for one in found)
    load = "load Account" if any(step.id == "load Account" for step in before.steps) else found[0].step
    old, new = fingerprint(before, before.step(load)), fingerprint(after, after.step(load))
    assert old.semantic == new.semantic
    assert old.operational != new.operational


def test_new_and_removed_steps_are_named() -> None:
    smaller = {"objects": PLAN["objects"][:1]}
    added = [one for one in compare(schedule_of(smaller), schedule_of(PLAN)) if not one.field]
    removed = [one for one in compare(schedule_of(PLAN), schedule_of(smaller)) if not one.field]
    assert {str(one).rpartition(": ")[2] for one in added} == {"new"}
    assert {str(one).rpartition(": ")[2] for one in removed} == {"removed"}
    assert {one.step for one in added} == {one.step for one in removed}


def test_a_started_step_takes_new_settings_and_keeps_everything_else() -> None:
    before = schedule_of(PLAN)
    after = schedule_of(with_account(locks={"max_in_flight": 2}, where="Name != 'x'"))
    load = next(one for one in before.steps if isinstance(one, LoadStep))
    extract = load.source_extract
    made = merged(before, after, frozenset({load.id, extract}))
    kept = made.step(load.id)
    assert isinstance(kept, LoadStep)
    assert kept == replace(load, max_in_flight=2)
    assert made.step(extract) == before.step(extract), "what has begun reads what it read"
    assert merged(before, after, frozenset()) == after


def test_operational_names_are_fields_of_steps() -> None:
    known = {
        one.name for kind in (ExtractStep, MatchStep, LoadStep, LinkStep, VerifyStep) for one in fields(kind)
    }
    assert known >= OPERATIONAL


# -- schema drift


@pytest.fixture
def schedule() -> Schedule:
    return schedule_of(PLAN)


def changed(sobject: str, **words: str | None) -> OrgSchema:
    """The org after an administrator changed fields; None: removed."""
    facts = {**SCHEMA[sobject], **{key: word for key, word in words.items() if word is not None}}
    for key, word in words.items():
        if word is None:
            del facts[key]
    return org({**SCHEMA, sobject: facts})


def found_by(
    schedule: Schedule, now: OrgSchema, kind: type = LoadStep, side: Side = Side.TARGET
) -> dict[str, Harm]:
    used = used_schema(schedule, side, org(SCHEMA))
    step = next(one for one in schedule.steps if isinstance(one, kind) and (side, "Account") in uses(one))
    ((_, sobject),) = (one for one in uses(step) if one[0] is side)
    return {one.what: one.harm for one in drift(step, side, sobject, used[sobject], now.sobject(sobject))}


def test_nothing_changed(schedule: Schedule) -> None:
    assert found_by(schedule, org(SCHEMA)) == {}
    assert found_by(schedule, org(SCHEMA), ExtractStep, Side.SOURCE) == {}


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ({"Industry": None}, "Account.Industry is gone, or the user may not see it"),
        ({"Industry": "string"}, "Account.Industry was of type picklist and is of type string"),
        ({"Name": "string length=80 required"}, "Account.Name is shorter: length was 255 and is 80"),
        ({"Industry": "picklist updateonly"}, "Account.Industry cannot be set on new records any more"),
        ({"Industry": "picklist insertonly"}, "Account.Industry cannot be set on existing records any more"),
        ({"Industry": "picklist required"}, "Account.Industry is now required"),
        ({"Industry": "picklist unique"}, "Account.Industry is now unique"),
        ({"Key__c": "string length=18 external"}, "Account.Key__c is not unique any more"),
        ({"Key__c": "string length=18 unique"}, "Account.Key__c is no external id any more"),
        ({"New__c": "string required"}, "Account.New__c is now required on new records, and is not sent"),
    ],
)
def test_what_could_do_harm_blocks_the_step(
    schedule: Schedule, words: dict[str, str | None], what: str
) -> None:
    found = found_by(schedule, changed("Account", **words))
    assert found.get(what) is Harm.BLOCKING, found


def test_a_lookup_that_lost_its_object_blocks_the_link_step(schedule: Schedule) -> None:
    found = found_by(schedule, changed("Account", ParentId="->User"), LinkStep)
    assert found == {"Account.ParentId cannot look up Account any more": Harm.BLOCKING}


def test_an_sobject_that_is_gone_blocks_everything(schedule: Schedule) -> None:
    gone = org({"Contact": SCHEMA["Contact"]})
    for kind, side in ((LoadStep, Side.TARGET), (ExtractStep, Side.SOURCE)):
        assert set(found_by(schedule, gone, kind, side).values()) == {Harm.BLOCKING}


def test_what_is_worth_a_word(schedule: Schedule) -> None:
    now = org(SCHEMA)
    account = now.sobjects["Account"]
    listed = replace(field("Industry", "picklist"), picklist_values=("Tech",), label="Branch")
    now = replace(
        now,
        sobjects={**now.sobjects, "Account": replace(account, fields={**account.fields, "Industry": listed})},
    )
    assert found_by(schedule, now) == {
        "Account.Industry has other values than before": Harm.WARN,
        "Account.Industry has another label": Harm.WARN,
    }


def test_what_does_no_harm(schedule: Schedule) -> None:
    assert found_by(schedule, changed("Account", Extra__c="string")) == {}
    wider = found_by(schedule, changed("Account", Key__c="string length=40 external unique"))
    assert set(wider.values()) == {Harm.BENIGN}
    # a source field that grew shorter, or may not be written there, still reads as before
    assert (
        found_by(schedule, changed("Account", Name="string length=10 readonly"), ExtractStep, Side.SOURCE)
        == {}
    )
