"""Summaries of made-up runs, as a ledger would give them."""

from collections.abc import Mapping
from dataclasses import replace

from migrator.model.plan import Match, Operation, RelationshipRule, WhenMissing
from migrator.model.run import (
    Attempt,
    AttemptKind,
    AttemptState,
    LedgerState,
    Outcome,
    RunRow,
    RunStatus,
    StepPhase,
    StepRow,
)
from migrator.model.schedule import (
    Edge,
    Guarantee,
    Lane,
    LinkStep,
    LoadStep,
    LookupSpec,
    MatchStep,
    Schedule,
    VerifyStep,
)
from migrator.model.summary import Summary, summarize

STARTED = 1_790_000_000.0
HOSTILE = "<script>alert(1)</script> | `x` ]]> \x1b[31m\u202eevil"
PARENT = LookupSpec(RelationshipRule("ParentId"), ("Account",), WhenMissing.LINK)


def _load(name: str, operation: Operation, guarantee: Guarantee) -> LoadStep:
    return LoadStep(
        id=f"load.{name}",
        object_name=name,
        sobject=name,
        key_prefix="001",
        operation=operation,
        guarantee=guarantee,
        lane=Lane.BULK2,
        source_extract=f"extract.{name}",
        key=("Id",),
        columns=(),
        lookups=(),
        external_id="Legacy_Id__c" if operation is Operation.UPSERT else None,
    )


SCHEDULE = Schedule(
    plan_name="cutover",
    plan_digest="sha256:0123",
    steps=(
        MatchStep("match.User", "User", "User", "a", "b", Match(("Username",)), ("Id",)),
        _load("Account", Operation.UPSERT, Guarantee.UPSERT),
        LinkStep("link.Account", "Account", "Account", "001", "load.Account", (PARENT,), Lane.REST),
        _load("Contact", Operation.INSERT, Guarantee.INSERT),
        VerifyStep("verify.Account", "Account", "Account", "load.Account", ("link.Account",), "", ()),
        VerifyStep("verify.Contact", "Contact", "Contact", "load.Contact", (), "", ()),
    ),
    edges=(
        Edge("match.User", "load.Account", "Account.OwnerId looks up User"),
        Edge("load.Account", "link.Account", "updates the records that were loaded"),
        Edge("match.User", "load.Contact", "Contact.OwnerId looks up User"),
        Edge("load.Account", "load.Contact", "Contact.AccountId looks up Account"),
        Edge("load.Account", "verify.Account", ""),
        Edge("load.Contact", "verify.Contact", ""),
    ),
    decisions=("Account.ParentId is filled by link.Account",),
)


def _done(step: str, tallies: Mapping[Outcome, int], begun: float, seconds: float) -> StepRow:
    return StepRow(
        step,
        StepPhase.DONE,
        sum(tallies.values()),
        tallies,
        started=STARTED + begun,
        finished=STARTED + begun + seconds,
    )


def a_run(
    contacts: Mapping[Outcome, int] | None = None,
    *,
    faults: Mapping[str, int] | None = None,
    status: RunStatus = RunStatus.COMPLETE,
    compared: Mapping[str, int] | None = None,
    again: Mapping[str, int] | None = None,
    hostile: str = "",
) -> Summary:
    """A run of three objects; `compared`: the counts of the verification of contacts, None: nothing was verified; `again`: of a second run."""
    steps = [
        _done("match.User", {Outcome.UNCHANGED: 18, Outcome.SKIPPED: 2}, 0, 0.25),
        _done("load.Account", {Outcome.CREATED: 4_000}, 0.25, 3.5),
        _done("link.Account", {Outcome.UPDATED: 1_300, Outcome.SKIPPED: 2_700}, 3.75, 1),
    ]
    if status is RunStatus.COMPLETE:
        done = _done("load.Contact", contacts or {Outcome.CREATED: 16_000}, 3.75, 75)
        steps.append(replace(done, counts=again or {}))
    else:
        steps.append(
            StepRow(
                "load.Contact",
                StepPhase.OPEN,
                16_000,
                {Outcome.CREATED: 10_000},
                waiting=7,
                started=STARTED,
            )
        )
    if compared is not None:
        steps.append(StepRow("verify.Account", StepPhase.DONE, counts={"rows": 4_000, "compared": 4_000}))
        steps.append(StepRow("verify.Contact", StepPhase.DONE, counts=compared))
    if hostile:
        steps[1] = StepRow("load.Account", StepPhase.DONE, 4_000, {Outcome.CREATED: 4_000}, notes=(hostile,))
    attempt = Attempt(
        1,
        "load.Contact",
        AttemptKind.BULK2,
        AttemptState.HARVESTED,
        job_id="7500000000000001AAA",
        faults=faults or {},
    )
    run = RunRow(
        run_id="20260921-cutover-7f3a",
        plan_name=hostile or "cutover",
        plan_path="/home/somebody/plans/cutover.yaml",
        plan_digest="sha256:0123",
        schedule_json="",
        tool_version="0.1.0",
        api_version="66.0",
        source="legacy",
        target="merged",
        source_org_id="00D000000000001EAA",
        target_org_id="00D000000000002EAA",
        target_user_id="005000000000001AAA",
        started=STARTED,
        status=status,
        finished=STARTED + 79 if status is RunStatus.COMPLETE else None,
    )
    return summarize(LedgerState(run, {one.step: one for one in steps}, (), (attempt,), ()), SCHEDULE)
