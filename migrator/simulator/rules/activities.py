"""Tasks and events: the account they belong to, when they are over, and when events are."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial

from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.execution import Saving
from migrator.simulator.records.results import RowError
from migrator.simulator.records.store import Store
from migrator.simulator.records.values import moment

NO_LEAD = RowError(
    "FIELD_INTEGRITY_EXCEPTION",
    "field integrity exception: WhatId (an activity of a lead cannot be related to anything else)",
    ("WhatId",),
)
_LAST = ("LastModifiedById", "LastModifiedDate")
_LEAD, _ALL_DAY = "00Q", 1_440  # key prefix; minutes


def add(org: OrgState) -> None:
    """Add the rules to the org's."""
    for name in ("Task", "Event"):
        if org.schema.sobject(name) is None:
            continue
        rules = org.dml.rules(name)
        rules.checks.append(_check_lead)
        rules.defaults.append(partial(_account, org.store))
        if name == "Task":
            rules.defaults += [_completed, _forget_last]
        else:
            rules.checks.append(_check_times)
            rules.defaults.append(_times)


def _check_lead(saving: Saving) -> None:
    if saving.gives("WhoId", "WhatId"):
        for row, who, what in zip(saving.rows, saving.new("WhoId"), saving.new("WhatId"), strict=True):
            if who.startswith(_LEAD) and what:
                saving.fault(row, NO_LEAD)


def _account(store: Store, saving: Saving) -> None:
    """That of what the activity is about, else that of whom."""
    if saving.gives("WhoId", "WhatId"):
        pairs = zip(saving.new("WhatId"), saving.new("WhoId"), strict=True)
        saving.set("AccountId", [_account_of(store, what) or _account_of(store, who) for what, who in pairs])


def _account_of(store: Store, record_id: str) -> str:
    table = store.table_of_id(record_id) if record_id else None
    if table is None:
        return ""
    seq = table.seq_of(record_id)
    if table.sobject.name == "Account":
        return table.id_of(seq)
    return table.cell(seq, "AccountId") if seq and table.sobject.field("AccountId") is not None else ""


def _completed(saving: Saving) -> None:
    """When a task was completed."""
    if saving.gives("Status"):
        stamp = moment(saving.context.now)
        cells = zip(saving.new("Status"), saving.new("CompletedDateTime"), strict=True)
        made = [(held or stamp) if status == "Completed" else "" for status, held in cells]
        saving.set("CompletedDateTime", made)


def _forget_last(saving: Saving) -> None:
    """Who changed a task last is not kept where it is about somebody or something, also not with the audit permission."""
    if saving.chunk.compiled.trusted or not any(name in saving.chunk.cells for name in _LAST):
        return
    pairs = zip(saving.new("WhoId"), saving.new("WhatId"), saving.fresh, strict=True)
    places = [place for place, (who, what, fresh) in enumerate(pairs) if fresh and (who or what)]
    for name in _LAST:
        if places and name in saving.chunk.cells:
            saving.set(name, [""] * len(places), places)


# --- when an event is --------------------------------------------------------------------------------------------


def _check_times(saving: Saving) -> None:
    """A start, and an end or a length; for all of a day the day is enough."""
    if not saving.inserts:
        return
    names = (
        "IsAllDayEvent",
        "ActivityDate",
        "ActivityDateTime",
        "StartDateTime",
        "DurationInMinutes",
        "EndDateTime",
    )
    for row, whole, day, moved, start, length, end in zip(
        saving.rows, *(saving.new(name) for name in names), strict=True
    ):
        if row in saving.updates:
            continue
        all_day = whole == "true"
        gone = [] if length or end or all_day else ["DurationInMinutes"]
        if not (moved or start or (day and all_day)):
            gone.append("ActivityDateTime")
        if gone:
            text = f"Required fields are missing: [{', '.join(gone)}]"
            saving.fault(row, RowError("REQUIRED_FIELD_MISSING", text, tuple(gone)))


def _times(saving: Saving) -> None:
    """Start, end, length and days, each from the others."""
    names = ("ActivityDate", "ActivityDateTime", "StartDateTime", "DurationInMinutes", "EndDateTime")
    if not saving.gives("IsAllDayEvent", *names):
        return
    given = {name: saving.given(name) for name in names}
    columns: dict[str, list[str]] = {name: [] for name in (*names, "EndDate")}
    whole = saving.new("IsAllDayEvent")
    held = [saving.new(name) for name in names]
    for place, cells in enumerate(zip(*held, strict=True)):
        row = dict(zip(names, cells, strict=True))
        fresh = {name: row[name] if given[name][place] else "" for name in names}
        for name, cell in _event(row, fresh, all_day=whole[place] == "true").items():
            columns[name].append(cell)
    for name, made in columns.items():
        saving.set(name, made)


def _event(row: Mapping[str, str], fresh: Mapping[str, str], *, all_day: bool) -> dict[str, str]:
    """The times of one event; what the row gives (`fresh`) counts more than what the record has."""
    start = fresh["StartDateTime"] or fresh["ActivityDateTime"]
    if all_day and fresh["ActivityDate"] and not start:
        start = f"{fresh['ActivityDate']}T00:00:00.000Z"
    start = start or row["StartDateTime"] or row["ActivityDateTime"]
    if not start:
        return {**row, "EndDate": ""}
    begin = datetime.fromisoformat(start)
    if fresh["EndDateTime"] and not fresh["DurationInMinutes"]:
        minutes = int((datetime.fromisoformat(fresh["EndDateTime"]) - begin).total_seconds() // 60)
    else:
        minutes = int(fresh["DurationInMinutes"] or row["DurationInMinutes"] or (_ALL_DAY if all_day else 0))
    end = moment((begin + timedelta(minutes=minutes)).timestamp())
    last = moment((begin + timedelta(minutes=max(0, minutes - 1))).timestamp())
    return {
        "ActivityDate": start[:10],
        "ActivityDateTime": start,
        "StartDateTime": start,
        "DurationInMinutes": str(minutes),
        "EndDateTime": end,
        "EndDate": last[:10],
    }
