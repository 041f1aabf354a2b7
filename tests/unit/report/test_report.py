"""A run's report: every form says the same, adds up, and shows foreign text as text."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from defusedxml.ElementTree import fromstring
from jsonschema import Draft202012Validator

from migrator.errors import ExitCode
from migrator.model.run import Outcome, RunStatus
from migrator.model.schedule import Forecast, KeyForecast, RecordRows
from migrator.model.summary import GateSummary, Summary
from migrator.report import RowsFile, render_html, render_json, render_junit, render_markdown
from migrator.resources import resource
from tests.unit.report.runs import HOSTILE, STARTED, a_run

MADE = STARTED + 100
EQUAL = {"rows": 16_000, "compared": 10_000}
FILES = (RowsFile("load.Contact", "Contact", "rows/Contact.csv", 16_000),)
PARTLY = {Outcome.CREATED: 15_970, Outcome.FAILED: 20, Outcome.BLOCKED: 9, Outcome.QUARANTINED: 1}


def _losing_a_row(summary: Summary) -> Summary:
    first, *others = summary.steps
    return replace(summary, steps=(replace(first, total=(first.total or 0) + 1), *others))


RUNS = {
    "verified": a_run(compared=EQUAL),
    "moved": a_run(),
    "partly": a_run(PARTLY, faults={"STRING_TOO_LONG": 20, "UNABLE_TO_LOCK_ROW": 3}),
    "different": a_run(compared=EQUAL | {"missing": 2, "differing.Phone": 5}),
    "left behind": a_run(PARTLY, compared={"rows": 15_970, "compared": 10_000}),
    "orphans": a_run(compared=EQUAL | {"duplicated": 3, "duplicate.keys": 2, "orphaned.AccountId": 4}),
    "repeats": a_run(compared=EQUAL, again={"again.create": 11, "again.unchanged": 15_989}),
    "steady": a_run(compared=EQUAL, again={"again.unchanged": 16_000}),
    "unfinished": a_run(status=RunStatus.PAUSED),
    "unbalanced": _losing_a_row(a_run()),
    "hostile": a_run(hostile=HOSTILE),
}
EVERY = pytest.mark.parametrize("summary", RUNS.values(), ids=RUNS.keys())


@pytest.mark.parametrize(
    "name", ["verified", "moved", "partly", "different", "repeats", "unfinished", "unbalanced"]
)
def test_the_verdict_is_the_one_thing_to_know(name: str) -> None:
    report = render_json(RUNS[name], made=MADE)
    assert report["verdict"]["code"] == name
    assert report["verdict"]["headline"] in render_markdown(RUNS[name], made=MADE).replace("\\", "")


@EVERY
def test_json_keeps_to_its_schema(summary: Summary) -> None:
    schema = json.loads(resource("schemas", "report.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    report = json.loads(json.dumps(render_json(summary, made=MADE, files=FILES)))
    assert list(Draft202012Validator(schema).iter_errors(report)) == []
    # the schema names every key that there is, so that nothing is promised by accident
    assert set(report) == set(schema["properties"])
    assert set(report["steps"][0]) == set(schema["$defs"]["step"]["properties"])
    assert set(report["verification"][0]) == set(schema["$defs"]["verification"]["properties"])
    for one in report["second_run"]:
        assert set(one) == set(schema["$defs"]["second_run"]["properties"])
    assert set(report["run"]) == set(schema["properties"]["run"]["properties"])


@EVERY
def test_totals_are_the_sums_of_the_loads(summary: Summary) -> None:
    report = render_json(summary, made=MADE)
    loads = [one for one in report["steps"] if one["kind"] == "load"]
    assert report["totals"]["rows"] == sum(one["rows"] for one in loads)
    for outcome, count in report["totals"]["outcomes"].items():
        assert count == sum(one["outcomes"][outcome] for one in loads)
    for one in report["steps"]:
        assert one["balanced"] == (sum(one["outcomes"].values()) == one["rows"])


class _Page(HTMLParser):
    """What a browser would see."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@EVERY
