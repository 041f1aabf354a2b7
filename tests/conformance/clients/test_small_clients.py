"""Small clients, each with a way of its own: how it logs in, where it puts slashes, what it reads of a job."""

from migrator.simulator.records.truth import Change
from tests.conformance.clients.playground import Playground, Run


def test_salesforcepy_with_a_password_over_https(playground: Playground, run: Run) -> None:
    told = run("small", "salesforcepy_work.py")
    assert told["type"] == "Bearer"
    assert told["statuses"] == [204, 201, 200]
    assert told["processed"] == [31, 1]
    assert told["listed"] == [told["job"]]
    assert told["count"] == 30
    assert told["after"] == [401, "INVALID_SESSION_ID"]
    assert playground.org.truth.count("Contact", origin=told["job"]) == 30
    assert playground.select("SELECT Name, Industry FROM Account ORDER BY Ext_Id__c") == [
        {"Name": "By salesforcepy", "Industry": "Energy"},
        {"Name": "Upserted", "Industry": None},
    ]
    parents = [row["Account"] for row in playground.select("SELECT Account.Ext_Id__c FROM Contact")]
    assert parents == [{"Ext_Id__c": "s-1"}] * 30


def test_aiosalesforce_with_client_credentials_over_https(playground: Playground, run: Run) -> None:
    told = run("small", "aiosalesforce_work.py")
    assert told["upserts"] == [True, False]
    assert told["results"] == [300, ["c-lost"], 0]
    assert sorted(told["names"]) == sorted(f"L{n}" for n in range(300))
    assert told["max"] == playground.org.settings.api_requests
    assert told["jobs"] == [told["job"]]
    assert told["everything"] == 300
    assert told["batch"] == ["By aiosalesforce", True]
    assert told["composite"] == [201, 201]
    truth = playground.org.truth
    assert truth.count("Contact", origin=told["job"]) == 300
    assert truth.ids("Contact", Change.DELETED) == [told["deleted"]]
    deals = playground.select("SELECT Name, Account.Name FROM Opportunity")
    assert deals == [{"Name": "Deal", "Account": {"Name": "Composite"}}]
    found = playground.select("SELECT LastName, Ext_Id__c, Account.Ext_Id__c FROM Contact")
    assert len(found) == 299
    assert all(
        row["Ext_Id__c"] == f"c-{row['LastName'][1:]}" and row["Account"] == {"Ext_Id__c": "i-1"}
        for row in found
    )
    assert playground.select("SELECT Name FROM Account WHERE Ext_Id__c = 'i-2'") == [{"Name": "Again"}]


def test_salesforce_api_with_http_basic(playground: Playground, run: Run) -> None:
    told = run("small", "salesforce_api_work.py")
    assert told["newest"] == "66.0"
    assert told["name"] == "Account"
    assert told["inserted"] == [450, True]
    assert sorted(told["names"]) == sorted(f"L{n}" for n in range(450))
    assert told["upserted"] == [True]
    assert told["deleted"] == 20
    assert told["v1"] == [50, True]
    parents = [row["Account"] for row in playground.select("SELECT Account.Ext_Id__c FROM Opportunity")]
    assert parents == [{"Ext_Id__c": "p-1"}] * 50
    assert playground.org.truth.count("Contact") == 450
    assert playground.org.truth.count("Contact", Change.DELETED) == 20
    assert len(playground.select("SELECT Id FROM Contact")) == 430
    assert len(playground.select("SELECT Id FROM Contact WHERE LastName = 'U' AND Ext_Id__c = 'c-3'")) <= 1
    assert playground.select("SELECT Industry FROM Account WHERE Ext_Id__c = 'p-1'") == [
        {"Industry": "Media"}
    ]


def test_sfbulk2_in_steps_and_in_one_multipart_request(playground: Playground, run: Run) -> None:
    told = run("sfbulk2", "sfbulk2_work.py")
    assert told["put"] == 201
    assert told["processed"] == [61, 1]
    assert "DUPLICATE_VALUE" in told["failed"]
    assert told["listed"]
    truth = playground.org.truth
    assert [truth.count("Account", origin=job) for job in told["jobs"]] == [60, 2]
    assert told["rows"].replace('"', "").split("\n")[:3] == ["Name", "M1", "M2"]
    assert len(playground.select("SELECT Id FROM Account")) == 62
