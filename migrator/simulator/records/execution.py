"""Salesforce's order of execution, as far as an org adds to it: rules of an sObject, stage by stage.

A transaction of at most 200 rows goes through these stages, every row through one before any goes through the next:

    1  system validation   types, lengths, references, required and unique fields (`judge`); then `checks`
    2  before save         `defaults` fill in or change cells
    3  validation rules    `validations`
    4  duplicate rules     `duplicates`
    5  save                ids, auto numbers, stamps, the truth log (`writer`)
    6  after save          `effects`: records that the platform makes by itself, roll-ups, …

A step of stages 1 to 4 gets a `Saving` and looks at columns, not at rows: `new(field)` are the cells as they will be saved,
`old(field)` as they are. It refuses rows with `fault`; a refused row is not in `rows` of the next step. An effect gets a
`Saved` after records were created, updated, deleted or undeleted. What it writes belongs to the transaction: when it refuses a
row with `fault`, everything that the transaction did is taken back, truth log included, and the other rows are saved again
without that one, as the platform does it.

An effect makes or changes records with the engine itself, `compile(…, trusted=True)` and `execute`, under the same context.

Seed data is trusted: it goes through `defaults` and `effects` only. An sObject without rules goes through none of this and pays nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from migrator.simulator.records.chunk import Chunk
from migrator.simulator.records.context import Context
from migrator.simulator.records.results import RowError
from migrator.simulator.records.store import Table
from migrator.simulator.records.truth import Change


class Saving:
    """The rows of a transaction that nothing is wrong with so far, as the records they will be."""

    def __init__(
        self,
        chunk: Chunk,
        inserts: Sequence[int],
        updates: Mapping[int, int],
        context: Context,
        system: Mapping[str, str],
    ) -> None:
        self.chunk = chunk
        self.table: Table = chunk.table
        self.context = context
        self.inserts = inserts
        self.updates = updates  # row → the record's number
        self.rows: Sequence[int] = [*inserts, *updates]  # new records first
        self._system = system  # what a new record has in system fields
        self._new: dict[str, list[str]] = {}
        self._old: dict[str, list[str]] = {}

    @property
    def fresh(self) -> Sequence[bool]:
        """Whether the row makes a record, in the order of `rows`."""
        return [True] * len(self.inserts) + [False] * len(self.updates)

    def gives(self, *fields: str) -> bool:
        """Whether the transaction makes records or gives one of these fields."""
        return bool(self.inserts) or any(
            name in self.chunk.cells or name in self.chunk.nulls for name in fields
        )

    def given(self, name: str) -> Sequence[bool]:
        """Which rows give the field, be it null."""
        cells = self.chunk.cells.get(name)
        nulls = set(self.chunk.nulls.get(name, ()))
        return [bool(cells and cells[row]) or row in nulls for row in self.rows]

    def old(self, name: str) -> Sequence[str]:
        """The cells before, in the order of `rows`; `""` for new records."""
        found = self._old.get(name)
        if found is None:
            before = self.table.cells(list(self.updates.values()), name)
            found = self._old[name] = [""] * len(self.inserts) + list(before)
        return found

    def new(self, name: str) -> Sequence[str]:
        """The cells as they will be saved, defaults of the field and of the system included, in the order of `rows`."""
        found = self._new.get(name)
        if found is None:
            found = self._new[name] = self._merged(name)
        return found

    def _merged(self, name: str) -> list[str]:
        derived = self.table.derived.get(name)
        if derived is not None:
            columns = [self.new(each) for each in derived.fields]
            return list(derived.whole(*columns) if derived.whole else map(derived.compute, *columns))
        if name == "Id":
            return [*[""] * len(self.inserts), *self.table.ids_of(list(self.updates.values()))]
        default = self._system.get(name) or self.table.default(name)
        cells = self.chunk.cells.get(name)
        nulls = self.chunk.nulls.get(name, ())
        made = [default] * len(self.inserts)
        if self.updates:
            made += self.old(name)[len(self.inserts) :]
        if cells is not None:
            made = [cells[row] or held for row, held in zip(self.rows, made, strict=True)]
        if nulls:
            cleared = set(nulls)
            made = ["" if row in cleared else cell for row, cell in zip(self.rows, made, strict=True)]
        return made

    def set(self, name: str, cells: Sequence[str], places: Sequence[int] | None = None) -> None:
        """Change what will be saved, in the order of `rows`, or at some places in it."""
        rows = self.rows if places is None else [self.rows[place] for place in places]
        held = list(self.chunk.cells.get(name, [""] * self.chunk.count))
        nulls = set(self.chunk.nulls.get(name, ()))
        for row, cell in zip(rows, cells, strict=True):
            held[row] = cell
            (nulls.discard if cell else nulls.add)(row)
        self.chunk.cells[name] = held
        if nulls:
            self.chunk.nulls[name] = sorted(nulls)
        else:
            self.chunk.nulls.pop(name, None)
        self._new.pop(name, None)

    def fault(self, row: int, *errors: RowError) -> None:
        """Refuse a row; the first reason stands."""
        self.chunk.fault(row, *errors)

    def settle(self) -> None:
        """Drop the rows that were refused."""
        if not self.chunk.errors or self.chunk.errors.keys().isdisjoint(self.rows):
            return
        kept = [place for place, row in enumerate(self.rows) if row not in self.chunk.errors]
        for columns in (self._new, self._old):
            for name, cells in columns.items():
                columns[name] = [cells[place] for place in kept]
        self.inserts = self.chunk.good(self.inserts)
        self.updates = {row: seq for row, seq in self.updates.items() if row not in self.chunk.errors}
        self.rows = [*self.inserts, *self.updates]


Step = Callable[[Saving], None]


@dataclass(slots=True)
class Saved:
    """Records that a transaction has changed."""

    table: Table
    change: Change
    seqs: Sequence[int]
    context: Context
    before: Mapping[str, Sequence[str]] = field(default_factory=dict)  # watched fields of updated records
    rows: Sequence[int] = ()  # of the transaction; none for deletions
    late: dict[int, tuple[RowError, ...]] = field(default_factory=dict)
    trusted: bool = False  # seed data, or what the platform makes itself

    def now(self, name: str) -> Sequence[str]:
        """The cells after the change; deleted records still have theirs."""
        return self.table.cells(self.seqs, name)

    def old(self, name: str) -> Sequence[str]:
        """The cells before: of created and undeleted records none, of deleted ones all."""
        if self.change in {Change.CREATED, Change.UNDELETED}:
            return [""] * len(self.seqs)
        found = self.before.get(name)
        return self.now(name) if found is None else found

    def fault(self, place: int, *errors: RowError) -> None:
        """Refuse the row of a record after all, by its place in `seqs`."""
        self.late.setdefault(self.rows[place], errors)


@dataclass(frozen=True, slots=True)
class Effect:
    """What happens after records were saved, deleted or undeleted."""

    run: Callable[[Saved], None]
    watches: frozenset[str] | None = None  # an update that gives none of these fields is of no interest
    changes: frozenset[Change] = frozenset(Change)
    reads: frozenset[str] = (
        frozenset()
    )  # fields whose old cells it wants, beside the given ones that it watches

    def wants(self, given: AbstractSet[str]) -> bool:
        """Whether an update that gives these fields is of interest."""
        return Change.UPDATED in self.changes and (self.watches is None or not self.watches.isdisjoint(given))


Removal = Callable[[Table, int], RowError | None]


@dataclass(slots=True)
class Rules:
    """What an org adds to the transactions of one sObject."""

    checks: list[Step] = field(default_factory=list)
    defaults: list[Step] = field(default_factory=list)
    validations: list[Step] = field(default_factory=list)
    duplicates: list[Step] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    removals: list[Removal] = field(
        default_factory=list
    )  # asked before a record is deleted by name, not by a cascade

    def before_save(self, saving: Saving, *, trusted: bool) -> None:
        """Stages 1 to 4."""
        stages = (
            (self.defaults,) if trusted else (self.checks, self.defaults, self.validations, self.duplicates)
        )
        for steps in stages:
            _walk(steps, saving)

    def validate(self, saving: Saving) -> None:
        """Stage 3 alone."""
        _walk(self.validations, saving)

    def watched(self, given: AbstractSet[str]) -> list[str]:
        """The fields whose old cells an effect will ask for after an update that gives these fields."""
        names: set[str] = set()
        for effect in self.effects:
            if effect.wants(given):
                names |= effect.reads | (given if effect.watches is None else effect.watches & given)
        return sorted(names)

    def after_save(self, saved: Saved, given: AbstractSet[str]) -> None:
        """Stage 6, for records of one kind of change."""
        for effect in self.effects:
            if saved.change in effect.changes and (saved.change is not Change.UPDATED or effect.wants(given)):
                effect.run(saved)


def _walk(steps: Sequence[Step], saving: Saving) -> None:
    for step in steps:
        if saving.rows:
            step(saving)
            saving.settle()
