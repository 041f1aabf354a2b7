"""Performing gates: reading how something stands in the target, setting it, putting it back; each time read back.

What was found is a few words that name switches and record ids (`deferSharingRules=false deferGroupMembership=false`,
`assigned=false`, `record=none`); `close_gate` puts back exactly that.

**Invariant:** everything here may be done again without harm: it sets what is not set yet, and takes back what is still there.
"""

from collections.abc import Mapping

from migrator.errors import ExitCode, MigratorError
from migrator.executor.actions import GateFound, GateMoved
from migrator.model.gates import BY_HAND, AssignPermissionSet, Confirm, DeferSharing, Gate, SetCustomSetting
from migrator.model.run import Attempt
from migrator.salesforce import Deferral, Org, RequestFailed, Switch
from migrator.soql import quote

#: jobs of a recalculation that are not over (Object Reference, AsyncApexJob); orgs are not known to show every one
_RECALCULATING = (
    "SELECT COUNT() FROM AsyncApexJob WHERE JobType = 'SharingRecalculation' "
    "AND Status IN ('Holding', 'Queued', 'Preparing', 'Processing')"
)


def read_gate(org: Org, gate: Gate) -> GateFound:
    """How what the gate changes stands now."""
    match gate:
        case DeferSharing():
            return GateFound(_words(org.metadata.sharing_deferral()))
        case AssignPermissionSet():
            if not _permission_set(org, gate):
                return GateFound("", missing=f"the target has no permission set {gate.permission_set}")
            return GateFound(f"assigned={str(bool(_assignments(org, gate))).lower()}")
        case SetCustomSetting():
            records = _settings(org, gate)
            if not records:
                return GateFound("record=none")
            return GateFound(f"record={records[0]['Id']} value={str(records[0][gate.field] is True).lower()}")
        case Confirm():
            return GateFound("")


def open_gate(org: Org, gate: Gate) -> GateMoved:
    """Set it, and see whether it is set."""
    match gate:
        case DeferSharing():
            return _defer(org, gate)
        case AssignPermissionSet():
            if not _assignments(org, gate):
                row = {"AssigneeId": org.identity().user_id, "PermissionSetId": _permission_set(org, gate)}
                _insert(org, "PermissionSetAssignment", row)
            return _moved(bool(_assignments(org, gate)), "the permission set is not assigned")
        case SetCustomSetting():
            _set(org, gate, {gate.field: "true"})
            stands = any(each[gate.field] is True for each in _settings(org, gate))
            return _moved(stands, f"{gate.custom_setting}.{gate.field} does not stay set")
        case Confirm():
            return GateMoved(done=False, note="waits for a person")


def close_gate(org: Org, gate: Gate, attempt: Attempt) -> GateMoved:
    """Put back what was found, and see whether it is back."""
    if isinstance(gate, DeferSharing) and attempt.note.startswith(BY_HAND):
        return GateMoved(done=False, note=BY_HAND)
    was = dict(word.split("=", 1) for word in attempt.job_state.split())
    match gate:
        case DeferSharing():
            return _undefer(org, was)
        case AssignPermissionSet():
            if was.get("assigned") == "false":
                for record_id in _assignments(org, gate):
                    org.delete_record("PermissionSetAssignment", record_id)
                return _moved(not _assignments(org, gate), "the permission set stays assigned")
            return GateMoved(done=True)
        case SetCustomSetting():
            return _reset(org, gate, was)
        case Confirm():
            return GateMoved(done=True)


# --- sharing --------------------------------------------------------------------------------------------------------


def _words(stands: Deferral) -> str:
    return " ".join(f"{switch.value}={str(stands.of(switch)).lower()}" for switch in Switch)


def _defer(org: Org, gate: DeferSharing) -> GateMoved:
    """Rules first: once group membership is deferred their switch cannot be moved (and rules wait anyway)."""
    stands = org.metadata.sharing_deferral()
    if gate.sharing_rules and not stands.sharing_rules and not stands.group_membership:
        org.metadata.set_deferral(Switch.SHARING_RULES, on=True)
    if gate.group_membership and not stands.group_membership:
        org.metadata.set_deferral(Switch.GROUP_MEMBERSHIP, on=True)
    stands = org.metadata.sharing_deferral()
    rules = not gate.sharing_rules or stands.sharing_rules or stands.group_membership
    done = rules and (not gate.group_membership or stands.group_membership)
    return _moved(done, "sharing calculation cannot be deferred in this org: the switches do not stay on")


