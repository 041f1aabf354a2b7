"""What the protocol assumes of the platform, assumption by assumption: the org is made to break it, and the run notices and ends as it must.

The numbers are those of `ASSUMPTIONS`. Of A3 (only a job's id can start its content) nothing can be seen by a client, so it has no test.
"""

import gzip
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from migrator.errors import ExitCode, MigratorError
from migrator.executor import Goal, Result
from migrator.executor.run import Policy
from migrator.model.run import AttemptState, Outcome
from migrator.simulator import OrgSettings, preset, read_faults
from migrator.state import read_ledger
from tests.executor.orgs import Lab, make_lab
from tests.plans import BY_ID, FILES, SCHEMA, inserted, plan_of

ASSUMPTIONS = {
    "A1": "the content of an open job is never processed",
    "A2": "a job that was given two uploads is not processed",
    "A3": "only a job's id can start its content",
    "A4": "a state that is an end stays, and its counters are exact",
    "A5": "the three result sets are a partition of the upload",
    "A6": "what Salesforce tries again of a batch does not repeat rows that were done",
    "A7": "results can be had for seven days",
    "A8": "a job takes an upload for a day, and gives its results to the API version that made it",
    "A9": "the disk keeps what was synced",
}
PLAN = plan_of(inserted("Account", "Name", BY_ID), source=FILES, more="verify: {counts: exact}\n")
ROWS = 60


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """Sixty accounts in a file, and an empty org."""
    made = make_lab(tmp_path, SCHEMA)
    (tmp_path / "data").mkdir()
    lines = "".join(f"a{n:02},Account {n}\n" for n in range(ROWS))
    (tmp_path / "data" / "Account.csv").write_text(f"Id,Name\n{lines}", encoding="utf-8")
    made.begin(PLAN)
    return made


def once(lab: Lab) -> None:
    """No row was created twice, and all that the run calls created is there."""
    accounts = lab.target.store.table("Account")
    made = Counter(accounts.cell(accounts.seq_of(one), "Name") for one in lab.target.truth.created("Account"))
    assert set(made.values()) <= {1}
    assert tallies(lab).get(Outcome.CREATED, 0) <= len(made)


def tallies(lab: Lab) -> dict[Outcome, int]:
    return dict(read_ledger(lab.folder).steps["load.Account"].tallies)


def kinds(lab: Lab) -> list[str]:
    return [one.kind for one in lab.events()]


def states(lab: Lab) -> list[AttemptState]:
    return [one.state for one in read_ledger(lab.folder).attempts if one.slice >= 0]


# -- an org that is no longer what it was


