"""Plans that are right, and what every plan gets."""

from pathlib import Path

from migrator.model.plan import FieldRule, FilesEnd, Operation, OrgEnd, Otherwise, WhenMissing
from migrator.planfile import load_plan, load_yaml

CUTOVER = """\
version: 1
name: emea-cutover
description: Move the EMEA book of business
source: {org: legacy}
target: {org: merged, expect: {organization_id: 00D000000000001EAA, production: false}}
variables: {region: EMEA}
objects:
  - object: User
    match: {on: Username, transform: "{{ value }}.merged"}
  - object: Account
    operation: upsert
    external_id: Legacy_Id__c
    where: "Region__c = '{{ region }}'"
    fields: {include: [all], exclude: [Rating]}
    map:
      Legacy_Id__c: Id
      Industry: {from: Industry, values: {Tech: Technology, 7: 1.50}, otherwise: null}
      Phone: {from: Phone, mask: phone, truncate: 20}
      Active__c: {value: true}
    relationships:
      ParentId: {when_missing: link}
      OwnerId: {via: User, when_missing: {default: "migration@acme.example"}}
  - object: Contact
    operation: insert
    follow: AccountId
    locks: {group_by: AccountId}
    after: [Account]
verify: {counts: off, fields: all}
"""


def test_a_whole_plan() -> None:
    plan, found = load_plan("cutover.yaml", {}, text=CUTOVER)
    assert found == []
    assert plan is not None
    assert (plan.source, plan.target) == (OrgEnd("legacy"), OrgEnd("merged"))
    assert (plan.expect.organization_id, plan.expect.production) == ("00D000000000001EAA", False)
    user, account, contact = plan.objects
    assert (user.operation, user.match and user.match.on) == (Operation.REFERENCE, ("Username",))
    assert (account.where, account.fields.exclude) == ("Region__c = 'EMEA'", ("Rating",))
    rules = {rule.target: rule for rule in account.map}
    assert list(rules) == sorted(rules)
    assert rules["Legacy_Id__c"] == FieldRule("Legacy_Id__c", source="Id")
    assert rules["Industry"].values == {"7": "1.50", "Tech": "Technology"}
    assert rules["Industry"].otherwise is Otherwise.NULL
    assert (rules["Phone"].mask, rules["Phone"].truncate) == ("phone", 20)
    assert rules["Active__c"].value == "true"
    owner, parent = account.relationships
    assert (owner.via, owner.when_missing, owner.default) == (
        "User",
        WhenMissing.DEFAULT,
        "migration@acme.example",
    )
    assert parent.when_missing is WhenMissing.LINK
    assert (contact.follow, contact.locks.group_by, contact.after, contact.key) == (
        "AccountId",
        "AccountId",
        ("Account",),
        ("Id",),
    )
    assert (plan.verify.counts, plan.verify.sample) == (False, None)


def test_variables_come_from_outside_too() -> None:
    plan, found = load_plan("cutover.yaml", {"region": "O'Brien's"}, text=CUTOVER)
    assert found == []
    assert plan is not None
    assert plan.objects[1].where == "Region__c = 'O\\'Brien\\'s'"


def test_a_plan_over_files(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(
        "version: 1\nname: files\nsource: {files: ./data, delimiter: ;}\ntarget: {org: t}\n"
        "objects:\n  - {object: A__c, operation: insert, file: a.csv, key: [x, y]}\n"
    )
    plan, found = load_plan(str(path), {})
    assert found == []
    assert plan is not None
    assert plan.source == FilesEnd("./data", ";")
    assert (plan.objects[0].file, plan.objects[0].key) == ("a.csv", ("x", "y"))


def test_places_are_those_of_values_and_of_keys_that_open_something() -> None:
    plan, _ = load_plan("cutover.yaml", {}, text=CUTOVER)
    assert plan is not None
    assert str(plan.place("name")) == "cutover.yaml:2:7"
    assert str(plan.place("objects", 1)) == "cutover.yaml:10:5"
    assert str(plan.place("objects", 1, "map")) == "cutover.yaml:15:5"
    assert str(plan.place("objects", 1, "map", "Phone", "mask", "unknown")) == "cutover.yaml:18:34"


def test_the_digest_is_that_of_the_meaning() -> None:
    def digest(text: str) -> str:
        plan, found = load_plan("p.yaml", {}, text=text)
        assert plan is not None
        assert found == []
        return plan.digest

    turned = CUTOVER.replace(
        "version: 1\nname: emea-cutover\n", "# moved\nname: 'emea-cutover'\nversion: 1\n"
    )
    assert digest(turned) == digest(CUTOVER)
    assert digest(CUTOVER.replace("EMEA book", "other book")) == digest(CUTOVER)
    assert digest(CUTOVER.replace("[Rating]", "[Site]")) != digest(CUTOVER)
    assert digest(CUTOVER.replace("region: EMEA", "region: APAC")) != digest(CUTOVER)


def test_other_files_are_read_as_strictly() -> None:
    schema = {"type": "object", "additionalProperties": False, "properties": {"a": {"type": "integer"}}}
    value, places, found = load_yaml("x.yaml", text="a: one\nb: 2\n", schema=schema)
    assert value == {}
    assert str(places[("a",)]) == "x.yaml:1:4"
    assert [(each.code, str(each.where)) for each in found] == [
        ("wrong-type", "x.yaml:1:4"),
        ("unknown-key", "x.yaml:2:1"),
    ]
