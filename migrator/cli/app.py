"""The commands and what `--help` says of each, without importing any of them."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import click

from migrator import __version__

#: command → (module below migrator.cli, function, one line of help), in the order of a migration
COMMANDS: Mapping[str, tuple[str, str, str]] = {
    "demo": ("demo", "demo", "Move a whole org to another, between two simulated orgs."),
    "validate": ("validate", "validate", "Check a plan offline: no network, no credentials."),
    "plan": ("plan", "plan", "Check a plan against its orgs and show what a run would do."),
    "run": ("run", "run", "Run a plan, from the first record to the last outcome."),
    "resume": ("run", "resume", "Go on with a run after anything: a crash, Ctrl-C, a limit."),
    "retry": ("retry", "retry", "Send failed and blocked rows again, after a fix."),
    "resolve": ("resolve", "resolve", "Settle quarantined rows by hand: which record is whose."),
    "status": ("status", "status", "Show how a run stands, also while it is going."),
    "verify": ("run", "verify", "Read the target back and compare it with what was sent."),
    "undo": ("undo", "undo", "Take a run back: delete what it created, put back what it overwrote."),
    "report": ("report", "report", "Write the report of a run: HTML, JSON, Markdown, JUnit."),
    "gates": ("gates", "gates", "Show the gates of a run; put back what they changed."),
    "doctor": ("doctor", "doctor", "Look at this machine, the state folder, the orgs and their jobs."),
    "rescue": ("rescue", "rescue", "Make a damaged ledger anew, from the run's files and the org's jobs."),
    "unlock": ("unlock", "unlock", "Show who holds a run; take it from a process that hangs."),
    "simulate": ("simulate", "simulate", "Serve simulated orgs on this machine."),
}

EPILOG = (
    "A migration is: validate → plan → run → verify → report. Exit codes: 0 all rows succeeded · 1 some rows "
    "failed · 2 usage or invalid plan · 3 the org refused · 4 stopped by the error budget · 8 another process has the run · 75 paused and 130 "
    "interrupted, both resumable · 70 a bug of ours."
)


class ReaderGone(Exception):  # noqa: N818 - what happened
    """Whoever read our output went away."""


class LateGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def invoke(self, ctx: click.Context) -> Any:
        """Call the command; click itself would end a broken pipe with the exit code of failed rows."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as gone:
            raise ReaderGone from gone

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The commands, in the order of a migration."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module, function, _ = COMMANDS[cmd_name]
        command = getattr(import_module(f"migrator.cli.{module}"), function)
        assert isinstance(command, click.Command)  # noqa: S101 - the table above and the modules belong together
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """List the commands from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an unknown one is told with near names."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            near = _near(name, tuple(COMMANDS))
            raise click.UsageError(
                f"there is no command '{name}'" + (f"; did you mean '{near}'?" if near else "")
            )
        return super().resolve_command(ctx, args)


def _near(name: str, known: Sequence[str]) -> str:
    get_close_matches: Any = import_module("difflib").get_close_matches
    found: list[str] = get_close_matches(name, known, n=1)
    return found[0] if found else ""


@click.group(cls=LateGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="migrator")
def app() -> None:
    """Declarative, crash-proof data migrations between Salesforce orgs.

    Plans are YAML files that live in git. A run can be killed at any instant: `migrator resume` goes on without losing
    or doubling a record.
    """
