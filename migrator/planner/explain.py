"""The schedule for people and for other programs: text, JSON, Mermaid. What is shown is what the executor runs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from migrator.model.budget import Allowance, Canary, ErrorBudget
from migrator.model.gates import told
from migrator.model.plan import OnLock, Prefer
from migrator.model.schedule import (
    Edge,
    ExtractStep,
    Forecast,
    GateStep,
    Guarantee,
    Lane,
    LinkStep,
    LoadStep,
    MatchStep,
    Schedule,
    Side,
    Step,
    VerifyStep,
    strong,
)
from migrator.model.schedule_text import to_json
from migrator.model.throttle import told as told_throttle
from migrator.planner.apart import shared_locks
from migrator.planner.estimate import slices, step_cost

#: what a class promises, in a line (docs/guarantee.md has the whole of it)
PROMISES = {
    Guarantee.UPSERT: "upsert on a unique external id: exactly one record, whatever happens",
    Guarantee.INSERT: "insert by Bulk API 2.0: exactly once, nothing is processed before its upload is complete",
    Guarantee.SERIAL_INSERT: "insert by Bulk API v1: exactly once, a doubtful job is closed and looked at before anything is sent again",
    Guarantee.UPDATE: "update by record id: applied at least once, triggers may fire again",
    Guarantee.DELETE: "delete by record id: once, and what is gone already counts as done",
    Guarantee.READ: "nothing is written",
}
#: what is done with rows that met locks
LADDER = {
    OnLock.REGROUP: "again in their groups",
    OnLock.SHRINK: "in smaller slices one at a time",
    OnLock.SERIAL_V1: "serially through Bulk API v1",
}
#: where details are wrapped
WIDTH = 110
_HEADER = ("#", "step", "what", "lane", "class", "rows", "slices")
_RIGHT = {0, 5, 6}


@dataclass(frozen=True, slots=True)
class Explanation:
    """A schedule, to be read by people and by programs."""

    schedule: Schedule

    def text(self) -> str:
        """As a reviewer reads it: steps in order, why they wait, and what was decided."""
        return "\n".join(_lines(self.schedule)) + "\n"

    def json(self) -> dict[str, Any]:
        """The same as JSON values."""
        waits = _waits(self.schedule)
        return {
            "plan": self.schedule.plan_name,
            "plan_digest": self.schedule.plan_digest,
            "steps": [
                {
                    "number": number,
                    "what": _what(step),
                    "slices": _slices(step),
                    "requests": step_cost(step)[0],
                    "batches": step_cost(step)[1],
                    "waits_for": [
                        {"step": edge.before, "reason": edge.reason} for edge in waits.get(step.id, ())
                    ],
                    **to_json(step),
                }
                for number, step in enumerate(self.schedule.steps, start=1)
            ],
            "decisions": list(self.schedule.decisions),
            "estimate": {
                "rows": self.schedule.estimate.rows,
                "requests": self.schedule.estimate.requests,
                "batches": self.schedule.estimate.batches,
                "seconds": self.schedule.estimate.seconds,
            },
            "forecasts": [to_json(one) for one in self.schedule.forecasts],
            "sent_apart": [
                {"sobject": one.sobject, "steps": list(one.steps)} for one in shared_locks(self.schedule)
            ],
        }

    def mermaid(self) -> str:
        """A flowchart of what is matched, loaded and linked; extracts and verification are left out to keep it readable."""
        shown = {
            step.id: f"s{number}"
            for number, step in enumerate(self.schedule.steps, start=1)
            if isinstance(step, MatchStep | LoadStep | LinkStep)
        }
        lines = ["flowchart LR"]
        for step in self.schedule.steps:
            if step.id in shown:
                opening, closing = _shape(step)
                lines.append(f'  {shown[step.id]}{opening}"{_safe(_label(step))}"{closing}')
        lines += [
            f"  {shown[edge.before]} -->{_short(edge)} {shown[edge.after]}"
            for edge in self.schedule.edges
            if edge.before in shown and edge.after in shown
        ]
        return "\n".join(lines) + "\n"


def _lines(schedule: Schedule) -> Iterator[str]:
    yield f"Schedule of {schedule.plan_name}: {_summary(schedule)}"
    yield ""
    yield from _steps_table(schedule)
    if schedule.decisions:
        yield from ("", "Decisions")
        yield from (f"  - {one}" for one in schedule.decisions)
    together = shared_locks(schedule)
    if schedule.forecasts or together:
        yield from ("", "Locks")
        for shared in together:
            steps = " and ".join((", ".join(shared.steps[:-1]), shared.steps[-1]))
            yield f"  {steps} lock {shared.sobject} records: only one of them sends at a time"
        for one in schedule.forecasts:
            yield from (f"  {line}" for line in _forecast(one))
    used = {_guarantee(step) for step in schedule.steps} - {None}
    yield from ("", "Classes")
    yield from (f"  {one.value:<2}  {PROMISES[one]}" for one in Guarantee if one in used)
    stops = list(_stops(schedule))
    if stops:
        yield from ("", "Stops")
        yield from (f"  - {one}" for one in stops)


def _forecast(one: Forecast) -> Iterator[str]:
    yield f"{one.step}: {one.treatment}"
    for key in one.keys:
        if not key.weight and not key.skewed:
            continue
        largest = f", the largest {key.largest[0].rows:,}" if key.largest else ""
        told = f"{key.why}, weight {key.weight:g}" if key.weight else "locks nothing"
        yield f"  {key.field} ({told}): {key.rows:,} rows look up {key.records:,} records{largest}"
        if key.weight:
            across = _count(round(key.shared_sorted), "record lies", "records lie")
            yield (
                f"    in no order two transactions share a record in {key.shared_random:.0%} of cases; "
                f"sorted, {across} across two batches"
            )
    yield f"  at least {one.makespan:.0%} of the time that it would take serially"


def _stops(schedule: Schedule) -> Iterator[str]:
    """What the error budgets and canaries stop, each kind in a line with the steps that have it."""
    kinds: dict[str, list[str]] = {}
    for step in schedule.steps:
        if isinstance(step, LoadStep | LinkStep):
            for line in _policy(step.budget, step.canary if isinstance(step, LoadStep) else Canary()):
                kinds.setdefault(line, []).append(step.id)
    for line, steps in kinds.items():
        yield f"{', '.join(steps)}: {line}"
    yield from (f"the whole run: {line}" for line in _policy(schedule.run_budget, Canary()))
    yield from (f"no slice begins {line}" for line in told_throttle(schedule.throttle))


def _policy(budget: ErrorBudget, canary: Canary) -> Iterator[str]:
    limits = []
    if budget.max_failed != Allowance():
        sample = f" (judged from {budget.min_sample:,} on)" if budget.max_failed.share is not None else ""
        limits.append(f"more than {budget.max_failed} of the rows fail{sample}")
    if budget.max_quarantined != Allowance():
        limits.append(f"more than {budget.max_quarantined} are quarantined")
    if limits:
        yield f"{budget.on_exceeded.value} when {' or '.join(limits)}"
    if canary.rows:
        yield (
            f"a canary of {canary.rows:,} rows goes before ten times as many, and stops them when {canary.max_failed:.0%} fail"
        )


def _summary(schedule: Schedule) -> str:
    cost = schedule.estimate
    rows = "an unknown number of rows" if cost.rows is None else _count(cost.rows, "row")
    return (
        f"{_count(len(schedule.steps), 'step')}, {rows}, about {_count(cost.requests, 'request')}, "
        f"{_count(cost.batches, 'batch', 'batches')}"
    )


def _steps_table(schedule: Schedule) -> Iterator[str]:
    waits = _waits(schedule)
    number = {step.id: str(at) for at, step in enumerate(schedule.steps, start=1)}
    rows = [(number[step.id], *_cells(step)) for step in schedule.steps]
    widths = [max(len(row[at]) for row in (_HEADER, *rows)) for at in range(len(_HEADER))]
    yield _row(_HEADER, widths)
    indent = " " * (widths[0] + 4)
    for step, row in zip(schedule.steps, rows, strict=True):
        yield _row(row, widths)
        yield from (f"{indent}{line}" for line in _waiting(step, waits.get(step.id, ()), number))
        for line in _details(step):
            yield from wrap(
                line,
                WIDTH,
                initial_indent=indent,
                subsequent_indent=f"{indent}  ",
                break_long_words=False,
                break_on_hyphens=False,
            )


def _waiting(step: Step, edges: Sequence[Edge], number: Mapping[str, str]) -> Iterator[str]:
    """What the step waits for; that it waits for the other steps of its object needs no reason."""
    own = [number[edge.before] for edge in edges if _object_of(edge.before) == step.object_name]
    if own:
        yield f"after {', '.join(own)}"
    yield from (
        f"after {number[edge.before]}: {edge.reason}" for edge in edges if number[edge.before] not in own
    )


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (
        cell.rjust(width) if at in _RIGHT else cell.ljust(width)
        for at, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join(padded).rstrip()


def _cells(step: Step) -> tuple[str, ...]:
    guarantee = _guarantee(step)
    count = _slices(step)
    lane = step.lane.value if isinstance(step, LoadStep | LinkStep) else ""
    rows = "" if isinstance(step, GateStep | MatchStep | VerifyStep) else _rows(step)
    return (
        step.id,
        _what(step),
        lane,
        guarantee.value if guarantee else "",
        rows,
        "" if count is None else str(count),
    )


def _rows(step: ExtractStep | LoadStep | LinkStep) -> str:
    return "?" if step.expected is None else f"{step.expected:,}"


def _what(step: Step) -> str:
    match step:
        case ExtractStep(file=file) if file:
            return f"read {file}"
        case ExtractStep(since_start=True):
            return f"query {step.sobject}, changed since the start"
        case ExtractStep(side=side):
            return f"query {step.sobject} in the {'source' if side is Side.SOURCE else 'target'}"
        case MatchStep():
            return f"pair {step.sobject} by {', '.join(step.match.on)}"
        case LoadStep(external_id=key) if key:
            return f"{step.operation.value} {step.sobject} by {key}"
        case LoadStep():
            return f"{step.operation.value.replace('_', ' ')} {step.sobject}"
        case LinkStep():
            return f"fill {', '.join(one.rule.target for one in step.lookups)} of {step.sobject}"
        case GateStep():
            return told(step.gate)
        case VerifyStep():
            return f"compare {step.sobject}"


def _headers(step: LoadStep) -> Iterator[str]:
    if step.headers.assignment_rule:
        yield f"assignment rule {step.headers.assignment_rule} gives new records their owners"
    if step.headers.allow_duplicates:
        over_rest = step.lane is Lane.REST
        without = "" if over_rest else ", but Bulk API cannot be told so: they fail rows in this step"
        yield f"duplicate rules that only alert are overruled{without}"


def _details(step: Step) -> Iterator[str]:
    match step:
        case ExtractStep(soql=soql) if soql:
            yield soql
        case LoadStep():
            yield "sends " + ", ".join(sorted(_sent(step)))
            if step.clear_nulls:
                yield "empties fields that have no value in the source"
            if step.max_deletes:
                yield f"deletes nothing at all when there are more than {step.max_deletes:,} rows"
            yield from _headers(step)
            if step.follow:
                yield f"only rows whose {step.follow} is selected by this plan"
            if step.group_by:
                yield f"rows of one {step.group_by} stay together"
            elif binding := strong(step.lock_keys):
                apart = f"rows that share {' or '.join(one.field for one in binding)} never travel in two jobs at once"
                yield apart + (
                    "; full slices go before an early end" if step.prefer is Prefer.BATCHES else ""
                )
            if step.on_lock != tuple(OnLock):
                measures = ", then ".join(LADDER[one] for one in step.on_lock)
                yield f"rows that meet locks: {measures or 'again as before'}"
        case _:
            return


def _sent(step: LoadStep) -> Iterator[str]:
    yield from (spec.rule.target for spec in step.columns)
    yield from (spec.rule.target for spec in step.lookups)


def _guarantee(step: Step) -> Guarantee | None:
    match step:
        case LoadStep() | LinkStep():
            return step.guarantee
        case MatchStep():
            return Guarantee.READ
        case GateStep() | ExtractStep() | VerifyStep():
            return None


def _slices(step: Step) -> int | None:
    return slices(step) if isinstance(step, LoadStep | LinkStep) and step.expected is not None else None


def _waits(schedule: Schedule) -> dict[str, list[Edge]]:
    found: dict[str, list[Edge]] = {}
    for edge in schedule.edges:
        found.setdefault(edge.after, []).append(edge)
    return found


def _label(step: Step) -> str:
    guarantee = _guarantee(step)
    lane = f"{step.lane.value}, " if isinstance(step, LoadStep | LinkStep) else ""
    return f"{step.id}<br/>{_what(step)}<br/>{lane}{guarantee.value if guarantee else ''}"


def _shape(step: Step) -> tuple[str, str]:
    match step:
        case MatchStep():
            return "([", "])"
        case LinkStep():
            return "{{", "}}"
        case _:
            return "[", "]"


def _short(edge: Edge) -> str:
    """The arrow's label: the fields of "A.B looks up C" alone; none between steps of one object."""
    if _object_of(edge.before) == _object_of(edge.after):
        return ""
    fields = ", ".join(reason.partition(" looks up ")[0] for reason in edge.reason.split("; "))
    return f'|"{_safe(fields)}"|'


def _object_of(step_id: str) -> str:
    """The plan object in a step's id: `load.Account`, `extract.Account.target`."""
    return step_id.split(".")[1]


def _safe(text: str) -> str:
    return text.replace('"', "#quot;")


def _count(number: int, word: str, several: str = "") -> str:
    return f"{number:,} {word if number == 1 else several or word + 's'}"
