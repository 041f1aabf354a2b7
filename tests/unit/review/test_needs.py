"""What is asked of the two ends, and the checks that they are the right ones."""

from typing import Any

import pytest

from migrator.model.wire import OrgIdentity
from migrator.review.needs import Needs, check_ends, count_queries, needs
from tests.planner.builders import org, plan

SANDBOX = OrgIdentity(
    "00D000000000002EAA", "005000000000001AAA", "a@b.example", "https://x", production=False
)
PRODUCTION = OrgIdentity(
    "00D000000000003EAA", "005000000000001AAA", "a@b.example", "https://y", production=True
)
OLD = OrgIdentity("00D000000000001EAA", "005000000000001AAA", "a@b.example", "https://z", production=True)


def codes(document: dict[str, Any], target: OrgIdentity, source: OrgIdentity | None = OLD) -> list[str]:
    return [one.code for one in check_ends(plan(document), source, target)]


def test_needs_names_each_sobject_once() -> None:
    made = plan(
        {
            "objects": [
                {"object": "Contact", "source_object": "Person__c"},
                {"object": "Account"},
                {"object": "Account", "name": "Again"},
            ]
        }
    )
    assert needs(made) == Needs(("Account", "Person__c"), ("Account", "Contact"))


def test_files_need_no_source_sobjects() -> None:
    made = plan({"source": {"files": "data"}, "objects": [{"object": "Account"}]})
    assert needs(made) == Needs((), ("Account",))


def test_counts_are_asked_for_what_is_written() -> None:
    schema = org({"Account": {"Name": "string"}, "User": {"Username": "string"}})
    made = plan(
        {
            "objects": [
                {"object": "account", "where": "Name = 'x' or Name = 'y'"},
                {"object": "User", "match": {"on": ["Username"]}},
                {"object": "Account", "name": "Broken", "where": "Name ="},
                {"object": "Missing__c"},
            ]
        }
    )
    assert count_queries(made, schema) == {
        "account": "SELECT COUNT() FROM Account WHERE Name = 'x' OR Name = 'y'"
    }


def test_two_orgs_and_a_sandbox_are_fine() -> None:
    assert codes({}, SANDBOX) == []
    assert codes({}, SANDBOX, None) == []
    pinned = {"target": {"org": "new", "expect": {"organization_id": "00D000000000002", "production": False}}}
    assert codes(pinned, SANDBOX) == []


def test_one_org_twice_is_refused() -> None:
    assert codes({}, SANDBOX, SANDBOX) == ["same-org"]


def test_another_org_than_the_pinned_one_is_refused() -> None:
    document = {"target": {"org": "new", "expect": {"organization_id": "00D000000000009EAA"}}}
    found = check_ends(plan(document), OLD, SANDBOX)
    assert [one.code for one in found] == ["org-mismatch"]
    assert found[0].where.path == "target.expect.organization_id"
    assert "00D000000000002EAA" in found[0].what


@pytest.mark.parametrize(
    ("expect", "target", "expected"),
    [
        ({}, PRODUCTION, ["production-target"]),
        ({"production": False}, PRODUCTION, ["production-target"]),
        ({"production": True}, PRODUCTION, []),
        ({"production": True}, SANDBOX, ["org-mismatch"]),
    ],
)
def test_production_must_be_meant(expect: dict[str, Any], target: OrgIdentity, expected: list[str]) -> None:
    assert codes({"target": {"org": "new", "expect": expect}}, target) == expected
