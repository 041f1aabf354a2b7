"""`migrator simulate` as a process: over https, with the settings of other clients."""

import json
import re
import signal
import ssl
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import jwt
import pytest

from migrator.cli.simulated import authority_in
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
            while not lines or (lines[-1] and "/services/oauth2/token" not in lines[-1]):
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
        plain = re.search(r"curl (http://127\.0\.0\.1:\d+)/services", printed)
        assert plain
        assert httpx.get(f"{plain[1]}/services/data", trust_env=False).status_code == 200
    assert f"{url[1]}/id/{found['organization_id']}/{found['user_id']}" in printed
    assert f"ca_file: {ca_file}" in printed
    assert HTTPS_ONLY not in printed


@pytest.mark.parametrize(
    "client", ["simple-salesforce", "Salesforce CLI", "jsforce", "SFDMU", "CumulusCI", "Data Loader"]
)
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
        authority_in(tmp_path / "none" / "ca.pem")
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


def test_several_orgs_are_told_apart_and_written_out_when_they_end(tmp_path: Path) -> None:
    schema, data, ready = tmp_path / "acme.yaml", tmp_path / "data", tmp_path / "ready.json"
    schema.write_text("name: Acme\norganization: {id: 00D000000000001EAA}\n", encoding="utf-8")
    data.mkdir()
    (data / "Account.csv").write_text("Id,Name,ParentId\nchild,Child,top\ntop,Top,\n", encoding="utf-8")
    options = ["--schema", str(schema), "--schema", str(schema), "--data", str(data)]
    options += ["--export", str(tmp_path / "out"), "--ready-file", str(ready)]
    with simulated(*options):
        orgs = json.loads(ready.read_text(encoding="utf-8"))["orgs"]
        assert [each["name"] for each in orgs] == ["acme", "acme-2"]
        assert orgs[0]["organization_id"] != orgs[1]["organization_id"]
        headers = {"Authorization": f"Bearer {orgs[1]['access_token']}"}
        with httpx.Client(base_url=orgs[1]["url"], headers=headers) as http:
            http.post("/services/data/v60.0/sobjects/Account", json={"Name": "Other"}).raise_for_status()
    first, second = ((tmp_path / "out" / name / "Account.csv").read_text() for name in ("acme", "acme-2"))
    assert [line.split(",")[1] for line in first.splitlines()] == ["Name", "Child", "Top"]
    assert "Other" in second


def test_the_key_of_the_app_is_made_once_and_opens_the_org(tmp_path: Path) -> None:
    key, ready = tmp_path / "app.key", tmp_path / "ready.json"
    for _ in range(2):
        held = key.read_bytes() if key.exists() else None
        with simulated("--jwt-key", str(key), "--ready-file", str(ready)) as printed:
            assert f"private_key: {{file: {key}}}" in printed
            assert "sf org login jwt" in printed
            (org,) = json.loads(ready.read_text(encoding="utf-8"))["orgs"]
            claims = {
                "iss": org["client_id"],
                "sub": org["username"],
                "aud": org["url"],
                "exp": 9_999_999_999,
            }
            assertion = jwt.encode(claims, key.read_text(), algorithm="RS256")
            form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
            done = httpx.post(f"{org['url']}/services/oauth2/token", data=form, trust_env=False)
            assert "access_token" in done.json()
        assert held in {None, key.read_bytes()}
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--data", "nowhere"), "nowhere: there is no such folder"),
        (("--schema", "describe:nowhere.json"), "No such file"),
        (("--schema", "snapshot:{here}/a.json"), "no snapshot"),
        (("--jwt-key", "{here}/a.json"), "is no private key"),
        (("--schema", "{here}/a.json", "--schema", "{here}/a.json", "--set", "name=one"), "two of the orgs have the name one"),
    ],
)  # fmt: skip
def test_what_cannot_be_served_is_told(tmp_path: Path, options: tuple[str, ...], told: str) -> None:
    (tmp_path / "a.json").write_text('{"objects": {}}', encoding="utf-8")
    given = [each.format(here=tmp_path) for each in options]
    command = [sys.executable, "-m", "migrator", "simulate", *given]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 - our own program
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_what_of_a_schema_is_left_out_is_told(tmp_path: Path) -> None:
    fields = tmp_path / "force-app" / "objects" / "Account" / "fields"
    fields.mkdir(parents=True)
    text = '<CustomField xmlns="http://soap.sforce.com/2006/04/metadata">\n<type>{}</type><length>9</length></CustomField>'
    (fields / "Good__c.field-meta.xml").write_text(text.format("Text"))
    (fields / "Bad__c.field-meta.xml").write_text(text.format("Location"))
    command = [sys.executable, "-m", "migrator", "simulate", "--schema", str(tmp_path / "force-app")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:  # noqa: S603 - our own program
        assert running.stderr
        note = running.stderr.readline()
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=30) in {0, 130}
    assert note.startswith(f"note: {fields / 'Bad__c.field-meta.xml'}:1: Bad__c: a field of type Location")
