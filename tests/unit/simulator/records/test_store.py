"""The record store against a plain dictionary."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from migrator.simulator.records.store import Derived, Store, Table
from migrator.simulator.schema.files import load_schema
from migrator.simulator.schema.model import make_schema

TEXT = st.text(st.sampled_from("abÄ\x1f☃\n"), max_size=3)
FIELDS = ("LastName", "Phone", "Title")


def table() -> Table:
    contact = load_schema().sobject("Contact")
    assert contact is not None
    derived = {"Name": Derived(("FirstName", "LastName"), lambda first, last: f"{first}{last}")}
    return Store(make_schema([contact]), "xY0", {"Contact": derived}).table("contact")


class Contacts(RuleBasedStateMachine):
    """Every way to write, and every way to read, against a model."""

    def __init__(self) -> None:
        super().__init__()
        self.table = table()
        self.rows: dict[int, dict[str, str]] = {}
        self.table.index("Phone")

    @rule(values=st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=260), phones=st.booleans())
    def insert(self, values: list[tuple[str, str]], phones: bool) -> None:
        columns = {"LastName": [last for last, _ in values], "Title": ("same",)}
        if phones:
            columns["Phone"] = [phone for _, phone in values]
        for seq, (last, phone) in zip(self.table.insert_columns(columns, len(values)), values, strict=True):
            self.rows[seq] = {"LastName": last, "Title": "same", "Phone": phone if phones else ""}

    @rule(data=st.data(), cell=TEXT, field=st.sampled_from(FIELDS), everything=st.booleans())
    def update(self, data: st.DataObject, cell: str, field: str, everything: bool) -> None:
        if not self.rows:
            return
        live = sorted(self.rows)
        seqs = live if everything else [data.draw(st.sampled_from(live))]
        cells = [f"{cell}{seq % 3}" for seq in seqs]
        self.table.update_columns(seqs, {field: cells})
        for seq, each in zip(seqs, cells, strict=True):
            self.rows[seq][field] = each

    @rule(data=st.data(), purge=st.booleans())
    def delete(self, data: st.DataObject, purge: bool) -> None:
        live = sorted(self.rows)
        if live:
            seq = data.draw(st.sampled_from(live))
            del self.rows[seq]
            if purge:
                self.table.purge(seq)
            else:
                self.table.delete(seq)

    @invariant()
    def reads_agree(self) -> None:
        found = {
            seq: dict(zip(FIELDS, cells, strict=True))
            for block in self.table.scan_columns(FIELDS)
            for seq, *cells in zip(block.seqs, *block.columns, strict=True)
        }
        assert found == self.rows
        assert list(self.table.scan()) == sorted(self.rows)
        assert len(self.table) == len(self.rows)

    @invariant()
    def lookups_agree(self) -> None:
        for seq, row in list(self.rows.items())[:3]:
            same = [
                each for each, other in self.rows.items() if other["Phone"].lower() == row["Phone"].lower()
            ]
            assert self.table.find("Phone", row["Phone"]) == (sorted(same) if row["Phone"] else [])
            assert self.table.cell(seq, "LastName") == row["LastName"]
            assert self.table.get(seq).get("Title", "") == row["Title"]
            assert self.table.seq_of(self.table.id_of(seq)) == seq
            assert seq in self.table.find("Name", row["LastName"]) or not row["LastName"]


Contacts.TestCase.settings = settings(max_examples=25, stateful_step_count=12, deadline=None)
TestContacts = Contacts.TestCase
