"""A YAML file as plain values with the place of each, read strictly.

YAML's parser delivers events; nothing but mappings, sequences and scalars is ever built from them, so no tag can name
a class. Scalars follow JSON's idea of numbers and YAML 1.2's of booleans and null: `NO`, `012`, `12:30:45` and dates
are text, as they are to the person who typed them.

**Invariant:** any bytes whatever end in a `Document` with diagnostics, never in an exception.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from migrator.errors import Diagnostic, Where, error
from migrator.model.plan import DocumentPath

MAX_BYTES = 5_000_000  # a plan of 3,000 objects is well under 1 MB
MAX_DEPTH = 40  # the plan language itself needs 8

#: libyaml when PyYAML was built with it (all wheels are); the Python one is the same, slower
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,30})\Z")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?\Z")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass(slots=True)
class Document:
    """What a file says. `broken` holds the paths whose value could not be read; what is there is a stand-in."""

    path: str
    text: str = ""
    value: Any = None
    #: where each value stands: a scalar itself, a mapping or list at its key
    places: dict[DocumentPath, Where] = field(default_factory=dict)
    keys: dict[DocumentPath, Where] = field(default_factory=dict)
    #: numbers, booleans and nulls as they were typed
    typed: dict[DocumentPath, str] = field(default_factory=dict)
    #: quoting of the strings that have any: `'`, `"`, `|` or `>`
    styles: dict[DocumentPath, str] = field(default_factory=dict)
    broken: set[DocumentPath] = field(default_factory=set)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    #: whether the text could be read to its end; if not, `value` is None
    readable: bool = True

    def place(self, path: DocumentPath) -> Where:
        """The place of that value, or of the nearest thing around it that has one."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.places:
                return self.places[path[:length]]
        return Where(self.path)

    def key_place(self, path: DocumentPath) -> Where:
        """The place of the key that leads to that value, where there is one."""
        return self.keys.get(path) or self.place(path)

    def refuse(self, code: str, what: str, *, hint: str = "", where: Where | None = None) -> None:
        """Add an error diagnostic."""
        self.diagnostics.append(error(code, what, hint=hint, where=where or Where(self.path)))


@dataclass(slots=True)
class _Frame:
    """A mapping or sequence that is still open. A ghost's content is read but kept nowhere."""

    path: DocumentPath
    container: dict[str, Any] | list[Any]
    ghost: bool = False
    key: str | None = None
    ghost_value: bool = False


class _StopReading(Exception):  # noqa: N818 - it ends the reading, and has been told
    """What follows cannot be read; the reason is among the diagnostics."""


