"""What every test may use."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from tests.faults.catalogue import told
from tests.postgres import NOT_RUN, Server, running_server

# a busy machine is no bug
settings.register_profile("migrator", deadline=None)
settings.load_profile("migrator")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-expected",
        action="store_true",
        help="rewrite the expected part of case files; review the difference like code",
    )
    parser.addoption(
        "--org",
        default="sim",
        help="the org that tests/conformance asks: sim, or the URL of a scratch org (token in MIGRATOR_ORG_TOKEN)",
    )


@pytest.fixture
def update_expected(request: pytest.FixtureRequest) -> bool:
    """Whether case files are to be rewritten."""
    return bool(request.config.getoption("--update-expected"))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A PostgreSQL server."""
    with running_server() as server:
        yield server


@pytest.fixture
def postgres(postgres_server: Server) -> Server:
    """A PostgreSQL server that holds no ledger."""
    postgres_server.fresh()
    return postgres_server


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what did not run because something is not installed here: it is not among what passed."""
    reasons = sorted(
        {one.longrepr[2] for one in terminalreporter.stats.get("skipped", []) if NOT_RUN in str(one.longrepr)}
    )
    if any("tests/faults/" in one.nodeid for one in terminalreporter.stats.get("passed", [])):
        for line in told():
            terminalreporter.write_line(f"fault catalogue: {line}")
    for reason in reasons:
        terminalreporter.section(reason.removeprefix("Skipped: "), yellow=True, bold=True)
