"""What an org knows about its sObjects and fields: the simulator's own reading of the platform.

**Invariant:** values here are frozen; an org whose schema changes gets another one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from dataclasses import field as attribute
from enum import StrEnum
from typing import Any

from migrator.simulator.schema.people import People


class FieldType(StrEnum):
    """Field types by the names that describe gives them."""

    ID = "id"
    BOOLEAN = "boolean"
    STRING = "string"
    TEXTAREA = "textarea"
    INT = "int"
    DOUBLE = "double"
    CURRENCY = "currency"
    PERCENT = "percent"
    DATE = "date"
    DATETIME = "datetime"
    TIME = "time"
    EMAIL = "email"
    PHONE = "phone"
    URL = "url"
    PICKLIST = "picklist"
    MULTIPICKLIST = "multipicklist"
    COMBOBOX = "combobox"
    REFERENCE = "reference"
    ADDRESS = "address"
    LOCATION = "location"
    BASE64 = "base64"
    ENCRYPTED = "encryptedstring"
    ANY = "anyType"


NUMBERS = frozenset({FieldType.DOUBLE, FieldType.CURRENCY, FieldType.PERCENT})
COMPOUNDS = frozenset({FieldType.ADDRESS, FieldType.LOCATION})
TEXTS = frozenset(
    {
        FieldType.STRING,
        FieldType.TEXTAREA,
        FieldType.EMAIL,
        FieldType.PHONE,
        FieldType.URL,
        FieldType.COMBOBOX,
        FieldType.ENCRYPTED,
    }
)


class OnDelete(StrEnum):
    """What the deletion of a parent does to a child's reference."""

    CLEAR = "clear"
    RESTRICT = "restrict"
    CASCADE = "cascade"


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a picklist."""

    value: str  # the API name, which records have
    label: str
    active: bool = True
    valid_for: tuple[str, ...] = ()  # values of the controlling field


class SummaryOperation(StrEnum):
    """What a roll-up summary does with the records it sums up, by the names of the Metadata API."""

    COUNT = "count"
    SUM = "sum"
    MIN = "min"
    MAX = "max"


class FilterOperation(StrEnum):
    """How a roll-up summary compares a field with a value, by the names of the Metadata API."""

    EQUALS = "equals"
    NOT_EQUAL = "notEqual"
    LESS_THAN = "lessThan"
    GREATER_THAN = "greaterThan"
    LESS_OR_EQUAL = "lessOrEqual"
    GREATER_OR_EQUAL = "greaterOrEqual"
    CONTAINS = "contains"
    NOT_CONTAIN = "notContain"
    STARTS_WITH = "startsWith"
    INCLUDES = "includes"
    EXCLUDES = "excludes"


@dataclass(frozen=True, slots=True)
class SummaryFilter:
    """Which records count: those with one of the values in the field."""

    field: str
    operation: FilterOperation
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """A roll-up summary: which records of which child it sums up, by which reference."""

    child: str
    reference: str  # the child's field that names the parent
    operation: SummaryOperation
    field: str = ""  # of the child; a count has none
    filters: tuple[SummaryFilter, ...] = ()


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an sObject."""

    name: str
    type: FieldType
    label: str = ""
    length: int = 0
    precision: int = 0
    scale: int = 0
    digits: int = 0
    createable: bool = True
    updateable: bool = True
    nillable: bool = True
    defaulted: bool = False  # defaultedOnCreate
    unique: bool = False
    case_sensitive: bool = False
    external_id: bool = False
    id_lookup: bool = False
    auto_number: str = ""  # display format, e.g. "C-{00000}"
    auto_start: int = 1  # the first record's number
    name_field: bool = False
    calculated: bool = False
    summary: Summary | None = None
    formula: str | None = None
    blanks_as_zero: bool = False  # of a formula's numbers
    permissionable: bool = True
    reference_to: tuple[str, ...] = ()
    relationship: str | None = None  # from the child up: Account of AccountId
    children: str | None = None  # from the parent down: Contacts of Contact.AccountId
    on_delete: OnDelete = OnDelete.CLEAR
    relationship_order: int | None = None  # 0 or 1 for a master-detail
    values: tuple[str, ...] = ()  # active picklist values
    choices: tuple[Choice, ...] = ()  # the same and the inactive ones, where more than the value is known
    controller: str | None = None  # the field that a dependent picklist depends on
    restricted: bool = False
    default: str | None = None
    compound: str | None = None
    extra_type: str | None = None
    filterable: bool = True
    # what a real org's describe said, where the field comes from one: told again as it was
    described: Mapping[str, Any] | None = attribute(default=None, repr=False, compare=False)

    @property
    def custom(self) -> bool:
        return self.name.endswith(("__c", "__pc"))

    @property
    def required(self) -> bool:
        """Whether an insert must give it."""
        return self.createable and not self.nillable and not self.defaulted

    @property
    def polymorphic(self) -> bool:
        return len(self.reference_to) > 1

    @property
    def folds_case(self) -> bool:
        """Whether two values that differ in case only are the same key."""
        return not self.case_sensitive


@dataclass(frozen=True, slots=True)
class RecordType:
    """A record type of an sObject; the master record type is always there and not listed."""

    developer_name: str
    label: str
    default: bool = False
    active: bool = True
    picklists: Mapping[str, frozenset[str]] = attribute(default_factory=dict)  # values allowed, by field
    person: bool = False  # makes person accounts
    id: str = ""  # where another org's is kept


@dataclass(frozen=True, slots=True)
class ValidationRule:
    """What must not be true of a record that is saved."""

    name: str
    formula: str
    message: str
    field: str = ""  # where the message is shown; at the top of the page without one
    active: bool = True


