"""`migrator validate`: everything that can be said of a plan without a network."""

import json
from pathlib import Path

import click

from migrator.cli import options
from migrator.errors import Diagnostic, ExitCode, MigratorError, PlanInvalid
from migrator.model.schema import OrgSchema, from_snapshot
from migrator.review import check_offline, load


@click.command()
@options.plan_argument
@options.variables
@click.option(
    "--target-schema", type=click.Path(path_type=Path), help="A committed snapshot of the target's schema."
)
@click.option(
    "--source-schema", type=click.Path(path_type=Path), help="A committed snapshot of the source's schema."
)
@options.as_json
def validate(
    plan_file: Path,
    given: tuple[str, ...],
    vars_file: Path | None,
    target_schema: Path | None,
    source_schema: Path | None,
    as_json: bool,
) -> int:
    """Check PLAN offline: the language, names within the plan, expressions, filters, and the CSV files it reads.

    Uses no network and no credentials, so it fits every pull request. With schema snapshots, the fields and
    relationships are checked too.

    \b
    Example:
      migrator validate plans/crm-cutover.yaml
    """
    try:
        plan, found = load(plan_file, options.chosen(given, vars_file))
    except PlanInvalid as wrong:
        return options.report_findings(list(wrong.diagnostics), plan=str(plan_file), json_wanted=as_json)
    everything: list[Diagnostic] = list(found)
    if plan is not None:
        offline = check_offline(plan, source=_snapshot(source_schema), target=_snapshot(target_schema))
        everything += offline.diagnostics
    return options.report_findings(everything, plan=str(plan_file), json_wanted=as_json)


def _snapshot(path: Path | None) -> OrgSchema | None:
    if path is None:
        return None
    try:
        return from_snapshot(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise MigratorError(
            "snapshot-unreadable",
            f"{path} is no schema snapshot ({type(fault).__name__})",
            hint="make one with `migrator plan PLAN --save-target-schema FILE`",
            exit_code=ExitCode.USAGE,
        ) from fault
