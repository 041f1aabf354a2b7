"""What `resolve` finds out about a plan's expressions."""

from migrator.planfile import load_plan
from migrator.transforms import resolve

PLAN = """\
version: 1
name: p
source: {org: a}
target: {org: b}
variables: {brand: "O'Neill \\\\ Söhne", value: V}
objects:
  - object: User
    match: {on: Username, transform: "{{ value }}.merged"}
  - object: Account
    operation: insert
    map:
      A__c: Id
      B__c: {expression: "{{ Name }} {{ brand }} {{ Name ~ City }}"}
      C__c: {value: "{{ brand }}"}
"""


def problems(text: str) -> list[tuple[str, int, str]]:
    plan, found = load_plan("p.yaml", {}, text=text)
    assert plan is not None
    _, more = resolve(plan)
    return [(each.code, each.where.line, each.what) for each in (*found, *more)]


def test_reads_are_filled_in_and_variables_become_texts() -> None:
    plan, _ = load_plan("p.yaml", {}, text=PLAN)
    assert plan is not None
    resolved, found = resolve(plan)
    assert found == []
    first, second, third = resolved.objects[1].map
    assert (first.reads, second.reads, third.reads) == (("Id",), ("Name", "City"), ())
    assert second.expression == "{{ Name }} {{ 'O\\'Neill \\\\ Söhne' }} {{ Name ~ City }}"
    assert third.value == "O'Neill \\ Söhne"
    match = resolved.objects[0].match
    assert match is not None
    assert match.transform == "{{ value }}.merged"
    assert resolved.digest == plan.digest


def test_faulty_expressions_are_told_with_both_places() -> None:
    text = PLAN.replace("{{ Name ~ City }}", "{{ Name | uper }}").replace("{{ value }}.merged", "{{ Alias }}")
    text += '      D__c: {expression: "Name"}\n'
    assert [(code, line) for code, line, _ in problems(text)] == [
        ("expression-name", 8),
        ("expression-forbidden", 13),
        ("expression-constant", 15),
    ]
    assert "line 1, column 34 of the expression" in problems(text)[1][2]
