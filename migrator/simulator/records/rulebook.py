"""What the schema of an org adds to the transactions of its sObjects, put into the engine's rules."""

from collections.abc import Callable

from migrator.simulator.records.choices import choice_checks
from migrator.simulator.records.dml import Dml
from migrator.simulator.records.duplicates import add_duplicate_rules
from migrator.simulator.records.formulas import add_formula_fields
from migrator.simulator.records.hierarchy import hierarchy_checks
from migrator.simulator.records.personaccounts import add_person_accounts
from migrator.simulator.records.store import Store
from migrator.simulator.records.summaries import add_summaries
from migrator.simulator.records.truth import Truth
from migrator.simulator.records.validation import validation_step
from migrator.simulator.schema.view import View


def add_rules(
    dml: Dml, store: Store, truth: Truth, view: Callable[[str], View], now: Callable[[], float]
) -> None:
    """Add the rules that the schema says; sObjects without any stay without."""
    add_formula_fields(store, now)
    for sobject in store.schema.sobjects:
        checks = [*choice_checks(store, sobject), *hierarchy_checks(sobject)]
        if checks:
            dml.rules(sobject.name).checks.extend(checks)
        validate = validation_step(store, sobject, view)
        if validate is not None:
            dml.rules(sobject.name).validations.append(validate)
    add_person_accounts(dml, store, truth)
    add_summaries(dml, store)
    add_duplicate_rules(dml, store)
