"""A field rule to SQL: its value, and what is wrong with a row's value.

**Invariant:** the SQL reads quoted source fields and nothing else; it yields text or null for every row, and never raises.
"""

from dataclasses import dataclass

from migrator.model.plan import FieldRule, Match, Otherwise
from migrator.model.schedule import ColumnSpec
from migrator.transforms.compiler import Compiled, compile_template
from migrator.transforms.masks import MASKS
from migrator.transforms.sql import identifier, literal
from migrator.transforms.template import parse_template
from migrator.transforms.types import faults_of_type


@dataclass(frozen=True, slots=True)
class CompiledColumn:
    """SQL of one sent field. `fault_sql` yields null for a good row, else the code of its fault."""

    target: str
    value_sql: str
    fault_sql: str | None
    reads: tuple[str, ...]


def compile_column(spec: ColumnSpec, *, salt: str = "") -> CompiledColumn:
    """The SQL of a column. Raises ExpressionError for an expression that `resolve` refuses."""
    rule = spec.rule
    base = _base(rule)
    value = base.value
    faults = list(base.faults)
    if rule.values:
        if rule.otherwise is Otherwise.FAIL:
            faults.append((_unmapped(rule, value), "VALUE_NOT_MAPPED"))
        value = _mapped(rule, value)
    if rule.mask is not None:
        value = MASKS[rule.mask].build(value, salt)
    if rule.truncate is not None:
        value = f"left({value}, {rule.truncate})"
    if rule.mask != "null":
        faults += faults_of_type(spec.type, spec.length, f"({value})")
    return CompiledColumn(rule.target, value, _fault_sql(faults), base.reads)


def compile_match(match: Match) -> tuple[str, ...]:
    """SQL of the source's side of each key field, in the order of `on`; the target's side is the field as it is."""
    first, *others = match.on
    value = identifier(first)
    if match.transform is not None:
        value = compile_template(parse_template(match.transform), columns={"value": first}).value
    return (value, *(identifier(name) for name in others))


def _base(rule: FieldRule) -> Compiled:
    if rule.expression is not None:
        return compile_template(parse_template(rule.expression))
    if rule.source is not None:
        return Compiled(identifier(rule.source), (), (rule.source,), constant=False)
    return Compiled(literal(rule.value or ""), (), (), constant=True)


def _mapped(rule: FieldRule, value: str) -> str:
    """Values are compared exactly; the empty text stands for null as well."""
    cases = " ".join(
        f"WHEN {literal(old)} THEN {literal(new)}" for old, new in sorted(rule.values.items()) if old
    )
    rest = "NULL"
    if rule.otherwise is Otherwise.KEEP:
        rest = value
    elif rule.otherwise is Otherwise.DEFAULT:
        rest = f"CASE WHEN ({value}) <> '' THEN {literal(rule.default or '')} END"
    mapped = f"CASE {value} {cases} ELSE {rest} END" if cases else rest
    if "" in rule.values:
        mapped = f"CASE WHEN COALESCE({value}, '') = '' THEN {literal(rule.values[''])} ELSE {mapped} END"
    return mapped


def _unmapped(rule: FieldRule, value: str) -> str:
    listed = ", ".join(literal(old) for old in sorted(rule.values))
    return f"({value}) <> '' AND ({value}) NOT IN ({listed})"


def _fault_sql(faults: list[tuple[str, str]]) -> str | None:
    if not faults:
        return None
    return "CASE " + " ".join(f"WHEN {condition} THEN '{code}'" for condition, code in faults) + " END"
