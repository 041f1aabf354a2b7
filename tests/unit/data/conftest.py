"""A workspace and short ways to make its files."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest

from migrator.data import Engine, Workspace
from migrator.data.jobs import Pages
from migrator.model.run import FileRef


class Bench:
    """An engine over a temporary run folder, with readers and writers for tests."""

    def __init__(self, root: Path) -> None:
        self.workspace = Workspace(root / "run")
        self.engine = Engine(self.workspace, memory_limit_mb=256)
        self._files = 0

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

    def id_map(self, pairs: Mapping[str, str]) -> FileRef:
        """An outcomes file that says these source keys became these records."""
        self._files += 1
        made = self.workspace.root / "made.parquet"
        values = ", ".join(
            f"({n}, '{key}', '{value}', 'created', '', '', '', true)"
            for n, (key, value) in enumerate(pairs.items())
        )
        with duckdb.connect() as connection:
            connection.execute(
                f'COPY (SELECT * FROM (VALUES {values}) AS t("row", source_key, target_id, outcome, code, message, fields, final)) '
                f"TO '{made}' (FORMAT parquet)"
            )
        return self.workspace.adopt(f"outcomes/made/{self._files}.parquet", made, len(pairs))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)
