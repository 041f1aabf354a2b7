"""No client gets in with a token that this org did not give, after it was taken back, or with a wrong secret."""

import pytest

from migrator.simulator.auth.oauth import Tokens
from tests.conformance.clients.playground import Playground, Run

BY_TOKEN = [
    ("simple-salesforce", "simple_salesforce_rest.py"),
    ("simple-salesforce", "simple_salesforce_bulk1.py"),
    ("simple-salesforce", "simple_salesforce_bulk2.py"),
    ("salesforce-bulk", "salesforce_bulk_work.py"),
    ("npm", "jsforce_work.js"),
]
BY_SECRET = [
    ("small", "salesforcepy_work.py", "ORG_PASSWORD"),
    ("small", "salesforcepy_work.py", "ORG_CLIENT_SECRET"),
    ("small", "aiosalesforce_work.py", "ORG_CLIENT_SECRET"),
    ("small", "salesforce_api_work.py", "ORG_CLIENT_SECRET"),
    ("sfbulk2", "sfbulk2_work.py", "ORG_CLIENT_SECRET"),
]


def nothing_happened(playground: Playground) -> bool:
    """No API call was counted and no record was made."""
    return playground.org.requests == 0 and not playground.org.truth.created("Account")


@pytest.mark.parametrize(("client", "script"), BY_TOKEN)
def test_a_foreign_token(playground: Playground, run: Run, client: str, script: str) -> None:
    told = run(client, script, fails=True, ORG_TOKEN="00D000000000001!AQforeign")
    assert "INVALID_SESSION_ID" in told or "InvalidSessionId" in told
    assert nothing_happened(playground)


@pytest.mark.parametrize(("client", "script"), BY_TOKEN)
def test_a_revoked_token(playground: Playground, run: Run, client: str, script: str) -> None:
    playground.org.part(Tokens).revoke_all()
    told = run(client, script, fails=True)
    assert "INVALID_SESSION_ID" in told or "InvalidSessionId" in told
    assert nothing_happened(playground)


@pytest.mark.parametrize(("client", "script", "secret"), BY_SECRET)
def test_a_wrong_secret(playground: Playground, run: Run, client: str, script: str, secret: str) -> None:
    run(client, script, fails=True, **{secret: "wrong"})
    assert nothing_happened(playground)
