"""All rules of standard objects, in one place."""

from migrator.simulator.orgstate import OrgState
from migrator.simulator.rules import (
    activities,
    campaigns,
    cases,
    currencies,
    files,
    lines,
    owners,
    pricebooks,
    profiles,
    relations,
    together,
    users,
)


def add_standard_rules(org: OrgState) -> None:
    """Add to an org's rules what the platform does with standard objects."""
    together.add(org)
    profiles.add(org)
    owners.add(org)
    users.add(org)
    pricebooks.add(org)
    lines.add(org)
    relations.add(org)
    files.add(org)
    campaigns.add(org)
    activities.add(org)
    cases.add(org)
    currencies.add(org)  # before all other defaults
