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


def check_job(org: OrgState, name: str, operation: Operation, external_id: str | None) -> SObject:
    """The sObject of a job that the org takes, or `JobRefused`."""
    sobject = org.sobject(name)
    if sobject is None:
        raise JobRefused("InvalidJob", f"Unable to find object: {name}")
    _check_allowed(org, sobject, operation)
    if operation is Operation.UPSERT:
        _check_key(sobject, external_id or "")
    return sobject


def _check_allowed(org: OrgState, sobject: SObject, operation: Operation) -> None:
    if operation is Operation.HARD_DELETE and not org.settings.hard_delete:
        raise JobRefused("FeatureNotEnabled", _HARD_DELETE)
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
