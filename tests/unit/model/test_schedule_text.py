"""The schedule's text: lossless, and strict about what it reads."""

import json

import pytest

from migrator.errors import MigratorError
from migrator.model.plan import FieldRule, Match, Operation, Otherwise, RelationshipRule, WhenMissing
from migrator.model.schedule import (
    ColumnSpec,
    Edge,
    Estimate,
    ExtractStep,
    Guarantee,
    Lane,
    LinkStep,
    LoadStep,
    LookupSpec,
    MatchStep,
    Schedule,
    Side,
    VerifyStep,
)
from migrator.model.schedule_text import dump_schedule, parse_schedule

RULE = FieldRule(
    "A__c",
    expression="{{ 'ü' }}",
    values={"b": "1", "a": "2"},
    otherwise=Otherwise.DEFAULT,
    default="",
    truncate=0,
    reads=("x",),
)
LOOKUP = LookupSpec(
    RelationshipRule("P__c", default="k", when_missing=WhenMissing.DEFAULT), ("P",), WhenMissing.DEFAULT
)
SCHEDULE = Schedule(
    plan_name="every kind",
    plan_digest="d",
    steps=(
        ExtractStep(
            "extract.A", "A", "A__c", Side.SOURCE, ("Id", "x"), file="a.csv", delimiter=";", expected=0
        ),
        ExtractStep("extract.P.target", "P", "P__c", Side.TARGET, ("Id",), soql="SELECT Id FROM P__c"),
        MatchStep("match.P", "P", "P__c", "extract.P", "extract.P.target", Match(("Name",), None), ("Id",)),
        LoadStep(
            "load.A",
            "A",
            "A__c",
            "a01",
            Operation.UPSERT,
            Guarantee.UPSERT,
            Lane.REST,
            "extract.A",
            (),
            (ColumnSpec(RULE, "string", 80, required=True),),
            (LOOKUP,),
            external_id="A__c",
            max_slice_rows=2_000,
        ),
        LinkStep("link.A", "A", "A__c", "a01", "load.A", (LOOKUP,), Lane.BULK2, max_slice_rows=0, expected=7),
        VerifyStep(
            "verify.A", "A", "A__c", "load.A", ("link.A",), "SELECT Id FROM A__c", ("Id",), sample=None
        ),
    ),
    edges=(Edge("extract.A", "load.A", "sends what was extracted"),),
    decisions=("one",),
    estimate=Estimate(None, 1, 2, 0.5),
)


def test_every_kind_of_step_survives() -> None:
    again = parse_schedule(dump_schedule(SCHEDULE))
    assert again == SCHEDULE
    assert dump_schedule(again) == dump_schedule(SCHEDULE)


def test_the_text_is_json_for_people() -> None:
    body = json.loads(dump_schedule(SCHEDULE))
    assert body["schedule"] == 1
    assert [step["kind"] for step in body["steps"]] == [
        "extract",
        "extract",
        "match",
        "load",
        "link",
        "verify",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"schedule": 2}',
        '{"schedule": 1}',
        '{"schedule": 1, "plan_name": 3, "plan_digest": "", "steps": [], "edges": []}',
        '{"schedule": 1, "plan_name": "", "plan_digest": "", "steps": {}, "edges": []}',
        '{"schedule": 1, "plan_name": "", "plan_digest": "", "steps": [{"kind": "drop"}], "edges": []}',
        '{"schedule": 1, "plan_name": "", "plan_digest": "", "steps": [{"kind": "verify"}], "edges": []}',
        '{"schedule": 1, "plan_name": "", "plan_digest": "", "steps": [], "edges": [], "more": 1}',
    ],
)
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(MigratorError) as caught:
        parse_schedule(text)
    assert caught.value.code == "schedule-unreadable"
