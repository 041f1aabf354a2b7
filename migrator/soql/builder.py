"""Builds the tree while lark's parser reduces: one method per rule of the grammar, named as the rule."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lark import Token, Transformer

from migrator.soql import tree
from migrator.soql.errors import SoqlError
from migrator.soql.strings import illegal_escape
from migrator.soql.tree import At

_DOT = re.compile(r"\s*\.\s*")
_PURPOSES = frozenset({"FOR VIEW", "FOR REFERENCE", "FOR UPDATE", "UPDATE TRACKING", "UPDATE VIEWSTAT"})


@dataclass(frozen=True, slots=True)
class _Clause:
    """A clause on its way into `Query`: the attribute and its value; one that is not there has no name."""

    name: str
    value: Any


_ABSENT = _Clause("", None)


def _at(token: Token) -> At:
    return At(token.line or 1, token.column or 1)


def _refuse(token: Token, message: str = "") -> SoqlError:
    return SoqlError(message or f"unexpected token: '{token}'", token.line or 1, token.column or 1)


def _path(token: Token) -> tree.Path:
    parts = tuple(_DOT.split(token)) if "." in token else (str(token),)
    return tree.Path(parts, _at(token))


def _word(token: Token) -> str:
    if "." in token:
        raise _refuse(token)
    return str(token)


def _whole(token: Token) -> int:
    if not token.isdecimal():
        raise _refuse(token)
    return int(token)


def _clause(name: str) -> Callable[["Builder", list[Any]], _Clause]:
    return lambda _self, children: _Clause(name, children[0]) if children else _ABSENT


class Builder(Transformer[Token, Any]):
    """The transformer that `Lark` calls; children come as the grammar keeps them (keywords are dropped there)."""

    def query(self, children: list[Any]) -> tree.Query:
        selected = tuple(child for child in children if not isinstance(child, _Clause | tree.Source))
        sources = tuple(child for child in children if isinstance(child, tree.Source))
        given = {child.name: child.value for child in children if isinstance(child, _Clause) and child.name}
        return tree.Query(select=selected, sources=sources, **given)

    def select_expression(self, children: list[Any]) -> tree.SelectExpression:
        return tree.SelectExpression(children[0], _word(children[1]) if len(children) > 1 else None)

    def field_set(self, children: list[Token]) -> tree.FieldSet:
        fields, which = children
        if which.upper() not in {"ALL", "STANDARD", "CUSTOM"}:
            raise _refuse(which)
        return tree.FieldSet(which.upper(), _at(fields))

    def child_query(self, children: list[tree.Query]) -> tree.ChildQuery:
        return tree.ChildQuery(children[0], children[0].sources[0].path.at)

    def type_of(self, children: list[Any]) -> tree.TypeOf:
        keyword, path, *rest = children
        whens = tuple(child for child in rest if isinstance(child, tree.When))
        otherwise = next((child for child in rest if isinstance(child, tuple)), ())
        return tree.TypeOf(_path(path), whens, otherwise, _at(keyword))

    def when(self, children: list[Any]) -> tree.When:
        return tree.When(_word(children[0]), tuple(children[1:]))

    def otherwise(self, children: list[tree.Path]) -> tuple[tree.Path, ...]:
        return tuple(children)

    def source(self, children: list[Token]) -> tree.Source:
        return tree.Source(_path(children[0]), _word(children[1]) if len(children) > 1 else None)

    where = _clause("where")
    having = _clause("having")

    def scope(self, children: list[Token]) -> _Clause:
        return _Clause("scope", _word(children[0])) if children else _ABSENT

    def security(self, children: list[Token]) -> _Clause:
        if not children:
            return _ABSENT
        if children[0].upper() not in {"SECURITY_ENFORCED", "USER_MODE", "SYSTEM_MODE"}:
            raise _refuse(children[0])
        return _Clause("security", children[0].upper())

    def group_plain(self, children: list[Any]) -> _Clause:
        return _Clause("group_by", tree.GroupBy(tuple(children)))

    def group_rollup(self, children: list[Any]) -> _Clause:
        return _Clause("group_by", tree.GroupBy(tuple(children), "ROLLUP"))

    def group_cube(self, children: list[Any]) -> _Clause:
        return _Clause("group_by", tree.GroupBy(tuple(children), "CUBE"))

    def order(self, children: list[Any]) -> _Clause:
        return _Clause("order_by", tuple(children))

    def order_key(self, children: list[Any]) -> tree.OrderBy:
        said = {child.type for child in children[1:]}
        return tree.OrderBy(children[0], descending="DESC" in said, nulls_last="NULLS_LAST" in said)

    def limit(self, children: list[Token]) -> _Clause:
        return _Clause("limit", _whole(children[0])) if children else _ABSENT

    def offset(self, children: list[Token]) -> _Clause:
        return _Clause("offset", _whole(children[0])) if children else _ABSENT

    def no_group(self, _children: list[Any]) -> _Clause:
        return _ABSENT

    def purposes(self, children: list[tuple[str, ...]]) -> _Clause:
        return _Clause("purposes", tuple(name for names in children for name in names))

    def purpose(self, children: list[Token]) -> tuple[str, ...]:
        verb, *objects = children
        names = [f"{verb.upper()} {word.upper()}" for word in objects]
        for name, word in zip(names, objects, strict=True):
            if name not in _PURPOSES:
                raise _refuse(word)
        return tuple(names)

    def all_rows(self, children: list[Token]) -> _Clause:
        return _Clause("all_rows", value=bool(children))

    def bare_condition(self, children: list[Any]) -> tree.Condition:
        (only,) = children
        found: tree.Condition = only
        return found

    def and_(self, children: list[Any]) -> tree.And:
        return tree.And(tuple(children))

    def or_(self, children: list[Any]) -> tree.Or:
        return tree.Or(tuple(children))

    def not_(self, children: list[Any]) -> tree.Not:
        return tree.Not(children[0])

    def compare(self, children: list[Any]) -> tree.Compare:
        left, operator, right = children
        return tree.Compare(left, tree.Operator("!=" if operator == "<>" else str(operator)), right)

    def like(self, children: list[Any]) -> tree.Compare:
        return tree.Compare(children[0], tree.Operator.LIKE, children[1])

    def in_values(self, children: list[Any]) -> tree.InValues:
        return tree.InValues(children[0], tuple(children[1:]))

    def not_in_values(self, children: list[Any]) -> tree.InValues:
        return tree.InValues(children[0], tuple(children[1:]), negated=True)

    def in_query(self, children: list[Any]) -> tree.InQuery:
        return tree.InQuery(children[0], children[1])

    def not_in_query(self, children: list[Any]) -> tree.InQuery:
        return tree.InQuery(children[0], children[1], negated=True)

    def includes(self, children: list[Any]) -> tree.Includes:
        return tree.Includes(children[0], tuple(children[1:]))

    def excludes(self, children: list[Any]) -> tree.Includes:
        return tree.Includes(children[0], tuple(children[1:]), excludes=True)

    def path(self, children: list[Token]) -> tree.Path:
        return _path(children[0])

    def call(self, children: list[Any]) -> tree.Call:
        return tree.Call(_word(children[0]), tuple(children[1:]), _at(children[0]))

    def text(self, children: list[Token]) -> tree.Text:
        raw = children[0][1:-1]
        illegal = illegal_escape(raw)
        if illegal:
            raise _refuse(
                children[0],
                f"Invalid string literal '{raw}'. Illegal character sequence '{illegal}' in string literal",
            )
        return tree.Text(raw, _at(children[0]))

    def number(self, children: list[Token]) -> tree.Number:
        return tree.Number(str(children[0]), _at(children[0]))

    def boolean(self, children: list[Token]) -> tree.Boolean:
        return tree.Boolean(children[0].type == "TRUE", _at(children[0]))

    def null(self, children: list[Token]) -> tree.Null:
        return tree.Null(_at(children[0]))

    def date(self, children: list[Token]) -> tree.Date:
        return tree.Date(str(children[0]), _at(children[0]))

    def date_time(self, children: list[Token]) -> tree.DateTime:
        return tree.DateTime(str(children[0]), _at(children[0]))

    def date_range(self, children: list[Token]) -> tree.DateRange:
        name, _, n = children[0].partition(":")
        return tree.DateRange(name.strip().upper(), int(n) if n else None, _at(children[0]))

    def currency(self, children: list[Token]) -> tree.Currency:
        return tree.Currency(children[0][:3].upper(), children[0][3:], _at(children[0]))
