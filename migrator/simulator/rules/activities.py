"""Tasks: who changed one last is not kept where it is about somebody or something, also not with the audit permission."""

from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.execution import Saving

_LAST = ("LastModifiedById", "LastModifiedDate")


def add(org: OrgState) -> None:
    """Add the rule."""
    org.dml.rules("Task").defaults.append(_forget_last)


def _forget_last(saving: Saving) -> None:
    if saving.chunk.compiled.trusted or not any(name in saving.chunk.cells for name in _LAST):
        return
    pairs = zip(saving.new("WhoId"), saving.new("WhatId"), saving.fresh, strict=True)
    places = [place for place, (who, what, fresh) in enumerate(pairs) if fresh and (who or what)]
    for name in _LAST:
        if places and name in saving.chunk.cells:
            saving.set(name, [""] * len(places), places)
