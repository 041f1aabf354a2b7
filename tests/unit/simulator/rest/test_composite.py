"""Composite, Batch and Graph through the front of an org."""

from typing import Any

import pytest

from migrator.simulator import Org

BASE = "/services/data/v60.0"
HALTED = [
    {
        "errorCode": "PROCESSING_HALTED",
        "message": "The transaction was rolled back since another operation in the same transaction failed.",
    }
]


def sub(method: str, path: str, reference: str, body: Any = None, **more: Any) -> dict[str, Any]:
    return {"method": method, "url": BASE + path, "referenceId": reference, "body": body, **more}


def composite(call: Any, *subs: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    done = call("POST", "/composite", {"compositeRequest": list(subs), **more})
    assert done.status == 200, done.read()
    found = done.json()["compositeResponse"]
    assert isinstance(found, list)
    return found


class TestComposite:
    def test_references_carry_values_from_one_to_the_next(self, call: Any) -> None:
        made, contact, found, read = composite(
            call,
            sub("POST", "/sobjects/Account", "acme", {"Name": "Acme", "AnnualRevenue": 5}),
            sub("POST", "/sobjects/Contact", "bob", {"LastName": "B", "AccountId": "@{acme.id}"}),
            sub("GET", "/query?q=SELECT Id, Name FROM Account WHERE Id = '@{acme.id}'", "found"),
            sub("GET", "/sobjects/Account/@{found.records[0].Id}?fields=Name", "read"),
        )
        record_id = made["body"]["id"]
        assert made == {
            "body": {"id": record_id, "success": True, "errors": []},
            "httpHeaders": {"Location": f"{BASE}/sobjects/Account/{record_id}"},
            "httpStatusCode": 201,
            "referenceId": "acme",
        }
        assert found["body"]["records"][0]["Name"] == "Acme"
        assert read["body"]["Id" if "Id" in read["body"] else "Name"] == "Acme"
        shown = call("GET", f"/sobjects/Contact/{contact['body']['id']}").json()
        assert shown["AccountId"] == record_id

    def test_a_whole_reference_keeps_its_type(self, call: Any) -> None:
        account = call.create("Account", Name="A", AnnualRevenue=7.5)
        composite(
            call,
            sub("GET", f"/sobjects/Account/{account}", "old"),
            sub(
                "POST",
                "/sobjects/Account",
                "new",
                {"Name": "n @{old.Name}", "AnnualRevenue": "@{old.AnnualRevenue}"},
            ),
        )
        found = call(
            "GET", "/query", query={"q": "SELECT Name, AnnualRevenue FROM Account ORDER BY Name"}
        ).json()
        assert [(each["Name"], each["AnnualRevenue"]) for each in found["records"]] == [
            ("A", 7.5),
            ("n A", 7.5),
        ]

    def test_what_depends_on_a_failure_is_halted_and_the_rest_goes_on(self, call: Any) -> None:
        bad, child, good = composite(
            call,
            sub("POST", "/sobjects/Account", "bad", {"Phone": "1"}),
            sub("POST", "/sobjects/Contact", "child", {"LastName": "C", "AccountId": "@{bad.id}"}),
            sub("POST", "/sobjects/Account", "good", {"Name": "G"}),
        )
        assert (bad["httpStatusCode"], bad["body"][0]["errorCode"]) == (400, "REQUIRED_FIELD_MISSING")
        text = "Invalid reference specified. No value for bad.id found in bad"
        assert child["body"] == [{"errorCode": "PROCESSING_HALTED", "message": text}]
        assert good["httpStatusCode"] == 201

    def test_references_are_case_sensitive(self, call: Any) -> None:
        _, read = composite(
            call,
            sub("POST", "/sobjects/Account", "a", {"Name": "A"}),
            sub("GET", "/sobjects/Account/@{a.Id}", "b"),
        )
        assert read["httpStatusCode"] == 400

    def test_all_or_nothing_takes_everything_back(self, org: Org, call: Any) -> None:
        account = call.create("Account", Name="Old", Legacy_Id__c="1")
        other = call.create("Account", Name="Other")
        contact = call.create("Contact", LastName="C", AccountId=other)
        before = (len(org.truth), len(org.store.table("Account")))
        answers = composite(
            call,
            sub("PATCH", f"/sobjects/Account/{account}", "change", {"Name": "New", "Legacy_Id__c": "2"}),
            sub("POST", "/sobjects/Account", "made", {"Name": "Made", "Legacy_Id__c": "1"}),
            sub("DELETE", f"/sobjects/Account/{other}", "gone"),
            sub("POST", "/sobjects/Contact", "bad", {"FirstName": "No"}),
            sub("GET", "/limits", "never"),
            allOrNone=True,
        )
        bodies = [each["body"] for each in answers]
        assert [bodies[0], bodies[1], bodies[2], bodies[4]] == [HALTED] * 4
        assert bodies[3][0]["errorCode"] == "REQUIRED_FIELD_MISSING"
        assert (len(org.truth), len(org.store.table("Account"))) == before
        shown = call("GET", f"/sobjects/Account/{account}").json()
        assert (shown["Name"], shown["Legacy_Id__c"]) == ("Old", "1")
        assert call("GET", "/sobjects/Account/Legacy_Id__c/1").status == 200
        assert call("GET", "/sobjects/Account/Legacy_Id__c/2").status == 404
        assert call("GET", f"/sobjects/Contact/{contact}").json()["AccountId"] == other
        found = call("GET", "/query", query={"q": "SELECT Name FROM Account ORDER BY Name"}).json()
        assert [each["Name"] for each in found["records"]] == ["Old", "Other"]
        call.create("Account", Name="Later", Legacy_Id__c="2")

    def test_all_or_nothing_that_goes_well_stays(self, org: Org, call: Any) -> None:
        answers = composite(call, sub("POST", "/sobjects/Account", "a", {"Name": "A"}), allOrNone=True)
        assert answers[0]["httpStatusCode"] == 201
        assert org.truth.count("Account") == 1
        assert org.store.journal is None

    def test_a_bad_row_of_a_collection_takes_all_back(self, org: Org, call: Any) -> None:
        records = [{"attributes": {"type": "Account"}, "Name": "A"}, {"attributes": {"type": "Account"}}]
        first, second = composite(
            call,
            sub("POST", "/sobjects/Account", "a", {"Name": "A"}),
            sub("POST", "/composite/sobjects", "b", {"records": records}),
            allOrNone=True,
        )
        assert first["body"] == HALTED
        assert [each["success"] for each in second["body"]] == [True, False]
        assert org.truth.count("Account") == 0

    def test_creations_are_collated(self, org: Org, call: Any) -> None:
        subs = [
            sub("POST", "/sobjects/Account", "a", {"Name": "A"}),
            sub("GET", "/query?q=SELECT COUNT() FROM Account", "count"),
            sub("POST", "/sobjects/Account", "b", {"Name": "B"}),
        ]
        assert composite(call, *subs)[1]["body"]["totalSize"] == 2
        assert composite(call, *subs, collateSubrequests=False)[1]["body"]["totalSize"] == 3
        assert org.truth.count("Account") == 4

    def test_conditional_reads(self, call: Any, clock: Any) -> None:
        clock.wait(10)
        day = "Fri, 14 Aug 2037 20:53:02 GMT"
        (shown,) = composite(
            call, sub("GET", "/sobjects/Account/describe", "d", httpHeaders={"If-Modified-Since": day})
        )
        assert (shown["httpStatusCode"], shown["body"]) == (304, None)
        assert sorted(shown["httpHeaders"]) == ["ETag", "Last-Modified"]

    @pytest.mark.parametrize(
        "subs",
        [
            [],
            [sub("GET", "/limits", f"r{number}") for number in range(26)],
            [sub("GET", "/query?q=SELECT Id FROM Account", f"r{number}") for number in range(6)],
            [sub("GET", "/limits", "bad name")],
            [sub("GET", "/limits", "a"), sub("GET", "/limits", "a")],
            [sub("TRACE", "/limits", "a")],
            [{"method": "GET", "referenceId": "a"}],
            ["no"],
        ],
    )
    def test_requests_that_cannot_be(self, call: Any, subs: list[Any]) -> None:
        assert call("POST", "/composite", {"compositeRequest": subs}).status == 400

    def test_unknown_paths_are_answers(self, call: Any) -> None:
        (shown,) = composite(call, sub("GET", "/nothing", "a"))
        assert (shown["httpStatusCode"], shown["body"][0]["errorCode"]) == (404, "NOT_FOUND")

    def test_one_call_of_the_allowance(self, org: Org, call: Any) -> None:
        composite(call, sub("GET", "/limits", "a"), sub("GET", "/limits", "b"))
        assert org.requests == 1


class TestBatch:
    def test_results_in_order(self, call: Any) -> None:
        account = call.create("Account", Name="A")
        done = call(
            "POST",
            "/composite/batch",
            {
                "batchRequests": [
                    {
                        "method": "PATCH",
                        "url": f"v60.0/sobjects/Account/{account}",
                        "richInput": {"Name": "B"},
                    },
                    {"method": "GET", "url": f"/services/data/v60.0/sobjects/Account/{account}?fields=Name"},
                    {"method": "GET", "url": "v60.0/nothing"},
                ]
            },
        )
        body = done.json()
        assert body["hasErrors"] is True
        assert [each["statusCode"] for each in body["results"]] == [204, 200, 404]
        assert body["results"][0]["result"] is None
        assert body["results"][1]["result"]["Name"] == "B"

    def test_halt_on_error(self, call: Any) -> None:
        requests = [{"method": "GET", "url": "v60.0/nothing"}, {"method": "GET", "url": "v60.0/limits"}]
        body = call("POST", "/composite/batch", {"haltOnError": True, "batchRequests": requests}).json()
        assert body["results"][1]["statusCode"] == 412
        assert body["results"][1]["result"][0]["errorCode"] == "BATCH_PROCESSING_HALTED"
        assert call("POST", "/composite/batch", {"batchRequests": requests * 13}).status == 400


class TestGraph:
    def graphs(self, call: Any, *graphs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        listed = [{"graphId": f"g{place}", "compositeRequest": subs} for place, subs in enumerate(graphs)]
        done = call("POST", "/composite/graph", {"graphs": listed})
        assert done.status == 200, done.read()
        found = done.json()["graphs"]
        assert isinstance(found, list)
        return found

    def test_each_graph_is_all_or_nothing(self, org: Org, call: Any) -> None:
        good, bad = self.graphs(
            call,
            [
                sub("POST", "/sobjects/Contact", "c", {"LastName": "C", "AccountId": "@{a.id}"}),
                sub("POST", "/sobjects/Account", "a", {"Name": "A"}),
            ],
            [sub("POST", "/sobjects/Account", "a", {"Name": "B"}), sub("POST", "/sobjects/Account", "b", {})],
        )
        assert (good["graphId"], good["isSuccessful"], bad["isSuccessful"]) == ("g0", True, False)
        inside = good["graphResponse"]["compositeResponse"]
        assert [(each["referenceId"], each["httpStatusCode"]) for each in inside] == [("c", 201), ("a", 201)]
        assert bad["graphResponse"]["compositeResponse"][0]["body"] == HALTED
        assert org.truth.count("Account") == 1
        assert org.truth.count("Contact") == 1

    def test_limits(self, call: Any) -> None:
        def status(graphs: list[Any]) -> int:
            return int(call("POST", "/composite/graph", {"graphs": graphs}).status)

        def graph(name: str, subs: list[Any]) -> dict[str, Any]:
            return {"graphId": name, "compositeRequest": subs}

        one = [sub("GET", "/limits", "a")]
        assert status([graph(f"g{number}", one) for number in range(76)]) == 400
        assert status([graph("a", one), graph("a", one)]) == 400
        nodes = [sub("GET", "/limits", f"n{number}") for number in range(501)]
        assert status([graph("a", nodes)]) == 400
        chain = [sub("GET", f"/limits?x=@{{n{number + 1}.x}}", f"n{number}") for number in range(15)]
        assert status([graph("a", [*chain, sub("GET", "/limits", "n15")])]) == 400
        circle = [sub("GET", "/limits?x=@{b.x}", "a"), sub("GET", "/limits?x=@{a.x}", "b")]
        assert status([graph("a", circle)]) == 400
        kinds = [sub("GET", f"/sobjects/K{number}__c/describe", f"k{number}") for number in range(16)]
        assert status([graph("a", kinds)]) == 400

    def test_after_many_failures_the_rest_is_left(self, org: Org, call: Any) -> None:
        bad = [sub("POST", "/sobjects/Account", "a", {})]
        found = self.graphs(call, *([bad] * 14), [sub("POST", "/sobjects/Account", "a", {"Name": "A"})])
        assert not any(each["isSuccessful"] for each in found)
        assert org.truth.count("Account") == 0
