"""Bad input: a clear diagnostic with its place, exit code 2, and nothing sent."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.world import Told, World

SCHEMA = """
objects:
  Account:
    fields:
      Legacy_Id__c: {type: text, length: 18, unique: true, external_id: true}
      Plain__c: {type: text, length: 18}
  Egg__c:
    label: Egg
    fields:
      Hen__c: {type: lookup, to: Hen__c, required: true}
  Hen__c:
    label: Hen
    fields:
      Egg__c: {type: lookup, to: Egg__c, required: true}
"""
HEAD = """version: 1
name: bad
source: {org: legacy}
target: {org: merged}
objects:
"""


@dataclass(frozen=True)
class Bad:
    """A plan's objects, and what must be said of them: a code, its line and column, and words of it."""

    objects: str
    code: str
    line: int
    column: int
    words: tuple[str, ...]


CASES: Mapping[str, Bad] = {
    "unknown object": Bad(
        "  - object: Acount\n    operation: insert\n", "unknown-object", 6, 13, ("Acount", "Account")
    ),
    "unknown field": Bad(
        "  - object: Account\n    operation: insert\n    fields: {include: [Name, Industri]}\n",
        "unknown-field", 8, 30, ("Industri", "Industry"),
    ),
    "unknown source field": Bad(
        "  - object: Account\n    operation: insert\n    fields: {include: [Name]}\n    map: {Industry: Industri}\n",
        "unknown-field", 9, 21, ("Industri", "Industry"),
    ),
    "unknown field in where": Bad(
        "  - object: Account\n    operation: insert\n    where: Industri = 'x'\n    fields: {include: [Name]}\n",
        "unknown-field", 8, 12, ("Industri", "Industry"),
    ),
    "not createable": Bad(
        "  - object: Account\n    operation: insert\n    fields: {include: [Name]}\n    map: {CreatedDate: CreatedDate}\n",
        "field-not-createable", 9, 24, ("CreatedDate",),
    ),
    "missing required": Bad(
        "  - object: Account\n    operation: insert\n    fields: {include: [Industry]}\n",
        "required-field-missing", 8, 5, ("Name",),
    ),
    "no external id": Bad(
        "  - object: Account\n    operation: upsert\n    external_id: Plain__c\n    fields: {include: [Name, Plain__c]}\n",
        "external-id-invalid", 8, 18, ("Plain__c", "Legacy_Id__c"),
    ),
    "dangling lookup": Bad(
        "  - object: Contact\n    operation: insert\n    fields: {include: [LastName, AccountId]}\n",
        "dangling-lookup", 6, 5, ("AccountId", "Account"),
    ),
    "cycle without a way out": Bad(
        "  - object: Egg__c\n    operation: insert\n    fields: {include: [Name, Hen__c]}\n"
        "  - object: Hen__c\n    operation: insert\n    fields: {include: [Name, Egg__c]}\n",
        "cycle-unbreakable", 6, 5, ("Egg__c", "Hen__c"),
    ),
}  # fmt: skip


@pytest.fixture
def schema() -> str:
    """Both orgs' schema."""
    return SCHEMA


def _nothing_was_sent(world: World) -> None:
    for org in (world.source, world.target):
        assert org.written == []
        assert list(org.truth.events()) == []
    assert not world.state.exists()


def _refused(world: World, told: Told, code: str, place: str, words: tuple[str, ...]) -> None:
    assert told.code == 2, told
    line = next((one for one in told.err.split("\n") if one.startswith(f"error[{code}]")), "")
    assert line, told
    assert re.match(rf"error\[{code}\] \S*{re.escape(place)} ", line), line
    assert "→" in line, f"no hint: {line}"
    for word in words:
        assert word in line
    assert "Traceback" not in told.err
    _nothing_was_sent(world)


@pytest.mark.parametrize("command", ["plan", "run"])
@pytest.mark.parametrize("name", CASES)
def test_what_the_orgs_do_not_take_is_told_before_anything_is_sent(
    world: World, name: str, command: str
) -> None:
    bad = CASES[name]
    told = world.call(command, world.plan(HEAD + bad.objects))
    _refused(world, told, bad.code, f"plan.yaml:{bad.line}:{bad.column}", bad.words)


def test_validate_says_the_same_with_snapshots(world: World) -> None:
    plan = world.plan(HEAD + "  - object: Account\n    operation: insert\n    fields: {include: [Name]}\n")
    schemas = (
        "--save-target-schema",
        world.folder / "t.json",
        "--save-source-schema",
        world.folder / "s.json",
    )
    assert world.call("plan", plan, *schemas).code == 0
    given = ("--target-schema", world.folder / "t.json", "--source-schema", world.folder / "s.json")
    for name, bad in CASES.items():
        if "object: Account" not in bad.objects:
            continue
        asked = len(world.target.asked)
        told = world.call("validate", world.plan(HEAD + bad.objects), *given)
        _refused(world, told, bad.code, f"plan.yaml:{bad.line}:{bad.column}", bad.words)
        assert len(world.target.asked) == asked, name


def test_a_filter_that_only_the_org_refuses_is_told_at_its_place(world: World) -> None:
    objects = "  - object: Account\n    operation: insert\n    where: NumberOfEmployees = 'many'\n    fields: {include: [Name]}\n"
    told = world.call("plan", world.plan(HEAD + objects))
    _refused(world, told, "where-refused", "plan.yaml:8:12", ("INVALID_FIELD",))


