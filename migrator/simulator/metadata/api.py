"""The resource `/services/Soap/m/{version}`: each operation of the Metadata API that the simulator answers."""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from migrator.simulator import soap
from migrator.simulator.auth.oauth import Tokens
from migrator.simulator.http import Response
from migrator.simulator.metadata.deploying import KINDS, NOT_ALLOWED, deploy_status, name_of, start_deploy
from migrator.simulator.metadata.deploys import Job, Jobs, Options
from migrator.simulator.metadata.kinds import Component, Kind, Problem
from migrator.simulator.metadata.package import NAMESPACE, manifest_of
from migrator.simulator.metadata.retrieval import retrieve
from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.values import moment
from migrator.simulator.router import Call, Route
from migrator.simulator.soap import Operation, SoapFault
from migrator.simulator.xmltree import INSTANCE, Parsed, read

MAX_NAMES = 10  # components of one call for single components; Metadata API guide


def routes() -> list[Route]:
    """The endpoint, with and without the organization's id behind it."""
    base = "/services/Soap/m/{version}"
    return [
        Route("POST", base, _soap, public=True),
        Route("POST", base + "/{organization}", _soap, public=True),
    ]


Answer = Callable[[OrgState, Call, Operation, str], Any]


def _soap(org: OrgState, call: Call) -> Response:
    try:
        operation = soap.read_operation(call.request)
        result = _answer(org, call, operation)
    except SoapFault as problem:
        return soap.fault(NAMESPACE, problem, prefix="sf:")
    return soap.answer(NAMESPACE, f"{operation.name}Response", {"result": result})


def _answer(org: OrgState, call: Call, operation: Operation) -> Any:
    user_id = org.part(Tokens).user_of(operation.session)
    if not user_id:
        raise SoapFault("INVALID_SESSION_ID", "This session is not valid for use with the API")
    answer = _OPERATIONS.get(operation.name)
    if answer is None:
        raise SoapFault("UNKNOWN_EXCEPTION", f"The simulator has no operation {operation.name}")
    if not org.view(user_id).may("ModifyMetadata"):
        raise SoapFault("INSUFFICIENT_ACCESS", NOT_ALLOWED)
    return answer(org, call, operation, user_id)


# --- deployments ---------------------------------------------------------------------------------------------------


def _deploy(org: OrgState, _: Call, operation: Operation, user_id: str) -> Any:
    try:
        data = base64.b64decode(operation.text("ZipFile"), validate=False)
    except binascii.Error:
        raise SoapFault("INVALID_TYPE", "ZipFile is not base64") from None
    given = soap.child(operation.element, "DeployOptions")

    def flag(name: str) -> bool:
        return given is not None and soap.text_of(given, name) in {"true", "1"}

    options = Options(flag("checkOnly"), flag("rollbackOnError"), flag("allowMissingFiles"))
    job = start_deploy(org, data, options, user_id)
    return {"done": False, "id": job.id, "state": "Queued"}


def _job(org: OrgState, operation: Operation, prefix: str) -> Job:
    wanted = operation.text("asyncProcessId") or operation.text("id")
    found = org.part(Jobs).find(wanted, prefix)
    if found is None:
        raise SoapFault("INVALID_CROSS_REFERENCE_KEY", f"invalid cross reference id: {wanted}")
    return found


def _check_deploy(org: OrgState, _: Call, operation: Operation, __: str) -> Any:
    details = operation.text("includeDetails") in {"true", "1"}
    return deploy_status(org, _job(org, operation, "0Af"), details=details)


# --- retrievals ----------------------------------------------------------------------------------------------------


def _retrieve(org: OrgState, call: Call, operation: Operation, user_id: str) -> Any:
    # the platform goes by the place of the argument: jsforce names it `request`
    asked = next(iter(operation.element), None)
    unpackaged = None if asked is None else soap.child(asked, "unpackaged")
    if asked is None or unpackaged is None:
        raise SoapFault(
            "INVALID_TYPE", "retrieveRequest has no unpackaged; packages cannot be retrieved here"
        )
    manifest = manifest_of(unpackaged)
    version = soap.text_of(asked, "apiVersion") or manifest.version or call.version
    folder = "" if soap.text_of(asked, "singlePackage") in {"true", "1"} else "unpackaged/"

    def run(job: Job) -> None:
        retrieve(org, KINDS, manifest, int(float(version)), folder, job)

    job = org.part(Jobs).add("09S", user_id, run)
    return {"done": False, "id": job.id, "state": "Queued"}


def _check_retrieve(org: OrgState, _: Call, operation: Operation, __: str) -> Any:
    job = _job(org, operation, "09S")
    shown: dict[str, Any] = {"done": job.done}
    if job.ended is not None:
        shown["fileProperties"] = [_properties(org, job.user_id, job.created, each) for each in job.files]
    shown["id"] = job.id
    if job.messages:
        shown["messages"] = [{"fileName": each.file, "problem": each.problem} for each in job.messages]
    shown |= {"status": job.status, "success": job.status == "Succeeded"}
    if job.done and operation.text("includeZip") in {"", "true", "1"}:
        shown["zipFile"] = base64.b64encode(job.zip).decode()
    return shown


