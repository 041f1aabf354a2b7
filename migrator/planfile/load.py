"""From a file to a plan, with everything that can be said against it offline."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from migrator.errors import Diagnostic, Where, error
from migrator.model.plan import DocumentPath, Plan
from migrator.planfile.checks import cross_checks
from migrator.planfile.digest import digest
from migrator.planfile.document import Document, read_document
from migrator.planfile.parse import parse_plan
from migrator.planfile.schema import Schema, check, inlined, plan_checker
from migrator.planfile.secrets import secrets_in
from migrator.planfile.source import read_text
from migrator.planfile.variables import Variables

Loaded = tuple[Any, Mapping[DocumentPath, Where], list[Diagnostic]]


def load_plan(
    path: str, variables: Mapping[str, str], *, text: str | None = None
) -> tuple[Plan | None, list[Diagnostic]]:
    """The plan in the file, and all that is wrong with it.

    A plan may come back together with errors: it holds what could be read, so that later checks add theirs to the
    same list. It must not be run then. None: there is nothing to go on.
    """
    document = _read(path, text)
    if document.readable:
        document.diagnostics += secrets_in(document)
    if not isinstance(document.value, dict):
        return None, _in_order(document)
    value = check(document, plan_checker())
    known = Variables(value.get("variables") or {}, variables, document)
    value = known.substitute(value)
    plan = parse_plan(value, document, known.values)
    cross_checks(plan, document)
    for name in known.unused(document.text):
        document.refuse(
            "variable-unknown", f"the plan has no variable '{name}'", hint="remove it, or declare it"
        )
    return replace(plan, digest=digest(plan)), _in_order(document)


def load_yaml(path: str, *, text: str | None = None, schema: Schema | None = None) -> Loaded:
    """The value of a YAML file, the place of each of its parts, and what is wrong with it.

    With a schema the value has been checked, and what does not fit has been left out of it.
    """
    document = _read(path, text)
    value = document.value
    if schema is not None and value is not None:
        value = check(document, inlined(schema))
    return value, document.places, _in_order(document)


def _read(path: str, text: str | None) -> Document:
    content, found = read_text(path, text)
    if found:
        return Document(path, readable=False, diagnostics=found)
    document = read_document(content, path)
    if document.readable and document.value is None and () not in document.broken:
        hint = "the plan reference begins with a first plan, the operations guide has an orgs file"
        document.diagnostics.append(
            error("file-empty", "there is nothing in it", hint=hint, where=Where(path))
        )
    elif document.readable and not isinstance(document.value, dict) and () not in document.broken:
        document.refuse(
            "wrong-type",
            "not a mapping of keys to values",
            hint="begin with a key, as 'version: 1'",
            where=document.place(()),
        )
        document.value = None
    return document


def _in_order(document: Document) -> list[Diagnostic]:
    return sorted(document.diagnostics, key=lambda found: (found.where, found.code, found.what))
