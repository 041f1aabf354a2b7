"""The records that a new org has before anybody loads anything: itself, profiles, its user, record types, a price book."""

from migrator.simulator.ids import to_18
from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.values import moment

PROFILES = ("System Administrator", "Standard User", "Minimum Access - Salesforce")


def furnish(org: OrgState) -> None:
    """Fill an empty org."""
    stamp = moment(org.clock.now())
    settings = org.settings
    profiles = [_add(org, "Profile", stamp, Name=name, UserType="Standard") for name in PROFILES]
    org.user_id = _add(
        org,
        "User",
        stamp,
        Username=settings.username,
        LastName="User",
        FirstName="Integration",
        Email=settings.username,
        Alias="integ",
        CommunityNickname="integration",
        IsActive="true",
        ProfileId=profiles[0],
        TimeZoneSidKey="GMT",
        LocaleSidKey="en_US",
        EmailEncodingKey="UTF-8",
        LanguageLocaleKey="en_US",
        UserType="Standard",
    )
    user = org.store.table("User")
    for name in ("CreatedById", "LastModifiedById"):
        for table in (user, org.store.table("Profile")):
            for seq in table.scan():
                table.update(seq, {name: org.user_id})
    _add(
        org,
        "Organization",
        stamp,
        Name=settings.name,
        IsSandbox="true" if settings.sandbox else "false",
        OrganizationType="Developer Edition",
        InstanceName="SIM1",
        DefaultLocaleSidKey="en_US",
        TimeZoneSidKey="GMT",
        LanguageLocaleKey="en_US",
    )
    _add(org, "Pricebook2", stamp, Name="Standard Price Book", IsActive="true", IsStandard="true")
    for sobject in org.schema.sobjects:
        for record_type in sobject.record_types:
            made = _add(
                org,
                "RecordType",
                stamp,
                Name=record_type.label,
                DeveloperName=record_type.developer_name,
                SobjectType=sobject.name,
                IsActive="true" if record_type.active else "false",
            )
            if record_type.default:
                org.record_types[sobject.name] = made


def _add(org: OrgState, sobject: str, stamp: str, **values: str) -> str:
    described = org.schema.sobject(sobject)
    if described is None:
        return ""
    if sobject == "Organization":
        org.store.table(sobject).organization_id = to_18(org.settings.organization_id)
    audit = {
        "CreatedDate": stamp,
        "CreatedById": org.user_id,
        "LastModifiedDate": stamp,
        "LastModifiedById": org.user_id,
        "SystemModstamp": stamp,
    }
    cells = {name: cell for name, cell in (audit | values).items() if described.field(name) is not None}
    table = org.store.table(sobject)
    return table.id_of(table.insert(cells))
