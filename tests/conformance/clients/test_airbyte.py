"""Airbyte's Salesforce source: check, discovery, and a full read over Bulk API 2.0 (`queryAll`), after which it deletes its jobs."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from migrator.simulator.bulk.v2.query_job import QueryWork
from tests.conformance.clients.conftest import HERE, VENVS
from tests.conformance.clients.playground import Playground, environment
from tests.conformance.clients.test_tap_salesforce import ROWS, seed

STREAMS = ("Account", "Contact")
Messages = list[dict[str, Any]]
Source = Callable[..., Messages]


@pytest.fixture
def source(playground: Playground, tmp_path: Path) -> Source:
    """Run a command of it; gives its messages."""
    program = VENVS / "airbyte" / "bin" / "source-salesforce"
    assert program.exists(), "Airbyte's source is not installed: `make test-clients` installs it"
    env = environment(playground, tmp_path) | {"PYTHONPATH": str(HERE / "scripts" / "redirect")}
    given = playground.org.settings
    config = {
        "auth_type": "Client",
        "client_id": given.client_id,
        "client_secret": given.client_secret,
        "refresh_token": given.refresh_token,
        "is_sandbox": False,
        "force_use_bulk_api": True,
        "start_date": "2020-01-01T00:00:00Z",
        "streams_criteria": [{"criteria": "exacts", "value": name} for name in STREAMS],
    }
    (tmp_path / "config.json").write_text(json.dumps(config))

    def run(command: str, *options: str) -> Messages:
        done = subprocess.run(
            [program, command, "--config", "config.json", *options],
            env=env,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    return run


def test_check_discovery_and_a_full_read(playground: Playground, source: Source, tmp_path: Path) -> None:
    seed(playground)
    (checked,) = [each["connectionStatus"] for each in source("check") if each["type"] == "CONNECTION_STATUS"]
    assert checked["status"] == "SUCCEEDED"
    (catalog,) = [each["catalog"] for each in source("discover") if each["type"] == "CATALOG"]
    found = {each["name"]: each for each in catalog["streams"]}
    assert set(STREAMS) <= set(found)
    configured = [
        {"stream": found[name], "sync_mode": "full_refresh", "destination_sync_mode": "overwrite"}
        for name in STREAMS
    ]
    (tmp_path / "catalog.json").write_text(json.dumps({"streams": configured}))
    read: dict[str, dict[str, Any]] = {name: {} for name in STREAMS}
    for message in source("read", "--catalog", "catalog.json"):
        if message["type"] == "RECORD":
            record = message["record"]
            read[record["stream"]][record["data"]["Id"]] = record["data"]
    for name in STREAMS:
        assert sorted(read[name]) == sorted(playground.org.truth.created(name))
        assert len(read[name]) == ROWS
    for row in playground.select("SELECT Id, Name, AnnualRevenue FROM Account"):
        got = read["Account"][row["Id"]]
        assert (got["Name"], got["AnnualRevenue"]) == (row["Name"], row["AnnualRevenue"])
    for row in playground.select("SELECT Id, AccountId FROM Contact"):
        assert read["Contact"][row["Id"]]["AccountId"] == row["AccountId"]
    left = playground.org.part(QueryWork).jobs
    assert not left, "it deletes what it has read"
