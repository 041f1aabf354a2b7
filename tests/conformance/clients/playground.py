"""An org that other people's clients work on, what their processes may know, and the truth about what they did."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from migrator.cli.clients import Endpoint
from migrator.simulator import Org

# what keeps clients from telling or asking anybody else
QUIET = {
    "CUMULUSCI_DISABLE_REFRESH": "1",
    "CUMULUSCI_KEY": "0123456789abcdef",
    "DO_NOT_TRACK": "1",
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "SF_AUTOUPDATE_DISABLE": "true",
    "SF_DISABLE_TELEMETRY": "true",
    "SF_SKIP_NEW_VERSION_CHECK": "true",
    "SF_USE_GENERIC_UNIX_KEYCHAIN": "true",
    "PYTHONDONTWRITEBYTECODE": "1",
}


@dataclass(frozen=True, slots=True)
class Playground:
    """One org, where clients reach it."""

    org: Org
    http: str
    https: str
    token: str
    ca_file: Path

    def endpoint(self, name: str, *, secure: bool = False) -> Endpoint:
        """What `migrator simulate --clients` knows of this org."""
        given = self.org.settings
        return Endpoint(
            name=name,
            url=self.https if secure else self.http,
            token=self.token,
            organization_id=given.organization_id,
            user_id=self.org.user_id,
            username=given.username,
            client_id=given.client_id,
            client_secret=given.client_secret,
            ca_file=str(self.ca_file) if secure else "",
        )

    def select(self, soql: str) -> list[dict[str, Any]]:
        """Records as the org has them now, read without any client's help."""
        rows: list[dict[str, Any]] = []
        path = "/services/data/v60.0/query"
        with httpx.Client(base_url=self.http, trust_env=False) as http:
            headers = {"Authorization": f"Bearer {self.org.issue_token()}"}
            found = http.get(path, params={"q": soql}, headers=headers).raise_for_status().json()
            rows += found["records"]
            while not found["done"]:
                found = http.get(found["nextRecordsUrl"], headers=headers).raise_for_status().json()
                rows += found["records"]
        return [_bare(row) for row in rows]


def _bare(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _bare(value) if isinstance(value, dict) else value
        for name, value in row.items()
        if name != "attributes"
    }


Run = Callable[..., Any]


def environment(playground: Playground, home: Path) -> dict[str, str]:
    """A client's whole environment: nothing of ours leaks into it."""
    settings = playground.org.settings
    return QUIET | {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "ORG_HTTP": playground.http,
        "ORG_HTTPS": playground.https,
        "ORG_TOKEN": playground.token,
        "ORG_USERNAME": settings.username,
        "ORG_PASSWORD": settings.password,
        "ORG_CLIENT_ID": settings.client_id,
        "ORG_CLIENT_SECRET": settings.client_secret,
        "REQUESTS_CA_BUNDLE": str(playground.ca_file),
        "SSL_CERT_FILE": str(playground.ca_file),
        "NODE_EXTRA_CA_CERTS": str(playground.ca_file),
    }
