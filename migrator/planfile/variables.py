"""Variables: their values, and putting them into the plan's texts.

Inside the quotes of a SOQL string a value is escaped; outside of quotes only a single token may appear. Either way a
value cannot end the condition it stands in.

**Invariant:** expressions and `match.transform` are left alone: their names are the transforms' to resolve.
"""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from migrator.model.plan import DocumentPath
from migrator.planfile.document import Document
from migrator.soql import quote

_USE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
_ANY = re.compile(r"\{\{|\}\}|\{%|%\}")
#: a number, a date, a boolean, a field: what may stand unquoted in a SOQL condition
_TOKEN = re.compile(r"[A-Za-z0-9_.:+-]+\Z")
_UNTOUCHED = frozenset({"expression", "transform", "description"})
MAX_LENGTH = 100_000  # of a text after substitution: two dozen self-doublings make gigabytes


class Variables:
    """Values by name, each with the variables in it replaced; faults are told once, where they are."""

    def __init__(self, declared: Mapping[str, Any], given: Mapping[str, str], document: Document) -> None:
        self._document = document
        self._raw = {name: _text(value, document, name) for name, value in declared.items()}
        self._raw.update(given)
        self._declared = frozenset(declared)
        self._undeclared = [name for name in given if name not in declared]
        self._used: set[str] = set()
        self._told: set[str] = set()
        self.values: dict[str, str] = {}
        for name in sorted(self._raw):
            self._resolve(name, ())

    def _resolve(self, name: str, chain: tuple[str, ...]) -> str:
        if name in self.values:
            return self.values[name]
        path: DocumentPath = ("variables", name)
        if name in chain:
            cycle = " → ".join((*chain[chain.index(name) :], name))
            self._tell(
                "variable-cycle", name, f"variables in a circle: {cycle}", "give one a value of its own", path
            )
            return ""
        raw = self._raw.get(name)
        if raw is None:
            return ""
        value = self._inner(raw, path, (*chain, name))
        if len(value) > MAX_LENGTH:
            self._tell(
                "variable-too-long",
                name,
                f"'{name}' grows over {MAX_LENGTH:,} characters",
                "shorten it",
                path,
            )
            value = ""
        self.values[name] = value
        return value

    def _inner(self, raw: str, path: DocumentPath, chain: tuple[str, ...]) -> str:
        def value(found: re.Match[str]) -> str:
            name = found[1]
            return self._resolve(name, chain) if self._known(name, path) else ""

        return _USE.sub(value, raw)

    def _known(self, name: str, path: DocumentPath) -> bool:
        self._used.add(name)
        if self._raw.get(name) is not None:
            return True
        close = get_close_matches(name, [each for each in self._raw if each != name], n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"give it under 'variables' or with --var {name}=…"
        self._tell("variable-undefined", name, f"the variable '{name}' has no value", hint, path)
        return False

    def _tell(self, code: str, name: str, what: str, hint: str, path: DocumentPath) -> None:
        if name not in self._told:
            self._told.add(name)
            self._document.refuse(code, what, hint=hint, where=self._document.place(path))
        self._document.broken.add(path)

    def substitute(self, value: Any, path: DocumentPath = ()) -> Any:
        """The same value with the variables in its texts replaced."""
        match value:
            case dict():
                return {
                    key: each if self._left_alone(key, path) else self.substitute(each, (*path, key))
                    for key, each in value.items()
                }
            case list():
                return [self.substitute(each, (*path, position)) for position, each in enumerate(value)]
            case str() if "{" in value or "}" in value:
                return self._put_into(value, path)
            case _:
                return value

    @staticmethod
    def _left_alone(key: str, path: DocumentPath) -> bool:
        if path == ():
            return key in {"variables", "description"}
        return key in _UNTOUCHED and path[-1] not in {"map", "relationships", "values"}

    def _put_into(self, text: str, path: DocumentPath) -> str:
        where = self._document.place(path)
        if _ANY.search(_USE.sub("", text)):
            what = "only the name of a variable may stand between {{ and }} here"
            self._document.refuse("variable-syntax", what, hint="write {{ name }}", where=where)
            self._document.broken.add(path)
            return text
        soql = path[-1:] == ("where",)
        pieces: list[str] = []
        end = 0
        for found in _USE.finditer(text):
            pieces.append(text[end : found.start()])
            end = found.end()
            name = found[1]
            value = self.values.get(name, "") if self._known(name, path) else ""
            pieces.append(self._for_soql(name, value, "".join(pieces), path) if soql else value)
        return "".join((*pieces, text[end:]))

    def _for_soql(self, name: str, value: str, before: str, path: DocumentPath) -> str:
        if _inside_quotes(before):
            return quote(value)[1:-1]
        if value and not _TOKEN.match(value):
            self._document.refuse(
                "variable-unquoted",
                f"the value of '{name}' is more than one number, date or name",
                hint=f"put quotes around it: '{{{{ {name} }}}}'",
                where=self._document.place(path),
            )
            self._document.broken.add(path)
        return value

    def unused(self, texts: str) -> list[str]:
        """Names that were given for this run although the plan neither declares nor mentions them."""
        return sorted(
            name
            for name in self._undeclared
            if name not in self._used and not re.search(rf"\b{name}\b", texts)
        )


def _text(value: Any, document: Document, name: str) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, str):
        return value
    return document.typed.get(("variables", name), str(value))


def _inside_quotes(text: str) -> bool:
    """Whether the end of this piece of SOQL stands inside a string literal."""
    inside = False
    escaped = False
    for character in text:
        if escaped:
            escaped = False
        elif inside and character == "\\":
            escaped = True
        elif character == "'":
            inside = not inside
    return inside
