"""Staging: from the pages of an extract to one parquet file with every row's cells, or why it will not be sent.

One pass: read, transform, join the id maps, judge. Repeated keys need a second look and follow in `repeats`.

**Invariant:** a staged row has either a verdict or cells that may be sent; which of several faults is told depends on the row alone.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from migrator.data import keys
from migrator.data.catchup import DELETED
from migrator.data.jobs import LinkJob, LoadJob, SentColumn, SqlColumn, SqlLookup
from migrator.data.locking import lock_column
from migrator.data.lookups import Resolved, id_map, resolve, source_value
from migrator.data.rows import line_column
from migrator.data.scan import ROW, scan, source_key
from migrator.data.session import Session
from migrator.data.sql import SET_NULL, cell, ident, lf_ended, line, present, quick_line, text, unsettled
from migrator.data.workspace import Workspace
from migrator.model.plan import Operation, WhenMissing
from migrator.model.run import Outcome

#: extracts below this are read by one thread
_PARTED_ROWS = 50_000
#: bytes that an entry of an id map takes in a join, and the share of the memory of rows that all of them may take
_ENTRY, _MAPS = 110, 0.4
#: characters (Bulk API 2.0 limits: a field, a record)
_MAX_FIELD = 131_072
_MAX_RECORD = 400_000


@dataclass(frozen=True, slots=True)
class Staged:
    """The staged file and what its columns are. `key`: the sent field by which the org finds a record."""

    path: Path
    names: tuple[str, ...]
    keyed: bool
    key: keys.RecordKey | None = None
    #: a repeated source key: its later rows failed in the load already, and are none in a link step
    drop_repeats: bool = False
    #: the sent fields of the lock columns
    grouped_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Verdict:
    """SQL: when it holds, the row is not sent."""

    when: str
    outcome: Outcome
    code: str
    field: str = ""
    message: str = "''"

    def sql(self) -> str:
        return (
            f"WHEN {self.when} THEN {{'outcome': {text(self.outcome.value)}, 'code': {self.code}, "
            f"'field': {text(self.field)}, 'message': {self.message}}}"
        )


def stage_load(session: Session, workspace: Workspace, job: LoadJob) -> Staged:
    """Stage the rows of a load step."""
    resolved = resolve(session, workspace, job.lookups)
    names = tuple(one.target for one in job.columns) + tuple(one.target for one in job.lookups)
    columns = (
        *(SentColumn(one.target, one.type, one.numeric) for one in job.columns),
        *map(_reference, job.lookups),
    )
    key_field = keys.key_field(job.operation, job.external_id)
    locks = job.locks.fields if job.locks else _only(job.group_by)
    keyed = [
        *(f"{column.value_sql} AS {ident(f'#v{index}')}" for index, column in enumerate(job.columns)),
        *(
            f"{column.fault_sql} AS {ident(f'#f{index}')}"
            for index, column in enumerate(job.columns)
            if column.fault_sql
        ),
    ]
    if job.flagged:
        keyed.append(f"lower({ident(DELETED)}) = 'true' AS {ident('#gone')}")
    values = {column.target: f"keyed.{ident(f'#v{index}')}" for index, column in enumerate(job.columns)}
    values |= {one.lookup.target: one.sent for one in resolved}
    verdicts = [
        *_key_verdicts(),
        *([_Verdict(f"j.{ident('#gone')}", Outcome.SKIPPED, "'SOURCE_DELETED'")] if job.flagged else []),
        *_ambiguous_verdicts(resolved),
        *_selection_verdicts(resolved, job.follow),
        *_column_verdicts(job.columns),
        *_lookup_verdicts(resolved, blocking=(WhenMissing.FAIL, WhenMissing.DEFAULT)),
        *_cell_verdicts(
            [f"j.{cell(column.target)}" for column in job.columns], [one.target for one in job.columns]
        ),
        *_null_key_verdict(key_field),
    ]
    query = partial(
        _query,
        source_key(job.key),
        keyed,
        resolved,
        {name: values[name] for name in names},
        verdicts,
        columns=columns,
        key_field=key_field,
        locks=locks,
        clear_when=_clear_when(job, resolved, key_field),
    )
    return Staged(
        _write(session, workspace, job, query),
        names,
        keyed=bool(job.key),
        key=None
        if key_field is None
        else keys.RecordKey.of(key_field, columns, case_sensitive=job.external_id_case_sensitive),
        grouped_by=locks,
    )


def stage_link(session: Session, workspace: Workspace, job: LinkJob) -> Staged:
    """Stage the rows of a link step: loaded rows with a value in at least one of the fields."""
    resolved = resolve(session, workspace, job.lookups)
    names = ("Id", *(one.target for one in job.lookups))
    locks = _only(job.group_by)
    some_value = " OR ".join(f"{one.value} IS NOT NULL" for one in resolved)
    some_sent = " OR ".join(f"j.{cell(one.lookup.target)} IS NOT NULL" for one in resolved)
    verdicts = [
        *_ambiguous_verdicts(resolved),
        *_selection_verdicts(resolved, None),
        *_lookup_verdicts(resolved, blocking=(WhenMissing.FAIL, WhenMissing.DEFAULT, WhenMissing.LINK)),
        _Verdict(f"NOT ({some_sent})", Outcome.SKIPPED, "'LOOKUP_MISSING'"),
    ]
    query = partial(
        _query,
        source_key(job.key),
        [],
        resolved,
        {"Id": "own.target_id", **{one.lookup.target: one.sent for one in resolved}},
        verdicts,
        columns=(SentColumn("Id", "id"), *map(_reference, job.lookups)),
        key_field="Id",
        locks=locks,
        joins=f" JOIN ({id_map(workspace, job.loaded)}) AS own ON own.source_key = keyed.source_key AND own.target_id IS NOT NULL",
        where=f" WHERE {some_value}",
    )
    path = _write(session, workspace, job, query)
    return Staged(path, names, keyed=bool(job.key), drop_repeats=True, grouped_by=locks)


def _write(
    session: Session, workspace: Workspace, job: LoadJob | LinkJob, query: Callable[[str], str]
) -> Path:
    """Large extracts are read by every thread."""
    large = sum(ref.rows for ref in job.pages.files) >= _PARTED_ROWS
    source = scan(workspace, job.pages, parts=session.threads if large else 1)
    maps = [one for lookup in job.lookups for one in lookup.id_maps]
    if isinstance(job, LinkJob):
        maps.append(job.loaded)
    entries = sum(ref.rows for one in maps for ref in one.files)
    with session.on_disk() if entries * _ENTRY > session.room * _MAPS else nullcontext():
        return session.write_parquet(query(source), "staged.parquet")


def _only(group_by: str | None) -> tuple[str, ...]:
    return () if group_by is None else (group_by,)


def _reference(lookup: SqlLookup) -> SentColumn:
    return SentColumn(lookup.target, "reference")


def _query(
    key: str,
    keyed: Sequence[str],
    resolved: Sequence[Resolved],
    values: dict[str, str],
    verdicts: Sequence[_Verdict],
    source: str,
    *,
    columns: Sequence[SentColumn],
    key_field: str | None,
    locks: Sequence[str],
    clear_when: Mapping[str, str] | None = None,
    joins: str = "",
    where: str = "",
) -> str:
    """The staging query. `clear_when`: SQL that says when an empty field is sent as "set to null"; else it is left alone."""
    lookups = [
        f"to18({ident(one.lookup.source_column)}) AS {source_value(n)}" for n, one in enumerate(resolved)
    ]
    first = ", ".join((f'{ROW} AS "#row"', f"{key} AS source_key", *keyed, *lookups))
    raw = ", ".join(f"{sql} AS {cell(name)}" for name, sql in values.items())
    judged = " ".join(one.sql() for one in verdicts)
    cells = {name: _sent_cell(f"j.{cell(name)}", (clear_when or {}).get(name)) for name in values}
    # looked-up ids are ours: no line ends, nothing to quote
    texts = [name for name, sql in values.items() if sql.startswith("keyed.")]
    flags = "".join(
        f", {one.selected} AS {ident(f'#s{n}')}, {one.missing} AS {ident(f'#x{n}')}"
        + (f", {one.ambiguous} AS {ident(f'#a{n}')}" if one.ambiguous else "")
        for n, one in enumerate(resolved)
    )
    names = [column.name for column in columns]
    even = {name: f"one_newline({cell(name)})" if name in texts else cell(name) for name in names}
    # a field that is cleared locks no record: its rows have nothing in common
    locked = ", ".join(
        f"{present(even[one]) if one in even else 'NULL::VARCHAR'} AS {lock_column(n)}"
        for n, one in enumerate(locks or [""])
    )
    return f"""
