"""Validation rules: formulas that must not be true of a record that is saved. All rules of a record speak, not only the first."""

from collections.abc import Callable

from migrator.simulator.formula import ERROR, Formula
from migrator.simulator.records.execution import Saving, Step
from migrator.simulator.records.formulas import SavedFrame
from migrator.simulator.records.results import RowError
from migrator.simulator.records.store import Store
from migrator.simulator.schema.formulas import compile_rule
from migrator.simulator.schema.model import SObject, ValidationRule
from migrator.simulator.schema.view import View

STATUS = "FIELD_CUSTOM_VALIDATION_EXCEPTION"


def validation_step(store: Store, sobject: SObject, view: Callable[[str], View]) -> Step | None:
    """The validation rules of an sObject, if it has any."""
    objects = {each.name: each for each in store.schema.sobjects}
    rules = [(rule, compile_rule(objects, sobject, rule)) for rule in sobject.validation_rules if rule.active]
    if not rules:
        return None

    def validate(saving: Saving) -> None:
        frame = SavedFrame(store, saving, _Globals(store, saving.context.actor, view))
        errors: dict[int, list[RowError]] = {}
        for rule, formula in rules:
            _apply(rule, formula, frame, errors)
        for row, found in errors.items():
            saving.fault(row, *found)

    return validate


def _apply(
    rule: ValidationRule, formula: Formula, frame: SavedFrame, errors: dict[int, list[RowError]]
) -> None:
    values = formula.evaluate(frame)
    if True not in values and ERROR not in values:
        return
    for row, value in zip(frame.saving.rows, values, strict=True):
        if value is ERROR:
            text = (
                f'The formula in the "{rule.name}" validation rule or process automation is invalid.'
                " Incorrect argument type for function."
            )
            errors.setdefault(row, []).append(RowError(STATUS, text))
        elif value:
            fields = (rule.field,) if rule.field else ()
            errors.setdefault(row, []).append(RowError(STATUS, rule.message, fields))


class _Globals:
    """The global variables of the user who saves."""

    def __init__(self, store: Store, actor: str, view: Callable[[str], View]) -> None:
        self._store = store
        self._actor = actor
        self._view = view

    def __call__(self, path: tuple[str, ...]) -> str:
        name, field = path
        users = self._store.table("User")
        user = users.seq_of(self._actor) if self._actor else 0
        match name:
            case "$Permission":
                names = {each.lower() for each in self._view(self._actor).custom}
                return "true" if field.lower() in names else "false"
            case "$User":
                return users.cell(user, field) if user else ""
            case "$Profile" | "$UserRole":
                kind = name.removeprefix("$")
                record_id = users.cell(user, f"{kind}Id") if user else ""
                table = self._store.table(kind)
                seq = table.seq_of(record_id) if record_id else 0
                return table.cell(seq, field) if seq else ""
            case _:
                return self._store.table("Organization").cell(1, field)
