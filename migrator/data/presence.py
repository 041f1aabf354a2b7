"""Presence: which of the records that a step loaded are there, by what was read back.

Ids are looked at in shares by their hash, each small enough for the memory that there is.

**Invariant:** every loaded row is in `met`, once, whatever was read back.
"""

from dataclasses import dataclass

from migrator.data.session import Session, read_parquet

#: bytes that an id, or a key with its id, takes while it is counted and joined
_ENTRY = 150


@dataclass(frozen=True, slots=True)
class Presence:
    """Of loaded rows: how many, how many different records they became, how many of the rows have none any more, and how many records were read twice."""

    rows: int
    records: int
    missing: int
    repeated: int


def presence(session: Session) -> Presence:
    """Makes the view `met`: `records` ("row", source_key, target_id) with `n`, how often each was read back; NULL: not at all. Needs `readback`, too."""
    told = session.write_parquet('SELECT "row", source_key, target_id FROM records', "loaded.parquet")
    read = session.write_parquet('SELECT to18("Id") AS id FROM readback', "read.parquet")
    (loaded,) = session.one(f"SELECT count(*) FROM {read_parquet([told])}")
    (answered,) = session.one(f"SELECT count(*) FROM {read_parquet([read])}")
    count = shares(session, loaded + answered)
    files, records, missing, repeated = [], 0, 0, 0
    for share in range(count):
        met = session.write_parquet(
            f"SELECT r.*, n FROM (FROM {read_parquet([told])} WHERE {of_share('target_id', share, count)}) AS r LEFT JOIN "
            f"(SELECT id, count(*) AS n FROM {read_parquet([read])} WHERE {of_share('id', share, count)} GROUP BY id) ON id = target_id",
            f"met-{share}.parquet",
        )
        files.append(met)
        found = session.one(
            "SELECT count(DISTINCT target_id), count(*) FILTER (n IS NULL), count(DISTINCT target_id) FILTER (n > 1) "
            f"FROM {read_parquet([met])}"
        )
        records, missing, repeated = records + found[0], missing + found[1], repeated + found[2]
    session.run(f"CREATE TEMP VIEW met AS FROM {read_parquet(files)}")
    return Presence(loaded, records, missing, repeated)


def shares(session: Session, entries: int) -> int:
    """Into how many shares so many ids or keys are divided."""
    return 1 + int(entries * _ENTRY // session.room)


def of_share(value: str, share: int, count: int) -> str:
    """SQL: the value is of that share."""
    return "true" if count == 1 else f"hash({value}) % {count} = {share}"
