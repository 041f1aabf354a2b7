"""An org: everything that the product asks of Salesforce, one method a request.

**Invariant:** answers become frozen values here or raise `RequestFailed`; row faults are values, never exceptions.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, Self, TypeVar
from urllib.parse import quote

from migrator.model.plan import NO_HEADERS, Headers
from migrator.model.schema import OrgSchema, SObjectSchema, sobject_from_describe
from migrator.model.wire import JobInfo, JobState, Limits, OrgIdentity
from migrator.salesforce.answers import broken_answer
from migrator.salesforce.bulk1 import Bulk1
from migrator.salesforce.cells import to_record
from migrator.salesforce.exchange import CSV, JSON, Answer, Call
from migrator.salesforce.failure import RequestFailed
from migrator.salesforce.metadata import Metadata
from migrator.salesforce.session import Download, Session
from migrator.salesforce.wire import (
    ListPage,
    Malformed,
    RowReply,
    as_object,
    parse_job_info,
    parse_limits,
    parse_list_page,
    parse_names,
    parse_row_replies,
)

T = TypeVar("T")

ResultKind = Literal["successful", "failed", "unprocessed"]

#: REST API guide, "Execution Considerations for sObject Collections"
MAX_COLLECTION_ROWS: Final = 200
#: a list that needs more pages than this goes round in circles
MAX_LIST_PAGES: Final = 10_000
DESCRIBE_THREADS: Final = 4

_RESULT_PATHS: Final[Mapping[str, str]] = {
    "successful": "successfulResults",
    "failed": "failedResults",
    "unprocessed": "unprocessedrecords",
}
_COLLECTION_METHODS: Final[Mapping[str, str]] = {"insert": "POST", "update": "PATCH", "upsert": "PATCH"}
#: assignment rules would take records from the owners that the plan gives them
_NO_ASSIGNMENT: Final = {"Sforce-Auto-Assign": "FALSE"}
#: REST API guide, "Duplicate Rule Header": alerts are overruled, blocks are not
_ALLOW_DUPLICATES: Final = {"Sforce-Duplicate-Rule-Header": "allowSave=true"}
_ORGANIZATION: Final = "SELECT Id, Name, OrganizationType, IsSandbox FROM Organization"


class Org:
    """One Salesforce org, safe to use from several threads."""

    #: how many records `send_rows` takes at most
    max_rows: ClassVar[int] = MAX_COLLECTION_ROWS

    def __init__(self, alias: str, api_version: str, session: Session, *, own_clock: bool = False) -> None:
        self.alias = alias
        self.api_version = api_version
        #: whether its clock is not meant to agree with ours
        self.own_clock = own_clock
        self._session = session
        self._base = f"/services/data/v{api_version}"
        #: serial loads
        self.bulk1 = Bulk1(session, api_version)
        #: deferring sharing calculation
        self.metadata = Metadata(session, api_version)
        self._identity: OrgIdentity | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    @property
    def requests(self) -> int:
        """How many requests were made so far."""
        return self._session.requests

    @property
    def under_way(self) -> int:
        """How many requests have no whole answer yet."""
        return self._session.under_way

    @property
    def skew(self) -> float | None:
        """By how many seconds the org's clock is ahead of ours, by its last answer; None: it does not tell."""
        return self._session.skew

    # -- who, what, how much

    def identity(self) -> OrgIdentity:
        """Who we are and where; asked once."""
        if self._identity is None:
            self._identity = self._ask_identity()
        return self._identity

    def _ask_identity(self) -> OrgIdentity:
        user = self._get("/services/oauth2/userinfo", _user)
        organization = next(iter(self.query(_ORGANIZATION)), {})
        sandbox = organization.get("IsSandbox") is True
        return OrgIdentity(
            organization_id=user["organization_id"],
            user_id=user["user_id"],
            username=user["preferred_username"],
            instance_url=self._session.origin,
            # developer editions hold nobody's business; when in doubt, it is production
            production=not sandbox and organization.get("OrganizationType") != "Developer Edition",
            organization_name=str(organization.get("Name") or ""),
        )

    def limits(self) -> Limits:
        """Allocations and what is left of them."""
        return self._get(f"{self._base}/limits", parse_limits)

    def describe(self, names: Sequence[str], *, threads: int = DESCRIBE_THREADS) -> OrgSchema:
        """The schema of these sObjects; those that the org does not have (or show) are left out."""
        wanted = sorted(set(names))
        known = self._get(f"{self._base}/sobjects", parse_names)
        with ThreadPoolExecutor(max(1, min(threads, len(wanted))), "describe") as pool:
            found = [one for one in pool.map(self._describe, wanted) if one is not None]
        identity = self.identity()
        return OrgSchema(
            organization_id=identity.organization_id,
            production=identity.production,
            api_version=self.api_version,
            sobjects={one.name: one for one in found},
            names=known,
        )

    def _describe(self, name: str) -> SObjectSchema | None:
        try:
            return self._get(f"{self._base}/sobjects/{quote(name, safe='')}/describe", _described)
        except RequestFailed as failed:
            if failed.status == 404:
                return None
            raise

    def query(self, soql: str) -> tuple[dict[str, Any], ...]:
        """All records of a (small) query."""
        records: list[dict[str, Any]] = []
        for page in self._list_pages(f"{self._base}/query", {"q": soql}):
            records += ({key: one for key, one in row.items() if key != "attributes"} for row in page.records)
        return tuple(records)

    def count(self, soql: str) -> int:
        """The result of a `SELECT COUNT() …` query."""
        return self._get(f"{self._base}/query", _total, {"q": soql})

    # -- Bulk API 2.0 ingest

    def create_ingest(
        self, sobject: str, operation: str, external_id: str | None = None, *, assignment_rule: str = ""
    ) -> JobInfo:
        """An open ingest job without content. Never multipart: such a job would start at once."""
        form = {"object": sobject, "operation": operation, "contentType": "CSV", "lineEnding": "LF"}
        if external_id:
            form["externalIdFieldName"] = external_id
        if assignment_rule:
            form["assignmentRuleId"] = assignment_rule
        return self._write("POST", self._ingest(), form, parse_job_info)

    def upload(self, job_id: str, path: Path) -> None:
        """The job's content; once per job."""
        with path.open("rb") as content:
            call = Call(
                "PUT",
                f"{self._ingest(job_id)}/batches",
                headers={"Content-Type": CSV, "Content-Length": str(path.stat().st_size)},
                content=content,
            )
            self._session.call(call)

    def close_upload(self, job_id: str) -> JobInfo:
        """UploadComplete: from here on the org processes the job."""
        return self._set_state(self._ingest(job_id), JobState.UPLOAD_COMPLETE)

    def abort(self, job_id: str) -> JobInfo:
        """Abort an ingest job."""
        return self._set_state(self._ingest(job_id), JobState.ABORTED)

    def job(self, job_id: str) -> JobInfo:
        """How an ingest job stands."""
        return self._get(self._ingest(job_id), parse_job_info)

    def results(self, job_id: str, kind: ResultKind) -> Download:
        """One of the three result sets, as CSV."""
        return self._session.download(
            Call("GET", f"{self._ingest(job_id)}/{_RESULT_PATHS[kind]}", accept=CSV)
        )

    def ingest_jobs(self) -> tuple[JobInfo, ...]:
        """All Bulk API 2.0 ingest jobs that the org still knows, in no order."""
        pages = self._list_pages(self._ingest(), {"jobType": "V2Ingest"})
        return tuple(parse_job_info(one) for page in pages for one in page.records)

    def _ingest(self, job_id: str = "") -> str:
        return f"{self._base}/jobs/ingest/{job_id}".rstrip("/")

    # -- Bulk API 2.0 query

    def create_query(self, soql: str, *, deleted_too: bool = False) -> JobInfo:
        """A query job; it starts at once and changes nothing."""
        operation = "queryAll" if deleted_too else "query"
        form = {"operation": operation, "query": soql, "contentType": "CSV", "lineEnding": "LF"}
        return self._write("POST", self._queries(), form, parse_job_info)

    def query_job(self, job_id: str) -> JobInfo:
        """How a query job stands."""
        return self._get(self._queries(job_id), parse_job_info)

    def page(self, job_id: str, locator: str = "", max_records: int | None = None) -> Download:
        """One page of the results, the first without a locator. The same arguments give the same page."""
        params = {"locator": locator} if locator else {}
        params |= {"maxRecords": str(max_records)} if max_records else {}
        return self._session.download(Call("GET", f"{self._queries(job_id)}/results", params, accept=CSV))

    def _queries(self, job_id: str = "") -> str:
        return f"{self._base}/jobs/query/{job_id}".rstrip("/")

    # -- REST

    def send_rows(
        self,
        sobject: str,
        operation: str,
        external_id: str | None,
        records: Sequence[Mapping[str, str | None]],
        types: Mapping[str, str],
        asked: Headers = NO_HEADERS,
    ) -> tuple[RowReply, ...]:
        """Send at most 200 rows of text cells, each on its own (`allOrNone: false`); answered in their order.

        `types` gives the field types that decide numbers and booleans; `#N/A` sends null, an empty cell nothing. `asked`: what
        the org is to do beside.
        """
        if not 0 < len(records) <= MAX_COLLECTION_ROWS:
            raise ValueError(f"1 to {MAX_COLLECTION_ROWS} records go in one request, not {len(records)}")
        path = f"{self._base}/composite/sobjects"
        if operation == "upsert":
            path = "/".join((path, quote(sobject, safe=""), quote(external_id or "Id", safe="")))
        form = {"allOrNone": False, "records": [to_record(sobject, one, types) for one in records]}
        return self._write(
            _COLLECTION_METHODS[operation],
            path,
            form,
            lambda body: parse_row_replies(body, len(records)),
            headers={
                **({"Sforce-Auto-Assign": asked.assignment_rule} if asked.assignment_rule else {}),
                **(_ALLOW_DUPLICATES if asked.allow_duplicates else {}),
            },
        )

    def delete_record(self, sobject: str, record_id: str) -> None:
        """Delete one record; one that is gone already is no failure."""
        path = f"{self._base}/sobjects/{quote(sobject, safe='')}/{quote(record_id, safe='')}"
        try:
            self._session.call(Call("DELETE", path))
        except RequestFailed as failed:
            if failed.error_code not in {"ENTITY_IS_DELETED", "NOT_FOUND"}:
                raise

    # -- the ways in

    def _get(self, path: str, parse: Callable[[Any], T], params: Mapping[str, str] | None = None) -> T:
        call = Call("GET", path, params or {})
        return self._parsed(call, self._session.call(call), parse)

    def _write(
        self,
        method: str,
        path: str,
        form: Mapping[str, Any],
        parse: Callable[[Any], T],
        headers: Mapping[str, str] | None = None,
    ) -> T:
        content = json.dumps(form, ensure_ascii=False, allow_nan=False).encode()
        told = {"Content-Type": f"{JSON};charset=UTF-8", **_NO_ASSIGNMENT, **(headers or {})}
        call = Call(method, path, headers=told, content=content)
        return self._parsed(call, self._session.call(call), parse)

    def _set_state(self, path: str, state: JobState) -> JobInfo:
        return self._write("PATCH", path, {"state": state.value}, parse_job_info)

    def _list_pages(self, path: str, params: Mapping[str, str]) -> "list[ListPage]":
        pages = [self._get(path, parse_list_page, params)]
        seen = set[str]()
        while pages[-1].next_url:
            following = self._session.path_of(pages[-1].next_url)
            if following in seen or len(seen) >= MAX_LIST_PAGES:
                raise broken_answer("its pages go round in circles", f"{self.alias}: GET {path}", 200)
            seen.add(following)
            pages.append(self._get(following, parse_list_page))
        return pages

    def _parsed(self, call: Call, answer: Answer, parse: Callable[[Any], T]) -> T:
        try:
            return parse(answer.body)
        except (Malformed, KeyError, TypeError, ValueError) as fault:
            reason = str(fault) if isinstance(fault, Malformed) else "it has not the documented form"
            raise broken_answer(reason, self._session.where(call), answer.status) from fault


def _described(body: Any) -> SObjectSchema:
    return sobject_from_describe(as_object(body, "describe"))


def _total(body: Any) -> int:
    total = parse_list_page(body).total
    if total is None:
        raise Malformed("a count query has no totalSize")
    return total


def _user(body: Any) -> Mapping[str, str]:
    user = as_object(body, "userinfo")
    return {key: str(user[key]) for key in ("organization_id", "user_id", "preferred_username")}
