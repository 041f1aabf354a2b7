"""Master-detail relationships and roll-up summaries: whatever is done to details, the masters' figures are those of a fresh look."""

import random
from typing import Any

import pytest

from migrator.clock import VirtualClock
from migrator.simulator import Org, OrgSettings, load_schema
from migrator.simulator.records.compile import Operation
from migrator.simulator.records.context import Context
from migrator.simulator.records.execution import Effect, Saved
from migrator.simulator.records.results import RowError
from migrator.simulator.records.truth import Change
from migrator.simulator.savepoint import Savepoint
from migrator.simulator.schema.files import SchemaInvalid
from tests.unit.simulator.apis import APIS, Said, Sender

PAID = [{"field": "Paid__c", "operation": "equals", "value": True}]
BIG = [{"field": "Amount__c", "operation": "greaterOrEqual", "value": 50}]


def summary(operation: str, field: str = "", filters: Any = ()) -> dict[str, Any]:
    return {
        "type": "summary",
        "of": "Line__c.Bill__c",
        "operation": operation,
        "field": field,
        "filters": filters,
    }


SCHEMA: dict[str, Any] = {
    "objects": {
        "Folder__c": {
            "fields": {
                "Worth__c": {
                    "type": "summary",
                    "of": "Bill__c.Folder__c",
                    "operation": "sum",
                    "field": "Total__c",
                }
            }
        },
        "Bill__c": {
            "fields": {
                "Folder__c": {"type": "master_detail", "to": "Folder__c"},
                "Ext__c": {"type": "text", "length": 10, "unique": True, "external_id": True},
                "Lines__c": summary("count"),
                "Paid_Lines__c": summary("count", filters=PAID),
                "Total__c": summary("sum", "Amount__c"),
                "Paid_Total__c": summary("sum", "Amount__c", [*PAID, *BIG]),
                "Least__c": summary("min", "Amount__c"),
                "Last__c": summary("max", "Day__c", PAID),
            }
        },
        "Line__c": {
            "fields": {
                "Bill__c": {"type": "master_detail", "to": "Bill__c", "reparentable": True},
                "Amount__c": {"type": "currency", "precision": 12, "scale": 2},
                "Day__c": {"type": "date"},
                "Paid__c": {"type": "checkbox"},
            }
        },
        "Note__c": {"fields": {"Bill__c": {"type": "master_detail", "to": "Bill__c"}}},
        "Account": {
            "fields": {
                "Won__c": {
                    "type": "summary",
                    "of": "Opportunity.AccountId",
                    "operation": "sum",
                    "field": "Amount",
                    "filters": [{"field": "IsWon", "operation": "equals", "value": True}],
                }
            }
        },
    }
}
FIGURES = ("Lines__c", "Paid_Lines__c", "Total__c", "Paid_Total__c", "Least__c", "Last__c")


@pytest.fixture
def org() -> Org:
    return Org(load_schema(SCHEMA), OrgSettings(), VirtualClock())


def bills(org: Org, count: int) -> list[str]:
    send = Sender(org, "collections")
    (folder,) = send("insert", "Folder__c", {"Name": "f"})
    return [
        each.id
        for each in send(
            "insert", "Bill__c", *({"Folder__c": folder.id, "Ext__c": f"e{n}"} for n in range(count))
        )
    ]


def figures(org: Org, bill: str) -> list[str]:
    table = org.store.table("Bill__c")
    return [table.cell(table.seq_of(bill), name) for name in FIGURES]


def expected(org: Org, bill: str) -> list[str]:
    """The same from a look at all lines."""
    table = org.store.table("Line__c")
    rows = [table.get(seq) for seq in table.scan()]
    own = [row for row in rows if row["Bill__c"] == bill]
    paid = [row for row in own if row["Paid__c"] == "true"]
    amounts = [float(row["Amount__c"]) for row in own if "Amount__c" in row]
    big = [float(row["Amount__c"]) for row in paid if float(row.get("Amount__c", 0)) >= 50]
    return [
        f"{len(own)}.0",
        f"{len(paid)}.0",
        str(float(sum(amounts))),
        str(float(sum(big))),
        str(min(amounts)) if amounts else "",
        max((row["Day__c"] for row in paid if "Day__c" in row), default=""),
    ]


