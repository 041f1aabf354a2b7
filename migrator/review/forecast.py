"""What locks will cost: from how a load's rows spread over the records that they lock, before anything is extracted.

The figures are of a model, and say so: Salesforce processes rows in transactions of 200, several batches at once; two transactions that run at
the same time and lock one record wait for each other.

- Rows in no order: two transactions share a record with the probability 1 - e^(-200² · Σ pᵢ²), pᵢ being the share of record i.
- Rows sorted and cut every 10,000: only records whose rows lie on both sides of a cut are locked by two batches.
- Packed: whole groups travel together; a record with more rows than a batch is a chain of slices, one after the other. Nothing is shared. The
  load takes at least as long as the longer of: all rows over the batches at once, and the longest chain.

**Invariant:** pure; the spread is an argument.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, exp

from migrator.errors import Diagnostic, warning
from migrator.model.lockfigures import most_slices
from migrator.model.plan import Plan, Prefer
from migrator.model.platform import BATCH_ROWS, PARALLELISM, SKEW
from migrator.model.schedule import Forecast, KeyForecast, LoadStep, LockKey, RecordRows, Schedule, strong

#: rows of one transaction (Bulk API guide, "Bulk API Limits")
TRANSACTION_ROWS = 200
#: the largest records that are asked for, and how many of them are told
TOP = 200
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Spread:
    """How rows spread over the records of one relationship field: rows with a value, records, and the largest with their rows."""

    rows: int
    records: int
    top: tuple[tuple[str, int], ...]

    @property
    def square(self) -> float:
        """Σ pᵢ²: how likely two rows drawn at random have one record. What is not in `top` is taken as even."""
        if not self.rows:
            return 0.0
        known = sum((count / self.rows) ** 2 for _, count in self.top)
        rest, records = self.rows - sum(count for _, count in self.top), self.records - len(self.top)
        return known + ((rest / self.rows) ** 2 / records if rest > 0 and records > 0 else 0.0)


def wanted(schedule: Schedule) -> tuple[tuple[LoadStep, str], ...]:
    """The fields whose spread a forecast needs: of loads that are more than one batch, every field that may lock or be skewed."""
    return tuple(
        (step, lookup.rule.target)
        for step in schedule.steps
        if isinstance(step, LoadStep) and (step.expected or 0) > BATCH_ROWS
        for lookup in step.lookups
    )


def forecasts(schedule: Schedule, spreads: Mapping[tuple[str, str], Spread]) -> tuple[Forecast, ...]:
    """A forecast for each load that has a known spread; `spreads` by step and field."""
    made = []
    for step in schedule.steps:
        if isinstance(step, LoadStep):
            known = {one.rule.target: spreads.get((step.id, one.rule.target)) for one in step.lookups}
            found = {name: spread for name, spread in known.items() if spread is not None}
            if found and step.expected:
                made.append(_forecast(step, found))
    return tuple(made)


def _forecast(step: LoadStep, spreads: Mapping[str, Spread]) -> Forecast:
    weights = {one.field: one for one in step.lock_keys}
    keys = tuple(
        _key_forecast(name, spread, weights.get(name))
        for name, spread in sorted(spreads.items(), key=lambda item: _order(item[0], weights))
    )
    binding = [spreads[one.field] for one in strong(step.lock_keys) if one.field in spreads]
    rows = step.expected or 0
    longest = max((spread.top[0][1] for spread in binding if spread.top), default=0)
    even = rows / PARALLELISM
    chain = longest if longest > BATCH_ROWS else 0
    return Forecast(
        step=step.id,
        rows=rows,
        keys=keys,
        treatment=_treatment(step, binding),
        # the least work one after the other, as a share of all rows: 1 is serial
        makespan=max(even, chain) / rows if rows else 0.0,
    )


def _order(name: str, weights: Mapping[str, LockKey]) -> tuple[float, str]:
    return -(weights[name].weight if name in weights else 0.0), name


def _key_forecast(name: str, spread: Spread, key: LockKey | None) -> KeyForecast:
    shared = 1.0 - exp(-(TRANSACTION_ROWS**2) * spread.square)
    batches = ceil(spread.rows / BATCH_ROWS)
    # a cut lies between two rows of one record in rows - records of its rows places
    straddling = max(0, batches - 1) * (1.0 - spread.records / spread.rows) if spread.rows else 0.0
    return KeyForecast(
        field=name,
        weight=key.weight if key else 0.0,
        why=key.why if key else "",
        rows=spread.rows,
        records=spread.records,
        largest=tuple(RecordRows(record, rows) for record, rows in spread.top[:SHOWN]),
        skewed=sum(count > SKEW for _, count in spread.top),
        shared_random=shared if key else 0.0,
        shared_sorted=straddling if key else 0.0,
    )


def _treatment(step: LoadStep, binding: Sequence[Spread]) -> str:
    keys = strong(step.lock_keys)
    names = " and ".join(one.field for one in keys)
    if not keys:
        return "no record is likely to be locked by two rows: large jobs in any order"
    chains = sum(count > BATCH_ROWS for spread in binding for _, count in spread.top)
    if len(keys) == 1:
        told = f"rows of one {names} travel together"
    else:
        told = f"rows that share {names} travel together, or in waves of jobs that share none; {_preferred(step)}"
    return told + (f"; {chains} of them are chains of slices, one slice at a time" if chains else "")


def _preferred(step: LoadStep) -> str:
    """What goes first, and what is known of its cost in batches before rows are cut; the time is the forecast's least, for either."""
    rows, full = step.expected or 0, step.max_slice_rows or BATCH_ROWS
    canary = int(step.canary.rows > 0)
    fewest = ceil((rows - step.canary.rows) / full) + canary
    most = max(fewest, most_slices(rows, full, canary) + canary)
    batches = f"{fewest:,} to {most:,} batches" if fewest < most else f"{fewest:,} batches"
    if step.prefer is Prefer.BATCHES:
        return f"full slices go before an early end: {batches} of the daily allowance where the rows allow it, and more time than the least where they do not"
    return f"an early end goes before full slices: at least {fewest:,} batches of the daily allowance, where `prefer: batches` takes {batches} and more time"


def skew_warnings(plan: Plan, schedule: Schedule, made: Sequence[Forecast]) -> list[Diagnostic]:
    """A warning for each field with a record that has more rows than Salesforce thinks good."""
    found = []
    for forecast in made:
        step = schedule.step(forecast.step)
        entry = plan.object_named(step.object_name)
        for key in forecast.keys:
            if key.skewed:
                records = "record has" if key.skewed == 1 else "records have"
                found.append(
                    warning(
                        "data-skew",
                        f"{step.object_name}.{key.field}: {key.skewed} {records} more than {SKEW:,} rows, the largest {key.largest[0].rows:,}",
                        hint="load it when nobody else writes to these records; in the long run spread them over several",
                        where=plan.place(*entry.path) if entry else plan.place(),
                    )
                )
    return found
