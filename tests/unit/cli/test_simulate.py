"""`migrator simulate` as a process: over https, with the settings of other clients."""

import json
import re
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest

from migrator.cli.simulate import _authority
from migrator.errors import MigratorError

TOKEN = re.compile(r"00D\w{12,15}![.\w]*")  # as the Salesforce CLI looks for it
HTTPS_ONLY = "#   speaks https only: start with --https ca.pem"


@contextmanager
def simulated(*options: str) -> Iterator[str]:
    """What a running simulator has printed."""
    command = [sys.executable, "-m", "migrator", "simulate", "--clients", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:  # noqa: S603 - our own program
        try:
            assert running.stdout
            lines: list[str] = []
            while not lines or (lines[-1] and not lines[-1].startswith("curl ")):
                lines.append(running.stdout.readline())
            yield "".join(lines)
            running.send_signal(signal.SIGTERM)
            assert running.wait(timeout=30) == 0
        finally:
            running.kill()


def test_the_settings_for_other_clients_open_the_org(tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    with simulated("--https", str(ca_file)) as printed:
        url = re.search(r"url: (https://127\.0\.0\.1:\d+)", printed)
        token = TOKEN.search(printed)
        assert url
        assert token
        with httpx.Client(verify=ssl.create_default_context(cafile=ca_file)) as http:
            headers = {"Authorization": f"Bearer {token[0]}"}
            found = http.get(f"{url[1]}/services/oauth2/userinfo", headers=headers).json()
    assert f"{url[1]}/id/{found['organization_id']}/{found['user_id']}" in printed
    assert f"ca_file: {ca_file}" in printed
    assert HTTPS_ONLY not in printed


@pytest.mark.parametrize("client", ["simple-salesforce", "Salesforce CLI", "jsforce", "SFDMU", "CumulusCI"])
def test_each_client_has_its_section(plain_http: str, client: str) -> None:
    section = plain_http.partition(f"# {client}")[2].partition("\n\n")[0]
    assert ("http://127.0.0.1" in section) != (HTTPS_ONLY in section)


@pytest.fixture(scope="module")
def plain_http() -> str:
    """What is printed for an org over plain http."""
    with simulated() as printed:
        return printed


def test_a_setting_that_is_not_there_is_told() -> None:
    command = [sys.executable, "-m", "migrator", "simulate", "--set", "row_second=1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 - our own program
    assert done.returncode == 2
    assert "row_second: no such setting; did you mean row_seconds?" in done.stderr


def test_a_ca_file_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(MigratorError) as refused:
        _authority(tmp_path / "none" / "ca.pem")
    assert refused.value.code == "simulator-unusable"


def test_faults_a_clock_that_jumps_and_the_truth(tmp_path: Path) -> None:
    script, truth = tmp_path / "faults.yaml", tmp_path / "truth.jsonl"
    script.write_text(
        "version: 1\nfaults:\n  - {kind: hold_job, seconds: 36000}\n  - {id: N20, path: .*/limits}\n",
        encoding="utf-8",
    )
    options = ("--faults", str(script), "--jump", "--truth", str(truth))
    with simulated(*options, "--set", "token_lifetime=1000000") as printed:
        url, token = re.search(r"url: (http://\S+)", printed), TOKEN.search(printed)
        assert url
        assert token
        with httpx.Client(base_url=url[1], headers={"Authorization": f"Bearer {token[0]}"}) as http:
            data = "/services/data/v60.0"
            assert http.get(f"{data}/limits").headers["content-type"].startswith("text/html")
            job = http.post(f"{data}/jobs/ingest", json={"object": "Account", "operation": "insert"}).json()[
                "id"
            ]
            path = f"{data}/jobs/ingest/{job}"
            http.put(f"{path}/batches", content=b"Name\nx\ny\n", headers={"Content-Type": "text/csv"})
            http.patch(path, json={"state": "UploadComplete"})
            shown = http.get(path).json()
            while shown["state"] in {"UploadComplete", "InProgress"}:
                time.sleep(0.05)
                shown = http.get(path).json()
    created, done = (datetime.fromisoformat(shown[name]) for name in ("createdDate", "systemModstamp"))
    assert done - created >= timedelta(hours=10)
    lines = [json.loads(line) for line in truth.read_text(encoding="utf-8").splitlines()]
    made = [line for line in lines if line["sobject"] == "Account"]
    assert [(line["org"], line["origin"], line["change"], len(line["ids"])) for line in made] == [
        ("simulated", job, "created", 2)
    ]


def test_a_script_that_is_not_good_is_told_with_its_place(tmp_path: Path) -> None:
    script = tmp_path / "faults.yaml"
    script.write_text("version: 1\nfaults:\n  - {kind: delay, size: 3}\n", encoding="utf-8")
    command = [sys.executable, "-m", "migrator", "simulate", "--faults", str(script)]
    told = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)  # noqa: S603 - our own program
    assert told.returncode == 2
    assert "error[fault-invalid]" in told.stderr
    assert "faults.yaml:3:25" in told.stderr
