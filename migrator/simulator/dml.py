"""The engine behind every API that changes records: one transaction of at most 200 rows at a time, column by column.

Rows are checked as columns with built-in functions; only a chunk that has something wrong is looked at row by row.

**Invariant:** a row with an error changes nothing, and all rows of a chunk are judged before any is written.
"""

from collections.abc import Mapping, Sequence

from migrator.simulator.chunk import Chunk
from migrator.simulator.compile import Api, Compiled, Operation, compile_columns
from migrator.simulator.context import Context
from migrator.simulator.judge import Judge
from migrator.simulator.references import References
from migrator.simulator.removal import Removal
from migrator.simulator.results import ChunkResult, RowError
from migrator.simulator.rollback import ROLLED_BACK
from migrator.simulator.schema import SObject
from migrator.simulator.store import Store
from migrator.simulator.truth import Truth
from migrator.simulator.writer import Writer

MAX_ROWS = 200  # records of one transaction, in every API


class Dml:
    """The engine of one org."""

    def __init__(
        self,
        store: Store,
        truth: Truth,
        *,
        audit_fields: bool = False,
        record_types: Mapping[str, str] | None = None,
    ) -> None:
        self._store = store
        self._audit_fields = audit_fields
        references = References(store)
        self._judge = Judge(references)
        self._writer = Writer(truth, record_types or {})
        self._removal = Removal(store, truth, references.forget)

    def compile(
        self,
        sobject: SObject,
        columns: Sequence[str],
        operation: Operation,
        *,
        external_id: str | None = None,
        null_marker: str | None = None,
        api: Api = Api.BULK,
    ) -> Compiled:
        """Compile a header once for many chunks; raises `HeaderFault`.

        With a `null_marker` (Bulk has `#N/A`) a cell that is it sets null; without one, a cell that is None does.
        """
        return compile_columns(
            self._store.schema,
            sobject,
            columns,
            operation,
            external_id=external_id,
            null_marker=null_marker,
            api=api,
            audit_fields=self._audit_fields,
        )

    def execute(
        self,
        compiled: Compiled,
        rows: Sequence[Sequence[str | None]],
        context: Context,
        *,
        all_or_none: bool = False,
    ) -> ChunkResult:
        """Run one transaction. Rows are as wide as the header; a cell is text, and `""` is not given."""
        if not rows:
            return ChunkResult([], [])
        table = self._store.table(compiled.sobject.name)
        chunk = Chunk(compiled, table, len(rows), list(zip(*rows, strict=True)))
        if compiled.operation in {Operation.DELETE, Operation.HARD_DELETE}:
            hard = compiled.operation is Operation.HARD_DELETE
            return self._removal.run(table, chunk.ids(), context, hard=hard, all_or_none=all_or_none)
        self._judge.read(chunk)
        inserts, updates = self._judge.split(chunk)
        if inserts:
            inserts = self._judge.insert(chunk, inserts)
        if updates:
            updates = self._judge.update(chunk, updates)
        if chunk.errors and all_or_none:
            return _rolled_back(chunk)
        made = chunk.ids() if updates or chunk.errors else [""] * chunk.count
        created = [False] * chunk.count
        if updates:
            for row, record_id in self._writer.update(chunk, updates, context):
                made[row] = record_id
        if inserts:
            fresh = self._writer.insert(chunk, inserts, context)
            if len(inserts) == chunk.count:
                return ChunkResult(fresh, [True] * chunk.count)
            for row, record_id in zip(inserts, fresh, strict=True):
                made[row] = record_id
                created[row] = True
        return ChunkResult(made, created, chunk.errors)


def _rolled_back(chunk: Chunk) -> ChunkResult:
    errors: dict[int, tuple[RowError, ...]] = {
        row: chunk.errors.get(row, (ROLLED_BACK,)) for row in range(chunk.count)
    }
    return ChunkResult(chunk.ids(), [False] * chunk.count, errors)
