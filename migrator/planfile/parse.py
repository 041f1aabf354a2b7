"""Checked values to the frozen `Plan`. Every default of the plan language is here and in the schema, nowhere else.

**Invariant:** takes what the schema check left, however little: what is missing is passed over, and the caller has the
diagnostics that say so.
"""

from collections.abc import Mapping
from typing import Any

from migrator.model.budget import Allowance, Canary, ErrorBudget, OnExceeded
from migrator.model.gates import (
    AssignPermissionSet,
    Confirm,
    DeferSharing,
    Gate,
    SetCustomSetting,
    WhenUnavailable,
)
from migrator.model.plan import (
    Consistency,
    DocumentPath,
    Expect,
    FieldRule,
    FieldSelection,
    FilesEnd,
    Headers,
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
from migrator.model.throttle import Throttle
from migrator.planfile.document import Document

DEFAULT_DELIMITER = ","
DEFAULT_ENCODING = "utf-8"
DEFAULT_INCLUDE = ("all",)
DEFAULT_COUNTS = "exact"
DEFAULT_SAMPLE = 10_000
DEFAULT_OTHERWISE = "keep"
DEFAULT_WHEN_MISSING = "fail"
DEFAULT_LANE = "auto"
DEFAULT_UNAVAILABLE = "required"
DEFAULT_ON_LOCK = ("regroup", "shrink", "serial_v1")
DEFAULT_IN_FLIGHT = "auto"
DEFAULT_PREFER = "time"
DEFAULT_ASSIGNMENT = "off"
DEFAULT_MAX_FAILED = "1%"
DEFAULT_MAX_QUARANTINED = 0
DEFAULT_MIN_SAMPLE = 1_000
DEFAULT_ON_EXCEEDED = "stop_object"
DEFAULT_CANARY_ROWS = 200
DEFAULT_BEFORE_IMAGES = "keep"
DEFAULT_CONSISTENCY = "fuzzy"
DEFAULT_ON_EXISTING = "update"
DEFAULT_NULLS = "keep"
DEFAULT_CANARY_FAILED = "20%"
DEFAULT_CANARY_SAME = "50%"
ORG_KEY = ("Id",)
#: a file may have an `Id` column or not; the planner, which sees the header, decides when no key is given
FILES_KEY: tuple[str, ...] = ()


def parse_plan(value: Mapping[str, Any], document: Document, variables: Mapping[str, str]) -> Plan:
    """The plan in a checked value whose variables have been substituted."""
    parser = _Parser(document, value.get("defaults") or {})
    source = _source(value.get("source") or {})
    from_files = isinstance(source, FilesEnd)
    target = value.get("target") or {}
    expect = target.get("expect") or {}
    objects = [
        parser.object_plan(each, position, from_files=from_files)
        for position, each in enumerate(value.get("objects") or ())
        if each and "object" in each
    ]
    return Plan(
        name=value.get("name", ""),
        path=document.path,
        source=source,
        target=OrgEnd(target.get("org", "")),
        objects=tuple(objects),
        version=int(value.get("version", 1)),
        description=value.get("description", ""),
        expect=Expect(expect.get("organization_id"), expect.get("production")),
        variables=dict(sorted(variables.items())),
        verify=_verify(value.get("verify") or {}),
        run_budget=_run_budget(value.get("run_budget")),
        throttle=_throttle(value.get("throttle") or {}),
        gates=tuple(_gate(one) for one in value.get("before") or () if one),
        places=document.places,
    )


def _source(value: Mapping[str, Any]) -> OrgEnd | FilesEnd:
    if "files" in value:
        return FilesEnd(
            files=value["files"],
            delimiter=value.get("delimiter", DEFAULT_DELIMITER),
            encoding=value.get("encoding", DEFAULT_ENCODING),
        )
    return OrgEnd(value.get("org", ""), Consistency(_word(value.get("consistency", DEFAULT_CONSISTENCY))))


def _verify(value: Mapping[str, Any]) -> VerifyRule:
    fields = value.get("fields", {"sample": DEFAULT_SAMPLE})
    sample: int | None
    match fields:
        case "all":
            sample = None
        case "off":
            sample = 0
        case _:
            sample = int(fields.get("sample", DEFAULT_SAMPLE))
    return VerifyRule(counts=value.get("counts", DEFAULT_COUNTS) == "exact", sample=sample)


def _gate(value: Mapping[str, Any]) -> Gate:
    match value:
        case {"defer_sharing": rule}:
            rule = rule or {}
            return DeferSharing(
                group_membership=rule.get("group_membership", True),
                sharing_rules=rule.get("sharing_rules", True),
                when_unavailable=WhenUnavailable(_word(rule.get("when_unavailable", DEFAULT_UNAVAILABLE))),
            )
        case {"bypass_automation": {"permission_set": name}}:
            return AssignPermissionSet(name)
        case {"bypass_automation": rule}:
            rule = rule or {}
            return SetCustomSetting(rule.get("custom_setting", ""), rule.get("field", ""))
        case _:
            return Confirm(value.get("confirm") or "")


def _locks(value: Mapping[str, Any]) -> Locks:
    in_flight = value.get("max_in_flight", DEFAULT_IN_FLIGHT)
    return Locks(
        group_by=value.get("group_by"),
        keys=_present(value.get("keys", ())),
        weights={name: float(one) for name, one in sorted((value.get("weights") or {}).items())},
        on_lock=tuple(map(OnLock, _present(value.get("on_lock", DEFAULT_ON_LOCK)))),
        max_in_flight=None if in_flight == DEFAULT_IN_FLIGHT else int(in_flight),
        prefer=Prefer(value.get("prefer", DEFAULT_PREFER)),
    )


def _headers(value: Mapping[str, Any]) -> Headers:
    rule = _word(value.get("assignment_rule", DEFAULT_ASSIGNMENT))
    return Headers(
        assignment_rule="" if rule == DEFAULT_ASSIGNMENT else rule,
        allow_duplicates=bool(value.get("allow_duplicates", False)),
    )


def _run_budget(value: Mapping[str, Any] | None) -> ErrorBudget:
    """The budget of the run: without one the run has no limit of its own, and what it does not name has none either."""
    if value is None:
        return ErrorBudget()
    return ErrorBudget(
        max_failed=_allowance(value.get("max_failed")),
        max_quarantined=_allowance(value.get("max_quarantined")),
        min_sample=int(value.get("min_sample", DEFAULT_MIN_SAMPLE)),
        on_exceeded=OnExceeded.STOP_RUN,
    )


def _throttle(value: Mapping[str, Any]) -> Throttle:
    return Throttle(
        window=tuple(int(one[:2]) * 60 + int(one[3:]) for one in value.get("window", "").split("-") if one),
        file=value.get("file", ""),
        soql=value.get("soql", ""),
        api_requests=_share(value["api_requests"]) if "api_requests" in value else 0.0,
    )


def _budget(value: Mapping[str, Any], on_exceeded: str) -> ErrorBudget:
    return ErrorBudget(
        max_failed=_allowance(value.get("max_failed", DEFAULT_MAX_FAILED)),
        max_quarantined=_allowance(value.get("max_quarantined", DEFAULT_MAX_QUARANTINED)),
        min_sample=int(value.get("min_sample", DEFAULT_MIN_SAMPLE)),
        on_exceeded=OnExceeded(on_exceeded),
    )


def _allowance(value: int | str | None) -> Allowance:
    if isinstance(value, str):
        return Allowance(share=_share(value))
    return Allowance() if value is None else Allowance(rows=value)


def _share(value: str) -> float:
    return float(value.removesuffix("%")) / 100


def _canary(value: Mapping[str, Any] | str) -> Canary:
    if isinstance(value, str):
        return Canary()
    return Canary(
        rows=int(value.get("rows", DEFAULT_CANARY_ROWS)),
        max_failed=_share(value.get("max_failed", DEFAULT_CANARY_FAILED)),
        max_same_code=_share(value.get("max_same_code", DEFAULT_CANARY_SAME)),
    )


class _Parser:
    """Parses objects; knows how numbers and booleans were typed, and what holds where an entry says nothing."""

    def __init__(self, document: Document, defaults: Mapping[str, Any]) -> None:
        self._document = document
        self._defaults = defaults

    def _said(self, entry: Mapping[str, Any], key: str, otherwise: Any) -> Any:
        """What the entry says, or the plan's defaults, or nobody."""
        return entry.get(key, self._defaults.get(key, otherwise))

    def object_plan(self, value: Mapping[str, Any], position: int, *, from_files: bool) -> ObjectPlan:
        path: DocumentPath = ("objects", position)
        name = value["object"]
        match = value.get("match")
        fields = value.get("fields") or {}
        return ObjectPlan(
            name=value.get("name", name),
            object=name,
            operation=_operation(value),
            source_object=value.get("source_object", name),
            position=position,
            external_id=value.get("external_id"),
            where=value.get("where"),
            file=value.get("file"),
            key=_names(value["key"]) if "key" in value else FILES_KEY if from_files else ORG_KEY,
            fields=FieldSelection(
                include=_present(fields.get("include", DEFAULT_INCLUDE)),
                exclude=_present(fields.get("exclude", ())),
            ),
            map=tuple(
                self._rule(target, rule, (*path, "map", target))
                for target, rule in sorted((value.get("map") or {}).items())
            ),
            relationships=tuple(
                self._relationship(target, rule or {}, (*path, "relationships", target))
                for target, rule in sorted((value.get("relationships") or {}).items())
            ),
            follow=value.get("follow"),
            lane=LaneChoice(_word(value.get("lane", DEFAULT_LANE))),
            locks=_locks(value.get("locks") or {}),
            after=_present(value.get("after", ())),
            match=Match(on=_names(match["on"]), transform=match.get("transform"))
            if match and "on" in match
            else None,
            budget=_budget(
                {**self._defaults.get("error_budget", {}), **value.get("error_budget", {})},
                self._said(value, "on_budget_exceeded", DEFAULT_ON_EXCEEDED),
            ),
            canary=_canary(self._said(value, "canary", {})),
            refuse_existing=value.get("on_existing", DEFAULT_ON_EXISTING) == "fail",
            clear_nulls=value.get("nulls", DEFAULT_NULLS) == "clear",
            before_images=self._said(value, "before_images", DEFAULT_BEFORE_IMAGES) == "keep",
            max_deletes=int(value.get("max_deletes", 0)),
            headers=_headers(value.get("headers") or {}),
        )

    def _rule(self, target: str, rule: str | Mapping[str, Any], path: DocumentPath) -> FieldRule:
        if isinstance(rule, str):
            return FieldRule(target=target, source=rule)
        otherwise = rule.get("otherwise", DEFAULT_OTHERWISE)
        stated = isinstance(otherwise, Mapping)
        values = rule.get("values") or {}
        return FieldRule(
            target=target,
            source=rule.get("from"),
            value=self._text(rule["value"], (*path, "value")) if "value" in rule else None,
            expression=rule.get("expression"),
            values={key: self._text(each, (*path, "values", key)) for key, each in sorted(values.items())},
            otherwise=Otherwise.DEFAULT if stated else Otherwise(_word(otherwise)),
            default=self._stated(otherwise, (*path, "otherwise")),
            mask=_word(rule["mask"]) if "mask" in rule else None,
            truncate=int(rule["truncate"]) if "truncate" in rule else None,
        )

    def _relationship(self, target: str, rule: Mapping[str, Any], path: DocumentPath) -> RelationshipRule:
        missing = rule.get("when_missing", DEFAULT_WHEN_MISSING)
        stated = isinstance(missing, Mapping)
        return RelationshipRule(
            target=target,
            source=rule.get("from"),
            types=_present(rule.get("types", ())),
            via=rule.get("via"),
            when_missing=WhenMissing.DEFAULT if stated else WhenMissing(_word(missing)),
            default=self._stated(missing, (*path, "when_missing")),
        )

    def _stated(self, choice: Any, path: DocumentPath) -> str | None:
        if isinstance(choice, Mapping) and "default" in choice:
            return self._text(choice["default"], (*path, "default"))
        return None

    def _text(self, value: Any, path: DocumentPath) -> str:
        """A scalar as text: booleans as Salesforce writes them, numbers as they were typed."""
        if isinstance(value, bool):
            return "true" if value else "false"
        return value if isinstance(value, str) else self._document.typed.get(path, str(value))


def _operation(value: Mapping[str, Any]) -> Operation:
    """An operation that the schema check cut out leaves an insert in its place: the rest can be checked still."""
    if "match" in value:
        return Operation.REFERENCE
    return Operation(value.get("operation", Operation.INSERT))


def _names(value: str | list[str | None]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else _present(value)


def _present(values: Any) -> tuple[str, ...]:
    """The list without the items that the schema check cut out."""
    return tuple(each for each in values if each is not None)


def _word(value: str | None) -> str:
    """`null` is a word of the plan language where it stands for itself."""
    return "null" if value is None else value
