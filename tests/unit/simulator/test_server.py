"""The org over real HTTP, and its faults."""

import gzip
import os
import resource
from collections.abc import Iterator

import httpx
import pytest

from migrator.clock import VirtualClock
from migrator.simulator import Fault, FaultKind, Org, serve, wsgi_app
from migrator.simulator.auth.oauth import Tokens
from migrator.simulator.limits import Limits

DATA = "/services/data/v60.0"


@pytest.fixture
def client(org: Org) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {org.part(Tokens).issue()}"}
    with serve(org) as server, httpx.Client(base_url=server.url, headers=headers, trust_env=False) as made:
        yield made


def test_a_token_and_a_record_over_http(org: Org, client: httpx.Client) -> None:
    form = {"grant_type": "client_credentials", "client_id": org.settings.client_id}
    form["client_secret"] = org.settings.client_secret
    given = client.post("/services/oauth2/token", data=form).json()
    assert given["instance_url"] == str(client.base_url).rstrip("/")
    done = client.post(f"{DATA}/sobjects/Account/", json={"Name": "Ärger & Söhne"})
    assert done.status_code == 201
    assert done.headers["sforce-limit-info"] == "api-usage=1/100000"
    assert "sforce-limit-info" not in client.get("/services/data").headers
    found = client.get(f"{DATA}/query", params={"q": "SELECT Name FROM Account WHERE Name LIKE 'Ä%'"}).json()
    assert found["records"][0]["Name"] == "Ärger & Söhne"


def test_bodies_in_chunks_and_in_gzip(client: httpx.Client) -> None:
    chunks = (part for part in [b'{"Name":', b'"chunked"}'])
    assert client.post(f"{DATA}/sobjects/Account", content=chunks).status_code == 201
    squeezed = gzip.compress(b'{"Name":"squeezed"}')
    headers = {"Content-Encoding": "gzip"}
    assert client.post(f"{DATA}/sobjects/Account", content=squeezed, headers=headers).status_code == 201
    broken = client.post(f"{DATA}/sobjects/Account", content=b"no gzip", headers=headers)
    assert broken.status_code == 400
    described = client.get(f"{DATA}/sobjects/Account/describe")
    assert described.headers["content-encoding"] == "gzip"
    plain = client.get(f"{DATA}/sobjects/Account/describe", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.json() == described.json()


def test_two_slashes_at_the_start_are_one(client: httpx.Client) -> None:
    assert client.get(f"{client.base_url}/{DATA}/limits").status_code == 200
    assert client.get(f"{str(client.base_url).rstrip('/')}/{DATA}/limits").status_code == 200


def test_the_resources_of_a_version_name_the_user(org: Org, client: httpx.Client) -> None:
    listed = client.get(DATA).json()
    assert listed["query"] == f"{DATA}/query"
    assert client.get(listed["identity"]).json()["user_id"] == org.user_id


def test_pretty_print_on_demand(client: httpx.Client) -> None:
    compact = client.get("/services/data").text
    pretty = client.get("/services/data", headers={"X-PrettyPrint": "1"}).text
    assert compact.startswith('[{"label":"Summer \'14","url":"/services/data/v31.0","version":"31.0"}')
    assert compact.endswith('{"label":"Spring \'26","url":"/services/data/v66.0","version":"66.0"}]')
    assert '"version" : "31.0"' in pretty


def test_dropped_connections_before_and_after_the_effect(org: Org, client: httpx.Client) -> None:
    path = f"{DATA}/sobjects/Account"
    org.faults += [
        Fault(FaultKind.DROP_BEFORE, path=path, method="POST"),
        Fault(FaultKind.DROP_AFTER_EFFECT, path=path, method="POST"),
    ]
    for there in (0, 1):
        with pytest.raises(httpx.TransportError):
            client.post(path, json={"Name": "x"})
        assert len(org.store.table("Account")) == there
    assert client.post(path, json={"Name": "x"}).status_code == 201


def test_other_answers_and_half_ones(org: Org, client: httpx.Client) -> None:
    org.faults += [
        Fault(FaultKind.STATUS, path=".*/limits", code=503, nth=2),
        Fault(FaultKind.HTML, path=".*/limits", code=502, nth=2),
        Fault(FaultKind.TRUNCATE_BODY, path="/services/data"),
    ]
    answers = [client.get(f"{DATA}/limits") for _ in range(4)]
    assert [each.status_code for each in answers] == [200, 503, 502, 200]
    assert answers[2].headers["content-type"].startswith("text/html")
    with pytest.raises(httpx.TransportError):
        client.get("/services/data")


def test_in_process_a_dropped_connection_is_a_connection_error(org: Org) -> None:
    org.faults.append(Fault(FaultKind.DROP_BEFORE))
    with (
        httpx.Client(transport=httpx.WSGITransport(app=wsgi_app(org)), base_url="http://sim") as client,
        pytest.raises(ConnectionError),
    ):
        client.get("/services/data")


def test_a_delay_passes_on_the_orgs_clock(org: Org, clock: VirtualClock) -> None:
    org.faults.append(Fault(FaultKind.DELAY, seconds=30))
    before = clock.now()
    with httpx.Client(transport=httpx.WSGITransport(app=wsgi_app(org)), base_url="http://sim") as client:
        assert client.get("/services/data").status_code == 200
    assert clock.now() == before + 30


def test_wrong_methods_versions_and_paths(client: httpx.Client) -> None:
    refused = client.put(f"{DATA}/sobjects/Account")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET,POST")
    statuses = {
        path: client.get(path).status_code
        for path in ("/services/data/v30.0/limits", "/services/data/v67.0", "/x")
    }
    assert statuses == {"/services/data/v30.0/limits": 410, "/services/data/v67.0": 404, "/x": 404}


def test_api_usage_has_an_end(org: Org, client: httpx.Client) -> None:
    org.part(Limits).use_up("api_requests", 0, org.now())
    refused = client.get(f"{DATA}/limits")
    body = [{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]
    assert (refused.status_code, refused.json()) == (403, body)


def test_an_address_has_a_length(client: httpx.Client) -> None:
    assert (
        client.get(f"{DATA}/query", params={"q": "SELECT Id FROM Account" + " " * 16_400}).status_code == 414
    )


def test_a_big_file_in_parts_over_http(org: Org, client: httpx.Client) -> None:
    data = bytes(range(256)) * 40_000  # ten megabytes, with every line ending in them
    parts = {
        "entity_content": (None, b'{"PathOnClient":"big.bin"}', "application/json"),
        "VersionData": ("big.bin", data, "application/octet-stream"),
    }
    made = client.post(f"{DATA}/sobjects/ContentVersion", files=parts)
    assert made.status_code == 201, made.text
    shown = client.get(f"{DATA}/sobjects/ContentVersion/{made.json()['id']}").json()
    assert shown["ContentSize"] == len(data)
    assert client.get(shown["VersionData"]).content == data


def test_clients_are_answered_however_many_files_are_open(client: httpx.Client) -> None:
    """`select` would break the server down at the 1,024th."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    held = []
    try:
        held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1_200)]
        with httpx.Client(base_url=client.base_url, headers=client.headers, trust_env=False) as late:
            assert late.get(f"{DATA}/limits").status_code == 200
        assert client.get(f"{DATA}/limits").status_code == 200
    finally:
        for one in held:
            os.close(one)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
