"""SOAP login and logout, and the ways in that follow them."""

import re
from typing import Any

import pytest

from migrator.simulator import Org
from migrator.simulator.http import Headers, Request, Response

HEAD = '<se:Envelope xmlns:se="http://schemas.xmlsoap.org/soap/envelope/"><se:Header/><se:Body>'


def post(org: Org, inside: str, path: str = "/services/Soap/u/60.0") -> Response:
    body = f"{HEAD}{inside}</se:Body></se:Envelope>" if inside else "no"
    headers = Headers({"Content-Type": "text/xml", "SOAPAction": '""'})
    return org.handle(Request("POST", path, {}, headers, body.encode(), None, "http://127.0.0.1:1"))


def login(org: Org, password: str = "simulator") -> Response:
    user = org.settings.username
    return post(
        org,
        f'<login xmlns="urn:partner.soap.sforce.com"><username>{user}</username><password>{password}</password></login>',
    )


def text(response: Response, name: str) -> str:
    found = re.search(rf"<{name}>([^<]*)</{name}>", response.read().decode())
    return found[1] if found else ""


@pytest.mark.parametrize("password", ["simulator", "simulatorTOKEN"])
def test_a_session_and_where_to_use_it(org: Org, password: str) -> None:
    done = login(org, password)
    assert done.status == 200
    assert text(done, "serverUrl") == "http://127.0.0.1:1/services/Soap/u/60.0/00D000000000001"
    assert text(done, "userId") == org.user_id
    bearer = Headers({"Authorization": f"Bearer {text(done, 'sessionId')}"})
    assert org.handle(Request("GET", "/services/data/v60.0/limits", {}, bearer)).status == 200


def test_a_wrong_password_is_a_fault(org: Org) -> None:
    done = login(org, "wrong")
    assert done.status == 500
    assert text(done, "faultcode") == "INVALID_LOGIN"
    assert text(done, "faultstring").startswith("INVALID_LOGIN: Invalid username, password")


def test_logout_ends_the_session(org: Org) -> None:
    token = text(login(org), "sessionId")
    inside = f"<SessionHeader><sessionId>{token}</sessionId></SessionHeader>"
    body = f"<logout/>{inside}"
    assert post(org, body, "/services/Soap/u/60.0/00D000000000001").status == 200
    bearer = Headers({"Authorization": f"Bearer {token}"})
    assert org.handle(Request("GET", "/services/data/v60.0/limits", {}, bearer)).status == 401


def test_other_operations_and_no_xml_are_faults(org: Org) -> None:
    assert text(post(org, "<query/>"), "faultcode") == "UNKNOWN_EXCEPTION"
    assert text(post(org, ""), "faultcode") == "soapenv:Client"


def test_the_identity_is_found_as_clients_find_it(org: Org, call: Any) -> None:
    address = call("GET", "/services/data/v60.0/").json()["identity"]
    path = address.removeprefix("https://example.my.salesforce.com")
    shown = org.handle(Request("GET", path, {"format": "json", "oauth_token": call.token}))
    assert shown.status == 200
    assert shown.json()["user_id"] == org.user_id
    assert org.handle(Request("GET", path, {"oauth_token": "no"})).status == 403
