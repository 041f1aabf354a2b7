"""An org's schema as one user sees it: without what the user may not read, read-only where the user may not write.

**Invariant:** whoever may do everything sees the org's own schema, the very same object.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from migrator.simulator.schema.model import Field, FieldType, Schema, SObject, make_schema
from migrator.simulator.schema.people import ALL, NOTHING, ObjectRights

# Setup objects have no object permissions: a user permission lets one write them, and some only be seen.
_WRITERS = {
    "AssignmentRule": "CustomizeApplication",
    "CurrencyType": "CustomizeApplication",
    "CustomPermission": "CustomizeApplication",
    "DatedConversionRate": "CustomizeApplication",
    "FieldPermissions": "ManageProfilesPermissionsets",
    "Group": "ManageUsers",
    "GroupMember": "ManageUsers",
    "ObjectPermissions": "ManageProfilesPermissionsets",
    "Organization": "CustomizeApplication",
    "PermissionSet": "ManageProfilesPermissionsets",
    "PermissionSetAssignment": "AssignPermissionSets",
    "Profile": "ManageProfilesPermissionsets",
    "QueueSobject": "ManageUsers",
    "RecordType": "CustomizeApplication",
    "SetupEntityAccess": "ManageProfilesPermissionsets",
    "User": "ManageUsers",
    "UserLicense": "CustomizeApplication",
    "UserLogin": "ManageUsers",
    "UserRole": "ManageUsers",
}
_SEEN_WITH_SETUP = frozenset(
    {"CustomPermission", "FieldPermissions", "ObjectPermissions", "PermissionSet", "SetupEntityAccess"}
)
# These have no object permissions of their own: their parent's count.
_OF_PARENT = {
    "AccountContactRelation": "Account",
    "AccountTeamMember": "Account",
    "CampaignMember": "Campaign",
    "CampaignMemberStatus": "Campaign",
    "CaseComment": "Case",
    "OpportunityContactRole": "Opportunity",
    "OpportunityLineItem": "Opportunity",
    "OpportunityTeamMember": "Opportunity",
    "OrderItem": "Order",
    "PricebookEntry": "Pricebook2",
}
# … and these none at all.
_OPEN = frozenset(
    {
        "Attachment",
        "ContentDocument",
        "ContentDocumentLink",
        "ContentVersion",
        "ContentWorkspace",
        "EntityDefinition",
        "Event",
        "FieldDefinition",
        "Folder",
        "Note",
        "Task",
    }
)


@dataclass(frozen=True, slots=True)
class Rights:
    """The sum of what a user's profile and permission sets give."""

    objects: Mapping[str, ObjectRights]  # by sObject
    readable: frozenset[str]  # fields, as `Account.Rating`
    editable: frozenset[str]
    user: frozenset[str]  # user permissions


@dataclass(frozen=True, slots=True)
class View:
    """What one user sees of an org, and which permissions the user has."""

    schema: Schema
    user: frozenset[str]  # user permissions: `ApiEnabled`
    custom: frozenset[str] = frozenset()  # custom permissions, as `$Permission` names them

    def may(self, permission: str) -> bool:
        """Whether the user has a user permission."""
        return permission in self.user


def is_setup(sobject: SObject) -> bool:
    """Whether an sObject is part of an org's set-up, which user permissions open."""
    return sobject.name in _WRITERS


def has_object_permissions(sobject: SObject) -> bool:
    """Whether profiles and permission sets say something about an sObject."""
    name = sobject.name
    return not (name in _WRITERS or name in _OF_PARENT or name in _OPEN)


def has_field_permissions(sobject: SObject, field: Field) -> bool:
    """Whether profiles and permission sets say something about a field: not if it is required, or the system's."""
    return field.permissionable and field.nillable and sobject.name not in _WRITERS


def restricted(schema: Schema, rights: Rights) -> Schema:
    """The schema with what the rights leave of it; the schema itself when they leave everything."""
    made: list[SObject] = []
    same = True
    for sobject in schema.sobjects:
        seen = _seen(schema, sobject, rights)
        same = same and seen is sobject
        if seen is not None:
            made.append(seen)
    return schema if same else make_schema(made, schema.organization, schema.people)


def _seen(schema: Schema, sobject: SObject, rights: Rights) -> SObject | None:
    allowed = _object_rights(schema, sobject, rights)
    if not allowed.read:
        return None
    createable = sobject.createable and allowed.create
    updateable = sobject.updateable and allowed.edit
    deletable = sobject.deletable and allowed.delete
    fields: list[Field] = []
    same = True
    for field in sobject.fields:
        shown = _shown(sobject, field, rights)
        same = same and shown is field
        if shown is not None:
            fields.append(shown)
    flags = (createable, updateable, deletable)
    if same and flags == (sobject.createable, sobject.updateable, sobject.deletable):
        return sobject
    return replace(
        sobject, fields=tuple(fields), createable=createable, updateable=updateable, deletable=deletable
    )


def _object_rights(schema: Schema, sobject: SObject, rights: Rights) -> ObjectRights:
    name = sobject.name
    if name in _WRITERS:
        writes = _WRITERS[name] in rights.user
        reads = name not in _SEEN_WITH_SETUP or "ViewSetup" in rights.user
        return ObjectRights(read=reads, create=writes, edit=writes, delete=writes)
    if name in _OPEN:
        return ALL
    if name in _OF_PARENT and schema.sobject(_OF_PARENT[name]) is not None:
        parent = rights.objects.get(_OF_PARENT[name], NOTHING)
        return ObjectRights(read=parent.read, create=parent.edit, edit=parent.edit, delete=parent.edit)
    return rights.objects.get(name, NOTHING)


def _shown(sobject: SObject, field: Field, rights: Rights) -> Field | None:
    """The field as the rights leave it; None when it is hidden. The parts of an address go with the whole."""
    if not has_field_permissions(sobject, field):
        return field
    names = {f"{sobject.name}.{field.name}"}
    whole = sobject.field(field.compound) if field.compound else None
    if whole is not None and whole.type is FieldType.ADDRESS:
        names.add(f"{sobject.name}.{whole.name}")
    if names.isdisjoint(rights.readable):
        return None
    if names.isdisjoint(rights.editable) and (field.createable or field.updateable):
        return replace(field, createable=False, updateable=False)
    return field
