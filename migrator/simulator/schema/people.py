"""Profiles, permission sets, users and queues of a schema file.

    profiles:
      Integration:
        permissions: [ApiEnabled, ViewSetup]
        objects: {"*": all, Account: read edit}
        fields: {"*": edit, Account.Rating: read, Account.Sic: none}
    permission_sets:
      Migration_Bypass: {custom_permissions: [Bypass_Rules]}
    users:
      integration@simulator.example: {profile: Integration, permission_sets: [Migration_Bypass]}
      gone@simulator.example: {profile: Standard User, active: false}
    queues:
      Support: {objects: [Case], members: [integration@simulator.example]}
    assignment_rules:
      Case: {owner: Support}

Patterns (`*`, `*__c`, `Account.*`) may stand for sObjects and fields; what comes later wins.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute
from fnmatch import fnmatchcase
from typing import Any, TypeVar

T = TypeVar("T")

# The user permissions that make a difference here, by their names in Profile and PermissionSet without `Permissions`.
USER_PERMISSIONS = (
    "ApiEnabled",
    "AssignPermissionSets",
    "BulkApiHardDelete",
    "CreateAuditFields",
    "CustomizeApplication",
    "EditReadonlyFields",
    "ManageDataIntegrations",
    "ManageProfilesPermissionsets",
    "ManageSharing",
    "ManageUsers",
    "ModifyAllData",
    "ModifyMetadata",
    "TransferAnyEntity",
    "UpdateWithInactiveOwner",
    "ViewAllData",
    "ViewAllUsers",
    "ViewSetup",
)
_FIELD_ACCESS = ("none", "read", "edit")
_OBJECT_WORDS = ("read", "create", "edit", "delete")
SECTIONS = frozenset({"profiles", "permission_sets", "users", "queues", "assignment_rules"})


@dataclass(frozen=True, slots=True)
class ObjectRights:
    """What may be done to the records of an sObject."""

    read: bool = False
    create: bool = False
    edit: bool = False
    delete: bool = False

    def __or__(self, other: "ObjectRights") -> "ObjectRights":
        return ObjectRights(
            self.read or other.read,
            self.create or other.create,
            self.edit or other.edit,
            self.delete or other.delete,
        )


NOTHING = ObjectRights()
ALL = ObjectRights(read=True, create=True, edit=True, delete=True)


@dataclass(frozen=True, slots=True)
class Granted:
    """What a profile or a permission set gives."""

    name: str
    label: str
    user: frozenset[str] = frozenset()  # user permissions
    custom: tuple[str, ...] = ()  # custom permissions
    objects: Mapping[str, ObjectRights] = attribute(default_factory=dict)  # by pattern
    fields: Mapping[str, str] = attribute(default_factory=dict)  # by pattern: none, read or edit

    def of_object(self, name: str) -> ObjectRights:
        """What it says about an sObject; a pattern of all custom ones counts for those only."""
        return _last(self.objects, name, NOTHING)

    def of_field(self, sobject: str, name: str) -> str:
        """What it says about a field."""
        return _last(self.fields, f"{sobject}.{name}", "none")

    @property
    def everything(self) -> bool:
        """Whether no sObject and no field is left out."""
        return dict(self.objects) == {"*": ALL} and dict(self.fields) == {"*": "edit"}


def _last(patterns: Mapping[str, T], name: str, default: T) -> T:
    found = default
    for pattern, value in patterns.items():
        if pattern == name or fnmatchcase(name, pattern):
            found = value
    return found


@dataclass(frozen=True, slots=True)
class Person:
    """A user."""

    username: str
    profile: str = "Standard User"
    permission_sets: tuple[str, ...] = ()
    active: bool = True
    last_name: str = ""


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue."""

    name: str
    label: str
    objects: tuple[str, ...]
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Assignment:
    """An assignment rule: who gets the new records of an sObject."""

    sobject: str
    name: str
    owner: str  # a queue, or a username
    active: bool = True


@dataclass(frozen=True, slots=True)
class People:
    """Who is in an org and what they may do, beside the standard profiles and the integration user."""

    profiles: tuple[Granted, ...] = ()
    permission_sets: tuple[Granted, ...] = ()
    users: tuple[Person, ...] = ()
    queues: tuple[Queue, ...] = ()
    assignments: tuple[Assignment, ...] = ()


