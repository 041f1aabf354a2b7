"""Merging: up to two records of one sObject become part of a third. Their children move, they themselves are deleted."""

from collections.abc import Callable, Sequence

from migrator.simulator import ids
from migrator.simulator.records.context import Context
from migrator.simulator.records.execution import Saved
from migrator.simulator.records.results import RowError
from migrator.simulator.records.store import Store, Table
from migrator.simulator.records.truth import Change, Truth
from migrator.simulator.records.values import moment

MAX_MERGED = 2  # records beside the master; SOAP API guide, "merge()"


def merge(
    store: Store,
    truth: Truth,
    master_id: str,
    merged_ids: Sequence[str],
    context: Context,
    follow: Callable[[Saved], None],
) -> tuple[list[str], RowError | None]:
    """Give the children of the merged records to the master and name it in them: the ids of those children.

    The merged records still have to be deleted. `follow` runs the effects of children that moved.
    """
    table = store.table_of_id(master_id)
    fault = _judge(table, master_id, merged_ids)
    if fault is not None or table is None:
        return [], fault
    stamp = moment(context.now)
    moved: dict[str, list[int]] = {}
    master_id = table.id_of(table.seq_of(master_id))
    for merged in merged_ids:
        seq = table.seq_of(merged)
        for child in store.schema.children(table.sobject.name):
            children = store.table(child.sobject.name)
            if child.field.name == "MasterRecordId":
                continue
            name, old = child.field.name, table.id_of(seq)
            found = children.find(name, old) if len(children) else []
            if found:
                children.update_columns(found, {name: (master_id,), "SystemModstamp": (stamp,)})
                moved.setdefault(child.sobject.name, []).extend(found)
                before = {name: [old] * len(found)}
                follow(Saved(children, Change.UPDATED, found, context, before, found))
        table.update(seq, {"MasterRecordId": master_id})
    listed: list[str] = []
    for name, seqs in moved.items():
        truth.append(
            time=context.now,
            origin=context.origin,
            actor=context.actor,
            change=Change.UPDATED,
            sobject=name,
            seqs=seqs,
        )
        listed += store.table(name).ids_of(seqs)
    return listed, None


def _judge(table: Table | None, master_id: str, merged_ids: Sequence[str]) -> RowError | None:
    if table is None or not table.sobject.mergeable:
        return RowError("INVALID_OPERATION", "merge is not supported for this entity")
    if not 1 <= len(merged_ids) <= MAX_MERGED:
        return RowError("LIMIT_EXCEEDED", f"at most {MAX_MERGED} records can be merged into one")
    for each in (master_id, *merged_ids):
        if not ids.is_id(each) or each[:3] != table.sobject.prefix or not table.seq_of(each):
            return RowError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        if not table.exists(table.seq_of(each)):
            return RowError("ENTITY_IS_DELETED", "entity is deleted")
    if len({each[:15] for each in (master_id, *merged_ids)}) <= len(merged_ids):
        return RowError("DUPLICATE_VALUE", "duplicate id specified")
    return None
