"""Users: names that nobody else has, licences, and what comes with a user."""

from collections.abc import Sequence

from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.compile import Operation
from migrator.simulator.records.execution import Effect, Saved, Saving
from migrator.simulator.records.results import RowError
from migrator.simulator.records.truth import Change

_NICKNAME_TAKEN = (
    "Duplicate Nickname.<br>Another user has already selected this nickname.<br>Please select another."
)
_DUPLICATE_NICKNAME = RowError("DUPLICATE_COMM_NICKNAME", _NICKNAME_TAKEN, ("CommunityNickname",))
_NO_LICENCE = RowError("LICENSE_LIMIT_EXCEEDED", "license limit exceeded")


def add(org: OrgState) -> None:
    """Add the rules to the org's."""
    if org.schema.sobject("User") is None:
        return
    rules = org.dml.rules("User")
    rules.defaults.append(_nicknames)
    rules.checks += [_names, _Licences(org)]
    rules.effects.append(Effect(_Login(org), changes=frozenset({Change.CREATED})))


def _nicknames(saving: Saving) -> None:
    """Who gives no nickname gets one of the username."""
    given = saving.new("CommunityNickname")
    if "" in given:
        names = (name.partition("@")[0][:33] for name in saving.new("Username"))
        fresh = saving.table.next_seq
        made = [
            nickname or f"{name}{(fresh + place) % 1_000_000}"
            for place, (nickname, name) in enumerate(zip(given, names, strict=True))
        ]
        saving.set("CommunityNickname", made)


def _names(saving: Saving) -> None:
    name = "CommunityNickname"
    if not saving.gives(name):
        return
    seen: set[str] = set()
    for row, cell in zip(saving.rows, saving.new(name), strict=True):
        held = saving.table.find(name, cell) if cell else []
        if cell.lower() in seen or any(seq != saving.updates.get(row) for seq in held):
            saving.fault(row, _DUPLICATE_NICKNAME)
        if cell:
            seen.add(cell.lower())


class _Licences:
    """Active users need a licence of their profile's kind."""

    def __init__(self, org: OrgState) -> None:
        self._org = org

    def __call__(self, saving: Saving) -> None:
        if not saving.gives("IsActive", "ProfileId"):
            return
        active, before = saving.new("IsActive"), saving.old("IsActive")
        left: dict[str, int] = {}
        for row, now, was, profile in zip(saving.rows, active, before, saving.new("ProfileId"), strict=True):
            if now != "true" or was == "true":
                continue
            licence = self._of(profile)
            if licence and licence not in left:
                left[licence] = self._left(licence)
            if licence and left[licence] <= 0:
                saving.fault(row, _NO_LICENCE)
            elif licence:
                left[licence] -= 1

    def _of(self, profile: str) -> str:
        profiles = self._org.store.table("Profile")
        seq = profiles.seq_of(profile)
        return profiles.cell(seq, "UserLicenseId") if seq else ""

    def _left(self, licence: str) -> int:
        licences, users = self._org.store.table("UserLicense"), self._org.store.table("User")
        total = licences.cell(licences.seq_of(licence), "TotalLicenses")
        active = users.index("IsActive").find("true")
        used = sum(self._of(profile) == licence for profile in users.cells(active, "ProfileId"))
        return int(total or 0) - used


class _Login:
    """Every user has a record that says whether the user is frozen."""

    def __init__(self, org: OrgState) -> None:
        self._org = org

    def __call__(self, saved: Saved) -> None:
        sobject = self._org.schema.sobject("UserLogin")
        if sobject is None:
            return
        columns = ["UserId", "IsFrozen", "IsPasswordLocked"]
        compiled = self._org.dml.compile(sobject, columns, Operation.INSERT, trusted=True)
        rows: Sequence[Sequence[str]] = [
            [record_id, "false", "false"] for record_id in saved.table.ids_of(saved.seqs)
        ]
        self._org.dml.execute(compiled, rows, saved.context)
