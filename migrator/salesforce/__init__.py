"""The client side of a Salesforce org: sign-in, describe, query, Bulk API 2.0, sObject Collections.

Start at `connect`, which gives an `Org`. Every request that does not end well raises `RequestFailed`.
"""

from migrator.salesforce.bulk1 import MAX_BATCH_BYTES, MAX_BATCH_ROWS, Bulk1
from migrator.salesforce.connect import connect
from migrator.salesforce.failure import RequestFailed
from migrator.salesforce.faults import LIMIT_TEXTS, LOCK_FAULTS, LOCK_TEXTS, RETRYABLE_FAULTS, retryable
from migrator.salesforce.metadata import Deferral, Switch
from migrator.salesforce.org import Org
from migrator.salesforce.redaction import RedactingFilter, redact
from migrator.salesforce.secret import Secret
from migrator.salesforce.settings import (
    AccessToken,
    ClientCredentials,
    ConnectionSettings,
    JwtBearer,
    RefreshToken,
)
from migrator.salesforce.wire import RowReply

__all__ = [
    "LIMIT_TEXTS",
    "LOCK_FAULTS",
    "LOCK_TEXTS",
    "MAX_BATCH_BYTES",
    "MAX_BATCH_ROWS",
    "RETRYABLE_FAULTS",
    "AccessToken",
    "Bulk1",
    "ClientCredentials",
    "ConnectionSettings",
    "Deferral",
    "JwtBearer",
    "Org",
    "RedactingFilter",
    "RefreshToken",
    "RequestFailed",
    "RowReply",
    "Secret",
    "Switch",
    "connect",
    "redact",
    "retryable",
]
