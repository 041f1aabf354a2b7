"""Several currencies: whose a record's is, which are good, rates, and amounts in queries."""

from typing import Any

import pytest

from migrator.clock import VirtualClock
from migrator.simulator import Org, load_schema
from migrator.simulator.rules.lines import OTHER_CURRENCY
from migrator.simulator.schema.custom import custom_object
from migrator.simulator.schema.files import SchemaInvalid
from tests.unit.simulator.apis import APIS, Said, Sender

MONEY: dict[str, Any] = {
    "currencies": {"CHF": "corporate", "EUR": 0.5, "USD": {"rate": 2, "active": False}},
    "objects": {"Trip__c": {"fields": {"Fee__c": {"type": "currency", "precision": 10, "scale": 2}}}},
}


@pytest.fixture
def org(clock: VirtualClock) -> Org:
    return Org(load_schema(MONEY), clock=clock)


@pytest.fixture
def send(org: Org) -> Sender:
    return Sender(org, "rest")


def insert(send: Sender, sobject: str, **values: Any) -> str:
    (said,) = send("insert", sobject, values)
    assert said.id, said
    return said.id


def rows(send: Sender, soql: str) -> list[tuple[Any, ...]]:
    done = send.ask("GET", f"/query?q={soql}").json()
    assert isinstance(done, dict), done
    return [tuple(value for name, value in each.items() if name != "attributes") for each in done["records"]]


def codes(send: Sender, sobject: str) -> list[str]:
    fields = send.ask("GET", f"/sobjects/{sobject}/describe").json()["fields"]
    (field,) = [each for each in fields if each["name"] == "CurrencyIsoCode"]
    return [each["value"] for each in field["picklistValues"] if each["active"]]


@pytest.mark.parametrize("api", APIS)
def test_records_have_their_own_currency_or_the_user_s(org: Org, api: str) -> None:
    send = Sender(org, api)
    made = send(
        "insert",
        "Trip__c",
        {"Fee__c": 1, "CurrencyIsoCode": "EUR"},
        {"Fee__c": 1},
        {"Fee__c": 1, "CurrencyIsoCode": "USD"},
        {"Fee__c": 1, "CurrencyIsoCode": "XXX"},
    )
    wrong = "Currency ISO Code: bad value for restricted picklist field: "
    assert [each.message for each in made] == ["", "", wrong + "USD", wrong + "XXX"]
    assert made[2].code == "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
    read = Sender(org, "rest")
    assert rows(read, "SELECT CurrencyIsoCode FROM Trip__c ORDER BY Id") == [("EUR",), ("CHF",)]
    read("update", "User", {"Id": org.user_id, "DefaultCurrencyIsoCode": "EUR"})
    insert(send, "Account", Name="a")
    assert rows(read, "SELECT CurrencyIsoCode FROM Account") == [("EUR",)]


def test_every_object_has_it_and_setup_has_not(send: Sender) -> None:
    assert codes(send, "Contact") == codes(send, "Trip__c") == ["CHF", "EUR"]
    fields = send.ask("GET", "/sobjects/Profile/describe").json()["fields"]
    assert "CurrencyIsoCode" not in {each["name"] for each in fields}
    assert rows(send, "SELECT IsoCode, ConversionRate, IsActive, IsCorporate FROM CurrencyType") == [
        ("CHF", 1.0, True, True),
        ("EUR", 0.5, True, False),
        ("USD", 2.0, False, False),
    ]


def test_currencies_come_and_go(org: Org, send: Sender) -> None:
    (usd,) = rows(send, "SELECT Id FROM CurrencyType WHERE IsoCode = 'USD'")[0]
    send("update", "CurrencyType", {"Id": usd, "IsActive": True})
    assert codes(send, "Account") == ["CHF", "EUR", "USD"]
    insert(send, "Account", Name="a", CurrencyIsoCode="USD")
    insert(send, "CurrencyType", IsoCode="JPY", ConversionRate=150, IsActive=True, DecimalPlaces=0)
    assert codes(send, "Account") == ["CHF", "EUR", "USD", "JPY"]
    (chf,) = rows(send, "SELECT Id FROM CurrencyType WHERE IsCorporate = true")[0]
    assert (
        send("update", "CurrencyType", {"Id": chf, "ConversionRate": 2})[0].code
        == "INVALID_CURRENCY_CORP_RATE"
    )
    assert (
        send("update", "CurrencyType", {"Id": chf, "IsActive": False})[0].code == "FIELD_INTEGRITY_EXCEPTION"
    )
    given = {"ConversionRate": 1, "DecimalPlaces": 2}
    assert send("insert", "CurrencyType", {"IsoCode": "gb", **given})[0].code == "INVALID_CURRENCY_ISO"
    assert send("insert", "CurrencyType", {"IsoCode": "EUR", **given})[0].code == "DUPLICATE_VALUE"
    bad = send("insert", "CurrencyType", {"IsoCode": "GBP", "ConversionRate": 0, "DecimalPlaces": 2})
    assert bad[0].code == "INVALID_CURRENCY_CONV_RATE"
    body = {
        "allOrNone": True,
        "records": [
            {"attributes": {"type": "CurrencyType"}, "IsoCode": "GBP", **given, "IsActive": True},
            {"attributes": {"type": "CurrencyType"}, "IsoCode": "GBP", **given},
        ],
    }
    send.ask("POST", "/composite/sobjects", body)
    assert codes(send, "Account") == ["CHF", "EUR", "USD", "JPY"]


