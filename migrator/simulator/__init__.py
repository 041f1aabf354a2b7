"""A local Salesforce org: `Org.handle(request) → response`, in process or behind a real HTTP server.

Independent of the rest of the product by contract: it is a second reading of the platform.
"""

from migrator.simulator.bulk.faults import JobFault, JobFaultKind
from migrator.simulator.faults import Fault, FaultKind
from migrator.simulator.org import Org
from migrator.simulator.schema.files import load_schema
from migrator.simulator.seed import load_csv_folder
from migrator.simulator.server import Server, serve, wsgi_app
from migrator.simulator.settings import OrgSettings
from migrator.simulator.tls import Authority, make_authority

__all__ = [
    "Authority",
    "Fault",
    "FaultKind",
    "JobFault",
    "JobFaultKind",
    "Org",
    "OrgSettings",
    "Server",
    "load_csv_folder",
    "load_schema",
    "make_authority",
    "serve",
    "wsgi_app",
]
