"""What the executor can do, and what can come back.

An action is a request to the outside (an org, the data plane); a reply is what it said. Both are values, so a run can
be printed, compared, replayed and explored without any outside.

**Invariant:** a row that Salesforce refused is part of a reply, never an exception.
"""

from dataclasses import dataclass

from migrator.data.jobs import Comparison, Matched, Prepared, Settled
from migrator.errors import ExitCode
from migrator.model.run import FileRef
from migrator.model.wire import JobInfo, Sent

# --- actions on a step ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FreezeFile:
    """Copy a source CSV file into the run folder."""

    step: str


@dataclass(frozen=True, slots=True)
class PairRecords:
    """Pair source and target records of a reference object."""

    step: str


@dataclass(frozen=True, slots=True)
class PrepareStep:
    """Transform, join, order and cut the rows of a load or link step."""

    step: str


@dataclass(frozen=True, slots=True)
class CutAgain:
    """Cut the rows that wait for another round into new slices."""

    step: str


@dataclass(frozen=True, slots=True)
class PrepareAgain:
    """Prepare the rows that get another chance anew, and cut them into new slices."""

    step: str


@dataclass(frozen=True, slots=True)
class CheckOutcomes:
    """See whether any target id stands in the outcomes of two rows of a step that has sent all it has."""

    step: str


@dataclass(frozen=True, slots=True)
class CompareTarget:
    """Compare what was read back with what was sent."""

    step: str


@dataclass(frozen=True, slots=True)
class BeginSlice:
    """Plan an attempt for a slice. Touches nothing outside."""

    step: str
    slice: int


@dataclass(frozen=True, slots=True)
class BeginLookUp:
    """Plan the query job that looks unknown rows up in the target. Touches nothing outside."""

    step: str
    attempt: int


@dataclass(frozen=True, slots=True)
class BeginQuery:
    """Plan a query job for a step. Touches nothing outside."""

    step: str


# --- actions on an attempt --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CreateJob:
    """Create the attempt's job (ingest or query). Repeating it costs an orphan job that never runs."""

    attempt: int


@dataclass(frozen=True, slots=True)
class Upload:
    """PUT the slice into the open job. Intent: UPLOADING."""

    attempt: int


@dataclass(frozen=True, slots=True)
class AbandonUpload:
    """Abort a job whose upload is in doubt, and confirm that nothing of it was processed."""

    attempt: int


@dataclass(frozen=True, slots=True)
class FenceBatch:
    """Close a serial job whose batch may or may not have arrived, then see whether it holds the batch."""

    attempt: int


@dataclass(frozen=True, slots=True)
class CloseUpload:
    """End the upload: from here on a Bulk API 2.0 job is processed, and a serial one takes no batch. Intent: CLOSING."""

    attempt: int


@dataclass(frozen=True, slots=True)
class ConfirmClose:
    """Ask whether the close arrived; if the job is still open, close *the same job* again."""

    attempt: int


@dataclass(frozen=True, slots=True)
class Poll:
    """Ask how the job stands."""

    attempt: int


@dataclass(frozen=True, slots=True)
class Harvest:
    """Fetch all three result sets and match them with what was uploaded. `told`: settle at least the rows that have a result."""

    attempt: int
    told: bool = False


@dataclass(frozen=True, slots=True)
class Reconcile:
    """Compare unknown rows with what the lookup found in the target."""

    attempt: int


@dataclass(frozen=True, slots=True)
class FetchPage:
    """Fetch one page of a query job's result."""

    attempt: int
    seq: int
    locator: str


@dataclass(frozen=True, slots=True)
class SendRows:
    """Send a slice through sObject Collections. Intent: SENDING. Only for operations that may be repeated."""

    attempt: int


@dataclass(frozen=True, slots=True)
class ReadGate:
    """Read how what a gate will change stands."""

    attempt: int


@dataclass(frozen=True, slots=True)
class OpenGate:
    """Set it in the target and read it back. May be repeated."""

    attempt: int


