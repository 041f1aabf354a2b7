"""SOQL answered by an org."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from migrator.clock import VirtualClock
from migrator.simulator import Org, load_schema
from migrator.simulator.http import ApiError
from migrator.simulator.query.select import bulk_rows, parse_query, run_query
from migrator.simulator.records.compile import Operation
from migrator.simulator.records.context import Context

SCHEMA = {
    "objects": {
        "Account": {"fields": {"Key__c": {"type": "text", "length": 20, "unique": True, "external_id": True}}}
    }
}
START = datetime(2026, 3, 18, 12, tzinfo=UTC).timestamp()  # a Wednesday


def load(org: Org, sobject: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    described = org.sobject(sobject)
    assert described is not None
    compiled = org.dml.compile(described, columns, Operation.INSERT)
    made = org.dml.execute(compiled, rows, Context(org.user_id, org.clock.now()))
    assert not made.errors
    return list(made.ids)


@pytest.fixture(scope="module")
def org() -> Org:
    made = Org(load_schema(SCHEMA), clock=VirtualClock(START))
    accounts = load(
        made,
        "Account",
        ["Name", "Industry", "AnnualRevenue", "NumberOfEmployees", "BillingCity", "Key__c"],
        [
            ["Alpha", "Tech", "100", "5", "Paris", "k1"],
            ["beta 50%", "Tech", "2500000000", "50", "", "k2"],
            ["Gamma", "", "", "", "Rome", "k3"],
            ["Delta_x", "Energy", "-3.5", "7", "", "k4"],
        ],
    )
    made.store.table("Account").update(2, {"ParentId": accounts[0]})
    load(
        made,
        "Contact",
        ["LastName", "FirstName", "AccountId", "Email"],
        [
            ["Ash", "A", accounts[0], "ash@x.example"],
            ["Birch", "B", accounts[0], ""],
            ["Cedar", "C", accounts[1], "cedar@x.example"],
            ["Dogwood", "D", "", ""],
        ],
    )
    contacts = [made.store.table("Contact").id_of(1)]
    load(made, "Task", ["Subject", "WhatId", "WhoId"], [["Call", accounts[0], contacts[0]], ["Mail", "", ""]])
    doomed = load(made, "Account", ["Name"], [["Doomed"]])[0]
    made.store.table("Account").delete(made.store.table("Account").seq_of(doomed))
    return made


def names(org: Org, where: str, *, sobject: str = "Account", field: str = "Name") -> list[str]:
    result = run_query(org, f"SELECT {field} FROM {sobject} WHERE {where}", include_deleted=False)
    return [record[field] for record in result.records(0, result.total, "60.0")]


def records(org: Org, text: str, *, include_deleted: bool = False) -> list[dict[str, Any]]:
    result = run_query(org, text, include_deleted)
    return result.records(0, result.total, "60.0")


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("Name = 'ALPHA'", ["Alpha"]),
        ("Name != 'alpha' AND Industry != 'Tech'", ["Gamma", "Delta_x"]),
        ("Industry = NULL", ["Gamma"]),
        ("Industry = ''", ["Gamma"]),
        ("Industry != null AND AnnualRevenue < 200", ["Alpha", "Delta_x"]),
        ("AnnualRevenue = 1E2", ["Alpha"]),
        ("AnnualRevenue >= 2500000000.0", ["beta 50%"]),
        ("NumberOfEmployees > 5 AND NumberOfEmployees <= 50", ["beta 50%", "Delta_x"]),
        ("NumberOfEmployees = 5.5", []),
        ("Name LIKE '%a'", ["Alpha", "Gamma"]),
        ("Name LIKE '%50\\%'", ["beta 50%"]),
        ("Name LIKE 'delta\\_%'", ["Delta_x"]),
        ("Name LIKE '_eta%'", ["beta 50%"]),
        ("Name > 'b' AND Name < 'e'", ["beta 50%", "Delta_x"]),
        ("Name IN ('alpha', 'Gamma', 'x')", ["Alpha", "Gamma"]),
        ("Name NOT IN ('Alpha', 'beta 50%')", ["Gamma", "Delta_x"]),
        ("NOT Industry = 'Tech'", ["Gamma", "Delta_x"]),
        ("Industry = 'Energy' OR (Industry = 'Tech' AND AnnualRevenue > 1000)", ["beta 50%", "Delta_x"]),
        ("Key__c = 'K3'", ["Gamma"]),
        ("Key__c IN ('k4', 'k1', 'nope') AND Industry != 'Tech'", ["Delta_x"]),
        ("Parent.Name = 'alpha'", ["beta 50%"]),
        ("Parent.Parent.Name = null AND ParentId != null", ["beta 50%"]),
        ("Id IN (SELECT AccountId FROM Contact WHERE Email != null)", ["Alpha", "beta 50%"]),
        ("Id NOT IN (SELECT AccountId FROM Contact)", ["Gamma", "Delta_x"]),
        ("CreatedDate = TODAY", ["Alpha", "beta 50%", "Gamma", "Delta_x"]),
        ("CreatedDate < THIS_WEEK OR CreatedDate > LAST_N_DAYS:3", []),
        (
            "CreatedDate >= 2026-03-18T13:00:00+01:00 AND CreatedDate <= 2026-03-18T12:00:00Z LIMIT 1",
            ["Alpha"],
        ),
        ("IsDeleted = FALSE ORDER BY AnnualRevenue", ["Gamma", "Delta_x", "Alpha", "beta 50%"]),
        (
            "IsDeleted = FALSE ORDER BY AnnualRevenue DESC NULLS LAST",
            ["beta 50%", "Alpha", "Delta_x", "Gamma"],
        ),
        ("IsDeleted = FALSE ORDER BY Industry, Name DESC", ["Gamma", "Delta_x", "beta 50%", "Alpha"]),
        ("IsDeleted = FALSE ORDER BY Name LIMIT 2 OFFSET 1", ["beta 50%", "Delta_x"]),
        ("IsDeleted = FALSE LIMIT 2 OFFSET 3", ["Delta_x"]),
        ("IsDeleted = FALSE LIMIT 0", []),
    ],
)
def test_conditions(org: Org, where: str, expected: list[str]) -> None:
    assert names(org, where) == expected


@pytest.mark.parametrize(
    ("text", "code", "place", "message"),
    [
        ("select count() from XYZZY", "INVALID_TYPE", 21, "sObject type 'XYZZY' is not supported."),
        (
            "SELECT Id, Nope__c FROM Account",
            "INVALID_FIELD",
            12,
            "No such column 'Nope__c' on entity 'Account'.",
        ),
        (
            "SELECT Foo.Name FROM Account",
            "INVALID_FIELD",
            8,
            "Didn't understand relationship 'Foo' in field path.",
        ),
        ("SELECT Parent.Nope FROM Account", "INVALID_FIELD", 8, "No such column 'Nope' on entity 'Account'."),
        (
            "SELECT Id, (SELECT Id FROM Foos) FROM Account",
            "INVALID_TYPE",
            28,
            "Didn't understand relationship 'Foos'",
        ),
        (
            "SELECT Id FROM Account WHERE Id = 'wonky'",
            "INVALID_QUERY_FILTER_OPERATOR",
            35,
            "invalid ID field: wonky",
        ),
        (
            "SELECT Id FROM Account WHERE Name = 5",
            "INVALID_FIELD",
            37,
            "must be of type string and should be enclosed",
        ),
        (
            "SELECT Id FROM Account WHERE AnnualRevenue = '5'",
            "INVALID_FIELD",
            46,
            "must be of type currency and should not",
        ),
        (
            "SELECT Id FROM Account WHERE IsDeleted = 'x'",
            "INVALID_FIELD",
            42,
            "of type boolean and should not be",
        ),
        (
            "SELECT Id FROM Account WHERE CreatedDate > 2026-01-01",
            "INVALID_FIELD",
            44,
            "must be of type dateTime",
        ),
        (
            "SELECT Id FROM Account WHERE BillingAddress = 'x'",
            "INVALID_FIELD",
            30,
            "can not be filtered in a query call",
        ),
        ("SELECT Id, id FROM Account", "INVALID_FIELD", 12, "duplicate field selected: Id"),
        (
            "SELECT Name, COUNT(Id) FROM Account",
            "MALFORMED_QUERY",
            8,
            "Field must be grouped or aggregated: Name",
        ),
        (
            "SELECT Name n FROM Account",
            "MALFORMED_QUERY",
            8,
            "only aggregate expressions use field aliasing",
        ),
        ("SELECT Id FORM Account", "MALFORMED_QUERY", 16, "unexpected token: 'Account'"),
        ("SELECT FIELDS(ALL) FROM Account", "MALFORMED_QUERY", 8, "must have a LIMIT of at most 200"),
    ],
)
def test_faults_show_the_place(org: Org, text: str, code: str, place: int, message: str) -> None:
    with pytest.raises(ApiError) as found:
        run_query(org, text, include_deleted=False)
    (body,) = found.value.body()
    assert found.value.status == 400
    assert body["errorCode"] == code
    empty, shown, caret, where, said = body["message"].split("\n")
    assert empty == ""
    assert where == f"ERROR at Row:1:Column:{place}"
    assert shown[len(caret) - 1 :] == text[place - 1 :][:40]
    assert message in said


def test_all_rows_is_for_apex(org: Org) -> None:
    with pytest.raises(ApiError, match="ALL ROWS not allowed in this context"):
        run_query(org, "SELECT Id FROM Account ALL ROWS", include_deleted=False)


def test_an_offset_has_a_limit(org: Org) -> None:
    with pytest.raises(ApiError, match="Maximum SOQL offset allowed is 2000"):
        run_query(org, "SELECT Id FROM Account OFFSET 2001", include_deleted=False)


def test_a_record_has_types_parents_and_children(org: Org) -> None:
    text = "SELECT name, AnnualRevenue, NumberOfEmployees, IsDeleted, CreatedDate, Parent.Name, Parent.Owner.Name, (SELECT LastName FROM Contacts ORDER BY LastName DESC) FROM Account WHERE Key__c IN ('k1', 'k2') ORDER BY Name"
    alpha, beta = records(org, text)
    table = org.store.table("Account")
    assert list(alpha) == [
        "attributes",
        "Name",
        "AnnualRevenue",
        "NumberOfEmployees",
        "IsDeleted",
        "CreatedDate",
        "Parent",
        "Contacts",
    ]
    assert alpha["attributes"] == {
        "type": "Account",
        "url": f"/services/data/v60.0/sobjects/Account/{table.id_of(1)}",
    }
    assert (alpha["AnnualRevenue"], alpha["NumberOfEmployees"], alpha["IsDeleted"]) == (100.0, 5, False)
    assert alpha["CreatedDate"] == "2026-03-18T12:00:00.000+0000"
    assert alpha["Parent"] is None
    assert [child["LastName"] for child in alpha["Contacts"]["records"]] == ["Birch", "Ash"]
    assert (alpha["Contacts"]["totalSize"], alpha["Contacts"]["done"]) == (2, True)
    assert beta["Parent"]["Name"] == "Alpha"
    assert beta["Parent"]["Owner"]["attributes"]["type"] == "User"
    assert (
        records(org, "SELECT Id, (SELECT Id FROM Contacts) FROM Account WHERE Name = 'Gamma'")[0]["Contacts"]
        is None
    )


def test_compound_fields_are_objects(org: Org) -> None:
    (found,) = records(org, "SELECT BillingAddress, ShippingAddress FROM Account WHERE Name = 'Alpha'")
    assert found["BillingAddress"]["city"] == "Paris"
    assert found["BillingAddress"]["postalCode"] is None
    assert found["ShippingAddress"] is None


def test_polymorphic_parents(org: Org) -> None:
    text = "SELECT Subject, What.Name, What.Type, Who.Name FROM Task ORDER BY Subject"
    call, mail = records(org, text)
    assert call["What"]["attributes"]["type"] == "Name"
    assert (call["What"]["Name"], call["What"]["Type"], call["Who"]["Name"]) == ("Alpha", "Account", "A Ash")
    assert mail["What"] is None
    (found,) = records(
        org, "SELECT TYPEOF What WHEN Account THEN Industry ELSE Id END FROM Task WHERE What.Type = 'Account'"
    )
    assert found["What"]["Industry"] == "Tech"
    assert found["What"]["attributes"]["type"] == "Account"


def test_counts_and_aggregates(org: Org) -> None:
    assert run_query(org, "SELECT COUNT() FROM Account", include_deleted=False).total == 4
    assert run_query(org, "SELECT COUNT() FROM Account", include_deleted=True).total == 5
    assert (
        run_query(org, "SELECT COUNT() FROM Account WHERE Industry = 'Tech'", include_deleted=False).total
        == 2
    )
    (found,) = records(
        org,
        "SELECT COUNT(Id) CNT, COUNT(Industry), SUM(AnnualRevenue) s, MIN(Name), MAX(AnnualRevenue), COUNT_DISTINCT(Industry) d FROM Account",
    )
    assert found == {
        "attributes": {"type": "AggregateResult"},
        "CNT": 4,
        "expr0": 3,
        "s": 2500000096.5,
        "expr1": "Alpha",
        "expr2": 2500000000.0,
        "d": 2,
    }
    (nothing,) = records(org, "SELECT COUNT(Id) n, SUM(AnnualRevenue) s FROM Account WHERE Name = 'nobody'")
    assert (nothing["n"], nothing["s"]) == (0, None)


def test_groups(org: Org) -> None:
    rows = records(
        org,
        "SELECT Industry i, COUNT(Id) n FROM Account GROUP BY Industry HAVING COUNT(Id) < 2 ORDER BY COUNT(Id) DESC, Industry",
    )
    assert [(row["i"], row["n"]) for row in rows] == [(None, 1), ("Energy", 1)]
    rows = records(org, "SELECT Account.Industry, COUNT(Id) FROM Contact GROUP BY Account.Industry")
    assert [(row["Industry"], row["expr0"]) for row in rows] == [(None, 1), ("Tech", 3)]
    rows = records(
        org,
        "SELECT CALENDAR_YEAR(CreatedDate) y, COUNT(Id) n FROM Account GROUP BY CALENDAR_YEAR(CreatedDate)",
    )
    assert [(row["y"], row["n"]) for row in rows] == [(2026, 4)]
    rows = records(
        org, "SELECT Industry, GROUPING(Industry) g, COUNT(Id) n FROM Account GROUP BY ROLLUP(Industry)"
    )
    assert sorted((row["g"], row["n"]) for row in rows) == [(0, 1), (0, 1), (0, 2), (1, 4)]


def test_deleted_records_are_for_query_all(org: Org) -> None:
    assert names(org, "Name = 'Doomed'") == []
    assert len(records(org, "SELECT Id FROM Account WHERE IsDeleted = true", include_deleted=True)) == 1


def test_aliases_fields_and_paging(org: Org) -> None:
    assert names(org, "c.Account.Name = 'Alpha'", sobject="Contact c", field="LastName") == ["Ash", "Birch"]
    assert len(records(org, "SELECT a.Name FROM Contact c, c.Account a WHERE a.Name = 'Alpha'")) == 2
    everything = records(org, "SELECT FIELDS(ALL) FROM Profile LIMIT 1")[0]
    assert {"Id", "Name", "CreatedDate"} <= set(everything)
    result = run_query(org, "SELECT Name FROM Account ORDER BY Name", include_deleted=False)
    assert [record["Name"] for record in result.records(1, 3, "60.0")] == ["beta 50%", "Delta_x"]
    assert [column["columnName"] for column in result.metadata] == ["Name"]


def test_bulk_rows_are_cells_in_select_order(org: Org) -> None:
    query = parse_query(
        "SELECT name, Id, Account.AnnualRevenue, CreatedDate FROM Contact WHERE LastName IN ('Ash', 'Dogwood')"
    )
    columns, rows = bulk_rows(org.store, query, org.clock.now(), include_deleted=False)
    assert columns == ("Name", "Id", "Account.AnnualRevenue", "CreatedDate")
    table = org.store.table("Contact")
    assert list(rows) == [
        ("A Ash", table.id_of(1), "100.0", "2026-03-18T12:00:00.000Z"),
        ("D Dogwood", table.id_of(4), "", "2026-03-18T12:00:00.000Z"),
    ]


def test_ids_are_sorted_as_they_are_compared() -> None:
    """A page that ends with one id and a next one that begins after it miss no record, however many there are."""
    made = Org(load_schema(SCHEMA), clock=VirtualClock(START))
    ids = load(made, "Account", ["Name"], [[f"A{n}"] for n in range(150)])
    told = [one["Id"] for one in records(made, "SELECT Id FROM Account ORDER BY Id")]
    assert told == sorted(ids)
    assert [one["Id"] for one in records(made, "SELECT Id FROM Account ORDER BY Id DESC")] == told[::-1]