def test_the_page_runs_nothing_and_loads_nothing(summary: Summary) -> None:
    html = render_html(summary, made=MADE, files=FILES)
    page = _Page(html)
    loading = {"script", "link", "img", "iframe", "object", "embed", "audio", "video", "base", "form"}
    assert loading.isdisjoint(tag for tag, _ in page.tags)
    for _, attributes in page.tags:
        assert not any(name.startswith("on") or name in {"src", "href", "style"} for name in attributes)
    policy = next(one["content"] for tag, one in page.tags if one.get("http-equiv"))
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_the_page_tells_the_numbers_and_the_reasons() -> None:
    page = " ".join(_Page(render_html(RUNS["partly"], made=MADE, files=FILES)).text)
    for words in (
        "Finished, 30 rows without success", "15,970", "STRING_TOO_LONG", "rows/Contact.csv", "1 min 15 s",
        "Contact.AccountId looks up Account", "00D000000000002EAA", "sha256:0123", "migrator verify",
    ):  # fmt: skip
        assert words in page
    assert "/home/somebody" not in page


def test_what_was_left_behind_is_not_verified() -> None:
    summary = RUNS["left behind"]
    (one,) = (each for each in render_json(summary, made=MADE)["verification"] if each["object"] == "Contact")
    assert (one["differing"], one["missing"], one["without_success"]) == ({}, 0, 30)
    assert one["verdict"] == "incomplete"
    assert summary.verify_exit is ExitCode.ROWS_FAILED
    case = next(
        each
        for each in fromstring(render_junit(summary, made=MADE)).iter("testcase")
        if each.get("name") == "verify.Contact"
    )
    failure = case.find("failure")
    assert failure is not None
    assert "30 rows without success" in str(failure.get("message"))
    page = " ".join(_Page(render_html(summary, made=MADE, files=FILES)).text)
    assert "✗ incomplete" in page
    assert "| 30 | incomplete |" in render_markdown(summary, made=MADE)


def test_fields_of_faults_have_numbers_unless_all_faults_name_them() -> None:
    (step,) = (one for one in RUNS["partly"].steps if one.step == "load.Contact")
    assert step.fields_of("STRING_TOO_LONG") == ""
    told = {20: "Phone", 12: "Phone 12"}
    for count, words in told.items():
        found = replace(step, fault_fields={"STRING_TOO_LONG": {"Phone": count}})
        assert found.fields_of("STRING_TOO_LONG") == words
    several = replace(step, fault_fields={"STRING_TOO_LONG": {"Phone": 12, "Email": 8}})
    assert several.fields_of("STRING_TOO_LONG") == "Phone 12, Email 8"


def test_orphans_and_duplicates_have_figures_of_their_own() -> None:
    summary = RUNS["orphans"]
    (one,) = (each for each in render_json(summary, made=MADE)["verification"] if each["object"] == "Contact")
    assert (one["duplicated"], one["duplicate_keys"], one["orphaned"], one["differing"]) == (
        3,
        2,
        {"AccountId": 4},
        {},
    )
    assert render_json(summary, made=MADE)["verdict"]["code"] == "different"
    assert "7 differences" in render_markdown(summary, made=MADE)
    assert "AccountId: 4" in render_markdown(summary, made=MADE)
    assert "AccountId: 4" in render_html(summary, made=MADE)
    assert "AccountId lost its record: 4" in render_junit(summary, made=MADE)


def test_what_a_second_run_would_do_is_in_every_form() -> None:
    summary = RUNS["repeats"]
    (one,) = render_json(summary, made=MADE)["second_run"]
    assert (one["step"], one["create"], one["unchanged"], one["refused"]) == ("load.Contact", 11, 15_989, 0)
    assert summary.verify_exit == 1
    for text in (render_html(summary, made=MADE), render_markdown(summary, made=MADE)):
        assert "second run would create 11 records" in text
        assert "15,989" in text
    assert 'message="a second run would create 11 records"' in render_junit(summary, made=MADE)
    steady = RUNS["steady"]
    assert (steady.verify_exit, render_json(steady, made=MADE)["verdict"]["code"]) == (0, "verified")
    assert "creates nothing" in render_html(steady, made=MADE)
    assert render_json(RUNS["verified"], made=MADE)["second_run"] == []


