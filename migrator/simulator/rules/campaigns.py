"""Members of campaigns: a person once in each, a status that the campaign has, and what the campaign counts."""

from collections import Counter
from collections.abc import Sequence

from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.execution import Effect, Saved, Saving
from migrator.simulator.records.results import RowError
from migrator.simulator.records.truth import Change
from migrator.simulator.records.values import moment

ALREADY = RowError("DUPLICATE_VALUE", "Already a campaign member.")
NOBODY = RowError(
    "REQUIRED_FIELD_MISSING", "Required fields are missing: [LeadId, ContactId]", ("LeadId", "ContactId")
)
_PEOPLE = {"LeadId": "NumberOfLeads", "ContactId": "NumberOfContacts"}


def add(org: OrgState) -> None:
    """Add the rules to the org's."""
    if org.schema.sobject("CampaignMember") is None:
        return
    members = _Members(org)
    org.dml.rules("Campaign").defaults.append(_nobody_yet)
    rules = org.dml.rules("CampaignMember")
    rules.checks.append(members.check)
    rules.defaults.append(members.fill)
    rules.effects.append(Effect(members.count, frozenset({"HasResponded"})))


def _nobody_yet(saving: Saving) -> None:
    """A new campaign has no members, whatever data from elsewhere says: they come later, and are counted then."""
    if saving.inserts:
        for name in (*_PEOPLE.values(), "NumberOfResponses"):
            kept = zip(saving.fresh, saving.new(name), strict=True)
            saving.set(name, ["0" if fresh else held for fresh, held in kept])


class _Members:
    def __init__(self, org: OrgState) -> None:
        self._table = org.store.table("CampaignMember")
        self._campaigns = org.store.table("Campaign")
        self._statuses = org.store.table("CampaignMemberStatus")

    def check(self, saving: Saving) -> None:
        """A lead or a contact, who is not there already."""
        if not saving.inserts:
            return
        seen: set[tuple[str, str]] = set()
        columns = (saving.new(name) for name in ("CampaignId", "LeadId", "ContactId"))
        for row, campaign, lead, contact in zip(saving.rows, *columns, strict=True):
            if row in saving.updates:
                continue
            person = contact or lead
            field = "ContactId" if contact else "LeadId"
            if not person:
                saving.fault(row, NOBODY)
            elif (campaign, person) in seen or self._is_in(campaign, field, person):
                saving.fault(row, ALREADY)
            seen.add((campaign, person))

    def _is_in(self, campaign: str, field: str, person: str) -> bool:
        return any(self._table.cell(seq, "CampaignId") == campaign for seq in self._table.find(field, person))

    def fill(self, saving: Saving) -> None:
        """The campaign's own status, its default in place of one that it has not, and what the status says."""
        if not saving.gives("Status"):
            return
        statuses: list[str] = []
        responded: list[str] = []
        known = {campaign: self._of(campaign) for campaign in set(saving.new("CampaignId"))}
        for campaign, status in zip(saving.new("CampaignId"), saving.new("Status"), strict=True):
            default, answered = known[campaign]
            kept = status if status in answered or not answered else default
            statuses.append(kept)
            responded.append("true" if answered.get(kept) else "false")
        dates = zip(responded, saving.new("FirstRespondedDate"), strict=True)
        today = moment(saving.context.now)[:10]
        saving.set("FirstRespondedDate", [day or (today if flag == "true" else "") for flag, day in dates])
        saving.set("Status", statuses)
        saving.set("HasResponded", responded)

    def _of(self, campaign: str) -> tuple[str, dict[str, bool]]:
        """The default status of a campaign, and of all of them whether they are a response."""
        seqs = self._statuses.find("CampaignId", campaign)
        labels = self._statuses.cells(seqs, "Label")
        answered = [cell == "true" for cell in self._statuses.cells(seqs, "HasResponded")]
        defaults = self._statuses.cells(seqs, "IsDefault")
        default = next((label for label, flag in zip(labels, defaults, strict=True) if flag == "true"), "")
        return default or (labels[0] if labels else ""), dict(zip(labels, answered, strict=True))

    def count(self, saved: Saved) -> None:
        """Add what changed to what the campaigns count."""
        changes: Counter[tuple[str, str]] = Counter()
        there = {Change.CREATED: 1, Change.UNDELETED: 1, Change.DELETED: -1, Change.PURGED: -1}
        campaigns = saved.now("CampaignId")
        step = there.get(saved.change, 0)
        for field, name in _PEOPLE.items():
            changes.update(_counted(campaigns, saved.now(field), name, step))
        now, before = saved.now("HasResponded"), saved.old("HasResponded")
        for campaign, flag, held in zip(campaigns, now, before, strict=True):
            moved = (flag == "true") * step if step else (flag == "true") - (held == "true")
            changes[campaign, "NumberOfResponses"] += moved
        for (campaign, name), number in changes.items():
            seq = self._campaigns.seq_of(campaign)
            if number and self._campaigns.exists(seq):
                held_number = int(self._campaigns.cell(seq, name) or 0)
                self._campaigns.update(seq, {name: str(held_number + number)})


def _counted(
    campaigns: Sequence[str], people: Sequence[str], name: str, step: int
) -> Counter[tuple[str, str]]:
    made: Counter[tuple[str, str]] = Counter()
    for campaign, person in zip(campaigns, people, strict=True):
        if person:
            made[campaign, name] += step
    return made