def read_document(text: str, path: str) -> Document:
    """The document in `text`; `path` only names it in places."""
    document = Document(path, text)
    try:
        _Builder(document).build(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as found:
        _syntax_error(document, found)
    except _StopReading:
        pass
    else:
        return document
    document.readable = False
    document.value = None
    return document


def _syntax_error(document: Document, found: yaml.MarkedYAMLError) -> None:
    mark = found.problem_mark or found.context_mark
    where = Where(document.path, mark.line + 1, mark.column + 1) if mark else Where(document.path)
    line = line_at(document.text, where.line)
    if "\t" in line[: len(line) - len(line.lstrip())]:
        column = line.index("\t") + 1
        document.refuse(
            "yaml-tab",
            "a tab in the indentation; YAML forbids tabs there",
            hint="indent with spaces",
            where=Where(document.path, where.line, column),
        )
        return
    if found.context_mark and "quoted scalar" in (found.context or ""):
        mark = found.context_mark
        where = Where(document.path, mark.line + 1, mark.column + 1)
        document.refuse(
            "yaml-syntax", "a quote that is never closed", hint="close it on its line", where=where
        )
        return
    problem = found.problem or "not YAML"
    context = f" {found.context}" if found.context else ""
    document.refuse("yaml-syntax", f"not YAML: {problem}{context}", hint=_syntax_hint(line), where=where)


def _syntax_hint(line: str) -> str:
    if "{{" in line:
        return "put text that holds {{ or ': ' into double quotes"
    return "look at the indentation, and at ':' without a space after it"


def line_at(text: str, line: int) -> str:
    """That line of the text, counted from 1; empty when there is none."""
    if line < 1:
        return ""
    lines = text.split("\n", line)
    return lines[line - 1].rstrip("\r") if line <= len(lines) else ""


class _Builder:
    """Events to values: one pass, no recursion."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._stack: list[_Frame] = []
        self._documents = 0

    def build(self, events: Iterator[yaml.Event]) -> None:
        for event in events:
            if isinstance(event, yaml.ScalarEvent):
                self._scalar(event)
            elif isinstance(event, yaml.MappingStartEvent):
                self._open(event, {})
            elif isinstance(event, yaml.SequenceStartEvent):
                self._open(event, [])
            elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                self._stack.pop()
            elif isinstance(event, yaml.AliasEvent):
                self._alias(event)
            elif isinstance(event, yaml.DocumentStartEvent):
                self._begin(event)

    def _begin(self, event: yaml.DocumentStartEvent) -> None:
        self._documents += 1
        if self._documents > 1:
            self._document.refuse(
                "yaml-documents",
                "a second document in one file",
                hint="remove the line ---, or use one file for each",
                where=self._where(event),
            )
            raise _StopReading

    def _where(self, event: yaml.Event) -> Where:
        mark = event.start_mark
        return (
            Where(self._document.path, mark.line + 1, mark.column + 1) if mark else Where(self._document.path)
        )

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._no_extras(event)
        frame = self._stack[-1] if self._stack else None
        if frame is not None and isinstance(frame.container, dict) and frame.key is None:
            self._key(frame, event)
            return
        path, ghost = self._attach_point()
        if event.implicit[0] and not event.style:
            value = _plain(event.value)
            if not isinstance(value, str) and not ghost:
                self._document.typed[path] = event.value
        else:
            value = event.value
            if event.style and not ghost:
                self._document.styles[path] = event.style
        self._attach(path, value, self._where(event), ghost=ghost)

    def _key(self, frame: _Frame, event: yaml.ScalarEvent) -> None:
        frame.key = event.value
        frame.ghost_value = frame.ghost
        path = (*frame.path, event.value)
        if frame.ghost:
            return
        if path in self._document.keys:
            first = self._document.keys[path]
            self._document.refuse(
                "yaml-duplicate-key",
                f"{_shown(event.value)} is given twice; first at {first.line}:{first.column}",
                hint="keep one of the two",
                where=self._where(event),
            )
            frame.ghost_value = True
            return
        self._document.keys[path] = self._where(event)

    def _open(self, event: yaml.CollectionStartEvent, container: dict[str, Any] | list[Any]) -> None:
        self._no_extras(event)
        where = self._where(event)
        if len(self._stack) >= MAX_DEPTH:
            self._document.refuse(
                "yaml-depth", f"more than {MAX_DEPTH} levels of nesting", hint="flatten it", where=where
            )
            raise _StopReading
        frame = self._stack[-1] if self._stack else None
        if frame is not None and isinstance(frame.container, dict) and frame.key is None:
            self._document.refuse(
                "yaml-key", "a mapping or a list cannot be a key", hint="use text as the key", where=where
            )
            frame.key, frame.ghost_value = "", True
            self._stack.append(_Frame(frame.path, container, ghost=True))
            return
        path, ghost = self._attach_point()
        self._attach(path, container, self._document.keys.get(path, where), ghost=ghost)
        self._stack.append(_Frame(path, container, ghost=ghost))

    def _attach_point(self) -> tuple[DocumentPath, bool]:
        if not self._stack:
            return (), False
        frame = self._stack[-1]
        if isinstance(frame.container, list):
            return (*frame.path, len(frame.container)), frame.ghost
        return (*frame.path, frame.key or ""), frame.ghost_value

    def _attach(self, path: DocumentPath, value: Any, where: Where, *, ghost: bool) -> None:
        frame = self._stack[-1] if self._stack else None
        if frame is None:
            self._document.value = value
        elif isinstance(frame.container, list):
            frame.container.append(value)
        else:
            if not ghost:
                frame.container[str(path[-1])] = value
            frame.key = None
        if not ghost:
            self._document.places[path] = where

    def _alias(self, event: yaml.AliasEvent) -> None:
        where = self._where(event)
        self._refuse_alias(where)
        frame = self._stack[-1] if self._stack else None
        if frame is not None and isinstance(frame.container, dict) and frame.key is None:
            frame.key, frame.ghost_value = "", True
            return
        path, ghost = self._attach_point()
        if not ghost:
            self._document.broken.add(path)
        self._attach(path, None, where, ghost=ghost)

    def _refuse_alias(self, where: Where) -> None:
        self._document.refuse(
            "yaml-alias",
            "anchors and aliases are not allowed",
            hint="write the value out where it is needed",
            where=where,
        )

    def _no_extras(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        """Neither an anchor nor a tag. `!!str` would do no harm, but one rule is easier to remember than two."""
        if event.anchor is not None:
            self._refuse_alias(self._where(event))
        if event.tag is not None:
            self._document.refuse(
                "yaml-tag",
                "tags are not allowed",
                hint="remove the tag that begins with !",
                where=self._where(event),
            )


def _plain(text: str) -> str | int | float | bool | None:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.match(text):
        return int(text)
    if _NUMBER.match(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text


def _shown(key: str) -> str:
    return repr(key if len(key) <= 60 else key[:57] + "...")