@pytest.mark.parametrize("api", APIS)
def test_masters_follow_their_details(org: Org, api: str) -> None:
    one, two = bills(org, 2)
    send = Sender(org, api)
    said = send(
        "insert",
        "Line__c",
        {"Bill__c": one, "Amount__c": "10.5", "Paid__c": "true", "Day__c": "2024-01-02"},
        {"Bill__c": one, "Amount__c": "99.5", "Paid__c": "true", "Day__c": "2024-01-05"},
        {"Bill__c": two, "Amount__c": "7"},
        {"Bill__c": two},
    )
    assert figures(org, one) == ["2.0", "2.0", "110.0", "99.5", "10.5", "2024-01-05"]
    assert figures(org, two) == ["2.0", "0.0", "7.0", "0.0", "7.0", ""]
    send("update", "Line__c", {"Id": said[0].id, "Bill__c": two}, {"Id": said[1].id, "Amount__c": "60"})
    assert figures(org, one) == ["1.0", "1.0", "60.0", "60.0", "60.0", "2024-01-05"]
    assert figures(org, two) == ["3.0", "1.0", "17.5", "0.0", "7.0", "2024-01-02"]
    send("update", "Line__c", {"Id": said[1].id, "Paid__c": "false", "Amount__c": None})
    assert figures(org, one) == ["1.0", "0.0", "0.0", "0.0", "", ""]
    send("delete", "Line__c", {"Id": said[2].id})
    assert figures(org, two) == expected(org, two)
    folder = org.store.table("Folder__c")
    assert folder.cell(1, "Worth__c") == "10.5"
    refused = send("update", "Bill__c", {"Id": one, "Total__c": "1"})[0]
    assert (refused.code, refused.fields) == ("INVALID_FIELD_FOR_INSERT_UPDATE", ("Total__c",))


@pytest.mark.parametrize("api", APIS)
def test_a_detail_keeps_its_master_unless_it_is_reparentable(org: Org, api: str) -> None:
    one, two = bills(org, 2)
    send = Sender(org, api)
    (note,) = send("insert", "Note__c", {"Bill__c": one})
    assert send("insert", "Note__c", {"Name": "x"})[0].code == "REQUIRED_FIELD_MISSING"
    refused = send("update", "Note__c", {"Id": note.id, "Bill__c": two})[0]
    assert (refused.code, refused.fields) == ("INVALID_FIELD_FOR_INSERT_UPDATE", ("Bill__c",))
    record = (
        {"Id": note.id, "Bill__r": {"Ext__c": "e1"}}
        if api in {"rest", "collections"}
        else {"Id": note.id, "Bill__r.Ext__c": "e1"}
    )
    assert send("update", "Note__c", record)[0].code == "INVALID_FIELD_FOR_INSERT_UPDATE"
    (line,) = send("insert", "Line__c", {"Bill__c": one})
    assert send("update", "Line__c", {"Id": line.id, "Bill__c": two})[0].code == ""
    assert send("update", "Line__c", {"Id": line.id, "Bill__c": None})[0].code == "REQUIRED_FIELD_MISSING"
    send("delete", "Folder__c", {"Id": org.store.table("Folder__c").id_of(1)})
    assert [len(org.store.table(name)) for name in ("Folder__c", "Bill__c", "Line__c", "Note__c")] == [
        0,
        0,
        0,
        0,
    ]


def test_random_changes_in_bulk_with_rollbacks(org: Org) -> None:
    chance = random.Random(11)  # noqa: S311 - repeatable
    parents = bills(org, 12)
    line = org.schema.sobject("Line__c")
    assert line is not None
    columns = ["Bill__c", "Amount__c", "Paid__c", "Day__c"]
    insert = org.dml.compile(line, columns, Operation.INSERT, null_marker="#N/A")
    update = org.dml.compile(line, ["Id", *columns], Operation.UPDATE, null_marker="#N/A")
    context = Context(org.user_id, org.now(), "test")
    table = org.store.table("Line__c")

    def cells() -> list[str]:
        return [
            chance.choice(parents),
            chance.choice(["", "#N/A", str(chance.randrange(1000) / 10)]),
            chance.choice(["true", "false", ""]),
            chance.choice(["", "#N/A", f"2024-01-{chance.randrange(1, 29):02d}"]),
        ]

    def change() -> None:
        there = list(table.scan())
        match chance.choice("iiud"):
            case "i":
                org.dml.execute(insert, [cells() for _ in range(chance.randrange(1, 120))], context)
            case "u" if there:
                some = chance.sample(there, min(len(there), 60))
                org.dml.execute(update, [[table.id_of(seq), *cells()] for seq in some], context)
            case "d" if there:
                some = chance.sample(there, min(len(there), 40))
                org.dml.delete(table.ids_of(some), context)

    for _ in range(25):
        if chance.random() < 0.3:
            with Savepoint(org) as savepoint:
                for _ in range(3):
                    change()
                savepoint.rollback()
        else:
            change()
        for parent in parents:
            assert [_close(cell) for cell in figures(org, parent)] == [
                _close(cell) for cell in expected(org, parent)
            ]