@pytest.mark.parametrize("command", ["validate", "plan", "run"])
def test_an_empty_plan_is_refused(world: World, command: str) -> None:
    told = world.call(command, world.plan(""))
    assert (told.code, "file-empty" in told.err) == (2, True), told
    told = world.call(command, world.plan(HEAD + "  []\n"))
    assert (told.code, "plan.yaml:" in told.err) == (2, True), told
    told = world.call(command, world.plan(HEAD.replace("objects:\n", "")))
    assert (told.code, "error[missing-key]" in told.err) == (2, True), told
    _nothing_was_sent(world)


def test_source_and_target_of_one_alias_are_refused_offline(world: World) -> None:
    text = HEAD.replace("merged", "legacy") + CASES["not createable"].objects
    for command in ("validate", "plan", "run"):
        _refused(world, world.call(command, world.plan(text)), "same-org", "plan.yaml:4:15", ())
    assert world.source.asked == []


def test_two_aliases_of_one_org_are_refused(world: World) -> None:
    url = world.servers[0].url
    world.orgs({"legacy": url, "merged": url.replace("127.0.0.1", "localhost")})
    plan = world.plan(HEAD + "  - object: Account\n    operation: insert\n    fields: {include: [Name]}\n")
    for command in ("plan", "run"):
        _refused(world, world.call(command, plan), "same-org", "plan.yaml:4:1", ())


def test_everything_is_said_in_one_go(world: World) -> None:
    names = ("unknown object", "dangling lookup", "cycle without a way out")
    told = world.call("plan", world.plan(HEAD + "".join(CASES[name].objects for name in names)))
    assert told.code == 2
    found = re.findall(r"^error\[([a-z-]+)\] \S+plan\.yaml:(\d+)", told.err, re.MULTILINE)
    assert found == [
        ("unknown-object", "6"),  # in the source
        ("unknown-object", "6"),  # in the target
        ("dangling-lookup", "8"),
        ("cycle-unbreakable", "11"),
    ], told
    _nothing_was_sent(world)


FILES = """version: 1
name: files
source: {files: data}
target: {org: merged}
objects:
  - object: Account
    operation: upsert
    external_id: Legacy_Id__c
    fields: {include: [Name, Legacy_Id__c]}
"""
BROKEN: Mapping[str, tuple[bytes, str, int]] = {
    "ragged": (b"Legacy_Id__c,Name\n1,One\n2,Two,Three\n", "csv-ragged", 3),
    "ragged after a quoted line end": (b'Legacy_Id__c,Name\n1,"One\nand"\n2\n', "csv-ragged", 4),
    "unclosed quote": (b'Legacy_Id__c,Name\n1,One\n2,"Two\n3,Three\n', "csv-quote", 3),
    "NUL": (b"Legacy_Id__c,Name\n1,One\n2,T\x00wo\n", "csv-nul", 3),
    "encoding": (b"Legacy_Id__c,Name\n1,One\n2,Zw\xf6i\n", "csv-encoding", 3),
    "other delimiter": (b"Legacy_Id__c;Name\n1;One\n", "csv-delimiter", 1),
    "column twice": (b"Name,Name\n1,One\n", "csv-header", 1),
    "nothing": (b"", "csv-header", 1),
}


@pytest.mark.parametrize("command", ["validate", "plan", "run"])
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_told_with_its_line(world: World, name: str, command: str) -> None:
    content, code, line = BROKEN[name]
    (world.folder / "data").mkdir()
    (world.folder / "data/Account.csv").write_bytes(content)
    told = world.call(command, world.plan(FILES))
    _refused(world, told, code, f"Account.csv:{line}", ())


def test_all_problems_of_a_file_come_at_once(world: World) -> None:
    (world.folder / "data").mkdir()
    (world.folder / "data/Account.csv").write_bytes(b"Legacy_Id__c,Name\n1\n2,Two\n3,x,y\n4,T\x00\n")
    told = world.call("validate", world.plan(FILES))
    assert told.code == 2
    found = re.findall(r"^error\[([a-z-]+)\] \S+Account\.csv:(\d+)", told.err, re.MULTILINE)
    assert found == [("csv-ragged", "2"), ("csv-ragged", "4"), ("csv-nul", "5")], told


def test_a_missing_file_is_told_at_its_object(world: World) -> None:
    for command in ("validate", "plan", "run"):
        told = world.call(command, world.plan(FILES))
        _refused(world, told, "source-file-missing", "plan.yaml:6:5", ("Account.csv",))


def test_a_folder_in_the_place_of_a_file_is_told(world: World) -> None:
    (world.folder / "data" / "Account.csv").mkdir(parents=True)
    told = world.call("run", world.plan(FILES))
    assert told.code == 2, told
    _nothing_was_sent(world)


@pytest.mark.parametrize(
    "text", ["\x00", "objects: [", "version: 2\n", "a: &x 1\nb: *x\n", "- 1\n", "\ufeff"]
)
def test_what_is_no_plan_is_told(world: World, text: str, tmp_path: Path) -> None:
    for command in ("validate", "run"):
        told = world.call(command, world.plan(text))
        assert told.code == 2, told
        assert re.search(r"error\[[a-z-]+\] \S*plan\.yaml", told.err), told
