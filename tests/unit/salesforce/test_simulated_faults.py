"""Our client against the simulated org when things go wrong there, and its ways to sign in."""

from collections.abc import Callable

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from migrator.clock import VirtualClock
from migrator.model.wire import JobState, Sent
from migrator.salesforce import (
    ClientCredentials,
    ConnectionSettings,
    JwtBearer,
    Org,
    RefreshToken,
    RequestFailed,
    Secret,
    connect,
)
from migrator.simulator import Fault, FaultKind, OrgSettings, wsgi_app
from migrator.simulator import Org as SimulatedOrg

ORIGIN = "https://sim.my.salesforce.com"
GIVEN = OrgSettings()
Auth = ClientCredentials | RefreshToken | JwtBearer


def connected(sim: SimulatedOrg, clock: VirtualClock, auth: Auth | None = None) -> Org:
    return connect(
        ConnectionSettings(
            "sim", auth or ClientCredentials(GIVEN.client_id, Secret(GIVEN.client_secret)), login_url=ORIGIN
        ),
        clock,
        transport=httpx.WSGITransport(wsgi_app(sim)),
    )


@pytest.fixture
def sim(clock: VirtualClock) -> SimulatedOrg:
    return SimulatedOrg(settings=GIVEN, clock=clock)


@pytest.fixture
def org(sim: SimulatedOrg, clock: VirtualClock) -> Org:
    return connected(sim, clock)


def failure(act: Callable[[], object]) -> RequestFailed:
    with pytest.raises(RequestFailed) as caught:
        act()
    return caught.value


def test_every_way_to_sign_in(clock: VirtualClock) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    sim = SimulatedOrg(settings=OrgSettings(public_key=public.decode()), clock=clock)
    ways: list[Auth] = [
        ClientCredentials(GIVEN.client_id, Secret(GIVEN.client_secret)),
        RefreshToken(GIVEN.client_id, Secret(GIVEN.refresh_token)),
        JwtBearer(GIVEN.client_id, GIVEN.username, Secret(private.decode())),
    ]
    for auth in ways:
        found = connected(sim, clock, auth).identity()
        assert (found.organization_id, found.username) == (GIVEN.organization_id, GIVEN.username)
        assert found.instance_url == ORIGIN
    wrong: list[Auth] = [
        ClientCredentials(GIVEN.client_id, Secret("wrong")),
        RefreshToken(GIVEN.client_id, Secret("revoked")),
        JwtBearer(GIVEN.client_id, "somebody@else.example", Secret(private.decode())),
    ]
    for auth in wrong:
        assert failure(connected(sim, clock, auth).identity).code == "sign-in-failed"


def test_production_is_what_is_neither_sandbox_nor_developer_edition(clock: VirtualClock) -> None:
    sandbox = SimulatedOrg(settings=OrgSettings(sandbox=True), clock=clock)
    assert not connected(sandbox, clock).identity().production


def test_a_session_that_ends_in_the_middle(sim: SimulatedOrg, org: Org, clock: VirtualClock) -> None:
    job = org.create_ingest("Account", "insert")
    clock.advance(GIVEN.token_lifetime + 1)
    assert org.job(job.id).state is JobState.OPEN, "a read goes on by itself"
    clock.advance(GIVEN.token_lifetime + 1)
    assert failure(lambda: org.abort(job.id)).code == "session-expired"
    assert org.job(job.id).state is JobState.OPEN
    assert org.abort(job.id).state is JobState.ABORTED


def test_who_we_are_is_asked_with_a_token_that_has_ended(
    sim: SimulatedOrg, org: Org, clock: VirtualClock
) -> None:
    org.limits()
    clock.advance(GIVEN.token_lifetime + 1)
    assert (
        org.identity().organization_id == GIVEN.organization_id
    )  # refused with 403 and one word, then renewed


@pytest.mark.parametrize(
    ("kind", "happened", "sent"),
    [
        (FaultKind.DROP_BEFORE, False, Sent.MAYBE),
        (FaultKind.DROP_AFTER_EFFECT, True, Sent.MAYBE),
        (FaultKind.TRUNCATE_BODY, True, Sent.MAYBE),
        (FaultKind.HTML, False, Sent.YES),
        (FaultKind.STATUS, False, Sent.YES),
    ],
)
def test_a_write_in_doubt(sim: SimulatedOrg, org: Org, kind: FaultKind, happened: bool, sent: Sent) -> None:
    job = org.create_ingest("Account", "insert")
    sim.faults.append(Fault(kind, path=".*/jobs/ingest/.*", method="PATCH"))
    before = org.requests
    failed = failure(lambda: org.abort(job.id))
    assert failed.sent == sent
    assert org.requests == before + 1, "not repeated"
    assert (org.job(job.id).state is JobState.ABORTED) is happened


@pytest.mark.parametrize("kind", [kind for kind in FaultKind if kind is not FaultKind.EDIT])
def test_a_read_goes_on(sim: SimulatedOrg, org: Org, kind: FaultKind) -> None:
    job = org.create_ingest("Account", "insert")
    sim.faults.append(Fault(kind, path=".*/jobs/ingest/.*", method="GET", times=4, seconds=30.0))
    assert org.job(job.id).state is JobState.OPEN


def test_a_truncated_result_is_noticed(sim: SimulatedOrg, org: Org, clock: VirtualClock) -> None:
    org.send_rows("Account", "insert", None, [{"Name": f"row {number}"} for number in range(200)], {})
    job = org.create_query("SELECT Id, Name FROM Account")
    clock.advance(5)
    for _ in range(10):
        if org.query_job(job.id).state.terminal:
            break
    whole = b"".join(org.page(job.id))
    sim.faults.append(Fault(FaultKind.TRUNCATE_BODY, path=".*/results", method="GET"))
    assert failure(lambda: b"".join(org.page(job.id))).code == "answer-broken"
    assert b"".join(org.page(job.id)) == whole
