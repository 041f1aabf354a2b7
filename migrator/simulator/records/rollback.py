"""The error of a row that was good, in a transaction that had to be all or nothing."""

from migrator.simulator.records.results import RowError

ROLLED_BACK = RowError(
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "Record rolled back because not all records were valid and the request was using AllOrNone header",
)
