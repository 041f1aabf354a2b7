"""The two ends of a migration, and what must be true of them before anything is sent."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from migrator.data import check_source_file
from migrator.data.jobs import SourceFile
from migrator.errors import Diagnostic, MigratorError, error, has_errors
from migrator.model.plan import FilesEnd, Plan
from migrator.model.schedule import Schedule
from migrator.model.schema import OrgSchema
from migrator.model.wire import OrgIdentity
from migrator.planfile import load_plan
from migrator.planner import FileColumns, make_schedule
from migrator.review.needs import check_ends, count_queries, needs
from migrator.review.spreads import with_forecasts
from migrator.salesforce import Org, RequestFailed
from migrator.transforms import resolve


@dataclass(frozen=True, slots=True)
class Ends:
    """The orgs of a plan; `source` is None when the plan reads files."""

    source: Org | None
    target: Org

    @property
    def requests(self) -> int:
        """How many requests both orgs have been sent."""
        return self.target.requests + (self.source.requests if self.source else 0)

    @property
    def under_way(self) -> int:
        """How many requests to both orgs have no whole answer yet."""
        return self.target.under_way + (self.source.under_way if self.source else 0)

    def close(self) -> None:
        """Close the connections."""
        self.target.close()
        if self.source is not None:
            self.source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class Checked:
    """A plan that was checked. `schedule` is None when a diagnostic is an error."""

    plan: Plan
    schedule: Schedule | None
    diagnostics: tuple[Diagnostic, ...]
    source: OrgSchema | FileColumns | None = None
    target: OrgSchema | None = None
    source_identity: OrgIdentity | None = None
    target_identity: OrgIdentity | None = None


def load(path: Path, variables: dict[str, str]) -> tuple[Plan | None, list[Diagnostic]]:
    """Read a plan file: all of its diagnostics at once, and the plan when none is an error."""
    plan, found = load_plan(str(path), variables)
    if plan is None:
        return None, found
    resolved, more = resolve(plan)
    everything = [*found, *more]
    return (None if has_errors(everything) else resolved), everything


def check(plan: Plan, ends: Ends) -> Checked:
    """Check a plan against its ends: names, permissions, counts; reads only.

    Raises MigratorError when an org cannot be reached or refuses us.
    """
    wanted = needs(plan)
    target_identity = ends.target.identity()
    source_identity = ends.source.identity() if ends.source else None
    found = list(check_ends(plan, source_identity, target_identity))
    target = ends.target.describe(wanted.target_sobjects)
    counts: dict[str, int] = {}
    refused: list[Diagnostic] = []
    source: OrgSchema | FileColumns
    files: Mapping[str, SourceFile] = {}
    if ends.source is None:
        files = source_files(plan)
        found += [each for one in files.values() for each in one.diagnostics]
        source = file_columns(files)
        counts = {name: one.rows for name, one in files.items()}
    else:
        source = ends.source.describe(wanted.source_sobjects)
        counts, refused = _count(plan, ends.source, source)
    schedule, more = make_schedule(plan, source=source, target=target, counts=counts)
    # where the planner knows better why the org refuses a filter, its word is enough
    found += more if has_errors(more) else [*more, *refused]
    schedule = None if has_errors(found) else schedule
    if schedule is not None:
        schedule, skew = with_forecasts(plan, schedule, ends.source, files)
        found += skew
    return Checked(plan, schedule, tuple(found), source, target, source_identity, target_identity)


def _count(plan: Plan, org: Org, schema: OrgSchema) -> tuple[dict[str, int], list[Diagnostic]]:
    """How many records each object has to move; a filter that the org refuses is a finding."""
    counts: dict[str, int] = {}
    refused: list[Diagnostic] = []
    places = {one.name: plan.place(*one.path, "where") for one in plan.objects}
    for name, soql in count_queries(plan, schema).items():
        try:
            counts[name] = org.count(soql)
        except RequestFailed as failed:
            if failed.status != 400:
                raise
            what = f"{name}: the source org refuses the filter ({failed.error_code})"
            hint = "try the condition in a query of the source org"
            refused.append(error("where-refused", what, hint=hint, where=places[name]))
    return counts, refused


def check_offline(plan: Plan, *, source: OrgSchema | None = None, target: OrgSchema | None = None) -> Checked:
    """Check what can be checked without any org: the source files, and against snapshots whatever they tell."""
    found: list[Diagnostic] = []
    ends: OrgSchema | FileColumns | None = source
    counts: Mapping[str, int] = {}
    if isinstance(plan.source, FilesEnd):
        files = source_files(plan)
        found += [each for one in files.values() for each in one.diagnostics]
        ends = file_columns(files)
        counts = {name: one.rows for name, one in files.items()}
    if ends is None or target is None:
        return Checked(plan, None, tuple(found), ends, target)
    schedule, more = make_schedule(plan, source=ends, target=target, counts=counts)
    return Checked(plan, schedule, (*found, *more), ends, target)


def source_files(plan: Plan) -> dict[str, SourceFile]:
    """The CSV file of each object that has one, checked whole.

    A missing file is a diagnostic of its own, at the object's place.
    """
    end = plan.source
    if not isinstance(end, FilesEnd):
        raise MigratorError("usage", "the plan does not read files")
    folder = Path(plan.path).parent / end.files
    found: dict[str, SourceFile] = {}
    for one in plan.objects:
        path = folder / (one.file or f"{one.source_object}.csv")
        if path.is_file():
            checked = check_source_file(path, delimiter=end.delimiter, encoding=end.encoding)
            in_order = tuple(sorted(checked.diagnostics, key=lambda each: each.where))
            found[one.name] = replace(checked, diagnostics=in_order)
        else:
            missing = error(
                "source-file-missing",
                f"{one.name}: there is no file {path}",
                hint="name it with `file:`, or mend `source.files`",
                where=plan.place(*one.path),
            )
            found[one.name] = SourceFile(columns=(), rows=0, diagnostics=(missing,))
    return found


def file_columns(files: Mapping[str, SourceFile]) -> FileColumns:
    """The headers of the source files, as the planner wants them."""
    return FileColumns({name: one.columns for name, one in files.items()})
