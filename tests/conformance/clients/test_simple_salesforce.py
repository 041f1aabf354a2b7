"""simple-salesforce, over https only."""

from migrator.simulator.records.truth import Change
from tests.conformance.clients.playground import Playground, Run

CLIENT = "simple-salesforce"


def test_rest(playground: Playground, run: Run) -> None:
    told = run(CLIENT, "simple_salesforce_rest.py")
    names = [f"P{n:03}" for n in range(450)]
    assert told["paged"] == names
    assert told["first_page"] == [200, False, 450]
    assert told["lazy"] == names[:10]
    assert (told["created"], told["updated"]) == (201, 200)
    assert told["industry"] == "Banking"
    assert told["parent"] == "Ärger & Söhne"
    assert not told["found_again"]
    assert {"Id", "LastName", "AccountId", "Ext_Id__c"} <= set(told["fields"])
    assert {"Account", "Contact", "Opportunity"} <= set(told["objects"])
    assert told["usage"] == told["limits"]["Max"]

    truth = playground.org.truth
    assert truth.count("Account") == 453
    assert truth.count("Account", Change.DELETED) == 1
    assert playground.select("SELECT LastName, Account.Name, Account.AnnualRevenue FROM Contact") == [
        {"LastName": "O'Hara", "Account": {"Name": "Ärger & Söhne", "AnnualRevenue": 12.5}}
    ]
    assert playground.select("SELECT Name FROM Account WHERE Ext_Id__c = 'a-2'") == [
        {"Name": "Second, renamed"}
    ]


def test_bulk_2(playground: Playground, run: Run) -> None:
    told = run(CLIENT, "simple_salesforce_bulk2.py")
    assert told["counts"] == [[500, 0], [2, 1], [700, 0], [2, 0], [1, 0], [50, 0], [1, 0]]
    assert told["rows"] == 501
    assert told["pages"] == 3
    assert told["names"][0] == 'A0000, "quoted"\nsecond line'
    failed, good = told["again"]["failedRecords"], told["again"]["successfulRecords"]
    assert [row["Ext_Id__c"] for row in failed] == ["a-1"]
    assert failed[0]["sf__Error"].startswith("DUPLICATE_VALUE:duplicate value found: Ext_Id__c")
    assert [row["Ext_Id__c"] for row in good] == ["b-1"]

    truth, jobs = playground.org.truth, told["jobs"]
    assert truth.count("Account", origin=jobs["insert"]) == 500
    assert truth.count("Contact", origin=jobs["upsert"]) == 700
    assert truth.count("Contact") == 701
    assert truth.count("Account", Change.DELETED) + truth.count("Account", Change.PURGED) >= 51
    contacts = playground.select("SELECT Ext_Id__c, LastName, Account.Ext_Id__c FROM Contact")
    # the children of deleted accounts went with them
    lost = {n % 500 for n in range(400, 451)}
    expected = {
        f"c-{n}": ("changed" if n == 7 else f"C{n}", f"a-{n % 500}")
        for n in range(700)
        if n % 500 not in lost
    }
    found = {
        row["Ext_Id__c"]: (row["LastName"], row["Account"] and row["Account"]["Ext_Id__c"])
        for row in contacts
    }
    assert found == expected | {"c-9999": ("added", None)}
    assert len(playground.select("SELECT Id FROM Account")) == 450
    assert playground.select("SELECT Name FROM Account WHERE Ext_Id__c = 'a-2'") == [{"Name": "renamed"}]


def test_bulk_1(playground: Playground, run: Run) -> None:
    told = run(CLIENT, "simple_salesforce_bulk1.py")
    assert [each[:2] for each in told["inserted"]] == [[True, True]] * 450
    assert [each[0] for each in told["upserted"]] == [True] * 30 + [False]
    assert told["upserted"][-1][1][0]["statusCode"] == "INVALID_FIELD"
    assert told["row"]["Name"] == 'A3, "quoted"\nline'
    assert isinstance(told["row"]["CreatedDate"], int)
    assert told["deleted"] == [True] * 10
    assert told["none"] == []

    truth = playground.org.truth
    # results come back in the order in which the rows were sent
    assert [told["keys"][f"a-{n}"] for n in range(450)] == [each[2] for each in told["inserted"]]
    assert sorted(truth.created("Account")) == sorted(told["keys"].values())
    assert truth.count("Contact") == 30
    assert truth.count("Account", Change.DELETED) == 10
    children = playground.select("SELECT LastName, Account.Ext_Id__c FROM Contact")
    assert {row["LastName"]: row["Account"]["Ext_Id__c"] for row in children} == {
        f"C{n}": f"a-{n}" for n in range(30)
    }
    assert playground.select("SELECT Name, AnnualRevenue FROM Account WHERE Ext_Id__c = 'a-7'") == [
        {"Name": "renamed", "AnnualRevenue": 7.0}
    ]
