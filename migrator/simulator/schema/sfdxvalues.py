"""Value sets of metadata source: global ones by name, and the standard ones with the fields that use them."""

from collections.abc import Mapping

from migrator.simulator.schema.sfdxfield import Given, read_values
from migrator.simulator.xmltree import Numbered

# standard value set → the fields that have its values; "StandardValueSet Names and Standard Picklist Fields"
STANDARD_FIELDS: Mapping[str, tuple[str, ...]] = {
    "AccountOwnership": ("Account.Ownership",),
    "AccountRating": ("Account.Rating", "Lead.Rating"),
    "AccountType": ("Account.Type",),
    "AssetStatus": ("Asset.Status",),
    "CampaignStatus": ("Campaign.Status",),
    "CampaignType": ("Campaign.Type",),
    "CaseOrigin": ("Case.Origin",),
    "CasePriority": ("Case.Priority",),
    "CaseReason": ("Case.Reason",),
    "CaseStatus": ("Case.Status",),
    "CaseType": ("Case.Type",),
    "ContactRole": ("OpportunityContactRole.Role", "AccountContactRole.Role"),
    "ContractStatus": ("Contract.Status",),
    "EventSubject": ("Event.Subject",),
    "Industry": ("Account.Industry", "Lead.Industry"),
    "LeadSource": (
        "Account.AccountSource",
        "Contact.LeadSource",
        "Lead.LeadSource",
        "Opportunity.LeadSource",
    ),
    "LeadStatus": ("Lead.Status",),
    "OpportunityStage": ("Opportunity.StageName",),
    "OpportunityType": ("Opportunity.Type",),
    "OrderStatus": ("Order.Status",),
    "OrderType": ("Order.Type",),
    "Product2Family": ("Product2.Family",),
    "QuantityUnitOfMeasure": ("Product2.QuantityUnitOfMeasure",),
    "Salutation": ("Contact.Salutation", "Lead.Salutation"),
    "TaskPriority": ("Task.Priority",),
    "TaskStatus": ("Task.Status",),
    "TaskSubject": ("Task.Subject",),
}


def global_values(root: Numbered) -> list[Given]:
    """The values of a GlobalValueSet."""
    return read_values(root, "customValue")


def standard_values(root: Numbered) -> Given:
    """The values of a StandardValueSet as what a schema file says of a field."""
    values = read_values(root, "standardValue")
    preset = next((each["value"] for each in values if each.get("preset")), None)
    for each in values:
        each.pop("preset", None)
    return {"values": values} | ({"default": preset} if preset is not None else {})
