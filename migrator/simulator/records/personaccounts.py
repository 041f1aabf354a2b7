"""Person accounts: an Account and its Contact are one record with two faces.

Whether an account is a person says its record type when it is made, and that stays. The contact comes and goes with the account; a change
of either is a change of both.
"""

from collections.abc import Sequence

from migrator.simulator.records.behaviour import full_name
from migrator.simulator.records.compile import Compiled, Operation
from migrator.simulator.records.context import Context
from migrator.simulator.records.dml import Dml
from migrator.simulator.records.execution import Effect, Saved, Saving
from migrator.simulator.records.judge import missing, not_writeable
from migrator.simulator.records.references import not_for_the_user
from migrator.simulator.records.results import RowError
from migrator.simulator.records.store import Store, Table
from migrator.simulator.records.truth import Change, Truth
from migrator.simulator.records.values import moment
from migrator.simulator.schema.model import COMPOUNDS, SObject
from migrator.simulator.schema.personaccounts import SHARED, contact_field

_AUDIT = ("CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById")
# what the platform says to a contact that is given to a person is not known
_UNRELATED = RowError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", ("AccountId",))
_OWN = frozenset({"PersonContactId"})


def add_person_accounts(dml: Dml, store: Store, truth: Truth) -> None:
    """Add what person accounts do, where the org has them."""
    account = store.schema.sobject("Account")
    if account is None or account.field("IsPersonAccount") is None:
        return
    persons = _PersonAccounts(dml, store, truth, account)
    rules = dml.rules("Account")
    rules.checks.append(persons.check)
    rules.defaults.append(persons.fill)
    watched = frozenset(persons.mirrored)
    rules.effects.append(Effect(persons.make_contacts, changes=frozenset({Change.CREATED})))
    rules.effects.append(Effect(persons.to_contacts, watched, frozenset({Change.UPDATED})))
    rules = dml.rules("Contact")
    rules.checks.append(persons.check_contact)
    rules.removals.append(_keep_contact)
    watched = frozenset(persons.mirrored.values())
    rules.effects.append(Effect(persons.to_accounts, watched, frozenset({Change.UPDATED})))