def _undefer(org: Org, was: Mapping[str, str]) -> GateMoved:
    """Group membership first, for the same reason; then wait until the org is done recalculating, where it tells."""
    stands = org.metadata.sharing_deferral()
    for switch in (Switch.GROUP_MEMBERSHIP, Switch.SHARING_RULES):
        if stands.of(switch) and was.get(switch.value) == "false":
            org.metadata.set_deferral(switch, on=False)
    stands = org.metadata.sharing_deferral()
    # one that was on before is none of ours, whoever turned it off since
    if any(stands.of(switch) and was.get(switch.value) == "false" for switch in Switch):
        return GateMoved(done=False, note="the switches that defer sharing calculation do not go back")
    left = _recalculations(org)
    return GateMoved(done=not left, note=f"recalculations under way: {left}", waiting=True)


def _recalculations(org: Org) -> int:
    try:
        return org.count(_RECALCULATING)
    except RequestFailed as failed:
        # the user may not see them: then the org does not tell
        if failed.status == 400:
            return 0
        raise


# --- automation -----------------------------------------------------------------------------------------------------


def _permission_set(org: Org, gate: AssignPermissionSet) -> str:
    found = org.query(f"SELECT Id FROM PermissionSet WHERE Name = {quote(gate.permission_set)}")
    return str(found[0]["Id"]) if found else ""


def _assignments(org: Org, gate: AssignPermissionSet) -> tuple[str, ...]:
    found = org.query(
        f"SELECT Id FROM PermissionSetAssignment WHERE AssigneeId = {quote(org.identity().user_id)} "
        f"AND PermissionSet.Name = {quote(gate.permission_set)}"
    )
    return tuple(str(each["Id"]) for each in found)


def _settings(org: Org, gate: SetCustomSetting) -> tuple[Mapping[str, object], ...]:
    user = quote(org.identity().user_id)
    return org.query(f"SELECT Id, {gate.field} FROM {gate.custom_setting} WHERE SetupOwnerId = {user}")


def _set(org: Org, gate: SetCustomSetting, cells: Mapping[str, str]) -> None:
    records = _settings(org, gate)
    if records:
        _sent(org, gate.custom_setting, "update", {"Id": str(records[0]["Id"]), **cells})
    else:
        _insert(org, gate.custom_setting, {"SetupOwnerId": org.identity().user_id, **cells})


def _reset(org: Org, gate: SetCustomSetting, was: Mapping[str, str]) -> GateMoved:
    records = _settings(org, gate)
    if was.get("record") == "none":
        for each in records:
            org.delete_record(gate.custom_setting, str(each["Id"]))
        return _moved(not _settings(org, gate), f"the record of {gate.custom_setting} stays")
    if records:
        _sent(
            org,
            gate.custom_setting,
            "update",
            {"Id": str(records[0]["Id"]), gate.field: was.get("value", "false")},
        )
    back = all(str(each[gate.field] is True).lower() == was.get("value") for each in _settings(org, gate))
    return _moved(back, f"{gate.custom_setting}.{gate.field} does not go back")


def _insert(org: Org, sobject: str, row: Mapping[str, str]) -> None:
    _sent(org, sobject, "insert", row)


def _sent(org: Org, sobject: str, operation: str, row: Mapping[str, str]) -> None:
    (answer,) = org.send_rows(
        sobject, operation, None, [row], {name: "boolean" for name in row if "__c" in name}
    )
    codes = {one.code for one in answer.faults}
    # a lost answer to the first try: it is there already
    if not answer.success and "DUPLICATE_VALUE" not in codes:
        raise MigratorError(
            "org-refused",
            f"the target refuses to {operation} {sobject}: {', '.join(sorted(codes))}",
            hint="give the integration user the permission for it",
            exit_code=ExitCode.REFUSED,
        )


def _moved(done: bool, otherwise: str) -> GateMoved:
    return GateMoved(done=done, note="" if done else otherwise)
