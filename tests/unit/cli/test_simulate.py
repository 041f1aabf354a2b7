"""`migrator simulate` as a process: over https, with the settings of other clients."""

import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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
