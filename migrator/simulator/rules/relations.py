"""Records that come with others: relations of contacts to accounts, roles in opportunities, statuses of campaigns."""

from collections.abc import Sequence

from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.compile import Operation
from migrator.simulator.records.execution import Effect, Saved, Saving
from migrator.simulator.records.results import RowError
from migrator.simulator.records.table import Table
from migrator.simulator.records.truth import Change
from migrator.simulator.rules.making import Lookup, make_records

_NEW = frozenset({Change.CREATED})
_NO_ACCOUNT = RowError(
    "FIELD_INTEGRITY_EXCEPTION",
    "A contact without a primary account cannot be related to accounts",
    ("ContactId",),
)
_DIRECT = RowError(
    "INSUFFICIENT_ACCESS_OR_READONLY", "A direct account contact relationship cannot be deleted by itself"
)
# what every campaign begins with
STATUSES = (("Sent", "1", "true", "false"), ("Responded", "2", "false", "true"))


def add(org: OrgState) -> None:
    """Add the rules to the org's."""
    if org.schema.sobject("AccountContactRelation") is not None:
        relations = _Relations(org)
        contacts = org.dml.rules("Contact")
        contacts.effects.append(Effect(relations.begin, changes=_NEW))
        watched = frozenset({"AccountId"})
        contacts.effects.append(Effect(relations.move, watched, frozenset({Change.UPDATED})))
        rules = org.dml.rules("AccountContactRelation")
        rules.checks.append(relations.check)
        rules.removals.append(_keep_direct)
    if org.schema.sobject("OpportunityContactRole") is not None:
        roles = _Roles(org)
        org.dml.rules("Opportunity").effects.append(Effect(roles.first, changes=_NEW))
        watched = frozenset({"IsPrimary"})
        org.dml.rules("OpportunityContactRole").effects.append(Effect(roles.one_primary, watched))
    if org.schema.sobject("CampaignMemberStatus") is not None:
        _add_statuses(org)


class _Relations:
    """A contact with an account has a direct relation to it, and may have others."""

    def __init__(self, org: OrgState) -> None:
        self._org = org
        self._table = org.store.table("AccountContactRelation")
        self._persons = org.store.table("Contact").sobject.field("IsPersonAccount") is not None

    def check(self, saving: Saving) -> None:
        """Only contacts with an account can be related to more."""
        if saving.inserts:
            contacts = Lookup(self._org.store.table("Contact"))
            accounts = contacts.cells(saving.new("ContactId"), "AccountId")
            for row, account in zip(saving.rows, accounts, strict=True):
                if not account and row not in saving.updates:
                    saving.fault(row, _NO_ACCOUNT)

    def begin(self, saved: Saved) -> None:
        """Direct relations of new contacts; a person account's contact needs none."""
        ids = saved.table.ids_of(saved.seqs)
        persons = saved.now("IsPersonAccount") if self._persons else [""] * len(ids)
        rows = zip(saved.now("AccountId"), ids, persons, strict=True)
        self._relate([(account, contact) for account, contact, person in rows if person != "true"], saved)

    def move(self, saved: Saved) -> None:
        """A contact whose account changed has its direct relation there."""
        gone: list[str] = []
        fresh: list[tuple[str, str]] = []
        ids = saved.table.ids_of(saved.seqs)
        for contact, now, before in zip(ids, saved.now("AccountId"), saved.old("AccountId"), strict=True):
            if now == before:
                continue
            held = {self._table.cell(seq, "AccountId"): seq for seq in self._table.find("ContactId", contact)}
            if before in held:
                gone.append(self._table.id_of(held[before]))
            if now in held:
                self._direct(held[now], saved)
            else:
                fresh.append((now, contact))
        if gone:
            self._org.dml.delete(gone, saved.context, trusted=True)
        self._relate(fresh, saved)

    def _direct(self, seq: int, saved: Saved) -> None:
        compiled = self._org.dml.compile(
            self._table.sobject, ["Id", "IsDirect"], Operation.UPDATE, trusted=True
        )
        self._org.dml.execute(compiled, [[self._table.id_of(seq), "true"]], saved.context)

    def _relate(self, pairs: Sequence[tuple[str, str]], saved: Saved) -> None:
        pairs = [pair for pair in pairs if pair[0]]
        if pairs:
            accounts, contacts = zip(*pairs, strict=True)
            direct = ["true"] * len(pairs)
            columns = {"AccountId": accounts, "ContactId": contacts, "IsDirect": direct}
            make_records(self._org, "AccountContactRelation", columns, saved.context)


def _keep_direct(table: Table, seq: int) -> RowError | None:
    return _DIRECT if table.cell(seq, "IsDirect") == "true" else None


class _Roles:
    """The contact that an opportunity is made with is its primary one, and there is one primary only."""

    def __init__(self, org: OrgState) -> None:
        self._org = org
        self._table = org.store.table("OpportunityContactRole")

    def first(self, saved: Saved) -> None:
        """The role of a new opportunity's contact."""
        contacts = saved.now("ContactId")
        ids = saved.table.ids_of(saved.seqs)
        pairs = [(own, contact) for own, contact in zip(ids, contacts, strict=True) if contact]
        if pairs:
            opportunities, people = zip(*pairs, strict=True)
            columns = {
                "OpportunityId": opportunities,
                "ContactId": people,
                "IsPrimary": ["true"] * len(pairs),
            }
            make_records(self._org, "OpportunityContactRole", columns, saved.context)

    def one_primary(self, saved: Saved) -> None:
        """A new primary contact takes the place of the one before; the opportunity names it."""
        opportunities = self._org.store.table("Opportunity")
        primary = saved.now("IsPrimary")
        gone = saved.change in {Change.DELETED, Change.PURGED}
        for seq, flag, opportunity, contact in zip(
            saved.seqs, primary, saved.now("OpportunityId"), saved.now("ContactId"), strict=True
        ):
            place = opportunities.seq_of(opportunity)
            if flag != "true" or not opportunities.exists(place):
                continue
            if gone:
                opportunities.update(place, {"ContactId": ""})
                continue
            others = self._table.find("OpportunityId", opportunity)
            taken = [each for each in others if each != seq and self._table.cell(each, "IsPrimary") == "true"]
            if taken:
                self._table.update_columns(taken, {"IsPrimary": ("false",)})
            opportunities.update(place, {"ContactId": contact})


def _add_statuses(org: OrgState) -> None:
    def begin(saved: Saved) -> None:
        ids = saved.table.ids_of(saved.seqs)
        labels, orders, defaults, responded = (
            list(column) * len(ids) for column in zip(*STATUSES, strict=True)
        )
        columns = {
            "CampaignId": [each for each in ids for _ in STATUSES],
            "Label": labels,
            "SortOrder": orders,
            "IsDefault": defaults,
            "HasResponded": responded,
        }
        make_records(org, "CampaignMemberStatus", columns, saved.context)

    org.dml.rules("Campaign").effects.append(Effect(begin, changes=_NEW))
