"""No client gets in with a token that this org did not give, or after it was taken back."""

import pytest

from migrator.simulator.oauth import Tokens
from tests.conformance.clients.playground import Playground, Run

SCRIPTS = {
    "simple_salesforce_rest.py": "simple-salesforce",
    "simple_salesforce_bulk2.py": "simple-salesforce",
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_foreign_token(playground: Playground, run: Run, script: str) -> None:
    before = playground.org.requests
    told = run(SCRIPTS[script], script, fails=True, ORG_TOKEN="00D000000000001!AQforeign")
    assert "INVALID_SESSION_ID" in told
    assert playground.org.requests == before
    assert playground.select("SELECT Id FROM Account") == []


def test_a_revoked_token(playground: Playground, run: Run) -> None:
    playground.org.part(Tokens).revoke_all()
    assert "INVALID_SESSION_ID" in run("simple-salesforce", "simple_salesforce_rest.py", fails=True)
