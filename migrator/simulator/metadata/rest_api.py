"""Deployments over REST: `/services/data/vXX.X/metadata/deployRequest`, a multipart request, and its status."""

from collections.abc import Mapping
from typing import Any

from migrator.simulator.http import ApiError, Response, answer, not_found
from migrator.simulator.metadata.deploying import NOT_ALLOWED, deploy_status, start_deploy
from migrator.simulator.metadata.deploys import Jobs, Options
from migrator.simulator.orgstate import OrgState
from migrator.simulator.rest.multipart import Parts
from migrator.simulator.router import Call, Route


def routes() -> list[Route]:
    """Start, and look."""
    path = "/services/data/v{version}/metadata/deployRequest"
    return [Route("POST", path, _deploy), Route("GET", path + "/{id}", _status)]


def _allowed(org: OrgState, call: Call) -> None:
    if not org.view(call.user_id).may("ModifyMetadata"):
        raise ApiError(403, "INSUFFICIENT_ACCESS", NOT_ALLOWED)


def _deploy(org: OrgState, call: Call) -> Response:
    _allowed(org, call)
    parts = Parts(call.request)
    asked = parts.json()
    given: Any = asked.get("deployOptions") if isinstance(asked, Mapping) else None
    zipped = next(iter(parts.binary.values()), None)
    if not isinstance(given, Mapping) or zipped is None:
        raise ApiError(400, "INVALID_MULTIPART_REQUEST", "deployOptions and a zip file are wanted")
    options = Options(
        bool(given.get("checkOnly")), bool(given.get("rollbackOnError")), bool(given.get("allowMissingFiles"))
    )
    job = start_deploy(org, b"".join(parts.pieces(zipped)), options, call.user_id)
    body = {
        "id": job.id,
        "validatedDeployRequestId": None,
        "deployOptions": dict(given),
        "deployResult": deploy_status(org, job, details=False),
    }
    return answer(body, status=201)


def _status(org: OrgState, call: Call) -> Response:
    _allowed(org, call)
    job = org.part(Jobs).find(call.params["id"], "0Af")
    if job is None:
        raise not_found()
    details = call.request.query.get("includeDetails", "").lower() == "true"
    return answer(
        {
            "id": job.id,
            "validatedDeployRequestId": None,
            "deployResult": deploy_status(org, job, details=details),
        }
    )
