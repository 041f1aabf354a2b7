"""What an org says about itself: API versions, its resources, limits, rough record counts."""

from typing import Any

from migrator.simulator.auth.identity import identity_url
from migrator.simulator.http import ApiError, Response, answer
from migrator.simulator.limits import Limits, Window
from migrator.simulator.orgstate import OrgState
from migrator.simulator.router import NEWEST, OLDEST, Call, Route

_SEASONS = ("Spring", "Summer", "Winter")
_FIRST_SUMMER = 31  # Summer '14
_CURLY = 42  # the one version whose label has a curly apostrophe
_CURLY_APOSTROPHE = "\N{RIGHT SINGLE QUOTATION MARK}"

RESOURCES = (
    "tooling",
    "metadata",
    "eclair",
    "folders",
    "prechatForms",
    "contact-tracing",
    "jsonxform",
    "chatter",
    "payments",
    "tabs",
    "appMenu",
    "quickActions",
    "queryAll",
    "commerce",
    "wave",
    "iot",
    "analytics",
    "search",
    "smartdatadiscovery",
    "identity",
    "composite",
    "parameterizedSearch",
    "fingerprint",
    "theme",
    "nouns",
    "domino",
    "event",
    "serviceTemplates",
    "recent",
    "connect",
    "licensing",
    "limits",
    "process",
    "dedupe",
    "query",
    "emailConnect",
    "compactLayouts",
    "knowledgeManagement",
    "sobjects",
    "actions",
    "support",
    "consent",
    "localizedvalue",
    "mobile",
    "tokenizer",
)


def version_label(version: int) -> str:
    """The release of an API version: 31 is Summer '14, 66 Spring '26."""
    place = version - _FIRST_SUMMER + 1  # Spring '14 would be place 0
    season, year = _SEASONS[place % 3], 14 + place // 3
    if season == "Winter":
        year += 1  # Winter '15 comes out in October 2014
    apostrophe = _CURLY_APOSTROPHE if version == _CURLY else "'"
    return f"{season} {apostrophe}{year}"


def versions(_: OrgState, __: Call) -> Response:
    """All versions, the oldest first; needs no token."""
    return answer(
        [
            {"label": version_label(each), "url": f"/services/data/v{each}.0", "version": f"{each}.0"}
            for each in range(OLDEST, NEWEST + 1)
        ]
    )


def resources(org: OrgState, call: Call) -> Response:
    """The resources of one version; `identity` is the address of the user, as clients take it from here."""
    listed = list(RESOURCES) + (["jobs"] if call.api >= 41 else [])
    found = {name: f"{call.base}/{name}" for name in sorted(listed)}
    return answer(found | {"identity": identity_url(org, call.request.base_url, call.user_id)})


def _limit(maximum: int, used: int = 0) -> dict[str, int]:
    return {"Max": maximum, "Remaining": max(0, maximum - used)}


def _left(window: Window, now: float) -> dict[str, int]:
    return _limit(window.limit, window.used(now))


def limits(org: OrgState, _: Call) -> Response:
    """The limits with what is left of them."""
    settings, used, now = org.settings, org.part(Limits), org.clock.now()
    body: dict[str, Any] = {
        "AnalyticsExternalDataSizeMB": _limit(40_960),
        "ConcurrentAsyncGetReportInstances": _limit(200),
        "ConcurrentSyncReportRuns": _limit(20),
        "DailyApiRequests": _left(used.api_requests, now),
        "DailyAsyncApexExecutions": _limit(250_000),
        "DailyBulkApiBatches": _left(used.batches, now),
        "DailyBulkV2QueryFileStorageMB": _limit(
            settings.query_storage_mb, used.query_storage.used(now) // (1_024 * 1_024)
        ),
        "DailyBulkV2QueryJobs": _left(used.query_jobs, now),
        "DailyDurableStreamingApiEvents": _limit(10_000),
        "DailyGenericStreamingApiEvents": _limit(10_000),
        "DailyStreamingApiEvents": _limit(10_000),
        "DailyWorkflowEmails": _limit(100_015),
        "DataStorageMB": _limit(settings.data_storage_mb, used.data_mb()),
        "FileStorageMB": _limit(settings.file_storage_mb, used.file_mb()),
        "HourlyAsyncReportRuns": _limit(1_200),
        "HourlyODataCallout": _limit(1_000),
        "HourlyPublishedPlatformEvents": _limit(50_000),
        "HourlyTimeBasedWorkflow": _limit(1_000),
        "MassEmail": _limit(5_000),
        "MonthlyPlatformEvents": _limit(1_500_000),
        "PermissionSets": {**_limit(1_500), "CreateCustom": _limit(1_000)},
        "SingleEmail": _limit(5_000),
        "StreamingApiConcurrentClients": _limit(1_000),
    }
    return answer(body)


class RecordCounts:
    """Counts of all records as somebody took them a while ago; `org.part(RecordCounts)`."""

    def __init__(self, org: OrgState) -> None:
        self._org = org
        self._taken = float("-inf")
        self._counts: dict[str, int] = {}

    def of(self, sobject: str) -> int:
        """How many records there were."""
        now = self._org.now()
        if now - self._taken >= self._org.settings.record_count_age:
            self._taken = now
            self._counts = {table.sobject.name: len(table) for table in self._org.store.tables()}
        return self._counts.get(sobject, 0)


def record_count(org: OrgState, call: Call) -> Response:
    """Rough counts, not always of now; sObjects without records are left out."""
    view = org.view(call.user_id)
    if not view.may("ViewSetup"):
        raise ApiError(
            403, "INSUFFICIENT_ACCESS", "You do not have the View Setup and Configuration permission"
        )
    asked = [name.strip() for name in call.request.query.get("sObjects", "").split(",") if name.strip()]
    found = [view.schema.sobject(name) for name in asked] if asked else list(view.schema.sobjects)
    counts = org.part(RecordCounts)
    counted = [(counts.of(each.name), each.name) for each in found if each]
    return answer({"sObjects": [{"count": count, "name": name} for count, name in counted if count]})


def routes() -> list[Route]:
    """The resources about the org itself."""
    return [
        Route("GET", "/services/data", versions, public=True, counted=False),
        Route("GET", "/services/data/v{version}", resources),
        Route("GET", "/services/data/v{version}/limits", limits),
        Route("GET", "/services/data/v{version}/limits/recordCount", record_count, since=40),
    ]
