"""Our Metadata API client against the simulated org: the two switches, their order, and what an org refuses."""

from collections.abc import Callable

import httpx
import pytest

from migrator.clock import VirtualClock
from migrator.model.wire import Sent
from migrator.salesforce import (
    AccessToken,
    ClientCredentials,
    ConnectionSettings,
    Deferral,
    Org,
    RequestFailed,
    Secret,
    Switch,
    connect,
)
from migrator.simulator import Org as SimulatedOrg
from migrator.simulator import OrgSettings, wsgi_app


def connected(clock: VirtualClock, settings: OrgSettings) -> Org:
    return connect(
        ConnectionSettings(
            "sim",
            ClientCredentials(settings.client_id, Secret(settings.client_secret)),
            login_url="https://sim.my.salesforce.com",
        ),
        clock,
        transport=httpx.WSGITransport(wsgi_app(SimulatedOrg(settings=settings, clock=clock))),
    )


def failure(act: Callable[[], object]) -> RequestFailed:
    with pytest.raises(RequestFailed) as caught:
        act()
    return caught.value


def test_the_switches_move_one_by_one(clock: VirtualClock) -> None:
    metadata = connected(clock, OrgSettings()).metadata
    assert metadata.sharing_deferral() == Deferral()
    metadata.set_deferral(Switch.SHARING_RULES, on=True)
    assert metadata.sharing_deferral() == Deferral(sharing_rules=True)
    metadata.set_deferral(Switch.GROUP_MEMBERSHIP, on=True)
    assert metadata.sharing_deferral() == Deferral(sharing_rules=True, group_membership=True)
    refused = failure(lambda: metadata.set_deferral(Switch.SHARING_RULES, on=False))
    assert (refused.code, refused.sent) == ("request-refused", Sent.YES)
    metadata.set_deferral(Switch.GROUP_MEMBERSHIP, on=False)
    metadata.set_deferral(Switch.SHARING_RULES, on=False)
    assert metadata.sharing_deferral() == Deferral()


def test_an_org_without_the_feature_accepts_everything_and_changes_nothing(clock: VirtualClock) -> None:
    metadata = connected(clock, OrgSettings(sharing_deferral=False)).metadata
    metadata.set_deferral(Switch.SHARING_RULES, on=True)
    assert metadata.sharing_deferral() == Deferral()


def test_a_user_who_may_not_is_told_so(clock: VirtualClock) -> None:
    metadata = connected(clock, OrgSettings(manage_sharing=False)).metadata
    refused = failure(lambda: metadata.set_deferral(Switch.SHARING_RULES, on=True))
    assert refused.code == "request-refused"
    assert "Manage Sharing" in str(refused)


def test_a_session_that_ended_is_seen(clock: VirtualClock) -> None:
    sim = SimulatedOrg(settings=OrgSettings(), clock=clock)
    org = connect(
        ConnectionSettings(
            "sim", AccessToken(Secret("00D000000000001!old")), instance_url="https://sim.my.salesforce.com"
        ),
        clock,
        transport=httpx.WSGITransport(wsgi_app(sim)),
    )
    refused = failure(org.metadata.sharing_deferral)
    assert refused.status == 401
    assert "00D000000000001!old" not in str(refused)


def test_an_answer_that_is_no_xml_is_broken(clock: VirtualClock) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"Content-Type": "text/xml"}, stream=httpx.ByteStream(b"<not xml"))

    org = connect(
        ConnectionSettings("sim", AccessToken(Secret("00D!x")), instance_url="https://sim.my.salesforce.com"),
        clock,
        transport=httpx.MockTransport(answer),
    )
    assert failure(org.metadata.sharing_deferral).code == "answer-broken"
