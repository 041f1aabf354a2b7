"""SharingSettings: the file `settings/Sharing.settings`, of which the two switches of deferral do something here."""

from collections.abc import Sequence

from migrator.simulator.metadata.kinds import Applied, Component, Problem, unexpected
from migrator.simulator.orgstate import OrgState
from migrator.simulator.sharing import Refused, Sharing, merged
from migrator.simulator.xmltree import Parsed, local

FULL_NAME = "Sharing"
SINCE = 47  # API version of the type
DEFERRAL_SINCE = 49  # API version of the two switches
_SWITCHES = ("deferGroupMembership", "deferSharingRules")
# the type's other fields; what is set is kept and told again, and does nothing
_PREFERENCES = frozenset(
    {
        "enableAccountRoleOptimization",
        "enableAssetSharing",
        "enableCommunityUserVisibility",
        "enableExternalSharingModel",
        "enableManagerGroups",
        "enableManualUserRecordSharing",
        "enablePartnerSuperUserAccess",
        "enablePortalUserCaseSharing",
        "enablePortalUserVisibility",
        "enableRemoveTMGroupMembership",
        "enableRestrictAccessLookupRecords",
        "enableSecureGuestAccess",
        "enableShareObjectReportTypes",
        "enableStandardReportVisibility",
        "enableTerritoryForecastManager",
    }
)
_FLAGS = {"true": True, "1": True, "false": False, "0": False}


class Preferences:
    """The switches that do nothing here, as they were set; `org.part(Preferences)`."""

    def __init__(self, _: OrgState) -> None:
        self.set: dict[str, bool] = {}


class SharingSettings:
    """The kind of metadata."""

    type = "Settings"
    single = "SharingSettings"
    directory = "settings"
    suffix = "settings"
    children: Sequence[str] = ()

    def parts(self, file: str, element: Parsed, api: int) -> list[Component]:
        """The one component of the file."""
        return [Component(self.type, file.rpartition("/")[2].removesuffix(".settings"), file, element, api)]

    def apply(self, org: OrgState, component: Component, user_id: str) -> Applied:
        """Set what the document sets."""
        if component.full_name != FULL_NAME:
            raise Problem(f"The simulator has no settings but {FULL_NAME}")
        if component.api < SINCE:
            raise Problem(f"SharingSettings is not available in API version {component.api}.0")
        if not org.view(user_id).may("ManageSharing"):
            raise Problem(
                "You do not have the level of access necessary to perform the operation you requested: Manage Sharing",
                "INSUFFICIENT_ACCESS",
            )
        given = self._read(component)
        sharing, preferences = org.part(Sharing), org.part(Preferences)
        wanted = merged(
            sharing.deferral, group_membership=given.get(_SWITCHES[0]), sharing_rules=given.get(_SWITCHES[1])
        )
        held, kept = sharing.snapshot(), dict(preferences.set)
        try:
            changed = sharing.change(wanted, user_id)
        except Refused as refusal:
            raise Problem(str(refusal), "INVALID_INPUT") from None
        others = {name: value for name, value in given.items() if name not in _SWITCHES}
        changed = changed or any(kept.get(name, False) != value for name, value in others.items())
        preferences.set.update(others)

        def undo() -> None:
            sharing.restore(held)
            preferences.set = kept

        return Applied(changed, False, undo)

    def _read(self, component: Component) -> dict[str, bool]:
        given: dict[str, bool] = {}
        for each in component.element:
            name, text = local(each), (each.text or "").strip()
            if name == "fullName":
                continue
            known = name in _PREFERENCES or (name in _SWITCHES and component.api >= DEFERRAL_SINCE)
            if not known:
                raise unexpected(each, self.single)
            if text not in _FLAGS:
                raise Problem(f"Error parsing file: '{text}' is not a valid value for the type xsd:boolean")
            given[name] = _FLAGS[text]
        return given

    def names(self, org: OrgState, type_: str) -> list[str]:  # noqa: ARG002 - every org has them
        """The one settings file."""
        return [FULL_NAME]

    def file_of(self, full_name: str) -> str:
        """The file is named like the settings."""
        return full_name

    def part(self, org: OrgState, full_name: str, api: int) -> str | None:  # noqa: ARG002 - it has no parts
        """Nothing: the file has no parts of its own."""
        return None

    def body(self, org: OrgState, full_name: str, api: int) -> str | None:
        """The switches as they are, which tells whether a change stuck."""
        if full_name != FULL_NAME or api < SINCE:
            return None
        deferral = org.part(Sharing).deferral
        shown = dict(org.part(Preferences).set)
        if api >= DEFERRAL_SINCE:
            shown |= dict(zip(_SWITCHES, (deferral.group_membership, deferral.sharing_rules), strict=True))
        return "".join(f"<{name}>{str(shown[name]).lower()}</{name}>" for name in sorted(shown))
