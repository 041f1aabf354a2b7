"""Composite, Batch and Graph: many requests in one, through the resources that answer each alone."""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from migrator.simulator.http import ApiError, Response, answer
from migrator.simulator.orgstate import OrgState
from migrator.simulator.rest.composite_run import by_reference, collated, run, shown
from migrator.simulator.rest.subrequest import Inner, Sub, body_of, halted
from migrator.simulator.router import Call, Route

MAX_SUBREQUESTS = 25  # of Composite and Batch; REST API guide
MAX_BIG = 5  # queries and collections among them
MAX_GRAPHS, MAX_NODES, MAX_DEPTH, MAX_KINDS = 75, 500, 15, 15  # of Graph; REST API guide
MAX_FAILED = 14  # graphs that fail before the rest is left
COLLATED_SINCE = 49
GRAPH_SINCE = 50
CHECKED_SINCE = 52  # API version from which a reference with other characters fails the whole request
_NAME = re.compile(r"[A-Za-z0-9]\w*", re.ASCII)
_METHODS = ("POST", "PUT", "PATCH", "GET", "DELETE")
_BATCH_HALTED = [{"errorCode": "BATCH_PROCESSING_HALTED", "message": "Batch processing halted per request"}]
_NOT_TRIED = f"The graph was not processed since {MAX_FAILED} graphs before it failed."


def routes(inner: Sequence[Route]) -> list[Route]:
    """The routes; `inner` are those that subrequests reach."""
    reach = Inner(inner)
    base = "/services/data/v{version}/composite"
    return [
        Route("GET", base, _resources),
        Route("POST", base, partial(_composite, reach)),
        Route("POST", base + "/batch", partial(_batch, reach)),
        Route("POST", base + "/graph", partial(_graphs, reach), since=GRAPH_SINCE),
    ]


def _resources(_: OrgState, call: Call) -> Response:
    names = ("tree", "batch", "sobjects", "graph")
    return answer({name: f"{call.base}/composite/{name}" for name in names})


def _object(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ApiError(
            400, "JSON_PARSER_ERROR", f"Unexpected value where {what} was due at [line:1, column:1]"
        )
    return value


def _list(body: Mapping[str, Any], name: str) -> list[Any]:
    found = body.get(name)
    if not isinstance(found, list) or not found:
        raise ApiError(400, "REQUIRED_FIELD_MISSING", f"At least one {name} is required")
    return found


def _limit(count: int, most: int, what: str) -> None:
    if count > most:
        raise ApiError(400, "LIMIT_EXCEEDED", f"The limit of {most} {what} was exceeded: {count}")


# --- composite ---------------------------------------------------------------------------------------------------


def _composite(inner: Inner, org: OrgState, call: Call) -> Response:
    body = _object(call.request.json(), "a composite request")
    subs = _subs(call, _list(body, "compositeRequest"))
    _limit(len(subs), MAX_SUBREQUESTS, "subrequests")
    big = sum(bool(re.search(r"/(query|queryAll|composite/sobjects)(/|$)", sub.path)) for sub in subs)
    _limit(big, MAX_BIG, "queries and collections")
    collate = body.get("collateSubrequests", call.api >= COLLATED_SINCE)
    order = collated(subs) if collate else range(len(subs))
    responses, _ = run(org, call, inner, subs, order, all_or_none=body.get("allOrNone") is True)
    return answer({"compositeResponse": [shown(*each) for each in zip(subs, responses, strict=True)]})


def _subs(call: Call, listed: Sequence[Any]) -> list[Sub]:
    subs = [_sub(_object(each, "a subrequest")) for each in listed]
    names = [sub.reference for sub in subs]
    for name in names:
        if call.api >= CHECKED_SINCE and not _NAME.fullmatch(name):
            raise ApiError(
                400,
                "INVALID_INPUT",
                f"Provided referenceId ('{name}') must start with a letter or a"
                " number, and must contain only letters, numbers and underscores",
            )
        if names.count(name) > 1:
            raise ApiError(400, "INVALID_INPUT", f"Duplicate referenceId provided ({name})")
    return subs


def _sub(asked: Mapping[str, Any]) -> Sub:
    for name in ("method", "url", "referenceId"):
        if not isinstance(asked.get(name), str) or not asked[name]:
            raise ApiError(400, "REQUIRED_FIELD_MISSING", f"A subrequest needs the property {name}")
    method = asked["method"].upper()
    if method not in _METHODS:
        raise ApiError(400, "INVALID_INPUT", f"Invalid method: {asked['method']}")
    headers = _object(asked.get("httpHeaders") or {}, "headers")
    return Sub(
        method,
        asked["url"],
        asked.get("body"),
        {key: str(value) for key, value in headers.items()},
        asked["referenceId"],
    )


# --- batch -------------------------------------------------------------------------------------------------------


def _batch(inner: Inner, org: OrgState, call: Call) -> Response:
    body = _object(call.request.json(), "a batch request")
    listed = _list(body, "batchRequests")
    _limit(len(listed), MAX_SUBREQUESTS, "subrequests")
    halt = body.get("haltOnError") is True
    results: list[dict[str, Any]] = []
    failed = False
    for each in listed:
        asked = _object(each, "a subrequest")
        if failed and halt:
            results.append({"statusCode": 412, "result": _BATCH_HALTED})
            continue
        url = str(asked.get("url", "")).removeprefix("/services/data/").lstrip("/")
        sub = Sub(str(asked.get("method", "")).upper(), f"/services/data/{url}", asked.get("richInput"))
        response = inner.send(org, call, sub)
        failed = failed or response.status >= 400
        results.append({"statusCode": response.status, "result": body_of(response)})
    return answer({"hasErrors": failed, "results": results})


# --- graph -------------------------------------------------------------------------------------------------------


def _graphs(inner: Inner, org: OrgState, call: Call) -> Response:
    body = _object(call.request.json(), "a graph request")
    listed = [_object(each, "a graph") for each in _list(body, "graphs")]
    _limit(len(listed), MAX_GRAPHS, "graphs")
    graphs = [(str(each.get("graphId", "")), _subs(call, _list(each, "compositeRequest"))) for each in listed]
    names = [name for name, _ in graphs]
    if "" in names or len(set(names)) < len(names):
        raise ApiError(400, "INVALID_INPUT", "Every graph needs a graphId of its own")
    _limit(sum(len(subs) for _, subs in graphs), MAX_NODES, "nodes")
    shown_graphs: list[dict[str, Any]] = []
    failed = 0
    for name, subs in graphs:
        order = _graph_order(name, subs)
        if failed >= MAX_FAILED:
            responses, good = [halted(_NOT_TRIED)] * len(subs), False
        else:
            responses, good = run(org, call, inner, subs, order, all_or_none=True)
        failed += not good
        inside = [shown(*each) for each in zip(subs, responses, strict=True)]
        shown_graphs.append(
            {"graphId": name, "graphResponse": {"compositeResponse": inside}, "isSuccessful": good}
        )
    return answer({"graphs": shown_graphs})


def _graph_order(name: str, subs: Sequence[Sub]) -> list[int]:
    found = by_reference(subs)
    if found is None:
        raise ApiError(400, "INVALID_INPUT", f"The references of graph {name} go in a circle")
    order, depth = found
    _limit(depth, MAX_DEPTH, f"levels of graph {name}")
    kinds = {tuple(sub.path.split("/")[4:6]) for sub in subs}
    _limit(len(kinds), MAX_KINDS, f"kinds of nodes of graph {name}")
    return order
