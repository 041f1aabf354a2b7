"""Price books, their entries, and the products of opportunities and orders, by every API."""

from typing import Any

import pytest

from migrator.simulator import Org
from migrator.simulator.rules.lines import HAS_LINES, INACTIVE, NO_ENTRY, OTHER_BOOK
from migrator.simulator.rules.pricebooks import NO_STANDARD, TWICE
from tests.unit.simulator.apis import APIS, Said, Sender


class Shop:
    """An org with a product and two price books."""

    def __init__(self, org: Org, api: str = "collections") -> None:
        self.org = org
        self.send = Sender(org, api)
        (seq,) = org.store.table("Pricebook2").find("IsStandard", "true")
        self.standard = org.store.table("Pricebook2").id_of(seq)
        self.product = self.made("Product2", Name="Pump", ProductCode="P-1", IsActive=True)
        self.book = self.made("Pricebook2", Name="Retail", IsActive=True)

    def made(self, sobject: str, **values: Any) -> str:
        (said,) = self.send("insert", sobject, values)
        assert said.id, said
        return said.id

    def entry(self, book: str, price: int = 100, **more: Any) -> str:
        given = {"Pricebook2Id": book, "Product2Id": self.product, "UnitPrice": price, "IsActive": True}
        return self.made("PricebookEntry", **given | more)

    def refused(self, sobject: str, **values: Any) -> tuple[str, str]:
        (said,) = self.send("insert", sobject, values)
        return said.code, said.message

    def cell(self, record_id: str, field: str) -> str:
        table = self.org.store.table_of_id(record_id)
        assert table is not None
        return table.cell(table.seq_of(record_id), field)

    def opportunity(self, **more: Any) -> str:
        return self.made("Opportunity", Name="Deal", StageName="Prospecting", CloseDate="2024-01-01", **more)


@pytest.mark.parametrize("api", APIS)
def test_the_standard_price_comes_first_and_prices_are_unique(org: Org, api: str) -> None:
    shop = Shop(org, api)
    price = {"Product2Id": shop.product, "UnitPrice": 90}
    custom = {"Pricebook2Id": shop.book, **price}
    assert shop.send("insert", "PricebookEntry", custom) == [
        Said("", "STANDARD_PRICE_NOT_DEFINED", "No standard price defined for this product")
    ]
    shop.entry(shop.standard)
    assert shop.send("insert", "PricebookEntry", custom)[0].id
    assert shop.refused("PricebookEntry", **custom) == (TWICE.status_code, TWICE.message)
    assert shop.refused("PricebookEntry", Pricebook2Id=shop.standard, **price)[0] == "DUPLICATE_VALUE"


def test_a_standard_price_in_the_same_transaction_is_too_late(org: Org) -> None:
    shop = Shop(org)
    said = shop.send(
        "insert",
        "PricebookEntry",
        {"Pricebook2Id": shop.standard, "Product2Id": shop.product, "UnitPrice": 1},
        {"Pricebook2Id": shop.book, "Product2Id": shop.product, "UnitPrice": 1},
    )
    assert said[0].id
    assert said[1].code == NO_STANDARD.status_code


def test_entries_have_what_their_product_has(org: Org) -> None:
    shop = Shop(org)
    shop.entry(shop.standard, 100)
    entry = shop.entry(shop.book, 1, UseStandardPrice=True)
    assert [shop.cell(entry, name) for name in ("Name", "ProductCode", "UnitPrice")] == [
        "Pump",
        "P-1",
        "100.0",
    ]
    shop.send("update", "Product2", {"Id": shop.product, "Name": "Big pump"})
    assert shop.cell(entry, "Name") == "Big pump"


@pytest.mark.parametrize("api", APIS)
def test_lines_take_entries_of_the_opportunity_s_book(org: Org, api: str) -> None:
    shop = Shop(org, api)
    standard, retail = shop.entry(shop.standard), shop.entry(shop.book, 80)
    deal = shop.opportunity(Pricebook2Id=shop.book)
    line = {"OpportunityId": deal, "Quantity": 2}
    assert shop.refused("OpportunityLineItem", **line) == (NO_ENTRY.status_code, NO_ENTRY.message)
    assert shop.refused("OpportunityLineItem", **line, PricebookEntryId=standard)[1] == OTHER_BOOK.message
    made = shop.made("OpportunityLineItem", **line, PricebookEntryId=retail)
    names = ("UnitPrice", "ListPrice", "TotalPrice", "Product2Id", "Name", "ProductCode")
    assert [shop.cell(made, name) for name in names] == [
        "80.0",
        "80.0",
        "160.0",
        shop.product,
        "Deal Pump",
        "P-1",
    ]
    by_product = shop.made("OpportunityLineItem", **line, Product2Id=shop.product, UnitPrice=70)
    assert shop.cell(by_product, "PricebookEntryId") == retail
    shop.send("update", "PricebookEntry", {"Id": retail, "IsActive": False})
    assert shop.refused("OpportunityLineItem", **line, PricebookEntryId=retail)[1] == INACTIVE.message


def test_lines_add_up_to_the_amount(org: Org) -> None:
    shop = Shop(org)
    entry = shop.entry(shop.standard)
    deal = shop.opportunity(Amount=5)
    first = shop.made("OpportunityLineItem", OpportunityId=deal, PricebookEntryId=entry, Quantity=3)
    assert shop.cell(deal, "Pricebook2Id") == shop.standard  # that of its first line
    total = shop.made(
        "OpportunityLineItem", OpportunityId=deal, PricebookEntryId=entry, Quantity=2, TotalPrice=50
    )
    assert shop.cell(total, "UnitPrice") == "25.0"
    names = ("Amount", "HasOpportunityLineItem", "TotalOpportunityQuantity", "ExpectedRevenue")
    assert [shop.cell(deal, name) for name in names] == ["350.0", "true", "5.0", "35.0"]
    shop.send("update", "OpportunityLineItem", {"Id": first, "Quantity": 1})
    shop.send("update", "Opportunity", {"Id": deal, "Amount": 7})
    assert shop.cell(deal, "Amount") == "150.0"
    changed = shop.send("update", "Opportunity", {"Id": deal, "Pricebook2Id": shop.book})
    assert (changed[0].code, changed[0].message) == (HAS_LINES.status_code, HAS_LINES.message)
    shop.send("delete", "OpportunityLineItem", {"Id": first})
    assert shop.cell(deal, "Amount") == "50.0"
    shop.send("delete", "OpportunityLineItem", {"Id": total})
    assert shop.cell(deal, "HasOpportunityLineItem") == "false"
    shop.send("update", "Opportunity", {"Id": deal, "Amount": 7})
    assert shop.cell(deal, "Amount") == "7.0"


def test_orders_add_up_too(org: Org) -> None:
    shop = Shop(org)
    entry = shop.entry(shop.standard)
    account = shop.made("Account", Name="a")
    order = shop.made(
        "Order", AccountId=account, EffectiveDate="2024-01-01", Status="Draft", Pricebook2Id=shop.standard
    )
    shop.made("OrderItem", OrderId=order, PricebookEntryId=entry, Quantity=3, UnitPrice=10)
    assert shop.cell(order, "TotalAmount") == "30.0"
    other = shop.entry(shop.book, 1)
    code, _ = shop.refused("OrderItem", OrderId=order, PricebookEntryId=other, Quantity=3, UnitPrice=10)
    assert code == "FIELD_INTEGRITY_EXCEPTION"
