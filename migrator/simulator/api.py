"""All resources of an org: every API module's routes in one list."""

from migrator.simulator import control, discovery
from migrator.simulator.auth import endpoints, soap_login
from migrator.simulator.bulk.v1 import api as bulk1_api
from migrator.simulator.bulk.v2 import ingest as bulk2_ingest
from migrator.simulator.bulk.v2 import query as bulk2_query
from migrator.simulator.metadata import api as metadata_api
from migrator.simulator.metadata import rest_api as metadata_rest_api
from migrator.simulator.rest import collections_api, composite_api, query_api, related, rows, tree_api
from migrator.simulator.router import Route


def routes() -> list[Route]:
    """The routes of all API modules."""
    single = [
        *endpoints.routes(),
        *discovery.routes(),
        *rows.routes(),
        *related.routes(),
        *collections_api.routes(),
        *query_api.routes(),
        *tree_api.routes(),
        *bulk2_ingest.routes(),
        *bulk2_query.routes(),
        *bulk1_api.routes(),
        *soap_login.routes(),
        *control.routes(),
        *metadata_api.routes(),
        *metadata_rest_api.routes(),
    ]
    return [*single, *composite_api.routes(single)]
