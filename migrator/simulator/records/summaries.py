"""Roll-up summaries: kept right while records of the child come, change and go, by differences and not by looking again.

A count and a sum take what a record counted for before and now; a minimum or maximum looks at a parent's children again only when
the record that it came from goes. As on the platform, the parent's SystemModstamp moves and who changed it last does not.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from migrator.simulator.records.dml import Dml
from migrator.simulator.records.execution import Effect, Saved
from migrator.simulator.records.results import RowError
from migrator.simulator.records.store import Store, Table
from migrator.simulator.records.summaryfilters import filter_of
from migrator.simulator.records.truth import Change
from migrator.simulator.records.values import format_double, moment
from migrator.simulator.schema.model import NUMBERS, Field, SObject, Summary, SummaryOperation

Cells = Callable[[str], Sequence[str]]
Places = Callable[[str], int]  # the number of a parent by its id


def add_summaries(dml: Dml, store: Store) -> None:
    """Add the effects that keep all roll-up summaries of the schema, one for each reference that they go by."""
    for sobject in store.schema.sobjects:
        families: dict[tuple[str, str], list[_Kept]] = {}
        for field in sobject.fields:
            if field.summary is not None:
                key = (field.summary.child, field.summary.reference)
                families.setdefault(key, []).append(_Kept(store, sobject, field, field.summary))
        for (child, _), kept in families.items():
            family = _Family(dml, store.table(sobject.name), kept)
            dml.rules(child).effects.append(family.effect)


@dataclass(frozen=True, slots=True)
class _Moves:
    """What the changed records counted for before and count for now, by parent."""

    before: Sequence[tuple[str, str]]  # (parent, value)
    now: Sequence[tuple[str, str]]


class _Family:
    """All summaries of a parent over one reference: what they share is looked up once, and written once."""

    def __init__(self, dml: Dml, parents: Table, kept: Sequence["_Kept"]) -> None:
        self._dml = dml
        self._parents = parents
        self._kept = kept
        watches = frozenset[str]().union(*(each.watches for each in kept))
        reads = frozenset[str]().union(*(each.reads for each in kept))
        self.effect = Effect(self._run, watches, reads=reads)

    def _run(self, saved: Saved) -> None:
        gone = saved.change in {Change.DELETED, Change.PURGED}
        fresh = saved.change in {Change.CREATED, Change.UNDELETED}
        count = len(saved.seqs)
        old, now = cache(saved.old), cache(saved.now)
        places = cache(self._parents.seq_of)
        columns: dict[str, Mapping[int, str]] = {}
        for each in self._kept:
            moves = _Moves(
                [] if fresh else each.counted(old, count), [] if gone else each.counted(now, count)
            )
            changed = each.changed(moves, places) if moves.before != moves.now else {}
            if changed:
                columns[each.name] = changed
        if columns:
            self._write(columns, saved)

    def _write(self, columns: Mapping[str, Mapping[int, str]], saved: Saved) -> None:
        seqs = sorted({seq for changed in columns.values() for seq in changed})
        before = {name: self._parents.cells(seqs, name) for name in columns}
        made: dict[str, Sequence[str]] = {
            name: [changed.get(seq, held) for seq, held in zip(seqs, before[name], strict=True)]
            for name, changed in columns.items()
        }
        judged = bool(saved.rows) and not saved.trusted
        refused = self._dml.validate(self._parents, seqs, made, saved.context) if judged else {}
        self._parents.update_columns(seqs, made | {"SystemModstamp": (moment(saved.context.now),)})
        above = Saved(self._parents, Change.UPDATED, seqs, saved.context, before, seqs, trusted=not judged)
        self._dml.follow(above)
        self._refuse({**above.late, **refused}, saved)

    def _refuse(self, refused: Mapping[int, tuple[RowError, ...]], saved: Saved) -> None:
        """A record is refused in the words of its master's validation rules, where they do not bear the new figures."""
        if not refused:
            return
        by_id = {self._parents.id_of(seq): errors for seq, errors in refused.items()}
        reference = self._kept[0].reference
        for place, parents in enumerate(zip(saved.old(reference), saved.now(reference), strict=True)):
            for parent in parents:
                if parent in by_id:
                    saved.fault(place, *by_id[parent])


