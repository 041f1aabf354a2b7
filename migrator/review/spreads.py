"""Asking the source how its rows spread over the records that they look up: what the planner's lock forecast is made from.

**Invariant:** reads only, and a question that the source does not answer is left out of the forecast, never guessed.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from migrator.data import spread_of_column
from migrator.data.jobs import SourceFile
from migrator.errors import Diagnostic
from migrator.model.plan import FilesEnd, ObjectPlan, Plan
from migrator.model.schedule import Schedule
from migrator.review.forecast import TOP, Spread, forecasts, skew_warnings, wanted
from migrator.salesforce import Org, RequestFailed
from migrator.soql import queries


def with_forecasts(
    plan: Plan, schedule: Schedule, source: Org | None, files: Mapping[str, SourceFile]
) -> tuple[Schedule, list[Diagnostic]]:
    """The schedule with what locks will cost its larger loads, and warnings of skew."""
    spreads: dict[tuple[str, str], Spread] = {}
    for step, field in wanted(schedule):
        entry = plan.object_named(step.object_name)
        column = next(one.rule.source or field for one in step.lookups if one.rule.target == field)
        if entry is None:
            continue
        found = _of_file(plan, entry, files, column) if source is None else _of_org(source, entry, column)
        if found is not None:
            spreads[(step.id, field)] = found
    made = forecasts(schedule, spreads)
    return replace(schedule, forecasts=made), skew_warnings(plan, schedule, made)


def _of_org(org: Org, entry: ObjectPlan, field: str) -> Spread | None:
    """Two aggregate queries; None where the org does not group by the field, or gives up on so many rows."""
    try:
        (total,) = org.query(queries.spread(entry.source_object, field, entry.where))
        top = org.query(queries.largest(entry.source_object, field, TOP, entry.where))
    except RequestFailed as failed:
        if failed.status == 400 or failed.retryable:
            return None
        raise
    largest = tuple((str(one[field]), int(one["n"])) for one in top if one.get(field))
    return Spread(int(total["n"]), int(total["records"]), largest)


def _of_file(plan: Plan, entry: ObjectPlan, files: Mapping[str, SourceFile], column: str) -> Spread | None:
    end, file = plan.source, files.get(entry.name)
    if not isinstance(end, FilesEnd) or file is None or end.encoding.lower() not in {"utf-8", "utf8"}:
        return None
    name = next((one for one in file.columns if one.lower() == column.lower()), None)
    if name is None:
        return None
    path = Path(plan.path).parent / end.files / (entry.file or f"{entry.source_object}.csv")
    return Spread(*spread_of_column(path, file.columns, name, delimiter=end.delimiter, top=TOP))
