"""Products of opportunities and orders: an entry of the parent's price book, prices that follow from it, and their sum."""

from collections.abc import Sequence
from dataclasses import dataclass

from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.execution import Effect, Saved, Saving
from migrator.simulator.records.results import RowError
from migrator.simulator.records.values import format_double, moment
from migrator.simulator.rules.making import Lookup
from migrator.simulator.rules.pricebooks import Prices

_FIELD = "PricebookEntryId"


def _wrong(what: str, field: str = _FIELD) -> RowError:
    text = f"field integrity exception: {field} ({what})"
    return RowError("FIELD_INTEGRITY_EXCEPTION", text, (field,))


OTHER_BOOK = _wrong("pricebook entry is in a different pricebook than the one assigned to the opportunity")
OTHER_BOOK_OF_ORDER = _wrong("pricebook entry is in a different pricebook than the one assigned to the order")
OTHER_CURRENCY = _wrong("pricebook entry currency code does not match opportunity currency code")
INACTIVE = _wrong("pricebook entry has been inactivated")
NO_ENTRY = RowError("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{_FIELD}]", (_FIELD,))
HAS_LINES = _wrong("the price book cannot be changed while there are products", "Pricebook2Id")


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of lines."""

    sobject: str
    parent: str
    link: str  # field of the line that names the parent
    total: str  # field of the parent: the sum of the lines
    other_book: RowError


_KINDS = (
    _Kind("OpportunityLineItem", "Opportunity", "OpportunityId", "Amount", OTHER_BOOK),
    _Kind("OrderItem", "Order", "OrderId", "TotalAmount", OTHER_BOOK_OF_ORDER),
)


def add(org: OrgState) -> None:
    """Add the rules to the org's."""
    for kind in _KINDS:
        if org.schema.sobject(kind.sobject) is None:
            continue
        lines = _Lines(org, kind)
        rules = org.dml.rules(kind.sobject)
        rules.defaults.append(lines.fill)
        rules.validations.append(lines.check)
        rules.effects.append(Effect(lines.add_up, frozenset({"UnitPrice", "Quantity", "TotalPrice"})))
        parent = org.dml.rules(kind.parent)
        parent.checks.append(lines.keep_book)
        if kind.parent == "Opportunity":
            parent.defaults.append(lines.keep_amount)