def test_foreign_text_is_shown_as_text_in_every_form() -> None:
    summary = a_run(hostile=HOSTILE)
    html = render_html(summary, made=MADE)
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    markdown = render_markdown(summary, made=MADE)
    assert "<script" not in markdown
    assert "\\| \\`x\\`" in markdown
    junit = render_junit(summary, made=MADE)
    assert "<script" not in junit
    for text in (html, markdown, junit):
        assert "\x1b" not in text
        assert "\u202e" not in text


@EVERY
def test_junit_counts_what_it_lists(summary: Summary) -> None:
    root = fromstring(render_junit(summary, made=MADE))
    for suite in root:
        cases = suite.findall("testcase")
        assert int(suite.get("tests", "-1")) == len(cases)
        assert int(suite.get("failures", "-1")) == sum(1 for one in cases if one.find("failure") is not None)
        assert int(suite.get("skipped", "-1")) == sum(1 for one in cases if one.find("skipped") is not None)
    if summary.run.status is not RunStatus.COMPLETE:
        return
    failed = {one.get("name") for one in root.iter("testcase") if one.find("failure") is not None}
    wrong = {one.step for one in summary.steps if one.unsuccessful or not one.balanced}
    wrong |= {one.step for one in summary.repeated if summary.created_again}
    assert failed == wrong | {
        one.step for one in summary.verification if one.verdict in {"differs", "incomplete"}
    }


def test_a_table_of_markdown_has_as_many_cells_in_each_line() -> None:
    lines = render_markdown(RUNS["partly"], made=MADE, files=FILES).split("\n")
    for before, after in pairwise(lines):
        if before.startswith("|") and after.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", before)) == len(re.findall(r"(?<!\\)\|", after))


def test_the_picture_points_to_the_right() -> None:
    html = render_html(RUNS["moved"], made=MADE)
    paths = re.findall(r'class="edge" d="M(\d+) \d+C[-\d ]+ (\d+) \d+"', html)
    assert len(paths) == 4  # those of verification are not drawn
    assert all(int(begin) < int(end) for begin, end in paths)


def test_a_gate_that_is_not_put_back_stands_out_in_every_form() -> None:
    gate = GateSummary("gate.1.defer_sharing", f"defer {HOSTILE}", "open", held=True, since=STARTED, note="")
    summary = replace(a_run(), gates=(gate, replace(gate, step="gate.2.confirm", held=False, state="shut")))
    report = render_json(summary, made=MADE)
    assert [one["to_put_back"] for one in report["gates"]] == [True, False]
    schema = json.loads(resource("schemas", "report.schema.json").read_text(encoding="utf-8"))
    assert list(Draft202012Validator(schema).iter_errors(json.loads(json.dumps(report)))) == []
    assert set(report["gates"][0]) == set(schema["properties"]["gates"]["items"]["properties"])
    assert "open, to be put back" in render_markdown(summary, made=MADE)
    html = render_html(summary, made=MADE)
    assert "open, to be put back" in html
    assert "<script>alert" not in html
    suites = fromstring(render_junit(summary, made=MADE))
    assert [each.get("failures") for each in suites if each.get("name") == "gates"] == ["1"]


def test_the_lock_forecast_is_in_the_page() -> None:
    key = KeyForecast(
        "AccountId", 1.0, "standard pair", 100_000, 9_000, (RecordRows("001", 40_000),), 1, 0.98, 9.0
    )
    summary = a_run()
    forecast = Forecast("load.Contact", 100_000, (key,), f"rows travel together {HOSTILE}", 0.4)
    schedule = replace(summary.schedule, forecasts=(forecast,))
    html = render_html(replace(summary, schedule=schedule), made=MADE)
    assert "98 %" in html
    assert "one record: 40,000 rows" in html
    assert "<script>alert" not in html
    assert "<h2>Locks</h2>" not in render_html(summary, made=MADE)
