"""No credential reaches a log, in whatever shape it was about to."""

import io
import json
import logging
import string
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from migrator.salesforce import RedactingFilter, Secret, redact

NOISE = string.ascii_letters + string.digits


def noise(least: int, most: int) -> st.SearchStrategy[str]:
    return st.text(NOISE, min_size=least, max_size=most)


#: secrets that are known by their form, wherever they stand
FORMED = st.one_of(
    st.builds("00D{}!AQ{}".format, noise(12, 12), noise(40, 90)),
    st.builds("00D{}EAA!AQ.{}_".format, noise(12, 12), noise(40, 90)),
    st.builds("5Aep861{}".format, noise(40, 80)),
    st.builds("eyJ{}.eyJ{}.{}".format, noise(20, 40), noise(20, 40), noise(20, 40)),
    st.builds(
        "-----BEGIN PRIVATE KEY-----\nMII{}\n{}\n-----END PRIVATE KEY-----".format,
        noise(40, 60),
        noise(40, 60),
    ),
)
#: secrets that only their name gives away
NAMED = st.text(NOISE + "!#$%*+-./?@^_~|", min_size=8, max_size=40).filter(lambda one: one[0] in NOISE)

ANYWHERE: dict[str, Callable[[str], str]] = {
    "alone": str,
    "in a sentence": lambda one: f"the session {one} has ended",
    "at a line's end": lambda one: f"a\nb {one}\nc",
    "in quotes": lambda one: f"got {one!r}, refused",
    "in JSON": lambda one: json.dumps({"unexpected": [one]}),
    "in a query string": lambda one: "GET /x?" + urlencode({"whatever": one}),
    "in angle brackets": lambda one: f"<sessionId>{one}</sessionId>",
    "in a list": lambda one: str(["a", one, "b"]),
    "in bytes": lambda one: str(one.encode()),
}
BY_NAME: dict[str, Callable[[str], str]] = {
    "header": lambda one: f"Authorization: Bearer {one}",
    "header, lower case": lambda one: f"authorization: bearer {one}\nAccept: */*",
    "OAuth header": lambda one: f"Authorization: OAuth {one}",
    "bulk v1 header": lambda one: f"X-SFDC-Session: {one}",
    "header dictionary": lambda one: str({"Authorization": f"Bearer {one}", "Accept": "*/*"}),
    "header tuples": lambda one: str([(b"Authorization", f"Bearer {one}".encode()), (b"a", b"b")]),
    "cookie": lambda one: f"Cookie: sid={one}; path=/",
    "form password": lambda one: "grant_type=password&" + urlencode({"password": one}) + "&x=1",
    "form secret": lambda one: urlencode({"client_secret": one, "client_id": "id"}),
    "form refresh token": lambda one: urlencode({"grant_type": "refresh_token", "refresh_token": one}),
    "form assertion": lambda one: urlencode({"assertion": one}),
    "JSON token": lambda one: json.dumps({"access_token": one, "instance_url": "https://x"}),
    "JSON camel case": lambda one: json.dumps({"accessToken": one}),
    "JSON, indented": lambda one: json.dumps({"refresh_token": one}, indent=2),
    "dictionary": lambda one: str({"password": one}),
    "keyword": lambda one: f"login(username='a', password={one!r})",
    "assignment": lambda one: f"client_secret = {one}",
    "connection string": lambda one: (
        f"postgresql://migrator:{one.replace('/', '').replace('@', '')}@db/ledger"
    ),
    "auth url": lambda one: (
        f"force://PlatformCLI::{one.replace('/', '').replace('@', '')}@acme.my.salesforce.com"
    ),
    "SFDX auth url by name": lambda one: json.dumps({"sfdxAuthUrl": f"force://a:b:{one}@host"}),
}


def spelled(secret: str) -> set[str]:
    """The secret as it may stand in a text: as it is, in a repr, in a URL."""
    return {
        secret,
        repr(secret)[1:-1],
        urlencode({"": secret})[1:],
        secret.split("\n")[len(secret.split("\n")) // 2],
    }


@pytest.mark.parametrize("shape", ANYWHERE.values(), ids=ANYWHERE.keys())
@settings(max_examples=30)
@given(secret=FORMED)
def test_secrets_known_by_their_form(shape: Callable[[str], str], secret: str) -> None:
    logged = logged_text(lambda log: log.warning("%s", shape(secret)))
    assert not [one for one in spelled(secret) if one in logged], logged


@pytest.mark.parametrize("shape", BY_NAME.values(), ids=BY_NAME.keys())
@settings(max_examples=30)
@given(secret=NAMED)
def test_secrets_known_by_their_name(shape: Callable[[str], str], secret: str) -> None:
    inner = secret.replace("/", "").replace("@", "")
    assume(not [one for one in {*spelled(secret), inner} if one in shape("")])  # it would be seen in the name
    logged = logged_text(lambda log: log.warning("%s", shape(secret)))
    assert not [one for one in {*spelled(secret), inner} if one in logged], logged


def logged_text(act: Callable[[logging.Logger], None]) -> str:
    """What a handler with the filter writes of what a child logger logs."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
    handler.addFilter(RedactingFilter())
    manager = logging.Manager(logging.RootLogger(logging.DEBUG))
    manager.getLogger("parent").addHandler(handler)
    act(manager.getLogger("parent.child"))
    return stream.getvalue()


def test_tracebacks_stacks_and_wrong_arguments_are_redacted_too() -> None:
    token = "00D000000000001EAA!AQ" + "x" * 60

    def fail(log: logging.Logger) -> None:
        try:
            try:
                int(token)
            except ValueError as inner:
                raise RuntimeError(f"password={token}") from inner
        except RuntimeError:
            log.exception("failed with %s", token, stack_info=True)

    text = logged_text(fail)
    assert token not in text
    assert "Traceback" in text
    assert "RuntimeError" in text
    wrong = logged_text(lambda log: log.warning("%d and %d", token))  # noqa: PLE1206 - wrong on purpose
    assert "%d" in wrong
    assert token not in wrong


def test_what_is_no_secret_stays() -> None:
    for text in (
        "PUT /services/data/v66.0/jobs/ingest/750ak000009BWKLAA4/batches 201 34 ms",
        "org merged: HTTP 400: INVALIDJOB: InvalidJob : Unable to find object: ",
        "https://acme.my.salesforce.com/services/data",
        "Account 001ak000009BWKLAA4 and organization 00D000000000001EAA",
    ):
        assert redact(text) == text


def test_a_secret_in_a_log_call_is_hidden_by_itself() -> None:
    assert f"{Secret('hunter2'):>9}" == "***"
    assert redact(f"{Secret('hunter2')!r}") == "***"
