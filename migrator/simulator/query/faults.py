"""What is wrong with a query, in the platform's words: a code, a text, and a few words of the query with a caret."""

from migrator.simulator.http import ApiError
from migrator.soql import tree

_BEFORE = 40  # characters of the query shown before and after the place
_AFTER = 40
_CUSTOM = "If you are attempting to use a custom {kind}, be sure to append the '{suffix}' after the {what}."
_REFERENCE = "Please reference your WSDL or the describe call for the appropriate names."


class QueryFault(Exception):  # noqa: N818 - the platform answers it as an error of the client
    """The query cannot be answered."""

    def __init__(self, code: str, message: str, at: tree.At | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.at = at

    def text(self, soql: str) -> str:
        """The message as the platform prints it for this query."""
        return in_context(soql, self.at, self.message) if self.at else self.message

    def api_error(self, soql: str) -> ApiError:
        """The 400 that REST answers."""
        return ApiError(400, self.code, self.text(soql))


def in_context(soql: str, at: tree.At, message: str) -> str:
    """The message under the part of the query that it is about."""
    lines = soql.split("\n")
    line = lines[at.line - 1] if at.line <= len(lines) else ""
    place = at.column - 1
    first = max(0, place - _BEFORE)
    shown = line[first : place + _AFTER].replace("\t", " ").replace("\r", " ")
    return f"\n{shown}\n{' ' * (place - first)}^\nERROR at Row:{at.line}:Column:{at.column}\n{message}"


def unknown_sobject(name: str, at: tree.At) -> QueryFault:
    hint = _CUSTOM.format(kind="object", suffix="__c", what="entity name")
    return QueryFault("INVALID_TYPE", f"sObject type '{name}' is not supported. {hint} {_REFERENCE}", at)


def unknown_field(name: str, sobject: str, at: tree.At) -> QueryFault:
    hint = _CUSTOM.format(kind="field", suffix="__c", what="custom field name")
    return QueryFault(
        "INVALID_FIELD", f"No such column '{name}' on entity '{sobject}'. {hint} {_REFERENCE}", at
    )


def unknown_parent(name: str, at: tree.At) -> QueryFault:
    hint = _CUSTOM.format(kind="relationship", suffix="__r", what="custom relationship name")
    return QueryFault(
        "INVALID_FIELD", f"Didn't understand relationship '{name}' in field path. {hint} {_REFERENCE}", at
    )


def unknown_children(name: str, at: tree.At) -> QueryFault:
    hint = _CUSTOM.format(kind="relationship", suffix="__r", what="custom relationship name")
    what = f"Didn't understand relationship '{name}' in FROM part of query call."
    return QueryFault("INVALID_TYPE", f"{what} {hint} {_REFERENCE}", at)


def wrong_literal(field: str, kind: str, at: tree.At) -> QueryFault:
    quotes = "should" if kind in {"string", "reference"} else "should not"
    what = f"value of filter criterion for field '{field}' must be of type {kind} and {quotes} be enclosed in quotes"
    return QueryFault("INVALID_FIELD", what, at)


def malformed(message: str, at: tree.At | None = None) -> QueryFault:
    return QueryFault("MALFORMED_QUERY", message, at)
