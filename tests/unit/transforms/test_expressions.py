"""Expressions, run by a real DuckDB over one row."""

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.model.plan import FieldRule, Match
from migrator.model.schedule import ColumnSpec
from migrator.transforms import compile_column, compile_match
from migrator.transforms.template import ExpressionError

CONNECTION = duckdb.connect(config={"threads": 1})

ROW: dict[str, str | None] = {
    "First": "Ada",
    "Last": "Lovelace",
    "Empty": "",
    "Null": None,
    "Amount": "12.50",
    "Count": "3",
    "Zero": "0",
    "Word": "many",
    "Day": "2024-02-29",
    "German": "29.02.2024",
    "Stamp": "2024-02-29 05:06:07",
    "Zoned": "2024-02-29T05:06:07.000+0200",
    "Yes": "true",
    "No": "false",
    "Account Name": "Acme",
}


def run(
    rule: FieldRule, row: dict[str, str | None] | None = None, type_: str = "string", length: int = 0
) -> tuple[str | None, str | None]:
    """The value and the fault of a rule over one row."""
    row = ROW if row is None else row
    column = compile_column(ColumnSpec(rule, type_, length))
    columns = ", ".join('CAST(? AS VARCHAR) AS "' + name.replace('"', '""') + '"' for name in row)
    sql = f"SELECT {column.value_sql}, {column.fault_sql or 'NULL'} FROM (SELECT {columns})"
    value, fault = CONNECTION.execute(sql, list(row.values())).fetchall()[0]
    return value, fault


def evaluate(expression: str) -> tuple[str | None, str | None]:
    return run(FieldRule("T", expression=expression))


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("{{ First }}", "Ada"),
        ("{{ First }} {{ Last | upper }}!", "Ada LOVELACE!"),
        ("{{ First ~ '-' ~ Count }}", "Ada-3"),
        ("{{ First + Last }}", "AdaLovelace"),
        ("{{ Amount + 1 }}", "13.5"),
        ("{{ Amount * Count }}", "37.5"),
        ("{{ Amount - 0.5 }}", "12"),
        ("{{ Count / 4 }}", "0.75"),
        ("{{ Count % 2 }}", "1"),
        ("{{ -Count }}", "-3"),
        ("{{ Amount | number + Count | number }}", "15.5"),
        ("{{ 0.1 + 0.2 }}", "0.3"),
        ("{{ 100 }}", "100"),
        ("{{ Amount | round }}", "13"),
        ("{{ Amount | number | round(1) }}", "12.5"),
        ("{{ 'yes' if Amount > 9 else 'no' }}", "yes"),
        ("{{ 'yes' if Count | number == 3 and not No else 'no' }}", "yes"),
        ("{{ 'yes' if First in ['Ada', 'Bob'] else 'no' }}", "yes"),
        ("{{ 'yes' if Count not in [1, 2] else 'no' }}", "yes"),
        ("{{ 'yes' if Null is none else 'no' }}", "yes"),
        ("{{ First if Null is not none }}", None),
        ("{{ First if Empty or Yes else Last }}", "Ada"),
        ("{{ Amount > 20 }}", "false"),
        ("{{ Null }}", None),
        ("Mr {{ Null }}", None),
        ("{{ Null + 1 }}", None),
        ("{{ Null > 1 }}", None),
        ("{{ Null | upper }}", None),
        ("{{ Null | default('none') }}", "none"),
        ("{{ Empty | default(First) }}", "Ada"),
        ("{{ First | default('none') }}", "Ada"),
        ("{{ Null | number | default(0) }}", "0"),
        ("{{ First | replace('a', \"'\") }}", "Ad'"),
        ("{{ '  x ' | trim }}", "x"),
        ("{{ Last | left(4) }}{{ Last | right(2) }}", "Lovece"),
        ("{{ Last | truncate(1) | lower }}", "l"),
        ("{{ German | date('%d.%m.%Y') }}", "2024-02-29"),
        ("{{ Stamp | date }}", "2024-02-29"),
        ("{{ Stamp | datetime }}", "2024-02-29T05:06:07.000Z"),
        ("{{ Zoned | datetime }}", "2024-02-29T05:06:07.000+0200"),
        ("{{ Day | datetime }}", "2024-02-29T00:00:00.000Z"),
        ("{{ Day | format_date('%d/%m/%y') }}", "29/02/24"),
        ("{{ '+49 (0)40' | digits }}", "49040"),
        ("{{ column('Account Name') }}", "Acme"),
        ("{{ coalesce(Null, Empty, Last) }}", "Lovelace"),
        ("{{ join(', ', First, Null, Last) }}", "Ada, Lovelace"),
        ("{{ join(', ', Null, Empty) }}", None),
        ("{{ 'a\\\\b\\n\\u00e9' }}", "a\\b\né"),
        ("{{ 'x' if Word == 'none' else Word }}", "many"),
    ],
)
def test_values(expression: str, value: str | None) -> None:
    assert evaluate(expression) == (value, None)


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("{{ Word + 1 }}", "DATA_NUMBER"),
        ("{{ Word | number }}", "DATA_NUMBER"),
        ("{{ Count / Zero }}", "DATA_NUMBER"),
        ("{{ Count % Zero }}", "DATA_NUMBER"),
        ("{{ 9999999999 * 9999999999 }}", "DATA_NUMBER"),
        ("{{ Word * 2 }}", "DATA_NUMBER"),
        ("{{ Null * 2 }}", None),
        ("{{ 1 if Zero == '0' else Word * 2 }}", None),
        ("{{ Day | date('%d.%m.%Y') }}", "DATA_DATE"),
        ("{{ Word | datetime }}", "DATA_DATE"),
        ("{{ Word | number if Count == '3' else 1 }}", "DATA_NUMBER"),
        ("{{ Word | number if Count == '4' else 1 }}", None),
        ("{{ 1 if Count == '3' else Word | number }}", None),
    ],
)
def test_rows_that_do_not_fit_are_faults_where_the_branch_is_taken(
    expression: str, fault: str | None
) -> None:
    assert evaluate(expression)[1] == fault


