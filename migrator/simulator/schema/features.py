"""Features that an org has or has not, and the sObjects and fields that come with them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from migrator.simulator.schema.model import Currency, Field, FieldType, SObject
from migrator.simulator.schema.view import is_setup

CUSTOM = "__c"  # among the targets of a standard reference: every custom object


def with_custom_targets(objects: Mapping[str, SObject]) -> dict[str, SObject]:
    """The sObjects with the custom ones among the targets of references that take any."""
    custom = tuple(sorted((name for name, each in objects.items() if each.custom), key=str.casefold))
    return {name: _expanded(each, custom) for name, each in objects.items()}


def _expanded(sobject: SObject, custom: tuple[str, ...]) -> SObject:
    if not any(CUSTOM in field.reference_to for field in sobject.fields):
        return sobject

    def expand(field: Field) -> Field:
        if CUSTOM not in field.reference_to:
            return field
        plain = tuple(each for each in field.reference_to if each != CUSTOM)
        return replace(field, reference_to=(*plain, *custom))

    return replace(sobject, fields=tuple(map(expand, sobject.fields)))


# --- currencies --------------------------------------------------------------------------------------------------

CURRENCY_FIELD = "CurrencyIsoCode"
_ISO = re.compile(r"[A-Z]{3}")
_LINES = {"OpportunityLineItem", "OrderItem"}  # their currency is that of their parent
_WITHOUT = {
    "Attachment",
    "CampaignMemberStatus",
    "ContentDocument",
    "ContentDocumentLink",
    "ContentWorkspace",
    "Document",
    "EntityDefinition",
    "FieldDefinition",
    "Folder",
    "Individual",
    "Note",
}


def read_currencies(given: Mapping[str, Any]) -> tuple[Currency, ...]:
    """`{CHF: corporate, EUR: 0.95, USD: {rate: 1.1, active: false}}`; raises ValueError for what cannot be."""
    made = tuple(_currency(str(code), value) for code, value in given.items())
    if made and sum(each.corporate for each in made) != 1:
        raise ValueError("currencies: one of them is the corporate one (CHF: corporate)")
    return made


def _currency(code: str, value: Any) -> Currency:
    if not _ISO.fullmatch(code):
        raise ValueError(f"currencies: {code} is no ISO code")
    if value == "corporate":
        return Currency(code, corporate=True)
    said = value if isinstance(value, dict) else {"rate": value}
    if set(said) - {"rate", "active"} or not isinstance(said.get("rate"), int | float) or said["rate"] <= 0:
        raise ValueError(f"currencies: {code} needs a rate above 0")
    return Currency(code, float(said["rate"]), bool(said.get("active", True)))


def with_currencies(objects: Mapping[str, SObject], codes: Sequence[str]) -> dict[str, SObject]:
    """The sObjects with the currency of their records; `codes` are the active ones."""
    return {name: with_currency(each, codes) for name, each in objects.items()}


def with_currency(sobject: SObject, codes: Sequence[str]) -> SObject:
    """The sObject with the currency of its records, where it has one."""
    name = sobject.name
    if name in _WITHOUT or (is_setup(sobject) and name != "User"):
        return sobject
    fields = [
        field for field in sobject.fields if field.name not in {CURRENCY_FIELD, f"Default{CURRENCY_FIELD}"}
    ]
    own = Field(
        CURRENCY_FIELD,
        FieldType.PICKLIST,
        label="Currency ISO Code",
        length=255,
        defaulted=True,
        restricted=True,
        permissionable=False,
        values=tuple(codes),
    )
    if name in _LINES:
        own = replace(own, createable=False, updateable=False)
    elif name == "PricebookEntry":
        own = replace(own, updateable=False)
    fields.append(own)
    if name == "User":
        fields.append(replace(own, name=f"Default{CURRENCY_FIELD}", label="Default Currency ISO Code"))
    return replace(sobject, fields=tuple(fields))