@dataclass
class Liar(httpx.BaseTransport):
    """An org that does more at an upload than it says, and tells another state of the job."""

    org: httpx.BaseTransport
    at_upload: "Callable[[Liar, httpx.Request], httpx.Response]"
    #: what the job's state is said to be; empty: the truth
    told: str = ""
    asked: list[str] = field(default_factory=list)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer as the org does, but for uploads and job states."""
        self.asked.append(f"{request.method} {request.url.path}")
        if request.method == "PUT":
            return self.at_upload(self, request)
        if request.method == "PATCH" and self.told and b"Aborted" in request.read():
            self.told = "Aborted"
            return self.as_told(self.org.handle_request(self.like(request, "GET", b"")))
        answer = self.org.handle_request(request)
        is_job = request.method == "GET" and "/jobs/ingest/" in request.url.path
        return self.as_told(answer) if self.told and is_job and "/750" in request.url.path[-20:] else answer

    def like(self, request: httpx.Request, method: str, content: bytes, path: str = "") -> httpx.Request:
        """Another request to the same job."""
        url = request.url.copy_with(path=path or request.url.path)
        kept = {
            key: value
            for key, value in request.headers.items()
            if key not in {"content-length", "content-type"}
        }
        form = {"content-type": "application/json"} if method == "PATCH" else {"content-type": "text/csv"}
        return httpx.Request(
            method, url, headers={**kept, **(form if content else {})}, content=content or None
        )

    def as_told(self, answer: httpx.Response) -> httpx.Response:
        """The answer with the state that is told."""
        content = answer.read()
        if answer.headers.get("Content-Encoding") == "gzip" and content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
        form = {**json.loads(content), "state": self.told}
        body = httpx.ByteStream(json.dumps(form).encode())
        return httpx.Response(200, headers={"Content-Type": "application/json"}, stream=body)


def works_on_open_jobs(org: Liar, request: httpx.Request) -> httpx.Response:
    """The upload arrives, the org works on it although nobody closed the job, and the answer is lost."""
    org.org.handle_request(request).read()
    path = request.url.path.removesuffix("/batches")
    org.org.handle_request(org.like(request, "PATCH", b'{"state":"UploadComplete"}', path)).read()
    org.told = "Open"
    raise httpx.ReadError("lost")


def takes_two_uploads(org: Liar, request: httpx.Request) -> httpx.Response:
    """Something delivers the upload twice, and the org takes both for one content."""
    content = request.read()
    header, _, rows = content.partition(b"\n")
    return org.org.handle_request(org.like(request, "PUT", header + b"\n" + rows + rows))


def lies(lab: Lab, at_upload: Callable[[Liar, httpx.Request], httpx.Response]) -> None:
    lab.network = lambda org: Liar(org, at_upload)


def test_a1_an_open_job_that_was_worked_on_is_followed_and_its_rows_never_planned_again(lab: Lab) -> None:
    lies(lab, works_on_open_jobs)
    assert lab.drive().exit_code is ExitCode.OK
    assert "closed-by-somebody" in kinds(lab), "aborted, and yet it has processed rows"
    assert AttemptState.ABANDONED not in states(lab)
    assert tallies(lab) == {Outcome.CREATED: ROWS}
    once(lab)


def test_a2_a_job_that_processed_two_uploads_is_not_believed(lab: Lab) -> None:
    lies(lab, takes_two_uploads)
    assert lab.drive().exit_code is ExitCode.BUDGET
    assert tallies(lab) == {Outcome.QUARANTINED: ROWS}, "which of two records is a row's cannot be told"
    assert states(lab) == [AttemptState.QUARANTINED], "nothing is sent again"
    assert len(list(lab.folder.glob("quarantine/load.Account/*.csv"))) == 2


def test_a4_counters_that_are_not_exact_are_not_believed(lab: Lab) -> None:
    lie = {"kind": "counters_moved", "method": "GET", "path": ".*/jobs/ingest/[^/]+", "times": "always"}
    lab.target.plant(*read_faults({"faults": [lie]}, now=0.0))
    assert lab.drive().exit_code is ExitCode.OK
    assert {"fate-unknown", "reconciled"} <= set(kinds(lab)), "looked up, row by row"
    assert tallies(lab) == {Outcome.CREATED: ROWS}
    once(lab)


@pytest.mark.parametrize("lie", ["missing_row", "repeated_row", "in_both"])
def test_a5_result_sets_that_are_no_partition_are_looked_up(lab: Lab, lie: str) -> None:
    path = ".*/failedResults" if lie == "in_both" else ".*/successfulResults"
    entry = {"kind": lie, "method": "GET", "path": path, "times": "always"}
    lab.target.plant(*read_faults({"faults": [entry]}, now=0.0))
    assert lab.drive().exit_code is ExitCode.OK
    assert {"fate-unknown", "reconciled"} <= set(kinds(lab))
    notes = " ".join(read_ledger(lab.folder).steps["load.Account"].notes)
    assert f"{1 if lie == 'missing_row' else ROWS:,} rows of job" in notes, "only those without a result"
    assert tallies(lab) == {Outcome.CREATED: ROWS}
    once(lab)


def test_a5_batches_without_results_are_kept_from_happening(tmp_path: Path) -> None:
    made = make_lab(tmp_path, SCHEMA, OrgSettings(bulk_batches=10))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "Account.csv").write_text("Id,Name\na,Account\n", encoding="utf-8")
    for number in range(12):
        made.folder = tmp_path / f"run-{number}"
        made.begin(PLAN)
        assert made.drive().exit_code is ExitCode.OK
    assert made.clock.monotonic() > 86_400 - 3_600, "the last tenth of the day's batches was not touched"
    assert len(made.target.truth.created("Account")) == 12


def test_a6_rows_that_the_org_did_twice_are_seen_by_verify(lab: Lab) -> None:
    assert lab.drive(fuse=Beside(lab, "before:result:CloseUpload")).exit_code is ExitCode.OK
    verified = lab.drive(Goal.VERIFY)
    assert verified.exit_code is ExitCode.ROWS_FAILED
    (found,) = verified.summary.verification
    assert (found.extra, found.missing, found.verdict) == (3, 0, "differs")
    assert "made 3 records while jobs of the run were at work that no result of them names" in found.notes[0]


@dataclass
class Beside:
    """Three more records by the run's own user, the first time that the run comes to the point: nothing in it tells of them."""

    lab: Lab
    point: str
    #: seconds before and after
    apart: float = 0.0
    done: bool = False

    def __call__(self, point: str) -> None:
        """Act at the point."""
        if point == self.point and not self.done:
            self.done = True
            self.lab.clock.wait(self.apart)
            more = [{"Name": f"Account {n}"} for n in range(3)]
            assert all(
                one.success for one in self.lab.ends().target.send_rows("Account", "insert", None, more, {})
            )
            self.lab.clock.wait(self.apart)


