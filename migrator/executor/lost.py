"""What follows when a request got no usable answer: wait and try again, abandon, or pause the run.

**Invariant:** nothing here sends anything again by itself; it only chooses the state from which `decide` goes on.
"""

from dataclasses import replace

from migrator.errors import ExitCode
from migrator.executor.actions import (
    AttemptAction,
    CreateJob,
    FetchPage,
    GateAction,
    Harvest,
    RequestLost,
    SendRows,
    Upload,
)
from migrator.executor.change import Change
from migrator.executor.ingest import doubted, sent_anew, untouched
from migrator.executor.run import Run, Stop, Streak
from migrator.model.run import AttemptKind, AttemptState
from migrator.model.wire import Sent

#: the org will answer again when its rolling 24-hour window has moved; asked for again at 1 to 15 minutes
LIMIT_CODES = frozenset({"request-limit-exceeded", "REQUEST_LIMIT_EXCEEDED"})
LIMIT_FIRST_DELAY = 60.0
LIMIT_MAX_DELAY = 900.0
#: answers that will be the same until a person does something
REFUSALS = frozenset({400, 403, 404, 405, 415})


def lost(run: Run, action: AttemptAction, reply: RequestLost, now: float, chance: float) -> Change:
    """The run after a request of `action` was lost. `chance` (0 to 1) spreads out what is tried again."""
    attempt = run.live[action.attempt]
    streak = _once_more(run, attempt.id, now)
    change = Change(run)
    if reply.code in LIMIT_CODES and not run.policy.wait:
        stop = Stop(
            "request-limit-exceeded",
            f"{attempt.step}: {reply.what}",
            "resume when the org's allowance is back; nothing is lost",
            ExitCode.PAUSED,
        )
        return _never_left(change, action, reply).free(attempt.id).stopped(stop)
    if reply.code in LIMIT_CODES:
        delay = min(LIMIT_MAX_DELAY, LIMIT_FIRST_DELAY * 2.0 ** min(streak.count - 1, 8))
        why = f"the org's request allowance is spent; asked again every {delay / 60:.0f} min"
        return _later(_never_left(change, action, reply), attempt.id, streak, now + delay, why)
    # an expired session was renewed by the client already and is one more lost request; this one needs a person
    if reply.code == "sign-in-failed":
        stop = Stop("signed-out", reply.what, "sign in again, then resume", ExitCode.PAUSED)
        return _never_left(change, action, reply).free(attempt.id).stopped(stop)
    if reply.status == 409 and isinstance(action, Harvest | FetchPage):
        what = f"{attempt.step}: the org refuses results to API version {run.row.api_version}: {reply.what}"
        stop = Stop(
            "api-version-refused",
            what,
            "a run keeps its API version; look at the orgs file",
            ExitCode.REFUSED,
        )
        return change.free(attempt.id).stopped(stop)
    # Bulk API v1 says with a 400 that the session has ended; it has been renewed by now. An org that is busy says so with a 403
    refused = reply.status in REFUSALS and reply.code not in {"session-expired", "org-busy"}
    if refused and isinstance(action, CreateJob | SendRows | GateAction):
        hint = reply.hint or "mend what the org complains of, then resume; nothing is lost"
        stop = Stop("org-refused", f"{attempt.step}: {reply.what}", hint, ExitCode.REFUSED)
        return change.free(attempt.id).stopped(stop)
    if refused and isinstance(action, Harvest) and untouched(attempt):
        return sent_anew(change.free(attempt.id), attempt, now)
    if refused and isinstance(action, Harvest):
        why = f"the org refuses its results: {reply.code}"
        return doubted(change.free(attempt.id), attempt, why, now)
    if reply.status == 404 and isinstance(action, FetchPage):
        return change.attempt(
            replace(attempt, state=AttemptState.ABANDONED, note="its results are gone"), "abandoned"
        ).free(attempt.id)
    if streak.count > run.policy.max_lost and now - streak.since >= run.policy.patience:
        stop = Stop(
            "org-does-not-answer",
            f"{attempt.step}: {streak.count} requests in a row got no usable answer: {reply.what}",
            "resume when the org can be reached again; nothing is lost",
            ExitCode.PAUSED,
        )
        return _never_left(change, action, reply).free(attempt.id).stopped(stop)
    delay = run.policy.lost_delay(streak.count, chance)
    why = f"no usable answer for {now - streak.since:.0f} of {run.policy.patience:.0f} seconds: {reply.what}"
    return _later(_never_left(change, action, reply), attempt.id, streak, now + delay, why)


def _once_more(run: Run, attempt: int, now: float) -> Streak:
    before = run.streaks.get(attempt)
    if before is None or not before.lost:
        return Streak(now, 1, lost=True)
    return replace(before, count=before.count + 1)


def _later(change: Change, attempt: int, streak: Streak, due: float, why: str) -> Change:
    """With the attempt due again; what was polled or fetched before stays counted."""
    return change.free(attempt, due=due, tries=change.run.tries.get(attempt), streak=streak, why=why)


def _never_left(change: Change, action: AttemptAction, reply: RequestLost) -> Change:
    """An upload that certainly never left needs no new job: its attempt goes back to CREATED."""
    if reply.sent is not Sent.NO or not isinstance(action, Upload):
        return change
    attempt = change.run.live[action.attempt]
    assert attempt.kind in {AttemptKind.BULK2, AttemptKind.BULK1_SERIAL}  # noqa: S101 - only those are uploaded to
    return change.attempt(replace(attempt, state=AttemptState.CREATED), "upload-not-sent")
