"""Checks the expressions of a plan, and says which source fields each rule reads.

**Invariant:** after it, an expression names source fields only: variables have become texts.
"""

from collections.abc import Mapping
from dataclasses import replace

from migrator.errors import Diagnostic, error
from migrator.model.plan import DocumentPath, FieldRule, Match, ObjectPlan, Plan
from migrator.transforms.compiler import compile_template, names_of
from migrator.transforms.masks import MASKS
from migrator.transforms.template import MAX_LENGTH, ExpressionError, Template, parse_template

_PARAMETER = "value"


def resolve(plan: Plan) -> tuple[Plan, list[Diagnostic]]:
    """The plan with `reads` of every rule filled in, and what is wrong with its expressions."""
    found: list[Diagnostic] = []
    objects = tuple(_object(one, plan, found) for one in plan.objects)
    return replace(plan, objects=objects), found


def _object(one: ObjectPlan, plan: Plan, found: list[Diagnostic]) -> ObjectPlan:
    rules = tuple(_rule(rule, (*one.path, "map", rule.target), plan, found) for rule in one.map)
    match = _match(one.match, (*one.path, "match", "transform"), plan, found) if one.match else None
    return replace(one, map=rules, match=match)


def _rule(rule: FieldRule, path: DocumentPath, plan: Plan, found: list[Diagnostic]) -> FieldRule:
    if rule.mask is not None and rule.mask not in MASKS:
        hint = f"known: {', '.join(MASKS)}"
        found.append(
            error("mask-unknown", f"there is no mask '{rule.mask}'", hint=hint, where=plan.place(*path))
        )
        rule = replace(rule, mask=None)
    if rule.expression is None:
        return replace(rule, reads=(rule.source,) if rule.source is not None else ())
    place: DocumentPath = (*path, "expression")
    try:
        template = parse_template(rule.expression)
        compiled = compile_template(template, texts=plan.variables)
        text = _written_out(template, plan.variables)
    except ExpressionError as failure:
        found.append(_told(failure, plan, place))
        return rule
    if compiled.constant:
        hint = "write {{ FirstName }} for a source field, or use 'value' for a constant"
        what = "the expression holds no {{ … }}: it is the same for every row"
        found.append(error("expression-constant", what, hint=hint, where=plan.place(*place)))
    return replace(rule, expression=text, reads=compiled.reads)


def _match(match: Match, path: DocumentPath, plan: Plan, found: list[Diagnostic]) -> Match:
    if match.transform is None:
        return match
    variables = {name: value for name, value in plan.variables.items() if name != _PARAMETER}
    try:
        template = parse_template(match.transform)
        compiled = compile_template(template, texts=variables)
        text = _written_out(template, variables)
    except ExpressionError as failure:
        found.append(_told(failure, plan, path))
        return match
    others = [name for name in compiled.reads if name != _PARAMETER]
    if others or not compiled.reads:
        what = f"'{others[0]}' is not known here" if others else "the transform does not use 'value'"
        hint = "the first field's text is called 'value', for example {{ value }}.merged"
        found.append(error("expression-name", what, hint=hint, where=plan.place(*path)))
    return replace(match, transform=text)


def _told(failure: ExpressionError, plan: Plan, path: DocumentPath) -> Diagnostic:
    at = f"line {failure.line}, column {failure.column} of the expression"
    hint = failure.hint or "'Expressions' in the plan reference says what they may hold"
    return error(failure.code, f"{failure.what} ({at})", hint=hint, where=plan.place(*path))


def _written_out(template: Template, variables: Mapping[str, str]) -> str:
    """The template's text with the variables in it as texts."""
    text = template.text
    for name in reversed([name for name in names_of(template) if name.name in variables]):
        start = name.lineno - 1
        text = text[:start] + _quoted(variables[name.name]) + text[start + len(name.name) :]
    if len(text) > MAX_LENGTH:
        what = f"longer than {MAX_LENGTH:,} characters with the variables in it"
        raise ExpressionError("expression-limit", what, template.text, 0)
    return text


def _quoted(value: str) -> str:
    for raw, escaped in (("\\", "\\\\"), ("'", "\\'"), ("\n", "\\n"), ("\r", "\\r")):
        value = value.replace(raw, escaped)
    return f"'{value}'"
