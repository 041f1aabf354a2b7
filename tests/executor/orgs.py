"""Two simulated orgs in this process, and a run between them driven through the real client, planner, data plane and ledger."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx

from migrator.clock import Clock, VirtualClock
from migrator.errors import has_errors
from migrator.executor import Drive, Goal, Policy, Result, start
from migrator.model.plan import FilesEnd
from migrator.model.progress import Progress
from migrator.model.run import Event
from migrator.model.schedule import LinkStep, LoadStep
from migrator.review import Approved, Ends, check, load
from migrator.salesforce import ClientCredentials, ConnectionSettings, Org, Secret, connect
from migrator.simulator import Org as SimulatedOrg
from migrator.simulator import OrgSettings, load_schema, wsgi_app
from migrator.state import open_ledger

SOURCE_ID = "00D000000000001EAA"
TARGET_ID = "00D000000000002EAA"


@dataclass
class Lab:
    """Both orgs, the clock they share with the run, and the run's folder."""

    source: SimulatedOrg
    target: SimulatedOrg
    clock: Clock
    folder: Path
    from_files: bool = False  # whether the plan reads files, so that there is no source org
    looks: list[tuple[str, str]] = field(default_factory=list)  # how gates looked: phase and note
    #: what lies between this machine and the orgs
    network: Callable[[httpx.BaseTransport], httpx.BaseTransport] = lambda org: org

    def ends(self) -> Ends:
        """Fresh connections, as a new process would make them."""
        source = None if self.from_files else self._connect("legacy", self.source)
        return Ends(source, self._connect("merged", self.target))

    def _connect(self, alias: str, org: SimulatedOrg) -> Org:
        settings = ConnectionSettings(
            alias=alias,
            auth=ClientCredentials(org.settings.client_id, Secret(org.settings.client_secret)),
            login_url="http://127.0.0.1",
            api_version="66.0",
            simulator=True,
        )
        transport = self.network(httpx.WSGITransport(app=wsgi_app(org)))
        return connect(settings, self.clock, transport=transport, rng=random.Random(7))  # noqa: S311 - jitter

    def begin(
        self, plan: str, *, variables: Mapping[str, str] | None = None, max_slice_rows: int = 0
    ) -> None:
        """Check the plan against both orgs and make the run folder; small slices when `max_slice_rows` says so."""
        path = self.folder.parent / "plan.yaml"
        path.write_text(plan, encoding="utf-8")
        loaded, found = load(path, dict(variables or {}))
        assert loaded is not None, [str(one) for one in found]
        self.from_files = isinstance(loaded.source, FilesEnd)
        checked = check(loaded, self.ends())
        assert not has_errors(checked.diagnostics), [str(one) for one in checked.diagnostics]
        if max_slice_rows and checked.schedule is not None:
            steps = tuple(
                replace(one, max_slice_rows=max_slice_rows) if isinstance(one, LoadStep | LinkStep) else one
                for one in checked.schedule.steps
            )
            checked = replace(checked, schedule=replace(checked.schedule, steps=steps))
        start(
            Approved.of(checked, dict(variables or {}), "66.0"),
            self.folder,
            run_id="test-run",
            clock=self.clock,
        )

    def drive(
        self,
        goal: Goal = Goal.LOAD,
        policy: Policy | None = None,
        *,
        accepted_by: str = "",
        accept_user: bool = False,
        accept_unseen: bool = False,
        answers: Mapping[str, str] | None = None,
        fuse: Callable[[str], None] | None = None,
        workers: int = 0,
    ) -> Result:
        """Drive the run as one process does; without threads unless there are workers."""
        drive = Drive(
            self.folder,
            self.ends(),
            clock=self.clock,
            workers=workers,
            policy=policy or Policy(),
            memory_mb=256,
            answers=answers,
            fuse=fuse or (lambda _point: None),
            by="ada",
        )
        return drive.go(
            goal, self.watch, accepted_by=accepted_by, accept_user=accept_user, accept_unseen=accept_unseen
        )

    def events(self) -> tuple[Event, ...]:
        """The log of the run."""
        with open_ledger(self.folder, self.clock) as ledger:
            return ledger.events()

    def watch(self, progress: Progress) -> None:
        """Keep what a gate looks like to somebody who watches, each look once."""
        for step in progress.steps:
            if step.kind == "gate" and (step.phase, step.note) not in self.looks:
                self.looks.append((step.phase, step.note))


def make_lab(
    tmp_path: Path, schema: str, target: OrgSettings | None = None, *, clock: Clock | None = None
) -> Lab:
    """A lab whose orgs have the same schema; the target with settings of its own."""
    path = tmp_path / "org.yaml"
    path.write_text(schema, encoding="utf-8")
    clock = clock or VirtualClock()
    source = SimulatedOrg(load_schema(path), OrgSettings(organization_id=SOURCE_ID), clock)
    settings = replace(target or OrgSettings(), organization_id=TARGET_ID, sandbox=True)
    return Lab(source, SimulatedOrg(load_schema(path), settings, clock), clock, tmp_path / "run")
