"""The data plane beside plain `csv` + `dict` Python: transform, three id-map joins, order by parent, cut, write, match results.

`python benchmarks/data_plane.py [--rows 10000000] [--plain-rows 1000000]`. Both do the same work on the same files, each in processes of its
own; the peak memory is the kernel's figure for those processes. Plain Python keeps its rows in memory, so it runs on fewer of them. As many of our slices are
settled at once as in a run without --workers.
"""

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from hashlib import md5
from pathlib import Path
from typing import Any

import duckdb

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from migrator.data import Engine, Workspace, jobs
from migrator.model.plan import Operation, WhenMissing
from migrator.model.run import FileRef

PAGE_ROWS = 100_000
#: as many slices are settled at once as in a run without --workers (`migrator.cli.driving`, which stages would load for nothing)
WORKERS = 8
SLICE_ROWS = 10_000
#: the process stays below 1 GiB with it, at 10,000,000 rows too
MEMORY = 800
SENT = (
    "FirstName",
    "LastName",
    "Email",
    "Phone",
    "Title",
    "Description",
    "Birthdate",
    "Score__c",
    "LeadSource",
    "AccountId",
    "OwnerId",
    "ReportsToId",
)
VALUES = {"Web": "Online", "Phone Inquiry": "Phone"}
LOOKUPS = {"AccountId": "accounts", "OwnerId": "owners", "ReportsToId": "managers"}


# --- input ---------------------------------------------------------------------------------------------------------


