"""JSON Schema's errors as sentences for people.

**Invariant:** a value is shown only when it is short and does not look like a secret.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from jsonschema import ValidationError

from migrator.errors import Where
from migrator.model.plan import DocumentPath
from migrator.planfile.document import Document
from migrator.planfile.secrets import looks_secret

_SHOWN = 40
_LISTED = 12
_NOUNS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "a mapping",
    "array": "a list",
    "null": "null",
}


_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (str, "string"),
    (dict, "object"),
    (list, "array"),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong. `cut`: whether the value at `path` is unusable."""

    code: str
    path: DocumentPath
    where: Where
    what: str
    hint: str = ""
    cut: bool = True


def findings(found: ValidationError, document: Document) -> Iterator[Finding]:
    """What to tell of one schema error."""
    path: DocumentPath = tuple(found.absolute_path)
    if "propertyNames" in found.absolute_schema_path:
        yield _bad_name(found, path, document)
        return
    match found.validator:
        case "additionalProperties":
            yield from _unknown_keys(found, path, document)
        case "required":
            yield from _missing_keys(found, path, document)
        case "anyOf" | "oneOf":
            yield from _alternatives(found, path, document)
        case _:
            yield _value(found, path, document)


def _limit(found: ValidationError) -> Any:
    return found.validator_value


def _instance(found: ValidationError) -> Any:
    return found.instance


def near(name: str, names: Sequence[str]) -> str:
    """A hint that offers the name that was meant, or all there are."""
    folded = {each.casefold(): each for each in reversed(names)}
    close = get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.6)
    if close:
        return f"did you mean '{folded[close[0]]}'?"
    if not names:
        return ""
    shown = ", ".join(names[:_LISTED])
    return f"known here: {shown}" + (", …" if len(names) > _LISTED else "")


def _bad_name(found: ValidationError, path: DocumentPath, document: Document) -> Finding:
    name = str(_instance(found))
    whole = (*path, name)
    says = found.schema.get("patternErrorMessage", "") if isinstance(found.schema, Mapping) else ""
    return Finding("bad-value", whole, document.key_place(whole), f"{show(name)} cannot be a name here", says)


def _unknown_keys(found: ValidationError, path: DocumentPath, document: Document) -> Iterator[Finding]:
    known = list(found.schema["properties"]) if isinstance(found.schema, Mapping) else []
    for key in _instance(found):
        if key not in known:
            whole = (*path, key)
            hint = near(key, known)
            yield Finding("unknown-key", whole, document.key_place(whole), f"unknown key {show(key)}", hint)


def _missing_keys(found: ValidationError, path: DocumentPath, document: Document) -> Iterator[Finding]:
    schema = found.schema if isinstance(found.schema, Mapping) else {}
    for key in _limit(found):
        if key in _instance(found):
            continue
        examples = schema.get("properties", {}).get(key, {}).get("examples", [])
        shown = (
            f", for example {key}: {examples[0]}" if examples and isinstance(examples[0], str | int) else ""
        )
        what = f"'{key}' is missing in {_name(path)}"
        yield Finding(
            "missing-key", (*path, key), document.place(path), what, f"add '{key}'{shown}", cut=False
        )


def _alternatives(found: ValidationError, path: DocumentPath, document: Document) -> Iterator[Finding]:
    branches = _limit(found)
    if found.validator == "oneOf" and isinstance(_instance(found), dict):
        keys = [branch["required"][0] for branch in branches]
        given = [key for key in keys if key in _instance(found)]
        if len(given) > 1 or "type" not in branches[0]:
            yield from _one_of_keys(keys, given, path, document)
            return
    index = _meant(_instance(found), branches)
    inner = [each for each in found.context or () if each.relative_schema_path[0] == index]
    if index is None or not inner:
        what = f"{_name(path)} is {_kind(_instance(found))}"
        hint = f"it must be {_expectations(branches)}"
        yield Finding("wrong-type", path, document.place(path), what, hint)
        return
    for each in inner:
        for one in findings(each, document):
            every = f"it must be {_expectations(branches)}"
            yield replace(one, hint=every) if one.path == path and one.hint.startswith("it must") else one


def _one_of_keys(
    keys: Sequence[str], given: Sequence[str], path: DocumentPath, document: Document
) -> Iterator[Finding]:
    names = " or ".join(f"'{key}'" for key in keys)
    if given:
        whole = (*path, given[-1])
        what = f"{' and '.join(f'{key!r}' for key in given)} exclude each other"
        yield Finding("conflicting-keys", whole, document.key_place(whole), what, f"keep one of {names}")
    elif not any(
        (*path, key) in document.keys for key in keys
    ):  # else it is there, and what is wrong has been told
        what = f"{_name(path)} needs {names}"
        yield Finding("missing-key", path, document.place(path), what, f"add one of {names}")


