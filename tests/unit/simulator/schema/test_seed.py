"""CSV folders into an org."""

from pathlib import Path
from typing import Any

import pytest

from migrator.simulator import Org, load_csv_folder
from migrator.simulator.seed import SeedInvalid


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8", newline="")
    return folder


def cells(org: Org, sobject: str, *fields: str) -> list[tuple[str, ...]]:
    table = org.store.table(sobject)
    return [row for block in table.scan_columns(fields) for row in zip(*block.columns, strict=True)]


def test_source_ids_become_ids_of_the_org_also_ahead_and_to_themselves(org: Org, tmp_path: Path) -> None:
    write(
        tmp_path,
        Account="Id,Name,ParentId,CreatedDate\nA1,Acme,A2,2019-01-02T03:04:05Z\nA2,Top,,\n",
        Contact='Id,LastName,AccountId,ReportsToId\nC1,"Ash, ""B""\nJr.",A1,C2\nC2,Birch,A2,\n',
    )
    assert load_csv_folder(org, tmp_path) == {"Account": 2, "Contact": 2}
    acme, top = org.store.table("Account").ids_of([1, 2])
    assert cells(org, "Account", "Name", "ParentId") == [("Acme", top), ("Top", "")]
    assert org.store.table("Account").cell(1, "CreatedDate") == "2019-01-02T03:04:05.000Z"
    birch = org.store.table("Contact").id_of(2)
    assert cells(org, "Contact", "LastName", "AccountId", "ReportsToId") == [
        ('Ash, "B"\nJr.', acme, birch),
        ("Birch", top, ""),
    ]


def test_masters_come_before_details_and_keys_work_as_in_bulk(org: Org, tmp_path: Path) -> None:
    write(
        tmp_path,
        Airport__c="Code__c\nZRH\nGVA\n",
        Gate__c="Id,Airport__r.Code__c,Spare__c\n1,gva,2\n2,ZRH,\n",
    )
    load_csv_folder(org, tmp_path)
    zrh, gva = org.store.table("Airport__c").ids_of([1, 2])
    assert cells(org, "Gate__c", "Name", "Airport__c") == [("G-0001", gva), ("G-0002", zrh)]
    assert org.store.table("Gate__c").cell(1, "Spare__c") == org.store.table("Gate__c").id_of(2)


def test_users_that_are_there_are_met_not_made_again(org: Org, tmp_path: Path) -> None:
    write(
        tmp_path,
        User=f"Id,Username,LastName\nU1,{org.settings.username},Integration\nU2,ann@x.example,Ann\n",
        Account="Name,OwnerId\nmine,U1\nhers,U2\n",
    )
    assert load_csv_folder(org, tmp_path) == {"Account": 2, "User": 1}
    assert cells(org, "Account", "OwnerId") == [(org.user_id,), (org.store.table("User").id_of(2),)]


@pytest.mark.parametrize(
    ("files", "text"),
    [
        ({"Nope__c": "Id\n1\n"}, "the org has no sObject Nope__c"),
        ({"Account": "Name,Foo\nx,1\n"}, "Account.csv:1: Field name not found : Foo"),
        ({"Account": "Name,Phone\nx,1\ny\n"}, "Account.csv:3: 1 cells under 2 columns"),
        (
            {"Account": "Name,NumberOfEmployees\nx,1\ny,many\n"},
            "Account.csv:3: INVALID_FIELD NumberOfEmployees",
        ),
        ({"Account": 'Name\nx\n"y'}, "Account.csv:3: unexpected end of data"),
        ({"Account": "Id,Name,ParentId\n1,x,9\n"}, "ParentId refers to a record that is in no file"),
    ],
)
def test_bad_data_is_refused_with_its_place(org: Org, tmp_path: Path, files: Any, text: str) -> None:
    with pytest.raises(SeedInvalid, match=text):
        load_csv_folder(org, write(tmp_path, **files))


def test_a_file_that_is_no_text_is_refused(org: Org, tmp_path: Path) -> None:
    (tmp_path / "Account.csv").write_bytes(b"Name\n\xff\n")
    with pytest.raises(SeedInvalid, match="not UTF-8"):
        load_csv_folder(org, tmp_path)
