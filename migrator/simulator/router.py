"""From method and path to the function that answers.

An API module has `routes()`; a route's pattern has its parameters in braces, `{version}` being `59.0` of `v59.0`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from migrator.simulator.http import ApiError, Request, Response, not_found
from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.context import Context

OLDEST, NEWEST = 31, 66  # API versions; 21 to 30 were retired in Summer '25


@dataclass(frozen=True, slots=True)
class Call:
    """One request on its way to its function."""

    request: Request
    params: Mapping[str, str]
    user_id: str = ""
    now: float = 0.0

    @property
    def version(self) -> str:
        """The API version in the path, `59.0`."""
        return self.params.get("version", f"{NEWEST}.0")

    @property
    def api(self) -> int:
        """The API version as a number, 59."""
        return int(self.version.partition(".")[0])

    @property
    def base(self) -> str:
        """The path that the version's resources lie under."""
        return f"/services/data/v{self.version}"

    @property
    def context(self) -> Context:
        """What a transaction of this request runs under."""
        allow_save = self.duplicate_rule("allowSave")
        assignment = self.request.headers.get("Sforce-Auto-Assign", "TRUE")  # the default of REST
        return Context(
            self.user_id,
            self.now,
            f"{self.request.method} {self.request.path}",
            allow_save,
            ""
            if assignment.upper() == "FALSE"
            else assignment.upper()
            if len(assignment) < 15
            else assignment,
        )

    def duplicate_rule(self, option: str) -> bool:
        """Whether the duplicate rule header (`allowSave=true; includeRecordDetails=true`) has the option."""
        given = self.request.headers.get("Sforce-Duplicate-Rule-Header", "")
        pairs = dict(each.partition("=")[::2] for each in given.replace(" ", "").lower().split(";"))
        return pairs.get(option.lower()) == "true"


Handler = Callable[[OrgState, Call], Response]


@dataclass(frozen=True, slots=True)
class Route:
    """One resource with one method."""

    method: str
    pattern: str
    handler: Handler
    public: bool = False  # needs no token
    counted: bool = True  # shows and costs API usage
    since: int = OLDEST  # the first API version that has it
    _regex: list[re.Pattern[str]] = field(default_factory=list, repr=False, compare=False)

    def match(self, path: str) -> dict[str, str] | None:
        """The parameters, when the path fits."""
        if not self._regex:
            escaped = re.escape(self.pattern).replace(r"\{", "{").replace(r"\}", "}")
            self._regex.append(re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", escaped) + "/?"))
        found = self._regex[0].fullmatch(path)
        return {name: unquote(value) for name, value in found.groupdict().items()} if found else None


class Router:
    """All routes; the first that fits answers, literal segments before parameters."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._by_size: dict[int, list[Route]] = {}
        for route in sorted(routes, key=lambda each: (each.pattern.count("{"), each.pattern)):
            self._by_size.setdefault(_size(route.pattern), []).append(route)

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route and its parameters, or the platform's 404 or 405."""
        allowed: list[str] = []
        for route in self._by_size.get(_size(path), ()):
            params = route.match(path)
            if params is None:
                continue
            if route.method == method:
                _check_version(params, route.since)
                return route, params
            allowed.append(route.method)
        if allowed:
            listed = ",".join(sorted(set(allowed)))
            text = f"HTTP Method '{method}' not allowed. Allowed are {listed}"
            raise ApiError(405, "METHOD_NOT_ALLOWED", text, code_first=True, headers={"Allow": listed})
        raise not_found()


def _size(path: str) -> int:
    return len(path.rstrip("/").split("/"))


def _check_version(params: Mapping[str, str], since: int) -> None:
    version = params.get("version")
    if version is None:
        return
    found = re.fullmatch(r"(\d{2})\.0", version)
    if not found or int(found[1]) > NEWEST:
        raise not_found()
    if int(found[1]) < OLDEST:
        raise ApiError(
            410, "UNSUPPORTED_API_VERSION", f"The requested API version {version} has been retired"
        )
    if int(found[1]) < since:
        raise not_found()
