"""Which of Salesforce's row faults are worth another try. Decided here and nowhere else.

A code that is in neither set is permanent: sending a row again on a guess wastes the org's limits and hides a cause.
"""

from typing import Final

#: Another try may succeed with the same values (SOAP API guide, "StatusCode"; Bulk API guide, "Organize Batches to
#: Minimize Lock Contention"). A row of an aborted or failed job that was not processed waits without any code.
RETRYABLE_FAULTS: Final = frozenset(
    {
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",  # a sibling failed; this row was undone
        "CONCURRENT_UPDATE",
        "DB_TRANSACTION_TIMEOUT",
        "LOCK_CONTENTION",
        "PROCESSING_HALTED",  # a sibling failed; this row was not done
        "QUERY_TIMEOUT",  # in a trigger
        "REQUEST_RUNNING_TOO_LONG",
        "SERVER_UNAVAILABLE",
        "TXN_SECURITY_METERING_ERROR",
        "UNABLE_TO_LOCK_ROW",
    }
)


#: Somebody else held a lock (SOAP API guide, "StatusCode"; Bulk API guide, "Errors").
LOCK_FAULTS: Final = frozenset({"CONCURRENT_UPDATE", "LOCK_CONTENTION", "UNABLE_TO_LOCK_ROW"})
#: The same of setup objects and the org's lock on group membership, said with a code that says nothing, such as UNKNOWN_EXCEPTION
#: (Designing Record Access for Enterprise Scale, "Group Membership Locking"). Part of the message, in any case.
LOCK_TEXTS: Final = ("could not acquire lock", "group membership operation already in progress")
#: Apex of a trigger or a flow came to one of its limits, said with one of several codes (Apex guide, "Execution Governors and Limits"): all rows of
#: the transaction are refused, and fewer rows in it may succeed. Part of the message, in any case.
LIMIT_TEXTS: Final = (
    "apex cpu time limit exceeded",
    "apex heap size too large",
    "too many soql queries",
    "too many query rows",
    "too many sosl queries",
    "too many dml statements",
    "too many dml rows",
)


def retryable(code: str) -> bool:
    """Whether a row refused with that status code may be sent again unchanged."""
    return code in RETRYABLE_FAULTS
