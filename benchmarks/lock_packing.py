"""Packing by lock key: time, memory, how full the jobs are, and how near to the least possible time they run side by side.

`python benchmarks/lock_packing.py [--rows 2000000]`. Each shape in a process of its own. The time is that of deciding on slices, from staged rows
on; the makespan is that of a model: waves in turn, in a wave the longest chain first, fifteen jobs at once, a row takes as long as any other.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from migrator.data import Workspace
from migrator.data.cutting import divide
from migrator.data.jobs import LockKeys
from migrator.data.packing import Limits
from migrator.data.session import Database, read_parquet
from migrator.model.plan import Prefer

SLICE_ROWS = 10_000
JOBS_AT_ONCE = 15
#: grp (first key) and lock1 (second key) of row i, of so many
SHAPES = {
    "one key, even": (1, "'a' || (hash(i) % ({rows} // 10))", "NULL"),
    "one key, skewed": (1, "'a' || pow({rows} / 10.0, (hash(i) % 1000003) / 1000003.0)::BIGINT", "NULL"),
    "one key, a mega-parent of 5 %": (
        1,
        "CASE WHEN i % 20 = 0 THEN 'a' ELSE 'a' || (hash(i) % ({rows} // 10)) END",
        "NULL",
    ),
    "two keys, families": (
        2,
        "'a' || (hash(i) % ({rows} // 10))",
        "'b' || (hash(i) % ({rows} // 10)) || '.' || (i % 3)",
    ),
    "two keys, 400 campaigns": (2, "'a' || (hash(i) % 400)", "'b' || (hash(i + 1) % ({rows} // 3))"),
}
#: the same rows with full slices before an early end
FULL = "two keys, 400 campaigns, full slices"
SHAPES[FULL] = SHAPES["two keys, 400 campaigns"]


def run(name: str, rows: int) -> dict[str, float]:
    keys, first, second = SHAPES[name]
    with tempfile.TemporaryDirectory(prefix="migrator-bench-") as folder:
        workspace = Workspace(Path(folder) / "run")
        database = Database(workspace, memory_limit_mb=384, threads=2)
        with database.session() as session:
            path = session.write_parquet(
                f"SELECT i AS \"row\", '003S' || lpad(i::VARCHAR, 11, '0') || 'AAA' AS source_key, {first.format(rows=rows)} AS grp, "
                f"{second.format(rows=rows)}::VARCHAR AS lock1, 200::BIGINT AS bytes FROM range({rows}) AS t(i)",
                "staged.parquet",
            )
            session.run(f"CREATE TEMP VIEW sendable AS FROM {read_parquet([path])}")
            began, cpu = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
            prefer = Prefer.BATCHES if name == FULL else Prefer.TIME
            locks = LockKeys(("A", "B"), parallelism=JOBS_AT_ONCE, prefer=prefer) if keys > 1 else None
            divided = divide(session, locks, Limits(SLICE_ROWS, 100_000_000), 1)
            sizes = dict(
                session.rows(f"SELECT slice, count(*) FROM {divided.relation} GROUP BY slice ORDER BY slice")
            )
            wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
            (heaviest,) = session.one("SELECT max(n) FROM (SELECT count(*) AS n FROM sendable GROUP BY grp)")
        database.close()
    packing = {no: divided.packing.get(no, (f"#{no}", 0)) for no in sizes}
    assert sum(sizes.values()) == rows
    least = max(rows / JOBS_AT_ONCE, heaviest, SLICE_ROWS)
    return {
        "seconds": wall,
        "cpu": after.ru_utime + after.ru_stime - cpu.ru_utime - cpu.ru_stime,
        "MiB": after.ru_maxrss / 1024,
        "slices": len(sizes),
        "fill": rows / len(sizes) / SLICE_ROWS,
        "waves": len({wave for _, wave in packing.values()}),
        "makespan": _makespan(sizes, packing) / least,
        "serial": rows / least,
    }


def _makespan(sizes: dict[int, int], packing: dict[int, tuple[str, int]]) -> int:
    waves: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for no, (group, wave) in packing.items():
        waves[wave][group] += sizes[no]
    total = 0
    for chains in waves.values():
        busy = [0] * JOBS_AT_ONCE
        for rows in sorted(chains.values(), reverse=True):
            busy[busy.index(min(busy))] += rows
        total += max(busy)
    return total


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--shape", choices=SHAPES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.shape:
        print(json.dumps(run(options.shape, options.rows)))
        return 0
    for name in SHAPES:
        told = subprocess.run(
            [sys.executable, __file__, "--shape", name, "--rows", str(options.rows)],
            check=True,
            capture_output=True,
            text=True,
        )
        one = json.loads(told.stdout)
        print(
            f"{name:30s} {options.rows:>9,} rows  {one['seconds']:5.1f} s ({one['cpu']:.1f} CPU s)  {one['MiB']:4.0f} MiB  {one['slices']:>5.0f} slices  "
            f"fill {one['fill']:.2f}  {one['waves']:.0f} waves  makespan {one['makespan']:.2f} x the least (one after the other: {one['serial']:.1f} x)",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
