"""Asks both orgs, before a step begins, whether what the step relies on is still there.

**Invariant:** reads only; a change that could do harm stops the step before it has written anything.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from migrator.errors import ExitCode, MigratorError
from migrator.model.schedule import Side, Step
from migrator.review.drift import Harm, drift, uses
from migrator.review.ends import Ends
from migrator.review.identity import parse_identity
from migrator.review.width import width
from migrator.salesforce import Org, RequestFailed

#: how many changes one message names
LISTED = 12


class SchemaWatch:
    """What a run was approved with (the identity of its row, or of a saved plan), beside the orgs as they are now."""

    def __init__(self, identity_json: str, ends: Ends) -> None:
        identity = parse_identity(identity_json)
        self._known: Mapping[Side, Mapping[str, Mapping[str, Any]]] = {
            Side.SOURCE: identity.source,
            Side.TARGET: identity.target,
        }
        self._orgs = {Side.SOURCE: ends.source, Side.TARGET: ends.target}

    def check(self, step: Step) -> tuple[str, ...]:
        """Changes worth a word. Raises MigratorError `schema-drift` (exit code REFUSED) with all that could do harm."""
        found = [
            one
            for (side, sobject) in sorted(uses(step))
            if (org := self._orgs[side]) is not None and (was := self._known[side].get(sobject)) is not None
            for one in drift(step, side, sobject, was, _described(org, sobject))
        ]
        blocking = [one.what for one in found if one.harm is Harm.BLOCKING]
        if blocking:
            raise MigratorError(
                "schema-drift",
                f"{step.id}: the org has changed since the plan was checked: {listed(blocking)}",
                hint="undo the change in the org and resume, or mend the plan and begin a new run",
                exit_code=ExitCode.REFUSED,
            )
        return tuple(one.what for one in found if one.harm is Harm.WARN)

    def width(self, side: Side, sobject: str, columns: Sequence[str]) -> int:
        """About how many bytes a record of these columns takes as CSV."""
        return width(columns, self._known[side].get(sobject, {}).get("fields", {}))

    def unique(self, sobject: str) -> frozenset[str]:
        """The used fields of the target's sObject that were unique when the plan was checked."""
        fields = self._known[Side.TARGET].get(sobject, {}).get("fields", {})
        return frozenset(name for name, facts in fields.items() if facts.get("unique"))


def _described(org: Org, sobject: str) -> Any:
    try:
        return org.describe([sobject]).sobject(sobject)
    except RequestFailed as failed:
        if failed.code == "sign-in-failed":
            raise MigratorError(
                "signed-out", str(failed), hint="sign in again, then resume", exit_code=ExitCode.PAUSED
            ) from failed
        raise MigratorError(
            "org-does-not-answer",
            f"{sobject} could not be described: {failed}",
            hint="resume when the org can be reached again; nothing is lost",
            exit_code=ExitCode.PAUSED,
        ) from failed


def listed(found: list[str]) -> str:
    """The first few of a list of findings in one line."""
    more = len(found) - LISTED
    return "; ".join(found[:LISTED]) + (f"; and {more} more" if more > 0 else "")