class DuplicateAction(StrEnum):
    """What a duplicate rule does about a match."""

    ALLOW = "allow"  # nothing that an API shows
    ALERT = "alert"  # refuse, unless the client says that it saves all the same
    BLOCK = "block"


class MatchMethod(StrEnum):
    """How a matching rule compares two fields."""

    EXACT = "exact"  # but for case and blanks around
    NORMALISED = "normalised"  # letters and digits only, without accents


@dataclass(frozen=True, slots=True)
class MatchField:
    """A field that must match, of the record and of the sObject that is looked through."""

    field: str
    other: str
    method: MatchMethod = MatchMethod.EXACT
    blanks: bool = False  # two blank fields match


@dataclass(frozen=True, slots=True)
class MatchingRule:
    """All of these fields match."""

    name: str
    sobject: str
    fields: tuple[MatchField, ...]


@dataclass(frozen=True, slots=True)
class DuplicateRule:
    """What is done about records that any of the matching rules finds."""

    name: str
    matching: tuple[MatchingRule, ...]
    on_insert: DuplicateAction = DuplicateAction.BLOCK
    on_update: DuplicateAction = DuplicateAction.BLOCK
    message: str = "Use one of these records?"
    active: bool = True


@dataclass(frozen=True, slots=True)
class SObject:
    """One sObject with its fields, findable by name without regard to case."""

    name: str
    label: str
    plural: str
    prefix: str
    fields: tuple[Field, ...]
    createable: bool = True
    updateable: bool = True
    deletable: bool = True
    queryable: bool = True
    feed_enabled: bool = False
    mergeable: bool = False
    layoutable: bool = True
    record_types: tuple[RecordType, ...] = ()
    place: int = 0  # in describe global, before the name; below zero it is not listed
    custom_setting: bool = False
    described: Mapping[str, Any] | None = attribute(default=None, repr=False, compare=False)
    brief: Mapping[str, Any] | None = attribute(default=None, repr=False, compare=False)
    validation_rules: tuple[ValidationRule, ...] = ()
    duplicate_rules: tuple[DuplicateRule, ...] = ()
    _by_name: dict[str, Field] = attribute(init=False, default_factory=dict, repr=False, compare=False)
    _by_relationship: dict[str, Field] = attribute(
        init=False, default_factory=dict, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        self._by_name.update({found.name.lower(): found for found in self.fields})
        self._by_relationship.update(
            {found.relationship.lower(): found for found in self.fields if found.relationship}
        )

    @property
    def custom(self) -> bool:
        return self.name.endswith("__c")

    def field(self, name: str) -> Field | None:
        """The field of that name in any case."""
        return self._by_name.get(name.lower())

    def relationship(self, name: str) -> Field | None:
        """The reference field behind a relationship name (`Account` → `AccountId`), in any case."""
        return self._by_relationship.get(name.lower())

    @property
    def name_fields(self) -> tuple[Field, ...]:
        return tuple(found for found in self.fields if found.name_field)


@dataclass(frozen=True, slots=True)
class Child:
    """A reference seen from its parent."""

    sobject: SObject
    field: Field

    @property
    def cascade(self) -> bool:
        return self.field.on_delete is OnDelete.CASCADE

    @property
    def restrict(self) -> bool:
        return self.field.on_delete is OnDelete.RESTRICT


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency that an org has from the beginning."""

    code: str
    rate: float = 1.0  # of it, for one of the corporate currency
    active: bool = True
    corporate: bool = False


@dataclass(frozen=True, slots=True)
class Schema:
    """All sObjects of an org, in name order, and the things of the org itself that a schema file may set."""

    sobjects: tuple[SObject, ...]
    organization: Mapping[str, str] = attribute(default_factory=dict)
    people: People = attribute(default_factory=People)
    settings: Mapping[str, Any] = attribute(default_factory=dict)  # as given; `configure` reads them
    currencies: tuple[Currency, ...] = ()  # that the org has from the beginning, when it has several
    _by_name: dict[str, SObject] = attribute(default_factory=dict, repr=False, compare=False)
    _by_prefix: dict[str, SObject] = attribute(default_factory=dict, repr=False, compare=False)
    _children: dict[str, tuple[Child, ...]] = attribute(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        children: dict[str, list[Child]] = {}
        for found in self.sobjects:
            self._by_name[found.name.lower()] = found
            self._by_prefix.setdefault(found.prefix, found)
            for reference in found.fields:
                for parent in reference.reference_to:
                    children.setdefault(parent.lower(), []).append(Child(found, reference))
        self._children.update({name: tuple(listed) for name, listed in children.items()})

    def sobject(self, name: str) -> SObject | None:
        """The sObject of that name in any case."""
        return self._by_name.get(name.lower())

    def by_prefix(self, prefix: str) -> SObject | None:
        """The sObject whose ids begin with these three characters."""
        return self._by_prefix.get(prefix)

    def children(self, sobject: str) -> tuple[Child, ...]:
        """Every reference to the sObject, by child and field."""
        return self._children.get(sobject.lower(), ())

    def child(self, sobject: str, relationship: str) -> Child | None:
        """The reference behind a child relationship name (`Contacts` of Account), in any case."""
        wanted = relationship.lower()
        for found in self.children(sobject):
            if found.field.children and found.field.children.lower() == wanted:
                return found
        return None


def make_schema(
    sobjects: Iterable[SObject],
    organization: Mapping[str, str] | None = None,
    people: People | None = None,
    settings: Mapping[str, Any] | None = None,
    currencies: tuple[Currency, ...] = (),
) -> Schema:
    """A schema of these sObjects, sorted by name."""
    ordered = tuple(sorted(sobjects, key=lambda found: found.name.casefold()))
    return Schema(ordered, dict(organization or {}), people or People(), dict(settings or {}), currencies)
