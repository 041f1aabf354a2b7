"""What the pages say is so: links, commands, options, exit codes, dependencies, and the plan in the README."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml

from migrator.cli.app import app
from migrator.errors import ExitCode, has_errors
from migrator.model.run import Outcome
from migrator.model.schedule import Lane
from migrator.planfile import load_plan, load_yaml, read_schema
from migrator.simulator import load_schema

ROOT = Path(__file__).resolve().parents[2]
OPERATIONS = ROOT / "docs" / "operations.md"
PAGES = tuple(sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]))
LINK = re.compile(r"!?\[[^\]]*\]\(([^)#\s]*)(?:#([^)]*))?\)")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`(migrator [a-z][^`]*)`")
#: what stands in examples where somebody writes a name of their own
PLACEHOLDERS = {"PLAN", "RUN", "FILE", "FOLDER"}


def blocks(page: Path, language: str) -> list[str]:
    return [body for kind, body in BLOCK.findall(page.read_text(encoding="utf-8")) if kind == language]


def commands(page: Path) -> Iterator[list[str]]:
    """The words of each `migrator …` that the page shows."""
    text = page.read_text(encoding="utf-8")
    lines = [line for body in blocks(page, "") for line in body.splitlines() if line.startswith("migrator ")]
    for line in (*lines, *SPAN.findall(text)):
        words = shlex.split(line, comments=True)
        if len(words) > 1 and words[1].isalpha():
            yield words[1:]


@pytest.mark.parametrize("page", PAGES, ids=lambda one: one.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    links = [one for one in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in one[0]]
    assert [target for target, _ in links if not (page.parent / target).exists()] == []
    anchors = [((page.parent / target) if target else page, anchor) for target, anchor in links if anchor]
    assert [f"{path.name}#{anchor}" for path, anchor in anchors if anchor not in headings(path)] == []


def headings(page: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda one: one.relative_to(ROOT).as_posix())
def test_commands_and_options_exist(page: Path) -> None:
    context = click.Context(app)
    for words in commands(page):
        command = app.get_command(context, words[0])
        assert command is not None, words
        known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
        used = {word.partition("=")[0] for word in words[1:] if word.startswith("--")}
        assert used <= known | {"--help"}, words


def test_the_guide_has_every_command_with_its_options() -> None:
    rows = re.findall(
        r"^\| `migrator (\w+)[^|]*\|[^|]*\|([^|]*)\|$", OPERATIONS.read_text(encoding="utf-8"), re.MULTILINE
    )
    shown = {name: set(re.findall(r"--[a-z-]+", options)) for name, options in rows}
    context = click.Context(app)
    wanted = {}
    for name in app.list_commands(context):
        command = app.get_command(context, name)
        assert command is not None
        inside = command.commands.values() if isinstance(command, click.Group) else [command]
        wanted[name] = {
            one
            for leaf in inside
            for each in leaf.params
            for one in (*each.opts, *each.secondary_opts)
            if one.startswith("--")
        }
    assert shown == wanted


def test_plans_that_commands_name_exist() -> None:
    named = [
        word
        for page in PAGES
        for words in commands(page)
        for word in words[1:]
        if word.startswith("plans/") and word not in PLACEHOLDERS
    ]
    assert named
    assert [one for one in named if not (ROOT / one).exists()] == []


def test_the_plan_of_the_readme_is_valid(tmp_path: Path) -> None:
    (text,) = blocks(ROOT / "README.md", "yaml")
    plan, found = load_plan(str(tmp_path / "plan.yaml"), {}, text=text)
    assert plan is not None
    assert not has_errors(found), [str(one) for one in found]


def test_the_orgs_file_of_the_guide_is_valid(tmp_path: Path) -> None:
    (text,) = (each for each in blocks(OPERATIONS, "yaml") if "orgs:" in each)
    value, _, found = load_yaml(
        str(tmp_path / "orgs.yaml"), text=text, schema=read_schema("orgs.schema.json")
    )
    assert not has_errors(found), [str(one) for one in found]
    assert set(value["orgs"]) == {"legacy", "merged"}


def test_the_schemas_of_the_simulator_page_can_be_served() -> None:
    loaded = [yaml.safe_load(text) for text in blocks(ROOT / "docs" / "simulator.md", "yaml")]
    schemas = [each for each in loaded if "objects" in each]
    assert load_schema(schemas[0]).sobject("Airport__c") is not None
    for each in schemas[1:]:
        assert load_schema(each).sobjects


def test_the_guide_explains_every_exit_code() -> None:
    text = OPERATIONS.read_text(encoding="utf-8")
    # 4 is reserved, and the fine print says so
    assert [one for one in ExitCode if one is not ExitCode.BUDGET and f"| {int(one)} |" not in text] == []


def test_the_glossary_has_every_outcome_and_lane() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    assert [one for one in (*Outcome, *Lane) if one.value not in text] == []


def test_every_dependency_has_its_line() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    text = (ROOT / "docs" / "adr" / "0007-dependencies.md").read_text(encoding="utf-8")
    names = [re.split(r"[\[<>=~!]", one, maxsplit=1)[0] for one in declared]
    assert [one for one in names if one not in text] == []


def test_environment_variables_are_documented() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    context = click.Context(app)
    found = {
        str(each.envvar)
        for name in app.list_commands(context)
        if (command := app.get_command(context, name)) is not None
        for each in command.params
        if each.envvar
    }
    assert found
    assert [one for one in sorted(found) if one not in text] == []
