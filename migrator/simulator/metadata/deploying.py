"""Deployments as both doors to them start and show them, SOAP and REST."""

from collections.abc import Sequence
from typing import Any

from migrator.simulator.metadata.custom_objects import CustomObjects
from migrator.simulator.metadata.deploys import Deployer, Job, Jobs, Message, Options
from migrator.simulator.metadata.kinds import Kind
from migrator.simulator.metadata.sharing_settings import SharingSettings
from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.values import moment

KINDS: Sequence[Kind] = (SharingSettings(), CustomObjects())
NOT_ALLOWED = "use of the Metadata API requires a user with the ModifyAllData or ModifyMetadata permissions"


def start_deploy(org: OrgState, data: bytes, options: Options, user_id: str) -> Job:
    """Queue the deployment of a zip."""
    deployer = Deployer(org, KINDS)
    return org.part(Jobs).add("0Af", user_id, lambda job: deployer.deploy(data, job), options)


def deploy_status(org: OrgState, job: Job, *, details: bool) -> dict[str, Any]:
    """A DeployResult."""
    shown: dict[str, Any] = {"checkOnly": job.options.check_only}
    if job.ended is not None:
        shown["completedDate"] = moment(job.ended)
    shown |= {
        "createdBy": job.user_id[:15],
        "createdByName": name_of(org, job.user_id),
        "createdDate": moment(job.created),
    }
    if details:
        shown["details"] = _details(job)
    shown |= {
        "done": job.done,
        "id": job.id,
        "ignoreWarnings": False,
        "lastModifiedDate": moment(job.ended or job.started or job.created),
        "numberComponentErrors": len(job.failures),
        "numberComponentsDeployed": job.total - len(job.failures),
        "numberComponentsTotal": job.total,
        "numberTestErrors": 0,
        "numberTestsCompleted": 0,
        "numberTestsTotal": 0,
        "rollbackOnError": job.options.rollback_on_error,
        "runTestsEnabled": False,
    }
    if job.started is not None:
        shown["startDate"] = moment(job.started)
    return shown | {"status": job.status, "success": job.status in {"Succeeded", "SucceededPartial"}}


def _details(job: Job) -> dict[str, Any]:
    run = {"numFailures": 0, "numTestsRun": 0, "totalTime": 0.0}
    if not job.done:
        return {"runTestResult": run}
    good = [_message(each, job) for each in job.messages if not each.failed]
    return {
        "componentFailures": [_message(each, job) for each in job.failures],
        "componentSuccesses": good,
        "runTestResult": run,
    }


def _message(message: Message, job: Job) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "changed": message.changed,
        "componentType": message.type,
        "created": message.created,
        "createdDate": moment(job.ended or job.created),
        "deleted": False,
        "fileName": message.file,
        "fullName": message.full_name,
    }
    if message.problem:
        shown |= {"problem": message.problem, "problemType": "Warning" if message.warning else "Error"}
    return shown | {"success": not message.failed}


def name_of(org: OrgState, user_id: str) -> str:
    """A user's first and last name."""
    table = org.store.table("User")
    user = table.get(table.seq_of(user_id))
    return f"{user.get('FirstName', '')} {user.get('LastName', '')}".strip()
