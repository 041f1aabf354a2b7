"""An example plan between simulated orgs in this process, driven through everything that is real."""

import random
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from migrator.clock import Clock, VirtualClock
from migrator.errors import Diagnostic, has_errors
from migrator.executor import Drive, Goal, Policy, Result, start
from migrator.model.run import Outcome
from migrator.resources import resource
from migrator.review import Approved, Ends, check, load
from migrator.salesforce import ClientCredentials, ConnectionSettings, Org, Secret, connect
from migrator.simulator import Org as SimulatedOrg
from migrator.simulator import OrgSettings, load_schema, wsgi_app

Record = dict[str, str]


def simulated(name: str, organization_id: str, clock: Clock) -> SimulatedOrg:
    """An org of `plans/orgs/<name>.yaml`."""
    schema = load_schema(resource("plans", "orgs", f"{name}.yaml"))
    return SimulatedOrg(schema, OrgSettings(organization_id=organization_id, sandbox=True), clock)


@dataclass
class Scenario:
    """The orgs of one plan, and the folder of its run."""

    plan: Path
    folder: Path
    clock: VirtualClock
    target: SimulatedOrg
    target_alias: str
    source: SimulatedOrg | None = None
    source_alias: str = ""
    findings: list[Diagnostic] = field(default_factory=list)

    def ends(self) -> Ends:
        """Fresh connections, as a new process would make them."""
        source = self._connect(self.source_alias, self.source) if self.source else None
        return Ends(source, self._connect(self.target_alias, self.target))

    def _connect(self, alias: str, org: SimulatedOrg) -> Org:
        settings = ConnectionSettings(
            alias=alias,
            auth=ClientCredentials(org.settings.client_id, Secret(org.settings.client_secret)),
            login_url="http://127.0.0.1",
            api_version="66.0",
            simulator=True,
        )
        transport = httpx.WSGITransport(app=wsgi_app(org))
        return connect(settings, self.clock, transport=transport, rng=random.Random(7))  # noqa: S311 - jitter

    def begin(self) -> None:
        """Check the plan and make the run folder."""
        plan, found = load(self.plan, {})
        assert plan is not None, [str(one) for one in found]
        checked = check(plan, self.ends())
        self.findings = [*found, *checked.diagnostics]
        assert not has_errors(self.findings), [str(one) for one in self.findings]
        start(Approved.of(checked, {}, "66.0"), self.folder, run_id="scenario", clock=self.clock)

    def drive(self, goal: Goal = Goal.LOAD) -> Result:
        """Drive the run as one process does, without threads."""
        drive = Drive(self.folder, self.ends(), clock=self.clock, workers=0, policy=Policy(), memory_mb=512)
        return drive.go(goal, lambda _: None)


def records(org: SimulatedOrg, sobject: str, *fields: str) -> list[Record]:
    """What an org holds, read past all of its APIs."""
    names = ("Id", *fields)
    return [
        dict(zip(names, cells, strict=True))
        for block in org.store.table(sobject).scan_columns(names)
        for cells in zip(*block.columns, strict=True)
    ]


def outcomes(result: Result) -> dict[str, dict[Outcome, int]]:
    """The outcomes of each step that gives some."""
    return {one.step: dict(one.tallies) for one in result.summary.steps}
