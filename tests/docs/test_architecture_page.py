"""The diagrams of `docs/architecture.md` are those of the code; `pytest tests/docs --update-expected` writes them anew."""

from pathlib import Path

from migrator.model.run import AttemptKind
from migrator.state.transitions import FOLLOWS

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- states -->\n", "<!-- /states -->\n"
TITLES = {
    AttemptKind.BULK2: "An ingest job (lane `bulk2`)",
    AttemptKind.BULK1_SERIAL: "A serial job of Bulk API v1 with one batch (lane `bulk1-serial`)",
    AttemptKind.REST: "A series of sObject Collections requests (lane `rest`)",
    AttemptKind.GATE: "A gate",
    AttemptKind.QUERY: "A query job",
}


def diagram(kind: AttemptKind) -> str:
    follows = FOLLOWS[kind]
    lines = ["stateDiagram-v2", f"  [*] --> {next(iter(follows)).value}"]
    lines += [
        f"  {before.value} --> {after.value}"
        for before, afters in follows.items()
        for after in sorted(afters, key=lambda one: one.value)
    ]
    final = sorted({one.value for afters in follows.values() for one in afters if one.final})
    lines += [f"  {one} --> [*]" for one in final]
    return "\n".join(lines)


def diagrams() -> str:
    drawn = (f"{title}:\n\n```mermaid\n{diagram(kind)}\n```\n" for kind, title in TITLES.items())
    return "\n" + "\n".join(drawn) + "\n"


def test_the_diagrams_are_the_table_of_the_protocol(update_expected: bool) -> None:
    assert set(TITLES) == set(FOLLOWS)
    expected = diagrams()
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    drawn, after = rest.split(END)
    if update_expected:
        PAGE.write_text(before + BEGIN + expected + END + after, encoding="utf-8")
        drawn = expected
    assert drawn == expected, "run pytest tests/docs --update-expected"


def test_every_package_has_its_paragraph() -> None:
    text = PAGE.read_text(encoding="utf-8")
    packages = [path.name for path in (ROOT / "migrator").iterdir() if (path / "__init__.py").exists()]
    missing = [name for name in sorted(packages) if f"**`{name}`**" not in text]
    assert not missing
