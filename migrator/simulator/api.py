"""All resources of an org: every API module's routes in one list."""

from migrator.simulator import collections_api, discovery, oauth, query_api, rows
from migrator.simulator.router import Route


def routes() -> list[Route]:
    """The routes of all API modules."""
    return [
        *oauth.routes(),
        *discovery.routes(),
        *rows.routes(),
        *collections_api.routes(),
        *query_api.routes(),
    ]
