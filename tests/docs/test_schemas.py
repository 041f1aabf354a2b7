"""The JSON Schemas that travel with the product are schemas, and the shipped plans name one that is there."""

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = sorted((ROOT / "schemas").glob("*.json"))
PLANS = sorted((ROOT / "plans").glob("*.yaml"))


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda one: one.name)
def test_a_schema_is_a_schema(path: Path) -> None:
    schema = json.loads(path.read_text(encoding="utf-8"))
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$schema"]
    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda one: one.name)
def test_references_within_a_schema_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    definitions = json.loads(text).get("$defs", {})
    assert set(re.findall(r'"\$ref": "#/\$defs/(\w+)"', text)) == set(definitions)


@pytest.mark.parametrize("path", PLANS, ids=lambda one: one.name)
def test_editors_find_the_schema_of_a_plan(path: Path) -> None:
    found = re.search(
        r"^# yaml-language-server: \$schema=(\S+)$", path.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert found is not None
    assert (path.parent / found[1]).exists()
