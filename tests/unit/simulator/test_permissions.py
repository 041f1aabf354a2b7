"""What users may see and do: profiles, permission sets and field-level security, through every API."""

from dataclasses import replace
from typing import Any

import pytest

from migrator.clock import VirtualClock
from migrator.simulator import Org, load_schema
from migrator.simulator.schema.files import SchemaInvalid
from migrator.simulator.schema.model import Field, FieldType
from tests.unit.simulator.bulk.bulk1_client import Bulk1
from tests.unit.simulator.conftest import SCHEMA, Caller

PEOPLE: dict[str, Any] = {
    "profiles": {
        "Loader": {
            "permissions": ["ApiEnabled"],
            "objects": {"*": "all", "Lead": "none", "Contact": "read", "Airport__c": "read create edit"},
            "fields": {"*": "edit", "Account.Rating": "read", "Account.Sic": "none"},
        },
        "Nobody": {},
    },
    "permission_sets": {
        "Contacts": {
            "objects": {"Contact": "read create edit delete"},
            "permissions": ["BulkApiHardDelete", "ViewSetup"],
            "custom_permissions": ["Bypass_Rules"],
        }
    },
    "users": {
        "loader@example.com": {"profile": "Loader"},
        "trusted@example.com": {"profile": "Loader", "permission_sets": ["Contacts"]},
        "nobody@example.com": {"profile": "Nobody"},
        "gone@example.com": {"active": False},
    },
}


@pytest.fixture
def org(clock: VirtualClock) -> Org:
    return Org(load_schema(SCHEMA, PEOPLE), clock=clock)


@pytest.fixture
def loader(org: Org) -> Caller:
    return Caller(org, org.issue_token("loader@example.com"))


@pytest.fixture
def trusted(org: Org) -> Caller:
    return Caller(org, org.issue_token("trusted@example.com"))


def query(call: Caller, soql: str) -> Any:
    return call("GET", "/query", query={"q": soql}).json()


def code(found: Any) -> tuple[str, str]:
    return found[0]["errorCode"], found[0]["message"]


def test_describe_shows_what_the_user_may(call: Caller, loader: Caller) -> None:
    listed = {each["name"]: each for each in loader("GET", "/sobjects").json()["sobjects"]}
    assert "Lead" not in listed
    assert "Lead" in {each["name"] for each in call("GET", "/sobjects").json()["sobjects"]}
    assert [listed["Contact"][flag] for flag in ("createable", "updateable", "deletable", "queryable")] == [
        False,
        False,
        False,
        True,
    ]
    assert loader("GET", "/sobjects/Lead/describe").status == 404
    fields = {each["name"]: each for each in loader("GET", "/sobjects/Account/describe").json()["fields"]}
    assert "Sic" not in fields
    assert (fields["Rating"]["createable"], fields["Rating"]["updateable"]) == (False, False)
    assert (fields["Industry"]["createable"], fields["Name"]["updateable"]) == (True, True)


def test_rows_refuse_what_the_user_may_not(call: Caller, loader: Caller) -> None:
    made = loader("POST", "/sobjects/Contact", {"LastName": "x"})
    assert (made.status, *code(made.json())) == (
        400,
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
        "entity type cannot be inserted: Contact",
    )
    contact = call.create("Contact", LastName="x")
    changed = loader("PATCH", f"/sobjects/Contact/{contact}", {"LastName": "y"})
    assert code(changed.json())[0] == "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"
    removed = loader("DELETE", f"/sobjects/Contact/{contact}")
    assert code(removed.json()) == (
        "INSUFFICIENT_ACCESS_OR_READONLY",
        "insufficient access rights on object id",
    )
    hidden = loader("POST", "/sobjects/Account", {"Name": "a", "Sic": "1"})
    assert code(hidden.json()) == ("INVALID_FIELD", "No such column 'Sic' on sobject of type Account")
    fixed = loader("POST", "/sobjects/Account", {"Name": "a", "Rating": "Hot"})
    assert code(fixed.json())[0] == "INVALID_FIELD_FOR_INSERT_UPDATE"
    assert "Rating. Please check the security settings" in fixed.json()[0]["message"]
    account = call.create("Account", Name="a", Sic="1", Rating="Hot")
    shown = loader("GET", f"/sobjects/Account/{account}").json()
    assert "Sic" not in shown
    assert shown["Rating"] == "Hot"


def test_collections_refuse_row_by_row(loader: Caller) -> None:
    records = [
        {"attributes": {"type": "Account"}, "Name": "a"},
        {"attributes": {"type": "Contact"}, "LastName": "a"},
        {"attributes": {"type": "Lead"}, "LastName": "a", "Company": "b"},
    ]
    done = loader("POST", "/composite/sobjects", {"records": records}).json()
    assert [each["success"] for each in done] == [True, False, False]
    assert done[1]["errors"][0]["statusCode"] == "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"
    assert done[2]["errors"][0]["statusCode"] == "INVALID_TYPE"


