"""The orgs file: aliases → how to reach the org. Secrets come from the environment or from files, never from the orgs file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from migrator.clock import Clock
from migrator.errors import ExitCode, MigratorError, PlanInvalid, Where, has_errors
from migrator.planfile import load_yaml, read_schema
from migrator.review import Ends
from migrator.salesforce import (
    AccessToken,
    ClientCredentials,
    ConnectionSettings,
    JwtBearer,
    Org,
    RefreshToken,
    Secret,
    connect,
)

#: what each flow needs
_NEEDS = {
    "client_credentials": ("client_id", "client_secret"),
    "jwt": ("client_id", "username", "private_key"),
    "refresh_token": ("client_id", "refresh_token"),
    "access_token": ("access_token",),
}


class Orgs:
    """The aliases of one orgs file, and the connections made from them."""

    def __init__(
        self, path: Path, environment: Mapping[str, str], clock: Clock, *, api_version: str = ""
    ) -> None:
        self._path = path
        self._environment = environment
        self._clock = clock
        #: a run keeps the API version that it began with: job results cannot be had with another
        self._api_version = api_version
        if not path.is_file():
            raise MigratorError(
                "orgs-file-missing",
                f"there is no orgs file {path}",
                hint="write one (docs/operations.md shows how), or name it with --orgs or MIGRATOR_ORGS",
                exit_code=ExitCode.USAGE,
            )
        value, places, found = load_yaml(str(path), schema=read_schema("orgs.schema.json"))
        if has_errors(found):
            raise PlanInvalid(found)
        self._orgs: Mapping[str, Any] = value["orgs"]
        self._places = places

    @property
    def aliases(self) -> tuple[str, ...]:
        """All aliases, sorted."""
        return tuple(sorted(self._orgs))

    def connect(self, alias: str, *, within: float | None = None) -> Org:
        """A connection to the org of that alias; `within`: of somebody who only looks whether it answers in so many seconds."""
        if alias not in self._orgs:
            known = ", ".join(sorted(self._orgs))
            raise MigratorError(
                "org-unknown",
                f"{self._path} has no org '{alias}'",
                hint=f"it has: {known}",
                exit_code=ExitCode.USAGE,
            )
        entry = self._orgs[alias]
        return connect(self._settings(alias, entry), self._clock, within=within)

    def ends(self, source: str | None, target: str) -> Ends:
        """The two ends of a plan; `source` is None for files."""
        return Ends(None if source is None else self.connect(source), self.connect(target))

    def _settings(self, alias: str, entry: Mapping[str, Any]) -> ConnectionSettings:
        auth = entry["auth"]
        missing = [name for name in _NEEDS[auth["flow"]] if name not in auth]
        if missing:
            raise MigratorError(
                "missing-key",
                f"org '{alias}': the {auth['flow']} flow needs {', '.join(missing)}",
                where=self._places.get(("orgs", alias, "auth"), Where(str(self._path))),
                exit_code=ExitCode.USAGE,
            )
        url = entry["url"].rstrip("/")
        pinned = self._api_version or entry.get("api_version")
        version: dict[str, Any] = {"api_version": pinned} if pinned else {}
        return ConnectionSettings(
            alias=alias,
            auth=self._auth(alias, auth),
            login_url=url,
            instance_url=url,
            simulator=bool(entry.get("simulator", False)),
            own_clock=bool(entry.get("own_clock", False)),
            ca_file=Path(entry["ca_file"]).expanduser() if "ca_file" in entry else None,
            **version,
        )

    def _auth(
        self, alias: str, auth: Mapping[str, Any]
    ) -> AccessToken | ClientCredentials | RefreshToken | JwtBearer:
        match auth["flow"]:
            case "client_credentials":
                return ClientCredentials(auth["client_id"], self._secret(alias, auth, "client_secret"))
            case "jwt":
                return JwtBearer(
                    auth["client_id"], auth["username"], self._secret(alias, auth, "private_key")
                )
            case "refresh_token":
                secret = self._secret(alias, auth, "client_secret") if "client_secret" in auth else Secret("")
                return RefreshToken(auth["client_id"], self._secret(alias, auth, "refresh_token"), secret)
            case _:
                return AccessToken(self._secret(alias, auth, "access_token"))

    def _secret(self, alias: str, auth: Mapping[str, Any], name: str) -> Secret:
        where = self._places.get(("orgs", alias, "auth", name), Where(str(self._path)))
        named = auth[name]
        if "env" in named:
            found = self._environment.get(named["env"])
            missing = f"the environment variable {named['env']} is not set"
        else:
            file = Path(named["file"]).expanduser()
            found = file.read_text(encoding="utf-8").strip() if file.is_file() else None
            missing = f"there is no file {file}"
        if not found:
            raise MigratorError(
                "secret-missing", f"org '{alias}': {missing}", where=where, exit_code=ExitCode.USAGE
            )
        return Secret(found)
