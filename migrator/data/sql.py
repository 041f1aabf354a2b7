"""SQL text: quoting, and the expressions that say what a Salesforce value is.

**Invariant:** every name and literal that reaches DuckDB went through `ident` or `text`.
"""

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
    bits = " + ".join(
        f"((ascii(substr(x, {group * 5 + bit + 1}, 1)) BETWEEN 65 AND 90)::INTEGER << {bit})"
        for bit in range(5)
    )
    return f"substr('{_CHECKSUM}', 1 + {bits}, 1)"


#: created in every connection
MACROS = (
    # the 18-character form of what looks like a 15-character record id; anything else as it is
    f"""CREATE TEMP MACRO to18(x) AS CASE WHEN strlen(x) = 15 AND regexp_full_match(x, '[0-9A-Za-z]{{15}}')
        THEN concat(x, {_checksum_char(0)}, {_checksum_char(1)}, {_checksum_char(2)}) ELSE x END""",
    # one kind of line end inside values: Bulk API 2.0 jobs state theirs, and mixed ones fail the job
    """CREATE TEMP MACRO one_newline(x) AS CASE WHEN contains(x, chr(13))
        THEN replace(replace(x, chr(13) || chr(10), chr(10)), chr(13), chr(10)) ELSE x END""",
    # a cell as Salesforce's CSV dialect wants it: quoted where it must be, and where a reader might trim it
    """CREATE TEMP MACRO csv_cell(x) AS CASE WHEN x IS NULL THEN ''
        WHEN contains(x, '"') THEN concat('"', replace(x, '"', '""'), '"')
        WHEN contains(x, ',') OR contains(x, chr(10)) OR contains(x, chr(13)) OR starts_with(x, ' ') OR ends_with(x, ' ')
          OR starts_with(x, chr(9)) OR ends_with(x, chr(9)) OR x = '' THEN concat('"', x, '"') ELSE x END""",
    # its length in bytes, without making it
    """CREATE TEMP MACRO csv_bytes(x) AS CASE WHEN x IS NULL THEN 0
        WHEN contains(x, '"') THEN strlen(replace(x, '"', '""')) + 2
        WHEN contains(x, ',') OR contains(x, chr(10)) OR contains(x, chr(13)) OR starts_with(x, ' ') OR ends_with(x, ' ')
          OR starts_with(x, chr(9)) OR ends_with(x, chr(9)) OR x = '' THEN strlen(x) + 2 ELSE strlen(x) END""",
    # Excel and its like run a cell that starts with one of these; only reports are read by them
    """CREATE TEMP MACRO for_people(x) AS CASE WHEN regexp_matches(x, '^[=+@\\t\\r-]') THEN concat('''', x) ELSE x END""",
)


def line(names: list[str]) -> str:
    """A row of a slice file. A row of one empty cell is written as a quoted one: a blank line would be no row."""
    if len(names) == 1:
        return f"CASE WHEN {cell(names[0])} IS NULL THEN '\"\"' ELSE csv_cell({cell(names[0])}) END"
    return "concat_ws(',', " + ", ".join(f"csv_cell({cell(name)})" for name in names) + ")"


def line_bytes(values: list[str]) -> str:
    """Its length in bytes with the line end."""
    if len(values) == 1:
        return f"(CASE WHEN {values[0]} IS NULL THEN 2 ELSE csv_bytes({values[0]}) END + 1)::BIGINT"
    return "(" + " + ".join(f"csv_bytes({value})" for value in values) + f" + {len(values)})::BIGINT"


def canonical(column: SentColumn, value: str) -> str:
    """A form of a cell in which what we sent and what an org says about it are equal text, or NULL.

    Numbers come back as Java prints a double (`9.12260031E8`), booleans and instants may be reformatted; all other text is exact
    but for line ends. Fifteen digits are what a double keeps.
    """
    present = f"nullif(nullif({value}, ''), {text(SET_NULL)})"
    kind = "number" if column.numeric else column.type
    return _CANONICAL.get(kind, "one_newline({0})").format(present)


_CANONICAL = {
    "number": "coalesce(printf('%.15g', try_cast({0} AS DOUBLE) + 0), {0})",
    "boolean": "CASE lower({0}) WHEN '1' THEN 'true' WHEN '0' THEN 'false' ELSE lower({0}) END",
    "date": "coalesce(try_cast(substr({0}, 1, 10) AS DATE)::VARCHAR, {0})",
    "datetime": "coalesce(epoch_ms(try_cast({0} AS TIMESTAMPTZ))::VARCHAR, {0})",
    "id": "to18({0})",
    "reference": "to18({0})",
    "multipicklist": "array_to_string(list_sort(string_split({0}, ';')), ';')",
}
