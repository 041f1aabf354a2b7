"""What planning has to say: diagnostics gathered with their places, and the near names that hints suggest."""

from collections.abc import Iterable
from difflib import get_close_matches

from migrator.errors import Diagnostic, error, note, warning
from migrator.model.plan import ObjectPlan, Plan

MAX_SUGGESTIONS = 3
MAX_LISTED = 5


class Findings:
    """Gathers diagnostics; nothing stops at the first, so that one `plan` tells everything."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._found: list[Diagnostic] = []

    def error(self, code: str, what: str, at: ObjectPlan | None, *path: str | int, hint: str = "") -> None:
        """An error at `path` below that object of the plan (or at the plan itself)."""
        self._found.append(error(code, what, hint=hint, where=self._plan.place(*_full(at, path))))

    def warning(self, code: str, what: str, at: ObjectPlan | None, *path: str | int, hint: str = "") -> None:
        """A warning there."""
        self._found.append(warning(code, what, hint=hint, where=self._plan.place(*_full(at, path))))

    def note(self, code: str, what: str, at: ObjectPlan | None, *path: str | int, hint: str = "") -> None:
        """A note there."""
        self._found.append(note(code, what, hint=hint, where=self._plan.place(*_full(at, path))))

    def sorted(self) -> list[Diagnostic]:
        """All of them, in the order of the file; those of one place as they were found."""
        return sorted(self._found, key=lambda one: one.where)


def _full(at: ObjectPlan | None, path: tuple[str | int, ...]) -> tuple[str | int, ...]:
    return (*at.path, *path) if at else path


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """A hint with the nearest names, or nothing."""
    known = {one.casefold(): one for one in sorted(names)}
    close = get_close_matches(name.casefold(), sorted(known), n=MAX_SUGGESTIONS, cutoff=0.7)
    return f"did you mean {listed([known[one] for one in close], 'or')}?" if close else ""


def listed(names: Iterable[str], word: str = "and") -> str:
    """`A, B and C`; a long list is cut and says how many more there are."""
    every = list(names)
    if len(every) > MAX_LISTED:
        every = [*every[:MAX_LISTED], f"{len(every) - MAX_LISTED} more"]
    return f" {word} ".join([", ".join(every[:-1]), every[-1]]) if len(every) > 1 else "".join(every)
