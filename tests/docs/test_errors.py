"""`docs/errors.md` lists every code there is and none besides; `pytest tests/docs --update-expected` writes the first table anew."""

import re
from pathlib import Path

from migrator.errors import CODES
from migrator.model.platform import GONE_FAULT

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "errors.md"
BEGIN, END = "<!-- codes -->\n", "<!-- /codes -->\n"
#: a row code of ours as a literal in SQL or Python; words without an underscore are named, to keep SQL's own out
ROW_CODE = re.compile(r"""['"]([A-Z]+_[A-Z_]+[A-Z]|UNPROCESSED|UNKNOWN)['"]""")


def table() -> str:
    rows = "".join(
        f"| `{code}` | {meaning.replace('|', chr(92) + '|')} |\n" for code, meaning in CODES.items()
    )
    return f"| code | meaning |\n|---|---|\n{rows}"


def test_the_table_of_codes_is_what_the_code_says(update_expected: bool) -> None:
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    listed, after = rest.split(END)
    if update_expected:
        PAGE.write_text(before + BEGIN + table() + END + after, encoding="utf-8")
        listed = table()
    assert listed == table(), "run pytest tests/docs --update-expected"


def test_codes_are_sorted_sentences_in_kebab_case() -> None:
    assert list(CODES) == sorted(CODES)
    assert [code for code in CODES if code != code.lower() or not code.replace("-", "").isalnum()] == []
    assert [code for code, text in CODES.items() if not text.endswith(".")] == []


def test_every_code_is_used() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "migrator").rglob("*.py"))
    unused = [code for code in CODES if sources.count(f'"{code}"') + sources.count(f"[{code}]") < 2]
    assert not unused, "codes that nothing tells any more"


def test_every_row_code_is_documented_and_none_is_stale() -> None:
    # Salesforce's own, which rows are given by us as well
    used = {GONE_FAULT} | {
        code
        for package in ("data", "transforms")
        for path in (ROOT / "migrator" / package).rglob("*.py")
        for code in ROW_CODE.findall(path.read_text(encoding="utf-8"))
    }
    section = PAGE.read_text(encoding="utf-8").split("## Codes of rows")[1]
    assert used == set(re.findall(r"^\| `([A-Z_]+)` \|", section, re.MULTILINE))
