"""Person accounts: what they add to Account, Contact and RecordType when an org has them.

A person account is an Account and the Contact that belongs to it; Account mirrors the Contact's fields, standard ones as
`Person…`, custom ones as `…__pc`. Facts are those of a recorded describe.
"""

from collections.abc import Mapping
from dataclasses import replace

from migrator.simulator.schema.fieldline import parse_fields
from migrator.simulator.schema.model import Field, RecordType, SObject

_NAME = """
LastName string(80) system in=Name name extra=switchablepersonname
FirstName string(40) system in=Name name extra=switchablepersonname
Salutation picklist(40) system in=Name extra=switchablepersonname
"""
_ADDRESS = """
Person{0}Street textarea(255) in=Person{0}Address extra=plaintextarea label={0}_Street
Person{0}City string(40) in=Person{0}Address label={0}_City
Person{0}State string(80) in=Person{0}Address label={0}_State/Province
Person{0}PostalCode string(20) in=Person{0}Address label={0}_Zip/Postal_Code
Person{0}Country string(80) in=Person{0}Address label={0}_Country
Person{0}Latitude double(18,15) in=Person{0}Address label={0}_Latitude
Person{0}Longitude double(18,15) in=Person{0}Address label={0}_Longitude
Person{0}GeocodeAccuracy picklist(40) restricted in=Person{0}Address label={0}_Geocode_Accuracy
Person{0}Address address label={0}_Address
"""
_PERSON = """
PersonContactId reference ro system to=Contact as=PersonContact label=Contact_ID
IsPersonAccount boolean ro system
{mailing}
{other}
PersonMobilePhone phone(40) label=Mobile
PersonHomePhone phone(40) label=Home_Phone
PersonOtherPhone phone(40) label=Other_Phone
PersonAssistantPhone phone(40) label=Asst._Phone
PersonEmail email(80) label=Email
PersonTitle string(80) label=Title
PersonDepartment string(80) label=Department
PersonAssistantName string(40) label=Assistant
PersonLeadSource picklist(255) label=Lead_Source
PersonBirthdate date label=Birthdate
PersonHasOptedOutOfEmail boolean label=Email_Opt_Out
PersonHasOptedOutOfFax boolean label=Fax_Opt_Out
PersonDoNotCall boolean label=Do_Not_Call
PersonLastCURequestDate datetime ro system label=Last_Stay-in-Touch_Request_Date
PersonLastCUUpdateDate datetime ro system label=Last_Stay-in-Touch_Save_Date
PersonEmailBouncedReason string(255) system label=Email_Bounced_Reason
PersonEmailBouncedDate datetime system label=Email_Bounced_Date
PersonIndividualId reference system to=Individual as=PersonIndividual label=Individual_ID
PersonPronouns picklist(255) label=Pronouns
PersonGenderIdentity picklist(255) label=Gender_Identity
"""
_CONTACT = """
HasOptedOutOfEmail boolean label=Email_Opt_Out
HasOptedOutOfFax boolean label=Fax_Opt_Out
DoNotCall boolean label=Do_Not_Call
Pronouns picklist(255)
GenderIdentity picklist(255)
IsPersonAccount boolean ro system
"""
# Account fields that are the Contact's own under the same name
SHARED = ("LastName", "FirstName", "Salutation", "Phone", "Fax", "Description", "OwnerId")
PERSON_TYPE = RecordType("PersonAccount", "Person Account", person=True)
BUSINESS_TYPE = RecordType("Business_Account", "Business Account", default=True)


def with_person_accounts(objects: Mapping[str, SObject]) -> dict[str, SObject]:
    """The sObjects of an org that has person accounts."""
    contact = _with(objects["Contact"], parse_fields(_CONTACT))
    types = parse_fields("IsPersonType boolean ro system")
    made = {
        "Account": _account(objects["Account"], contact),
        "Contact": contact,
        "RecordType": _with(objects["RecordType"], types),
    }
    return {**objects, **made}


def _with(sobject: SObject, more: list[Field]) -> SObject:
    have = {found.name for found in sobject.fields}
    return replace(sobject, fields=(*sobject.fields, *(each for each in more if each.name not in have)))


def _account(account: SObject, contact: SObject) -> SObject:
    text = _PERSON.format(mailing=_ADDRESS.format("Mailing"), other=_ADDRESS.format("Other"))
    name = [_with_values(each, contact) for each in parse_fields(_NAME)]
    person = [_with_values(each, contact) for each in parse_fields(text)]
    custom = [_mirror(each) for each in contact.fields if each.custom]
    fields: list[Field] = []
    for field in account.fields:
        fields.append(replace(field, nillable=True) if field.name == "Name" else field)
        if field.name == "Name":
            fields += name
        if field.name == "LastReferencedDate":
            fields += person
    return replace(account, fields=(*fields, *custom), record_types=_record_types(account.record_types))


def contact_field(name: str) -> str:
    """The Contact's field that a field of Account mirrors: `Email` of `PersonEmail`, `Level__c` of `Level__pc`."""
    return name.removesuffix("__pc") + "__c" if name.endswith("__pc") else name.removeprefix("Person")


def _with_values(field: Field, contact: SObject) -> Field:
    own = contact.field(contact_field(field.name))
    return replace(field, values=own.values, choices=own.choices) if own is not None and own.values else field


def _mirror(field: Field) -> Field:
    stem = field.name.removesuffix("__c")
    return replace(
        field,
        name=f"{stem}__pc",
        relationship=f"{stem}__pr" if field.relationship else None,
        children=None,
        controller=f"{field.controller.removesuffix('__c')}__pc" if field.controller else None,
        unique=False,
        external_id=False,
        id_lookup=False,
        summary=None,
        formula=f"PersonContact.{field.name}" if field.formula or field.summary else None,
    )


def _record_types(listed: tuple[RecordType, ...]) -> tuple[RecordType, ...]:
    """At least one record type of persons and one of businesses, as the platform demands."""
    made = list(listed)
    if all(each.person for each in made):
        made.insert(0, replace(BUSINESS_TYPE, default=not any(each.default for each in made)))
    if not any(each.person for each in made):
        made.append(PERSON_TYPE)
    return tuple(made)
