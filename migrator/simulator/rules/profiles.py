"""Profiles, and the permission sets that belong to them: both show the same user permissions."""

from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.execution import Effect, Saved, Saving
from migrator.simulator.records.results import RowError
from migrator.simulator.records.truth import Change
from migrator.simulator.schema.people import USER_PERMISSIONS

_FIELDS = tuple(f"Permissions{name}" for name in USER_PERMISSIONS)
_OWNED = RowError(
    "INSUFFICIENT_ACCESS_OR_READONLY", "Cannot change a permission set that is owned by a profile"
)


def add(org: OrgState) -> None:
    """Add the rules to the org's."""

    def mirror(saved: Saved) -> None:
        sets = org.store.table("PermissionSet")
        for seq in saved.seqs:
            flags = {name: saved.table.cell(seq, name) for name in _FIELDS}
            for each in sets.find("ProfileId", saved.table.id_of(seq)):
                sets.update(each, flags)

    def guard(saving: Saving) -> None:
        for row, owned in zip(saving.rows, saving.old("IsOwnedByProfile"), strict=True):
            if owned == "true":
                saving.fault(row, _OWNED)

    if org.schema.sobject("PermissionSet") is None:
        return
    watched = Effect(mirror, frozenset(_FIELDS), frozenset({Change.UPDATED}))
    org.dml.rules("Profile").effects.append(watched)
    org.dml.rules("PermissionSet").checks.append(guard)
