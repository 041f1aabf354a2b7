"""Which jobs an org takes, in both Bulk APIs: the sObject, what may be done to it, the key of an upsert."""

from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.compile import Operation
from migrator.simulator.schema.model import FieldType, SObject

_HARD_DELETE = (
    "hardDelete operation requires special user profile permission, please contact your system administrator"
)


class JobRefused(Exception):  # noqa: N818 - what the org does
    """The org does not make such a job; each API words the code in its own way."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code} : {text}")
        self.code = code
        self.text = text


def check_job(
    org: OrgState, name: str, operation: Operation, external_id: str | None, user_id: str
) -> SObject:
    """The sObject of a job that the org takes from a user, or `JobRefused`.

    What the user may not do to records of it is refused row by row.
    """
    view = org.view(user_id)
    sobject, seen = org.sobject(name), view.schema.sobject(name)
    if sobject is None or seen is None:
        raise JobRefused("InvalidJob", f"Unable to find object: {name}")
    _check_allowed(sobject, operation)
    if operation is Operation.HARD_DELETE and not view.may("BulkApiHardDelete"):
        raise JobRefused("FeatureNotEnabled", _HARD_DELETE)
    if operation is Operation.UPSERT:
        _check_key(seen, external_id or "")
    return sobject


def check_owner(org: OrgState, created_by: str, user_id: str) -> None:
    """Refuse to change another user's job, unless the user manages them all."""
    if user_id != created_by and not org.view(user_id).may("ManageDataIntegrations"):
        raise JobRefused("InvalidUser", "The job was created by another user")


def _check_allowed(sobject: SObject, operation: Operation) -> None:
    allowed = {
        Operation.INSERT: sobject.createable,
        Operation.UPDATE: sobject.updateable,
        Operation.UPSERT: sobject.createable and sobject.updateable,
        Operation.DELETE: sobject.deletable,
        Operation.HARD_DELETE: sobject.deletable,
    }
    if not (sobject.createable or sobject.updateable or sobject.deletable):
        raise JobRefused("InvalidEntity", f"Entity '{sobject.name}' is not supported by the Bulk API.")
    if not allowed[operation]:
        text = f"Entity '{sobject.name}' does not allow operation: {operation.value}"
        raise JobRefused("InvalidJob", text)


def _check_key(sobject: SObject, name: str) -> None:
    field = sobject.field(name) if name else None
    if field is None or not (field.external_id or field.id_lookup or field.type is FieldType.ID):
        text = f"Field name provided, {name} does not match an External ID for {sobject.name}"
        raise JobRefused("InvalidJob", text)
