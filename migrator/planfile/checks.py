"""What must hold between the parts of a plan; no org is asked.

**Invariant:** adds diagnostics, changes nothing.
"""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from migrator.errors import warning
from migrator.model.plan import DocumentPath, FilesEnd, ObjectPlan, Operation, OrgEnd, Plan
from migrator.planfile.document import Document
from migrator.planfile.parse import ORG_KEY
from migrator.planfile.places import inside_text
from migrator.planfile.sentences import near
from migrator.soql import ProblemKind, Query, SoqlError, conditions, lint_bulk

#: what an entry that only matches has no use for
_WRITING_KEYS = (
    *("operation", "external_id", "fields", "map", "relationships", "follow", "lane", "locks"),
    *("error_budget", "on_budget_exceeded", "canary", "max_deletes", "before_images", "nulls", "headers"),
    "on_existing",
)
#: what an entry that only names records to delete has no use for
_SENDING_KEYS = (
    "external_id",
    "fields",
    "relationships",
    "follow",
    "locks",
    "before_images",
    "nulls",
    "on_existing",
    "headers",
)


def cross_checks(plan: Plan, document: Document) -> None:
    """Add what is wrong between parts of the plan to the document's diagnostics."""
    _ends(plan, document)
    _names(plan, document)
    _inserted_twice(plan, document)
    declared = _declared(document)
    for one in plan.objects:
        _operation(one, document)
        _source_kind(one, plan, document)
        _named_objects(one, declared, document)
        _mapped_twice(one, document)
        _condition(one, document)
    _files(plan, document)
    _bypasses(document)


def _bypasses(document: Document) -> None:
    gates = document.value.get("before")
    for at, one in enumerate(gates if isinstance(gates, list) else ()):
        rule = one.get("bypass_automation") if isinstance(one, dict) else None
        if not isinstance(rule, dict):
            continue
        kinds = {key for key in ("permission_set", "custom_setting", "field") if rule.get(key)}
        if kinds not in ({"permission_set"}, {"custom_setting", "field"}):
            document.refuse(
                "conflicting-keys" if "permission_set" in kinds else "missing-key",
                "'bypass_automation' does not say how",
                hint="give either `permission_set`, or `custom_setting` and `field`",
                where=document.place(("before", at, "bypass_automation")),
            )


def _ends(plan: Plan, document: Document) -> None:
    if isinstance(plan.source, OrgEnd) and plan.source.org and plan.source.org == plan.target.org:
        document.refuse(
            "same-org",
            "source and target are the same org",
            hint="name two different orgs",
            where=document.place(("target", "org")),
        )


def _declared(document: Document) -> tuple[str, ...]:
    """The names of all entries, of broken ones too: a typo in one entry is no fault of those that name it."""
    entries = document.value.get("objects")
    found = []
    for each in entries if isinstance(entries, list) else ():
        name = each.get("name", each.get("object")) if isinstance(each, dict) else None
        if isinstance(name, str):
            found.append(name)
    return tuple(found)


def _names(plan: Plan, document: Document) -> None:
    # two names that differ in case only would share a folder on some file systems
    entries: dict[str, list[ObjectPlan]] = defaultdict(list)
    for one in plan.objects:
        entries[one.name.casefold()].append(one)
    for same in entries.values():
        first = document.place(same[0].path)
        for one in same[1:]:
            document.refuse(
                "duplicate-object",
                f"an entry named '{same[0].name}' is already at line {first.line}",
                hint="give one of them a 'name' of its own",
                where=document.place(one.path),
            )


def _inserted_twice(plan: Plan, document: Document) -> None:
    """Entries that make two records of each record that both read. Two filters may have nothing in common; without one there is no doubt."""
    inserts = [one for one in plan.objects if one.operation is Operation.INSERT]
    for at, one in enumerate(inserts):
        for first in inserts[:at]:
            apart = first.where and one.where and first.where != one.where
            if apart or _reads(first) != _reads(one) or first.name.casefold() == one.name.casefold():
                continue
            document.diagnostics.append(
                warning(
                    "inserted-twice",
                    f"'{one.name}' and '{first.name}' insert {one.object} from one source: records that both read are made twice",
                    hint="give each a `where` (or `file`) of its own, or upsert them",
                    where=document.place(one.path),
                )
            )


