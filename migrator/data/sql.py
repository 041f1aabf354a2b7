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


#: one bit for each of the fifteen characters that a checksum is about, eight bits apart
_FIFTEEN = int("01" * 15, 16)
#: five of them
_FIVE = 0xFF_FF_FF_FF_FF


def _letters(value: str) -> str:
    """Fifteen characters of an id as one number, NULL when it has none. Looking at them one by one costs ten times as much."""
    return f"TRY_CAST(encode(nullif(substr({value}, 1, 15), ''))::BIT AS HUGEINT)"


def _capitals(letters: str) -> str:
    """Bit k is set where character k is an upper-case letter: its byte has the bit 0x40 and lacks 0x20."""
    return f"(({letters} >> 6) & xor({letters} >> 5, {_FIFTEEN}::HUGEINT) & {_FIFTEEN}::HUGEINT)"


def _checksum(capitals: str) -> str:
    """Three characters, one for five each.

    Modulo 511, 256 is a half: so the five bits, from the last to the first, weigh 16, 8, 4, 2 and 1.
    """
    fives = [f"({capitals} >> {shift}) & {_FIVE}" for shift in (80, 40, 0)]
    chars = ", ".join(f"substr('{_CHECKSUM}', 1 + (({five})::BIGINT * 16) % 511, 1)" for five in fives)
    return f"concat({chars})"


def with_checked(relation: str, value: str, prefix: str) -> str:
    """SQL of a relation with the columns that `no_id` looks at. Its steps are columns, or they would be planned over and over.

    Sixteen characters are one number of 128 bits; what the first two add to the checksum, the prefix tells. In halves of eight characters the flags of
    capitals are eight bits apart, and modulo 511 the k-th byte from the end weighs 2 to the power of -k.
    """
    letters = f"TRY_CAST(encode(nullif(substr({value}, 3, 16), ''))::BIT AS HUGEINT)"
    halves = (
        f"(letters & {2**64 - 1}::HUGEINT)::UBIGINT AS last8, TRY_CAST(letters >> 64 AS UBIGINT) AS first8"
    )
    first, last = _flags("first8", _EIGHT), _flags("last8", _EIGHT & ~0xFF_FF_FF)
    numbers = f"{first} AS first_flags, {last} AS last_flags, (last8 & {0xFF_FF_FF})::INTEGER AS suffix"
    capitals = [
        str(int(prefix[place].isupper()))
        if prefix
        else f"({value}[{place + 1}] BETWEEN 'A' AND 'Z')::INTEGER"
        for place in (0, 1)
    ]
    known = f"{capitals[0]} + {capitals[1]} * 2"
    fives = (
        f"(first_flags & 28) + {known} AS five1, ((first_flags >> 5) & 15) + (first_flags & 1) * 16 AS five2, "
        "last_flags >> 2 AS five3"
    )
    steps = (f"{letters} AS letters", halves, numbers, fives)
    for step in steps:
        relation = f"(SELECT *, {step} FROM {relation})"
    return relation


#: one bit for each of eight characters
_EIGHT = int("01" * 8, 16)


def _flags(eight: str, which: int) -> str:
    capitals = f"({eight} >> 6) & xor({eight} >> 5, {which}::UBIGINT) & {which}::UBIGINT"
    return f"(({capitals}) % 511)::INTEGER"


def no_id(value: str, prefix: str) -> str:
    """SQL: the value is no 18-character record id of the sObject with that key prefix; its `with_checked` is beside it."""
    # the digits of the checksum come after its letters: 0 is 26
    char = "(65 + {0} - 43 * (({0} + 6) >> 5))".format
    suffix = f"{char('five1')} * 65536 + {char('five2')} * 256 + {char('five3')}"
    return f"NOT coalesce(strlen({value}) = 18 AND starts_with({value}, {text(prefix)}) AND suffix = {suffix}, false)"


#: where a cell without quotes must be quoted; it is not empty. Space and tab sort before "!", and one comparison is cheaper than two functions
_QUOTE = "contains(x, ',') OR contains(x, chr(10)) OR x < '!'"
#: where a reader might trim it besides
_TRIMMED = "ends_with(x, ' ') OR ends_with(x, chr(9))"

#: what an org takes away at both ends of a text: blanks and control characters, not the blanks of other scripts (Apex Developer Guide,
#: "Primitive Data Types": the strings of a record have no leading and trailing whitespace; a no-break space stays)
_AROUND = "".join(map(chr, range(1, 33)))

