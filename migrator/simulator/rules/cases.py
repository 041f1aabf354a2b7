"""Cases and leads: the account of a case's contact, when it was closed, leads that were converted, and assignment rules."""

from functools import partial

from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.execution import Saving
from migrator.simulator.records.results import RowError
from migrator.simulator.records.values import moment
from migrator.simulator.rules.making import Lookup

CONVERTED = RowError("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
ACTIVE = "TRUE"  # in a context: the active rule, whichever that is


class Assignments:
    """Whom the assignment rules of an org give records to; `org.part(Assignments)`."""

    def __init__(self, _: OrgState) -> None:
        self.owners: dict[str, str] = {}  # by rule


def add(org: OrgState) -> None:
    """Add the rules to the org's."""
    if org.schema.sobject("Case") is not None:
        rules = org.dml.rules("Case")
        rules.defaults += [partial(_account, org), _closed, partial(_assign, org)]
    if org.schema.sobject("Lead") is not None:
        rules = org.dml.rules("Lead")
        rules.checks.append(_check_converted)
        rules.defaults.append(partial(_assign, org))


def _account(org: OrgState, saving: Saving) -> None:
    """A case of a contact is one of the contact's account."""
    if not saving.gives("ContactId"):
        return
    contacts = Lookup(org.store.table("Contact"))
    accounts = contacts.cells(saving.new("ContactId"), "AccountId")
    given = zip(saving.new("AccountId"), accounts, strict=True)
    saving.set("AccountId", [own or account for own, account in given])


def _closed(saving: Saving) -> None:
    """When a case was closed."""
    if saving.gives("Status"):
        stamp = moment(saving.context.now)
        cells = zip(saving.new("Status"), saving.new("ClosedDate"), strict=True)
        saving.set("ClosedDate", [(held or stamp) if status == "Closed" else "" for status, held in cells])


def _check_converted(saving: Saving) -> None:
    """A lead that was converted stays as it is."""
    for row, converted in zip(saving.rows, saving.old("IsConverted"), strict=True):
        if converted == "true":
            saving.fault(row, CONVERTED)


def _assign(org: OrgState, saving: Saving) -> None:
    """New records go to whom the assignment rule says, whatever their own owner."""
    rule = saving.context.assignment
    if not rule or not saving.inserts:
        return
    table = org.store.table("AssignmentRule")
    found = table.find("SobjectType", saving.table.sobject.name)
    if rule == ACTIVE:
        chosen = [table.id_of(seq) for seq in found if table.cell(seq, "Active") == "true"]
    else:
        chosen = [table.id_of(seq) for seq in found if table.id_of(seq)[:15] == rule[:15]]
    owner = org.part(Assignments).owners.get(chosen[0], "") if chosen else ""
    if owner:
        cells = zip(saving.fresh, saving.new("OwnerId"), strict=True)
        saving.set("OwnerId", [owner if fresh else held for fresh, held in cells])
