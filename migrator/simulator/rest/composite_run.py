"""Carrying out subrequests that may refer to each other, each for itself or all or nothing.

**Invariant:** answers are in the order of the request, whatever the order in which they were made.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from migrator.simulator.http import Response
from migrator.simulator.locks.requests import transact
from migrator.simulator.orgstate import OrgState
from migrator.simulator.rest.subrequest import Inner, Sub, Unresolved, body_of, filled, halted
from migrator.simulator.router import Call
from migrator.simulator.savepoint import Savepoint

_SHOWN_HEADERS = ("Location", "ETag", "Last-Modified")
ROLLED_BACK = "The transaction was rolled back since another operation in the same transaction failed."


def run(
    org: OrgState, call: Call, inner: Inner, subs: Sequence[Sub], order: Sequence[int], *, all_or_none: bool
) -> tuple[list[Response], bool]:
    """The answers, and whether all went well."""
    if not all_or_none:
        made, failed = _carry_out(org, call, inner, subs, order, stop=False)
        return [made[place] for place in range(len(subs))], failed is None

    def all_of_them(savepoint: Savepoint) -> tuple[dict[int, Response], int | None]:
        made, failed = _carry_out(org, call, inner, subs, order, stop=True)
        if failed is not None:
            savepoint.rollback()
            made = {**dict.fromkeys(range(len(subs)), halted(ROLLED_BACK)), failed: made[failed]}
        return made, failed

    made, failed = transact(org, all_of_them)
    return [made[place] for place in range(len(subs))], failed is None


def _carry_out(
    org: OrgState, call: Call, inner: Inner, subs: Sequence[Sub], order: Sequence[int], *, stop: bool
) -> tuple[dict[int, Response], int | None]:
    """The answers by place, up to the first failure when it stops there, and the place of that."""
    answers: dict[str, Any] = {}
    made: dict[int, Response] = {}
    failed: int | None = None
    for place in order:
        response = made[place] = _one(org, call, inner, subs[place], answers)
        if response.status < 400:
            answers[subs[place].reference] = body_of(response)
        if failed is None and _is_failure(response):
            failed = place
            if stop:
                break
    return made, failed


def _one(org: OrgState, call: Call, inner: Inner, sub: Sub, answers: Mapping[str, Any]) -> Response:
    try:
        ready = filled(sub, answers)
    except Unresolved as fault:
        return halted(fault.text)
    response = inner.send(org, call, ready)
    return Response(response.status, response.headers, response.read())


def _is_failure(response: Response) -> bool:
    """An error, or a collection of which a record failed."""
    if response.status >= 400:
        return True
    body = body_of(response)
    return isinstance(body, list) and any(
        isinstance(each, dict) and each.get("success") is False for each in body
    )


def shown(sub: Sub, response: Response) -> dict[str, Any]:
    """An answer as part of the whole answer."""
    headers = {name: response.headers[name] for name in _SHOWN_HEADERS if name in response.headers}
    return {
        "body": body_of(response),
        "httpHeaders": headers,
        "httpStatusCode": response.status,
        "referenceId": sub.reference,
    }


# --- orders ------------------------------------------------------------------------------------------------------


def collated(subs: Sequence[Sub]) -> list[int]:
    """Creations of the same sObject together, where they do not refer to what comes between them."""
    waiting = list(range(len(subs)))
    done: list[int] = []
    while waiting:
        first = waiting[0]
        known = {subs[place].reference for place in done}
        group = [first]
        if _creates(subs[first]):
            group += [
                place
                for place in waiting[1:]
                if _creates(subs[place])
                and subs[place].path == subs[first].path
                and subs[place].names <= known
            ]
        done += group
        waiting = [place for place in waiting if place not in group]
    return done


def _creates(sub: Sub) -> bool:
    return sub.method == "POST" and "/sobjects/" in sub.path and "/composite/" not in sub.path


def by_reference(subs: Sequence[Sub]) -> tuple[list[int], int] | None:
    """An order in which everything comes after what it refers to, and the longest chain; None for a circle."""
    own = {sub.reference: place for place, sub in enumerate(subs)}
    parents = [{own[name] for name in sub.names if name in own} for sub in subs]
    depth: dict[int, int] = {}
    order: list[int] = []
    while len(order) < len(subs):
        ready = [place for place in range(len(subs)) if place not in depth and parents[place] <= depth.keys()]
        if not ready:
            return None
        for place in ready:
            depth[place] = 1 + max((depth[parent] for parent in parents[place]), default=0)
            order.append(place)
    return order, max(depth.values(), default=0)
