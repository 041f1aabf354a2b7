"""The text cells of a slice → the typed JSON values that the REST API wants.

**Invariant:** a number never changes its value on the way: what a binary double cannot hold exactly travels as text, which
the org reads as well.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

Cell = str | int | float | bool | None

#: the Bulk dialect's word for null (Bulk API guide, "Valid CSV Record Rows")
NULL = "#N/A"


def to_json(text: str, field_type: str) -> Cell:
    """One cell. Text that does not fit its type goes as it is: the org's refusal is the better message."""
    if text == NULL:
        return None
    match field_type:
        case "boolean":
            return {"true": True, "1": True, "false": False, "0": False}.get(text.strip().lower(), text)
        case "int" | "long":
            return _whole(text)
        case "double" | "currency" | "percent":
            return _number(text)
        case _:
            return text


def _whole(text: str) -> Cell:
    number = _decimal(text)
    return int(number) if number is not None and number == number.to_integral_value() else text


def _number(text: str) -> Cell:
    number = _decimal(text)
    if number is None:
        return text
    double = float(number)
    return double if Decimal(repr(double)) == number else text


def _decimal(text: str) -> Decimal | None:
    # Decimal reads other scripts' digits, underscores and surrounding blanks, Salesforce does not
    if not text.isascii() or "_" in text or text != text.strip():
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    # an exponent beyond a double's would make the integer below enormous
    return number if number.is_finite() and abs(number.adjusted()) < 308 else None


def to_record(sobject: str, cells: Mapping[str, str | None], types: Mapping[str, str]) -> dict[str, object]:
    """One record of a collections request. None empties a field; empty cells are left out: like the Bulk API, they change nothing."""
    record: dict[str, object] = {"attributes": {"type": sobject}}
    for name, text in cells.items():
        if text == "":
            continue
        value = None if text is None else to_json(text, types.get(name, "string"))
        record["id" if name.lower() == "id" else name] = value
    return record
