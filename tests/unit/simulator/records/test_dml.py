"""The DML engine: rules over rows, cascades, the truth log."""

from typing import Any

import pytest

from migrator.simulator import Org, OrgSettings, load_schema
from migrator.simulator.records.compile import Operation
from migrator.simulator.records.context import Context
from migrator.simulator.records.results import ChunkResult, HeaderFault
from migrator.simulator.records.truth import Change


def run(
    org: Org, operation: str, sobject: str, columns: list[str], *rows: list[str], key: str | None = None
) -> ChunkResult:
    described = org.schema.sobject(sobject)
    assert described is not None
    compiled = org.dml.compile(
        described, columns, Operation(operation), external_id=key, null_marker="#N/A", user=org.user_id
    )
    return org.dml.execute(compiled, rows, Context(org.user_id, org.now(), "7501"))


def bulk(done: ChunkResult) -> list[str]:
    return [each.errors[0].bulk() if each.errors else "" for each in done]


def test_row_errors_in_the_grammar_of_bulk_results(org: Org) -> None:
    done = run(
        org,
        "insert",
        "Opportunity",
        ["Name", "StageName", "Amount", "CloseDate"],
        ["a", "Prospecting", "1", "2003-04-987654321987654321"],
        ["", "", "1", "2024-01-01"],
        ["b", "Closed Won", "1000", "2024-01-01"],
    )
    assert bulk(done) == [
        (
            "INVALID_FIELD:Failed to deserialize field at col 3. Due to, '2003-04-987654321987654321' is not a valid value"
            " for the type xsd:date:CloseDate --"
        ),
        "REQUIRED_FIELD_MISSING:Required fields are missing: [Name, StageName]:Name,StageName --",
        "",
    ]
    won = org.store.table("Opportunity").get(1)
    assert [
        won[name] for name in ("IsWon", "IsClosed", "Probability", "ForecastCategoryName", "ExpectedRevenue")
    ] == [
        "true",
        "true",
        "100.0",
        "Closed",
        "1000.0",
    ]


@pytest.mark.parametrize(
    ("sobject", "column", "text"),
    [
        ("Opportunity", "Nope__c", "Field name not found : Nope__c"),
        (
            "Contact",
            "Account:Account.Legacy_Id__c",
            "type is not needed for non polymorphic foreign key references: Account",
        ),
        (
            "Contact",
            "Parent:Account.Legacy_Id__c",
            "type is not needed for non polymorphic foreign key references: Account",
        ),
        ("Contact", "Firm.Legacy_Id__c", "Unable to find relationship: Firm"),
        ("Contact", "Account:Contact:Legacy_Id__c", "Field name not found : Account:Contact:Legacy_Id__c"),
        ("Contact", "Account.Phone", "Field name not found : Account.Phone"),
        ("Contact", "MailingAddress", "Field name not found : MailingAddress"),
    ],
)
def test_header_faults(org: Org, sobject: str, column: str, text: str) -> None:
    with pytest.raises(HeaderFault) as caught:
        run(org, "insert", sobject, [column], ["x"])
    assert caught.value.text == text


def test_polymorphic_columns_need_their_type_where_there_are_several(org: Org) -> None:
    user = org.settings.username
    assert bulk(run(org, "insert", "Case", ["Subject", "User:Owner.Username"], ["s", user])) == [""]
    assert bulk(run(org, "insert", "Account", ["Name", "Owner.Username"], ["s", user])) == [""]
    with pytest.raises(HeaderFault):
        run(org, "insert", "Case", ["Owner.Username"], [user])


def test_references_must_be_ids_of_the_right_kind_that_are_there(org: Org) -> None:
    (account,) = run(org, "insert", "Account", ["Name"], ["a"]).ids
    (contact,) = run(org, "insert", "Contact", ["LastName", "AccountId"], ["a", account[:15]]).ids
    (gone,) = run(org, "insert", "Account", ["Name"], ["b"]).ids
    run(org, "delete", "Account", ["Id"], [gone])
    done = run(
        org,
        "insert",
        "Contact",
        ["LastName", "AccountId"],
        ["b", contact],
        ["b", "nonsense"],
        ["b", account[:11] + "zzzz"],
        ["b", gone],
        ["b", account],
    )
    assert bulk(done) == [
        f"FIELD_INTEGRITY_EXCEPTION:Account ID: id value of incorrect type: {contact}:AccountId --",
        "MALFORMED_ID:Account ID: id value of incorrect type: nonsense:AccountId --",
        "INVALID_CROSS_REFERENCE_KEY:invalid cross reference id:--",
        "ENTITY_IS_DELETED:entity is deleted:--",
        "",
    ]
    assert org.store.table("Contact").cell(1, "AccountId") == account  # kept in eighteen characters


def test_blank_is_not_given_and_the_marker_is_null(org: Org) -> None:
    (account,) = run(org, "insert", "Account", ["Name", "Phone", "Fax"], ["a", "1", "2"]).ids
    done = run(org, "update", "Account", ["Id", "Phone", "Fax", "Name"], [account, "", "#N/A", ""])
    assert bulk(done) == [""]
    kept = org.store.table("Account").get(1)
    assert (kept.get("Phone"), kept.get("Fax"), kept["Name"]) == ("1", None, "a")
    assert bulk(run(org, "update", "Account", ["Id", "Name"], [account, "#N/A"])) == [
        "REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --"
    ]


