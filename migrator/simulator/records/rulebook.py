"""What the schema of an org adds to the transactions of its sObjects, put into the engine's rules."""

from migrator.simulator.records.choices import choice_checks
from migrator.simulator.records.dml import Dml
from migrator.simulator.records.personaccounts import add_person_accounts
from migrator.simulator.records.store import Store
from migrator.simulator.records.summaries import add_summaries
from migrator.simulator.records.truth import Truth


def add_rules(dml: Dml, store: Store, truth: Truth) -> None:
    """Add the rules that the schema says; sObjects without any stay without."""
    for sobject in store.schema.sobjects:
        checks = choice_checks(store, sobject)
        if checks:
            dml.rules(sobject.name).checks.extend(checks)
    add_person_accounts(dml, store, truth)
    add_summaries(dml, store)
