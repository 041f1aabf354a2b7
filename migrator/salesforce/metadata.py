"""The Metadata API, for the two switches that defer sharing calculation.

Metadata API guide, "SharingSettings": both since API version 49. Salesforce has to provision the feature for an org; where it did not,
nothing tells so but the value that is read back.

**Invariant:** one method is one request; nothing is repeated here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from xml.sax.saxutils import escape

from migrator.model.wire import Sent
from migrator.salesforce.answers import broken_answer
from migrator.salesforce.exchange import SOAP_XML, Call
from migrator.salesforce.failure import RequestFailed
from migrator.salesforce.session import Session
from migrator.salesforce.xmlread import local, root_of, texts

NAMESPACE: Final = "http://soap.sforce.com/2006/04/metadata"
_ENVELOPE: Final = "http://schemas.xmlsoap.org/soap/envelope/"
_INSTANCE: Final = "http://www.w3.org/2001/XMLSchema-instance"


class Switch(StrEnum):
    """A switch of SharingSettings. While group membership is deferred, the switch of the rules cannot be moved."""

    SHARING_RULES = "deferSharingRules"
    GROUP_MEMBERSHIP = "deferGroupMembership"


@dataclass(frozen=True, slots=True)
class Deferral:
    """What of sharing calculation is deferred."""

    sharing_rules: bool = False
    group_membership: bool = False

    def of(self, switch: Switch) -> bool:
        """How a switch stands."""
        return self.sharing_rules if switch is Switch.SHARING_RULES else self.group_membership


class Metadata:
    """The Metadata API of one org."""

    def __init__(self, session: Session, api_version: str) -> None:
        self._session = session
        self._path = f"/services/Soap/m/{api_version}"

    def sharing_deferral(self) -> Deferral:
        """How the switches stand; an org that does not tell a switch has it off."""
        asked = "<readMetadata><type>SharingSettings</type><fullNames>Sharing</fullNames></readMetadata>"
        records = self._call(asked, "records")
        told = records[0] if records else {}
        return Deferral(
            sharing_rules=told.get(Switch.SHARING_RULES.value) == "true",
            group_membership=told.get(Switch.GROUP_MEMBERSHIP.value) == "true",
        )

    def set_deferral(self, switch: Switch, *, on: bool) -> None:
        """Move one switch. Turning one off recalculates in the background. Raises RequestFailed where the org refuses."""
        asked = (
            f'<updateMetadata><metadata xsi:type="SharingSettings"><fullName>Sharing</fullName>'
            f"<{switch.value}>{str(on).lower()}</{switch.value}></metadata></updateMetadata>"
        )
        for result in self._call(asked, "result"):
            if result.get("success") != "true":
                code, message = result.get("statusCode", ""), result.get("message", "")
                raise RequestFailed(
                    "request-refused",
                    f"{self._session.where(self._asking(asked))}: {code}: {message}",
                    sent=Sent.YES,
                    status=400,
                    error_code=code,
                )

    def _asking(self, inside: str) -> Call:
        def content(token: str) -> bytes:
            head = f"<m:SessionHeader><m:sessionId>{escape(token)}</m:sessionId></m:SessionHeader>"
            spaces = (
                f'xmlns:e="{_ENVELOPE}" xmlns="{NAMESPACE}" xmlns:m="{NAMESPACE}" xmlns:xsi="{_INSTANCE}"'
            )
            return f"<e:Envelope {spaces}><e:Header>{head}</e:Header><e:Body>{inside}</e:Body></e:Envelope>".encode()

        headers = {"Content-Type": f"{SOAP_XML}; charset=UTF-8", "SOAPAction": '""'}
        return Call("POST", self._path, headers=headers, with_token=content, accept=SOAP_XML)

    def _call(self, inside: str, name: str) -> list[Mapping[str, str]]:
        call = self._asking(inside)
        answer = self._session.call(call)
        root = root_of(answer.body or b"")
        if root is None:
            raise broken_answer(
                "it is not the XML that was expected", self._session.where(call), answer.status
            )
        return [texts(each) for each in root.iter() if local(each) == name]
