"""Formulas of a schema: what names in them mean, and whether all of them can be."""

from collections.abc import Mapping
from dataclasses import dataclass

from migrator.simulator.formula import Formula, FormulaFault, Kind, compile_formula
from migrator.simulator.schema.model import Field, FieldType, SObject, ValidationRule

MAX_HOPS = 10  # relationships that one name may go over; "Spanning relationships"
GLOBALS = frozenset({"$Organization", "$Permission", "$Profile", "$RecordType", "$User", "$UserRole"})
_OF_RULES = GLOBALS - {"$RecordType"}
KINDS: Mapping[FieldType, Kind] = {
    FieldType.ID: Kind.TEXT,
    FieldType.REFERENCE: Kind.TEXT,
    FieldType.STRING: Kind.TEXT,
    FieldType.TEXTAREA: Kind.TEXT,
    FieldType.EMAIL: Kind.TEXT,
    FieldType.PHONE: Kind.TEXT,
    FieldType.URL: Kind.TEXT,
    FieldType.COMBOBOX: Kind.TEXT,
    FieldType.ENCRYPTED: Kind.TEXT,
    FieldType.BOOLEAN: Kind.BOOLEAN,
    FieldType.INT: Kind.NUMBER,
    FieldType.DOUBLE: Kind.NUMBER,
    FieldType.CURRENCY: Kind.NUMBER,
    FieldType.PERCENT: Kind.PERCENT,
    FieldType.DATE: Kind.DATE,
    FieldType.DATETIME: Kind.DATETIME,
    FieldType.TIME: Kind.TIME,
    FieldType.PICKLIST: Kind.PICKLIST,
    FieldType.MULTIPICKLIST: Kind.MULTIPICKLIST,
}


@dataclass(frozen=True, slots=True)
class FieldScope:
    """The names of a formula that stands at an sObject; `rules` may ask who does it, formula fields may not."""

    objects: Mapping[str, SObject]
    sobject: SObject
    rules: bool

    def find(self, path: tuple[str, ...]) -> tuple[tuple[str, ...], Kind]:
        """The path in the schema's own spelling and what is there."""
        if path[0].startswith("$"):
            return self._global(path)
        if len(path) > MAX_HOPS + 1:
            raise FormulaFault(f"{'.'.join(path)}: more than {MAX_HOPS} relationships")
        sobject, found = self.sobject, []
        for step in path[:-1]:
            reference = sobject.relationship(step)
            if reference is None or len(reference.reference_to) != 1:
                raise _unknown(path)
            found.append(reference.relationship or step)
            parent = self.objects.get(reference.reference_to[0])
            if parent is None:  # a real org has sObjects that this one has not
                raise _unknown(path)
            sobject = parent
        field = sobject.field(path[-1])
        if field is None or field.type not in KINDS:
            raise _unknown(path)
        return (*found, field.name), KINDS[field.type]

    def _global(self, path: tuple[str, ...]) -> tuple[tuple[str, ...], Kind]:
        names = {name.lower(): name for name in GLOBALS}
        name = names.get(path[0].lower())
        if name is None or len(path) != 2:
            raise _unknown(path)
        if name in _OF_RULES and not self.rules:
            raise FormulaFault(f"{name} is for validation rules here, not for formula fields")
        if name == "$Permission":
            return (name, path[1]), Kind.BOOLEAN
        field = self.objects[name.removeprefix("$")].field(path[1])
        if field is None or field.type not in KINDS:
            raise _unknown(path)
        return (name, field.name), KINDS[field.type]


def _unknown(path: tuple[str, ...]) -> FormulaFault:
    return FormulaFault(f"Field {'.'.join(path)} does not exist. Check spelling.")


def compile_field(objects: Mapping[str, SObject], sobject: SObject, field: Field) -> Formula:
    """The formula of a formula field."""
    kind = KINDS.get(field.type)
    if kind is None:
        raise FormulaFault(f"no formula makes a field of type {field.type}")
    wanted = Kind.NUMBER if kind is Kind.PERCENT else kind
    scope = FieldScope(objects, sobject, rules=False)
    return compile_formula(field.formula or "", scope, blanks_as_zero=field.blanks_as_zero, wanted=wanted)


def compile_rule(objects: Mapping[str, SObject], sobject: SObject, rule: ValidationRule) -> Formula:
    """The formula of a validation rule."""
    scope = FieldScope(objects, sobject, rules=True)
    return compile_formula(rule.formula, scope, rules=True, wanted=Kind.BOOLEAN)


def check_formulas(objects: Mapping[str, SObject]) -> None:
    """Every formula can be, and no field is made of itself; a ValueError names the field or rule and says what is wrong."""
    made: dict[tuple[str, str], Formula] = {}
    for sobject in objects.values():
        for field in sobject.fields:
            if field.formula is not None:
                try:
                    made[sobject.name, field.name] = compile_field(objects, sobject, field)
                except FormulaFault as fault:
                    raise ValueError(f"{sobject.name}.{field.name}: {fault}") from fault
        for rule in sobject.validation_rules:
            try:
                compile_rule(objects, sobject, rule)
            except FormulaFault as fault:
                raise ValueError(f"{sobject.name}: validation rule {rule.name}: {fault}") from fault
            if rule.field and sobject.field(rule.field) is None:
                raise ValueError(
                    f"{sobject.name}: validation rule {rule.name}: there is no field {rule.field}"
                )
    for key in made:
        _check_circle(objects, made, key, ())


def _check_circle(
    objects: Mapping[str, SObject],
    made: Mapping[tuple[str, str], Formula],
    key: tuple[str, str],
    seen: tuple[tuple[str, str], ...],
) -> None:
    if key in seen:
        raise ValueError(f"{'.'.join(key)}: the formula refers to itself")
    for path in made[key].paths:
        sobject = objects[key[0]]
        for step in path[:-1]:
            reference = sobject.relationship(step) if not step.startswith("$") else None
            if reference is None:
                break
            sobject = objects[reference.reference_to[0]]
        if (sobject.name, path[-1]) in made and not path[0].startswith("$"):
            _check_circle(objects, made, (sobject.name, path[-1]), (*seen, key))
