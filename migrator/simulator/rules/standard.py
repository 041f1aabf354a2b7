"""All rules of standard objects, in one place."""

from migrator.simulator.orgstate import OrgState
from migrator.simulator.rules import profiles, together


def add_standard_rules(org: OrgState) -> None:
    """Add to an org's rules what the platform does with standard objects."""
    together.add(org)
    profiles.add(org)