@dataclass(frozen=True, slots=True)
class CloseGate:
    """Put it back as it was found. Intent: SHUTTING. May be repeated."""

    attempt: int


@dataclass(frozen=True, slots=True)
class BeginGate:
    """Plan the passing of a gate. Touches nothing outside."""

    step: str


GateAction = ReadGate | OpenGate | CloseGate
StepAction = FreezeFile | PairRecords | PrepareStep | CutAgain | PrepareAgain | CheckOutcomes | CompareTarget
AttemptAction = (
    CreateJob
    | Upload
    | AbandonUpload
    | FenceBatch
    | CloseUpload
    | ConfirmClose
    | Poll
    | Harvest
    | Reconcile
    | FetchPage
    | SendRows
    | GateAction
)
Begin = BeginSlice | BeginQuery | BeginLookUp | BeginGate
Action = StepAction | AttemptAction | Begin

# --- replies ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class JobTold:
    """The org told how a job stands. `gone`: it has no such job (any more)."""

    job: JobInfo
    gone: bool = False


@dataclass(frozen=True, slots=True)
class UploadTaken:
    """The org answered 201 to the upload."""


@dataclass(frozen=True, slots=True)
class PageStored:
    """A page is in the run folder; an empty locator: it was the last."""

    file: FileRef
    locator: str


@dataclass(frozen=True, slots=True)
class FileFrozen:
    """The source file is in the run folder."""

    file: FileRef


@dataclass(frozen=True, slots=True)
class StepPrepared:
    """The rows are prepared and cut."""

    prepared: Prepared


@dataclass(frozen=True, slots=True)
class RecordsPaired:
    """The id map of a reference object is in the run folder."""

    matched: Matched


@dataclass(frozen=True, slots=True)
class OutcomesChecked:
    """How many target ids stand in the outcomes of several rows of the step."""

    repeated: int


@dataclass(frozen=True, slots=True)
class TargetCompared:
    """The target was compared. `extra`: records that our user made in the run's time and that the run knows nothing of."""

    comparison: Comparison
    extra: int = 0


@dataclass(frozen=True, slots=True)
class AttemptSettled:
    """Every row of the attempt has an outcome or waits for another round. `skew`: by how many seconds the org's clock is ahead, if it told."""

    settled: Settled
    skew: float | None = None


@dataclass(frozen=True, slots=True)
class GateFound:
    """How what a gate will change stands now, in words that `CloseGate` understands. `missing`: why it cannot be passed."""

    found: str
    missing: str = ""


@dataclass(frozen=True, slots=True)
class GateMoved:
    """Whether the gate is open (or closed) as the org reads it back. `waiting`: it is done, and the org still works on it."""

    done: bool
    note: str = ""
    waiting: bool = False


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Every unknown row has an outcome or waits. `sides`: files of the rows and records that nobody could pair up."""

    settled: Settled
    sides: tuple[FileRef, ...] = ()


@dataclass(frozen=True, slots=True)
class PartlyTold:
    """The org has recorded the results of some rows and not of others: `settled` has the outcomes of the former."""

    settled: Settled


@dataclass(frozen=True, slots=True)
class ResultsBroken:
    """What was downloaded does not add up. It is fetched again, and after that the attempt is quarantined."""

    reason: str


@dataclass(frozen=True, slots=True)
class RequestLost:
    """A request got no usable answer. `status` 0: no HTTP answer at all; `code` is Salesforce's or ours."""

    sent: Sent
    status: int
    code: str
    what: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class GaveUp:
    """The action cannot be done here and now (disk full, corrupt file, signed out): the run must stop."""

    code: str
    what: str
    hint: str
    exit_code: ExitCode


Reply = (
    JobTold
    | UploadTaken
    | PageStored
    | FileFrozen
    | StepPrepared
    | RecordsPaired
    | OutcomesChecked
    | TargetCompared
    | AttemptSettled
    | Reconciled
    | PartlyTold
    | GateFound
    | GateMoved
    | ResultsBroken
    | RequestLost
    | GaveUp
)
