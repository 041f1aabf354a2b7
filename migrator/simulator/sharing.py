"""Deferred sharing calculation: the two switches, the order in which they may be used, and what turning them off starts.

While group membership is deferred, the switch of the sharing rules cannot be changed, and rules are suspended whatever it
says. Turning a switch off recalculates in the background: group membership, then sharing rules unless they stay deferred.
Source: Metadata API guide, SharingSettings. How long a recalculation takes is a setting; that it shows as a record of
AsyncApexJob is ours, as no API of the platform is known to tell when it is over.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from migrator.simulator.agenda import Agenda
from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.values import moment


@dataclass(frozen=True, slots=True)
class Deferral:
    """What is deferred."""

    group_membership: bool = False
    sharing_rules: bool = False


class Subject(StrEnum):
    """What is recalculated."""

    GROUP_MEMBERSHIP = "GroupMembership"
    SHARING_RULES = "SharingRules"


@dataclass(slots=True)
class Recalculation:
    """A job in the background; its times are those of the org's clock."""

    subject: Subject
    user_id: str
    queued: float
    seconds: float
    seq: int  # of its AsyncApexJob record, 0 when it has none
    started: float | None = None
    ended: float | None = None


class Refused(Exception):  # noqa: N818 - what happened to the change
    """A change of the switches that the rules do not allow now."""


class Sharing:
    """The switches of one org and the recalculations they started; `org.part(Sharing)`."""

    def __init__(self, org: OrgState) -> None:
        self._org = org
        self.deferral = Deferral()
        self.recalculations: list[Recalculation] = []
        self._events = 0  # of the truth log, when deferral began
        org.background.append(self)
        org.unfinished.append(lambda: self.recalculating)

    @property
    def rules_suspended(self) -> bool:
        """Whether sharing rules wait, by their own switch or because group membership does."""
        return self.deferral.group_membership or self.deferral.sharing_rules

    @property
    def recalculating(self) -> bool:
        """Whether a recalculation is queued or running."""
        return any(each.ended is None for each in self.recalculations)

    def allowed(self, wanted: Deferral) -> None:
        """Raise `Refused` when the change is against the order of the switches."""
        if self.deferral.group_membership and wanted.sharing_rules != self.deferral.sharing_rules:
            raise Refused("deferSharingRules can't be changed while deferGroupMembership is true")

    def change(self, wanted: Deferral, user_id: str) -> bool:
        """Set the switches; whether anything changed. Where the feature is not provisioned nothing ever does."""
        self.allowed(wanted)
        held = self.deferral
        if wanted == held or not self._org.settings.sharing_deferral:
            return False
        if not self.rules_suspended:
            self._events = len(self._org.truth)
        self.deferral = wanted
        if held.group_membership and not wanted.group_membership:
            self._queue(Subject.GROUP_MEMBERSHIP, user_id)
            if not wanted.sharing_rules:
                self._queue(Subject.SHARING_RULES, user_id)
        elif held.sharing_rules and not wanted.sharing_rules and not wanted.group_membership:
            self._queue(Subject.SHARING_RULES, user_id)
        return True

    def snapshot(self) -> tuple[Deferral, int]:
        """What `restore` needs to take changes back."""
        return self.deferral, len(self.recalculations)

    def restore(self, held: tuple[Deferral, int]) -> None:
        """Be as at the snapshot: for a deployment that is taken back before it ends."""
        self.deferral = held[0]
        for job in self.recalculations[held[1] :]:
            if job.seq:
                self._org.store.table("AsyncApexJob").purge(job.seq)
        del self.recalculations[held[1] :]

    def _queue(self, subject: Subject, user_id: str) -> None:
        org, settings = self._org, self._org.settings
        changed = sum(len(event) for event in org.truth.since(self._events))
        seconds = settings.recalculation_seconds + changed * settings.recalculation_row_seconds
        now, seq = org.now(), 0
        if settings.recalculation_shows:
            stamp = moment(now)
            seq = org.store.table("AsyncApexJob").insert(
                {
                    "JobType": "SharingRecalculation",
                    "MethodName": str(subject),
                    "Status": "Queued",
                    "CreatedById": user_id,
                    "CreatedDate": stamp,
                    "TotalJobItems": "1",
                    "JobItemsProcessed": "0",
                    "NumberOfErrors": "0",
                }
            )
        self.recalculations.append(Recalculation(subject, user_id, now, seconds, seq))
        ends = now
        for job in self.recalculations:
            if job.ended is None:
                ends = (ends if job.started is None else job.started) + job.seconds
        org.part(Agenda).at(ends, lambda _: 0)  # a clock that jumps comes to it

    def advance(self, now: float) -> bool:
        """Recalculate what is due, one after the other."""
        begin = 0.0
        for job in self.recalculations:
            if job.ended is not None:
                begin = job.ended
                continue
            if job.started is None:
                job.started = max(job.queued, begin)
                self._show(job, Status="Processing")
            if now < job.started + job.seconds:
                return False
            job.ended = begin = job.started + job.seconds
            self._show(job, Status="Completed", JobItemsProcessed="1", CompletedDate=moment(job.ended))
        return False

    def _show(self, job: Recalculation, **cells: str) -> None:
        if job.seq:
            self._org.store.table("AsyncApexJob").update(job.seq, cells)


def merged(held: Deferral, *, group_membership: bool | None, sharing_rules: bool | None) -> Deferral:
    """The switches with what a document says about them; what it leaves out stays."""
    wanted = held if group_membership is None else replace(held, group_membership=group_membership)
    return wanted if sharing_rules is None else replace(wanted, sharing_rules=sharing_rules)
