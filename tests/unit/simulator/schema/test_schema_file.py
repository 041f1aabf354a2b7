"""Schemas from YAML."""

from pathlib import Path
from typing import Any

import pytest

from migrator.simulator import Org, load_schema, load_schema_from
from migrator.simulator.schema.files import SchemaInvalid
from migrator.simulator.schema.model import FieldType, OnDelete


def test_files_are_laid_over_one_another(tmp_path: Path) -> None:
    base = tmp_path / "base.yaml"
    base.write_text(
        "name: One\nobjects:\n  Thing__c:\n    label: Thing\n    fields:\n"
        "      A__c: {type: text, length: 5}\n      B__c: {type: number, precision: 5, scale: 1}\n",
        encoding="utf-8",
    )
    schema = load_schema(base, {"name": "Two", "objects": {"Thing__c": {"fields": {"A__c": {"length": 9}}}}})
    thing = schema.sobject("thing__c")
    assert thing is not None
    assert (thing.prefix, thing.label, schema.organization["name"]) == ("a00", "Thing", "Two")
    a, b = thing.field("a__C"), thing.field("B__c")
    assert a is not None
    assert b is not None
    assert (a.length, b.type, b.precision, b.scale) == (9, FieldType.DOUBLE, 5, 1)


def test_relationships_have_names_both_ways() -> None:
    schema = load_schema(
        {
            "objects": {
                "Airport__c": {},
                "Flight__c": {
                    "fields": {
                        "Origin__c": {"type": "lookup", "to": "Airport__c"},
                        "Dest__c": {"type": "lookup", "to": "Airport__c", "on_delete": "restrict"},
                        "One__c": {"type": "master_detail", "to": "Airport__c"},
                        "Two__c": {"type": "master_detail", "to": "Account"},
                    }
                },
            }
        }
    )
    flight = schema.sobject("Flight__c")
    assert flight is not None
    assert flight.field("OwnerId") is None
    names = {
        each.field.children: each.field.name
        for each in schema.children("Airport__c")
        if each.sobject is flight
    }
    assert names == {"Flights__r": "Origin__c", "Dest_Flights__r": "Dest__c", "One_Flights__r": "One__c"}
    assert [flight.field(name).relationship_order for name in ("One__c", "Two__c")] == [0, 1]  # type: ignore[union-attr]
    found = schema.child("airport__c", "dest_flights__r")
    assert found is not None
    assert found.field.on_delete is OnDelete.RESTRICT


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"objects": {"Foo": {}}}, "Foo: not a standard object"),
        ({"objects": {"Foo__c": {"fields": {"X": {}}}}}, "X: a custom field ends in __c"),
        ({"objects": {"Foo__c": {"fields": {"X__c": {"type": "magic"}}}}}, "unknown type magic"),
        ({"objects": {"Foo__c": {"fields": {"X__c": {"size": 3}}}}}, "unknown key size"),
        (
            {"objects": {"Foo__c": {"fields": {"X__c": {"type": "lookup", "to": "Bar__c"}}}}},
            "no such object: Bar__c",
        ),
        ({"things": {}}, "unknown key in a schema: things"),
    ],
)
def test_what_cannot_be_is_named(given: Any, text: str) -> None:
    with pytest.raises(SchemaInvalid, match=text):
        load_schema(given)


def test_standard_objects_are_whole() -> None:
    schema = load_schema()
    for sobject in schema.sobjects:
        names = [each.name for each in sobject.fields]
        assert len(set(names)) == len(names), sobject.name
        assert names.count("Id") == 1
        assert sum(each.name_field for each in sobject.fields) <= 1
        for each in sobject.fields:
            assert each.type is not FieldType.REFERENCE or each.reference_to, each.name


def test_an_org_is_what_its_schema_file_says() -> None:
    org = Org(load_schema({"name": "Merged", "organization": {"id": "00D000000000009EAA", "sandbox": True}}))
    assert org.settings.organization_id == "00D000000000009EAA"
    organization = org.store.table("Organization")
    assert (organization.id_of(1), organization.cell(1, "IsSandbox")) == ("00D000000000009EAA", "true")
    assert organization.cell(1, "Name") == "Merged"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("objects: {a: b: c}", "org.yaml:1: not YAML"),
        ("- 1", "org.yaml: a mapping is wanted"),
        ("objects: 5", "org.yaml: objects: a mapping is wanted"),
        ("objects: {Account: [1]}", "org.yaml: Account: a mapping is wanted"),
        ("objects: {Account: {fields: [A__c]}}", "Account, fields: a mapping is wanted"),
        ("objects: {Account: {fields: {A__c: text}}}", "Account.A__c: a mapping is wanted"),
        ("organization: acme", "organization: a mapping is wanted"),
        ("users: [a]", "users: a mapping is wanted"),
    ],
)
def test_files_of_another_shape_are_told_with_their_name(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "org.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SchemaInvalid) as refused:
        load_schema_from(path)
    assert told in str(refused.value)
    assert str(path) in str(refused.value)


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "org.yaml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SchemaInvalid, match="not YAML"):
        load_schema_from(path)
