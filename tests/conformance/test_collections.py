"""sObject Collections."""

import pytest

from tests.conformance.apis import Api, Refused

KEY = "Migration_Key__c"


def test_each_record_stands_alone_and_is_answered_in_its_place(api: Api, mark: str) -> None:
    rows = api.send("Account", "insert", None, [{"Name": mark}, {"Site": "no name"}, {"Name": f"{mark} b"}])
    assert [one.success for one in rows] == [True, False, True]
    assert rows[1].codes == ("REQUIRED_FIELD_MISSING",)
    assert rows[1].id == ""
    stored = api.query(f"SELECT Id FROM Account WHERE Name LIKE '{mark}%' ORDER BY Name")
    assert [one["Id"] for one in stored] == [rows[0].id, rows[2].id]


def test_upsert_says_what_it_created(api: Api, mark: str) -> None:
    first = api.send("Account", "upsert", KEY, [{KEY: mark, "Name": "a"}])
    second = api.send("Account", "upsert", KEY, [{KEY: mark, "Name": "b"}, {KEY: f"{mark}2", "Name": "c"}])
    assert [one.created for one in first] == [True]
    assert [one.created for one in second] == [False, True]
    assert second[0].id == first[0].id


def test_update_by_id(api: Api, mark: str) -> None:
    (made,) = api.send("Account", "insert", None, [{"Name": mark, "Site": "s", "Fax": "f"}])
    rows = api.send(
        "Account",
        "update",
        None,
        [
            {"Id": made.id, "Site": "t", "Fax": "#N/A"},
            {"Id": "001000000000000AAA", "Site": "t"},
            {"Site": "t"},
        ],
    )
    assert [one.success for one in rows] == [True, False, False]
    assert rows[1].codes == ("INVALID_CROSS_REFERENCE_KEY",)
    assert rows[2].codes == ("MISSING_ARGUMENT",)
    assert api.query(f"SELECT Site, Fax FROM Account WHERE Id = '{made.id}'") == [{"Site": "t", "Fax": None}]


def test_numbers_and_lookups(api: Api, mark: str) -> None:
    (parent,) = api.send("Account", "insert", None, [{"Name": mark}])
    (child,) = api.send(
        "Account",
        "insert",
        None,
        [{"Name": f"{mark} c", "ParentId": parent.id, "NumberOfEmployees": "7", "AnnualRevenue": "12.5"}],
    )
    (found,) = api.query(
        f"SELECT ParentId, NumberOfEmployees, AnnualRevenue FROM Account WHERE Id = '{child.id}'"
    )
    assert found == {"ParentId": parent.id, "NumberOfEmployees": 7, "AnnualRevenue": 12.5}


def test_200_go_in_one_request(api: Api, mark: str) -> None:
    rows = api.send("Account", "insert", None, [{"Name": f"{mark} {number}"} for number in range(200)])
    assert len({one.id for one in rows}) == 200


@pytest.mark.parametrize(("sobject", "key"), [("NoSuchObject", "Id"), ("Account", "Nope__c")])
def test_an_unknown_target_of_an_upsert_is_refused(api: Api, sobject: str, key: str, mark: str) -> None:
    with pytest.raises(Refused) as caught:
        api.send(sobject, "upsert", key, [{key: mark}])
    assert caught.value.status in {400, 404}
