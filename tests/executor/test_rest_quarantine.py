"""Answers over REST that never add up: the rows are quarantined, written down for people, and settled by a person's word."""

import csv
import gzip
import json
from pathlib import Path

import pytest

from migrator.data.later import Resolved
from migrator.errors import ExitCode
from migrator.executor import Goal, mend
from migrator.model.run import Outcome
from migrator.simulator import Org, OrgSettings, load_schema
from migrator.simulator.http import Headers, Request, Response
from tests.executor.orgs import TARGET_ID, Lab, make_lab
from tests.plans import SCHEMA

ROWS = 6
PLAN = """
version: 1
name: rest
source: {files: data}
target: {org: merged}
objects:
  - object: Account
    operation: upsert
    external_id: Legacy_Id__c
    key: [Id]
    fields: {include: [Name]}
    map: {Legacy_Id__c: Id}
"""


class RepeatingOrg(Org):
    """Says of every record that was sent over REST that it became the same one, while it is `lying`."""

    lying = True

    def handle(self, request: Request) -> Response:
        """Carry it out, and answer with one id for all."""
        answer = super().handle(request)
        if not self.lying or "/composite/sobjects" not in request.path or answer.status != 200:
            return answer
        content = bytes(answer.body) if isinstance(answer.body, bytes) else b"".join(answer.body)
        packed = answer.headers.get("Content-Encoding") == "gzip"
        body = json.loads(gzip.decompress(content) if packed else content)
        told = [one | {"id": body[0]["id"]} for one in body]
        return Response(
            200, Headers({"Content-Type": "application/json;charset=UTF-8"}), json.dumps(told).encode()
        )


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """Six accounts in a file, and a target whose answers over REST cannot be believed; the run has stopped for it."""
    made = make_lab(tmp_path, SCHEMA)
    made.from_files = True
    made.target = RepeatingOrg(
        load_schema(tmp_path / "org.yaml"), OrgSettings(organization_id=TARGET_ID, sandbox=True), made.clock
    )
    (tmp_path / "data").mkdir()
    lines = ["Id,Name", *(f"a{n},Account {n}" for n in range(ROWS))]
    (tmp_path / "data" / "Account.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    made.begin(PLAN)
    result = made.drive()
    assert result.exit_code is ExitCode.BUDGET
    (load,) = result.summary.steps
    assert load.tallies == {Outcome.QUARANTINED: ROWS}
    return made


def rows_of(lab: Lab) -> Path:
    (path,) = (lab.folder / "quarantine" / "load.Account").glob("*-rows.csv")
    return path


def resolved(lab: Lab, said: dict[str, str], tmp_path: Path) -> Resolved:
    """A person fills the file in, by source key, and gives it back."""
    with rows_of(lab).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {one["Name"] for one in rows} == {f"Account {n}" for n in range(ROWS)}
    path = tmp_path / "filled.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(one | {"target_id": said.get(one["source_key"], "")} for one in rows)
    return mend.resolve_rows(lab.folder, path, by="ada", apply=True, clock=lab.clock, memory_mb=128)


def test_rows_quarantined_over_rest_have_a_file_that_resolve_takes(lab: Lab, tmp_path: Path) -> None:
    with lab.ends().target as org:
        records = {
            str(one["Legacy_Id__c"]): str(one["Id"])
            for one in org.query("SELECT Id, Legacy_Id__c FROM Account")
        }
    assert len(records) == ROWS
    gone = "a5"
    with lab.ends().target as org:
        org.delete_record("Account", records.pop(gone))
    found = resolved(lab, records | {gone: "none"}, tmp_path)
    assert (found.assigned, found.absent, found.left, found.faults) == (5, 1, 0, ())
    assert isinstance(lab.target, RepeatingOrg)
    lab.target.lying = False
    result = lab.drive()
    assert result.exit_code is ExitCode.OK, result.stop
    (load,) = result.summary.steps
    # an upsert may have found the records that a person names: only of the row that was sent again it is known
    assert (load.tallies, load.balanced) == ({Outcome.CREATED: 1, Outcome.UPDATED: ROWS - 1}, True)
    assert lab.drive(Goal.VERIFY).exit_code is ExitCode.OK


def test_the_file_is_written_once_and_named_in_the_notes(lab: Lab, tmp_path: Path) -> None:
    before = rows_of(lab).read_bytes()
    result = lab.drive()
    assert rows_of(lab).read_bytes() == before
    (load,) = result.summary.steps
    name = str(rows_of(lab).relative_to(lab.folder))
    assert sum(name in note for note in load.notes) == 1
