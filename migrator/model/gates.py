"""Gates: what is set in the target, or confirmed by a person, before anything is sent, and put back afterwards."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

#: a gate that waits for a person says so in its note
BY_HAND: Final = "by hand"


class WhenUnavailable(StrEnum):
    """What is done where an org cannot defer sharing calculation.

    REQUIRED: stop before anything is sent. MANUAL: a person does it in Setup and confirms it. SKIP: go on without.
    """

    REQUIRED = "required"
    MANUAL = "manual"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class DeferSharing:
    """Defer sharing calculation (Metadata API guide, "SharingSettings")."""

    group_membership: bool = True
    sharing_rules: bool = True
    when_unavailable: WhenUnavailable = WhenUnavailable.REQUIRED


@dataclass(frozen=True, slots=True)
class AssignPermissionSet:
    """Switch automation off for the integration user by a permission set that its validation rules, flows and triggers ask for."""

    permission_set: str


@dataclass(frozen=True, slots=True)
class SetCustomSetting:
    """Switch automation off for the integration user by a checkbox of a hierarchy custom setting."""

    custom_setting: str
    field: str


@dataclass(frozen=True, slots=True)
class Confirm:
    """Something that a person has to see to; the run waits until somebody says that it is so."""

    text: str


Gate = DeferSharing | AssignPermissionSet | SetCustomSetting | Confirm


def changes(gate: Gate) -> str:
    """What of the org it changes, by which two runs with the same gate are kept apart; empty: nothing."""
    match gate:
        case DeferSharing():
            return "SharingSettings"
        case AssignPermissionSet():
            return f"PermissionSetAssignment.{gate.permission_set}"
        case SetCustomSetting():
            return gate.custom_setting
        case Confirm():
            return ""


def told(gate: Gate) -> str:
    """The gate in a few words."""
    match gate:
        case DeferSharing():
            what = [
                name
                for name, wanted in (
                    ("sharing rules", gate.sharing_rules),
                    ("group membership", gate.group_membership),
                )
                if wanted
            ]
            return f"defer the calculation of {' and '.join(what)}"
        case AssignPermissionSet():
            return f"assign permission set {gate.permission_set} to the integration user"
        case SetCustomSetting():
            return f"set {gate.custom_setting}.{gate.field} for the integration user"
        case Confirm():
            return f"a person confirms: {gate.text}"
