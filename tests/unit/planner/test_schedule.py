"""What case files cannot show: a plan as it is written in YAML, and a very large one."""

import time

from migrator.model.schedule import LinkStep, LoadStep
from migrator.planfile import load_plan
from migrator.planner import make_schedule
from tests.planner.builders import org, plan

PLAN = """\
version: 1
name: from-yaml
source: {org: old}
target: {org: new}
objects:
  - object: Contact
    operation: insert
    relationships:
      AccountId: {via: Account}
    fields:
      include: [LastName, Emial]
    locks: {group_by: AcountId}
  - object: Account
    operation: upsert
    external_id: Name
"""


def test_diagnostics_stand_where_the_yaml_is_wrong() -> None:
    made, problems = load_plan("plans/from.yaml", {}, text=PLAN)
    assert made is not None
    assert problems == []
    schema = org(
        {
            "Account": {"Name": "string required"},
            "Contact": {"LastName": "string required", "AccountId": "->Account", "Email": "email"},
        }
    )
    schedule, found = make_schedule(made, source=schema, target=schema, counts={})
    assert schedule is None
    assert [(one.code, one.where.line) for one in found] == [
        ("unknown-field", 11),
        ("not-a-relationship", 12),
        ("external-id-invalid", 15),
    ]


def test_three_thousand_objects_are_scheduled() -> None:
    size = 3_000
    names = [f"Obj{number:04}__c" for number in range(size)]
    text_fields = {f"Text{number}__c": "string" for number in range(15)}
    schema = org(
        {
            name: {
                "Name": "string required",
                **text_fields,
                # a tree, with a cycle back from its root's first children, and hierarchies
                "Parent__c": f"->{names[at // 3]}",
                "Other__c": f"->{names[at // 2]} required" if at > 1 else "string",
                "Back__c": f"->{names[(at * 5) % size]}" if at % 100 == 0 else "string",
            }
            for at, name in enumerate(names)
        }
    )
    made = plan({"objects": [{"object": name} for name in reversed(names)]})
    started = time.perf_counter()
    schedule, found = make_schedule(made, source=schema, target=schema, counts={})
    print(f"{size} objects: {time.perf_counter() - started:.1f} s")
    assert found == []
    assert schedule is not None
    assert sum(isinstance(step, LoadStep) for step in schedule.steps) == size
    assert 0 < sum(isinstance(step, LinkStep) for step in schedule.steps) < 100