def _reads(one: ObjectPlan) -> tuple[str, str, str]:
    return (one.object.casefold(), one.source_object.casefold(), one.file or f"{one.object}.csv")


def _operation(one: ObjectPlan, document: Document) -> None:
    entry = _entry(document, one)
    if one.operation is Operation.REFERENCE:
        for key in _WRITING_KEYS:
            if key in entry and key != "operation":
                document.refuse(
                    "match-only",
                    f"'{key}' has no meaning beside 'match': '{one.name}' is never written",
                    hint=f"remove '{key}', or replace 'match' by an 'operation'",
                    where=document.key_place((*one.path, key)),
                )
        return
    if entry.get("operation") != one.operation:
        return  # what was given is no operation, and has been told
    _deletes(one, entry, document)
    _nulls(one, entry, document)
    _on_existing(one, entry, document)
    if one.operation is Operation.UPSERT and "external_id" not in entry:
        document.refuse(
            "external-id-missing",
            f"'{one.name}' is an upsert without 'external_id'",
            hint="name the target field that identifies a record, or use operation: insert",
            where=document.place((*one.path, "operation")),
        )
    elif not (one.operation is Operation.UPSERT or one.operation.deletes) and one.external_id is not None:
        document.refuse(
            "external-id-unused",
            f"'external_id' has no meaning in an {one.operation}",
            hint="use operation: upsert, or remove it",
            where=document.key_place((*one.path, "external_id")),
        )


def _deletes(one: ObjectPlan, entry: Mapping[str, Any], document: Document) -> None:
    """Deleting takes ids, and a number that says how much of it is meant."""
    if not one.operation.deletes:
        if "max_deletes" in entry:
            document.refuse(
                "delete-only",
                f"'max_deletes' has no meaning in an {one.operation}",
                hint="remove it",
                where=document.key_place((*one.path, "max_deletes")),
            )
        return
    if "max_deletes" not in entry:
        document.refuse(
            "delete-unguarded",
            f"'{one.name}' deletes records and does not say how many at most",
            hint="add 'max_deletes', a little more than you expect",
            where=document.place((*one.path, "operation")),
        )
    for key in (each for each in _SENDING_KEYS if each in entry):
        document.refuse(
            "delete-only",
            f"'{key}' has no meaning in a {one.operation}: it sends record ids and nothing else",
            hint=f"remove '{key}'",
            where=document.key_place((*one.path, key)),
        )
    for rule in one.map:
        if rule.target.casefold() != "id":
            document.refuse(
                "delete-only",
                f"'{rule.target}' cannot be sent in a {one.operation}: it sends record ids and nothing else",
                hint="map 'Id' only",
                where=document.key_place((*one.path, "map", rule.target)),
            )


def _on_existing(one: ObjectPlan, entry: Mapping[str, Any], document: Document) -> None:
    if one.operation in {Operation.INSERT, Operation.UPDATE} and "on_existing" in entry:
        document.refuse(
            "on-existing-unused",
            f"'on_existing' has no meaning in an {one.operation}: it says what an upsert does with records that are there",
            hint="remove it",
            where=document.key_place((*one.path, "on_existing")),
        )


def _nulls(one: ObjectPlan, entry: Mapping[str, Any], document: Document) -> None:
    if one.operation is Operation.INSERT and "nulls" in entry:
        document.refuse(
            "nulls-unused",
            "'nulls' has no meaning in an insert: a new record has nothing that could be kept",
            hint="remove it",
            where=document.key_place((*one.path, "nulls")),
        )


