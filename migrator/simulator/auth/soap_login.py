"""Login and logout over SOAP, partner or enterprise: what older clients do before they speak REST or Bulk API v1."""

from typing import Any

from migrator.simulator import soap, soap_records
from migrator.simulator.auth.grants import knows
from migrator.simulator.auth.oauth import Tokens
from migrator.simulator.http import Response
from migrator.simulator.limits import Limits
from migrator.simulator.orgstate import OrgState
from migrator.simulator.router import Call, Route
from migrator.simulator.soap import Operation, SoapFault

_INVALID_LOGIN = "Invalid username, password, security token; or user locked out."


def routes() -> list[Route]:
    """The SOAP endpoints; clients come back to the longer one that the login names."""
    base = "/services/Soap/{api}/{version}"
    return [
        Route("POST", base, _soap, public=True, counted=False),
        Route("POST", base + "/{organization}", _soap, public=True, counted=False),
    ]


def _soap(org: OrgState, call: Call) -> Response:
    namespace = soap.namespace_of(call.request.path)
    try:
        operation = soap.read_operation(call.request)
        result = _answer(org, call, operation)
    except SoapFault as problem:
        return soap.fault(namespace, problem)
    return soap.answer(namespace, f"{operation.name}Response", result)


def _answer(org: OrgState, call: Call, operation: Operation) -> dict[str, Any]:
    match operation.name:
        case "login":
            return {"result": _login(org, call, operation.text("username"), operation.text("password"))}
        case "logout":
            org.part(Tokens).revoke(operation.session)
            return {}
        case name if name in soap_records.NAMES:
            user_id = org.part(Tokens).user_of(operation.session)
            if not user_id or not org.view(user_id).may("ApiEnabled"):
                raise SoapFault("INVALID_SESSION_ID", "Invalid Session ID found in SessionHeader")
            org.part(Limits).count_request(org.now())
            return soap_records.answer(org, user_id, operation)
        case name:
            raise SoapFault("UNKNOWN_EXCEPTION", f"The operation {name} is not available here")


def _login(org: OrgState, call: Call, username: str, password: str) -> dict[str, Any]:
    user_id = knows(org, username, password)
    if not user_id:
        raise SoapFault("INVALID_LOGIN", _INVALID_LOGIN)
    settings, base = org.settings, call.request.base_url
    table = org.store.table("User")
    user = table.get(table.seq_of(user_id))
    short = settings.organization_id[:15]
    addresses = f"{base}/services/Soap"
    info = {
        "organizationId": settings.organization_id,
        "organizationName": settings.name,
        "profileId": user.get("ProfileId", ""),
        "sessionSecondsValid": int(settings.token_lifetime),
        "userEmail": user.get("Email", ""),
        "userFullName": f"{user.get('FirstName', '')} {user['LastName']}".strip(),
        "userId": user_id,
        "userLanguage": "en_US",
        "userLocale": "en_US",
        "userName": user["Username"],
        "userTimeZone": "GMT",
        "userType": "Standard",
    }
    return {
        "metadataServerUrl": f"{addresses}/m/{call.version}/{short}",
        "passwordExpired": False,
        "sandbox": settings.sandbox,
        "serverUrl": f"{addresses}/{call.params['api']}/{call.version}/{short}",
        "sessionId": org.part(Tokens).issue(user_id),
        "userId": user_id,
        "userInfo": info,
    }
