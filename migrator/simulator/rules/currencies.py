"""Several currencies: whose currency a new record has, which codes are good, and amounts in another currency."""

from collections.abc import Sequence
from functools import partial

from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.execution import Effect, Saved, Saving
from migrator.simulator.records.results import RowError
from migrator.simulator.records.store import Store
from migrator.simulator.records.values import format_double
from migrator.simulator.rules.making import Lookup
from migrator.simulator.schema.features import CURRENCY_FIELD, with_currency
from migrator.simulator.schema.model import SObject, make_schema

_PARENTS = {"OpportunityLineItem": "OpportunityId", "OrderItem": "OrderId"}
_CORPORATE_RATE = RowError(
    "INVALID_CURRENCY_CORP_RATE",
    "the conversion rate of the corporate currency must be 1",
    ("ConversionRate",),
)
_CORPORATE_ACTIVE = RowError(
    "FIELD_INTEGRITY_EXCEPTION", "the corporate currency cannot be inactive", ("IsActive",)
)


def add(org: OrgState) -> None:
    """Add the rules to the org's, if it has several currencies."""
    if org.schema.sobject("CurrencyType") is None:
        return
    watched: set[str] = set()

    def watch(sobject: SObject) -> SObject:
        if sobject.field(CURRENCY_FIELD) is not None and sobject.name not in watched:
            org.dml.rules(sobject.name).defaults.insert(0, _Default(org, sobject.name))
            watched.add(sobject.name)
        return sobject

    for sobject in org.schema.sobjects:
        watch(sobject)
    org.adapting.append(lambda sobject: watch(with_currency(sobject, _active(org))))
    rules = org.dml.rules("CurrencyType")
    rules.checks.append(_check_type)
    rules.effects.append(Effect(partial(_tell, org), frozenset({"IsActive"})))
    rates = org.dml.rules("DatedConversionRate")
    rates.checks.append(_check_rate)
    rates.effects.append(Effect(partial(_chain, org)))


class Rates:
    """How much of each currency one of the corporate one is."""

    def __init__(self, store: Store) -> None:
        types = store.table("CurrencyType")
        seqs = list(types.scan())
        pairs = zip(types.cells(seqs, "IsoCode"), types.cells(seqs, "ConversionRate"), strict=True)
        self._rates = {code: float(rate) for code, rate in pairs}
        self.corporate = next(
            (types.cell(seq, "IsoCode") for seq in seqs if types.cell(seq, "IsCorporate") == "true"), ""
        )
        dated = store.table("DatedConversionRate")
        seqs = list(dated.scan())
        columns = (dated.cells(seqs, name) for name in ("IsoCode", "StartDate", "ConversionRate"))
        self._dated: dict[str, list[tuple[str, float]]] = {}
        for code, start, rate in sorted(zip(*columns, strict=True)):
            self._dated.setdefault(code, []).append((start, float(rate)))

    def convert(self, amount: str, source: str, target: str, day: str = "") -> str:
        """An amount in another currency; on a day, by the rates of that day where there are some."""
        if not amount or source == target:
            return amount
        return format_double(float(amount) / self._rate(source, day) * self._rate(target, day))

    def _rate(self, code: str, day: str) -> float:
        rate = self._rates.get(code, 1.0)
        if day:
            for start, dated in self._dated.get(code, ()):
                rate = dated if start <= day else rate
        return rate


def currency_of(store: Store, user_id: str) -> str:
    """A user's currency, else the corporate one; `""` where the org has one currency only."""
    if store.schema.sobject("CurrencyType") is None:
        return ""
    users = store.table("User")
    seq = users.seq_of(user_id) if user_id else 0
    own = users.cell(seq, f"Default{CURRENCY_FIELD}") or users.cell(seq, CURRENCY_FIELD) if seq else ""
    types = store.table("CurrencyType")
    corporate = types.find("IsCorporate", "true")
    return own or (types.cell(corporate[0], "IsoCode") if corporate else "")


class _Default:
    """A new record has the currency of its parent's (products), or of its user."""

    def __init__(self, org: OrgState, sobject: str) -> None:
        self._org = org
        self._link = _PARENTS.get(sobject, "")

    def __call__(self, saving: Saving) -> None:
        if not saving.inserts:
            return
        given = saving.new(CURRENCY_FIELD)
        if self._link:
            field = saving.table.sobject.field(self._link)
            if field is not None:
                parents = Lookup(self._org.store.table(field.reference_to[0]))
                saving.set(CURRENCY_FIELD, parents.cells(saving.new(self._link), CURRENCY_FIELD))
        elif "" in given:
            own = currency_of(self._org.store, saving.context.actor)
            saving.set(CURRENCY_FIELD, [cell or own for cell in given])


def _check_type(saving: Saving) -> None:
    columns = (saving.new(name) for name in ("IsoCode", "ConversionRate", "IsActive", "IsCorporate"))
    for row, code, rate, active, corporate in zip(saving.rows, *columns, strict=True):
        if len(code) != 3 or not code.isalpha() or not code.isupper():
            saving.fault(
                row, RowError("INVALID_CURRENCY_ISO", f"invalid currency code: {code}", ("IsoCode",))
            )
        elif corporate == "true" and active != "true":
            saving.fault(row, _CORPORATE_ACTIVE)
        elif corporate == "true" and float(rate) != 1:
            saving.fault(row, _CORPORATE_RATE)
    _check_rate(saving)


def _check_rate(saving: Saving) -> None:
    for row, rate in zip(saving.rows, saving.new("ConversionRate"), strict=True):
        if float(rate) <= 0:
            saving.fault(row, _bad_rate(rate))


def _bad_rate(rate: str) -> RowError:
    return RowError("INVALID_CURRENCY_CONV_RATE", f"invalid conversion rate: {rate}", ("ConversionRate",))


def _active(org: OrgState) -> list[str]:
    types = org.store.table("CurrencyType")
    return [types.cell(seq, "IsoCode") for seq in types.scan() if types.cell(seq, "IsActive") == "true"]


def _tell(org: OrgState, saved: Saved) -> None:
    """The active currencies are the values of every record's currency."""
    del saved
    held, codes = org.schema, _active(org)
    sobjects = [
        with_currency(each, codes) if each.field(CURRENCY_FIELD) is not None else each
        for each in held.sobjects
    ]
    if org.store.journal is not None:
        org.store.journal.append(partial(org.reshape, held))
    org.reshape(make_schema(sobjects, held.organization, held.people, held.settings, held.currencies))


def _chain(org: OrgState, saved: Saved) -> None:
    """A rate is good until the next one of its currency begins."""
    table = org.store.table("DatedConversionRate")
    for code in sorted(set(saved.now("IsoCode"))):
        seqs: Sequence[int] = sorted(
            table.find("IsoCode", code), key=lambda seq: table.cell(seq, "StartDate")
        )
        starts = table.cells(seqs, "StartDate")
        for seq, after in zip(seqs, [*starts[1:], ""], strict=True):
            if table.cell(seq, "NextStartDate") != after:
                table.update(seq, {"NextStartDate": after})
