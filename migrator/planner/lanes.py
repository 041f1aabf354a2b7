"""How rows are sent: the guarantee class of an operation, its lane, its lock key and its slices.

**Invariant:** rows whose repetition could create a second record never travel over REST, however few they are.
"""

from migrator.model.schedule import Guarantee, Lane, LookupSpec
from migrator.model.schema import SObjectSchema

#: Salesforce's guidance: Bulk API 2.0 from 2,000 records on (Bulk API guide, "Bulk API 2.0")
REST_MAX_ROWS = 2_000
#: records of one Salesforce batch: a slice as long is one batch, and no two batches of it wait for one lock
BATCH_ROWS = 10_000


def choose_lane(rows: int | None, guarantee: Guarantee) -> Lane:
    """REST for few rows that may be sent twice without harm, else Bulk API 2.0."""
    repeatable = guarantee in {Guarantee.UPSERT, Guarantee.UPDATE}
    return Lane.REST if repeatable and rows is not None and rows <= REST_MAX_ROWS else Lane.BULK2


def lock_key(group_by: str | None, lookups: tuple[LookupSpec, ...], target: SObjectSchema) -> str | None:
    """The relationship field whose record every row of a group locks.

    The plan's `group_by`; else the master-detail parent (the primary one of two); else the first required lookup by name,
    those first whose parent's deletion deletes the child (standard objects have them in place of master-details).
    """
    if group_by is not None:
        return group_by
    fields = [target.fields[one.rule.target] for one in lookups]
    masters = sorted((one.relationship_order or 0, one.name) for one in fields if one.master_detail)
    required = sorted((not one.cascade_delete, one.name) for one in fields if one.required_on_insert)
    return next((name for _, name in (*masters, *required)), None)


def slice_rows(lane: Lane, lock: str | None) -> int:
    """The most rows of one slice; 0: only the bytes count."""
    if lane is Lane.REST:
        return REST_MAX_ROWS
    return BATCH_ROWS if lock else 0
