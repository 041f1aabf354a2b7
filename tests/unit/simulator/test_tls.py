import ssl
import time
from pathlib import Path

import httpx
import pytest

from migrator.simulator import Authority, Fault, FaultKind, Org, make_authority, serve


@pytest.fixture
def authority() -> Authority:
    return make_authority(time.time())


def trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority.certificate.decode())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_clients_that_trust_the_authority_are_served(authority: Authority, host: str) -> None:
    with (
        serve(Org(), authority=authority) as server,
        httpx.Client(verify=trusting(authority)) as http,
    ):
        url = server.url.replace("127.0.0.1", host)
        answers = [http.get(f"{url}/services/data/") for _ in range(3)]
    assert server.url.startswith("https://127.0.0.1:")
    assert [each.status_code for each in answers] == [200] * 3


def test_answers_name_the_https_address(authority: Authority) -> None:
    org = Org()
    form = {
        "grant_type": "client_credentials",
        "client_id": org.settings.client_id,
        "client_secret": org.settings.client_secret,
    }
    with (
        serve(org, authority=authority) as server,
        httpx.Client(verify=trusting(authority)) as http,
    ):
        told = http.post(f"{server.url}/services/oauth2/token", data=form).json()
    assert told["instance_url"] == server.url


def test_others_do_not_get_through(authority: Authority) -> None:
    with serve(Org(), authority=authority) as server:
        with (
            httpx.Client(verify=trusting(make_authority(time.time()))) as http,
            pytest.raises(httpx.ConnectError),
        ):
            http.get(f"{server.url}/services/data/")
        with httpx.Client() as http, pytest.raises(httpx.RemoteProtocolError):
            http.get(f"{server.url.replace('https', 'http')}/services/data/")


def test_a_big_upload_and_a_dropped_connection(authority: Authority) -> None:
    org = Org()
    org.faults.append(Fault(FaultKind.DROP_BEFORE, path="/services/data"))
    with (
        serve(org, authority=authority) as server,
        httpx.Client(verify=trusting(authority)) as http,
    ):
        with pytest.raises(httpx.RemoteProtocolError):
            http.get(f"{server.url}/services/data/")
        refused = http.put(f"{server.url}/services/data/v60.0/jobs/ingest/750", content=b"x" * (3 << 20))
    assert refused.status_code in {401, 405}


def test_the_port_is_free_again(authority: Authority) -> None:
    with serve(Org(), authority=authority) as first:
        port = int(first.url.rpartition(":")[2])
        with pytest.raises(OSError, match="address"):
            serve(Org(), port=port, authority=authority)
    with serve(Org(), port=port, authority=authority) as second:
        assert second.url == first.url


def test_no_key_is_left_behind(authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    authority.context()
    assert list(tmp_path.iterdir()) == []
