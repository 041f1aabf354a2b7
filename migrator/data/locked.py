"""Which records were locked when rows met locks: learned from the texts of the faults.

A fault names up to ten of the records that could not be locked (SOAP API guide, "StatusCode": UNABLE_TO_LOCK_ROW). Each is told by the field of the
slice that looks it up or, when no row of the slice does, by its key prefix: then rows lock what no plan knew of.

**Invariant:** nothing but names of fields, key prefixes and counts leaves here.
"""

from collections.abc import Sequence

from migrator.data.jobs import LockSigns, SentColumn
from migrator.data.rows import cells, sent_names
from migrator.data.session import Session
from migrator.data.sql import cell, text

#: the list of ids in a fault's text: `… this record or 12 records: 001…,001…, ... (2 more)`
_LISTED = r"records?:\s*([0-9A-Za-z]{15,18}(?:\s*,\s*[0-9A-Za-z]{15,18})*)"
_ID = r"[0-9A-Za-z]{18}|[0-9A-Za-z]{15}"


def met_lock(signs: LockSigns) -> str:
    """SQL over `code` and `message`: whether the row met somebody's lock."""
    codes = ", ".join(text(one) for one in sorted(signs.codes)) or "NULL"
    return f"(coalesce(code IN ({codes}), false) OR {said(signs.texts)})"


def said(texts: Sequence[str]) -> str:
    """SQL over `message`: whether it has one of the texts (lower case) in it."""
    return (
        "("
        + " OR ".join(
            ("false", *(f"coalesce(contains(lower(message), {text(one)}), false)" for one in texts))
        )
        + ")"
    )


def locked_keys(
    session: Session,
    source: str,
    columns: Sequence[SentColumn],
    signs: LockSigns,
    own_prefix: str,
    *,
    known: Sequence[str] = (),
) -> dict[str, int]:
    """How many of the named records each field of the slice `source` looks up, and by key prefix those that none does.

    Records of the sObject that is written are `Id`: the rows themselves, or others of their kind. What a field that is `known` to lock looks up
    counts for no other field.
    """
    session.run(
        f"CREATE TEMP TABLE lock_named AS SELECT DISTINCT to18(id) AS id FROM (SELECT unnest(regexp_extract_all(listed, {text(_ID)})) AS id "
        f"FROM (SELECT DISTINCT regexp_extract(message, {text(_LISTED)}, 1) AS listed FROM settled "
        f"WHERE code <> '' AND {met_lock(signs)}) WHERE listed <> '')"
    )
    (named,) = session.one("SELECT count(*) FROM lock_named")
    if not named:
        return {}
    written = {name.casefold(): name for name in sent_names(session, source)}
    fields = sorted(
        written[one.name.casefold()]
        for one in columns
        if one.type == "reference" and one.name.casefold() in written
    )
    session.run("CREATE TEMP TABLE lock_fields (field VARCHAR, id VARCHAR)")
    if fields:
        session.run(f"CREATE TEMP TABLE lock_cells AS FROM {cells(session, source, list(written.values()))}")
    first = {one.casefold() for one in known}
    explained = ", ".join(text(name) for name in fields if name.casefold() in first) or "NULL"
    for name in sorted(fields, key=lambda one: (one.casefold() not in first, one)):
        others = f" AND n.id NOT IN (SELECT id FROM lock_fields WHERE field IN ({explained}))"
        session.run(
            f"INSERT INTO lock_fields SELECT {text(name)}, n.id FROM lock_named AS n "
            f"WHERE n.id IN (SELECT to18({cell(name)}) FROM lock_cells WHERE {cell(name)} IS NOT NULL)"
            + ("" if name.casefold() in first else others)
        )
    own = f"CASE WHEN id[1:3] = {text(own_prefix)} THEN 'Id' ELSE id[1:3] END"
    found = session.rows(
        "SELECT field AS key, count(*) FROM lock_fields GROUP BY field UNION ALL "
        f"SELECT {own} AS key, count(*) FROM lock_named ANTI JOIN lock_fields USING (id) GROUP BY key ORDER BY key"
    )
    return {str(key): int(count) for key, count in found}
