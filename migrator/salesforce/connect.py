"""From settings to an org: the HTTP client with its timeouts and certificates."""

import random

import httpx

from migrator.clock import Clock
from migrator.salesforce.exchange import Exchange
from migrator.salesforce.org import Org
from migrator.salesforce.retries import Retries
from migrator.salesforce.session import Session
from migrator.salesforce.settings import ConnectionSettings
from migrator.salesforce.tokens import Tokens

#: no limit on the whole: a slow line is fine while bytes move. The org itself gives up on a request after 10 minutes.
TIMEOUTS = httpx.Timeout(connect=20.0, read=120.0, write=120.0, pool=60.0)
CONNECTIONS = httpx.Limits(max_connections=16, max_keepalive_connections=8, keepalive_expiry=30.0)


def connect(
    settings: ConnectionSettings,
    clock: Clock,
    *,
    transport: httpx.BaseTransport | None = None,
    rng: random.Random | None = None,
    within: float | None = None,
) -> Org:
    """The org; nothing is sent yet, the first request signs in. Raises MigratorError `host-not-allowed`.

    `transport` takes the place of the network, e.g. `httpx.WSGITransport` of a simulated org. `rng` spreads retries. `within`: for somebody who only
    looks whether there is an answer, the seconds that it is waited for; nothing is tried twice then.
    """
    client = httpx.Client(
        transport=transport or _network(settings),
        timeout=TIMEOUTS if within is None else httpx.Timeout(within),
        follow_redirects=False,
        trust_env=False,
        headers={"User-Agent": "migrator"},
    )
    exchange = Exchange(client, clock, settings.alias)
    jitter = rng or random.Random()  # noqa: S311 - jitter, not cryptography
    retries = Retries(clock, jitter) if within is None else Retries(clock, jitter, tries=1)
    tokens = Tokens(settings, exchange, retries, clock)
    session = Session(exchange, tokens, retries)
    return Org(settings.alias, settings.api_version, session, own_clock=settings.own_clock)


def _network(settings: ConnectionSettings) -> httpx.HTTPTransport:
    """Verified TLS only; there is no way to turn that off, in code or by environment."""
    context = httpx.create_ssl_context(trust_env=False)
    if settings.ca_file is not None:
        context.load_verify_locations(settings.ca_file)
    return httpx.HTTPTransport(verify=context, limits=CONNECTIONS, trust_env=False, retries=0)
