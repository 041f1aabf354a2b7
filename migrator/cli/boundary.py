"""The edge of the program: every error becomes a message and an exit code here, and nowhere else."""

import json
import os
import sys
import tempfile
import traceback
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path

import click

from migrator import __version__
from migrator.cli.app import ReaderGone, app
from migrator.cli.text import plain
from migrator.errors import Diagnostic, ExitCode, MigratorError, PlanInvalid, Severity

_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}


def main() -> None:
    """Run the command line and exit."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command; the exit code."""
    try:
        code = app.main(args=arguments, prog_name="migrator", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as shown:
        click.echo(shown.format_message())
        return ExitCode.OK
    except click.ClickException as wrong:
        return _usage(wrong)
    except PlanInvalid as wrong:
        return _refused(arguments, wrong.diagnostics, wrong.exit_code)
    except MigratorError as wrong:
        return _refused(arguments, [wrong.diagnostic], wrong.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return ExitCode.INTERRUPTED
    except ReaderGone:
        # whoever read our output went away; the rest must not end in a traceback at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.PAUSED
    except Exception as bug:  # noqa: BLE001 - the one place: a bug becomes a redacted log and exit code 70
        return _bug(bug)
    return int(code or 0)


def show(diagnostics: Iterable[Diagnostic]) -> None:
    """Print diagnostics to standard error, one a line."""
    for found in diagnostics:
        head = f"{found.severity}[{found.code}]"
        text = plain(str(found)).removeprefix(head)
        click.echo(click.style(head, fg=_COLOURS[found.severity], bold=True) + text, err=True)


def diagnostic_json(found: Diagnostic) -> dict[str, str | int]:
    """A diagnostic as JSON values."""
    return {
        "severity": found.severity.value,
        "code": found.code,
        "path": found.where.path,
        "line": found.where.line,
        "column": found.where.column,
        "what": found.what,
        "hint": found.hint,
    }


def _refused(arguments: list[str], diagnostics: Sequence[Diagnostic], code: ExitCode) -> int:
    """Tell why a command ends; whoever asked for JSON gets one document here too (`report --json` names a file)."""
    show(diagnostics)
    if "--json" in arguments and arguments[0] != "report":
        document = {"exit_code": int(code), "diagnostics": [diagnostic_json(one) for one in diagnostics]}
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    return code


def _usage(wrong: click.ClickException) -> int:
    if isinstance(wrong, click.UsageError) and wrong.ctx is not None:
        click.echo(wrong.ctx.get_usage(), err=True)
    click.echo(
        click.style("error[usage]", fg="red", bold=True) + " " + plain(wrong.format_message()), err=True
    )
    return ExitCode.USAGE


def _bug(bug: Exception) -> int:
    redact = import_module("migrator.salesforce").redact
    descriptor, name = tempfile.mkstemp(prefix="migrator-bug-", suffix=".log")
    with os.fdopen(descriptor, "w", encoding="utf-8") as log:
        log.write(f"migrator {__version__}, Python {sys.version}\n")
        log.write(redact("".join(_frames(bug))))
    click.echo(
        click.style("error[internal-error]", fg="red", bold=True)
        + f" {type(bug).__name__}: this is a bug of ours → please attach {Path(name)} to an issue;"
        " it holds no secret and no record; a run can be resumed",
        err=True,
    )
    return ExitCode.BUG


def _frames(bug: BaseException) -> Iterable[str]:
    """The traceback without the exceptions' own texts: those may quote a record."""
    chain: BaseException | None = bug
    seen: set[int] = set()
    while chain is not None and id(chain) not in seen:
        seen.add(id(chain))
        yield from traceback.format_tb(chain.__traceback__)
        yield f"{type(chain).__name__}\n"
        chain = chain.__cause__ or chain.__context__
