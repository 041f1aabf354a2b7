"""Which states of an attempt may follow which: the protocol of docs/guarantee.md as a table.

Everything about legal transitions is in this file. **Invariant:** a commit with a transition that is not here changes
nothing.
"""

from collections.abc import Mapping
from typing import Final

from migrator.model.run import Attempt, AttemptKind, AttemptState

S = AttemptState


class IllegalWrite(Exception):  # noqa: N818 - a bug of the writer, named for what it did
    """A commit that would break the protocol or change what never changes. A bug of ours, never bad luck."""


#: state → states that may follow. Staying in a state that is not final is always legal: facts about it may change.
FOLLOWS: Final[Mapping[AttemptKind, Mapping[AttemptState, frozenset[AttemptState]]]] = {
    AttemptKind.BULK2: {
        S.PLANNED: frozenset({S.CREATED, S.ABANDONED}),
        S.CREATED: frozenset({S.UPLOADING, S.ABANDONED}),
        # back to CREATED only when the upload certainly never left; in doubt the job is aborted; one that somebody
        # closed in the meantime is followed to its end like one that we closed
        S.UPLOADING: frozenset({S.UPLOADED, S.CREATED, S.CLOSED, S.ABANDONED, S.UNKNOWN}),
        S.UPLOADED: frozenset({S.CLOSING, S.ABANDONED, S.UNKNOWN}),
        # once closing was intended the rows may be on their way: never back, never abandoned
        S.CLOSING: frozenset({S.CLOSED, S.UNKNOWN}),
        S.CLOSED: frozenset({S.TERMINAL, S.UNKNOWN}),
        # abandoned only when the org says finally that it processed nothing, and has no results to tell more
        S.TERMINAL: frozenset({S.HARVESTED, S.UNKNOWN, S.ABANDONED}),
        # looked up in the target: found, or safe to send again, or nobody can tell
        S.UNKNOWN: frozenset({S.HARVESTED, S.QUARANTINED}),
    },
    AttemptKind.BULK1_SERIAL: {
        S.PLANNED: frozenset({S.CREATED, S.ABANDONED}),
        S.CREATED: frozenset({S.UPLOADING, S.ABANDONED}),
        # abandoned only when the closed job holds no batch; closed when it holds the one that was sent
        S.UPLOADING: frozenset({S.UPLOADED, S.CREATED, S.CLOSED, S.ABANDONED, S.UNKNOWN}),
        # the batch is being processed: never back, never abandoned
        S.UPLOADED: frozenset({S.CLOSING, S.UNKNOWN}),
        S.CLOSING: frozenset({S.CLOSED, S.UNKNOWN}),
        S.CLOSED: frozenset({S.TERMINAL, S.UNKNOWN}),
        S.TERMINAL: frozenset({S.HARVESTED, S.UNKNOWN}),
        S.UNKNOWN: frozenset({S.HARVESTED, S.QUARANTINED}),
    },
    AttemptKind.REST: {
        S.PLANNED: frozenset({S.SENDING, S.ABANDONED}),
        S.SENDING: frozenset({S.HARVESTED, S.ABANDONED, S.QUARANTINED}),
    },
    AttemptKind.GATE: {
        # nothing is changed before it is known as it was
        S.PLANNED: frozenset({S.OPENING, S.SHUT}),
        # from here on it may be changed: only putting it back, or having changed nothing, ends it
        S.OPENING: frozenset({S.OPEN, S.SHUTTING, S.SHUT}),
        S.OPEN: frozenset({S.SHUTTING}),
        S.SHUTTING: frozenset({S.SHUT}),
    },
    AttemptKind.QUERY: {
        # a source file needs no job: it is read and there
        S.PLANNED: frozenset({S.CREATED, S.HARVESTED, S.ABANDONED}),
        S.CREATED: frozenset({S.TERMINAL, S.ABANDONED}),
        S.TERMINAL: frozenset({S.HARVESTED, S.ABANDONED}),
    },
}


#: states of a job that ended without doing all of its work (Bulk API guide, "Get Job Info")
_BADLY_ENDED: Final = frozenset({"Failed", "Aborted"})


def check_transition(before: Attempt | None, after: Attempt) -> None:
    """Raise IllegalWrite unless `after` may take the place of `before` (None: it is new)."""
    if before is None:
        if after.state is not S.PLANNED:
            raise IllegalWrite(f"attempt {after.id} begins as {after.state}, not as planned")
        return
    for name in ("step", "kind", "slice", "try_no"):
        if getattr(before, name) != getattr(after, name):
            raise IllegalWrite(f"attempt {after.id} changes its {name}")
    if before.job_id and before.job_id != after.job_id:
        raise IllegalWrite(f"attempt {after.id} changes its job")
    if _revises(before, after):
        return
    if before.state.final:
        raise IllegalWrite(f"attempt {after.id} is {before.state}: nothing follows")
    if after.state is before.state:
        return
    if after.state not in FOLLOWS[after.kind].get(before.state, frozenset()):
        raise IllegalWrite(f"attempt {after.id} goes from {before.state} to {after.state}")
    touched = before.processed != 0 or before.job_state not in _BADLY_ENDED
    if (
        after.kind is AttemptKind.BULK2
        and before.state is S.TERMINAL
        and after.state is S.ABANDONED
        and touched
    ):
        raise IllegalWrite(f"attempt {after.id} is abandoned although its job may have processed rows")


def _revises(before: Attempt, after: Attempt) -> bool:
    """Whether a person's decision gives rows of a finished attempt other outcomes (`retry`, `resolve`); what happened stays as it is."""
    if before.state not in {S.HARVESTED, S.QUARANTINED} or after.state is not S.HARVESTED:
        return False
    told = ("job_state", "rows", "processed", "failed", "created_at")
    return after.outcomes != before.outcomes and all(
        getattr(before, one) == getattr(after, one) for one in told
    )
