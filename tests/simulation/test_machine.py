"""Hypothesis drives a run: it is driven, killed, resumed, its plan edited, its session ended, its job aborted, its lease stolen, in any order."""

import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from migrator.errors import ExitCode, MigratorError
from migrator.model.run import StepPhase
from migrator.review import follow_plan
from migrator.simulator import preset
from migrator.state import open_ledger, read_ledger, unlock
from tests.executor.orgs import Lab
from tests.simulation.small import PLAN, ROWS, Crash, Fuse, go, judge, small_lab

SETTING = PLAN.replace("operation: insert", "locks: {max_in_flight: 1}\n    operation: insert")
MEANING = PLAN.replace("    relationships:", "    map: {Description: Name}\n    relationships:")


class Machine(RuleBasedStateMachine):
    """One run between a file and a simulated org."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.lab: Lab = small_lab(Path(self._folder.name) / "lab")
        self.epoch = 0

    @property
    def plan(self) -> Path:
        """The plan file."""
        return self.lab.folder.parent / "plan.yaml"

    def drive(self, fuse: Fuse) -> None:
        """Drive as one process does; it may pause, and it never refuses."""
        try:
            result = go(self.lab, fuse)
        except Crash:
            return
        except MigratorError as fault:
            assert fault.exit_code is ExitCode.PAUSED, fault.code  # noqa: PT017 - any other word is a bug
            return
        assert result.exit_code in {ExitCode.OK, ExitCode.PAUSED, ExitCode.BUDGET}, result.stop

    @rule()
    def run(self) -> None:
        """To the end, or to a pause."""
        self.drive(Fuse())

    @rule(at=st.integers(0, 90))
    def kill(self, at: int) -> None:
        """Dead at some point."""
        self.drive(Fuse(at))

    @rule(name=st.sampled_from(["N06", "N07", "N08", "N09", "N18", "N19", "H09", "H17", "D01"]))
    def disturb(self, name: str) -> None:
        """Something goes wrong the next time."""
        self.lab.target.plant(*preset(name))

    @rule()
    def expire_token(self) -> None:
        """The session ends at the next request that polls or uploads."""
        self.lab.target.plant(*preset("H02"))

    @rule()
    def abort_job(self) -> None:
        """An administrator aborts the job that is uploaded next."""
        self.lab.target.plant(*preset("H17"))

    @rule()
    def edit_settings(self) -> None:
        """An operational edit goes through."""
        self.plan.write_text(SETTING, encoding="utf-8")
        follow_plan(self.row, self.lab.folder, self.lab.ends(), self.lab.clock, accept=False)

    @rule(accept=st.booleans())
    def edit_meaning(self, accept: bool) -> None:
        """An edit of what it means is refused once it has begun, and before that unless somebody accepts it; then it is put back."""
        before = read_ledger(self.lab.folder)
        begun = any(one.phase is not StepPhase.PENDING for one in before.steps.values())
        text = self.plan.read_text(encoding="utf-8")
        self.plan.write_text(MEANING, encoding="utf-8")
        if begun or not accept:
            with pytest.raises(MigratorError) as caught:
                follow_plan(self.row, self.lab.folder, self.lab.ends(), self.lab.clock, accept=accept)
            assert caught.value.code == "plan-changed"
            assert read_ledger(self.lab.folder).run == before.run
        self.plan.write_text(text, encoding="utf-8")

    @rule()
    def steal_lease(self) -> None:
        """Another process takes the run by force: the first one can write no more."""
        with open_ledger(self.lab.folder, self.lab.clock) as first:
            unlock(self.lab.folder)
            with open_ledger(self.lab.folder, self.lab.clock) as second:
                with pytest.raises(MigratorError) as caught:
                    first.commit([], [("stolen", {})])
                assert caught.value.code == "lease-lost"
                second.commit([], [("taken", {})])

    @property
    def row(self):  # type: ignore[no-untyped-def]  # noqa: ANN201
        """The run's row."""
        return read_ledger(self.lab.folder).run

    @invariant()
    def nothing_is_doubled(self) -> None:
        """No row is in the target twice, ever."""
        names: Counter[str] = Counter()
        for block in self.lab.target.store.table("Account").scan_columns(("Name",)):
            names.update(str(one) for one in block.columns[0])
        assert not [name for name, count in names.items() if count > 1]
        assert self.lab.target.truth.count("Account") <= ROWS

    @invariant()
    def epochs_rise(self) -> None:
        """Whoever opens the ledger later has a later epoch."""
        with open_ledger(self.lab.folder, self.lab.clock) as ledger:
            assert ledger.epoch > self.epoch
            self.epoch = ledger.epoch

    def teardown(self) -> None:
        """When nothing goes wrong any more, the run ends whole."""
        result = go(self.lab, Fuse())
        for _ in range(12):
            if result.stop is None:
                break
            result = go(self.lab, Fuse())
        judge(self.lab, result)
        self._folder.cleanup()


def explore(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.timeout(900)
def test_any_order_of_events() -> None:
    explore(5, 6)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_any_order_of_many_events() -> None:
    explore(100, 15)
