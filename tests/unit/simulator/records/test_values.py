"""What each type accepts and how it is kept."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.simulator.records.results import RowError
from migrator.simulator.records.values import (
    canonical_boolean,
    canonical_date,
    canonical_datetime,
    canonical_int,
    canonical_time,
    format_double,
    java_double,
    make_checker,
)
from migrator.simulator.schema.fieldline import parse_field


@pytest.mark.parametrize(
    ("given_text", "kept"),
    [
        ("912260031", "9.12260031E8"),
        ("15000", "15000.0"),
        ("0", "0.0"),
        ("-3.50", "-3.5"),
        ("1e7", "1.0E7"),
        ("9999999", "9999999.0"),
        ("0.001", "0.001"),
        ("0.0001", "1.0E-4"),
        ("1.5E-10", "1.5E-10"),
        ("-123456789.125", "-1.23456789125E8"),
        (".5", "0.5"),
        ("", ""),
    ],
)
def test_doubles_as_java_prints_them(given_text: str, kept: str) -> None:
    assert java_double(given_text) == kept


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_keeps_its_value(number: float) -> None:
    assert math.isclose(float(format_double(number)), number, rel_tol=0, abs_tol=0)
    assert java_double(format_double(number)) == format_double(number)


@pytest.mark.parametrize(
    ("canonical", "given_text", "kept"),
    [
        (canonical_datetime, "2024-01-02T03:04:05.678Z", "2024-01-02T03:04:05.678Z"),
        (canonical_datetime, "2024-01-02T03:04:05Z", "2024-01-02T03:04:05.000Z"),
        (canonical_datetime, "2024-01-02T03:04:05.000+0000", "2024-01-02T03:04:05.000Z"),
        (canonical_datetime, "2024-01-01T23:04:05.5-05:00", "2024-01-02T04:04:05.500Z"),
        (canonical_date, "1940-06-07", "1940-06-07"),
        (canonical_date, "1940-06-07Z", "1940-06-07"),
        (canonical_int, "007", "7"),
        (canonical_int, "12.0", "12"),
        (canonical_boolean, "TRUE", "true"),
        (canonical_boolean, "0", "false"),
        (canonical_time, "10:20", "10:20:00.000Z"),
    ],
)
def test_accepted_forms(canonical: Callable[[str], str], given_text: str, kept: str) -> None:
    assert canonical(given_text) == kept


@pytest.mark.parametrize(
    ("canonical", "text"),
    [
        (canonical_datetime, "2024-01-02"),
        (canonical_datetime, "2024-13-02T03:04:05.000Z"),
        (canonical_datetime, "2024-01-02 03:04:05"),
        (canonical_date, "2003-04-987654321987654321"),
        (canonical_date, "2023-02-29"),
        (canonical_date, "12/31/2023"),
        (canonical_int, "1.5"),
        (canonical_int, "2147483648"),
        (canonical_int, "1_000"),
        (canonical_boolean, "maybe"),
        (java_double, "1,5"),
        (java_double, "nan"),
        (java_double, "1e999"),
        (canonical_time, "25:00"),
    ],
)
def test_refused_forms(canonical: Callable[[str], str], text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        canonical(text)


def fault(cell: str) -> RowError:
    return RowError("INVALID_FIELD", cell)


@pytest.mark.parametrize(
    ("line", "values", "cell", "error"),
    [
        (
            "Name string(5)",
            (),
            "123456",
            "STRING_TOO_LONG:Name: data value too large: 123456 (max length=5):Name --",
        ),
        ("Mail email", (), "o'neil+x@b-c.example.ch", None),
        ("Mail email", (), "a@b", "INVALID_EMAIL_ADDRESS:Mail: invalid email address: a@b:Mail --"),
        ("Mail email", (), "not mail", "INVALID_EMAIL_ADDRESS:Mail: invalid email address: not mail:Mail --"),
        (
            "Kind picklist restricted",
            ("A", "B"),
            "C",
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST:Kind: bad value for restricted picklist field: C:Kind --",
        ),
        ("Kind picklist", ("A", "B"), "C", None),
        (
            "Size double(4,2)",
            (),
            "100",
            "NUMBER_OUTSIDE_VALID_RANGE:Size: value outside of valid range on numeric field: 100:Size --",
        ),
        ("Size double(4,2)", (), "-99.99", None),
        (
            "Size double(18,0)",
            (),
            "1e18",
            "NUMBER_OUTSIDE_VALID_RANGE:Size: value outside of valid range on numeric field: 1e18:Size --",
        ),
        ("Many multipicklist restricted", ("A", "B"), "B;A", None),
        (
            "Many multipicklist restricted",
            ("A", "B"),
            "A;C",
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST:Many: bad value for restricted picklist field: C:Many --",
        ),
        ("Born date", (), "soon", "INVALID_FIELD:soon:--"),
    ],
)
def test_one_bad_cell_among_good_ones(
    line: str, values: tuple[str, ...], cell: str, error: str | None
) -> None:
    check = make_checker(parse_field(line, values), fault)
    _, faults = check(["", cell, ""])
    assert {place: each.bulk() for place, each in faults.items()} == ({1: error} if error else {})


def test_restricted_values_are_kept_as_defined() -> None:
    check = make_checker(parse_field("Kind picklist restricted", ("Hub", "Field")), fault)
    assert check(["hub", "FIELD", ""]) == (["Hub", "Field", ""], {})