class _PersonAccounts:
    def __init__(self, dml: Dml, store: Store, truth: Truth, account: SObject) -> None:
        self._dml = dml
        self._truth = truth
        self._accounts = store.table("Account")
        self._contacts = store.table("Contact")
        self._types = store.table("RecordType")
        # Account's field → Contact's
        self.mirrored: dict[str, str] = {name: name for name in SHARED}
        for field in account.fields:
            if field.name.startswith("Person") or field.name.endswith("__pc"):
                other = contact_field(field.name)
                if field.type not in COMPOUNDS and field.name not in _OWN and not field.calculated:
                    self.mirrored[field.name] = other
        self._of_persons = [
            name for name in self.mirrored if name not in {"Phone", "Fax", "Description", "OwnerId"}
        ]
        self._make: Compiled | None = None

    # --- Account -------------------------------------------------------------------------------------------------

    def _persons(self, saving: Saving) -> list[bool]:
        """Which rows are of persons."""
        types = saving.new("RecordTypeId")
        kinds = {each: self._is_person_type(each) for each in set(types)}
        return [
            was == "true" if not fresh else kinds[kind] or given == "true"
            for fresh, kind, was, given in zip(
                saving.fresh, types, saving.old("IsPersonAccount"), saving.new("IsPersonAccount"), strict=True
            )
        ]

    def _is_person_type(self, record_id: str) -> bool:
        seq = self._types.seq_of(record_id) if record_id else 0
        return bool(seq) and self._types.cell(seq, "IsPersonType") == "true"

    def check(self, saving: Saving) -> None:
        """Persons have a last name and no name of their own; businesses have a name and nothing of persons."""
        persons = self._persons(saving)
        cells = saving.chunk.cells
        given = [name for name in self._of_persons if name in cells]
        for row, person, name, last in zip(
            saving.rows, persons, saving.new("Name"), saving.new("LastName"), strict=True
        ):
            if person and "Name" in cells and cells["Name"][row]:
                saving.fault(row, _bad_names(["Name"]))
            elif person and not last:
                saving.fault(row, missing(["LastName"]))
            elif not person and (wrong := [each for each in given if cells[each][row] not in {"", "false"}]):
                saving.fault(row, _bad_names(wrong))
            elif not person and not name:
                saving.fault(row, missing(["Name"]))
        if "RecordTypeId" in cells and saving.updates:
            self._check_types(saving, persons)

    def _check_types(self, saving: Saving, persons: Sequence[bool]) -> None:
        """A person stays one; what the platform says to who changes that is not known."""
        field = self._accounts.sobject.field("RecordTypeId")
        for row, fresh, person, kind in zip(
            saving.rows, saving.fresh, persons, saving.new("RecordTypeId"), strict=True
        ):
            if field is not None and not fresh and self._is_person_type(kind) != person:
                saving.fault(row, not_for_the_user(field, kind))

    def fill(self, saving: Saving) -> None:
        """The name of a person, and that it is one."""
        persons = self._persons(saving)
        places = [place for place, person in enumerate(persons) if person]
        if not places:
            return
        first, last = saving.new("FirstName"), saving.new("LastName")
        saving.set("Name", [full_name(first[place], last[place]) for place in places], places)
        saving.set("IsPersonAccount", ["true"] * len(places), places)

    def make_contacts(self, saved: Saved) -> None:
        """Every new person gets its contact."""
        places = _places(saved.now("IsPersonAccount"))
        if not places:
            return
        table = saved.table
        seqs = [saved.seqs[place] for place in places]
        columns = [table.cells(seqs, name) for name in (*self.mirrored, *_AUDIT)]
        compiled = self._compiled()
        record_ids = table.ids_of(seqs)
        rows = [[*cells, "true", record_id] for *cells, record_id in zip(*columns, record_ids, strict=True)]
        done = self._dml.execute(compiled, rows, saved.context)
        if done.errors:
            for number, errors in done.errors.items():
                saved.fault(places[number], *errors)
            return
        table.update_columns(seqs, {"PersonContactId": list(done.ids)})

    def _compiled(self) -> Compiled:
        if self._make is None:
            columns = [*self.mirrored.values(), *_AUDIT, "IsPersonAccount", "AccountId"]
            self._make = self._dml.compile(self._contacts.sobject, columns, Operation.INSERT, trusted=True)
        return self._make

    def to_contacts(self, saved: Saved) -> None:
        """What changed in accounts changes in their contacts."""
        places = _places(saved.now("IsPersonAccount"))
        seqs = [saved.seqs[place] for place in places]
        contacts = [self._contacts.seq_of(each) for each in saved.table.cells(seqs, "PersonContactId")]
        if seqs:
            pairs = [(mine, theirs) for mine, theirs in self.mirrored.items()]
            self._copy(saved.table, seqs, self._contacts, contacts, pairs, saved.context)

    # --- Contact -------------------------------------------------------------------------------------------------

    def check_contact(self, saving: Saving) -> None:
        """The contact of a person stays with its account, and no other contact belongs to a person."""
        if "AccountId" not in saving.chunk.cells and "AccountId" not in saving.chunk.nulls:
            return
        accounts = saving.new("AccountId")
        of_persons = {one for one in set(accounts) if self._is_person(one)}
        for row, own, old, new in zip(
            saving.rows, saving.new("IsPersonAccount"), saving.old("AccountId"), accounts, strict=True
        ):
            if own == "true" and old and old != new:
                saving.fault(row, not_writeable(["AccountId"]))
            elif own != "true" and old != new and new in of_persons:
                saving.fault(row, _UNRELATED)

    def _is_person(self, account: str) -> bool:
        seq = self._accounts.seq_of(account) if account else 0
        return bool(seq) and self._accounts.cell(seq, "IsPersonAccount") == "true"

    def to_accounts(self, saved: Saved) -> None:
        """What changed in contacts of persons changes in their accounts."""
        places = _places(saved.now("IsPersonAccount"))
        seqs = [saved.seqs[place] for place in places]
        accounts = [self._accounts.seq_of(each) for each in saved.table.cells(seqs, "AccountId")]
        if seqs:
            pairs = [(theirs, mine) for mine, theirs in self.mirrored.items()]
            self._copy(saved.table, seqs, self._accounts, accounts, pairs, saved.context)

    def _copy(
        self,
        source: Table,
        seqs: Sequence[int],
        target: Table,
        others: Sequence[int],
        pairs: Sequence[tuple[str, str]],
        context: Context,
    ) -> None:
        columns: dict[str, Sequence[str]] = {}
        for name, other in pairs:
            cells = source.cells(seqs, name)
            if cells != target.cells(others, other):
                columns[other] = cells
        if not columns:
            return
        if target is self._accounts and not columns.keys().isdisjoint(("FirstName", "LastName")):
            first, last = source.cells(seqs, "FirstName"), source.cells(seqs, "LastName")
            columns["Name"] = list(map(full_name, first, last))
        stamp = (moment(context.now),)
        stamps = {"LastModifiedDate": stamp, "LastModifiedById": (context.actor,), "SystemModstamp": stamp}
        target.update_columns(others, columns | stamps)
        self._truth.append(
            time=context.now,
            origin=context.origin,
            actor=context.actor,
            change=Change.UPDATED,
            sobject=target.sobject.name,
            seqs=others,
        )


def _places(flags: Sequence[str]) -> list[int]:
    return [place for place, flag in enumerate(flags) if flag == "true"]


def _bad_names(names: Sequence[str]) -> RowError:
    text = f"Account: bad field names on insert/update call: {', '.join(names)}"
    return RowError("INVALID_FIELD_FOR_INSERT_UPDATE", text, tuple(names))


def _keep_contact(table: Table, seq: int) -> RowError | None:
    """The contact of a person goes with its account only."""
    if table.cell(seq, "IsPersonAccount") != "true":
        return None
    text = (
        f"Your attempt to delete {table.cell(seq, 'Name')} could not be completed because it is the contact of a"
        " person account. Delete the account instead."
    )
    return RowError("DELETE_FAILED", text)
