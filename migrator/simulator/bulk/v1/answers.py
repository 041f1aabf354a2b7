"""In which format Bulk API v1 answers, and how it words an error.

Job resources follow the request's Content-Type, and without one the format in which the job was made. Batch resources are
JSON only for jobs whose batches are, and never when the request says XML: clients that make a job in JSON and send CSV
read XML there.
"""

from collections.abc import Mapping, Sequence

from migrator.simulator.bulk.v1.job import Batch, Content, Job, Shown, batch_form, job_form, xml_time
from migrator.simulator.bulk.v1.xml import Element, document
from migrator.simulator.http import ApiError, Headers, Request, Response, dump

JSON_TYPE = "application/json"  # without a charset: clients compare it whole
XML_TYPE = "application/xml"
_CODES = {
    "INVALID_SESSION_ID": (400, "InvalidSessionId", "Invalid session id"),
    "NOT_FOUND": (404, "InvalidUrl", ""),
    "METHOD_NOT_ALLOWED": (405, "MethodNotAllowed", ""),
    "REQUEST_LIMIT_EXCEEDED": (403, "ExceededQuota", ""),
    "JSON_PARSER_ERROR": (400, "InvalidJob", ""),
    "UNKNOWN_EXCEPTION": (400, "ClientInputError", ""),
}


def refused(code: str, message: str) -> ApiError:
    """An error in the words of this API."""
    return ApiError(400, code, message)


def says(request: Request, what: str) -> bool:
    """Whether the request's Content-Type is of that kind."""
    return what in request.headers.get("Content-Type", "").lower()


def error_answer(request: Request, error: ApiError) -> Response:
    """An error as this API shows it."""
    status, code, message = _CODES.get(error.code, (error.status, error.code, ""))
    shown = {"exceptionCode": code, "exceptionMessage": message or error.message}
    return _answer(shown, "error", as_json=says(request, "json"), status=status)


def job_answer(request: Request, job: Job, *, status: int = 200) -> Response:
    """A job."""
    as_json = says(request, "json") or (job.spec.json and not says(request, "xml"))
    shown = {**job_form(job), "fastPathEnabled": False} if as_json else job_form(job, xml_time)
    return _answer(shown, "jobInfo", as_json=as_json, status=status)


def batch_answer(request: Request, job: Job, batch: Batch, *, status: int = 200) -> Response:
    """A batch."""
    as_json = batches_in_json(request, job)
    shown = batch_form(job, batch) if as_json else batch_form(job, batch, xml_time)
    return _answer(shown, "batchInfo", as_json=as_json, status=status)


def list_answer(request: Request, job: Job) -> Response:
    """All batches of a job, in the order they were made."""
    batches = list(job.batches.values())
    if batches_in_json(request, job):
        return _json({"batchInfo": [_sorted(batch_form(job, batch)) for batch in batches]})
    listed = [("batchInfo", _elements(batch_form(job, batch, xml_time))) for batch in batches]
    return _xml(document("batchInfoList", listed))


def result_list_answer(request: Request, job: Job, batch: Batch) -> Response:
    """The ids of a query's results."""
    if batches_in_json(request, job):
        return _json(batch.results)
    return _xml(document("result-list", [("result", each) for each in batch.results]))


def batches_in_json(request: Request, job: Job) -> bool:
    """Whether batch resources of the job are JSON for this request."""
    return job.spec.content is Content.JSON and not says(request, "xml")


def _answer(shown: Shown, name: str, *, as_json: bool, status: int) -> Response:
    if as_json:
        return _json(_sorted(shown), status)
    return _xml(document(name, _elements(shown)), status)


def _sorted(shown: Mapping[str, object]) -> dict[str, object]:
    return dict(sorted(shown.items()))


def _elements(shown: Shown) -> Sequence[Element]:
    return [(name, str(value)) for name, value in shown.items() if value is not None]


def _json(value: object, status: int = 200) -> Response:
    return Response(status, Headers({"Content-Type": JSON_TYPE}), dump(value))


def _xml(body: bytes, status: int = 200) -> Response:
    return Response(status, Headers({"Content-Type": XML_TYPE}), body)
