"""How to reach an org and as whom: frozen values, made at the edge from configuration."""

from dataclasses import dataclass
from pathlib import Path

from migrator.salesforce.secret import Secret

LOGIN_URL = "https://login.salesforce.com"
#: Spring '26
API_VERSION = "66.0"


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token that somebody else got, e.g. `sf org auth show-access-token`. It cannot be renewed."""

    token: Secret


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """The OAuth client-credentials flow; works against the org's own My Domain only, as the app's run-as user."""

    client_id: str
    client_secret: Secret


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """The OAuth refresh-token flow; a public client has no secret."""

    client_id: str
    refresh_token: Secret
    client_secret: Secret | None = None


@dataclass(frozen=True, slots=True)
class JwtBearer:
    """The OAuth JWT bearer flow. `private_key` is PEM text or the path of a file with it; no audience: the login URL."""

    client_id: str
    username: str
    private_key: Secret | Path
    audience: str = ""


Auth = AccessToken | ClientCredentials | RefreshToken | JwtBearer


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """One org as configured.

    `instance_url` is needed with an access token; with the other flows it pins what the token endpoint tells.
    `simulator` admits plain http to loopback, and nothing else does. `own_clock`: its time is not meant to be ours. `hosts` are further hosts that may get a token.
    """

    alias: str
    auth: Auth
    login_url: str = LOGIN_URL
    instance_url: str = ""
    api_version: str = API_VERSION
    simulator: bool = False
    own_clock: bool = False
    hosts: tuple[str, ...] = ()
    #: a PEM file with further certificate authorities
    ca_file: Path | None = None
