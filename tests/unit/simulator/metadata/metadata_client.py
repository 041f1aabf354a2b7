"""The fewest words to ask an org's Metadata API something."""

import base64
import io
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass

from migrator.simulator import Org
from migrator.simulator.http import Headers, Request, Response

NAMESPACE = "http://soap.sforce.com/2006/04/metadata"
SHARING = {"Settings": ["Sharing"]}


@dataclass
class Soap:
    """Asks with a token."""

    org: Org
    token: str

    def __call__(self, inside: str, *, version: str = "60.0") -> Response:
        head = f"<m:SessionHeader><m:sessionId>{self.token}</m:sessionId></m:SessionHeader>"
        spaces = f'xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns="{NAMESPACE}" xmlns:m="{NAMESPACE}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        body = f"<e:Envelope {spaces}><e:Header>{head}</e:Header><e:Body>{inside}</e:Body></e:Envelope>"
        return self.org.handle(
            Request("POST", f"/services/Soap/m/{version}", {}, Headers({"SOAPAction": '""'}), body.encode())
        )

    def deploy(self, data: bytes, **options: bool) -> Response:
        """Deploy a zip and give its status when it is done."""
        shown = "".join(f"<{name}>{str(value).lower()}</{name}>" for name, value in options.items())
        encoded = base64.b64encode(data).decode()
        made = self(f"<deploy><ZipFile>{encoded}</ZipFile><DeployOptions>{shown}</DeployOptions></deploy>")
        return self.status(text(made, "id"))

    def status(self, job: str) -> Response:
        """The status of a deployment, with its details."""
        return self(
            f"<checkDeployStatus><asyncProcessId>{job}</asyncProcessId><includeDetails>true</includeDetails></checkDeployStatus>"
        )

    def retrieve(self, members: Mapping[str, list[str]]) -> tuple[dict[str, str], Response]:
        """The files of a retrieval, and its whole answer."""
        types = "".join(
            f"<types>{''.join(f'<members>{each}</members>' for each in listed)}<name>{name}</name></types>"
            for name, listed in members.items()
        )
        made = self(
            f"<retrieve><retrieveRequest><apiVersion>60.0</apiVersion><singlePackage>true</singlePackage><unpackaged>{types}</unpackaged></retrieveRequest></retrieve>"
        )
        done = self(
            f"<checkRetrieveStatus><asyncProcessId>{text(made, 'id')}</asyncProcessId></checkRetrieveStatus>"
        )
        with zipfile.ZipFile(io.BytesIO(base64.b64decode(text(done, "zipFile")))) as archive:
            return {name: archive.read(name).decode() for name in archive.namelist()}, done

    def switches(self) -> tuple[str, str]:
        """The two switches as the org reads them back."""
        shown = self(
            "<readMetadata><type>SharingSettings</type><fullNames>Sharing</fullNames></readMetadata>"
        )
        return text(shown, "deferGroupMembership"), text(shown, "deferSharingRules")


def text(response: Response, name: str) -> str:
    """The text of the first element of that name."""
    found = re.search(rf"<{name}>([^<]*)</{name}>", response.read().decode())
    return found[1] if found else ""


def package(
    files: Mapping[str, str], members: Mapping[str, list[str]], *, version: str = "60.0", folder: str = ""
) -> bytes:
    """A zip with a manifest."""
    types = "".join(
        f"<types>{''.join(f'<members>{each}</members>' for each in listed)}<name>{name}</name></types>"
        for name, listed in members.items()
    )
    manifest = f'<Package xmlns="{NAMESPACE}">{types}<version>{version}</version></Package>'
    return zipped({f"{folder}package.xml": manifest, **{folder + path: text for path, text in files.items()}})


def zipped(files: Mapping[str, str]) -> bytes:
    """A zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def sharing(*, folder: str = "", version: str = "60.0", **switches: str) -> bytes:
    """A package with the sharing settings."""
    inside = "".join(f"<{name}>{value}</{name}>" for name, value in switches.items())
    document = f'<SharingSettings xmlns="{NAMESPACE}">{inside}</SharingSettings>'
    return package({"settings/Sharing.settings": document}, SHARING, version=version, folder=folder)
