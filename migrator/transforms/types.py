"""Whether a value has the form that its field's type needs, in SQL: bad cells never leave.

**Invariant:** a check is true for bad values only; null and an empty text, both an empty cell, are never bad.
"""

_NUMBER = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?"
_INTEGER = r"[+-]?[0-9]{1,19}(\.0*)?"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?"
_ZONE = r"(Z|[+-][0-9]{2}:?[0-9]{2})"
#: dates outside are refused by Salesforce ("Date and Datetime values", SOAP API guide)
_FIRST, _LAST = "1700-01-01", "4000-12-31"

_NUMBERS = frozenset({"double", "currency", "percent"})
_INTEGERS = frozenset({"int", "long"})
_TEXTS = frozenset(
    {
        "string",
        "textarea",
        "email",
        "phone",
        "url",
        "picklist",
        "multipicklist",
        "combobox",
        "encryptedstring",
        "reference",
        "id",
    }
)


def _form(value: str, pattern: str) -> str:
    return f"NOT regexp_full_match({value}, '{pattern}')"


def _calendar(value: str) -> str:
    day = f"left({value}, 10)"
    return f"TRY_CAST({day} AS DATE) IS NULL OR {day} < '{_FIRST}' OR {day} > '{_LAST}'"


def faults_of_type(type_: str, length: int, value: str) -> list[tuple[str, str]]:
    """Pairs of a SQL condition over `value` (SQL) and the fault it shows."""
    return [(f"{value} <> '' AND ({bad})", code) for bad, code in _bad_forms(type_, length, value)]


def _bad_forms(type_: str, length: int, value: str) -> list[tuple[str, str]]:
    found = [(f"contains({value}, chr(0))", "DATA_ENCODING")]
    if type_ in _NUMBERS:
        found.append((_form(value, _NUMBER), "DATA_NUMBER"))
    elif type_ in _INTEGERS:
        found.append((_form(value, _INTEGER), "DATA_NUMBER"))
    elif type_ == "boolean":
        found.append((f"lower({value}) NOT IN ('true', 'false')", "DATA_BOOLEAN"))
    elif type_ == "date":
        found.append((f"{_form(value, _DATE)} OR {_calendar(value)}", "DATA_DATE"))
    elif type_ == "datetime":
        # a time without a zone would be read in the zone of whoever runs the load
        whole = (
            f"{_form(value, f'{_DATE}T{_TIME}{_ZONE}')} OR TRY_CAST(left({value}, 19) AS TIMESTAMP) IS NULL"
        )
        found.append((f"{whole} OR {_calendar(value)}", "DATA_DATE"))
    elif type_ == "time":
        whole = f"{_form(value, f'{_TIME}Z?')} OR TRY_CAST(left({value}, 8) AS TIME) IS NULL"
        found.append((whole, "DATA_DATE"))
    elif type_ in _TEXTS and length:
        found.append((f"length({value}) > {length}", "DATA_TOO_LONG"))
    return found
