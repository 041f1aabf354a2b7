"""Features that an org has or has not, and the sObjects and fields that come with them."""

from collections.abc import Mapping
from dataclasses import replace

from migrator.simulator.schema.model import Field, SObject

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
