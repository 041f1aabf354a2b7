"""Which records a row locks when it is written, from the target's describe.

Salesforce locks the row, and of the records that it looks up: masters and whoever sums them up, always; parents of the standard pairs
below; and of other lookups those whose deletion is restricted or cascades, as a lookup that is only cleared does not need its parent to stand
still. Sources: "Record-Level Locking" in Designing Record Access for Enterprise Scale, the Record Locking Cheat Sheet, Bulk API guide
("Organize Batches to Minimize Lock Contention"). Where they disagree a weight says how likely the lock is; the plan may say otherwise.

**Invariant:** pure; equal describes give equal keys in an equal order.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from migrator.model.plan import Locks
from migrator.model.schedule import LockKey, LookupSpec
from migrator.model.schema import FieldSchema, SObjectSchema

#: why the lock of a master is taken
MASTER: Final = "master-detail"
_MASTER: Final = 1.0
_PAIR: Final = 1.0
_RESTRICTED: Final = 0.7
_OTHER: Final = 0.3

#: standard sObject → relationship fields whose records are locked whatever describe says of them
PAIRS: Final[Mapping[str, frozenset[str]]] = {
    "AccountContactRelation": frozenset({"AccountId", "ContactId"}),
    "AccountTeamMember": frozenset({"AccountId"}),
    "Asset": frozenset({"AccountId"}),
    "CampaignMember": frozenset({"CampaignId", "ContactId", "LeadId"}),
    "Case": frozenset({"AccountId"}),
    "CaseTeamMember": frozenset({"ParentId"}),
    "Contact": frozenset({"AccountId"}),
    "ContentDocumentLink": frozenset({"LinkedEntityId"}),
    "Contract": frozenset({"AccountId"}),
    "Event": frozenset({"WhatId", "WhoId"}),
    "Opportunity": frozenset({"AccountId"}),
    "OpportunityContactRole": frozenset({"OpportunityId"}),
    "OpportunityLineItem": frozenset({"OpportunityId"}),
    "OpportunityTeamMember": frozenset({"OpportunityId"}),
    "Order": frozenset({"AccountId"}),
    "OrderItem": frozenset({"OrderId"}),
    "Quote": frozenset({"OpportunityId"}),
    "QuoteLineItem": frozenset({"QuoteId"}),
    "Task": frozenset({"WhatId", "WhoId"}),
}
#: writing these takes a lock that the whole org shares (Designing Record Access for Enterprise Scale, "Group Membership Locking")
GROUP_MEMBERSHIP: Final = frozenset(
    {
        "Group",
        "GroupMember",
        "ObjectTerritory2Association",
        "Territory2",
        "User",
        "UserRole",
        "UserTerritory2Association",
    }
)


def lock_set(locks: Locks, lookups: Iterable[LookupSpec], target: SObjectSchema) -> tuple[LockKey, ...]:
    """The keys of an object's rows, the likeliest first. What the plan names in `keys` or `group_by` is all there is."""
    fields = [target.fields[one.rule.target] for one in lookups]
    named = (locks.group_by,) if locks.group_by else locks.keys
    if named:
        places = {name: place for place, name in enumerate(named)}
        chosen = sorted((one for one in fields if one.name in places), key=lambda one: places[one.name])
        return tuple(_key(one, locks.weights.get(one.name, 1.0), "the plan says so") for one in chosen)
    # the primary master first; a lookup of the sObject itself is always cleared
    fields.sort(key=lambda one: (one.relationship_order is None, one.relationship_order or 0, one.name))
    keys = [_judged(target.name, one, locks.weights) for one in fields if target.name not in one.reference_to]
    return tuple(sorted((one for one in keys if one.weight > 0), key=lambda one: -one.weight))


def _judged(sobject: str, field: FieldSchema, weights: Mapping[str, float]) -> LockKey:
    if field.name in weights:
        return _key(field, weights[field.name], "the plan says so")
    if field.master_detail:
        return _key(field, _MASTER, MASTER)
    if field.name in PAIRS.get(sobject, ()):
        return _key(field, _PAIR, "standard pair")
    if field.restricted_delete or field.cascade_delete:
        return _key(field, _RESTRICTED, "its deletion is restricted or cascades")
    if field.required_on_insert and field.name != "OwnerId":
        # a required lookup cannot be cleared, so its record cannot be deleted
        return _key(field, _RESTRICTED, "required")
    if field.name == "OwnerId":
        # owners are users and queues: what a change of owner locks is the org's sharing, not the user's record
        return _key(field, 0.0, "owner")
    return _key(field, _OTHER, "lookup")


def _key(field: FieldSchema, weight: float, why: str) -> LockKey:
    return LockKey(field.name, weight, why)
