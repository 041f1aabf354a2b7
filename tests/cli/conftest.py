"""The world of the command line's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.world import SECRET, World, make_world


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Two simulated orgs, both empty, behind HTTP."""
    monkeypatch.setenv("ORG_SECRET", SECRET)
    monkeypatch.setenv("COLUMNS", "160")
    made = make_world(tmp_path / "world")
    yield made
    made.close()
