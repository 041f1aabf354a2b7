"""Files that are no plans at all: whatever the bytes, there is a diagnostic with a place, never a traceback."""

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from migrator.errors import Diagnostic, has_errors
from migrator.planfile import load_plan, load_yaml, plan_schema
from migrator.transforms import resolve

PLAN = "version: 1\nname: p\nsource: {org: a}\ntarget: {org: b}\nobjects:\n  - {object: Account, operation: insert}\n"


def load(tmp_path: Path, data: bytes) -> list[Diagnostic]:
    path = tmp_path / "plan.yaml"
    path.write_bytes(data)
    return load_plan(str(path), {})[1]


@pytest.mark.parametrize(
    ("data", "code", "line", "says"),
    [
        (b"", "file-empty", 0, "nothing"),
        (PLAN.encode() + b"# caf\xe9\n", "file-encoding", 7, "byte 108 (looks like cp1252)"),
        (PLAN.encode("utf-16"), "file-encoding", 1, "looks like UTF-16"),
        (b"\xef\xbb\xbfname: \xff\n", "file-encoding", 1, "byte 9"),
        (b"\x81\x8d" * 9, "file-encoding", 1, "binary data"),
        (PLAN.encode() + b"# \x00\n", "yaml-character", 7, "U+0000"),
        (b"a: " + b"x" * 5_000_000, "file-too-large", 0, "5,000,003 bytes"),
        (b"a: " + b"[" * 3000 + b"]" * 3000, "yaml-depth", 1, "40 levels"),
        (b"- " * 3000 + b"x", "yaml-depth", 1, "40 levels"),
        (b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "yaml-alias", 1, "aliases"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path: Path, data: bytes, code: str, line: int, says: str) -> None:
    found = load(tmp_path, data)
    first = next(each for each in found if each.code == code)
    assert first.where.line == line
    assert says in first.what


def test_a_byte_order_mark_is_no_part_of_the_plan(tmp_path: Path) -> None:
    assert load(tmp_path, b"\xef\xbb\xbf" + PLAN.encode()) == []
    assert load(tmp_path, PLAN.replace("\n", "\r\n").encode()) == []


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        plan, found = load_plan(str(path), {})
        assert plan is None
        assert [each.code for each in found] == ["file-unreadable"]
    assert load_yaml("no\0path")[2][0].code == "file-unreadable"


def test_a_link_that_leads_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "plans").mkdir()
    (tmp_path / "plans" / "data").symlink_to(tmp_path / "outside")
    (tmp_path / "plans" / "round").symlink_to(tmp_path / "plans" / "round")
    for folder in ("data", "round", "~nobody/../..", "a\\0b"):
        text = PLAN.replace("{org: a}", f'{{files: "{folder}"}}')
        _, found = load_plan(str(tmp_path / "plans" / "plan.yaml"), {}, text=text)
        assert [each.code for each in found] == ["path-outside"], folder


def test_lone_surrogates_are_not_text() -> None:
    assert load_plan("p.yaml", {}, text="name: \ud800")[1][0].code == "file-encoding"
    assert has_errors(load_plan("p.yaml", {}, text='name: "\\ud800"')[1])


@settings(max_examples=300)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.text(st.sampled_from("ab:-[]{}&*!|>'\"%#,?\n \t0.~<"), max_size=60).map(str.encode),
    )
)
@example(b"? - a\n: b\n? {c: d}\n: [e]\n*a : b\n")
@example(b"--- !!str\n...\n--- a")
@example(b"%YAML 1.1\n%TAG ! tag:x,2000:\n---\n!a b: !!set {x, y}\n")
def test_any_bytes_end_in_diagnostics_or_a_value(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    value, _, found = load_yaml("x.yaml", text=text, schema=plan_schema())
    assert value is not None or found
    for each in found:
        assert each.where.path == "x.yaml"


_WORDS = st.sampled_from(
    [
        "Account",
        "Id",
        "all",
        "fail",
        "null",
        "~",
        "",
        "no",
        "1",
        "-5",
        "1.50",
        "true",
        "{{ a }}",
        "{{ x | y }}",
        "'",
        "x: y",
        "é",
    ]
)
_KEYS = st.sampled_from(
    [
        "version",
        "name",
        "source",
        "target",
        "objects",
        "object",
        "operation",
        "match",
        "on",
        "transform",
        "external_id",
        "where",
        "file",
        "key",
        "fields",
        "include",
        "exclude",
        "map",
        "from",
        "value",
        "expression",
        "values",
        "otherwise",
        "default",
        "mask",
        "truncate",
        "relationships",
        "types",
        "via",
        "when_missing",
        "follow",
        "after",
        "locks",
        "group_by",
        "verify",
        "counts",
        "sample",
        "org",
        "files",
        "expect",
        "production",
        "variables",
    ]
)
_VALUES = st.recursive(
    st.one_of(_WORDS, st.none(), st.booleans(), st.integers(), st.floats()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_KEYS, inner, max_size=4)),
    max_leaves=12,
)


@settings(max_examples=80)
@given(
    st.fixed_dictionaries(
        {"objects": st.lists(st.dictionaries(_KEYS, _VALUES, max_size=6), max_size=3)},
        optional=dict.fromkeys(
            ("version", "name", "source", "target", "variables", "verify", "description"), _VALUES
        ),
    )
)
def test_any_plan_of_the_right_words_ends_in_diagnostics_or_a_plan(value: object) -> None:
    text = _flow(value)
    plan, found = load_plan("x.yaml", {"a": "b' c"}, text=text)
    if plan is not None:
        found = [*found, *resolve(plan)[1]]
    assert plan is not None or has_errors(found)


def _flow(value: object) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{key}: {_flow(each)}" for key, each in value.items()) + "}"
        case list():
            return "[" + ", ".join(_flow(each) for each in value) + "]"
        case str():
            return '"' + value + '"'
        case None:
            return "null"
        case _:
            return str(value).lower()
