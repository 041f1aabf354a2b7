"""Exceptions that end a command with a message for the user and an exit code.

A row that Salesforce refuses is never one of these: row faults are data.
"""

from collections.abc import Sequence
from enum import IntEnum

from migrator.errors.diagnostic import Diagnostic, Where, error


class ExitCode(IntEnum):
    """Exit codes of the command line; CI pipelines depend on them."""

    OK = 0
    ROWS_FAILED = 1
    USAGE = 2
    REFUSED = 3
    BUDGET = 4
    LEASE = 8
    BUG = 70
    PAUSED = 75
    INTERRUPTED = 130


class MigratorError(Exception):
    """Something the user can act on. `code` is listed in `CODES`; the text never carries a secret or a record's value."""

    exit_code: ExitCode = ExitCode.REFUSED

    def __init__(
        self,
        code: str,
        what: str,
        *,
        hint: str = "",
        where: Where | None = None,
        exit_code: ExitCode | None = None,
    ) -> None:
        super().__init__(what)
        self.diagnostic = error(code, what, hint=hint, where=where)
        if exit_code is not None:
            self.exit_code = exit_code

    @property
    def code(self) -> str:
        return self.diagnostic.code


class PlanInvalid(Exception):  # noqa: N818 - the plan is invalid; the name says so
    """A plan (or its data) has errors; carries all of them."""

    exit_code = ExitCode.USAGE

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__("; ".join(str(found) for found in diagnostics))
        self.diagnostics = tuple(diagnostics)
