"""Each fault of the catalogue does what it says, as a client sees it and as the truth log has it."""

import pytest

from migrator.clock import VirtualClock
from migrator.simulator import CATALOGUE, Org, OrgSettings, load_schema, preset
from tests.unit.simulator.faults import checks_answers, checks_jobs, checks_network, checks_people
from tests.unit.simulator.faults.client import CHECKS, Client

KEPT_IN = (checks_network, checks_answers, checks_jobs, checks_people)  # each registers its checks


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_a_fault_of_the_catalogue(name: str) -> None:
    clock = VirtualClock()
    org = Org(load_schema(), OrgSettings(bulk_page=200), clock)
    org.plant(*preset(name))
    CHECKS[name](Client(org, clock))
