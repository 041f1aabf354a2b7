"""Roll-up summaries: kept right while records of the child come, change and go, by differences and not by looking again.

A count and a sum take what a record counted for before and now; a minimum or maximum looks at a parent's children again only when
the record that it came from goes. As on the platform, the parent's SystemModstamp moves and who changed it last does not.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from migrator.simulator.records.dml import Dml
from migrator.simulator.records.execution import Effect, Saved
from migrator.simulator.records.store import Store
from migrator.simulator.records.summaryfilters import filter_of
from migrator.simulator.records.truth import Change
from migrator.simulator.records.values import format_double, moment
from migrator.simulator.schema.model import NUMBERS, Field, SObject, Summary, SummaryOperation

Cells = Callable[[str], Sequence[str]]


def add_summaries(dml: Dml, store: Store) -> None:
    """Add the effects that keep all roll-up summaries of the schema."""
    for sobject in store.schema.sobjects:
        for field in sobject.fields:
            if field.summary is not None:
                kept = _Kept(dml, store, sobject, field, field.summary)
                dml.rules(kept.child.sobject.name).effects.append(kept.effect)


@dataclass(frozen=True, slots=True)
class _Moves:
    """What the changed records counted for before and count for now, by parent."""

    before: Sequence[tuple[str, str]]  # (parent, value)
    now: Sequence[tuple[str, str]]


class _Kept:
    """One roll-up summary."""

    def __init__(self, dml: Dml, store: Store, parent: SObject, field: Field, summary: Summary) -> None:
        self._dml = dml
        self._parents = store.table(parent.name)
        self.child = store.table(summary.child)
        self._field = field
        self._summary = summary
        self._numeric = field.type in NUMBERS
        self._filters = [(each.field, filter_of(self.child.sobject, each)) for each in summary.filters]
        reads = {summary.reference, *(name for name, _ in self._filters)}
        if summary.field:
            reads.add(summary.field)
        # a formula changes with the fields that it is made of
        watches = set(reads)
        for name in reads:
            derived = self.child.derived.get(name)
            watches.update(derived.fields if derived is not None else ())
        self.effect = Effect(self._run, frozenset(watches), reads=frozenset(reads))

    def _run(self, saved: Saved) -> None:
        gone = saved.change in {Change.DELETED, Change.PURGED}
        fresh = saved.change in {Change.CREATED, Change.UNDELETED}
        moves = _Moves(
            [] if fresh else self._counted(saved.old, len(saved.seqs)),
            [] if gone else self._counted(saved.now, len(saved.seqs)),
        )
        if moves.before == moves.now:
            return
        additive = self._summary.operation in {SummaryOperation.COUNT, SummaryOperation.SUM}
        changed = self._added(moves) if additive else self._extreme(moves)
        self._write(changed, saved)

    def _counted(self, cells: Cells, count: int) -> list[tuple[str, str]]:
        """The parent and the value of each record that counts."""
        parents = cells(self._summary.reference)
        values = cells(self._summary.field) if self._summary.field else ["1"] * count
        pairs = list(zip(parents, values, strict=True))
        for name, passes in self._filters:
            given = cells(name)
            verdicts = {each: passes(each) for each in set(given)}
            pairs = [pair if verdicts[cell] else ("", "") for pair, cell in zip(pairs, given, strict=True)]
        return [pair for pair in pairs if pair[0] and pair[1]]

    def _added(self, moves: _Moves) -> dict[int, str]:
        totals: dict[str, Decimal] = {}
        for parent, value in moves.now:
            totals[parent] = totals.get(parent, Decimal()) + Decimal(value)
        for parent, value in moves.before:
            totals[parent] = totals.get(parent, Decimal()) - Decimal(value)
        seqs, held = self._held([parent for parent, difference in totals.items() if difference])
        return {
            seq: format_double(float(Decimal(cell or "0") + totals[parent]))
            for parent, seq, cell in zip(held, seqs, self._parents.cells(seqs, self._field.name), strict=True)
        }

    def _held(self, parents: Sequence[str]) -> tuple[list[int], list[str]]:
        """The numbers of those parents that there are, be it in the recycle bin, and their ids."""
        found = [(seq, parent) for parent in parents if (seq := self._parents.seq_of(parent))]
        return [seq for seq, _ in found], [parent for _, parent in found]

    def _extreme(self, moves: _Moves) -> dict[int, str]:
        """New extremes; where the old one went, the children that are left are looked at."""
        gone: dict[str, set[str]] = {}
        for parent, value in moves.before:
            gone.setdefault(parent, set()).add(self._pick([value]))
        come: dict[str, list[str]] = {}
        for parent, value in moves.now:
            come.setdefault(parent, []).append(value)
        seqs, parents = self._held(list(dict.fromkeys([*gone, *come])))
        changed: dict[int, str] = {}
        for seq, parent, cell in zip(seqs, parents, self._parents.cells(seqs, self._field.name), strict=True):
            if cell in gone.get(parent, ()):
                values = list(self._left(parent))
            else:
                values = [*([cell] if cell else []), *come.get(parent, ())]
            made = self._pick(values)
            if made != cell:
                changed[seq] = made
        return changed

    def _left(self, parent: str) -> Iterator[str]:
        seqs = sorted(self.child.index(self._summary.reference).find(parent))

        def cells(name: str) -> Sequence[str]:
            return self.child.cells(seqs, name)

        return (value for _, value in self._counted(cells, len(seqs)))

    def _pick(self, values: Sequence[str]) -> str:
        if not values:
            return ""
        pick = min if self._summary.operation is SummaryOperation.MIN else max
        # dates in canonical form are in the order of their text
        found = pick(values, key=float) if self._numeric else pick(values)
        return format_double(float(found)) if self._numeric else found

    def _write(self, changed: Mapping[int, str], saved: Saved) -> None:
        if not changed:
            return
        name, seqs = self._field.name, sorted(changed)
        before = {name: self._parents.cells(seqs, name)}
        stamp = (moment(saved.context.now),)
        cells = [changed[seq] for seq in seqs]
        self._parents.update_columns(seqs, {name: cells, "SystemModstamp": stamp})
        self._dml.follow(Saved(self._parents, Change.UPDATED, seqs, saved.context, before, seqs))
