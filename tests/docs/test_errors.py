"""`docs/errors.md` is made from the list of codes: `pytest tests/docs --update-expected` writes it anew."""

from pathlib import Path

from migrator.errors import CODES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "errors.md"
HEAD = """# Error codes

Every message has a code: `error[code] file:line:column what is wrong → what to do`. The code stays the same when the words
change, so scripts and searches can rely on it. This page is made from `migrator/errors/codes.py`.

What Salesforce says about single rows (`REQUIRED_FIELD_MISSING`, `UNABLE_TO_LOCK_ROW`, …) is not here: those are Salesforce's
codes, and the report counts them.

| code | meaning |
|---|---|
"""


def page() -> str:
    rows = (f"| `{code}` | {text.replace('|', chr(92) + '|')} |" for code, text in CODES.items())
    return HEAD + "\n".join(rows) + "\n"


def test_the_page_lists_every_code(update_expected: bool) -> None:
    if update_expected:
        PAGE.write_text(page(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == page()


def test_codes_are_sorted_sentences_in_kebab_case() -> None:
    assert list(CODES) == sorted(CODES)
    assert [code for code in CODES if code != code.lower() or not code.replace("-", "").isalnum()] == []
    assert [code for code, text in CODES.items() if not text.endswith(".")] == []