def test_queries_know_only_what_is_seen(call: Caller, loader: Caller) -> None:
    account = call.create("Account", Name="a", Sic="1")
    call.create("Contact", LastName="x", AccountId=account)
    assert code(query(loader, "SELECT Id FROM Lead"))[0] == "INVALID_TYPE"
    assert code(query(loader, "SELECT Sic FROM Account"))[0] == "INVALID_FIELD"
    assert code(query(loader, "SELECT Id FROM Account WHERE Sic = '1'"))[0] == "INVALID_FIELD"
    assert code(query(loader, "SELECT Account.Sic FROM Contact"))[0] == "INVALID_FIELD"
    assert query(loader, "SELECT Account.Name FROM Contact")["records"][0]["Account"]["Name"] == "a"
    body = {"operation": "query", "query": "SELECT Sic FROM Account"}
    assert code(loader("POST", "/jobs/query", body).json())[0] == "INVALID_FIELD"


def bulk2(call: Caller, operation: str, sobject: str, csv: str) -> tuple[Any, str]:
    job = call("POST", "/jobs/ingest", {"object": sobject, "operation": operation}).json()
    path = f"/jobs/ingest/{job['id']}"
    assert call("PUT", path + "/batches", csv.encode(), headers={"Content-Type": "text/csv"}).status == 201
    call("PATCH", path, {"state": "UploadComplete"})
    while call.org.advance(call.org.now()):
        pass
    return call("GET", path).json(), call("GET", path + "/failedResults").read().decode()


def test_bulk_jobs_refuse_rows_and_hidden_columns(loader: Caller, trusted: Caller) -> None:
    job, failed = bulk2(loader, "insert", "Contact", "LastName\nx\n")
    assert (job["state"], job["numberRecordsFailed"]) == ("JobComplete", 1)
    assert "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY:entity type cannot be inserted: Contact:--" in failed
    job, _ = bulk2(loader, "insert", "Account", "Name,Sic\nx,1\n")
    assert (job["state"], job["errorMessage"]) == ("Failed", "InvalidBatch : Field name not found : Sic")
    job, failed = bulk2(loader, "insert", "Account", "Name,Rating\nx,Hot\n")
    assert "INVALID_FIELD_FOR_INSERT_UPDATE:Unable to create/update fields: Rating." in failed
    refused = loader("POST", "/jobs/ingest", {"object": "Lead", "operation": "insert"})
    assert code(refused.json()) == ("INVALIDJOB", "InvalidJob : Unable to find object: Lead")
    job, _ = bulk2(trusted, "insert", "Contact", "LastName\nx\n")
    assert job["numberRecordsFailed"] == 0
    hard = loader("POST", "/jobs/ingest", {"object": "Account", "operation": "hardDelete"})
    assert code(hard.json())[0] == "FEATURENOTENABLED"
    allowed = trusted("POST", "/jobs/ingest", {"object": "Account", "operation": "hardDelete"})
    assert allowed.status == 200


def test_bulk_v1_runs_as_the_user_of_its_session(org: Org) -> None:
    bulk1 = Bulk1(org)
    bulk1.token = org.issue_token("loader@example.com")
    assert "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY" in bulk1.run("LastName\nx\n", sobject="Contact")


def test_permission_sets_are_records_and_count_at_once(org: Org, call: Caller, loader: Caller) -> None:
    found = query(call, "SELECT Id FROM PermissionSet WHERE Name = 'Contacts'")["records"][0]["Id"]
    user = query(call, "SELECT Id FROM User WHERE Username = 'loader@example.com'")["records"][0]["Id"]
    assert "Bypass_Rules" not in org.view(user).custom
    assignment = {"AssigneeId": user, "PermissionSetId": found}
    made = call.create("PermissionSetAssignment", **assignment)
    assert "Bypass_Rules" in org.view(user).custom
    loader.create("Contact", LastName="x")
    again = call("POST", "/sobjects/PermissionSetAssignment", assignment).json()[0]
    assert (again["errorCode"], again["fields"]) == ("DUPLICATE_VALUE", ["AssigneeId", "PermissionSetId"])
    assert again["message"] == (
        f"Duplicate PermissionSetAssignment.  Assignee: {user[:15]}; Permission Set: {found[:15]}"
    )
    assert call("DELETE", f"/sobjects/PermissionSetAssignment/{made}").status == 204
    assert loader("POST", "/sobjects/Contact", {"LastName": "x"}).status == 400


def test_field_permissions_are_queryable_and_can_be_taken(call: Caller, loader: Caller) -> None:
    soql = (
        "SELECT Id, PermissionsEdit FROM FieldPermissions WHERE Field = 'Account.Industry'"
        " AND Parent.Profile.Name = '{}'"
    )
    assert query(call, soql.format("System Administrator"))["records"][0]["PermissionsEdit"] is True
    (row,) = query(call, soql.format("Loader"))["records"]
    assert call("PATCH", f"/sobjects/FieldPermissions/{row['Id']}", {"PermissionsEdit": False}).status == 204
    assert code(loader("POST", "/sobjects/Account", {"Name": "a", "Industry": "Energy"}).json())[0] == (
        "INVALID_FIELD_FOR_INSERT_UPDATE"
    )
    assert call("DELETE", f"/sobjects/FieldPermissions/{row['Id']}").status == 204
    assert code(query(loader, "SELECT Industry FROM Account"))[0] == "INVALID_FIELD"
    (own,) = query(call, soql.format("System Administrator"))["records"]
    call("DELETE", f"/sobjects/FieldPermissions/{own['Id']}")
    assert code(query(call, "SELECT Industry FROM Account"))[0] == "INVALID_FIELD"


