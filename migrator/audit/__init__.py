"""What a run folder says of its run: how it stands, and whether its log, its rows and its manifest are whole.

**Invariant:** a run is only looked at, also while another process drives it; nothing but the manifest is written.
"""

from migrator.audit.manifest import Audit, audit, write_manifest
from migrator.audit.standing import peek

__all__ = ["Audit", "audit", "peek", "write_manifest"]
