"""Price books: the standard price first, one price of a product in each book, names and codes as the product has them."""

from collections.abc import Sequence

from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.execution import Effect, Saved, Saving
from migrator.simulator.records.results import RowError
from migrator.simulator.records.truth import Change
from migrator.simulator.rules.making import Lookup

NO_STANDARD = RowError("STANDARD_PRICE_NOT_DEFINED", "No standard price defined for this product")
TWICE = RowError("DUPLICATE_VALUE", "This price definition already exists in this price book")
_OF_PRODUCT = ("Name", "ProductCode")


def add(org: OrgState) -> None:
    """Add the rules to the org's."""
    if org.schema.sobject("PricebookEntry") is None:
        return
    entries = _Entries(org)
    rules = org.dml.rules("PricebookEntry")
    rules.defaults.append(entries.fill)
    rules.validations.append(entries.check)  # sees the price that `fill` may have set
    watched = Effect(entries.follow, frozenset(_OF_PRODUCT), frozenset({Change.UPDATED}))
    org.dml.rules("Product2").effects.append(watched)


class Prices:
    """The prices of an org by book, product and, with several currencies, currency."""

    def __init__(self, org: OrgState) -> None:
        self._org = org
        self._entries = org.store.table("PricebookEntry")
        self.currencies = self._entries.sobject.field("CurrencyIsoCode") is not None

    def standard_book(self) -> str:
        """The id of the standard price book."""
        books = self._org.store.table("Pricebook2")
        found = books.find("IsStandard", "true")
        return books.id_of(found[0]) if found else ""

    def find(self, book: str, product: str, currency: str) -> int:
        """The number of the entry; 0 when there is none."""
        for seq in self._entries.find("Product2Id", product) if product else ():
            if self._entries.cell(seq, "Pricebook2Id") != book:
                continue
            if not self.currencies or self._entries.cell(seq, "CurrencyIsoCode") == currency:
                return seq
        return 0


class _Entries:
    def __init__(self, org: OrgState) -> None:
        self._org = org
        self._prices = Prices(org)
        self._table = org.store.table("PricebookEntry")

    def _currencies(self, saving: Saving) -> Sequence[str]:
        return saving.new("CurrencyIsoCode") if self._prices.currencies else [""] * len(saving.rows)

    def fill(self, saving: Saving) -> None:
        """What the product says, and the standard price where that is to be used."""
        if not saving.inserts and not saving.gives("UseStandardPrice"):
            return
        products = Lookup(self._org.store.table("Product2"))
        ids = saving.new("Product2Id")
        if saving.inserts:
            for name in _OF_PRODUCT:
                saving.set(name, products.cells(ids, name))
        uses = saving.new("UseStandardPrice")
        if "true" not in uses:
            return
        standard = self._prices.standard_book()
        prices = list(saving.new("UnitPrice"))
        for place, (use, product, currency) in enumerate(
            zip(uses, ids, self._currencies(saving), strict=True)
        ):
            seq = self._prices.find(standard, product, currency) if use == "true" else 0
            if seq:
                prices[place] = self._table.cell(seq, "UnitPrice")
        saving.set("UnitPrice", prices)

    def check(self, saving: Saving) -> None:
        """A product has one price in a book, and one in the standard book before all others."""
        if not saving.inserts:
            return
        standard = self._prices.standard_book()
        seen: set[tuple[str, ...]] = set()
        keys = zip(
            saving.new("Pricebook2Id"), saving.new("Product2Id"), self._currencies(saving), strict=True
        )
        for row, key in zip(saving.rows, keys, strict=True):
            if row in saving.updates:
                continue
            book, product, currency = key
            if key in seen or self._prices.find(book, product, currency):
                saving.fault(row, TWICE)
            elif book != standard and not self._prices.find(standard, product, currency):
                saving.fault(row, NO_STANDARD)
            seen.add(key)

    def follow(self, saved: Saved) -> None:
        """Entries have the name and the code of their product."""
        for seq, record_id in zip(saved.seqs, saved.table.ids_of(saved.seqs), strict=True):
            found = self._table.find("Product2Id", record_id)
            if found:
                self._table.update_columns(
                    found, {name: (saved.table.cell(seq, name),) for name in _OF_PRODUCT}
                )