def _properties(org: OrgState, user_id: str, moment_: float, listed: tuple[str, str, str]) -> dict[str, Any]:
    (path, type_, full_name), name, stamp = listed, name_of(org, user_id), moment(moment_)
    return {
        "createdById": user_id,
        "createdByName": name,
        "createdDate": stamp,
        "fileName": path,
        "fullName": full_name,
        "id": "",
        "lastModifiedById": user_id,
        "lastModifiedByName": name,
        "lastModifiedDate": stamp,
        "manageableState": "unmanaged",
        "type": type_,
    }


# --- single components, and what there is --------------------------------------------------------------------------


def _single(name: str) -> Kind:
    for kind in KINDS:
        if name in {kind.single, *kind.children}:
            return kind
    raise SoapFault("INVALID_TYPE", f"The simulator has no metadata of type {name}")


def _read(org: OrgState, call: Call, operation: Operation, _: str) -> Any:
    type_ = operation.text("type")
    kind = _single(type_)
    names = [(each.text or "").strip() for each in soap.children(operation.element, "fullNames")]
    _check_count(names)
    records: list[Any] = []
    for name in names:
        body = kind.body(org, name, call.api)
        # one that is not there is an empty record, without a name
        records.append(
            {"@type": type_} if body is None else {"@type": type_, "fullName": name} | _tree(type_, body)
        )
    return {"records": records}


def _tree(name: str, body: str) -> dict[str, Any]:
    """What is between a component's tags, as a value that can be told again."""
    root = read(f"<{name}>{body}</{name}>".encode())
    return _value(root)


def _value(element: Parsed) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for each in element:
        value = _value(each) if len(each) else (each.text or "")
        held = made.get(each.tag)
        made[each.tag] = value if held is None else [*(held if isinstance(held, list) else [held]), value]
    return made


def _check_count(names: Sequence[object]) -> None:
    if len(names) > MAX_NAMES:
        raise SoapFault("LIMIT_EXCEEDED", f"You can't have more than {MAX_NAMES} records in one call")


def _write(org: OrgState, call: Call, operation: Operation, user_id: str) -> Any:
    given = soap.children(operation.element, "metadata")
    _check_count(given)
    return [_written(org, call, user_id, each, operation.name) for each in given]


def _written(org: OrgState, call: Call, user_id: str, element: Parsed, operation: str) -> dict[str, Any]:
    type_ = str(element.get(f"{{{INSTANCE}}}type", "")).rpartition(":")[2]
    kind = _single(type_)
    full_name = soap.text_of(element, "fullName")
    try:
        _check_there(kind.body(org, full_name, call.api) is not None, f"{type_} named {full_name}", operation)
        done = kind.apply(org, Component(type_, full_name, "", element, call.api), user_id)
    except Problem as problem:
        errors = {"@type": "Error", "message": problem.text, "statusCode": problem.code}
        return {"errors": errors, "fullName": full_name, "success": False}
    created = {"created": done.created} if operation == "upsertMetadata" else {}
    return {**created, "fullName": full_name, "success": True}


def _check_there(there: bool, what: str, operation: str) -> None:
    if operation == "updateMetadata" and not there:
        raise Problem(f"In field: fullName - no {what} found", "INVALID_CROSS_REFERENCE_KEY")
    if operation == "createMetadata" and there:
        raise Problem(f"There is already a {what}", "DUPLICATE_DEVELOPER_NAME")


def _describe(_: OrgState, __: Call, ___: Operation, ____: str) -> Any:
    listed = [
        {
            "childXmlNames": list(kind.children),
            "directoryName": kind.directory,
            "inFolder": False,
            "metaFile": False,
            "suffix": kind.suffix,
            "xmlName": kind.type,
        }
        for kind in KINDS
    ]
    return {
        "metadataObjects": listed,
        "organizationNamespace": "",
        "partialSaveAllowed": True,
        "testRequired": False,
    }


def _list(org: OrgState, _: Call, operation: Operation, __: str) -> Any:
    found: list[dict[str, Any]] = []
    for query in soap.children(operation.element, "queries"):
        type_ = soap.text_of(query, "type")
        kind = next((each for each in KINDS if type_ in {each.type, *each.children}), None)
        if kind is None:
            raise SoapFault("INVALID_TYPE", f"Unknown type: {type_}")
        for name in kind.names(org, type_):
            path = f"{kind.directory}/{kind.file_of(name)}.{kind.suffix}"
            found.append(_properties(org, org.user_id, org.schema_modified, (path, type_, name)))
    return found


_OPERATIONS: Mapping[str, Answer] = {
    "deploy": _deploy,
    "checkDeployStatus": _check_deploy,
    "retrieve": _retrieve,
    "checkRetrieveStatus": _check_retrieve,
    "readMetadata": _read,
    "updateMetadata": _write,
    "createMetadata": _write,
    "upsertMetadata": _write,
    "describeMetadata": _describe,
    "listMetadata": _list,
}
