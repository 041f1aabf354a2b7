"""The order of execution: stages one after the other, and transactions that are taken back where an effect refuses a row."""

from collections.abc import Sequence

from migrator.simulator import Org
from migrator.simulator.records.compile import Operation
from migrator.simulator.records.context import Context
from migrator.simulator.records.execution import Effect, Saved, Saving
from migrator.simulator.records.results import ChunkResult, RowError
from migrator.simulator.records.truth import Change

WRONG = RowError("FIELD_CUSTOM_VALIDATION_EXCEPTION", "no")


def run(
    org: Org, operation: str, columns: Sequence[str], *rows: Sequence[str], all_or_none: bool = False
) -> ChunkResult:
    account = org.schema.sobject("Account")
    assert account is not None
    compiled = org.dml.compile(
        account, columns, Operation(operation), external_id="Legacy_Id__c", null_marker="#N/A"
    )
    return org.dml.execute(compiled, rows, Context(org.user_id, org.now(), "7501"), all_or_none=all_or_none)


def test_stages_follow_each_other_and_refused_rows_go_no_further(org: Org) -> None:
    rules = org.dml.rules("Account")
    seen: list[tuple[str, list[str]]] = []

    def look(name: str, refuse: str = "") -> None:
        def step(saving: Saving) -> None:
            names = list(saving.new("Name"))
            seen.append((name, names))
            for row, each in zip(saving.rows, names, strict=True):
                if each == refuse:
                    saving.fault(row, WRONG)

        getattr(rules, name).append(step)

    look("duplicates")
    look("validations", refuse="b")
    look("checks", refuse="a")

    def default(saving: Saving) -> None:
        seen.append(("defaults", list(saving.new("Name"))))
        saving.set(
            "Phone",
            [cell or f"{name}!" for cell, name in zip(saving.new("Phone"), saving.new("Name"), strict=True)],
        )

    rules.defaults.append(default)
    done = run(org, "insert", ["Name", "Phone"], ["a", ""], ["b", ""], ["c", ""], ["d", "1"])
    assert seen == [
        ("checks", ["a", "b", "c", "d"]),
        ("defaults", ["b", "c", "d"]),
        ("validations", ["b", "c", "d"]),
        ("duplicates", ["c", "d"]),
    ]
    assert [each.success for each in done] == [False, False, True, True]
    table = org.store.table("Account")
    assert [table.cell(seq, "Phone") for seq in table.scan()] == ["c!", "1"]


def test_old_and_new_cells_of_an_upsert(org: Org) -> None:
    run(org, "insert", ["Name", "Legacy_Id__c", "Phone", "Fax"], ["old", "k1", "1", "2"])
    rules = org.dml.rules("Account")
    seen: dict[str, tuple[list[str], list[str], list[bool]]] = {}

    def look(saving: Saving) -> None:
        for name in ("Name", "Phone", "Fax", "OwnerId", "IsDeleted"):
            seen[name] = (list(saving.old(name)), list(saving.new(name)), list(saving.given(name)))

    rules.validations.append(look)
    run(
        org,
        "upsert",
        ["Name", "Legacy_Id__c", "Phone", "Fax"],
        ["", "k1", "#N/A", ""],
        ["new", "k2", "", "3"],
    )
    # new records come first
    assert seen["Name"] == (["", "old"], ["new", "old"], [True, False])
    assert seen["Phone"] == (["", "1"], ["", ""], [False, True])
    assert seen["Fax"] == (["", "2"], ["3", "2"], [True, False])
    assert seen["OwnerId"] == (["", org.user_id], [org.user_id] * 2, [False, False])
    table = org.store.table("Account")
    assert [(table.cell(seq, "Name"), table.cell(seq, "Phone")) for seq in table.scan()] == [
        ("old", ""),
        ("new", ""),
    ]


def test_an_effect_that_refuses_a_row_takes_the_transaction_back_and_the_others_are_saved_again(
    org: Org,
) -> None:
    contact = org.schema.sobject("Contact")
    assert contact is not None
    made = org.dml.compile(contact, ["LastName", "AccountId"], Operation.INSERT, trusted=True)

    def follow(saved: Saved) -> None:
        for place, name in enumerate(saved.now("Name")):
            if name == "bad":
                saved.fault(place, WRONG)
        rows = [
            [name, record_id]
            for name, record_id in zip(saved.now("Name"), saved.table.ids_of(saved.seqs), strict=True)
        ]
        org.dml.execute(made, rows, saved.context)

    org.dml.rules("Account").effects.append(Effect(follow, changes=frozenset({Change.CREATED})))
    done = run(org, "insert", ["Name"], ["a"], ["bad"], ["c"])
    assert [each.errors for each in done] == [(), (WRONG,), ()]
    contacts, accounts = org.store.table("Contact"), org.store.table("Account")
    assert [contacts.cell(seq, "LastName") for seq in contacts.scan()] == ["a", "c"]
    assert [contacts.cell(seq, "AccountId") for seq in contacts.scan()] == [done.ids[0], done.ids[2]]
    assert (org.truth.count("Account"), org.truth.count("Contact"), len(accounts)) == (2, 2, 2)
    refused = run(org, "insert", ["Name"], ["d"], ["bad"], all_or_none=True)
    assert [each.errors[0].status_code for each in refused] == [
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "FIELD_CUSTOM_VALIDATION_EXCEPTION",
    ]
    assert (org.truth.count("Account"), len(accounts), len(contacts)) == (2, 2, 2)


def test_effects_see_what_was_before_and_only_what_they_watch(org: Org) -> None:
    run(org, "insert", ["Name", "Phone"], ["a", "1"], ["b", "2"])
    ids = org.store.table("Account").ids_of([1, 2])
    seen: list[tuple[Change, list[str], list[str]]] = []

    def note(saved: Saved) -> None:
        seen.append((saved.change, list(saved.old("Phone")), list(saved.now("Phone"))))

    org.dml.rules("Account").effects.append(Effect(note, watches=frozenset({"Phone"})))
    run(org, "update", ["Id", "Name"], [ids[0], "x"])
    run(org, "update", ["Id", "Phone"], [ids[1], "3"], [ids[0], "#N/A"])
    run(org, "delete", ["Id"], [ids[1]])
    assert seen == [(Change.UPDATED, ["2", "1"], ["3", ""]), (Change.DELETED, ["3"], ["3"])]
