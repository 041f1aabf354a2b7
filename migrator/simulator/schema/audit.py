"""Set Audit Fields upon Record Creation: which fields of which sObjects the permission lets an insert give.

Of an insert only: an update or upsert may not, whoever does it ("Enable Set Audit Fields upon Record Creation").
"""

from migrator.simulator.schema.model import Field, SObject

AUDIT_FIELDS = frozenset({"CreatedById", "CreatedDate", "LastModifiedById", "LastModifiedDate"})
_OF_LEADS = frozenset({"ConvertedAccountId", "ConvertedContactId", "ConvertedDate", "ConvertedOpportunityId"})
_STANDARD = frozenset(
    {
        "Account",
        "Attachment",
        "CampaignMember",
        "Case",
        "CaseComment",
        "Contact",
        "ContentNote",
        "ContentVersion",
        "Contract",
        "EmailMessage",
        "Event",
        "FeedComment",
        "FeedItem",
        "Idea",
        "IdeaComment",
        "Lead",
        "Opportunity",
        "Quote",
        "Task",
        "Vote",
        "WorkOrder",
    }
)


def auditable(sobject: SObject, field: Field) -> bool:
    """Whether the permission makes a field createable."""
    if sobject.name == "Lead" and field.name in _OF_LEADS:
        return True
    return field.name in AUDIT_FIELDS and (sobject.custom or sobject.name in _STANDARD)