ADMINISTRATOR = Granted(
    "System Administrator", "System Administrator", frozenset(USER_PERMISSIONS), (), {"*": ALL}, {"*": "edit"}
)
STANDARD_PROFILES = (
    ADMINISTRATOR,
    Granted(
        "Standard User",
        "Standard User",
        frozenset({"ApiEnabled"}),
        (),
        {"*": ALL, "*__c": NOTHING},
        {"*": "edit", "*__c": "none", "*__c.*": "none"},
    ),
    Granted("Minimum Access - Salesforce", "Minimum Access - Salesforce"),
)


def read_people(loaded: Mapping[str, Any]) -> People:
    """The people of a schema file; raises ValueError for what cannot be."""
    return People(
        tuple(_granted(name, given or {}) for name, given in (loaded.get("profiles") or {}).items()),
        tuple(_granted(name, given or {}) for name, given in (loaded.get("permission_sets") or {}).items()),
        tuple(_person(name, given or {}) for name, given in (loaded.get("users") or {}).items()),
        tuple(_queue(name, given or {}) for name, given in (loaded.get("queues") or {}).items()),
        tuple(_assignment(name, given) for name, given in (loaded.get("assignment_rules") or {}).items()),
    )


def _only(name: str, given: Mapping[str, Any], known: Sequence[str]) -> None:
    unknown = set(given).difference(known)
    if unknown:
        raise ValueError(f"{name}: unknown key {min(unknown)}; known are {', '.join(known)}")


def _granted(name: str, given: Mapping[str, Any]) -> Granted:
    _only(name, given, ("label", "permissions", "custom_permissions", "objects", "fields"))
    user = frozenset(map(str, given.get("permissions") or ()))
    unknown = user.difference(USER_PERMISSIONS)
    if unknown:
        raise ValueError(
            f"{name}: unknown permission {min(unknown)}; known are {', '.join(USER_PERMISSIONS)}"
        )
    fields = {str(key): str(value) for key, value in (given.get("fields") or {}).items()}
    for pattern, access in fields.items():
        if access not in _FIELD_ACCESS:
            raise ValueError(f"{name}: {pattern}: {access} is none of {', '.join(_FIELD_ACCESS)}")
    return Granted(
        name,
        str(given.get("label", name.replace("_", " "))),
        user,
        tuple(map(str, given.get("custom_permissions") or ())),
        {str(key): _object_rights(name, str(value)) for key, value in (given.get("objects") or {}).items()},
        fields,
    )


def _object_rights(name: str, text: str) -> ObjectRights:
    words = set(text.replace(",", " ").split())
    if words == {"all"}:
        return ALL
    if words == {"none"}:
        return NOTHING
    unknown = words.difference(_OBJECT_WORDS)
    if unknown:
        raise ValueError(f"{name}: {min(unknown)} is none of all, none, {', '.join(_OBJECT_WORDS)}")
    return ObjectRights(read=bool(words), **{word: word in words for word in _OBJECT_WORDS[1:]})


def _person(name: str, given: Mapping[str, Any]) -> Person:
    _only(name, given, ("profile", "permission_sets", "active", "last_name"))
    return Person(
        name,
        str(given.get("profile", "Standard User")),
        tuple(map(str, given.get("permission_sets") or ())),
        bool(given.get("active", True)),
        str(given.get("last_name", name.partition("@")[0])),
    )


def _assignment(sobject: str, given: Mapping[str, Any]) -> Assignment:
    _only(f"assignment_rules: {sobject}", given or {}, ("name", "owner", "active"))
    if sobject not in {"Case", "Lead"} or not given.get("owner"):
        raise ValueError("assignment_rules: cases and leads are given to an owner (Case: {owner: Support})")
    return Assignment(
        sobject, str(given.get("name", "Standard")), str(given["owner"]), bool(given.get("active", True))
    )


def _queue(name: str, given: Mapping[str, Any]) -> Queue:
    _only(name, given, ("label", "objects", "members"))
    return Queue(
        name,
        str(given.get("label", name.replace("_", " "))),
        tuple(map(str, given.get("objects") or ())),
        tuple(map(str, given.get("members") or ())),
    )
