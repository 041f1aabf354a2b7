"""Settings of other people's Salesforce clients for a simulated org, ready to paste."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from textwrap import dedent

VERSION = "60.0"  # every client of the list can speak it


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A running org as a client has to know it. `ca_file` is empty for plain http."""

    name: str
    url: str
    token: str
    organization_id: str
    user_id: str
    username: str
    client_id: str
    client_secret: str
    ca_file: str = ""

    @property
    def secure(self) -> bool:
        """Whether it is served over https."""
        return bool(self.ca_file)


def settings(org: Endpoint) -> str:
    """One section for each client; those that speak https only are told to ask for it."""
    parts = [f"# ---- {org.name}: settings for other clients; the token is good for two hours"]
    if org.secure:
        parts += [_trust(org)]
    parts += [
        f"# {title}\n{make(org) if org.secure or not https_only else _NEEDS_HTTPS}"
        for title, https_only, make in _CLIENTS
    ]
    return "\n\n".join(part.rstrip("\n") for part in parts)


_NEEDS_HTTPS = "#   speaks https only: start with --https ca.pem"


def _trust(org: Endpoint) -> str:
    variables = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")
    lines = [f"export {name}={org.ca_file}" for name in variables]
    return "\n".join(
        ["# for the client's process only: pip and npm would no longer reach their registries", *lines]
    )


def _simple_salesforce(org: Endpoint) -> str:
    return dedent(f"""\
        from simple_salesforce import Salesforce
        sf = Salesforce(instance_url="{org.url}", session_id="{org.token}", version="{VERSION}")
        """)


def _sf(org: Endpoint) -> str:
    return (
        f"SF_ACCESS_TOKEN='{org.token}' \\\n"
        f"  sf org login access-token --instance-url {org.url} --no-prompt --alias {_alias(org)}"
    )


def _jsforce(org: Endpoint) -> str:
    return (
        f'const conn = new jsforce.Connection({{instanceUrl: "{org.url}", accessToken: "{org.token}", '
        f'version: "{VERSION}"}});'
    )


def _sfdmu(org: Endpoint) -> str:
    entry = {"name": f"{_alias(org)}@simulator.example", "instanceUrl": org.url, "accessToken": org.token}
    return f'"orgs": [{json.dumps(entry)}],\n"excludeIdsFromCSVFiles": true,\n"promptOnMissingParentObjects": false'


def _cumulusci(org: Endpoint) -> str:
    described = {
        "access_token": org.token,
        "instance_url": org.url,
        "id": f"{org.url}/id/{org.organization_id}/{org.user_id}",
        "username": org.username,
    }
    name = f"CUMULUSCI_ORG_{_alias(org).upper()}"
    return (
        f"export CUMULUSCI_DISABLE_REFRESH=1 CUMULUSCI_KEY=0123456789abcdef\nexport {name}='{json.dumps(described)}'\n"
        f"# a saved copy in ~/.cumulusci/<project>/{_alias(org).lower()}.org wins over it: delete that when the org is started anew"
    )


def _oauth(org: Endpoint) -> str:
    form = f"grant_type=client_credentials&client_id={org.client_id}&client_secret={org.client_secret}"
    trust = f" --cacert {org.ca_file}" if org.secure else ""
    return f"curl{trust} {org.url}/services/oauth2/token -d '{form}'"


def _alias(org: Endpoint) -> str:
    return "".join(each if each.isalnum() else "_" for each in org.name)


_CLIENTS: tuple[tuple[str, bool, Callable[[Endpoint], str]], ...] = (
    ("simple-salesforce", True, _simple_salesforce),
    ("Salesforce CLI", False, _sf),
    ("jsforce", False, _jsforce),
    ("SFDMU, in export.json", False, _sfdmu),
    ("CumulusCI", True, _cumulusci),
    ("a fresh token", False, _oauth),
)
