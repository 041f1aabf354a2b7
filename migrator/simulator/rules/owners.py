"""Who may own records: active users, and queues where the field takes groups and the queue takes the sObject."""

from collections.abc import Sequence

from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.execution import Saving
from migrator.simulator.records.results import RowError
from migrator.simulator.schema.model import SObject

# Update Records with Inactive Owners works on these and on custom objects; help 000176484.
_WITH_INACTIVE = frozenset(
    {
        "Account",
        "Asset",
        "Case",
        "Contact",
        "Lead",
        "Note",
        "Opportunity",
        "Order",
        "ServiceContract",
    }
)
_GROUP = "00G"


def add(org: OrgState) -> None:
    """Add the checks to the rules of every sObject that has an owner, now or later."""
    watched: set[str] = set()

    def watch(sobject: SObject) -> SObject:
        owner = sobject.field("OwnerId")
        if owner is not None and owner.createable and "User" in owner.reference_to:
            if sobject.name not in watched:
                org.dml.rules(sobject.name).checks.append(_Check(org, sobject))
            watched.add(sobject.name)
        return sobject

    for sobject in org.schema.sobjects:
        watch(sobject)
    org.adapting.append(watch)


class _Check:
    """Looks at the owners that rows give; whoever owns a record already may be inactive."""

    def __init__(self, org: OrgState, sobject: SObject) -> None:
        self._org = org
        self._sobject = sobject

    def __call__(self, saving: Saving) -> None:
        given = saving.chunk.cells.get("OwnerId")
        if given is None:
            return
        lenient = (self._sobject.custom or self._sobject.name in _WITH_INACTIVE) and self._org.view(
            saving.context.actor
        ).may("UpdateWithInactiveOwner")
        faults = {
            owner: fault for owner in set(given) if owner and (fault := self._judge(owner, lenient=lenient))
        }
        if faults:
            _refuse(saving, faults)

    def _judge(self, owner: str, *, lenient: bool) -> RowError | None:
        if owner.startswith(_GROUP):
            return None if self._takes(owner) else _not_a_queue()
        users = self._org.store.table("User")
        seq = users.seq_of(owner)
        if lenient or not seq or users.cell(seq, "IsActive") == "true":
            return None
        what = (
            f"operation performed with inactive user [{owner[:15]}] as owner of {self._sobject.label.lower()}"
        )
        return RowError("INACTIVE_OWNER_OR_USER", what)

    def _takes(self, group: str) -> bool:
        queues = self._org.store.table("QueueSobject")
        return any(
            queues.cell(seq, "SobjectType") == self._sobject.name for seq in queues.find("QueueId", group)
        )


def _refuse(saving: Saving, faults: dict[str, RowError]) -> None:
    owners: Sequence[str] = saving.new("OwnerId")
    for row, owner, before in zip(saving.rows, owners, saving.old("OwnerId"), strict=True):
        if owner in faults and owner != before:
            saving.fault(row, faults[owner])


def _not_a_queue() -> RowError:
    return RowError("INVALID_OPERATION", "Queue not associated with this SObject type", ("OwnerId",))