WITH keyed AS (SELECT {first} FROM ({source})),
joined AS (SELECT keyed.*{flags}, {raw} FROM keyed{joins}{"".join(one.joins for one in resolved)}{where}),
judged AS (SELECT j.*, CASE {judged} END AS "#verdict" FROM joined AS j),
sent AS (
  SELECT "#row" AS "row", coalesce(source_key, concat('#', "#row")) AS source_key, "#verdict" AS verdict,
         {", ".join(f"{sql} AS {cell(name)}" for name, sql in cells.items())}
  FROM judged AS j),
{_lined(columns, even, key_field)}
SELECT "row", source_key, verdict.outcome AS outcome, verdict.code AS code, verdict.field AS fields, verdict.message AS message,
       returns, {locked}, {even.get(key_field or "", "NULL::VARCHAR")} AS record_key, strlen(line) + 1 AS bytes, key,
       line AS {line_column(names)}
FROM lined"""


def _lined(columns: Sequence[SentColumn], even: Mapping[str, str], key_field: str | None) -> str:
    """From `sent` to `lined`, with line and key. `even`: SQL of each cell with one kind of line end.

    Hardly any cell has a CR, so lines are made of the cells as they are, and made anew where it matters.
    """
    sent = [cell(name) for name in even]
    plain = [cell(name) for name, sql in even.items() if sql == cell(name)]
    key = keys.quick_key(columns, sent, key_field)
    even_key = keys.quick_key(columns, list(even.values()), key_field)
    return f"""quick AS (SELECT *, {quick_line(sent, plain=plain)} AS quick FROM sent),
