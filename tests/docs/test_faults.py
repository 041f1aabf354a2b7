"""The simulator's page lists the fault catalogue as the code has it, and its example is a script."""

from pathlib import Path

from migrator.cli.faultfile import load_faults
from migrator.simulator import CATALOGUE
from migrator.simulator.faults.script import KINDS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "simulator.md"
BEGIN, END = "<!-- catalogue -->\n", "<!-- /catalogue -->\n"


def table() -> str:
    """The table of the page."""
    lines = ["| id | what goes wrong |", "|---|---|"]
    lines += [f"| {name} | {found.what} |" for name, found in CATALOGUE.items()]
    return "\n" + "\n".join(lines) + "\n\n"


def test_the_page_has_the_catalogue(update_expected: bool) -> None:
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    shown, _, after = rest.partition(END)
    if update_expected:
        PAGE.write_text(before + BEGIN + table() + END + after, encoding="utf-8")
        return
    assert shown == table()


def test_the_page_names_every_kind() -> None:
    section = PAGE.read_text(encoding="utf-8").partition("## Faults\n")[2].partition("\n## ")[0]
    assert [kind for kind in sorted(KINDS) if f"`{kind}`" not in section] == []


def test_the_example_is_a_script(tmp_path: Path) -> None:
    section = PAGE.read_text(encoding="utf-8").partition("## Faults\n")[2]
    path = tmp_path / "faults.yaml"
    path.write_text(section.partition("```yaml\n")[2].partition("```\n")[0], encoding="utf-8")
    assert len(load_faults(path, 0.0)) == 4