def test_objects_that_are_added_later_have_it_too(org: Org, send: Sender) -> None:
    org.change(custom_object("Late__c", {}, 50))
    insert(send, "Late__c", Name="a", CurrencyIsoCode="EUR")
    insert(send, "Late__c", Name="b")
    assert rows(send, "SELECT CurrencyIsoCode FROM Late__c ORDER BY Name") == [("EUR",), ("CHF",)]
    assert send("insert", "Late__c", {"CurrencyIsoCode": "USD"})[0].code == (
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
    )


def test_queries_convert_and_format(send: Sender) -> None:
    insert(send, "Trip__c", Name="a", Fee__c=1000, CurrencyIsoCode="EUR")
    insert(send, "Trip__c", Name="b", Fee__c=30)
    assert rows(send, "SELECT convertCurrency(Fee__c) FROM Trip__c ORDER BY Name") == [(2000.0,), (30.0,)]
    assert rows(send, "SELECT FORMAT(Fee__c) fee FROM Trip__c ORDER BY Name") == [
        ("EUR 1,000.00",),
        ("CHF 30.00",),
    ]
    both = "SELECT FORMAT(convertCurrency(Fee__c)) fee FROM Trip__c ORDER BY Name"
    assert rows(send, both) == [("CHF 2,000.00",), ("CHF 30.00",)]
    assert rows(send, "SELECT SUM(Fee__c) total FROM Trip__c") == [(2030.0,)]
    assert rows(send, "SELECT Name FROM Trip__c WHERE Fee__c > EUR20") == [("a",)]
    assert rows(send, "SELECT Name FROM Trip__c WHERE Fee__c > EUR10 ORDER BY Name") == [("a",), ("b",)]


def test_dated_rates_count_for_opportunities(send: Sender) -> None:
    for start, rate in (("2024-01-01", 0.25), ("2024-07-01", 0.1)):
        insert(send, "DatedConversionRate", IsoCode="EUR", StartDate=start, ConversionRate=rate)
    again = {"IsoCode": "EUR", "StartDate": "2024-01-01", "ConversionRate": 1}
    assert send("insert", "DatedConversionRate", again)[0].code == "DUPLICATE_VALUE"
    ends = "SELECT NextStartDate FROM DatedConversionRate ORDER BY StartDate"
    assert rows(send, ends) == [("2024-07-01",), (None,)]
    deal = {"StageName": "Prospecting", "Amount": 100, "CurrencyIsoCode": "EUR"}
    for day in ("2023-06-01", "2024-06-30", "2024-07-01"):
        insert(send, "Opportunity", Name=day, CloseDate=day, **deal)
    amounts = "SELECT convertCurrency(Amount) FROM Opportunity ORDER BY Name"
    assert rows(send, amounts) == [(200.0,), (400.0,), (1000.0,)]


def test_prices_and_products_keep_to_one_currency(org: Org, send: Sender) -> None:
    standard = rows(send, "SELECT Id FROM Pricebook2 WHERE IsStandard = true")[0][0]
    product = insert(send, "Product2", Name="Pump")
    price = {"Pricebook2Id": standard, "Product2Id": product, "UnitPrice": 10, "IsActive": True}
    entry = insert(send, "PricebookEntry", **price)
    euros = insert(send, "PricebookEntry", **price, CurrencyIsoCode="EUR")  # one in each currency
    assert send("insert", "PricebookEntry", price)[0].code == "DUPLICATE_VALUE"
    deal = insert(
        send, "Opportunity", Name="o", StageName="Prospecting", CloseDate="2024-01-01", CurrencyIsoCode="EUR"
    )
    line = {"OpportunityId": deal, "Quantity": 1}
    assert send("insert", "OpportunityLineItem", {**line, "PricebookEntryId": entry}) == [
        Said("", OTHER_CURRENCY.status_code, OTHER_CURRENCY.message, OTHER_CURRENCY.fields)
    ]
    insert(send, "OpportunityLineItem", **line, PricebookEntryId=euros)
    assert rows(send, "SELECT CurrencyIsoCode FROM OpportunityLineItem") == [("EUR",)]


def test_one_currency_is_shown_in_dollars(clock: VirtualClock) -> None:
    send = Sender(Org(load_schema(), clock=clock), "rest")
    insert(send, "Account", Name="a", AnnualRevenue=-1234567, NumberOfEmployees=1200)
    soql = "SELECT FORMAT(AnnualRevenue) r, FORMAT(NumberOfEmployees) n, convertCurrency(AnnualRevenue) FROM Account"
    assert rows(send, soql) == [("-$1,234,567", "1,200", -1234567.0)]
    refused = send.ask("GET", "/query?q=SELECT CurrencyIsoCode FROM Account").json()[0]
    assert refused["errorCode"] == "INVALID_FIELD"


@pytest.mark.parametrize(
    "given",
    [{"EUR": 1.5}, {"euro": "corporate"}, {"CHF": "corporate", "EUR": 0}, {"CHF": "corporate", "EUR": "x"}],
)
def test_currencies_that_cannot_be(given: Any) -> None:
    with pytest.raises(SchemaInvalid):
        load_schema({"currencies": given})
