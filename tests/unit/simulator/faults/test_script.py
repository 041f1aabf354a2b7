"""Fault scripts: what they say, what is wrong with them, and where."""

import json
from pathlib import Path

import pytest

from migrator.cli.faultfile import load_faults
from migrator.clock import VirtualClock
from migrator.errors import PlanInvalid
from migrator.resources import resource
from migrator.simulator import CATALOGUE, Act, Cut, Fault, FaultKind, JobFault, Org, RowFault, Rows, When
from migrator.simulator.faults.model import FOREVER, Edit
from migrator.simulator.faults.script import KINDS, keys_of
from migrator.simulator.http import Headers, Request
from migrator.simulator.strikes import Dropped


def load(tmp_path: Path, text: str, now: float = 0.0) -> list[Fault | JobFault | RowFault | Act]:
    path = tmp_path / "faults.yaml"
    path.write_text(f"version: 1\nfaults:\n{text}", encoding="utf-8")
    return load_faults(path, now)


def test_the_schema_knows_what_the_code_knows() -> None:
    schema = json.loads(resource("schemas", "faults.schema.json").read_text(encoding="utf-8"))
    known = schema["$defs"]["fault"]["properties"]
    assert set(known["kind"]["enum"]) == KINDS
    assert known["id"]["enum"] == sorted(CATALOGUE)
    assert known["cut"]["enum"] == [each.value for each in Cut]
    assert set(known) == {"id", "kind"} | {key for kind in KINDS for key in keys_of(kind)}


def test_the_example_is_a_script() -> None:
    planted = load_faults(resource("plans", "faults", "bad-day.yaml"), 0.0)
    assert [type(each) for each in planted] == [Fault, Fault, Fault, RowFault, JobFault, Fault, RowFault]


def test_what_an_entry_says(tmp_path: Path) -> None:
    first, second, third, fourth = load(
        tmp_path,
        """\
  - {kind: status, code: 429, retry_after: 5, method: GET, path: ".*/limits", nth: 2, times: always, sobject: Account,
     since: 10, until: "2026-01-01T00:00:00Z", lasts: 60, probability: 0.5, sends: x, after_effect: true}
  - {kind: wrong_count, path: ".*/results"}
  - {kind: row_error, sobject: Account, rows: {field: Name, values: [a, 7], percent: 50}, code: TOO_BAD, fields: [Name]}
  - {kind: use_up, limit: batches, left: 3, at: 100}
""",
        now=1_767_225_000.0,
    )
    assert isinstance(first, Fault)
    assert (first.kind, first.code, first.headers) == (FaultKind.STATUS, 429, {"Retry-After": "5"})
    assert (first.method, first.path, first.nth, first.times) == ("GET", ".*/limits", 2, FOREVER)
    assert first.when == When("x", "Account", 0.5, 1, 10.0, 600.0, 60.0)
    assert first.after_effect
    assert isinstance(second, Fault)
    assert (second.kind, second.edit) == (FaultKind.EDIT, Edit.WRONG_COUNT)
    assert isinstance(third, RowFault)
    assert third.rows == Rows("Account", "Name", frozenset({"a", "7"}), "", 50.0)
    assert (third.code, third.fields, third.times) == ("TOO_BAD", ("Name",), FOREVER)
    assert isinstance(fourth, Act)
    assert (fourth.limit, fourth.left, fourth.at) == ("batches", 3, 100.0)


