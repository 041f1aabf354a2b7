"""Bulk API v1 queries through the front of an org."""

import json
import re
from typing import Any

import pytest
from defusedxml.ElementTree import fromstring

from migrator.clock import VirtualClock
from tests.unit.simulator.bulk.bulk1_client import CSV, NAMESPACE, Bulk1, element

JSON = "<contentType>JSON</contentType>"


def ask(
    bulk1: Bulk1, soql: str, *, more: str = CSV, operation: str = "query", **headers: str
) -> tuple[str, str]:
    job = bulk1.create(operation, "Account", more=more, **headers)
    return job, bulk1.post(job, soql, "application/json" if more == JSON else "text/csv")


def results(bulk1: Bulk1, job: str, batch: str) -> list[str]:
    assert element(bulk1.wait(job, batch), "state") == "Completed"
    listed = re.findall(r"<result>(\w+)</result>", bulk1.result(job, batch))
    return [bulk1("GET", f"/{job}/batch/{batch}/result/{each}").read().decode() for each in listed]


def test_csv_in_two_steps(bulk1: Bulk1, call: Any) -> None:
    call.create("Account", Name='A "1"', AnnualRevenue=5)
    call.create("Account", Name="B")
    job, batch = ask(bulk1, "SELECT Name, AnnualRevenue FROM Account")
    assert results(bulk1, job, batch) == ['"Name","AnnualRevenue"\n"A ""1""","5.0"\n"B",""\n']
    text = bulk1.result(job, batch)
    head = f'<?xml version="1.0" encoding="UTF-8"?><result-list\n   xmlns="{NAMESPACE}">'
    assert re.fullmatch(re.escape(head) + r"\n <result>752\w{15}</result>\n</result-list>", text)
    assert element(bulk1("GET", f"/{job}/batch/{batch}"), "numberRecordsProcessed") == "2"
    assert bulk1("GET", f"/{job}/batch/{batch}/result/752000000000001").status == 400


def test_an_empty_csv_result_is_a_sentence(bulk1: Bulk1) -> None:
    assert results(bulk1, *ask(bulk1, "SELECT Id FROM Account")) == ["Records not found for this query"]


def test_json_has_moments_as_milliseconds(bulk1: Bulk1, call: Any, clock: VirtualClock) -> None:
    account = call.create("Account", Name="A")
    contact = call.create("Contact", LastName="B", AccountId=account, Birthdate="1970-01-02")
    job, batch = ask(
        bulk1, "SELECT Id, CreatedDate, Birthdate, Account.CreatedDate, Email FROM Contact", more=JSON
    )
    bulk1.wait(job, batch)
    done = bulk1("GET", f"/{job}/batch/{batch}/result", headers={"Content-Type": "application/json"})
    assert done.headers["Content-Type"] == "application/json"
    (result,) = done.json()
    shown = bulk1("GET", f"/{job}/batch/{batch}/result/{result}")
    assert shown.headers["Content-Type"] == "application/json"
    moment = int(clock.now()) * 1000
    (record,) = shown.json()
    assert record.pop("Account")["CreatedDate"] == moment
    assert record == {
        "attributes": {"type": "Contact", "url": f"/services/data/v60.0/sobjects/Contact/{contact}"},
        "Id": contact,
        "CreatedDate": moment,
        "Birthdate": 86_400_000,
        "Email": None,
    }
    job, batch = ask(bulk1, "SELECT Id FROM Lead", more=JSON)
    bulk1.wait(job, batch)
    listed = bulk1("GET", f"/{job}/batch/{batch}/result", headers={}).json()
    assert bulk1("GET", f"/{job}/batch/{batch}/result/{listed[0]}").json() == []


def test_xml(bulk1: Bulk1, call: Any) -> None:
    call.create("Account", Name="A & B")
    job, batch = ask(bulk1, "SELECT Name, Phone FROM Account", more="<contentType>XML</contentType>")
    (text,) = results(bulk1, job, batch)
    (record,) = fromstring(text)
    assert [child.text for child in record] == ["Account", "A & B", None]
    assert 'xsi:nil="true"' in text


def test_query_all_sees_the_recycle_bin(bulk1: Bulk1, call: Any) -> None:
    call("DELETE", f"/sobjects/Account/{call.create('Account', Name='A')}")
    soql = "SELECT Name, IsDeleted FROM Account"
    assert results(bulk1, *ask(bulk1, soql)) == ["Records not found for this query"]
    assert results(bulk1, *ask(bulk1, soql, operation="queryAll")) == ['"Name","IsDeleted"\n"A","true"\n']


