"""Which records a transaction locks beside its own, by sObject: read from the schema once, before any record is seen.

Sources: Record-Level Locking in *Designing Record Access for Enterprise Scale* (master-detail and roll-ups; group
membership); the Record Locking Cheat Sheet (standard pairs, lookups by their delete rule, tasks); the SOAP API guide's
`UNABLE_TO_LOCK_ROW`. The cheat sheet adds up: every rule that fits counts.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from migrator.simulator.schema.model import Field, OnDelete, SObject
from migrator.simulator.settings import LockSettings, LookupLocks


class Verb(StrEnum):
    """What is done to a record, as far as locks care."""

    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"


ALL = frozenset(Verb)
SAVED = frozenset({Verb.INSERT, Verb.UPDATE})
_ENDS = frozenset({Verb.INSERT, Verb.DELETE})

# (sObject, field) → when it locks that parent. The rows of Contact, Case and of the line items are not in the parts of
# the cheat sheet that can still be read; they are general knowledge.
STANDARD_PAIRS: Mapping[tuple[str, str], frozenset[Verb]] = {
    ("Opportunity", "AccountId"): frozenset({Verb.INSERT}),
    ("Contact", "AccountId"): ALL,
    ("Case", "AccountId"): ALL,
    ("AccountTeamMember", "AccountId"): _ENDS,
    ("CaseTeamMember", "ParentId"): _ENDS,
    ("OpportunityTeamMember", "OpportunityId"): _ENDS,
    ("CampaignMember", "CampaignId"): ALL,
    ("OpportunityLineItem", "OpportunityId"): ALL,
    ("OrderItem", "OrderId"): ALL,
    ("QuoteLineItem", "QuoteId"): ALL,
    ("Task", "WhoId"): ALL,
    ("Task", "WhatId"): ALL,
}
# tasks lock the account behind these too
_THROUGH: Mapping[tuple[str, str], str] = {("Task", "WhoId"): "AccountId", ("Task", "WhatId"): "AccountId"}
# the org-wide group membership lock: any change of these, and of a user when it moves or is switched on or off
_GROUP_OBJECTS = frozenset(
    {
        "User",
        "UserRole",
        "Group",
        "GroupMember",
        "Territory",
        "UserTerritory",
        "Territory2",
        "UserTerritory2Association",
        "ObjectTerritory2Association",
    }
)
USER_MOVES = frozenset({"UserRoleId", "ProfileId", "IsActive", "ManagerId", "ContactId"})
# ownership, audit and record types are references that nobody looks up
_NO_LOOKUPS = frozenset({"OwnerId", "CreatedById", "LastModifiedById", "RecordTypeId"})


@dataclass(frozen=True, slots=True)
class ParentLock:
    """A field whose record is locked."""

    field: Field
    on: frozenset[Verb]
    through: str = ""  # a field of that record whose record is locked too


@dataclass(frozen=True, slots=True)
class ObjectLocks:
    """What rows of one sObject lock beside themselves."""

    sobject: SObject
    parents: tuple[ParentLock, ...]
    masters: tuple[Field, ...]  # the chain goes up from here when a child locks a record of this sObject
    group: bool  # changes take the group membership lock
    owners: Field | None  # so does a new owner, where sharing is private
    unfinished_only: bool  # an insert locks only for tasks that are open and have a date


def rules_of(sobject: SObject, settings: LockSettings) -> ObjectLocks:
    """The rules of an sObject in an org with these settings."""
    return ObjectLocks(
        sobject,
        tuple(_parents(sobject, settings.lookups)),
        tuple(found for found in sobject.fields if found.relationship_order is not None),
        sobject.name in _GROUP_OBJECTS,
        sobject.field("OwnerId") if sobject.name in settings.private_sharing else None,
        sobject.name == "Task",
    )


def _parents(sobject: SObject, lookups: LookupLocks) -> Iterator[ParentLock]:
    for field in sobject.fields:
        if not field.reference_to or field.name in _NO_LOOKUPS:
            continue
        on = STANDARD_PAIRS.get((sobject.name, field.name), frozenset())
        if field.relationship_order is not None:
            on = ALL
        elif _locks(field, lookups):
            on |= SAVED
        if on:
            yield ParentLock(field, on, _THROUGH.get((sobject.name, field.name), ""))


def _locks(field: Field, lookups: LookupLocks) -> bool:
    match lookups:
        case LookupLocks.NEVER:
            return False
        case LookupLocks.ALWAYS:
            return field.createable or field.updateable
        case LookupLocks.RESTRICTED:
            return field.on_delete is not OnDelete.CLEAR
