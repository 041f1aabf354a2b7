"""Where a token may go: decided on the parsed host, never on how a URL looks."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.errors import MigratorError
from migrator.salesforce.origins import checked_origin, path_of

ORIGIN = "https://acme.my.salesforce.com"


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://login.salesforce.com", "https://login.salesforce.com"),
        ("https://test.salesforce.com/", "https://test.salesforce.com"),
        (ORIGIN, ORIGIN),
        ("https://ACME.my.salesforce.com", ORIGIN),
        ("HTTPS://acme.my.salesforce.com:443/", ORIGIN),
        ("https://acme--uat.sandbox.my.salesforce.com", "https://acme--uat.sandbox.my.salesforce.com"),
        ("https://acme.my.salesforce.mil", "https://acme.my.salesforce.mil"),
    ],
)
def test_salesforce_hosts(url: str, origin: str) -> None:
    assert checked_origin(url) == origin


@pytest.mark.parametrize(
    "url",
    [
        "",
        "acme.my.salesforce.com",
        "//acme.my.salesforce.com",
        "http://acme.my.salesforce.com",
        "ftp://acme.my.salesforce.com",
        "https://",
        "https:///services",
        "https://salesforce.com",
        "https://my.salesforce.com",
        "https://salesforce.com.evil.example",
        "https://acme.my.salesforce.com.evil.example",
        "https://my.salesforce.com.evil.example",
        "https://evilmy.salesforce.com",
        "https://acmemy.salesforce.com",
        "https://evil.example/acme.my.salesforce.com",
        "https://evil.example?.my.salesforce.com",
        "https://evil.example#.my.salesforce.com",
        "https://evil.example\\.my.salesforce.com",
        "https://evil.example%2f.my.salesforce.com",
        "https://evil.example%2e.my.salesforce.com",
        "https://evil@acme.my.salesforce.com",
        "https://acme.my.salesforce.com@evil.example",
        "https://acme.my.salesforce.com:pw@evil.example",
        "https://acme.my.salesforce.com:8443",
        "https://acme.my.salesforce.com:",
        "https://acme.my.salesforce.com:99999999",
        "https://acme.my.salesforce.com/services/oauth2",
        "https://acme.my.salesforce.com\n",
        "https://acme.my.salesforce.com ",
        " https://acme.my.salesforce.com",
        "https://acme\t.my.salesforce.com",
        "https://\u0430cme.my.salesforce.com",
        "https://acme.my.salesforce\u3002com",
        "https://-acme.my.salesforce.com",
        "https://acme..my.salesforce.com",
        "https://.my.salesforce.com",
        "https://acme.my.salesforce.com.",
        "https://127.0.0.1",
        "https://localhost",
        "https://[::1]",
        "https://169.254.169.254",
        "http://127.0.0.1:8000",
        "javascript:alert(1)",
        "https://acme.my.salesforce.com,evil.example",
    ],
)
def test_everything_else_is_refused(url: str) -> None:
    with pytest.raises(MigratorError) as caught:
        checked_origin(url)
    assert caught.value.code == "host-not-allowed"


def test_plain_http_goes_to_loopback_only_and_only_for_a_simulator() -> None:
    for url in ("http://127.0.0.1:8081", "http://localhost:1", "http://[::1]:8081", "https://127.0.0.1:1"):
        assert checked_origin(f"{url}/", simulator=True) == url
    for url in (
        "http://10.0.0.1:80",
        "http://0.0.0.0:1",
        "http://localhost.evil.example",
        "http://acme.my.salesforce.com",
    ):
        with pytest.raises(MigratorError):
            checked_origin(url, simulator=True)
    assert checked_origin(ORIGIN, simulator=True) == ORIGIN


def test_a_host_of_ones_own_is_named_in_the_settings() -> None:
    assert (
        checked_origin("https://sf.acme.example:8443", hosts=("sf.acme.example",))
        == "https://sf.acme.example:8443"
    )
    for url in ("http://sf.acme.example", "https://x.sf.acme.example", "https://sf.acme.example.evil"):
        with pytest.raises(MigratorError):
            checked_origin(url, hosts=("sf.acme.example",))


@given(st.text(max_size=60))
def test_no_text_makes_a_token_leave_for_another_host(text: str) -> None:
    for url in (text, f"https://{text}", f"https://{text}.my.salesforce.com", f"{ORIGIN}{text}"):
        try:
            origin = checked_origin(url)
        except MigratorError:
            continue
        # what the HTTP client makes of it must be what was judged
        host = httpx.URL(f"{origin}/services").host
        assert host in {"login.salesforce.com", "test.salesforce.com"} or host.endswith(".my.salesforce.com")


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("/services/data/v66.0/query/0r8-2000", "/services/data/v66.0/query/0r8-2000"),
        ("services/data/v66.0/jobs/ingest/750/batches", "/services/data/v66.0/jobs/ingest/750/batches"),
        (f"{ORIGIN}/services/data/v66.0/query/0r8-2", "/services/data/v66.0/query/0r8-2"),
        (
            "/services/data/v66.0/jobs/ingest?queryLocator=01gR-2000",
            "/services/data/v66.0/jobs/ingest?queryLocator=01gR-2000",
        ),
    ],
)
def test_paths_that_the_org_hands_out(url: str, path: str) -> None:
    assert path_of(url, ORIGIN) == path


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/services/data/v66.0/query/0r8",
        "//evil.example/services/data",
        "http://acme.my.salesforce.com/services/data",
        "https://acme.my.salesforce.com:444/services/data",
        "https://acme.my.salesforce.com@evil.example/services/data",
        "\\\\evil.example\\services",
        "/\\evil.example/services/",
        "/services/../../evil",
        "/services/%2e%2e/secret",
        "/services/x%2f..%2fy",
        "/secur/frontdoor.jsp",
        "javascript:alert(1)",
        "/services/a b",
        "/services/\r\nHost: evil.example",
        "",
    ],
)
def test_urls_that_lead_elsewhere(url: str) -> None:
    with pytest.raises(MigratorError) as caught:
        path_of(url, ORIGIN)
    assert caught.value.code == "foreign-url"
