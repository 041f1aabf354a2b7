"""The report as Markdown, for a ticket or a pull request."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from migrator.model.lockreport import lock_lines
from migrator.model.run import Outcome
from migrator.model.summary import Again, StepSummary
from migrator.report.clean import duration, markdown, moment
from migrator.report.facts import OUTCOMES, Facts, counted, seconds_of


def as_markdown(facts: Facts) -> str:
    """The report as a Markdown text."""
    return "\n".join(_lines(facts)).rstrip("\n") + "\n"


def _lines(facts: Facts) -> Iterator[str]:
    mark = "✅" if facts.verdict.good else "⏸️" if facts.verdict == "unfinished" else "❌"
    yield f"# {mark} {markdown(facts.headline)}"
    yield ""
    yield f"{markdown(facts.detail)}"
    yield from _section("Objects", _objects(facts))
    yield from _section("Relationships filled in a second pass", _links(facts))
    yield from _section("Records that were there already", _matches(facts))
    yield from _section("Why rows were refused or left out", _faults(facts))
    yield from _section("Verification", _verification(facts))
    yield from _section("A second run", _second_run(facts))
    yield from _section("Locks", _locks(facts))
    yield from _section("Gates", _gates(facts))
    yield from _section("Notes", _notes(facts))
    yield from _section("Where the rows are listed", _files(facts))
    yield from _section("Run", _run(facts))


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    body = list(lines)
    if body:
        yield from ("", f"## {title}", "", *body)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: int) -> Iterator[str]:
    """A table whose columns from `numbers` on hold numbers."""
    if not rows:
        return
    yield _row(header)
    yield _row(["---" if place < numbers else "--:" for place in range(len(header))])
    for row in rows:
        yield _row(row)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _shown(facts: Facts) -> list[Outcome]:
    return [one for one in OUTCOMES if facts.totals[one]]


def _objects(facts: Facts) -> Iterator[str]:
    shown = _shown(facts)
    header = ["object", "operation", "rows", *(one.value for one in shown), "adds up", "time"]
    rows = [
        [
            markdown(one.object_name),
            markdown(f"{one.operation} · {one.lane}" if one.lane else one.operation),
            _total(one),
            *(counted(one.tallies.get(each, 0)) for each in shown),
            "yes" if one.balanced else "no",
            duration(seconds_of(one)),
        ]
        for one in facts.loaded
    ]
    if rows:
        sums = (counted(facts.totals[one]) for one in shown)
        rows.append(["**all**", "", counted(facts.rows), *sums, "", duration(facts.seconds)])
    yield from _table(header, rows, numbers=2)


def _total(step: StepSummary) -> str:
    return "?" if step.total is None else counted(step.total)


def _links(facts: Facts) -> Iterator[str]:
    rows = [
        [
            markdown(one.object_name),
            markdown(one.operation.removeprefix("link ")),
            _total(one),
            counted(one.tallies.get(Outcome.UPDATED, 0)),
            counted(one.unsuccessful),
        ]
        for one in facts.linked
    ]
    yield from _table(("object", "fields", "rows", "filled", "without success"), rows, numbers=2)


def _matches(facts: Facts) -> Iterator[str]:
    rows = [
        [
            markdown(one.object_name),
            _total(one),
            counted(one.tallies.get(Outcome.UNCHANGED, 0)),
            counted(one.tallies.get(Outcome.SKIPPED, 0)),
        ]
        for one in facts.matched
    ]
    yield from _table(("object", "source records", "paired", "without counterpart"), rows, numbers=1)


def _faults(facts: Facts) -> Iterator[str]:
    rows = [
        [
            markdown(one.step.step),
            markdown(one.code),
            markdown(one.step.fields_of(one.code)),
            counted(one.count),
        ]
        for one in facts.faults
    ]
    yield from _table(("step", "code", "fields", "rows"), rows, numbers=3)


def _verification(facts: Facts) -> Iterator[str]:
    rows = [
        [
            markdown(one.object_name),
            "yes" if one.done else "no",
            *(counted(each) for each in (one.rows, one.compared, one.missing, one.duplicated)),
            *(_by_field(each) for each in (one.orphaned, one.differing)),
            counted(one.unsuccessful),
            one.verdict or "not yet",
        ]
        for one in facts.verification
        if any(each.done for each in facts.verification)
    ]
    header = ("object", "read back", "rows", "compared", "missing", "duplicated")
    more = ("orphaned", "differing values", "rows without success", "verdict")
    yield from _table((*header, *more), rows, numbers=2)


def _by_field(counts: Mapping[str, int]) -> str:
    return markdown(", ".join(f"{name}: {count:,}" for name, count in counts.items())) or "none"


def _second_run(facts: Facts) -> Iterator[str]:
    rows = [
        [markdown(one.step), *(counted((one.again or {}).get(each, 0)) for each in Again)]
        for one in facts.summary.repeated
    ]
    yield from _table(("step", *(each.heading for each in Again)), rows, numbers=1)


def _locks(facts: Facts) -> Iterator[str]:
    for one in facts.summary.locked:
        for line in lock_lines(one):
            yield f"- {markdown(one.step)}: {markdown(line)}"


def _gates(facts: Facts) -> Iterator[str]:
    rows = [
        [
            markdown(one.step),
            markdown(one.what),
            f"**{one.state}, to be put back**" if one.held else one.state,
            markdown(one.note),
        ]
        for one in facts.gates
    ]
    yield from _table(("gate", "what it does", "state", "note"), rows, numbers=4)


def _notes(facts: Facts) -> Iterator[str]:
    for step, note in facts.notes:
        yield f"- {markdown(step)}: {markdown(note)}"


def _files(facts: Facts) -> Iterator[str]:
    rows = [[markdown(one.step), markdown(one.path), counted(one.rows)] for one in facts.files]
    yield from _table(("step", "file", "rows"), rows, numbers=2)


def _run(facts: Facts) -> Iterator[str]:
    for name, value in manifest(facts):
        yield f"- {name}: {markdown(value)}"


def manifest(facts: Facts) -> list[tuple[str, str]]:
    """What identifies the run, as names and values; values that are not known are left out."""
    run = facts.summary.run
    every = [
        ("run", run.run_id),
        ("status", run.status.value),
        ("plan", run.plan_name),
        ("plan digest", run.plan_digest),
        ("source", f"{run.source} ({run.source_org_id})" if run.source_org_id else run.source),
        ("target", f"{run.target} ({run.target_org_id})"),
        ("target user", run.target_user_id),
        ("started", moment(run.started)),
        ("finished", moment(run.finished)),
        ("took", duration(facts.seconds)),
        ("migrator", run.tool_version),
        ("API version", run.api_version),
        ("report made", moment(facts.made)),
    ]
    return [(name, value) for name, value in every if value]
