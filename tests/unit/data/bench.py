"""An engine over a temporary run folder, with short ways to make its files and to read them."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import duckdb

from migrator.data import Engine, Workspace
from migrator.data.jobs import (
    IdMap,
    LoadJob,
    Pages,
    Prepared,
    SentColumn,
    Settled,
    SettleJob,
    SqlColumn,
    SqlLookup,
)
from migrator.model.ids import to_18
from migrator.model.plan import Operation, WhenMissing
from migrator.model.run import FileRef


class Bench:
    """An engine over a temporary run folder, with readers and writers for tests."""

    def __init__(self, root: Path) -> None:
        self.workspace = Workspace(root / "run")
        self.engine = Engine(self.workspace, memory_limit_mb=256)
        self._files = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.close()

    def csv(
        self, header: Sequence[str], rows: Sequence[Sequence[Any]], *, prefix: str = "extract"
    ) -> FileRef:
        """A CSV file as Salesforce sends it: every cell quoted."""
        buffer = io.StringIO(newline="")
        writer = csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
        self._files += 1
        return self.workspace.publish(f"{prefix}/{self._files}.csv", [buffer.getvalue().encode()], len(rows))

    def pages(self, header: Sequence[str], *pages: Sequence[Sequence[Any]]) -> Pages:
        return Pages(tuple(self.csv(header, rows) for rows in pages))

    def parquet(self, ref: FileRef | None) -> list[dict[str, Any]]:
        """The rows of a parquet file."""
        if ref is None:
            return []
        with duckdb.connect() as connection:
            connection.execute(f"SELECT * FROM read_parquet('{self.workspace.path(ref)}')")
            names = [column[0] for column in connection.description or ()]
            return [dict(zip(names, row, strict=True)) for row in connection.fetchall()]

    def slice(self, ref: FileRef) -> list[dict[str, str]]:
        """The rows of a slice file, read by Python's own reader."""
        with self.workspace.path(ref).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file, strict=True))

    def id_map(self, pairs: Mapping[str, str], *, outcome: str = "created", code: str = "") -> IdMap:
        """An id map that says these source keys became these records."""
        self._files += 1
        made = self.workspace.root / "made.parquet"
        values = ", ".join(
            f"({n}, '{key}', '{value}', '{outcome}', '{code}', '', '', true)"
            for n, (key, value) in enumerate(pairs.items(), start=1)
        )
        with duckdb.connect() as connection:
            connection.execute(
                f'COPY (SELECT * FROM (VALUES {values}) AS t("row", source_key, target_id, outcome, code, message, fields, final)) '
                f"TO '{made}' (FORMAT parquet)"
            )
        return IdMap((self.workspace.adopt(f"outcomes/made/{self._files}.parquet", made, len(pairs)),))

    def load(self, pages: Pages, columns: Sequence[str], **settings: Any) -> Prepared:
        """Prepare a load that sends these source columns as they are."""
        return self.engine.prepare_load(a_load(pages, columns, **settings))

    def answer(
        self,
        prepared: Prepared,
        columns: Sequence[str],
        *,
        no: int = 1,
        sent: tuple[SentColumn, ...] | None = None,
        bad: Mapping[int, str] | None = None,
        unprocessed: Sequence[int] = (),
        change: Callable[[list[str]], list[str]] = list,
        files: tuple[Sequence[Sequence[str]], Sequence[Sequence[str]], Sequence[Sequence[str]]] | None = None,
        **settings: Any,
    ) -> SettleJob:
        """A settle job as if an org had answered: rows (by place in the slice) in `bad` failed with that error, the others succeeded.

        `change` rewrites the repeated cells, as an org that reformats values would; `files` states the rows of the three files instead.
        """
        slice_ = next(one for one in prepared.slices if one.no == no)
        with self.workspace.path(slice_.file).open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file, strict=True))[1:]
        bad = bad or {}
        ok = [
            [record_id(n), "true", *change(row)]
            for n, row in enumerate(rows)
            if n not in bad and n not in unprocessed
        ]
        failed = [["", bad[n], *change(row)] for n, row in enumerate(rows) if n in bad]
        again = [change(rows[n]) for n in unprocessed]
        successes, failures, rest = files or (ok[::-1], failed[::-1], again)
        told: dict[str, Any] = {
            "attempt": 7,
            "columns": sent or tuple(SentColumn(name) for name in columns),
            "operation": Operation.INSERT,
            "processed": len(ok) + len(failed),
            "failed": len(failed),
            "key_prefix": "003",
        }
        return SettleJob(
            step="load",
            slice=no,
            sent=slice_.file.rows,
            rows=prepared.rows,
            successful=self.csv(("sf__Id", "sf__Created", *columns), successes, prefix="results"),
            failed_results=self.csv(("sf__Id", "sf__Error", *columns), failures, prefix="results"),
            unprocessed=self.csv(columns, rest, prefix="results"),
            **(told | settings),
        )

    def outcomes(self, settled: Settled) -> dict[str, tuple[str, str, str]]:
        """Source key → outcome (`waits` when it is not final), target id, code."""
        return {
            row["source_key"]: (row["outcome"] if row["final"] else "waits", row["target_id"], row["code"])
            for row in self.parquet(settled.outcomes)
        }


def a_load(pages: Pages, columns: Sequence[str], **settings: Any) -> LoadJob:
    told: dict[str, Any] = {
        "step": "load",
        "pages": pages,
        "key": ("Id",),
        "operation": Operation.INSERT,
        "columns": tuple(SqlColumn(name, f'"{name}"') for name in columns),
    }
    return LoadJob(**(told | settings))


def record_id(number: int, prefix: str = "003") -> str:
    """A well-formed 18-character id."""
    return to_18(f"{prefix}Aa{number:010d}")


def lookup(maps: tuple[IdMap, ...], when_missing: WhenMissing, default: str | None = None) -> SqlLookup:
    return SqlLookup("AccountId", "Parent", maps, when_missing, default)


def reasons(bench: Bench, ref: FileRef | None) -> list[tuple[int, str, str, str]]:
    return [(row["row"], row["outcome"], row["code"], row["fields"]) for row in bench.parquet(ref)]
