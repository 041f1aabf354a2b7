"""`migrator plan`: the schedule of a plan against its orgs, before anything is done."""

import json
from pathlib import Path

import click

from migrator.cli import options, reviewed
from migrator.cli.boundary import diagnostic_json, show
from migrator.cli.orgs import Orgs
from migrator.clock import SystemClock
from migrator.errors import ExitCode, PlanInvalid, has_errors
from migrator.model.plan import OrgEnd, Plan
from migrator.model.schema import OrgSchema, to_snapshot
from migrator.planner import Explanation
from migrator.preflight import room_for
from migrator.review import Approved, Checked, SchemaWatch, check


@click.command()
@options.plan_argument
@options.variables
@options.orgs_file
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "mermaid"]),
    default="text",
    show_default=True,
    help="How to print the schedule.",
)
@click.option(
    "--save-target-schema",
    type=click.Path(path_type=Path),
    help="Write a snapshot of the target's schema for `validate`.",
)
@click.option(
    "--save-source-schema",
    type=click.Path(path_type=Path),
    help="Write a snapshot of the source's schema for `validate`.",
)
@click.option("--lock", is_flag=True, help="Write a lock beside the plan: `run` then refuses a changed one.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Save the plan as it was checked, for `run --plan-file`.",
)
@options.as_json
def plan(
    plan_file: Path,
    given: tuple[str, ...],
    vars_file: Path | None,
    orgs_path: Path,
    form: str,
    save_target_schema: Path | None,
    save_source_schema: Path | None,
    *,
    lock: bool,
    out: Path | None,
    as_json: bool,
) -> int:
    """Check PLAN against its orgs and print the schedule: steps in order, the API of each, its guarantee, and the cost.

    Reads describes and counts only; nothing is written to either org. With --lock, what was reviewed goes into a file of hashes beside the
    plan, to be committed with it; with --out, into a file that `run --plan-file` runs as it is.

    \b
    Examples:
      migrator plan plans/crm-cutover.yaml
      migrator plan plans/crm-cutover.yaml --format mermaid > schedule.mmd
      migrator plan plans/crm-cutover.yaml --out reviewed.json
    """
    try:
        loaded, found = options.read_plan(plan_file, given, vars_file)
    except PlanInvalid as wrong:
        return options.report_findings(list(wrong.diagnostics), plan=str(plan_file), json_wanted=as_json)
    checked, api_version, disk = check_ends_of(loaded, orgs_path, plan_file.parent)
    everything = [*found, *checked.diagnostics]
    for path, schema in ((save_target_schema, checked.target), (save_source_schema, checked.source)):
        if path is not None and isinstance(schema, OrgSchema):
            text = json.dumps(to_snapshot(schema), indent=1, ensure_ascii=False, sort_keys=True)
            path.write_text(text + "\n", encoding="utf-8")
    if checked.schedule is None or has_errors(everything):
        return options.report_findings(everything, plan=str(plan_file), json_wanted=as_json)
    if lock or out is not None:
        approved = Approved.of(checked, options.chosen(given, vars_file), api_version)
        if lock:
            click.echo(f"locked in {reviewed.write_lock(plan_file, checked, approved)}", err=True)
        if out is not None:
            reviewed.write_saved(out, approved)
            click.echo(f"saved in {out}; next: migrator run --plan-file {out}", err=True)
    form = "json" if as_json else form
    match form:
        case "json":
            options.print_json(
                {
                    "schedule": Explanation(checked.schedule).json(),
                    "disk_bytes": disk,
                    "diagnostics": [diagnostic_json(one) for one in everything],
                }
            )
        case "mermaid":
            click.echo(Explanation(checked.schedule).mermaid())
        case _:
            click.echo(Explanation(checked.schedule).text())
            click.echo(f"disk: about {disk / 1e6:,.0f} MB must be free where the run folder is\n")
            show(everything)
    return ExitCode.OK


def check_ends_of(loaded: Plan, orgs_path: Path, folder: Path) -> tuple[Checked, str, int]:
    """The plan checked against the orgs it names, the target's API version, and bytes of disk that a run will need."""
    orgs = Orgs(orgs_path, options.environment(), SystemClock())
    source = loaded.source.org if isinstance(loaded.source, OrgEnd) else None
    with orgs.ends(source, loaded.target.org) as ends:
        checked, version = check(loaded, ends), ends.target.api_version
        if checked.schedule is None or has_errors(checked.diagnostics):
            return checked, version, 0
        watch = SchemaWatch(Approved.of(checked, {}, version).identity.dump(), ends)
        return checked, version, room_for(checked.schedule, watch.width, folder).whole