class _Lines:
    def __init__(self, org: OrgState, kind: _Kind) -> None:
        self._org = org
        self._kind = kind
        self._table = org.store.table(kind.sobject)
        self._parents = org.store.table(kind.parent)
        self._prices = Prices(org)

    # --- a line --------------------------------------------------------------------------------------------------

    def fill(self, saving: Saving) -> None:
        """The entry of a product that is given alone, what the entry says, and the prices that follow."""
        if saving.inserts:
            self._from_entries(saving)
        if saving.gives("UnitPrice", "Quantity", "TotalPrice"):
            _price(saving)

    def _from_entries(self, saving: Saving) -> None:
        parents, links = Lookup(self._parents), saving.new(self._kind.link)
        entries = Lookup(self._org.store.table("PricebookEntry"))
        made = list(saving.new(_FIELD))
        for place, (entry, product) in enumerate(zip(made, saving.new("Product2Id"), strict=True)):
            book = parents.cell(links[place], "Pricebook2Id")
            if not entry and product and book:
                currency = parents.cell(links[place], "CurrencyIsoCode") if self._prices.currencies else ""
                seq = self._prices.find(book, product, currency)
                made[place] = entries.table.id_of(seq) if seq else ""
        saving.set(_FIELD, made)
        products = entries.cells(made, "Product2Id")
        saving.set("Product2Id", products)
        list_prices = entries.cells(made, "UnitPrice")
        saving.set("ListPrice", list_prices)
        if saving.table.sobject.field("ProductCode") is not None:
            names = Lookup(self._org.store.table("Product2"))
            saving.set("ProductCode", names.cells(products, "ProductCode"))
            own = zip(parents.cells(links, "Name"), names.cells(products, "Name"), strict=True)
            saving.set("Name", [" ".join(filter(None, pair)) for pair in own])
        if "" in saving.new("UnitPrice"):
            kept = zip(saving.new("UnitPrice"), saving.new("TotalPrice"), list_prices, strict=True)
            saving.set("UnitPrice", [unit or ("" if total else price) for unit, total, price in kept])

    def check(self, saving: Saving) -> None:
        """The entry is there, active, and of the parent's book; a parent without a book gets that of the first entry."""
        if not saving.inserts:
            return
        entries = Lookup(self._org.store.table("PricebookEntry"))
        parents, links = Lookup(self._parents), saving.new(self._kind.link)
        chosen: dict[str, str] = {}
        currencies = self._prices.currencies
        for row, entry, parent in zip(saving.rows, saving.new(_FIELD), links, strict=True):
            if row in saving.updates:
                continue
            book = parents.cell(parent, "Pricebook2Id") or chosen.get(parent, "")
            own = entries.cell(entry, "Pricebook2Id")
            if not entry:
                saving.fault(row, NO_ENTRY)
            elif entries.cell(entry, "IsActive") != "true":
                saving.fault(row, INACTIVE)
            elif book and own != book:
                saving.fault(row, self._kind.other_book)
            elif currencies and entries.cell(entry, "CurrencyIsoCode") != parents.cell(
                parent, "CurrencyIsoCode"
            ):
                saving.fault(row, OTHER_CURRENCY)
            else:
                chosen[parent] = own

    # --- the parent ----------------------------------------------------------------------------------------------

    def add_up(self, saved: Saved) -> None:
        """The sum of the lines, and that there are some."""
        stamp = moment(saved.context.now)
        for parent in sorted({*saved.now(self._kind.link), *saved.old(self._kind.link)} - {""}):
            seq = self._parents.seq_of(parent)
            if not self._parents.exists(seq):
                continue
            lines = self._table.find(self._kind.link, parent)
            values = {"SystemModstamp": stamp, self._kind.total: self._sum(lines, "TotalPrice")}
            if self._kind.parent == "Opportunity":
                values["HasOpportunityLineItem"] = "true" if lines else "false"
                values["TotalOpportunityQuantity"] = self._sum(lines, "Quantity")
                if not lines:  # the amount stays as it was
                    del values[self._kind.total], values["TotalOpportunityQuantity"]
            if lines and not self._parents.cell(seq, "Pricebook2Id"):
                entry = self._table.cell(lines[0], _FIELD)
                entries = self._org.store.table("PricebookEntry")
                values["Pricebook2Id"] = entries.cell(entries.seq_of(entry), "Pricebook2Id")
            self._parents.update(seq, values)

    def _sum(self, lines: Sequence[int], name: str) -> str:
        return format_double(sum(float(cell) for cell in self._table.cells(lines, name) if cell))

    def keep_book(self, saving: Saving) -> None:
        """The price book of a parent with lines stays."""
        if "Pricebook2Id" not in saving.chunk.cells and "Pricebook2Id" not in saving.chunk.nulls:
            return
        pairs = zip(saving.rows, saving.old("Pricebook2Id"), saving.new("Pricebook2Id"), strict=True)
        for row, before, now in pairs:
            seq = saving.updates.get(row)
            if seq and before != now and self._table.find(self._kind.link, saving.table.id_of(seq)):
                saving.fault(row, HAS_LINES)

    def keep_amount(self, saving: Saving) -> None:
        """The amount of an opportunity with products is their sum, whatever a row says."""
        if "Amount" not in saving.chunk.cells and "Amount" not in saving.chunk.nulls:
            return
        has = saving.old("HasOpportunityLineItem")
        if "true" in has:
            amounts = zip(has, saving.old("Amount"), saving.new("Amount"), strict=True)
            saving.set("Amount", [old if flag == "true" else new for flag, old, new in amounts])


def _price(saving: Saving) -> None:
    """Unit price times quantity is the total; who gives the total gets the unit price."""
    by_total = saving.given("TotalPrice")
    units, totals = list(saving.new("UnitPrice")), list(saving.new("TotalPrice"))
    for place, quantity in enumerate(saving.new("Quantity")):
        number = float(quantity or 0)
        if by_total[place] and totals[place] and number:
            units[place] = format_double(float(totals[place]) / number)
        elif units[place]:
            totals[place] = format_double(float(units[place]) * number)
    saving.set("UnitPrice", units)
    saving.set("TotalPrice", totals)
