"""The formula language: what it computes, what it refuses, and how much of it."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.simulator.formula import ERROR, FormulaFault, Kind, compile_formula, encode
from migrator.simulator.formula.grammar import MAX_DEPTH, MAX_LENGTH, parse

NOW = datetime(2024, 2, 29, 12, 30, tzinfo=UTC).timestamp()
FIELDS = {
    "Name": Kind.TEXT,
    "Amount": Kind.NUMBER,
    "Share": Kind.PERCENT,
    "Open": Kind.BOOLEAN,
    "Day": Kind.DATE,
    "Moment": Kind.DATETIME,
    "Stage": Kind.PICKLIST,
    "Uses": Kind.MULTIPICKLIST,
}


class Fields:
    def find(self, path: tuple[str, ...]) -> tuple[tuple[str, ...], Kind]:
        for name, kind in FIELDS.items():
            if (name.lower(),) == tuple(map(str.lower, path)):
                return (name,), kind
        raise FormulaFault(f"Field {'.'.join(path)} does not exist. Check spelling.")


@dataclass
class Rows:
    now_cells: dict[str, list[str]]
    old_cells: dict[str, list[str]]
    made: list[bool]
    now: float = NOW

    @property
    def count(self) -> int:
        return len(self.made)

    def cells(self, path: tuple[str, ...]) -> Sequence[str]:
        return self.now_cells.get(path[0], [""] * self.count)

    def prior(self, path: tuple[str, ...]) -> Sequence[str]:
        return self.old_cells.get(path[0], [""] * self.count)

    def fresh(self) -> Sequence[bool]:
        return self.made


def compute(
    text: str, cells: dict[str, str] | None = None, *, zero: bool = False, old: dict[str, str] | None = None
) -> Any:
    """The one value of a formula over one record; a changed one where `old` is given."""
    made = compile_formula(text, Fields(), blanks_as_zero=zero, rules=True)
    rows = Rows(
        {name: [cell] for name, cell in (cells or {}).items()},
        {name: [cell] for name, cell in (old or {}).items()},
        [old is None],
    )
    return next(iter(made.evaluate(rows)))


@pytest.mark.parametrize(
    ("text", "cells", "value"),
    [
        ("1 + 2 * 3 - 4 / 2", {}, Decimal(5)),
        ("-2 ^ 2", {}, Decimal(-4)),
        ("(1 + 2) * 3", {}, Decimal(9)),
        ("0.1 + 0.2 = 0.3", {}, True),
        ("Amount / 0", {"Amount": "1.0"}, ERROR),
        ("Amount + 1", {}, None),
        ("Share * 100", {"Share": "25.0"}, Decimal(25)),
        ("MOD(-7, 3)", {}, Decimal(2)),
        ("ROUND(2.345, 2)", {}, Decimal("2.35")),
        ("FLOOR(-2.5)", {}, Decimal(-2)),
        ("CEILING(-2.5)", {}, Decimal(-3)),
        ("MAX(1, 5, Amount)", {}, Decimal(5)),
        ('"a" & Name & \'b\' + "c"', {"Name": "x"}, "axbc"),
        ('"say \\"no\\""', {}, 'say "no"'),
        ("LEN(Name)", {"Name": "abc"}, Decimal(3)),
        ('CONTAINS(Name, "b") && BEGINS(Name, "a")', {"Name": "abc"}, True),
        ('REGEX(Name, "[A-Z]{2}\\\\d+")', {"Name": "CH12"}, True),
        ('REGEX(Name, "[A-Z]{2}")', {"Name": "CHX"}, False),
        ('REGEX(Name, "[")', {"Name": "CHX"}, ERROR),
        ("LEFT(Name, 2) & RIGHT(Name, 1) & MID(Name, 2, 2)", {"Name": "abcd"}, "abdbc"),
        ('SUBSTITUTE(UPPER(TRIM(" ab ")), "A", "x")', {}, "xB"),
        ('FIND("b", "abab", 3)', {}, Decimal(4)),
        ('VALUE("12.50")', {}, Decimal("12.50")),
        ('VALUE("x")', {}, ERROR),
        ('IF(ISNUMBER("x"), VALUE("x"), 0)', {}, Decimal(0)),
        ("TEXT(Amount)", {"Amount": "1500.0"}, "1500"),
        ("TEXT(Day)", {"Day": "2024-01-02"}, "2024-01-02"),
        ("TEXT(Stage)", {"Stage": "Won"}, "Won"),
        ('ISPICKVAL(Stage, "Won")', {"Stage": "Won"}, True),
        ('ISPICKVAL(Stage, "")', {}, True),
        ('INCLUDES(Uses, "b")', {"Uses": "a;b"}, True),
        ('CASE(Stage, "Won", 1, "Lost", 2, 0)', {"Stage": "Lost"}, Decimal(2)),
        ("ISBLANK(Name)", {}, True),
        ("ISNULL(Name)", {}, False),
        ("ISNULL(Day)", {}, True),
        ("BLANKVALUE(Amount, 7)", {}, Decimal(7)),
        ("Amount = NULL", {}, True),
        ('Name = ""', {}, True),
        ('Name <> "A"', {"Name": "a"}, True),
        ("Amount > 5", {}, False),
        ("NOT(Amount > 5)", {}, True),
        ("!Open || Open", {"Open": "false"}, True),
        ("TODAY()", {}, date(2024, 2, 29)),
        ("Day - TODAY()", {"Day": "2024-03-03"}, Decimal(3)),
        ("TODAY() + 1.9", {}, date(2024, 3, 1)),
        ("ADDMONTHS(TODAY(), 1)", {}, date(2024, 3, 31)),
        ("(NOW() - Moment) * 24", {"Moment": "2024-02-29T10:30:00.000Z"}, Decimal(2)),
        ("DATEVALUE(Moment) = DATE(2024, 1, 31)", {"Moment": "2024-01-31T23:59:00.000Z"}, True),
        ('DATEVALUE("31.1.2024")', {}, ERROR),
        (
            "YEAR(Day) * 100 + MONTH(Day) + DAY(Day) / 100 + WEEKDAY(Day) / 1000",
            {"Day": "2024-01-07"},
            Decimal("202401.071"),
        ),
        ("/* nothing */ if(true, 1, 2)", {}, Decimal(1)),
        ("AND(FALSE, 1 / 0 = 1)", {}, False),
        ("OR(FALSE, 1 / 0 = 1)", {}, ERROR),
        ("IF(1 / 0 = 1, 1, 2)", {}, ERROR),
        ("10 ^ 99999", {}, ERROR),
    ],
)
def test_what_formulas_compute(text: str, cells: dict[str, str], value: Any) -> None:
    found = compute(text, cells)
    assert found == value
    assert type(found) is type(value)


def test_blanks_as_zero_are_numbers_and_still_blank() -> None:
    assert compute("Amount + 1", zero=True) == Decimal(1)
    assert compute("ISBLANK(Amount)", zero=True) is True


def test_what_was_before() -> None:
    old = {"Amount": "1.0", "Stage": "New"}
    assert compute("ISCHANGED(Amount) && PRIORVALUE(Amount) < Amount", {"Amount": "2.0"}, old=old) is True
    assert compute("ISCHANGED(Stage)", {"Stage": "New"}, old=old) is False
    assert compute('ISPICKVAL(PRIORVALUE(Stage), "New") && NOT(ISNEW())', {"Stage": "Won"}, old=old) is True
    assert compute("ISNEW() && NOT(ISCHANGED(Amount)) && PRIORVALUE(Amount) = 2", {"Amount": "2.0"}) is True


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Nope = 1", "Field Nope does not exist. Check spelling."),
        ("NOPE(1)", "Unknown function NOPE. Check spelling."),
        ("LEN(1)", "Incorrect parameter type for function 'LEN()'. Expected Text, received Number"),
        ("LEN()", "Incorrect number of parameters for function 'LEN()'. Expected 1, received 0"),
        ("TODAY(1)", "Incorrect number of parameters"),
        ('1 = "1"', "Incorrect parameter type for operator '='"),
        ("Day + Day", "Incorrect parameter type for operator '+'"),
        ('Stage = "Won"', "picklist field is only supported in certain functions"),
        ("ISPICKVAL(Stage, Name)", "Expected a literal text"),
        ('IF(Open, 1, "a")', "Incorrect parameter type for function 'IF()'"),
        ("ISCHANGED(Amount + 1)", "Expected a field of the record"),
        ("1 +", "Syntax error. Found '<EOF>'"),
        ("(1", "Syntax error"),
        ("1 § 2", "Syntax error. Found '§' at line 1, column 3"),
        (
            "1" * (MAX_LENGTH + 1),
            "Formula is too long (3,901 characters). Maximum length is 3,900 characters.",
        ),
        ("(" * 5 + "NOT(" * (MAX_DEPTH + 1) + "Open" + ")" * (MAX_DEPTH + 6), "nested more than 100 levels"),
        ("Open > Open", "Incorrect parameter type for operator '>'"),
    ],
)
def test_what_formulas_refuse(text: str, fault: str) -> None:
    with pytest.raises(FormulaFault) as caught:
        compile_formula(text, Fields(), rules=True)
    assert fault in str(caught.value)


def test_functions_of_rules_are_for_rules() -> None:
    with pytest.raises(FormulaFault, match="may not be used in this type of formula"):
        compile_formula("ISNEW()", Fields())


def test_long_chains_are_no_nesting() -> None:
    chain = " && ".join(["Open"] * 400)
    assert compute(chain, {"Open": "true"}) is True


def test_values_become_cells() -> None:
    assert encode(Kind.NUMBER, [Decimal("2.345"), None, ERROR], scale=2) == ["2.35", "", ""]
    assert encode(Kind.DATETIME, [datetime(2024, 1, 2, 3, 4, 5, 6000, UTC)]) == ["2024-01-02T03:04:05.006Z"]
    assert encode(Kind.BOOLEAN, [True, False, None]) == ["true", "false", ""]


@given(st.text(max_size=60))
def test_any_text_is_a_formula_or_a_fault(text: str) -> None:
    with contextlib.suppress(FormulaFault):
        parse(text)


_NUMBERS = st.recursive(
    st.integers(0, 999).map(str),
    lambda inner: st.builds(lambda a, op, b: f"({a} {op} {b})", inner, st.sampled_from("+-*"), inner),
    max_leaves=20,
)


@given(_NUMBERS)
def test_arithmetic_is_that_of_decimals(text: str) -> None:
    assert compute(text) == eval(text)  # noqa: S307 - numbers and signs only
