"""The records of an org: one table per sObject."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from migrator.simulator.records.table import Block, Derived, Journal, Table
from migrator.simulator.schema.model import Schema

__all__ = ["Block", "Derived", "Journal", "Store", "Table"]


class Store:
    """The tables of an org, by sObject."""

    def __init__(
        self, schema: Schema, pod: str, derived: Mapping[str, Mapping[str, Derived]] | None = None
    ) -> None:
        self.schema = schema
        self.pod = pod
        self.journal: Journal | None = None
        self._later: dict[str, Callable[[], None]] = {}
        self._derived = dict(derived or {})
        self._tables: dict[str, Table] = {}
        self.reshape(schema)

    def reshape(self, schema: Schema) -> None:
        """Have tables for this schema; those that stay keep their records."""
        self.schema = schema
        held, self._tables = self._tables, {}
        for sobject in schema.sobjects:
            name = sobject.name.lower()
            table = held.get(name)
            if table is None:
                table = Table(sobject, self.pod, self._derived.get(sobject.name))
                table.journal = self.journal
            elif table.sobject is not sobject:
                table.reshape(sobject)
            self._tables[name] = table

    def note(self, journal: Journal | None) -> None:
        """From now on note in the journal how to take changes back, or no longer."""
        self.journal = journal
        for table in self.tables():
            table.journal = journal

    def table(self, sobject: str) -> Table:
        """The table of an sObject, named in any case."""
        name = sobject.lower()
        if name in self._later:
            fill = self._later[name]
            self._later = {other: each for other, each in self._later.items() if each != fill}
            fill()
        return self._tables[name]

    def later(self, sobjects: Iterable[str], fill: Callable[[], None]) -> None:
        """Fill these tables when one of them is first asked for."""
        self._later.update((name.lower(), fill) for name in sobjects if name.lower() in self._tables)

    def version(self, sobject: str) -> int:
        """How often records of an sObject were changed, without asking for its table."""
        found = self._tables.get(sobject.lower())
        return found.version if found else 0

    def tables(self) -> Iterator[Table]:
        """All tables in name order."""
        return iter(self._tables.values())

    def table_of_id(self, record_id: str) -> Table | None:
        """The table whose key prefix the id has."""
        sobject = self.schema.by_prefix(record_id[:3])
        return self.table(sobject.name) if sobject else None
