"""Formulas over records: fields that are computed when they are read, and the frames in which formulas look at records."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from migrator.simulator.formula import Formula, encode
from migrator.simulator.records.execution import Saving
from migrator.simulator.records.store import Derived, Store, Table
from migrator.simulator.records.values import format_double
from migrator.simulator.schema.formulas import compile_field
from migrator.simulator.schema.model import Field, FieldType, SObject

Path = tuple[str, ...]
Now = Callable[[], float]


def add_formula_fields(store: Store, now: Now) -> None:
    """Let the tables compute the formula fields of the schema."""
    objects = {sobject.name: sobject for sobject in store.schema.sobjects}
    for sobject in store.schema.sobjects:
        for field in sobject.fields:
            if field.formula is not None:
                formula = compile_field(objects, sobject, field)
                store.table(sobject.name).derived[field.name] = _derived(store, sobject, field, formula, now)


def base_field(sobject: SObject, path: Path) -> str:
    """The field of the record itself that a name begins with."""
    if path[0] == "$RecordType":
        return "RecordTypeId"
    if len(path) == 1:
        return path[0]
    reference = sobject.relationship(path[0])
    return reference.name if reference is not None else ""


def _derived(store: Store, sobject: SObject, field: Field, formula: Formula, now: Now) -> Derived:
    bases = tuple(dict.fromkeys(base_field(sobject, path) for path in formula.paths))
    away = any(len(path) > 1 for path in formula.paths)
    percent = field.type is FieldType.PERCENT

    def whole(*columns: Sequence[str]) -> list[str]:
        count = len(columns[0]) if columns else 0
        frame = _Stored(store, sobject, count, now(), dict(zip(bases, columns, strict=True)))
        values = formula.evaluate(frame)
        if percent:
            values = [value * 100 if value else value for value in values]
        return encode(formula.kind, values, scale=field.scale, double=format_double)

    # a formula without fields still needs to know how many records there are
    return Derived(
        bases or ("Id",),
        lambda *cells: whole(*([cell] for cell in cells))[0],
        whole,
        away or formula.volatile,
    )


@dataclass(frozen=True, slots=True)
class _Stored:
    """Records as they are stored."""

    store: Store
    sobject: SObject
    count: int
    now: float
    columns: Mapping[str, Sequence[str]]

    def cells(self, path: Path) -> Sequence[str]:
        base = self.columns[base_field(self.sobject, path)]
        return base if len(path) == 1 else follow(self.store, self.sobject, path, base)

    def prior(self, path: Path) -> Sequence[str]:
        return self.cells(path)

    def fresh(self) -> Sequence[bool]:
        return [False] * self.count


@dataclass(frozen=True, slots=True)
class SavedFrame:
    """Records that are about to be saved, as a validation rule sees them."""

    store: Store
    saving: Saving
    globals: Callable[[Path], str]  # of the user who does it

    @property
    def count(self) -> int:
        return len(self.saving.rows)

    @property
    def now(self) -> float:
        return self.saving.context.now

    def cells(self, path: Path) -> Sequence[str]:
        sobject = self.saving.table.sobject
        if path[0].startswith("$") and path[0] != "$RecordType":
            return [self.globals(path)] * self.count
        base = self.saving.new(base_field(sobject, path))
        return base if len(path) == 1 else follow(self.store, sobject, path, base)

    def prior(self, path: Path) -> Sequence[str]:
        return self.saving.old(path[0])

    def fresh(self) -> Sequence[bool]:
        return self.saving.fresh


def follow(store: Store, sobject: SObject, path: Path, ids: Sequence[str]) -> list[str]:
    """The cells at the end of a path whose first relationship has these ids; each parent is looked up once."""
    known = {each: each for each in set(ids)}
    for table, field in _steps(store, sobject, path):
        for start, cell in known.items():
            seq = table.seq_of(cell) if cell else 0
            known[start] = table.cell(seq, field) if seq else ""
    return [known[each] for each in ids]


def _steps(store: Store, sobject: SObject, path: Path) -> list[tuple[Table, str]]:
    """The tables on the way and which field of each leads on; the last is what is asked for."""
    if path[0] == "$RecordType":
        return [(store.table("RecordType"), path[1])]
    steps: list[tuple[Table, str]] = []
    for step, following in pairwise(path):
        reference = sobject.relationship(step)
        if reference is None:
            raise AssertionError(f"{'.'.join(path)} was not checked")
        table = store.table(reference.reference_to[0])
        sobject = table.sobject
        onward = sobject.relationship(following) if len(steps) < len(path) - 2 else None
        steps.append((table, onward.name if onward is not None else following))
    return steps