def _source_kind(one: ObjectPlan, plan: Plan, document: Document) -> None:
    """`where` is for orgs; `file` and `key` are for files: the records of an org are identified by their Id."""
    if isinstance(plan.source, OrgEnd) and not plan.source.org:
        return  # the source could not be read, and that has been told
    from_files = isinstance(plan.source, FilesEnd)
    for key, needs_files in (("where", False), ("file", True), ("key", True)):
        if (
            key not in _entry(document, one)
            or needs_files == from_files
            or (key == "key" and one.key == ORG_KEY)
        ):
            continue
        needed = "files" if needs_files else "an org"
        document.refuse(
            "source-kind",
            f"'{key}' needs {needed} as the source",
            hint=f"remove '{key}'" + (", and filter the file" if from_files else ""),
            where=document.key_place((*one.path, key)),
        )


def _named_objects(one: ObjectPlan, declared: tuple[str, ...], document: Document) -> None:
    named: list[tuple[str, DocumentPath]] = [
        (name, (*one.path, "after", position)) for position, name in enumerate(one.after)
    ]
    named += [
        (rule.via, (*one.path, "relationships", rule.target, "via")) for rule in one.relationships if rule.via
    ]
    for name, path in named:
        if name not in declared:
            document.refuse(
                "object-not-in-plan",
                f"the plan has no entry named '{name}'",
                hint=near(name, declared),
                where=document.place(path),
            )
        elif name == one.name and path[2] == "after":
            document.refuse(
                "after-itself", f"'{name}' waits for itself", hint="remove it", where=document.place(path)
            )


def _mapped_twice(one: ObjectPlan, document: Document) -> None:
    """Two rules for one target field; Salesforce's names ignore case."""
    rules = [("map", rule.target) for rule in one.map] + [
        ("relationships", rule.target) for rule in one.relationships
    ]
    rules.sort(key=lambda rule: document.key_place((*one.path, *rule)))
    first: dict[str, tuple[str, str]] = {}
    for section, target in rules:
        before = first.setdefault(target.casefold(), (section, target))
        if before == (section, target):
            continue
        place = document.key_place((*one.path, *before))
        document.refuse(
            "mapped-twice",
            f"'{target}' already gets its value at {place.line}:{place.column}",
            hint="keep one of the two rules",
            where=document.key_place((*one.path, section, target)),
        )


def _condition(one: ObjectPlan, document: Document) -> None:
    path: DocumentPath = (*one.path, "where")
    if one.where is None or path in document.broken:
        return
    try:
        condition = conditions(one.where)
    except SoqlError as found:
        where = inside_text(document, path, one.where, found.line, found.column)
        hint = "it is a SOQL condition, without the word WHERE"
        document.refuse("where-syntax", f"the filter is not SOQL: {found.message}", hint=hint, where=where)
        return
    for problem in lint_bulk(Query(select=(), sources=(), where=condition)):
        if problem.kind is ProblemKind.UNSUPPORTED:
            hint = "records are read by Bulk query: filter by plain fields"
            document.refuse("where-refused", problem.what, hint=hint, where=document.place(path))
        else:
            document.diagnostics.append(
                warning(
                    "where-not-repeatable",
                    f"the filter does not always select the same records: {problem.what}",
                    hint="write the date out, if two runs must see the same records",
                    where=document.place(path),
                )
            )


def _files(plan: Plan, document: Document) -> None:
    if not isinstance(plan.source, FilesEnd):
        return
    folder = Path(document.path).parent
    paths: list[tuple[DocumentPath, str, Path]] = [(("source", "files"), plan.source.files, folder)]
    paths += [
        ((*one.path, "file"), one.file, folder / plan.source.files)
        for one in plan.objects
        if one.file is not None
    ]
    for path, text, base in paths:
        if not _stays_inside(text, base, folder):
            document.refuse(
                "path-outside",
                f"'{path[-1]}' leads out of the plan's folder",
                hint="give a path relative to the plan, and keep the files below it",
                where=document.place(path),
            )


def _stays_inside(text: str, base: Path, folder: Path) -> bool:
    if PurePosixPath(text).is_absolute() or PureWindowsPath(text).drive or text.startswith("\\"):
        return False
    try:
        return (base / text).resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):  # a loop of symbolic links; a NUL in the name
        return False


def _entry(document: Document, one: ObjectPlan) -> dict[str, Any]:
    entry: dict[str, Any] = document.value["objects"][one.position]
    return entry
