"""The records that a new org has before anybody loads anything: itself, who is in it, record types, a price book."""

from collections.abc import Iterable

from migrator.simulator.ids import to_18
from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.values import format_double, moment
from migrator.simulator.rules.cases import Assignments
from migrator.simulator.schema.features import CURRENCY_FIELD
from migrator.simulator.schema.people import (
    ADMINISTRATOR,
    STANDARD_PROFILES,
    USER_PERMISSIONS,
    Granted,
    People,
    Person,
)

LICENSE = "Salesforce"


def furnish(org: OrgState) -> None:
    """Fill an empty org."""
    _Furnisher(org).everything()
    org.part(Furnished).remember()


class Furnished:
    """Which records an org has by itself; `org.part(Furnished)`."""

    def __init__(self, org: OrgState) -> None:
        self._org = org
        self._next: dict[str, int] = {}

    def remember(self) -> None:
        """All that are there now."""
        self._next = {
            each.sobject.name: each.next_seq for each in self._org.store.tables() if each.next_seq > 1
        }

    def next_seq(self, sobject: str) -> int:
        """The number of the first record that somebody made."""
        return self._next.get(sobject, 1)


class _Furnisher:
    def __init__(self, org: OrgState) -> None:
        self._org = org
        self._stamp = moment(org.clock.now())
        self._profiles: dict[str, str] = {}  # ids by name
        self._sets: dict[str, str] = {}
        self._custom: dict[str, str] = {}
        self._currency = next((each.code for each in org.schema.currencies if each.corporate), "")

    def everything(self) -> None:
        org, people = self._org, self._org.schema.people
        own = next((each for each in people.users if each.username == org.settings.username), None)
        license_id = self._add(
            "UserLicense",
            Name=LICENSE,
            MasterLabel=LICENSE,
            LicenseDefinitionKey="SFDC",
            Status="Active",
            TotalLicenses=str(org.settings.user_licenses),
        )
        given = {each.name: each for each in people.profiles}
        named = {each.name: given.pop(each.name, each) for each in STANDARD_PROFILES}
        for granted in [*named.values(), *given.values()]:
            self._profile(_in_this_org(org, granted), license_id)
        org.user_id = self._user(
            Person(
                org.settings.username,
                own.profile if own else ADMINISTRATOR.name,
                last_name="User",
            ),
            FirstName="Integration",
            Alias="integ",
            CommunityNickname="integration",
        )
        self._sign()
        self._organization()
        self._add("Pricebook2", Name="Standard Price Book", IsActive="true", IsStandard="true")
        for currency in self._org.schema.currencies:
            self._add(
                "CurrencyType",
                IsoCode=currency.code,
                ConversionRate=format_double(currency.rate),
                DecimalPlaces="2",
                IsActive="true" if currency.active else "false",
                IsCorporate="true" if currency.corporate else "false",
            )
        self._record_types()
        self._people(people, own)

    def _add(self, sobject: str, record_id: str = "", **values: str) -> str:
        org = self._org
        described = org.schema.sobject(sobject)
        if described is None:
            return ""
        dates = dict.fromkeys(("CreatedDate", "LastModifiedDate", "SystemModstamp"), self._stamp)
        users = dict.fromkeys(("CreatedById", "LastModifiedById"), org.user_id)
        own = dict.fromkeys((CURRENCY_FIELD, f"Default{CURRENCY_FIELD}"), self._currency)
        given = dates | users | (own if self._currency else {}) | values
        cells = {name: cell for name, cell in given.items() if described.field(name) is not None}
        cells["SystemModstamp"] = self._stamp  # every record has it, whether or not it is shown
        table = org.store.table(sobject)
        seq = table.insert(cells)
        if record_id:
            table.give_id(seq, record_id)
        return table.id_of(seq)

    def _sign(self) -> None:
        """What was made before there was a user is the user's work too."""
        for name in ("User", "Profile", "PermissionSet"):
            table = self._org.store.table(name)
            for seq in table.scan():
                table.update(seq, dict.fromkeys(("CreatedById", "LastModifiedById"), self._org.user_id))

    def _organization(self) -> None:
        settings = self._org.settings
        self._add(
            "Organization",
            to_18(settings.organization_id),
            Name=settings.name,
            IsSandbox="true" if settings.sandbox else "false",
            OrganizationType="Developer Edition",
            InstanceName="SIM1",
            DefaultLocaleSidKey="en_US",
            TimeZoneSidKey="GMT",
            LanguageLocaleKey="en_US",
        )

    def _record_types(self) -> None:
        for sobject in self._org.schema.sobjects:
            for record_type in sobject.record_types:
                made = self._add(
                    "RecordType",
                    to_18(record_type.id) if record_type.id else "",
                    Name=record_type.label,
                    DeveloperName=record_type.developer_name,
                    SobjectType=sobject.name,
                    IsActive="true" if record_type.active else "false",
                    IsPersonType="true" if record_type.person else "false",
                )
                if record_type.default:
                    self._org.record_types[sobject.name] = made

    # --- who may do what -----------------------------------------------------------------------------------------

    def _profile(self, granted: Granted, license_id: str) -> None:
        flags = _flags(granted.user)
        profile = self._add(
            "Profile", Name=granted.name, UserType="Standard", UserLicenseId=license_id, **flags
        )
        self._profiles[granted.name] = profile
        made = self._add(
            "PermissionSet",
            Name=f"X{profile}",
            Label=f"X{profile}",
            ProfileId=profile,
            IsOwnedByProfile="true",
            IsCustom="false",
            Type="Profile",
            LicenseId=license_id,
            **flags,
        )
        self._grant(made, granted)

    def _grant(self, permission_set: str, granted: Granted) -> None:
        self._org.grants.come_with(permission_set, granted)
        for name in granted.custom:
            if name not in self._custom:
                label = name.replace("_", " ")
                self._custom[name] = self._add("CustomPermission", DeveloperName=name, MasterLabel=label)
            self._add(
                "SetupEntityAccess",
                ParentId=permission_set,
                SetupEntityId=self._custom[name],
                SetupEntityType="CustomPermission",
            )

    def _user(self, person: Person, **more: str) -> str:
        made = self._add(
            "User",
            **{
                "Username": person.username,
                "LastName": person.last_name,
                "Email": person.username,
                "Alias": person.username[:8],
                "CommunityNickname": person.username.partition("@")[0][:40],
                "IsActive": "true" if person.active else "false",
                "ProfileId": self._profiles.get(person.profile, ""),
                "TimeZoneSidKey": "GMT",
                "LocaleSidKey": "en_US",
                "EmailEncodingKey": "UTF-8",
                "LanguageLocaleKey": "en_US",
                "UserType": "Standard",
            }
            | more,
        )
        self._add("UserLogin", UserId=made, IsFrozen="false", IsPasswordLocked="false")
        return made

    def _people(self, people: People, own: Person | None) -> None:
        for granted in people.permission_sets:
            made = self._sets[granted.name] = self._add(
                "PermissionSet", Name=granted.name, Label=granted.label, **_flags(granted.user)
            )
            self._grant(made, granted)
        users = {self._org.settings.username: self._org.user_id}
        for person in people.users:
            if person is not own:
                users[person.username] = self._user(person)
            for name in person.permission_sets:
                self._add(
                    "PermissionSetAssignment",
                    AssigneeId=users[person.username],
                    PermissionSetId=self._sets.get(name, ""),
                )
        owners = dict(users)
        for queue in people.queues:
            made = owners[queue.name] = self._add(
                "Group", Name=queue.label, DeveloperName=queue.name, Type="Queue"
            )
            for name in queue.objects:
                self._add("QueueSobject", QueueId=made, SobjectType=name)
            for member in queue.members:
                self._add("GroupMember", GroupId=made, UserOrGroupId=users.get(member, ""))
        for rule in people.assignments:
            active = "true" if rule.active else "false"
            made = self._add("AssignmentRule", Name=rule.name, SobjectType=rule.sobject, Active=active)
            self._org.part(Assignments).owners[made] = owners.get(rule.owner, "")


def _flags(given: Iterable[str]) -> dict[str, str]:
    held = set(given)
    return {f"Permissions{name}": "true" if name in held else "false" for name in USER_PERMISSIONS}


def _in_this_org(org: OrgState, granted: Granted) -> Granted:
    """An administrator has the permissions that the org's settings switch off only when they are on."""
    if granted is not ADMINISTRATOR:
        return granted
    switched = {
        "BulkApiHardDelete": org.settings.hard_delete,
        "CreateAuditFields": org.settings.audit_fields,
        "ManageSharing": org.settings.manage_sharing,
        "ModifyMetadata": org.settings.modify_metadata,
        "UpdateWithInactiveOwner": org.settings.audit_fields,
    }
    user = granted.user.difference(name for name, on in switched.items() if not on)
    return Granted(granted.name, granted.label, user, granted.custom, granted.objects, granted.fields)
