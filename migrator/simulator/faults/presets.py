"""The catalogue: faults that orgs and networks are known for, by the ids under which tests and scripts ask for them.

Each is one or more entries of a fault script; whatever a script adds to the id (`{id: N07, nth: 3}`) changes them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

_JOBS = r".*/jobs/ingest"
_JOB = r".*/jobs/ingest/[^/]+"
_UPLOAD = r".*/jobs/ingest/[^/]+/batches"
_RESULTS = r".*/jobs/ingest/[^/]+/(successfulResults|failedResults|unprocessedrecords)"
_GOOD = r".*/jobs/ingest/[^/]+/successfulResults"
_BAD = r".*/jobs/ingest/[^/]+/failedResults"
_PAGE = r".*/jobs/query/[^/]+/results"
_DOWNLOAD = r".*/(successfulResults|failedResults|unprocessedrecords|results)"
_ANY_JOB = r".*/jobs/(ingest|query)/[^/]+"
_COLLECTIONS = r".*/composite.*"
_DATA = "/services/(data|async)/.*"
_CLASSIC_BATCH = r"/services/async/[^/]+/job/[^/]+/batch"
_LOCKED = "unable to obtain exclusive access to this record"

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Preset:
    """What a fault of the catalogue is, and the entries of a script that make it."""

    what: str
    faults: Sequence[Entry]


def _error(code: str, message: str) -> str:
    return f'[{{"message":"{message}","errorCode":"{code}"}}]'


def _one(what: str, kind: str, **given: Any) -> Preset:
    return Preset(what, ({"kind": kind, **given},))


_CLOSE = {"method": "PATCH", "path": _JOB, "sends": "UploadComplete"}
_CREATE = {"method": "POST", "path": _JOBS}
_PUT = {"method": "PUT", "path": _UPLOAD}
_UNAVAILABLE: dict[str, Any] = {
    "kind": "status",
    "code": 503,
    "body": _error("SERVER_UNAVAILABLE", "Server unavailable"),
}

_NETWORK = {
    "N05": _one("reset before the body of a job's creation is complete", "drop_in_body", **_CREATE),
    "N06": _one("reset behind the creation of a job", "drop_after_effect", **_CREATE),
    "N07": _one("reset in the middle of an upload", "drop_in_body", **_PUT),
    "N08": _one("reset behind an upload, before its answer", "drop_after_effect", **_PUT),
    "N09": _one("the answer to the closing of a job is lost", "drop_after_effect", **_CLOSE),
    "N10": _one("the closing of a job arrives ten minutes late", "late", seconds=600.0, **_CLOSE),
    "N11": _one("an upload arrives ten minutes late", "late", seconds=600.0, **_PUT),
    "N12": _one("a download ends behind a row", "truncate_body", cut="row", method="GET", path=_DOWNLOAD),
    "N13": _one("a download ends inside a cell", "truncate_body", cut="quote", method="GET", path=_DOWNLOAD),
    "N14": _one(
        "a download ends inside its gzip stream", "truncate_body", cut="gzip", method="GET", path=_DOWNLOAD
    ),
    "N15": _one("10 KB/s", "slow", size=10_000, method="GET", path=_DOWNLOAD),
    "N16": _one("bytes are taken and none come back for an hour", "hole", seconds=3_600.0, path=_DATA),
    "N17": _one("answers come byte by byte", "segments", size=1, times="always"),
    "N18": _one("the creation of a job is delivered twice", "duplicate", **_CREATE),
    "N19": _one("an upload is delivered twice", "duplicate", **_PUT),
    "N20": _one("a proxy answers with its own page", "html", code=200, path=_DATA),
    "N21": _one("a connection that was to be kept ends", "hang_up", path=_DATA),
    "N22": _one("some answers hang for a while", "delay", seconds=20.0, probability=0.3, times=8, path=_DATA),
}
_ANSWERS = {
    "H01": _one("the session ends while a job is watched", "end_sessions", method="GET", path=_ANY_JOB),
    "H02": _one("the session ends at an upload", "end_sessions", **_PUT),
    "H03": _one("the session ends between pages of results", "end_sessions", method="GET", path=_PAGE, nth=2),
    "H04": _one("nobody can sign in again", "revoke_refresh", path=_DATA),
    "H05": _one(
        "the daily API requests are used up",
        "status",
        code=403,
        body=_error("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
        path=_DATA,
    ),
    "H06": _one(
        "the API is disabled for the user",
        "status",
        code=403,
        body=_error("API_DISABLED_FOR_ORG", "API is disabled for this User"),
        path=_DATA,
        times="always",
    ),
    "H07": Preset(
        "too many requests: wait, in seconds and as a date",
        tuple(
            {
                "kind": "status",
                "code": 429,
                "body": _error("REQUEST_LIMIT_EXCEEDED", "Too many requests"),
                "path": _DATA,
                **wait,
            }
            for wait in ({"retry_after": 30}, {"retry_date": 30})
        ),
    ),
    "H08": Preset(
        "500, 502, 503 and 504 in turn",
        tuple(
            {**_UNAVAILABLE, "code": code, "method": "GET", "path": _DATA} for code in (500, 502, 503, 504)
        ),
    ),
    "H09": Preset(
        "503 behind an upload and behind a closing",
        ({**_UNAVAILABLE, **_PUT, "after_effect": True}, {**_UNAVAILABLE, **_CLOSE, "after_effect": True}),
    ),
    "H10": _one(
        "an upsert finds several records",
        "status",
        code=300,
        body='["/services/data/v66.0/sobjects/Account/001000000000001AAA","/services/data/v66.0/sobjects/Account/001000000000002AAA"]',
        method="PATCH",
        path=r".*/(composite/sobjects/[^/]+/[^/]+|sobjects/[^/]+/[^/]+/[^/]+)",
    ),
    "H11": _one(
        "results cannot be had with this API version",
        "status",
        code=409,
        body=_error("API_VERSION_CONFLICT", "The job was created in another API version"),
        method="GET",
        path=_DOWNLOAD,
        times="always",
    ),
    "H33": _one(
        "a composite request is answered never and carried out late", "late", seconds=120.0, path=_COLLECTIONS
    ),
    "H34": _one(
        "the org has moved",
        "redirect",
        code=301,
        location="https://moved.my.salesforce.com",
        path=_DATA,
        times="always",
    ),
    "H35": _one(
        "a field is not there any more", "remove_field", sobject="Account", field="Description", **_CREATE
    ),
    "H36": _one(
        "the user may not see the limits",
        "status",
        code=403,
        body=_error("INSUFFICIENT_ACCESS", "You do not have access to limits"),
        path=r".*/limits.*",
        times="always",
    ),
    "H38": Preset(
        "batches of Bulk API v1 in doubt: not taken, taken, taken late",
        tuple(
            {"method": "POST", "path": _CLASSIC_BATCH, **each}
            for each in (
                {"kind": "drop_before"},
                {"kind": "drop_after_effect"},
                {"kind": "late", "seconds": 60.0},
            )
        ),
    ),
    "H39": _one(
        "maintenance: everything is 503 for two hours",
        **(_UNAVAILABLE | {"times": "always", "lasts": 7_200.0}),
    ),
}
_JOB_FAULTS = {
    "H12": _one("an administrator deletes a job that ended", "delete_jobs", method="GET", path=_RESULTS),
    "H13": _one("results are past their seven days", "expire_results", method="GET", path=_RESULTS),
    "H14": _one("results are empty", "empty", method="GET", path=_GOOD),
    "H15": _one("counters still move after JobComplete", "counters_move", method="GET", path=_JOB, times=2),
    "H16": _one("a job state that nobody knows", "job_state", method="GET", path=_ANY_JOB, times=2),
    "H17": _one("an administrator aborts an open job", "abort_jobs", after_effect=True, **_PUT),
    "H18": _one("an administrator aborts a job at work", "abort_job_after_rows", after_rows=200),
    "H19": Preset(
        "an administrator aborts a job at work, and its results cannot be had",
        (
            {"kind": "abort_job_after_rows", "after_rows": 200},
            {
                "kind": "status",
                "code": 404,
                "body": '[{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}]',
                "method": "GET",
                "path": _RESULTS,
                "times": "always",
            },
        ),
    ),
    "H20": _one(
        "a job fails for its header", "reject_job", message="InvalidBatch : Field name not found : Nothing__c"
    ),
    "H21": _one("a job meets locks until it fails", "lock_rows", times=1_000),
    "H22": _one("the daily batches are used up in the middle of a job", "lose_results", after_rows=200),
    "H23": _one("the daily records are used up", "use_up", limit="records", **_CREATE),
    "H24": _one("the data storage is full", "use_up", limit="data_storage", **_CREATE),
    "H25": _one("a job waits for six hours", "hold_job", seconds=21_600.0),
    "H26": _one("result rows in another order", "shuffled", method="GET", path=_RESULTS, times="always"),
    "H27": _one("a row comes twice among those that succeeded", "repeated_row", method="GET", path=_GOOD),
    "H28": _one("a row is among the failed ones as well", "in_both", method="GET", path=_BAD),
    "H29": _one("ids of another sObject", "foreign_id", method="GET", path=_GOOD),
    "H29b": _one("ids of 15 characters", "short_id", method="GET", path=_GOOD, times="always"),
    "H30": _one("the pages of a query never end", "locator_loop", method="GET", path=_PAGE, times="always"),
    "H31": _one("the number of records is not the number of rows", "wrong_count", method="GET", path=_PAGE),
    "H32": _one(
        "some records of a composite request are refused", "row_error", rows={"percent": 20}, times=1
    ),
    "H37": _one("batches of Bulk API v1 meet locks until they fail", "lock_rows", times=1_000),
    "H40": _one(
        "a trigger refuses the transaction of one guilty row",
        "row_error",
        code="CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
        message="Guard: execution of BeforeInsert caused by: System.NullPointerException",
        whole_transaction=True,
        times=1,
        rows={"percent": 1},
    ),
}
_ROWS = {
    "D01": _one(
        "a tenth of the rows meet locks once",
        "row_error",
        code="UNABLE_TO_LOCK_ROW",
        message=_LOCKED,
        times=1,
        rows={"percent": 10},
    ),
    "D02": _one(
        "some rows meet locks always; name those of a parent by `rows`",
        "row_error",
        code="UNABLE_TO_LOCK_ROW",
        message=_LOCKED,
        rows={"percent": 2},
    ),
    "D03": _one("a tenth of the rows are refused for good", "row_error", rows={"percent": 10}),
    "D06": _one(
        "somebody edits records that were loaded",
        "edit_records",
        percent=10,
        sobject="Account",
        values={"Description": "edited by hand"},
        at=60,
    ),
    "D07": _one(
        "somebody else's record comes first",
        "create_record",
        sobject="Account",
        values={"Name": "came first"},
        **_CREATE,
    ),
    "U04": _one(
        "somebody deletes records that were loaded", "delete_records", percent=10, sobject="Account", at=60
    ),
    "U05": _one(
        "an administrator deactivates the integration user", "deactivate_user", method="GET", path=_ANY_JOB
    ),
    "U06": _one(
        "a validation rule is switched on",
        "refuse_rows",
        after_rows=200,
        rows={"percent": 90},
        message="Region is required",
    ),
    "U07": _one("an administrator aborts all jobs", "abort_jobs", method="GET", path=_ANY_JOB, times=3),
    "U11": _one("the sandbox is refreshed", "reset", after_rows=200),
}

CATALOGUE: Mapping[str, Preset] = MappingProxyType(_NETWORK | _ANSWERS | _JOB_FAULTS | _ROWS)
