"""What can be set about a simulated org."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum


class LookupLocks(StrEnum):
    """Whether a lookup locks the record it looks up, where the sources disagree."""

    NEVER = "never"  # only master-detail and the standard pairs lock
    RESTRICTED = "restricted"  # unless the lookup is cleared when its target goes; Record Locking Cheat Sheet
    ALWAYS = "always"  # every lookup; Salesforce's engineering blog on lookup skew, 2013


class LockOrder(StrEnum):
    """In which order a transaction takes its locks."""

    SORTED = "sorted"  # by id: transactions never wait for each other in a circle
    ROWS = "rows"  # as its rows come: they may, and one of them then fails at once


@dataclass(frozen=True, slots=True)
class BackgroundWriter:
    """Somebody else at work in the org: changes a few records now and then, and has them locked meanwhile."""

    sobject: str
    every: float  # seconds between two transactions on average
    ids: tuple[str, ...] = ()  # which records; any, when none are listed
    rows: int = 1  # of one transaction
    seconds: float = 1.0  # that one transaction takes
    seed: int = 1


@dataclass(frozen=True, slots=True)
class LockSettings:
    """How records are locked. Only transactions that take time can be in each other's way."""

    wait: float = 10.0  # seconds that a transaction waits for a lock; consistent reports, no official figure
    lookups: LookupLocks = LookupLocks.RESTRICTED
    order: LockOrder = LockOrder.SORTED
    private_sharing: frozenset[str] = frozenset()  # sObjects whose new owners take the group membership lock
    writers: tuple[BackgroundWriter, ...] = ()


@dataclass(frozen=True, slots=True)
class OrgSettings:
    """One org's settings; the defaults are a developer org that answers at once."""

    organization_id: str = "00D000000000001EAA"
    name: str = "Simulated Org"
    sandbox: bool = False
    # who may come in; any active user of the org has this password
    username: str = "integration@simulator.example"
    password: str = "simulator"  # noqa: S105 - of a simulated org
    client_id: str = "migrator-simulator"
    client_secret: str = "simulator-secret"  # noqa: S105 - of a simulated org
    refresh_token: str = "simulator-refresh-token"  # noqa: S105 - of a simulated org
    public_key: str | None = None  # PEM; a JWT bearer assertion must be signed with its private key
    preauthorized: frozenset[str] | None = None  # usernames that JWT bearer may name; None is everybody
    run_as: str = ""  # username of the client credentials grant; empty is the integration user
    client_credentials: bool = True
    password_flow: bool = True  # off in orgs made since Summer '23
    refresh_needs_secret: bool = False
    rotate_refresh_tokens: bool = False
    token_lifetime: float = 7_200.0  # seconds of the org's clock
    # limits
    api_requests: int = 100_000  # per 24 h
    bulk_batches: int = 15_000  # per 24 h, Bulk API v1 and 2.0 together
    bulk_records: int = 150_000_000  # of Bulk API 2.0 ingest per 24 h
    query_jobs: int = 10_000  # of Bulk API 2.0 per 24 h
    query_storage_mb: int = 976_562  # of results of Bulk API 2.0 queries per 24 h
    data_storage_mb: int = 102_400
    file_storage_mb: int = 102_400
    user_licenses: int = 10_000  # active users
    long_requests: int = 25  # at once; 5 in developer orgs
    long_request_seconds: float = 20.0  # requests count as long from here on
    uri_bytes: int = 16_384  # of an address; with the headers, it may not be longer either
    query_cursors: int = 10_000  # open at once; the oldest go first
    fuzzy_usage: bool = True  # `Sforce-Limit-Info` is not exact
    record_count_age: float = 60.0  # seconds for which `/limits/recordCount` says the same
    # queries
    query_page: int = 2_000
    long_text_page: int = 1_000  # pages are shorter when a long text field is selected
    bulk_page: int = 50_000  # rows of one page of Bulk query results, when the client asks for none
    # asynchronous jobs
    row_seconds: float = 0.0  # processing time of one row, on the org's clock, in every API
    sobject_seconds: Mapping[str, float] = field(default_factory=dict)  # the same of rows of one sObject
    locks: LockSettings = field(default_factory=LockSettings)
    batch_parallelism: int = 4
    shuffle_results: bool = True  # result rows out of input order, as the platform warns
    seed: int = 1
    # permissions
    audit_fields: bool = False  # Set Audit Fields upon Record Creation
    hard_delete: bool = True  # Bulk API Hard Delete
    modify_metadata: bool = True  # Modify Metadata Through Metadata API Functions
    manage_sharing: bool = True  # Manage Sharing
    # sharing
    sharing_deferral: bool = True  # whether Salesforce provisioned it; otherwise its switches do not stick
    recalculation_seconds: float = 60.0  # of a sharing recalculation, on the org's clock
    recalculation_row_seconds: float = 0.0005  # more of it for each record changed while sharing was deferred
    recalculation_shows: bool = True  # as a record of AsyncApexJob; no org is known to show it
    # metadata
    deploy_seconds: float = 0.0  # of a deployment or retrieval, on the org's clock
    compress: bool = True  # gzip answers for clients that accept it

    def with_organization(self, organization: Mapping[str, str]) -> "OrgSettings":
        """These settings with what a schema file says about the organization."""
        return replace(
            self,
            organization_id=organization.get("id", self.organization_id),
            name=organization.get("name", self.name),
            sandbox=organization.get("sandbox", str(self.sandbox)).lower() == "true",
            username=organization.get("username", self.username),
        )
