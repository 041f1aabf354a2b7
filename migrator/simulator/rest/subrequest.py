"""A request inside of a request: how it is read, sent to its resource, and filled with what others answered."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl

from migrator.simulator.http import JSON, ApiError, Headers, Request, Response, answer, dump
from migrator.simulator.orgstate import OrgState
from migrator.simulator.router import Call, Route, Router

_REFERENCE = re.compile(r"@\{([^{}]+)\}")
_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")
HALTED = "PROCESSING_HALTED"


@dataclass(frozen=True, slots=True)
class Sub:
    """One subrequest."""

    method: str
    url: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    reference: str = ""

    @property
    def path(self) -> str:
        return self.url.partition("?")[0]

    @property
    def names(self) -> frozenset[str]:
        """The references it reads."""
        texts = [*_texts(self.body), self.url, *self.headers.values()]
        found = (each for text in texts for each in _REFERENCE.findall(text))
        return frozenset(re.split(r"[.\[]", each)[0] for each in found)


class Unresolved(Exception):  # noqa: N818 - what the reference is
    """A reference to something that nobody answered."""

    def __init__(self, expression: str) -> None:
        super().__init__(expression)
        name = re.split(r"[.\[]", expression)[0]
        self.text = f"Invalid reference specified. No value for {expression} found in {name}"


def filled(sub: Sub, answers: Mapping[str, Any]) -> Sub:
    """The subrequest with its references replaced, or `Unresolved`."""
    return replace(
        sub,
        url=str(_fill(sub.url, answers)),
        body=_fill(sub.body, answers),
        headers={name: str(_fill(value, answers)) for name, value in sub.headers.items()},
    )


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case Mapping():
            for inner in value.values():
                yield from _texts(inner)
        case list():
            for inner in value:
                yield from _texts(inner)


def _fill(value: Any, answers: Mapping[str, Any]) -> Any:
    match value:
        case str():
            return _fill_text(value, answers)
        case Mapping():
            return {key: _fill(inner, answers) for key, inner in value.items()}
        case list():
            return [_fill(inner, answers) for inner in value]
        case _:
            return value


def _fill_text(text: str, answers: Mapping[str, Any]) -> Any:
    whole = _REFERENCE.fullmatch(text)
    if whole:
        return _look_up(whole[1], answers)  # a number stays one
    return _REFERENCE.sub(lambda found: str(_look_up(found[1], answers)), text)


def _look_up(expression: str, answers: Mapping[str, Any]) -> Any:
    """The value behind `reference.field[0].field`; names are case-sensitive."""
    held: Any = answers
    for name, place in _STEP.findall(expression):
        if place and isinstance(held, list) and int(place) < len(held):
            held = held[int(place)]
        elif name and isinstance(held, Mapping) and name in held:
            held = held[name]
        else:
            raise Unresolved(expression)
    return held


class Inner:
    """The resources that subrequests reach: the same functions that answer top-level requests."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._router = Router(routes)

    def send(self, org: OrgState, call: Call, sub: Sub) -> Response:
        """The answer to a subrequest; an error is an answer too."""
        path, _, query = sub.url.partition("?")
        request = Request(
            sub.method,
            path,
            dict(parse_qsl(query, keep_blank_values=True)),
            Headers(sub.headers),
            b"" if sub.body is None else dump(sub.body),
            None,
            call.request.base_url,
        )
        try:
            route, params = self._router.find(sub.method, path)
            return route.handler(org, Call(request, params, call.user_id, call.now))
        except ApiError as error:
            return Response(
                error.status, Headers({"Content-Type": JSON, **error.headers}), dump(error.body())
            )


def body_of(response: Response) -> Any:
    """The answer's JSON; None where it has no body."""
    body = response.read()
    return Response(response.status, response.headers, body).json() if body else None


def halted(text: str) -> Response:
    """The answer to a subrequest that was not carried out, or not for good."""
    return answer([{"errorCode": HALTED, "message": text}], status=400)
