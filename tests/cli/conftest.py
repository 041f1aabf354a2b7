"""The world of the command line's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.world import SCHEMA, SECRET, World, make_world


@pytest.fixture
def schema() -> str:
    """The schema of both orgs; test modules may have their own."""
    return SCHEMA


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, schema: str) -> Iterator[World]:
    """Two simulated orgs, both empty, behind HTTP."""
    monkeypatch.setenv("ORG_SECRET", SECRET)
    monkeypatch.setenv("COLUMNS", "160")
    made = make_world(tmp_path / "world", schema)
    yield made
    made.close()
