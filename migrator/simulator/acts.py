"""What people do to an org while a client works with it: an administrator, another user, a refresh of the sandbox."""

import binascii
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import islice

from migrator.simulator.auth.oauth import Tokens
from migrator.simulator.bulk.v1.work import Work
from migrator.simulator.bulk.v2.job import JobState
from migrator.simulator.bulk.v2.query_job import QueryWork
from migrator.simulator.bulk.v2.work import IngestWork
from migrator.simulator.faults.model import Act, ActKind
from migrator.simulator.faults.rows import RowFaults
from migrator.simulator.ids import to_18
from migrator.simulator.limits import Limits
from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.compile import Operation
from migrator.simulator.records.context import Context
from migrator.simulator.records.dml import MAX_ROWS
from migrator.simulator.records.truth import Change

ORIGIN = "an administrator"  # in the truth log
_PERCENT = 100
_LATER = frozenset(
    {"ObjectPermissions", "FieldPermissions"}
)  # come with the org, and are written when asked for


def perform(org: OrgState, act: Act) -> None:
    """Do it now."""
    _DEEDS[act.kind](org, act, org.now())


def _meant(act_sobject: str, sobject: str) -> bool:
    return not act_sobject or act_sobject.lower() == sobject.lower()


def _abort(org: OrgState, act: Act, now: float) -> None:
    sobject = act.sobject
    ingest = org.part(IngestWork)
    for job in ingest.jobs.values():
        if not job.state.terminal and _meant(sobject, job.spec.sobject):
            ingest.stop(job, JobState.ABORTED, now)
    for query in org.part(QueryWork).jobs.values():
        if not query.state.terminal and _meant(sobject, query.spec.sobject):
            query.enter(JobState.ABORTED, now)
    classic = org.part(Work)
    for old in classic.jobs.values():
        if old.unfinished and _meant(sobject, old.spec.sobject):
            classic.abort(old, now)


def _forget_jobs(org: OrgState, act: Act, _: float) -> None:
    """Jobs that ended are gone, as after the seven days that they are kept."""
    sobject = act.sobject
    ingest, query = org.part(IngestWork).jobs, org.part(QueryWork).jobs
    for job_id in [
        key for key, job in ingest.items() if job.state.terminal and _meant(sobject, job.spec.sobject)
    ]:
        del ingest[job_id]
    for job_id in [
        key for key, job in query.items() if job.state.terminal and _meant(sobject, job.spec.sobject)
    ]:
        del query[job_id]


def _records(org: OrgState, act: Act) -> Iterator[str]:
    """The ids of the act's share of an sObject's records, the same ones every time."""
    table = org.store.table(act.sobject)
    for seq in list(table.scan()):
        if binascii.crc32(str(seq).encode()) % _PERCENT < act.percent:
            yield table.id_of(seq)


def _transactions(record_ids: Iterator[str]) -> Iterator[list[str]]:
    while some := list(islice(record_ids, MAX_ROWS)):
        yield some


def _delete(org: OrgState, act: Act, now: float) -> None:
    for some in _transactions(_records(org, act)):
        org.dml.delete(some, Context(org.user_id, now, ORIGIN))


def _create(org: OrgState, act: Act, now: float) -> None:
    sobject = org.store.table(act.sobject).sobject
    compiled = org.dml.compile(sobject, list(act.values), Operation.INSERT)
    org.dml.execute(compiled, [list(act.values.values())], Context(org.user_id, now, ORIGIN))


def _remove_field(org: OrgState, act: Act, _: float) -> None:
    sobject = org.store.table(act.sobject).sobject
    kept = tuple(each for each in sobject.fields if each.name.lower() != act.field.lower())
    org.change(replace(sobject, fields=kept))


def _edit(org: OrgState, act: Act, now: float) -> None:
    sobject = org.store.table(act.sobject).sobject
    compiled = org.dml.compile(sobject, ["Id", *act.values], Operation.UPDATE, null_marker="#N/A")
    for some in _transactions(_records(org, act)):
        rows = [[record_id, *act.values.values()] for record_id in some]
        org.dml.execute(compiled, rows, Context(org.user_id, now, ORIGIN))


def _reset(org: OrgState, act: Act, now: float) -> None:
    """The org as after a refresh: its records are gone, its jobs and sessions too; its id may be another."""
    _abort(org, Act(ActKind.ABORT_JOBS), now)
    for table in org.store.tables():
        name = table.sobject.name
        if name in _LATER:
            continue
        gone = [seq for seq in table.scan(include_deleted=True) if seq >= org.came_with.get(name, 1)]
        for seq in gone:
            table.purge(seq)
        org.truth.append(
            time=now, origin=ORIGIN, actor=org.user_id, change=Change.PURGED, sobject=name, seqs=gone
        )
    org.dml.forget()
    for jobs in (org.part(IngestWork).jobs, org.part(QueryWork).jobs):
        jobs.clear()
    org.part(Tokens).revoke_all()
    organization = act.values.get("organization_id")
    if organization:
        org.settings = replace(org.settings, organization_id=organization)
        org.store.table("Organization").give_id(1, to_18(organization))


def _deactivate(org: OrgState, _: Act, __: float) -> None:
    user = org.store.table("User")
    user.update(user.seq_of(org.user_id), {"IsActive": "false"})


def _refuse_rows(org: OrgState, act: Act, _: float) -> None:
    if act.refusal is not None:
        org.part(RowFaults).faults.append(replace(act.refusal, struck={}))


_DEEDS: Mapping[ActKind, Callable[[OrgState, Act, float], None]] = {
    ActKind.ABORT_JOBS: _abort,
    ActKind.DELETE_JOBS: _forget_jobs,
    ActKind.EXPIRE_RESULTS: _forget_jobs,
    ActKind.END_SESSIONS: lambda org, _, __: org.part(Tokens).revoke_all(),
    ActKind.REVOKE_REFRESH: lambda org, _, __: org.part(Tokens).close("expired access/refresh token"),
    ActKind.DEACTIVATE_USER: _deactivate,
    ActKind.DELETE_RECORDS: _delete,
    ActKind.EDIT_RECORDS: _edit,
    ActKind.CREATE_RECORD: _create,
    ActKind.REMOVE_FIELD: _remove_field,
    ActKind.RESET: _reset,
    ActKind.USE_UP: lambda org, act, now: org.part(Limits).use_up(act.limit, act.left, now),
    ActKind.REFUSE_ROWS: _refuse_rows,
}
