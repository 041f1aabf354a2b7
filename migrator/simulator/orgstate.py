"""What an org is made of: schema, records, engine, clock, settings, and the parts that API modules add to it.

API modules get this, not `Org`: they never answer requests by calling back into the front.
"""

import binascii
import random
import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

from migrator.clock import Clock
from migrator.simulator import ids
from migrator.simulator.records.behaviour import DERIVED
from migrator.simulator.records.dml import Dml
from migrator.simulator.records.grants import Grants
from migrator.simulator.records.rulebook import add_rules
from migrator.simulator.records.store import Store
from migrator.simulator.records.truth import Truth
from migrator.simulator.records.values import moment
from migrator.simulator.schema.model import Schema, SObject, make_schema
from migrator.simulator.schema.view import View
from migrator.simulator.settings import OrgSettings

Part = TypeVar("Part")


class Background(Protocol):
    """Asynchronous work of an org, done a little at a time."""

    def advance(self, now: float) -> bool:
        """Do a small step of what is due; whether there is more to do at once."""
        ...


class OrgState:
    """One org."""

    def __init__(self, schema: Schema, settings: OrgSettings, clock: Clock) -> None:
        self.schema = schema
        self.settings = settings
        self.clock = clock
        self.random = random.Random(settings.seed)  # noqa: S311 - deterministic on purpose
        self.lock = threading.RLock()
        self.store = Store(schema, pod_of(settings.organization_id), DERIVED)
        self.truth = Truth(self.store)
        self.record_types: dict[str, str] = {}  # default record type's id by sObject
        self.grants = Grants(self.store, self._audit)
        self.dml = Dml(self.store, self.truth, view=self.grants.view, record_types=self.record_types)
        add_rules(self.dml, self.store, self.truth, self.grants.view, clock.now)
        self.came_with: dict[str, int] = {}  # the number of the first record that did not come with the org
        self.user_id = ""  # of the integration user, set when the org is furnished
        self.schema_modified = clock.now()
        self.background: list[Background] = []
        self.unfinished: list[
            Callable[[], bool]
        ] = []  # whether there is work that a client may be waiting for
        self.adapting: list[Callable[[SObject], SObject]] = []  # what becomes of an sObject that is added
        self._parts: dict[object, object] = {}
        self._sequences: dict[str, int] = {}

    def now(self) -> float:
        """The org's time."""
        return self.clock.now()

    def view(self, user_id: str) -> View:
        """What a user sees of the org and may do in it."""
        return self.grants.view(user_id)

    def _audit(self) -> dict[str, str]:
        """The audit fields of a record that came with the org."""
        stamp = moment(self.clock.now())
        dates = dict.fromkeys(("CreatedDate", "LastModifiedDate", "SystemModstamp"), stamp)
        return dates | dict.fromkeys(("CreatedById", "LastModifiedById"), self.user_id)

    def part(self, kind: Callable[["OrgState"], Part]) -> Part:
        """The org's one `kind` (a class that takes the org), made when first asked for."""
        found = self._parts.get(kind)
        if found is None:
            found = self._parts[kind] = kind(self)
        return found  # type: ignore[return-value] # made by `kind` above

    def new_id(self, prefix: str) -> str:
        """A fresh id for something that is no record: a job, a batch, a result."""
        number = self._sequences.get(prefix, 0) + 1
        self._sequences[prefix] = number
        return ids.encode(prefix, self.store.pod, number)[0]

    def reshape(self, schema: Schema) -> None:
        """Have this schema from now on; records of sObjects that stay keep what they have."""
        self.schema = schema
        self.store.reshape(schema)
        self.grants.forget()
        self.dml.forget()
        self.schema_modified = self.now()

    def change(self, sobject: SObject) -> None:
        """Let an sObject be so from now on, or add it."""
        held = self.schema
        for adapt in self.adapting if held.sobject(sobject.name) is None else ():
            sobject = adapt(sobject)
        others = [each for each in held.sobjects if each.name != sobject.name]
        self.reshape(make_schema([*others, sobject], held.organization, held.people, held.settings))

    def sobject(self, name: str) -> SObject | None:
        """An sObject by name in any case."""
        return self.schema.sobject(name)


def pod_of(organization_id: str) -> str:
    """The three characters after the key prefix; they differ between orgs, as pods do."""
    number = binascii.crc32(organization_id.encode())
    return "abcdefghijklmnopqrstuvwxyz"[number % 26] + ids.ALPHABET[10 + number // 26 % 52] + "0"
