"""What standard objects do by themselves: fields computed from others, and values filled in on insert.

Computed fields cost nothing until they are read.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from migrator.simulator.records.store import Derived

Columns = dict[str, Sequence[str]]
OnInsert = Callable[[Columns, int], None]


class Stage(NamedTuple):
    """What an opportunity's stage implies."""

    probability: int
    category: str  # ForecastCategory
    category_name: str  # ForecastCategoryName
    closed: bool = False
    won: bool = False


# The stages and probabilities that a new org has.
STAGES: Mapping[str, Stage] = {
    "Prospecting": Stage(10, "Pipeline", "Pipeline"),
    "Qualification": Stage(10, "Pipeline", "Pipeline"),
    "Needs Analysis": Stage(20, "Pipeline", "Pipeline"),
    "Value Proposition": Stage(50, "Pipeline", "Pipeline"),
    "Id. Decision Makers": Stage(60, "Pipeline", "Pipeline"),
    "Perception Analysis": Stage(70, "Pipeline", "Pipeline"),
    "Proposal/Price Quote": Stage(75, "Pipeline", "Pipeline"),
    "Negotiation/Review": Stage(90, "Pipeline", "Pipeline"),
    "Closed Won": Stage(100, "Closed", "Closed", closed=True, won=True),
    "Closed Lost": Stage(0, "Omitted", "Omitted", closed=True),
}
_OTHER_STAGE = Stage(0, "Pipeline", "Pipeline")


def stage(name: str) -> Stage:
    """What a stage implies; a stage nobody described is open and improbable."""
    return STAGES.get(name, _OTHER_STAGE)


def _flag(value: bool) -> str:
    return "true" if value else "false"


def full_name(first: str, last: str) -> str:
    """The name of a person."""
    return f"{first} {last}" if first else last


def _expected(amount: str, probability: str) -> str:
    return str(float(amount) * float(probability) / 100) if amount and probability else ""


_NAME = {"Name": Derived(("FirstName", "LastName"), full_name)}

DERIVED: Mapping[str, Mapping[str, Derived]] = {
    "Contact": _NAME,
    "Lead": _NAME,
    "User": _NAME,
    "Opportunity": {
        "IsClosed": Derived(("StageName",), lambda name: _flag(stage(name).closed)),
        "IsWon": Derived(("StageName",), lambda name: _flag(stage(name).won)),
        "ForecastCategory": Derived(("StageName",), lambda name: stage(name).category),
        "ExpectedRevenue": Derived(("Amount", "Probability"), _expected),
    },
    "Case": {"IsClosed": Derived(("Status",), lambda status: _flag(status == "Closed"))},
    "Task": {
        "IsClosed": Derived(("Status",), lambda status: _flag(status == "Completed")),
        "IsHighPriority": Derived(("Priority",), lambda priority: _flag(priority == "High")),
    },
}


def _opportunity(columns: Columns, count: int) -> None:
    stages = columns.get("StageName", [""] * count)
    given = columns.get("Probability", [""] * count)
    columns["Probability"] = [
        cell or f"{stage(name).probability}.0" for cell, name in zip(given, stages, strict=True)
    ]
    given = columns.get("ForecastCategoryName", [""] * count)
    columns["ForecastCategoryName"] = [
        cell or stage(name).category_name for cell, name in zip(given, stages, strict=True)
    ]


ON_INSERT: Mapping[str, OnInsert] = {"Opportunity": _opportunity}