@pytest.mark.parametrize(
    ("expression", "code", "place"),
    [
        ("{% if A %}x{% endif %}", "expression-forbidden", (1, 1)),
        ("a\n{% for x in y %}{% endfor %}", "expression-forbidden", (2, 1)),
        ("{# note #}{{ A }}", "expression-forbidden", (1, 1)),
        ("{{ A.__class__ }}", "expression-forbidden", None),
        ("{{ A['x'] }}", "expression-forbidden", None),
        ("{{ A[1:2] }}", "expression-forbidden", None),
        ("{{ A.format(B) }}", "expression-forbidden", None),
        ("{{ A | attr('x') }}", "expression-forbidden", None),
        ("{{ A | uper }}", "expression-forbidden", None),
        ("{{ range(9) }}", "expression-forbidden", None),
        ("{{ A ** 9 }}", "expression-forbidden", None),
        ("{{ A // 9 }}", "expression-forbidden", None),
        ("{{ 1 < A < 3 }}", "expression-forbidden", None),
        ("{{ A is defined }}", "expression-forbidden", None),
        ("{{ [A] }}", "expression-forbidden", None),
        ("{{ {'a': A} }}", "expression-forbidden", None),
        ("{{ A in B }}", "expression-forbidden", None),
        ("{{ A | left(B) }}", "expression-forbidden", None),
        ("{{ A | left(n=3) }}", "expression-forbidden", None),
        ("{{ A | left }}", "expression-forbidden", None),
        ("{{ A | left('x') }}", "expression-forbidden", None),
        ("{{ A | date('%Q') }}", "expression-forbidden", None),
        ("{{ A | replace('', 'x') }}", "expression-forbidden", None),
        ("{{ 'x' + 1 }}", "expression-forbidden", None),
        ("{{ A + (B == C) }}", "expression-forbidden", None),
        ("{{ A", "expression-syntax", None),
        ("x {{ A B }}", "expression-syntax", (1, 8)),
        ("{{ }}", "expression-syntax", (1, 4)),
        ("{{ 'a }}", "expression-syntax", None),
        ("{{ A $ B }}", "expression-syntax", (1, 6)),
        ("{{ '\\d' }}", "expression-syntax", (1, 4)),
        ("{{ '\\ud800' }}", "expression-syntax", (1, 4)),
        ("{{ " + "(" * 30 + "A" + ")" * 30 + " }}", "expression-limit", None),
        ("{{ " + "not " * 400 + "A }}", "expression-limit", None),
        ("{{ " + "-" * 250 + "A }}", "expression-limit", None),
        ("{{ 1" + "0" * 40 + " }}", "expression-limit", None),
        ("{{ 1e400 }}", "expression-forbidden", None),
        ("{{ A" + " | replace('a', 'aaaaaaaaaaaaaaaaaaaa')" * 5 + " }}", "expression-limit", None),
        ("{{ A" + " | datetime" * 100 + " }}", "expression-limit", None),
        ("x" * 10_001, "expression-limit", (1, 1)),
    ],
)
def test_what_is_not_an_expression_is_refused_with_its_place(
    expression: str, code: str, place: tuple[int, int] | None
) -> None:
    with pytest.raises(ExpressionError) as raised:
        compile_column(ColumnSpec(FieldRule("T", expression=expression), "string"))
    assert raised.value.code == code
    if place is not None:
        assert (raised.value.line, raised.value.column) == place


