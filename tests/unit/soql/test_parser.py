"""SOQL text to tree and back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.soql import Query, SoqlError, conditions, parse, quote, render, tree, unescape

ACCEPTED = [
    "SELECT Id FROM Account",
    "select id from account limit 1",
    "SELECT Id FROM Group",
    "SELECT Id, Order FROM Order ORDER BY Order",
    "SELECT Id, Owner.Name, Account.Parent.Owner.Profile.Name FROM Contact",
    "SELECT COUNT() FROM Account",
    "SELECT COUNT(Id) cnt, MAX(Amount) FROM Opportunity",
    "SELECT Name n, COUNT(Id) FROM Account GROUP BY Name HAVING COUNT(Id) > 1",
    "SELECT CALENDAR_YEAR(CreatedDate) y, COUNT(Id) FROM Account GROUP BY CALENDAR_YEAR(CreatedDate)",
    "SELECT A, B, COUNT(Id) FROM Account GROUP BY ROLLUP(A, B)",
    "SELECT A, COUNT(Id) FROM Account GROUP BY CUBE(A)",
    "SELECT FIELDS(ALL) FROM Account LIMIT 200",
    "SELECT fields(custom), Id FROM Account LIMIT 200",
    "SELECT Id, (SELECT Id, Name FROM Contacts WHERE Name != NULL ORDER BY Name LIMIT 2) FROM Account",
    "SELECT TYPEOF What WHEN Account THEN Phone, Name WHEN Opportunity THEN Amount ELSE Id END FROM Task",
    "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact WHERE LastName LIKE 'A%')",
    "SELECT Id FROM Account WHERE Id NOT IN (SELECT AccountId FROM Contact)",
    "SELECT Id FROM Account WHERE Name IN ('a', 'b') AND (x__c > 5 OR y__c <= -1.5e3)",
    "SELECT Id FROM Account WHERE NOT Name = 'a'",
    "SELECT Id FROM Account WHERE (NOT Name = 'a') AND IsDeleted = FALSE",
    "SELECT Id FROM Account WHERE CreatedDate >= 2020-01-01T00:00:00.000+01:00 AND Day__c < 2020-01-01",
    "SELECT Id FROM Account WHERE CreatedDate = LAST_N_DAYS:30 OR CreatedDate = TODAY OR d = N_DAYS_AGO:3",
    "SELECT Id FROM Account WHERE Picks__c INCLUDES ('a;b', 'c') AND Picks__c EXCLUDES ('d')",
    "SELECT Id FROM Account WHERE AnnualRevenue > USD5000",
    "SELECT Id FROM Account ORDER BY Name DESC NULLS LAST, Id ASC NULLS FIRST LIMIT 10 OFFSET 5",
    "SELECT Id FROM Account USING SCOPE mine WHERE a = 1 WITH SECURITY_ENFORCED LIMIT 1 FOR VIEW",
    "SELECT Id FROM Account LIMIT 1 FOR VIEW FOR REFERENCE UPDATE TRACKING ALL ROWS",
    "SELECT Id FROM Account FOR UPDATE",
    "SELECT c.Id, a.Name FROM Contact c, c.Account a WHERE a.Name = 'x'",
    "SELECT toLabel(Status), FORMAT(Amount) amt, convertCurrency(Amount) FROM Opportunity",
    "SELECT Id FROM W WHERE DISTANCE(Loc__c, GEOLOCATION(37.7, -122), 'mi') < 20",
    "SELECT Id\n  FROM Account\r\n\tWHERE Name\n= 'a'",
    "SELECT a.b . c FROM Account WHERE ns__In__c = 'x' AND Not__c = 1 AND Selected__c = 2",
    "SELECT Id FROM Account WHERE Name = 'O\\'Brien \\\\ \\n \\u00e9 \\\"'",
]


@pytest.mark.parametrize("text", ACCEPTED)
def test_rendering_a_query_and_parsing_it_again_changes_nothing(text: str) -> None:
    query = parse(text)
    assert parse(render(query)) == query


REFUSED = [
    ("", "unexpected token: '<EOF>'", 1, 1),
    ("SELECT", "unexpected token: '<EOF>'", 1, 7),
    ("SELECT FROM Account", "unexpected token: 'FROM'", 1, 8),
    ("select Id, from Account", "unexpected token: 'from'", 1, 12),
    ("SELECT Id FORM Account", "unexpected token: 'Account'", 1, 16),
    ("SELECT Id FROM Account WHERE a = 1 AND b = 2 OR c = 3", "unexpected token: 'OR'", 1, 46),
    ("SELECT Id FROM Account WHERE Name = foo", "unexpected token: 'foo'", 1, 37),
    (
        "SELECT Id FROM Account\nWHERE Name = 'x",
        "line breaks or end of query before the closing quote",
        2,
        14,
    ),
    ("SELECT Id,, FROM A", "unexpected token: ','", 1, 11),
    ("SELECT Id FROM A LIMIT 1.5", "unexpected token: '1.5'", 1, 24),
    ("SELECT Id FROM A;", "unexpected token: ';'", 1, 17),
    ("SELECT Id FROM A WHERE x IN ()", "unexpected token: ')'", 1, 30),
    ("SELECT FIELDS(SOME) FROM A", "unexpected token: 'SOME'", 1, 15),
    ("SELECT Id FROM A FOR DINNER", "unexpected token: 'DINNER'", 1, 22),
    ("SELECT Id x.y FROM A", "unexpected token: 'x.y'", 1, 11),
    ("SELECT Id FROM A WITH LOVE", "unexpected token: 'LOVE'", 1, 23),
]


@pytest.mark.parametrize(("text", "message", "line", "column"), REFUSED)
def test_a_refusal_says_what_and_where(text: str, message: str, line: int, column: int) -> None:
    with pytest.raises(SoqlError) as found:
        parse(text)
    assert (found.value.message, found.value.line, found.value.column) == (message, line, column)


def test_an_unknown_escape_and_an_endless_query_are_refused() -> None:
    with pytest.raises(SoqlError, match="Illegal character sequence"):
        parse("SELECT Id FROM A WHERE x = '\\q'")
    with pytest.raises(SoqlError, match="longer than 100000"):
        parse("SELECT Id FROM A WHERE x = '" + "a" * 100_000 + "'")


def test_places_are_those_of_the_text() -> None:
    query = parse("SELECT Id,\n  Foo__c FROM Account")
    second = query.select[1]
    assert isinstance(second, tree.SelectExpression)
    assert isinstance(second.expression, tree.Path)
    assert second.expression.at == tree.At(2, 3)
    assert query.sources[0].path.at == tree.At(2, 15)


def test_a_bare_condition() -> None:
    condition = conditions("Region__c = 'EMEA' AND (Kind__c IN ('a') OR Owner.Name LIKE 'x%')")
    assert render(condition) == "Region__c = 'EMEA' AND (Kind__c IN ('a') OR Owner.Name LIKE 'x%')"
    assert [str(path) for path in tree.condition_paths(condition)] == ["Region__c", "Kind__c", "Owner.Name"]
    with pytest.raises(SoqlError):
        conditions("WHERE a = 1")


def test_the_tree_of_a_small_query() -> None:
    assert parse("SELECT Id FROM Account WHERE Name <> 'x' LIMIT 3") == Query(
        select=(tree.SelectExpression(tree.Path(("Id",))),),
        sources=(tree.Source(tree.Path(("Account",))),),
        where=tree.Compare(tree.Path(("Name",)), tree.Operator.NE, tree.Text("x")),
        limit=3,
    )


@given(st.text(st.characters(exclude_categories=["Cs"])))
@settings(deadline=None)
def test_quoting_any_text_and_reading_it_back_changes_nothing(text: str) -> None:
    condition = conditions(f"Name = {quote(text)}")
    assert isinstance(condition, tree.Compare)
    assert isinstance(condition.right, tree.Text)
    assert unescape(condition.right.raw) == text


NAMES = st.sampled_from(["Id", "Name", "Group", "Limit__c", "Owner.Name", "x__r.In__c"]).map(
    lambda name: tree.Path(tuple(name.split(".")))
)
LITERALS = st.one_of(
    st.integers(-(10**6), 10**6).map(lambda n: tree.Number(str(n))),
    st.sampled_from(
        [tree.Null(), tree.Boolean(value=True), tree.DateRange("LAST_N_DAYS", 3), tree.Text("a\\%")]
    ),
)
SIMPLE = st.one_of(
    st.builds(tree.Compare, NAMES, st.sampled_from(tree.Operator), LITERALS),
    st.builds(tree.InValues, NAMES, st.lists(LITERALS, min_size=1, max_size=3).map(tuple), st.booleans()),
)
CONDITIONS = st.recursive(
    SIMPLE,
    lambda inner: st.one_of(
        st.builds(tree.Not, inner),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: tree.And(tuple(parts))),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: tree.Or(tuple(parts))),
    ),
    max_leaves=8,
)


@given(CONDITIONS)
@settings(deadline=None)
def test_any_condition_survives_rendering(condition: tree.Condition) -> None:
    assert conditions(render(condition)) == condition
