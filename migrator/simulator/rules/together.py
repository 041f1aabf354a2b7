"""Fields that are unique together: a user has a permission set once, a price book has a product once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.execution import Saving
from migrator.simulator.records.results import RowError
from migrator.simulator.records.table import Table

_UNKNOWN = "<unknown>"


@dataclass(frozen=True, slots=True)
class Together:
    """Fields of an sObject of which no two records may have the same values; null is no value.

    First comes the field by which few records are found.
    """

    sobject: str
    fields: tuple[str, ...]
    error: Callable[[Sequence[str], str], RowError] | None = None  # of the values, and the other record's id


def _duplicate_value(fields: tuple[str, ...], other: str) -> RowError:
    name = fields[0] if other != _UNKNOWN else _UNKNOWN
    text = f"duplicate value found: {name} duplicates value on record with id: {other[:15]}"
    return RowError("DUPLICATE_VALUE", text, fields)


def assigned_twice(values: Sequence[str], _: str) -> RowError:
    """The error of a permission set that a user has already."""
    user, permission_set = (each[:15] for each in values)
    text = f"Duplicate PermissionSetAssignment.  Assignee: {user}; Permission Set: {permission_set}"
    return RowError("DUPLICATE_VALUE", text, ("AssigneeId", "PermissionSetId"))


UNIQUE = (
    Together("PermissionSetAssignment", ("AssigneeId", "PermissionSetId"), assigned_twice),
    Together("ObjectPermissions", ("ParentId", "SobjectType")),
    Together("FieldPermissions", ("Field", "ParentId")),
    Together("SetupEntityAccess", ("ParentId", "SetupEntityId")),
    Together("GroupMember", ("UserOrGroupId", "GroupId")),
    Together("AccountContactRelation", ("ContactId", "AccountId")),
    Together("CampaignMemberStatus", ("CampaignId", "Label")),
    Together("ContentDocumentLink", ("ContentDocumentId", "LinkedEntityId")),
    Together("AccountTeamMember", ("AccountId", "UserId")),
    Together("OpportunityTeamMember", ("OpportunityId", "UserId")),
    Together("CurrencyType", ("IsoCode",)),
    Together("DatedConversionRate", ("IsoCode", "StartDate")),
    Together("QueueSobject", ("QueueId", "SobjectType")),
)


def add(org: OrgState) -> None:
    """Add the checks to the org's rules."""
    for each in UNIQUE:
        if org.schema.sobject(each.sobject) is not None:
            org.dml.rules(each.sobject).checks.append(_Check(each))


class _Check:
    """Refuses rows whose fields together are those of another record, or of a row before."""

    def __init__(self, together: Together) -> None:
        self._together = together

    def __call__(self, saving: Saving) -> None:
        together, table = self._together, saving.table
        if not saving.gives(*together.fields):
            return
        keys = zip(*(saving.new(name) for name in together.fields), strict=True)
        seen: set[tuple[str, ...]] = set()
        for row, key in zip(saving.rows, keys, strict=True):
            if not all(key):
                continue
            other = _UNKNOWN if key in seen else self._other(table, key, saving.updates.get(row))
            if other:
                error = together.error(key, other) if together.error else None
                saving.fault(row, error or _duplicate_value(together.fields, other))
            seen.add(key)

    def _other(self, table: Table, key: Sequence[str], own: int | None) -> str:
        first, *rest = self._together.fields
        for seq in table.find(first, key[0]):
            if seq != own and all(
                table.cell(seq, name) == value for name, value in zip(rest, key[1:], strict=True)
            ):
                return table.id_of(seq)
        return ""
