"""Everything outside the process that is killed: simulated orgs in a process of their own, and what they hold in the end."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from migrator.clock import SystemClock
from migrator.salesforce import ClientCredentials, ConnectionSettings, Org, Secret, connect
from tests.plans import HIERARCHY, PEOPLE, SCHEMA, VERIFIED, accounts, inserted, plan_of

ROOT = Path(__file__).resolve().parents[2]
SECRET = "simulator-secret"
PLAN = plan_of(
    accounts("Name, ParentId", HIERARCHY),
    PEOPLE,
    inserted("Case", "Subject, ContactId"),
    inserted("Left__c", "Name, Right__c", "after: [Case]"),
    inserted("Right__c", "Name, Left__c", "after: [Case]"),
    name="killed",
    more=VERIFIED,
)
ACCOUNTS, CONTACTS, CASES, PAIRS = 300, 1500, 1000, 100
#: what is asked of the target in the end: each row must be there as often as the source has it
QUESTIONS = (
    ("Name", "Parent.Name", "Account"),
    ("LastName", "Account.Name", "Contact"),
    ("Subject", "Contact.LastName", "Case"),
    ("Name", "Right__r.Name", "Left__c"),
    ("Name", "Left__r.Name", "Right__c"),
)
Truth = dict[str, Counter[tuple[str, str]]]


@dataclass
class Outside:
    """The orgs' addresses and the folder in which runs are killed."""

    folder: Path
    urls: dict[str, str]

    def begin(self, *command: str, failpoint: str = "") -> "subprocess.Popen[str]":
        """Begin a command."""
        given = [*command, "--orgs", str(self.folder / "orgs.yaml"), "--state-dir", str(self.folder / "runs")]
        return subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "migrator", *given],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
            env={**os.environ, "ORG_SECRET": SECRET, "MIGRATOR_FAILPOINT": failpoint},
        )

    def finish(self, *command: str, failpoint: str = "") -> tuple[int, str]:
        """Run a command to its end, whatever that is."""
        process = self.begin(*command, failpoint=failpoint)
        out, _ = process.communicate(timeout=100)
        return process.returncode, out

    def kill_after(self, seconds: float, *command: str) -> int:
        """Kill a command that long after it began to work; its exit code."""
        process = self.begin(*command)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.stdout.close()
        return process.wait()

    def org(self, alias: str) -> Org:
        """A connection to an org, to look and to mend."""
        settings = ConnectionSettings(
            alias=alias,
            auth=ClientCredentials("migrator-simulator", Secret(SECRET)),
            login_url=self.urls[alias],
            api_version="66.0",
            simulator=True,
        )
        return connect(settings, SystemClock())

    def truth(self, alias: str) -> Truth:
        """The rows of an org, each with its parent's name, and how often each is there."""
        with self.org(alias) as org:
            found: Truth = {}
            for name, parent, sobject in QUESTIONS:
                relationship, _, of = parent.partition(".")
                found[sobject] = Counter(
                    (str(row[name]), str((row[relationship] or {}).get(of)))
                    for row in org.query(f"SELECT {name}, {parent} FROM {sobject}")
                )
                assert org.count(f"SELECT COUNT() FROM {sobject}") == found[sobject].total()
            return found


@contextmanager
def orgs_outside(folder: Path) -> Iterator[Outside]:
    """Serve both orgs in another process, the source filled."""
    _write_data(folder / "legacy-data")
    command = [sys.executable, "-m", "migrator", "simulate", "--ready-file", str(folder / "ready.json")]
    for name, number in (("legacy", 1), ("merged", 2)):
        path = folder / f"{name}.yaml"
        organization = f"organization: {{id: 00D00000000000{number}EAA, sandbox: true}}"
        path.write_text(organization + SCHEMA, encoding="utf-8")
        command += ["--schema", str(path)]
    command += ["--data", str(folder / "legacy-data"), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT)  # noqa: S603 - our own command
    try:
        while not (folder / "ready.json").exists():
            assert process.poll() is None, "the simulated orgs did not start"
            time.sleep(0.05)
        told = json.loads((folder / "ready.json").read_text(encoding="utf-8"))["orgs"]
        auth = {
            "flow": "client_credentials",
            "client_id": "migrator-simulator",
            "client_secret": {"env": "ORG_SECRET"},
        }
        entries = {one["name"]: {"url": one["url"], "simulator": True, "auth": auth} for one in told}
        (folder / "orgs.yaml").write_text(json.dumps({"orgs": entries}), encoding="utf-8")
        (folder / "plan.yaml").write_text(PLAN, encoding="utf-8")
        yield Outside(folder, {one["name"]: one["url"] for one in told})
    finally:
        process.terminate()
        process.wait(timeout=30)


def _write_data(folder: Path) -> None:
    folder.mkdir()
    draw = random.Random(5)  # noqa: S311 - sample data
    _csv(
        folder / "Account.csv",
        ["Id", "Name", "ParentId"],
        ([f"a{n}", f"Account {n}", f"a{draw.randrange(n)}" if n % 3 == 1 else ""] for n in range(ACCOUNTS)),
    )
    _csv(
        folder / "Contact.csv",
        ["Id", "LastName", "AccountId"],
        # every tenth row looks like the one before: only counting tells rows without a key apart
        (
            [f"c{n}", f"Person {n - (n % 10 == 9)}", f"a{(n - (n % 10 == 9)) % ACCOUNTS}"]
            for n in range(CONTACTS)
        ),
    )
    _csv(
        folder / "Case.csv",
        ["Id", "Subject", "ContactId"],
        ([f"s{n}", f'Case {n}, "urgent"', f"c{draw.randrange(CONTACTS)}"] for n in range(CASES)),
    )
    _csv(
        folder / "Left__c.csv",
        ["Id", "Name", "Right__c"],
        ([f"l{n}", f"Left {n}", f"r{(n * 7) % PAIRS}"] for n in range(PAIRS)),
    )
    _csv(
        folder / "Right__c.csv",
        ["Id", "Name", "Left__c"],
        ([f"r{n}", f"Right {n}", f"l{n}" if n % 2 else ""] for n in range(PAIRS)),
    )


def _csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    lines = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in (header, *rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