def make_input(root: Path, rows: int) -> None:
    """Pages as an org sends them, and three id maps: as parquet for us, as CSV for plain Python."""
    workspace = Workspace(root / "run")
    sizes = {"accounts": max(1, rows // 5), "owners": 500, "managers": max(1, rows // 50)}
    prefixes = {"accounts": "001", "owners": "005", "managers": "003"}
    with duckdb.connect(
        config={"memory_limit": "1GB", "threads": 2, "temp_directory": str(root / "spill")}
    ) as connection:
        refs: dict[str, Any] = {}
        accounts, managers = f"hash(i) % {sizes['accounts']}", f"hash(i + 1) % {sizes['managers']}"
        for name, count in sizes.items():
            made = root / f"{name}.parquet"
            columns = f"{_id(prefixes[name] + 'S', 'i')} AS source_key, {_id(prefixes[name] + 'T', 'i')} AS target_id"
            connection.execute(
                f"COPY (SELECT i AS \"row\", {columns}, 'created' AS outcome, '' AS code, '' AS message, '' AS fields, true AS final "
                f"FROM range({count}) AS t(i)) TO '{made}' (FORMAT parquet)"
            )
            connection.execute(
                f"COPY (SELECT source_key, target_id FROM '{made}') TO '{root / name}.csv' (FORMAT csv)"
            )
            refs[name] = asdict(workspace.adopt(f"outcomes/{name}/1.parquet", made, count))
        pages = []
        for seq, start in enumerate(range(0, rows, PAGE_ROWS)):
            count = min(PAGE_ROWS, rows - start)
            made = root / "page.csv"
            connection.execute(
                f"COPY (SELECT {_id('003S', 'i')} AS Id, 'Anna \"Jo\" ' || i AS FirstName, 'Müller, ' || (i % 9973) AS LastName, "
                "'user' || i || '@Example.com' AS Email, '+49 30 ' || i AS Phone, CASE i % 4 WHEN 0 THEN '' ELSE 'Head of ' || (i % 77) END AS Title, "
                "'First line ' || i || chr(10) || 'second — line with ünïcode and 😀' AS Description, '19' || (50 + i % 50) || '-01-15' AS Birthdate, "
                "(i % 100000) / 4 AS Score, CASE i % 3 WHEN 0 THEN 'Web' WHEN 1 THEN 'Phone Inquiry' ELSE 'Other' END AS LeadSource, "
                f"{_id('001S', accounts)} AS AccountId, {_id('005S', 'i % 500')} AS OwnerId, "
                f"CASE WHEN i % 10 = 0 THEN {_id('003S', managers)} ELSE '' END AS ReportsToId "
                f"FROM range({start}, {start + count}) AS t(i)) TO '{made}' (FORMAT csv, FORCE_QUOTE *)"
            )
            pages.append(asdict(workspace.adopt(f"extract/contacts/{seq}.csv", made, count)))
    (root / "input.json").write_text(json.dumps({"pages": pages, "maps": refs}))


def _id(prefix: str, number: str) -> str:
    return f"'{prefix}' || lpad(({number})::VARCHAR, 11, '0') || 'AAA'"


def make_results(root: Path, slices: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """What an org would write down: every hundredth row fails, the order is another one."""
    workspace = Workspace(root / "run")
    made: list[tuple[dict[str, Any], dict[str, Any]]] = []
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in SENT)
    with duckdb.connect(config={"memory_limit": "1GB", "threads": 2}) as connection:
        for one in slices:
            path = workspace.root / one["file"]["path"]
            connection.execute(
                f"CREATE OR REPLACE TEMP TABLE t AS SELECT row_number() OVER () AS n, * FROM read_csv('{path}', header = true, auto_detect = false, "
                f"columns = {{{columns}}}, quote = '\"', escape = '\"', parallel = false)"
            )
            identity = f"'003T' || lpad(({one['no'] * 1_000_000} + n)::VARCHAR, 11, '0')"
            pair = []
            for name, own, which in (
                ("ok", f"to18({identity}) AS sf__Id, 'true' AS sf__Created", "n % 100 <> 0"),
                (
                    "bad",
                    "'' AS sf__Id, 'REQUIRED_FIELD_MISSING:Required fields are missing: [X]:X --' AS sf__Error",
                    "n % 100 = 0",
                ),
            ):
                connection.execute(_TO18)
                out = root / "result.csv"
                connection.execute(
                    f"COPY (SELECT {own}, {', '.join(SENT)} FROM t WHERE {which} ORDER BY hash(n)) TO '{out}' (FORMAT csv, FORCE_QUOTE *)"
                )
                (count,) = connection.execute(f"SELECT count(*) FROM t WHERE {which}").fetchall()[0]
                pair.append(asdict(workspace.adopt(f"results/{one['no']}-{name}.csv", out, count)))
            made.append((pair[0], pair[1]))
    return made


_BITS = [
    " + ".join(
        f"((ascii(substr(x, {5 * group + bit + 1}, 1)) BETWEEN 65 AND 90)::INTEGER << {bit})"
        for bit in range(5)
    )
    for group in range(3)
]
_TO18 = "CREATE OR REPLACE TEMP MACRO to18(x) AS x || " + " || ".join(
    f"substr('ABCDEFGHIJKLMNOPQRSTUVWXYZ012345', 1 + {bits}, 1)" for bits in _BITS
)


# --- ours ----------------------------------------------------------------------------------------------------------


def ours_prepare(root: Path) -> dict[str, Any]:
    told = json.loads((root / "input.json").read_text())
    pages = jobs.Pages(tuple(FileRef(**one) for one in told["pages"]))
    mapped = " ".join(f"WHEN '{key}' THEN '{value}'" for key, value in VALUES.items())
    sql = {
        "FirstName": 'trim("FirstName")',
        "LastName": 'upper("LastName")',
        "Email": "lower(\"Email\") || '.invalid'",
        "Phone": '"Phone"',
        "Title": "coalesce(\"Title\", 'n/a')",
        "Description": '"Description"',
        "Birthdate": '"Birthdate"',
        "Score__c": '"Score"',
        "LeadSource": f'CASE "LeadSource" {mapped} ELSE "LeadSource" END',
    }
    done = _engine(root).prepare_load(
        jobs.LoadJob(
            step="contacts",
            pages=pages,
            key=("Id",),
            operation=Operation.INSERT,
            columns=tuple(
                jobs.SqlColumn(name, value, numeric=name == "Score__c") for name, value in sql.items()
            ),
            lookups=tuple(
                jobs.SqlLookup(name, name, (jobs.IdMap((FileRef(**told["maps"][of]),)),), WhenMissing.FAIL)
                for name, of in LOOKUPS.items()
            ),
            group_by="AccountId",
            max_slice_rows=SLICE_ROWS,
        )
    )
    fill = done.rows.rows / (len(done.slices) * SLICE_ROWS)
    slices = [{"no": one.no, "file": asdict(one.file)} for one in done.slices]
    return {"rows": asdict(done.rows), "slices": slices, "fill": fill, "total": done.total}


def ours_settle(root: Path) -> dict[str, Any]:
    told = json.loads((root / "prepared.json").read_text())
    engine = _engine(root)
    # as in a run: a lookup's cells are references
    columns = tuple(
        jobs.SentColumn(name, "reference" if name in LOOKUPS else "string", numeric=name == "Score__c")
        for name in SENT
    )
    nothing = engine.workspace.publish("results/none.csv", [(",".join(SENT) + "\n").encode()], 0)

    def settle(one: dict[str, Any], ok: dict[str, Any], bad: dict[str, Any]) -> int:
        done = engine.settle(
            jobs.SettleJob(
                step="contacts",
                slice=one["no"],
                attempt=one["no"],
                sent=one["file"]["rows"],
                rows=FileRef(**told["rows"]),
                columns=columns,
                operation=Operation.INSERT,
                successful=FileRef(**ok),
                failed_results=FileRef(**bad),
                unprocessed=nothing,
                processed=ok["rows"] + bad["rows"],
                failed=bad["rows"],
                key_prefix="003",
            )
        )
        return sum(done.tallies.values())

    with ThreadPoolExecutor(WORKERS) as pool:
        settled = sum(pool.map(settle, told["slices"], *zip(*told["results"], strict=True)))
    return {"settled": settled}


def _engine(root: Path) -> Engine:
    return Engine(Workspace(root / "run"), memory_limit_mb=int((root / "memory").read_text()))


# --- plain ---------------------------------------------------------------------------------------------------------


def plain_prepare(root: Path) -> dict[str, Any]:
    told = json.loads((root / "input.json").read_text())
    maps = {name: dict(_pairs(root / f"{of}.csv")) for name, of in LOOKUPS.items()}
    groups: dict[str, list[list[str]]] = defaultdict(list)
    for page in told["pages"]:
        with (root / "run" / page["path"]).open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                ids = [maps[name][row[name]] if row[name] else "" for name in LOOKUPS]
                source = row["LeadSource"]
                cells = [
                    row["FirstName"].strip(),
                    row["LastName"].upper(),
                    row["Email"].lower() + ".invalid",
                    row["Phone"],
                    row["Title"] or "n/a",
                    row["Description"],
                    row["Birthdate"],
                    row["Score"],
                    VALUES.get(source, source),
                    *ids,
                ]
                groups[ids[0]].append([row["Id"], *cells])
    folder = root / "plain"
    folder.mkdir()
    slices = 0
    for slices, rows in enumerate(_plain_slices(groups), start=1):
        with (folder / f"{slices}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(SENT)
            writer.writerows(row[1:] for row in rows)
        (folder / f"{slices}.keys").write_text("\n".join(row[0] for row in rows))
    return {
        "slices": [{"no": no, "file": {"path": f"../plain/{no}.csv"}} for no in range(1, slices + 1)],
        "total": sum(map(len, groups.values())),
    }


def _plain_slices(groups: dict[str, list[list[str]]]) -> Iterator[list[list[str]]]:
    rows: list[list[str]] = []
    for key in sorted(groups):
        if rows and len(rows) + len(groups[key]) > SLICE_ROWS:
            yield rows
            rows = []
        rows += sorted(groups[key])
    if rows:
        yield rows


def _pairs(path: Path) -> Iterator[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.reader(file)


def plain_settle(root: Path) -> dict[str, Any]:
    told = json.loads((root / "prepared.json").read_text())
    settled = 0
    for one, (ok, bad) in zip(told["slices"], told["results"], strict=True):
        folder = root / "plain"
        keys = (folder / f"{one['no']}.keys").read_text().split("\n")
        waiting: dict[bytes, list[str]] = defaultdict(list)
        with (folder / f"{one['no']}.csv").open(encoding="utf-8", newline="") as file:
            for key, row in zip(keys, _skip_header(file), strict=True):
                waiting[_digest(row)].append(key)
        with (folder / f"{one['no']}.out").open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out)
            for result in (ok, bad):
                with (root / "run" / result["path"]).open(encoding="utf-8", newline="") as file:
                    for row in _skip_header(file):
                        writer.writerow((waiting[_digest(row[2:])].pop(), row[0], row[1]))
                        settled += 1
    return {"settled": settled}


def _skip_header(file: Any) -> Iterator[list[str]]:
    reader = csv.reader(file)
    next(reader)
    yield from reader


def _digest(row: list[str]) -> bytes:
    cells = [*row[:7], f"{float(row[7]):.15g}", *row[8:]]
    return md5("\x1f".join(cells).encode(), usedforsecurity=False).digest()


# --- measuring -----------------------------------------------------------------------------------------------------

STAGES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "ours-prepare": ours_prepare,
    "ours-settle": ours_settle,
    "plain-prepare": plain_prepare,
    "plain-settle": plain_settle,
}


def stage(name: str, root: Path) -> dict[str, Any]:
    """Run a stage in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--stage", name, str(root)], check=True, capture_output=True, text=True
    )
    return dict(json.loads(done.stdout))


def run_stage(name: str, root: Path) -> None:
    began = time.perf_counter()
    answer = STAGES[name](root)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    figures = {
        "wall": time.perf_counter() - began,
        "cpu": usage.ru_utime + usage.ru_stime,
        "rss": usage.ru_maxrss / 1024,
    }
    print(json.dumps({"figures": figures, "answer": answer}))


def measure(who: str, rows: int, memory: int) -> dict[str, float]:
    """Both stages of one contender; the answers of the simulated org in between are not counted."""
    with tempfile.TemporaryDirectory(prefix="migrator-bench-") as folder:
        root = Path(folder)
        (root / "memory").write_text(str(memory))
        make_input(root, rows)
        first = stage(f"{who}-prepare", root)
        prepared = first["answer"]
        prepared["results"] = make_results(root, prepared["slices"])
        (root / "prepared.json").write_text(json.dumps(prepared))
        second = stage(f"{who}-settle", root)
        assert second["answer"]["settled"] == prepared["total"] == rows
    one, two = first["figures"], second["figures"]
    wall = one["wall"] + two["wall"]
    figures = {
        "rows/s": rows / wall,
        "cpu s/M": (one["cpu"] + two["cpu"]) * 1e6 / rows,
        "MiB": max(one["rss"], two["rss"]),
    }
    print(
        f"{who:6s} {rows:>10,} rows  {figures['rows/s']:>9,.0f} rows/s  {figures['cpu s/M']:6.1f} CPU s/M  peak {figures['MiB']:6,.0f} MiB"
        f"  (prepare {one['wall']:.1f} s {one['rss']:,.0f} MiB, settle {two['wall']:.1f} s {two['rss']:,.0f} MiB"
        f", {len(prepared['slices'])} slices, fill {prepared.get('fill', rows / len(prepared['slices']) / SLICE_ROWS):.3f})",
        flush=True,
    )
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--plain-rows", type=int, default=0, help="default: rows, at most a million")
    parser.add_argument(
        "--memory",
        type=int,
        default=MEMORY,
        help=f"the engine's limit in MB, as `migrator run --memory`; default {MEMORY}",
    )
    parser.add_argument("--stage", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        run_stage(options.stage[0], Path(options.stage[1]))
        return 0
    print(f"engine limit {options.memory} MB; plain Python has none")
    ours = measure("ours", options.rows, options.memory)
    plain = measure("plain", options.plain_rows or min(options.rows, 1_000_000), options.memory)
    print(
        f"ratio  {ours['rows/s'] / plain['rows/s']:.1f} times the rows/s, {plain['cpu s/M'] / ours['cpu s/M']:.1f} times less CPU, plain memory {plain['MiB'] / ours['MiB']:.1f} times ours"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
