"""Bulk API 2.0 query jobs, and queries over REST."""

from collections.abc import Callable

import pytest

from migrator.salesforce.cells import NULL
from tests.conformance.apis import Api, Job, Refused

Load = Callable[..., Job]
Finish = Callable[..., Job]


@pytest.fixture
def five(load: Load, mark: str) -> str:
    """Five accounts."""
    rows = "".join(f"{mark} {number},{number or NULL}\n" for number in range(5))
    assert load("insert", f"Name,NumberOfEmployees\n{rows}").failed == 0
    return mark


def test_pages_follow_one_another_and_stay_the_same(api: Api, finish: Finish, five: str) -> None:
    soql = f"SELECT Id, Name, NumberOfEmployees FROM Account WHERE Name LIKE '{five}%'"
    job = finish(api.create_query(soql), api.query_job)
    assert (job.state, job.processed) == ("JobComplete", 5)
    seen, locator, pages = list[dict[str, str]](), "", 0
    for _ in range(10):
        page = api.page(job.id, locator, 2)
        assert page.rows == len(page.cells)
        assert api.page(job.id, locator, 2) == page, "the same locator gives the same page"
        seen, pages, locator = seen + page.cells, pages + 1, page.locator
        if not locator:
            break
    assert pages == 3
    assert {one["Name"]: one["NumberOfEmployees"] for one in seen} == {
        f"{five} {number}": str(number or "") for number in range(5)
    }
    assert list(seen[0]) == ["Id", "Name", "NumberOfEmployees"], "columns as selected"


def test_a_query_that_finds_nothing_has_its_header(api: Api, finish: Finish, mark: str) -> None:
    job = finish(api.create_query(f"SELECT Id, Name FROM Account WHERE Name = '{mark}'"), api.query_job)
    page = api.page(job.id)
    assert (job.processed, page.rows, page.locator, page.cells) == (0, 0, "", [])


@pytest.mark.parametrize(
    "soql",
    [
        "SELECT Nope__c FROM Account",
        "SELECT Id FROM NoSuchObject",
        "SELECT COUNT(Id) FROM Account",
        "SELECT BillingAddress FROM Account",
        "this is no query",
    ],
)
def test_queries_that_a_job_cannot_answer(api: Api, soql: str) -> None:
    with pytest.raises(Refused) as caught:
        api.create_query(soql)
    assert caught.value.status == 400


def test_a_query_job_that_is_not_there(api: Api) -> None:
    with pytest.raises(Refused) as caught:
        api.query_job("750000000000000AAA")
    assert caught.value.status == 404


def test_counts_and_records(api: Api, five: str) -> None:
    assert api.count(f"SELECT COUNT() FROM Account WHERE Name LIKE '{five}%'") == 5
    found = api.query(
        f"SELECT Name, NumberOfEmployees FROM Account WHERE Name LIKE '{five}%' ORDER BY Name DESC LIMIT 2"
    )
    assert found == [{"Name": f"{five} {number}", "NumberOfEmployees": number} for number in (4, 3)]


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT Nope__c FROM Account", "INVALID_FIELD"),
        ("SELECT Id FROM NoSuchObject", "INVALID_TYPE"),
        ("SELECT FROM", "MALFORMED_QUERY"),
    ],
)
def test_what_a_query_gets_wrong(api: Api, soql: str, code: str) -> None:
    with pytest.raises(Refused) as caught:
        api.query(soql)
    assert (caught.value.status, caught.value.code) == (400, code)


def test_who_what_and_how_much(api: Api) -> None:
    organization, user = api.whoami()
    assert (organization[:3], user[:3]) == ("00D", "005")
    assert {"Account", "Contact", "User"} <= api.names()
    types = api.field_types("Account")
    assert (types["Id"], types["ParentId"], types["Name"]) == ("id", "reference", "string")
    with pytest.raises(Refused) as caught:
        api.field_types("NoSuchObject")
    assert caught.value.status == 404
    for name in ("DailyApiRequests", "DailyBulkApiBatches", "DailyBulkV2QueryJobs"):
        most, left = api.limits()[name]
        assert 0 < left <= most
