"""Duplicate rules: records that match what is being saved, and what a rule does about them.

Rows are compared with records that are there, not with each other, as the platform does it; an update is looked at only when it
changes a field that is matched.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence

from migrator.simulator.records.columns import SEPARATOR
from migrator.simulator.records.dml import Dml
from migrator.simulator.records.execution import Effect, Saved, Saving
from migrator.simulator.records.index import Index
from migrator.simulator.records.results import Duplicate, Match, RowError
from migrator.simulator.records.store import Store
from migrator.simulator.records.truth import Change
from migrator.simulator.schema.model import (
    DuplicateAction,
    DuplicateRule,
    MatchField,
    MatchingRule,
    MatchMethod,
    SObject,
)

_NO_LETTER = re.compile(r"[\W_]+")
_SHOWN = 20  # records of one match
STATUS = "DUPLICATES_DETECTED"


def add_duplicate_rules(dml: Dml, store: Store) -> None:
    """Add the duplicate rules of the schema."""
    for sobject in store.schema.sobjects:
        rules = [_Rule(dml, store, sobject, each) for each in sobject.duplicate_rules if each.active]
        if rules:
            dml.rules(sobject.name).duplicates.append(_all_of(rules))


def _all_of(rules: Sequence["_Rule"]) -> Callable[[Saving], None]:
    def check(saving: Saving) -> None:
        errors: dict[int, list[RowError]] = {}
        for rule in rules:
            rule.find(saving, errors)
        for row, found in errors.items():
            saving.fault(row, *found)

    return check


def normalised(text: str) -> str:
    """Letters and digits only, in lower case and without accents."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return _NO_LETTER.sub("", "".join(each for each in plain if not unicodedata.combining(each)))


_METHODS: Mapping[MatchMethod, Callable[[str], str]] = {
    MatchMethod.EXACT: lambda text: text.strip().casefold(),
    MatchMethod.NORMALISED: normalised,
}


def _keys(columns: Sequence[Sequence[str]], fields: Sequence[MatchField]) -> list[str]:
    """One key a record; `""` where a field is blank that must not be."""
    made: list[list[str]] = []
    for cells, field in zip(columns, fields, strict=True):
        known = {cell: _METHODS[field.method](cell) if cell else "" for cell in set(cells)}
        made.append([known[cell] for cell in cells])
    strict = [not field.blanks for field in fields]
    return [
        ""
        if any(needed and not part for needed, part in zip(strict, parts, strict=True))
        else SEPARATOR.join(parts)
        for parts in zip(*made, strict=True)
    ]


class _Matcher:
    """The records of an sObject by their keys. Entries are never removed, so that a rollback finds them; they are looked at again."""

    def __init__(self, dml: Dml, store: Store, rule: MatchingRule) -> None:
        self.rule = rule
        self._table = store.table(rule.sobject)
        self._names = [each.other for each in rule.fields]
        self._index: Index | None = None
        watched = frozenset(self._names)
        for name in self._names:
            derived = self._table.derived.get(name)
            watched |= frozenset(derived.fields if derived is not None else ())
        changes = frozenset({Change.CREATED, Change.UPDATED, Change.UNDELETED})
        dml.rules(rule.sobject).effects.append(Effect(self._learn, watched, changes))
        exact = all(each.method is MatchMethod.EXACT for each in rule.fields)
        self.engine = "ExactMatchEngine" if exact else "FuzzyMatchEngine"

    def find(self, keys: Sequence[str], own: Sequence[int]) -> dict[int, tuple[str, ...]]:
        """The ids of the records that have the keys, by the key's place; never the record itself."""
        index = self._learned()
        found: dict[int, tuple[str, ...]] = {}
        for place, key in enumerate(keys):
            held = index.entries.get(key) if key else None
            if held is None:
                continue
            seqs = [held] if isinstance(held, int) else held
            there = [
                seq
                for seq in dict.fromkeys(seqs)
                if seq != own[place] and self._table.exists(seq) and self._key(seq) == key
            ]
            if there:
                found[place] = tuple(self._table.ids_of(there[:_SHOWN]))
        return found

    def _key(self, seq: int) -> str:
        return _keys([[self._table.cell(seq, name)] for name in self._names], self.rule.fields)[0]

    def _learned(self) -> Index:
        if self._index is None:
            self._index = Index(folds=False)
            for block in self._table.scan_columns(self._names):
                self._index.add_cells(_keys(block.columns, self.rule.fields), block.seqs)
        return self._index

    def _learn(self, saved: Saved) -> None:
        if self._index is None:
            return  # nobody has asked yet
        keys = _keys([saved.now(name) for name in self._names], self.rule.fields)
        if saved.change is Change.CREATED:
            self._index.add_cells(keys, saved.seqs)
            return
        for key, seq in zip(keys, saved.seqs, strict=True):
            held = self._index.entries.get(key)
            if held != seq and not (isinstance(held, list) and seq in held):
                self._index.add(key, seq)


class _Rule:
    """One duplicate rule."""

    def __init__(self, dml: Dml, store: Store, sobject: SObject, rule: DuplicateRule) -> None:
        self._rule = rule
        self._sobject = sobject.name
        self._matchers = [_Matcher(dml, store, each) for each in rule.matching]

    def find(self, saving: Saving, errors: dict[int, list[RowError]]) -> None:
        """Add an error for each row that the rule does not let pass."""
        places = self._looked_at(saving)
        matches: dict[int, list[Match]] = {}
        for matcher in self._matchers:
            columns = [saving.new(each.field) for each in matcher.rule.fields]
            keys = _keys(columns, matcher.rule.fields)
            asked = [keys[place] for place in places]
            same = matcher.rule.sobject == self._sobject
            own = [saving.updates.get(saving.rows[place], 0) if same else 0 for place in places]
            for number, ids in matcher.find(asked, own).items():
                match = Match(matcher.rule.sobject, matcher.rule.name, matcher.engine, ids)
                matches.setdefault(places[number], []).append(match)
        for place, listed in matches.items():
            row = saving.rows[place]
            action = self._rule.on_update if row in saving.updates else self._rule.on_insert
            alert = action is DuplicateAction.ALERT
            if alert and saving.context.allow_save:
                continue
            duplicate = Duplicate(self._sobject, self._rule.name, self._rule.message, alert, tuple(listed))
            errors.setdefault(row, []).append(RowError(STATUS, self._rule.message, (), duplicate))

    def _looked_at(self, saving: Saving) -> list[int]:
        """New records, and changed ones of which something that is matched changes."""
        first = len(saving.inserts)
        new = list(range(first)) if self._rule.on_insert is not DuplicateAction.ALLOW else []
        if not saving.updates or self._rule.on_update is DuplicateAction.ALLOW:
            return new
        changed: set[int] = set()
        for name in {each.field for matcher in self._matchers for each in matcher.rule.fields}:
            pairs = zip(saving.old(name)[first:], saving.new(name)[first:], strict=True)
            changed.update(first + place for place, (old, cell) in enumerate(pairs) if old != cell)
        return new + sorted(changed)
