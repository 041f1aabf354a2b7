"""Recognises secrets that were typed into a file.

**Invariant:** what was found is never part of what is said.
"""

import re
from collections.abc import Iterator

from migrator.errors import Diagnostic, Where, error
from migrator.model.plan import DocumentPath
from migrator.planfile.document import Document
from migrator.planfile.source import position

_TOKEN = re.compile(
    r"00D[0-9A-Za-z]{12,15}![0-9A-Za-z._]{16,}"  # a Salesforce session or access token
    r"|\b5Aep861[0-9A-Za-z._]{20,}"  # a Salesforce refresh token
    r"|\beyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]{8,}"  # a JSON web token
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|\bgh[pousr]_[0-9A-Za-z]{30,}|\bAKIA[0-9A-Z]{16}\b|\bxox[abprs]-[0-9A-Za-z-]{10,}"
    r"|://[^/\s:@'\"]+:[^/\s:@'\"{]+@"  # a URL with a password
)
_KEYS = frozenset(
    [
        "password",
        "passwd",
        "token",
        "access_token",
        "refresh_token",
        "security_token",
        "client_secret",
        "consumer_secret",
        "secret",
        "private_key",
        "session_id",
        "api_key",
    ]
)


def looks_secret(text: str) -> bool:
    """Whether the text holds something that looks like a token, a key or a password in a URL."""
    return bool(_TOKEN.search(text))


def secrets_in(document: Document) -> Iterator[Diagnostic]:
    """One diagnostic a secret: tokens anywhere, comments too, and values of keys such as `password`."""
    lines = set()
    for found in _TOKEN.finditer(document.text):
        line, column = position(document.text, found.start())
        lines.add(line)
        yield _refused("something here looks like a token or a password", Where(document.path, line, column))
    for path, where in document.keys.items():
        if where.line in lines or not _secret_key(path):
            continue
        yield _refused(f"'{path[-1]}' looks like a password or a token", where)


def _secret_key(path: DocumentPath) -> bool:
    # `map` and `relationships` hold API names, `values` and `variables` hold the user's: only variables may leak
    named = path[-1]
    return isinstance(named, str) and named.casefold() in _KEYS and "map" not in path


def _refused(what: str, where: Where) -> Diagnostic:
    hint = "remove it, change it in Salesforce, and keep credentials with the org's alias, outside the plan"
    return error("secret-in-plan", what, hint=hint, where=where)