@pytest.mark.parametrize("gone", [False, True], ids=["told", "gone"])
def test_a6_records_made_between_two_jobs_are_not_the_runs(tmp_path: Path, lab: Lab, gone: bool) -> None:
    """The second job begins when the first one's rows are settled, an hour of other work later. Of a job that is gone, its rows' lookup says until when."""
    lab.folder = tmp_path / "two-jobs"
    lab.begin(PLAN, max_slice_rows=ROWS // 2)
    point = "after:result:Harvest"
    if gone:
        lab.target.plant(*preset("H13"))
        point = "after:result:Reconcile"
    beside = Beside(lab, point, apart=1_800.0)
    assert lab.drive(policy=Policy(in_flight=1), fuse=beside).exit_code is ExitCode.OK
    assert beside.done
    assert lab.clock.monotonic() > 3_600, "the other records are of a time between two jobs"
    assert tallies(lab) == {Outcome.CREATED: ROWS}
    verified = lab.drive(Goal.VERIFY)
    assert (verified.exit_code, verified.summary.verification[0].extra) == (ExitCode.OK, 0)


def test_a6_records_of_others_and_of_other_times_are_not_counted(lab: Lab) -> None:
    ours = [{"Name": "before"}]
    lab.ends().target.send_rows("Account", "insert", None, ours, {})
    lab.clock.wait(60)
    assert lab.drive().exit_code is ExitCode.OK
    lab.clock.wait(60)
    lab.ends().target.send_rows("Account", "insert", None, ours, {})
    accounts = lab.target.store.table("Account")
    assert len(accounts) == ROWS + 2
    verified = lab.drive(Goal.VERIFY)
    assert (verified.exit_code, verified.summary.verification[0].extra) == (ExitCode.OK, 0)


def test_a7_results_that_are_gone_are_no_results_of_nothing(lab: Lab) -> None:
    lab.target.plant(*preset("H13"))
    assert lab.drive().exit_code is ExitCode.OK
    assert {"fate-unknown", "reconciled"} <= set(kinds(lab))
    assert tallies(lab) == {Outcome.CREATED: ROWS}
    once(lab)


def test_a8_a_job_that_takes_no_upload_any_more_is_given_up_for_another(lab: Lab) -> None:
    slept: list[str] = []

    def sleep(point: str) -> None:
        if point == "after:result:CreateJob" and not slept:
            slept.append(point)
            lab.clock.wait(25 * 3_600.0)  # open jobs end after a day

    assert lab.drive(fuse=sleep).exit_code is ExitCode.OK
    assert slept
    assert states(lab) == [AttemptState.ABANDONED, AttemptState.HARVESTED]
    once(lab)


def test_a8_results_refused_to_the_api_version_stop_the_run_which_keeps_its_version(lab: Lab) -> None:
    lab.target.plant(*preset("H11"))
    result = lab.drive()
    assert result.stop is not None
    assert (result.stop.code, result.exit_code) == ("api-version-refused", ExitCode.REFUSED)
    assert f"API version {read_ledger(lab.folder).run.api_version}" in result.stop.what
    lab.target.faults.clear()
    assert lab.drive().exit_code is ExitCode.OK
    once(lab)


def test_a9_a_disk_that_lost_what_was_synced_is_noticed_before_anything_is_sent(lab: Lab) -> None:
    def fuse(point: str) -> None:
        if point == "before:intent:Upload":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lab.drive(fuse=fuse)
    (cut,) = lab.folder.glob("slices/load.Account/*.csv")
    cut.write_bytes(cut.read_bytes()[:-20] + b"\0" * 20)
    jobs = len(lab.target.truth.created("Account"))
    try:
        result: Result | None = lab.drive()
    except MigratorError as refused:
        code, what = refused.code, str(refused)
    else:
        assert result is not None
        assert result.stop is not None
        code, what = result.stop.code, result.stop.what
    assert code == "state-corrupt"
    assert cut.name in what
    assert len(lab.target.truth.created("Account")) == jobs == 0


def test_each_assumption_has_its_test() -> None:
    here = {name.split("_")[1].upper() for name in globals() if name.startswith("test_a")}
    assert here == set(ASSUMPTIONS) - {"A3"}
