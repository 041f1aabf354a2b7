"""Tree to text: one line, keywords in upper case. `parse(render(query)) == query`."""

from typing import assert_never

from migrator.soql import tree


def render(node: "tree.Query | tree.Condition") -> str:
    """A query, or a bare condition, as SOQL."""
    return _query(node) if isinstance(node, tree.Query) else _condition(node)


def _query(query: tree.Query) -> str:
    words = [
        "SELECT " + ", ".join(_selected(item) for item in query.select),
        "FROM " + ", ".join(_source(source) for source in query.sources),
    ]
    if query.scope:
        words.append(f"USING SCOPE {query.scope}")
    if query.where:
        words.append(f"WHERE {_condition(query.where)}")
    if query.security:
        words.append(f"WITH {query.security}")
    if query.group_by:
        words.append(_group(query.group_by))
    if query.having:
        words.append(f"HAVING {_condition(query.having)}")
    if query.order_by:
        words.append("ORDER BY " + ", ".join(_order(key) for key in query.order_by))
    if query.limit is not None:
        words.append(f"LIMIT {query.limit}")
    if query.offset is not None:
        words.append(f"OFFSET {query.offset}")
    words += query.purposes
    if query.all_rows:
        words.append("ALL ROWS")
    return " ".join(words)


def _selected(item: tree.Selected) -> str:
    match item:
        case tree.SelectExpression(expression, alias):
            return render_expression(expression) + (f" {alias}" if alias else "")
        case tree.FieldSet(which):
            return f"FIELDS({which})"
        case tree.ChildQuery(query):
            return f"({_query(query)})"
        case tree.TypeOf(path, whens, otherwise):
            branches = "".join(f" WHEN {when.sobject} THEN {_comma(when.fields)}" for when in whens)
            tail = f" ELSE {_comma(otherwise)}" if otherwise else ""
            return f"TYPEOF {path}{branches}{tail} END"
        case _:
            assert_never(item)


def _comma(paths: tuple[tree.Path, ...]) -> str:
    return ", ".join(str(path) for path in paths)


def _source(source: tree.Source) -> str:
    return source.name + (f" {source.alias}" if source.alias else "")


def _group(group: tree.GroupBy) -> str:
    keys = ", ".join(render_expression(key) for key in group.by)
    return f"GROUP BY {group.kind}({keys})" if group.kind else f"GROUP BY {keys}"


def _order(key: tree.OrderBy) -> str:
    return (
        render_expression(key.by)
        + (" DESC" if key.descending else "")
        + (" NULLS LAST" if key.nulls_last else "")
    )


def _condition(condition: tree.Condition) -> str:
    match condition:
        case tree.And(parts):
            return " AND ".join(_nested(part) for part in parts)
        case tree.Or(parts):
            return " OR ".join(_nested(part) for part in parts)
        case tree.Not(part):
            return f"NOT {_nested(part)}"
        case _:
            return f"{render_expression(condition.left)} {_predicate(condition)}"


def _predicate(condition: "tree.Compare | tree.InValues | tree.InQuery | tree.Includes") -> str:
    match condition:
        case tree.Compare(_, operator, right):
            return f"{operator} {_literal(right)}"
        case tree.InValues(_, values, negated):
            return f"{'NOT IN' if negated else 'IN'} ({_literals(values)})"
        case tree.InQuery(_, query, negated):
            return f"{'NOT IN' if negated else 'IN'} ({_query(query)})"
        case tree.Includes(_, values, excludes):
            return f"{'EXCLUDES' if excludes else 'INCLUDES'} ({_literals(values)})"
        case _:
            assert_never(condition)


def _nested(condition: tree.Condition) -> str:
    text = _condition(condition)
    return f"({text})" if isinstance(condition, tree.And | tree.Or | tree.Not) else text


def _literals(values: tuple[tree.Literal, ...]) -> str:
    return ", ".join(_literal(value) for value in values)


def _literal(value: tree.Literal) -> str:
    match value:
        case tree.Text(raw):
            return f"'{raw}'"
        case tree.Number(text) | tree.Date(text) | tree.DateTime(text):
            return text
        case tree.Boolean(truth):
            return "TRUE" if truth else "FALSE"
        case tree.Null():
            return "NULL"
        case tree.DateRange(name, n):
            return name if n is None else f"{name}:{n}"
        case tree.Currency(code, amount):
            return code + amount
        case _:
            assert_never(value)


def render_expression(expression: tree.Path | tree.Call | tree.Text | tree.Number) -> str:
    """A field or function as SOQL."""
    match expression:
        case tree.Path():
            return str(expression)
        case tree.Call(name, args):
            return f"{name}({', '.join(render_expression(arg) for arg in args)})"
        case tree.Text() | tree.Number():
            return _literal(expression)
        case _:
            assert_never(expression)