def test_user_permissions(org: Org, loader: Caller, trusted: Caller) -> None:
    nobody = Caller(org, org.issue_token("nobody@example.com"))
    refused = nobody("GET", "/sobjects")
    assert (refused.status, code(refused.json())[0]) == (403, "API_DISABLED_FOR_ORG")
    assert loader("GET", "/limits/recordCount").status == 403
    assert trusted("GET", "/limits/recordCount").status == 200
    assert code(query(loader, "SELECT Id FROM PermissionSet"))[0] == "INVALID_TYPE"
    assert query(trusted, "SELECT Id FROM PermissionSet")["totalSize"] > 1
    made = loader("POST", "/sobjects/PermissionSet", {"Name": "x", "Label": "x"})
    assert made.status == 404  # not seen at all without View Setup
    assert trusted("POST", "/sobjects/PermissionSet", {"Name": "x", "Label": "x"}).status == 400


@pytest.mark.parametrize("touched", [False, True])
def test_what_is_added_to_the_schema_is_granted_as_the_profile_says(
    org: Org, call: Caller, loader: Caller, touched: bool
) -> None:
    if touched:
        query(call, "SELECT Id FROM FieldPermissions LIMIT 1")
    account = org.schema.sobject("Account")
    assert account is not None
    org.change(replace(account, fields=(*account.fields, Field("New__c", FieldType.STRING, length=10))))
    for each in (call, loader):
        each.create("Account", Name="a", New__c="x")
    soql = "SELECT COUNT() FROM FieldPermissions WHERE Field = 'Account.New__c'"
    assert query(call, soql)["totalSize"] == 2  # of the administrator and the loader


def test_a_profile_and_its_permission_set_say_the_same(call: Caller, loader: Caller) -> None:
    soql = "SELECT Id, ProfileId, PermissionsApiEnabled FROM PermissionSet WHERE Profile.Name = 'Loader'"
    (own,) = query(call, soql)["records"]
    assert own["PermissionsApiEnabled"] is True
    refused = call("PATCH", f"/sobjects/PermissionSet/{own['Id']}", {"PermissionsApiEnabled": False})
    assert code(refused.json())[0] == "INSUFFICIENT_ACCESS_OR_READONLY"
    path = f"/sobjects/Profile/{own['ProfileId']}"
    assert call("PATCH", path, {"PermissionsApiEnabled": False}).status == 204
    assert query(call, soql)["records"][0]["PermissionsApiEnabled"] is False
    assert loader("GET", "/sobjects").status == 403


def test_frozen_users_are_out_until_they_thaw(call: Caller, loader: Caller) -> None:
    (login,) = query(call, "SELECT Id FROM UserLogin WHERE User.Username = 'loader@example.com'")["records"]
    path = f"/sobjects/UserLogin/{login['Id']}"
    for frozen, status in ((True, 401), (False, 200)):
        assert call("PATCH", path, {"IsFrozen": frozen}).status == 204
        assert loader("GET", "/sobjects").status == status


def test_jobs_belong_to_who_made_them(call: Caller, loader: Caller, trusted: Caller) -> None:
    job = loader("POST", "/jobs/ingest", {"object": "Account", "operation": "insert"}).json()
    other = trusted("PATCH", f"/jobs/ingest/{job['id']}", {"state": "Aborted"})
    assert code(other.json())[0] == "INVALIDUSER"
    assert call("PATCH", f"/jobs/ingest/{job['id']}", {"state": "Aborted"}).status == 200  # manages them all


def test_tokens_end_with_their_user(org: Org, call: Caller, loader: Caller) -> None:
    user = query(call, "SELECT Id FROM User WHERE Username = 'loader@example.com'")["records"][0]["Id"]
    made = loader.create("Account", Name="a")
    assert call("GET", f"/sobjects/Account/{made}").json()["CreatedById"] == user
    call("PATCH", f"/sobjects/User/{user}", {"IsActive": False})
    assert loader("GET", "/sobjects").status == 401
    gone = Caller(org, org.issue_token("gone@example.com"))
    assert gone("GET", "/sobjects").status == 401
    with pytest.raises(LookupError):
        org.issue_token("not@example.com")


@pytest.mark.parametrize(
    "given",
    [
        {"profiles": {"P": {"permissions": ["Fly"]}}},
        {"profiles": {"P": {"objects": {"Account": "look"}}}},
        {"profiles": {"P": {"fields": {"Account.Name": "maybe"}}}},
        {"users": {"u": {"role": "x"}}},
    ],
)
def test_what_a_schema_file_cannot_say_about_people(given: Any) -> None:
    with pytest.raises(SchemaInvalid):
        load_schema(given)
