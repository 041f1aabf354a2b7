"""Deferred sharing calculation over the Metadata API: the switches, their order, what turning them off starts."""

from dataclasses import replace
from typing import Any

import pytest

from migrator.clock import VirtualClock
from migrator.simulator import Org, OrgSettings, load_schema
from migrator.simulator.sharing import Sharing
from tests.unit.simulator.conftest import Caller
from tests.unit.simulator.metadata.metadata_client import NAMESPACE, Soap, package, sharing, text, zipped

ON, OFF = "true", "false"


@pytest.fixture
def soap(org: Org) -> Soap:
    return Soap(org, org.issue_token())


def soap_of(clock: VirtualClock, **changes: Any) -> Soap:
    org = Org(load_schema(), replace(OrgSettings(), **changes), clock)
    return Soap(org, org.issue_token())


def update(soap: Soap, **switches: str) -> str:
    """Set switches without a package; the refusal, if there is one."""
    inside = "".join(f"<{name}>{value}</{name}>" for name, value in switches.items())
    shown = soap(
        f'<updateMetadata><metadata xsi:type="m:SharingSettings"><fullName>Sharing</fullName>{inside}</metadata></updateMetadata>'
    )
    return text(shown, "message")


def jobs(call: Any) -> list[tuple[str, str]]:
    soql = "SELECT MethodName, Status FROM AsyncApexJob WHERE JobType = 'SharingRecalculation' ORDER BY Id"
    rows = call("GET", "/query", query={"q": soql}).json()["records"]
    return [(row["MethodName"], row["Status"]) for row in rows]


@pytest.mark.parametrize("folder", ["", "src/"])
def test_a_deployment_sets_both_switches_and_they_are_read_back(soap: Soap, folder: str) -> None:
    done = soap.deploy(sharing(folder=folder, deferGroupMembership=ON, deferSharingRules=ON))
    assert (text(done, "status"), text(done, "numberComponentsDeployed")) == ("Succeeded", "1")
    assert text(done, "changed") == "true"
    assert soap.switches() == (ON, ON)
    files, _ = soap.retrieve({"Settings": ["Sharing"]})
    assert files["settings/Sharing.settings"] == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<SharingSettings xmlns="{NAMESPACE}">\n'
        "    <deferGroupMembership>true</deferGroupMembership>\n"
        "    <deferSharingRules>true</deferSharingRules>\n"
        "</SharingSettings>\n"
    )
    assert "<members>Sharing</members>" in files["package.xml"]
    again = soap.deploy(sharing(deferGroupMembership=ON))
    assert text(again, "changed") == "false"


def test_rules_cannot_be_changed_while_groups_are_deferred(org: Org, soap: Soap) -> None:
    assert update(soap, deferGroupMembership=ON) == ""
    assert org.part(Sharing).rules_suspended  # whatever their own switch says
    refusal = "deferSharingRules can't be changed while deferGroupMembership is true"
    assert update(soap, deferSharingRules=ON) == refusal
    done = soap.deploy(sharing(deferGroupMembership=OFF, deferSharingRules=ON), rollbackOnError=True)
    assert (text(done, "status"), text(done, "problem")) == ("Failed", refusal)
    assert soap.switches() == (ON, OFF)


def test_turning_groups_off_recalculates_rules_too_unless_they_stay_deferred(
    clock: VirtualClock, soap: Soap, call: Any
) -> None:
    update(soap, deferGroupMembership=ON)
    update(soap, deferGroupMembership=OFF)
    assert jobs(call) == [("GroupMembership", "Processing"), ("SharingRules", "Queued")]
    clock.advance(60)
    assert jobs(call) == [("GroupMembership", "Completed"), ("SharingRules", "Processing")]
    clock.advance(60)
    assert [status for _, status in jobs(call)] == ["Completed", "Completed"]
    update(soap, deferSharingRules=ON)
    update(soap, deferGroupMembership=ON)
    update(soap, deferGroupMembership=OFF)
    clock.advance(60)
    assert jobs(call)[2:] == [("GroupMembership", "Completed")]
    update(soap, deferSharingRules=OFF)
    assert jobs(call)[3:] == [("SharingRules", "Processing")]


def test_a_recalculation_takes_longer_the_more_was_changed(clock: VirtualClock) -> None:
    soap = soap_of(clock, recalculation_seconds=1.0, recalculation_row_seconds=2.0, recalculation_shows=False)
    org = soap.org
    update(soap, deferSharingRules=ON)
    table, before = org.store.table("Account"), len(org.truth)
    for number in range(3):
        Caller(org, soap.token).create("Account", Name=f"A{number}")
    assert len(org.truth) == before + 3
    assert len(table) == 3
    update(soap, deferSharingRules=OFF)
    clock.advance(6.9)
    org.advance(clock.now())
    assert org.part(Sharing).recalculating
    clock.advance(0.2)
    org.advance(clock.now())
    assert not org.part(Sharing).recalculating
    assert len(org.store.table("AsyncApexJob")) == 0


def test_where_salesforce_did_not_provision_it_nothing_sticks(clock: VirtualClock) -> None:
    soap = soap_of(clock, sharing_deferral=False)
    done = soap.deploy(sharing(deferGroupMembership=ON, deferSharingRules=ON))
    assert (text(done, "status"), text(done, "changed")) == ("Succeeded", "false")
    assert update(soap, deferSharingRules=ON) == ""
    assert soap.switches() == (OFF, OFF)


