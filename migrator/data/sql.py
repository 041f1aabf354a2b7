"""SQL text: quoting, and the expressions that say what a Salesforce value is.

**Invariant:** every name and literal that reaches DuckDB went through `ident` or `text`.
"""

from collections.abc import Sequence

from migrator.data.jobs import SentColumn

_CHECKSUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
#: what sets a field to null (Bulk API 2.0, "Prepare CSV Files"); so no value can be that text
SET_NULL = "#N/A"


def ident(name: str) -> str:
    """A quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """A string literal."""
    return "'" + value.replace("'", "''") + "'"


def cell(name: str) -> str:
    """The column of a rows file that holds the sent cell of that field; the prefix keeps it apart from our own columns."""
    return ident("c." + name)


def _checksum_char(group: int) -> str:
    """One character for five: bit k is set where character k is an upper-case letter."""
    bits = " + ".join(
        f"CASE WHEN x[{group * 5 + k + 1}] BETWEEN 'A' AND 'Z' THEN {1 << k} ELSE 0 END" for k in range(5)
    )
    return f"substr('{_CHECKSUM}', 1 + {bits}, 1)"


#: where a cell must be quoted, or where a reader might trim it; cells have no CR (see `one_newline`) and are not empty
_QUOTE = (
    "contains(x, ',') OR contains(x, chr(10)) OR starts_with(x, ' ') OR ends_with(x, ' ') "
    "OR starts_with(x, chr(9)) OR ends_with(x, chr(9))"
)

#: created in every database
MACROS = (
    # the 18-character form of what looks like a 15-character record id; anything else as it is
    f"""CREATE MACRO to18(x) AS CASE WHEN strlen(x) = 15 AND regexp_full_match(x, '[0-9A-Za-z]{{15}}')
        THEN concat(x, {_checksum_char(0)}, {_checksum_char(1)}, {_checksum_char(2)}) ELSE x END""",
    # one kind of line end inside values: Bulk API 2.0 jobs state theirs, and mixed ones fail the job
    """CREATE MACRO one_newline(x) AS CASE WHEN contains(x, chr(13))
        THEN replace(replace(x, chr(13) || chr(10), chr(10)), chr(13), chr(10)) ELSE x END""",
    # a cell in Salesforce's CSV dialect
    f"""CREATE MACRO csv_cell(x) AS CASE WHEN x IS NULL THEN ''
        WHEN contains(x, '"') THEN concat('"', replace(x, '"', '""'), '"')
        WHEN {_QUOTE} THEN concat('"', x, '"') ELSE x END""",
    # its length in bytes, without making it
    f"""CREATE MACRO csv_bytes(x) AS CASE WHEN x IS NULL THEN 0
        WHEN contains(x, '"') THEN strlen(replace(x, '"', '""')) + 2
        WHEN {_QUOTE} THEN strlen(x) + 2 ELSE strlen(x) END""",
    # what it is at most
    """CREATE MACRO csv_bytes_bound(x) AS CASE WHEN x IS NULL THEN 0
        WHEN contains(x, '"') THEN strlen(replace(x, '"', '""')) + 2 ELSE strlen(x) + 2 END""",
    # Excel and its like run a cell that starts with one of these; only reports are read by them
    """CREATE MACRO for_people(x) AS CASE WHEN regexp_matches(x, '^[=+@\\t\\r-]') THEN concat(chr(39), x) ELSE x END""",
)


def line(names: Sequence[str]) -> str:
    """A row of a slice file. A row of one empty cell is written as a quoted one: a blank line would be no row."""
    if len(names) == 1:
        return f"CASE WHEN {cell(names[0])} IS NULL THEN '\"\"' ELSE csv_cell({cell(names[0])}) END"
    return "concat_ws(',', " + ", ".join(f"csv_cell({cell(name)})" for name in names) + ")"


def line_bytes(values: Sequence[str], *, exact: bool) -> str:
    """Its length in bytes with the line end. Not exact: at most a quoted cell each too many, for half the work."""
    if len(values) == 1:
        return f"(CASE WHEN {values[0]} IS NULL THEN 2 ELSE csv_bytes({values[0]}) END + 1)::BIGINT"
    each = "csv_bytes" if exact else "csv_bytes_bound"
    return "(" + " + ".join(f"{each}({value})" for value in values) + f" + {len(values)})::BIGINT"


def present(value: str) -> str:
    """NULL for a cell that says nothing, or says "set to null"."""
    return f"nullif(nullif({value}, ''), {text(SET_NULL)})"


def canonical(column: SentColumn, value: str) -> str:
    """A form of a present cell in which what we sent and what an org says about it are equal text.

    Numbers come back as Java prints a double (`9.12260031E8`), booleans and instants may be reformatted; all other text is exact
    but for line ends. Fifteen digits are what a double keeps. `value` should be a column: it is named several times.
    """
    return _CANONICAL.get(_kind(column), "one_newline({0})").format(value)


def exact(column: SentColumn) -> bool:
    """Whether an org repeats the cells of this column letter for letter."""
    return _kind(column) not in _CANONICAL


def _kind(column: SentColumn) -> str:
    return "number" if column.numeric else column.type


_CANONICAL = {
    "number": "coalesce(printf('%.15g', try_cast({0} AS DOUBLE) + 0), {0})",
    "boolean": "CASE lower({0}) WHEN '1' THEN 'true' WHEN '0' THEN 'false' ELSE lower({0}) END",
    "date": "coalesce(try_cast(substr({0}, 1, 10) AS DATE)::VARCHAR, {0})",
    "datetime": "coalesce(epoch_ms(try_cast({0} AS TIMESTAMPTZ))::VARCHAR, {0})",
    # the last three characters only repeat what the first fifteen say
    "id": "substr({0}, 1, 15)",
    "reference": "substr({0}, 1, 15)",
    "multipicklist": "array_to_string(list_sort(string_split({0}, ';')), ';')",
}
