"""What a crash can do to the rows of an object, judged by the field that tells which record a row belongs to.

**Invariant:** only a unique external id (or the record id) makes an upsert repeatable; any other is guarded like an insert.
"""

from migrator.model.plan import ObjectPlan, Operation
from migrator.model.schedule import Guarantee
from migrator.model.schema import FieldSchema, SObjectSchema
from migrator.planner.findings import Findings, did_you_mean, listed


def guarantee_of(
    one: ObjectPlan, target: SObjectSchema, sent: set[str], found: Findings
) -> tuple[str | None, Guarantee]:
    """The external id of an upsert (none where it is sent as an insert), and the class of the step."""
    match one.operation:
        case Operation.UPSERT:
            return _upsert(one, target, sent, found)
        case Operation.UPDATE | Operation.DELETE | Operation.HARD_DELETE:
            if "Id" not in sent:
                instead = ", or use `upsert`" if one.operation is Operation.UPDATE else ""
                found.error(
                    "external-id-not-sent",
                    f"{one.name} {'deletes' if one.operation.deletes else 'updates'} records and sends no Id",
                    one,
                    hint=f"give the target record's id: `map: {{Id: {{from: …}}}}`{instead}",
                )
            return None, Guarantee.DELETE if one.operation.deletes else Guarantee.UPDATE
        case _ if one.refuse_existing:
            return _upsert(one, target, sent, found)
        case _:
            return None, Guarantee.INSERT


def _upsert(
    one: ObjectPlan, target: SObjectSchema, sent: set[str], found: Findings
) -> tuple[str | None, Guarantee]:
    if one.external_id is None:
        found.error("external-id-missing", f"{one.name} upserts without `external_id`", one)
        return None, Guarantee.INSERT
    field = target.field_named(one.external_id)
    place = ("external_id",)
    keys = [name for name, each in target.fields.items() if _is_key(each)]
    if field is None:
        hint = (
            did_you_mean(one.external_id, target.fields)
            or f"its keys are {', '.join(sorted(keys)) or 'none'}"
        )
        what = f"{target.name} has no field {one.external_id} in the target org"
        found.error("unknown-field", what, one, *place, hint=hint)
        return None, Guarantee.INSERT
    if not _is_key(field):
        what = f"{target.name}.{field.name} is not an External ID in the target org"
        others = f", or use {listed(sorted(keys), 'or')}" if keys else ""
        hint = f"mark the field External ID and Unique{others}"
        found.error("external-id-invalid", what, one, *place, hint=hint)
        return field.name, Guarantee.INSERT
    if field.name not in sent:
        hint = f"map it, e.g. `map: {{{field.name}: {{from: Id}}}}`"
        what = f"{one.name} upserts by {field.name} and does not send it"
        found.error("external-id-not-sent", what, one, *place, hint=hint)
    if one.refuse_existing:
        return _made_only(one, target, field, found)
    if field.unique or field.name == "Id":
        return field.name, Guarantee.UPSERT
    found.warning(
        "external-id-not-unique",
        f"{target.name}.{field.name} is not unique in the target org: two records may hold one value",
        one,
        *place,
        hint="mark it Unique; until then the step is guarded like an insert and travels by Bulk API 2.0",
    )
    return field.name, Guarantee.INSERT


def _made_only(
    one: ObjectPlan, target: SObjectSchema, field: FieldSchema, found: Findings
) -> tuple[str | None, Guarantee]:
    """The class of an upsert that is sent as an insert, so that the org refuses a key that it has already."""
    if not field.unique:
        found.error(
            "on-existing-unguarded",
            f"{target.name}.{field.name} is not unique in the target org, which would take a second record with one key",
            one,
            "on_existing",
            hint="mark the field Unique, or leave `on_existing` at `update`",
        )
    return None, Guarantee.INSERT


def _is_key(field: FieldSchema) -> bool:
    return field.external_id or field.id_lookup or field.name == "Id"