class _Kept:
    """One roll-up summary."""

    def __init__(self, store: Store, parent: SObject, field: Field, summary: Summary) -> None:
        self.name = field.name
        self.reference = summary.reference
        self._parents = store.table(parent.name)
        self._child = store.table(summary.child)
        self._summary = summary
        self._numeric = field.type in NUMBERS
        self._filters = [(each.field, filter_of(self._child.sobject, each)) for each in summary.filters]
        fields = {summary.reference, *(name for name, _ in self._filters)}
        if summary.field:
            fields.add(summary.field)
        self.reads = frozenset(fields)
        # a formula changes with the fields that it is made of
        for name in self.reads:
            derived = self._child.derived.get(name)
            fields.update(derived.fields if derived is not None else ())
        self.watches = frozenset(fields)

    def changed(self, moves: _Moves, places: Places) -> dict[int, str]:
        """The new cells of the parents that change, by the parent's number."""
        additive = self._summary.operation in {SummaryOperation.COUNT, SummaryOperation.SUM}
        return self._added(moves, places) if additive else self._extreme(moves, places)

    def counted(self, cells: Cells, count: int) -> list[tuple[str, str]]:
        """The parent and the value of each record that counts."""
        parents = cells(self._summary.reference)
        values = cells(self._summary.field) if self._summary.field else ["1"] * count
        pairs = list(zip(parents, values, strict=True))
        for name, passes in self._filters:
            given = cells(name)
            verdicts = {each: passes(each) for each in set(given)}
            pairs = [pair if verdicts[cell] else ("", "") for pair, cell in zip(pairs, given, strict=True)]
        return [pair for pair in pairs if pair[0] and pair[1]]

    def _added(self, moves: _Moves, places: Places) -> dict[int, str]:
        totals: dict[str, Decimal] = {}
        for parent, value in moves.now:
            totals[parent] = totals.get(parent, Decimal()) + Decimal(value)
        for parent, value in moves.before:
            totals[parent] = totals.get(parent, Decimal()) - Decimal(value)
        seqs, held = _held([parent for parent, difference in totals.items() if difference], places)
        return {
            seq: format_double(float(Decimal(cell or "0") + totals[parent]))
            for parent, seq, cell in zip(held, seqs, self._parents.cells(seqs, self.name), strict=True)
        }

    def _extreme(self, moves: _Moves, places: Places) -> dict[int, str]:
        """New extremes; where the old one went, the children that are left are looked at."""
        gone: dict[str, set[str]] = {}
        for parent, value in moves.before:
            gone.setdefault(parent, set()).add(self._pick([value]))
        come: dict[str, list[str]] = {}
        for parent, value in moves.now:
            come.setdefault(parent, []).append(value)
        seqs, parents = _held(list(dict.fromkeys([*gone, *come])), places)
        changed: dict[int, str] = {}
        for seq, parent, cell in zip(seqs, parents, self._parents.cells(seqs, self.name), strict=True):
            if cell in gone.get(parent, ()):
                values = list(self._left(parent))
            else:
                values = [*([cell] if cell else []), *come.get(parent, ())]
            made = self._pick(values)
            if made != cell:
                changed[seq] = made
        return changed

    def _left(self, parent: str) -> Iterator[str]:
        seqs = sorted(self._child.index(self._summary.reference).find(parent))

        def cells(name: str) -> Sequence[str]:
            return self._child.cells(seqs, name)

        return (value for _, value in self.counted(cells, len(seqs)))

    def _pick(self, values: Sequence[str]) -> str:
        if not values:
            return ""
        pick = min if self._summary.operation is SummaryOperation.MIN else max
        # dates in canonical form are in the order of their text
        found = pick(values, key=float) if self._numeric else pick(values)
        return format_double(float(found)) if self._numeric else found


def _held(parents: Sequence[str], places: Places) -> tuple[list[int], list[str]]:
    """The numbers of those parents that there are, be it in the recycle bin, and their ids."""
    found = [(seq, parent) for parent in parents if (seq := places(parent))]
    return [seq for seq, _ in found], [parent for _, parent in found]