@pytest.mark.parametrize(
    ("soql", "message"),
    [
        ("SELECT Nothing FROM Account", "INVALID_FIELD: \nSELECT Nothing"),
        ("SELECT COUNT(Id) FROM Account GROUP BY Name", "FUNCTIONALITY_NOT_ENABLED: COUNT"),
        ("SELECT", "MALFORMED_QUERY: "),
    ],
)
def test_queries_that_cannot_be(bulk1: Bulk1, soql: str, message: str) -> None:
    shown = bulk1.wait(*ask(bulk1, soql))
    assert element(shown, "state") == "Failed"
    assert element(shown, "stateMessage").startswith(f"InvalidBatch : Failed to process query: {message}")


class TestRanges:
    def names(self, bulk1: Bulk1, call: Any, header: str, soql: str) -> tuple[str, list[list[str]]]:
        for number in range(5):
            call.create("Account", Name=f"N{number}", Phone="1" if number % 2 else "2")
        job, batch = ask(bulk1, soql, Sforce_Enable_PKChunking=header)
        first = bulk1.wait(job, batch)
        listed = re.findall(r"<id>(\w+)</id>", bulk1("GET", f"/{job}/batch").read().decode())
        parts = []
        for each in listed:
            if each != batch or element(first, "state") == "Completed":
                (text,) = results(bulk1, job, each)
                parts.append(re.findall(r'"(N\d)"', text))
        return element(first, "state"), parts

    def test_a_query_is_cut(self, bulk1: Bulk1, call: Any) -> None:
        soql = "SELECT Name FROM Account WHERE Phone = '1' OR Phone = '2'"
        state, parts = self.names(bulk1, call, "chunkSize=2", soql)
        assert state == "NotProcessed"
        assert parts == [["N0", "N1"], ["N2", "N3"], ["N4"]]

    def test_the_pieces_can_be_read_back(self, bulk1: Bulk1, call: Any) -> None:
        call.create("Account", Name="A")
        job, batch = ask(bulk1, "SELECT Name FROM Account", Sforce_Enable_PKChunking="TRUE")
        bulk1.wait(job, batch)
        listed = re.findall(r"<id>(\w+)</id>", bulk1("GET", f"/{job}/batch").read().decode())
        asked = bulk1("GET", f"/{job}/batch/{listed[1]}/request").read().decode()
        assert re.fullmatch(r"SELECT Name FROM Account WHERE Id >= '001\w{12}' AND Id < '001\w{12}'", asked)
        assert bulk1("GET", f"/{job}/batch/{batch}/result").status == 400

    @pytest.mark.parametrize(
        "soql",
        [
            "SELECT Name FROM Account ORDER BY Name",
            "SELECT Name FROM Account LIMIT 9",
            "SELECT Name FROM Account WHERE NOT(Id = null)",
        ],
    )
    def test_some_are_not(self, bulk1: Bulk1, call: Any, soql: str) -> None:
        assert self.names(bulk1, call, "chunkSize=2", soql) == ("Completed", [["N0", "N1", "N2", "N3", "N4"]])

    def test_a_range_begins_where_it_is_told(self, bulk1: Bulk1, call: Any) -> None:
        made = [call.create("Account", Name=f"A{number}") for number in range(4)]
        _, parts = self.names(bulk1, call, f"chunkSize=4; startRow={made[3]}", "SELECT Name FROM Account")
        assert parts == [["N0", "N1", "N2"], ["N3", "N4"]]

    def test_ranges_have_a_largest_size(self, bulk1: Bulk1) -> None:
        asked = json.dumps({"operation": "query", "object": "Account"})
        headers = {"Content-Type": "application/json", "Sforce-Enable-PKChunking": "chunkSize=250001"}
        assert bulk1("POST", "", asked, headers).json()["exceptionCode"] == "InvalidJob"


def test_an_aborted_query_is_not_processed(bulk1: Bulk1) -> None:
    job, batch = ask(bulk1, "SELECT Id FROM Account")
    bulk1.change(job, "Aborted")
    assert element(bulk1.wait(job, batch), "state") in {"NotProcessed", "Completed"}
