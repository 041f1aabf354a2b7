"""A local Salesforce org: `Org.handle(request) → response`, in process or behind a real HTTP server.

Independent of the rest of the product by contract: it is a second reading of the platform.
"""

from migrator.simulator.clocks import OrgClock
from migrator.simulator.dataout import export_csv_folder
from migrator.simulator.faults.model import (
    Act,
    ActKind,
    Cut,
    Edit,
    Fault,
    FaultKind,
    JobFault,
    JobFaultKind,
    Planted,
    RowFault,
    Rows,
    When,
)
from migrator.simulator.faults.presets import CATALOGUE
from migrator.simulator.faults.script import FaultInvalid, preset, read_faults
from migrator.simulator.org import Org
from migrator.simulator.schema.files import load_schema
from migrator.simulator.schema.sources import SchemaKind, load_schema_from
from migrator.simulator.seed import load_csv_folder
from migrator.simulator.server import Server, serve, wsgi_app
from migrator.simulator.settings import BackgroundWriter, LockOrder, LockSettings, LookupLocks, OrgSettings
from migrator.simulator.tls import Authority, make_authority

__all__ = [
    "CATALOGUE",
    "Act",
    "ActKind",
    "Authority",
    "BackgroundWriter",
    "Cut",
    "Edit",
    "Fault",
    "FaultInvalid",
    "FaultKind",
    "JobFault",
    "JobFaultKind",
    "LockOrder",
    "LockSettings",
    "LookupLocks",
    "Org",
    "OrgClock",
    "OrgSettings",
    "Planted",
    "RowFault",
    "Rows",
    "SchemaKind",
    "Server",
    "When",
    "export_csv_folder",
    "load_csv_folder",
    "load_schema",
    "load_schema_from",
    "make_authority",
    "preset",
    "read_faults",
    "serve",
    "wsgi_app",
]
