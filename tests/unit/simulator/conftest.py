"""An org in process with a token, and the fewest words to ask it something."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from migrator.clock import VirtualClock
from migrator.simulator import Org, OrgSettings, load_schema
from migrator.simulator.auth.oauth import Tokens
from migrator.simulator.http import Headers, Request, Response

SCHEMA: dict[str, Any] = {
    "objects": {
        "Account": {
            "fields": {"Legacy_Id__c": {"type": "text", "length": 18, "unique": True, "external_id": True}}
        },
        "Contact": {"fields": {"Legacy_Id__c": {"type": "text", "length": 18, "external_id": True}}},
        "Airport__c": {
            "label": "Airport",
            "fields": {
                "Code__c": {
                    "type": "text",
                    "length": 3,
                    "unique": True,
                    "external_id": True,
                    "required": True,
                },
                "Height__c": {"type": "number", "precision": 8, "scale": 2},
                "Kind__c": {"type": "picklist", "values": ["Hub", "Field"], "restricted": True},
                "Uses__c": {"type": "multipicklist", "values": ["Cargo", "People"], "restricted": True},
            },
        },
        "Gate__c": {
            "label": "Gate",
            "name_field": {"type": "auto_number", "format": "G-{0000}"},
            "fields": {
                "Airport__c": {"type": "master_detail", "to": "Airport__c"},
                "Spare__c": {"type": "lookup", "to": "Gate__c"},
                "Opened__c": {"type": "date"},
                "Open__c": {"type": "checkbox", "default": True},
            },
        },
        "Lease__c": {
            "fields": {
                "Gate__c": {"type": "lookup", "to": "Gate__c", "on_delete": "restrict", "required": True}
            }
        },
    }
}


@dataclass
class Caller:
    """Asks an org over its front, with a good token."""

    org: Org
    token: str
    version: str = "60.0"

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Response:
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        given = {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/json",
            **(headers or {}),
        }
        full = path if path.startswith(("/services", "/id")) else f"/services/data/v{self.version}{path}"
        return self.org.handle(Request(method, full, dict(query or {}), Headers(given), data))

    def create(self, sobject: str, **values: Any) -> str:
        """The id of a new record."""
        done = self("POST", f"/sobjects/{sobject}", values)
        assert done.status == 201, done.read()
        return str(done.json()["id"])


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def org(clock: VirtualClock) -> Org:
    return Org(load_schema(SCHEMA), OrgSettings(), clock)


@pytest.fixture
def call(org: Org) -> Caller:
    return Caller(org, org.part(Tokens).issue())
