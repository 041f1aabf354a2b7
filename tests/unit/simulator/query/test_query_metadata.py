"""`columns=true`: what clients that print tables ask beside every query."""

from typing import Any


def columns(call: Any, soql: str) -> Any:
    done = call("GET", "/query/", query={"q": soql, "columns": "true"})
    assert done.status == 200, done.read()
    return done.json()


def names(listed: list[dict[str, Any]]) -> list[Any]:
    """Names, with those inside where there are any."""
    return [
        (each["columnName"], names(each["joinColumns"])) if each["joinColumns"] else each["columnName"]
        for each in listed
    ]


def test_parents_and_children_nest(call: Any) -> None:
    soql = "SELECT Id, LastName, Account.Name, Account.Owner.Name, Account.Phone FROM Contact"
    shown = columns(call, soql)
    assert names(shown["columnMetadata"]) == [
        "Id",
        "LastName",
        ("Account", ["Name", ("Owner", ["Name"]), "Phone"]),
    ]
    assert (shown["entityName"], shown["keyPrefix"], shown["idSelected"]) == ("Contact", "003", True)
    shown = columns(call, "SELECT Name, (SELECT LastName FROM Contacts) FROM Account")["columnMetadata"]
    assert names(shown) == ["Name", ("Contacts", ["LastName"])]
    assert [each["aggregate"] for each in shown] == [False, True]


def test_types_and_aggregates(call: Any) -> None:
    name, revenue, owner = columns(
        call, "SELECT Name, AnnualRevenue, TYPEOF Owner WHEN User THEN Email END FROM Lead"
    )["columnMetadata"]
    assert (name["textType"], revenue["numberType"], owner["columnName"]) == (True, True, "Owner")
    shown = columns(call, "SELECT Industry, COUNT(Id) CNT FROM Account GROUP BY Industry")
    assert [each["columnName"] for each in shown["columnMetadata"]] == ["Industry", "CNT"]
    assert shown["groupBy"] is True


def test_definitions_are_made_when_asked_for(call: Any) -> None:
    soql = "SELECT QualifiedApiName FROM FieldDefinition WHERE EntityDefinitionId = 'Task' AND IsPolymorphicForeignKey = true"
    found = call("GET", "/query", query={"q": soql}).json()["records"]
    assert sorted(each["QualifiedApiName"] for each in found) == ["OwnerId", "WhatId", "WhoId"]
    soql = """SELECT QualifiedApiName, Label, IsEverUpdatable FROM EntityDefinition
        WHERE IsRetrieveable = true AND IsQueryable = true AND QualifiedApiName = 'Airport__c'"""
    (found,) = call("GET", "/query", query={"q": soql}).json()["records"]
    assert (found["Label"], found["IsEverUpdatable"]) == ("Airport", True)
    assert call("GET", "/query", query={"q": soql}).json()["totalSize"] == 1