def test_details_and_restricted_lookups_and_cleared_ones_on_delete(org: Org) -> None:
    run(org, "insert", "Airport__c", ["Code__c"], ["ZRH"], ["GVA"])
    zrh, gva = org.store.table("Airport__c").ids_of([1, 2])
    gates = run(org, "insert", "Gate__c", ["Airport__c"], [zrh], [zrh], [gva]).ids
    run(org, "update", "Gate__c", ["Id", "Spare__c"], [gates[2], gates[0]])
    run(org, "insert", "Lease__c", ["Gate__c"], [gates[1]])
    blocked = run(org, "delete", "Airport__c", ["Id"], [zrh])
    assert blocked[0].errors[0].status_code == "DELETE_FAILED"
    run(org, "delete", "Lease__c", ["Id"], [org.store.table("Lease__c").id_of(1)])
    assert bulk(run(org, "delete", "Airport__c", ["Id"], [zrh], [zrh])) == [
        "",
        f"DUPLICATE_VALUE:duplicate id specified: {zrh}:Id --",
    ]
    table = org.store.table("Gate__c")
    assert [table.exists(seq) for seq in (1, 2, 3)] == [False, False, True]
    assert table.cell(3, "Spare__c") == ""
    assert org.truth.ids("Gate__c", Change.DELETED) == list(gates[:2])
    assert bulk(run(org, "update", "Gate__c", ["Id", "Open__c"], [gates[0], "false"])) == [
        "ENTITY_IS_DELETED:entity is deleted:--"
    ]


def test_a_master_is_given_once(org: Org) -> None:
    run(org, "insert", "Airport__c", ["Code__c"], ["ZRH"], ["GVA"])
    zrh, gva = org.store.table("Airport__c").ids_of([1, 2])
    (gate,) = run(org, "insert", "Gate__c", ["Airport__c"], [zrh]).ids
    done = run(org, "update", "Gate__c", ["Id", "Airport__c"], [gate, gva])
    assert done[0].errors[0].status_code == "INVALID_FIELD_FOR_INSERT_UPDATE"
    assert bulk(run(org, "insert", "Gate__c", ["Open__c"], ["true"])) == [
        "REQUIRED_FIELD_MISSING:Required fields are missing: [Airport__c]:Airport__c --"
    ]


def test_an_upsert_key_with_several_records(org: Org) -> None:
    ids = run(org, "insert", "Contact", ["LastName", "Legacy_Id__c"], ["a", "k"], ["b", "K"]).ids
    done = run(org, "upsert", "Contact", ["LastName", "Legacy_Id__c"], ["c", "k"], key="Legacy_Id__c")
    assert bulk(done) == [
        (
            f"DUPLICATE_EXTERNAL_ID:Legacy ID: more than one record found for external id field: [{ids[0]}, {ids[1]}]"
            ":Legacy_Id__c --"
        )
    ]


def test_names_numbers_defaults_and_system_fields(org: Org) -> None:
    run(org, "insert", "Airport__c", ["Code__c", "Name"], ["ZRH", ""], ["GVA", "Geneva"])
    airports = org.store.table("Airport__c")
    assert [airports.cell(seq, "Name") for seq in (1, 2)] == [airports.id_of(1), "Geneva"]
    run(org, "insert", "Case", ["Subject", "Status"], ["s", ""], ["t", "Closed"])
    cases = org.store.table("Case")
    assert [cases.cell(seq, "CaseNumber") for seq in (1, 2)] == ["00000001", "00000002"]
    assert [cases.cell(seq, "Status") for seq in (1, 2)] == ["New", "Closed"]
    assert [cases.cell(seq, "IsClosed") for seq in (1, 2)] == ["false", "true"]
    first = cases.get(1)
    assert first["OwnerId"] == first["CreatedById"] == org.user_id
    assert first["CreatedDate"] == first["SystemModstamp"] == "2025-10-09T08:53:20.000Z"


def test_audit_fields_on_insert_only_and_with_the_permission_only(org: Org) -> None:
    columns, row = ["Name", "CreatedDate"], ["a", "2019-01-01T00:00:00Z"]
    assert (
        run(org, "insert", "Account", columns, row)[0].errors[0].status_code
        == "INVALID_FIELD_FOR_INSERT_UPDATE"
    )
    allowed = Org(load_schema(), OrgSettings(audit_fields=True), org.clock)
    (made,) = run(allowed, "insert", "Account", columns, row).ids
    assert allowed.store.table("Account").cell(1, "CreatedDate") == "2019-01-01T00:00:00.000Z"
    done = run(allowed, "update", "Account", ["Id", "CreatedDate"], [made, row[1]])
    assert done[0].errors[0].status_code == "INVALID_FIELD_FOR_INSERT_UPDATE"


def test_the_truth_log_knows_what_each_job_did(org: Org) -> None:
    run(org, "insert", "Account", ["Name"], ["a"], [""], ["c"])
    ids = org.store.table("Account").ids_of([1, 2])
    run(org, "update", "Account", ["Id", "Phone"], [ids[1], "1"])
    assert org.truth.created("Account") == ids
    assert org.truth.count("Account", Change.UPDATED, origin="7501") == 1
    assert org.truth.origins("Account") == {"7501": 2}
    assert [event.change for event in org.truth.events(origin="7501")] == [Change.CREATED, Change.UPDATED]


def test_hard_delete_leaves_nothing(org: Org) -> None:
    (made,) = run(org, "insert", "Account", ["Name"], ["a"]).ids
    run(org, "hardDelete", "Account", ["Id"], [made])
    assert org.store.table("Account").seq_of(made) == 0
    assert org.truth.ids("Account", Change.PURGED) == [made]


def test_every_chunk_reports_like_a_sequence(org: Org) -> None:
    done: Any = run(org, "insert", "Account", ["Name"], ["a"], [""])
    assert len(done) == 2
    assert done[-1] == done[0:2][1] == list(done)[1]
    assert (done[0].success, done[0].created, done[1].id) == (True, True, None)
