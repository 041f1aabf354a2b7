"""Settings of other people's Salesforce clients for a simulated org, ready to paste."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from textwrap import dedent

VERSION = "60.0"  # every client of the list can speak it


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A running org as a client has to know it. `ca_file` is empty where it is served over plain http only."""

    name: str
    url: str
    token: str
    organization_id: str
    user_id: str
    username: str
    client_id: str
    client_secret: str
    ca_file: str = ""
    http_url: str = ""  # the same as `url` when empty
    key_file: str = ""  # of the app's private key, for JWT bearer

    @property
    def plain(self) -> str:
        """Where it is reached without TLS, for clients that can do without."""
        return self.http_url or self.url

    @property
    def secure(self) -> bool:
        """Whether it is served over https."""
        return bool(self.ca_file)


def settings(org: Endpoint) -> str:
    """One section for each client; those that speak https only are told to ask for it."""
    parts = [f"# ---- {org.name}: settings for other clients; the token is good for two hours"]
    if org.secure:
        parts += [_trust(org)]
    for title, https_only, make in _CLIENTS:
        text = make(org) if org.secure or not https_only else _NEEDS_HTTPS
        if text:
            parts.append(f"# {title}\n{text}")
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
        f"  sf org login access-token --instance-url {org.plain} --no-prompt --alias {_alias(org)}"
    )


def _sf_jwt(org: Endpoint) -> str:
    if not org.key_file:
        return ""
    return (
        f"sf org login jwt --instance-url {org.plain} --client-id {org.client_id} \\\n"
        f"  --jwt-key-file {org.key_file} --username {org.username} --alias {_alias(org)}"
    )


def _jsforce(org: Endpoint) -> str:
    return (
        f'const conn = new jsforce.Connection({{instanceUrl: "{org.plain}", accessToken: "{org.token}", '
        f'version: "{VERSION}"}});'
    )


def _sfdmu(org: Endpoint) -> str:
    name = f"{_alias(org)}@simulator.example"
    entry = {"name": name, "instanceUrl": org.plain, "accessToken": org.token}
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


def _data_loader(org: Endpoint) -> str:
    """The names are those of Data Loader's own source; it was not at hand to be tried."""
    return dedent(f"""\
        salesforce.oauth.instanceURL={org.url}
        sfdc.oauth.accesstoken={org.token}
        sfdc.endpoint.production={org.url}
        sfdc.useBulkV2Api=true
        # untried: it is no package; over https its Java has to trust the certificate authority""")


def _oauth(org: Endpoint) -> str:
    form = f"grant_type=client_credentials&client_id={org.client_id}&client_secret={org.client_secret}"
    return f"curl {org.plain}/services/oauth2/token -d '{form}'"


def _records(org: Endpoint) -> str:
    return (
        f"curl -H 'Authorization: Bearer {org.token}' {org.plain}/simulator/export.zip -o {_alias(org)}.zip"
    )


def _alias(org: Endpoint) -> str:
    return "".join(each if each.isalnum() else "_" for each in org.name)


_CLIENTS: tuple[tuple[str, bool, Callable[[Endpoint], str]], ...] = (
    ("simple-salesforce", True, _simple_salesforce),
    ("Salesforce CLI", False, _sf),
    ("Salesforce CLI, by JWT bearer", False, _sf_jwt),
    ("jsforce", False, _jsforce),
    ("SFDMU, in export.json", False, _sfdmu),
    ("CumulusCI", True, _cumulusci),
    ("Data Loader, in config.properties", False, _data_loader),
    ("all records as CSV files", False, _records),
    ("a fresh token", False, _oauth),
)
