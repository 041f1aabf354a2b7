"""For clients that can only talk to *.salesforce.com: their name resolution, so to say. Nothing in them is changed.

Python imports this at its start when the folder is on PYTHONPATH; requests to Salesforce's hosts then go to the org.
"""

import os
from urllib.parse import urlsplit, urlunsplit

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter

_send = HTTPAdapter.send
_ORG = urlsplit(os.environ["ORG_HTTPS"])


def _to_simulator(self: HTTPAdapter, request: PreparedRequest, *args: object, **options: object) -> Response:
    asked = urlsplit(request.url)
    if (asked.hostname or "").endswith(".salesforce.com"):
        request.url = urlunsplit((_ORG.scheme, _ORG.netloc, *asked[2:]))
    return _send(self, request, *args, **options)


HTTPAdapter.send = _to_simulator
