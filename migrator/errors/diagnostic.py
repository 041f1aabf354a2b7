"""A diagnostic says what is wrong, where, and what to do about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from migrator.errors.codes import CODES


class Severity(StrEnum):
    """How bad it is; only an error stops a run."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, order=True)
class Where:
    """A place in a file the user wrote; line and column count from 1, and 0 means unknown."""

    path: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        if not self.line:
            return self.path
        return f"{self.path}:{self.line}:{self.column}" if self.column else f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding. `code` is kebab-case and listed in `CODES`; `what` never carries a record's value."""

    severity: Severity
    code: str
    what: str
    hint: str = ""
    where: Where = Where()

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise ValueError(f"diagnostic code {self.code!r} is not listed in migrator.errors.codes")

    def __str__(self) -> str:
        place = f"{self.where} " if self.where.path else ""
        tail = f" → {self.hint}" if self.hint else ""
        return f"{self.severity}[{self.code}] {place}{self.what}{tail}"


def error(code: str, what: str, *, hint: str = "", where: Where | None = None) -> Diagnostic:
    """An error diagnostic."""
    return Diagnostic(Severity.ERROR, code, what, hint, where or Where())


def warning(code: str, what: str, *, hint: str = "", where: Where | None = None) -> Diagnostic:
    """A warning diagnostic."""
    return Diagnostic(Severity.WARNING, code, what, hint, where or Where())


def note(code: str, what: str, *, hint: str = "", where: Where | None = None) -> Diagnostic:
    """A note."""
    return Diagnostic(Severity.NOTE, code, what, hint, where or Where())


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Whether any of them stops a run."""
    return any(found.severity is Severity.ERROR for found in diagnostics)