#: created in every database
MACROS = (
    # the 18-character form of what looks like a 15-character record id; anything else as it is
    f"""CREATE MACRO to18(x) AS CASE WHEN strlen(x) = 15 AND regexp_full_match(x, '[0-9A-Za-z]{{15}}')
        THEN concat(x, {_checksum(_capitals(_letters("x")))}) ELSE x END""",
    # one kind of line end inside values: Bulk API 2.0 jobs state theirs, and mixed ones fail the job
    """CREATE MACRO one_newline(x) AS CASE WHEN contains(x, chr(13))
        THEN replace(replace(x, chr(13) || chr(10), chr(10)), chr(13), chr(10)) ELSE x END""",
    # a text as an org keeps it; looking at both ends first costs a thirtieth of trimming
    f"""CREATE MACRO trimmed(x) AS CASE WHEN x < '!' OR array_extract(x, -1) < '!' THEN trim(x, {text(_AROUND)}) ELSE x END""",
    # a cell in Salesforce's CSV dialect, without CR (see `one_newline`)
    f"""CREATE MACRO csv_cell(x) AS CASE WHEN contains(x, '"') THEN concat('"', replace(x, '"', '""'), '"')
        WHEN {_QUOTE} OR {_TRIMMED} THEN concat('"', x, '"') ELSE x END""",
    # the same where the whole line is looked at afterwards, see `unsettled`
    f"""CREATE MACRO quick_cell(x) AS CASE WHEN contains(x, '"') THEN concat('"', replace(x, '"', '""'), '"')
        WHEN {_QUOTE} THEN concat('"', x, '"') ELSE x END""",
    # Excel and its like run a cell that starts with one of these; only reports are read by them
    """CREATE MACRO for_people(x) AS CASE WHEN regexp_matches(x, '^[=+@\\t\\r-]') THEN concat(chr(39), x) ELSE x END""",
)


def line(values: Sequence[str], *, plain: Sequence[str] = (), macro: str = "csv_cell") -> str:
    """A row of a slice file; `plain` values never need quotes. A row of one empty cell is written as a quoted one: a blank line would be no row."""
    if len(values) == 1:
        return f"CASE WHEN {values[0]} IS NULL THEN '\"\"' ELSE {macro}({values[0]}) END"
    parts = [value if value in plain else f"{macro}({value})" for value in values]
    joined = ", ',', ".join(parts)
    return f"concat({joined})"


def quick_line(values: Sequence[str], *, plain: Sequence[str] = ()) -> str:
    """A row of a slice file, if `unsettled` does not hold for it: looking for what is rare in a line is cheaper than in each of its cells."""
    return line(values, plain=plain, macro="quick_cell")


def lf_ended(quick: str) -> str:
    """A quick line with LF in place of CRLF: a cell with CRLF has an LF, so it has its quotes already."""
    return f"CASE WHEN contains({quick}, chr(13)) THEN replace({quick}, chr(13) || chr(10), chr(10)) ELSE {quick} END"


def unsettled(quick: str) -> str:
    """SQL: the quick line (of `lf_ended`) may have a cell with a CR, or one that ends with a blank or tab and has no quotes."""
    # one character is found faster than two, and few lines have a tab anywhere
    marks = "chr(13)", "chr(9)", "' ,'"
    found = " OR ".join(f"contains({quick}, {mark})" for mark in marks)
    return f"({found} OR ends_with({quick}, ' '))"


def present(value: str) -> str:
    """NULL for a cell that says nothing, or says "set to null"."""
    return f"nullif(nullif({value}, ''), {text(SET_NULL)})"


def canonical(column: SentColumn, value: str) -> str:
    """A form of a present cell in which what we sent and what an org says about it are equal text.

    Numbers come back as Java prints a double (`9.12260031E8`), booleans and instants may be reformatted; all other text is exact
    but for line ends. Fifteen digits are what a double keeps. `value` should be a column: it is named several times. What a record holds afterwards is
    another question: `kept`.
    """
    return _CANONICAL.get(_kind(column), "one_newline({0})").format(value)


def kept(column: SentColumn, value: str) -> str:
    """A form of a present cell in which what was sent and what the org keeps of it are equal text; NULL where it keeps nothing.

    Texts lose the blanks around them, addresses the case of their letters, and values of picklists have the one of their definition. A record that an
    upsert found keeps its key as it is. `value` should be a column.
    """
    if column.type not in _KEPT and not exact(column):
        return canonical(column, value)
    form = _KEPT.get(column.type, "trimmed(one_newline({0}))")
    return f"nullif({form.format(f'lower({value})' if column.folded else value)}, '')"


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
    "time": "coalesce(try_cast(rtrim({0}, 'Z') AS TIME)::VARCHAR, {0})",
    "multipicklist": "array_to_string(list_sort(string_split({0}, ';')), ';')",
}

_KEPT = {
    "email": "lower(trimmed({0}))",
    "picklist": "lower(trimmed({0}))",
    "combobox": "lower(trimmed({0}))",
    # a set: blanks around its values, their order and repeated ones mean nothing
    "multipicklist": "array_to_string(list_sort(list_distinct(list_filter(list_transform(string_split(lower({0}), ';'), "
    "lambda one: trimmed(one)), lambda one: one <> ''))), ';')",
}