even AS (SELECT *, contains(quick, chr(13)) AS returns, {lf_ended("quick")} AS even FROM quick),
lined AS (
  SELECT *, CASE WHEN {unsettled("even")} THEN {line(list(even.values()), plain=plain)} ELSE even END AS line,
         CASE WHEN returns THEN {even_key} ELSE {key} END AS key FROM even)"""


def _clear_when(job: LoadJob, resolved: Sequence[Resolved], key_field: str | None) -> dict[str, str]:
    """A relationship that is filled later, or whose record is missing, is not cleared: only an empty source value clears."""
    if not job.clear_nulls or job.operation is Operation.INSERT:
        return {}
    found = {column.target: "true" for column in job.columns if column.target != key_field}
    return found | {one.lookup.target: f"j.{source_value(n)} IS NULL" for n, one in enumerate(resolved)}


def _sent_cell(value: str, clear_when: str | None) -> str:
    plain = f"nullif({value}, '')"
    return (
        plain
        if clear_when is None
        else f"coalesce({plain}, CASE WHEN {clear_when} THEN {text(SET_NULL)} END)"
    )


def _key_verdicts() -> list[_Verdict]:
    return [_Verdict("j.source_key IS NULL", Outcome.FAILED, "'SOURCE_KEY_NULL'")]


def _ambiguous_verdicts(resolved: Sequence[Resolved]) -> list[_Verdict]:
    return [
        _Verdict(
            f"j.{ident(f'#a{n}')}",
            Outcome.BLOCKED,
            "'LOOKUP_AMBIGUOUS'",
            one.lookup.target,
            f"concat('several records have the key ', j.{source_value(n)})",
        )
        for n, one in enumerate(resolved)
        if one.ambiguous
    ]


def _selection_verdicts(resolved: Sequence[Resolved], follow: str | None) -> list[_Verdict]:
    found = [
        _Verdict(f"NOT j.{ident(f'#s{n}')}", Outcome.SKIPPED, "'NOT_FOLLOWED'", one.lookup.target)
        for n, one in enumerate(resolved)
        if one.lookup.target == follow
    ]
    return found + [
        _Verdict(
            f"j.{ident(f'#x{n}')}", Outcome.SKIPPED, "'LOOKUP_MISSING'", one.lookup.target, _no_record(n)
        )
        for n, one in enumerate(resolved)
        if one.lookup.when_missing is WhenMissing.SKIP
    ]


def _lookup_verdicts(resolved: Sequence[Resolved], *, blocking: Sequence[WhenMissing]) -> list[_Verdict]:
    return [
        _Verdict(
            f"j.{ident(f'#x{n}')}", Outcome.BLOCKED, "'LOOKUP_MISSING'", one.lookup.target, _no_record(n)
        )
        for n, one in enumerate(resolved)
        if one.lookup.when_missing in blocking
    ]


def _no_record(index: int) -> str:
    """The message names the record that is missing: an id or key, which an operator needs, and no other value."""
    return f"concat('no record in the target for ', j.{source_value(index)})"


def _column_verdicts(columns: Sequence[SqlColumn]) -> list[_Verdict]:
    return [
        _Verdict(
            f"j.{ident(f'#f{n}')} IS NOT NULL", Outcome.FAILED, f"j.{ident(f'#f{n}')}::VARCHAR", column.target
        )
        for n, column in enumerate(columns)
        if column.fault_sql
    ]


def _cell_verdicts(cells: Sequence[str], names: Sequence[str]) -> list[_Verdict]:
    found: list[_Verdict] = []
    for value, name in zip(cells, names, strict=True):
        found.append(_Verdict(f"{value} = {text(SET_NULL)}", Outcome.FAILED, "'DATA_NA'", name))
        # bytes first: they are known, characters must be counted
        long = f"strlen({value}) > {_MAX_FIELD} AND length({value}) > {_MAX_FIELD}"
        found.append(_Verdict(long, Outcome.FAILED, "'DATA_TOO_LONG'", name))
    if cells:
        size = " + ".join(f"coalesce(strlen({value}), 0)" for value in cells)
        length = " + ".join(f"coalesce(length({value}), 0)" for value in cells)
        found.append(
            _Verdict(
                f"{size} > {_MAX_RECORD} AND {length} > {_MAX_RECORD}", Outcome.FAILED, "'DATA_TOO_LONG'"
            )
        )
    return found


def _null_key_verdict(key_field: str | None) -> list[_Verdict]:
    if key_field is None:
        return []
    empty = f"trimmed(coalesce(j.{cell(key_field)}, '')) = ''"
    return [_Verdict(empty, Outcome.FAILED, "'KEY_NULL'", key_field)]
