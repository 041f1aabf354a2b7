"""Value maps, masks, truncation and type checks, run by a real DuckDB."""

import re

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.model.plan import FieldRule, Otherwise
from migrator.model.schedule import ColumnSpec
from migrator.planfile import plan_schema
from migrator.transforms import compile_column
from migrator.transforms.masks import MASKS

CONNECTION = duckdb.connect(config={"threads": 1})


def run(spec: ColumnSpec, cell: str | None, salt: str = "") -> tuple[str | None, str | None]:
    """The value and the fault of a column over one cell `a`."""
    column = compile_column(spec, salt=salt)
    sql = f"SELECT {column.value_sql}, {column.fault_sql or 'NULL'} FROM (SELECT CAST(? AS VARCHAR) AS a)"
    value, fault = CONNECTION.execute(sql, [cell]).fetchall()[0]
    return value, fault


def mapped(
    otherwise: Otherwise, cell: str | None, *, default: str | None = None, empty: bool = False
) -> object:
    values = {"Tech": "Technology", "O'X": "it's"} | ({"": "None"} if empty else {})
    return run(
        ColumnSpec(FieldRule("T", source="a", values=values, otherwise=otherwise, default=default), "string"),
        cell,
    )


def test_value_maps() -> None:
    for otherwise in Otherwise:
        assert mapped(otherwise, "Tech", default="D") == ("Technology", None)
        assert mapped(otherwise, "O'X", default="D") == ("it's", None)
        assert mapped(otherwise, None, default="D") == (None, None)
        assert mapped(otherwise, None, default="D", empty=True) == ("None", None)
        assert mapped(otherwise, "", default="D", empty=True) == ("None", None)
    assert mapped(Otherwise.KEEP, "tech") == ("tech", None)
    assert mapped(Otherwise.NULL, "tech") == (None, None)
    assert mapped(Otherwise.DEFAULT, "tech", default="Other") == ("Other", None)
    assert mapped(Otherwise.FAIL, "tech") == (None, "VALUE_NOT_MAPPED")


def test_truncation_cuts_and_is_no_fault_but_length_is() -> None:
    assert run(ColumnSpec(FieldRule("T", source="a"), "string", 3), "äöü") == ("äöü", None)
    assert run(ColumnSpec(FieldRule("T", source="a"), "string", 3), "äöüß") == ("äöüß", "DATA_TOO_LONG")
    assert run(ColumnSpec(FieldRule("T", source="a", truncate=3), "string", 3), "äöüß") == ("äöü", None)
    assert run(ColumnSpec(FieldRule("T", source="a", truncate=4), "string", 3), "äöüß")[1] == "DATA_TOO_LONG"


@pytest.mark.parametrize(
    ("type_", "cell", "fault"),
    [
        ("double", "1,234.5", "DATA_NUMBER"),
        ("double", "NaN", "DATA_NUMBER"),
        ("currency", "Infinity", "DATA_NUMBER"),
        ("percent", "", None),
        ("double", "-1.5e3", None),
        ("double", ".5", None),
        ("int", "1.5", "DATA_NUMBER"),
        ("int", "12", None),
        ("boolean", "Y", "DATA_BOOLEAN"),
        ("boolean", "1", "DATA_BOOLEAN"),
        ("boolean", "TRUE ", "DATA_BOOLEAN"),
        ("boolean", "TRUE", None),
        ("date", "2024-02-29", None),
        ("date", "2023-02-29", "DATA_DATE"),
        ("date", "0001-01-01", "DATA_DATE"),
        ("date", "5000-01-01", "DATA_DATE"),
        ("date", "31/02/2024", "DATA_DATE"),
        ("datetime", "2024-02-29T05:06:07.000Z", None),
        ("datetime", "2024-02-29T05:06:07+02:00", None),
        ("datetime", "2024-02-29T05:06:07", "DATA_DATE"),
        ("datetime", "2024-02-29T25:06:07Z", "DATA_DATE"),
        ("datetime", "2024-02-29 05:06:07Z", "DATA_DATE"),
        ("time", "05:06:07.000Z", None),
        ("time", "25:06:07", "DATA_DATE"),
        ("string", "a\0b", "DATA_ENCODING"),
        ("anyType", "whatever", None),
    ],
)
def test_bad_cells_never_leave(type_: str, cell: str, fault: str | None) -> None:
    assert run(ColumnSpec(FieldRule("T", source="a"), type_), cell) == (cell, fault)
    assert run(ColumnSpec(FieldRule("T", source="a"), type_), None) == (None, None)


def test_the_plan_language_names_the_masks_there_are() -> None:
    rule = plan_schema()["$defs"]["mapping"]["anyOf"][1]["properties"]
    assert {name for name in rule["mask"]["enum"] if name} == set(MASKS)


def mask(name: str, cell: str | None, salt: str = "s") -> str | None:
    return run(ColumnSpec(FieldRule("T", source="a", mask=name), "string"), cell, salt)[0]


def test_masks_keep_what_they_promise() -> None:
    assert re.fullmatch(r"\+999 \d{10}", mask("phone", "+49 (0) 555-1234") or "")
    assert re.fullmatch(r"\+\d\d \(\d\) \d{3}-\d{4}", mask("digits", "+49 (0) 555-1234") or "")
    assert re.fullmatch(r"[0-9a-f]{20}@masked\.invalid", mask("email", "ada@example.com") or "")
    assert re.fullmatch(r"[A-Z][a-z]{7}", mask("name", "Ada Lovelace") or "")
    assert re.fullmatch(r"[A-Z][a-z]{2} [a-z]{2}-\d{2}!", mask("text", "Ada öx-42!") or "")
    assert re.fullmatch(r"[0-9a-f]{32}", mask("hash", "x") or "")
    assert mask("null", "x") is None


@pytest.mark.parametrize("name", sorted(MASKS))
@settings(max_examples=20)
@given(cell=st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), max_size=80)))
def test_masks_are_functions_of_value_and_salt(name: str, cell: str | None) -> None:
    masked = mask(name, cell)
    assert masked == mask(name, cell)
    if cell is None:
        assert masked is None
    if name in {"digits", "text"} and cell is not None:
        assert masked is not None
        assert len(masked) == len(cell)


def test_masks_hide_and_differ_by_salt() -> None:
    for name in sorted(set(MASKS) - {"null"}):
        value = "4155550100 Ada Lovelace"
        assert mask(name, value) != value
        assert mask(name, value, "s") != mask(name, value, "t")
    names = {mask("name", f"person {number}") for number in range(40)}
    assert len(names) == 40
