"""Plans and schemas in few words, for tests of the planner.

A field is written as words: its type or `->Account,User`, then flags; e.g. `string external unique`, `->Account required`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from migrator.errors import Where
from migrator.model.plan import (
    Consistency,
    DocumentPath,
    Expect,
    FieldRule,
    FieldSelection,
    FilesEnd,
    LaneChoice,
    Locks,
    Match,
    ObjectPlan,
    OnLock,
    Operation,
    OrgEnd,
    Otherwise,
    Plan,
    Prefer,
    RelationshipRule,
    VerifyRule,
    WhenMissing,
)
from migrator.model.schema import FieldSchema, OrgSchema, SObjectSchema

FLAGS: Mapping[str, Mapping[str, Any]] = {
    "required": {"nillable": False},
    "external": {"external_id": True, "id_lookup": True},
    "idlookup": {"id_lookup": True},
    "unique": {"unique": True},
    "readonly": {"createable": False, "updateable": False},
    "insertonly": {"updateable": False},
    "updateonly": {"createable": False},
    "defaulted": {"nillable": False, "defaulted_on_create": True},
    "formula": {"calculated": True, "createable": False, "updateable": False},
    "autonumber": {"auto_number": True, "createable": False, "updateable": False},
    "master": {"nillable": False, "updateable": False, "relationship_order": 0, "cascade_delete": True},
    "master2": {"nillable": False, "updateable": False, "relationship_order": 1, "cascade_delete": True},
}


def field(name: str, words: str = "string") -> FieldSchema:
    """A field from its words."""
    facts: dict[str, Any] = {"custom": name.endswith("__c")}
    for word in words.split():
        if word.startswith("->"):
            facts |= {"type": "reference", "reference_to": tuple(word[2:].split(","))}
            facts["relationship_name"] = name.removesuffix("Id").replace("__c", "__r")
        elif word.startswith("length="):
            facts["length"] = int(word[7:])
        elif word in FLAGS:
            facts |= FLAGS[word]
        else:
            facts["type"] = word
    return FieldSchema(name=name, **facts)


def sobject(name: str, fields: Mapping[str, str] | None = None, **facts: Any) -> SObjectSchema:
    """An sObject with Id and the fields given."""
    words = {"Id": "id readonly idlookup", **(fields or {})}
    return SObjectSchema(name=name, fields={key: field(key, word) for key, word in words.items()}, **facts)


def org(sobjects: Mapping[str, Mapping[str, Any]]) -> OrgSchema:
    """An org; an sObject's facts other than fields stand under `.facts`."""
    made = {}
    for name, fields in sobjects.items():
        words = {key: word for key, word in fields.items() if not key.startswith(".")}
        made[name] = sobject(name, words, **fields.get(".facts", {}))
    return OrgSchema(sobjects=made)


def plan(document: Mapping[str, Any]) -> Plan:
    """A plan from its document; each value's place is its path in the document."""
    source = document.get("source", {"org": "old"})
    target = document.get("target", {"org": "new"})
    return Plan(
        name=document.get("name", "case"),
        path="plan.yaml",
        source=FilesEnd(**source)
        if "files" in source
        else OrgEnd(source["org"], Consistency(source.get("consistency", "fuzzy"))),
        target=OrgEnd(target["org"]),
        objects=tuple(_object(each, at) for at, each in enumerate(document.get("objects", ()))),
        expect=Expect(**target.get("expect", {})),
        verify=VerifyRule(**document.get("verify", {})),
        places={path: Where(".".join(map(str, path)) or "plan.yaml") for path in _paths(document)},
    )


def _object(each: Mapping[str, Any], position: int) -> ObjectPlan:
    match = each.get("match")
    fields = each.get("fields", {})
    return ObjectPlan(
        name=each.get("name", each["object"]),
        object=each["object"],
        operation=Operation(each.get("operation", "reference" if match else "insert")),
        source_object=each.get("source_object", each["object"]),
        position=position,
        external_id=each.get("external_id"),
        refuse_existing=each.get("on_existing") == "fail",
        where=each.get("where"),
        file=each.get("file"),
        key=tuple(each.get("key", ("Id",))),
        fields=FieldSelection(tuple(fields.get("include", ("all",))), tuple(fields.get("exclude", ()))),
        map=tuple(_field_rule(name, rule) for name, rule in each.get("map", {}).items()),
        relationships=tuple(
            _relationship(name, rule or {}) for name, rule in each.get("relationships", {}).items()
        ),
        follow=each.get("follow"),
        lane=LaneChoice(each.get("lane", "auto")),
        locks=_locks(each.get("locks", {})),
        after=tuple(each.get("after", ())),
        match=Match(tuple(match["on"]), match.get("transform")) if match else None,
    )


def _locks(given: Mapping[str, Any]) -> Locks:
    on_lock = given.get("on_lock", tuple(OnLock))
    return Locks(
        group_by=given.get("group_by"),
        keys=tuple(given.get("keys", ())),
        weights=given.get("weights", {}),
        on_lock=tuple(map(OnLock, on_lock)),
        max_in_flight=given.get("max_in_flight"),
        prefer=Prefer(given.get("prefer", "time")),
    )


def _field_rule(name: str, rule: Mapping[str, Any]) -> FieldRule:
    facts = dict(rule)
    source = facts.pop("from", None)
    otherwise = Otherwise(facts.pop("otherwise", "keep"))
    reads = tuple(facts.pop("reads", (source,) if source else ()))
    return FieldRule(target=name, source=source, otherwise=otherwise, reads=reads, **facts)


def _relationship(name: str, rule: Mapping[str, Any]) -> RelationshipRule:
    facts = dict(rule)
    missing = facts.pop("when_missing", "fail") or "null"
    if isinstance(missing, Mapping):
        facts["default"], missing = missing["default"], "default"
    types = tuple(facts.pop("types", ()))
    source = facts.pop("from", None)
    return RelationshipRule(
        target=name, source=source, types=types, when_missing=WhenMissing(missing), **facts
    )


def _paths(value: Any, path: DocumentPath = ()) -> Iterator[DocumentPath]:
    yield path
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _paths(each, (*path, key))
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield from _paths(each, (*path, at))
