"""What Bulk query refuses, and what need not answer the same twice."""

import pytest

from migrator.soql import lint_bulk, parse


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("SELECT Id, Owner.Name FROM Account WHERE Name = 'a' ORDER BY Name LIMIT 5", []),
        ("SELECT COUNT() FROM Account", [("unsupported", "COUNT")]),
        ("SELECT MAX(Amount) FROM Opportunity", [("unsupported", "MAX")]),
        (
            "SELECT Name, COUNT(Id) FROM Account GROUP BY Name",
            [("unsupported", "COUNT"), ("unsupported", "GROUP BY")],
        ),
        ("SELECT Id FROM Account ORDER BY Id OFFSET 3", [("unsupported", "OFFSET")]),
        ("SELECT TYPEOF What WHEN Account THEN Phone END FROM Task", [("unsupported", "TYPEOF")]),
        ("SELECT Id, (SELECT Id FROM Contacts) FROM Account", [("unsupported", "subquery")]),
        ("SELECT Id FROM Account ALL ROWS", [("unsupported", "ALL ROWS")]),
        (
            "SELECT Id FROM Account WHERE NOT DISTANCE(A__c, GEOLOCATION(1, 2), 'km') < 3",
            [("unsupported", "DISTANCE")],
        ),
        ("SELECT Id FROM Account LIMIT 3", [("not-repeatable", "LIMIT")]),
        ("SELECT Id FROM Account WHERE a = 1 AND CreatedDate < TODAY", [("not-repeatable", "TODAY")]),
        (
            "SELECT Id FROM Account WHERE NOT d IN (LAST_N_DAYS:3, TODAY)",
            [("not-repeatable", "LAST_N_DAYS:3"), ("not-repeatable", "TODAY")],
        ),
        (
            "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact WHERE d = TODAY LIMIT 2)",
            [("not-repeatable", "LIMIT"), ("not-repeatable", "TODAY")],
        ),
    ],
)
def test_lint_for_bulk(text: str, found: list[tuple[str, str]]) -> None:
    assert [(problem.kind.value, problem.construct) for problem in lint_bulk(parse(text))] == found


def test_a_problem_says_where() -> None:
    (problem,) = lint_bulk(parse("SELECT Id FROM Account\nWHERE CreatedDate = TODAY"))
    assert (problem.at.line, problem.at.column) == (2, 21)