def _close(cell: str) -> Any:
    return cell if not cell or "-" in cell else round(float(cell), 6)


def test_deleted_masters_come_back_with_their_figures(org: Org) -> None:
    (bill,) = bills(org, 1)
    send = Sender(org, "collections")
    send(
        "insert",
        "Line__c",
        {"Bill__c": bill, "Amount__c": 5, "Paid__c": True, "Day__c": "2024-01-01"},
        {"Bill__c": bill, "Amount__c": 6},
    )
    before = figures(org, bill)
    table, lines = org.store.table("Bill__c"), org.store.table("Line__c")
    table.index("Total__c")  # an index of the figure holds no deleted records
    send("delete", "Bill__c", {"Id": bill})
    assert not table.find("Total__c", figures(org, bill)[2])
    assert not org.dml.recycle_bin.undelete([bill], Context(org.user_id, org.now())).errors
    assert [lines.exists(seq) for seq in (1, 2)] == [True, True]
    assert figures(org, bill) == before
    assert table.find("Total__c", "11.0") == [1]


def test_a_refused_detail_counts_for_nothing(org: Org) -> None:
    (bill,) = bills(org, 1)

    def refuse(saved: Saved) -> None:
        for place, amount in enumerate(saved.now("Amount__c")):
            if amount == "13.0":
                saved.fault(place, RowError("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "no"))

    org.dml.rules("Line__c").effects.append(Effect(refuse))
    said = Sender(org, "collections")(
        "insert", "Line__c", *({"Bill__c": bill, "Amount__c": n} for n in (12, 13, 14))
    )
    assert [each.code for each in said] == ["", "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", ""]
    assert figures(org, bill)[2] == "26.0"


def test_opportunities_roll_up_to_accounts_by_what_their_stage_implies(org: Org) -> None:
    send = Sender(org, "collections")
    (account,) = send("insert", "Account", {"Name": "a"})
    deal = {"AccountId": account.id, "Name": "d", "CloseDate": "2024-01-01", "Amount": 100}
    said = send(
        "insert", "Opportunity", {**deal, "StageName": "Closed Won"}, {**deal, "StageName": "Prospecting"}
    )
    table = org.store.table("Account")
    assert table.cell(1, "Won__c") == "100.0"
    send(
        "update",
        "Opportunity",
        {"Id": said[1].id, "StageName": "Closed Won"},
        {"Id": said[0].id, "Amount": 1},
    )
    assert table.cell(1, "Won__c") == "101.0"
    assert org.truth.count("Account", Change.UPDATED) == 0  # nobody updated it


@pytest.mark.parametrize("api", APIS)
def test_a_masters_rules_bear_upon_its_details(api: str) -> None:
    objects: dict[str, Any] = {
        "Folder__c": {
            "validation_rules": [{"name": "Limit", "formula": "Worth__c > 120", "message": "Full."}],
            "fields": SCHEMA["objects"]["Folder__c"]["fields"],
        },
        "Bill__c": {
            "validation_rules": [{"name": "Limit", "formula": "Total__c > 100", "message": "Too much."}],
            "fields": {
                "Folder__c": {"type": "master_detail", "to": "Folder__c"},
                "Total__c": summary("sum", "Amount__c"),
            },
        },
        "Line__c": SCHEMA["objects"]["Line__c"],
    }
    org = Org(load_schema({"objects": objects}), OrgSettings(), VirtualClock())
    send = Sender(org, api)
    (folder,) = send("insert", "Folder__c", {"Name": "f"})
    bill = {"Folder__c": folder.id}
    one, two = (each.id for each in send("insert", "Bill__c", {"Name": "a", **bill}, {"Name": "b", **bill}))
    too_much = Said("", "FIELD_CUSTOM_VALIDATION_EXCEPTION", "Too much.")
    full = Said("", "FIELD_CUSTOM_VALIDATION_EXCEPTION", "Full.")
    assert send("insert", "Line__c", {"Bill__c": two, "Amount__c": "101"}) == [too_much]
    (line,) = send("insert", "Line__c", {"Bill__c": one, "Amount__c": "90"})
    assert send("update", "Line__c", {"Id": line.id, "Amount__c": "101"}) == [too_much]
    assert send("insert", "Line__c", {"Bill__c": one, "Amount__c": "10"})[0].code == ""
    assert send("insert", "Line__c", {"Bill__c": two, "Amount__c": "21"}) == [full]  # two levels up
    table = org.store.table("Bill__c")
    assert [table.cell(seq, "Total__c") for seq in (1, 2)] == ["100.0", "0.0"]
    assert org.store.table("Folder__c").cell(1, "Worth__c") == "100.0"
    assert org.truth.count("Line__c") == 2


def test_a_merge_moves_what_is_summed_up(org: Org) -> None:
    send = Sender(org, "collections")
    one, two = (each.id for each in send("insert", "Account", {"Name": "a"}, {"Name": "b"}))
    deal = {"Name": "d", "CloseDate": "2024-01-01", "StageName": "Closed Won"}
    send(
        "insert",
        "Opportunity",
        {**deal, "AccountId": one, "Amount": 1},
        {**deal, "AccountId": two, "Amount": 10},
    )
    org.dml.merge(one, [two], Context(org.user_id, org.now()))
    table = org.store.table("Account")
    assert [table.cell(seq, "Won__c") for seq in (1, 2)] == ["11.0", "0.0"]


def test_seed_data_does_not_say_what_is_computed(org: Org) -> None:
    bills(org, 1)
    described = org.schema.sobject("Bill__c")
    assert described is not None
    context = Context(org.user_id, org.now())
    folder = org.store.table("Folder__c").id_of(1)
    columns = ["Name", "Folder__c", "Total__c"]
    compiled = org.dml.compile(described, columns, Operation.INSERT, trusted=True)
    (made,) = org.dml.execute(compiled, [["b", folder, "77"]], context).ids
    assert figures(org, made)[2] == "0.0"


def test_describe_of_masters_and_summaries(org: Org) -> None:
    found = Sender(org, "rest").ask("GET", "/sobjects/Bill__c/describe").json()
    fields = {each["name"]: each for each in found["fields"]}
    assert "OwnerId" not in fields
    total, last = fields["Total__c"], fields["Last__c"]
    assert (total["type"], total["calculated"], total["createable"], total["updateable"]) == (
        "currency",
        True,
        False,
        False,
    )
    assert (total["precision"], total["scale"], last["type"], fields["Lines__c"]["type"]) == (
        18,
        2,
        "date",
        "double",
    )
    assert (fields["Folder__c"]["relationshipOrder"], fields["Folder__c"]["updateable"]) == (0, False)


@pytest.mark.parametrize(
    ("objects", "text"),
    [
        (
            {"A__c": {"fields": {"S__c": {"type": "summary", "of": "B__c.A__c", "operation": "count"}}}},
            "does not refer",
        ),
        (
            {
                "A__c": {"fields": {"S__c": {"type": "summary", "of": "B__c.A__c", "operation": "count"}}},
                "B__c": {"fields": {"A__c": {"type": "lookup", "to": "A__c"}}},
            },
            "no master-detail",
        ),
        (
            {
                "A__c": {
                    "fields": {
                        "S__c": {"type": "summary", "of": "B__c.A__c", "operation": "sum", "field": "Name"}
                    }
                },
                "B__c": {"fields": {"A__c": {"type": "master_detail", "to": "A__c"}}},
            },
            "cannot sum B__c.Name",
        ),
        (
            {
                f"L{n}__c": {"fields": {"P__c": {"type": "master_detail", "to": f"L{n - 1}__c"}} if n else {}}
                for n in range(5)
            },
            "more than 3 levels",
        ),
        (
            {"A__c": {"fields": {f"M{n}__c": {"type": "master_detail", "to": "Account"} for n in range(3)}}},
            "more than 2 master",
        ),
    ],
)
def test_a_schema_that_cannot_be(objects: dict[str, Any], text: str) -> None:
    with pytest.raises(SchemaInvalid, match=text):
        load_schema({"objects": objects})
