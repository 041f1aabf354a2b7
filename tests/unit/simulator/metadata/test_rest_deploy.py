"""Deployments over REST, and what SOAP says where the org refuses everybody."""

import json
from dataclasses import replace
from typing import Any

import pytest

from migrator.clock import VirtualClock
from migrator.simulator import Org, OrgSettings, load_schema
from migrator.simulator.http import Headers, Request, Response
from migrator.simulator.sharing import Sharing
from tests.unit.simulator.metadata.metadata_client import Soap, sharing, text

PATH = "/services/data/v60.0/metadata/deployRequest"


def post(org: Org, options: dict[str, Any], data: bytes, token: str = "") -> Response:
    parts = [
        b'--x\r\nContent-Disposition: form-data; name="entity_content"\r\nContent-Type: application/json\r\n\r\n',
        json.dumps({"deployOptions": options}).encode(),
        b'\r\n--x\r\nContent-Disposition: form-data; name="file"; filename="p.zip"\r\nContent-Type: application/zip\r\n\r\n',
        data,
        b"\r\n--x--",
    ]
    headers = Headers(
        {
            "Authorization": f"Bearer {token or org.issue_token()}",
            "Content-Type": "multipart/form-data; boundary=x",
        }
    )
    return org.handle(Request("POST", PATH, {}, headers, b"".join(parts)))


def test_a_zip_is_deployed_and_its_status_told(org: Org, call: Any) -> None:
    done = post(org, {"rollbackOnError": True}, sharing(deferSharingRules="true"))
    assert (done.status, done.json()["deployResult"]["status"]) == (201, "Pending")
    found = call(
        "GET", f"/metadata/deployRequest/{done.json()['id']}", query={"includeDetails": "true"}
    ).json()
    result = found["deployResult"]
    assert (result["status"], result["success"], result["rollbackOnError"]) == ("Succeeded", True, True)
    assert result["details"]["componentSuccesses"][0]["fullName"] == "Sharing"
    assert org.part(Sharing).deferral.sharing_rules
    assert call("GET", "/metadata/deployRequest/0Af000000000001").status == 404
    assert post(org, {}, b"no zip").status == 201


def test_what_is_no_deployment(org: Org, call: Any) -> None:
    assert call("POST", "/metadata/deployRequest", {}).status == 400
    assert post(Org(load_schema(), OrgSettings(modify_metadata=False)), {}, b"").status == 403


@pytest.mark.parametrize(
    ("version", "limit", "code"),
    [("30.0", 9, "UNSUPPORTED_API_VERSION"), ("60.0", 0, "REQUEST_LIMIT_EXCEEDED")],
)
def test_what_every_api_refuses_is_a_fault_in_soap(
    clock: VirtualClock, version: str, limit: int, code: str
) -> None:
    org = Org(load_schema(), replace(OrgSettings(), api_requests=limit), clock)
    done = Soap(org, org.issue_token())("<describeMetadata/>", version=version)
    assert (done.status, text(done, "faultcode")) == (500, f"sf:{code}")
