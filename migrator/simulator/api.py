"""All resources of an org: every API module's routes in one list."""

from migrator.simulator import (
    bulk1_api,
    bulk2_ingest,
    bulk2_query,
    collections_api,
    discovery,
    oauth,
    query_api,
    rows,
)
from migrator.simulator.router import Route


def routes() -> list[Route]:
    """The routes of all API modules."""
    return [
        *oauth.routes(),
        *discovery.routes(),
        *rows.routes(),
        *collections_api.routes(),
        *query_api.routes(),
        *bulk2_ingest.routes(),
        *bulk2_query.routes(),
        *bulk1_api.routes(),
    ]
