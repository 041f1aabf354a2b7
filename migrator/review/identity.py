"""What a run was approved as: its plan's meaning, the variables, and the schema that it was checked against.

It is kept in the ledger with the run, and in the file that `plan --out` saves.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from migrator.model.schedule import Schedule, Side
from migrator.model.schema import OrgSchema
from migrator.review.drift import used_schema
from migrator.review.ends import Checked


@dataclass(frozen=True, slots=True)
class Identity:
    """The variables that the plan was read with, and what its schedule uses of both orgs' schemas (empty for files)."""

    variables: Mapping[str, str] = field(default_factory=dict)
    source: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    target: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def dump(self) -> str:
        """As JSON text."""
        return json.dumps(
            {"variables": dict(self.variables), "source": self.source, "target": self.target},
            ensure_ascii=False,
            sort_keys=True,
        )


def parse_identity(text: str) -> Identity:
    """The identity in a text of `dump`; an empty one for a run that older versions made."""
    return Identity(**json.loads(text)) if text else Identity()


def identity_of(checked: Checked, schedule: Schedule, variables: Mapping[str, str]) -> Identity:
    """What the plan was checked as."""
    source, target = checked.source, checked.target
    return Identity(
        variables,
        used_schema(schedule, Side.SOURCE, source) if isinstance(source, OrgSchema) else {},
        used_schema(schedule, Side.TARGET, target) if target is not None else {},
    )
