"""One small migration that meets a fault, is resumed until it ends, and is judged by what the target really holds."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from migrator.errors import ExitCode, MigratorError
from migrator.executor import Goal, Result
from migrator.model.run import AttemptKind, AttemptState, Outcome
from migrator.simulator import Act, Fault, JobFault, Planted, RowFault
from migrator.state import read_ledger
from tests.executor.orgs import Lab, make_lab
from tests.plans import PEOPLE, SCHEMA, inserted, plan_of

PLAN = plan_of(inserted("Account", "Name, Description"), PEOPLE, name="faulted")
#: accounts travel over REST, as they may be sent twice
REPEATABLE = PLAN.replace(
    "    operation: insert\n    fields: {include: [Name, Description]}\n",
    "    operation: upsert\n    external_id: Legacy_Id__c\n    fields: {include: [Name, Description]}\n    map: {Legacy_Id__c: Id}\n",
)
ACCOUNTS, CONTACTS = 450, 300
#: a run that is not over by then is in a live-lock
MAX_DRIVES = 12


@dataclass
class Ended:
    """How a run ended: the exit code and reason of each drive, and what is in the target. `planted`: what it met."""

    lab: Lab
    planted: Sequence[Planted] = ()
    codes: list[int] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    result: Result | None = None
    jobs: int = 0

    @property
    def created(self) -> Counter[str]:
        """How often each row of the source was created, by the truth log."""
        counted: Counter[str] = Counter()
        for sobject, name in (("Account", "Name"), ("Contact", "LastName")):
            names = dict(self._names(sobject, name))
            counted.update(names[one] for one in self.lab.target.truth.created(sobject) if one in names)
        return counted

    def _names(self, sobject: str, name: str) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        for block in self.lab.target.store.table(sobject).scan_columns(("Id", name)):
            found += [(str(one), str(text)) for one, text in zip(*block.columns, strict=True)]
        return found

    @property
    def tallies(self) -> dict[Outcome, int]:
        """The outcomes of all rows."""
        assert self.result is not None
        sums: Counter[Outcome] = Counter()
        for one in self.result.summary.steps:
            sums.update(one.tallies)
        return dict(sums)

    @property
    def struck(self) -> bool:
        """Whether each of the faults did happen: a test of one that never comes shows nothing."""
        return all(_happened(one) for one in self.planted)

    @property
    def given_up(self) -> int:
        """How many ingest jobs were given up for another one."""
        attempts = read_ledger(self.lab.folder).attempts
        return sum(one.kind is AttemptKind.BULK2 and one.state is AttemptState.ABANDONED for one in attempts)

    @property
    def doubled(self) -> list[str]:
        """Rows that were created more than once."""
        return sorted(name for name, count in self.created.items() if count > 1)

    @property
    def balanced(self) -> bool:
        """Whether outcomes and truth agree: what is said to be created was created, and nothing else that is not in doubt."""
        assert self.result is not None
        made = len(self.created)
        sure, doubtful = self.tallies.get(Outcome.CREATED, 0), self.tallies.get(Outcome.QUARANTINED, 0)
        return sure <= made <= sure + doubtful

    @property
    def whole(self) -> bool:
        """Whether every row ended as created, once; what was sent twice over REST may be called updated."""
        there = {Outcome.CREATED, Outcome.UPDATED}
        all_there = self.tallies.keys() <= there and sum(self.tallies.values()) == ACCOUNTS + CONTACTS
        return all_there and len(self.created) == ACCOUNTS + CONTACTS and not self.doubled and self.balanced


def _happened(one: Planted) -> bool:
    match one:
        case Fault():
            return one.struck > 0
        case JobFault():
            return one.struck > 0
        case RowFault():
            return bool(one.struck)
        case Act():
            return True  # at its moment, whatever the run does


def arena(folder: Path) -> Lab:
    """Both orgs, the source filled."""
    lab = make_lab(folder, SCHEMA)
    org = lab.ends().source
    assert org is not None
    accounts: list[str] = []
    for start in range(0, ACCOUNTS, 150):
        rows = [
            {"Name": f"Account {n}", "Description": f'line one of {n}\r\n"line two", 東京'}
            for n in range(start, start + 150)
        ]
        accounts += [one.id for one in org.send_rows("Account", "insert", None, rows, {})]
    for start in range(0, CONTACTS, 150):
        people = [{"LastName": f"Person {n}", "AccountId": accounts[n]} for n in range(start, start + 150)]
        assert all(one.success for one in org.send_rows("Contact", "insert", None, people, {}))
    return lab


def meet(
    folder: Path,
    faults: Sequence[Planted],
    *,
    plan: str = PLAN,
    at_source: bool = False,
    between: Callable[[Lab, int], None] | None = None,
    drives: int = MAX_DRIVES,
) -> Ended:
    """Run the migration with the faults planted; resume it until it ends."""
    lab = arena(folder)
    lab.begin(plan, max_slice_rows=0 if plan is REPEATABLE else 400)
    (lab.source if at_source else lab.target).plant(*faults)
    ended = Ended(lab, faults)
    for number in range(drives):
        try:
            ended.result = lab.drive(Goal.LOAD)
        except MigratorError as refused:
            ended.codes.append(int(refused.exit_code))
            ended.reasons.append(refused.code)
        else:
            ended.codes.append(int(ended.result.exit_code))
            ended.reasons.append(ended.result.stop.code if ended.result.stop else "")
            if ended.result.stop is None:
                break
        if between is not None:
            between(lab, number)
    return ended


__all__ = ["ACCOUNTS", "CONTACTS", "PLAN", "REPEATABLE", "Ended", "ExitCode", "arena", "meet"]
