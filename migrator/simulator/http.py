"""What goes in and out of an org: a request, a response, and the error that becomes a response.

The org never sees a socket; `server` and tests hand it a `Request` and send its `Response` on.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

JSON = "application/json;charset=UTF-8"


class Headers(Mapping[str, str]):
    """Headers by name in any case."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        pairs = items.items() if isinstance(items, Mapping) else items
        self._items = {name.lower(): (name, value) for name, value in pairs}

    def __getitem__(self, name: str) -> str:
        return self._items[name.lower()][1]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._items.values())

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._items

    def with_(self, more: Mapping[str, str]) -> "Headers":
        """A copy with these headers set as well."""
        return Headers([*self._items.values(), *more.items()])


@dataclass(frozen=True, slots=True)
class Request:
    """A request as the org reads it. A big upload comes as `stream` (a file) with `body` empty."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    stream: BinaryIO | None = None
    base_url: str = "https://example.my.salesforce.com"
    carried: bool = False  # a network has brought it, which may have cut other requests on their way
    raced: bool = False  # delivered twice at once: what the first delivery did is not seen yet

    def read(self) -> bytes:
        """The whole body."""
        if self.stream is None:
            return self.body
        self.stream.seek(0)
        return self.stream.read()

    def json(self) -> Any:
        """The body as JSON, or the platform's error: its parser's, or 415 for a body that says it is something else."""
        kind = self.headers.get("Content-Type", "application/json").partition(";")[0].strip().lower()
        if kind and "json" not in kind:
            text = f"The request's media type {kind} is not supported by this resource"
            raise ApiError(415, "UNSUPPORTED_MEDIA_TYPE", text)
        try:
            return json.loads(self.read() or b"{}")
        except json.JSONDecodeError as fault:
            text = f"Unexpected character at [line:{fault.lineno}, column:{fault.colno}]"
            raise ApiError(400, "JSON_PARSER_ERROR", text) from fault
        except ValueError as fault:
            raise ApiError(400, "JSON_PARSER_ERROR", "Invalid UTF-8 at [line:1, column:1]") from fault


@dataclass(frozen=True, slots=True)
class Delivery:
    """How the network brings an answer to the client."""

    segment: int = 0  # bytes sent at once; 0: as many as there are
    bytes_per_second: int = 0  # 0: as fast as can be
    silent: float = 0.0  # seconds in which nothing comes, after which the connection ends
    hang_up: bool = False  # the connection ends behind the answer, unannounced


@dataclass(frozen=True, slots=True)
class Response:
    """What the org answers. A long body may be an iterable of byte strings."""

    status: int
    headers: Headers = field(default_factory=Headers)
    body: bytes | Iterable[bytes] = b""
    delivery: Delivery | None = None

    def read(self) -> bytes:
        """The whole body."""
        return self.body if isinstance(self.body, bytes) else b"".join(self.body)

    def json(self) -> Any:
        return json.loads(self.read())


class ApiError(Exception):
    """An answer that is an error, as the REST API words it: `[{"message": …, "errorCode": …}]`."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        fields: Sequence[str] | None = None,
        code_first: bool = False,
        fields_first: bool = False,
        headers: Mapping[str, str] | None = None,
        listed: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.fields = fields
        self.code_first = code_first
        self.fields_first = fields_first
        self.headers = dict(headers or {})
        self.listed = (
            listed  # all errors as they are printed, where there is more to say than code and message
        )

    def body(self) -> list[dict[str, Any]]:
        """The envelope; subsystems differ in the order of the keys and in whether `fields` is there."""
        if self.listed:
            return list(map(dict, self.listed))
        if self.code_first:
            found: dict[str, Any] = {"errorCode": self.code, "message": self.message}
        else:
            found = {"message": self.message, "errorCode": self.code}
        if self.fields is not None and self.fields_first:
            found = {"fields": list(self.fields), **found}
        elif self.fields is not None:
            found["fields"] = list(self.fields)
        return [found]


def not_found() -> ApiError:
    """The 404 of a path or record that is not there."""
    return ApiError(404, "NOT_FOUND", "The requested resource does not exist", code_first=True)


def dump(value: Any, *, pretty: bool = False) -> bytes:
    """JSON bytes: compact, or with two spaces and ` : ` as `X-PrettyPrint` and the job resources have it."""
    if pretty:
        return json.dumps(value, ensure_ascii=False, indent=2, separators=(",", " : ")).encode()
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def answer(
    value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None, pretty: bool = False
) -> Response:
    """A JSON response."""
    return Response(status, Headers({"Content-Type": JSON, **(headers or {})}), dump(value, pretty=pretty))