def _meant(instance: Any, branches: Sequence[Mapping[str, Any]]) -> int | None:
    """The alternative that the author had in mind: one of the right type, sharing most keys."""
    fitting = [index for index, branch in enumerate(branches) if _fits(instance, branch)]
    if not fitting:
        return None
    if isinstance(instance, dict):
        return max(fitting, key=lambda index: len(set(branches[index].get("properties", ())) & set(instance)))
    return fitting[0]


def _fits(instance: Any, branch: Mapping[str, Any]) -> bool:
    if "enum" in branch:
        return isinstance(instance, str)
    return _type_of(instance) in ([branch["type"]] if isinstance(branch["type"], str) else branch["type"])


def _expectations(branches: Sequence[Mapping[str, Any]]) -> str:
    return " or ".join(dict.fromkeys(_expectation(branch) for branch in branches))


def _expectation(branch: Mapping[str, Any]) -> str:
    if "enum" in branch:
        return _choices(branch["enum"])
    if branch.get("type") == "object":
        return f"a mapping with {', '.join(repr(key) for key in branch['properties'])}"
    return _NOUNS[str(branch["type"])]


def _value(found: ValidationError, path: DocumentPath, document: Document) -> Finding:
    schema = found.schema if isinstance(found.schema, Mapping) else {}
    name, shown = _name(path), show(_instance(found))
    code, what, hint = "bad-value", f"{name} cannot be {shown}", ""
    match found.validator:
        case "type":
            return _wrong_type(found, path, document)
        case "const" if path == ("version",):
            code, what = "plan-version", f"version {shown} of the plan language is not known"
            hint = f"this migrator reads version {_limit(found)}"
        case "enum" | "const":
            hint = _choice_hint(_instance(found), _limit(found))
        case "pattern":
            hint = str(schema.get("patternErrorMessage", "see the plan reference"))
        case "uniqueItems":
            what, hint = f"{name} names something twice", "keep one of the two"
        case _:
            code, what, hint = "out-of-range", f"{name} {_beyond(str(found.validator))}", _range(schema)
    return Finding(code, path, document.place(path), what, hint)


def _choice_hint(instance: Any, limit: Any) -> str:
    options = limit if isinstance(limit, list) else [limit]
    hint = (
        near(instance, [str(each) for each in options if isinstance(each, str)])
        if isinstance(instance, str)
        else ""
    )
    return hint if hint.startswith("did") else f"it must be {_choices(options)}"


def _wrong_type(found: ValidationError, path: DocumentPath, document: Document) -> Finding:
    wanted = [_limit(found)] if isinstance(_limit(found), str) else list(_limit(found))
    nouns = " or ".join(_NOUNS[each] for each in wanted)
    hint = f"it must be {nouns}"
    typed = document.typed.get(path)
    if "string" in wanted and typed:
        hint = f'put it in quotes: "{typed}"' if len(typed) <= _SHOWN else "put it in quotes"
    return Finding(
        "wrong-type", path, document.place(path), f"{_name(path)} is {_kind(_instance(found))}", hint
    )


def _beyond(validator: str) -> str:
    return {
        "minimum": "is too small",
        "maximum": "is too large",
        "minLength": "is empty",
        "maxLength": "is too long",
        "minItems": "is empty",
        "maxItems": "has too many items",
        "minProperties": "is empty",
        "maxProperties": "has too many keys",
    }.get(validator, "does not fit")


def _range(schema: Mapping[str, Any]) -> str:
    for low, high, unit in (
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " items"),
        ("minProperties", "maxProperties", " keys"),
    ):
        if low in schema or high in schema:
            top = f"{schema[high]:,}" if high in schema else "…"
            return f"{schema.get(low, 0):,} to {top}{unit}"
    return ""


def show(value: Any) -> str:
    """The value for a message: short, and never a secret."""
    text = repr(value) if isinstance(value, str) else str(value)
    if isinstance(value, dict | list):
        return _kind(value)
    if looks_secret(text):
        return "this value"
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…" + text[0]


def _choices(options: Sequence[Any]) -> str:
    return " or ".join(
        str(each) for each in dict.fromkeys("null" if each is None else each for each in options)
    )


def _kind(instance: Any) -> str:
    return _NOUNS[_type_of(instance)]


def _type_of(instance: Any) -> str:
    """JSON Schema's word for it; a boolean is an `int` in Python, hence the order."""
    return next((name for kind, name in _TYPES if isinstance(instance, kind)), "null")


def _name(path: DocumentPath) -> str:
    if not path:
        return "the plan"
    last = path[-1]
    if isinstance(last, str):
        return f"'{last}'"
    holder = f" of '{path[-2]}'" if len(path) > 1 else ""
    return f"item {last + 1}{holder}"
