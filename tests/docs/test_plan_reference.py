"""The plan reference is made from the schema and the registries: `pytest tests/docs --update-expected` writes it anew."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from migrator.errors import has_errors
from migrator.planfile import load_plan, plan_schema
from migrator.transforms import FUNCTIONS, resolve
from migrator.transforms.functions import FILTERS
from migrator.transforms.masks import MASKS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "plan-reference.md"
PROSE = Path(__file__).parent / "plan-reference.prose.md"
NOUNS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "array": "list",
    "object": "mapping",
    "null": "null",
}
SCHEMA = plan_schema()
DEFINITIONS: Mapping[str, Any] = SCHEMA["$defs"]
#: headline and schema of each section that describes keys
SECTIONS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("The plan", SCHEMA),
    ("`source`: an org", DEFINITIONS["org_source"]),
    ("`source`: CSV files", DEFINITIONS["files_source"]),
    ("`target`", SCHEMA["properties"]["target"]),
    ("`target.expect`", SCHEMA["properties"]["target"]["properties"]["expect"]),
    ("`objects[]`", DEFINITIONS["object"]),
    ("`objects[].match`", DEFINITIONS["object"]["properties"]["match"]),
    ("`objects[].fields`", DEFINITIONS["object"]["properties"]["fields"]),
    (
        "`objects[].map.<target field>`",
        DEFINITIONS["mapping"]["anyOf"][1] | {"description": DEFINITIONS["mapping"]["description"]},
    ),
    ("`objects[].relationships.<field>`", DEFINITIONS["relationship"]),
    ("`objects[].locks`", DEFINITIONS["object"]["properties"]["locks"]),
    ("`objects[].headers`", DEFINITIONS["object"]["properties"]["headers"]),
    ("`throttle`", SCHEMA["properties"]["throttle"]),
    ("`error_budget`", DEFINITIONS["error_budget"]),
    ("`canary`", DEFINITIONS["canary"]["anyOf"][1] | {"description": DEFINITIONS["canary"]["description"]}),
    ("`defaults`", SCHEMA["properties"]["defaults"]),
    ("`verify`", SCHEMA["properties"]["verify"]),
)


def merged(schema: Mapping[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    behind = merged(DEFINITIONS[reference.rsplit("/", 1)[-1]]) if reference else {}
    return {**behind, **schema}


def kind(schema: Mapping[str, Any]) -> str:
    """What may stand there, in a few words."""
    whole = merged(schema)
    if "const" in whole:
        return f"`{whole['const']}`"
    if "enum" in whole:
        return " · ".join(f"`{json.dumps(one)[1:-1]}`" for one in whole["enum"] if one is not None)
    branches = whole.get("anyOf") or (whole.get("oneOf") if "type" not in whole else None)
    if branches:
        return " or ".join(dict.fromkeys(kind(branch) for branch in branches))
    types = [whole["type"]] if isinstance(whole["type"], str) else whole["type"]
    if types == ["object"] and whole.get("required") == ["default"]:
        return "`{default: …}`"
    if types == ["object"] and whole.get("required") == ["sample"]:
        return "`{sample: n}`"
    return ", ".join(NOUNS[one] for one in types)


def flow(value: Any) -> str:
    """The value in one line of YAML. PyYAML quotes `on`, which was a boolean in YAML 1.1; here it is a word."""
    text = yaml.safe_dump(value, default_flow_style=True, width=1000, sort_keys=False)
    return text.removesuffix("...\n").strip().replace("'on'", "on")


def default(key: str, holder: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if key in holder.get("required", ()):
        return "required"
    found = merged(schema).get("default")
    return "" if found in (None, {}, [], "") else f"`{flow(found)}`"


def table(schema: Mapping[str, Any]) -> Iterator[str]:
    yield "| key | value | default | meaning |"
    yield "|---|---|---|---|"
    for key, each in schema["properties"].items():
        whole = merged(each)
        examples = "".join(f" E.g. `{key}: {flow(one)}`." for one in whole.get("examples", ())[:1])
        cells = (f"`{key}`", kind(each), default(key, schema, each), f"{whole['description']}{examples}")
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |".replace("  ", " ")


def render() -> str:
    lines = [PROSE.read_text(encoding="utf-8").split("<!-- keys -->")[0].rstrip(), ""]
    for headline, schema in SECTIONS:
        lines += [f"## {headline}", "", schema["description"], "", *table(schema), ""]
    lines.append(PROSE.read_text(encoding="utf-8").split("<!-- keys -->")[1].strip())
    text = "\n".join(lines) + "\n"
    for name, registry in (("filters", FILTERS), ("functions", FUNCTIONS)):
        rows = "\n".join(f"| `{one.usage}` | {one.does} |" for one in registry.values())
        text = text.replace(f"<!-- {name} -->", f"| {name[:-1]} | gives |\n|---|---|\n{rows}")
    masks = "\n".join(f"| `{name}` | {mask.does} |" for name, mask in MASKS.items())
    return text.replace("<!-- masks -->", f"| mask | gives |\n|---|---|\n{masks}")


def test_the_page_is_what_the_schema_says(update_expected: bool) -> None:
    if update_expected:
        PAGE.write_text(render(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == render(), "run pytest tests/docs --update-expected"


def described(schema: Any, path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every key of the language with its schema."""
    if isinstance(schema, Mapping):
        for key, each in schema.get("properties", {}).items():
            yield f"{path}.{key}", each
        for key, each in schema.items():
            yield from described(each, f"{path}.{key}")
    elif isinstance(schema, list):
        for position, each in enumerate(schema):
            yield from described(each, f"{path}[{position}]")


def test_every_key_has_what_an_editor_shows() -> None:
    keys = dict(described(SCHEMA))
    assert len(keys) > 40
    for path, each in keys.items():
        missing = {"title", "description", "examples"} - set(each)
        assert not missing, f"{path} lacks {missing}"


def test_the_plans_on_the_page_are_valid() -> None:
    blocks = [part.split("```", 1)[0] for part in PAGE.read_text(encoding="utf-8").split("```yaml\n")[1:]]
    plans = [block for block in blocks if "version: 1" in block]
    assert plans
    for text in plans:
        plan, found = load_plan("plan.yaml", {}, text=text)
        assert plan is not None
        assert not has_errors([*found, *resolve(plan)[1]]), found