def test_a_match_turns_the_value_of_its_first_field() -> None:
    assert compile_match(Match(("Username",))) == ('"Username"',)
    first, second = compile_match(Match(("Username", "Type"), "{{ value | lower }}.merged"))
    assert second == '"Type"'
    assert first == "lower(\"Username\") || '.merged'"


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@settings(max_examples=60)
@given(constant=_TEXT, field=_TEXT)
def test_any_constant_comes_back_as_it_is(constant: str, field: str) -> None:
    assert run(FieldRule("T", value=constant), {"a": field})[0] == constant


@settings(max_examples=60)
@given(name=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30), field=_TEXT)
def test_any_field_name_is_only_a_name(name: str, field: str) -> None:
    assert run(FieldRule("T", source=name), {name: field})[0] == field


@given(
    value=st.one_of(
        _TEXT,
        st.sampled_from(
            ["infinity", "-infinity", "1e25", "9" * 26, "9" * 18, "-" + "9" * 12, "0001-01-01 BC", "epoch"]
        ),
    )
)
@pytest.mark.parametrize(
    "filters", ["number | round(2)", "date", "datetime", "date('%d.%m.%Y')", "format_date('%Y')"]
)
def test_no_value_whatever_stops_a_query(filters: str, value: str) -> None:
    run(FieldRule("T", expression="{{ a | " + filters + " }}"), {"a": value})


@pytest.mark.parametrize(
    "value", ["infinity", "1e25", "9" * 18, "-" + "9" * 18, "9" * 13, "240", "0", "", "-0.000001"]
)
def test_no_number_whatever_overflows(value: str) -> None:
    run(FieldRule("T", expression="{{ a * a + a / a - a % a + (a | number + a) * (a * 9) }}"), {"a": value})
    run(FieldRule("T", expression="{{ " + "a | number + " * 40 + "a }}"), {"a": value})
    run(FieldRule("T", expression="{{ (a * 9) | round(2) * 10000000000 / 0.000001 }}"), {"a": value})


@given(st.text(st.sampled_from("{}%#|~+-*/()[]<>='\"\\ .,abAB01 inotr"), max_size=40))
@settings(max_examples=150)
def test_any_template_compiles_to_sql_that_runs_or_is_refused(text: str) -> None:
    rule = FieldRule("T", expression="{{ " + text + " }}")
    try:
        column = compile_column(ColumnSpec(rule, "string"))
    except ExpressionError as refused:
        place = (refused.line, refused.column)
        column = None
    else:
        place = (1, 1)
    assert min(place) >= 1
    if column is not None and column.reads:
        run(rule, dict.fromkeys((name.lower() for name in column.reads), "x"))
