"""What every test may use."""

import pytest
from hypothesis import settings

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
