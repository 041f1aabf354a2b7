"""The schedule as JSON and as a picture; its text is what the case files show."""

import json

from migrator.model.schedule import Schedule
from migrator.planner import Explanation, make_schedule
from tests.planner.builders import org, plan

SCHEMA = org(
    {
        "User": {"Username": "string unique idlookup"},
        "Account": {"Name": "string required", "ParentId": "->Account", "OwnerId": "->User defaulted"},
        "Contact": {"LastName": "string required", "AccountId": "->Account", "Second__c": "->Account"},
    }
)
DOCUMENT = {
    "objects": [
        {"object": "User", "match": {"on": ["Username"]}},
        {"object": "Account"},
        {"object": "Contact"},
    ]
}


def example() -> Schedule:
    schedule, found = make_schedule(
        plan(DOCUMENT), source=SCHEMA, target=SCHEMA, counts={"Account": 5, "Contact": 30_000}
    )
    assert schedule is not None
    assert found == []
    return schedule


def test_json_has_every_step_with_its_reasons_and_cost() -> None:
    schedule = example()
    told = Explanation(schedule).json()
    assert json.loads(json.dumps(told)) == told
    assert [one["id"] for one in told["steps"]] == [one.id for one in schedule.steps]
    load = next(one for one in told["steps"] if one["id"] == "load.Contact")
    assert load["slices"] == 3
    assert load["batches"] == 3
    assert load["lane"] == "bulk2"
    assert {one["step"]: one["reason"] for one in load["waits_for"]} == {
        "extract.Contact": "sends what was extracted",
        "load.Account": "Contact.AccountId looks up Account; Contact.Second__c looks up Account",
    }
    assert told["estimate"]["rows"] == 30_005
    assert told["estimate"]["requests"] == sum(one["requests"] for one in told["steps"])


def test_mermaid_shows_what_is_matched_loaded_and_linked() -> None:
    lines = Explanation(example()).mermaid().splitlines()
    assert lines[0] == "flowchart LR"
    assert sum("-->" in line for line in lines) == 3
    assert any('{{"link.Account<br/>fill ParentId of Account<br/>rest, M"}}' in line for line in lines)
    assert any('|"Contact.AccountId, Contact.Second__c"|' in line for line in lines)
    assert not any("extract" in line.split("<br/>")[0] for line in lines)


def test_text_numbers_the_steps_and_lists_decisions() -> None:
    text = Explanation(example()).text()
    assert "Decisions\n  - cycle Account.ParentId → Account is opened" in text
    assert not any(line.endswith(" ") for line in text.splitlines())
