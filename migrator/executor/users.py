"""The orgs and users that a run works with: those that it began with; the orgs for good, the users unless somebody says otherwise.

Jobs are known by who made them, records of unknown fate are looked for by who created them, and what is read depends on who reads.

**Invariant:** another user is a decision with a name, in the log; a gate that was set for one user is put back as that user.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

from migrator.errors import ExitCode, MigratorError
from migrator.executor.run import Run
from migrator.model.ids import to_18
from migrator.model.run import Event, Facts, RunRow
from migrator.review import Ends

#: the event of that decision
CHANGED = "user-changed"


def check_identities(row: RunRow, ends: Ends) -> None:
    """Refuse an alias that means another org than when the run began."""
    pairs = [(row.target, row.target_org_id, ends.target)]
    if ends.source is not None:
        pairs.append((row.source, row.source_org_id, ends.source))
    for alias, expected, org in pairs:
        check_org(alias, expected, org.identity().organization_id)


def check_org(alias: str, expected: str, actual: str) -> None:
    """Refuse another org than the run began with."""
    if actual != expected:
        raise MigratorError(
            "org-mismatch",
            f"the run began with org {expected} as {alias!r}, and the alias now means org {actual}",
            hint="mend the orgs file; a run never changes orgs",
        )


def source_user(events: Sequence[Event]) -> str:
    """Who reads the source, as far as the log says; empty: it does not, or files are read."""
    told = [one.facts["source_user"] for one in events if "source_user" in one.facts]
    return str(told[-1] or "") if told else ""


def target_users(row: RunRow, events: Sequence[Event]) -> tuple[str, ...]:
    """All users as whom the run wrote, as far as the log says; among them may be some who only read the source."""
    before = [str(one.facts["was"]).split(", ") for one in events if one.kind == CHANGED]
    return tuple(dict.fromkeys((row.target_user_id, *chain.from_iterable(before))))


def check_users(
    run: Run, events: Sequence[Event], ends: Ends, *, accepted_by: str
) -> tuple[RunRow, Facts] | None:
    """The run's row and the facts of the event when somebody accepts that other users go on; None: they are the same.

    Raises MigratorError `user-mismatch` (REFUSED) for users that nobody accepted, or while a gate is open that was set for the former one.
    """
    before = {run.row.target: run.row.target_user_id, run.row.source: source_user(events)}
    now = {run.row.target: ends.target.identity().user_id}
    if ends.source is not None:
        now[run.row.source] = ends.source.identity().user_id
    other = {
        alias: user for alias, user in now.items() if before[alias] and to_18(user) != to_18(before[alias])
    }
    if not other:
        return None
    what = " and ".join(
        f"the run began as user {before[alias]} of {alias!r}, and the alias now signs in as {user}"
        for alias, user in sorted(other.items())
    )
    if run.holds_gates and run.row.target in other:
        hint = "put the gates back as the former user first: `migrator gates close`"
        raise MigratorError(
            "user-mismatch",
            f"{what}; gates are open that were set for the former one",
            hint=hint,
            exit_code=ExitCode.REFUSED,
        )
    if not accepted_by:
        hint = "mend the orgs file, or go on as the other user with `migrator resume --accept-user`, which goes into the log"
        raise MigratorError("user-mismatch", what, hint=hint, exit_code=ExitCode.REFUSED)
    facts: Facts = {
        "by": accepted_by,
        "target_user": now[run.row.target],
        "source_user": now.get(run.row.source, ""),
        "was": ", ".join(before[alias] for alias in sorted(other)),
    }
    return replace(run.row, target_user_id=now[run.row.target]), facts
