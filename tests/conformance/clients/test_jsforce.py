"""jsforce, over plain http."""

import base64

from migrator.simulator.records.truth import Change
from migrator.simulator.sharing import Deferral, Sharing, Subject
from tests.conformance.clients.playground import Playground, Run
from tests.unit.simulator.metadata.metadata_client import sharing


def test_rows_bulk_1_and_bulk_2(playground: Playground, run: Run) -> None:
    told = run("npm", "jsforce_work.js")
    settings = playground.org.settings
    assert told["identity"] == settings.username
    assert told["created"] == 450
    assert told["upserted"] == [False, True]
    assert told["paged"] == [450, 450]
    assert told["gone"] == [True, True]
    assert told["described"]
    assert told["limits"] == settings.api_requests
    assert told["v1"][0] == 300
    assert "DUPLICATE_VALUE" in told["v1"][1][0]
    assert told["v1rows"] == 300
    assert told["v2"] == [2, ["d-2"], 0]
    assert told["v2rows"] == [301, 300]

    assert told["soap"] == settings.organization_id
    assert told["composite"] == [201, 201]

    truth = playground.org.truth
    assert truth.count("Account") == 453
    assert truth.count("Account", Change.DELETED) == 2
    assert truth.created("Contact")[:300] == told["v1ids"]
    assert truth.count("Contact") == 302
    rows = playground.select("SELECT LastName, Ext_Id__c, Account.Name FROM Contact")
    changed = {"c-1": "changed", "d-1": "added", "child": "Child"}
    assert {row["Ext_Id__c"]: row["LastName"] for row in rows} == {
        f"c-{n}": f"C{n}" for n in range(300)
    } | changed
    assert {row["Account"]["Name"] for row in rows if row["Account"]} == {
        "Ärger & Söhne",
        "Composite",
    }
    assert playground.select("SELECT Name FROM Account WHERE Ext_Id__c = 'p-1'") == [{"Name": "renamed"}]


def test_sharing_is_deferred_and_resumed(playground: Playground, run: Run) -> None:
    package = sharing(deferGroupMembership="false")
    told = run("npm", "jsforce_metadata.js", PACKAGE=base64.b64encode(package).decode())
    assert told["before"] == ["false", "false"]
    assert told["updated"] is True
    assert told["read"] == ["true", "true"]
    assert "can't be changed" in told["refused"]
    assert told["deployed"] == ["Succeeded", True, ["Settings:Sharing"]]
    assert told["retrieved"] > 0
    assert told["described"] == ["Settings", "CustomObject"]
    assert told["listed"] == ["settings/Sharing.settings"]
    held = playground.org.part(Sharing)
    assert held.deferral == Deferral(group_membership=False, sharing_rules=True)
    assert [each.subject for each in held.recalculations] == [Subject.GROUP_MEMBERSHIP]
