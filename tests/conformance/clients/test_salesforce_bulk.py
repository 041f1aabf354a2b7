"""salesforce-bulk, over plain http."""

from tests.conformance.clients.playground import Playground, Run


def test_bulk_1(playground: Playground, run: Run) -> None:
    told = run("salesforce-bulk", "salesforce_bulk_work.py")
    *good, bad = told["results"]
    truth = playground.org.truth
    assert [each[0] for each in good] == truth.ids("Account", origin=told["jobs"][0])
    assert all(success == "true" and created == "true" for _, success, created, _ in good)
    assert bad[1] == "false"
    assert "DUPLICATE_VALUE" in bad[3]
    assert told["listed"] == ["Completed"]
    assert truth.count("Contact", origin=told["jobs"][1]) == 40
    assert sorted(told["found"]) == sorted([f"C{n}", f"A{n}"] for n in range(40))
    assert told["json"] == 250
    assert told["aborted"] == "Aborted"
    children = playground.select("SELECT LastName, Account.Name FROM Contact")
    assert all(row["Account"]["Name"] == "A" + row["LastName"][1:] for row in children)
    names = [row["Name"] for row in playground.select("SELECT Name FROM Account ORDER BY Ext_Id__c")]
    assert sorted(names) == sorted(f"A{n}" for n in range(250))
