"""Which hosts may be talked to, and what becomes of URLs that an org hands out.

**Invariant:** a token goes to one pinned origin only; of a URL in an answer nothing but path and query is used.
"""

import ipaddress
import re
from urllib.parse import urlsplit

from migrator.errors import MigratorError

#: My Domain hosts and the shared login hosts (Salesforce help, "My Domain URL Formats")
_DOMAINS = (".my.salesforce.com", ".my.salesforce.mil")
_LOGIN_HOSTS = frozenset({"login.salesforce.com", "test.salesforce.com"})
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*\Z")
_ORIGIN = re.compile(r"(https?)://([^/?#\s]+)/?\Z", re.IGNORECASE)


def checked_origin(url: str, *, simulator: bool = False, hosts: tuple[str, ...] = ()) -> str:
    """`scheme://host[:port]` of `url` when a token may go there.

    Judged on the parsed host, never on a substring; anything but a plain origin (user, path, escape, odd character) is
    refused. Raises MigratorError `host-not-allowed`.
    """
    found = _ORIGIN.match(url)
    if not found:
        raise _not_allowed("is not a plain origin such as https://acme.my.salesforce.com")
    scheme, host, port = found[1].lower(), *_split_port(found[2].lower())
    address = f"{scheme}://{host}{port}"
    if simulator and _is_loopback(host):
        return address
    if scheme != "https":
        raise _not_allowed("is not https")
    name = host.strip("[]")
    if name in hosts or host in hosts:
        return address
    if port not in {"", ":443"}:
        raise _not_allowed("names a port")
    if not _HOST.match(host):
        raise _not_allowed("has a host that is not a plain name")
    if host not in _LOGIN_HOSTS and not host.endswith(_DOMAINS):
        raise _not_allowed("is not a Salesforce host")
    return f"{scheme}://{host}"


def _split_port(authority: str) -> tuple[str, str]:
    found = re.fullmatch(r"(\[[0-9a-f:]+\]|[^:@\[\]\\%]+)(:[0-9]{1,5})?", authority)
    if not found:
        raise _not_allowed("has a host that is not a plain name")
    return found[1], found[2] or ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _not_allowed(why: str) -> MigratorError:
    return MigratorError(
        "host-not-allowed",
        f"the org's URL {why}",
        hint="use https and the org's My Domain; a host of your own must be listed in the org's settings",
    )


def path_of(url: str, origin: str) -> str:
    """Path and query of a URL that the org handed out, to be joined to `origin` again.

    Raises MigratorError `foreign-url` for an absolute URL of another origin and for anything that is not a path.
    """
    # some resources answer without the leading slash (Bulk API 2.0, contentUrl)
    text = f"/{url}" if url.startswith("services/") else url
    parts = urlsplit(text)
    foreign = bool(parts.scheme or parts.netloc) and f"{parts.scheme}://{parts.netloc}".lower() != origin
    # the platform's own URLs are plain ASCII; anything else is a trick
    odd = not re.fullmatch(r"[!-~]*", text) or "\\" in text or not parts.path.startswith("/services/")
    steps = parts.path.lower().replace("%2e", ".").replace("%2f", "/").split("/")
    if foreign or odd or ".." in steps:
        raise MigratorError(
            "foreign-url", "the org answered with a URL that leads elsewhere; it was not followed"
        )
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