def test_it_needs_its_permissions(clock: VirtualClock) -> None:
    soap = soap_of(clock, manage_sharing=False)
    assert "Manage Sharing" in text(soap.deploy(sharing(deferSharingRules=ON)), "problem")
    assert "Manage Sharing" in update(soap, deferSharingRules=ON)
    soap = soap_of(clock, modify_metadata=False)
    refused = soap("<describeMetadata/>")
    assert (refused.status, text(refused, "faultcode")) == (500, "sf:INSUFFICIENT_ACCESS")


def test_checking_and_rolling_back_leave_the_org_as_it_was(org: Org, soap: Soap) -> None:
    done = soap.deploy(sharing(deferSharingRules=ON), checkOnly=True)
    assert (text(done, "checkOnly"), text(done, "status")) == ("true", "Succeeded")
    assert soap.switches() == (OFF, OFF)
    document = (
        f'<SharingSettings xmlns="{NAMESPACE}"><deferSharingRules>true</deferSharingRules></SharingSettings>'
    )
    both = package(
        {"settings/Sharing.settings": document, "settings/Account.settings": document},
        {"Settings": ["Sharing", "Account"]},
    )
    assert text(soap.deploy(both, rollbackOnError=True), "status") == "Failed"
    assert soap.switches() == (OFF, OFF)
    assert text(soap.deploy(both), "status") == "SucceededPartial"
    assert soap.switches() == (OFF, ON)
    assert len(org.store.table("AsyncApexJob")) == 0


def test_a_rolled_back_recalculation_never_was(org: Org, soap: Soap) -> None:
    update(soap, deferSharingRules=ON)
    soap.deploy(sharing(deferSharingRules=OFF), checkOnly=True)
    assert not org.part(Sharing).recalculating
    assert len(org.store.table("AsyncApexJob")) == 0


def test_older_versions_do_not_have_the_switches(soap: Soap) -> None:
    done = soap.deploy(sharing(version="48.0", deferSharingRules=ON))
    assert "invalid at this location in type SharingSettings" in text(done, "problem")
    assert "not available" in text(soap.deploy(sharing(version="46.0", deferSharingRules=ON)), "problem")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"no zip", "The zip file can't be read"),
        (zipped({"a.txt": "x"}), "No package.xml found"),
        (zipped({"package.xml": "<no"}), "Error parsing file"),
        (zipped({"package.xml": "<Package/>", "../x": ""}), "can't be unpacked"),
        (zipped({"package.xml": '<!DOCTYPE a [<!ENTITY b "c">]><Package/>'}), "Error parsing file"),
        (package({}, {"Settings": ["Sharing"]}), "was not found in zipped directory"),
        (package({}, {"Nonsense": ["*"]}), "Unknown type name 'Nonsense' specified in package.xml"),
        (package({"settings/Sharing.settings": "<SharingSettings/>"}, {}), "Not in package.xml"),
        (package({"classes/A.cls": ""}, {}), "The simulator has no such metadata"),
        (sharing(deferSharingRules="maybe"), "not a valid value for the type xsd:boolean"),
        (sharing(surprise=ON), "invalid at this location in type SharingSettings"),
    ],
)
def test_packages_that_cannot_be_deployed(soap: Soap, data: bytes, problem: str) -> None:
    done = soap.deploy(data)
    assert text(done, "status") == "Failed"
    assert problem in text(done, "problem")
    assert soap.switches() == (OFF, OFF)


def test_a_job_takes_its_time_on_the_clock_of_the_org(clock: VirtualClock) -> None:
    soap = soap_of(clock, deploy_seconds=30.0)
    done = soap.deploy(sharing(deferSharingRules=ON))
    assert (text(done, "done"), text(done, "status")) == ("false", "InProgress")
    assert soap.switches() == (OFF, OFF)
    clock.advance(30)
    assert text(soap.status(text(done, "id")), "status") == "Succeeded"
    clock.advance(86_400)
    soap.token = soap.org.issue_token()
    assert text(soap.status(text(done, "id")), "faultcode") == "sf:INVALID_CROSS_REFERENCE_KEY"


def test_what_there_is(soap: Soap) -> None:
    assert text(soap("<describeMetadata/>"), "xmlName") == "Settings"
    listed = soap("<listMetadata><queries><type>Settings</type></queries></listMetadata>")
    assert text(listed, "fileName") == "settings/Sharing.settings"
    _, told = soap.retrieve({"Nonsense": ["*"], "Settings": ["Nothing"]})
    assert "Entity type: 'Nonsense' is unknown" in told.read().decode()


def test_faults(org: Org, soap: Soap) -> None:
    bad = Soap(org, "00D000000000001!no")("<describeMetadata/>")
    assert (bad.status, text(bad, "faultcode")) == (500, "sf:INVALID_SESSION_ID")
    assert text(bad, "faultstring").startswith("INVALID_SESSION_ID: ")
    assert text(soap("<dance/>"), "faultcode") == "sf:UNKNOWN_EXCEPTION"
    assert text(soap("</e:Body>"), "faultcode") == "soapenv:Client"
    names = "<fullNames>Sharing</fullNames>" * 11
    over = soap(f"<readMetadata><type>SharingSettings</type>{names}</readMetadata>")
    assert text(over, "faultcode") == "sf:LIMIT_EXCEEDED"
