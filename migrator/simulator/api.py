"""All resources of an org: every API module's routes in one list."""

from migrator.simulator import (
    bulk1_api,
    bulk2_ingest,
    bulk2_query,
    collections_api,
    composite_api,
    discovery,
    oauth,
    query_api,
    rows,
    soap_login,
    tree_api,
)
from migrator.simulator.router import Route


def routes() -> list[Route]:
    """The routes of all API modules."""
    single = [
        *oauth.routes(),
        *discovery.routes(),
        *rows.routes(),
        *collections_api.routes(),
        *query_api.routes(),
        *tree_api.routes(),
        *bulk2_ingest.routes(),
        *bulk2_query.routes(),
        *bulk1_api.routes(),
        *soap_login.routes(),
    ]
    return [*single, *composite_api.routes(single)]
