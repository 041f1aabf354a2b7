"""`migrator report`: what a run came to, for people and for programs."""

import json as json_text
from collections.abc import Callable
from pathlib import Path

import click

from migrator.audit import Audit, audit, peek
from migrator.cli import options
from migrator.cli.explained import explained
from migrator.clock import SystemClock
from migrator.data import Engine, Workspace
from migrator.errors import ExitCode, MigratorError
from migrator.model.summary import Summary
from migrator.report import RowsFile, render_html, render_json, render_junit, render_markdown

EXPORT_MEMORY = 256


def _written(flag: str, what: str) -> Callable[[options.Decorated], options.Decorated]:
    return click.option(
        flag,
        type=click.Path(path_type=Path, allow_dash=True),
        metavar="FILE",
        help=f"Write {what}; - is standard output.",
    )


@click.command()
@options.run_argument
@options.state_dir
@_written("--html", "one self-contained page")
@_written("--json", "JSON (schemas/report.schema.json)")
@_written("--markdown", "Markdown for a ticket or a pull request")
@_written("--junit", "JUnit XML for a CI server")
@_written("--manifest", "who did what with which result, as the run's log vouches for it")
@click.option(
    "--rows/--no-rows",
    default=True,
    show_default=True,
    help="Export every row's outcome as CSV into the run folder.",
)
def report(
    run_name: str,
    state_dir: Path,
    html: Path | None,
    json: Path | None,
    markdown: Path | None,
    junit: Path | None,
    *,
    manifest: Path | None,
    rows: bool,
) -> int:
    """Write the report of RUN (the newest, when none is named); without a format, HTML into the run folder.

    Made from the ledger and the run's files alone; no org is asked. The log, its rows and the newest manifest are checked against each other first.

    \b
    Example:
      migrator report --html report.html --junit report.xml
    """
    folder = options.find_run(state_dir, run_name)
    checked = audit(folder)
    click.echo(_vouched(checked), err=True)
    summary = explained(folder, peek(folder))
    files = _rows_files(folder, summary) if rows else ()
    made = SystemClock().now()
    if manifest:
        _write(manifest, checked.manifest or "{}\n")
    if not any((html, json, markdown, junit, manifest)):
        html = folder / "report.html"
    if html:
        _write(html, render_html(summary, made=made, files=files))
    if json:
        _write(json, _dumped(render_json(summary, made=made, files=files)))
    if markdown:
        _write(markdown, render_markdown(summary, made=made, files=files))
    if junit:
        _write(junit, render_junit(summary, made=made, files=files))
    return ExitCode.OK


def _vouched(checked: Audit) -> str:
    told = (
        f"manifest {checked.sha256[:12]} is what was written"
        if checked.sha256
        else "there is no manifest yet"
    )
    return f"audit: {checked.events} events, the chain is whole; {told}"


def _dumped(value: object) -> str:
    return json_text.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _rows_files(folder: Path, summary: Summary) -> tuple[RowsFile, ...]:
    """Every row's outcome as CSV, one file for each step that sent rows."""
    workspace = Workspace(folder)
    engine = Engine(workspace, memory_limit_mb=EXPORT_MEMORY)
    found = []
    for one in summary.steps:
        if one.outcome_files:
            file = engine.export_outcomes(one.step, one.outcome_files)
            found.append(RowsFile(one.step, one.object_name, str(workspace.path(file)), file.rows))
    return tuple(found)


def _write(path: Path, text: str) -> None:
    if str(path) == "-":
        click.echo(text, nl=False)
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as fault:
        raise MigratorError(
            "output-not-written", f"{path} cannot be written: {fault.strerror}", exit_code=ExitCode.USAGE
        ) from fault
    click.echo(f"wrote {path}", err=True)
