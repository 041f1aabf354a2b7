"""Resolving relationship fields: joins of a staged row with the id maps of the objects that it may look up.

An id map is a view of outcome files (or of a match file): what a run knows about target ids is what its settled files say.

**Invariant:** an id map is a function; a lookup never multiplies or loses a row.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from migrator.data.jobs import IdMap, SqlLookup
from migrator.data.session import Session, read_parquet
from migrator.data.sql import ident, text
from migrator.data.workspace import Workspace
from migrator.model.plan import WhenMissing
from migrator.model.run import Outcome

#: match files are under this folder; they have a `name` and no outcomes
MATCH_FOLDER = "match"
#: the code of a row whose source key an earlier row has; it is no answer to a lookup of that key
DUPLICATE_SOURCE_KEY = "DUPLICATE_SOURCE_KEY"
#: outcomes that stand for a record in the target
LOADED = (Outcome.CREATED, Outcome.UPDATED, Outcome.UNCHANGED)
_LOADED_SQL = ", ".join(text(one.value) for one in LOADED)


def loaded(outcome_column: str = "outcome") -> str:
    """SQL: the row has a record in the target."""
    return f"{outcome_column} IN ({_LOADED_SQL})"


@dataclass(frozen=True, slots=True)
class Resolved:
    """A lookup as SQL over the joined relation: its source value, the id that was found, and whether its record was selected."""

    lookup: SqlLookup
    value: str
    found: str
    selected: str
    #: several records have the value for their key, or one became several; None: that cannot be
    ambiguous: str | None
    joins: str
    #: the stated record's id, None when there is none
    default: str | None

    @property
    def missing(self) -> str:
        """SQL: there is a value, and no record for it. An empty value is not missing."""
        return f"({self.value} IS NOT NULL AND {self.sent} IS NULL)"

    @property
    def sent(self) -> str:
        """SQL of the id to send."""
        if self.lookup.when_missing is WhenMissing.DEFAULT and self.default:
            return f"(CASE WHEN {self.value} IS NULL THEN NULL ELSE coalesce({self.found}, {text(self.default)}) END)"
        return self.found

    @property
    def stops(self) -> bool:
        """Whether a missing record keeps the row from being sent."""
        return self.lookup.when_missing in {WhenMissing.FAIL, WhenMissing.DEFAULT}


def source_value(index: int) -> str:
    """The column of the staged relation that holds a lookup's source value."""
    return ident(f"#l{index}")


def resolve(session: Session, workspace: Workspace, lookups: Sequence[SqlLookup]) -> list[Resolved]:
    """Each lookup with its joins; every id map is joined once for each lookup that may use it. Answers that differ are none: see `Resolved.ambiguous`."""
    return [_resolve(session, workspace, index, lookup) for index, lookup in enumerate(lookups)]


def _resolve(session: Session, workspace: Workspace, index: int, lookup: SqlLookup) -> Resolved:
    maps = [one for one in lookup.id_maps if one.files]
    names = [ident(f"#m{index}_{number}") for number in range(len(maps))]
    value = f"keyed.{source_value(index)}"
    joins = "".join(
        f" LEFT JOIN ({id_map(workspace, one)}) AS {name} ON {name}.source_key = {value}"
        for one, name in zip(maps, names, strict=True)
    )
    found = ", ".join(f"{name}.target_id" for name in names)
    selected = " OR ".join(f"coalesce({name}.selected, false)" for name in names)
    return Resolved(
        lookup=lookup,
        value=value,
        found=f"coalesce({found})" if names else "NULL::VARCHAR",
        selected=f"({selected})" if names else "false",
        ambiguous=_ambiguous(lookup, names),
        joins=joins,
        default=_default(session, workspace, lookup),
    )


def _ambiguous(lookup: SqlLookup, names: Sequence[str]) -> str | None:
    """SQL: which record is meant cannot be told. None: it always can.

    Record ids name one record each, which may have become several. A key of files may be of several records: then one that is not in the target may be
    meant as well.
    """
    if len(names) < 2:
        return None
    found = ", ".join(f"{name}.target_id" for name in names)
    several = f"coalesce(greatest({found}) <> least({found}), false)"
    if not lookup.keys_repeat:
        return several
    known = " + ".join(f"({name}.source_key IS NOT NULL)::INTEGER" for name in names)
    missing = " OR ".join(f"({name}.source_key IS NOT NULL AND {name}.target_id IS NULL)" for name in names)
    return f"({known} > 1 AND ({several} OR {missing}))"


def id_map(workspace: Workspace, one: IdMap) -> str:
    """SQL of an id map: source_key, target_id (NULL when there is no record), selected."""
    source = read_parquet([workspace.path(ref) for ref in one.files])
    if _is_match(one):
        return f"SELECT source_key, target_id, true AS selected FROM {source} WHERE source_key IS NOT NULL"
    return (
        f"SELECT source_key, CASE WHEN {loaded()} THEN target_id END AS target_id, "
        f"outcome <> {text(Outcome.SKIPPED.value)} AS selected FROM {source} WHERE final AND code <> {text(DUPLICATE_SOURCE_KEY)}"
    )


def _is_match(one: IdMap) -> bool:
    return one.files[0].path.startswith(MATCH_FOLDER + "/")


def _default(session: Session, workspace: Workspace, lookup: SqlLookup) -> str | None:
    if lookup.when_missing is not WhenMissing.DEFAULT or lookup.default is None:
        return None
    for one in lookup.id_maps:
        if not one.files:
            continue
        source = read_parquet([workspace.path(ref) for ref in one.files])
        if _is_match(one):
            where = f"lower(trimmed(name)) = lower(trimmed({text(lookup.default)}))"
        else:
            where = f"source_key = to18({text(lookup.default)}) AND final AND {loaded()}"
        (found,) = session.one(f"SELECT min(target_id) FROM {source} WHERE target_id IS NOT NULL AND {where}")
        if found is not None:
            return str(found)
    return None