def test_an_entry_changes_what_the_catalogue_says(tmp_path: Path) -> None:
    upload, moved = load(tmp_path, "  - {id: N07, nth: 3, share: 0.9}\n  - {id: U05, at: 60}\n")
    assert isinstance(upload, Fault)
    assert (upload.kind, upload.nth, upload.share, upload.method) == (FaultKind.DROP_IN_BODY, 3, 0.9, "PUT")
    assert isinstance(moved, Act)
    assert moved.at == 60


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("  - {id: N99}\n", "3:10", "'N99'"),
        ("  - {kind: delay, size: 3}\n", "3:25", "'size' says nothing to a fault of kind delay"),
        ('  - {kind: delay, path: "(("}\n', "3:25", "not a regular expression"),
        ('  - {kind: row_error, rows: {matches: "(("}}\n', "3:39", "not a regular expression"),
        ("  - {kind: row_error, rows: {values: [a]}}\n", "3:23", "none is named"),
        ("  - {kind: end_sessions, at: 3, nth: 2}\n", "3:5", "three ways to say when"),
        ("  - {kind: delay, nth: 0}\n", "3:24", "too small"),
        ("  - {kind: delay, nth: 1, nth: 2}\n", "3:27", "given twice"),
        ("  - {id: N07, kind: delay}\n", "3:15", "exclude each other"),
        ("  - &a {kind: delay}\n", "3:5", "anchors"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, text: str, where: str, what: str) -> None:
    with pytest.raises(PlanInvalid) as refused:
        load(tmp_path, text)
    told = [str(one) for one in refused.value.diagnostics]
    assert any(f"faults.yaml:{where} " in one and what in one for one in told), told


def _ask(org: Org, method: str = "GET", path: str = "/services/data/v60.0/limits", body: bytes = b"") -> int:
    headers = Headers({"Authorization": f"Bearer {org.issue_token()}"})
    try:
        return org.handle(Request(method, path, {}, headers, body)).status
    except Dropped:
        return 0


def test_when_a_fault_strikes(clock: VirtualClock) -> None:
    org = Org(clock=clock)
    org.plant(
        Fault(FaultKind.STATUS, path=".*/limits", times=FOREVER, when=When(since=10, until=40)),
        Fault(FaultKind.DROP_BEFORE, path=".*/sobjects", nth=2, times=2),
        Fault(FaultKind.STATUS, path=".*/query", times=FOREVER, when=When(lasts=30)),
    )
    found = []
    for _ in range(5):
        found.append((_ask(org), _ask(org, path="/services/data/v60.0/sobjects")))
        clock.advance(10)
    assert found == [(200, 200), (503, 0), (503, 0), (503, 200), (200, 200)]
    query = "/services/data/v60.0/query"
    assert _ask(org, path=query) == 503
    clock.advance(29)
    assert _ask(org, path=query) == 503
    clock.advance(1)
    assert _ask(org, path=query) == 400


def test_chance_is_decided_by_the_seed(clock: VirtualClock) -> None:
    def struck(seed: int) -> list[int]:
        org = Org(clock=clock)
        when = When(probability=0.3, seed=seed)
        org.plant(Fault(FaultKind.STATUS, path=".*/limits", times=FOREVER, when=when))
        return [_ask(org) for _ in range(100)]

    assert struck(1) == struck(1)
    assert struck(1) != struck(2)
    assert 15 < struck(1).count(503) < 45


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/services/data/v60.0/sobjects/Account", b'{"Name":"x"}'),
        ("GET", "/services/data/v60.0/sobjects/Account/describe", b""),
        ("POST", "/services/data/v60.0/jobs/ingest", b'{"object":"Account","operation":"insert"}'),
        (
            "POST",
            "/services/data/v60.0/jobs/query",
            b'{"operation":"query","query":"SELECT Id FROM Account"}',
        ),
        (
            "POST",
            "/services/data/v60.0/composite/sobjects",
            b'{"records":[{"attributes":{"type":"Account"}}]}',
        ),
        ("POST", "/services/async/60.0/job", b"<jobInfo><object>Account</object></jobInfo>"),
    ],
)
def test_a_fault_may_be_about_an_sobject(clock: VirtualClock, method: str, path: str, body: bytes) -> None:
    org = Org(clock=clock)
    org.plant(Fault(FaultKind.STATUS, times=FOREVER, code=503, when=When(sobject="account")))
    assert _ask(org, method, path, body) == 503
    assert _ask(org, method, path.replace("Account", "Contact"), body.replace(b"Account", b"Contact")) != 503
