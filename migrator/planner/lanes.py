"""How rows are sent: their lane, and how large slices may be.

**Invariant:** rows whose repetition could create a second record never travel over REST, however few they are.
"""

from migrator.model.plan import LaneChoice
from migrator.model.platform import BATCH_ROWS
from migrator.model.schedule import Guarantee, Lane

#: Salesforce's guidance: Bulk API 2.0 from 2,000 records on (Bulk API guide, "Bulk API 2.0")
REST_MAX_ROWS = 2_000
#: Bulk API 2.0 takes 150 MB after base64 encoding, which adds up to half (Bulk API guide, "Upload Job Data")
JOB_BYTES = 100_000_000
#: Bulk API guide, "Bulk API Limits": 10 MB a batch
SERIAL_BYTES = 10_000_000


def choose_lane(rows: int | None, guarantee: Guarantee, choice: LaneChoice = LaneChoice.AUTO) -> Lane:
    """The plan's choice; else REST for few rows that may be sent twice without harm, else Bulk API 2.0."""
    if choice is LaneChoice.SERIAL_V1:
        return Lane.BULK1_SERIAL
    repeatable = guarantee in {Guarantee.UPSERT, Guarantee.UPDATE}
    return Lane.REST if repeatable and rows is not None and rows <= REST_MAX_ROWS else Lane.BULK2


def slice_rows(lane: Lane, *, locking: bool) -> int:
    """The most rows of one slice, less where its rows lock other records; 0: only the bytes count."""
    match lane:
        case Lane.REST:
            return REST_MAX_ROWS
        case Lane.BULK1_SERIAL:
            return BATCH_ROWS
        case Lane.BULK2:
            return BATCH_ROWS if locking else 0


def slice_bytes(lane: Lane) -> int:
    """The most bytes of one slice: what one job takes, or the one batch of a serial job."""
    return SERIAL_BYTES if lane is Lane.BULK1_SERIAL else JOB_BYTES


def serial_class(guarantee: Guarantee, lane: Lane) -> Guarantee:
    """The class of a step in its lane: an insert is guarded otherwise in a serial job."""
    serial = guarantee is Guarantee.INSERT and lane is Lane.BULK1_SERIAL
    return Guarantee.SERIAL_INSERT if serial else guarantee
