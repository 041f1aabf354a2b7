"""About how many bytes a record takes as CSV, by what a describe says of its fields; for estimates of disk room.

Fields are rarely full, and many are empty: of a text field a sixteenth of its length counts, of a long text area a little more.
"""

from collections.abc import Iterable, Mapping
from typing import Any

#: quotes and delimiter
_AROUND = 3
_BY_TYPE = {
    "id": 18,
    "reference": 15,
    "boolean": 5,
    "date": 10,
    "datetime": 28,
    "time": 12,
    "int": 4,
    "double": 8,
    "currency": 8,
    "percent": 4,
    "email": 20,
    "phone": 10,
    "url": 16,
    "picklist": 10,
    "combobox": 10,
    "multipicklist": 20,
}
#: a field that nothing is known of, e.g. one of another record
_UNKNOWN = 16
_SHORT = 255


def width(columns: Iterable[str], fields: Mapping[str, Mapping[str, Any]]) -> int:
    """Bytes of one record of these columns; `fields`: facts by name, as an identity keeps them."""
    return 1 + sum(_AROUND + _bytes(fields.get(name)) for name in columns)


def _bytes(facts: Mapping[str, Any] | None) -> int:
    if facts is None:
        return _UNKNOWN
    known = _BY_TYPE.get(str(facts["type"]))
    if known is not None:
        return known
    length = int(facts["length"] or 0)
    if not length:
        return _UNKNOWN
    return min(length, 8 + min(length, _SHORT) // 16 + max(0, length - _SHORT) // 512)
