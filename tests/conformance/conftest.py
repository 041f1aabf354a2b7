"""The org under test: the simulator, or with `--org https://….my.salesforce.com` a scratch org (see README.md)."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from migrator.clock import Clock, SystemClock, VirtualClock
from migrator.simulator import Org as SimulatedOrg
from migrator.simulator import OrgSettings, load_schema, wsgi_app
from tests.conformance.apis import ENDED, Api, ByHand, Job, Ours, Place

KEY_FIELD = "Migration_Key__c"
SCHEMA = {
    "name": "Conformance",
    "objects": {
        "Account": {
            "fields": {KEY_FIELD: {"type": "text", "length": 64, "unique": True, "external_id": True}},
        },
    },
}
SIMULATED = "https://conformance.my.salesforce.com"


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Place:
    """Where the org under test is, with a token for it."""
    chosen = request.config.getoption("--org")
    if chosen != "sim":
        return Place(chosen, os.environ["MIGRATOR_ORG_TOKEN"], SystemClock(), None)
    clock = VirtualClock()
    transport = httpx.WSGITransport(wsgi_app(SimulatedOrg(load_schema(SCHEMA), OrgSettings(), clock)))
    settings = OrgSettings()
    form = {
        "grant_type": "client_credentials",
        "client_id": settings.client_id,
        "client_secret": settings.client_secret,
    }
    with httpx.Client(transport=transport) as http:
        token = http.post(f"{SIMULATED}/services/oauth2/token", data=form).json()["access_token"]
    return Place(SIMULATED, token, clock, transport)


@pytest.fixture(params=[Ours, ByHand], ids=["our client", "by hand"])
def api(request: pytest.FixtureRequest, place: Place) -> Api:
    """The org through our client, then by hand."""
    made: Api = request.param(place)
    return made


@pytest.fixture
def by_hand(place: Place) -> ByHand:
    """For shapes of JSON, which our client does not show."""
    return ByHand(place)


@pytest.fixture
def clock(place: Place) -> Clock:
    return place.clock


@pytest.fixture
def mark() -> str:
    """What this test's records are known by; nothing else in the org has it."""
    return f"conf-{secrets.token_hex(8)}"


Finish = Callable[[Job], Job]


@pytest.fixture
def finish(api: Api, clock: Clock) -> Finish:
    """Wait for a job's end."""

    def wait(job: Job, ask: Callable[[str], Job] | None = None) -> Job:
        for _ in range(300):
            job = (ask or api.job)(job.id)
            if job.state in ENDED:
                return job
            clock.wait(1.0)
        raise AssertionError(f"job {job.id} does not end: {job.state}")

    return wait


Load = Callable[..., Job]


@pytest.fixture
def load(api: Api, finish: Finish, tmp_path: Path) -> Load:
    """A whole ingest job: create, upload, close, wait."""

    def run(operation: str, content: str, key: str | None = None, sobject: str = "Account") -> Job:
        job = api.create(sobject, operation, key)
        (tmp_path / "rows.csv").write_bytes(content.encode())
        api.upload(job.id, tmp_path / "rows.csv")
        api.close(job.id)
        return finish(job)

    return run
