"""tap-salesforce: discovery and a full read, over Bulk API v1 with JSON jobs of CSV, and over REST's queryAll."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conformance.clients.conftest import HERE, VENVS
from tests.conformance.clients.playground import Playground, environment

ROWS = 180
STREAMS = {
    "Account": {"Id", "Name", "Ext_Id__c", "AnnualRevenue"},
    "Contact": {"Id", "LastName", "AccountId"},
}
Tap = Callable[..., str]


@pytest.fixture
def tap(playground: Playground, tmp_path: Path) -> Tap:
    """Run it; it may rewrite its configuration with a new refresh token."""
    program = VENVS / "tap-salesforce" / "bin" / "tap-salesforce"
    assert program.exists(), "tap-salesforce is not installed: `make test-clients` installs it"
    env = environment(playground, tmp_path) | {"PYTHONPATH": str(HERE / "scripts" / "redirect")}

    def run(api: str, *options: str) -> str:
        given = playground.org.settings
        config = {
            "refresh_token": given.refresh_token,
            "client_id": given.client_id,
            "client_secret": given.client_secret,
            "start_date": "2020-01-01T00:00:00Z",
            "api_type": api,
        }
        (tmp_path / "config.json").write_text(json.dumps(config))
        done = subprocess.run(
            [program, "--config", "config.json", *options],
            env=env,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout

    return run


def seed(playground: Playground) -> None:
    """Accounts, and a contact of each."""
    headers = {"Authorization": f"Bearer {playground.token}"}
    with httpx.Client(base_url=playground.http, headers=headers, trust_env=False) as http:
        path = "/services/data/v60.0/composite/sobjects"
        accounts = [
            {
                "attributes": {"type": "Account"},
                "Name": f'A "{n}"\nline',
                "Ext_Id__c": f"a-{n}",
                "AnnualRevenue": n,
            }
            for n in range(ROWS)
        ]
        made = http.post(path, json={"records": accounts}).raise_for_status().json()
        contacts = [
            {"attributes": {"type": "Contact"}, "LastName": f"C{n}", "AccountId": each["id"]}
            for n, each in enumerate(made)
        ]
        http.post(path, json={"records": contacts}).raise_for_status()


def selected(catalog: dict[str, Any]) -> dict[str, Any]:
    """The catalog with our streams and fields chosen."""
    for stream in catalog["streams"]:
        fields = STREAMS.get(stream["stream"])
        for entry in stream["metadata"]:
            crumb = entry["breadcrumb"]
            entry["metadata"]["selected"] = fields is not None and (not crumb or crumb[-1] in fields)
    return catalog


@pytest.mark.parametrize("api", ["BULK", "REST"])
def test_discovery_and_a_full_read(playground: Playground, tap: Tap, tmp_path: Path, api: str) -> None:
    seed(playground)
    catalog = selected(json.loads(tap(api, "--discover")))
    assert set(STREAMS) <= {stream["stream"] for stream in catalog["streams"]}
    (tmp_path / "catalog.json").write_text(json.dumps(catalog))
    messages = [json.loads(line) for line in tap(api, "--properties", "catalog.json").splitlines()]
    read: dict[str, dict[str, Any]] = {name: {} for name in STREAMS}
    for message in messages:
        if message["type"] == "RECORD":
            read[message["stream"]][message["record"]["Id"]] = message["record"]
    for name in STREAMS:
        assert sorted(read[name]) == sorted(playground.org.truth.created(name))
    for row in playground.select("SELECT Id, Name, AnnualRevenue FROM Account"):
        got = read["Account"][row["Id"]]
        assert (got["Name"], got["AnnualRevenue"]) == (row["Name"], row["AnnualRevenue"])
    for row in playground.select("SELECT Id, AccountId FROM Contact"):
        assert read["Contact"][row["Id"]]["AccountId"] == row["AccountId"]
