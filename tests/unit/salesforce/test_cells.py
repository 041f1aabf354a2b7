"""Text cells become typed JSON values without changing what they say."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.salesforce.cells import Cell, to_json, to_record

NUMERIC = ("int", "long", "double", "currency", "percent")


@pytest.mark.parametrize(
    ("text", "field_type", "expected"),
    [
        ("true", "boolean", True),
        ("False", "boolean", False),
        ("1", "boolean", True),
        ("yes", "boolean", "yes"),
        ("12", "int", 12),
        ("-3", "int", -3),
        ("12.0", "int", 12),
        ("12.5", "int", "12.5"),
        ("9.12260031E8", "currency", 912260031.0),
        ("1.5", "double", 1.5),
        ("0.1", "percent", 0.1),
        ("99999999999999999.99", "currency", "99999999999999999.99"),
        ("1e999", "double", "1e999"),
        ("NaN", "double", "NaN"),
        ("Infinity", "double", "Infinity"),
        ("1_000", "int", "1_000"),
        (" 7", "int", " 7"),
        ("\u0661", "int", "\u0661"),
        ("abc", "int", "abc"),
        ("007", "string", "007"),
        ("true", "string", "true"),
        ("2026-11-23", "date", "2026-11-23"),
        ("001ak000009BWKLAA4", "reference", "001ak000009BWKLAA4"),
        ("#N/A", "string", None),
        ("#N/A", "boolean", None),
        ("#n/a", "string", "#n/a"),
    ],
)
def test_cells(text: str, field_type: str, expected: Cell) -> None:
    found = to_json(text, field_type)
    assert found == expected
    assert type(found) is type(expected)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6), st.sampled_from(NUMERIC))
def test_a_number_keeps_its_value(number: Decimal, field_type: str) -> None:
    sent = json.dumps(to_json(str(number), field_type))
    assert Decimal(json.loads(sent, parse_float=Decimal, parse_int=Decimal)) == number


@given(st.text(), st.sampled_from([*NUMERIC, "boolean", "string", "picklist", "datetime"]))
def test_any_text_becomes_a_json_value(text: str, field_type: str) -> None:
    json.dumps(to_json(text, field_type), allow_nan=False)


def test_a_record_has_its_attributes_first_and_no_empty_cells() -> None:
    cells = {
        "Id": "001ak000009BWKLAA4",
        "Name": "A",
        "Fax": "",
        "Phone": None,
        "Rating": "#N/A",
        "Size__c": "2",
    }
    record = to_record("Account", cells, {"Size__c": "double"})
    assert list(record.items()) == [
        ("attributes", {"type": "Account"}),
        ("id", "001ak000009BWKLAA4"),
        ("Name", "A"),
        ("Phone", None),
        ("Rating", None),
        ("Size__c", 2.0),
    ]
