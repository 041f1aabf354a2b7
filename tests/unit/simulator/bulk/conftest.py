"""Clients of both Bulk APIs."""

import pytest

from migrator.simulator import Org
from tests.unit.simulator.bulk.bulk1_client import Bulk1
from tests.unit.simulator.bulk.bulk2_client import Bulk, Call


@pytest.fixture
def bulk(call: Call) -> Bulk:
    return Bulk(call)


@pytest.fixture
def bulk1(org: Org) -> Bulk1:
    return Bulk1(org)
