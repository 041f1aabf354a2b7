"""What can be told to a user: diagnostics with a place, and exceptions with an exit code."""

from migrator.errors.codes import CODES
from migrator.errors.diagnostic import Diagnostic, Severity, Where, error, has_errors, note, warning
from migrator.errors.exceptions import ExitCode, MigratorError, PlanInvalid

__all__ = [
    "CODES",
    "Diagnostic",
    "ExitCode",
    "MigratorError",
    "PlanInvalid",
    "Severity",
    "Where",
    "error",
    "has_errors",
    "note",
    "warning",
]
